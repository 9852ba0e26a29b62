/* Peers that break TLS: at each step of a handshake, in the middle of a stream,
 * and servers that do not speak it as they should. A wire with a knife
 * (tls_cut.h) lies between the library and openssl's server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_world.h"

#define STEPS_MAX 64

static const struct version {
  const char *flag; /* s_server's */
  const char *name;
} versions[] = {{"-tls1_2", "TLSv1.2"}, {"-tls1_3", "TLSv1.3"}};

static size_t versions_len(void) { return tls_has_1_3() ? 2 : 1; }

static struct tls_server *start_version(const struct version *version,
                                        const char *more) {
  char args[128];
  snprintf(args, sizeof args, "%s %s", version->flag, more);
  return tls_start("good", args);
}

/* Handshakes that are broken off ------------------------------------------- */

/* The records that the server sends until its close_notify, all in all. */
static uint64_t count_records(struct tls_scene *scene, enum tls_cut_side from) {
  struct feed feed = {0};
  tls_take_once(scene, &feed, NULL);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_int_equal(feed.events_len, 2);
  feed_deinit(&feed);
  tls_cut_wait(scene->cut, TLS_CUT_ENDED, 1);
  uint64_t records = tls_cut_count(scene->cut, from == TLS_CUT_CLIENT
                                                   ? TLS_CUT_CLIENT_RECORDS
                                                   : TLS_CUT_SERVER_RECORDS);
  assert_in_range(records, 2, STEPS_MAX);
  return records;
}

/* What ends that way, by whether the request had been sent. */
static void check_end(struct tls_scene *scene, const struct feed *feed,
                      enum tls_cut_act act, int *in_handshake) {
  tls_cut_wait(scene->cut, TLS_CUT_ENDED,
               tls_cut_count(scene->cut, TLS_CUT_ACCEPTED));
  assert_true(feed->retry);
  assert_int_equal(feed->failures, 1);
  if (feed->phase == RUNNEL_PHASE_CONNECT) { /* before the loop saw it come */
    assert_int_equal(act, TLS_CUT_RESET);
    assert_int_equal(feed->code, RUNNEL_ECONNECT);
    return;
  }
  if (feed->phase != RUNNEL_PHASE_HANDSHAKE) {
    assert_int_equal(feed->code,
                     act == TLS_CUT_STALL ? RUNNEL_ETIMEDOUT : RUNNEL_ELOST);
    return;
  }
  ++*in_handshake;
  tls_check_nothing_asked(scene);
  assert_int_equal(feed->events_len, 0);
  if (act == TLS_CUT_STALL)
    assert_int_equal(feed->code, RUNNEL_ETIMEDOUT);
  else if (act == TLS_CUT_RESET)
    assert_int_equal(feed->code, RUNNEL_ELOST);
  else
    assert_int_equal(feed->code, RUNNEL_ETLS);
}

/* One attempt over a wire of that rule; no session of an earlier one. 0: the
 * limit was over before the wire stalled. */
static int attempt_within(struct tls_server *server, struct tls_cut_rule rule,
                          int64_t limit_ms, int *in_handshake) {
  struct tls_scene scene;
  struct feed feed = {.stop_at_end = 1};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  tls_scene_open_to(&scene, tls_server_port(server), TLS_HOST, NULL);
  tls_cut_rule(scene.cut, rule);
  options.tls = tls_world.tls;
  if (rule.act == TLS_CUT_STALL) {
    options.handshake_ms_max = limit_ms;
    options.open_ms_max = 3 * limit_ms;
  }
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host, feed.closed);
  int late =
      tls_cut_count(scene.cut, TLS_CUT_ACTED) == 0 ||
      (feed.code == RUNNEL_ETIMEDOUT && feed.phase < RUNNEL_PHASE_HANDSHAKE);
  if (late)
    assert_int_equal(feed.code, RUNNEL_ETIMEDOUT);
  else
    check_end(&scene, &feed, rule.act, in_handshake);
  feed_deinit(&feed);
  tls_scene_close(&scene);
  return !late;
}

/* Which limit leaves time for the steps before the stall, the machine decides.
 */
static void attempt(struct tls_server *server, struct tls_cut_rule rule,
                    int *in_handshake) {
  int64_t limit_ms = 100;
  while (!attempt_within(server, rule, limit_ms, in_handshake)) {
    assert_int_equal(rule.act, TLS_CUT_STALL);
    limit_ms *= 2;
    assert_true(limit_ms < 60000);
  }
}

