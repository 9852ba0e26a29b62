/* Sessions with real servers: a later handshake is short, whatever the server
 * keeps them by; none ever serves under other terms than those it was made
 * under; and a storm of reconnects costs a handful of full handshakes. The
 * server's own word for it (nginx: $ssl_session_reused) is in each answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_world.h"

static const int versions[] = {RUNNEL_TLS_1_2, RUNNEL_TLS_1_3};

static size_t versions_len(void) { return tls_has_1_3() ? 2 : 1; }

/* A stream of one event, and where to be redirected from. */
static const char answers[] =
    "add_header X-Reused \"=$ssl_session_reused=\";\n"
    "location = /there { return 307 https://" TLS_HOST ":$arg_port/feed; }\n"
    "location = /feed { default_type text/event-stream;\n"
    "  return 200 'data: a\n\n'; }\n";

static struct nginx *start_nginx(const char *more) {
  char config[1024];
  snprintf(config, sizeof config, "%s%s", more, answers);
  return tls_nginx("good", config);
}

static runnel_tls *settings(int version_max) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.version_max = version_max;
  return tls_trusting(&options);
}

/* One attempt to the URL; what became of it must be as the server has it. */
static void take(struct host *host, struct feed *feed, const char *url,
                 runnel_tls *tls) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  *feed = (struct feed){.stop_at_end = 1};
  options.tls = tls;
  feed_open(feed, host, url, &options);
  HOST_UNTIL(host, feed->closed);
  feed_deinit(feed);
  if (feed->opens == 1)
    assert_int_equal(strstr(feed->headers, "X-Reused: =r=") != NULL,
                     feed->tls_resumed);
}

/* 1: it was resumed. */
static int resumes(struct host *host, const char *url, runnel_tls *tls) {
  struct feed feed;
  take(host, &feed, url, tls);
  if (feed.opens != 1)
    fail_msg("%s: %s", url, feed.text);
  return feed.tls_resumed;
}

/* What servers keep sessions by -------------------------------------------- */

static const struct keeping {
  const char *config;
  int version_max;
  int resumes;
} keepings[] = {
    {"ssl_session_tickets on;\n", RUNNEL_TLS_1_2, 1},
    {"ssl_session_tickets on;\n", RUNNEL_TLS_1_3, 1},
    {"ssl_session_tickets off; ssl_session_cache shared:all:1m;\n",
     RUNNEL_TLS_1_2, 1},
    {"ssl_session_tickets off; ssl_session_cache shared:all:1m;\n",
     RUNNEL_TLS_1_3, 1},
    {"ssl_session_tickets off; ssl_session_cache off;\n", RUNNEL_TLS_1_2, 0},
    {"ssl_session_tickets off; ssl_session_cache off;\n", RUNNEL_TLS_1_3, 0},
};

static void whatever_the_server_keeps(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(keepings); i++) {
    const struct keeping *row = &keepings[i];
    struct tls_scene scene;
    if (row->version_max == RUNNEL_TLS_1_3 && !tls_has_1_3())
      continue;
    struct nginx *nginx = start_nginx(row->config);
    runnel_tls *tls = settings(row->version_max);
    tls_scene_open_to(&scene, nginx_port(nginx), TLS_HOST, NULL);
    assert_int_equal(resumes(&scene.host, scene.url, tls), 0);
    for (int again = 0; again < 4; again++)
      assert_int_equal(resumes(&scene.host, scene.url, tls), row->resumes);
    const struct runnel_client_stats *stats =
        runnel_client_stats(scene.host.client);
    assert_int_equal(stats->handshakes_full, row->resumes ? 1 : 5);
    assert_int_equal(stats->handshakes_resumed, row->resumes ? 4 : 0);
    runnel_tls_release(tls);
    tls_scene_close(&scene);
    nginx_stop(nginx);
  }
}

static void not_if_it_is_not_wanted(void **state) {
  (void)state;
  for (size_t i = 0; i < versions_len(); i++) {
    struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
    struct tls_scene scene;
    struct nginx *nginx = start_nginx("");
    options.no_resumption = 1;
    options.version_max = versions[i];
    runnel_tls *tls = tls_trusting(&options);
    tls_scene_open_to(&scene, nginx_port(nginx), TLS_HOST, NULL);
    for (int again = 0; again < 3; again++)
      assert_int_equal(resumes(&scene.host, scene.url, tls), 0);
    runnel_tls_release(tls);
    tls_scene_close(&scene);
    nginx_stop(nginx);
  }
}

