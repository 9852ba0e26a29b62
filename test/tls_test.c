/* TLS as a codec: ours against plain mbedTLS, in memory. What comes out may not
 * depend on how the bytes are cut, and no fault of the peer's, of the line or
 * of memory may end in anything but an error that says what it was. */
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

#include "tls_pair.h"

#define RECORD_MAX RUNNEL__TLS_PLAIN_BYTES

static struct tls_site site;
static struct tls_ground ground;

/* A pair whose client asks for `host`. */
static void begin(struct tls_pair *pair, struct tls_site *at,
                  const char *host) {
  struct runnel__secure how = tls_secure(&ground, host, NULL);
  assert_int_equal(tls_pair_init(pair, at, &how, 0), 0);
}

static void shake_hands(struct tls_pair *pair, struct tls_site *at) {
  begin(pair, at, TLS_SITE_NAME);
  tls_pair_run(pair);
  assert_int_equal(pair->end, 0);
  assert_int_equal(pair->ups, 1);
}

static void expect_plain(const struct tls_pair *pair, const char *text) {
  assert_int_equal(pair->plain.len, strlen(text));
  if (pair->plain.len > 0)
    assert_memory_equal(pair->plain.at, text, pair->plain.len);
}

static void expect_end(const struct tls_pair *pair, int code,
                       const char *words) {
  const char *why = runnel__tls_why(pair->tls, NULL);
  assert_int_equal(pair->end, code);
  if (words[0] != '\0' && strstr(why, words) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", why, words);
  assert_null(strchr(why, '\n'));
}

/* What a conversation is -------------------------------------------------- */

static void test_conversation(void **state) {
  struct tls_pair pair;
  (void)state;
  shake_hands(&pair, &site);
  assert_string_equal(pair.secured.version,
                      tls_site_has_1_3() ? "TLSv1.3" : "TLSv1.2");
  assert_int_equal(pair.secured.resumed, 0);
  assert_true(pair.steps > 3); /* a step for each message, or so */
  assert_int_equal(tls_pair_send(&pair, "a question", 10), 0);
  assert_int_equal(pair.peer.plain.len, 10);
  tls_peer_say(&pair.peer, "an answer", 9);
  tls_peer_say(&pair.peer, ", and more", 10);
  tls_pair_run(&pair);
  expect_plain(&pair, "an answer, and more");
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
  shake_hands(&pair, &site);
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
    struct runnel__secure how =
        tls_secure(&ground, literal ? "127.0.0.1" : TLS_SITE_NAME, NULL);
    size_t len;
    how.literal = literal;
    assert_int_equal(tls_pair_init(&pair, &site, &how, 0), 0);
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
  expect_plain(pair, "onetwothree");
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
  struct runnel__secure how = tls_secure(
      &ground, TLS_SITE_NAME, walk->session.len > 0 ? &walk->session : NULL);
  assert_int_equal(tls_pair_init(pair, &site, &how, 0), 0);
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
      shake_hands(&pair, &site);
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
  shake_hands(&pair, &site);
  for (int i = 0; i < 2; i++) {
    tls_peer_say_nothing(&pair.peer);
    tls_peer_say_nothing(&pair.peer);
    tls_peer_say(&pair.peer, "on", 2);
  }
  tls_pair_run(&pair);
  assert_int_equal(pair.end, 0);
  expect_plain(&pair, "onon");
  for (int i = 0; i < 10; i++)
    tls_peer_say_nothing(&pair.peer);
  tls_pair_run(&pair);
  expect_end(&pair, RUNNEL_ETLS, "");
  tls_pair_deinit(&pair);
}

static void test_long_send(void **state) {
  static char text[100 * 1000];
  struct tls_pair pair;
  (void)state;
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)(i * 7 >> 2);
  shake_hands(&pair, &site);
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
    expect_end(&pair, RUNNEL_ELOST, "without a close_notify");
  else
    expect_end(&pair, RUNNEL_ETLS, "closed the connection in the handshake");
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

/* Faults of the peer ------------------------------------------------------ */

/* What a server says first, and what is said of it. */
static const struct start {
  const char *bytes;
  size_t len;
  const char *words;
} starts[] = {
#define START(bytes, words)                                                    \
  { bytes, sizeof bytes - 1, words }
    START("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "plain HTTP"),
    START("SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS"),
    START("220 mail.test ESMTP\r\n", "does not speak TLS"),
    START("\x15\x03\x03\x00\x02\x02\x28", "alert 40: handshake failure"),
    START("\x15\x03\x01\x00\x02\x02\x46", "alert 70: protocol version"),
    START("\x15\x03\x03\x00\x02\x02\x70", "alert 112: unrecognized name"),
    START("\x15\x03\x03\x00\x02\x02\xff", "alert 255: an unknown one"),
    START("\x15\x03\x03\x00\x02\x02\x50", "alert 80: internal error"),
    START("\x16\x03\x03\xff\xff", ""),
    START("\x16\x03\x03\x00\x00", ""),
    START("\x17\x03\x03\x00\x01x", ""),
    START("\x16\x03\x03\x00\x04\x02\x00\x00\x00", ""),
    START("\x16\x03\x03\x00\x05\x0b\x00\x00\x01x", ""),
    START("\x14\x03\x03\x00\x01\x02", ""),
#undef START
};

static void test_starts(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    for (size_t slice = 0; slice <= 1; slice++) {
      struct tls_pair pair;
      begin(&pair, &site, TLS_SITE_NAME);
      pair.slice = slice;
      tls_pair_feed(&pair, starts[i].bytes, starts[i].len);
      if (pair.end == 0)
        pair.end = runnel__tls_cut(pair.tls);
      expect_end(&pair, RUNNEL_ETLS, starts[i].words);
      assert_string_not_equal(runnel__tls_why(pair.tls, NULL), "");
      tls_pair_deinit(&pair);
    }
}

/* A server of the older kind answers with what it has (RFC 5246 E.1). */
static void test_old_version(void **state) {
  static const char hello[] =
      "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"
      "0123456789abcdef0123456789abcdef\x00\xc0\x13\x00";
  struct tls_pair pair;
  (void)state;
  begin(&pair, &site, TLS_SITE_NAME);
  tls_pair_feed(&pair, hello, sizeof hello - 1);
  expect_end(&pair, RUNNEL_ETLS, "no version of TLS that is allowed");
  tls_pair_deinit(&pair);
}

static void test_alerts(void **state) {
  struct tls_pair pair;
  (void)state;
  shake_hands(&pair, &site);
  tls_peer_alert(&pair.peer, 1, 90); /* a warning */
  tls_peer_say(&pair.peer, "goes on", 7);
  tls_peer_alert(&pair.peer, 2, 49);
  tls_pair_run(&pair);
  expect_plain(&pair, "goes on");
  expect_end(&pair, RUNNEL_ETLS, "the server sent alert 49: access denied");
  tls_pair_deinit(&pair);
}

static void test_wrong_host(void **state) {
  struct tls_pair pair;
  (void)state;
  begin(&pair, &site, "other.test");
  tls_pair_run(&pair);
  expect_end(&pair, RUNNEL_ETRUST, TLS_SITE_NAME);
  assert_int_equal(pair.ups, 0);
  assert_int_not_equal(pair.peer.code, 0); /* an alert; 3.6 forgets its key */
  assert_int_equal(pair.peer.plain.len, 0);
  tls_pair_deinit(&pair);
}

static void test_other_authority(void **state) {
  struct tls_site stranger;
  struct tls_pair pair;
  (void)state;
  tls_site_init(&stranger, NULL);
  begin(&pair, &stranger, TLS_SITE_NAME);
  tls_pair_run(&pair);
  expect_end(&pair, RUNNEL_ETRUST, "");
  assert_string_not_equal(runnel__tls_why(pair.tls, NULL), "");
  assert_int_equal(pair.ups, 0);
  tls_pair_deinit(&pair);
  tls_site_deinit(&stranger);
}

/* The handshake messages of the server's first flight, in records of at most
 * `max` bytes each. */
static void cut_records(struct story_bytes *out, size_t max) {
  struct story_bytes cut = {0};
  for (size_t at = 0; at < out->len;) {
    const unsigned char *head = (unsigned char *)out->at + at;
    size_t len = (size_t)head[3] << 8 | head[4];
    for (size_t from = 0; from < len; from += max) {
      size_t part = len - from < max ? len - from : max;
      char record[] = {(char)head[0], 3, 3, (char)(part >> 8), (char)part};
      story_bytes_add(&cut, record, sizeof record);
      story_bytes_add(&cut, out->at + at + 5 + from, part);
    }
    at += 5 + len;
  }
  story_bytes_free(out);
  *out = cut;
}

/* Messages in several records (RFC 5246 6.2.1): 2.28 cannot read them. */
static void test_fragments(void **state) {
  struct tls_site twelve;
  struct tls_ground here;
  (void)state;
  tls_site_init(&twelve, &(struct tls_site_how){.version_max = RUNNEL_TLS_1_2});
  tls_ground_init(&here, &twelve, NULL);
  for (size_t max = 100; max <= 500; max += 100) {
    struct tls_pair pair;
    struct runnel__secure how = tls_secure(&here, TLS_SITE_NAME, NULL);
    assert_int_equal(tls_pair_init(&pair, &twelve, &how, 0), 0);
    tls_pair_hello(&pair);
    cut_records(&pair.peer.out, max);
    tls_pair_run(&pair);
    if (tls_site_joins_fragments() || max >= 400)
      assert_int_equal(pair.ups, 1);
    else
      expect_end(&pair, RUNNEL_ETLS, "each message of it in one record");
    tls_pair_deinit(&pair);
  }
  tls_ground_deinit(&here);
  tls_site_deinit(&twelve);
}

/* RFC 5746: one request is refused and forgotten, many are an error. */
static void test_renegotiation(void **state) {
  static const char request[] = {0, 0, 0, 0}; /* HelloRequest */
  struct tls_site site_of_12;
  struct tls_ground here;
  (void)state;
  tls_site_init(&site_of_12,
                &(struct tls_site_how){.version_max = RUNNEL_TLS_1_2});
  tls_ground_init(&here, &site_of_12, NULL);
  for (int requests = 1; requests <= 11; requests += 10) {
    struct tls_pair pair;
    struct runnel__secure how = tls_secure(&here, TLS_SITE_NAME, NULL);
    assert_int_equal(tls_pair_init(&pair, &site_of_12, &how, 0), 0);
    tls_pair_run(&pair);
    assert_int_equal(pair.ups, 1);
    for (int i = 0; i < requests; i++)
      tls_peer_message(&pair.peer, request, sizeof request);
    tls_peer_say(&pair.peer, "goes on", 7);
    tls_pair_run(&pair);
    if (requests == 1) {
      assert_int_equal(pair.end, 0);
      expect_plain(&pair, "goes on");
    } else {
      expect_end(&pair, RUNNEL_ETLS, "insists on renegotiation");
    }
    tls_pair_deinit(&pair);
  }
  tls_ground_deinit(&here);
  tls_site_deinit(&site_of_12);
}

/* RFC 8446 4.6.3. */
static void test_key_update(void **state) {
  static const char update[] = {24, 0, 0, 1, 0};
  struct tls_pair pair;
  (void)state;
  if (!tls_site_has_1_3())
    skip();
  shake_hands(&pair, &site);
  tls_peer_say(&pair.peer, "before", 6);
  tls_peer_message(&pair.peer, update, sizeof update);
  tls_pair_run(&pair);
  expect_plain(&pair, "before");
  expect_end(&pair, RUNNEL_ETLS, "KeyUpdate");
  tls_pair_deinit(&pair);
}

/* Memory ------------------------------------------------------------------ */

/* Every allocation of ours fails, once. A session that could not be copied is
 * no loss. */
static void test_no_memory(void **state) {
  size_t failed = 1, at = 0;
  (void)state;
  for (at = 1; failed > 0; at++) {
    struct tls_pair pair;
    struct runnel__secure how = tls_secure(&ground, TLS_SITE_NAME, NULL);
    if (tls_pair_init(&pair, &site, &how, at) == 0) {
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
  shake_hands(&pair, &site);
  tls_pair_deinit(&pair);
  assert_int_equal(pipe(pipe_fds), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  begin(&pair, &site, TLS_SITE_NAME);
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
  (void)state;
  tls_site_init(&site, NULL);
  tls_ground_init(&ground, &site, NULL);
  shake_hands(&pair, &site);
  story_bytes_add(&resumed->session_bytes, pair.session.bytes,
                  pair.session.len);
  resumed->session = pair.session;
  resumed->session.bytes = resumed->session_bytes.at;
  tls_pair_deinit(&pair);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  story_bytes_free(&walks[1].session_bytes);
  tls_ground_deinit(&ground);
  tls_site_deinit(&site);
  return 0;
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
      cmocka_unit_test(test_starts),
      cmocka_unit_test(test_old_version),
      cmocka_unit_test(test_alerts),
      cmocka_unit_test(test_wrong_host),
      cmocka_unit_test(test_other_authority),
      cmocka_unit_test(test_fragments),
      cmocka_unit_test(test_renegotiation),
      cmocka_unit_test(test_key_update),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_fork),
  };
  return cmocka_run_group_tests_name("tls", tests, set_up, tear_down);
}
