/* What the client `bare` asks of mbedTLS, 2.28 or 3: one set of settings, and
 * one session for all connections. */
#ifndef TLSB_MBED_H
#define TLSB_MBED_H

#include <mbedtls/ssl.h>

#include "tlsb.h"

/* Everything is verified, as the library's own checks do it. */
void tlsb_mbed_init(const struct tlsb_task *task);
void tlsb_mbed_deinit(void);

/* A connection that begins, by the session that was kept if there is one. */
void tlsb_mbed_setup(mbedtls_ssl_context *ssl);

/* The connection's session is kept for those that begin later. */
void tlsb_mbed_keep(const mbedtls_ssl_context *ssl);

/* 1: there is none yet. */
int tlsb_mbed_lacks(void);

/* From now on none is used nor kept. */
void tlsb_mbed_forget(void);

/* The code says that a ticket came, which is no error. */
int tlsb_mbed_is_ticket(int code);

/* Prints what failed, and mbedTLS's words for it, and ends the process. */
_Noreturn void tlsb_mbed_fail(const char *what, int code);

#endif
