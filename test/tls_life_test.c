/* A life over TLS: events over many records, with pauses in the middle of them;
 * the demo's sessions through nginx; and an application that closes where it
 * likes, or forks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tempdir.h"
#include "tls_world.h"

/* nginx -------------------------------------------------------------------- */

#define BIG_EVENTS 400

/* Data of event `id`: every tenth is in many records. */
static size_t big_len(int id) {
  return id % 10 == 0 ? 100000 : (size_t)id % 90 + 1;
}

static void write_big(void) {
  size_t cap = BIG_EVENTS * 200 + BIG_EVENTS / 10 * 100000 + 1, len = 0;
  char *text = malloc(cap);
  assert_non_null(text);
  for (int id = 1; id <= BIG_EVENTS; id++) {
    len += (size_t)snprintf(text + len, cap - len, "id: %d\ndata: ", id);
    memset(text + len, 'a' + id % 26, big_len(id));
    len += big_len(id);
    text[len++] = '\n';
    text[len++] = '\n';
  }
  tempdir_write(tls_file(""), "big.events", text, len);
  free(text);
}

static void check_big(const struct feed *feed) {
  assert_int_equal(feed->events_len, BIG_EVENTS);
  for (int id = 1; id <= BIG_EVENTS; id++) {
    const struct feed_event *event = &feed->events[id - 1];
    assert_int_equal(atoi(event->id), id);
    assert_int_equal(event->data_len, big_len(id));
    for (size_t i = 0; i < event->data_len; i++)
      assert_true(event->data[i] == (char)('a' + id % 26));
  }
}

static void resume_it(uv_timer_t *timer) {
  struct feed *feed = timer->data;
  if (feed->stream != NULL)
    assert_int_equal(runnel_stream_resume(feed->stream), RUNNEL_OK);
}

/* Pauses inside a record, of each event in turn before or after it is taken. */
static int take_and_pause(struct feed *feed, const struct runnel_event *event) {
  static uint64_t refused;
  uv_timer_t *timer = feed->data;
  (void)event;
  if (feed->events_len == 0)
    refused = 0;
  if (feed->events_len % 3 == 1 && refused != feed->events_len) {
    refused = feed->events_len;
    uv_timer_start(timer, resume_it, 0, 0);
    return RUNNEL_LATER;
  }
  if (feed->events_len % 3 == 2) {
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
    uv_timer_start(timer, resume_it, 0, 0);
  }
  return RUNNEL_OK;
}

/* Events of any size, with and without pauses between them. */
static void big_events(int version, int pauses) {
  char config[1024];
  struct tls_scene scene;
  struct feed feed = {0};
  uv_timer_t timer;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.version_min = options.version_max = version;
  runnel_tls *tls = tls_trusting(&options);
  snprintf(config, sizeof config, "location / { root %s; }\n", tls_file(""));
  struct nginx *nginx = tls_nginx("good", config);
  tls_scene_open_to(&scene, nginx_port(nginx), TLS_HOST, NULL);
  strcpy(strstr(scene.url, "/feed"), "/big.events");
  uv_timer_init(&scene.host.loop, &timer);
  timer.data = &feed;
  feed.data = &timer;
  if (pauses)
    feed.on_event = take_and_pause;
  tls_take_once(&scene, &feed, tls);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_int_equal(feed.unfinished, 0);
  check_big(&feed);
  uv_close((uv_handle_t *)&timer, NULL);
  feed_deinit(&feed);
  runnel_tls_release(tls);
  tls_scene_close(&scene);
  nginx_stop(nginx);
}

static void events_over_many_records(void **state) {
  (void)state;
  write_big();
  for (int pauses = 0; pauses < 2; pauses++) {
    big_events(RUNNEL_TLS_1_2, pauses);
    if (tls_has_1_3())
      big_events(RUNNEL_TLS_1_3, pauses);
  }
}

#define DEMO_SESSIONS 100
#define DEMO_EVENTS 12

static void check_session(struct feed *feed) {
  assert_int_equal(feed->close_code, RUNNEL_ECANCELED);
  assert_int_equal(feed->opens, 2);
  assert_int_equal(feed->events_len, DEMO_EVENTS);
  for (int id = 1; id <= DEMO_EVENTS; id++)
    assert_int_equal(atoi(feed->events[id - 1].id), id);
  feed_deinit(feed);
}

