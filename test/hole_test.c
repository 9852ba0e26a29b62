/* Gate R14: peers that do not answer any more, or never did, without a word
 * from the network. Rows T3, T7, D5, M2 of the fault matrix. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cave.h"
#include "scene.h"

#define CONNECT_MS 300
#define SLACK_MS 3000 /* for a machine that is busy */

static const struct peer_step one_event[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                             PEER_CHUNK("data: a\n\n"),
                                             PEER_STALL(), PEER_END()};
static const struct peer_step *const one_event_scripts[] = {one_event};

static const struct peer_step one_and_end[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"),
    PEER_LAST_CHUNK(), PEER_END()};
static const struct peer_step *const one_and_end_scripts[] = {one_and_end};

/* A peer on the far side, a host on the near one; they outlive the test's stack
 * if it fails. */
struct view {
  struct cave cave;
  struct host host;
  struct peer *peer;
  char url[128];
};

static struct view view;

static void open_view(const struct peer_step *const *scripts,
                      const char *address, const char *name) {
  struct peer_options options = {
      .scripts = scripts, .scripts_len = 1, .address = address};
  cave_enter(&view.cave);
  cave_go(&view.cave, CAVE_FAR);
  view.peer = peer_new(&options);
  cave_go(&view.cave, CAVE_NEAR);
  assert_non_null(view.peer);
  snprintf(view.url, sizeof view.url, "http://%s:%d/", name,
           peer_port(view.peer));
  host_open(&view.host, NULL);
}

static void close_view(void) {
  host_close(&view.host);
  peer_free(view.peer);
  cave_leave(&view.cave);
}

static int64_t now_ms(void) { return (int64_t)(uv_hrtime() / 1000000); }

static void a_connect_into_a_hole_ends_in_time(void **state) {
  (void)state;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.stop_at_end = 1};
  options.connect_ms_max = CONNECT_MS;
  open_view(one_event_scripts, CAVE_FAR_V4, CAVE_FAR_V4);
  int64_t began_ms = now_ms();
  feed_open(&feed, &view.host, "http://" CAVE_HOLE_V4 ":80/", &options);
  HOST_UNTIL(&view.host, feed.closed);
  assert_in_range(now_ms() - began_ms, CONNECT_MS, CONNECT_MS + SLACK_MS);
  assert_int_equal(feed.code, RUNNEL_ETIMEDOUT);
  assert_int_equal(feed.phase, RUNNEL_PHASE_CONNECT);
  feed_deinit(&feed);
  close_view();
}

static void an_unreachable_network_is_told_at_once(void **state) {
  (void)state;
  struct feed feed = {.stop_at_end = 1};
  open_view(one_event_scripts, CAVE_FAR_V4, CAVE_FAR_V4);
  feed_open(&feed, &view.host, "http://192.0.2.1/", NULL);
  HOST_UNTIL(&view.host, feed.closed);
  assert_int_equal(feed.code, RUNNEL_ECONNECT);
  assert_int_equal(feed.native, ENETUNREACH);
  feed_deinit(&feed);
  close_view();
}

/* A hundred streams fall into one origin's hole, again and again; another
 * origin's reconnects meanwhile take less than 1 s each. */
#define FALLING 100
#define RECONNECTS 10
#define DELAY_MS_MAX 1000

static int64_t asked_ms, slowest_ms;

static void take_time(struct feed *feed, char what) {
  (void)feed;
  if (what == 'r')
    asked_ms = now_ms();
  if (what == 'o' && now_ms() - asked_ms > slowest_ms)
    slowest_ms = now_ms() - asked_ms;
}

