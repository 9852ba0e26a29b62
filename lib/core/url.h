/* http and https URLs (RFC 3986, the subset that RFC 9110 4.2 uses), refused
 * rather than repaired: what a browser would strip or guess is an error here,
 * so that no two readers of one URL disagree about its host.
 *
 * Refused, with a text that names what is wrong (`why`): empty or relative
 * text, other schemes, bytes <= 0x20, 0x7f and >= 0x80 (a host outside ASCII
 * must be given in its ASCII form, xn--...), backslash, '%' in a host, odd IPv4
 * forms (short, octal, hex, one number), malformed IPv6, zone ids, IPvFuture,
 * hosts over 253 bytes, labels empty or over 63, ports other than 1 to 65535 in
 * decimal digits (an empty port is the default), '%' without two hex digits in
 * userinfo, over RUNNEL__URL_BYTES_MAX bytes. */
#ifndef RUNNEL_CORE_URL_H
#define RUNNEL_CORE_URL_H

#include "addrs.h"
#include "runnel.h"

#define RUNNEL__URL_BYTES_MAX 8192
#define RUNNEL__HOST_BYTES_MAX 253

/* Room for `why`, NUL included. */
#define RUNNEL__WHY_BYTES 160

/* All slices point into the parsed text. */
struct runnel__url {
  int https;
  int literal;             /* host is an address: `addr` */
  uint16_t port;           /* the scheme's default if none was given */
  struct runnel__str host; /* without brackets; a trailing dot is kept */
  struct runnel__str user; /* percent-encoded as given */
  struct runnel__str password;
  int has_userinfo;
  struct runnel__str path;  /* "" or begins with '/' */
  struct runnel__str query; /* "" or begins with '?' */
  struct runnel__addr addr; /* of a literal host, with the port */
};

/* 0, or RUNNEL_EURL with the reason in `why` (RUNNEL__WHY_BYTES, one line,
 * holds neither userinfo nor query; may be NULL) and *url untouched. */
int runnel__url_parse(struct runnel__url *url, struct runnel__str text,
                      char *why);

/* Same scheme, host (any case, a trailing dot aside) and port (RFC 6454 4). */
int runnel__url_same_origin(const struct runnel__url *a,
                            const struct runnel__url *b);

/* Resolves `location` against `base` (RFC 3986 5.2, dot segments removed) and
 * writes the absolute URL, without fragment, NUL-terminated, to dst
 * (RUNNEL__URL_BYTES_MAX + 1 bytes). A location with userinfo is refused. 0 or
 * RUNNEL_EURL with `why` as above. base's userinfo is not inherited. */
int runnel__url_resolve(char *dst, const struct runnel__url *base,
                        struct runnel__str location, char *why);

/* "http://host:port/path?query" without userinfo, default port and fragment,
 * the path never empty; `query` 0 leaves the query out. At most size - 1 bytes
 * and a NUL are written; returns the length that was needed. */
size_t runnel__url_print(char *dst, size_t size, const struct runnel__url *url,
                         int query);

/* The Host field's value (RFC 9110 7.2): brackets for IPv6, no trailing dot, no
 * default port. Same bounds and result as runnel__url_print. */
size_t runnel__url_print_host(char *dst, size_t size,
                              const struct runnel__url *url);

#endif
