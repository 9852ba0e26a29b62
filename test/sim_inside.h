/* Shared by sim.c, which is asked, and sim_turn.c, which speaks. */
#ifndef RUNNEL_TEST_SIM_INSIDE_H
#define RUNNEL_TEST_SIM_INSIDE_H

#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PUSH(list, element)                                                    \
  do {                                                                         \
    if (list##_len == list##_cap) {                                            \
      list##_cap = list##_cap == 0 ? 16 : list##_cap * 2;                      \
      list = sim_realloc(list, list##_cap * sizeof list[0]);                   \
    }                                                                          \
    list[list##_len++] = (element);                                            \
  } while (0)

#define REMOVE(list, element)                                                  \
  do {                                                                         \
    size_t at = 0;                                                             \
    while (at < list##_len && list[at] != (element))                           \
      at++;                                                                    \
    if (at < list##_len)                                                       \
      memmove(&list[at], &list[at + 1], (--list##_len - at) * sizeof list[0]); \
  } while (0)

extern const struct runnel__world_ops sim_ops;

/* Fails the test unless the rule holds. */
void sim_check(struct sim *sim, int holds, const char *rule);

/* Memory of the application's allocator goes back to it. */
void sim_take(struct sim *sim, void *memory);

/* The test's own memory does not fail. */
void *sim_realloc(void *memory, size_t size);

/* The link may have something to hear. */
void sim_note_due(struct sim_link *link);

void sim_end_lookup(struct sim_lookup *lookup);

void sim_drop_posts(struct sim *sim);

#endif