static void a_hole_delays_no_other_origin(void **state) {
  (void)state;
  static struct feed falling[FALLING];
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed other = {
      .close_after = RECONNECTS, .delay_ms = 100, .on_any = take_time};
  int64_t opened_ms;
  options.connect_ms_max = CONNECT_MS;
  slowest_ms = 0;
  open_view(one_and_end_scripts, CAVE_FAR_V4, CAVE_FAR_V4);
  for (size_t i = 0; i < FALLING; i++) {
    falling[i] = (struct feed){.delay_ms = 10};
    feed_open(&falling[i], &view.host, "http://" CAVE_HOLE_V4 ":80/", &options);
  }
  HOST_UNTIL(&view.host,
             runnel_client_stats(view.host.client)->dials >= FALLING);
  opened_ms = now_ms();
  feed_open(&other, &view.host, view.url, NULL);
  HOST_UNTIL(&view.host, other.opens == 1);
  assert_true(now_ms() - opened_ms < DELAY_MS_MAX);
  HOST_UNTIL(&view.host, other.closed);
  assert_true(slowest_ms < DELAY_MS_MAX);
  assert_int_equal(falling[0].code, RUNNEL_ETIMEDOUT);
  close_view();
  for (size_t i = 0; i < FALLING; i++) {
    assert_int_equal(falling[i].closed, 1);
    feed_deinit(&falling[i]);
  }
  feed_deinit(&other);
}

/* The peer is there and silent, then the wire swallows everything: only
 * keepalive can tell. 1 s of silence, then 2 probes, 1 s each. */
static void keepalive_finds_a_dead_peer(void **state) {
  (void)state;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.close_after = 2, .delay_ms = 1};
  options.keepalive_s = 1;
  options.keepalive_interval_s = 1;
  options.keepalive_probes = 2;
  options.connect_ms_max = CONNECT_MS;
  open_view(one_event_scripts, CAVE_FAR_V4, CAVE_FAR_V4);
  feed_open(&feed, &view.host, view.url, &options);
  HOST_UNTIL(&view.host, feed.events_len == 1);
  int64_t cut_ms = now_ms();
  cave_cut(CAVE_FAR_V4);
  HOST_UNTIL(&view.host, feed.ends == 1);
  int64_t took_ms = now_ms() - cut_ms;
  assert_int_equal(feed.code, RUNNEL_ELOST);
  assert_int_equal(feed.phase, RUNNEL_PHASE_BODY);
  assert_int_equal(feed.native, ETIMEDOUT);
  assert_in_range(took_ms, 2000, 3600 + SLACK_MS);
  print_message("             found after %lld ms\n", (long long)took_ms);
  cave_mend(CAVE_FAR_V4);
  HOST_UNTIL(&view.host, feed.closed); /* and it is there again */
  feed_deinit(&feed);
  close_view();
}

/* RFC 8305: the name has both families, and the first one tried is dead. */
static void check_dual(const char *dead, const char *alive, const char *shown) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.close_after = 1};
  char want[64];
  options.connect_ms_max = 5000;
  open_view(one_event_scripts, alive, "cave.test");
  cave_cut(dead);
  snprintf(want, sizeof want, "%s:%d", shown, peer_port(view.peer));
  int64_t began_ms = now_ms();
  feed_open(&feed, &view.host, view.url, &options);
  HOST_UNTIL(&view.host, feed.closed);
  assert_true(now_ms() - began_ms < SLACK_MS);
  assert_int_equal(feed.ends, 0);
  assert_string_equal(feed.peer, want);
  feed_deinit(&feed);
  close_view();
}

static void one_family_is_dead(void **state) {
  (void)state;
  if (access("/proc/sys/net/ipv6", F_OK) != 0)
    cave_skip("needs IPv6");
  check_dual(CAVE_FAR_V6, CAVE_FAR_V4, CAVE_FAR_V4);
  check_dual(CAVE_FAR_V4, CAVE_FAR_V6, "[" CAVE_FAR_V6 "]");
}

int runnel__test_hole(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(a_connect_into_a_hole_ends_in_time,
                                cave_teardown),
      cmocka_unit_test_teardown(an_unreachable_network_is_told_at_once,
                                cave_teardown),
      cmocka_unit_test_teardown(a_hole_delays_no_other_origin, cave_teardown),
      cmocka_unit_test_teardown(keepalive_finds_a_dead_peer, cave_teardown),
      cmocka_unit_test_teardown(one_family_is_dead, cave_teardown),
  };
  return cmocka_run_group_tests_name("hole", tests, NULL, NULL);
}
