/* The check of a certificate beside a slow one. What is taken for a host has a
 * subjectAltName that names it, by another reading of the names; an issuer that
 * is taken has no name constraints; a refusal has a reason of one line that can
 * be shown anywhere; and what mbedTLS found wrong is never forgotten.
 *
 * Input: a byte for the host, one for the depth in the chain, one for what
 * mbedTLS found; the rest, a certificate (DER). */
#include <stdlib.h>
#include <string.h>

#include "../../lib/core/addrs.h"
#include "../../lib/net/trust_inside.h"
#include "fuzz.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

/* Somebody has to be trusted; it signs nothing here. */
static const char anchor[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBeDCCAR+gAwIBAgIUNVeNZWvm+W4JxzU+UgLNztcP20wwCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGYW5jaG9yMCAXDTI2MTEyMTEyMDkzMVoYDzIxMjYxMDI4MTIw\n"
    "OTMxWjARMQ8wDQYDVQQDDAZhbmNob3IwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AATQm6uw5JmxiSrNLhZgCgkI9B6AtWM8dDMYLUQ4kDCreXDEDUa8XYZgZXY2TJum\n"
    "qrNVZLK7wicHZ/2KivgqDLrCo1MwUTAdBgNVHQ4EFgQUMIgqAhJsuT8w4LMI7Jrs\n"
    "EYh2YVEwHwYDVR0jBBgwFoAUMIgqAhJsuT8w4LMI7JrsEYh2YVEwDwYDVR0TAQH/\n"
    "BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAY3fgAwsO96HA0j3buLsm0I/bTb7dR\n"
    "80z7PHIIQTFA/QIgNqisrKxayJaedszrAsw92kHT+5ywMPPm5Ux5oDuqRvY=\n"
    "-----END CERTIFICATE-----\n";

static const char *const hosts[] = {"example.test",     "www.example.test",
                                    "a.b.example.test", "localhost",
                                    "127.0.0.1",        "::1",
                                    "fe80::1%eth0",     "xn--bcher-kva.test"};

static const uint32_t found[] = {0,
                                 0,
                                 0,
                                 MBEDTLS_X509_BADCERT_EXPIRED,
                                 MBEDTLS_X509_BADCERT_NOT_TRUSTED,
                                 MBEDTLS_X509_BADCERT_CN_MISMATCH,
                                 MBEDTLS_X509_BADCERT_REVOKED,
                                 MBEDTLS_X509_BADCERT_BAD_KEY |
                                     MBEDTLS_X509_BADCERT_FUTURE};

static struct runnel__trust *open_trust(void) {
  static struct runnel__mem mem;
  static struct runnel__trust *trust;
  if (trust != NULL)
    return trust;
  struct runnel__trusts *trusts;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  runnel_tls *tls;
  options.ca = anchor;
  runnel__mem_init(&mem, NULL, 1 << 20);
  FUZZ_CHECK(runnel__trusts_new(&trusts, &mem) == RUNNEL_OK &&
                 runnel_tls_new(&tls, &options) == RUNNEL_OK &&
                 runnel__trust_take(trusts, tls, &trust, text) == RUNNEL_OK,
             "no trust: %s", options.error_text);
  runnel_tls_release(tls);
  return trust;
}

/* Slowly ------------------------------------------------------------------ */

static int is_same(const mbedtls_x509_buf *name, const char *host) {
  if (name->len != strlen(host))
    return 0;
  for (size_t i = 0; i < name->len; i++)
    if (runnel__lower((char)name->p[i]) != runnel__lower(host[i]))
      return 0;
  return 1;
}

/* The host's own wildcard, if it has labels enough for one. */
static int is_wild(const mbedtls_x509_buf *name, const char *host) {
  const char *dot = strchr(host, '.');
  if (dot == NULL || strchr(dot + 1, '.') == NULL)
    return 0;
  char wild[64] = "*";
  strcat(wild, dot);
  return is_same(name, wild);
}

static int is_named_slowly(const mbedtls_x509_crt *crt, const char *host) {
  struct runnel__addr addr;
  struct runnel__str literal = {host, strcspn(host, "%")};
  int is_addr = runnel__addr_parse(&addr, literal), named = 0;
  for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at != NULL;
       at = at->next) {
    const mbedtls_x509_buf *name = &at->buf;
    if (name->p == NULL)
      continue;
    if (name->tag == 0x82 && !is_addr)
      named |= is_same(name, host) || is_wild(name, host);
    if (name->tag == 0x87 && name->len != 4 && name->len != 16)
      return 0;
    if (name->tag == 0x87 && is_addr && name->len == (addr.v6 ? 16U : 4U))
      named |= memcmp(name->p, addr.ip, name->len) == 0;
  }
  return named;
}

/* mbedTLS tells of each extension that it does not know; like its own parser,
 * it goes on only past those that are not critical. */
static int note_constraints(void *ctx, mbedtls_x509_crt const *crt,
                            mbedtls_x509_buf const *oid, int critical,
                            const unsigned char *at, const unsigned char *end) {
  (void)crt;
  (void)critical;
  (void)at;
  (void)end;
  if (oid->len == 3 && memcmp(oid->p, "\x55\x1d\x1e", 3) == 0)
    *(int *)ctx = 1;
  return MBEDTLS_ERR_X509_INVALID_EXTENSIONS;
}

/* Both -------------------------------------------------------------------- */

static void check(const mbedtls_x509_crt *crt, const char *host, int depth,
                  uint32_t before, uint32_t after,
                  const struct runnel__vouch *vouch, int constrained) {
  const uint32_t name = MBEDTLS_X509_BADCERT_CN_MISMATCH;
  FUZZ_CHECK((after != 0) == (vouch->code == RUNNEL_ETRUST),
             "flags %x, code %d", after, vouch->code);
  FUZZ_CHECK((before & ~name & ~after) == 0, "%x became %x", before, after);
  FUZZ_CHECK((vouch->code != 0) == (vouch->why[0] != '\0'), "no reason");
  FUZZ_CHECK(memchr(vouch->why, '\0', sizeof vouch->why) != NULL, "no end");
  for (const char *c = vouch->why; *c != '\0'; c++)
    FUZZ_CHECK(*c >= 0x20 && *c <= 0x7e, "byte %d in the reason", *c);
  if (depth == 0)
    FUZZ_CHECK(((after & name) == 0) == is_named_slowly(crt, host),
               "%s: flags %x, \"%s\"", host, after, vouch->why);
  else
    FUZZ_CHECK(after != 0 || !constrained, "constraints were taken");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct fuzz_input input = {bytes, len};
  const char *host = hosts[fuzz_byte(&input) % LEN(hosts)];
  int depth = fuzz_byte(&input) % 3, constrained = 0;
  uint32_t before = found[fuzz_byte(&input) % LEN(found)], after = before;
  struct runnel__vouch vouch = {.trust = open_trust(),
                                .host = runnel__str_of(host)};
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  if (input.len > 0 &&
      mbedtls_x509_crt_parse_der_with_ext_cb(
          &crt, input.at, input.len, 1, note_constraints, &constrained) == 0) {
    FUZZ_CHECK(runnel__vouch(&vouch, &crt, depth, &after) == 0, "ended");
    check(&crt, host, depth, before, after, &vouch, constrained);
  }
  mbedtls_x509_crt_free(&crt);
  return 0;
}
