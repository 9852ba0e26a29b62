/* What settings are made of, checked once: everything was read, and parses. A
 * material never changes, so threads share it; parsed is it for each world
 * anew (struct runnel__parsed). */
#ifndef RUNNEL_NET_MATERIAL_H
#define RUNNEL_NET_MATERIAL_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <stdatomic.h>

#include "tls_settings.h"
#include "trust_load.h"

#define RUNNEL__PINS_MAX 64
#define RUNNEL__PIN_BYTES 32 /* of a SHA-256 */

struct runnel__material {
  atomic_uint refs;
  atomic_int old; /* see runnel__material_is_old */
  struct runnel__anchors anchors;
  struct runnel__blob crl;
  struct runnel__blob cert;
  struct runnel__blob key;
  struct runnel__blob password; /* nothing: none */
  unsigned char pins[RUNNEL__PINS_MAX][RUNNEL__PIN_BYTES];
  size_t pins_len;
  int version_min; /* of enum runnel_tls_version */
  int version_max;
  int insecure;
  int no_resumption;
};

/* With one reference. 0, RUNNEL_ENOMEM, RUNNEL_ERESOURCE, or RUNNEL_EINVAL with
 * a text of RUNNEL_ERROR_TEXT_BYTES that says why. */
int runnel__material_new(struct runnel__material **material,
                         const struct runnel_tls_options *options, char *text);

/* From now on it is old. */
void runnel__material_retire(struct runnel__material *material);

/* A material as mbedTLS has it. Points into the material. */
struct runnel__parsed {
  mbedtls_x509_crt anchors;
  mbedtls_x509_crl crl;
  mbedtls_x509_crt cert; /* the client's own, and its chain */
  mbedtls_pk_context key;
};

/* 0, or as runnel__material_new; what was parsed until then is freed. */
int runnel__parsed_init(struct runnel__parsed *parsed,
                        const struct runnel__material *material, char *text);
void runnel__parsed_deinit(struct runnel__parsed *parsed);

#endif
