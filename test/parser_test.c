/* The event-stream parser: vectors under every cut while items are refused and
 * moved (group split has them behind other layers), a slow reference on random
 * streams, and memory that runs out at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parser_run.h"
#include "vectors.h"

#define SLACK 64
#define TWO_CUTS_BYTES_MAX 60
#define RANDOM_STREAMS 200000
#define LONG_STREAMS 10000
#define LONG_BYTES 8192
#define SEED UINT64_C(0x72756e6e656c)

int runnel__test_parser(void);

struct tally {
  size_t vectors;
  size_t parses;
  struct run_text text; /* scratch */
};

/* Vectors ----------------------------------------------------------------- */

static void expect(const char *what, const char *name, const char *wanted,
                   const char *got, const struct run_plan *plan) {
  if (strcmp(wanted, got) == 0)
    return;
  print_error("%s: %s (%zu cuts:", what, name, plan->cuts_len);
  for (size_t i = 0; i < plan->cuts_len; i++)
    print_error(" %zu", plan->cuts[i]);
  print_error(", each byte %d, slack %zu, mode %d)\nwanted:\n%sgot:\n%s\n",
              plan->each_byte, plan->slack, plan->mode, wanted, got);
  fail();
}

static void run_vector(struct tally *tally, const struct vector *vector,
                       const struct run_plan *plan) {
  run_parser(&tally->text, vector->in, vector->in_len, plan, NULL, NULL);
  expect("parser", vector->name, vector->out, tally->text.at, plan);
  tally->parses++;
}

static void run_one_cut(struct tally *tally, const struct vector *vector,
                        struct run_plan plan) {
  size_t cut;
  plan.cuts = &cut;
  plan.cuts_len = 1;
  for (cut = 1; cut < vector->in_len; cut++)
    run_vector(tally, vector, &plan);
}

static void run_two_cuts(struct tally *tally, const struct vector *vector,
                         struct run_plan plan) {
  size_t cuts[2];
  plan.cuts = cuts;
  plan.cuts_len = 2;
  for (cuts[0] = 1; cuts[0] < vector->in_len; cuts[0]++)
    for (cuts[1] = cuts[0] + 1; cuts[1] < vector->in_len; cuts[1]++)
      run_vector(tally, vector, &plan);
}

static void try_vector(const struct vector *vector, void *user) {
  struct tally *tally = user;
  struct runnel__parser_counts counts;
  struct run_plan plan = {.rules = &vector->rules};
  run_slow(&tally->text, vector->in, vector->in_len, &vector->rules, &counts);
  expect("slow parser", vector->name, vector->out, tally->text.at, &plan);
  tally->vectors++;
  for (int mode = 0; mode <= (RUN_MOVE | RUN_REFUSE); mode++) {
    for (plan.slack = 0; plan.slack <= SLACK; plan.slack += SLACK) {
      plan.mode = mode;
      plan.each_byte = 0;
      run_vector(tally, vector, &plan);
      run_one_cut(tally, vector, plan);
      plan.each_byte = 1;
      run_vector(tally, vector, &plan);
    }
  }
  if (vector->in_len > TWO_CUTS_BYTES_MAX)
    return;
  plan = (struct run_plan){
      .rules = &vector->rules, .mode = RUN_MOVE | RUN_REFUSE, .slack = SLACK};
  run_two_cuts(tally, vector, plan);
}

static void test_vectors(void **state) {
  (void)state;
  struct tally tally = {0};
  vectors_all(try_vector, &tally);
  print_message("%zu vectors, %zu parses\n", tally.vectors, tally.parses);
  run_text_free(&tally.text);
}

/* Random streams ---------------------------------------------------------- */

static uint64_t draw(uint64_t *seed, uint64_t below) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return (*seed >> 11) % below;
}

