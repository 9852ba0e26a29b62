/* The sessions that a client keeps: under which terms each is found, when it
 * ends, how many there are, and that none is left in memory that is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/stream/terms.h"

int runnel__test_terms(void);

#define SECRET 0x5a
#define BIG (RUNNEL__SESSION_BYTES_MAX + 1)

struct bench {
  struct runnel__mem mem;
  struct runnel__sessions sessions;
  size_t blocks;
  size_t spilt; /* secret bytes in memory that was given back */
};

/* In front of each block: its size. */
struct block {
  size_t size;
  unsigned char bytes[];
};

static void *give(size_t size, void *ctx) {
  struct bench *bench = ctx;
  struct block *block = malloc(sizeof *block + size);
  assert_non_null(block);
  block->size = size;
  bench->blocks++;
  return block->bytes;
}

static void take(void *memory, void *ctx) {
  struct bench *bench = ctx;
  struct block *block =
      (struct block *)(void *)((char *)memory - offsetof(struct block, bytes));
  for (size_t i = 0; i + 8 <= block->size; i++)
    bench->spilt += block->bytes[i] == SECRET &&
                    memcmp(&block->bytes[i], &block->bytes[i + 1], 7) == 0;
  bench->blocks--;
  free(block);
}

static void *move(void *memory, size_t size, void *ctx) {
  struct block *before =
      (struct block *)(void *)((char *)memory - offsetof(struct block, bytes));
  void *moved = give(size, ctx);
  memcpy(moved, memory, before->size < size ? before->size : size);
  take(memory, ctx);
  return moved;
}

static void begin(struct bench *bench, uint64_t held_max) {
  const struct runnel_alloc hooks = {give, move, take, bench};
  *bench = (struct bench){0};
  runnel__mem_init(&bench->mem, &hooks, held_max);
  runnel__sessions_init(&bench->sessions, &bench->mem);
}

static void end(struct bench *bench) {
  runnel__sessions_free(&bench->sessions);
  assert_int_equal(bench->blocks, 0);
  assert_int_equal(bench->mem.held, 0);
  assert_int_equal(bench->spilt, 0);
}

static struct runnel__terms *terms_of(struct bench *bench, const char *origin) {
  struct runnel__terms *terms =
      runnel__terms_take(&bench->sessions, origin, 1, 0);
  assert_non_null(terms);
  runnel__terms_give(terms);
  return terms;
}

/* At time 0, to end at 100 s by the wall and 200 ms by the clock. */
static int keep(struct bench *bench, struct runnel__terms *terms, size_t len) {
  static char bytes[BIG];
  const struct runnel__session_end end = {1000, 200};
  memset(bytes, SECRET, sizeof bytes);
  const struct runnel__session session = {bytes, len, 100};
  return runnel__terms_keep(&bench->sessions, terms, &session, &end, 0, 0);
}

static int is_there(struct bench *bench, struct runnel__terms *terms,
                    int64_t now_ms, int64_t wall_s) {
  struct runnel__session session;
  return runnel__terms_session(&bench->sessions, terms, now_ms, wall_s,
                               &session);
}

static void each_component_of_the_key(void **state) {
  static const struct {
    const char *origin;
    uint64_t trust_id;
    int anonymous;
  } rows[] = {
      {"https://h/", 1, 0},
      {"https://i/", 1, 0},
      {"https://h:8443/", 1, 0},
      {"https://h/", 2, 0},
      {"https://h/", 1, 1},
      {"https://h/", UINT64_MAX, 0},
      {"https://[2001:db8::1]/", 1, 0},
  };
  struct bench bench;
  (void)state;
  begin(&bench, 1 << 20);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct runnel__terms *terms = runnel__terms_take(
        &bench.sessions, rows[i].origin, rows[i].trust_id, rows[i].anonymous);
    assert_non_null(terms);
    assert_false(is_there(&bench, terms, 0, 0));
    assert_true(keep(&bench, terms, 100));
    runnel__terms_give(terms);
    assert_ptr_equal(runnel__terms_take(&bench.sessions, rows[i].origin,
                                        rows[i].trust_id, rows[i].anonymous),
                     terms);
    runnel__terms_give(terms);
  }
  end(&bench);
}

static void the_sooner_end_counts(void **state) {
  struct bench bench;
  (void)state;
  begin(&bench, 1 << 20);
  struct runnel__terms *terms = terms_of(&bench, "https://h/");
  assert_true(keep(&bench, terms, 100));
  assert_true(is_there(&bench, terms, 199, 99));
  assert_false(is_there(&bench, terms, 199, 100));
  assert_int_equal(bench.mem.held, 0);
  assert_true(keep(&bench, terms, 100));
  assert_false(is_there(&bench, terms, 200, 99));
  assert_false(is_there(&bench, terms, 0, 0)); /* once and for all */
  end(&bench);
}

