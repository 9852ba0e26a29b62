/* URLs: what is refused and why (faults U1 to U9), which share an origin, and
 * what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "url_parsed.h"

int runnel__test_url(void);

/* "https|host|port|user|password|path|query" of what is accepted. */
static void accepted(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *parts;
  } rows[] = {
      {"http://h", "0|h|80|||| 0"},
      {"https://h", "1|h|443|||| 0"},
      {"HTTP://H/", "0|H|80|||/| 0"},
      {"hTTpS://h", "1|h|443|||| 0"},
      {"http://h:", "0|h|80|||| 0"},
      {"http://h:/", "0|h|80|||/| 0"},
      {"http://h:1", "0|h|1|||| 0"},
      {"http://h:65535/", "0|h|65535|||/| 0"},
      {"http://h:00080/", "0|h|80|||/| 0"},
      {"http://h:443/", "0|h|443|||/| 0"},
      {"http://h/a/b?c=d&e#f", "0|h|80|||/a/b|?c=d&e 0"},
      {"http://h?c", "0|h|80||||?c 0"},
      {"http://h#f", "0|h|80|||| 0"},
      {"http://h/#f?g", "0|h|80|||/| 0"},
      {"http://h/?", "0|h|80|||/|? 0"},
      {"http://h/?a?b/c", "0|h|80|||/|?a?b/c 0"},
      {"http://h/a:b@c", "0|h|80|||/a:b@c| 0"},
      {"http://h#@evil", "0|h|80|||| 0"},
      {"http://h?@evil", "0|h|80||||?@evil 0"},
      {"http://h/@evil", "0|h|80|||/@evil| 0"},
      {"http://h//x", "0|h|80|||//x| 0"},
      {"http://h/{a}|\"<>^`'", "0|h|80|||/{a}|\"<>^`'| 0"},
      {"http://h/%", "0|h|80|||/%| 0"},
      {"http://a.b-c.d_e.", "0|a.b-c.d_e.|80|||| 0"},
      {"http://-a-/", "0|-a-|80|||/| 0"},
      {"http://xn--bcher-kva.example/", "0|xn--bcher-kva.example|80|||/| 0"},
      {"http://1.2.3.4:8080/", "0|1.2.3.4|8080|||/| 0"},
      {"http://1.2.3.4a/", "0|1.2.3.4a|80|||/| 0"},
      {"http://1.2.3.com/", "0|1.2.3.com|80|||/| 0"},
      {"http://0x7f.example/", "0|0x7f.example|80|||/| 0"},
      {"http://0xg/", "0|0xg|80|||/| 0"},
      {"http://[::1]/", "0|::1|80|||/| 0"},
      {"http://[2001:DB8::1]:81", "0|2001:DB8::1|81|||| 0"},
      {"http://[::ffff:1.2.3.4]:/", "0|::ffff:1.2.3.4|80|||/| 0"},
      {"http://u:p@h/", "0|h|80|u|p|/| 1"},
      {"http://u@h/", "0|h|80|u||/| 1"},
      {"http://u:@h/", "0|h|80|u||/| 1"},
      {"http://:p@h/", "0|h|80||p|/| 1"},
      {"http://u:p:q@h/", "0|h|80|u|p:q|/| 1"},
      {"http://u%40:p%2F@[::1]:5/", "0|::1|5|u%40|p%2F|/| 1"},
      {"http://%ff:%20@h/", "0|h|80|%ff|%20|/| 1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char why[RUNNEL__WHY_BYTES] = "";
    char parts[256];
    struct runnel__url url;
    int err = runnel__url_parse(&url, runnel__str_of(rows[i].text), why);
    if (err != RUNNEL_OK)
      fail_msg("%s: %s", rows[i].text, why);
    (void)snprintf(parts, sizeof parts, "%d|%.*s|%d|%.*s|%.*s|%.*s|%.*s %d",
                   url.https, (int)url.host.len, url.host.at, (int)url.port,
                   (int)url.user.len, url.user.at, (int)url.password.len,
                   url.password.at, (int)url.path.len, url.path.at,
                   (int)url.query.len, url.query.at, url.has_userinfo);
    assert_string_equal(parts, rows[i].parts);
    assert_int_equal(url.addr.port, url.port);
  }
}

