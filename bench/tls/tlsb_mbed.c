/* See tlsb_mbed.h. */
#include "tlsb_mbed.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <string.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

static struct {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt authority;
  mbedtls_ssl_config config;
  mbedtls_ssl_session session;
  int is_kept;
  int forgets;
} self;

_Noreturn void tlsb_mbed_fail(const char *what, int code) {
  char words[128];
  char text[256];
  mbedtls_strerror(code, words, sizeof words);
  snprintf(text, sizeof text, "bare: %s: %s", what, words);
  tlsb_fail(text);
}

static void must(const char *what, int code) {
  if (code != 0)
    tlsb_mbed_fail(what, code);
}

/* All that differs between mbedTLS 2.28 and 3. X25519 first, as in runnel. */
#if MBEDTLS_VERSION_MAJOR >= 3
static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

static void fit(int version) {
  mbedtls_ssl_protocol_version only =
      version == 13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
  must("PSA", (int)psa_crypto_init());
  mbedtls_ssl_conf_min_tls_version(&self.config, only);
  mbedtls_ssl_conf_max_tls_version(&self.config, only);
  mbedtls_ssl_conf_groups(&self.config, groups);
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      &self.config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
}
#else
static const mbedtls_ecp_group_id groups[] = {
    MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};

static void fit(int version) {
  (void)version;
  mbedtls_ssl_conf_min_version(&self.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_curves(&self.config, groups);
}
#endif

void tlsb_mbed_init(const struct tlsb_task *task) {
  const char *text = task->identity.authority;
  mbedtls_entropy_init(&self.entropy);
  mbedtls_ctr_drbg_init(&self.random);
  mbedtls_x509_crt_init(&self.authority);
  mbedtls_ssl_config_init(&self.config);
  mbedtls_ssl_session_init(&self.session);
  must("random numbers",
       mbedtls_ctr_drbg_seed(&self.random, mbedtls_entropy_func, &self.entropy,
                             NULL, 0));
  must("certificate",
       mbedtls_x509_crt_parse(&self.authority, (const unsigned char *)text,
                              strlen(text) + 1));
  must("settings",
       mbedtls_ssl_config_defaults(&self.config, MBEDTLS_SSL_IS_CLIENT,
                                   MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT));
  fit(task->plan.version);
  mbedtls_ssl_conf_ca_chain(&self.config, &self.authority, NULL);
  mbedtls_ssl_conf_rng(&self.config, mbedtls_ctr_drbg_random, &self.random);
}

void tlsb_mbed_deinit(void) {
  mbedtls_ssl_session_free(&self.session);
  mbedtls_ssl_config_free(&self.config);
  mbedtls_x509_crt_free(&self.authority);
  mbedtls_ctr_drbg_free(&self.random);
  mbedtls_entropy_free(&self.entropy);
}

void tlsb_mbed_setup(mbedtls_ssl_context *ssl) {
  mbedtls_ssl_init(ssl);
  must("connection", mbedtls_ssl_setup(ssl, &self.config));
  must("host", mbedtls_ssl_set_hostname(ssl, TLSB_HOST));
  if (self.is_kept)
    must("session", mbedtls_ssl_set_session(ssl, &self.session));
}

void tlsb_mbed_keep(const mbedtls_ssl_context *ssl) {
  if (self.forgets)
    return;
  mbedtls_ssl_session_free(&self.session);
  mbedtls_ssl_session_init(&self.session);
  must("session", mbedtls_ssl_get_session(ssl, &self.session));
  self.is_kept = 1;
}

int tlsb_mbed_lacks(void) { return !self.is_kept; }

void tlsb_mbed_forget(void) {
  mbedtls_ssl_session_free(&self.session);
  mbedtls_ssl_session_init(&self.session);
  self.is_kept = 0;
  self.forgets = 1;
}

int tlsb_mbed_is_ticket(int code) {
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
  return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
  (void)code;
  return 0;
#endif
}
