/* Sessions of the TLS codec: when one is given, what it is good for and until
 * when, and that it can never make a connection out of what should be none. In
 * memory; see tls_pair.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tls_pair.h"

#define DAY_S (24 * 3600)
#define TICKET_S 3600 /* of tls_site.c */

/* A server, whoever trusts it, and the session of a first connection. */
struct scene {
  struct tls_site site;
  struct tls_ground ground;
  struct story_bytes bytes;
  struct runnel__session session;
};

/* One connection, to its end. */
static void connect_to(struct tls_pair *pair, struct tls_site *site,
                       const struct tls_ground *ground,
                       const struct runnel__session *session) {
  struct runnel__secure how = tls_secure(ground, TLS_SITE_NAME, session);
  assert_int_equal(tls_pair_init(pair, site, &how, 0), 0);
  tls_pair_run(pair);
}

static void connect_again(struct tls_pair *pair, struct scene *scene) {
  connect_to(pair, &scene->site, &scene->ground, &scene->session);
}

static void take_session(struct scene *scene, const struct tls_pair *pair) {
  story_bytes_free(&scene->bytes);
  story_bytes_add(&scene->bytes, pair->session.bytes, pair->session.len);
  scene->session = pair->session;
  scene->session.bytes = scene->bytes.at;
}

static void open_scene(struct scene *scene, const struct tls_site_how *how) {
  struct tls_pair pair;
  *scene = (struct scene){0};
  tls_site_init(&scene->site, how);
  tls_ground_init(&scene->ground, &scene->site, NULL);
  connect_to(&pair, &scene->site, &scene->ground, NULL);
  assert_int_equal(pair.ups, 1);
  assert_true(pair.sessions == 1 || (how != NULL && how->no_sessions));
  if (pair.sessions > 0)
    take_session(scene, &pair);
  tls_pair_deinit(&pair);
}

static void close_scene(struct scene *scene) {
  story_bytes_free(&scene->bytes);
  tls_ground_deinit(&scene->ground);
  tls_site_deinit(&scene->site);
}

static void expect_resumed(const struct tls_pair *pair, int resumed) {
  assert_int_equal(pair->end, 0);
  assert_int_equal(pair->ups, 1);
  assert_int_equal(pair->secured.resumed, resumed);
}

/* The kinds of sessions that there are. */
static const struct tls_site_how kinds[] = {
    {.version_max = RUNNEL_TLS_1_2},
    {.version_max = RUNNEL_TLS_1_2, .ids = 1},
    {.version_max = RUNNEL_TLS_1_3},
};

#define KINDS (sizeof kinds / sizeof *kinds - (tls_site_has_1_3() ? 0 : 1))

static void test_resumption(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    open_scene(&scene, &kinds[i]);
    for (int again = 0; again < 3; again++) {
      struct tls_pair pair;
      connect_again(&pair, &scene);
      expect_resumed(&pair, 1);
      assert_int_equal(pair.sessions, 1);
      take_session(&scene, &pair);
      tls_peer_say(&pair.peer, "resumed", 7);
      tls_pair_run(&pair);
      assert_int_equal(pair.plain.len, 7);
      tls_pair_deinit(&pair);
    }
    close_scene(&scene);
  }
}

/* Not longer than the ticket, or a day, says. */
static void test_end_of_session(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    int64_t life = kinds[i].ids ? DAY_S : TICKET_S;
    int64_t now = (int64_t)time(NULL);
    open_scene(&scene, &kinds[i]);
    assert_in_range(scene.session.until_s, now + life - 5, now + life + 60);
    close_scene(&scene);
  }
}

/* What a resumed connection gives on is not good for longer than what it was
 * given: the certificate was verified then. */
static void test_end_is_inherited(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    struct tls_pair pair;
    open_scene(&scene, &kinds[i]);
    int64_t until_s = (int64_t)time(NULL) + 100;
    scene.session.until_s = until_s;
    connect_again(&pair, &scene);
    expect_resumed(&pair, 1);
    assert_true(pair.session.until_s == until_s);
    tls_pair_deinit(&pair);
    close_scene(&scene);
  }
}

static void test_end_of_certificate(void **state) {
  struct scene scene;
  struct tls_site_how how = {0};
  char not_after[16];
  time_t until = time(NULL) + 300;
  struct tm parts;
  (void)state;
  assert_non_null(gmtime_r(&until, &parts));
  strftime(not_after, sizeof not_after, "%Y%m%d%H%M%S", &parts);
  how.not_after = not_after;
  open_scene(&scene, &how);
  assert_true(scene.session.until_s == (int64_t)until);
  close_scene(&scene);
}

static void test_session_is_over(void **state) {
  struct scene scene;
  struct tls_pair pair;
  (void)state;
  open_scene(&scene, NULL);
  scene.session.until_s = (int64_t)time(NULL) - 1;
  connect_again(&pair, &scene);
  expect_resumed(&pair, 0);
  tls_pair_deinit(&pair);
  close_scene(&scene);
}

/* 2.28 names an id even if it keeps none. */
static void test_no_sessions(void **state) {
  struct scene scene;
  struct tls_pair pair;
  (void)state;
  open_scene(&scene, &(struct tls_site_how){.no_sessions = 1});
  connect_again(&pair, &scene);
  expect_resumed(&pair, 0);
  tls_pair_deinit(&pair);
  close_scene(&scene);
}

