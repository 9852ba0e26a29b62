/* An event stream, a line at a time (HTML standard 9.2.5 and 9.2.6).
 *
 * A line that lies whole in the slice is taken where it lies. Only a line that
 * a slice's end cuts goes through the states of enum line_kind: its name is
 * gathered, then its value is appended to the carry, behind the data that the
 * block has so far. So no byte is looked at twice, and what is not wanted is
 * dropped as it comes.
 *
 * Invariants
 *  - While a line is cut, the block's data is in the carry, its type in the
 *    store: nothing but [at, end) and, for a block that was shown or refused,
 *    its own parts point into the slice.
 *  - carry = data (carry_base bytes), then the tail: a cut value, or repaired
 *    copies of what is shown.
 *  - The slice is written to only inside lines that have been read.
 *
 * Knows nothing of connections, statuses or what a retry value is good for. */
#include "parser.h"

#include <assert.h>
#include <stdio.h>

#include "block.h"
#include "cut.h"
#include "scan.h"

static_assert(sizeof(void *) != 8 || sizeof(struct runnel__parser) <= 224,
              "a stream pays for each byte of its parser");

static int take_line(struct runnel__parser *parser, struct runnel_event *event,
                     char *line, size_t len) {
  if (len == 0)
    return runnel__block_end(parser, event);
  size_t start;
  enum line_kind kind = runnel__line_kind(line, len, &start);
  if (kind == LINE_COMMENT)
    return runnel__block_comment(parser, event, line + 1, len - 1, 0);
  parser->touched = 1;
  if (start < len)
    start++;
  if (start < len && line[start] == ' ')
    start++;
  char *value = line + start;
  len -= start;
  switch (kind) {
  case LINE_DATA:
    return runnel__block_data(parser, value, len);
  case LINE_TYPE:
    return runnel__block_type(parser, value, len);
  case LINE_ID:
    return runnel__block_id(parser, value, len);
  case LINE_RETRY:
    return runnel__block_retry(
        parser, event, runnel__block_add_digits(RUNNEL__NO_DIGITS, value, len));
  default:
    return RUNNEL_OK;
  }
}

/* Slices ------------------------------------------------------------------ */

/* A BOM's first bytes that turn out to be none begin a line that no field name
 * can begin. */
static void skip_bom(struct runnel__parser *parser) {
  static const char bom[RUNNEL__BOM_LEN] = {'\xef', '\xbb', '\xbf'};
  while (parser->bom < RUNNEL__BOM_LEN && parser->at < parser->end) {
    if (*parser->at == bom[parser->bom]) {
      parser->at++;
      parser->bom++;
      continue;
    }
    if (parser->bom > 0)
      parser->line = LINE_SKIP;
    parser->bom = RUNNEL__BOM_LEN;
  }
}

/* Steps over the line end at `stop`. */
static void pass_line_end(struct runnel__parser *parser, const char *stop) {
  int cr = *stop == '\r';
  parser->at += stop + 1 - parser->at;
  if (!cr)
    return;
  if (parser->at == parser->end)
    parser->skip_lf = 1;
  else if (*parser->at == '\n')
    parser->at++;
}

/* The start of a slice: what a CR, or nothing, stood before. */
void runnel__parser_begin(struct runnel__parser *parser) {
  if (parser->at == parser->end)
    return;
  if (parser->skip_lf && *parser->at == '\n')
    parser->at++;
  parser->skip_lf = 0;
  skip_bom(parser);
}

int runnel__parser_note(struct runnel__parser *parser, int kind) {
  if (kind < 0)
    parser->error = (signed char)kind;
  return kind;
}

/* What is left of the slice is a line that its end cuts, or nothing. */
static int use_up(struct runnel__parser *parser) {
  int err = runnel__block_carry(parser);
  if (err != RUNNEL_OK)
    return err;
  if (parser->at < parser->end)
    err = runnel__cut_extend(parser, parser->at,
                             (size_t)(parser->end - parser->at));
  if (err != RUNNEL_OK)
    return err;
  parser->at = parser->end;
  return RUNNEL_PARSED_MORE;
}

int runnel__parser_read_cut(struct runnel__parser *parser) {
  return runnel__parser_note(parser, use_up(parser));
}

static int read_lines(struct runnel__parser *parser,
                      struct runnel_event *event) {
  for (;;) {
    char *line = parser->at;
    char *stop = runnel__scan_line_end(line, parser->end);
    if (stop == parser->end)
      return use_up(parser);
    size_t len = (size_t)(stop - line);
    pass_line_end(parser, stop);
    int kind;
    if (parser->line == LINE_NONE) {
      kind = take_line(parser, event, line, len);
    } else {
      kind = runnel__cut_extend(parser, line, len);
      if (kind == RUNNEL_OK)
        kind = runnel__cut_end(parser, event);
    }
    if (kind != 0)
      return kind;
  }
}

int runnel__parser_read_lines(struct runnel__parser *parser,
                              struct runnel_event *event) {
  return runnel__parser_note(parser, read_lines(parser, event));
}

void runnel__parser_init(struct runnel__parser *parser, struct runnel__mem *mem,
                         const struct runnel__parser_rules *rules) {
  memset(parser, 0, sizeof *parser);
  parser->mem = mem;
  parser->rules = rules;
  parser->retry_ms = -1;
  parser->shown_id = RUNNEL__NO_ID;
}

