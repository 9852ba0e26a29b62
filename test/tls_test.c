/* TLS as a codec: ours against plain mbedTLS, in memory. What comes out may not
 * depend on how the bytes are cut, and no fault of the line or of memory may
 * end in anything but an error that says what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls_stage.h"

#define RECORD_MAX RUNNEL__TLS_PLAIN_BYTES

/* What a conversation is -------------------------------------------------- */

static void test_conversation(void **state) {
  struct tls_pair pair;
  (void)state;
  tls_stage_shake(&pair, &tls_stage.site);
  assert_string_equal(pair.secured.version,
                      tls_site_has_1_3() ? "TLSv1.3" : "TLSv1.2");
  assert_int_equal(pair.secured.resumed, 0);
  assert_true(pair.steps > 3); /* a step for each message, or so */
  assert_int_equal(tls_pair_send(&pair, "a question", 10), 0);
  assert_int_equal(pair.peer.plain.len, 10);
  tls_peer_say(&pair.peer, "an answer", 9);
  tls_peer_say(&pair.peer, ", and more", 10);
  tls_pair_run(&pair);
  tls_stage_expect_plain(&pair, "an answer, and more");
  assert_int_equal(pair.records, 2);
  tls_peer_close(&pair.peer);
  tls_pair_run(&pair);
  assert_int_equal(pair.end, RUNNEL__TLS_END);
  assert_false(runnel__tls_holds(pair.tls));
  tls_pair_deinit(&pair);
}

static void test_goodbye(void **state) {
  struct tls_pair pair;
  (void)state;
  tls_stage_shake(&pair, &tls_stage.site);
  runnel__tls_bye(pair.tls);
  assert_int_equal(tls_pair_send(&pair, "", 0), 0);
  assert_int_equal(pair.peer.code, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
  tls_pair_deinit(&pair);
}

static int has_bytes(struct runnel__str bytes, const char *text) {
  size_t len = strlen(text);
  for (size_t at = 0; at + len <= bytes.len; at++)
    if (memcmp(bytes.at + at, text, len) == 0)
      return 1;
  return 0;
}

/* RFC 6066 3: a name is sent, an address never is. */
static void test_hello(void **state) {
  static char plain[RECORD_MAX];
  (void)state;
  for (int literal = 0; literal <= 1; literal++) {
    struct tls_pair pair;
    struct runnel__secure how = tls_secure(
        &tls_stage.ground, literal ? "127.0.0.1" : TLS_SITE_NAME, NULL);
    size_t len;
    how.literal = literal;
    assert_int_equal(tls_pair_init(&pair, &tls_stage.site, &how, 0), 0);
    while (runnel__tls_next(pair.tls, plain, sizeof plain, &len) ==
           RUNNEL__TLS_STEP)
      ;
    struct runnel__str hello = runnel__tls_out(pair.tls);
    assert_int_equal(has_bytes(hello, TLS_SITE_NAME), !literal);
    assert_false(has_bytes(hello, "127.0.0.1"));
    assert_true(has_bytes(hello, "http/1.1"));
    assert_false(runnel__tls_holds(pair.tls));
    tls_pair_deinit(&pair);
  }
}

/* Cuts -------------------------------------------------------------------- */

/* A whole conversation: handshake, three records, an end. */
static void converse(struct tls_pair *pair) {
  tls_pair_run(pair);
  if (pair->end == 0 && pair->peer.is_up) {
    tls_peer_say(&pair->peer, "one", 3);
    tls_peer_say(&pair->peer, "two", 3);
    tls_peer_say(&pair->peer, "three", 5);
    tls_peer_close(&pair->peer);
    tls_pair_run(pair);
  }
}

static void expect_whole(struct tls_pair *pair) {
  assert_int_equal(pair->end, RUNNEL__TLS_END);
  assert_int_equal(pair->ups, 1);
  assert_int_equal(pair->records, 3);
  assert_int_equal(pair->sessions > 0, 1);
  tls_stage_expect_plain(pair, "onetwothree");
}

/* A full handshake costs milliseconds, so that its bytes are taken with steps
 * over some; those of a resumed one are all taken. */
struct walk {
  const char *name;
  struct story_bytes session_bytes;
  struct runnel__session session;
  size_t stride;
};

static struct walk walks[] = {{.name = "full", .stride = 29},
                              {.name = "resumed", .stride = 1}};

static void begin_walk(struct tls_pair *pair, const struct walk *walk) {
  struct runnel__secure how =
      tls_secure(&tls_stage.ground, TLS_SITE_NAME,
                 walk->session.len > 0 ? &walk->session : NULL);
  assert_int_equal(tls_pair_init(pair, &tls_stage.site, &how, 0), 0);
}

/* How many bytes the server sends. */
static size_t count_bytes(const struct walk *walk) {
  struct tls_pair pair;
  begin_walk(&pair, walk);
  converse(&pair);
  expect_whole(&pair);
  assert_int_equal(pair.secured.resumed, walk->session.len > 0);
  size_t all = pair.heard;
  tls_pair_deinit(&pair);
  return all;
}

/* Calls `visit` with bytes of the server's, from 1: every one, or one of so
 * many. */
static void each_byte(void (*visit)(const struct walk *walk, size_t at),
                      size_t of) {
  for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
    size_t all = count_bytes(&walks[i]), visits = 0;
    for (size_t at = 1; at < all; at += of * walks[i].stride, visits++)
      visit(&walks[i], at);
    printf("tls: %zu of %zu bytes of a %s handshake\n", visits, all,
           walks[i].name);
  }
}

