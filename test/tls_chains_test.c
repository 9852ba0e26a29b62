/* Each chain of trust_rows.h, shown by a real server (openssl's) to the library
 * as its users have it: what is refused is refused before a byte of the request
 * was sent, in words that name what is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempdir.h"
#include "tls_world.h"
#include "trust_certs.h"
#include "trust_rows.h"

static struct tls_ca *ca;
static struct host host;
static struct tls_cut *cut;

/* A server with the row's chain; the leaf comes first. */
static struct tls_server *serve(const struct row *row) {
  char cert[64], key[64];
  size_t len = strcspn(row->chain, " ");
  snprintf(cert, sizeof cert, "%.*s.pem", (int)len, row->chain);
  snprintf(key, sizeof key, "%.*s.key", (int)len, row->chain);
  const char *args[] = {
      "-cert",           cert,          "-key",       key, "-HTTP", "-cipher",
      "ALL:@SECLEVEL=0", "-cert_chain", "behind.pem", NULL};
  if (row->chain[len] == '\0')
    args[7] = NULL;
  else
    tls_ca_bundle(ca, "behind.pem", row->chain + len);
  char dir[512];
  snprintf(dir, sizeof dir, "%s", tls_ca_file(ca, ""));
  return tls_server_start(dir, args);
}

static runnel_tls *settings_of(const struct row *row, int version) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char pins[2][64];
  const char *pin_list[2] = {pins[0], pins[1]};
  runnel_tls *tls = NULL;
  tls_ca_bundle(ca, "anchors", row->anchors != NULL ? row->anchors : "root");
  options.ca_file = tls_ca_file(ca, "anchors");
  options.crl_file = row->crl == NULL ? NULL : tls_ca_file(ca, row->crl);
  options.insecure = row->insecure;
  options.version_min = options.version_max = version;
  options.pins = pin_list;
  for (; options.pins_len < 2 && row->pins[options.pins_len] != NULL;
       options.pins_len++)
    snprintf(pins[options.pins_len], sizeof pins[0], "%s",
             tls_ca_pin(ca, row->pins[options.pins_len]));
  if (runnel_tls_new(&tls, &options) != RUNNEL_OK)
    fail_msg("%s: %s", row->what, options.error_text);
  return tls;
}

static void connect_once(const struct row *row, int version,
                         struct feed *feed) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  const char *name = row->host != NULL ? row->host : HOST;
  char url[256];
  int is_v6 = strchr(name, ':') != NULL;
  snprintf(url, sizeof url, "https://%s%s%s/feed", is_v6 ? "[" : "", name,
           is_v6 ? "]" : "");
  options.unix_path = tls_ca_file(ca, "wire");
  options.tls = settings_of(row, version);
  feed->stop_at_end = 1;
  feed_open(feed, &host, url, &options);
  runnel_tls_release(options.tls);
  HOST_UNTIL(&host, feed->closed);
}

static void check_refused(const struct row *row, const struct feed *feed) {
  tls_cut_wait(cut, TLS_CUT_ENDED, tls_cut_count(cut, TLS_CUT_ACCEPTED));
  if (feed->code != RUNNEL_ETRUST || !row_explains(row, feed->text))
    fail_msg("%s: %s: %s", row->what, runnel_err_name(feed->code), feed->text);
  assert_int_equal(feed->phase, RUNNEL_PHASE_HANDSHAKE);
  assert_int_equal(feed->opens, 0);
  assert_true(feed->retry);
  assert_true(tls_cut_count(cut, TLS_CUT_CLIENT_DATA_MAX) <=
              TLS_ALERT_BYTES_MAX);
}

static void check_accepted(const struct row *row, const struct feed *feed) {
  if (feed->code != RUNNEL_EEND)
    fail_msg("%s: %s: %s", row->what, runnel_err_name(feed->code), feed->text);
  assert_int_equal(feed->opens, 1);
  assert_int_equal(feed->events_len, 1);
}

/* Zones are in no URL; and openssl shows nobody a key that may not sign, or one
 * whose kind was not asked for. */
static int is_left_out(const struct row *row) {
  return (row->host != NULL && strchr(row->host, '%') != NULL) ||
         strcmp(row->chain, "no-signature inter") == 0 ||
         strcmp(row->chain, "ed25519 inter") == 0;
}

static void each_chain(int version, size_t refused_min) {
  size_t refused = 0;
  for (size_t i = 0; i < LEN(rows); i++) {
    const struct row *row = &rows[i];
    if (is_left_out(row))
      continue;
    struct tls_server *server = serve(row);
    struct feed feed = {0};
    tls_cut_forget(cut);
    tls_cut_lead_to(cut, tls_server_port(server));
    connect_once(row, version, &feed);
    if (row->refused != NULL)
      check_refused(row, &feed);
    else
      check_accepted(row, &feed);
    refused += row->refused != NULL;
    feed_deinit(&feed);
    tls_server_stop(server, NULL);
  }
  assert_true(refused >= refused_min);
}

static void each_chain_over_1_2(void **state) {
  (void)state;
  each_chain(RUNNEL_TLS_1_2, 60);
}

static void each_chain_over_1_3(void **state) {
  (void)state;
  if (!tls_has_1_3())
    skip();
  each_chain(RUNNEL_TLS_1_3, 60);
}

static int set_up(void **state) {
  static const char answer[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/event-stream\r\n\r\n"
                               "data: one\n\n";
  (void)state;
  ca = tls_ca_open();
  trust_certs_make(ca);
  tempdir_write(tls_ca_file(ca, ""), "feed", answer, sizeof answer - 1);
  cut = tls_cut_new(tls_ca_file(ca, "wire"), 0);
  host_open(&host, NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  host_close(&host);
  tls_cut_free(cut);
  tls_ca_close(ca);
  return 0;
}

int runnel__test_tls_chains(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_chain_over_1_2),
      cmocka_unit_test(each_chain_over_1_3),
  };
  return cmocka_run_group_tests_name("tls_chains", tests, set_up, tear_down);
}
