/* Promises 6 to 9 of runnel.h over real sockets: the order of closing, the
 * loop's life, memory, and what is delivered. The table is in promise_test.c.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver.h"
#include "scene.h"

static const struct peer_step one_event[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                             PEER_CHUNK("id: 1\ndata: a\n\n"),
                                             PEER_STALL(), PEER_END()};
static const struct peer_step *const one_event_scripts[] = {one_event};

/* 6 ------------------------------------------------------------------------ */

static void streams_first(struct feed *feed, char what) {
  if (what == 'C')
    assert_int_equal(feed->host->client_closed, 0);
}

static void promise_6_streams_close_before_the_client(void **state) {
  (void)state;
  struct scene scene;
  struct feed feeds[5];
  scene_open(&scene, one_event_scripts, 1);
  for (size_t i = 0; i < LEN(feeds); i++) {
    feeds[i] = (struct feed){.on_any = streams_first};
    feed_open(&feeds[i], &scene.host, scene.url, NULL);
    if (i < 3)
      HOST_UNTIL(&scene.host, feeds[i].events_len == 1);
  }
  host_close_client(&scene.host);
  host_drain(&scene.host);
  assert_int_equal(scene.host.client_closed, 1);
  for (size_t i = 0; i < LEN(feeds); i++) {
    assert_int_equal(feeds[i].closed, 1);
    assert_int_equal(feeds[i].close_code, RUNNEL_ECANCELED);
    feed_deinit(&feeds[i]);
  }
  scene_close(&scene);
}

/* The look-up is answered only after the client is gone. */
static void promise_6_no_lookup_delays_the_close(void **state) {
  (void)state;
  struct host host;
  struct feed feed = {0};
  int ended = resolver_ended();
  host_open(&host, NULL);
  feed_open(&feed, &host, "http://one.slow.test/", NULL);
  HOST_UNTIL(&host, feed.requests == 1);
  resolver_wait(1);
  host_close_client(&host);
  HOST_UNTIL(&host, host.client_closed);
  assert_int_equal(resolver_ended(), ended);
  assert_string_equal(feed.heard, "rC");
  assert_int_equal(uv_loop_alive(&host.loop), 0);
  feed_deinit(&feed);
  host_close(&host);
  resolver_answer();
}

static runnel_request *held;

static void hold(runnel_stream *stream, runnel_request *request,
                 const struct runnel_attempt *attempt, void *user) {
  (void)stream;
  (void)attempt;
  (void)user;
  assert_int_equal(runnel_request_hold(request), RUNNEL_OK);
  held = request;
}

static void promise_6_no_hold_delays_the_close(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {0};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  held = NULL;
  options.on_request = hold;
  scene_open(&scene, one_event_scripts, 1);
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host, held != NULL);
  assert_int_equal(runnel_stream_state(feed.stream), RUNNEL_STATE_HELD);
  host_close_client(&scene.host);
  HOST_UNTIL(&scene.host, scene.host.client_closed);
  assert_int_equal(feed.closed, 1);
  assert_int_equal(runnel_request_set_header(held, "X-A", "b", 0),
                   RUNNEL_ESTATE);
  assert_int_equal(runnel_request_proceed(held, RUNNEL_OK), RUNNEL_OK);
  feed_deinit(&feed);
  scene_close(&scene);
}

/* 7 ------------------------------------------------------------------------ */

static void promise_7_loop_lives_while_a_stream_does(void **state) {
  (void)state;
  struct scene scene;
  scene_open(&scene, one_event_scripts, 1);
  host_drain(&scene.host); /* returns: there is no stream yet */
  for (int i = 0; i < 2; i++) {
    struct feed feed = {.close_after = 1};
    feed_open(&feed, &scene.host, scene.url, NULL);
    assert_true(uv_loop_alive(&scene.host.loop));
    host_drain(&scene.host); /* returns: the last stream closed */
    assert_int_equal(feed.closed, 1);
    assert_non_null(scene.host.client);
    assert_false(uv_loop_alive(&scene.host.loop));
    feed_deinit(&feed);
  }
  scene_close(&scene);
}

#define POSTERS 4
#define POSTS 250

struct poster {
  struct host *host;
  pthread_t thread;
  int seen;  /* the last number that ran */
  int wrong; /* out of order, or on another thread than the loop's */
  int *left;
  pthread_t loop_thread;
  struct post {
    struct poster *poster;
    int number;
  } posts[POSTS];
};

static void on_posted(runnel_client *client, void *user) {
  struct post *post = user;
  struct poster *poster = post->poster;
  poster->wrong += client != poster->host->client;
  poster->wrong += !pthread_equal(pthread_self(), poster->loop_thread);
  poster->wrong += post->number != poster->seen + 1;
  poster->seen = post->number;
  --*poster->left;
}

static void *post_all(void *arg) {
  struct poster *poster = arg;
  for (int i = 0; i < POSTS; i++) {
    poster->posts[i] = (struct post){poster, i + 1};
    if (runnel_client_post(poster->host->client, on_posted,
                           &poster->posts[i]) != RUNNEL_OK)
      break;
  }
  return NULL;
}

