/* The check of a peer's chain; see trust_inside.h.
 *
 * mbedTLS builds the chain and checks signatures, dates, path lengths, lists of
 * revoked certificates and the strength of keys. What its versions do
 * differently, or too kindly, is judged here alone: names, name constraints
 * (none is understood, so any fails), the form of basicConstraints, usage. */
#include <arpa/inet.h>
#include <assert.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/peername.h"
#include "cert.h"
#include "material.h"
#include "tls_lib.h"
#include "trust_inside.h"

/* Room for the names that a certificate has, as its refusal shows them. */
#define NAMES_BYTES 100

/* The base64 of a pin, with its NUL. */
#define PIN_TEXT_BYTES 48

/* The same number under two names. */
#define BAD_CERTIFICATE (-0x7A00)

/* The first reason stays, for what comes after it often follows from it. */
__attribute__((format(printf, 3, 4))) static void
refuse(struct runnel__vouch *vouch, const mbedtls_x509_crt *crt,
       const char *format, ...) {
  if (vouch->code != 0)
    return;
  vouch->code = RUNNEL_ETRUST;
  char subject[RUNNEL__SHOWN_BYTES];
  runnel__cert_show_name(subject, &crt->subject);
  int len =
      snprintf(vouch->why, sizeof vouch->why, "certificate \"%s\" ", subject);
  assert(len > 0 && (size_t)len < sizeof vouch->why);
  va_list args;
  va_start(args, format);
  vsnprintf(vouch->why + len, sizeof vouch->why - (size_t)len, format, args);
  va_end(args);
}

/* What the library found ------------------------------------------------ */

static const struct fault {
  uint32_t flags;
  const char *text;
} faults[] = {
    {MBEDTLS_X509_BADCERT_REVOKED, "was revoked"},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_BAD_MD |
         MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY,
     "has an issuer whose list of revoked certificates is not trusted"},
    {MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE,
     "has an issuer whose list of revoked certificates is out of date"},
    {MBEDTLS_X509_BADCERT_BAD_MD, "is signed with a hash that is too weak"},
    {MBEDTLS_X509_BADCERT_BAD_KEY,
     "has a key that is too weak, or its issuer has"},
    {MBEDTLS_X509_BADCERT_BAD_PK, "has a key of a kind that is not accepted"},
};

static void tell_date(struct runnel__vouch *vouch, const mbedtls_x509_crt *crt,
                      const char *what, const mbedtls_x509_time *time) {
  refuse(vouch, crt, "%s %04d-%02d-%02d %02d:%02d:%02d UTC", what, time->year,
         time->mon, time->day, time->hour, time->min, time->sec);
}

static void tell_untrusted(struct runnel__vouch *vouch,
                           const mbedtls_x509_crt *crt) {
  char issuer[RUNNEL__SHOWN_BYTES];
  runnel__cert_show_name(issuer, &crt->issuer);
  /* mbedTLS leaves a certificate empty if it does not know its signature. */
  if (crt->issuer_raw.len > 0 && crt->issuer_raw.len == crt->subject_raw.len &&
      memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->issuer_raw.len) == 0)
    refuse(vouch, crt, "is signed by itself, and not trusted");
  else
    refuse(vouch, crt,
           "was issued by \"%s\", which leads to no trusted certificate",
           issuer);
}

static void tell_faults(struct runnel__vouch *vouch,
                        const mbedtls_x509_crt *crt, uint32_t flags) {
  if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
    tell_date(vouch, crt, "expired on", &crt->valid_to);
  if (flags & MBEDTLS_X509_BADCERT_FUTURE)
    tell_date(vouch, crt, "is not valid before", &crt->valid_from);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    if (flags & faults[i].flags)
      refuse(vouch, crt, "%s", faults[i].text);
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
    tell_untrusted(vouch, crt);
  if (flags != 0)
    refuse(vouch, crt, "was not verified (0x%X)", (unsigned)flags);
}

/* Names ----------------------------------------------------------------- */

/* The names that were found, as many as there is room for. */
struct names {
  char text[NAMES_BYTES];
  size_t len;
  size_t more; /* that are not in the text */
};

