/* See parser_run.h. */
#include "parser_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../lib/core/quick.h"
#include "slow_parser.h"

/* Memory ------------------------------------------------------------------ */

static int must_fail(struct run_memory *memory) {
  memory->asked++;
  return memory->fail_at != 0 &&
         (memory->asked == memory->fail_at ||
          (memory->fail_for_good && memory->asked > memory->fail_at));
}

static void *count_alloc(size_t size, void *ctx) {
  struct run_memory *memory = ctx;
  if (must_fail(memory))
    return NULL;
  memory->live++;
  return malloc(size);
}

static void *count_realloc(void *at, size_t size, void *ctx) {
  return must_fail(ctx) ? NULL : realloc(at, size);
}

static void count_free(void *at, void *ctx) {
  struct run_memory *memory = ctx;
  memory->live--;
  free(at);
}

void run_memory_init(struct runnel__mem *mem, struct run_memory *memory) {
  struct runnel_alloc hooks = {count_alloc, count_realloc, count_free, memory};
  runnel__mem_init(mem, &hooks, UINT64_MAX);
}

/* Text -------------------------------------------------------------------- */

static void make_room(struct run_text *text, size_t more) {
  if (text->len + more < text->cap)
    return;
  text->cap = (text->len + more + 1) * 2;
  text->at = realloc(text->at, text->cap);
  assert_non_null(text->at);
}

void run_text_add(struct run_text *text, const char *format, ...) {
  va_list args;
  make_room(text, 128);
  va_start(args, format);
  int len = vsnprintf(text->at + text->len, 128, format, args);
  va_end(args);
  assert_in_range(len, 0, 127);
  text->len += (size_t)len;
}

void run_text_free(struct run_text *text) {
  free(text->at);
  *text = (struct run_text){0};
}

static void add_quoted(struct run_text *text, const char *at, size_t len) {
  static const char named[] = "\n\r\t\\\"";
  static const char names[] = "nrt\\\"";
  make_room(text, len * 4 + 3);
  char *to = text->at + text->len;
  *to++ = '"';
  for (size_t i = 0; i < len; i++) {
    const char *name = at[i] != '\0' ? strchr(named, at[i]) : NULL;
    if (name != NULL || at[i] == '\0') {
      *to++ = '\\';
      *to++ = name != NULL ? names[name - named] : '0';
    } else if (at[i] >= 0x20 && at[i] < 0x7f) {
      *to++ = at[i];
    } else {
      *to++ = '\\';
      *to++ = 'x';
      *to++ = "0123456789abcdef"[(unsigned char)at[i] >> 4];
      *to++ = "0123456789abcdef"[(unsigned char)at[i] & 15];
    }
  }
  *to++ = '"';
  *to = '\0';
  text->len = (size_t)(to - text->at);
}

static void add_id(struct run_text *text, const struct runnel_event *event,
                   int id_changed) {
  if (event->id_len > 0) {
    run_text_add(text, " id ");
    add_quoted(text, event->id, event->id_len);
  }
  run_text_add(text, "%s%s", event->has_id ? " own" : "",
               id_changed ? " changed" : "");
}

void run_write_item(struct run_text *text, int kind,
                    const struct runnel_event *event, int id_changed) {
  switch (kind) {
  case RUNNEL_PARSED_EVENT:
    run_text_add(text, "event ");
    add_quoted(text, event->data, event->data_len);
    if (strcmp(event->type, "message") != 0 || event->type_len != 7) {
      run_text_add(text, " type ");
      add_quoted(text, event->type, event->type_len);
    }
    add_id(text, event, id_changed);
    if (event->retry_ms != -1)
      run_text_add(text, " retry %lld", (long long)event->retry_ms);
    break;
  case RUNNEL_PARSED_ID:
    run_text_add(text, "id ");
    add_quoted(text, event->id, event->id_len);
    break;
  case RUNNEL_PARSED_COMMENT:
    run_text_add(text, "comment ");
    add_quoted(text, event->data, event->data_len);
    break;
  case RUNNEL_PARSED_RETRY:
    run_text_add(text, "retry %lld", (long long)event->retry_ms);
    break;
  case RUNNEL_PARSED_DROP:
    run_text_add(text, "drop %zu", event->data_len);
    add_id(text, event, id_changed);
    break;
  default:
    fail_msg("no such item: %d", kind);
  }
  run_text_add(text, "\n");
}

