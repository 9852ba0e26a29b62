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

#define LEN(array) (sizeof(array) / sizeof *(array))
#define HOST "example.test"

static struct tls_ca *ca;
static struct runnel__mem mem;
static struct runnel__trusts *trusts;
static struct runnel__trust *trust; /* of the row; NULL: none */

struct row {
  const char *what;
  const char *chain;   /* names of certificates, the peer's own first */
  const char *host;    /* NULL: HOST */
  const char *refused; /* a part of the reason; NULL: accepted */
  const char *anchors; /* names of certificates; NULL: "root" */
  const char *crl;     /* a file; NULL: none */
  const char *pins[2]; /* names of certificates */
  int insecure;
};

static const struct row rows[] = {
    /* Names: C3 to C10 */
    {.what = "the name", .chain = "good inter"},
    {.what = "the name in other letters",
     .chain = "good inter",
     .host = "EXAMPLE.test"},
    {.what = "letters in the certificate", .chain = "capital inter"},
    {.what = "another name",
     .chain = "other-name inter",
     .refused =
         "\"CN=other-name\" is not for example.test, but for other.test"},
    {.what = "C4: no SAN, the common name is it",
     .chain = "no-san inter",
     .refused = "\"CN=example.test\" is not for example.test: it has no "
                "subjectAltName"},
    {.what = "C3: a SAN, and the common name is it",
     .chain = "cn-beside-san inter",
     .refused = "but for other.test"},
    {.what = "C3: a URI is no name",
     .chain = "uri inter",
     .refused = "no subjectAltName with a"},
    {.what = "C3: a mail address is no name",
     .chain = "mail inter",
     .refused = "no subjectAltName"},
    {.what = "C3: an empty SAN",
     .chain = "empty-san inter",
     .refused = "no subjectAltName with a"},
    {.what = "C3: NUL behind the name",
     .chain = "nul-behind inter",
     .refused = "but for example.test?.evil.test"},
    {.what = "C3: NUL at its end",
     .chain = "nul-end inter",
     .refused = "but for example.test?"},
    {.what = "C3: a space behind it",
     .chain = "space inter",
     .refused = "but for example.test "},
    {.what = "C3: a line end behind it",
     .chain = "newline inter",
     .refused = "example.test?"},
    {.what = "C3: a dot behind it",
     .chain = "dot-behind inter",
     .refused = "example.test."},
    {.what = "C3: a dot before it",
     .chain = "dot-before inter",
     .refused = ".example.test"},
    {.what = "C3: a part of it",
     .chain = "part inter",
     .refused = "but for ample.test"},
    {.what = "C3: more than it",
     .chain = "more inter",
     .refused = "but for www.example.test"},
    {.what = "the last of many", .chain = "many inter"},
    {.what = "none of many",
     .chain = "many inter",
     .host = "n1000.test",
     .refused = "but for n0.test, n1.test, n2.test, n3.test, n4.test, n5.test"},
    {.what = "an address among names", .chain = "mixed inter"},
    {.what = "a name among addresses",
     .chain = "mixed inter",
     .host = "192.0.2.1"},
    {.what = "C5: a wildcard",
     .chain = "star inter",
     .host = "www.example.test"},
    {.what = "C5: a wildcard, two labels",
     .chain = "star inter",
     .host = "a.b.example.test",
     .refused = "but for *.example.test"},
    {.what = "C5: a wildcard, no label",
     .chain = "star inter",
     .refused = "*.example.test"},
    {.what = "C5: a part of a label",
     .chain = "star-part inter",
     .host = "foo.example.test",
     .refused = "f*.exam"},
    {.what = "C5: in the middle",
     .chain = "star-middle inter",
     .host = "a.b.test",
     .refused = "but for a.*.test"},
    {.what = "C5: two of them",
     .chain = "star-star inter",
     .host = "a.b.test",
     .refused = "but for *.*.test"},
    {.what = "C5: nothing but it",
     .chain = "star-alone inter",
     .host = "localhost",
     .refused = "but for *"},
    {.what = "C6: of a top-level domain",
     .chain = "star-tld inter",
     .refused = "but for *.test"},
    {.what = "C7: a name in IDNA's form",
     .chain = "idna inter",
     .host = "xn--bcher-kva.test"},
    {.what = "C7: IDNA under a wildcard",
     .chain = "star inter",
     .host = "xn--bcher-kva.example.test"},
    {.what = "C8: an IPv4 address", .chain = "ip4 inter", .host = "127.0.0.1"},
    {.what = "C8: an IPv6 address", .chain = "ip6 inter", .host = "::1"},
    {.what = "C8: another spelling of it",
     .chain = "ip6 inter",
     .host = "0:0:0:0:0:0:0:1"},
    {.what = "C8: one with a zone",
     .chain = "ip6-local inter",
     .host = "fe80::1%eth0"},
    {.what = "C9: an address as a dNSName",
     .chain = "ip-as-dns inter",
     .host = "127.0.0.1",
     .refused = "is not for 127.0.0.1, but for 127.0.0.1"},
    {.what = "C9: as common name",
     .chain = "ip-as-cn inter",
     .host = "127.0.0.1",
     .refused = "no subjectAltName"},
    {.what = "C9: under a wildcard",
     .chain = "ip-star inter",
     .host = "127.0.0.1",
     .refused = "*.0.0.1"},
    {.what = "C10: another IPv4 address",
     .chain = "ip4 inter",
     .host = "127.0.0.2",
     .refused = "for 127.0.0.1"},
    {.what = "C10: another IPv6 address",
     .chain = "ip6 inter",
     .host = "::2",
     .refused = "not for ::2, but for"},
    {.what = "C10: an address of five bytes",
     .chain = "ip-five inter",
     .host = "127.0.0.1",
     .refused = "cannot be read"},
    {.what = "C10: a bad address beside the name",
     .chain = "ip-five-beside inter",
     .refused = "cannot be read"},
    {.what = "C10: an address and its mask",
     .chain = "ip-mask inter",
     .host = "127.0.0.1",
     .refused = "cannot be read"},
    {.what = "C10: the host's four letters",
     .chain = "ip-ascii inter",
     .host = "test",
     .refused = "but for 116.101.115.116"},
    {.what = "CVE-2016-3739: a name for an address",
     .chain = "good inter",
     .host = "127.0.0.1",
     .refused = "not for 127.0.0.1, but for example.test"},
    {.what = "an odd subject",
     .chain = "odd-subject inter",
     .host = "no.test",
     .refused = "\"CN=?[31m?\" is not for no.test"},
    {.what = "no common name",
     .chain = "no-cn inter",
     .host = "no.test",
     .refused = "\"O=runnel\" is not for"},

    /* Chains: C1, C2, C12, C13, C17 */
    {.what = "a chain with its root", .chain = "good inter root"},
    {.what = "what does not belong to it", .chain = "good other-ca inter"},
    {.what = "C2: in the wrong order",
     .chain = "deep inter deep-inter",
     .refused = "\"CN=deep-inter\" was issued by \"CN=inter\", which leads"},
    {.what = "in order", .chain = "deep deep-inter inter"},
    {.what = "C2: the intermediate is missing",
     .chain = "good",
     .refused =
         "\"CN=good\" was issued by \"CN=inter\", which leads to no trusted"},
    {.what = "C2: another is in its place",
     .chain = "good other-ca",
     .refused = "leads to no trusted"},
    {.what = "C2: another authority",
     .chain = "of-other other-ca",
     .refused = "\"CN=other-ca\" is signed by itself, and not trusted"},
    {.what = "the other authority is trusted",
     .chain = "of-other",
     .anchors = "other-ca"},
    {.what = "both are trusted",
     .chain = "of-other",
     .anchors = "root other-ca"},
    {.what = "C2: the same name, another key",
     .chain = "of-twin",
     .refused = "to no trusted"},
    {.what = "C2: signed by itself",
     .chain = "alone",
     .refused = "\"CN=alone\" is signed by itself"},
    {.what = "signed by itself, and trusted",
     .chain = "alone",
     .anchors = "alone"},
    {.what = "trusted itself, of another name",
     .chain = "alone",
     .host = "other.test",
     .refused = "not for other.test",
     .anchors = "alone"},
    {.what = "C2: the signature is not good",
     .chain = "bad-signature inter",
     .refused = "leads to no trusted"},
    {.what = "C1: expired",
     .chain = "expired inter",
     .refused = "\"CN=expired\" expired on 2020-02-03 04:05:06 UTC"},
    {.what = "C1: not yet valid",
     .chain = "future inter",
     .refused = "\"CN=future\" is not valid before 2099-02-03 04:05:06 UTC"},
    {.what = "C1: the intermediate expired",
     .chain = "of-expired expired-inter",
     .refused = "\"CN=expired-inter\" expired on 2020"},
    {.what = "C1: the root expired",
     .chain = "of-expired-root",
     .refused = "\"CN=expired-root\" expired on 2020",
     .anchors = "expired-root"},
    {.what = "C13: a server issued it",
     .chain = "of-server good inter",
     .refused = "to no trusted"},
    {.what = "C13: no basicConstraints",
     .chain = "of-no-basic no-basic",
     .refused = "no trusted"},
    {.what = "C13: the path is too long",
     .chain = "of-below-short below-short short",
     .refused = "leads to no trusted"},
    {.what = "C13: the path is just short enough", .chain = "of-short short"},
    {.what = "C13: it may not sign others",
     .chain = "of-no-sign no-sign",
     .refused = "to no trusted"},
    {.what = "CVE-2026-49300: a path length alone",
     .chain = "of-forged forged inter",
     .refused = "may not issue others"},
    {.what = "C17: eight intermediates",
     .chain = "of-i8 i8 i7 i6 i5 i4 i3 i2 i1"},
    {.what = "C17: twelve",
     .chain = "of-i12 i12 i11 i10 i9 i8 i7 i6 i5 i4 i3 i2 i1",
     .refused = "too many"},

    /* Usage: C11 */
    {.what = "C11: for clients only",
     .chain = "client inter",
     .refused = "\"CN=client\" is not for servers (extendedKeyUsage)"},
    {.what = "C11: for mail and code",
     .chain = "mail-usage inter",
     .refused = "is not for servers"},
    {.what = "no extendedKeyUsage", .chain = "no-usage inter"},
    {.what = "for anything", .chain = "any-usage inter"},
    {.what = "for clients and servers", .chain = "both-usage inter"},
    {.what = "C11: may not sign",
     .chain = "no-signature inter",
     .refused = "may not sign (keyUsage)"},
    {.what = "an issuer that is for clients only",
     .chain = "of-client-inter client-inter",
     .refused = "\"CN=client-inter\" is not for servers"},

    /* Strength: C12 */
    {.what = "RSA of 2048 bits", .chain = "rsa inter"},
    {.what = "P-384, SHA-384", .chain = "p384 inter"},
    {.what = "SHA-512", .chain = "sha512 inter"},
    {.what = "C12: RSA of 1024 bits",
     .chain = "weak inter",
     .refused = "\"CN=weak\" has a key that is too weak"},
    {.what = "C12: an issuer's of 1024 bits",
     .chain = "of-weak-inter weak-inter",
     .refused = "too weak"},
    {.what = "C12: SHA-1",
     .chain = "sha1 inter",
     .refused = "\"CN=sha1\" is signed with a hash that is too weak"},
    {.what = "C12: MD5",
     .chain = "md5 rsa-inter",
     .refused = "a hash that is too weak"},
    {.what = "C12: SHA-1 further up",
     .chain = "of-sha1-inter sha1-inter",
     .refused = "\"CN=sha1-inter\" is signed with a hash that is too weak"},
    {.what = "a root's own signature does not matter",
     .chain = "of-sha1-root",
     .anchors = "sha1-root"},
    {.what = "a kind of key that is not known",
     .chain = "ed25519 inter",
     .refused = "cannot be read"},

    /* Extensions: C14, C15 */
    {.what = "C14: unknown and critical",
     .chain = "unknown-critical inter",
     .refused = "cannot be read"},
    {.what = "unknown", .chain = "unknown inter"},
    {.what = "C14: critical constraints, kept",
     .chain = "of-nc-critical nc-critical",
     .refused = "cannot be read"},
    {.what = "C15: constraints, broken",
     .chain = "of-nc-broken nc-broken",
     .refused =
         "\"CN=nc-broken\" has nameConstraints, which are not understood"},
    {.what = "C15: constraints, kept",
     .chain = "of-nc-kept nc-kept",
     .refused = "nameConstraints"},
    {.what = "C15: constraints of the root",
     .chain = "of-nc-root",
     .refused = "nameConstraints",
     .anchors = "nc-root"},
    {.what = "constraints of a server's mean nothing",
     .chain = "nc-leaf inter"},

    /* Revoked: C16 */
    {.what = "C16: revoked",
     .chain = "revoked",
     .refused = "\"CN=revoked\" was revoked",
     .crl = "root.crl"},
    {.what = "revoked, and no list given", .chain = "revoked"},
    {.what = "not revoked", .chain = "of-root", .crl = "root.crl"},
    {.what = "C16: the intermediate is revoked",
     .chain = "of-revoked revoked-inter",
     .refused = "\"CN=revoked-inter\" was revoked",
     .crl = "root.crl"},
    {.what = "a list out of date",
     .chain = "of-root",
     .refused = "list of revoked certificates is out of date",
     .crl = "stale.crl"},
    {.what = "a list that another signed",
     .chain = "of-root",
     .refused = "list of revoked certificates is not trusted",
     .crl = "twin.crl"},
    {.what = "the list of another authority",
     .chain = "of-root",
     .crl = "other.crl"},

    /* Pins */
    {.what = "its key", .chain = "good inter", .pins = {"good"}},
    {.what = "its issuer's key", .chain = "good inter", .pins = {"inter"}},
    {.what = "the root's key", .chain = "good inter", .pins = {"root"}},
    {.what = "one of two", .chain = "good inter", .pins = {"rsa", "good"}},
    {.what = "another key",
     .chain = "good inter",
     .refused = "\"CN=good\" has none of the pinned keys, but sha256/",
     .pins = {"rsa", "other-ca"}},
    {.what = "one that is shown, but not of the chain",
     .chain = "good inter other-ca",
     .refused = "none of the pinned keys",
     .pins = {"other-ca"}},
    {.what = "a pin replaces nothing else",
     .chain = "expired inter",
     .refused = "expired on",
     .pins = {"good"}},
    {.what = "nor the name",
     .chain = "good inter",
     .host = "other.test",
     .refused = "not for other.test",
     .pins = {"good"}},

    /* Insecure */
    {.what = "insecure: another authority", .chain = "of-other", .insecure = 1},
    {.what = "insecure: signed by itself",
     .chain = "alone",
     .host = "no.test",
     .insecure = 1},
    {.what = "insecure: expired", .chain = "expired", .insecure = 1},
    {.what = "insecure: weak", .chain = "weak inter", .insecure = 1},
    {.what = "insecure: its key",
     .chain = "of-other",
     .pins = {"of-other"},
     .insecure = 1},
    {.what = "insecure: another key",
     .chain = "of-other",
     .refused = "\"CN=of-other\" has none of the pinned keys",
     .pins = {"rsa"},
     .insecure = 1},
    {.what = "insecure: an issuer proves nothing",
     .chain = "good inter",
     .refused = "none of the pinned keys, but sha256/",
     .pins = {"inter"},
     .insecure = 1},
};

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
