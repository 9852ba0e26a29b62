/* TLS for the session server, with mbedTLS: a codec for each connection, cipher
 * bytes in and out, plain bytes in and out. Knows no socket. */
#ifndef RUNNEL_SAMPLES_SESSION_TLS_H
#define RUNNEL_SAMPLES_SESSION_TLS_H

#include <stddef.h>

struct session_tls;

/* Reads the server's certificate (with its chain) and key, PEM or DER. 0, or
 * -1: said on standard error. */
int session_tls_load(const char *cert_file, const char *key_file);
void session_tls_unload(void);

/* One connection's; NULL: out of memory. NULL may be freed. */
struct session_tls *session_tls_new(void);
void session_tls_free(struct session_tls *tls);

/* Cipher bytes that came, borrowed until next returned 0 or less. */
void session_tls_feed(struct session_tls *tls, const char *bytes, size_t len);

/* Shakes hands, then writes plain bytes to `dst` and returns how many; 0: more
 * must come first; -1: the connection is over. Each time `out` may have grown.
 */
int session_tls_next(struct session_tls *tls, char *dst, size_t size);

/* Encrypts to `out`; once next has returned plain bytes. 0 or -1. */
int session_tls_send(struct session_tls *tls, const char *bytes, size_t len);

/* Adds a close_notify: the end is meant. */
void session_tls_bye(struct session_tls *tls);

/* Cipher bytes to be sent, to be freed; NULL and *len 0: none. */
char *session_tls_take_out(struct session_tls *tls, size_t *len);

#endif