/* Settings may forbid it, on both ways. */
static void test_no_resumption(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    struct tls_ground strict;
    struct tls_pair pair;
    struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
    open_scene(&scene, &kinds[i]);
    options.no_resumption = 1;
    tls_ground_init(&strict, &scene.site, &options);
    connect_to(&pair, &scene.site, &strict, &scene.session);
    expect_resumed(&pair, 0);
    assert_int_equal(pair.sessions, 0);
    tls_pair_deinit(&pair);
    tls_ground_deinit(&strict);
    close_scene(&scene);
  }
}

/* A server that does not know it any more makes a full handshake, which
 * verifies everything: here another server, with the same authority's trust. */
static void test_forgotten(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene, other;
    struct tls_pair pair;
    open_scene(&scene, &kinds[i]);
    open_scene(&other, &kinds[i]);
    connect_to(&pair, &other.site, &other.ground, &scene.session);
    expect_resumed(&pair, 0);
    tls_pair_deinit(&pair);
    connect_to(&pair, &other.site, &scene.ground, &scene.session);
    assert_int_equal(pair.end, RUNNEL_ETRUST);
    assert_int_equal(pair.ups, 0);
    tls_pair_deinit(&pair);
    close_scene(&other);
    close_scene(&scene);
  }
}

/* Bytes of a session that were changed: a full handshake, a resumed one (the
 * byte had no meaning), or an error, and then no connection. */
static void try_session(struct scene *scene, size_t *full, size_t *resumed) {
  struct tls_pair pair;
  struct runnel__secure how =
      tls_secure(&scene->ground, TLS_SITE_NAME, &scene->session);
  if (tls_pair_init(&pair, &scene->site, &how, 0) == 0)
    tls_pair_run(&pair);
  assert_true(pair.ups == 0 || pair.end == 0);
  assert_true(pair.ups == 1 || pair.end < 0);
  *full += pair.ups == 1 && !pair.secured.resumed;
  *resumed += pair.ups == 1 && pair.secured.resumed;
  tls_pair_deinit(&pair);
}

static void test_broken_session(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    size_t full = 0, resumed = 0, tries = 0;
    open_scene(&scene, &kinds[i]);
    char *bytes = scene.bytes.at;
    for (size_t at = 0; at < scene.session.len; at += 5, tries++) {
      bytes[at] = (char)~bytes[at];
      try_session(&scene, &full, &resumed);
      bytes[at] = (char)~bytes[at];
    }
    printf("tls_session: %zu of %zu bytes changed: %zu full, %zu resumed\n",
           tries, scene.session.len, full, resumed);
    assert_true(full > 0);
    close_scene(&scene);
  }
}

static void test_short_session(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    open_scene(&scene, &kinds[i]);
    size_t len = scene.session.len;
    for (size_t left = 0; left < len; left += 17) {
      struct tls_pair pair;
      scene.session.len = left;
      connect_again(&pair, &scene);
      expect_resumed(&pair, 0);
      tls_pair_deinit(&pair);
    }
    close_scene(&scene);
  }
}

/* A server that speaks first: what makes the session, and plain bytes, come in
 * one piece. */
static void test_session_before_plain(void **state) {
  (void)state;
  for (size_t i = 0; i < KINDS; i++) {
    struct scene scene;
    struct tls_pair pair;
    open_scene(&scene, &kinds[i]);
    struct runnel__secure how = tls_secure(&scene.ground, TLS_SITE_NAME, NULL);
    assert_int_equal(tls_pair_init(&pair, &scene.site, &how, 0), 0);
    tls_pair_hello(&pair);
    while (!pair.peer.is_up) {
      struct story_bytes out = pair.peer.out;
      pair.peer.out = (struct story_bytes){0};
      assert_true(out.len > 0);
      tls_pair_feed(&pair, out.at, out.len);
      story_bytes_free(&out);
    }
    tls_peer_say(&pair.peer, "first", 5);
    tls_pair_run(&pair);
    expect_resumed(&pair, 0);
    assert_int_equal(pair.records, 1);
    assert_int_equal(pair.sessions, 1);
    assert_int_equal(pair.sessions_first, 1);
    tls_pair_deinit(&pair);
    close_scene(&scene);
  }
}

/* However many tickets came, one session is given, when nothing else is left;
 * without end they are an error. */
static void test_tickets(void **state) {
  static const int counts[] = {2, 60, 300};
  (void)state;
  if (!tls_site_has_1_3())
    skip();
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct tls_site site;
    struct tls_ground ground;
    struct tls_pair pair;
    tls_site_init(&site, &(struct tls_site_how){.tickets = counts[i]});
    tls_ground_init(&ground, &site, NULL);
    connect_to(&pair, &site, &ground, NULL);
    assert_int_equal(pair.ups, 1);
    if (counts[i] == 300) {
      assert_int_equal(pair.end, RUNNEL_ETLS);
      assert_non_null(strstr(runnel__tls_why(pair.tls, NULL), "tickets"));
    } else {
      assert_int_equal(pair.end, 0);
      assert_int_equal(pair.sessions, 1);
    }
    tls_pair_deinit(&pair);
    tls_ground_deinit(&ground);
    tls_site_deinit(&site);
  }
}

int runnel__test_tls_session(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_resumption),
      cmocka_unit_test(test_end_of_session),
      cmocka_unit_test(test_end_is_inherited),
      cmocka_unit_test(test_end_of_certificate),
      cmocka_unit_test(test_session_is_over),
      cmocka_unit_test(test_no_sessions),
      cmocka_unit_test(test_session_before_plain),
      cmocka_unit_test(test_no_resumption),
      cmocka_unit_test(test_forgotten),
      cmocka_unit_test(test_broken_session),
      cmocka_unit_test(test_short_session),
      cmocka_unit_test(test_tickets),
  };
  return cmocka_run_group_tests_name("tls_session", tests, NULL, NULL);
}
