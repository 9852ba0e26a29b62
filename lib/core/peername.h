/* Does a name in a certificate's subjectAltName name the host? (RFC 9525 6.3,
 * 6.4.) Knows nothing of certificates; the entries' bytes are the peer's, and
 * whatever is odd in them names nobody. */
#ifndef RUNNEL_CORE_PEERNAME_H
#define RUNNEL_CORE_PEERNAME_H

#include "addrs.h"

/* A dNSName against a host name without a dot at its end: 1 or 0. Letters of
 * ASCII match in either case. "*" stands for exactly one label, whole, the
 * first, and only before two labels or more: never for all hosts of a top-level
 * domain. A host whose last label is a number is an address in some spelling,
 * and has no dNSName. */
int runnel__peername_is_host(struct runnel__str name, struct runnel__str host);

/* An iPAddress, 4 or 16 bytes in network order, against an address: 1 or 0. */
int runnel__peername_is_addr(struct runnel__str bytes,
                             const struct runnel__addr *addr);

#endif
