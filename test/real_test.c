/* The library in this process against the scripted peer: connections that fail
 * in every phase, addresses, several clients and loops. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "scene.h"
#include "tempdir.h"

static const struct peer_step one_event[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                             PEER_CHUNK("id: 1\ndata: a\n\n"),
                                             PEER_STALL(), PEER_END()};
static const struct peer_step *const one_event_scripts[] = {one_event};

/* Ends in every phase ------------------------------------------------------ */

static const struct peer_step reset_at_once[] = {PEER_RESET()};
static const struct peer_step close_unanswered[] = {PEER_READ(), PEER_END()};
static const struct peer_step reset_in_head[] = {
    PEER_READ(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-"), PEER_RESET()};
static const struct peer_step close_in_head[] = {
    PEER_READ(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-"), PEER_END()};
static const struct peer_step rubbish[] = {
    PEER_READ(), PEER_SEND("SSH-2.0-nobody\r\n"), PEER_STALL(), PEER_END()};
static const struct peer_step never_answer[] = {PEER_READ(), PEER_STALL(),
                                                PEER_END()};
static const struct peer_step reset_in_body[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"), PEER_WAIT(1),
    PEER_RESET()};
static const struct peer_step close_in_chunk[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"),
    PEER_SEND("20\r\ndata: b"), PEER_END()};
static const struct peer_step close_short[] = {
    PEER_READ(),
    PEER_HEAD("200 OK",
              "Content-Type: text/event-stream\r\nContent-Length: 99\r\n"),
    PEER_SEND("data: a\n\ndata: b\n"), PEER_END()};
static const struct peer_step close_in_order[] = {
    PEER_READ(), PEER_STREAM_TO_CLOSE(), PEER_SEND("data: a\n\n"), PEER_END()};
static const struct peer_step half_close[] = {
    PEER_READ(),       PEER_STREAM_TO_CLOSE(), PEER_SEND("data: a\n\n"),
    PEER_HALF_CLOSE(), PEER_STALL(),           PEER_END()};
static const struct peer_step drop_by_drop[] = {
    PEER_READ(),
    PEER_SEND_CUT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n"
                  "9\r\ndata: a\n\n\r\n0\r\n\r\n",
                  1),
    PEER_END()};
static const struct peer_step silent[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                          PEER_CHUNK("data: a\n\n"),
                                          PEER_STALL(), PEER_END()};

struct ending {
  const char *name;
  const struct peer_step *script;
  int code;
  int phase; /* -1: either */
  size_t events;
};

static void release_after_event(struct feed *feed, char what) {
  if (what == 'e')
    peer_raise(feed->data, 1);
}

static void check_ending(const struct ending *row) {
  const struct peer_step *const scripts[] = {row->script};
  struct scene scene;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.stop_at_end = 1, .on_any = release_after_event};
  options.open_ms_max = row->script == never_answer ? 50 : 0;
  options.idle_ms_max = row->script == silent ? 50 : 0;
  scene_open(&scene, scripts, 1);
  feed.data = scene.peer;
  feed_open(&feed, &scene.host, scene.url, &options);
  host_drain(&scene.host);
  if (feed.code != row->code || (row->phase >= 0 && feed.phase != row->phase))
    fail_msg("%s: %s in phase %d: %s", row->name, runnel_err_name(feed.code),
             feed.phase, feed.text);
  assert_int_equal(feed.events_len, row->events);
  assert_true(feed.retry);
  assert_int_equal(feed.close_code, row->code);
  assert_true(feed.text[0] != '\0');
  feed_deinit(&feed);
  scene_close(&scene);
}

static void ends_in_every_phase(void **state) {
  (void)state;
  static const struct ending rows[] = {
      {"reset at once", reset_at_once, RUNNEL_ELOST, -1, 0},
      {"FIN for an answer", close_unanswered, RUNNEL_ELOST, RUNNEL_PHASE_HEAD,
       0},
      {"reset in head", reset_in_head, RUNNEL_ELOST, RUNNEL_PHASE_HEAD, 0},
      {"FIN in head", close_in_head, RUNNEL_ELOST, RUNNEL_PHASE_HEAD, 0},
      {"not HTTP", rubbish, RUNNEL_EHTTP, RUNNEL_PHASE_HEAD, 0},
      {"no answer", never_answer, RUNNEL_ETIMEDOUT, RUNNEL_PHASE_HEAD, 0},
      {"reset in body", reset_in_body, RUNNEL_ELOST, RUNNEL_PHASE_BODY, 1},
      {"FIN in chunk", close_in_chunk, RUNNEL_ELOST, RUNNEL_PHASE_BODY, 1},
      {"FIN too early", close_short, RUNNEL_ELOST, RUNNEL_PHASE_BODY, 1},
      {"FIN", close_in_order, RUNNEL_EEND, RUNNEL_PHASE_BODY, 1},
      {"half close", half_close, RUNNEL_EEND, RUNNEL_PHASE_BODY, 1},
      {"byte by byte", drop_by_drop, RUNNEL_EEND, RUNNEL_PHASE_BODY, 1},
      {"silence", silent, RUNNEL_EIDLE, RUNNEL_PHASE_BODY, 1}};
  for (size_t i = 0; i < LEN(rows); i++)
    check_ending(&rows[i]);
}

static void connection_refused_then_listened_to(void **state) {
  (void)state;
  struct peer_options options = {
      .scripts = one_event_scripts, .scripts_len = 1, .deaf = 1};
  struct scene scene;
  struct feed feed = {.delay_ms = 1, .close_after = 1};
  scene_open_with(&scene, &options);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, feed.ends == 3);
  assert_int_equal(feed.code, RUNNEL_ECONNECT);
  assert_int_equal(feed.phase, RUNNEL_PHASE_CONNECT);
  assert_int_equal(feed.native, ECONNREFUSED);
  assert_int_equal(feed.failures, 3);
  assert_int_equal(peer_listen(scene.peer), 0);
  host_drain(&scene.host);
  assert_int_equal(feed.events_len, 1);
  feed_deinit(&feed);
  scene_close(&scene);
}

/* A stream goes on while its peer takes no new connections. */
static void peer_that_refuses_others(void **state) {
  (void)state;
  static const struct peer_step script[] = {
      PEER_READ(),  PEER_STREAM_CHUNKED(),     PEER_CHUNK("data: a\n\n"),
      PEER_WAIT(1), PEER_CHUNK("data: b\n\n"), PEER_STALL(),
      PEER_END()};
  static const struct peer_step *const scripts[] = {script};
  struct scene scene;
  struct feed first = {.close_after = 2}, second = {.stop_at_end = 1};
  scene_open(&scene, scripts, 1);
  feed_open(&first, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, first.events_len == 1);
  assert_int_equal(peer_refuse(scene.peer), 0);
  feed_open(&second, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, second.closed);
  assert_int_equal(second.code, RUNNEL_ECONNECT);
  peer_raise(scene.peer, 1);
  host_drain(&scene.host);
  assert_int_equal(first.events_len, 2);
  feed_deinit(&first);
  feed_deinit(&second);
  scene_close(&scene);
}

/* Addresses ---------------------------------------------------------------- */

/* A name with two addresses, of which only one is listened to. `localhost` is
 * such a name on most machines. */
static void by_name(const char *name, const char *address) {
  struct peer_options options = {
      .scripts = one_event_scripts, .scripts_len = 1, .address = address};
  struct scene scene;
  struct feed feed = {.close_after = 1, .stop_at_end = 1};
  scene_open_with(&scene, &options);
  snprintf(scene.url, sizeof scene.url, "http://%s:%d/feed", name,
           peer_port(scene.peer));
  feed_open(&feed, &scene.host, scene.url, NULL);
  host_drain(&scene.host);
  if (feed.ends != 0)
    fail_msg("%s: %s", scene.url, feed.text);
  assert_int_equal(feed.events_len, 1);
  feed_deinit(&feed);
  scene_close(&scene);
}

/* 1: the machine has IPv6, and `localhost` stands for it too, respectively. */
static int has_ipv6(void) {
  struct peer_options options = {
      .scripts = one_event_scripts, .scripts_len = 1, .address = "::1"};
  struct peer *probe = peer_new(&options);
  peer_free(probe);
  return probe != NULL;
}

static int localhost_is_ipv6(void) {
  const struct addrinfo hints = {.ai_family = AF_INET6};
  struct addrinfo *found = NULL;
  if (getaddrinfo("localhost", NULL, &hints, &found) != 0)
    return 0;
  freeaddrinfo(found);
  return 1;
}

static void two_addresses_with_only_ipv4(void **state) {
  (void)state;
  by_name("both.test", "127.0.0.1");
  by_name("localhost", "127.0.0.1");
}

static void two_addresses_with_only_ipv6(void **state) {
  (void)state;
  if (!has_ipv6())
    skip();
  by_name("both.test", "::1");
  if (localhost_is_ipv6())
    by_name("localhost", "::1");
}

static void ipv6_literal(void **state) {
  (void)state;
  struct peer_options options = {
      .scripts = one_event_scripts, .scripts_len = 1, .address = "::1"};
  if (!has_ipv6())
    skip();
  struct scene scene;
  struct feed feed = {.close_after = 1};
  char text[64], want[64];
  scene_open_with(&scene, &options);
  feed_open(&feed, &scene.host, scene.url, NULL);
  host_drain(&scene.host);
  snprintf(want, sizeof want, "[::1]:%d", peer_port(scene.peer));
  assert_string_equal(feed.peer, want);
  assert_string_equal(
      peer_header(peer_request(scene.peer, 0), "Host", text, sizeof text),
      want);
  feed_deinit(&feed);
  scene_close(&scene);
}

static void unix_socket(void **state) {
  (void)state;
  char path[108], want[128], text[64];
  char *dir = tempdir_make();
  struct peer_options options = {
      .scripts = one_event_scripts,
      .scripts_len = 1,
      .unix_path = tempdir_path(dir, "socket", path, sizeof path)};
  struct runnel_stream_options with = RUNNEL_STREAM_OPTIONS_INIT;
  struct scene scene;
  struct feed feed = {.close_after = 1};
  scene_open_with(&scene, &options);
  with.unix_path = path;
  feed_open(&feed, &scene.host, "http://some.host/feed", &with);
  host_drain(&scene.host);
  snprintf(want, sizeof want, "unix:%s", path);
  assert_string_equal(feed.peer, want);
  assert_string_equal(
      peer_header(peer_request(scene.peer, 0), "Host", text, sizeof text),
      "some.host");
  feed_deinit(&feed);
  scene_close(&scene);
  tempdir_remove(dir);
}

static const struct peer_step two_events[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),     PEER_CHUNK("data: a\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: b\n\n"), PEER_STALL(),
    PEER_END()};