static void what_is_not_kept(void **state) {
  const struct runnel__session_end past_s = {0, 200};
  const struct runnel__session_end past_ms = {1000, 0};
  const struct runnel__session session = {"12345678", 8, 100};
  struct bench bench;
  (void)state;
  begin(&bench, RUNNEL__SESSIONS_SHARE * BIG * 2);
  struct runnel__terms *terms = terms_of(&bench, "https://h/");
  assert_false(keep(&bench, terms, 0));
  assert_false(keep(&bench, terms, BIG));
  assert_true(keep(&bench, terms, BIG - 1));
  assert_true(keep(&bench, terms, 50)); /* for a moment both are held */
  assert_int_equal(bench.mem.held, 50);
  uint64_t left = bench.mem.held_max - bench.mem.held;
  assert_int_equal(runnel__mem_hold(&bench.mem, left), RUNNEL_OK);
  assert_false(keep(&bench, terms, 51)); /* over held_bytes_max */
  runnel__mem_unhold(&bench.mem, left);
  assert_true(is_there(&bench, terms, 0, 0));
  assert_false(
      runnel__terms_keep(&bench.sessions, terms, &session, &past_s, 0, 0));
  assert_false(
      runnel__terms_keep(&bench.sessions, terms, &session, &past_ms, 0, 0));
  end(&bench);
}

static void dropped_by_serial(void **state) {
  struct bench bench;
  (void)state;
  begin(&bench, 1 << 20);
  struct runnel__terms *terms = terms_of(&bench, "https://h/");
  assert_true(keep(&bench, terms, 100));
  uint64_t first = terms->serial;
  assert_true(keep(&bench, terms, 100));
  runnel__terms_drop(&bench.sessions, terms, first);
  assert_true(is_there(&bench, terms, 0, 0));
  runnel__terms_drop(&bench.sessions, terms, terms->serial);
  assert_false(is_there(&bench, terms, 0, 0));
  end(&bench);
}

/* The ones not used for longest make room, but not those that are named. */
static void bounded_in_number(void **state) {
  struct bench bench;
  (void)state;
  begin(&bench, 1 << 20);
  struct runnel__terms *named =
      runnel__terms_take(&bench.sessions, "https://named/", 1, 0);
  assert_true(keep(&bench, terms_of(&bench, "https://old/"), 20));
  struct runnel__terms *used = terms_of(&bench, "https://used/");
  assert_true(keep(&bench, used, 20));
  for (int i = 0; i < RUNNEL__TERMS_MAX - 2; i++) {
    char origin[64];
    snprintf(origin, sizeof origin, "https://h%d/", i);
    assert_ptr_equal(terms_of(&bench, "https://used/"), used);
    (void)terms_of(&bench, origin);
  }
  assert_int_equal(bench.sessions.terms.len, RUNNEL__TERMS_MAX);
  assert_true(is_there(&bench, terms_of(&bench, "https://used/"), 0, 0));
  assert_ptr_equal(terms_of(&bench, "https://named/"), named);
  assert_false(is_there(&bench, terms_of(&bench, "https://old/"), 0, 0));
  assert_int_equal(bench.sessions.terms.len, RUNNEL__TERMS_MAX);
  runnel__terms_give(named);
  end(&bench);
}

/* Sessions of many servers, or large ones, leave streams what they need. */
static void bounded_in_bytes(void **state) {
  struct bench bench;
  (void)state;
  begin(&bench, RUNNEL__SESSIONS_SHARE * 1000);
  struct runnel__terms *first = terms_of(&bench, "https://first/");
  struct runnel__terms *second = terms_of(&bench, "https://second/");
  assert_true(keep(&bench, first, 400));
  assert_true(keep(&bench, second, 600));
  assert_true(is_there(&bench, first, 0, 0));
  assert_false(keep(&bench, terms_of(&bench, "https://large/"), 1001));
  assert_ptr_equal(terms_of(&bench, "https://first/"), first); /* used again */
  assert_true(keep(&bench, terms_of(&bench, "https://third/"), 1));
  assert_true(is_there(&bench, first, 0, 0));
  assert_false(is_there(&bench, second, 0, 0));
  assert_int_equal(bench.mem.held, 401);
  assert_true(keep(&bench, terms_of(&bench, "https://large/"), 1000));
  assert_int_equal(bench.mem.held, 1000);
  end(&bench);
}

int runnel__test_terms(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_component_of_the_key),
      cmocka_unit_test(the_sooner_end_counts),
      cmocka_unit_test(what_is_not_kept),
      cmocka_unit_test(dropped_by_serial),
      cmocka_unit_test(bounded_in_number),
      cmocka_unit_test(bounded_in_bytes),
  };
  return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
