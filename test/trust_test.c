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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/net/material.h"
#include "../lib/net/rng.h"
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

/* As a handshake does: each for itself. */
static int parse(mbedtls_x509_crt *chain, const char *names) {
  char name[64];
  int native = 0;
  for (int len; native == 0 && sscanf(names, " %59s%n", name, &len) == 1;
       names += len) {
    size_t bytes;
    strcat(name, ".pem");
    char *pem = file_read(tls_ca_file(ca, name), &bytes);
    native =
        mbedtls_x509_crt_parse(chain, (const unsigned char *)pem, bytes + 1);
    free(pem);
  }
  return native;
}

static int verify(const struct row *row, struct runnel__vouch *vouch) {
  const mbedtls_ssl_config *config = runnel__trust_config(vouch->trust, 0);
  mbedtls_x509_crt chain;
  mbedtls_x509_crt_init(&chain);
  uint32_t flags;
  int native = parse(&chain, row->chain);
  if (native == 0)
    native = mbedtls_x509_crt_verify_with_profile(
        &chain, config->ca_chain, config->ca_crl, config->cert_profile,
        vouch->literal ? NULL : vouch->host.at, &flags, runnel__vouch, vouch);
  mbedtls_x509_crt_free(&chain);
  return native;
}

static void check_text(const struct row *row,
                       const struct runnel__vouch *vouch) {
  if (!row_explains(row, vouch->why))
    fail_msg("%s: \"%s\"", row->what, vouch->why);
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
    int native = verify(row, &vouch);
    give();
    if ((native == 0) != (row->refused == NULL))
      fail_msg("%s: -0x%04x, \"%s\"", row->what, (unsigned)-native, vouch.why);
    if (native != 0)
      assert_int_equal(runnel__vouch_failed(&vouch, native), RUNNEL_ETRUST);
    check_text(row, &vouch);
  }
  print_message("%zu chains\n", LEN(rows));
}

/* With each version of TLS; counts the handshakes that began. A server of
 * mbedTLS's may see for itself that its certificate will not do. */
static void check_handshakes(const struct row *row, size_t *shaken) {
  char key[64];
  snprintf(key, sizeof key, "%.*s.key", (int)strcspn(row->chain, " "),
           row->chain);
  for (int version = RUNNEL_TLS_1_2; version <= runnel__tls_lib_version_max();
       version++) {
    struct shake_server server = {.chain_file = tls_ca_file(ca, "chain"),
                                  .key_file = tls_ca_file(ca, key),
                                  .version = version};
    struct runnel__vouch vouch = begin(row);
    int native = shake_hands(&server, &vouch, 0);
    if ((native == 0) != (row->refused == NULL) ||
        (native == 0 && vouch.leaf_until_s == 0))
      fail_msg("%s: -0x%04x, \"%s\"", row->what, (unsigned)-native, vouch.why);
    if (native == 0 || runnel__vouch_failed(&vouch, native) == RUNNEL_ETRUST)
      check_text(row, &vouch);
    else if (vouch.code != 0 || vouch.leaf_until_s != 0)
      fail_msg("%s: -0x%04x", row->what, (unsigned)-native);
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

/* What mbedTLS and our callers see to as well is not left to them. */
static void the_check_stands_alone(void **state) {
  (void)state;
  struct row row = {.what = "alone", .chain = "good"};
  uint32_t flags = 0;
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  assert_int_equal(parse(&crt, row.chain), 0);
  take(&row);
  struct runnel__vouch vouch = begin(&row);
  assert_int_equal(runnel__vouch(&vouch, &crt, 0, &flags), 0);
  assert_int_equal(flags | (uint32_t)vouch.code, 0);
  vouch.literal = 1; /* of an address that is none */
  assert_int_equal(runnel__vouch(&vouch, &crt, 0, &flags), 0);
  assert_int_equal(flags, MBEDTLS_X509_BADCERT_CN_MISMATCH);
  static const char *const servers[] = {"good", "denies"};
  for (size_t i = 0; i < LEN(servers); i++) {
    mbedtls_x509_crt issuer;
    mbedtls_x509_crt_init(&issuer);
    assert_int_equal(parse(&issuer, servers[i]), 0);
    vouch = begin(&row);
    flags = 0;
    assert_int_equal(runnel__vouch(&vouch, &issuer, 1, &flags), 0);
    assert_int_equal(flags, MBEDTLS_X509_BADCERT_NOT_TRUSTED);
    assert_non_null(strstr(vouch.why, "may not issue others"));
    mbedtls_x509_crt_free(&issuer);
  }
  give();
  mbedtls_x509_crt_free(&crt);
}

/* C19, and what a redirect to another origin must not show. */
static void the_client_s_certificate_is_shown_to_whom_it_is_for(void **state) {
  (void)state;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  runnel_tls *tls;
  options.ca_file = tls_ca_file(ca, "root.pem");
  options.cert_file = tls_ca_file(ca, "client.chain.pem");
  options.key_file = tls_ca_file(ca, "client.key");
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_OK);
  assert_int_equal(runnel__trust_take(trusts, tls, &trust, text), RUNNEL_OK);
  runnel_tls_release(tls);
  struct shake_server server = {.chain_file = tls_ca_file(ca, "good.chain.pem"),
                                .key_file = tls_ca_file(ca, "good.key")};
  for (int asked = 0; asked < 2; asked++) {
    server.client_ca_file = asked ? tls_ca_file(ca, "root.pem") : NULL;
    for (server.version = RUNNEL_TLS_1_2;
         server.version <= runnel__tls_lib_version_max(); server.version++) {
      struct row row = {.host = HOST};
      struct runnel__vouch named = begin(&row), anonymous = begin(&row);
      assert_int_equal(shake_hands(&server, &named, 0), 0);
      assert_int_equal(shake_hands(&server, &anonymous, 1) == 0, !asked);
      assert_int_equal(anonymous.code, 0);
    }
  }
  give();
}

/* Finding 5: a child must not draw what its parent draws. */
static void a_fork_doubles_no_random_number(void **state) {
  (void)state;
  unsigned char mine[16], its[16];
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit(runnel__rng_draw(NULL, its, sizeof its) != 0 ||
          write(ends[1], its, sizeof its) != sizeof its);
  assert_int_equal(runnel__rng_draw(NULL, mine, sizeof mine), 0);
  assert_int_equal(read(ends[0], its, sizeof its), sizeof its);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_memory_not_equal(mine, its, sizeof mine);
  close(ends[0]);
  close(ends[1]);
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
      cmocka_unit_test(the_check_stands_alone),
      cmocka_unit_test(the_client_s_certificate_is_shown_to_whom_it_is_for),
      cmocka_unit_test(a_fork_doubles_no_random_number),
  };
  return cmocka_run_group_tests_name("trust", tests, open_group, close_group);
}