/* The demo's sessions through nginx, each cut once. */
static void run_sessions(struct nginx *nginx) {
  struct runnel_client_options client = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  const struct runnel_resolve resolve = {TLS_HOST, nginx_port(nginx),
                                         "127.0.0.1"};
  struct host host;
  struct feed *feeds = calloc(DEMO_SESSIONS, sizeof *feeds);
  assert_non_null(feeds);
  client.resolve = &resolve;
  client.resolve_len = 1;
  host_open(&host, &client);
  options.tls = tls_world.tls;
  for (int i = 0; i < DEMO_SESSIONS; i++) {
    char url[256];
    feeds[i] = (struct feed){.close_on = "complete", .delay_ms = 1};
    snprintf(url, sizeof url,
             "https://" TLS_HOST ":%d/stream?sessionId=session-%d",
             nginx_port(nginx), i + 1);
    feed_open(&feeds[i], &host, url, &options);
  }
  host_drain(&host);
  const struct runnel_client_stats *stats = runnel_client_stats(host.client);
  assert_int_equal(stats->handshakes_full + stats->handshakes_resumed,
                   2 * DEMO_SESSIONS);
  assert_in_range(stats->handshakes_full, 1, 4);
  for (int i = 0; i < DEMO_SESSIONS; i++)
    check_session(&feeds[i]);
  host_close(&host);
  free(feeds);
}

static void a_hundred_sessions_of_the_demo(void **state) {
  (void)state;
  static const char *const argv[] = {RUNNEL_SESSION_SERVER,
                                     "--sessions",
                                     "100",
                                     "--events",
                                     "12",
                                     "--interval",
                                     "10",
                                     "--retry",
                                     "100",
                                     "--drop",
                                     NULL};
  struct spawn_options options = {.argv = argv, .input_stays_open = 1};
  struct spawn_result result;
  struct spawn *server = spawn_start(&options);
  assert_non_null(server);
  assert_int_equal(spawn_wait_lines(server, 1), 0);
  char config[512];
  snprintf(config, sizeof config,
           "location / { proxy_pass http://127.0.0.1:%d;\n"
           "  proxy_http_version 1.1; proxy_buffering off; }\n",
           atoi(spawn_out(server)));
  struct nginx *nginx = tls_nginx("good", config);
  run_sessions(nginx);
  nginx_stop(nginx);
  spawn_close_input(server);
  spawn_finish(server, &result);
  assert_int_equal(result.status, 0);
  spawn_result_deinit(&result);
}

/* The application ---------------------------------------------------------- */

static char close_at;     /* the callback, as in feed.heard */
static int close_clients; /* 1: the client, not the stream */

static void close_there(struct feed *feed, char what) {
  if (what != close_at || feed->stream == NULL)
    return;
  if (close_clients && !feed->host->client_closing)
    host_close_client(feed->host);
  else if (!close_clients)
    assert_int_equal(runnel_stream_close(feed->stream), RUNNEL_OK);
}

static void closing_in_each_callback(void **state) {
  (void)state;
  static const char callbacks[] = "roen";
  struct tls_server *server = tls_start("good", "-HTTP");
  for (const char *at = callbacks; *at != '\0'; at++)
    for (close_clients = 0; close_clients < 2; close_clients++) {
      struct tls_scene scene;
      struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
      struct feed feed = {.on_any = close_there};
      close_at = *at;
      tls_scene_open_to(&scene, tls_server_port(server), TLS_HOST, NULL);
      options.tls = tls_world.tls;
      feed_open(&feed, &scene.host, scene.url, &options);
      HOST_UNTIL(&scene.host, feed.closed);
      assert_int_equal(feed.close_code, RUNNEL_ECANCELED);
      feed_deinit(&feed);
      tls_scene_close(&scene);
    }
  tls_server_stop(server, NULL);
}

/* From outside, in the middle of a handshake, and while others wait for it. */
static void closing_in_a_handshake(void **state) {
  (void)state;
  for (close_clients = 0; close_clients < 2; close_clients++) {
    struct tls_scene scene;
    struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
    struct feed feeds[3] = {{0}};
    tls_scene_open(&scene, tls_start("good", "-HTTP"));
    tls_cut_rule(scene.cut, (struct tls_cut_rule){.from = TLS_CUT_SERVER,
                                                  .records = 1,
                                                  .act = TLS_CUT_STALL});
    options.tls = tls_world.tls;
    for (size_t i = 0; i < LEN(feeds); i++)
      feed_open(&feeds[i], &scene.host, scene.url, &options);
    for (size_t i = 0; i < LEN(feeds); i++)
      HOST_UNTIL(&scene.host, runnel_stream_state(feeds[i].stream) ==
                                  RUNNEL_STATE_HANDSHAKING);
    assert_int_equal(runnel_client_stats(scene.host.client)->handshakes, 1);
    if (close_clients)
      host_close_client(&scene.host);
    for (size_t i = 0; !close_clients && i < LEN(feeds); i++)
      assert_int_equal(runnel_stream_close(feeds[i].stream), RUNNEL_OK);
    for (size_t i = 0; i < LEN(feeds); i++) {
      HOST_UNTIL(&scene.host, feeds[i].closed);
      assert_int_equal(feeds[i].ends, 0);
      feed_deinit(&feeds[i]);
    }
    tls_scene_close(&scene);
  }
}

