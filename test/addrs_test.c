/* Addresses: what is a literal, its canonical text, the order of dialling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/core/addrs.h"

int runnel__test_addrs(void);

static void literals(void **state) {
  (void)state;
  /* Text and its canonical form (RFC 5952), NULL: refused. */
  static const struct {
    const char *text;
    const char *printed;
  } rows[] = {
      {"192.0.2.1", "192.0.2.1:80"},
      {"0.0.0.0", "0.0.0.0:80"},
      {"255.255.255.255", "255.255.255.255:80"},
      {"", NULL},
      {"1.2.3", NULL},
      {"1.2.3.4.5", NULL},
      {"1.2.3.4.", NULL},
      {".1.2.3.4", NULL},
      {"1..2.3", NULL},
      {"1.2.3.256", NULL},
      {"1.2.3.1000", NULL},
      {"01.2.3.4", NULL},
      {"1.2.3.00", NULL},
      {"0x1.2.3.4", NULL},
      {"2130706433", NULL},
      {"127.1", NULL},
      {"+1.2.3.4", NULL},
      {" 1.2.3.4", NULL},
      {"1.2.3.4 ", NULL},
      {"::", "[::]:80"},
      {"::1", "[::1]:80"},
      {"1::", "[1::]:80"},
      {"2001:DB8::1", "[2001:db8::1]:80"},
      {"2001:db8:0:0:0:0:0:1", "[2001:db8::1]:80"},
      {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80"},
      {"2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80"},
      {"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80"},
      {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
      {"0001:0002:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
      {"1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]:80"},
      {"::2:3:4:5:6:7:8", "[0:2:3:4:5:6:7:8]:80"},
      {"1:0:0:4:5:6:0:0", "[1::4:5:6:0:0]:80"},
      {"0:0:0:0:0:0:0:0", "[::]:80"},
      {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80"},
      {"::FFFF:c000:0201", "[::ffff:192.0.2.1]:80"},
      {"64:ff9b::192.0.2.33", "[64:ff9b::c000:221]:80"},
      {"1:2:3:4:5:6:1.2.3.4", "[1:2:3:4:5:6:102:304]:80"},
      {"::1.2.3.4", "[::102:304]:80"},
      {"1:2:3:4:5:6:7:1.2.3.4", NULL},
      {"1:2:3:4:5:6:7:8::", NULL},
      {"::1:2:3:4:5:6:7:8", NULL},
      {"1:2:3:4:5:6:7:8:9", NULL},
      {"1:2:3:4:5:6:7", NULL},
      {"1:2:3:4::5:6:7:8", NULL},
      {"1::2::3", NULL},
      {":::", NULL},
      {":", NULL},
      {":1", NULL},
      {"1:", NULL},
      {":1::2", NULL},
      {"1::2:", NULL},
      {":::1", NULL},
      {"1:::2", NULL},
      {"12345::", NULL},
      {"g::", NULL},
      {"::1.2.3", NULL},
      {"::1.2.3.04", NULL},
      {"1.2.3.4::", NULL},
      {"::1.2.3.4:5", NULL},
      {"fe80::1%1", NULL},
      {"fe80::1%eth0", NULL},
      {"[::1]", NULL},
      {"::1 ", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[RUNNEL__ADDR_TEXT_BYTES];
    struct runnel__addr addr = {.port = 7, .zone = 9};
    int is = runnel__addr_parse(&addr, runnel__str_of(rows[i].text));
    assert_int_equal(is, rows[i].printed != NULL);
    if (!is) {
      assert_int_equal(addr.port, 7);
      assert_int_equal(addr.zone, 9);
      continue;
    }
    assert_int_equal(addr.zone, 0);
    addr.port = 80;
    runnel__addr_print(text, &addr);
    assert_string_equal(text, rows[i].printed);
  }
}

static void longest_text(void **state) {
  (void)state;
  char text[RUNNEL__ADDR_TEXT_BYTES];
  struct runnel__addr addr = {.zone = UINT32_MAX, .port = 65535, .v6 = 1};
  memset(addr.ip, 0xff, sizeof addr.ip);
  runnel__addr_print(text, &addr);
  assert_string_equal(
      text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void interleaves(void **state) {
  (void)state;
  /* Each letter is an address: lower case IPv4, upper case IPv6. */
  static const struct {
    const char *given;
    const char *wanted;
  } rows[] = {
      {"", ""},
      {"a", "a"},
      {"ab", "ab"},
      {"aA", "aA"},
      {"ABCab", "AaBbC"},
      {"abcAB", "aAbBc"},
      {"ABCD", "ABCD"},
      {"aAbBcC", "aAbBcC"},
      {"Aabcd", "Aabcd"},
      {"aABCD", "aABCD"},
      {"aabABAB", "aAaBbAB"},
      {"ABCDEFGHabcdefgh", "AaBbCcDdEeFfGgHh"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct runnel__addr addrs[RUNNEL__ADDRS_MAX] = {0};
    char got[RUNNEL__ADDRS_MAX + 1] = "";
    size_t len = strlen(rows[i].given);
    for (size_t j = 0; j < len; j++) {
      addrs[j].ip[0] = (uint8_t)rows[i].given[j];
      addrs[j].v6 = rows[i].given[j] < 'a';
    }
    runnel__addrs_interleave(addrs, len);
    for (size_t j = 0; j < len; j++)
      got[j] = (char)addrs[j].ip[0];
    assert_string_equal(got, rows[i].wanted);
  }
}

int runnel__test_addrs(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(literals),
      cmocka_unit_test(longest_text),
      cmocka_unit_test(interleaves),
  };
  return cmocka_run_group_tests_name("addrs", tests, NULL, NULL);
}
