/* TLS for the session server: mbedTLS 2.28 or 3, with session tickets, so that
 * a client that comes back need not shake hands in full. */
#include "session_tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#define TICKET_SECONDS 3600

struct session_tls {
  mbedtls_ssl_context ssl;
  int up;         /* the handshake is over */
  const char *in; /* borrowed; what mbedTLS has not taken yet */
  size_t in_len;
  char *out; /* owned */
  size_t out_len;
  size_t out_cap;
};

/* Of all connections; ready once loaded. */
static struct {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
  mbedtls_ssl_ticket_context tickets;
  mbedtls_ssl_config config;
} server;

static int refuse(const char *what, int code) {
  char why[128];
  mbedtls_strerror(code, why, sizeof why);
  fprintf(stderr, "session-server: %s: %s\n", what, why);
  return -1;
}

/* All that differs between mbedTLS 2.28 and 3. */
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
static int begin(void) { return (int)psa_crypto_init(); }
static int parse_key(const char *file) {
  return mbedtls_pk_parse_keyfile(&server.key, file, NULL,
                                  mbedtls_ctr_drbg_random, &server.random);
}
static void set_versions(void) {
  mbedtls_ssl_conf_min_tls_version(&server.config, MBEDTLS_SSL_VERSION_TLS1_2);
}
#else
static int begin(void) { return 0; }
static int parse_key(const char *file) {
  return mbedtls_pk_parse_keyfile(&server.key, file, NULL);
}
static void set_versions(void) {
  mbedtls_ssl_conf_min_version(&server.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
}
#endif

/* 0 or mbedTLS's code. */
static int configure(void) {
  static const char *protocols[] = {"http/1.1", NULL};
  int code = mbedtls_ssl_config_defaults(&server.config, MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
  if (code == 0)
    code = mbedtls_ssl_conf_own_cert(&server.config, &server.cert, &server.key);
  if (code == 0)
    code = mbedtls_ssl_ticket_setup(&server.tickets, mbedtls_ctr_drbg_random,
                                    &server.random, MBEDTLS_CIPHER_AES_256_GCM,
                                    TICKET_SECONDS);
  if (code == 0)
    code = mbedtls_ssl_conf_alpn_protocols(&server.config, protocols);
  set_versions();
  mbedtls_ssl_conf_rng(&server.config, mbedtls_ctr_drbg_random, &server.random);
  mbedtls_ssl_conf_session_tickets_cb(&server.config, mbedtls_ssl_ticket_write,
                                      mbedtls_ssl_ticket_parse,
                                      &server.tickets);
  return code;
}

int session_tls_load(const char *cert_file, const char *key_file) {
  mbedtls_entropy_init(&server.entropy);
  mbedtls_ctr_drbg_init(&server.random);
  mbedtls_x509_crt_init(&server.cert);
  mbedtls_pk_init(&server.key);
  mbedtls_ssl_ticket_init(&server.tickets);
  mbedtls_ssl_config_init(&server.config);
  int code = begin();
  if (code == 0)
    code = mbedtls_ctr_drbg_seed(&server.random, mbedtls_entropy_func,
                                 &server.entropy, NULL, 0);
  if (code != 0)
    return refuse("random numbers", code);
  /* More than 0: so many certificates of the file could not be read. */
  if ((code = mbedtls_x509_crt_parse_file(&server.cert, cert_file)) != 0)
    return refuse(cert_file, code < 0 ? code : MBEDTLS_ERR_X509_INVALID_FORMAT);
  if ((code = parse_key(key_file)) != 0)
    return refuse(key_file, code);
  code = configure();
  return code == 0 ? 0 : refuse("TLS", code);
}

void session_tls_unload(void) {
  mbedtls_ssl_config_free(&server.config);
  mbedtls_ssl_ticket_free(&server.tickets);
  mbedtls_pk_free(&server.key);
  mbedtls_x509_crt_free(&server.cert);
  mbedtls_ctr_drbg_free(&server.random);
  mbedtls_entropy_free(&server.entropy);
}

static int give_in(void *user, unsigned char *dst, size_t size) {
  struct session_tls *tls = user;
  size_t len = tls->in_len < size ? tls->in_len : size;
  if (len == 0)
    return MBEDTLS_ERR_SSL_WANT_READ;
  memcpy(dst, tls->in, len);
  tls->in += len;
  tls->in_len -= len;
  return (int)len;
}

static int take_out(void *user, const unsigned char *bytes, size_t len) {
  struct session_tls *tls = user;
  if (tls->out_cap - tls->out_len < len) {
    size_t cap = (tls->out_len + len) * 2;
    char *out = realloc(tls->out, cap);
    if (out == NULL)
      return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    tls->out = out;
    tls->out_cap = cap;
  }
  memcpy(tls->out + tls->out_len, bytes, len);
  tls->out_len += len;
  return (int)len;
}

struct session_tls *session_tls_new(void) {
  struct session_tls *tls = calloc(1, sizeof *tls);
  if (tls == NULL)
    return NULL;
  mbedtls_ssl_init(&tls->ssl);
  if (mbedtls_ssl_setup(&tls->ssl, &server.config) != 0) {
    session_tls_free(tls);
    return NULL;
  }
  mbedtls_ssl_set_bio(&tls->ssl, tls, take_out, give_in, NULL);
  return tls;
}

void session_tls_free(struct session_tls *tls) {
  if (tls == NULL)
    return;
  mbedtls_ssl_free(&tls->ssl);
  free(tls->out);
  free(tls);
}

void session_tls_feed(struct session_tls *tls, const char *bytes, size_t len) {
  tls->in = bytes;
  tls->in_len = len;
}

static int step(struct session_tls *tls, char *dst, size_t size) {
  if (!tls->up) {
    int code = mbedtls_ssl_handshake(&tls->ssl);
    if (code != 0)
      return code;
    tls->up = 1;
  }
  int code = mbedtls_ssl_read(&tls->ssl, (unsigned char *)dst, size);
  return code == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : code;
}

int session_tls_next(struct session_tls *tls, char *dst, size_t size) {
  int code;
  /* It may want to read and mean what is here. */
  do {
    code = step(tls, dst, size);
  } while (code == MBEDTLS_ERR_SSL_WANT_READ && tls->in_len > 0);
  if (code == MBEDTLS_ERR_SSL_WANT_READ)
    return 0;
  return code < 0 ? -1 : code;
}

int session_tls_send(struct session_tls *tls, const char *bytes, size_t len) {
  while (len > 0) {
    int sent = mbedtls_ssl_write(&tls->ssl, (const unsigned char *)bytes, len);
    if (sent < 0)
      return -1;
    bytes += sent;
    len -= (size_t)sent;
  }
  return 0;
}

void session_tls_bye(struct session_tls *tls) {
  mbedtls_ssl_close_notify(&tls->ssl);
}

char *session_tls_take_out(struct session_tls *tls, size_t *len) {
  char *out = tls->out;
  *len = tls->out_len;
  tls->out = NULL;
  tls->out_len = 0;
  tls->out_cap = 0;
  return out;
}
