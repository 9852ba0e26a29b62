/* Dates and Retry-After (faults H15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "../lib/core/httpdate.h"
#include "runnel.h"

/* 2024-02-29 12:00:00 */
#define NOW_S INT64_C(1709208000)

int runnel__test_httpdate(void);

static void dates(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t unix_s; /* INT64_MIN: refused */
  } rows[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
      {"Sun Nov  6 08:49:37 1994", 784111777},
      {"Sun Nov 06 08:49:37 1994", 784111777},
      {"Sun Nov 16 08:49:37 1994", 784975777},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
      {"Thu, 29 Feb 2024 12:00:00 GMT", NOW_S},
      {"Mon, 29 Feb 2024 12:00:00 GMT", NOW_S}, /* not the date's weekday */
      {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
      {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
      {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
      {"Sat, 01 Jan 0000 00:00:00 GMT", INT64_C(-62167219200)},
      /* centuries: 50 years ahead to the second, then 50 years back */
      {"Thursday, 28-Feb-74 12:00:00 GMT", INT64_C(3287044800)},
      {"Thursday, 01-Mar-74 12:00:00 GMT", INT64_C(3287131200)},
      {"Thursday, 01-Mar-74 12:00:01 GMT", 131371201},
      {"Thursday, 01-Jan-75 00:00:00 GMT", 157766400},
      {"Thursday, 01-Jan-73 00:00:00 GMT", INT64_C(3250454400)},
      {"Thursday, 29-Feb-24 12:00:00 GMT", NOW_S},
      {"Thursday, 01-Jan-00 00:00:00 GMT", 946684800},
      {"", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37 ", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37 UTC", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37 gmt", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37 GMT ", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:37 GMT+1", INT64_MIN},
      {" Sun, 06 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"sun, 06 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 06 nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 06 NOV 1994 08:49:37 GMT", INT64_MIN},
      {"Sux, 06 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sunday, 06 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 06-Nov-94 08:49:37 GMT", INT64_MIN},
      {"Sunday, 06-Nov-1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 6 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun,  6 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 06 Nov 94 08:49:37 GMT", INT64_MIN},
      {"Sun, 06  Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun 06 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 00 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 31 Nov 1994 08:49:37 GMT", INT64_MIN},
      {"Sun, 32 Oct 1994 08:49:37 GMT", INT64_MIN},
      {"Thu, 29 Feb 2023 12:00:00 GMT", INT64_MIN},
      {"Thu, 29 Feb 1900 12:00:00 GMT", INT64_MIN},
      {"Thursday, 29-Feb-23 12:00:00 GMT", INT64_MIN},
      {"Sun, 06 Nov 1994 24:00:00 GMT", INT64_MIN},
      {"Sun, 06 Nov 1994 08:60:00 GMT", INT64_MIN},
      {"Sun, 06 Nov 1994 08:49:61 GMT", INT64_MIN},
      {"Sun, 06 Nov 1994 8:49:37 GMT", INT64_MIN},
      {"Sun, 06 Nov 1994 08.49.37 GMT", INT64_MIN},
      {"Sun, 06 Nov -994 08:49:37 GMT", INT64_MIN},
      {"Sun Nov 6 08:49:37 1994", INT64_MIN},
      {"Sun Nov  6 08:49:37 94", INT64_MIN},
      {"Sun Nov  6 08:49:37 1994 GMT", INT64_MIN},
      {"Sun Nov  0 08:49:37 1994", INT64_MIN},
      {"1994-11-06T08:49:37Z", INT64_MIN},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int64_t unix_s = 42;
    int err =
        runnel__httpdate_parse(&unix_s, runnel__str_of(rows[i].text), NOW_S);
    if (rows[i].unix_s == INT64_MIN) {
      assert_int_equal(err, RUNNEL_EINVAL);
      assert_int_equal(unix_s, 42);
    } else {
      assert_int_equal(err, RUNNEL_OK);
      assert_true(unix_s == rows[i].unix_s);
    }
  }
}

/* Every day of four centuries follows the one before it. */
static void days_follow(void **state) {
  (void)state;
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                       "May", "Jun", "Jul", "Aug",
                                       "Sep", "Oct", "Nov", "Dec"};
  int64_t expected = INT64_C(-11676096000); /* 1600-01-01 */
  for (int year = 1600; year <= 2000; year++)
    for (int month = 0; month < 12; month++)
      for (int day = 1; day <= 31; day++) {
        char text[64];
        int64_t unix_s;
        (void)snprintf(text, sizeof text, "Mon, %02d %s %04d 00:00:00 GMT", day,
                       months[month], year);
        if (runnel__httpdate_parse(&unix_s, runnel__str_of(text), 0) != 0)
          continue;
        assert_true(unix_s == expected);
        expected += 86400;
      }
  assert_true(expected == 978307200); /* 2001-01-01 */
}

static void retry_after(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t now_s;
    int64_t delay_ms; /* -1: refused */
  } rows[] = {
      {"0", NOW_S, 0},
      {"1", NOW_S, 1000},
      {"007", NOW_S, 7000},
      {"120", NOW_S, 120000},
      {"31536000", NOW_S, RUNNEL_MS_MAX},
      {"31536001", NOW_S, RUNNEL_MS_MAX},
      {"1000000000000000000000000000000", NOW_S, RUNNEL_MS_MAX},
      {"18446744073709551617", NOW_S, RUNNEL_MS_MAX},
      {"Thu, 29 Feb 2024 12:00:05 GMT", NOW_S, 5000},
      {"Thursday, 29-Feb-24 12:01:00 GMT", NOW_S, 60000},
      {"Thu Feb 29 13:00:00 2024", NOW_S, 3600000},
      {"Thu, 29 Feb 2024 12:00:00 GMT", NOW_S, 0},
      {"Sun, 06 Nov 1994 08:49:37 GMT", NOW_S, 0},
      {"Fri, 31 Dec 9999 23:59:59 GMT", NOW_S, RUNNEL_MS_MAX},
      {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_MIN / 4, RUNNEL_MS_MAX},
      {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_MAX / 2, 0},
      {"Wed, 31 Dec 1969 23:59:59 GMT", -2, 1000},
      {"", NOW_S, -1},
      {"-5", NOW_S, -1},
      {"+5", NOW_S, -1},
      {"1.5", NOW_S, -1},
      {"5s", NOW_S, -1},
      {"0x5", NOW_S, -1},
      {"1 2", NOW_S, -1},
      {"1, 2", NOW_S, -1},
      {"abc", NOW_S, -1},
      {"Thu, 30 Feb 2024 12:00:05 GMT", NOW_S, -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int64_t delay_ms = -1;
    int err = runnel__retry_after_parse(&delay_ms, runnel__str_of(rows[i].text),
                                        rows[i].now_s);
    assert_int_equal(err, rows[i].delay_ms < 0 ? RUNNEL_EINVAL : RUNNEL_OK);
    assert_true(delay_ms == rows[i].delay_ms);
  }
}

int runnel__test_httpdate(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dates),
      cmocka_unit_test(days_follow),
      cmocka_unit_test(retry_after),
  };
  return cmocka_run_group_tests_name("httpdate", tests, NULL, NULL);
}
