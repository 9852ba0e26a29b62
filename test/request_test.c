/* The request of one attempt: what may be set, up to which limits, and that a
 * change that is refused changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

int runnel__test_request(void);

#define URL "http://10.0.0.1/feed"

/* What is sent when `ask` had its say; the application's log is in `log`. */
static struct sim_link *send_after(struct lab *lab, struct lab_feed *feed,
                                   void (*ask)(struct lab_feed *,
                                               runnel_request *),
                                   const struct runnel_stream_options *more) {
  memset(feed, 0, sizeof *feed);
  feed->asks = 1;
  feed->on_request = ask;
  lab_open(lab, NULL);
  lab_feed_open(feed, lab, URL, more);
  struct sim_link *link = lab_dial(lab);
  assert_non_null(link);
  return link;
}

static void set_many(struct lab_feed *feed, runnel_request *request) {
  static char big[33000];
  char name[16];
  (void)feed;
  memset(big, 'x', sizeof big - 1);
  assert_int_equal(runnel_request_set_header(request, NULL, "b", 0),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_request_set_header(request, "X-Flags", "b", 4),
                   RUNNEL_EINVAL);
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "X-%d", i);
    assert_int_equal(runnel_request_set_header(request, name, "b", 0),
                     RUNNEL_OK);
  }
  assert_int_equal(runnel_request_set_header(request, "X-100", "b", 0),
                   RUNNEL_ETOOBIG);
  assert_int_equal(runnel_request_set_header(request, "X-99", big, 0),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_request_set_header(request, "X-98", "new", 0),
                   RUNNEL_OK);
  assert_int_equal(runnel_request_set_header(request, "X-97", NULL, 0),
                   RUNNEL_OK);
}

static void header_fields_have_a_limit(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed;
  struct sim_link *link = send_after(&lab, &feed, set_many, NULL);
  assert_non_null(strstr(link->sent, "\r\nX-99: b\r\n"));
  assert_non_null(strstr(link->sent, "\r\nX-98: new\r\n"));
  assert_null(strstr(link->sent, "X-97:"));
  assert_null(strstr(link->sent, "X-100:"));
  lab_close(&lab);
}

static void take_body(struct lab_feed *feed, runnel_request *request) {
  (void)feed;
  assert_int_equal(runnel_request_set_body(request, NULL, 1), RUNNEL_EINVAL);
  assert_int_equal(
      runnel_request_set_body(request, "", (size_t)RUNNEL_BYTES_MAX + 1),
      RUNNEL_ETOOBIG);
  assert_int_equal(runnel_request_set_body(request, "other", 5), RUNNEL_OK);
  assert_int_equal(runnel_request_set_body(request, NULL, 0), RUNNEL_OK);
  assert_int_equal(runnel_request_set_method(request, NULL), RUNNEL_EINVAL);
  assert_int_equal(runnel_request_set_url(request, NULL), RUNNEL_EURL);
}

static void a_body_can_be_taken_away(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.method = "POST";
  options.body = "the stream's";
  options.body_len = 12;
  struct sim_link *link = send_after(&lab, &feed, take_body, &options);
  assert_non_null(strstr(link->sent, "POST /feed "));
  assert_null(strstr(link->sent, "other"));
  assert_null(strstr(link->sent, "the stream's"));
  lab_close(&lab);
}

static void proceed_at_once(struct lab_feed *feed, runnel_request *request) {
  (void)feed;
  assert_int_equal(runnel_request_proceed(request, RUNNEL_OK), RUNNEL_ESTATE);
  assert_int_equal(runnel_request_hold(request), RUNNEL_OK);
  assert_int_equal(runnel_request_hold(request), RUNNEL_ESTATE);
  assert_int_equal(runnel_request_proceed(request, -1000), RUNNEL_EINVAL);
  assert_int_equal(runnel_request_proceed(request, RUNNEL_LATER),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_request_proceed(request, RUNNEL_OK), RUNNEL_OK);
}

static void only_codes_of_ours_end_a_hold(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed;
  struct sim_link *link = send_after(&lab, &feed, proceed_at_once, NULL);
  assert_non_null(strstr(link->sent, "GET /feed "));
  lab_close(&lab);
}

/* 4,096 hosts are remembered; more take the place of those that nobody asked
 * for in a long time, and all are looked up. */
static void old_lookups_give_way(void **state) {
  (void)state;
  enum { HOSTS = 4096 + 10 };
  static struct lab lab;
  static struct lab_feed feed;
  char url[64];
  lab_open(&lab, NULL);
  for (int i = 0; i < HOSTS; i++) {
    memset(&feed, 0, sizeof feed);
    snprintf(url, sizeof url, "http://host%d.test/", i);
    lab_feed_open(&feed, &lab, url, NULL);
    while (lab.sim.lookups_len == 0) /* the gate's turn has not come */
      lab_tick(&lab);
    assert_non_null(lab_dial(&lab));
    runnel_stream_close(feed.stream);
    sim_settle(&lab.sim);
    assert_int_equal(feed.closes, 1);
  }
  assert_int_equal(runnel_client_stats(lab.client)->lookups, HOSTS);
  size_t blocks = lab.blocks;
  for (int i = HOSTS - 1; i < HOSTS + 100; i++) {
    memset(&feed, 0, sizeof feed);
    snprintf(url, sizeof url, "http://host%d.test/", i);
    lab_feed_open(&feed, &lab, url, NULL);
    lab_dial(&lab);
    runnel_stream_close(feed.stream);
    sim_settle(&lab.sim);
  }
  assert_int_equal(lab.blocks, blocks);
  lab_close(&lab);
}

/* A ready-made log. */
static void a_log_to_standard_error(void **state) {
  (void)state;
  char text[64] = "";
  int fds[2];
  int kept = dup(STDERR_FILENO);
  assert_int_equal(pipe(fds), 0);
  fflush(stderr);
  dup2(fds[1], STDERR_FILENO);
  runnel_log_stderr(RUNNEL_LOG_WARN, "a line", NULL);
  fflush(stderr);
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(fds[1]);
  ptrdiff_t len = read(fds[0], text, sizeof text - 1);
  close(fds[0]);
  assert_int_equal(len, strlen("runnel: a line\n"));
  assert_string_equal(text, "runnel: a line\n");
}

int runnel__test_request(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(header_fields_have_a_limit),
      cmocka_unit_test(a_body_can_be_taken_away),
      cmocka_unit_test(only_codes_of_ours_end_a_hold),
      cmocka_unit_test(old_lookups_give_way),
      cmocka_unit_test(a_log_to_standard_error),
  };
  return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
