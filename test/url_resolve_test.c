/* How a Location resolves: RFC 3986 5.4 and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "url_parsed.h"

int runnel__test_url_resolve(void);

static void resolves(void **state) {
  (void)state;
  static const struct {
    const char *location;
    const char *wanted; /* a refusal begins with '!' */
  } rows[] = {
      /* RFC 3986 5.4.1 and 5.4.2, where they are http URLs */
      {"g:h", "!scheme \"g\" is not http or https"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/../x", "http://a/b/c/g"},
      {"http:g", "!\"http:\" is not followed by \"//\""},
      /* others */
      {"HTTPS://X:443/a/../b?c#d", "https://X/b?c"},
      {"http://x:81", "http://x:81/"},
      {"http://x?y", "http://x/?y"},
      {"//x:82/../y", "http://x:82/y"},
      {"/a//../b", "http://a/a/b"},
      {"/a/..", "http://a/"},
      {"/a/b/../..", "http://a/"},
      {"//x//y", "http://x//y"},
      {"/%2e%2e/g", "http://a/%2e%2e/g"},
      {"", "!Location is empty"},
      {"http://u:p@x/", "!Location holds userinfo"},
      {"//u@x/", "!Location holds userinfo"},
      {"///x", "!URL has no host"},
      {"ftp://x/", "!scheme \"ftp\" is not http or https"},
      {"/\\x", "!URL holds the byte 0x5C, which must be percent-encoded"},
      {"\\\\x", "!URL holds the byte 0x5C, which must be percent-encoded"},
      {"/a b", "!URL holds the byte 0x20, which must be percent-encoded"},
      {"/\xc3\xbc", "!URL holds the byte 0xC3, which must be percent-encoded"},
      {"//127.1/", "!host \"127.1" IS_ODD},
      {"http://x:0/", "!port 0 cannot be connected to"},
  };
  struct runnel__url base = url_parsed("http://u:p@a/b/c/d;p?q");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char dst[RUNNEL__URL_BYTES_MAX + 1] = "untouched";
    char why[RUNNEL__WHY_BYTES] = "";
    struct runnel__str location = runnel__str_of(rows[i].location);
    int err = runnel__url_resolve(dst, &base, location, why);
    if (rows[i].wanted[0] == '!') {
      assert_int_equal(err, RUNNEL_EURL);
      assert_string_equal(why, rows[i].wanted + 1);
      assert_string_equal(dst, "untouched");
    } else {
      assert_string_equal(why, "");
      assert_int_equal(err, RUNNEL_OK);
      assert_string_equal(dst, rows[i].wanted);
    }
  }
}

static void resolves_in_place_and_in_bounds(void **state) {
  (void)state;
  char dst[RUNNEL__URL_BYTES_MAX + 1];
  char location[RUNNEL__URL_BYTES_MAX + 2];
  struct runnel__url base = url_parsed("https://h:8");
  assert_int_equal(runnel__url_resolve(dst, &base, RUNNEL__STR("x?y"), NULL),
                   0);
  assert_string_equal(dst, "https://h:8/x?y");
  base = url_parsed(dst); /* dst may be what base points into */
  assert_int_equal(runnel__url_resolve(dst, &base, RUNNEL__STR("z"), NULL), 0);
  assert_string_equal(dst, "https://h:8/z");
  base = url_parsed("http://h/");
  memset(location, 'a', sizeof location);
  struct runnel__str str = {location, RUNNEL__URL_BYTES_MAX - 9};
  assert_int_equal(runnel__url_resolve(dst, &base, str, NULL), RUNNEL_OK);
  assert_int_equal(strlen(dst), RUNNEL__URL_BYTES_MAX);
  for (str.len++; str.len <= sizeof location; str.len++) {
    char why[RUNNEL__WHY_BYTES];
    assert_int_equal(runnel__url_resolve(dst, &base, str, why), RUNNEL_EURL);
    assert_string_equal(why, "URL is over 8192 bytes long");
    if (str.len < sizeof location - 2)
      str.len = sizeof location - 2;
  }
  /* A query directly behind the host gets a path, and must still fit. */
  memcpy(location, "http://h?", 9);
  str.len = RUNNEL__URL_BYTES_MAX;
  assert_int_equal(runnel__url_resolve(dst, &base, str, NULL), RUNNEL_EURL);
  str.len--;
  assert_int_equal(runnel__url_resolve(dst, &base, str, NULL), RUNNEL_OK);
}

int runnel__test_url_resolve(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resolves),
      cmocka_unit_test(resolves_in_place_and_in_bounds),
  };
  return cmocka_run_group_tests_name("url_resolve", tests, NULL, NULL);
}
