/* A connection at rest: without its two record buffers, 33 KiB that mbedTLS
 * keeps for as long as a connection lives, but needs only while it works on a
 * record. Knows nobody but mbedTLS. */
#ifndef RUNNEL_NET_TLS_REST_H
#define RUNNEL_NET_TLS_REST_H

#include <stdint.h>

#include <mbedtls/ssl.h>

#define RUNNEL__TLS_REST_POINTERS 6

/* Of one connection; all zero: it is awake. */
struct runnel__tls_rest {
  unsigned char counter[8]; /* of records read, which stands in the buffer */
  uint16_t in_at[RUNNEL__TLS_REST_POINTERS];
  uint16_t out_at[RUNNEL__TLS_REST_POINTERS];
  uint8_t rests;
};

/* After the handshake: frees the buffers, unless something is in them. */
void runnel__tls_rest(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl);

/* Before any other call of mbedTLS's but mbedtls_ssl_free, check_pending and
 * get_bytes_avail: has them back. 0, or mbedTLS's code (no memory). */
int runnel__tls_wake(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl);

#endif
