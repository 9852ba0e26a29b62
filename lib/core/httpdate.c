/* HTTP dates (RFC 9110 5.6.7) and Retry-After (10.2.3), strictly.
 *
 * Knows no clock: the caller says what time it is. A weekday must be the name
 * of one, but need not be the date's: what it says is redundant. */
#include "httpdate.h"

#include "chars.h"
#include "runnel.h"

#define DAY_S 86400
#define CENTURY_AHEAD_YEARS 50

struct date {
  int64_t year;
  int month; /* 1 to 12 */
  int day;
  int hour;
  int minute;
  int second;
};

/* a, A: short, full name of a weekday; b: month; d: two digits, D: the same or
 * SP and one; y, Y: year in two, in four digits; T: time; Z: GMT; all else
 * stands for itself. */
static const char *const forms[] = {
    "a, d b Y T Z", /* IMF-fixdate */
    "A, d-b-y T Z", /* RFC 850 */
    "a b D T Y",    /* asctime */
};

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static const char *const weekdays[] = {"Monday",   "Tuesday", "Wednesday",
                                       "Thursday", "Friday",  "Saturday",
                                       "Sunday"};

static int take_text(struct runnel__str *text, const char *wanted, size_t len) {
  if (text->len < len || memcmp(text->at, wanted, len) != 0)
    return 0;
  text->at += len;
  text->len -= len;
  return 1;
}

static int take_number(struct runnel__str *text, size_t digits, int *value) {
  if (text->len < digits)
    return 0;
  int sum = 0;
  for (size_t i = 0; i < digits; i++) {
    if (!runnel__is_digit(text->at[i]))
      return 0;
    sum = sum * 10 + (text->at[i] - '0');
  }
  text->at += digits;
  text->len -= digits;
  *value = sum;
  return 1;
}

static int take_weekday(struct runnel__str *text, int full) {
  for (size_t i = 0; i < sizeof weekdays / sizeof weekdays[0]; i++)
    if (take_text(text, weekdays[i], full ? strlen(weekdays[i]) : 3))
      return 1;
  return 0;
}

static int take_month(struct runnel__str *text, int *month) {
  for (int i = 0; i < 12; i++)
    if (take_text(text, months[i], 3)) {
      *month = i + 1;
      return 1;
    }
  return 0;
}

static int take_time(struct runnel__str *text, struct date *date) {
  return take_number(text, 2, &date->hour) && take_text(text, ":", 1) &&
         take_number(text, 2, &date->minute) && take_text(text, ":", 1) &&
         take_number(text, 2, &date->second) && date->hour < 24 &&
         date->minute < 60 && date->second <= 60;
}

static int take_year(struct runnel__str *text, size_t digits,
                     struct date *date) {
  int year;
  if (!take_number(text, digits, &year))
    return 0;
  date->year = year;
  return 1;
}

static int take_part(struct runnel__str *text, const char *part,
                     struct date *date) {
  switch (*part) {
  case 'a':
    return take_weekday(text, 0);
  case 'A':
    return take_weekday(text, 1);
  case 'b':
    return take_month(text, &date->month);
  case 'D':
    if (take_text(text, " ", 1))
      return take_number(text, 1, &date->day);
    return take_number(text, 2, &date->day);
  case 'd':
    return take_number(text, 2, &date->day);
  case 'y':
    return take_year(text, 2, date);
  case 'Y':
    return take_year(text, 4, date);
  case 'T':
    return take_time(text, date);
  case 'Z':
    return take_text(text, "GMT", 3);
  default:
    return take_text(text, part, 1);
  }
}

static int read_form(struct date *date, struct runnel__str text,
                     const char *form) {
  *date = (struct date){0};
  for (; *form != '\0'; form++)
    if (!take_part(&text, form, date))
      return 0;
  return text.len == 0;
}

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

/* Days before the first of March, so that leap days come last in their year. */
static int64_t days_of(int64_t year, int month, int day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int m = month <= 2 ? month + 9 : month - 3;
  int64_t leaps = floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400);
  return y * 365 + leaps + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t unix_of(const struct date *date) {
  return days_of(date->year, date->month, date->day) * DAY_S +
         date->hour * 3600 + date->minute * 60 + date->second;
}

/* The next month's first day is one after this month's last. */
static int has_day(const struct date *date) {
  int64_t next = date->month == 12 ? days_of(date->year + 1, 1, 1)
                                   : days_of(date->year, date->month + 1, 1);
  int64_t len = next - days_of(date->year, date->month, 1);
  return date->day >= 1 && date->day <= len;
}

/* Years of 365.2425 days; the guess may be one too late, never too early. */
static int64_t year_of(int64_t unix_s) {
  int64_t days = floor_div(unix_s, DAY_S);
  int64_t year = 1970 + floor_div(days * 10000, 3652425) + 1;
  while (days_of(year, 1, 1) > days)
    year--;
  return year;
}

/* The latest year of those last two digits that is not more than 50 years
 * ahead, to the second. */
static void settle_century(struct date *date, int64_t now_s) {
  int64_t now_year = year_of(now_s);
  int64_t last = now_year + CENTURY_AHEAD_YEARS;
  int64_t into_s = now_s - days_of(now_year, 1, 1) * DAY_S;
  int64_t past = last - date->year;
  date->year += floor_div(past, 100) * 100;
  if (unix_of(date) > days_of(last, 1, 1) * DAY_S + into_s)
    date->year -= 100;
}

int runnel__httpdate_parse(int64_t *unix_s, struct runnel__str text,
                           int64_t now_s) {
  struct date date;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (!read_form(&date, text, forms[i]))
      continue;
    if (strchr(forms[i], 'y') != NULL)
      settle_century(&date, now_s);
    if (!has_day(&date))
      return RUNNEL_EINVAL;
    *unix_s = unix_of(&date);
    return RUNNEL_OK;
  }
  return RUNNEL_EINVAL;
}

static int parse_seconds(int64_t *delay_ms, struct runnel__str text) {
  const int64_t max_s = RUNNEL_MS_MAX / 1000;
  int64_t sum_s = 0;
  if (text.len == 0)
    return 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!runnel__is_digit(text.at[i]))
      return 0;
    sum_s = sum_s * 10 + (text.at[i] - '0');
    if (sum_s > max_s)
      sum_s = max_s;
  }
  *delay_ms = sum_s * 1000;
  return 1;
}

int runnel__retry_after_parse(int64_t *delay_ms, struct runnel__str text,
                              int64_t now_s) {
  if (parse_seconds(delay_ms, text))
    return RUNNEL_OK;
  int64_t at_s;
  int err = runnel__httpdate_parse(&at_s, text, now_s);
  if (err != RUNNEL_OK)
    return err;
  if (at_s <= now_s)
    *delay_ms = 0;
  else if ((uint64_t)at_s - (uint64_t)now_s > RUNNEL_MS_MAX / 1000)
    *delay_ms = RUNNEL_MS_MAX;
  else
    *delay_ms = (at_s - now_s) * 1000;
  return RUNNEL_OK;
}