static void cut_at(const struct walk *walk, size_t at) {
  struct tls_pair pair;
  begin_walk(&pair, walk);
  pair.cut = at;
  pair.keeps = (int)(at & 1);
  converse(&pair);
  expect_whole(&pair);
  tls_pair_deinit(&pair);
}

static void test_each_cut(void **state) {
  (void)state;
  each_byte(cut_at, 1);
}

static void test_slices(void **state) {
  (void)state;
  for (size_t slice = 1; slice < 12; slice++)
    for (int keeps = 0; keeps <= 1; keeps++) {
      struct tls_pair pair;
      begin_walk(&pair, &walks[slice & 1 && !keeps]);
      pair.slice = slice;
      pair.keeps = keeps;
      converse(&pair);
      expect_whole(&pair);
      tls_pair_deinit(&pair);
    }
}

/* Records of 1 byte to the largest, many in one feed. */
static void test_records(void **state) {
  static char text[RECORD_MAX];
  static const size_t sizes[] = {
      1, 2, 15, 16, 17, 255, 256, 1000, 4096, 9999, RECORD_MAX - 1, RECORD_MAX};
  (void)state;
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)(i * 31 >> 3);
  for (size_t slice = 0; slice < 70000; slice = slice * 3 + 1000)
    for (int keeps = 0; keeps <= 1; keeps++) {
      struct tls_pair pair;
      size_t at = 0;
      tls_stage_shake(&pair, &tls_stage.site);
      pair.slice = slice;
      pair.keeps = keeps;
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        tls_peer_say(&pair.peer, text, sizes[i]);
      tls_pair_run(&pair);
      assert_true(pair.records >= sizeof sizes / sizeof *sizes);
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_memory_equal(pair.plain.at + at, text, sizes[i]);
        at += sizes[i];
      }
      assert_int_equal(pair.plain.len, at);
      tls_pair_deinit(&pair);
    }
}

/* RFC 8446 5.1: application data may be empty; mbedTLS takes some in a row. */
static void test_empty_records(void **state) {
  struct tls_pair pair;
  (void)state;
  tls_stage_shake(&pair, &tls_stage.site);
  for (int i = 0; i < 2; i++) {
    tls_peer_say_nothing(&pair.peer);
    tls_peer_say_nothing(&pair.peer);
    tls_peer_say(&pair.peer, "on", 2);
  }
  tls_pair_run(&pair);
  assert_int_equal(pair.end, 0);
  tls_stage_expect_plain(&pair, "onon");
  for (int i = 0; i < 10; i++)
    tls_peer_say_nothing(&pair.peer);
  tls_pair_run(&pair);
  tls_stage_expect_end(&pair, RUNNEL_ETLS, "");
  tls_pair_deinit(&pair);
}

static void test_long_send(void **state) {
  static char text[100 * 1000];
  struct tls_pair pair;
  (void)state;
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)(i * 7 >> 2);
  tls_stage_shake(&pair, &tls_stage.site);
  assert_int_equal(tls_pair_send(&pair, text, sizeof text), 0);
  assert_int_equal(pair.peer.plain.len, sizeof text);
  assert_memory_equal(pair.peer.plain.at, text, sizeof text);
  tls_pair_deinit(&pair);
}

/* Faults of the line ------------------------------------------------------ */

/* RFC 8446 6.1: without close_notify it is cut off, wherever that is. Lengths
 * of signatures differ by some bytes. */
