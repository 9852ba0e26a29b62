/* Look-ups joined and remembered: however many streams ask for a host, the
 * system is asked once, and not again while its answer is fresh.
 *
 * An answer serves for ttl_ms, a failure for negative_ttl_ms. An answer that is
 * older serves on, up to stale_ms, while a new look-up runs or fails: a
 * resolver in trouble is no reason to lose a server that is there. Addresses
 * that all failed are forgotten. */
#ifndef RUNNEL_STREAM_LOOKUP_H
#define RUNNEL_STREAM_LOOKUP_H

#include "../core/list.h"
#include "../core/table.h"
#include "../core/world.h"

/* Hosts remembered; the one that was asked for longest ago goes first. */
#define RUNNEL__HOSTS_MAX 4096

struct runnel__lookups {
  struct runnel__world *world;
  struct runnel__mem *mem;
  struct runnel__table hosts;
  struct runnel__list by_use; /* hosts, the one asked for last at the end */
  int64_t ttl_ms;             /* 0: off */
  int64_t negative_ttl_ms;
  int64_t stale_ms;
  uint64_t asked;  /* of the system */
  uint64_t joined; /* answered by another's look-up, or from memory */
};

/* One that waits. `ready` is called once, from the loop or from ask. */
struct runnel__lookup_wait {
  struct runnel__list node;
  struct runnel__host *host; /* NULL: waits for nothing */
  void (*ready)(void *owner, int code, int native,
                const struct runnel__addr *addrs, size_t len);
  void *owner;
};

/* The spans are set by the caller after init. */
void runnel__lookups_init(struct runnel__lookups *lookups,
                          struct runnel__mem *mem);

/* Frees what is remembered; `drop` 1 ends the look-ups under way, 0 when the
 * world is gone. Nobody waits any more. */
void runnel__lookups_free(struct runnel__lookups *lookups, int drop);

/* Asks for `host` (at most 253 bytes). 0, and then `ready` was called or will
 * be; or RUNNEL_ENOMEM. */
int runnel__lookups_ask(struct runnel__lookups *lookups,
                        struct runnel__str host,
                        struct runnel__lookup_wait *wait);

/* No longer waits; the look-up runs on, for whoever asks next. Harmless twice.
 */
void runnel__lookups_leave(struct runnel__lookup_wait *wait);

/* All addresses of the host failed, or a fresh look-up is wanted. */
void runnel__lookups_forget(struct runnel__lookups *lookups,
                            struct runnel__str host);

/* This address of the host answered: it is tried first from now on. */
void runnel__lookups_prefer(struct runnel__lookups *lookups,
                            struct runnel__str host,
                            const struct runnel__addr *addr);

/* The world's ear `resolved`; asker is the host. */
void runnel__lookups_resolved(void *asker, int code, int native,
                              const struct runnel__addr *addrs, size_t len);

#endif
