/* The server of tls_pair.h: certificates, settings and connections of plain
 * mbedTLS. Whatever fails here ends the process: it is not what is tested. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* messages that it does not send */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "../lib/net/tls_lib.h"
#include "tls_pair.h"

/* 2.28 has other names for what 3.6 has. */
#if MBEDTLS_VERSION_MAJOR < 3
#define IS_THREE 0
#else
#define IS_THREE 1
#endif

static void must(int err, const char *what) {
  if (err == 0)
    return;
  fprintf(stderr, "the test's TLS server: %s: -0x%04x\n", what, (unsigned)-err);
  abort();
}

/* Good enough for secrets that nobody keeps, and the same in each run. */
static int draw(void *ctx, unsigned char *bytes, size_t len) {
  static uint64_t state = 88172645463325252;
  (void)ctx;
  for (size_t i = 0; i < len; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bytes[i] = (unsigned char)(state >> 24);
  }
  return 0;
}

/* Certificates ------------------------------------------------------------ */

static void make_key(mbedtls_pk_context *key) {
  mbedtls_pk_init(key);
  must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
       "key");
  must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), draw,
                           NULL),
       "key");
}

static void set_serial(mbedtls_x509write_cert *cert, int number) {
#if IS_THREE
  unsigned char bytes[] = {(unsigned char)number};
  must(mbedtls_x509write_crt_set_serial_raw(cert, bytes, sizeof bytes),
       "serial");
#else
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  must(mbedtls_mpi_lset(&serial, number), "serial");
  must(mbedtls_x509write_crt_set_serial(cert, &serial), "serial");
  mbedtls_mpi_free(&serial);
#endif
}

