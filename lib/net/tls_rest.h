/* A connection at rest: without its two record buffers, 33 KiB that mbedTLS
 * keeps for as long as a connection lives, but needs only while it works on a
 * record. Knows nobody but mbedTLS. */
#ifndef RUNNEL_NET_TLS_REST_H
#define RUNNEL_NET_TLS_REST_H

#include <stdint.h>

#include <mbedtls/ssl.h>

#define RUNNEL__TLS_REST_POINTERS 6

/* Buffers that one connection left, for the next that wakes: one pair serves
 * all connections of a world, for between turns they rest. All zero: none. */
struct runnel__tls_spare {
  unsigned char *in; /* owned */
  unsigned char *out;
};

/* Wipes and frees them. */
void runnel__tls_spare_free(struct runnel__tls_spare *spare);

/* Of one connection; all zero: it is awake, with mbedTLS's own buffers. */
struct runnel__tls_rest {
  unsigned char counter[8]; /* of records read, which stands in the buffer */
  uint16_t in_at[RUNNEL__TLS_REST_POINTERS];
  uint16_t out_at[RUNNEL__TLS_REST_POINTERS];
  uint8_t rests;
  uint8_t ours; /* the buffers are of our size, and fit any connection */
};

/* After the handshake: lets the buffers go, unless something is in them. */
void runnel__tls_rest(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl,
                      struct runnel__tls_spare *spare);

/* Before any other call of mbedTLS's but mbedtls_ssl_free, check_pending and
 * get_bytes_avail: has them back. 0, or mbedTLS's code (no memory). */
int runnel__tls_wake(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl,
                     struct runnel__tls_spare *spare);

#endif
