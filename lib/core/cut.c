/* See cut.h. */
#include "cut.h"

#include <assert.h>

#include "block.h"

static_assert(sizeof "event" - 1 <=
                  sizeof((struct runnel__parser *)0)->cut.name,
              "the longest name must fit");

/* The name is known; its value begins. */
static int begin_value(struct runnel__parser *parser, enum line_kind kind) {
  parser->line = (unsigned char)kind;
  parser->value_begun = kind == LINE_COMMENT;
  parser->line_nul = 0;
  parser->line_big = 0;
  if (kind == LINE_RETRY)
    parser->cut.number = RUNNEL__NO_DIGITS;
  return kind == LINE_DATA ? runnel__block_begin_data(parser) : RUNNEL_OK;
}

/* Adds to the cut line's name; returns the bytes used, the colon too. At most
 * six bytes are looked at. */
static size_t gather_name(struct runnel__parser *parser, const char *bytes,
                          size_t len, int *err) {
  size_t used = 0;
  *err = RUNNEL_OK;
  while (used < len) {
    char byte = bytes[used++];
    if (byte != ':' && parser->name_len < sizeof parser->cut.name) {
      parser->cut.name[parser->name_len++] = byte;
      continue;
    }
    size_t name_len;
    enum line_kind kind =
        byte != ':' ? LINE_SKIP
        : parser->name_len == 0
            ? LINE_COMMENT
            : runnel__line_kind(parser->cut.name, parser->name_len, &name_len);
    *err = begin_value(parser, kind);
    return used;
  }
  return used;
}

/* A cut id that is too long or has a NUL is not kept: the line's end decides,
 * since the NUL may be yet to come. */
static int extend_id(struct runnel__parser *parser, const char *bytes,
                     size_t len) {
  size_t max = parser->rules->id_bytes_max;
  if (len > 0 && memchr(bytes, '\0', len) != NULL)
    parser->line_nul = 1;
  if (len > max || runnel__block_tail_len(parser) > max - len)
    parser->line_big = 1;
  if (parser->line_nul || parser->line_big)
    return RUNNEL_OK;
  return runnel__block_append(parser, bytes, len,
                              runnel__block_carry_base(parser) + max);
}

static int extend_type(struct runnel__parser *parser, const char *bytes,
                       size_t len) {
  size_t max = parser->rules->type_bytes_max;
  if (len > max || runnel__block_tail_len(parser) > max - len)
    return runnel__block_too_big(parser, TOO_BIG_TYPE);
  return runnel__block_append(parser, bytes, len,
                              runnel__block_carry_base(parser) + max);
}

static int extend_comment(struct runnel__parser *parser, const char *bytes,
                          size_t len) {
  size_t max = parser->rules->event_bytes_max;
  if (!parser->rules->comments || parser->line_big)
    return RUNNEL_OK;
  if (len <= max && runnel__block_tail_len(parser) <= max - len)
    return runnel__block_append(parser, bytes, len,
                                runnel__block_carry_base(parser) + max);
  parser->line_big = 1;
  runnel__block_drop_tail(parser);
  return RUNNEL_OK;
}

/* More of the cut line's value. */
static int extend_value(struct runnel__parser *parser, const char *bytes,
                        size_t len) {
  if (len > 0 && !parser->value_begun) {
    parser->value_begun = 1;
    if (bytes[0] == ' ') {
      bytes++;
      len--;
    }
  }
  switch (parser->line) {
  case LINE_COMMENT:
    return extend_comment(parser, bytes, len);
  case LINE_DATA:
    return runnel__block_extend_data(parser, bytes, len);
  case LINE_TYPE:
    return extend_type(parser, bytes, len);
  case LINE_ID:
    return extend_id(parser, bytes, len);
  case LINE_RETRY:
    parser->cut.number =
        runnel__block_add_digits(parser->cut.number, bytes, len);
    return RUNNEL_OK;
  default:
    return RUNNEL_OK;
  }
}

/* Takes bytes without a line end that belong to a cut line. */
int runnel__cut_extend(struct runnel__parser *parser, const char *bytes,
                       size_t len) {
  if (parser->line == LINE_NONE) {
    parser->line = LINE_NAME;
    parser->name_len = 0;
  }
  if (parser->line == LINE_NAME) {
    int err;
    size_t used = gather_name(parser, bytes, len, &err);
    if (err != RUNNEL_OK)
      return err;
    bytes += used;
    len -= used;
  }
  return len > 0 ? extend_value(parser, bytes, len) : RUNNEL_OK;
}

static int end_cut_type(struct runnel__parser *parser) {
  size_t len = runnel__block_tail_len(parser);
  int err = runnel__block_store_type(
      parser,
      len > 0 ? parser->carry.at + runnel__block_carry_base(parser) : "", len);
  runnel__block_drop_tail(parser);
  return err;
}

static int end_cut_id(struct runnel__parser *parser) {
  int err = RUNNEL_OK;
  size_t len = runnel__block_tail_len(parser);
  if (parser->line_big && !parser->line_nul)
    return runnel__block_too_big(parser, TOO_BIG_ID);
  if (!parser->line_nul)
    err = runnel__block_id(
        parser,
        len > 0 ? parser->carry.at + runnel__block_carry_base(parser) : "",
        len);
  runnel__block_drop_tail(parser);
  return err;
}

static int end_cut_comment(struct runnel__parser *parser,
                           struct runnel_event *event) {
  size_t len = parser->line_big ? SIZE_MAX : runnel__block_tail_len(parser);
  char *text = parser->carry.len > runnel__block_carry_base(parser)
                   ? parser->carry.at + runnel__block_carry_base(parser)
                   : NULL;
  return runnel__block_comment(parser, event, text, len, text != NULL);
}

/* The cut line's end is there. */
int runnel__cut_end(struct runnel__parser *parser, struct runnel_event *event) {
  if (parser->line == LINE_NAME) {
    size_t name_len;
    int err =
        begin_value(parser, runnel__line_kind(parser->cut.name,
                                              parser->name_len, &name_len));
    if (err != RUNNEL_OK)
      return err;
  }
  int kind = parser->line;
  parser->line = LINE_NONE;
  if (kind != LINE_COMMENT)
    parser->touched = 1;
  switch (kind) {
  case LINE_COMMENT:
    return end_cut_comment(parser, event);
  case LINE_TYPE:
    return end_cut_type(parser);
  case LINE_ID:
    return end_cut_id(parser);
  case LINE_RETRY:
    return runnel__block_retry(parser, event, parser->cut.number);
  default:
    return RUNNEL_OK;
  }
}