/* Terms (C18) -------------------------------------------------------------- */

/* Two wires to one server, which would take any session of either. */
struct terms {
  struct nginx *nginx;
  struct tls_cut *cuts[2];
  struct host host;
  runnel_tls *tls;
  char url[256]; /* of TLS_HOST by the first wire */
};

static void print_url(char *dst, size_t size, const struct terms *terms,
                      const char *host, int wire, const char *target) {
  snprintf(dst, size, "https://%s:%d%s?port=%d", host,
           tls_cut_port(terms->cuts[wire]), target,
           tls_cut_port(terms->cuts[0]));
}

/* A session is there, and serves: whoever does not take it, will not. */
static void terms_open(struct terms *terms, int version_max) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_resolve resolve[4];
  terms->nginx = start_nginx("");
  for (int i = 0; i < 2; i++) {
    terms->cuts[i] = tls_cut_new(NULL, nginx_port(terms->nginx));
    int port = tls_cut_port(terms->cuts[i]);
    resolve[2 * i] = (struct runnel_resolve){TLS_HOST, port, "127.0.0.1"};
    resolve[2 * i + 1] =
        (struct runnel_resolve){"other.test", port, "127.0.0.1"};
  }
  options.resolve = resolve;
  options.resolve_len = LEN(resolve);
  host_open(&terms->host, &options);
  terms->tls = settings(version_max);
  print_url(terms->url, sizeof terms->url, terms, TLS_HOST, 0, "/feed");
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 0);
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 1);
}

static void terms_close(struct terms *terms) {
  runnel_tls_release(terms->tls);
  host_close(&terms->host);
  for (int i = 0; i < 2; i++)
    tls_cut_free(terms->cuts[i]);
  nginx_stop(terms->nginx);
}

/* For each version: the terms, then the rest of the test. */
static void with_terms(void (*test)(struct terms *terms)) {
  for (size_t i = 0; i < versions_len(); i++) {
    struct terms terms;
    terms_open(&terms, versions[i]);
    test(&terms);
    terms_close(&terms);
  }
}

static void check_host(struct terms *terms) {
  char url[256];
  print_url(url, sizeof url, terms, "other.test", 0, "/feed");
  assert_int_equal(resumes(&terms->host, url, terms->tls), 0);
  print_url(url, sizeof url, terms, "GOOD.test", 0, "/feed");
  assert_int_equal(resumes(&terms->host, url, terms->tls), 1);
}

static void never_for_another_host(void **state) {
  (void)state;
  with_terms(check_host);
}

static void check_port(struct terms *terms) {
  char url[256];
  print_url(url, sizeof url, terms, TLS_HOST, 1, "/feed");
  assert_int_equal(resumes(&terms->host, url, terms->tls), 0);
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 1);
}

static void never_for_another_port(void **state) {
  (void)state;
  with_terms(check_port);
}

/* The same options twice are two settings: nobody compares what is in them. */
static void check_settings(struct terms *terms) {
  runnel_tls *same = settings(0);
  assert_int_equal(resumes(&terms->host, terms->url, same), 0);
  runnel_tls_release(same);
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 1);
}

static void never_with_other_settings(void **state) {
  (void)state;
  with_terms(check_settings);
}

static void check_versions(struct terms *terms) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.version_min = options.version_max = RUNNEL_TLS_1_2;
  runnel_tls *old = tls_trusting(&options);
  assert_int_equal(resumes(&terms->host, terms->url, old), 0);
  assert_int_equal(resumes(&terms->host, terms->url, old), 1);
  runnel_tls_release(old);
}

static void never_with_another_range_of_versions(void **state) {
  (void)state;
  with_terms(check_versions);
}

static runnel_tls *showing_client(void) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.cert_file = tls_file("client.chain.pem");
  options.key_file = tls_file("client.key");
  return tls_trusting(&options);
}

