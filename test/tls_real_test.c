/* TLS with servers as they are: openssl's in both versions, with each kind of
 * key, in large and small records; what a handshake says of us; and client
 * certificates, to whom they are shown and to whom not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_world.h"

static int is_2_28(void) {
  return strncmp(runnel_tls_library(), "Mbed TLS 2.", 11) == 0;
}

/* Settings with a client certificate; NULL: none. */
static runnel_tls *showing(const char *cert, int version) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char cert_file[64], key_file[64];
  options.version_min = options.version_max = version;
  if (cert != NULL) {
    snprintf(cert_file, sizeof cert_file, "%s.chain.pem", cert);
    snprintf(key_file, sizeof key_file, "%s.key", cert);
    options.cert_file = tls_file(cert_file);
    options.key_file = tls_file(key_file);
  }
  return tls_trusting(&options);
}

/* Interoperation (gate R6) ------------------------------------------------- */

struct meeting {
  int version;
  const char *cert;
  int fragment; /* bytes of the server's records */
  int mutual;   /* 1: it demands a certificate */
};

/* 2.28 wants each message of a handshake in one record, and the certificates,
 * at least, are longer than these. No mbedTLS knows keys that are for RSA-PSS
 * alone: a server that has no other has none for us. */
static int expected(const struct meeting *meeting) {
  int is_cut = meeting->fragment == 512 ||
               (meeting->fragment == 1024 && strcmp(meeting->cert, "rsa") == 0);
  int fails = strcmp(meeting->cert, "pss") == 0 || (is_2_28() && is_cut);
  return fails ? RUNNEL_ETLS : RUNNEL_EEND;
}

static void stop_after_a_failure(struct feed *feed, char what) {
  if (what == 'n' && feed->code != RUNNEL_EEND && feed->stream != NULL)
    assert_int_equal(runnel_stream_close(feed->stream), RUNNEL_OK);
}

/* The first attempt, and another that resumes. */
static void meet(const struct meeting *meeting) {
  char args[256];
  struct tls_scene scene;
  struct feed feed = {
      .delay_ms = 1, .close_after = 4, .on_any = stop_after_a_failure};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  snprintf(args, sizeof args, "-HTTP %s -max_send_frag %d%s",
           meeting->version == RUNNEL_TLS_1_2 ? "-tls1_2" : "-tls1_3",
           meeting->fragment,
           meeting->mutual ? " -CAfile root.pem -Verify 3 -verify_return_error"
                           : "");
  int code = expected(meeting);
  tls_scene_open(&scene, tls_start(meeting->cert, args));
  options.tls = showing(meeting->mutual ? "client" : NULL, meeting->version);
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host, feed.closed);
  if (feed.code != code)
    fail_msg("%s, %s, %d bytes%s: %s", meeting->cert, feed.tls_version,
             meeting->fragment, meeting->mutual ? ", mutual" : "", feed.text);
  const struct runnel_client_stats *stats =
      runnel_client_stats(scene.host.client);
  assert_int_equal(stats->handshakes_full, code == RUNNEL_EEND);
  assert_int_equal(stats->handshakes_resumed, code == RUNNEL_EEND);
  assert_int_equal(feed.tls_resumed, code == RUNNEL_EEND);
  feed_deinit(&feed);
  runnel_tls_release(options.tls);
  tls_scene_close(&scene);
}

static void each_meeting_of(int version) {
  static const char *const certs[] = {"good", "rsa", "pss"};
  static const int fragments[] = {512, 1024, 16384};
  for (size_t c = 0; c < LEN(certs); c++)
    for (size_t f = 0; f < LEN(fragments); f++)
      for (int mutual = 0; mutual < 2; mutual++)
        meet(&(struct meeting){version, certs[c], fragments[f], mutual});
}

static void interoperation_in_1_2(void **state) {
  (void)state;
  each_meeting_of(RUNNEL_TLS_1_2);
}

static void interoperation_in_1_3(void **state) {
  (void)state;
  if (!tls_has_1_3())
    skip();
  each_meeting_of(RUNNEL_TLS_1_3);
}

/* What each handshake says ------------------------------------------------- */

/* What the server printed of a handshake with somebody who wants that host. */
static char *overhear(const char *args, const char *host) {
  struct tls_scene scene;
  struct feed feed = {0};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char *said;
  struct tls_server *server = tls_start("good", args);
  tls_scene_open_to(&scene, tls_server_port(server), host, NULL);
  options.tls = tls_world.tls;
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host,
             runnel_stream_state(feed.stream) == RUNNEL_STATE_WAITING_HEAD);
  tls_server_wait(server, "GET /feed");
  assert_int_equal(runnel_stream_close(feed.stream), RUNNEL_OK);
  HOST_UNTIL(&scene.host, feed.closed);
  feed_deinit(&feed);
  tls_scene_close(&scene);
  tls_server_stop(server, &said);
  return said;
}

static void names_are_sent_and_addresses_are_not(void **state) {
  (void)state;
  static const struct {
    const char *host;
    int sent;
  } rows[] = {
      {TLS_HOST, 1}, {"GOOD.test", 1}, {"good.test.", 1}, {"127.0.0.1", 0}};
  for (size_t i = 0; i < LEN(rows); i++) {
    char *said = overhear("-servername x.test -cert2 good.pem -key2 good.key",
                          rows[i].host);
    const char *name = strstr(said, "Hostname in TLS extension: ");
    assert_int_equal(name != NULL, rows[i].sent);
    if (name != NULL)
      assert_non_null(strstr(name, ": \"good.test\"\n"));
    free(said);
  }
}

