/* The numbered promises of runnel.h, over real sockets. The order of callbacks
 * in every corner is shown by the stories; here each promise has at least one
 * test that names it. 1 to 5 are in this file, 6 to 9 in life_test.c, 10 in
 * process_test.c.
 *
 *   1  promise_1_an_error_has_done_nothing
 *   2  promise_2_no_callback_inside_a_call
 *   3  promise_3_one_end_per_attempt_and_one_close
 *   4  promise_4_close_from_any_callback, promise_4_call_from_any_callback,
 *      promise_4_change_in_any_callback,
 *      promise_4_nothing_between_pause_and_resume
 *   5  promise_5_slices_and_options
 *   6  promise_6_streams_close_before_the_client,
 *      promise_6_no_lookup_delays_the_close, promise_6_no_hold_delays_the_close
 *   7  promise_7_loop_lives_while_a_stream_does,
 *      promise_7_post_from_other_threads
 *   8  promise_8_memory_is_bounded,
 *      promise_8_memory_of_a_client_is_bounded
 *   9  promise_9_whole_or_not_at_all, promise_9_a_refused_event_comes_again
 *  10  promise_10_after_fork */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

/* Scripts that several tests play. */
static const struct peer_step one_event[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                             PEER_CHUNK("id: 1\ndata: a\n\n"),
                                             PEER_STALL(), PEER_END()};
static const struct peer_step *const one_event_scripts[] = {one_event};

static const struct peer_step everything[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(),
    PEER_CHUNK(": hello\n\nid: 1\ndata: a\n\ndata: b\n\n"), PEER_LAST_CHUNK(),
    PEER_END()};
static const struct peer_step *const everything_scripts[] = {everything};

/* 1 ------------------------------------------------------------------------ */

static void promise_1_an_error_has_done_nothing(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {0};
  struct runnel_header header = {"Host", "other", 0};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  scene_open(&scene, one_event_scripts, 1);
  assert_int_equal(feed_try_open(&feed, &scene.host, "http://h:0/", NULL),
                   RUNNEL_EURL);
  assert_non_null(strstr(feed.text, "url"));
  options.headers = &header;
  options.headers_len = 1;
  assert_int_equal(feed_try_open(&feed, &scene.host, scene.url, &options),
                   RUNNEL_EINVAL);
  assert_non_null(strstr(feed.text, "Host"));
  assert_null(strchr(feed.text, '\n'));
  assert_int_equal(uv_loop_alive(&scene.host.loop), 0);
  host_drain(&scene.host);
  assert_string_equal(feed.heard, "");
  assert_int_equal(peer_count(scene.peer, PEER_ACCEPTED), 0);
  scene_close(&scene);
}

/* 2 ------------------------------------------------------------------------ */

static void promise_2_no_callback_inside_a_call(void **state) {
  (void)state;
  struct scene scene;
  struct feed feeds[3] = {{.delay_ms = 1}, {.delay_ms = 1}, {.delay_ms = 1}};
  scene_open(&scene, everything_scripts, 1);
  struct host *host = &scene.host;
  host->inside = 1;
  for (size_t i = 0; i < LEN(feeds); i++)
    feed_open(&feeds[i], host, scene.url, NULL);
  host->inside = 0;
  HOST_UNTIL(host, feeds[0].opens > 1 && feeds[1].opens > 1);
  host->inside = 1;
  runnel_stream_pause(feeds[0].stream);
  runnel_stream_resume(feeds[0].stream);
  runnel_stream_reconnect(feeds[0].stream);
  runnel_client_pause(host->client);
  runnel_client_resume(host->client);
  runnel_client_reconnect(host->client, 0);
  host->inside = 0;
  size_t events = feeds[0].events_len;
  HOST_UNTIL(host, feeds[0].events_len > events + 2);
  host->inside = 1;
  runnel_stream_close(feeds[1].stream);
  host_close_client(host);
  host->inside = 0;
  assert_int_equal(feeds[1].closed, 0);
  host_drain(host);
  for (size_t i = 0; i < LEN(feeds); i++) {
    assert_int_equal(feeds[i].closed, 1);
    feed_deinit(&feeds[i]); /* checks `wrong` */
  }
  scene_close(&scene);
}

