/* Bytes under pressure, over real sockets: a peer that TCP holds back, a flood
 * beside quiet streams, a loop that was blocked, a thousand streams at once. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "scene.h"

/* Pressure ----------------------------------------------------------------- */

#define FLOOD_TEXT "data: 0123456789abcdef0123456789abcdef\n\n"
#define FLOOD_TIMES (1024U * 1024)
#define FLOOD_BYTES (FLOOD_TIMES * (sizeof FLOOD_TEXT - 1))

static const struct peer_step flood[] = {PEER_READ(), PEER_STREAM_TO_CLOSE(),
                                         PEER_FLOOD(FLOOD_TEXT, FLOOD_TIMES),
                                         PEER_END()};
static const struct peer_step endless_flood[] = {
    PEER_READ(), PEER_STREAM_TO_CLOSE(), PEER_FLOOD(FLOOD_TEXT, 0), PEER_END()};
static const struct peer_step some_events[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_FLOOD("9\r\ndata: a\n\n\r\n", 500),
    PEER_LAST_CHUNK(), PEER_END()};

static int pause_at_tenth(struct feed *feed, const struct runnel_event *event) {
  (void)event;
  if (feed->events_len == 9)
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
  return RUNNEL_OK;
}

/* The peer has 40 MiB to send. Paused, the library takes no more; the system's
 * buffers fill, and the peer's sends are refused. */
static void pause_holds_the_peer_back(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {flood, some_events};
  struct peer_options options = {.scripts = scripts,
                                 .scripts_len = LEN(scripts),
                                 .send_buffer_bytes = 65536};
  struct scene scene;
  struct feed feed = {
      .count_only = 1, .stop_at_end = 1, .on_event = pause_at_tenth};
  struct feed other = {.count_only = 1, .delay_ms = 1, .close_after = 5000};
  scene_open_with(&scene, &options);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, feed.events_len == 10);
  assert_int_equal(peer_wait_count(scene.peer, PEER_BLOCKED, 1), 0);
  feed_open(&other, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, other.closed);
  assert_int_equal(feed.events_len, 10);
  assert_true(peer_count(scene.peer, PEER_SENT) < FLOOD_BYTES);
  assert_true(runnel_stream_stats(feed.stream)->held_bytes <= 65536);
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_OK);
  host_drain(&scene.host);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_int_equal(feed.events_len, FLOOD_TIMES);
  assert_int_equal(feed.bytes, FLOOD_TIMES * 32ULL);
  feed_deinit(&feed);
  feed_deinit(&other);
  scene_close(&scene);
}

static void a_flood_starves_nobody(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {endless_flood, some_events};
  struct scene scene;
  struct feed torrent = {.count_only = 1}, others[5];
  scene_open(&scene, scripts, LEN(scripts));
  feed_open(&torrent, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, torrent.events_len > 0);
  for (size_t i = 0; i < LEN(others); i++) {
    others[i] =
        (struct feed){.count_only = 1, .delay_ms = 1, .close_after = 1000};
    feed_open(&others[i], &scene.host, scene.url, NULL);
  }
  for (size_t i = 0; i < LEN(others); i++) {
    HOST_UNTIL(&scene.host, others[i].closed);
    assert_int_equal(others[i].opens, 2);
    feed_deinit(&others[i]);
  }
  assert_int_equal(torrent.ends, 0);
  scene_close(&scene);
  feed_deinit(&torrent);
}

/* Idleness ----------------------------------------------------------------- */

#define IDLE_MS 100

static const struct peer_step two_events[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),     PEER_CHUNK("data: a\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: b\n\n"), PEER_STALL(),
    PEER_END()};

/* The fault itself: a callback that blocks the loop for longer than the idle
 * limit, while the next event waits in the socket. */
static int block_at_first(struct feed *feed, const struct runnel_event *event) {
  struct timespec blocked = {.tv_sec = 0, .tv_nsec = 4L * IDLE_MS * 1000000};
  (void)event;
  if (feed->events_len > 0)
    return RUNNEL_OK;
  uint64_t sent = peer_count(feed->data, PEER_SENT);
  peer_raise(feed->data, 1);
  assert_int_equal(peer_wait_count(feed->data, PEER_SENT, sent + 1), 0);
  nanosleep(&blocked, NULL);
  return RUNNEL_OK;
}

static void a_blocked_loop_is_not_an_idle_peer(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {two_events};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct scene scene;
  struct feed feed = {.on_event = block_at_first, .close_after = 2};
  options.idle_ms_max = IDLE_MS;
  scene_open(&scene, scripts, 1);
  feed.data = scene.peer;
  feed_open(&feed, &scene.host, scene.url, &options);
  host_drain(&scene.host);
  assert_string_equal(feed.heard, "roeeC");
  feed_deinit(&feed);
  scene_close(&scene);
}

/* Many streams ------------------------------------------------------------- */

#define MANY 1000

static enum peer_then say_target(struct peer_out *out,
                                 const struct peer_request *request,
                                 size_t connection, void *user) {
  (void)connection;
  (void)user;
  char data[64];
  int len = snprintf(data, sizeof data, "id: 1\ndata: %s\n\n", request->target);
  peer_printf(out, "%x\r\n%s\r\n", (unsigned)len, data);
  return PEER_THEN_GO_ON;
}

static void a_thousand_streams_at_once(void **state) {
  (void)state;
  static const struct peer_step script[] = {
      PEER_READ(),  PEER_STREAM_CHUNKED(), PEER_DO(say_target),
      PEER_WAIT(1), PEER_DO(say_target),   PEER_STALL(),
      PEER_END()};
  static const struct peer_step *const scripts[] = {script};
  struct scene scene;
  struct feed *feeds = calloc(MANY, sizeof *feeds);
  assert_non_null(feeds);
  scene_open(&scene, scripts, 1);
  for (int i = 0; i < MANY; i++) {
    char target[32];
    snprintf(target, sizeof target, "/%d", i);
    peer_url(scene.peer, target, scene.url, sizeof scene.url);
    feeds[i].close_after = 2;
    feed_open(&feeds[i], &scene.host, scene.url, NULL);
  }
  HOST_UNTIL(&scene.host,
             runnel_client_stats(scene.host.client)->events == MANY);
  assert_int_equal(runnel_client_stats(scene.host.client)->streams_open, MANY);
  peer_raise(scene.peer, 1);
  host_drain(&scene.host);
  for (int i = 0; i < MANY; i++) {
    char target[32];
    snprintf(target, sizeof target, "/%d", i);
    assert_string_equal(feeds[i].heard, "roeeC");
    assert_string_equal(feeds[i].events[1].data, target);
    feed_deinit(&feeds[i]);
  }
  assert_int_equal(peer_count(scene.peer, PEER_ACCEPTED), MANY);
  free(feeds);
  scene_close(&scene);
}

int runnel__test_flow(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pause_holds_the_peer_back),
      cmocka_unit_test(a_flood_starves_nobody),
      cmocka_unit_test(a_blocked_loop_is_not_an_idle_peer),
      cmocka_unit_test(a_thousand_streams_at_once),
  };
  return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
