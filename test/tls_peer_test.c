/* TLS as a codec, with servers that do what they should not: each ends in an
 * error that says what it was, or is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_stage.h"

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
      tls_stage_begin(&pair, &tls_stage.site, TLS_SITE_NAME);
      pair.slice = slice;
      tls_pair_feed(&pair, starts[i].bytes, starts[i].len);
      if (pair.end == 0)
        pair.end = runnel__tls_cut(pair.tls);
      tls_stage_expect_end(&pair, RUNNEL_ETLS, starts[i].words);
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
  tls_stage_begin(&pair, &tls_stage.site, TLS_SITE_NAME);
  tls_pair_feed(&pair, hello, sizeof hello - 1);
  tls_stage_expect_end(&pair, RUNNEL_ETLS, "no version of TLS that is allowed");
  tls_pair_deinit(&pair);
}

static void test_alerts(void **state) {
  struct tls_pair pair;
  (void)state;
  tls_stage_shake(&pair, &tls_stage.site);
  tls_peer_alert(&pair.peer, 1, 90); /* a warning */
  tls_peer_say(&pair.peer, "goes on", 7);
  tls_peer_alert(&pair.peer, 2, 49);
  tls_pair_run(&pair);
  tls_stage_expect_plain(&pair, "goes on");
  tls_stage_expect_end(&pair, RUNNEL_ETLS,
                       "the server sent alert 49: access denied");
  tls_pair_deinit(&pair);
}

static void test_wrong_host(void **state) {
  struct tls_pair pair;
  (void)state;
  tls_stage_begin(&pair, &tls_stage.site, "other.test");
  tls_pair_run(&pair);
  tls_stage_expect_end(&pair, RUNNEL_ETRUST, TLS_SITE_NAME);
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
  tls_stage_begin(&pair, &stranger, TLS_SITE_NAME);
  tls_pair_run(&pair);
  tls_stage_expect_end(&pair, RUNNEL_ETRUST, "");
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
      tls_stage_expect_end(&pair, RUNNEL_ETLS,
                           "each message of it in one record");
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
      tls_stage_expect_plain(&pair, "goes on");
    } else {
      tls_stage_expect_end(&pair, RUNNEL_ETLS, "insists on renegotiation");
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
  tls_stage_shake(&pair, &tls_stage.site);
  tls_peer_say(&pair.peer, "before", 6);
  tls_peer_message(&pair.peer, update, sizeof update);
  tls_pair_run(&pair);
  tls_stage_expect_plain(&pair, "before");
  tls_stage_expect_end(&pair, RUNNEL_ETLS, "KeyUpdate");
  tls_pair_deinit(&pair);
}

int runnel__test_tls_peer(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_starts),
      cmocka_unit_test(test_old_version),
      cmocka_unit_test(test_alerts),
      cmocka_unit_test(test_wrong_host),
      cmocka_unit_test(test_other_authority),
      cmocka_unit_test(test_fragments),
      cmocka_unit_test(test_renegotiation),
      cmocka_unit_test(test_key_update),
  };
  return cmocka_run_group_tests_name("tls_peer", tests, tls_stage_set_up,
                                     tls_stage_tear_down);
}