/* 3 ------------------------------------------------------------------------ */

static const struct peer_step hop[] = {
    PEER_READ(), PEER_EMPTY("302 Found", "Location: /other\r\n"), PEER_END()};
static const struct peer_step busy[] = {
    PEER_READ(), PEER_EMPTY("503 Service Unavailable", ""), PEER_END()};
static const struct peer_step over[] = {
    PEER_READ(), PEER_EMPTY("204 No Content", ""), PEER_END()};

static void promise_3_one_end_per_attempt_and_one_close(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {busy, hop, everything,
                                                    over};
  struct scene scene;
  struct feed feed = {.delay_ms = 1};
  scene_open(&scene, scripts, LEN(scripts));
  feed_open(&feed, &scene.host, scene.url, NULL);
  host_drain(&scene.host);
  /* 503; a hop, a comment, two events, the end; 204. */
  assert_string_equal(feed.heard, "rnrrokeenrnC");
  assert_int_equal(feed.close_code, RUNNEL_OK);
  feed_deinit(&feed);
  scene_close(&scene);
}

/* 4 ------------------------------------------------------------------------ */

struct closer {
  char where;
  int client; /* close the client, not only the stream */
  int done;
};

static void close_there(struct feed *feed, char what) {
  struct closer *closer = feed->data;
  if (what != closer->where || closer->done)
    return;
  closer->done = 1;
  if (closer->client)
    host_close_client(feed->host);
  else if (what != 'C')
    assert_int_equal(runnel_stream_close(feed->stream), RUNNEL_OK);
}

static void promise_4_close_from_any_callback(void **state) {
  (void)state;
  static const struct {
    char where;
    const char *heard;
  } rows[] = {{'r', "rC"},
              {'o', "roC"},
              {'k', "rokC"},
              {'e', "rokeC"},
              {'n', "rokeenC"}};
  for (size_t i = 0; i < 2 * LEN(rows); i++) {
    struct scene scene;
    struct closer closer = {.where = rows[i / 2].where, .client = (int)(i % 2)};
    struct feed feed = {.on_any = close_there, .data = &closer};
    scene_open(&scene, everything_scripts, 1);
    feed_open(&feed, &scene.host, scene.url, NULL);
    host_drain(&scene.host);
    assert_string_equal(feed.heard, rows[i / 2].heard);
    assert_int_equal(feed.close_code, RUNNEL_ECANCELED);
    feed_deinit(&feed);
    scene_close(&scene);
  }
}

static int count_stream(runnel_stream *stream, void *user) {
  (void)stream;
  ++*(int *)user;
  return 0;
}

static void call_there(struct feed *feed, char what) {
  runnel_client *client = feed->host->client;
  struct runnel_stream_options none = RUNNEL_STREAM_OPTIONS_INIT;
  int streams = 0;
  feed->host->inside = 1;
  assert_int_equal(runnel_client_run(client), RUNNEL_ESTATE);
  assert_int_equal(runnel_stream_open(NULL, client, &none), RUNNEL_EURL);
  assert_int_equal(runnel_client_each(client, count_stream, &streams), 0);
  assert_int_equal(streams, what != 'C');
  assert_non_null(runnel_client_stats(client));
  assert_int_equal(runnel_client_pause(client), RUNNEL_OK);
  assert_int_equal(runnel_client_resume(client), RUNNEL_OK);
  if (what != 'C') {
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
    assert_int_equal(runnel_stream_state(feed->stream), RUNNEL_STATE_PAUSED);
    assert_int_equal(runnel_stream_resume(feed->stream), RUNNEL_OK);
    assert_ptr_equal(runnel_stream_user(feed->stream), feed);
    assert_non_null(runnel_stream_last_event_id(feed->stream, NULL));
    assert_non_null(runnel_stream_stats(feed->stream));
  }
  feed->host->inside = 0;
  if (what == 'n' && feed->ends == 2)
    assert_int_equal(runnel_stream_close(feed->stream), RUNNEL_OK);
}

