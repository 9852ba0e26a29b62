/* Calls that should not have been made (U16, X3): without a handle, on what is
 * closing, and for what is not there. None does anything; each says why. */
#include <string.h>

#include "lab.h"

int runnel__test_misuse(void);

#define URL "http://10.0.0.1/feed"

static void run_nothing(runnel_client *client, void *user) {
  (void)client;
  (void)user;
  fail();
}

static int visit_nothing(runnel_stream *stream, void *user) {
  (void)stream;
  (void)user;
  return 1;
}

static void calls_without_a_handle(void **state) {
  (void)state;
  const int codes[] = {
      runnel_client_new(NULL, NULL, NULL),
      runnel_client_run(NULL),
      runnel_client_close(NULL, NULL, NULL),
      runnel_client_abandon(NULL),
      runnel_client_pause(NULL),
      runnel_client_resume(NULL),
      runnel_client_reconnect(NULL, 0),
      runnel_client_post(NULL, run_nothing, NULL),
      runnel_client_each(NULL, visit_nothing, NULL),
      runnel_stream_open(NULL, NULL, NULL),
      runnel_stream_close(NULL),
      runnel_stream_pause(NULL),
      runnel_stream_resume(NULL),
      runnel_stream_reconnect(NULL),
      runnel_stream_set_last_event_id(NULL, "1", 1),
      runnel_request_set_header(NULL, "A", "b", 0),
      runnel_request_set_url(NULL, URL),
      runnel_request_set_method(NULL, "GET"),
      runnel_request_set_body(NULL, "x", 1),
      runnel_request_hold(NULL),
      runnel_request_proceed(NULL, RUNNEL_OK),
      runnel_parser_new(NULL, NULL),
      runnel_parser_feed(NULL, NULL, 0),
  };
  for (size_t i = 0; i < LEN(codes); i++)
    if (codes[i] != RUNNEL_EINVAL)
      fail_msg("call %zu: %s", i, runnel_err_name(codes[i]));
  size_t len = 7;
  assert_string_equal(runnel_stream_last_event_id(NULL, &len), "");
  assert_int_equal(len, 0);
  assert_null(runnel_stream_user(NULL));
  assert_int_equal(runnel_client_stats(NULL)->streams, 0);
  assert_int_equal(runnel_stream_stats(NULL)->events, 0);
  runnel_parser_free(NULL);
}

static void calls_without_what_they_need(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed = {0};
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, NULL);
  assert_int_equal(runnel_stream_open(NULL, lab.client, NULL), RUNNEL_EINVAL);
  assert_int_equal(runnel_client_post(lab.client, NULL, NULL), RUNNEL_EINVAL);
  assert_int_equal(runnel_client_each(lab.client, NULL, NULL), RUNNEL_EINVAL);
  assert_int_equal(runnel_client_reconnect(lab.client, -1), RUNNEL_EINVAL);
  assert_int_equal(runnel_client_reconnect(lab.client, RUNNEL_MS_MAX + 1),
                   RUNNEL_EINVAL);
  assert_int_equal(runnel_client_run(lab.client), RUNNEL_ESTATE);
  assert_int_equal(runnel_client_abandon(lab.client), RUNNEL_ESTATE);
  sim_settle(&lab.sim);
  assert_int_equal(lab.sim.links_made, 1);
  assert_int_equal(feed.ends + feed.closes, 0);
  lab_close(&lab);
}

/* Between close and on_close. */
static void calls_on_what_is_closing(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed = {0};
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, NULL);
  assert_int_equal(runnel_stream_close(feed.stream), RUNNEL_OK);
  assert_int_equal(runnel_stream_close(feed.stream), RUNNEL_OK);
  assert_int_equal(runnel_stream_pause(feed.stream), RUNNEL_ESTATE);
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_ESTATE);
  assert_int_equal(runnel_stream_reconnect(feed.stream), RUNNEL_ESTATE);
  assert_int_equal(runnel_stream_set_last_event_id(feed.stream, "1", 1),
                   RUNNEL_ESTATE);
  assert_int_equal(runnel_stream_state(feed.stream), RUNNEL_STATE_CLOSING);
  assert_int_equal(runnel_client_each(lab.client, visit_nothing, NULL), 0);
  sim_settle(&lab.sim);
  assert_int_equal(feed.closes, 1);
  assert_int_equal(feed.close_code, RUNNEL_ECANCELED);
  lab_close(&lab);
}

int runnel__test_misuse(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_without_a_handle),
      cmocka_unit_test(calls_without_what_they_need),
      cmocka_unit_test(calls_on_what_is_closing),
  };
  return cmocka_run_group_tests_name("misuse", tests, NULL, NULL);
}