/* Before each record of that side, and in the middle of each header. */
static void break_off(const struct version *version, enum tls_cut_side from,
                      enum tls_cut_act act) {
  struct tls_scene scene;
  struct tls_server *server = start_version(version, "-HTTP");
  int in_handshake = 0;
  tls_scene_open_to(&scene, tls_server_port(server), TLS_HOST, NULL);
  uint64_t records = count_records(&scene, from);
  tls_scene_close(&scene);
  /* Of the server's the last two are the answer and close_notify. */
  uint64_t end = from == TLS_CUT_SERVER ? records - 2 : records - 1;
  for (uint64_t i = 0; i < end; i++)
    for (uint64_t bytes = 0; bytes < 6; bytes += 3)
      attempt(server,
              (struct tls_cut_rule){
                  .from = from, .records = i, .bytes = bytes, .act = act},
              &in_handshake);
  assert_true(in_handshake >= (from == TLS_CUT_SERVER ? 6 : 2));
  tls_server_stop(server, NULL);
}

static void break_off_all(enum tls_cut_act act) {
  for (size_t i = 0; i < versions_len(); i++) {
    break_off(&versions[i], TLS_CUT_SERVER, act);
    break_off(&versions[i], TLS_CUT_CLIENT, act);
  }
}

static void closed_at_each_step(void **state) {
  (void)state;
  break_off_all(TLS_CUT_FIN);
}

static void reset_at_each_step(void **state) {
  (void)state;
  break_off_all(TLS_CUT_RESET);
}

static void stalled_at_each_step(void **state) {
  (void)state;
  break_off_all(TLS_CUT_STALL);
}

static void byte_by_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < versions_len(); i++)
    for (int from = TLS_CUT_CLIENT; from <= TLS_CUT_SERVER; from++) {
      struct tls_scene scene;
      struct feed feed = {0};
      tls_scene_open(&scene, start_version(&versions[i], "-HTTP"));
      tls_cut_rule(scene.cut,
                   (struct tls_cut_rule){.from = (enum tls_cut_side)from,
                                         .act = TLS_CUT_DRIBBLE});
      tls_take_once(&scene, &feed, NULL);
      assert_int_equal(feed.code, RUNNEL_EEND);
      assert_int_equal(feed.events_len, 2);
      assert_string_equal(feed.tls_version, versions[i].name);
      feed_deinit(&feed);
      tls_scene_close(&scene);
    }
}

/* Servers that speak otherwise --------------------------------------------- */

static void old_versions_are_refused(void **state) {
  (void)state;
  static const char *const flags[] = {"-tls1", "-tls1_1"};
  for (size_t i = 0; i < LEN(flags); i++) {
    char args[128];
    struct tls_scene scene;
    struct feed feed = {0};
    snprintf(args, sizeof args, "%s -cipher ALL:@SECLEVEL=0 -HTTP", flags[i]);
    tls_scene_open(&scene, tls_start("good", args));
    tls_take_once(&scene, &feed, NULL);
    assert_int_equal(feed.code, RUNNEL_ETLS);
    assert_int_equal(feed.phase, RUNNEL_PHASE_HANDSHAKE);
    assert_non_null(strstr(feed.text, "version"));
    assert_true(feed.retry);
    tls_check_nothing_asked(&scene);
    feed_deinit(&feed);
    tls_scene_close(&scene);
  }
}