static void promise_7_post_from_other_threads(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {0};
  int left = POSTERS * POSTS;
  struct poster *posters = calloc(POSTERS, sizeof *posters);
  assert_non_null(posters);
  scene_open(&scene, one_event_scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  for (int i = 0; i < POSTERS; i++) {
    posters[i].host = &scene.host;
    posters[i].left = &left;
    posters[i].loop_thread = pthread_self();
    pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
  }
  HOST_UNTIL(&scene.host, left == 0);
  for (int i = 0; i < POSTERS; i++) {
    pthread_join(posters[i].thread, NULL);
    assert_int_equal(posters[i].wrong, 0);
  }
  scene_close(&scene);
  feed_deinit(&feed);
  free(posters);
}

/* 8 ------------------------------------------------------------------------ */

static const struct peer_step endless_line[] = {
    PEER_READ(), PEER_STREAM_TO_CLOSE(), PEER_SEND("data: "),
    PEER_FLOOD("0123456789abcdef", 0), PEER_END()};
static const struct peer_step endless_head[] = {
    PEER_READ(), PEER_SEND("HTTP/1.1 200 OK\r\n"),
    PEER_FLOOD("X-More: and more\r\n", 0), PEER_END()};
static const struct peer_step endless_error[] = {
    PEER_READ(), PEER_HEAD("500 Oops", "Connection: close\r\n"),
    PEER_FLOOD("sorry ", 0), PEER_END()};
static const struct peer_step endless_comment[] = {
    PEER_READ(),
    PEER_STREAM_TO_CLOSE(),
    PEER_SEND(": "),
    PEER_FLOOD("0123456789abcdef", 1 << 20),
    PEER_SEND("\n\ndata: a\n\n"),
    PEER_STALL(),
    PEER_END()};

static void no_comment(runnel_stream *stream, const char *text, size_t len,
                       void *user) {
  (void)stream;
  (void)user;
  (void)text;
  assert_true(len <= 65536);
}

static void promise_8_memory_is_bounded(void **state) {
  (void)state;
  static const struct {
    const struct peer_step *script;
    int code;
    int retry;
  } rows[] = {{endless_line, RUNNEL_ETOOBIG, 0},
              {endless_head, RUNNEL_EHTTP, 1},
              {endless_error, RUNNEL_ESTATUS, 1},
              {endless_comment, RUNNEL_OK, 0}};
  for (size_t i = 0; i < LEN(rows); i++) {
    const struct peer_step *const scripts[] = {rows[i].script};
    struct scene scene;
    struct feed feed = {.stop_at_end = 1, .close_after = 1};
    struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
    options.event_bytes_max = 65536;
    options.on_comment = no_comment;
    scene_open(&scene, scripts, 1);
    feed_open(&feed, &scene.host, scene.url, &options);
    host_drain(&scene.host);
    assert_int_equal(feed.code, rows[i].code);
    assert_int_equal(feed.retry, rows[i].retry);
    assert_true(atomic_load(&scene.host.bytes_peak) < 1024 * 1024);
    feed_deinit(&feed);
    scene_close(&scene);
  }
}

#define URL_BYTES 60
#define IDLE_BYTES_MAX 1100 /* of a stream, and a libuv handle */
#define IDLE_STREAMS 256

static int count_event(runnel_stream *stream, const struct runnel_event *event,
                       void *user) {
  (void)stream;
  (void)event;
  ++*(size_t *)user;
  return RUNNEL_OK;
}

static void fail_at_end(runnel_stream *stream, const struct runnel_end *end,
                        struct runnel_verdict *verdict, void *user) {
  (void)stream;
  (void)verdict;
  (void)user;
  fail_msg("%s", end->text);
}

/* Opens plain streams, without headers of their own, and waits until each has
 * had its event and is idle; what the client then holds. */
static long open_idle(struct scene *scene, const char *url, size_t *events,
                      size_t more) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  size_t wanted = *events + more;
  options.url = url;
  options.on_event = count_event;
  options.on_end = fail_at_end;
  options.user = events;
  for (size_t i = 0; i < more; i++)
    assert_int_equal(runnel_stream_open(NULL, scene->host.client, &options),
                     RUNNEL_OK);
  HOST_UNTIL(&scene->host, *events == wanted);
  return atomic_load(&scene->host.bytes);
}

/* What the first streams cost besides is the client's: its read buffer, gate
 * and defaults. The growth of its tables is the streams'. */
