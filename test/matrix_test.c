/* What becomes of an answer, through the whole library in the virtual world
 * (gate R7): every status, and every malformed response of reply_rows.h. What
 * api.md says stands here a second time, as lists, so that a change of the
 * library's own tables is noticed. */
#include <stdio.h>
#include <string.h>

#include "lab.h"

/* The rows' heads are event streams here, and two events come before what
 * follows in a chunked body. */
#define OK11 LAB_OPEN_HEAD
#define CHUNKED                                                                \
  OK11 "Transfer-Encoding: chunked\r\n\r\n"                                    \
       "12\r\ndata: a\n\ndata: b\n\n\r\n"
#include "reply_rows.h"

int runnel__test_matrix(void);

#define URL "http://10.0.0.1/feed"

static int in_list(const int *list, size_t len, int number) {
  for (size_t i = 0; i < len; i++)
    if (list[i] == number)
      return 1;
  return 0;
}

/* Statuses ------------------------------------------------------------------
 */

static const int redirects[] = {301, 302, 303, 307, 308};
static const int retried[] = {408, 421, 425, 429, 500, 502, 503, 504};

/* Ways to ask; a status means the same in all but where wanted_of says. */
static const struct mode {
  const char *method;
  int end;
  int asks;
} modes[] = {{"GET", RUNNEL_END_AUTO, 0},
             {"GET", RUNNEL_END_AUTO, 1},
             {"GET", RUNNEL_END_ONCE, 0},
             {"POST", RUNNEL_END_AUTO, 0},
             {"HEAD", RUNNEL_END_AUTO, 0}};

struct wanted {
  int code;
  int retry;
  int delay_ms; /* of a retry */
};

static struct wanted wanted_of(int status, const struct mode *mode) {
  if (status == 101)
    return (struct wanted){RUNNEL_EHTTP, strcmp(mode->method, "POST") != 0,
                           1000};
  if (status == 204)
    return (struct wanted){RUNNEL_OK, 0, 0};
  if (in_list(redirects, LEN(redirects), status))
    return (struct wanted){RUNNEL_EREDIRECT, 0, 0}; /* without Location */
  if (status == 401)
    return (struct wanted){RUNNEL_EUNAUTHORIZED, mode->asks, 0};
  return (struct wanted){RUNNEL_ESTATUS, in_list(retried, LEN(retried), status),
                         1000};
}

static void give_status(struct lab *lab, int status, int body) {
  char answer[256];
  struct sim_link *link = lab_dial(lab);
  assert_non_null(link);
  snprintf(answer, sizeof answer,
           "HTTP/1.1 %d x\r\nContent-Type: text/event-stream\r\n%s\r\n%s",
           status, body ? "Content-Length: 9\r\n" : "",
           body ? "data: a\n\n" : "");
  lab_say(lab, link, answer);
}

/* What is not shown as an open stream is shown in on_end, with its body. */
static void check_refused(const struct lab_feed *feed, int status,
                          const struct mode *mode) {
  struct wanted wanted = wanted_of(status, mode);
  int has_body =
      (wanted.code == RUNNEL_ESTATUS || wanted.code == RUNNEL_EREDIRECT ||
       wanted.code == RUNNEL_EUNAUTHORIZED) &&
      status != 304 && strcmp(mode->method, "HEAD") != 0;
  if (feed->code != wanted.code || feed->retry != wanted.retry)
    fail_msg("%s, status %d: %s, retry %d", mode->method, status,
             runnel_err_name(feed->code), feed->retry);
  assert_int_equal(feed->ends, 1);
  assert_int_equal(feed->opens, 0);
  assert_int_equal(feed->events, 0);
  assert_int_equal(feed->phase, RUNNEL_PHASE_HEAD);
  assert_int_equal(feed->status, status == 101 ? 0 : status);
  assert_int_equal(feed->headers_len, status == 101 ? 0 : 2);
  assert_string_equal(feed->body, has_body ? "data: a\n\n" : "");
  assert_int_equal(feed->closes, !wanted.retry);
  if (wanted.retry) {
    assert_int_equal(feed->delay_ms, wanted.delay_ms);
    assert_int_equal(feed->failures, wanted.code != RUNNEL_EUNAUTHORIZED);
  } else {
    assert_int_equal(feed->close_code, wanted.code);
  }
}

/* The next attempt of what is retried is a whole one. */
static void check_next(struct lab *lab, struct lab_feed *feed, int status) {
  if (status != 401) /* which is asked again at once */
    lab_tick(lab);
  assert_int_equal(lab->sim.links_made, 2);
  if (feed->asks)
    assert_int_equal(feed->why, status == 401 ? RUNNEL_WHY_UNAUTHORIZED
                                              : RUNNEL_WHY_RETRY);
  give_status(lab, 200, 1);
  assert_int_equal(feed->opens, 1);
}

