/* Small rooms of core: memory and its meter, buffers, deadlines, errors, and
 * the arithmetic of backoff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/core/backoff.h"
#include "../lib/core/buf.h"
#include "../lib/core/heap.h"
#include "../lib/core/verdict.h"
#include "failing_alloc.h"

static void meter_stops_at_its_bound(void **state) {
  (void)state;
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, 100);
  assert_int_equal(runnel__mem_hold(&mem, 60), RUNNEL_OK);
  assert_int_equal(runnel__mem_hold(&mem, 41), RUNNEL_ENOMEM);
  assert_int_equal(runnel__mem_hold(&mem, SIZE_MAX), RUNNEL_ENOMEM);
  assert_int_equal(mem.held, 60);
  assert_int_equal(runnel__mem_hold(&mem, 40), RUNNEL_OK);
  runnel__mem_unhold(&mem, 100);
  assert_int_equal(mem.held, 0);
}

static void buffer_grows_to_its_limit_and_not_over(void **state) {
  (void)state;
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, 1000);
  struct runnel__buf buf = {0};
  for (int i = 0; i < 500; i++)
    assert_int_equal(runnel__buf_append(&buf, &mem, "x", 1, 500), RUNNEL_OK);
  assert_int_equal(runnel__buf_append(&buf, &mem, "x", 1, 500), RUNNEL_ETOOBIG);
  assert_int_equal(buf.len, 500);
  assert_int_equal(buf.at[500], '\0');
  assert_true(buf.cap <= 501);
  assert_int_equal(mem.held, buf.cap);
  runnel__buf_free(&buf, &mem);
  assert_int_equal(mem.held, 0);
}

/* Doubling would pass the meter, but what is needed still fits. */
static void buffer_uses_the_last_of_the_meter(void **state) {
  (void)state;
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, 300);
  struct runnel__buf buf = {0};
  char bytes[299] = {0};
  assert_int_equal(runnel__buf_append(&buf, &mem, bytes, 200, 4096), 0);
  assert_int_equal(runnel__buf_append(&buf, &mem, bytes, 99, 4096), 0);
  assert_int_equal(runnel__buf_append(&buf, &mem, bytes, 1, 4096),
                   RUNNEL_ENOMEM);
  assert_int_equal(buf.len, 299);
  runnel__buf_free(&buf, &mem);
}

static void buffer_survives_a_failed_allocation(void **state) {
  (void)state;
  struct failing_alloc failing = {.fail_at = 2};
  struct runnel_alloc hooks = failing_alloc_hooks(&failing);
  struct runnel__mem mem;
  runnel__mem_init(&mem, &hooks, 10000);
  struct runnel__buf buf = {0};
  char bytes[1000] = {0};
  assert_int_equal(runnel__buf_append(&buf, &mem, "ab", 2, 5000), RUNNEL_OK);
  uint64_t held = mem.held;
  assert_int_equal(runnel__buf_append(&buf, &mem, bytes, 1000, 5000),
                   RUNNEL_ENOMEM);
  assert_string_equal(buf.at, "ab");
  assert_int_equal(mem.held, held);
  runnel__buf_free(&buf, &mem);
  assert_int_equal(failing.live, 0);
}

/* Random sets, moves and removals against the slowest heap there is. */
static void heap_gives_the_earliest_first(void **state) {
  (void)state;
  enum { NODES = 64 };
  struct runnel__heap_node nodes[NODES] = {{0}};
  struct runnel__heap heap = {0};
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, 0);
  assert_int_equal(runnel__heap_reserve(&heap, &mem, NODES), RUNNEL_OK);
  assert_null(runnel__heap_first(&heap));
  unsigned random = 1;
  for (int round = 0; round < 20000; round++) {
    random = random * 1103515245u + 12345u;
    struct runnel__heap_node *node = &nodes[(random >> 16) % NODES];
    if ((random >> 8) % 3 == 0)
      runnel__heap_remove(&heap, node);
    else
      runnel__heap_set(&heap, node, (int64_t)((random >> 10) % 50));
    const struct runnel__heap_node *first = runnel__heap_first(&heap);
    size_t in = 0;
    for (size_t i = 0; i < NODES; i++) {
      in += nodes[i].place != 0;
      if (nodes[i].place != 0)
        assert_true(first->at_ms <= nodes[i].at_ms);
    }
    assert_int_equal(in, heap.len);
  }
  runnel__heap_free(&heap, &mem);
}

