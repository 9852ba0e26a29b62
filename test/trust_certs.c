/* See trust_certs.h. What a name does not say is in the table. */
#include "trust_certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/pem.h>
#include <mbedtls/x509_crt.h>

#include "tempdir.h"

#define LEN(array) (sizeof(array) / sizeof *(array))
#define NAME "DNS:example.test"
#define SIGN "keyUsage = digitalSignature\n"
#define CA "basicConstraints = critical, CA:TRUE\n"

static const struct tls_cert certs[] = {
    {.name = "good", .san = NAME},
    {.name = "capital", .san = "DNS:Example.TEST"},
    {.name = "other-name", .san = "DNS:other.test"},
    {.name = "no-san", .common_name = "example.test"},
    {.name = "cn-beside-san",
     .san = "DNS:other.test",
     .common_name = "example.test"},
    {.name = "uri",
     .san = "URI:https://example.test/",
     .common_name = "example.test"},
    {.name = "mail",
     .san = "email:you@example.test",
     .common_name = "example.test"},
    {.name = "empty-san", .san = "DER:30:00", .common_name = "example.test"},
    {.name = "part", .san = "DNS:ample.test"},
    {.name = "more", .san = "DNS:www.example.test"},
    {.name = "mixed",
     .san = "IP:192.0.2.1, DNS:x.test, IP:::1, URI:x:y, " NAME},
    {.name = "star", .san = "DNS:*.example.test"},
    {.name = "star-part", .san = "DNS:f*.example.test"},
    {.name = "star-middle", .san = "DNS:a.*.test"},
    {.name = "star-star", .san = "DNS:*.*.test"},
    {.name = "star-alone", .san = "DNS:*"},
    {.name = "star-tld", .san = "DNS:*.test"},
    {.name = "idna", .san = "DNS:xn--bcher-kva.test"},
    {.name = "ip4", .san = "IP:127.0.0.1"},
    {.name = "ip6", .san = "IP:::1"},
    {.name = "ip6-local", .san = "IP:fe80::1"},
    {.name = "ip-as-dns", .san = "DNS:127.0.0.1"},
    {.name = "ip-as-cn", .common_name = "127.0.0.1"},
    {.name = "ip-star", .san = "DNS:*.0.0.1"},
    {.name = "ip-five", .san = "DER:30:07:87:05:7f:00:00:01:00"},
    {.name = "ip-five-beside",
     .san = "DER:30:15:82:0c:65:78:61:6d:70:6c:65:2e:74:65:73:74:"
            "87:05:7f:00:00:01:00"},
    {.name = "ip-mask", .san = "DER:30:0a:87:08:7f:00:00:01:ff:ff:ff:ff"},
    {.name = "ip-ascii", .san = "IP:116.101.115.116"}, /* "test" */
    {.name = "odd-subject", .san = NAME, .common_name = "\x1b[31m\x7f"},
    {.name = "no-cn", .san = NAME, .common_name = ""},

    {.name = "other-ca", .issuer = "other-ca", .is_ca = 1},
    {.name = "of-other", .san = NAME, .issuer = "other-ca"},
    {.name = "twin", .issuer = "twin", .common_name = "root", .is_ca = 1},
    {.name = "of-twin", .san = NAME, .issuer = "twin"},
    {.name = "of-root", .san = NAME, .issuer = "root"},
    {.name = "alone", .san = NAME, .issuer = "alone"},
    {.name = "deep-inter", .issuer = "inter", .is_ca = 1},
    {.name = "deep", .san = NAME, .issuer = "deep-inter"},
    {.name = "expired",
     .san = NAME,
     .from = "20190203040506Z",
     .until = "20200203040506Z"},
    {.name = "future",
     .san = NAME,
     .from = "20990203040506Z",
     .until = "21000203040506Z"},
    {.name = "expired-inter",
     .issuer = "root",
     .is_ca = 1,
     .from = "20190203040506Z",
     .until = "20200203040506Z"},
    {.name = "of-expired", .san = NAME, .issuer = "expired-inter"},
    {.name = "expired-root",
     .issuer = "expired-root",
     .is_ca = 1,
     .from = "20190203040506Z",
     .until = "20200203040506Z"},
    {.name = "of-expired-root", .san = NAME, .issuer = "expired-root"},
    {.name = "of-server", .san = NAME, .issuer = "good"},
    {.name = "no-basic",
     .issuer = "root",
     .is_ca = 1,
     .only = "keyUsage = keyCertSign\n"},
    {.name = "of-no-basic", .san = NAME, .issuer = "no-basic"},
    {.name = "short",
     .issuer = "root",
     .is_ca = 1,
     .only = "basicConstraints = critical, CA:TRUE, pathlen:0\n"},
    {.name = "of-short", .san = NAME, .issuer = "short"},
    {.name = "below-short", .issuer = "short", .is_ca = 1},
    {.name = "of-below-short", .san = NAME, .issuer = "below-short"},
    {.name = "no-sign", .issuer = "root", .is_ca = 1, .only = CA SIGN},
    {.name = "of-no-sign", .san = NAME, .issuer = "no-sign"},
    {.name = "forged",
     .issuer = "inter",
     .is_ca = 1,
     .only = "basicConstraints = DER:30:03:02:01:01\n"
             "keyUsage = keyCertSign\n"},
    {.name = "of-forged", .san = NAME, .issuer = "forged"},

    {.name = "denies", .only = "basicConstraints = DER:30:03:01:01:00\n"},
    {.name = "client",
     .san = NAME,
     .only = SIGN "extendedKeyUsage = clientAuth\n"},
    {.name = "mail-usage",
     .san = NAME,
     .only = "extendedKeyUsage = emailProtection, codeSigning\n"},
    {.name = "no-usage", .san = NAME, .only = SIGN},
    {.name = "any-usage",
     .san = NAME,
     .only = SIGN "extendedKeyUsage = 2.5.29.37.0\n"},
    {.name = "both-usage",
     .san = NAME,
     .only = SIGN "extendedKeyUsage = clientAuth, serverAuth\n"},
    {.name = "no-signature",
     .san = NAME,
     .only = "keyUsage = keyEncipherment\n"},
    {.name = "client-inter",
     .issuer = "root",
     .is_ca = 1,
     .only = CA "extendedKeyUsage = clientAuth\n"},
    {.name = "of-client-inter", .san = NAME, .issuer = "client-inter"},

    {.name = "rsa", .san = NAME, .key = "rsa"},
    {.name = "p384", .san = NAME, .key = "p384", .hash = "sha384"},
    {.name = "sha512", .san = NAME, .hash = "sha512"},
    {.name = "weak", .san = NAME, .key = "rsa1024"},
    {.name = "weak-inter",
     .issuer = "root",
     .is_ca = 1,
     .key = "rsa1024-inter"},
    {.name = "of-weak-inter", .san = NAME, .issuer = "weak-inter"},
    {.name = "sha1", .san = NAME, .hash = "sha1"},
    {.name = "rsa-inter", .issuer = "root", .is_ca = 1, .key = "rsa"},
    {.name = "md5", .san = NAME, .issuer = "rsa-inter", .hash = "md5"},
    {.name = "sha1-inter", .issuer = "root", .is_ca = 1, .hash = "sha1"},
    {.name = "of-sha1-inter", .san = NAME, .issuer = "sha1-inter"},
    {.name = "sha1-root", .issuer = "sha1-root", .is_ca = 1, .hash = "sha1"},
    {.name = "of-sha1-root", .san = NAME, .issuer = "sha1-root"},
    {.name = "ed25519", .san = NAME, .key = "ed25519"},

    {.name = "unknown-critical",
     .san = NAME,
     .with = "1.2.3.4.5 = critical, DER:05:00"},
    {.name = "unknown", .san = NAME, .with = "1.2.3.4.5 = DER:05:00"},
    {.name = "nc-critical",
     .issuer = "root",
     .is_ca = 1,
     .with = "nameConstraints = critical, permitted;DNS:example.test"},
    {.name = "of-nc-critical", .san = NAME, .issuer = "nc-critical"},
    {.name = "nc-broken",
     .issuer = "root",
     .is_ca = 1,
     .with = "nameConstraints = permitted;DNS:other.test"},
    {.name = "of-nc-broken", .san = NAME, .issuer = "nc-broken"},
    {.name = "nc-kept",
     .issuer = "root",
     .is_ca = 1,
     .with = "nameConstraints = permitted;DNS:example.test"},
    {.name = "of-nc-kept", .san = NAME, .issuer = "nc-kept"},
    {.name = "nc-root",
     .issuer = "nc-root",
     .is_ca = 1,
     .with = "nameConstraints = permitted;DNS:example.test"},
    {.name = "of-nc-root", .san = NAME, .issuer = "nc-root"},
    {.name = "nc-leaf",
     .san = NAME,
     .with = "nameConstraints = permitted;DNS:other.test"},

    {.name = "revoked", .san = NAME, .issuer = "root"},
    {.name = "revoked-inter", .issuer = "root", .is_ca = 1},
    {.name = "of-revoked", .san = NAME, .issuer = "revoked-inter"},
};

