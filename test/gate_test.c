/* The gate alone, in invented time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../lib/core/world.h"
#include "../lib/stream/gate.h"
#include "failing_alloc.h"

#define NODES 64

struct fixture {
  struct failing_alloc alloc;
  struct runnel__mem mem;
  struct runnel__gate gate;
  struct runnel__origin *a;
  struct runnel__origin *b;
  struct runnel__list nodes[NODES];
};

static struct runnel__origin *take(struct fixture *f, const char *text) {
  struct runnel__url url;
  assert_int_equal(runnel__url_parse(&url, runnel__str_of(text), NULL), 0);
  return runnel__origin_take(&f->gate, &f->mem, &url);
}

static void set_up(struct fixture *f) {
  *f = (struct fixture){0};
  struct runnel_alloc hooks = failing_alloc_hooks(&f->alloc);
  runnel__mem_init(&f->mem, &hooks, 0);
  runnel__gate_init(&f->gate, 7);
  f->gate.rate_max = 1000;
  f->gate.origin_rate_max = 500;
  f->gate.dials_max = 8;
  f->gate.origin_dials_max = 6;
  f->a = take(f, "http://a/");
  f->b = take(f, "http://b/");
  for (size_t i = 0; i < NODES; i++)
    runnel__list_init(&f->nodes[i]);
}

static void tear_down(struct fixture *f) {
  runnel__origin_give(&f->gate, &f->mem, f->a);
  runnel__origin_give(&f->gate, &f->mem, f->b);
  runnel__gate_free(&f->gate, &f->mem);
  assert_int_equal(f->alloc.live, 0);
}

static int admit_all(struct fixture *f, int64_t now_ms, int64_t *wake_ms) {
  int count = 0;
  while (runnel__gate_admit(&f->gate, now_ms, wake_ms) != NULL)
    count++;
  return count;
}

static void one_origin_per_scheme_host_and_port(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f);
  static const char *const same[] = {"http://A:80/x?y", "http://a./",
                                     "http://u:p@a/"};
  static const char *const other[] = {"http://a:81/", "https://a:80/",
                                      "http://aa/"};
  for (size_t i = 0; i < 3; i++) {
    struct runnel__origin *origin = take(&f, same[i]);
    assert_ptr_equal(origin, f.a);
    runnel__origin_give(&f.gate, &f.mem, origin);
    origin = take(&f, other[i]);
    assert_ptr_not_equal(origin, f.a);
    runnel__origin_give(&f.gate, &f.mem, origin);
  }
  tear_down(&f);
}

static void many_origins_are_found_again(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f);
  enum { MANY = 1000 };
  static struct runnel__origin *origins[MANY];
  char text[32];
  for (int i = 0; i < MANY; i++) {
    snprintf(text, sizeof text, "http://h%d/", i);
    origins[i] = take(&f, text);
  }
  for (int i = 0; i < MANY; i++) {
    snprintf(text, sizeof text, "http://h%d/", i);
    struct runnel__origin *again = take(&f, text);
    assert_ptr_equal(again, origins[i]);
    runnel__origin_give(&f.gate, &f.mem, again);
    runnel__origin_give(&f.gate, &f.mem, origins[i]);
  }
  tear_down(&f);
}

static void no_memory_for_an_origin_changes_nothing(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f);
  f.alloc.fail_at = f.alloc.calls + 1;
  assert_null(take(&f, "http://c/"));
  f.alloc.fail_at = 0;
  assert_int_equal(f.gate.origins.len, 2);
  tear_down(&f);
}

static void slots_bound_what_is_under_way(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  for (size_t i = 0; i < 20; i++)
    runnel__gate_join(&f.gate, f.a, &f.nodes[i]);
  assert_int_equal(admit_all(&f, 0, &wake_ms), 6); /* alone: its own limit */
  assert_true(wake_ms == RUNNEL__NEVER);           /* only a slot helps */
  runnel__gate_done(&f.gate, f.a);
  assert_int_equal(admit_all(&f, 0, &wake_ms), 1);
  for (size_t i = 0; i < 20; i++)
    runnel__gate_leave(f.a, &f.nodes[i]);
  assert_true(runnel__list_empty(&f.gate.ring));
  tear_down(&f);
}