/* A hop from another origin is made without the client certificate, and so
 * without the session that stands for it. */
static void check_client_certificate(struct terms *terms) {
  char url[256];
  runnel_tls *client = showing_client();
  assert_int_equal(resumes(&terms->host, terms->url, client), 0);
  assert_int_equal(resumes(&terms->host, terms->url, client), 1);
  print_url(url, sizeof url, terms, "other.test", 0, "/there");
  assert_int_equal(resumes(&terms->host, url, client), 0);
  assert_int_equal(resumes(&terms->host, url, client), 1);
  runnel_tls_release(client);
}

static void never_with_another_client_certificate(void **state) {
  (void)state;
  with_terms(check_client_certificate);
}

static void reload(runnel_tls *tls, const char *ca) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.ca_file = tls_file(ca);
  assert_int_equal(runnel_tls_reload(tls, &options), RUNNEL_OK);
}

static void check_reload(struct terms *terms) {
  struct feed feed;
  reload(terms->tls, "root.pem");
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 0);
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 1);
  reload(terms->tls, "another.pem");
  take(&terms->host, &feed, terms->url, terms->tls);
  assert_int_equal(feed.code, RUNNEL_ETRUST);
  assert_int_equal(feed.opens, 0);
  reload(terms->tls, "root.pem");
  assert_int_equal(resumes(&terms->host, terms->url, terms->tls), 0);
}

static void never_across_a_reload(void **state) {
  (void)state;
  with_terms(check_reload);
}

/* Who did not verify, made a session that proves nothing. */
static void check_insecure(struct terms *terms) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  struct feed feed;
  options.insecure = 1;
  runnel_tls *insecure = tls_trusting(&options);
  assert_int_equal(resumes(&terms->host, terms->url, insecure), 0);
  assert_int_equal(resumes(&terms->host, terms->url, insecure), 1);
  reload(insecure, "another.pem");
  take(&terms->host, &feed, terms->url, insecure);
  assert_int_equal(feed.code, RUNNEL_ETRUST);
  runnel_tls_release(insecure);
}

static void never_from_insecure_to_secure(void **state) {
  (void)state;
  with_terms(check_insecure);
}

static void check_clients(struct terms *terms) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  const struct runnel_resolve resolve = {TLS_HOST, tls_cut_port(terms->cuts[0]),
                                         "127.0.0.1"};
  struct host other;
  options.resolve = &resolve;
  options.resolve_len = 1;
  host_open(&other, &options);
  assert_int_equal(resumes(&other, terms->url, terms->tls), 0);
  assert_int_equal(resumes(&other, terms->url, terms->tls), 1);
  host_close(&other);
}

static void never_by_another_client(void **state) {
  (void)state;
  with_terms(check_clients);
}

/* Storms (gate R12) -------------------------------------------------------- */

#ifndef STORM_STREAMS
#define STORM_STREAMS 300
#endif
#define HANDFUL 4

static const struct peer_step storm_script[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"), PEER_STALL(),
    PEER_END()};
static const struct peer_step *const storm_scripts[] = {storm_script};

struct storm {
  struct peer *peer;
  struct nginx *nginx[2]; /* two servers that know nothing of each other */
  struct tls_scene scene;
  struct feed *feeds;
  runnel_tls *tls;
};

static void storm_open(struct storm *storm, int version_max) {
  char config[512];
  struct peer_options options = {.scripts = storm_scripts, .scripts_len = 1};
  storm->peer = peer_new(&options);
  assert_non_null(storm->peer);
  snprintf(config, sizeof config,
           "location / { proxy_pass http://127.0.0.1:%d;\n"
           "  proxy_http_version 1.1; proxy_buffering off; }\n",
           peer_port(storm->peer));
  for (int i = 0; i < 2; i++)
    storm->nginx[i] = tls_nginx("good", config);
  struct runnel_client_options client = RUNNEL_CLIENT_OPTIONS_INIT;
  client.origin_dials_per_second_max = client.dials_per_second_max = 100000;
  tls_scene_open_to(&storm->scene, nginx_port(storm->nginx[0]), TLS_HOST,
                    &client);
  storm->tls = settings(version_max);
  storm->feeds = calloc(STORM_STREAMS, sizeof *storm->feeds);
  assert_non_null(storm->feeds);
}

