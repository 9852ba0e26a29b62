/* The slots that origins share, alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/stream/slots.h"

int runnel__test_slots(void);

#define LINES 3
#define NODES 32

struct hall {
  struct runnel__slots slots;
  struct runnel__line lines[LINES];
  struct runnel__list nodes[LINES][NODES];
};

static void open_hall(struct hall *hall, int64_t max) {
  runnel__slots_init(&hall->slots);
  hall->slots.max = max;
  for (size_t line = 0; line < LINES; line++) {
    runnel__line_init(&hall->lines[line]);
    for (size_t i = 0; i < NODES; i++)
      runnel__list_init(&hall->nodes[line][i]);
  }
}

static void join(struct hall *hall, size_t line, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    runnel__slots_join(&hall->slots, &hall->lines[line], &hall->nodes[line][i],
                       0);
}

/* The line and number of the next, which takes its slot; -1: none. */
static int next(struct hall *hall) {
  struct runnel__list *node = runnel__slots_next(&hall->slots);
  for (size_t line = 0; line < LINES; line++)
    for (size_t i = 0; i < NODES; i++)
      if (node == &hall->nodes[line][i]) {
        runnel__slots_take(&hall->slots, &hall->lines[line]);
        return (int)(line * 100 + i);
      }
  assert_null(node);
  return -1;
}

static void give(struct hall *hall, size_t line) {
  runnel__slots_give(&hall->slots, &hall->lines[line]);
}

static void origins_take_turns(void **state) {
  static const int order[] = {0, 100, 200, 1, 101, 2, -1};
  struct hall hall;
  (void)state;
  open_hall(&hall, 6);
  join(&hall, 0, 0, 9);
  join(&hall, 1, 0, 2);
  join(&hall, 2, 0, 1);
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
    assert_int_equal(next(&hall), order[i]);
}

static void no_origin_has_over_half_while_others_wait(void **state) {
  struct hall hall;
  (void)state;
  open_hall(&hall, 5);
  join(&hall, 0, 0, 9);
  for (int i = 0; i < 5; i++)
    assert_int_equal(next(&hall), i); /* nobody else is there */
  join(&hall, 1, 0, 9);
  give(&hall, 0);
  assert_int_equal(next(&hall), 100);
  give(&hall, 0);
  assert_int_equal(next(&hall), 101);
  give(&hall, 0); /* of 5 slots the first has 2 now: it may have a third */
  assert_int_equal(next(&hall), 5);
  assert_int_equal(next(&hall), -1);
}

static void no_slot_stays_free_while_anybody_waits(void **state) {
  (void)state;
  for (int64_t max = 1; max < 10; max++)
    for (size_t lines = 1; lines <= LINES; lines++) {
      struct hall hall;
      open_hall(&hall, max);
      for (size_t line = 0; line < lines; line++)
        join(&hall, line, 0, NODES);
      for (int64_t taken = 0; taken < max; taken++)
        assert_true(next(&hall) >= 0);
      assert_int_equal(next(&hall), -1);
    }
}

static void who_leaves_is_not_called(void **state) {
  struct hall hall;
  (void)state;
  open_hall(&hall, INT64_MAX);
  join(&hall, 0, 0, 3);
  join(&hall, 1, 0, 1);
  runnel__slots_leave(&hall.lines[0], &hall.nodes[0][0]);
  runnel__slots_leave(&hall.lines[1], &hall.nodes[1][0]);
  runnel__slots_join(&hall.slots, &hall.lines[0], &hall.nodes[0][9], 1);
  assert_int_equal(next(&hall), 9);
  assert_int_equal(next(&hall), 1);
  assert_int_equal(next(&hall), 2);
  assert_int_equal(next(&hall), -1);
}

int runnel__test_slots(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(origins_take_turns),
      cmocka_unit_test(no_origin_has_over_half_while_others_wait),
      cmocka_unit_test(no_slot_stays_free_while_anybody_waits),
      cmocka_unit_test(who_leaves_is_not_called),
  };
  return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