static void stop_at(const struct walk *walk, size_t at) {
  struct tls_pair pair;
  begin_walk(&pair, walk);
  pair.stop = at;
  converse(&pair);
  int whole = pair.withheld == 0;
  assert_int_equal(pair.end, whole ? RUNNEL__TLS_END : 0);
  if (!whole)
    pair.end = runnel__tls_cut(pair.tls);
  if (whole)
    expect_whole(&pair);
  else if (pair.ups > 0)
    tls_stage_expect_end(&pair, RUNNEL_ELOST, "without a close_notify");
  else
    tls_stage_expect_end(&pair, RUNNEL_ETLS,
                         "closed the connection in the handshake");
  assert_false(runnel__tls_holds(pair.tls));
  tls_pair_deinit(&pair);
}

static void test_each_end(void **state) {
  (void)state;
  each_byte(stop_at, 3);
}

/* A byte that is changed on the way is found, or had no meaning. */
static void break_at(const struct walk *walk, size_t at) {
  struct tls_pair pair;
  begin_walk(&pair, walk);
  pair.broken = at;
  converse(&pair);
  if (pair.end == 0)
    pair.end = runnel__tls_cut(pair.tls);
  if (pair.end == RUNNEL__TLS_END) {
    expect_whole(&pair);
  } else {
    assert_true(pair.end < 0);
    assert_string_not_equal(runnel__tls_why(pair.tls, NULL), "");
    assert_true(pair.plain.len <= 11);
    if (pair.plain.len > 0)
      assert_memory_equal(pair.plain.at, "onetwothree", pair.plain.len);
  }
  tls_pair_deinit(&pair);
}

static void test_each_broken_byte(void **state) {
  (void)state;
  each_byte(break_at, 2);
}

/* Memory ------------------------------------------------------------------ */

/* Every allocation of ours fails, once. A session that could not be copied is
 * no loss. */
static void test_no_memory(void **state) {
  size_t failed = 1, at = 0;
  (void)state;
  for (at = 1; failed > 0; at++) {
    struct tls_pair pair;
    struct runnel__secure how =
        tls_secure(&tls_stage.ground, TLS_SITE_NAME, NULL);
    if (tls_pair_init(&pair, &tls_stage.site, &how, at) == 0) {
      pair.slice = 50;
      pair.keeps = 1;
      converse(&pair);
    }
    failed = pair.memory.failed;
    if (failed > 0 && pair.end == RUNNEL__TLS_END)
      assert_int_equal(pair.sessions, 0);
    else
      assert_int_equal(pair.end, failed > 0 ? RUNNEL_ENOMEM : RUNNEL__TLS_END);
    tls_pair_deinit(&pair);
  }
  assert_true(at > 8);
}

/* In a child of fork the generator must not repeat itself: the randoms of two
 * ClientHellos differ. */
static void test_fork(void **state) {
  enum { RANDOM_AT = 11 + 4, RANDOM_LEN = 28 };
  struct tls_pair pair;
  char ours[RANDOM_LEN], theirs[RANDOM_LEN];
  int pipe_fds[2];
  (void)state;
  tls_stage_shake(&pair, &tls_stage.site);
  tls_pair_deinit(&pair);
  assert_int_equal(pipe(pipe_fds), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  tls_stage_begin(&pair, &tls_stage.site, TLS_SITE_NAME);
  tls_pair_hello(&pair);
  memcpy(ours, pair.peer.in.at + RANDOM_AT, RANDOM_LEN);
  if (child == 0)
    _exit(write(pipe_fds[1], ours, RANDOM_LEN) != RANDOM_LEN);
  assert_int_equal(read(pipe_fds[0], theirs, RANDOM_LEN), RANDOM_LEN);
  assert_memory_not_equal(ours, theirs, RANDOM_LEN);
  assert_int_equal(waitpid(child, NULL, 0), child);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  tls_pair_deinit(&pair);
}

static int set_up(void **state) {
  struct tls_pair pair;
  struct walk *resumed = &walks[1];
  (void)tls_stage_set_up(state);
  tls_stage_shake(&pair, &tls_stage.site);
  story_bytes_add(&resumed->session_bytes, pair.session.bytes,
                  pair.session.len);
  resumed->session = pair.session;
  resumed->session.bytes = resumed->session_bytes.at;
  tls_pair_deinit(&pair);
  return 0;
}

static int tear_down(void **state) {
  story_bytes_free(&walks[1].session_bytes);
  return tls_stage_tear_down(state);
}

int runnel__test_tls(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conversation),
      cmocka_unit_test(test_goodbye),
      cmocka_unit_test(test_hello),
      cmocka_unit_test(test_each_cut),
      cmocka_unit_test(test_slices),
      cmocka_unit_test(test_records),
      cmocka_unit_test(test_empty_records),
      cmocka_unit_test(test_long_send),
      cmocka_unit_test(test_each_end),
      cmocka_unit_test(test_each_broken_byte),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_fork),
  };
  return cmocka_run_group_tests_name("tls", tests, set_up, tear_down);
}
