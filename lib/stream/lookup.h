/* Look-ups joined: however many streams ask for a host at once, the system is
 * asked once. */
#ifndef RUNNEL_STREAM_LOOKUP_H
#define RUNNEL_STREAM_LOOKUP_H

#include "../core/list.h"
#include "../core/world.h"

struct runnel__lookups {
  struct runnel__world *world;
  struct runnel__mem *mem;
  struct runnel__list jobs; /* under way */
  uint64_t asked;
  uint64_t joined;
};

/* One that waits. `ready` is called once, from the loop. */
struct runnel__lookup_wait {
  struct runnel__list node;
  struct runnel__lookup_job *job; /* NULL: waits for nothing */
  void (*ready)(void *owner, int code, int native,
                const struct runnel__addr *addrs, size_t len);
  void *owner;
};

void runnel__lookups_init(struct runnel__lookups *lookups,
                          struct runnel__mem *mem);

/* Asks for `host` (at most 253 bytes). 0 or RUNNEL_ENOMEM. */
int runnel__lookups_ask(struct runnel__lookups *lookups,
                        struct runnel__str host,
                        struct runnel__lookup_wait *wait);

/* No longer waits; the last one to leave ends the look-up. Harmless twice. */
void runnel__lookups_leave(struct runnel__lookups *lookups,
                           struct runnel__lookup_wait *wait);

/* The world's ear `resolved`; asker is the job. */
void runnel__lookups_resolved(void *asker, int code, int native,
                              const struct runnel__addr *addrs, size_t len);

/* Frees the jobs of a world that is gone; who waits is not told. */
void runnel__lookups_abandon(struct runnel__lookups *lookups);

#endif