static void write_end(struct run_text *text, struct runnel__str id,
                      size_t unfinished) {
  if (id.len == 0 && unfinished == 0)
    return;
  run_text_add(text, "end");
  if (id.len > 0) {
    run_text_add(text, " id ");
    add_quoted(text, id.at, id.len);
  }
  if (unfinished > 0)
    run_text_add(text, " unfinished %zu", unfinished);
  run_text_add(text, "\n");
}

#define ID_BYTES_MAX 1024 /* the most that a test's rules may allow */

/* One parser -------------------------------------------------------------- */

struct run {
  const struct run_plan *plan;
  struct run_text *text;
  struct runnel__parser parser;
  struct runnel__mem mem;
  char *slice; /* owned */
  size_t slice_len;
  unsigned seed;
};

/* 1 if what `mode` names is to be done now. */
static int must_do(struct run *run, int mode) {
  if (run->plan->mode & mode && run->plan->seed != 0) {
    run->seed = run->seed * 1103515245U + 12345U;
    return run->seed >> 30 == 0;
  }
  return (run->plan->mode & mode) != 0;
}

static char *new_slice(const char *bytes, size_t len, size_t slack) {
  char *slice = malloc(len + slack > 0 ? len + slack : 1);
  assert_non_null(slice);
  if (len > 0)
    memcpy(slice, bytes, len);
  memset(slice + len, '\n', slack); /* what would be taken for a line's end */
  return slice;
}

static void free_slice(struct run *run) {
  for (size_t i = 0; i < run->plan->slack; i++)
    assert_int_equal(run->slice[run->slice_len + i], '\n');
  free(run->slice);
  run->slice = NULL;
}

/* A failure to keep changes nothing: the slice is then left where it is. */
static void move_slice(struct run *run) {
  char *low;
  if (runnel__parser_keep(&run->parser, &low) != RUNNEL_OK)
    return;
  size_t skipped = (size_t)(low - run->slice);
  assert_in_range(skipped, 0, run->slice_len);
  size_t len = run->slice_len - skipped;
  char *fresh = new_slice(low, len, run->plan->slack);
  runnel__parser_moved(&run->parser, low, fresh, run->plan->slack);
  free_slice(run);
  run->slice = fresh;
  run->slice_len = len;
}

static void expect_id(const struct run *run, struct runnel__str wanted) {
  struct runnel__str id = runnel__parser_id(&run->parser);
  assert_int_equal(id.len, wanted.len);
  assert_memory_equal(id.at, wanted.at, id.len + 1);
}

static int refuse(struct run *run, struct runnel_event *event,
                  struct runnel__str before) {
  struct run_text first = {0}, again = {0};
  run_write_item(&first, RUNNEL_PARSED_EVENT, event,
                 runnel__parser_id_changed(&run->parser));
  runnel__parser_refuse(&run->parser, event);
  expect_id(run, before);
  if (must_do(run, RUN_MOVE))
    move_slice(run);
  memset(event, 0, sizeof *event);
  int kind = runnel__parser_next(&run->parser, event);
  if (kind > 0) {
    run_write_item(&again, kind, event,
                   runnel__parser_id_changed(&run->parser));
    assert_string_equal(first.at, again.at);
  }
  run_text_free(&first);
  run_text_free(&again);
  return kind;
}

static void check_item(const struct runnel_event *event, int kind) {
  assert_int_equal(event->type[event->type_len], '\0');
  if (kind != RUNNEL_PARSED_DROP)
    assert_int_equal(event->data[event->data_len], '\0');
  assert_int_equal(event->id[event->id_len], '\0');
}

/* All items of the slice that was fed; 0 or an error. */
static int drain(struct run *run) {
  struct runnel_event event;
  char copy[ID_BYTES_MAX + 1];
  for (;;) {
    struct runnel__str id = runnel__parser_id(&run->parser);
    memcpy(copy, id.at, id.len + 1);
    struct runnel__str before = {copy, id.len};
    int kind = runnel__parser_next(&run->parser, &event);
    if (kind == RUNNEL_PARSED_EVENT && must_do(run, RUN_REFUSE))
      kind = refuse(run, &event, before);
    if (kind < 0)
      expect_id(run, before); /* what was not shown has no id in force */
    if (kind <= 0)
      return kind;
    check_item(&event, kind);
    run_write_item(run->text, kind, &event,
                   runnel__parser_id_changed(&run->parser));
    if (must_do(run, RUN_MOVE))
      move_slice(run);
  }
}

