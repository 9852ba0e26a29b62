/* Which names of a certificate name which host (faults.md C3, C5 to C10; RFC
 * 9525 6.3, 6.4): a table of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/core/peername.h"

#define LEN(array) (sizeof(array) / sizeof *(array))
#define L60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static const struct row {
  struct runnel__str name; /* in the certificate */
  struct runnel__str host;
  int is;
} rows[] = {
#define BYTES(literal)                                                         \
  { (literal), sizeof(literal) - 1 }
#define IS(name, host)                                                         \
  { BYTES(name), BYTES(host), 1 }
#define NOT(name, host)                                                        \
  { BYTES(name), BYTES(host), 0 }
    IS("example.test", "example.test"),
    IS("localhost", "localhost"),
    IS("Example.TEST", "eXample.test"),
    IS("my_host.test", "my_host.test"),
    IS("a-b.test", "a-b.test"),
    IS("1host.example.test", "1host.example.test"),
    IS("example.t3st", "example.t3st"),
    IS("xn--bcher-kva.test", "xn--bcher-kva.test"),
    IS(L60 "abc.test", L60 "abc.test"),
    NOT("example.test", "example.tes"),
    NOT("example.tes", "example.test"),
    NOT("example.test", "www.example.test"),
    NOT("www.example.test", "example.test"),
    NOT("xample.test", "example.test"),
    NOT("other.test", "example.test"),
    NOT("", "example.test"),
    NOT("example.test", ""),
    NOT("", ""),

    /* A wildcard is one label, whole, the first. */
    IS("*.example.test", "www.example.test"),
    IS("*.EXAMPLE.test", "www.example.TEST"),
    IS("*.example.test", "xn--bcher-kva.example.test"),
    IS("*.a.example.test", "www.a.example.test"),
    NOT("*.example.test", "example.test"),
    NOT("*.example.test", "a.www.example.test"),
    NOT("*.example.test", ".example.test"),
    NOT("*.example.test", "*.example.test"),
    NOT("*.example.test", "wwwexample.test"),
    NOT("*.example.test", "www.xample.test"),
    NOT("w*.example.test", "www.example.test"),
    NOT("*w.example.test", "www.example.test"),
    NOT("w*w.example.test", "www.example.test"),
    NOT("xn--*.example.test", "xn--bcher-kva.example.test"),
    NOT("www.*.test", "www.example.test"),
    NOT("*.*.test", "www.example.test"),
    NOT("*.*", "example.test"),
    NOT("**.example.test", "www.example.test"),
    NOT("*example.test", "example.test"),
    NOT("*example.test", "wwwexample.test"),
    NOT("example.*", "example.test"),

    /* Never for all of a top-level domain, nor for all there is. */
    NOT("*.test", "example.test"),
    NOT("*", "localhost"),
    NOT("*", "example.test"),
    NOT("*.", "localhost"),
    NOT("*..test", "www.example.test"),

    /* Dots where no label is. */
    NOT("example.test.", "example.test"),
    NOT("*.example.test.", "www.example.test"),
    NOT(".example.test", "example.test"),
    NOT(".example.test", "www.example.test"),
    NOT("example..test", "example..test"),
    NOT("example.test", "example.test."),
    NOT(".", "."),

    /* NUL and other bytes that no name has. */
    NOT("example.test\0", "example.test"),
    NOT("example.test\0.evil.test", "example.test"),
    NOT("example.test\0.evil.test", "example.test\0.evil.test"),
    NOT("\0example.test", "example.test"),
    NOT("*.exa\0mple.test", "www.exa\0mple.test"),
    NOT(" example.test", "example.test"),
    NOT("example.test ", "example.test"),
    NOT("example.test\n", "example.test\n"),
    NOT("b\xc3\xbc"
        "cher.test",
        "b\xc3\xbc"
        "cher.test"),
    NOT("user@example.test", "user@example.test"),
    NOT("https://example.test", "example.test"),
    NOT("example.test:443", "example.test"),
    NOT("example.test/a", "example.test/a"),
    NOT("[::1]", "[::1]"),

    /* Longer than names can be. */
    NOT(L60 "abcd.test", L60 "abcd.test"),
    IS(L60 "." L60 "." L60 "." L60 ".aaaa.bcde", /* 253 */
       L60 "." L60 "." L60 "." L60 ".aaaa.bcde"),
    NOT(L60 "." L60 "." L60 "." L60 ".aaaa.bcdef",
        L60 "." L60 "." L60 "." L60 ".aaaa.bcdef"),

    /* An address is no name, in whatever spelling. */
    NOT("127.0.0.1", "127.0.0.1"),
    NOT("*.0.0.1", "127.0.0.1"),
    NOT("127.1", "127.1"),
    NOT("2130706433", "2130706433"),
    NOT("0177.0.0.01", "0177.0.0.01"),
    NOT("a.b.1", "a.b.1"),
    NOT("::1", "::1"),
    NOT("2001:db8::1", "2001:db8::1"),
};

static void a_name_is_the_host_s_or_is_not(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(rows); i++)
    if (runnel__peername_is_host(rows[i].name, rows[i].host) != rows[i].is)
      fail_msg("row %zu: \"%s\" %s taken for \"%s\"", i, rows[i].name.at,
               rows[i].is ? "is not" : "is", rows[i].host.at);
}

/* Of 256 bytes, those that names are made of, and the dot as their divider. */
static void no_other_byte_stands_in_a_name(void **state) {
  (void)state;
  size_t taken = 0;
  for (int byte = 0; byte < 256; byte++) {
    char text[] = "www.a?b.test";
    text[5] = (char)byte;
    struct runnel__str name = {text, sizeof text - 1};
    taken += (size_t)runnel__peername_is_host(name, name);
  }
  assert_int_equal(taken, 26 + 26 + 10 + 3); /* "-", "_" and "." */
}

static const struct addr_row {
  struct runnel__str bytes;
  const char *host;
  int is;
} addr_rows[] = {
    {BYTES("\x7f\0\0\x01"), "127.0.0.1", 1},
    {BYTES("\x7f\0\0\x02"), "127.0.0.1", 0},
    {BYTES("\x7f\0\0"), "127.0.0.1", 0},
    {BYTES("\x7f\0\0\x01\0"), "127.0.0.1", 0},
    {BYTES("\x7f\0\0\x01\xff\xff\xff\xff"), "127.0.0.1", 0},
    {BYTES("127.0.0.1"), "127.0.0.1", 0},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "::1", 1},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"), "::1", 0},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "0:0::0:1", 1},
    {BYTES("\0\0\0\x01"), "::1", 0},
    {BYTES("\x7f\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"), "127.0.0.1", 0},
    {BYTES("\x7f\0\0\x01"), "::ffff:127.0.0.1", 0},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"), "::ffff:127.0.0.1", 1},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"), "127.0.0.1", 0},
    {BYTES(""), "0.0.0.0", 0},
};

static void an_address_is_its_bytes(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(addr_rows); i++) {
    const struct addr_row *row = &addr_rows[i];
    struct runnel__addr addr;
    assert_true(runnel__addr_parse(&addr, runnel__str_of(row->host)));
    if (runnel__peername_is_addr(row->bytes, &addr) != row->is)
      fail_msg("row %zu: %s", i, row->host);
  }
}

int runnel__test_peername(void);

int runnel__test_peername(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_the_host_s_or_is_not),
      cmocka_unit_test(no_other_byte_stands_in_a_name),
      cmocka_unit_test(an_address_is_its_bytes),
  };
  return cmocka_run_group_tests_name("peername", tests, NULL, NULL);
}
