/* Deadlines in order: an array heap of nodes that live in their owners.
 *
 * Room is reserved when an owner is made, so that setting a deadline cannot
 * fail. */
#ifndef RUNNEL_CORE_HEAP_H
#define RUNNEL_CORE_HEAP_H

#include "alloc.h"

struct runnel__heap_node {
  int64_t at_ms; /* the deadline, by the world's monotonic clock */
  size_t place;  /* index in the heap + 1; 0: not in it */
};

struct runnel__heap {
  struct runnel__heap_node **nodes;
  size_t len;
  size_t cap;
};

/* Room for `count` nodes in all. 0 or RUNNEL_ENOMEM. */
int runnel__heap_reserve(struct runnel__heap *heap, struct runnel__mem *mem,
                         size_t count);
void runnel__heap_free(struct runnel__heap *heap, struct runnel__mem *mem);

/* Puts the node in, or moves it, to `at_ms`. */
void runnel__heap_set(struct runnel__heap *heap, struct runnel__heap_node *node,
                      int64_t at_ms);
void runnel__heap_remove(struct runnel__heap *heap,
                         struct runnel__heap_node *node); /* absent: no-op */

/* The earliest node, or NULL. */
struct runnel__heap_node *runnel__heap_first(const struct runnel__heap *heap);

#endif
