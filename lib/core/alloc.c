/* Memory through the application's allocator. The only file of core that knows
 * malloc. */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *system_alloc(size_t size, void *ctx) {
  (void)ctx;
  return malloc(size);
}

static void *system_realloc(void *memory, size_t size, void *ctx) {
  (void)ctx;
  return realloc(memory, size);
}

static void system_free(void *memory, void *ctx) {
  (void)ctx;
  free(memory);
}

void runnel__mem_init(struct runnel__mem *mem, const struct runnel_alloc *hooks,
                      uint64_t held_max) {
  static const struct runnel_alloc system_hooks = {system_alloc, system_realloc,
                                                   system_free, NULL};
  mem->hooks = hooks != NULL && hooks->alloc != NULL ? *hooks : system_hooks;
  mem->held = 0;
  mem->held_max = held_max;
}

void *runnel__alloc(struct runnel__mem *mem, size_t size) {
  return mem->hooks.alloc(size == 0 ? 1 : size, mem->hooks.ctx);
}

void *runnel__alloc_zero(struct runnel__mem *mem, size_t size) {
  void *memory = runnel__alloc(mem, size);
  if (memory != NULL)
    memset(memory, 0, size);
  return memory;
}

void *runnel__realloc(struct runnel__mem *mem, void *memory, size_t size) {
  if (memory == NULL)
    return runnel__alloc(mem, size);
  return mem->hooks.realloc(memory, size == 0 ? 1 : size, mem->hooks.ctx);
}

void runnel__free(struct runnel__mem *mem, void *memory) {
  if (memory != NULL)
    mem->hooks.free(memory, mem->hooks.ctx);
}

char *runnel__copy(struct runnel__mem *mem, const char *bytes, size_t len) {
  if (len == SIZE_MAX)
    return NULL;
  char *copy = runnel__alloc(mem, len + 1);
  if (copy == NULL)
    return NULL;
  if (len > 0)
    memcpy(copy, bytes, len);
  copy[len] = '\0';
  return copy;
}

int runnel__mem_hold(struct runnel__mem *mem, size_t bytes) {
  if (bytes > mem->held_max - mem->held)
    return RUNNEL_ENOMEM;
  mem->held += bytes;
  return RUNNEL_OK;
}

void runnel__mem_unhold(struct runnel__mem *mem, size_t bytes) {
  mem->held -= bytes;
}
