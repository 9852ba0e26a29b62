/* Blocks come straight from malloc, so that the sanitizers see their borders.
 */
#include "failing_alloc.h"

#include <assert.h>
#include <stdlib.h>

static int must_fail(struct failing_alloc *alloc) {
  alloc->calls++;
  if (alloc->fail_at == 0 || alloc->calls < alloc->fail_at)
    return 0;
  if (alloc->calls > alloc->fail_at && !alloc->for_ever)
    return 0;
  alloc->failed++;
  return 1;
}

static void *give_block(size_t size, void *ctx) {
  struct failing_alloc *alloc = ctx;
  if (must_fail(alloc))
    return NULL;
  alloc->live++;
  return malloc(size);
}

static void *give_larger(void *memory, size_t size, void *ctx) {
  struct failing_alloc *alloc = ctx;
  if (memory == NULL)
    return give_block(size, ctx);
  return must_fail(alloc) ? NULL : realloc(memory, size);
}

static void take_block(void *memory, void *ctx) {
  struct failing_alloc *alloc = ctx;
  assert(memory != NULL && alloc->live > 0);
  alloc->live--;
  free(memory);
}

struct runnel_alloc failing_alloc_hooks(struct failing_alloc *alloc) {
  return (struct runnel_alloc){give_block, give_larger, take_block, alloc};
}
