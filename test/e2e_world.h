/* What the end-to-end tests run against: nginx with static streams, a scripted
 * upstream behind it, and answers that are no streams. */
#ifndef RUNNEL_TEST_E2E_WORLD_H
#define RUNNEL_TEST_E2E_WORLD_H

#include "nginx.h"
#include "peer.h"

#ifndef RUNNEL_TEST_DIR
#error "RUNNEL_TEST_DIR: the directory of this file"
#endif

/* Recorded streams beside the checkout; not everyone has them. */
#define SHARED_DIR RUNNEL_TEST_DIR "/../../shared/data"
#define SESSIONS 200
#define SESSION_EVENTS 25
#define SESSION_CUT                                                            \
  12 /* the first connection of a session ends in the next                     \
      */
#define MADE_EVENTS 3000

struct e2e_world {
  struct nginx *nginx; /* NULL: it could not be started */
  struct peer *upstream;
  struct peer *late; /* listens when a test says so */
  char *made_dir;
  char *tour; /* test/data/tour.events */
  size_t tour_len;
};

/* Set up and torn down once for the group. */
extern struct e2e_world e2e;
int e2e_set_up(void **state);
int e2e_tear_down(void **state);

/* The data of event `id` of /made/made.events, of which every hundredth is
 * larger than any read. */
#define E2E_MADE_BYTES_MAX 80000
void e2e_print_made(char *dst, int id);

#endif
