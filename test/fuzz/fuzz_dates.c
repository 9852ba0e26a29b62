/* HTTP dates and Retry-After against a slow second reading of RFC 9110 5.6.7
 * and 10.2.3: the fields come from sscanf, every candidate is written out again
 * and must give the same text, days are counted by timegm.
 *
 * Input: eight bytes, the time now; the rest, the text. */
#define _DEFAULT_SOURCE /* timegm */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/core/httpdate.h"
#include "fuzz.h"
#include "runnel.h"

#define TEXT_BYTES_MAX 64

/* Beyond it no date of four digits comes near. */
#define NOW_S_MAX (INT64_C(1) << 52)

/* Where a slow count still fits struct tm: the years 1 to 9900. */
#define SLOW_NOW_S_MIN INT64_C(-62135596800)
#define SLOW_NOW_S_MAX INT64_C(250243257600)

static const char *const weekdays[] = {"Monday",   "Tuesday", "Wednesday",
                                       "Thursday", "Friday",  "Saturday",
                                       "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct fields {
  char weekday[10];
  char month[4];
  int day, year, hour, minute, second;
};

static int is_one(const char *word, const char *const *names, size_t len,
                  size_t short_len) {
  for (size_t i = 0; i < len; i++)
    if (short_len == 0 ? strcmp(word, names[i]) == 0
                       : strlen(word) == short_len &&
                             strncmp(word, names[i], short_len) == 0)
      return (int)i + 1;
  return 0;
}

static int month_of(const struct fields *fields) {
  return is_one(fields->month, months, 12, 3);
}

/* The three forms; `years` is 50-years-ahead's business when it is 2. */
static int read_fields(struct fields *f, const char *text, int *years) {
  char again[4][80];
  *years = 4;
  if (sscanf(text, "%9[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d", f->weekday,
             &f->day, f->month, &f->year, &f->hour, &f->minute,
             &f->second) == 7) {
    snprintf(again[0], sizeof again[0], "%s, %02d %s %04d %02d:%02d:%02d GMT",
             f->weekday, f->day, f->month, f->year, f->hour, f->minute,
             f->second);
    return strcmp(again[0], text) == 0 && is_one(f->weekday, weekdays, 7, 3);
  }
  if (sscanf(text, "%9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d", f->weekday,
             &f->day, f->month, &f->year, &f->hour, &f->minute,
             &f->second) == 7) {
    *years = 2;
    snprintf(again[0], sizeof again[0], "%s, %02d-%s-%02d %02d:%02d:%02d GMT",
             f->weekday, f->day, f->month, f->year, f->hour, f->minute,
             f->second);
    return strcmp(again[0], text) == 0 && is_one(f->weekday, weekdays, 7, 0);
  }
  if (sscanf(text, "%9[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", f->weekday,
             f->month, &f->day, &f->hour, &f->minute, &f->second,
             &f->year) != 7)
    return 0;
  for (int i = 0; i < 2; i++) /* SP and a digit, or two digits */
    snprintf(again[i], sizeof again[i],
             i == 0 ? "%s %s %2d %02d:%02d:%02d %04d"
                    : "%s %s %02d %02d:%02d:%02d %04d",
             f->weekday, f->month, f->day, f->hour, f->minute, f->second,
             f->year);
  return (strcmp(again[0], text) == 0 || strcmp(again[1], text) == 0) &&
         is_one(f->weekday, weekdays, 7, 3);
}

static int64_t count(int year, int month, int day, int hour, int minute,
                     int second) {
  struct tm tm = {.tm_year = year - 1900,
                  .tm_mon = month - 1,
                  .tm_mday = day,
                  .tm_hour = hour,
                  .tm_min = minute,
                  .tm_sec = second};
  return (int64_t)timegm(&tm);
}

static int64_t count_fields(const struct fields *f) {
  return count(f->year, month_of(f), f->day, f->hour, f->minute, f->second);
}

/* Year by year, down from the last one that may be. */
static void settle_slowly(struct fields *fields, int64_t now_s) {
  time_t now = (time_t)now_s;
  struct tm tm;
  gmtime_r(&now, &tm);
  int year = tm.tm_year + 1900;
  int64_t limit =
      now_s - count(year, 1, 1, 0, 0, 0) + count(year + 50, 1, 1, 0, 0, 0);
  int digits = fields->year;
  for (fields->year = year + 50; ((fields->year % 100) + 100) % 100 != digits ||
                                 count_fields(fields) > limit;
       fields->year--)
    ;
}