static void walk_status(int status, const struct mode *mode) {
  struct lab lab = {0};
  struct lab_feed feed = {.asks = mode->asks};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.method = mode->method;
  options.end = mode->end;
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, &options);
  if (status < 200 && status != 101) { /* skipped: the answer comes after it */
    struct sim_link *link = lab_dial(&lab);
    char interim[64];
    snprintf(interim, sizeof interim, "HTTP/1.1 %d x\r\nA: b\r\n\r\n", status);
    lab_say(&lab, link, interim);
    assert_int_equal(feed.ends + feed.opens, 0);
    lab_say(&lab, link, LAB_OPEN_HEAD "\r\n");
    assert_int_equal(feed.opens, 1);
  } else if (status == 200) {
    int once =
        mode->end == RUNNEL_END_ONCE || strcmp(mode->method, "POST") == 0;
    int head = strcmp(mode->method, "HEAD") == 0;
    give_status(&lab, status, 1);
    assert_int_equal(feed.opens, 1);
    assert_string_equal(feed.data, head ? "" : "a|");
    assert_int_equal(feed.code, once ? RUNNEL_OK : RUNNEL_EEND);
    assert_int_equal(feed.retry, !once);
    assert_int_equal(feed.failures, head);
    assert_int_equal(feed.status, 200);
    assert_int_equal(feed.headers_len, 0);
  } else {
    give_status(&lab, status, 1);
    check_refused(&feed, status, mode);
    if (feed.retry)
      check_next(&lab, &feed, status);
  }
  lab_close(&lab);
}

static void every_status(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(modes); i++)
    for (int status = 100; status < 600; status++)
      walk_status(status, &modes[i]);
}

/* Malformed responses -------------------------------------------------------
 */

static const struct row {
  const char *bytes;
  size_t len;
  const char *transcript;
  int is_head;
} rows[] = {
#define ROW(bytes, transcript) {bytes, sizeof(bytes) - 1, transcript, 0},
#define HEAD_ROW(bytes, transcript) {bytes, sizeof(bytes) - 1, transcript, 1},
    REPLY_ROWS(ROW) REPLY_HEAD_ROWS(HEAD_ROW)
#undef ROW
#undef HEAD_ROW
};

static size_t count_of(const struct row *row, const char *text) {
  size_t len = strlen(text);
  size_t found = 0;
  for (size_t i = 0; i + len <= row->len; i++)
    found += memcmp(row->bytes + i, text, len) == 0;
  return found;
}

/* What api.md makes of the transcript of a row. */
static struct wanted wanted_of_row(const struct row *row) {
  static const struct mode get = {"GET", RUNNEL_END_AUTO, 0};
  int status = 0;
  const char *fault = strstr(row->transcript, "error: ");
  size_t len = strlen(row->transcript);
  int is_lost = len >= 4 && strcmp(row->transcript + len - 4, "lost") == 0;
  if (sscanf(row->transcript, "%3d ", &status) == 1 && status != 200)
    return wanted_of(status, &get);
  if (status == 200 && (count_of(row, "Content-Type: text/event-stream") == 0 ||
                        strstr(row->transcript, "Content-Type=") != NULL))
    return (struct wanted){RUNNEL_ETYPE, 0, 0};
  if (fault != NULL)
    return (struct wanted){RUNNEL_EHTTP, 1, 1000};
  return (struct wanted){is_lost ? RUNNEL_ELOST : RUNNEL_EEND, 1, 1000};
}

static void check_row(const struct row *row, const struct lab_feed *feed) {
  struct wanted wanted = wanted_of_row(row);
  const char *fault = strstr(row->transcript, "error: ");
  int events = !row->is_head && wanted.code != RUNNEL_ETYPE &&
               count_of(row, "\r\n12\r\ndata: a\n\n") == 1;
  if (feed->code != wanted.code || feed->retry != wanted.retry)
    fail_msg("\"%s\" (%s): %s, retry %d", row->bytes, row->transcript,
             runnel_err_name(feed->code), feed->retry);
  assert_int_equal(feed->ends, 1);
  assert_string_equal(feed->data, events ? "a|b|" : "");
  if (wanted.code == RUNNEL_EHTTP)
    assert_non_null(strstr(feed->text, fault + strlen("error: ")));
}

