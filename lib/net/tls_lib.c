/* See tls_lib.h. What is private in 3.6 is reached here alone: mbedTLS has no
 * other way to give up memory, or to tell an alert's number. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "tls_lib.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>

#include "rng.h"
#include "runnel.h"

#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_MAJOR >= 3
#define HAS_TLS_1_3 1
#else
#define HAS_TLS_1_3 0
#endif

#if HAS_TLS_1_3 || defined(MBEDTLS_USE_PSA_CRYPTO)
#define NEEDS_PSA 1
#include <psa/crypto.h>
#else
#define NEEDS_PSA 0
#endif

/* Forward secret and authentic ones first (RFC 9325 4.2); ChaCha20 before AES,
 * for mbedTLS is faster at it. Of CBC what older servers have with it. */
static const int suites[] = {
#if HAS_TLS_1_3
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    0};

/* RFC 8446 B.3; 2.28 does not know it. */
#define KEY_UPDATE 24

/* Bits of a finite field that a peer may not go below (RFC 9325 4.2.1). */
#define DHE_BITS_MIN 2048

static const char *protocols[] = {"http/1.1", NULL};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int runnel__tls_lib_start(void) {
  int err = 0;
#if NEEDS_PSA
  pthread_mutex_lock(&lock);
  if (psa_crypto_init() != PSA_SUCCESS)
    err = RUNNEL_ERESOURCE;
  pthread_mutex_unlock(&lock);
#endif
  return err;
}

const char *runnel__tls_lib_name(void) {
  static char name[32];
  pthread_mutex_lock(&lock);
  if (name[0] == '\0') {
    unsigned version = mbedtls_version_get_number();
    snprintf(name, sizeof name, "Mbed TLS %u.%u.%u", version >> 24,
             version >> 16 & 0xff, version >> 8 & 0xff);
  }
  pthread_mutex_unlock(&lock);
  return name;
}

int runnel__tls_lib_version_max(void) {
  return HAS_TLS_1_3 ? RUNNEL_TLS_1_3 : RUNNEL_TLS_1_2;
}

#if MBEDTLS_VERSION_MAJOR < 3

/* X25519 first: a quarter less work than with P-256. */
static const mbedtls_ecp_group_id groups[] = {
    MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
    MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE};

static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384,
                             MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};

static void set_versions(mbedtls_ssl_config *config, int min, int max) {
  (void)min;
  (void)max;
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
}

static void set_algorithms(mbedtls_ssl_config *config) {
  mbedtls_ssl_conf_curves(config, groups);
  mbedtls_ssl_conf_sig_hashes(config, hashes);
}

#else

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* PKCS#1 before PSS: 3.6.6 offers PSS in TLS 1.2, but fails if a server takes
 * it (mbedtls issue 10668); servers take the first one that they can. */
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
                                      MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
                                      MBEDTLS_TLS1_3_SIG_NONE};

static mbedtls_ssl_protocol_version version_of(int version) {
  return version == RUNNEL_TLS_1_3 ? MBEDTLS_SSL_VERSION_TLS1_3
                                   : MBEDTLS_SSL_VERSION_TLS1_2;
}

static void set_versions(mbedtls_ssl_config *config, int min, int max) {
  mbedtls_ssl_conf_min_tls_version(config, version_of(min));
  mbedtls_ssl_conf_max_tls_version(config, version_of(max));
}

static void set_algorithms(mbedtls_ssl_config *config) {
  mbedtls_ssl_conf_groups(config, groups);
  mbedtls_ssl_conf_sig_algs(config, signatures);
}

#endif

static void set_resumption(mbedtls_ssl_config *config, int resumes) {
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  mbedtls_ssl_conf_session_tickets(
      config, resumes ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                      : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      config, resumes ? MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
                      : MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
#endif
#else
  (void)config;
  (void)resumes;
#endif
}

int runnel__tls_lib_configure(mbedtls_ssl_config *config, int version_min,
                              int version_max, int resumes) {
  int err = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT,
                                        MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);
  if (err == 0)
    err = mbedtls_ssl_conf_alpn_protocols(config, protocols);
  if (err != 0)
    return err;
  set_versions(config, version_min,
               version_max == 0 ? runnel__tls_lib_version_max() : version_max);
  mbedtls_ssl_conf_ciphersuites(config, suites);
  mbedtls_ssl_conf_dhm_min_bitlen(config, DHE_BITS_MIN);
  set_algorithms(config);
  set_resumption(config, resumes);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
  return 0;
}

int runnel__tls_lib_parse_key(mbedtls_pk_context *key, const void *bytes,
                              size_t len, const char *password) {
  const unsigned char *secret = (const unsigned char *)password;
  size_t secret_len = password == NULL ? 0 : strlen(password);
#if MBEDTLS_VERSION_MAJOR < 3
  return mbedtls_pk_parse_key(key, bytes, len, secret, secret_len);
#else
  return mbedtls_pk_parse_key(key, bytes, len, secret, secret_len,
                              runnel__rng_draw, NULL);
#endif
}