/* Pieces from which whole and broken lines come about. */
static size_t draw_stream(uint64_t *seed, char *bytes) {
  static const struct {
    const char *at;
    size_t len;
  } pieces[] = {
      {"\n", 1},       {"\n", 1},      {"\n", 1},       {"\n\n", 2},
      {"\r", 1},       {"\r", 1},      {"\r\n", 2},     {":", 1},
      {":", 1},        {" ", 1},       {"data:", 5},    {"data: a", 7},
      {"data", 4},     {"\ndata:", 6}, {"event:", 6},   {"event", 5},
      {"id:", 3},      {"id", 2},      {"retry:", 6},   {"retry", 5},
      {"\0", 1},       {"\xef", 1},    {"\xef\xbb", 2}, {"\xbf", 1},
      {"\xe2\x82", 2}, {"7", 1},       {"99999999", 8}, {"abc", 3},
      {"d", 1},        {"i", 1},       {"\nid: 1", 6},  {"\n:", 2}};
  size_t len = 0;
  if (draw(seed, 8) == 0) {
    memcpy(bytes, "\xef\xbb\xbf", 3);
    len = 3;
  }
  for (size_t left = draw(seed, 18); left > 0; left--) {
    size_t i = draw(seed, sizeof pieces / sizeof pieces[0]);
    memcpy(bytes + len, pieces[i].at, pieces[i].len);
    len += pieces[i].len;
  }
  return len;
}

/* Lines as servers write them, of lengths on both sides of what is read at one
 * go, with line ends at every place of it. */
static size_t draw_long_stream(uint64_t *seed, char *bytes) {
  static const char *const names[] = {
      "data: ", "data: ", "data:", "data: ", "id: ", "event:", ": ", "x: "};
  static const char *const ends[] = {"\n", "\n", "\n", "\r\n", "\r"};
  static const size_t lens[] = {4, 40, 70, 1500};
  size_t len = 0;
  for (size_t left = draw(seed, 16); left > 0 && len < LONG_BYTES / 2; left--) {
    size_t fill = draw(seed, lens[draw(seed, 4)]);
    len += (size_t)sprintf(bytes + len, "%s", names[draw(seed, 8)]);
    for (size_t i = 0; i < fill; i++, len++)
      bytes[len] = (char)('a' + (len * 7 + i) % 26);
    const char *end = ends[draw(seed, 5)];
    len += (size_t)sprintf(bytes + len, "%s%s", end, draw(seed, 2) ? end : "");
  }
  return len;
}

static void draw_rules(uint64_t *seed, struct runnel__parser_rules *rules) {
  rules->event_bytes_max = draw(seed, 2) ? 1000 : 1 + draw(seed, 8);
  rules->id_bytes_max = draw(seed, 4) ? 1000 : 1 + draw(seed, 6);
  rules->type_bytes_max = draw(seed, 4) ? 1000 : 1 + draw(seed, 6);
  rules->drop = draw(seed, 4) > 0;
  rules->comments = draw(seed, 2) > 0;
  rules->utf8_replace = draw(seed, 4) == 0;
}

static size_t draw_cuts(uint64_t *seed, size_t cuts[4], size_t len) {
  size_t count = 0, at = 0;
  while (count < 4 && at + 1 < len) {
    at += 1 + draw(seed, len - at - 1);
    cuts[count++] = at;
    if (draw(seed, 3) == 0)
      break;
  }
  return count;
}

static void try_random(uint64_t *seed, const char *name, const char *bytes,
                       size_t len, const struct runnel__parser_rules *rules) {
  struct run_text wanted = {0}, got = {0};
  size_t cuts[4];
  struct runnel__parser_counts slow = {0}, fast;
  struct run_plan plan = {.rules = rules, .cuts = cuts};
  plan.cuts_len = draw_cuts(seed, cuts, len);
  plan.each_byte = draw(seed, 8) == 0;
  plan.slack = draw(seed, 2) * SLACK;
  plan.mode = (int)draw(seed, 4);
  run_slow(&wanted, bytes, len, rules, &slow);
  int err = run_parser(&got, bytes, len, &plan, NULL, &fast);
  expect("random", name, wanted.at, got.at, &plan);
  assert_int_equal(slow.events, fast.events);
  assert_int_equal(slow.comments, fast.comments);
  assert_int_equal(slow.drops, fast.drops);
  assert_true(err != RUNNEL_OK || fast.bytes == len);
  run_text_free(&wanted);
  run_text_free(&got);
}