static void begin_cert(mbedtls_x509write_cert *cert, int number,
                       const char *subject, mbedtls_pk_context *subject_key,
                       mbedtls_pk_context *ca_key, const char *not_after) {
  mbedtls_x509write_crt_init(cert);
  mbedtls_x509write_crt_set_version(cert, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(cert, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(cert, subject_key);
  mbedtls_x509write_crt_set_issuer_key(cert, ca_key);
  set_serial(cert, number);
  must(mbedtls_x509write_crt_set_subject_name(cert, subject), "subject");
  must(mbedtls_x509write_crt_set_issuer_name(cert, "CN=test CA"), "issuer");
  must(mbedtls_x509write_crt_set_validity(cert, "20200101000000", not_after),
       "dates");
}

static void make_ca(char *pem, size_t size, mbedtls_pk_context *key) {
  mbedtls_x509write_cert cert;
  begin_cert(&cert, 1, "CN=test CA", key, key, "20491231235959");
  must(mbedtls_x509write_crt_set_basic_constraints(&cert, 1, -1), "CA");
  must(
      mbedtls_x509write_crt_set_key_usage(&cert, MBEDTLS_X509_KU_KEY_CERT_SIGN),
      "usage");
  must(mbedtls_x509write_crt_pem(&cert, (unsigned char *)pem, size, draw, NULL),
       "certificate");
  mbedtls_x509write_crt_free(&cert);
}

/* GeneralNames with one dNSName (RFC 5280 4.2.1.6). */
static void set_name(mbedtls_x509write_cert *cert, const char *name) {
  unsigned char der[128];
  size_t len = strlen(name);
  must(len > sizeof der - 4, "name");
  der[0] = 0x30;
  der[1] = (unsigned char)(len + 2);
  der[2] = 0x82;
  der[3] = (unsigned char)len;
  memcpy(der + 4, name, len);
  must(mbedtls_x509write_crt_set_extension(
           cert, MBEDTLS_OID_SUBJECT_ALT_NAME,
           MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, der, len + 4),
       "names");
}

static void make_leaf(struct tls_site *site, mbedtls_pk_context *ca_key,
                      const struct tls_site_how *how) {
  unsigned char pem[2048];
  mbedtls_x509write_cert cert;
  begin_cert(&cert, 2, "CN=a server", &site->key, ca_key,
             how->not_after == NULL ? "20491231235959" : how->not_after);
  must(mbedtls_x509write_crt_set_basic_constraints(&cert, 0, -1), "leaf");
  set_name(&cert, how->name == NULL ? TLS_SITE_NAME : how->name);
  must(mbedtls_x509write_crt_pem(&cert, pem, sizeof pem, draw, NULL),
       "certificate");
  mbedtls_x509write_crt_free(&cert);
  mbedtls_x509_crt_init(&site->chain);
  must(mbedtls_x509_crt_parse(&site->chain, pem, strlen((char *)pem) + 1),
       "certificate");
}

/* Settings ---------------------------------------------------------------- */

int tls_site_has_1_3(void) {
  return runnel__tls_lib_version_max() == RUNNEL_TLS_1_3;
}

int tls_site_joins_fragments(void) { return IS_THREE; }

static void set_version(struct tls_site *site, int version) {
#if IS_THREE
  mbedtls_ssl_conf_max_tls_version(
      &site->config, version == RUNNEL_TLS_1_2 ? MBEDTLS_SSL_VERSION_TLS1_2
                                               : MBEDTLS_SSL_VERSION_TLS1_3);
#else
  (void)site;
  (void)version;
#endif
}

static void set_sessions(struct tls_site *site,
                         const struct tls_site_how *how) {
  mbedtls_ssl_ticket_init(&site->tickets);
  mbedtls_ssl_cache_init(&site->cache);
  if (how->no_sessions)
    return;
  if (how->ids) {
    mbedtls_ssl_conf_session_cache(&site->config, &site->cache,
                                   mbedtls_ssl_cache_get,
                                   mbedtls_ssl_cache_set);
    return;
  }
  must(mbedtls_ssl_ticket_setup(&site->tickets, draw, NULL,
                                MBEDTLS_CIPHER_AES_256_GCM, 3600),
       "tickets");
  mbedtls_ssl_conf_session_tickets_cb(&site->config, mbedtls_ssl_ticket_write,
                                      mbedtls_ssl_ticket_parse, &site->tickets);
#if IS_THREE
  if (how->tickets > 0)
    mbedtls_ssl_conf_new_session_tickets(&site->config, (uint16_t)how->tickets);
#endif
}

void tls_site_init(struct tls_site *site, const struct tls_site_how *how) {
  static const struct tls_site_how plain = {0};
  mbedtls_pk_context ca_key;
  if (how == NULL)
    how = &plain;
  must(runnel__tls_lib_start(), "start");
  make_key(&ca_key);
  make_key(&site->key);
  make_ca(site->ca, sizeof site->ca, &ca_key);
  make_leaf(site, &ca_key, how);
  mbedtls_pk_free(&ca_key);
  mbedtls_ssl_config_init(&site->config);
  must(mbedtls_ssl_config_defaults(&site->config, MBEDTLS_SSL_IS_SERVER,
                                   MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT),
       "settings");
  mbedtls_ssl_conf_rng(&site->config, draw, NULL);
  must(mbedtls_ssl_conf_own_cert(&site->config, &site->chain, &site->key),
       "own certificate");
  set_version(site, how->version_max);
  set_sessions(site, how);
}

void tls_site_deinit(struct tls_site *site) {
  mbedtls_ssl_config_free(&site->config);
  mbedtls_x509_crt_free(&site->chain);
  mbedtls_pk_free(&site->key);
  mbedtls_ssl_ticket_free(&site->tickets);
  mbedtls_ssl_cache_free(&site->cache);
}

/* Connections ------------------------------------------------------------- */

static int peer_reads(void *ctx, unsigned char *to, size_t room) {
  struct tls_peer *peer = ctx;
  size_t len = peer->in.len - peer->in_at;
  if (len == 0)
    return MBEDTLS_ERR_SSL_WANT_READ;
  if (len > room)
    len = room;
  memcpy(to, peer->in.at + peer->in_at, len);
  peer->in_at += len;
  return (int)len;
}

static int peer_writes(void *ctx, const unsigned char *bytes, size_t len) {
  struct tls_peer *peer = ctx;
  story_bytes_add(&peer->out, (const char *)bytes, len);
  return (int)len;
}

void tls_peer_init(struct tls_peer *peer, struct tls_site *site) {
  *peer = (struct tls_peer){0};
  mbedtls_ssl_init(&peer->ssl);
  must(mbedtls_ssl_setup(&peer->ssl, &site->config), "connection");
  mbedtls_ssl_set_bio(&peer->ssl, peer, peer_writes, peer_reads, NULL);
}

void tls_peer_deinit(struct tls_peer *peer) {
  mbedtls_ssl_free(&peer->ssl);
  story_bytes_free(&peer->in);
  story_bytes_free(&peer->out);
  story_bytes_free(&peer->plain);
}

static void peer_works(struct tls_peer *peer) {
  unsigned char bytes[1024];
  int got = 0;
  if (!peer->is_up)
    got = mbedtls_ssl_handshake(&peer->ssl);
  if (got == 0)
    peer->is_up = 1;
  while (peer->is_up) {
    got = mbedtls_ssl_read(&peer->ssl, bytes, sizeof bytes);
    if (got <= 0)
      break;
    story_bytes_add(&peer->plain, (char *)bytes, (size_t)got);
  }
  if (got != MBEDTLS_ERR_SSL_WANT_READ)
    peer->code = got;
}

void tls_peer_hear(struct tls_peer *peer, const char *bytes, size_t len) {
  story_bytes_add(&peer->in, bytes, len);
  if (peer->code == 0)
    peer_works(peer);
}

void tls_peer_say(struct tls_peer *peer, const char *bytes, size_t len) {
  while (len > 0) {
    int said = mbedtls_ssl_write(&peer->ssl, (const unsigned char *)bytes, len);
    must(said > 0 ? 0 : said, "write");
    bytes += said;
    len -= (size_t)said;
  }
}

void tls_peer_say_nothing(struct tls_peer *peer) {
  must(mbedtls_ssl_write(&peer->ssl, NULL, 0), "write");
}

void tls_peer_close(struct tls_peer *peer) {
  must(mbedtls_ssl_close_notify(&peer->ssl), "close_notify");
}

void tls_peer_alert(struct tls_peer *peer, int level, int number) {
  must(mbedtls_ssl_send_alert_message(&peer->ssl, (unsigned char)level,
                                      (unsigned char)number),
       "alert");
}

/* mbedTLS has no call for it; this is how it writes its own messages. */
#if IS_THREE
int mbedtls_ssl_write_record(mbedtls_ssl_context *ssl, int force_flush);
#else
int mbedtls_ssl_write_record(mbedtls_ssl_context *ssl, uint8_t force_flush);
#endif

void tls_peer_message(struct tls_peer *peer, const void *bytes, size_t len) {
  memcpy(peer->ssl.out_msg, bytes, len);
  peer->ssl.out_msgtype = MBEDTLS_SSL_MSG_HANDSHAKE;
  peer->ssl.out_msglen = len;
  must(mbedtls_ssl_write_record(&peer->ssl, 1), "message");
}
