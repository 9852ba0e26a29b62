/* Slots that origins share: those that wait take turns, nodes of one origin
 * come in their order, and no origin has more than half of the slots while
 * others wait. So an origin that never answers cannot keep the others out. */
#ifndef RUNNEL_STREAM_SLOTS_H
#define RUNNEL_STREAM_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "../core/list.h"

/* Of one origin. */
struct runnel__line {
  struct runnel__list ring;    /* in the slots', while anybody waits */
  struct runnel__list waiting; /* the nodes that were joined, in order */
  size_t taken;
};

struct runnel__slots {
  struct runnel__list ring; /* lines that somebody waits in */
  size_t taken;
  int64_t max; /* INT64_MAX: off; set by the caller after init */
};

void runnel__slots_init(struct runnel__slots *slots);
void runnel__line_init(struct runnel__line *line);

/* Queues a node; `first`: before all others of its line. */
void runnel__slots_join(struct runnel__slots *slots, struct runnel__line *line,
                        struct runnel__list *node, int first);
void runnel__slots_leave(struct runnel__line *line, struct runnel__list *node);

/* The next node for which there is a slot, taken out of its line, or NULL. The
 * slot itself is to be taken by who needs it. */
struct runnel__list *runnel__slots_next(struct runnel__slots *slots);

void runnel__slots_take(struct runnel__slots *slots, struct runnel__line *line);
void runnel__slots_give(struct runnel__slots *slots, struct runnel__line *line);

#endif