static void promise_4_call_from_any_callback(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {.on_any = call_there, .delay_ms = 1};
  scene_open(&scene, everything_scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  host_drain(&scene.host);
  assert_string_equal(feed.heard, "rokeenrokeenC");
  feed_deinit(&feed);
  scene_close(&scene);
}

/* One call that changes the stream, in one callback, one time; the stream must
 * live on. */
enum change {
  CHANGE_PAUSE,
  CHANGE_PAUSE_RESUME,
  CHANGE_RECONNECT,
  CHANGE_ID,
  CHANGE_CLIENT_PAUSE,
  CHANGE_CLIENT_RECONNECT,
  CHANGE_OPEN,
  CHANGES
};

struct changer {
  char where;
  enum change change;
  int done;
  struct feed second; /* CHANGE_OPEN */
};

static void change_there(struct feed *feed, char what) {
  struct changer *changer = feed->data;
  runnel_client *client = feed->host->client;
  if (what != changer->where || changer->done)
    return;
  changer->done = 1;
  feed->host->inside = 1;
  if (changer->change == CHANGE_PAUSE || changer->change == CHANGE_PAUSE_RESUME)
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
  if (changer->change == CHANGE_PAUSE_RESUME)
    assert_int_equal(runnel_stream_resume(feed->stream), RUNNEL_OK);
  if (changer->change == CHANGE_RECONNECT)
    assert_int_equal(runnel_stream_reconnect(feed->stream), RUNNEL_OK);
  if (changer->change == CHANGE_ID)
    assert_int_equal(runnel_stream_set_last_event_id(feed->stream, "x", 1),
                     RUNNEL_OK);
  if (changer->change == CHANGE_CLIENT_PAUSE)
    assert_int_equal(runnel_client_pause(client), RUNNEL_OK);
  if (changer->change == CHANGE_CLIENT_RECONNECT)
    assert_int_equal(runnel_client_reconnect(client, 0), RUNNEL_OK);
  feed->host->inside = 0;
}

static void open_there(struct feed *feed, char what) {
  struct changer *changer = feed->data;
  char url[256];
  if (what != changer->where || changer->done)
    return;
  changer->done = 1;
  changer->second.close_after = 2;
  feed->host->inside = 1;
  snprintf(url, sizeof url, "http://%s/second", feed->peer);
  if (feed->peer[0] != '\0')
    feed_open(&changer->second, feed->host, url, NULL);
  feed->host->inside = 0;
}

static void change_and_live_on(char where, enum change change) {
  struct scene scene;
  struct changer changer = {.where = where, .change = change};
  struct feed feed = {.on_any =
                          change == CHANGE_OPEN ? open_there : change_there,
                      .data = &changer,
                      .delay_ms = 1};
  scene_open(&scene, everything_scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, changer.done);
  size_t events = feed.events_len;
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_OK);
  HOST_UNTIL(&scene.host, feed.events_len >= events + 4);
  HOST_UNTIL(&scene.host,
             changer.second.host == NULL || changer.second.closed == 1);
  assert_int_equal(runnel_stream_close(feed.stream), RUNNEL_OK);
  host_drain(&scene.host);
  assert_int_equal(feed.closed, 1);
  feed_deinit(&feed);
  feed_deinit(&changer.second);
  scene_close(&scene);
}

static void promise_4_change_in_any_callback(void **state) {
  (void)state;
  for (const char *where = "roken"; *where != '\0'; where++)
    for (int change = 0; change < CHANGES; change++)
      change_and_live_on(*where, (enum change)change);
}