/* Promise: values are pinned for ever. */
static void error_codes_are_pinned(void **state) {
  (void)state;
  static const struct {
    int code;
    int value;
    const char *name;
  } pinned[] = {
      {RUNNEL_OK, 0, "RUNNEL_OK"},
      {RUNNEL_LATER, 1, "RUNNEL_LATER"},
      {RUNNEL_EINVAL, -1, "RUNNEL_EINVAL"},
      {RUNNEL_ENOMEM, -2, "RUNNEL_ENOMEM"},
      {RUNNEL_ESTATE, -3, "RUNNEL_ESTATE"},
      {RUNNEL_ECANCELED, -4, "RUNNEL_ECANCELED"},
      {RUNNEL_EFORKED, -5, "RUNNEL_EFORKED"},
      {RUNNEL_ETOOBIG, -6, "RUNNEL_ETOOBIG"},
      {RUNNEL_EURL, -7, "RUNNEL_EURL"},
      {RUNNEL_ERESOLVE, -8, "RUNNEL_ERESOLVE"},
      {RUNNEL_ECONNECT, -9, "RUNNEL_ECONNECT"},
      {RUNNEL_ERESOURCE, -10, "RUNNEL_ERESOURCE"},
      {RUNNEL_EPROXY, -11, "RUNNEL_EPROXY"},
      {RUNNEL_ETLS, -12, "RUNNEL_ETLS"},
      {RUNNEL_ETRUST, -13, "RUNNEL_ETRUST"},
      {RUNNEL_EHTTP, -14, "RUNNEL_EHTTP"},
      {RUNNEL_ELOST, -15, "RUNNEL_ELOST"},
      {RUNNEL_ESTATUS, -16, "RUNNEL_ESTATUS"},
      {RUNNEL_EUNAUTHORIZED, -17, "RUNNEL_EUNAUTHORIZED"},
      {RUNNEL_ETYPE, -18, "RUNNEL_ETYPE"},
      {RUNNEL_EENCODING, -19, "RUNNEL_EENCODING"},
      {RUNNEL_EREDIRECT, -20, "RUNNEL_EREDIRECT"},
      {RUNNEL_ETIMEDOUT, -21, "RUNNEL_ETIMEDOUT"},
      {RUNNEL_EIDLE, -22, "RUNNEL_EIDLE"},
      {RUNNEL_EEND, -23, "RUNNEL_EEND"},
  };
  for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++) {
    assert_int_equal(pinned[i].code, pinned[i].value);
    assert_string_equal(runnel_err_name(pinned[i].code), pinned[i].name);
    assert_string_not_equal(runnel_strerror(pinned[i].code), "unknown error");
  }
  assert_string_equal(runnel_err_name(-24), "RUNNEL_UNKNOWN");
  assert_string_equal(runnel_strerror(99), "unknown error");
  assert_string_equal(runnel_state_name(RUNNEL_STATE_HELD), "held");
  assert_string_equal(runnel_state_name(RUNNEL_STATE_CLOSING), "closing");
  assert_string_equal(runnel_state_name(10), "unknown");
  assert_string_equal(runnel_state_name(-1), "unknown");
}

static const struct runnel__backoff usual = {1000, 30000, 2, 0.25};

/* random 0: U[0.5, 1] is 0.5 and U[0, jitter] is 0; all ones: 1 and jitter. */
static void backoff_follows_its_formula(void **state) {
  (void)state;
  static const struct {
    uint64_t failures;
    int64_t least;
    int64_t most;
  } rows[] = {
      {0, 1000, 1250},         {1, 1000, 1250},
      {2, 1000, 2250},         {3, 2000, 4250},
      {4, 4000, 8250},         {5, 8000, 16250},
      {6, 15000, 30250},       {7, 15000, 30250},
      {1000000, 15000, 30250}, {UINT64_MAX, 15000, 30250},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uint64_t failures = rows[i].failures;
    assert_int_equal(runnel__backoff_ms(&usual, failures, 0), rows[i].least);
    assert_int_equal(runnel__backoff_ms(&usual, failures, UINT64_MAX),
                     rows[i].most);
  }
  assert_int_equal(runnel__backoff_cap_ms(&usual, UINT64_MAX), 30250);
}

static void backoff_never_leaves_its_range(void **state) {
  (void)state;
  const struct runnel__backoff wild = {RUNNEL_MS_MAX, INT64_MAX, 100, 1};
  const struct runnel__backoff none = {0, 30000, 2, 0.25};
  const struct runnel__backoff lifted = {60000, 30000, 2, 0};
  assert_int_equal(runnel__backoff_ms(&wild, 500, UINT64_MAX), RUNNEL_MS_MAX);
  assert_int_equal(runnel__backoff_ms(&none, 50, UINT64_MAX), 0);
  /* A server's base above the cap lifts the cap, and is the least delay. */
  assert_int_equal(runnel__backoff_ms(&lifted, 9, 0), 60000);
}

static void retry_after_is_a_lower_bound(void **state) {
  (void)state;
  assert_int_equal(runnel__backoff_after_ms(1000, 5000, 0), 5000);
  assert_int_equal(runnel__backoff_after_ms(1000, 5000, UINT64_MAX), 6000);
  assert_int_equal(runnel__backoff_after_ms(9000, 5000, UINT64_MAX), 9000);
}

