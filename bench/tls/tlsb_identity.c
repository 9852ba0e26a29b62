/* The server's certificate and the authority that signed it, both made on the
 * spot and good for a day: RSA of 2048 bits or EC on P-256, for TLSB_HOST. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tlsb.h"

struct extension {
  int id;
  const char *value;
};

static const struct extension of_authority[] = {
    {NID_basic_constraints, "critical,CA:TRUE"},
    {NID_key_usage, "critical,keyCertSign"},
    {0, NULL}};
static const struct extension of_server[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_alt_name, "DNS:" TLSB_HOST},
    {0, NULL}};

static int add_extensions(X509 *cert, const struct extension *extensions) {
  for (; extensions->value != NULL; extensions++) {
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, extensions->id, extensions->value);
    if (extension == NULL)
      return -1;
    int added = X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    if (!added)
      return -1;
  }
  return 0;
}

static int set_name(X509_NAME *to, const char *name) {
  return X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC,
                                    (const unsigned char *)name, -1, -1, 0)
             ? 0
             : -1;
}

/* `issuer` NULL: signed by itself. NULL: it could not be made. */
static X509 *make_cert(const char *name, EVP_PKEY *key, const X509 *issuer,
                       EVP_PKEY *issuer_key,
                       const struct extension *extensions) {
  X509 *cert = X509_new();
  if (cert == NULL)
    return NULL;
  const X509 *by = issuer == NULL ? cert : issuer;
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer == NULL ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
  if (set_name(X509_get_subject_name(cert), name) != 0 ||
      !X509_set_issuer_name(cert, X509_get_subject_name(by)) ||
      !X509_set_pubkey(cert, key) || add_extensions(cert, extensions) != 0 ||
      !X509_sign(cert, issuer_key, EVP_sha256())) {
    X509_free(cert);
    return NULL;
  }
  return cert;
}

/* What was written to `bio`, which is freed. */
static int take_text(char *to, size_t size, BIO *bio, int written) {
  char *bytes = NULL;
  long len = BIO_get_mem_data(bio, &bytes);
  int fits = written && len > 0 && (size_t)len < size;
  if (fits) {
    memcpy(to, bytes, (size_t)len);
    to[len] = '\0';
  }
  BIO_free(bio);
  return fits ? 0 : -1;
}

static int print_cert(char *to, size_t size, X509 *cert) {
  BIO *bio = BIO_new(BIO_s_mem());
  return bio == NULL ? -1
                     : take_text(to, size, bio, PEM_write_bio_X509(bio, cert));
}

static int print_key(char *to, size_t size, EVP_PKEY *key) {
  BIO *bio = BIO_new(BIO_s_mem());
  return bio == NULL ? -1
                     : take_text(to, size, bio,
                                 PEM_write_bio_PrivateKey(bio, key, NULL, NULL,
                                                          0, NULL, NULL));
}

static EVP_PKEY *make_key(int key) {
  return key == TLSB_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

int tlsb_identity_make(struct tlsb_identity *identity, int key) {
  EVP_PKEY *keys[2] = {make_key(key), make_key(key)};
  X509 *certs[2] = {NULL, NULL};
  int err = keys[0] == NULL || keys[1] == NULL ? -1 : 0;
  if (err == 0)
    certs[0] = make_cert("authority of the bench", keys[0], NULL, keys[0],
                         of_authority);
  if (certs[0] != NULL)
    certs[1] = make_cert(TLSB_HOST, keys[1], certs[0], keys[0], of_server);
  if (certs[1] == NULL)
    err = -1;
  if (err == 0)
    err = print_cert(identity->authority, sizeof identity->authority, certs[0]);
  if (err == 0)
    err = print_cert(identity->cert, sizeof identity->cert, certs[1]);
  if (err == 0)
    err = print_key(identity->key, sizeof identity->key, keys[1]);
  for (int i = 0; i < 2; i++) {
    X509_free(certs[i]);
    EVP_PKEY_free(keys[i]);
  }
  return err;
}
