/* The versions of mbedTLS, 2.28 and 3.6, as one: all that differs between them,
 * and the protocol's settings, which are the same for everybody. Knows nobody
 * but mbedTLS. */
#ifndef RUNNEL_NET_TLS_LIB_H
#define RUNNEL_NET_TLS_LIB_H

#include <stdint.h>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>

/* Before all else, as often as one likes, on any thread: 0 or
 * RUNNEL_ERESOURCE. */
int runnel__tls_lib_start(void);

/* "Mbed TLS 3.6.6": the library that runs. */
const char *runnel__tls_lib_name(void);

/* The highest version of TLS that it has, of enum runnel_tls_version. */
int runnel__tls_lib_version_max(void);

/* After mbedtls_ssl_config_init: a client's protocol. Versions are of enum
 * runnel_tls_version, 0: the default, and the library has them. resumes 0:
 * without tickets. 0, or mbedTLS's code (no memory).
 *
 * What is left to the caller: the generator, whom to trust, what to show, and
 * authmode, REQUIRED or (so that runnel__vouch is asked then too) OPTIONAL,
 * never NONE. */
int runnel__tls_lib_configure(mbedtls_ssl_config *config, int version_min,
                              int version_max, int resumes);

/* A private key, PEM with its NUL or DER; password NULL: none. 0 or mbedTLS's
 * code. */
int runnel__tls_lib_parse_key(mbedtls_pk_context *key, const void *bytes,
                              size_t len, const char *password);

/* 0: the private key belongs to the public one. */
int runnel__tls_lib_check_pair(const mbedtls_pk_context *public_key,
                               mbedtls_pk_context *private_key);

/* The code says that there was no memory, or there is none now. */
int runnel__tls_lib_is_no_memory(int code);

int runnel__tls_lib_is_over(const mbedtls_ssl_context *ssl);

/* The code says that a ticket came, which is no error. */
int runnel__tls_lib_is_ticket(int code);

/* The code says that no version of TLS suits both sides. */
int runnel__tls_lib_is_version(int code);

/* After the code for a fatal alert: its number (RFC 8446 6). */
int runnel__tls_lib_alert(const mbedtls_ssl_context *ssl);

/* After an error of a read: the peer wanted new keys (RFC 8446 4.6.3), which
 * mbedTLS cannot do. */
int runnel__tls_lib_is_key_update(const mbedtls_ssl_context *ssl);

/* The handshake is over: frees what an open connection does not need, that is
 * the peer's certificates, and a ticket that was used up. */
void runnel__tls_lib_settle(mbedtls_ssl_context *ssl);

/* What the open connection can be resumed by: NULL if by nothing. *lifetime_s:
 * as the peer told, or 0: it did not tell. Valid until the next call for this
 * connection. */
const mbedtls_ssl_session *
runnel__tls_lib_session(const mbedtls_ssl_context *ssl, uint32_t *lifetime_s);

/* The session was taken: frees its ticket. */
void runnel__tls_lib_drop_ticket(mbedtls_ssl_context *ssl);

#endif
