/* Reads story files, runs them through the lenses, shows what differs. */
#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story_run.h"

#define LINES_MAX 400
#define INPUTS_MAX 400
#define OOM_MAX 200000

struct line {
  const char *text; /* in the story's text, cut */
  size_t number;
  int indented;
};

struct story {
  const char *path;
  char *text; /* owned; lines are cut in it */
  struct line lines[LINES_MAX];
  size_t lines_len;
  int lenses; /* bits 1 << enum story_lens; STORY_CUT stands for both splits */
};

/* Which run is under way, for the messages. */
struct context {
  const struct story *story;
  const struct story_run *run;
  const struct line *line;
};

static void print_context(const struct context *context) {
  static const char *const names[] = {"plain", "byte by byte", "cut",
                                      "no memory"};
  const struct story_run *run = context->run;
  print_error("%s:%zu: lens: %s", context->story->path,
              context->line == NULL ? 0 : context->line->number,
              names[run->lens]);
  if (run->lens == STORY_CUT)
    print_error(", input %zu at byte %zu", run->cut_input + 1, run->cut_at);
  if (run->lens == STORY_OOM)
    print_error(", allocation %zu%s", run->app.memory.fail_at,
                run->app.memory.for_ever ? " and all after it" : "");
  print_error("\n");
}

static void fail_story(void *user, const char *line) {
  const struct context *context = user;
  print_context(context);
  print_error("shown so far:\n%s", context->run->app.shown.at == NULL
                                       ? ""
                                       : context->run->app.shown.at);
  fail_msg("%s", line);
  abort();
}

static char *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  struct story_bytes text = {0};
  char block[4096];
  size_t len;
  if (file == NULL)
    fail_msg("%s cannot be opened", path);
  while (file != NULL && (len = fread(block, 1, sizeof block, file)) > 0)
    story_bytes_add(&text, block, len);
  fclose(file);
  story_bytes_add(&text, "", 0);
  return text.at;
}

static void read_lenses(struct story *story, const char *words) {
  story->lenses = 1 << STORY_PLAIN;
  if (strstr(words, "split") != NULL)
    story->lenses |= 1 << STORY_CUT;
  if (strstr(words, "oom") != NULL)
    story->lenses |= 1 << STORY_OOM;
}

static void add_line(struct story *story, char *text, size_t number) {
  size_t len = strlen(text);
  while (len > 0 && text[len - 1] == ' ')
    text[--len] = '\0';
  if (len == 0 || text[0] == '#')
    return;
  if (story->lines_len == LINES_MAX)
    fail_msg("%s: more than %d lines", story->path, LINES_MAX);
  story->lines[story->lines_len++] =
      (struct line){text, number, strncmp(text, "  ", 2) == 0};
  if (strncmp(text, "lenses ", 7) == 0)
    read_lenses(story, text);
}

static void read_story(struct story *story, const char *path) {
  *story = (struct story){.path = path, .text = read_file(path)};
  story->lenses = 1 << STORY_PLAIN | 1 << STORY_CUT | 1 << STORY_OOM;
  size_t number = 0;
  char *next;
  for (char *at = story->text; at != NULL; at = next) {
    next = strchr(at, '\n');
    if (next != NULL)
      *next++ = '\0';
    add_line(story, at, ++number);
  }
  int wanted = story->lenses;
  if (getenv("RUNNEL_STORY_LENSES") != NULL)
    read_lenses(story, getenv("RUNNEL_STORY_LENSES"));
  story->lenses &= wanted;
}

static void do_line(struct context *context, struct story_run *run,
                    const char *text) {
  struct story_app *app = &run->app;
  char words[2][4096];
  if (strlen(text) >= sizeof words[0])
    story_app_fail(app, "the line is too long");
  snprintf(words[0], sizeof words[0], "%s", text);
  snprintf(words[1], sizeof words[1], "%s", text);
  if (story_world_do(run, words[0]))
    return;
  int done = story_app_do(app, words[1]);
  sim_settle(&app->sim);
  if (!done && run->lens != STORY_OOM)
    story_app_fail(app, "cannot be done here: %s", text);
  (void)context;
}

/* Runs the story; what it shows is added to `transcript` (may be NULL). */
static void run_story(const struct story *story, struct story_run *run,
                      struct story_bytes *transcript) {
  struct context context = {story, run, NULL};
  struct failing_alloc memory = run->app.memory;
  story_app_init(&run->app);
  run->app.memory.fail_at = memory.fail_at;
  run->app.memory.for_ever = memory.for_ever;
  run->app.fail = fail_story;
  run->app.user = &context;
  run->inputs = 0;
  for (size_t i = 0; i < story->lines_len; i++) {
    context.line = &story->lines[i];
    if (context.line->indented)
      continue;
    size_t shown = run->app.shown.len;
    do_line(&context, run, context.line->text);
    if (transcript == NULL)
      continue;
    story_bytes_text(transcript, context.line->text);
    story_bytes_text(transcript, "\n");
    if (run->app.shown.len > shown)
      story_bytes_text(transcript, run->app.shown.at + shown);
  }
  run->app.memory.fail_at = 0; /* memory is back */
  story_world_recover(run);
  story_app_deinit(&run->app);
}

