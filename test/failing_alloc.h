/* An allocator for tests: counts what is not given back, and has no memory when
 * it is told to. */
#ifndef RUNNEL_TEST_FAILING_ALLOC_H
#define RUNNEL_TEST_FAILING_ALLOC_H

#include "runnel.h"

struct failing_alloc {
  size_t live;    /* blocks that were not freed yet: 0 in the end */
  size_t calls;   /* of alloc and realloc */
  size_t fail_at; /* the call that fails, from 1; 0: none */
  int for_ever;   /* 1: all after it fail too */
  size_t failed;  /* calls that failed */
};

/* Hooks that count in `alloc`, which must outlive all blocks. */
struct runnel_alloc failing_alloc_hooks(struct failing_alloc *alloc);

#endif
