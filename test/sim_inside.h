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

/* sim_tls.c: what the library asks of TLS. */
int sim_ask_trust(struct runnel__world *world, runnel_tls *settings,
                  struct runnel__trust **trust, char *text);
void sim_ask_distrust(struct runnel__trust *trust);
uint64_t sim_ask_trust_id(const struct runnel__trust *trust);
int sim_ask_secure(struct runnel__link *link, const struct runnel__secure *how);
const char *sim_ask_why(struct runnel__link *link);
void sim_free_trusts(struct sim *sim);

/* " @2" when there is another link to mistake it for. */
const char *sim_number_of(const struct sim_link *link, char *text, size_t size);

__attribute__((format(printf, 2, 3))) void sim_say(struct sim *sim,
                                                   const char *format, ...);

/* Memory of the application's allocator, zeroed, or NULL. */
void *sim_give(struct sim *sim, size_t size);

/* Brackets what the world says. */
void sim_begin_turn(struct sim *sim);
void sim_end_turn(struct sim *sim);

#endif
