/* The parser in any slices, with any limits, items kept, moved and refused at
 * random and memory that fails, against the slow parser, which sees the whole
 * input at once.
 *
 * Input: flags, limits, slack, where an allocation fails, four bytes of cuts;
 * the rest, the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../parser_run.h"
#include "fuzz.h"

/* At least as many as a machine has (one more reads without); any number means
 * one of them. */
#define QUICKS 4

enum flags {
  DROP = 1,
  COMMENTS = 2,
  UTF8 = 4,
  MOVE = 8,
  REFUSE = 16,
  ALL = 32
};

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* cmocka's assertions are to end the process in a way that libFuzzer sees. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

struct choices {
  struct runnel__parser_rules rules;
  int mode;
  unsigned seed;
  size_t slack;
  size_t fail_at;
  int fail_for_good;
  const char *bytes;
  size_t len;
};

static void choose_rules(struct runnel__parser_rules *rules, unsigned flags,
                         unsigned limits) {
  static const size_t event_bytes[] = {1 << 20, 1, 3, 8, 16, 17, 64, 256};
  static const size_t id_bytes[] = {1024, 1, 4, 16};
  static const size_t type_bytes[] = {256, 1, 4, 16};
  *rules = (struct runnel__parser_rules){
      .event_bytes_max = event_bytes[limits % 8],
      .id_bytes_max = id_bytes[limits / 8 % 4],
      .type_bytes_max = type_bytes[limits / 32 % 4],
      .drop = (flags & DROP) != 0,
      .comments = (flags & COMMENTS) != 0,
      .utf8_replace = (flags & UTF8) != 0};
}

static void compare(const struct run_text *fast, const struct run_text *slow,
                    const char *lens) {
  FUZZ_CHECK(strcmp(fast->at, slow->at) == 0, "%s:\n%s-- slowly:\n%s", lens,
             fast->at, slow->at);
}

static void run_cut(const struct choices *choices, const struct run_text *slow,
                    const size_t *cuts, size_t cuts_len) {
  struct run_text text = {0};
  struct run_plan plan = {.rules = &choices->rules,
                          .cuts = cuts,
                          .cuts_len = cuts_len,
                          .slack = choices->slack,
                          .mode = choices->mode,
                          .seed = choices->seed,
                          .quick = 1 + choices->seed / 2 % QUICKS};
  run_parser(&text, choices->bytes, choices->len, &plan, NULL, NULL);
  compare(&text, slow, "in slices");
  if (choices->fail_at > 0) {
    struct run_memory memory = {.fail_at = choices->fail_at,
                                .fail_for_good = choices->fail_for_good};
    int err =
        run_parser(&text, choices->bytes, choices->len, &plan, &memory, NULL);
    FUZZ_CHECK(strncmp(text.at, slow->at, text.len) == 0,
               "without memory:\n%s-- slowly:\n%s", text.at, slow->at);
    if (err != RUNNEL_ENOMEM)
      compare(&text, slow, "almost without memory");
  }
  run_text_free(&text);
}

static void run_plainly(const struct choices *choices,
                        const struct run_text *slow,
                        const struct runnel__parser_counts *wanted,
                        size_t quick, int each_byte) {
  struct run_text text = {0};
  struct runnel__parser_counts counts;
  struct run_plan plan = {
      .rules = &choices->rules, .each_byte = each_byte, .quick = quick};
  int err =
      run_parser(&text, choices->bytes, choices->len, &plan, NULL, &counts);
  compare(&text, slow, each_byte ? "byte by byte" : "whole");
  if (err == RUNNEL_OK)
    FUZZ_CHECK(counts.bytes == choices->len &&
                   counts.events == wanted->events &&
                   counts.comments == wanted->comments &&
                   counts.drops == wanted->drops,
               "counts differ");
  run_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct fuzz_input input = {bytes, len};
  struct choices choices = {0};
  unsigned flags = fuzz_byte(&input);
  choose_rules(&choices.rules, flags, fuzz_byte(&input));
  choices.mode =
      (flags & MOVE ? RUN_MOVE : 0) | (flags & REFUSE ? RUN_REFUSE : 0);
  choices.slack = fuzz_byte(&input) % 65;
  unsigned fault = fuzz_byte(&input);
  choices.fail_at = fault % 16;
  choices.fail_for_good = fault >= 128;
  uint64_t seed = fuzz_number(&input, 4);
  choices.seed = flags & ALL ? 0 : (unsigned)seed | 1;
  choices.bytes = (const char *)fuzz_bytes(&input, input.len, &choices.len);
  struct run_text slow = {0};
  struct runnel__parser_counts wanted = {0};
  run_slow(&slow, choices.bytes, choices.len, &choices.rules, &wanted);
  size_t cuts_len;
  size_t *cuts = fuzz_cuts(seed, choices.len, &cuts_len);
  run_cut(&choices, &slow, cuts, cuts_len);
  free(cuts);
  for (size_t quick = 1; quick <= QUICKS; quick++)
    run_plainly(&choices, &slow, &wanted, quick, 0);
  run_plainly(&choices, &slow, &wanted, 1, 1);
  run_text_free(&slow);
  return 0;
}
