/* IP addresses as values: literals, text, and the order in which to dial them
 * (RFC 8305 section 4). */
#ifndef RUNNEL_CORE_ADDRS_H
#define RUNNEL_CORE_ADDRS_H

#include <stddef.h>
#include <stdint.h>

#include "str.h"

/* More addresses of one host than this are not tried. */
#define RUNNEL__ADDRS_MAX 16

/* "[" + longest IPv6 text + "%" zone + "]:65535" + NUL */
#define RUNNEL__ADDR_TEXT_BYTES 72

struct runnel__addr {
  uint8_t ip[16]; /* network order; IPv4 in the first four bytes */
  uint32_t zone;  /* IPv6 interface index of a link-local address; else 0 */
  uint16_t port;  /* host order */
  uint8_t v6;     /* 0: IPv4, 1: IPv6 */
};

/* Reads an IPv4 literal (four decimal numbers, no leading zeros: RFC 3986
 * 3.2.2) or IPv6 text (RFC 4291 2.2), without brackets or zone; sets ip and v6,
 * zeroes the rest. 1 if it is one, else 0 with *addr untouched. */
int runnel__addr_parse(struct runnel__addr *addr, struct runnel__str text);

/* "192.0.2.1:80" or "[2001:db8::1]:80"; dst holds RUNNEL__ADDR_TEXT_BYTES. */
void runnel__addr_print(char *dst, const struct runnel__addr *addr);

/* Interleaves the families in place, beginning with the first one's, the order
 * within a family kept. */
void runnel__addrs_interleave(struct runnel__addr *addrs, size_t len);

#endif