/* The second event of the same read waits while another stream lives on. */
static int pause_at_first(struct feed *feed, const struct runnel_event *event) {
  (void)event;
  if (feed->events_len == 0)
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
  return RUNNEL_OK;
}

static void promise_4_nothing_between_pause_and_resume(void **state) {
  (void)state;
  struct scene scene;
  struct feed paused = {.on_event = pause_at_first, .stop_at_end = 1};
  struct feed other = {.close_after = 6, .delay_ms = 1};
  scene_open(&scene, everything_scripts, 1);
  feed_open(&paused, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, paused.events_len == 1);
  feed_open(&other, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, other.closed);
  assert_string_equal(paused.heard, "roke");
  assert_int_equal(runnel_stream_resume(paused.stream), RUNNEL_OK);
  host_drain(&scene.host);
  assert_string_equal(paused.heard, "rokeenC");
  assert_int_equal(paused.code, RUNNEL_EEND);
  feed_deinit(&paused);
  feed_deinit(&other);
  scene_close(&scene);
}

/* 5 ------------------------------------------------------------------------ */

static const struct peer_step pieces[] = {
    PEER_READ(),
    PEER_STREAM_CHUNKED(),
    PEER_CHUNK("event: tick\nid: 7\nda"),
    PEER_CHUNK("ta: on"),
    PEER_SEND_CUT("9\r\ne\ndata: t\r\n", 1),
    PEER_CHUNK("wo\n\ndata: whole\n\n"),
    PEER_STALL(),
    PEER_END()};

static int check_ends(struct feed *feed, const struct runnel_event *event) {
  (void)feed;
  assert_int_equal(event->type[event->type_len], '\0');
  assert_int_equal(event->data[event->data_len], '\0');
  assert_int_equal(event->id[event->id_len], '\0');
  assert_int_equal(strlen(event->data), event->data_len);
  return RUNNEL_OK;
}

static void promise_5_slices_and_options(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {pieces};
  struct scene scene;
  struct feed feed = {.on_event = check_ends, .close_after = 2};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char name[] = "X-Color", value[] = "green", id[] = "41", text[64];
  struct runnel_header header = {name, value, 0};
  scene_open(&scene, scripts, 1);
  options.headers = &header;
  options.headers_len = 1;
  options.last_event_id = id;
  feed_open(&feed, &scene.host, scene.url, &options);
  memset(name, '?', sizeof name - 1);
  memset(value, '?', sizeof value - 1);
  memset(id, '?', sizeof id - 1);
  memset(&header, 0, sizeof header);
  memset(scene.url, '?', sizeof scene.url);
  host_drain(&scene.host);
  const struct peer_request *request = peer_request(scene.peer, 0);
  assert_string_equal(peer_header(request, "x-color", text, sizeof text),
                      "green");
  assert_string_equal(peer_header(request, "Last-Event-ID", text, sizeof text),
                      "41");
  assert_string_equal(request->target, "/feed");
  assert_string_equal(feed.events[0].type, "tick");
  assert_string_equal(feed.events[0].data, "one\ntwo");
  assert_string_equal(feed.events[0].id, "7");
  assert_string_equal(feed.events[1].data, "whole");
  feed_deinit(&feed);
  scene_close(&scene);
}

int runnel__test_promise(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_1_an_error_has_done_nothing),
      cmocka_unit_test(promise_2_no_callback_inside_a_call),
      cmocka_unit_test(promise_3_one_end_per_attempt_and_one_close),
      cmocka_unit_test(promise_4_close_from_any_callback),
      cmocka_unit_test(promise_4_call_from_any_callback),
      cmocka_unit_test(promise_4_change_in_any_callback),
      cmocka_unit_test(promise_4_nothing_between_pause_and_resume),
      cmocka_unit_test(promise_5_slices_and_options),
  };
  return cmocka_run_group_tests_name("promise", tests, NULL, NULL);
}