#define LABEL63                                                                \
  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define HOST253                                                                \
  LABEL63 "." LABEL63 "." LABEL63 "."                                          \
          "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"
#define NO_SCHEME "URL has no scheme; it must begin with http:// or https://"
#define HIDDEN                                                                 \
  "host or port is malformed, or userinfo holds a '/', '?' or '#' that is "    \
  "not percent-encoded"

static void refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *why;
  } rows[] = {
      {"", "URL is empty"},
      {"/path", NO_SCHEME},
      {"path", NO_SCHEME},
      {"//h/path", NO_SCHEME},
      {"://h", NO_SCHEME},
      {"?a:b", NO_SCHEME},
      {"ftp://h/", "scheme \"ftp\" is not http or https"},
      {"file:///etc/passwd", "scheme \"file\" is not http or https"},
      {"javascript:x", "scheme \"javascript\" is not http or https"},
      {"localhost:80/x", "scheme \"localhost\" is not http or https"},
      {"httpss://h/", "scheme \"httpss\" is not http or https"},
      {"user:secret@h/", "the scheme is not http or https"},
      {"http:x", "\"http:\" is not followed by \"//\""},
      {"http:/x", "\"http:\" is not followed by \"//\""},
      {"http:", "\"http:\" is not followed by \"//\""},
      {"http://", "URL has no host"},
      {"http:///x", "URL has no host"},
      {"http://?x", "URL has no host"},
      {"http://#x", "URL has no host"},
      {"http://:80/", "URL has no host"},
      {"http://u:p@/", "URL has no host"},
      {"http://@h/", "userinfo is empty"},
      {"http://:@h/", "userinfo is empty"},
      {"http://a@b@h/", "URL holds more than one '@' before its path"},
      {"http://u%0d%0aX:p@h/", "userinfo holds a control character"},
      {"http://u:p%00@h/", "userinfo holds a control character"},
      {"http://u:p%7F@h/", "userinfo holds a control character"},
      {"http://u%3ax:p@h/", "the user name holds a colon"},
      {"http://u:%@h/", "userinfo holds '%' without two hex digits"},
      {"http://u:%2@h/", "userinfo holds '%' without two hex digits"},
      {"http://%zz@h/", "userinfo holds '%' without two hex digits"},
      {"http://us er:secret@h/",
       "userinfo holds a byte that must be percent-encoded"},
      {"http://u:p\xc3\xa4@h/",
       "userinfo holds a byte that must be percent-encoded"},
      {"http://u:sec/ret@h/", HIDDEN},
      {"http://u:sec?ret@h/", HIDDEN},
      {"http://u:sec#ret@h/", HIDDEN},
      {"http://u;/ret@h/", HIDDEN},
      {"http://h h/", "host holds the byte 0x20"},
      {"http://h\\x/", "host holds the byte 0x5C"},
      {"http://h\t/", "host holds the byte 0x09"},
      {"http://b\xc3\xbc"
       "cher.example/",
       "host holds the byte 0xC3: give it in ASCII form (xn--...)"},
      {"http://h/a b",
       "URL holds the byte 0x20, which must be percent-encoded"},
      {"http://h/\xc3\xbc",
       "URL holds the byte 0xC3, which must be percent-encoded"},
      {"http://h/\r\nX: y",
       "URL holds the byte 0x0D, which must be percent-encoded"},
      {"http://h/a\\b",
       "URL holds the byte 0x5C, which must be percent-encoded"},
      {"http://h/?\x7f",
       "URL holds the byte 0x7F, which must be percent-encoded"},
      {" http://h/", "URL holds the byte 0x20, which must be percent-encoded"},
      {"http://h/ ", "URL holds the byte 0x20, which must be percent-encoded"},
      {"\xef\xbb\xbfhttp://h/",
       "URL holds the byte 0xEF, which must be percent-encoded"},
      {"http://h%41/", "host holds the character '%'"},
      {"http://h%2fx/", "host holds the character '%'"},
      {"http://a,b/", "host holds the character ','"},
      {"http://a[b/", "host holds the character '['"},
      {"http://h:0/", "port 0 cannot be connected to"},
      {"http://h:0000/", "port 0 cannot be connected to"},
      {"http://h:65536/", "port 65536 is over 65535"},
      {"http://h:70000/", "port 70000 is over 65535"},
      {"http://h:99999999999/", "port 99999999999 is over 65535"},
      {"http://h:+80/", "port \"+80\" is not a decimal number"},
      {"http://h:-1/", "port \"-1\" is not a decimal number"},
      {"http://h:80a/", "port \"80a\" is not a decimal number"},
      {"http://h:0x50/", "port \"0x50\" is not a decimal number"},
      {"http://h:80:90/", "host and port hold more than one ':'; an IPv6 "
                          "address stands in brackets"},
      {"http://::1/", "host and port hold more than one ':'; an IPv6 address "
                      "stands in brackets"},
      {"http://0x7f.1/", "host \"0x7f.1" IS_ODD},
      {"http://2130706433/", "host \"2130706433" IS_ODD},
      {"http://127.1/", "host \"127.1" IS_ODD},
      {"http://010.0.0.1/", "host \"010.0.0.1" IS_ODD},
      {"http://1.2.3.4./", "host \"1.2.3.4." IS_ODD},
      {"http://1.2.3.4.5/", "host \"1.2.3.4.5" IS_ODD},
      {"http://1.2.3.256/", "host \"1.2.3.256" IS_ODD},
      {"http://0x7F000001/", "host \"0x7F000001" IS_ODD},
      {"http://0x/", "host \"0x" IS_ODD},
      {"http://a.0x1f/", "host \"a.0x1f" IS_ODD},
      {"http://a.1/", "host \"a.1" IS_ODD},
      {"http://[::1/", "the host's '[' has no ']'"},
      {"http://[::1]x/", "']' is followed by neither port nor path"},
      {"http://[]/", "host \"[]\" is not an IPv6 address"},
      {"http://[1.2.3.4]/", "host \"[1.2.3.4]\" is not an IPv6 address"},
      {"http://[::1::2]/", "host \"[::1::2]\" is not an IPv6 address"},
      {"http://[1:2:3:4:5:6:7:8:9]/",
       "host \"[1:2:3:4:5:6:7:8:9]\" is not an IPv6 address"},
      {"http://[fe80::1%25eth0]/", "zone ids are not accepted in URLs"},
      {"http://[fe80::1%eth0]/", "zone ids are not accepted in URLs"},
      {"http://[v1.a]/", "IPvFuture addresses are not accepted"},
      {"http://[::1]:x/", "port \"x\" is not a decimal number"},
      {"http://a..b/", "host \"a..b\" has an empty label"},
      {"http://.a/", "host \".a\" has an empty label"},
      {"http://a../", "host \"a..\" has an empty label"},
      {"http://./", "host \".\" has an empty label"},
      {"http://" LABEL63 "h/", "a label of the host is 64 bytes long, over 63"},
      {"http://" HOST253 "h/", "host is 254 bytes long, over 253"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char why[RUNNEL__WHY_BYTES] = "";
    struct runnel__url url = {.port = 7};
    struct runnel__str text = runnel__str_of(rows[i].text);
    assert_int_equal(runnel__url_parse(&url, text, why), RUNNEL_EURL);
    assert_string_equal(why, rows[i].why);
    assert_int_equal(runnel__url_parse(&url, text, NULL), RUNNEL_EURL);
    assert_int_equal(url.port, 7);
  }
}