/* A dNSName of bytes that openssl would not write. */
static void make_odd(struct tls_ca *ca, const char *name, const char *bytes,
                     size_t len) {
  char san[512];
  int at = snprintf(san, sizeof san, "DER:30:%02zx:82:%02zx", len + 2, len);
  for (size_t i = 0; i < len; i++)
    at += snprintf(san + at, sizeof san - (size_t)at, ":%02x",
                   (unsigned char)bytes[i]);
  tls_ca_issue(ca, &(struct tls_cert){.name = name, .san = san});
}

#define ODD(ca, name, literal) make_odd(ca, name, literal, sizeof(literal) - 1)

/* More names than anybody has, the right one last. */
static void make_many(struct tls_ca *ca) {
  char san[16384];
  size_t len = 0;
  for (int i = 0; i < 900; i++)
    len += (size_t)snprintf(san + len, sizeof san - len, "DNS:n%d.test,", i);
  snprintf(san + len, sizeof san - len, NAME);
  tls_ca_issue(ca, &(struct tls_cert){.name = "many", .san = san});
}

/* Each below the one before. */
static void make_long(struct tls_ca *ca) {
  char name[16], issuer[16] = "root";
  for (int i = 1; i <= 12; i++) {
    snprintf(name, sizeof name, "i%d", i);
    tls_ca_issue(
        ca, &(struct tls_cert){.name = name, .issuer = issuer, .is_ca = 1});
    memcpy(issuer, name, sizeof issuer);
  }
  tls_ca_issue(
      ca, &(struct tls_cert){.name = "of-i8", .san = NAME, .issuer = "i8"});
  tls_ca_issue(
      ca, &(struct tls_cert){.name = "of-i12", .san = NAME, .issuer = "i12"});
}