static void promise_8_an_idle_stream_is_small(void **state) {
  (void)state;
  struct scene scene;
  char url[URL_BYTES + 1];
  size_t events = 0;
  scene_open(&scene, one_event_scripts, 1);
  int len = snprintf(url, sizeof url, "%s?", scene.url);
  assert_in_range(len, 1, URL_BYTES);
  memset(url + len, 'x', (size_t)(URL_BYTES - len));
  url[URL_BYTES] = '\0';
  long before = open_idle(&scene, url, &events, 1);
  long after = open_idle(&scene, url, &events, IDLE_STREAMS);
  long each = (after - before) / IDLE_STREAMS;
  print_message("an idle stream: %ld bytes, %zu of them libuv's\n", each,
                sizeof(uv_poll_t));
  assert_true(each <= IDLE_BYTES_MAX + (long)sizeof(uv_poll_t));
  scene_close(&scene);
}

/* held_bytes_max bounds all streams together; at it, an attempt ends. */
static void promise_8_memory_of_a_client_is_bounded(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {endless_line};
  struct peer_options with = {.scripts = scripts, .scripts_len = 1};
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct host host;
  struct feed feeds[4];
  char url[128];
  struct peer *peer = peer_new(&with);
  options.held_bytes_max = 256 * 1024;
  host_open(&host, &options);
  for (size_t i = 0; i < LEN(feeds); i++) {
    feeds[i] = (struct feed){.stop_at_end = 1};
    feed_open(&feeds[i], &host, peer_url(peer, "/", url, sizeof url), NULL);
  }
  while (uv_run(&host.loop, UV_RUN_ONCE) != 0)
    assert_true(runnel_client_stats(host.client)->held_bytes <= 256 * 1024);
  for (size_t i = 0; i < LEN(feeds); i++) {
    assert_int_equal(feeds[i].code, RUNNEL_ENOMEM);
    assert_true(feeds[i].retry);
    feed_deinit(&feeds[i]);
  }
  assert_true(atomic_load(&host.bytes_peak) < 1024 * 1024);
  host_close(&host);
  peer_free(peer);
}

/* 9 ------------------------------------------------------------------------ */

static const struct peer_step cut_event[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(),
    PEER_CHUNK("id: 1\ndata: a\n\nid: 2\ndata: b"), PEER_WAIT(1), PEER_RESET()};
static const struct peer_step rest[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(),
    PEER_CHUNK("id: 2\ndata: b\n\nid: 3\ndata: c\n\n"), PEER_STALL(),
    PEER_END()};

static void promise_9_whole_or_not_at_all(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {cut_event, rest};
  struct scene scene;
  struct feed feed = {.delay_ms = 1, .close_after = 3};
  char text[64];
  scene_open(&scene, scripts, LEN(scripts));
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, feed.events_len == 1);
  assert_string_equal(runnel_stream_last_event_id(feed.stream, NULL), "1");
  peer_raise(scene.peer, 1);
  host_drain(&scene.host);
  assert_string_equal(feed.heard, "roenroeeC");
  assert_int_equal(feed.code, RUNNEL_ELOST);
  assert_true(feed.unfinished > 0);
  assert_string_equal(feed.events[1].data, "b");
  assert_string_equal(feed.events[2].data, "c");
  assert_string_equal(peer_header(peer_request(scene.peer, 1), "Last-Event-ID",
                                  text, sizeof text),
                      "1");
  feed_deinit(&feed);
  scene_close(&scene);
}

/* The first showing of `b` is refused; what the id is then, is noted. */
static int refuse_once(struct feed *feed, const struct runnel_event *event) {
  int *refusals = feed->data;
  if (event->data[0] != 'b' || *refusals > 0)
    return RUNNEL_OK;
  ++*refusals;
  assert_string_equal(event->id, "2");
  return RUNNEL_LATER;
}

static void promise_9_a_refused_event_comes_again(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {rest};
  int refusals = 0;
  struct scene scene;
  struct feed feed = {
      .on_event = refuse_once, .data = &refusals, .close_after = 2};
  scene_open(&scene, scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, refusals == 1);
  assert_int_equal(runnel_stream_state(feed.stream), RUNNEL_STATE_PAUSED);
  assert_string_equal(runnel_stream_last_event_id(feed.stream, NULL), "");
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_OK);
  host_drain(&scene.host);
  assert_string_equal(feed.heard, "roeeeC");
  assert_string_equal(feed.events[0].data, "b");
  assert_string_equal(feed.events[0].id, "2");
  assert_string_equal(feed.events[1].data, "c");
  feed_deinit(&feed);
  scene_close(&scene);
}

int runnel__test_life(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_6_streams_close_before_the_client),
      cmocka_unit_test(promise_6_no_lookup_delays_the_close),
      cmocka_unit_test(promise_6_no_hold_delays_the_close),
      cmocka_unit_test(promise_7_loop_lives_while_a_stream_does),
      cmocka_unit_test(promise_7_post_from_other_threads),
      cmocka_unit_test(promise_8_memory_is_bounded),
      cmocka_unit_test(promise_8_memory_of_a_client_is_bounded),
      cmocka_unit_test(promise_8_an_idle_stream_is_small),
      cmocka_unit_test(promise_9_whole_or_not_at_all),
      cmocka_unit_test(promise_9_a_refused_event_comes_again),
  };
  return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
