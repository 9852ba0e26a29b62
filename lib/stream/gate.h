/* Admission: how many dials start a second, and how many are under way, in all
 * and per origin. Keeps a storm of reconnects from becoming one of packets.
 *
 * Buckets hold one second's worth and fill evenly; origins take turns, streams
 * of one origin come in their order, and no origin has more than half of the
 * slots while others wait. Knows no stream: it queues list nodes. */
#ifndef RUNNEL_STREAM_GATE_H
#define RUNNEL_STREAM_GATE_H

#include "../core/alloc.h"
#include "../core/list.h"
#include "../core/table.h"
#include "../core/url.h"
#include "slots.h"

/* Tokens, in thousandths, so that a millisecond's share is a whole number. */
struct runnel__bucket {
  int64_t tokens;
  int64_t filled_ms;
};

struct runnel__origin {
  struct runnel__list ring;       /* in the gate's, while anybody waits */
  struct runnel__list waiting;    /* the nodes that were joined, in order */
  struct runnel__table_node node; /* in the gate's origins */
  struct runnel__bucket bucket;
  size_t refs;
  size_t dials;                   /* under way */
  struct runnel__line handshakes; /* handshake.c's */
  char key[];                     /* "http://host:port", lower case */
};

struct runnel__gate {
  struct runnel__list ring; /* origins that somebody waits for */
  struct runnel__table origins;
  struct runnel__bucket bucket;
  size_t dials; /* under way */
  int64_t paused_until_ms;
  int64_t rate_max; /* dials a second; INT64_MAX: off */
  int64_t origin_rate_max;
  int64_t dials_max;
  int64_t origin_dials_max;
};

/* Limits are set by the caller after init. */
void runnel__gate_init(struct runnel__gate *gate, uint64_t seed);
void runnel__gate_free(struct runnel__gate *gate, struct runnel__mem *mem);

/* The origin of a URL with one more reference; NULL: no memory. */
struct runnel__origin *runnel__origin_take(struct runnel__gate *gate,
                                           struct runnel__mem *mem,
                                           const struct runnel__url *url);
void runnel__origin_give(struct runnel__gate *gate, struct runnel__mem *mem,
                         struct runnel__origin *origin);

/* Queues a node. It leaves by itself when admitted. */
void runnel__gate_join(struct runnel__gate *gate, struct runnel__origin *origin,
                       struct runnel__list *node);
void runnel__gate_leave(struct runnel__origin *origin,
                        struct runnel__list *node);

/* The next node to be admitted, with a slot and a token taken for it, or NULL;
 * then *wake_ms is when to ask again (RUNNEL__NEVER: when a slot is given back
 * or somebody joins). */
struct runnel__list *runnel__gate_admit(struct runnel__gate *gate,
                                        int64_t now_ms, int64_t *wake_ms);

/* The dial of an admitted node is over, however it ended. */
void runnel__gate_done(struct runnel__gate *gate,
                       struct runnel__origin *origin);

/* Admits nobody until then: the system itself has nothing left to give. */
void runnel__gate_pause(struct runnel__gate *gate, int64_t until_ms);

#endif
