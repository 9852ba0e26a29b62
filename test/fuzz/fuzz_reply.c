/* Responses in any slices: what comes out may not depend on where the input is
 * cut, on whether the rest is moved, or on memory that was short (the outcome
 * is then a beginning of the same, and "no memory"). A chunked body is decoded
 * a second time, slowly, and must be the same.
 *
 * Input: flags, the head's limit, where an allocation fails, four bytes of
 * cuts; the rest, the response. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/core/reply.h"
#include "../failing_alloc.h"
#include "../story_text.h"
#include "fuzz.h"

enum flags { NO_BODY = 1, MOVE = 2, FORGET = 4, NOT_FINISHED = 8 };

struct choices {
  unsigned flags;
  size_t head_bytes_max;
  size_t fail_at; /* 0: none */
  uint64_t seed;
  const uint8_t *bytes;
  size_t len;
};

/* One reading. */
struct run {
  const struct choices *choices;
  struct runnel__reply *reply;
  struct runnel__mem mem;
  struct failing_alloc memory;
  struct story_bytes head; /* status and fields */
  struct story_bytes body;
  char *slice; /* owned */
  int moves;
  int outcome; /* an item or a code; MORE: not finished */
  char why[128];
};

static void note_head(struct run *run) {
  char number[32];
  size_t len, count;
  const struct runnel_header *headers = runnel__reply_headers(run->reply, &len);
  snprintf(number, sizeof number, "%d\n", runnel__reply_status(run->reply));
  FUZZ_CHECK(run->head.len == 0, "two heads");
  FUZZ_CHECK(len <= RUNNEL__REPLY_FIELDS_MAX, "%zu fields", len);
  story_bytes_text(&run->head, number);
  for (size_t i = 0; i < len; i++) {
    FUZZ_CHECK(!strpbrk(headers[i].name, "\r\n: ") &&
                   !strpbrk(headers[i].value, "\r\n"),
               "a field holds a line end");
    story_bytes_text(&run->head, headers[i].name);
    story_bytes_text(&run->head, ": ");
    story_bytes_text(&run->head, headers[i].value);
    story_bytes_text(&run->head, "\n");
  }
  struct runnel__str type = runnel__reply_header(
      run->reply, RUNNEL__STR("transfer-encoding"), &count);
  FUZZ_CHECK((type.at == NULL) == (count == 0), "a field is and is not there");
  if (run->choices->flags & FORGET) {
    runnel__reply_forget(run->reply, &run->mem);
    FUZZ_CHECK(run->mem.held == 0, "a forgotten head is held");
  }
}

static void move_rest(struct run *run) {
  size_t len;
  char *left = runnel__reply_left(run->reply, &len);
  char *fresh = malloc(len > 0 ? len : 1);
  FUZZ_CHECK(fresh != NULL, "no memory");
  if (len > 0)
    memcpy(fresh, left, len);
  runnel__reply_moved(run->reply, fresh);
  free(run->slice);
  run->slice = fresh;
}

static void end_run(struct run *run, int outcome) {
  char *body;
  size_t len;
  run->outcome = outcome;
  snprintf(run->why, sizeof run->why, "%s", runnel__reply_why(run->reply));
  FUZZ_CHECK(outcome != RUNNEL_EHTTP || run->why[0] != '\0', "no reason");
  FUZZ_CHECK(outcome == RUNNEL_ELOST ||
                 runnel__reply_next(run->reply, &run->mem, &body, &len) ==
                     outcome,
             "the outcome is not for good");
}

/* 0 when it is over. */
static int drain(struct run *run) {
  for (;;) {
    char *body = NULL;
    size_t len = 0;
    int item = runnel__reply_next(run->reply, &run->mem, &body, &len);
    if (item == RUNNEL__REPLY_MORE)
      return 1;
    if (item == RUNNEL__REPLY_HEAD) {
      note_head(run);
    } else if (item == RUNNEL__REPLY_BODY) {
      FUZZ_CHECK(len > 0, "an empty slice of body");
      story_bytes_add(&run->body, body, len);
    } else {
      end_run(run, item);
      return 0;
    }
    if (run->moves)
      move_rest(run);
  }
}

static int feed(struct run *run, const uint8_t *bytes, size_t len) {
  run->slice = malloc(len > 0 ? len : 1);
  FUZZ_CHECK(run->slice != NULL, "no memory");
  if (len > 0)
    memcpy(run->slice, bytes, len);
  runnel__reply_feed(run->reply, run->slice, len);
  int goes_on = drain(run);
  free(run->slice);
  return goes_on;
}

static void read_slices(struct run *run, const size_t *cuts, size_t cuts_len) {
  const struct choices *choices = run->choices;
  size_t at = 0;
  for (size_t i = 0; i <= cuts_len; i++) {
    size_t end = i < cuts_len ? cuts[i] : choices->len;
    if (!feed(run, choices->bytes + at, end - at))
      return;
    at = end;
  }
  if (!(choices->flags & NOT_FINISHED))
    end_run(run, runnel__reply_finish(run->reply));
}

