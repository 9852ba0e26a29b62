/* Runs a parser over bytes cut into slices, and writes down what came of it.
 *
 * Slices are exact allocations, freed once used up, so that a sanitizer sees
 * every byte read or written outside them. Along the way it checks what must
 * hold whatever the input is: a NUL behind each slice, slack untouched, memory
 * balanced, nothing held at a border. */
#ifndef RUNNEL_TEST_PARSER_RUN_H
#define RUNNEL_TEST_PARSER_RUN_H

#include "../lib/core/parser.h"

/* An allocator that counts and can fail. */
struct run_memory {
  size_t live;       /* allocations not freed */
  size_t asked;      /* allocations and growths asked for */
  size_t fail_at;    /* the so-manyeth fails; 0: none */
  int fail_for_good; /* and all after it */
};

void run_memory_init(struct runnel__mem *mem, struct run_memory *memory);

struct run_text {
  char *at; /* owned, NUL-terminated */
  size_t len, cap;
};

void run_text_add(struct run_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void run_text_free(struct run_text *text);

/* A transcript line for an item, such as `event "a" id "1" own changed`. */
void run_write_item(struct run_text *text, int kind,
                    const struct runnel_event *event, int id_changed);

enum run_mode {
  RUN_MOVE = 1,  /* keep the rest and move it to fresh memory at every item */
  RUN_REFUSE = 2 /* refuse every event once */
};

struct run_plan {
  const struct runnel__parser_rules *rules;
  const size_t *cuts; /* ascending places where a slice ends */
  size_t cuts_len;
  int each_byte; /* instead of cuts */
  size_t slack;
  int mode;      /* enum run_mode, or-ed */
  unsigned seed; /* not 0: what the mode says is done at random items only */
  size_t quick;  /* 0: ways of reading lines in turn; else which, from 1 */
};

/* Parses `bytes` by the plan; the transcript goes to `text`, emptied first.
 * `memory` may be NULL. Returns RUNNEL_OK or the parser's error. `counts` may
 * be NULL. */
int run_parser(struct run_text *text, const char *bytes, size_t len,
               const struct run_plan *plan, struct run_memory *memory,
               struct runnel__parser_counts *counts);

/* The same by the slow parser. */
void run_slow(struct run_text *text, const char *bytes, size_t len,
              const struct runnel__parser_rules *rules,
              struct runnel__parser_counts *counts);

#endif