static int feed_slice(struct run *run, const char *bytes, size_t len) {
  run->slice = new_slice(bytes, len, run->plan->slack);
  run->slice_len = len;
  runnel__parser_feed(&run->parser, run->slice, len, run->plan->slack);
  int err = drain(run);
  free_slice(run);
  assert_int_equal(runnel__parser_held(&run->parser), run->mem.held);
  if (err == RUNNEL_OK && runnel__parser_unfinished(&run->parser) == 0 &&
      run->parser.line == 0)
    assert_int_equal(runnel__parser_held(&run->parser), 0);
  return err;
}

static void write_error(struct run *run, int err) {
  char why[64];
  struct runnel_event event;
  assert_int_equal(runnel__parser_next(&run->parser, &event), err);
  if (err != RUNNEL_ETOOBIG)
    return;
  runnel__parser_why(&run->parser, why, sizeof why);
  run_text_add(run->text, "error %s\n", why);
}

/* Every way of reading lines that this machine has, in turn, or the plan's. */
static void draw_quick(struct runnel__parser_rules *rules, size_t quick) {
  static size_t turn;
  size_t len;
  const runnel__quick *all = runnel__quick_all(&len);
  size_t pick = (quick > 0 ? quick : turn++) % (len + 1);
  rules->quick = pick == len ? NULL : all[pick];
}

int run_parser(struct run_text *text, const char *bytes, size_t len,
               const struct run_plan *plan, struct run_memory *memory,
               struct runnel__parser_counts *counts) {
  struct run_memory own = {0};
  struct run run = {.plan = plan, .text = text, .seed = plan->seed};
  if (memory == NULL)
    memory = &own;
  assert_true(plan->rules->id_bytes_max <= ID_BYTES_MAX);
  text->len = 0;
  run_text_add(text, "%s", "");
  run_memory_init(&run.mem, memory);
  struct runnel__parser_rules rules = *plan->rules;
  draw_quick(&rules, plan->quick);
  runnel__parser_init(&run.parser, &run.mem, &rules);
  int err = RUNNEL_OK;
  size_t cut = 0;
  for (size_t at = 0; at < len && err == RUNNEL_OK;) {
    size_t end = plan->each_byte        ? at + 1
                 : cut < plan->cuts_len ? plan->cuts[cut++]
                                        : len;
    err = feed_slice(&run, bytes + at, end - at);
    at = end;
  }
  if (err != RUNNEL_OK)
    write_error(&run, err);
  else
    write_end(text, runnel__parser_id(&run.parser),
              runnel__parser_unfinished(&run.parser));
  assert_true(run.parser.counts.bytes_copied <= run.parser.counts.bytes);
  assert_true(run.parser.counts.bytes_moved <= run.parser.counts.bytes);
  if (counts != NULL)
    *counts = run.parser.counts;
  runnel__parser_deinit(&run.parser);
  assert_int_equal(run.mem.held, 0);
  assert_int_equal(memory->live, 0);
  return err;
}

static void write_slow_item(int kind, const struct runnel_event *event,
                            int id_changed, void *user) {
  run_write_item(user, kind, event, id_changed);
}

void run_slow(struct run_text *text, const char *bytes, size_t len,
              const struct runnel__parser_rules *rules,
              struct runnel__parser_counts *counts) {
  struct slow_result result;
  text->len = 0;
  run_text_add(text, "%s", "");
  slow_parse(&result, bytes, len, rules, write_slow_item, text);
  if (result.too_big != NULL) {
    size_t limit = result.too_big[0] == 'e'   ? rules->event_bytes_max
                   : result.too_big[0] == 'i' ? rules->id_bytes_max
                                              : rules->type_bytes_max;
    run_text_add(text, "error %s over %zu bytes\n", result.too_big, limit);
  } else {
    write_end(text, (struct runnel__str){result.id, result.id_len},
              result.unfinished);
  }
  counts->events = result.events;
  counts->comments = result.comments;
  counts->drops = result.drops;
  free(result.id);
}