static void run_init(struct run *run, const struct choices *choices,
                     size_t fail_at) {
  *run = (struct run){.choices = choices, .memory.fail_at = fail_at};
  struct runnel_alloc hooks = failing_alloc_hooks(&run->memory);
  runnel__mem_init(&run->mem, &hooks, UINT64_MAX);
  story_bytes_text(&run->head, "");
  story_bytes_text(&run->body, "");
  run->reply = runnel__reply_new(&run->mem, choices->flags & NO_BODY,
                                 choices->head_bytes_max);
  if (run->reply == NULL)
    run->outcome = RUNNEL_ENOMEM;
}

static void run_deinit(struct run *run) {
  runnel__reply_free(run->reply, &run->mem);
  FUZZ_CHECK(run->mem.held == 0, "%llu bytes are held",
             (unsigned long long)run->mem.held);
  FUZZ_CHECK(run->memory.live == 0, "%zu blocks leak", run->memory.live);
  story_bytes_free(&run->head);
  story_bytes_free(&run->body);
}

static int is_start(const struct story_bytes *start,
                    const struct story_bytes *whole) {
  return start->len <= whole->len &&
         memcmp(start->at, whole->at, start->len) == 0;
}

static void compare(const struct run *one, const struct run *other) {
  FUZZ_CHECK(is_start(&other->head, &one->head), "the head depends on cuts");
  FUZZ_CHECK(is_start(&other->body, &one->body), "the body depends on cuts");
  if (other->outcome == RUNNEL_ENOMEM) {
    FUZZ_CHECK(other->memory.failed > 0, "no memory, but there was");
    return;
  }
  FUZZ_CHECK(one->outcome == other->outcome, "%d depends on cuts: %d",
             one->outcome, other->outcome);
  FUZZ_CHECK(strcmp(one->why, other->why) == 0,
             "\"%s\" depends on cuts: \"%s\"", one->why, other->why);
  FUZZ_CHECK(one->head.len == other->head.len &&
                 one->body.len == other->body.len,
             "cuts lose bytes");
}

static void read_again(const struct run *whole, size_t fail_at, int moves,
                       const size_t *cuts, size_t cuts_len) {
  struct run run;
  run_init(&run, whole->choices, fail_at);
  run.moves = moves;
  if (run.reply != NULL)
    read_slices(&run, cuts, cuts_len);
  compare(whole, &run);
  run_deinit(&run);
}

/* RFC 9112 7.1.3, for input that is known to be good: chunks whose size line
 * may have an extension. */
static void decode_chunks(struct story_bytes *out, const char *at) {
  for (;;) {
    char *end;
    unsigned long size = strtoul(at, &end, 16);
    if (size == 0)
      return;
    at = strchr(end, '\n') + 1;
    story_bytes_add(out, at, size);
    at += size + 2;
  }
}

/* The last empty line before the body: heads 1xx come first. */
static const char *find_body(const char *text) {
  while (*text == '\r' || *text == '\n')
    text++;
  int interim = strlen(text) > 9 && text[9] == '1';
  const char *end = strstr(text, "\r\n\r\n");
  return interim ? find_body(end + 4) : end + 4;
}

static void check_chunks(const struct run *run) {
  if (run->outcome != RUNNEL__REPLY_END || run->body.len == 0 ||
      run->choices->flags & (FORGET | NO_BODY))
    return;
  if (runnel__reply_header(run->reply, RUNNEL__STR("transfer-encoding"), NULL)
          .at == NULL)
    return;
  struct story_bytes text = {0}, body = {0};
  story_bytes_add(&text, (const char *)run->choices->bytes, run->choices->len);
  decode_chunks(&body, find_body(text.at));
  FUZZ_CHECK(body.len == run->body.len &&
                 memcmp(body.at, run->body.at, body.len) == 0,
             "chunks: %zu bytes, slowly %zu", run->body.len, body.len);
  story_bytes_free(&text);
  story_bytes_free(&body);
}

static void check(const struct choices *choices) {
  struct run whole;
  run_init(&whole, choices, 0);
  read_slices(&whole, NULL, 0);
  check_chunks(&whole);
  size_t len;
  size_t *cuts = fuzz_cuts(choices->seed, choices->len, &len);
  read_again(&whole, 0, choices->flags & MOVE, cuts, len);
  if (choices->fail_at > 0)
    read_again(&whole, choices->fail_at, choices->flags & MOVE, cuts, len);
  for (len = 0; len + 1 < choices->len; len++)
    cuts[len] = len + 1;
  read_again(&whole, 0, 0, cuts, len);
  free(cuts);
  run_deinit(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static const size_t limits[] = {65536, 256, 300, 1024};
  struct fuzz_input input = {bytes, len};
  struct choices choices = {.flags = fuzz_byte(&input)};
  choices.head_bytes_max = limits[fuzz_byte(&input) % 4];
  choices.fail_at = fuzz_byte(&input) % 16;
  choices.seed = fuzz_number(&input, 4);
  choices.bytes = fuzz_bytes(&input, input.len, &choices.len);
  check(&choices);
  return 0;
}