static uint64_t open_now(struct storm *storm) {
  return runnel_client_stats(storm->scene.host.client)->events;
}

static void storm_start(struct storm *storm) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.tls = storm->tls;
  for (size_t i = 0; i < STORM_STREAMS; i++) {
    storm->feeds[i] = (struct feed){.delay_ms = 1, .count_only = 1};
    feed_open(&storm->feeds[i], &storm->scene.host, storm->scene.url, &options);
  }
  HOST_UNTIL(&storm->scene.host, open_now(storm) == STORM_STREAMS);
}

/* All are dropped at once, and come back. */
static void storm_drop(struct storm *storm) {
  uint64_t before = open_now(storm);
  tls_cut_now(storm->scene.cut, TLS_CUT_RESET);
  HOST_UNTIL(&storm->scene.host, open_now(storm) == before + STORM_STREAMS);
}

static void storm_close(struct storm *storm) {
  host_close_client(&storm->scene.host);
  HOST_UNTIL(&storm->scene.host, storm->scene.host.client_closed);
  for (size_t i = 0; i < STORM_STREAMS; i++) {
    assert_int_equal(storm->feeds[i].close_code, RUNNEL_ECANCELED);
    feed_deinit(&storm->feeds[i]);
  }
  tls_scene_close(&storm->scene);
  runnel_tls_release(storm->tls);
  for (int i = 0; i < 2; i++)
    nginx_stop(storm->nginx[i]);
  peer_free(storm->peer);
  free(storm->feeds);
}

static void print_storm(const struct storm *storm, const char *what) {
  const struct runnel_client_stats *stats =
      runnel_client_stats(storm->scene.host.client);
  print_message("%s: %llu full, %llu resumed\n", what,
                (unsigned long long)stats->handshakes_full,
                (unsigned long long)stats->handshakes_resumed);
}

static void a_storm(int version_max) {
  struct storm storm;
  storm_open(&storm, version_max);
  const struct host *host = &storm.scene.host;
  storm_start(&storm);
  print_storm(&storm, "cold start");
  assert_in_range(runnel_client_stats(host->client)->handshakes_full, 1,
                  HANDFUL);
  storm_drop(&storm);
  print_storm(&storm, "all dropped");
  assert_in_range(runnel_client_stats(host->client)->handshakes_full, 1,
                  HANDFUL);
  assert_int_equal(runnel_client_stats(host->client)->handshakes_full +
                       runnel_client_stats(host->client)->handshakes_resumed,
                   2 * STORM_STREAMS);
  /* The next server cannot read these sessions; whoever shook hands before that
   * was seen (handshakes_max, 64) must do it in full. */
  tls_cut_lead_to(storm.scene.cut, nginx_port(storm.nginx[1]));
  storm_drop(&storm);
  print_storm(&storm, "another server");
  assert_in_range(runnel_client_stats(host->client)->handshakes_full, 2,
                  64 + 2 * HANDFUL);
  storm_close(&storm);
}

static void a_storm_over_1_2(void **state) {
  (void)state;
  a_storm(RUNNEL_TLS_1_2);
}

static void a_storm_over_1_3(void **state) {
  (void)state;
  if (!tls_has_1_3())
    skip();
  a_storm(RUNNEL_TLS_1_3);
}

int runnel__test_tls_resume(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whatever_the_server_keeps),
      cmocka_unit_test(not_if_it_is_not_wanted),
      cmocka_unit_test(never_for_another_host),
      cmocka_unit_test(never_for_another_port),
      cmocka_unit_test(never_with_other_settings),
      cmocka_unit_test(never_with_another_range_of_versions),
      cmocka_unit_test(never_with_another_client_certificate),
      cmocka_unit_test(never_across_a_reload),
      cmocka_unit_test(never_from_insecure_to_secure),
      cmocka_unit_test(never_by_another_client),
      cmocka_unit_test(a_storm_over_1_2),
      cmocka_unit_test(a_storm_over_1_3),
  };
  return cmocka_run_group_tests_name("tls_resume", tests, tls_world_set_up,
                                     tls_world_tear_down);
}
