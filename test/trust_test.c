/* Whom to trust (gate R5; faults.md C1 to C17): each kind of certificate, the
 * verdict on it, and what is said of it, the same with mbedTLS 2.28 and 3.6.
 * Every row is judged twice: by mbedTLS's check of a chain with ours in it,
 * and in a real handshake. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/net/material.h"
#include "../lib/net/tls_lib.h"
#include "shake.h"
#include "tempdir.h"
#include "tls_ca.h"
#include "trust_certs.h"
#include "trust_rows.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

static struct tls_ca *ca;
static struct runnel__mem mem;
static struct runnel__trusts *trusts;
static struct runnel__trust *trust; /* of the row; NULL: none */

static void take(const struct row *row) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char pins[2][64];
  const char *pin_list[2] = {pins[0], pins[1]};
  tls_ca_bundle(ca, "anchors", row->anchors != NULL ? row->anchors : "root");
  options.ca_file = tls_ca_file(ca, "anchors");
  options.crl_file = row->crl == NULL ? NULL : tls_ca_file(ca, row->crl);
  options.insecure = row->insecure;
  options.pins = pin_list;
  for (; options.pins_len < 2 && row->pins[options.pins_len] != NULL;
       options.pins_len++)
    snprintf(pins[options.pins_len], sizeof pins[0], "%s",
             tls_ca_pin(ca, row->pins[options.pins_len]));
  runnel_tls *tls;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  if (runnel_tls_new(&tls, &options) != RUNNEL_OK)
    fail_msg("%s: %s", row->what, options.error_text);
  assert_int_equal(runnel__trust_take(trusts, tls, &trust, text), RUNNEL_OK);
  assert_int_equal(row->insecure, strncmp(text, "insecure: ", 10) == 0);
  runnel_tls_release(tls);
}

static void give(void) {
  runnel__trust_give(trust);
  trust = NULL;
}

static struct runnel__vouch begin(const struct row *row) {
  struct runnel__vouch vouch = {.trust = trust};
  struct runnel__addr addr;
  vouch.host = runnel__str_of(row->host != NULL ? row->host : HOST);
  vouch.literal = runnel__addr_parse(&addr, vouch.host) ||
                  strchr(vouch.host.at, '%') != NULL;
  return vouch;
}

/* What a handshake does with the message of certificates. */
static int verify(struct runnel__vouch *vouch) {
  const mbedtls_ssl_config *config = runnel__trust_config(vouch->trust, 0);
  size_t len;
  char *pem = file_read(tls_ca_file(ca, "chain"), &len);
  mbedtls_x509_crt chain;
  mbedtls_x509_crt_init(&chain);
  uint32_t flags;
  int native =
      mbedtls_x509_crt_parse(&chain, (const unsigned char *)pem, len + 1);
  if (native != 0)
    strcpy(vouch->why, "cannot be read");
  else
    native = mbedtls_x509_crt_verify_with_profile(
        &chain, config->ca_chain, config->ca_crl, config->cert_profile,
        vouch->literal ? NULL : vouch->host.at, &flags, runnel__vouch, vouch);
  if (native == MBEDTLS_ERR_X509_FATAL_ERROR && vouch->code == 0)
    strcpy(vouch->why, "too many");
  else if (native == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
    assert_int_equal(vouch->code, RUNNEL_ETRUST);
  mbedtls_x509_crt_free(&chain);
  free(pem);
  return native;
}

static void check_text(const struct row *row,
                       const struct runnel__vouch *vouch) {
  const char *wanted = row->refused == NULL ? "" : row->refused;
  if (strstr(vouch->why, wanted) == NULL ||
      (row->refused == NULL && vouch->why[0] != '\0'))
    fail_msg("%s: \"%s\", not \"%s\"", row->what, vouch->why, wanted);
  for (const char *c = vouch->why; *c != '\0'; c++)
    if (*c < 0x20 || *c > 0x7e)
      fail_msg("%s: byte %d in \"%s\"", row->what, *c, vouch->why);
}

static void each_chain_has_its_verdict(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(rows); i++) {
    const struct row *row = &rows[i];
    take(row);
    struct runnel__vouch vouch = begin(row);
    tls_ca_bundle(ca, "chain", row->chain);
    int native = verify(&vouch);
    give();
    if ((native == 0) != (row->refused == NULL))
      fail_msg("%s: -0x%04x, \"%s\"", row->what, (unsigned)-native, vouch.why);
    check_text(row, &vouch);
  }
  print_message("%zu chains\n", LEN(rows));
}

/* With each version of TLS; counts the handshakes that began. */
static void check_handshakes(const struct row *row, size_t *shaken) {
  char key[64];
  snprintf(key, sizeof key, "%.*s.key", (int)strcspn(row->chain, " "),
           row->chain);
  for (int version = RUNNEL_TLS_1_2; version <= runnel__tls_lib_version_max();
       version++) {
    struct shake_server server = {tls_ca_file(ca, "chain"),
                                  tls_ca_file(ca, key), version};
    struct runnel__vouch vouch = begin(row);
    int native = shake_hands(&server, &vouch, 0);
    if ((native == 0) != (row->refused == NULL) ||
        (native == 0 && vouch.leaf_until_s == 0))
      fail_msg("%s: -0x%04x, \"%s\"", row->what, (unsigned)-native, vouch.why);
    *shaken += native != 1;
  }
}

static void in_a_handshake_it_is_the_same(void **state) {
  (void)state;
  size_t shaken = 0;
  for (size_t i = 0; i < LEN(rows); i++) {
    take(&rows[i]);
    tls_ca_bundle(ca, "chain", rows[i].chain);
    check_handshakes(&rows[i], &shaken);
    give();
  }
  print_message("%zu handshakes\n", shaken);
}

static int open_group(void **state) {
  (void)state;
  ca = tls_ca_open();
  trust_certs_make(ca);
  runnel__mem_init(&mem, NULL, 1 << 20);
  return runnel__trusts_new(&trusts, &mem);
}

static int close_group(void **state) {
  (void)state;
  if (trust != NULL) /* a row failed */
    give();
  runnel__trusts_free(trusts);
  tls_ca_close(ca);
  return 0;
}

int runnel__test_trust(void);

int runnel__test_trust(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_chain_has_its_verdict),
      cmocka_unit_test(in_a_handshake_it_is_the_same),
  };
  return cmocka_run_group_tests_name("trust", tests, open_group, close_group);
}