/* The server has no cipher for its kind of key that we have. */
static void no_common_cipher(void **state) {
  (void)state;
  struct tls_scene scene;
  struct feed feed = {0};
  tls_scene_open(&scene, tls_start("good", "-tls1_2 -cipher AES128-SHA -HTTP"));
  tls_take_once(&scene, &feed, NULL);
  assert_int_equal(feed.code, RUNNEL_ETLS);
  assert_int_equal(feed.phase, RUNNEL_PHASE_HANDSHAKE);
  assert_non_null(strstr(feed.text, "alert 40: handshake failure"));
  assert_true(feed.native < 0);
  tls_check_nothing_asked(&scene);
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

/* What no server may answer a ClientHello with; `bytes` counts NULs too. */
static const struct {
  const char *bytes;
  size_t len;
  const char *text;
} rubbish[] = {
#define RUBBISH(bytes, text)                                                   \
  { bytes, sizeof bytes - 1, text }
    RUBBISH("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "it answered in plain HTTP"),
    RUBBISH("SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS"),
    RUBBISH("\0\0\0\0\0\0\0\0\0\0\0\0", "does not speak TLS"),
    RUBBISH("\xff\xff\xff\xff\xff\xff\xff\xff", "does not speak TLS"),
    RUBBISH("\x16\x03\x03\xff\xff\x02\x00\x00\x00\x00\x00", ""),
    RUBBISH("\x16\x09\x09\x00\x04\x02\x00\x00\x00", ""),
    RUBBISH("\x16\x03\x03\x00\x04\x0b\x00\x00\x00", ""),
    RUBBISH("\x17\x03\x03\x00\x04\x00\x00\x00\x00", ""),
    RUBBISH("\x14\x03\x03\x00\x01\x02", ""),
    RUBBISH("\x15\x03\x03\x00\x02\x02\x50", "alert 80: internal error"),
    RUBBISH("\x15\x03\x03\x00\x02\x01\x00", ""),
};

static void answers_that_are_no_tls(void **state) {
  (void)state;
  struct tls_server *server = tls_start("good", "-HTTP");
  for (size_t i = 0; i < LEN(rubbish); i++) {
    struct tls_scene scene;
    struct feed feed = {0};
    tls_scene_open_to(&scene, tls_server_port(server), TLS_HOST, NULL);
    tls_cut_rule(scene.cut,
                 (struct tls_cut_rule){.from = TLS_CUT_CLIENT,
                                       .records = 1,
                                       .act = TLS_CUT_INJECT,
                                       .inject = rubbish[i].bytes,
                                       .inject_len = rubbish[i].len});
    tls_take_once(&scene, &feed, NULL);
    assert_int_equal(feed.code, RUNNEL_ETLS);
    assert_int_equal(feed.phase, RUNNEL_PHASE_HANDSHAKE);
    if (strstr(feed.text, rubbish[i].text) == NULL)
      fail_msg("row %zu: \"%s\"", i, feed.text);
    tls_check_nothing_asked(&scene);
    feed_deinit(&feed);
    tls_scene_close(&scene);
  }
  tls_server_stop(server, NULL);
}

/* The ends of bodies ------------------------------------------------------- */

/* What the file's answer ends with, and how many events it shows. */
static void take_file(const char *target, const char *args,
                      struct tls_cut_rule rule, int code, size_t events) {
  struct tls_scene scene;
  struct feed feed = {0};
  tls_scene_open(&scene, tls_start("good", args));
  tls_cut_rule(scene.cut, rule);
  strcpy(strstr(scene.url, "/feed"), target);
  tls_take_once(&scene, &feed, NULL);
  assert_int_equal(feed.code, code);
  assert_int_equal(feed.events_len, events);
  assert_int_equal(feed.phase, RUNNEL_PHASE_BODY);
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

/* Before close_notify: the last record of the server's. */
static struct tls_cut_rule before_the_word(const struct version *version,
                                           enum tls_cut_act act) {
  struct tls_scene scene;
  tls_scene_open(&scene, start_version(version, "-HTTP"));
  struct tls_cut_rule rule = {.from = TLS_CUT_SERVER, .act = act};
  rule.records = count_records(&scene, TLS_CUT_SERVER) - 1;
  tls_scene_close(&scene);
  return rule;
}

static void close_notify_is_the_end(void **state) {
  (void)state;
  static const struct tls_cut_rule none = {.act = TLS_CUT_NOTHING};
  for (size_t i = 0; i < versions_len(); i++) {
    char args[64];
    snprintf(args, sizeof args, "%s -HTTP", versions[i].flag);
    take_file("/feed", args, none, RUNNEL_EEND, 2);
    take_file("/long", args, none, RUNNEL_EEND, 1);
    take_file("/chunked", args, none, RUNNEL_EEND, 1);
    take_file("/cut", args, none, RUNNEL_ELOST, 1);
  }
}

/* Without it nobody knows who closed: a body that the connection's end would
 * end is lost; one whose length is known is whole. */
static void fin_without_close_notify(void **state) {
  (void)state;
  for (size_t i = 0; i < versions_len(); i++) {
    char args[64];
    snprintf(args, sizeof args, "%s -HTTP", versions[i].flag);
    struct tls_cut_rule rule = before_the_word(&versions[i], TLS_CUT_FIN);
    take_file("/feed", args, rule, RUNNEL_ELOST, 2);
    take_file("/long", args, rule, RUNNEL_EEND, 1);
    take_file("/chunked", args, rule, RUNNEL_EEND, 1);
    take_file("/cut", args, rule, RUNNEL_ELOST, 1);
    rule.bytes = 4;
    take_file("/feed", args, rule, RUNNEL_ELOST, 2);
  }
}

static void reset_without_close_notify(void **state) {
  (void)state;
  for (size_t i = 0; i < versions_len(); i++) {
    char args[64];
    snprintf(args, sizeof args, "%s -HTTP", versions[i].flag);
    struct tls_cut_rule rule = before_the_word(&versions[i], TLS_CUT_RESET);
    take_file("/long", args, rule, RUNNEL_EEND, 1);
    take_file("/cut", args, rule, RUNNEL_ELOST, 1);
  }
}

/* A server by hand --------------------------------------------------------- */

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

/* A stream that is open and had its first event. */
static void open_by_hand(struct tls_scene *scene, struct feed *feed,
                         const char *args) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  tls_scene_open(scene, tls_start("good", args));
  options.tls = tls_world.tls;
  feed->stop_at_end = 1;
  feed_open(feed, &scene->host, scene->url, &options);
  HOST_UNTIL(&scene->host,
             runnel_stream_state(feed->stream) == RUNNEL_STATE_WAITING_HEAD);
  tls_server_wait(scene->server, "GET /feed HTTP/1.1");
  tls_server_write(scene->server, STREAM_HEAD "id: 1\ndata: one\n\n");
  HOST_UNTIL(&scene->host, feed->events_len == 1);
}

static void renegotiation_is_refused(void **state) {
  (void)state;
  struct tls_scene scene;
  struct feed feed = {0};
  open_by_hand(&scene, &feed, "-tls1_2");
  tls_server_write(scene.server, "r\n");
  HOST_UNTIL(&scene.host, feed.closed);
  assert_int_equal(feed.code, RUNNEL_ETLS);
  assert_int_equal(feed.phase, RUNNEL_PHASE_BODY);
  assert_int_equal(feed.events_len, 1);
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

static void plain_bytes_in_between(void **state) {
  (void)state;
  struct tls_scene scene;
  struct feed feed = {0};
  open_by_hand(&scene, &feed, "-tls1_2");
  tls_server_write(scene.server, "P\n");
  HOST_UNTIL(&scene.host, feed.closed);
  assert_int_equal(feed.code, RUNNEL_ETLS);
  assert_int_equal(feed.phase, RUNNEL_PHASE_BODY);
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

/* mbedTLS cannot change keys: the stream ends in words, and would go on after
 * its last event. */
static void key_updates(void **state) {
  (void)state;
  static const char *const letters[] = {"k\n", "K\n"};
  if (!tls_has_1_3())
    skip();
  for (size_t i = 0; i < LEN(letters); i++) {
    struct tls_scene scene;
    struct feed feed = {0};
    open_by_hand(&scene, &feed, "-tls1_3");
    tls_server_write(scene.server, letters[i]);
    HOST_UNTIL(&scene.host, feed.closed);
    assert_int_equal(feed.code, RUNNEL_ETLS);
    assert_int_equal(feed.phase, RUNNEL_PHASE_BODY);
    assert_non_null(strstr(feed.text, "KeyUpdate"));
    assert_true(feed.retry);
    feed_deinit(&feed);
    tls_scene_close(&scene);
  }
}

/* A handful of tickets is what servers send; who sends a thousand before any
 * answer is stopped. */
static void a_flood_of_tickets(void **state) {
  (void)state;
  if (!tls_has_1_3())
    skip();
  static const struct {
    const char *args;
    int code;
  } rows[] = {{"-tls1_3 -HTTP -num_tickets 20", RUNNEL_EEND},
              {"-tls1_3 -HTTP -num_tickets 1000", RUNNEL_ETLS}};
  for (size_t i = 0; i < LEN(rows); i++) {
    struct tls_scene scene;
    struct feed feed = {0};
    tls_scene_open(&scene, tls_start("good", rows[i].args));
    tls_take_once(&scene, &feed, NULL);
    assert_int_equal(feed.code, rows[i].code);
    /* All but the newest were let go. */
    assert_true(runnel_client_stats(scene.host.client)->held_bytes < 16384);
    feed_deinit(&feed);
    tls_scene_close(&scene);
  }
}

int runnel__test_tls_fault(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(closed_at_each_step),
      cmocka_unit_test(reset_at_each_step),
      cmocka_unit_test(stalled_at_each_step),
      cmocka_unit_test(byte_by_byte),
      cmocka_unit_test(old_versions_are_refused),
      cmocka_unit_test(no_common_cipher),
      cmocka_unit_test(answers_that_are_no_tls),
      cmocka_unit_test(close_notify_is_the_end),
      cmocka_unit_test(fin_without_close_notify),
      cmocka_unit_test(reset_without_close_notify),
      cmocka_unit_test(renegotiation_is_refused),
      cmocka_unit_test(plain_bytes_in_between),
      cmocka_unit_test(key_updates),
      cmocka_unit_test(a_flood_of_tickets),
  };
  return cmocka_run_group_tests_name("tls_fault", tests, tls_world_set_up,
                                     tls_world_tear_down);
}