static void lengths(void **state) {
  (void)state;
  char why[RUNNEL__WHY_BYTES];
  char text[9001];
  struct runnel__url url;
  assert_int_equal(
      runnel__url_parse(&url, RUNNEL__STR("http://" HOST253 "./"), why), 0);
  memset(text, 'a', sizeof text);
  memcpy(text, "http://h/", 9);
  struct runnel__str str = {text, RUNNEL__URL_BYTES_MAX};
  assert_int_equal(runnel__url_parse(&url, str, why), RUNNEL_OK);
  str.len++;
  assert_int_equal(runnel__url_parse(&url, str, why), RUNNEL_EURL);
  assert_string_equal(why, "URL is 8193 bytes long, over 8192");
}

/* U2: each byte value at each place; what passes is printable ASCII. */
static void every_byte(void **state) {
  (void)state;
  static const char *const fronts[] = {
      "",           "ht",         "http:",     "http://u",   "http://u:",
      "http://h.a", "http://h:8", "http://h/", "http://h/?", "http://h/#"};
  for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++)
    for (int byte = 0; byte < 256; byte++)
      for (int userinfo = 0; userinfo < 2; userinfo++) {
        char text[64];
        char why[RUNNEL__WHY_BYTES] = "";
        struct runnel__url url;
        size_t len = strlen(fronts[i]);
        memcpy(text, fronts[i], len);
        text[len++] = (char)byte;
        len += (size_t)sprintf(text + len, userinfo ? "x@h/" : "0");
        int err = runnel__url_parse(&url, (struct runnel__str){text, len}, why);
        if (byte <= 0x20 || byte >= 0x7f || byte == '\\')
          assert_int_equal(err, RUNNEL_EURL);
        assert_int_equal(err == RUNNEL_OK, why[0] == '\0');
        for (const char *c = why; *c != '\0'; c++)
          assert_true(*c >= 0x20 && *c < 0x7f);
      }
}

