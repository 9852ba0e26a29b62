/* What went wrong in TLS: mbedTLS's codes as ours, and in words. What is wrong
 * with certificates is told by vouch.c. */
#ifndef RUNNEL_NET_TLS_FAULT_H
#define RUNNEL_NET_TLS_FAULT_H

#include <mbedtls/ssl.h>

#include "../core/str.h"

/* What a call for `ssl` failed with, if it was not for certificates, as
 * RUNNEL_ENOMEM or RUNNEL_ETLS; `why` becomes one line about it. */
int runnel__tls_fault(const mbedtls_ssl_context *ssl, int native, char *why,
                      size_t size);

/* NULL, or what is to be said of a peer whose first bytes are no TLS. */
const char *runnel__tls_fault_of_start(struct runnel__str start);

#endif