static void note_name(struct names *names, const struct runnel__san *san) {
  char shown[RUNNEL__SHOWN_BYTES];
  if (san->tag == RUNNEL__SAN_DNS)
    runnel__cert_show(shown, san->value);
  else
    inet_ntop(san->value.len == 4 ? AF_INET : AF_INET6, san->value.at, shown,
              sizeof shown);
  size_t len = strlen(shown);
  if (names->more > 0 || len + 2 >= sizeof names->text - names->len) {
    names->more++;
    return;
  }
  names->len += (size_t)snprintf(names->text + names->len,
                                 sizeof names->text - names->len, "%s%s",
                                 names->len > 0 ? ", " : "", shown);
}

/* 1, 0, or -1: this is no address. */
static int is_named(const struct runnel__san *san, struct runnel__str host,
                    const struct runnel__addr *addr) {
  if (san->tag == RUNNEL__SAN_DNS)
    return addr == NULL && runnel__peername_is_host(san->value, host);
  if (san->value.len != 4 && san->value.len != 16)
    return -1;
  return addr != NULL && runnel__peername_is_addr(san->value, addr);
}

/* All entries are read, so that one that is malformed counts wherever it is.
 * 1, 0, or -1: malformed. */
static int find_name(const mbedtls_x509_crt *crt, struct runnel__str host,
                     const struct runnel__addr *addr, struct names *names) {
  struct runnel__str value;
  struct runnel__san san;
  int there = runnel__cert_extension(crt, RUNNEL__EXT_SUBJECT_ALT_NAME, &value);
  if (there > 0)
    there = runnel__san_begin(&san, value);
  if (there <= 0)
    return there;
  int found = 0, read;
  while ((read = runnel__san_next(&san)) > 0) {
    if (san.tag != RUNNEL__SAN_DNS && san.tag != RUNNEL__SAN_ADDR)
      continue;
    int named = is_named(&san, host, addr);
    if (named < 0)
      return -1;
    found |= named;
    note_name(names, &san);
  }
  return read < 0 ? -1 : found;
}

static void tell_names(struct runnel__vouch *vouch, const mbedtls_x509_crt *crt,
                       const struct names *names) {
  char host[RUNNEL__SHOWN_BYTES], more[32] = "";
  runnel__cert_show(host, vouch->host);
  if (names->more > 0)
    snprintf(more, sizeof more, "%s%zu more", names->len > 0 ? " and " : "",
             names->more);
  if (names->len + names->more == 0)
    refuse(vouch, crt, "is not for %s: it has no subjectAltName with a host",
           host);
  else
    refuse(vouch, crt, "is not for %s, but for %s%s", host, names->text, more);
}

/* A host that is an address is one, whatever it was taken for. */
static uint32_t judge_names(struct runnel__vouch *vouch,
                            const mbedtls_x509_crt *crt) {
  struct runnel__addr addr;
  struct runnel__str host = vouch->host;
  const char *zone = host.len > 0 ? memchr(host.at, '%', host.len) : NULL;
  if (zone != NULL)
    host.len = (size_t)(zone - host.at);
  int is_addr = runnel__addr_parse(&addr, host);
  struct names names = {0};
  int found = find_name(crt, host, is_addr ? &addr : NULL, &names);
  if (found > 0 && (is_addr || !vouch->literal))
    return 0;
  if (found < 0)
    refuse(vouch, crt, "has names that cannot be read");
  tell_names(vouch, crt, &names);
  return MBEDTLS_X509_BADCERT_CN_MISMATCH;
}

/* The rest -------------------------------------------------------------- */

