/* From a host to one connected link: look-up, then connects that are staggered
 * over the addresses (RFC 8305: families interleaved, 250 ms apart, at once
 * after a failure); the first that is up wins. */
#ifndef RUNNEL_STREAM_DIALER_H
#define RUNNEL_STREAM_DIALER_H

#include "lookup.h"

#define RUNNEL__STAGGER_MS 250

struct runnel__dialer_ears {
  /* A connect was asked for; stagger_at_ms may have changed. */
  void (*connecting)(void *owner);
  void (*connected)(void *owner, struct runnel__link *link,
                    const struct runnel__addr *addr);
  /* Over; the dialer holds nothing any more. phase: enum runnel_phase. *addr is
   * the last address that failed (port 0: none was tried). */
  void (*failed)(void *owner, int code, int phase, int native,
                 const struct runnel__addr *addr);
};

struct runnel__dial {
  struct runnel__dialer *dialer;
  struct runnel__link *link; /* NULL: not dialled yet, or over */
  struct runnel__addr addr;
};

struct runnel__dialer {
  struct runnel__lookups *lookups;
  const struct runnel__dialer_ears *ears;
  void *owner;
  struct runnel__target target; /* its addr is set for each connect */
  struct runnel__lookup_wait wait;
  size_t dials_len;      /* addresses known */
  size_t next;           /* the first that was not dialled */
  size_t live;           /* connects under way */
  int64_t stagger_at_ms; /* when to dial the next one; RUNNEL__NEVER: not */
  int code;              /* of the last failure */
  int native;
  struct runnel__addr failed_addr;
  struct runnel__dial dials[RUNNEL__ADDRS_MAX];
};

/* target: keepalive and unix_path (must live as long as the dialer). */
void runnel__dialer_init(struct runnel__dialer *dialer,
                         struct runnel__lookups *lookups,
                         const struct runnel__dialer_ears *ears, void *owner,
                         const struct runnel__target *target);

/* Begins with a host to look up, or with addresses (their port counts; a Unix
 * target: one, which is ignored). The ears may be called before these return.
 */
void runnel__dialer_resolve(struct runnel__dialer *dialer,
                            struct runnel__str host, uint16_t port);
void runnel__dialer_connect(struct runnel__dialer *dialer,
                            const struct runnel__addr *addrs, size_t len);

/* The time is stagger_at_ms. */
void runnel__dialer_alarm(struct runnel__dialer *dialer);

/* Ends everything under way, silently. Harmless twice. */
void runnel__dialer_stop(struct runnel__dialer *dialer);

#endif
