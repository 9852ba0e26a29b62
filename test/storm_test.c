/* Storms: a thousand streams over a world that fails at random, for a hundred
 * seeds. What must hold in any weather is checked as it happens: the order of
 * callbacks (promises 3 and 4), every event once and in order (promise 9), the
 * id that goes out, delays within policy, the gate's limits, bytes held, and in
 * the end the allocator's balance. RUNNEL_STORM_SEED repeats one seed. */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storm.h"

int runnel__test_storm(void);

#define SEEDS 100

static void fail_storm(void *user, const char *line) {
  const struct storm *storm = user;
  print_error("storm: RUNNEL_STORM_SEED=%llu, step %zu of phase %d\n",
              (unsigned long long)storm->seed, storm->steps, storm->kind);
  fail_msg("%s", line);
  abort();
}

static void run_seed(uint64_t seed, struct storm_totals *totals) {
  static struct storm storm;
  memset(&storm, 0, sizeof storm);
  storm.fail = fail_storm;
  storm_run(&storm, seed, totals);
}

static void test_storm(void **state) {
  (void)state;
  struct storm_totals totals = {0};
  const char *one = getenv("RUNNEL_STORM_SEED");
  uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
  uint64_t count = one == NULL ? SEEDS : 1;
  for (uint64_t i = 0; i < count; i++)
    run_seed(first + i, &totals);
  printf("storm: seeds %llu to %llu, %d streams each: %zu streams, %zu "
         "attempts, %zu events, %zu ends, %zu refusals, %zu connects, %zu full "
         "and %zu resumed handshakes\n",
         (unsigned long long)first, (unsigned long long)(first + count - 1),
         STORM_STREAMS, totals.streams, totals.attempts, totals.events,
         totals.ends, totals.refusals, totals.connects, totals.full,
         totals.resumed);
}

int runnel__test_storm(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};
  return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
