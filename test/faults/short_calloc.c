/* See short_calloc.h. Nothing else is replaced: what the system's calloc gave,
 * its free takes. */
#include "short_calloc.h"

#include <stdint.h>
#include <stdlib.h>

#include "fault_next.h"

static _Thread_local int counts;
static _Thread_local size_t calls;
static _Thread_local size_t fails_at;

void short_calloc_begin(size_t fail_at) {
  calls = 0;
  fails_at = fail_at;
}

void short_calloc_enter(int inside) { counts = inside; }

size_t short_calloc_calls(void) { return calls; }

/* The sanitizers' own, where they are linked into the program itself. */
__attribute__((weak)) void *__interceptor_calloc(size_t len, size_t size);

/* While the system's is looked for, which may allocate: never freed. */
static void *give_early(size_t len, size_t size) {
  static max_align_t room[256];
  static size_t used;
  size_t units = (len * size + sizeof *room - 1) / sizeof *room;
  if (units > sizeof room / sizeof *room - used)
    return NULL;
  used += units;
  return &room[used - units];
}

/* Seen by the libraries. */
__attribute__((visibility("default"))) void *calloc(size_t len, size_t size) {
  static void *(*next)(size_t len, size_t size);
  static int looking;
  if (counts && ++calls == fails_at)
    return NULL;
  if (__interceptor_calloc != NULL)
    return __interceptor_calloc(len, size);
  if (next == NULL) {
    if (looking)
      return give_early(len, size);
    looking = 1;
    fault_next(&next, "calloc");
    looking = 0;
  }
  return next(len, size);
}
