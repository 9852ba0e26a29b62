/* A material's bytes to mbedTLS's structures; see material.h. */
#include <string.h>

#include "material.h"
#include "tls_lib.h"

/* mbedTLS wants the NUL of PEM counted, and takes all else for DER. */
static size_t parse_len(const struct runnel__blob *blob) {
  return blob->len + (runnel__blob_has(blob, "-----BEGIN ") ? 1 : 0);
}

static int refuse_bytes(char *text, const struct runnel__blob *blob,
                        const char *what, int native) {
  if (runnel__tls_lib_is_no_memory(native))
    return RUNNEL_ENOMEM;
  if (native > 0)
    return runnel__settings_refuse(text,
                                   "%s: %d of its certificates cannot be "
                                   "read",
                                   blob->label, native);
  return runnel__settings_refuse(text, "%s: %s (%s: -0x%04X)", blob->label,
                                 what, runnel__tls_lib_name(),
                                 (unsigned)-native);
}

static int parse_anchors(struct runnel__parsed *parsed,
                         const struct runnel__anchors *store) {
  mbedtls_x509_crt *last = &parsed->anchors; /* spares a walk for each */
  for (size_t i = 0; i < store->certs_len; i++) {
    int native = mbedtls_x509_crt_parse_der_nocopy(
        last, store->bytes + store->certs[i].at, store->certs[i].len);
    if (native != 0)
      return RUNNEL_ENOMEM; /* it was parsed before */
    if (last->next != NULL)
      last = last->next;
  }
  return RUNNEL_OK;
}

/* Why mbedTLS does not take the key. */
static int refuse_key(char *text, const struct runnel__material *material,
                      int native) {
  const struct runnel__blob *key = &material->key;
  int encrypted = runnel__blob_has(key, "ENCRYPTED");
  const char *why = "no private key in it";
  if (runnel__tls_lib_is_no_memory(native))
    return RUNNEL_ENOMEM;
  if (native == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
    why = "the key is encrypted, and key_password is not set";
  else if (native == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
    why = "key_password is not the password of the key";
  else if (encrypted)
    why = "the key is encrypted in a way that cannot be read, or key_password "
          "is wrong";
  else if (runnel__blob_has(key, "PRIVATE KEY-----"))
    why = "the key cannot be read";
  return refuse_bytes(text, key, why, native);
}

static int parse_own(struct runnel__parsed *parsed,
                     const struct runnel__material *material, char *text) {
  int native = mbedtls_x509_crt_parse(&parsed->cert, material->cert.at,
                                      parse_len(&material->cert));
  if (native != 0)
    return refuse_bytes(text, &material->cert,
                        "no certificate in it that can be read", native);
  native = runnel__tls_lib_parse_key(&parsed->key, material->key.at,
                                     parse_len(&material->key),
                                     (const char *)material->password.at);
  if (native != 0)
    return refuse_key(text, material, native);
  native = runnel__tls_lib_check_pair(&parsed->cert.pk, &parsed->key);
  if (runnel__tls_lib_is_no_memory(native))
    return RUNNEL_ENOMEM;
  if (native != 0)
    return runnel__settings_refuse(
        text, "%s: not the key of the first certificate of %s",
        material->key.label, material->cert.label);
  return RUNNEL_OK;
}

static int parse_crl(struct runnel__parsed *parsed,
                     const struct runnel__material *material, char *text) {
  int native = mbedtls_x509_crl_parse(&parsed->crl, material->crl.at,
                                      parse_len(&material->crl));
  if (native != 0)
    return refuse_bytes(text, &material->crl,
                        "no list of revoked certificates that can be read",
                        native);
  return RUNNEL_OK;
}

static int parse_all(struct runnel__parsed *parsed,
                     const struct runnel__material *material, char *text) {
  mbedtls_x509_crt_init(&parsed->anchors);
  mbedtls_x509_crl_init(&parsed->crl);
  mbedtls_x509_crt_init(&parsed->cert);
  mbedtls_pk_init(&parsed->key);
  int err = parse_anchors(parsed, &material->anchors);
  if (err == RUNNEL_OK && material->crl.at != NULL)
    err = parse_crl(parsed, material, text);
  if (err == RUNNEL_OK && material->cert.at != NULL)
    err = parse_own(parsed, material, text);
  if (err != RUNNEL_OK)
    runnel__parsed_deinit(parsed);
  return err;
}

/* What is bad is bad twice; an allocation that failed may have looked so. */
int runnel__parsed_init(struct runnel__parsed *parsed,
                        const struct runnel__material *material, char *text) {
  int err = parse_all(parsed, material, text);
  if (err == RUNNEL_EINVAL)
    err = parse_all(parsed, material, text);
  if (err != RUNNEL_EINVAL)
    text[0] = '\0';
  return err;
}

void runnel__parsed_deinit(struct runnel__parsed *parsed) {
  mbedtls_x509_crt_free(&parsed->anchors);
  mbedtls_x509_crl_free(&parsed->crl);
  mbedtls_x509_crt_free(&parsed->cert);
  mbedtls_pk_free(&parsed->key);
}