static void server_retry_is_clamped_or_ignored(void **state) {
  (void)state;
  assert_int_equal(runnel__backoff_server_ms(0, 100, 3600000, 1000), 100);
  assert_int_equal(runnel__backoff_server_ms(500, 100, 3600000, 1000), 500);
  assert_int_equal(runnel__backoff_server_ms(INT64_MAX, 100, 3600000, 1000),
                   3600000);
  assert_int_equal(runnel__backoff_server_ms(500, 200, 200, 1000), 1000);
}

/* Every code that is tried again, and every one that is not. */
static void each_code_has_its_fate(void **state) {
  (void)state;
  for (int code = RUNNEL_EEND; code <= RUNNEL_OK; code++) {
    struct runnel__ending ending = {.code = code};
    enum runnel__fate fate = runnel__verdict(&ending);
    switch (code) {
    case RUNNEL_OK:
      assert_int_equal(fate, RUNNEL__FATE_PEACE);
      break;
    case RUNNEL_ETRUST:
      assert_int_equal(fate, RUNNEL__FATE_CAP);
      break;
    case RUNNEL_EINVAL:
    case RUNNEL_ESTATE:
    case RUNNEL_ECANCELED:
    case RUNNEL_EFORKED:
    case RUNNEL_ETOOBIG:
    case RUNNEL_EURL:
    case RUNNEL_ESTATUS: /* status 0 is not on the list */
    case RUNNEL_EUNAUTHORIZED:
    case RUNNEL_ETYPE:
    case RUNNEL_EENCODING:
    case RUNNEL_EREDIRECT:
      assert_int_equal(fate, RUNNEL__FATE_STOP);
      break;
    default:
      assert_int_equal(fate, RUNNEL__FATE_RETRY);
    }
  }
}

static void statuses_are_sorted_as_promised(void **state) {
  (void)state;
  static const int retried[] = {408, 421, 425, 429, 500, 502, 503, 504};
  for (int status = 100; status < 600; status++) {
    int listed = 0;
    for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++)
      listed |= retried[i] == status;
    struct runnel__ending ending = {.code = RUNNEL_ESTATUS, .status = status};
    assert_int_equal(runnel__verdict(&ending),
                     listed ? RUNNEL__FATE_RETRY : RUNNEL__FATE_STOP);
    assert_int_equal(runnel__verdict_retried(status), listed);
  }
  assert_int_equal(runnel__verdict_status(204), RUNNEL_OK);
  assert_int_equal(runnel__verdict_status(205), RUNNEL_ESTATUS);
  assert_int_equal(runnel__verdict_status(301), RUNNEL_EREDIRECT);
  assert_int_equal(runnel__verdict_status(304), RUNNEL_ESTATUS);
  assert_int_equal(runnel__verdict_status(308), RUNNEL_EREDIRECT);
  assert_int_equal(runnel__verdict_status(401), RUNNEL_EUNAUTHORIZED);
}

static void one_shot_is_never_repeated_unanswered(void **state) {
  (void)state;
  struct runnel__ending lost = {.code = RUNNEL_ELOST, .once = 1};
  assert_int_equal(runnel__verdict(&lost), RUNNEL__FATE_RETRY);
  lost.acted = 1;
  assert_int_equal(runnel__verdict(&lost), RUNNEL__FATE_STOP);
  struct runnel__ending busy = {
      .code = RUNNEL_ESTATUS, .status = 503, .once = 1, .acted = 1};
  assert_int_equal(runnel__verdict(&busy), RUNNEL__FATE_RETRY);
  struct runnel__ending cut = {.code = RUNNEL_ELOST, .once = 1, .accepted = 1};
  assert_int_equal(runnel__verdict(&cut), RUNNEL__FATE_STOP);
  struct runnel__ending resumed = {.code = RUNNEL_ELOST, .acted = 1};
  assert_int_equal(runnel__verdict(&resumed), RUNNEL__FATE_RETRY);
}

int runnel__test_core(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(meter_stops_at_its_bound),
      cmocka_unit_test(buffer_grows_to_its_limit_and_not_over),
      cmocka_unit_test(buffer_uses_the_last_of_the_meter),
      cmocka_unit_test(buffer_survives_a_failed_allocation),
      cmocka_unit_test(heap_gives_the_earliest_first),
      cmocka_unit_test(error_codes_are_pinned),
      cmocka_unit_test(backoff_follows_its_formula),
      cmocka_unit_test(backoff_never_leaves_its_range),
      cmocka_unit_test(retry_after_is_a_lower_bound),
      cmocka_unit_test(server_retry_is_clamped_or_ignored),
      cmocka_unit_test(each_code_has_its_fate),
      cmocka_unit_test(statuses_are_sorted_as_promised),
      cmocka_unit_test(one_shot_is_never_repeated_unanswered),
  };
  return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