static int pause_first(struct feed *feed, const struct runnel_event *event) {
  (void)event;
  if (feed->events_len == 0)
    assert_int_equal(runnel_stream_pause(feed->stream), RUNNEL_OK);
  return RUNNEL_OK;
}

/* In one read are an event and, in a record of its own, much more: what a pause
 * leaves encrypted counts as held, as what it leaves of plain bytes does. */
static void a_pause_holds_what_is_not_decrypted(void **state) {
  (void)state;
  char more[8000];
  struct tls_scene scene;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.close_after = 2, .on_event = pause_first};
  struct runnel_tls_options settings = RUNNEL_TLS_OPTIONS_INIT;
  settings.version_max = RUNNEL_TLS_1_2; /* 1.3 has records of its own then */
  runnel_tls *tls = tls_trusting(&settings);
  tls_scene_open(&scene, tls_start("good", ""));
  options.tls = tls;
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host,
             runnel_stream_state(feed.stream) == RUNNEL_STATE_WAITING_HEAD);
  assert_int_equal(runnel_stream_pause(feed.stream), RUNNEL_OK);
  tls_server_wait(scene.server, "GET /feed");
  uint64_t before = runnel_client_stats(scene.host.client)->held_bytes;
  uint64_t records = tls_cut_count(scene.cut, TLS_CUT_SERVER_RECORDS);
  tls_server_write(scene.server, "HTTP/1.1 200 OK\r\n"
                                 "Content-Type: text/event-stream\r\n\r\n"
                                 "data: one\n\n");
  tls_cut_wait(scene.cut, TLS_CUT_SERVER_RECORDS, records + 1);
  memset(more, 'x', sizeof more);
  memcpy(more, "data: ", 6);
  strcpy(more + sizeof more - 3, "\n\n");
  tls_server_write(scene.server, more);
  tls_cut_wait(scene.cut, TLS_CUT_SERVER_RECORDS, records + 2);
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_OK);
  HOST_UNTIL(&scene.host, feed.events_len == 1);
  assert_in_range(runnel_client_stats(scene.host.client)->held_bytes,
                  before + sizeof more, before + 2 * sizeof more);
  assert_int_equal(runnel_stream_resume(feed.stream), RUNNEL_OK);
  HOST_UNTIL(&scene.host, feed.closed);
  assert_int_equal(feed.events_len, 2);
  feed_deinit(&feed);
  tls_scene_close(&scene);
  runnel_tls_release(tls);
}

/* The child lets go of its copy, without a word to the peer: the parent's
 * stream goes on. */
static void a_child_only_abandons(void **state) {
  (void)state;
  struct tls_scene scene;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.close_after = 2};
  int status = -1;
  tls_scene_open(&scene, tls_start("good", ""));
  options.tls = tls_world.tls;
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host,
             runnel_stream_state(feed.stream) == RUNNEL_STATE_WAITING_HEAD);
  tls_server_wait(scene.server, "GET /feed");
  tls_server_write(scene.server, "HTTP/1.1 200 OK\r\n"
                                 "Content-Type: text/event-stream\r\n\r\n"
                                 "data: one\n\n");
  HOST_UNTIL(&scene.host, feed.events_len == 1);
  pid_t child = fork();
  if (child == 0) {
    int right = runnel_stream_close(feed.stream) == RUNNEL_EFORKED &&
                runnel_client_abandon(scene.host.client) == RUNNEL_OK;
    _exit(right ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  tls_server_write(scene.server, "data: two\n\n");
  HOST_UNTIL(&scene.host, feed.closed);
  assert_int_equal(feed.events_len, 2);
  assert_int_equal(feed.ends, 0);
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

int runnel__test_tls_life(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(events_over_many_records),
      cmocka_unit_test(a_hundred_sessions_of_the_demo),
      cmocka_unit_test(closing_in_each_callback),
      cmocka_unit_test(closing_in_a_handshake),
      cmocka_unit_test(a_pause_holds_what_is_not_decrypted),
      cmocka_unit_test(a_child_only_abandons),
  };
  return cmocka_run_group_tests_name("tls_life", tests, tls_world_set_up,
                                     tls_world_tear_down);
}