/* Clients and loops -------------------------------------------------------- */

static void note_closed(void *user) { ++*(int *)user; }

static void two_clients_on_one_loop(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {two_events};
  struct scene scene;
  struct feed first = {.close_after = 2}, second = {.close_after = 2};
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  runnel_client *other = NULL;
  int closed = 0;
  scene_open(&scene, scripts, 1);
  options.alloc = scene.host.hooks;
  assert_int_equal(runnel_client_new(&other, &scene.host.loop, &options), 0);
  feed_open(&first, &scene.host, scene.url, NULL);
  runnel_client *main_client = scene.host.client;
  scene.host.client = other;
  feed_open(&second, &scene.host, scene.url, NULL);
  scene.host.client = main_client;
  HOST_UNTIL(&scene.host, first.events_len == 1 && second.events_len == 1);
  assert_int_equal(runnel_client_close(other, note_closed, &closed), 0);
  HOST_UNTIL(&scene.host, closed);
  assert_int_equal(second.close_code, RUNNEL_ECANCELED);
  peer_raise(scene.peer, 1);
  host_drain(&scene.host);
  assert_int_equal(first.events_len, 2);
  feed_deinit(&first);
  feed_deinit(&second);
  scene_close(&scene);
}

/* A client that has its own loop; only its allocator is the host's. */
static void close_own_client(struct feed *feed, char what) {
  if (what != 'e')
    return;
  assert_int_equal(runnel_client_run(feed->host->client), RUNNEL_ESTATE);
  host_close_client(feed->host);
}