static void test_random_streams(void **state) {
  (void)state;
  uint64_t seed = SEED;
  for (size_t i = 0; i < RANDOM_STREAMS; i++) {
    char bytes[256], name[48];
    struct runnel__parser_rules rules;
    snprintf(name, sizeof name, "stream %zu", i);
    size_t len = draw_stream(&seed, bytes);
    draw_rules(&seed, &rules);
    try_random(&seed, name, bytes, len, &rules);
  }
  print_message("%d random streams, seed %#llx\n", RANDOM_STREAMS,
                (unsigned long long)SEED);
}

static void test_long_streams(void **state) {
  (void)state;
  static char bytes[LONG_BYTES];
  uint64_t seed = SEED;
  for (size_t i = 0; i < LONG_STREAMS; i++) {
    char name[48];
    struct runnel__parser_rules rules;
    snprintf(name, sizeof name, "long stream %zu", i);
    size_t len = draw_long_stream(&seed, bytes);
    draw_rules(&seed, &rules);
    if (draw(&seed, 2))
      rules.event_bytes_max = 1000000;
    rules.id_bytes_max = 1000;
    try_random(&seed, name, bytes, len, &rules);
  }
  print_message("%d long streams\n", LONG_STREAMS);
}

/* Memory that runs out ---------------------------------------------------- */

/* Fails the k-th allocation, for every k, until a run asks for fewer. */
static size_t starve(const struct vector *vector, const struct run_plan *plan,
                     int for_good) {
  struct run_text text = {0};
  size_t k = 0;
  for (;;) {
    struct run_memory memory = {.fail_at = ++k, .fail_for_good = for_good};
    int err =
        run_parser(&text, vector->in, vector->in_len, plan, &memory, NULL);
    if (err != RUNNEL_ENOMEM)
      expect("starved", vector->name, vector->out, text.at, plan);
    if (memory.asked < k)
      break;
  }
  run_text_free(&text);
  return k;
}

/* Each way of reading lines, in turn, with all the slack that it likes. */
#define QUICKS 4

static void starve_in_every_way(const struct vector *vector, void *user) {
  size_t *runs = user;
  struct run_plan plan = {.rules = &vector->rules, .slack = 64};
  for (plan.quick = 1; plan.quick <= QUICKS; plan.quick++)
    for (int for_good = 0; for_good <= 1; for_good++)
      *runs += starve(vector, &plan, for_good);
}

static void starve_vector(const struct vector *vector, void *user) {
  size_t *runs = user;
  struct run_plan plan = {.rules = &vector->rules};
  starve_in_every_way(vector, user);
  for (plan.mode = 0; plan.mode <= (RUN_MOVE | RUN_REFUSE); plan.mode++)
    for (plan.each_byte = 0; plan.each_byte <= 1; plan.each_byte++)
      for (int for_good = 0; for_good <= 1; for_good++)
        *runs += starve(vector, &plan, for_good);
}

static void test_memory_runs_out(void **state) {
  (void)state;
  size_t runs = 0;
  vectors_each("ids", starve_vector, &runs);
  vectors_each("limits", starve_vector, &runs);
  vectors_each("comments", starve_vector, &runs);
  vectors_each("utf8", starve_vector, &runs);
  vectors_each("field", starve_vector, &runs);
  print_message("%zu starved parses\n", runs);
}

int runnel__test_parser(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_random_streams),
      cmocka_unit_test(test_long_streams),
      cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}