static void give_good_answer(struct lab *lab, struct lab_feed *feed) {
  char before[sizeof feed->data + 2];
  snprintf(before, sizeof before, "%sc|", feed->data);
  lab_tick(lab);
  lab_say(lab, lab_dial(lab), LAB_OPEN_HEAD "\r\ndata: c\n\n");
  assert_string_equal(feed->data, before);
  assert_int_equal(feed->ends, 1);
}

/* 1 if the row is a fault of the response itself. */
static size_t walk_row(const struct row *row, int each) {
  struct lab lab = {0};
  struct lab_feed feed = {0};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.method = row->is_head ? "HEAD" : "GET";
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, &options);
  struct sim_link *link = lab_dial(&lab);
  (each ? lab_give_each : lab_give)(&lab, link, row->bytes, row->len);
  lab_end(&lab, link, RUNNEL_OK);
  if (count_of(row, "Location: /y") == 1) { /* that one is followed */
    assert_int_equal(feed.ends, 0);
    assert_int_equal(lab.sim.links_made, 2);
  } else {
    check_row(row, &feed);
    if (feed.retry && !row->is_head)
      give_good_answer(&lab, &feed);
  }
  lab_close(&lab);
  return feed.code == RUNNEL_EHTTP || feed.code == RUNNEL_ELOST;
}

static void every_malformed_response(void **state) {
  (void)state;
  size_t faults = 0;
  for (size_t i = 0; i < LEN(rows); i++) {
    faults += walk_row(&rows[i], 0);
    (void)walk_row(&rows[i], 1);
  }
  print_message("matrix: %zu responses, %zu of them malformed or cut\n",
                LEN(rows), faults);
  assert_true(faults >= 90);
}

/* Limits of a head, and what a reset leaves: rows that a program writes. */
static void heads_over_their_limits(void **state) {
  (void)state;
  static const struct {
    const char *text; /* repeated */
    size_t times;
    const char *why;
  } limits[] = {
      {"A: b\r\n", 257, "the response head has over 256 fields"},
      {"A: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789\r\n",
       1100, "the response head"},
      {"0123456789abcdef", 5000, "the response head is over its limit"},
      {"\r\nHTTP/1.1 100 x\r\n", 9, "over 8 responses 1xx"},
  };
  for (size_t i = 0; i < LEN(limits); i++) {
    struct lab lab = {0};
    struct lab_feed feed = {0};
    lab_open(&lab, NULL);
    lab_feed_open(&feed, &lab, URL, NULL);
    struct sim_link *link = lab_dial(&lab);
    lab_say(&lab, link,
            limits[i].text[0] == '\r' ? "HTTP/1.1 100 x\r\n"
                                      : "HTTP/1.1 200 x\r\n");
    for (size_t k = 0; k < limits[i].times; k++)
      lab_say(&lab, link, limits[i].text);
    assert_int_equal(feed.code, RUNNEL_EHTTP);
    assert_int_equal(feed.retry, 1);
    assert_non_null(strstr(feed.text, limits[i].why));
    give_good_answer(&lab, &feed);
    lab_close(&lab);
  }
}

/* Each framing, cut and reset after two events and a half. */
static void cuts_keep_what_was_complete(void **state) {
  (void)state;
  static const char *const heads[] = {
      LAB_OPEN_HEAD "\r\n", LAB_OPEN_HEAD "Content-Length: 60\r\n\r\n",
      LAB_OPEN_HEAD "Transfer-Encoding: chunked\r\n\r\nff\r\n",
      "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"};
  static const int codes[] = {RUNNEL_OK, RUNNEL_ELOST};
  for (size_t i = 0; i < LEN(heads); i++)
    for (size_t k = 0; k < LEN(codes); k++) {
      struct lab lab = {0};
      struct lab_feed feed = {0};
      int is_whole = codes[k] == RUNNEL_OK && (i == 0 || i == 3);
      lab_open(&lab, NULL);
      lab_feed_open(&feed, &lab, URL, NULL);
      struct sim_link *link = lab_dial(&lab);
      lab_say(&lab, link, heads[i]);
      lab_say(&lab, link, "id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: x\n");
      lab_end(&lab, link, codes[k]);
      assert_int_equal(feed.code, is_whole ? RUNNEL_EEND : RUNNEL_ELOST);
      assert_string_equal(feed.data, "a|b|");
      assert_string_equal(runnel_stream_last_event_id(feed.stream, NULL), "1");
      give_good_answer(&lab, &feed);
      lab_close(&lab);
    }
}

int runnel__test_matrix(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status),
      cmocka_unit_test(every_malformed_response),
      cmocka_unit_test(heads_over_their_limits),
      cmocka_unit_test(cuts_keep_what_was_complete),
  };
  return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