/* The good one, the last bit of its signature turned. */
static void make_spoilt(struct tls_ca *ca) {
  mbedtls_x509_crt crt;
  unsigned char der[4096], pem[8192];
  size_t len;
  mbedtls_x509_crt_init(&crt);
  if (mbedtls_x509_crt_parse_file(&crt, tls_ca_file(ca, "good.pem")) != 0 ||
      crt.raw.len > sizeof der)
    abort();
  memcpy(der, crt.raw.p, crt.raw.len);
  der[crt.raw.len - 1] ^= 1;
  if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                               "-----END CERTIFICATE-----\n", der, crt.raw.len,
                               pem, sizeof pem, &len) != 0)
    abort();
  mbedtls_x509_crt_free(&crt);
  tls_ca_write(ca, "bad-signature.pem", (const char *)pem);
  char *key = file_read(tls_ca_file(ca, "good.key"), NULL);
  tls_ca_write(ca, "bad-signature.key", key);
  free(key);
}

void trust_certs_make(struct tls_ca *ca) {
  for (size_t i = 0; i < LEN(certs); i++)
    tls_ca_issue(ca, &certs[i]);
  ODD(ca, "nul-behind", "example.test\0.evil.test");
  ODD(ca, "nul-end", "example.test\0");
  ODD(ca, "space", "example.test ");
  ODD(ca, "newline", "example.test\n");
  ODD(ca, "dot-behind", "example.test.");
  ODD(ca, "dot-before", ".example.test");
  make_many(ca);
  make_long(ca);
  make_spoilt(ca);
  tls_ca_list_revoked(ca, "other-ca", "other.crl", 0);
  tls_ca_revoke(ca, "revoked");
  tls_ca_revoke(ca, "revoked-inter");
  tls_ca_list_revoked(ca, "root", "root.crl", 0);
  tls_ca_list_revoked(ca, "root", "stale.crl", 1);
  tls_ca_list_revoked(ca, "twin", "twin.crl", 0);
}
