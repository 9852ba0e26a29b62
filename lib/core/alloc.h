/* Memory: the application's allocator, and the meter of what is held of peers.
 *
 * Every allocation of the library passes here. Bytes that peers sent are
 * counted by `runnel__mem_hold` (struct runnel__buf does it), and bounded by
 * held_max, so that ten thousand streams with a cut event each cannot exhaust
 * the host. */
#ifndef RUNNEL_CORE_ALLOC_H
#define RUNNEL_CORE_ALLOC_H

#include "runnel.h"

struct runnel__mem {
  struct runnel_alloc hooks; /* complete: defaults are filled in */
  uint64_t held;             /* bytes of peers that are kept now */
  uint64_t held_max;
};

/* hooks: NULL, or all functions NULL: malloc and company. */
void runnel__mem_init(struct runnel__mem *mem, const struct runnel_alloc *hooks,
                      uint64_t held_max);

/* NULL when there is none left. A size of 0 gives a pointer that can be freed.
 */
void *runnel__alloc(struct runnel__mem *mem, size_t size);
void *runnel__alloc_zero(struct runnel__mem *mem, size_t size);
void *runnel__realloc(struct runnel__mem *mem, void *memory, size_t size);
void runnel__free(struct runnel__mem *mem, void *memory); /* NULL is allowed */

/* A NUL-terminated copy, to be freed; NULL when there is no memory. */
char *runnel__copy(struct runnel__mem *mem, const char *bytes, size_t len);

/* Counts `bytes` as held: 0, or RUNNEL_ENOMEM when held_max would be passed. */
int runnel__mem_hold(struct runnel__mem *mem, size_t bytes);
void runnel__mem_unhold(struct runnel__mem *mem, size_t bytes);

#endif