static size_t split_lines(char *text, const char **lines, size_t max) {
  size_t len = 0;
  char *next;
  for (char *at = text; *at != '\0' && len < max; at = next) {
    next = strchr(at, '\n');
    *next++ = '\0';
    lines[len++] = at;
  }
  return len;
}

/* Lengths of the longest common sequences of the tails. */
static unsigned short common[LINES_MAX + 1][2 * LINES_MAX + 1];

static void measure_common(const struct story *story, const char **shown,
                           size_t shown_len) {
  memset(common, 0, sizeof common);
  for (size_t i = story->lines_len; i-- > 0;)
    for (size_t j = shown_len; j-- > 0;) {
      unsigned short skip = common[i + 1][j] > common[i][j + 1]
                                ? common[i + 1][j]
                                : common[i][j + 1];
      common[i][j] = strcmp(story->lines[i].text, shown[j]) == 0
                         ? (unsigned short)(common[i + 1][j + 1] + 1)
                         : skip;
    }
}

static void print_diff(const struct story *story, const char **shown,
                       size_t shown_len) {
  size_t i = 0;
  size_t j = 0;
  measure_common(story, shown, shown_len);
  while (i < story->lines_len || j < shown_len) {
    if (i < story->lines_len && j < shown_len &&
        strcmp(story->lines[i].text, shown[j]) == 0) {
      print_error("%5zu   %s\n", story->lines[i++].number, shown[j++]);
    } else if (i < story->lines_len &&
               (j == shown_len || common[i + 1][j] >= common[i][j + 1])) {
      print_error("%5zu - %s\n", story->lines[i].number, story->lines[i].text);
      i++;
    } else {
      print_error("      + %s\n", shown[j++]);
    }
  }
}

static void compare(const struct story *story, struct story_run *run,
                    struct story_bytes *transcript) {
  const char *shown[2 * LINES_MAX];
  story_bytes_add(transcript, "", 0);
  size_t len = split_lines(transcript->at, shown, 2 * LINES_MAX);
  int same = len == story->lines_len;
  for (size_t i = 0; same && i < len; i++)
    same = strcmp(shown[i], story->lines[i].text) == 0;
  if (!same) {
    struct context context = {story, run, &story->lines[0]};
    print_context(&context);
    print_diff(story, shown, len);
  }
  story_bytes_free(transcript);
  if (!same)
    fail_msg("%s: the transcript differs (- told, + seen)", story->path);
}

static void run_and_compare(const struct story *story, struct story_run *run) {
  struct story_bytes transcript = {0};
  run_story(story, run, &transcript);
  compare(story, run, &transcript);
}

static void run_splits(const struct story *story, const size_t *lens,
                       size_t inputs, struct story_counts *counts) {
  static struct story_run run;
  run = (struct story_run){.lens = STORY_BYTES};
  run_and_compare(story, &run);
  counts->splits++;
  for (size_t i = 0; i < inputs; i++) {
    size_t step = lens[i] > 600 ? lens[i] / 300 : 1;
    for (size_t at = 1; at < lens[i]; at += step) {
      run = (struct story_run){.lens = STORY_CUT, .cut_input = i, .cut_at = at};
      run_and_compare(story, &run);
      counts->splits++;
    }
  }
}

static void run_oom(const struct story *story, int for_ever,
                    struct story_counts *counts) {
  static struct story_run run;
  for (size_t k = 1; k < OOM_MAX; k++) {
    run = (struct story_run){.lens = STORY_OOM};
    run.app.memory.fail_at = k;
    run.app.memory.for_ever = for_ever;
    run_story(story, &run, NULL);
    counts->ooms++;
    if (run.app.memory.failed == 0)
      return;
  }
}

void story_run_file(const char *path, struct story_counts *counts) {
  static struct story story;
  static struct story_run run;
  static size_t lens[INPUTS_MAX];
  read_story(&story, path);
  run = (struct story_run){.input_lens = lens, .input_lens_cap = INPUTS_MAX};
  run_and_compare(&story, &run);
  size_t inputs = run.inputs < INPUTS_MAX ? run.inputs : INPUTS_MAX;
  counts->stories++;
  if (story.lenses & 1 << STORY_CUT)
    run_splits(&story, lens, inputs, counts);
  if (story.lenses & 1 << STORY_OOM) {
    run_oom(&story, 0, counts);
    run_oom(&story, 1, counts);
  }
  free(story.text);
  counts->runs = counts->stories + counts->splits + counts->ooms;
}