/* While b waits, a has no more than half of the eight slots. */
static void no_origin_hogs_while_others_wait(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  for (size_t i = 0; i < 10; i++)
    runnel__gate_join(&f.gate, f.a, &f.nodes[i]);
  for (size_t i = 10; i < 20; i++)
    runnel__gate_join(&f.gate, f.b, &f.nodes[i]);
  assert_int_equal(admit_all(&f, 0, &wake_ms), 8);
  assert_int_equal(f.a->dials, 4);
  assert_int_equal(f.b->dials, 4);
  for (size_t i = 0; i < 20; i++)
    runnel__gate_leave(i < 10 ? f.a : f.b, &f.nodes[i]);
  tear_down(&f);
}

static void origins_take_turns_and_streams_their_order(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  for (size_t i = 0; i < 3; i++)
    runnel__gate_join(&f.gate, f.a, &f.nodes[i]);
  runnel__gate_join(&f.gate, f.b, &f.nodes[10]);
  static const size_t order[] = {0, 10, 1, 2};
  for (size_t i = 0; i < 4; i++)
    assert_ptr_equal(runnel__gate_admit(&f.gate, 0, &wake_ms),
                     &f.nodes[order[i]]);
  assert_null(runnel__gate_admit(&f.gate, 0, &wake_ms));
  tear_down(&f);
}

/* A burst of one second's worth, then one token each 1/rate. */
static void rates_hold_over_time(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  f.gate.rate_max = 10;
  f.gate.origin_rate_max = INT64_MAX;
  f.gate.dials_max = 1000000;
  f.gate.origin_dials_max = 1000000;
  for (size_t i = 0; i < 30; i++)
    runnel__gate_join(&f.gate, f.a, &f.nodes[i]);
  assert_int_equal(admit_all(&f, 5000, &wake_ms), 10);
  assert_int_equal(wake_ms, 5100);
  assert_int_equal(admit_all(&f, 5099, &wake_ms), 0);
  assert_int_equal(admit_all(&f, 5100, &wake_ms), 1);
  assert_int_equal(admit_all(&f, 5650, &wake_ms), 5);
  assert_int_equal(admit_all(&f, 90000, &wake_ms), 10);
  for (size_t i = 0; i < 30; i++)
    runnel__gate_leave(f.a, &f.nodes[i]);
  tear_down(&f);
}

/* An origin whose tokens are spent does not stand in another's way. */
static void a_spent_origin_lets_others_pass(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  f.gate.origin_rate_max = 2;
  f.gate.dials_max = 100;
  f.gate.origin_dials_max = 100;
  for (size_t i = 0; i < 5; i++)
    runnel__gate_join(&f.gate, f.a, &f.nodes[i]);
  assert_int_equal(admit_all(&f, 0, &wake_ms), 2);
  assert_int_equal(wake_ms, 500);
  runnel__gate_join(&f.gate, f.b, &f.nodes[10]);
  assert_ptr_equal(runnel__gate_admit(&f.gate, 1, &wake_ms), &f.nodes[10]);
  for (size_t i = 0; i < 5; i++)
    runnel__gate_leave(f.a, &f.nodes[i]);
  tear_down(&f);
}

static void a_pause_stops_everybody_for_its_time(void **state) {
  (void)state;
  struct fixture f;
  int64_t wake_ms;
  set_up(&f);
  runnel__gate_join(&f.gate, f.a, &f.nodes[0]);
  runnel__gate_pause(&f.gate, 1000);
  runnel__gate_pause(&f.gate, 500); /* does not shorten it */
  assert_int_equal(admit_all(&f, 999, &wake_ms), 0);
  assert_int_equal(wake_ms, 1000);
  assert_int_equal(admit_all(&f, 1000, &wake_ms), 1);
  tear_down(&f);
}

int runnel__test_gate(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_origin_per_scheme_host_and_port),
      cmocka_unit_test(many_origins_are_found_again),
      cmocka_unit_test(no_memory_for_an_origin_changes_nothing),
      cmocka_unit_test(slots_bound_what_is_under_way),
      cmocka_unit_test(no_origin_hogs_while_others_wait),
      cmocka_unit_test(origins_take_turns_and_streams_their_order),
      cmocka_unit_test(rates_hold_over_time),
      cmocka_unit_test(a_spent_origin_lets_others_pass),
      cmocka_unit_test(a_pause_stops_everybody_for_its_time),
  };
  return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
