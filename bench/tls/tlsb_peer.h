/* One TLS connection of the server: plain bytes in and out, by OpenSSL. Cipher
 * bytes are gathered in memory, so that many records go out in one send. */
#ifndef TLSB_PEER_H
#define TLSB_PEER_H

#include <openssl/ssl.h>

#include "tlsb.h"

struct tlsb_peer {
  int fd;
  uint8_t state; /* the server's */
  uint8_t steady;
  uint8_t wants_out; /* watched until its socket takes more */
  uint32_t next;     /* number of its next event */
  SSL *ssl;
  size_t sent;        /* of what was gathered */
  size_t request_len; /* read so far */
  char request[1000]; /* a longer one closes the connection */
};

/* Settings of all connections. Ends the process if the task's do not work. */
SSL_CTX *tlsb_peer_context(const struct tlsb_task *task);

/* Takes over `fd`. */
struct tlsb_peer *tlsb_peer_new(SSL_CTX *context, int fd);
void tlsb_peer_free(struct tlsb_peer *peer);

/* Reads the socket, shaking hands if need be, and writes plain bytes to `to`:
 * how many; 0: none yet; -1: the connection is over. */
int tlsb_peer_read(struct tlsb_peer *peer, char *to, size_t room);

/* Gathers the bytes, encrypted. `len` is more than 0. */
void tlsb_peer_write(struct tlsb_peer *peer, const char *bytes, size_t len);

/* Gathers a close_notify. */
void tlsb_peer_bye(struct tlsb_peer *peer);

/* Sends what was gathered: 1: all; 0: the socket is full; -1: over. */
int tlsb_peer_flush(struct tlsb_peer *peer);

#endif