/* sscanf takes signs. */
static int in_range(int number, int max) {
  return number >= 0 && number <= max;
}

static int read_slowly(int64_t *unix_s, const char *text, int64_t now_s) {
  struct fields fields;
  int years;
  if (!read_fields(&fields, text, &years) || month_of(&fields) == 0 ||
      !in_range(fields.hour, 23) || !in_range(fields.minute, 59) ||
      !in_range(fields.second, 60) || !in_range(fields.day, 31) ||
      !in_range(fields.year, 9999))
    return 0;
  if (years == 2)
    settle_slowly(&fields, now_s);
  time_t day =
      (time_t)count(fields.year, month_of(&fields), fields.day, 0, 0, 0);
  struct tm tm;
  gmtime_r(&day, &tm);
  if (tm.tm_mday != fields.day || tm.tm_mon + 1 != month_of(&fields))
    return 0;
  *unix_s = count_fields(&fields);
  return 1;
}

static void check_date(struct runnel__str text, int64_t now_s) {
  int64_t fast = -77, slow = -77;
  int err = runnel__httpdate_parse(&fast, text, now_s);
  FUZZ_CHECK(err == RUNNEL_OK || (err == RUNNEL_EINVAL && fast == -77),
             "code %d, %lld written", err, (long long)fast);
  if (now_s < SLOW_NOW_S_MIN || now_s > SLOW_NOW_S_MAX)
    return;
  char copy[TEXT_BYTES_MAX + 1] = "";
  if (text.len > 0)
    memcpy(copy, text.at, text.len);
  int good = strlen(copy) == text.len && read_slowly(&slow, copy, now_s);
  FUZZ_CHECK(good == (err == RUNNEL_OK), "\"%s\": accepted %d, slowly %d", copy,
             err == RUNNEL_OK, good);
  FUZZ_CHECK(fast == slow, "\"%s\" at %lld: %lld, slowly %lld", copy,
             (long long)now_s, (long long)fast, (long long)slow);
}

/* Digits alone, as a number of seconds that saturates. */
static int read_seconds(struct runnel__str text, int64_t *delay_ms) {
  double sum = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!memchr("0123456789", text.at[i], 10))
      return 0;
    sum = sum * 10 + (text.at[i] - '0');
  }
  if (text.len == 0)
    return 0;
  *delay_ms =
      sum * 1000 > (double)RUNNEL_MS_MAX ? RUNNEL_MS_MAX : (int64_t)sum * 1000;
  return 1;
}

static void check_retry_after(struct runnel__str text, int64_t now_s) {
  int64_t delay_ms = -77, wanted_ms = -77, at_s;
  int err = runnel__retry_after_parse(&delay_ms, text, now_s);
  if (read_seconds(text, &wanted_ms)) {
    FUZZ_CHECK(err == RUNNEL_OK, "seconds were refused");
  } else if (runnel__httpdate_parse(&at_s, text, now_s) == RUNNEL_OK) {
    double span_s = (double)at_s - (double)now_s; /* exact to 2^53 */
    wanted_ms = span_s < 0 ? 0
                : span_s * 1000 > (double)RUNNEL_MS_MAX
                    ? RUNNEL_MS_MAX
                    : (int64_t)span_s * 1000;
    FUZZ_CHECK(err == RUNNEL_OK, "a date was refused");
  } else {
    FUZZ_CHECK(err == RUNNEL_EINVAL, "rubbish was accepted");
  }
  FUZZ_CHECK(delay_ms == wanted_ms, "%lld ms, slowly %lld", (long long)delay_ms,
             (long long)wanted_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct fuzz_input input = {bytes, len};
  int64_t now_s = (int64_t)(fuzz_number(&input, 8) % (2 * NOW_S_MAX));
  struct runnel__str text = {NULL, 0};
  now_s -= NOW_S_MAX;
  const uint8_t *rest = fuzz_bytes(&input, TEXT_BYTES_MAX, &text.len);
  char *copy = malloc(text.len > 0 ? text.len : 1); /* its end is seen */
  FUZZ_CHECK(copy != NULL, "no memory");
  if (text.len > 0)
    memcpy(copy, rest, text.len);
  text.at = copy;
  check_date(text, now_s);
  check_retry_after(text, now_s);
  free(copy);
  return 0;
}