static void http_1_1_is_offered(void **state) {
  (void)state;
  struct tls_scene scene;
  struct feed feed = {0};
  char *said = overhear("-alpn h2,http/1.1", TLS_HOST);
  assert_non_null(
      strstr(said, "ALPN protocols advertised by the client: http/1.1\n"));
  free(said);
  tls_scene_open(&scene, tls_start("good", "-alpn h2"));
  tls_take_once(&scene, &feed, NULL);
  assert_int_equal(feed.code, RUNNEL_ETLS);
  assert_non_null(strstr(feed.text, "alert 120: no application protocol"));
  feed_deinit(&feed);
  tls_scene_close(&scene);
}

/* Client certificates ------------------------------------------------------ */

/* The server's word comes in the handshake, or with TLS 1.3 after it. */
static void demand(int version, const char *cert, const char *word) {
  static const char args[] =
      "-HTTP -CAfile root.pem -Verify 3 -verify_return_error";
  struct tls_scene scene;
  struct feed feed = {0};
  runnel_tls *tls = showing(cert, version);
  tls_scene_open(&scene, tls_start("good", args));
  tls_take_once(&scene, &feed, tls);
  if (word == NULL) {
    if (feed.code != RUNNEL_EEND)
      fail_msg("%s", feed.text);
    assert_int_equal(feed.events_len, 2);
  } else {
    assert_int_equal(feed.code, RUNNEL_ETLS);
    assert_int_equal(feed.opens, 0);
    assert_true(feed.retry);
    if (strstr(feed.text, word) == NULL)
      fail_msg("\"%s\", not \"%s\"", feed.text, word);
  }
  feed_deinit(&feed);
  runnel_tls_release(tls);
  tls_scene_close(&scene);
}

static void client_certificates(void **state) {
  (void)state;
  demand(RUNNEL_TLS_1_2, "client", NULL);
  demand(RUNNEL_TLS_1_2, "stranger", "the server sent alert 48: unknown CA");
  demand(RUNNEL_TLS_1_2, NULL, "the server sent alert 40: handshake failure");
  if (!tls_has_1_3())
    return;
  demand(RUNNEL_TLS_1_3, "client", NULL);
  demand(RUNNEL_TLS_1_3, "stranger", "the server sent alert 48: unknown CA");
  demand(RUNNEL_TLS_1_3, NULL, "alert 116: certificate required");
}

/* What nginx saw of the certificate goes into the answer's head. */
static const char ask_client[] =
    "ssl_verify_client optional_no_ca;\n"
    "ssl_client_certificate %s;\n"
    "add_header X-Client $ssl_client_s_dn;\n"
    "location = /there { return 307 https://other.test:$arg_port/feed; }\n"
    "location = /here { return 307 /feed; }\n"
    "location = /feed { default_type text/event-stream;\n"
    "  return 200 'data: a\n\n'; }\n";

/* A hop to another origin is made without the certificate. */
static void shown_to_its_own_origin_only(void **state) {
  (void)state;
  static const struct {
    const char *target;
    int shown;
  } rows[] = {{"/feed", 1}, {"/here", 1}, {"/there", 0}};
  char config[2048];
  snprintf(config, sizeof config, ask_client, tls_file("root.pem"));
  struct nginx *nginx = tls_nginx("good", config);
  runnel_tls *tls = showing("client", 0);
  const struct runnel_resolve resolve[] = {
      {TLS_HOST, nginx_port(nginx), "127.0.0.1"},
      {"other.test", nginx_port(nginx), "127.0.0.1"}};
  for (size_t i = 0; i < LEN(rows); i++) {
    struct runnel_client_options client = RUNNEL_CLIENT_OPTIONS_INIT;
    struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
    struct host host;
    struct feed feed = {.stop_at_end = 1};
    char url[256];
    client.resolve = resolve;
    client.resolve_len = LEN(resolve);
    host_open(&host, &client);
    options.tls = tls;
    snprintf(url, sizeof url, "https://" TLS_HOST ":%d%s?port=%d",
             nginx_port(nginx), rows[i].target, nginx_port(nginx));
    feed_open(&feed, &host, url, &options);
    HOST_UNTIL(&host, feed.closed);
    assert_int_equal(feed.events_len, 1);
    assert_int_equal(strstr(feed.headers, "CN=client") != NULL, rows[i].shown);
    feed_deinit(&feed);
    host_close(&host);
  }
  runnel_tls_release(tls);
  nginx_stop(nginx);
}

int runnel__test_tls_real(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(interoperation_in_1_2),
      cmocka_unit_test(interoperation_in_1_3),
      cmocka_unit_test(names_are_sent_and_addresses_are_not),
      cmocka_unit_test(http_1_1_is_offered),
      cmocka_unit_test(client_certificates),
      cmocka_unit_test(shown_to_its_own_origin_only),
  };
  return cmocka_run_group_tests_name("tls_real", tests, tls_world_set_up,
                                     tls_world_tear_down);
}