static void same_origin(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    int same;
  } rows[] = {
      {"http://h/", "http://H:80/x?y", 1},
      {"http://h/", "http://h./", 1},
      {"http://h/", "http://u:p@h/", 1},
      {"http://h/", "https://h/", 0},
      {"http://h:443/", "https://h/", 0},
      {"http://h/", "http://h:81/", 0},
      {"http://h/", "http://i/", 0},
      {"http://h/", "http://h.i/", 0},
      {"http://[::1]/", "http://[0:0:0:0:0:0:0:1]/", 1},
      {"http://[::1]/", "http://[::2]/", 0},
      {"http://1.2.3.4/", "http://1.2.3.4:80/", 1},
      {"http://1.2.3.4/", "http://[::ffff:1.2.3.4]/", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct runnel__url a = url_parsed(rows[i].a);
    struct runnel__url b = url_parsed(rows[i].b);
    assert_int_equal(runnel__url_same_origin(&a, &b), rows[i].same);
    assert_int_equal(runnel__url_same_origin(&b, &a), rows[i].same);
  }
}

static void prints(void **state) {
  (void)state;
  static const struct {
    const char *text, *full, *bare, *host;
  } rows[] = {
      {"HTTP://u:p@H:80?q#f", "http://H/?q", "http://H/", "H"},
      {"https://h.:443/a?q", "https://h./a?q", "https://h./a", "h"},
      {"http://h.:443/a", "http://h.:443/a", "http://h.:443/a", "h:443"},
      {"http://[::1]:8080", "http://[::1]:8080/", "http://[::1]:8080/",
       "[::1]:8080"},
      {"https://[::1]", "https://[::1]/", "https://[::1]/", "[::1]"},
      {"http://1.2.3.4:1/", "http://1.2.3.4:1/", "http://1.2.3.4:1/",
       "1.2.3.4:1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[64];
    struct runnel__url url = url_parsed(rows[i].text);
    size_t len = strlen(rows[i].full);
    assert_int_equal(runnel__url_print(text, sizeof text, &url, 1), len);
    assert_string_equal(text, rows[i].full);
    (void)runnel__url_print(text, sizeof text, &url, 0);
    assert_string_equal(text, rows[i].bare);
    (void)runnel__url_print_host(text, sizeof text, &url);
    assert_string_equal(text, rows[i].host);
    assert_int_equal(runnel__url_print(NULL, 0, &url, 1), len);
    for (size_t size = 1; size <= len; size++) {
      char *exact = malloc(size);
      assert_non_null(exact);
      assert_int_equal(runnel__url_print(exact, size, &url, 1), len);
      assert_int_equal(strlen(exact), size - 1);
      assert_memory_equal(exact, rows[i].full, size - 1);
      free(exact);
    }
  }
}

int runnel__test_url(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepted),    cmocka_unit_test(refused),
      cmocka_unit_test(lengths),     cmocka_unit_test(every_byte),
      cmocka_unit_test(same_origin), cmocka_unit_test(prints),
  };
  return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
