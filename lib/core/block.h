/* The block that an event stream is in: its fields, its memory, and what is
 * shown of it (HTML standard 9.2.6). A part of the parser, split off for
 * length: it works on struct runnel__parser, knows lines that were read, and
 * nothing of slices but that parts of a block may lie in one.
 *
 * carry = data (carry_base bytes), then the tail: a cut value, or repaired
 * copies of what is shown. Functions return 0, an enum runnel_parsed where they
 * show something, or RUNNEL_ETOOBIG or RUNNEL_ENOMEM. */
#ifndef RUNNEL_CORE_BLOCK_H
#define RUNNEL_CORE_BLOCK_H

#include "parser.h"

enum line_kind {
  LINE_NONE = 0, /* at the start of a line */
  LINE_NAME,     /* cut before its colon */
  LINE_SKIP,     /* a field that nobody knows */
  LINE_COMMENT,
  LINE_DATA,
  LINE_TYPE,
  LINE_ID,
  LINE_RETRY
};

enum too_big { TOO_BIG_NOTHING = 0, TOO_BIG_EVENT, TOO_BIG_ID, TOO_BIG_TYPE };

#define RUNNEL__NO_DIGITS (-1) /* a number that has not begun */

static inline int runnel__is_name(const char *line, size_t len,
                                  const char *name, size_t name_len) {
  return len >= name_len && memcmp(line, name, name_len) == 0 &&
         (len == name_len || line[name_len] == ':');
}

/* What a line, not empty, is; *name_len: bytes before its colon, if it is not
 * skipped. A line without colon is a name alone. */
static inline enum line_kind runnel__line_kind(const char *line, size_t len,
                                               size_t *name_len) {
  static const struct {
    const char *name;
    size_t len;
    enum line_kind kind;
  } fields[] = {{"data", 4, LINE_DATA},
                {"event", 5, LINE_TYPE},
                {"id", 2, LINE_ID},
                {"retry", 5, LINE_RETRY}};
  *name_len = 0;
  if (line[0] == ':')
    return LINE_COMMENT;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (line[0] != fields[i].name[0])
      continue;
    *name_len = fields[i].len;
    return runnel__is_name(line, len, fields[i].name, fields[i].len)
               ? fields[i].kind
               : LINE_SKIP;
  }
  return LINE_SKIP;
}

/* Bytes of the block's data in the carry. */
static inline size_t
runnel__block_carry_base(const struct runnel__parser *parser) {
  return parser->data_carried ? parser->data_len : 0;
}

/* Bytes of the cut value in the carry. */
static inline size_t
runnel__block_tail_len(const struct runnel__parser *parser) {
  return parser->carry.len - runnel__block_carry_base(parser);
}

int runnel__store_set(struct runnel__store *store, struct runnel__mem *mem,
                      const char *bytes, size_t len);
void runnel__store_free(struct runnel__store *store, struct runnel__mem *mem);

/* The carry. `max`: of the carry as a whole. */
int runnel__block_append(struct runnel__parser *parser, const char *bytes,
                         size_t len, size_t max);
void runnel__block_drop_carry(struct runnel__parser *parser);
void runnel__block_drop_tail(struct runnel__parser *parser);

/* Takes the unfinished block out of the slice. */
int runnel__block_carry(struct runnel__parser *parser);

static inline void runnel__block_reset(struct runnel__parser *parser) {
  runnel__parser_clear(parser);
  if (parser->carry.at != NULL)
    runnel__block_drop_carry(parser);
}

/* Forgets the item that the last call returned. */
void runnel__block_drop_shown(struct runnel__parser *parser);

/* Notes what passed its limit; RUNNEL_ETOOBIG. */
int runnel__block_too_big(struct runnel__parser *parser, enum too_big what);

/* Fields whose values lie in the slice; a NUL may be written behind them. An id
 * and what is stored are copied. */
int runnel__block_data(struct runnel__parser *parser, char *value, size_t len);
int runnel__block_type(struct runnel__parser *parser, char *value, size_t len);
int runnel__block_id(struct runnel__parser *parser, const char *value,
                     size_t len);
int runnel__block_store_type(struct runnel__parser *parser, const char *value,
                             size_t len);

/* 1 if the block's type lies in the slice behind `data`, so that a line that is
 * joined to the data would run over it. */
static inline int
runnel__block_type_is_behind(const struct runnel__parser *parser,
                             const char *data) {
  return parser->type != NULL && !parser->type_stored && parser->type > data;
}

/* A data line whose value comes piece by piece, into the carry. */
int runnel__block_begin_data(struct runnel__parser *parser);
int runnel__block_extend_data(struct runnel__parser *parser, const char *bytes,
                              size_t len);

/* `number` (at first RUNNEL__NO_DIGITS) with more digits, saturating; below 0:
 * not a number. */
int64_t runnel__block_add_digits(int64_t number, const char *bytes, size_t len);

/* Ends of lines that may be shown at once. `in_carry`: text points there. */
int runnel__block_comment(struct runnel__parser *parser,
                          struct runnel_event *event, char *text, size_t len,
                          int in_carry);
int runnel__block_retry(struct runnel__parser *parser,
                        struct runnel_event *event, int64_t number);

/* The blank line. */
int runnel__block_end(struct runnel__parser *parser,
                      struct runnel_event *event);

/* The last byte first: it is the one that ids of a row differ in. */
static inline int runnel__block_ids_differ(struct runnel__str a,
                                           struct runnel__str b) {
  return a.len != b.len || (a.len > 0 && (a.at[a.len - 1] != b.at[b.len - 1] ||
                                          memcmp(a.at, b.at, a.len) != 0));
}

/* Puts the block's id in force; part of runnel__block_end, and of showing a
 * refused event again. */
static inline void runnel__block_commit_id(struct runnel__parser *parser) {
  parser->id_changed = 0;
  if (parser->has_id) {
    struct runnel__str before = runnel__parser_id(parser);
    parser->in_force ^= 1;
    parser->id_changed = (unsigned char)runnel__block_ids_differ(
        before, runnel__parser_id(parser));
  }
  parser->shown_id = parser->in_force;
}

int runnel__block_show_event(struct runnel__parser *parser,
                             struct runnel_event *event);

#endif
