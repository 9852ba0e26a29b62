/* Form-encoded fields at the end of a URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runnel.h"

int runnel__test_query(void);

static void adds_query(void **state) {
  (void)state;
  static const struct {
    const char *url, *name, *value, *wanted;
  } rows[] = {
      {"http://h/a", "n", "v", "http://h/a?n=v"},
      {"http://h", "n", "v", "http://h?n=v"},
      {"http://h/a?x=y", "n", "v", "http://h/a?x=y&n=v"},
      {"http://h/a?", "n", "v", "http://h/a?n=v"},
      {"http://h/a?x&", "n", "v", "http://h/a?x&n=v"},
      {"http://h/a#f?g", "n", "v", "http://h/a?n=v#f?g"},
      {"http://h/a?x#f", "n", "v", "http://h/a?x&n=v#f"},
      {"http://h/", "n", "", "http://h/?n="},
      {"", "n", "v", "?n=v"},
      {"http://h/", "a b&c=d", "\xc3\xa4+/?#%~*-._09azAZ\r\n\x7f",
       "http://h/?a+b%26c%3Dd=%C3%A4%2B%2F%3F%23%25%7E*-._09azAZ%0D%0A%7F"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    size_t len = strlen(rows[i].wanted);
    char *dst = malloc(len + 1);
    assert_non_null(dst);
    assert_int_equal(runnel_url_add_query(dst, len + 1, rows[i].url,
                                          rows[i].name, rows[i].value),
                     RUNNEL_OK);
    assert_string_equal(dst, rows[i].wanted);
    dst[0] = '!';
    assert_int_equal(runnel_url_add_query(dst, len, rows[i].url, rows[i].name,
                                          rows[i].value),
                     RUNNEL_ETOOBIG);
    assert_int_equal(
        runnel_url_add_query(dst, 0, rows[i].url, rows[i].name, rows[i].value),
        RUNNEL_ETOOBIG);
    assert_int_equal(dst[0], '!');
    free(dst);
  }
  char dst[64];
  assert_int_equal(runnel_url_add_query(NULL, 64, "u", "n", "v"),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_url_add_query(dst, 64, NULL, "n", "v"),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_url_add_query(dst, 64, "u", NULL, "v"),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_url_add_query(dst, 64, "u", "n", NULL),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_url_add_query(dst, 64, "u", "", "v"), RUNNEL_EINVAL);
}

int runnel__test_query(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adds_query),
  };
  return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