static void a_loop_of_its_own(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {.close_after = 1};
  struct feed last = {.on_any = close_own_client};
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  scene_open(&scene, one_event_scripts, 1);
  assert_int_equal(runnel_client_run(scene.host.client), RUNNEL_ESTATE);
  host_close_client(&scene.host);
  host_drain(&scene.host);
  scene.host.client_closed = scene.host.client_closing = 0;
  options.alloc = scene.host.hooks;
  assert_int_equal(runnel_client_new(&scene.host.client, NULL, &options), 0);
  feed_open(&feed, &scene.host, scene.url, NULL);
  assert_int_equal(runnel_client_run(scene.host.client), RUNNEL_OK);
  assert_int_equal(feed.closed, 1);
  feed_open(&last, &scene.host, scene.url, NULL);
  assert_int_equal(runnel_client_run(scene.host.client), RUNNEL_OK);
  assert_int_equal(last.closed, 1);
  assert_int_equal(scene.host.client_closed, 1);
  feed_deinit(&feed);
  feed_deinit(&last);
  scene_close(&scene);
}

/* Closed outside of run: one more run ends it all. */
static void a_loop_of_its_own_closed_from_outside(void **state) {
  (void)state;
  struct host host;
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  host_open_bare(&host);
  options.alloc = host.hooks;
  assert_int_equal(runnel_client_new(&host.client, NULL, &options), 0);
  runnel_client *client = host.client;
  host_close_client(&host);
  assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  assert_int_equal(host.client_closed, 1);
  host_close(&host);
}

int runnel__test_real(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_in_every_phase),
      cmocka_unit_test(connection_refused_then_listened_to),
      cmocka_unit_test(peer_that_refuses_others),
      cmocka_unit_test(two_addresses_with_only_ipv4),
      cmocka_unit_test(two_addresses_with_only_ipv6),
      cmocka_unit_test(ipv6_literal),
      cmocka_unit_test(unix_socket),
      cmocka_unit_test(two_clients_on_one_loop),
      cmocka_unit_test(a_loop_of_its_own),
      cmocka_unit_test(a_loop_of_its_own_closed_from_outside),
  };
  return cmocka_run_group_tests_name("real", tests, NULL, NULL);
}
