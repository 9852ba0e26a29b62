/* See tls_world.h. */
#include "tls_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempdir.h"

#define WORDS_MAX 32

struct tls_world tls_world;

/* The world ---------------------------------------------------------------- */

#define NAMES                                                                  \
  "DNS:good.test,DNS:other.test,DNS:*.wild.test,DNS:localhost,IP:127.0.0.1,"   \
  "IP:::1"
#define FOR_CLIENTS                                                            \
  "basicConstraints = CA:FALSE\nkeyUsage = digitalSignature\n"                 \
  "extendedKeyUsage = clientAuth\n"

static const struct tls_cert certificates[] = {
    {"good", .san = NAMES},
    {"rsa", .san = NAMES, .key = "rsa"},
    {"pss", .san = NAMES, .key = "rsapss"},
    {"another", .issuer = "another", .is_ca = 1},
    {"client", .key = "ec-client", .only = FOR_CLIENTS},
    {"stranger", .key = "ec-stranger", .issuer = "another",
     .only = FOR_CLIENTS},
};

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

static const struct answer {
  const char *name;
  const char *text;
} answers[] = {
    {"feed", HEAD "\r\nid: 1\ndata: one\n\nid: 2\ndata: two\n\n"},
    {"long", HEAD "Content-Length: 11\r\n\r\ndata: one\n\n"},
    {"chunked", HEAD "Transfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n"
                     "0\r\n\r\n"},
    {"cut", HEAD "Transfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n"},
};

/* The folder of the authority. */
static char *folder(char *dst, size_t size) {
  snprintf(dst, size, "%s", tls_file(""));
  return dst;
}

int tls_world_set_up(void **state) {
  char dir[512];
  (void)state;
  tls_world.ca = tls_ca_open();
  for (size_t i = 0; i < LEN(certificates); i++)
    tls_ca_issue(tls_world.ca, &certificates[i]);
  folder(dir, sizeof dir);
  for (size_t i = 0; i < LEN(answers); i++)
    tempdir_write(dir, answers[i].name, answers[i].text,
                  strlen(answers[i].text));
  tls_world.tls = tls_trusting(NULL);
  return 0;
}

int tls_world_tear_down(void **state) {
  (void)state;
  runnel_tls_release(tls_world.tls);
  tls_ca_close(tls_world.ca);
  return 0;
}

const char *tls_file(const char *name) {
  return tls_ca_file(tls_world.ca, name);
}

int tls_has_1_3(void) {
  static int told;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  runnel_tls *tls = NULL;
  options.insecure = 1; /* what is not verified needs no certificates */
  options.version_min = RUNNEL_TLS_1_3;
  int has = runnel_tls_new(&tls, &options) == RUNNEL_OK;
  runnel_tls_release(tls);
  if (!has && !told++)
    print_message("TLS 1.3 SKIPPED, NOT TESTED: %s has none\n",
                  runnel_tls_library());
  return has;
}

runnel_tls *tls_trusting(struct runnel_tls_options *options) {
  struct runnel_tls_options defaults = RUNNEL_TLS_OPTIONS_INIT;
  runnel_tls *tls = NULL;
  if (options == NULL)
    options = &defaults;
  options->ca_file = tls_file("root.pem");
  if (runnel_tls_new(&tls, options) != RUNNEL_OK)
    fail_msg("settings: %s", options->error_text);
  return tls;
}

struct tls_server *tls_start_with(const char *cert, const char *chain,
                                  const char *args) {
  char cert_file[64], key_file[64], dir[512], text[512];
  const char *words[WORDS_MAX] = {"-cert", cert_file, "-key", key_file};
  size_t len = 4;
  char *rest = NULL;
  snprintf(cert_file, sizeof cert_file, "%s.pem", cert);
  snprintf(key_file, sizeof key_file, "%s.key", cert);
  snprintf(text, sizeof text, "%s", args);
  if (chain == NULL || chain[0] != '\0') {
    words[len++] = "-cert_chain";
    words[len++] = chain == NULL ? "inter.pem" : chain;
  }
  for (char *word = strtok_r(text, " ", &rest); word != NULL;
       word = strtok_r(NULL, " ", &rest)) {
    assert_true(len + 1 < WORDS_MAX);
    words[len++] = word;
  }
  return tls_server_start(folder(dir, sizeof dir), words);
}

struct tls_server *tls_start(const char *cert, const char *args) {
  return tls_start_with(cert, NULL, args);
}

struct nginx *tls_nginx(const char *cert, const char *locations) {
  char config[8192], dir[512];
  folder(dir, sizeof dir);
  int len = snprintf(config, sizeof config,
                     "ssl_certificate %s%s.chain.pem;\n"
                     "ssl_certificate_key %s%s.key;\n%s",
                     dir, cert, dir, cert, locations);
  assert_true(len > 0 && (size_t)len < sizeof config);
  struct nginx *nginx = nginx_start_tls(config);
  assert_non_null(nginx); /* why not: see standard error */
  return nginx;
}

/* Scenes ---------------------------------------------------------------- */

void tls_scene_open_to(struct tls_scene *scene, int port, const char *host,
                       struct runnel_client_options *options) {
  struct runnel_client_options defaults = RUNNEL_CLIENT_OPTIONS_INIT;
  if (options == NULL)
    options = &defaults;
  scene->server = NULL;
  scene->cut = tls_cut_new(NULL, port);
  struct runnel_resolve resolve = {
      .host = host, .port = tls_cut_port(scene->cut), .address = "127.0.0.1"};
  if (host[0] != '[' && host[strspn(host, "0123456789.")] != '\0') {
    options->resolve = &resolve;
    options->resolve_len = 1;
  }
  host_open(&scene->host, options);
  snprintf(scene->url, sizeof scene->url, "https://%s:%d/feed", host,
           tls_cut_port(scene->cut));
}

void tls_scene_open(struct tls_scene *scene, struct tls_server *server) {
  tls_scene_open_to(scene, tls_server_port(server), TLS_HOST, NULL);
  scene->server = server;
}

void tls_scene_close(struct tls_scene *scene) {
  host_close(&scene->host);
  tls_cut_free(scene->cut);
  tls_server_stop(scene->server, NULL);
}

void tls_take_once(struct tls_scene *scene, struct feed *feed,
                   runnel_tls *settings) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.tls = settings == NULL ? tls_world.tls : settings;
  feed->stop_at_end = 1;
  feed_open(feed, &scene->host, scene->url, &options);
  HOST_UNTIL(&scene->host, feed->closed);
  assert_int_equal(feed->ends, 1);
}

void tls_check_nothing_asked(struct tls_scene *scene) {
  tls_cut_wait(scene->cut, TLS_CUT_ENDED,
               tls_cut_count(scene->cut, TLS_CUT_ACCEPTED));
  assert_true(tls_cut_count(scene->cut, TLS_CUT_CLIENT_DATA) <= 1);
  assert_true(tls_cut_count(scene->cut, TLS_CUT_CLIENT_DATA_MAX) <=
              TLS_ALERT_BYTES_MAX);
}