void runnel__parser_deinit(struct runnel__parser *parser) {
  runnel__block_drop_carry(parser);
  runnel__store_free(&parser->ids[0], parser->mem);
  runnel__store_free(&parser->ids[1], parser->mem);
  runnel__store_free(&parser->type_store, parser->mem);
}

void runnel__parser_restart(struct runnel__parser *parser) {
  runnel__block_reset(parser);
  parser->at = NULL;
  parser->end = NULL;
  parser->data = NULL;
  parser->line = LINE_NONE;
  parser->skip_lf = 0;
  parser->bom = 0;
  parser->plain = RUNNEL__NOT_PLAIN;
  parser->refused = 0;
  parser->too_big = TOO_BIG_NOTHING;
  parser->error = 0;
}

static int show_again(struct runnel__parser *parser,
                      struct runnel_event *event) {
  parser->refused = 0;
  parser->carry.len = runnel__block_carry_base(parser);
  runnel__block_commit_id(parser);
  return runnel__parser_note(parser, runnel__block_show_event(parser, event));
}

int runnel__parser_next_item(struct runnel__parser *parser,
                             struct runnel_event *event) {
  if (parser->error != 0)
    return parser->error;
  if (parser->refused)
    return show_again(parser, event);
  int was_event = parser->shown == RUNNEL_PARSED_EVENT;
  runnel__block_drop_shown(parser);
  parser->id_changed = 0;
  if (was_event && parser->at == parser->end)
    return RUNNEL_PARSED_MORE; /* as most slices end: nothing is cut */
  if (parser->at < parser->end && parser->line == LINE_NONE &&
      parser->rules->quick != NULL)
    return parser->rules->quick(parser, event);
  return runnel__parser_read_lines(parser, event);
}

void runnel__parser_refuse(struct runnel__parser *parser,
                           const struct runnel_event *event) {
  (void)event; /* the block is still here */
  assert(parser->shown == RUNNEL_PARSED_EVENT);
  if (parser->has_id && parser->in_force == parser->shown_id)
    parser->in_force ^= 1;
  parser->refused = 1;
  parser->plain = RUNNEL__NOT_PLAIN;
  parser->shown = 0;
  parser->shown_id = RUNNEL__NO_ID;
  parser->id_changed = 0;
}

int runnel__parser_id_changed(const struct runnel__parser *parser) {
  return parser->id_changed;
}

/* An id that is being shown must stay readable; the other store is free then,
 * for a block that was shown has no pending id. */
int runnel__parser_set_id(struct runnel__parser *parser,
                          struct runnel__str id) {
  if (id.len > parser->rules->id_bytes_max)
    return RUNNEL_ETOOBIG;
  int place =
      parser->shown_id != RUNNEL__NO_ID ? !parser->shown_id : parser->in_force;
  int err = runnel__store_set(&parser->ids[place], parser->mem, id.at, id.len);
  if (err == RUNNEL_OK)
    parser->in_force = (unsigned char)place;
  return err;
}

size_t runnel__parser_unfinished(const struct runnel__parser *parser) {
  int complete = parser->shown == RUNNEL_PARSED_EVENT ||
                 parser->shown == RUNNEL_PARSED_ID ||
                 parser->shown == RUNNEL_PARSED_DROP || parser->refused;
  if (complete)
    return 0;
  if (parser->data_len > 0)
    return parser->data_len;
  return parser->touched ||
         (parser->line != LINE_NONE && parser->line != LINE_COMMENT) ||
         (parser->bom > 0 && parser->bom < RUNNEL__BOM_LEN);
}

void runnel__parser_why(const struct runnel__parser *parser, char *dst,
                        size_t size) {
  static const char *const names[] = {"nothing", "event", "id", "type"};
  const size_t limits[] = {0, parser->rules->event_bytes_max,
                           parser->rules->id_bytes_max,
                           parser->rules->type_bytes_max};
  snprintf(dst, size, "%s over %zu bytes", names[parser->too_big],
           limits[parser->too_big]);
}

size_t runnel__parser_held(const struct runnel__parser *parser) {
  return parser->carry.cap;
}

int runnel__parser_keep(struct runnel__parser *parser, char **low) {
  char *needed = parser->at;
  if (parser->refused) {
    if (!parser->data_carried)
      needed = parser->data;
    if (parser->type != NULL && !parser->type_stored && parser->type < needed)
      needed = parser->type;
  } else {
    runnel__block_drop_shown(parser);
    int err = runnel__block_carry(parser);
    if (err != RUNNEL_OK)
      return err;
  }
  *low = needed;
  return RUNNEL_OK;
}

void runnel__parser_moved(struct runnel__parser *parser, const char *from,
                          char *to, size_t slack) {
  if (slack > RUNNEL__SLACK_MAX)
    slack = RUNNEL__SLACK_MAX;
  if (!parser->refused && parser->at == parser->end) {
    /* Nothing of the slice is needed; it may even be an older one. */
    parser->at = parser->end = to;
    parser->reach = to + slack;
    return;
  }
  if (parser->refused && !parser->data_carried)
    parser->data = to + (parser->data - from);
  if (parser->refused && parser->type != NULL && !parser->type_stored)
    parser->type = to + (parser->type - from);
  parser->end = to + (parser->end - from);
  parser->reach = parser->end + slack;
  parser->at = to + (parser->at - from);
}
