/* See split_run.h. */
#include "split_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/core/chunk.h"
#include "../lib/core/quick.h"
#include "../lib/core/reply.h"
#include "../lib/core/world.h"
#include "slow_parser.h"

#define HEAD_BYTES_MAX 65536

/* Notes ------------------------------------------------------------------- */

/* A number and a space: no printf, which would take most of the time. */
static void note_number(struct story_bytes *notes, uint64_t number) {
  char text[24];
  size_t at = sizeof text;
  text[--at] = ' ';
  do
    text[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  story_bytes_add(notes, text + at, sizeof text - at);
}

/* The length comes first, so that no two texts look alike. */
static void note_text(struct story_bytes *notes, const char *at, size_t len) {
  note_number(notes, len);
  story_bytes_add(notes, at, len);
}

static void note_id(struct story_bytes *notes, const struct runnel_event *event,
                    int id_changed) {
  note_text(notes, event->id, event->id_len);
  note_number(notes, (uint64_t)event->has_id * 2 + (uint64_t)id_changed);
}

/* All that is promised of an item of that kind, and no more. */
static void note_item(int kind, const struct runnel_event *event,
                      int id_changed, void *user) {
  struct story_bytes *notes = user;
  note_number(notes, (uint64_t)kind);
  switch (kind) {
  case RUNNEL_PARSED_EVENT:
    note_text(notes, event->type, event->type_len);
    note_text(notes, event->data, event->data_len);
    note_id(notes, event, id_changed);
    note_number(notes, (uint64_t)(event->retry_ms + 1));
    break;
  case RUNNEL_PARSED_ID:
    note_text(notes, event->id, event->id_len);
    break;
  case RUNNEL_PARSED_COMMENT:
    note_text(notes, event->data, event->data_len);
    break;
  case RUNNEL_PARSED_RETRY:
    note_number(notes, (uint64_t)event->retry_ms);
    break;
  default:
    assert_int_equal(kind, RUNNEL_PARSED_DROP);
    note_number(notes, event->data_len);
    note_id(notes, event, id_changed);
    break;
  }
  story_bytes_add(notes, "\n", 1);
}

static void note_end(struct story_bytes *notes, struct runnel__str id,
                     size_t unfinished) {
  story_bytes_text(notes, "end ");
  note_text(notes, id.at, id.len);
  note_number(notes, unfinished);
}

/* Rooms ------------------------------------------------------------------- */

void split_rooms_init(struct split_rooms *rooms, size_t slice_len_max) {
  rooms->len = slice_len_max + RUNNEL__SLACK_BYTES;
  for (size_t i = 0; i < 2; i++) {
    rooms->at[i] = malloc(rooms->len);
    assert_non_null(rooms->at[i]);
  }
}

void split_rooms_deinit(struct split_rooms *rooms) {
  free(rooms->at[0]);
  free(rooms->at[1]);
}

/* One run ----------------------------------------------------------------- */

struct run {
  const struct split_plan *plan;
  struct story_bytes *notes;
  struct split_rooms *rooms;
  size_t room; /* that holds the slice */
  size_t slack;
  struct runnel__mem mem;
  struct runnel__parser parser;
  struct runnel__reply *reply; /* SPLIT_REPLY */
  struct runnel__chunk chunk;  /* SPLIT_CHUNKS */
  uint64_t left;               /* of the chunk's data */
  char *at;                    /* of the slice, what no layer has taken yet */
  char *end;
  int whole; /* the body is complete */
  int over;  /* an error, or the body's end: nothing may follow */
};

/* Puts bytes at the end of the other room. The slack behind them would be taken
 * for line ends. */
static char *settle(struct run *run, const char *bytes, size_t len) {
  run->room ^= 1;
  char *end = run->rooms->at[run->room] + run->rooms->len - run->slack;
  assert_true(len + run->slack <= run->rooms->len);
  memcpy(end - len, bytes, len);
  memset(end, '\n', run->slack);
  run->end = end;
  return end - len;
}

/* What is still needed of the slice moves, as in a pause. */
static void move_rest(struct run *run) {
  size_t left = (size_t)(run->end - run->at);
  if (run->plan->layer == SPLIT_REPLY)
    run->at = runnel__reply_left(run->reply, &left);
  char *low = run->at;
  char *end = run->end;
  assert_int_equal(runnel__parser_keep(&run->parser, &low), RUNNEL_OK);
  char *fresh = settle(run, low, (size_t)(end - low));
  runnel__parser_moved(&run->parser, low, fresh, run->slack);
  memset(low, '\n', (size_t)(end - low));
  run->at = run->end - left;
  if (run->plan->layer == SPLIT_REPLY)
    runnel__reply_moved(run->reply, run->at);
}

/* What no stream goes on after: its notes end with why. */
static void end_run(struct run *run, const char *why) {
  story_bytes_text(run->notes, why);
  run->over = 1;
}

static void parse(struct run *run, char *bytes, size_t len) {
  struct runnel_event event;
  runnel__parser_feed(&run->parser, bytes, len, run->slack);
  for (;;) {
    int kind = runnel__parser_next(&run->parser, &event);
    if (kind == RUNNEL_PARSED_MORE)
      return;
    if (kind < 0) {
      char why[64];
      assert_int_equal(kind, RUNNEL_ETOOBIG);
      runnel__parser_why(&run->parser, why, sizeof why);
      end_run(run, why);
      return;
    }
    note_item(kind, &event, runnel__parser_id_changed(&run->parser),
              run->notes);
    if (run->plan->move)
      move_rest(run);
  }
}

static void read_stream(struct run *run) {
  char *bytes = run->at;
  run->at = run->end;
  parse(run, bytes, (size_t)(run->end - bytes));
}

static void read_chunks(struct run *run) {
  while (run->at < run->end && !run->over) {
    struct runnel__str rest = {run->at, (size_t)(run->end - run->at)};
    if (run->left > 0) {
      size_t len = rest.len < run->left ? rest.len : (size_t)run->left;
      run->left -= len;
      run->at += len;
      parse(run, run->at - len, len);
      continue;
    }
    const char *why;
    enum runnel__chunk_read read = runnel__chunk_read(&run->chunk, &rest, &why);
    run->at = run->end - rest.len;
    if (read == RUNNEL__CHUNK_BAD)
      end_run(run, why);
    run->left = read == RUNNEL__CHUNK_DATA ? run->chunk.size : 0;
    if (read == RUNNEL__CHUNK_DONE)
      run->whole = run->over = 1;
  }
}

static void read_reply(struct run *run) {
  runnel__reply_feed(run->reply, run->at, (size_t)(run->end - run->at));
  while (!run->over) {
    char *body;
    size_t len;
    int item = runnel__reply_next(run->reply, &run->mem, &body, &len);
    if (item == RUNNEL__REPLY_MORE)
      return;
    if (item == RUNNEL__REPLY_BODY)
      parse(run, body, len);
    else if (item == RUNNEL__REPLY_HEAD)
      runnel__reply_forget(run->reply, &run->mem);
    else if (item == RUNNEL__REPLY_END)
      run->whole = run->over = 1;
    else
      end_run(run, runnel__reply_why(run->reply));
  }
}

static void read_slice(struct run *run, const char *bytes, size_t len) {
  static void (*const readers[SPLIT_LAYERS])(struct run *) = {
      [SPLIT_STREAM] = read_stream,
      [SPLIT_CHUNKS] = read_chunks,
      [SPLIT_REPLY] = read_reply};
  run->at = settle(run, bytes, len);
  readers[run->plan->layer](run);
}

static void read_slices(struct run *run, const char *bytes, size_t len) {
  const struct split_plan *plan = run->plan;
  size_t cut = 0;
  for (size_t at = 0; at < len && !run->over;) {
    size_t end = plan->step > 0 && len - at > plan->step ? at + plan->step
                 : cut < plan->cuts_len                  ? plan->cuts[cut++]
                                                         : len;
    read_slice(run, bytes + at, end - at);
    at = end;
  }
}

/* The end of the input, in order. */
static void finish(struct run *run) {
  if (run->plan->layer == SPLIT_STREAM)
    run->whole = !run->over;
  if (run->plan->layer == SPLIT_REPLY && !run->over)
    run->whole = runnel__reply_finish(run->reply) == RUNNEL__REPLY_END;
  if (run->whole)
    note_end(run->notes, runnel__parser_id(&run->parser),
             runnel__parser_unfinished(&run->parser));
  else if (!run->over)
    end_run(run, "the body is not complete");
}

void split_run(struct story_bytes *notes, struct split_rooms *rooms,
               const char *bytes, size_t len, const struct split_plan *plan) {
  struct run run = {.plan = plan, .notes = notes, .rooms = rooms};
  struct runnel__parser_rules rules = *plan->rules;
  size_t quicks;
  const runnel__quick *all = runnel__quick_all(&quicks);
  size_t pick = plan->quick % (quicks + 1);
  rules.quick = pick < quicks ? all[pick] : NULL;
  run.slack = plan->slack ? RUNNEL__SLACK_BYTES : 0;
  notes->len = 0;
  runnel__mem_init(&run.mem, NULL, UINT64_MAX);
  runnel__parser_init(&run.parser, &run.mem, &rules);
  if (plan->layer == SPLIT_REPLY) {
    run.reply = runnel__reply_new(&run.mem, 0, HEAD_BYTES_MAX);
    assert_non_null(run.reply);
  }
  read_slices(&run, bytes, len);
  finish(&run);
  runnel__reply_free(run.reply, &run.mem);
  runnel__parser_deinit(&run.parser);
  assert_int_equal(run.mem.held, 0);
}

void split_run_slow(struct story_bytes *notes, const char *bytes, size_t len,
                    const struct runnel__parser_rules *rules) {
  struct slow_result result;
  notes->len = 0;
  slow_parse(&result, bytes, len, rules, note_item, notes);
  if (result.too_big == NULL) {
    note_end(notes, (struct runnel__str){result.id, result.id_len},
             result.unfinished);
  } else {
    char why[64];
    size_t limit = result.too_big[0] == 'e'   ? rules->event_bytes_max
                   : result.too_big[0] == 'i' ? rules->id_bytes_max
                                              : rules->type_bytes_max;
    (void)snprintf(why, sizeof why, "%s over %zu bytes", result.too_big, limit);
    story_bytes_text(notes, why);
  }
  free(result.id);
}
