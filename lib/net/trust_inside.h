/* The inside of a trust, for tls.c, which speaks with what is in it. */
#ifndef RUNNEL_NET_TRUST_INSIDE_H
#define RUNNEL_NET_TRUST_INSIDE_H

#include <mbedtls/ssl.h>

#include "tls.h"
#include "tls_rest.h"
#include "tls_settings.h"
#include "trust.h"

/* The configuration that connections share. anonymous: without the client
 * certificate. */
const mbedtls_ssl_config *
runnel__trust_config(const struct runnel__trust *trust, int anonymous);

/* 1: sessions may be kept and used again. */
int runnel__trust_resumes(const struct runnel__trust *trust);

/* What a connection that rests leaves for the next one that wakes. */
struct runnel__tls_spare *
runnel__trust_spare(const struct runnel__trust *trust);

/* What the check of a chain asks of the settings. */
const struct runnel__material *
runnel__trust_material(const struct runnel__trust *trust);

/* What the check of a chain is given, and what it finds. One per connection,
 * needed during the handshake only; what is not given begins as zero. */
struct runnel__vouch {
  const struct runnel__trust *trust;
  struct runnel__str host; /* to be proved; as in struct runnel__secure */
  int literal;             /* the host is an address */
  int64_t leaf_until_s;    /* notAfter of the peer's own certificate, in
                              seconds since 1970; 0: none was seen */
  int pinned;              /* a certificate of the chain has a pinned key */
  int code;                /* RUNNEL_ETRUST or RUNNEL_ENOMEM once refused */
  char why[RUNNEL__TLS_WHY_BYTES]; /* what was wrong with which certificate */
};

/* A verify callback of mbedTLS's (mbedtls_ssl_set_verify): called for each
 * certificate from the root to the leaf, with what the library found wrong in
 * *flags. Decides alone about names (RFC 9525: subjectAltName only), name
 * constraints, extended usage and pins, the same way on every version. */
int runnel__vouch(void *vouch, mbedtls_x509_crt *crt, int depth,
                  uint32_t *flags);

/* A handshake failed with mbedTLS's code `native`: RUNNEL_ETRUST or
 * RUNNEL_ENOMEM, with `code` and `why` set, if that was for the peer's
 * certificates, also if they could not even be read; else 0. */
int runnel__vouch_failed(struct runnel__vouch *vouch, int native);

#endif
