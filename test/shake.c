/* Two ends and two pipes in memory; see shake.h. */
#include "shake.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/version.h>

#include "../lib/net/rng.h"
#include "../lib/net/tls_lib.h"
#include "tempdir.h"

#define PIPE_BYTES 262144
#define TURNS 200

struct pipe {
  unsigned char bytes[PIPE_BYTES];
  size_t read;
  size_t written;
};

struct end {
  mbedtls_ssl_context ssl;
  struct pipe *in;
  struct pipe *out;
};

static int put(void *ctx, const unsigned char *bytes, size_t len) {
  struct pipe *pipe = ((struct end *)ctx)->out;
  if (len > PIPE_BYTES - pipe->written)
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  memcpy(pipe->bytes + pipe->written, bytes, len);
  pipe->written += len;
  return (int)len;
}

static int get(void *ctx, unsigned char *bytes, size_t len) {
  struct pipe *pipe = ((struct end *)ctx)->in;
  size_t there = pipe->written - pipe->read;
  if (there == 0)
    return MBEDTLS_ERR_SSL_WANT_READ;
  len = len < there ? len : there;
  memcpy(bytes, pipe->bytes + pipe->read, len);
  pipe->read += len;
  return (int)len;
}

static int begin(struct end *end, const mbedtls_ssl_config *config,
                 struct pipe *in, struct pipe *out) {
  mbedtls_ssl_init(&end->ssl);
  end->in = in;
  end->out = out;
  mbedtls_ssl_set_bio(&end->ssl, end, put, get, NULL);
  return mbedtls_ssl_setup(&end->ssl, config);
}

/* The server --------------------------------------------------------------- */

struct side {
  mbedtls_ssl_config config;
  mbedtls_x509_crt chain;
  mbedtls_x509_crt client_ca;
  mbedtls_pk_context key;
};

static void speak(mbedtls_ssl_config *config, int version) {
#if MBEDTLS_VERSION_MAJOR < 3
  (void)version;
  mbedtls_ssl_conf_min_version(config, 3, 3);
#else
  mbedtls_ssl_protocol_version only = version == RUNNEL_TLS_1_3
                                          ? MBEDTLS_SSL_VERSION_TLS1_3
                                          : MBEDTLS_SSL_VERSION_TLS1_2;
  mbedtls_ssl_conf_min_tls_version(config, only);
  mbedtls_ssl_conf_max_tls_version(config, only);
#endif
}

static int open_side(struct side *side, const struct shake_server *server) {
  size_t chain_len, key_len;
  char *chain = file_read(server->chain_file, &chain_len);
  char *key = file_read(server->key_file, &key_len);
  if (chain == NULL || key == NULL)
    abort();
  mbedtls_ssl_config_init(&side->config);
  mbedtls_x509_crt_init(&side->chain);
  mbedtls_x509_crt_init(&side->client_ca);
  mbedtls_pk_init(&side->key);
  int native = mbedtls_x509_crt_parse(
      &side->chain, (const unsigned char *)chain, chain_len + 1);
  if (native == 0)
    native = runnel__tls_lib_parse_key(&side->key, key, key_len + 1, NULL);
  if (native == 0)
    native = mbedtls_ssl_config_defaults(&side->config, MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
  if (native == 0)
    native = mbedtls_ssl_conf_own_cert(&side->config, &side->chain, &side->key);
  if (native == 0 && server->client_ca_file != NULL) {
    native =
        mbedtls_x509_crt_parse_file(&side->client_ca, server->client_ca_file);
    mbedtls_ssl_conf_ca_chain(&side->config, &side->client_ca, NULL);
    mbedtls_ssl_conf_authmode(&side->config, MBEDTLS_SSL_VERIFY_REQUIRED);
  }
  mbedtls_ssl_conf_rng(&side->config, runnel__rng_draw, NULL);
  speak(&side->config, server->version);
  free(chain);
  free(key);
  return native;
}

static void close_side(struct side *side) {
  mbedtls_ssl_config_free(&side->config);
  mbedtls_x509_crt_free(&side->chain);
  mbedtls_x509_crt_free(&side->client_ca);
  mbedtls_pk_free(&side->key);
}

/* Both --------------------------------------------------------------------- */

static int is_waiting(int native) {
  return native == MBEDTLS_ERR_SSL_WANT_READ ||
         native == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* The client's code once both are through, or one is at its end. */
static int run(struct end *client, struct end *server) {
  int here = MBEDTLS_ERR_SSL_WANT_READ, there = here;
  for (int turn = 0; turn < TURNS; turn++) {
    if (is_waiting(here))
      here = mbedtls_ssl_handshake(&client->ssl);
    if (is_waiting(there))
      there = mbedtls_ssl_handshake(&server->ssl);
    if (!is_waiting(here) && (here != 0 || !is_waiting(there)))
      return here != 0 ? here : there;
  }
  return here;
}

static int shake(const struct side *side, struct runnel__vouch *vouch,
                 int anonymous, struct pipe *pipes) {
  struct end client, server;
  const mbedtls_ssl_config *config =
      runnel__trust_config(vouch->trust, anonymous);
  char host[256];
  memcpy(host, vouch->host.at, vouch->host.len);
  host[vouch->host.len] = '\0';
  int native = begin(&client, config, &pipes[0], &pipes[1]);
  int err = begin(&server, &side->config, &pipes[1], &pipes[0]);
  native = native != 0 ? native : err;
  if (native == 0)
    native =
        mbedtls_ssl_set_hostname(&client.ssl, vouch->literal ? NULL : host);
  mbedtls_ssl_set_verify(&client.ssl, runnel__vouch, vouch);
  if (native == 0)
    native = run(&client, &server);
  mbedtls_ssl_free(&client.ssl);
  mbedtls_ssl_free(&server.ssl);
  return native;
}

int shake_hands(const struct shake_server *server, struct runnel__vouch *vouch,
                int anonymous) {
  struct side side;
  struct pipe *pipes = calloc(2, sizeof *pipes);
  if (pipes == NULL)
    abort();
  int native =
      open_side(&side, server) == 0 ? shake(&side, vouch, anonymous, pipes) : 1;
  close_side(&side);
  free(pipes);
  return native;
}