int runnel__tls_lib_check_pair(const mbedtls_pk_context *public_key,
                               mbedtls_pk_context *private_key) {
#if MBEDTLS_VERSION_MAJOR < 3
  return mbedtls_pk_check_pair(public_key, private_key);
#else
  return mbedtls_pk_check_pair(public_key, private_key, runnel__rng_draw, NULL);
#endif
}

/* Less than this, and nothing works. */
#define PROBE_BYTES 4096

/* mbedTLS tells some failed allocations as bad input, so that memory itself is
 * asked for as well. */
static int has_memory(void) {
  void *probe = mbedtls_calloc(1, PROBE_BYTES);
  mbedtls_free(probe);
  return probe != NULL;
}

/* A code is the sum of one of a high module and one of a low one. */
int runnel__tls_lib_is_no_memory(int code) {
  int low = -(-code & 0x7f), high = -(-code & ~0x7f);
  return low == MBEDTLS_ERR_ASN1_ALLOC_FAILED ||
         low == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
         high == MBEDTLS_ERR_X509_ALLOC_FAILED ||
         high == MBEDTLS_ERR_PK_ALLOC_FAILED ||
         high == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
         high == MBEDTLS_ERR_MD_ALLOC_FAILED ||
         high == MBEDTLS_ERR_PEM_ALLOC_FAILED ||
         high == MBEDTLS_ERR_CIPHER_ALLOC_FAILED ||
         high == MBEDTLS_ERR_SSL_ALLOC_FAILED || (code != 0 && !has_memory());
}

/* In 3.6 states of a server follow, in 2.28 states of a handshake. */
int runnel__tls_lib_is_over(const mbedtls_ssl_context *ssl) {
#if MBEDTLS_VERSION_MAJOR < 3
  return ssl->state == MBEDTLS_SSL_HANDSHAKE_OVER;
#else
  return ssl->state >= MBEDTLS_SSL_HANDSHAKE_OVER;
#endif
}

int runnel__tls_lib_is_ticket(int code) {
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
  return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
  (void)code;
  return 0;
#endif
}

int runnel__tls_lib_is_version(int code) {
#if MBEDTLS_VERSION_MAJOR < 3
  return code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION;
#else
  return code == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION;
#endif
}

/* The alert stands in the record that was read last. */
int runnel__tls_lib_alert(const mbedtls_ssl_context *ssl) {
  return ssl->in_msg[1];
}

int runnel__tls_lib_is_key_update(const mbedtls_ssl_context *ssl) {
  return ssl->in_msgtype == MBEDTLS_SSL_MSG_HANDSHAKE && ssl->in_msglen > 0 &&
         ssl->in_msg[0] == KEY_UPDATE;
}

static int is_1_3(const mbedtls_ssl_session *session) {
#if HAS_TLS_1_3
  return session->tls_version == MBEDTLS_SSL_VERSION_TLS1_3;
#else
  (void)session;
  return 0;
#endif
}

/* A lifetime of 0 means "unspecified" in TLS 1.2 (RFC 5077 3.3), and "at once"
 * in 1.3 (RFC 8446 4.6.1). */
const mbedtls_ssl_session *
runnel__tls_lib_session(const mbedtls_ssl_context *ssl, uint32_t *lifetime_s) {
  const mbedtls_ssl_session *session = ssl->session;
  *lifetime_s = 0;
  if (session == NULL)
    return NULL;
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  if (session->ticket_len > 0) {
    *lifetime_s = session->ticket_lifetime;
    return is_1_3(session) && *lifetime_s == 0 ? NULL : session;
  }
#endif
  return is_1_3(session) || session->id_len == 0 ? NULL : session;
}

static void drop_certificates(mbedtls_ssl_session *session) {
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
  if (session->peer_cert == NULL)
    return;
  mbedtls_x509_crt_free(session->peer_cert);
  mbedtls_free(session->peer_cert);
  session->peer_cert = NULL;
#else
  (void)session;
#endif
}

/* A ticket of TLS 1.3 is used once (RFC 8446 C.4); new ones come later. */
void runnel__tls_lib_settle(mbedtls_ssl_context *ssl) {
  if (ssl->session == NULL)
    return;
  drop_certificates(ssl->session);
  if (is_1_3(ssl->session))
    runnel__tls_lib_drop_ticket(ssl);
}

void runnel__tls_lib_drop_ticket(mbedtls_ssl_context *ssl) {
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  if (ssl->session == NULL || ssl->session->ticket == NULL)
    return;
  mbedtls_platform_zeroize(ssl->session->ticket, ssl->session->ticket_len);
  mbedtls_free(ssl->session->ticket);
  ssl->session->ticket = NULL;
  ssl->session->ticket_len = 0;
#else
  (void)ssl;
#endif
}