static uint32_t judge_usage(struct runnel__vouch *vouch,
                            const mbedtls_x509_crt *crt, int depth) {
  if (mbedtls_x509_crt_check_extended_key_usage(
          crt, MBEDTLS_OID_SERVER_AUTH,
          MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0) {
    refuse(vouch, crt, "is not for servers (extendedKeyUsage)");
    return MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  }
  if (depth == 0 && mbedtls_x509_crt_check_key_usage(
                        crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0) {
    refuse(vouch, crt, "may not sign (keyUsage)");
    return MBEDTLS_X509_BADCERT_KEY_USAGE;
  }
  return 0;
}

static uint32_t judge_authority(struct runnel__vouch *vouch,
                                const mbedtls_x509_crt *crt) {
  struct runnel__str value;
  int there =
      runnel__cert_extension(crt, RUNNEL__EXT_BASIC_CONSTRAINTS, &value);
  if (there < 0 || (there > 0 && !runnel__cert_says_authority(value))) {
    refuse(vouch, crt, "may not issue others (basicConstraints)");
    return MBEDTLS_X509_BADCERT_NOT_TRUSTED;
  }
  if (runnel__cert_extension(crt, RUNNEL__EXT_NAME_CONSTRAINTS, &value) != 0) {
    refuse(vouch, crt, "has nameConstraints, which are not understood");
    return MBEDTLS_X509_BADCERT_OTHER;
  }
  return 0;
}

static int hash_key(const mbedtls_x509_crt *crt, unsigned char *hash) {
  return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt->pk_raw.p,
                    crt->pk_raw.len, hash);
}

static void note_pin(struct runnel__vouch *vouch,
                     const struct runnel__material *material,
                     const mbedtls_x509_crt *crt) {
  unsigned char hash[RUNNEL__PIN_BYTES];
  if (material->pins_len == 0 || hash_key(crt, hash) != 0)
    return;
  for (size_t i = 0; i < material->pins_len; i++)
    if (memcmp(hash, material->pins[i], sizeof hash) == 0)
      vouch->pinned = 1;
}

static uint32_t judge_pins(struct runnel__vouch *vouch,
                           const struct runnel__material *material,
                           const mbedtls_x509_crt *crt) {
  if (material->pins_len == 0 || vouch->pinned)
    return 0;
  unsigned char hash[RUNNEL__PIN_BYTES] = {0};
  unsigned char pin[PIN_TEXT_BYTES] = "";
  size_t len;
  if (hash_key(crt, hash) == 0)
    (void)mbedtls_base64_encode(pin, sizeof pin, &len, hash, sizeof hash);
  refuse(vouch, crt, "has none of the pinned keys, but sha256/%s%s", pin,
         material->insecure ? "" : ", and nor has its issuer");
  return MBEDTLS_X509_BADCERT_OTHER;
}

/* Only a key that was pinned is asked for. The flags of a chain that need not
 * be trusted say nothing; a result other than 0 ends the handshake. */
static int judge_insecure(struct runnel__vouch *vouch,
                          const struct runnel__material *material,
                          const mbedtls_x509_crt *crt, int depth,
                          uint32_t *flags) {
  *flags = 0;
  if (depth > 0)
    return 0;
  note_pin(vouch, material, crt);
  return judge_pins(vouch, material, crt) == 0 ? 0
                                               : MBEDTLS_ERR_X509_FATAL_ERROR;
}

int runnel__vouch(void *ctx, mbedtls_x509_crt *crt, int depth,
                  uint32_t *flags) {
  struct runnel__vouch *vouch = ctx;
  const struct runnel__material *material =
      runnel__trust_material(vouch->trust);
  if (depth == 0)
    vouch->leaf_until_s = runnel__cert_seconds(&crt->valid_to);
  if (material->insecure)
    return judge_insecure(vouch, material, crt, depth, flags);
  *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
  tell_faults(vouch, crt, *flags);
  *flags |= judge_usage(vouch, crt, depth);
  note_pin(vouch, material, crt);
  if (depth > 0)
    *flags |= judge_authority(vouch, crt);
  else
    *flags |= judge_names(vouch, crt) | judge_pins(vouch, material, crt);
  return 0;
}

static int is_about_certificates(int native) {
  int code = -(-native & ~0x7f); /* without the low module's part */
  return (code <= MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE &&
          code >= MBEDTLS_ERR_X509_BUFFER_TOO_SMALL) ||
         code == MBEDTLS_ERR_X509_FATAL_ERROR ||
         code == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG ||
         code == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE ||
         code == MBEDTLS_ERR_PK_INVALID_ALG ||
         code == MBEDTLS_ERR_PK_INVALID_PUBKEY || code == BAD_CERTIFICATE;
}

int runnel__vouch_failed(struct runnel__vouch *vouch, int native) {
  if (vouch->code != 0)
    return vouch->code;
  if (runnel__tls_lib_is_no_memory(native))
    return vouch->code = RUNNEL_ENOMEM;
  if (!is_about_certificates(native))
    return 0;
  const char *why = "cannot be read";
  if (native == MBEDTLS_ERR_X509_FATAL_ERROR)
    why = "are too many for one chain";
  else if (-(-native & ~0x7f) == MBEDTLS_ERR_X509_INVALID_EXTENSIONS ||
           native == MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE)
    why = "have an extension that cannot be read, or is not understood";
  else if (native == BAD_CERTIFICATE)
    why = "are not of the kind that was agreed on";
  snprintf(vouch->why, sizeof vouch->why,
           "the peer's certificates %s (-0x%04X)", why, (unsigned)-native);
  return vouch->code = RUNNEL_ETRUST;
}
