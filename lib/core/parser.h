/* Event-stream bytes to events (HTML standard 9.2.5 and 9.2.6), pulled.
 *
 * Bytes are fed a slice at a time; each call of runnel__parser_next returns one
 * thing or MORE. An event that lies whole in one slice is never copied: its
 * parts point into the slice; several data lines are joined inside it (counted
 * as moved). What a slice's end cuts goes, on MORE, into the carry (counted as
 * copied), once. Line ends are LF, CRLF and CR in any mix, split anywhere: a CR
 * ends its line at once, and an LF that follows is swallowed, in the next slice
 * too. One BOM at the very start is skipped, also split over slices.
 *
 * The id lives in a store of the parser: the one in force is there before its
 * event is returned, and the one before is kept until the next call, so that a
 * refused event's id can be taken back. */
#ifndef RUNNEL_CORE_PARSER_H
#define RUNNEL_CORE_PARSER_H

#include <assert.h>

#include "buf.h"
#include "str.h"

struct runnel__parser; /* embedded in a stream; fields at the end */

struct runnel__parser_rules {
  size_t event_bytes_max; /* exactly the limit passes */
  size_t id_bytes_max;
  size_t type_bytes_max;
  int drop;         /* oversize events are skipped, DROP returned */
  int comments;     /* comments are returned */
  int utf8_replace; /* see runnel.h */
  /* Reads whole blocks where it can; see quick.h. NULL: line by line alone. */
  int (*quick)(struct runnel__parser *parser, struct runnel_event *event);
};

#define RUNNEL__NO_ID 2 /* shown_id: none */
#define RUNNEL__BOM_LEN 3
#define RUNNEL__SLACK_MAX 64 /* more than this is of no use */

struct runnel__parser_counts {
  uint64_t bytes;        /* fed */
  uint64_t bytes_copied; /* to the carry */
  uint64_t bytes_moved;  /* by joins */
  uint64_t events;
  uint64_t comments; /* listened to or not */
  uint64_t drops;    /* oversize events and comments */
};

/* `mem` and `rules` must outlive the parser. */
void runnel__parser_init(struct runnel__parser *parser, struct runnel__mem *mem,
                         const struct runnel__parser_rules *rules);
void runnel__parser_deinit(struct runnel__parser *parser);

/* A new connection: input and a cut event are forgotten, a refused event is too
 * (its id stays taken back), a BOM may come again. The id in force stays. */
void runnel__parser_restart(struct runnel__parser *parser);

/* Hands a slice over, only when the last one is used up. It is written to and
 * must stay until MORE (or be kept, see below). `slack` bytes past its end may
 * be read but not written (0 is always right). */
static inline void runnel__parser_feed(struct runnel__parser *parser,
                                       char *bytes, size_t len, size_t slack);

/* Returns an enum runnel_parsed; fills *event with what runnel.h says there; or
 * RUNNEL_ETOOBIG (event with rule FAIL, id, type; runnel__parser_why tells
 * which) or RUNNEL_ENOMEM, for good until restart. Slices stay valid until the
 * next call. A retry value saturates at INT64_MAX. */
static inline int runnel__parser_next(struct runnel__parser *parser,
                                      struct runnel_event *event);

/* The EVENT just returned was refused: the next runnel__parser_next returns it
 * again. Until then the id before it is in force. */
void runnel__parser_refuse(struct runnel__parser *parser,
                           const struct runnel_event *event);

/* The id in force, NUL-terminated; "" if none. */
static inline struct runnel__str
runnel__parser_id(const struct runnel__parser *parser);

/* The same, to be shown: until the next runnel__parser_next its bytes stay as
 * they are, whatever runnel__parser_set_id does. Only while no id is pending:
 * what was returned last ended its block, or nothing was since the restart. */
static inline struct runnel__str
runnel__parser_show_id(struct runnel__parser *parser);

/* 1 if the item just returned changed the id in force to another value. */
int runnel__parser_id_changed(const struct runnel__parser *parser);

/* Replaces the id in force. 0, RUNNEL_ETOOBIG, RUNNEL_ENOMEM. The pending id of
 * an unfinished block is not touched. */
int runnel__parser_set_id(struct runnel__parser *parser, struct runnel__str id);

/* Bytes of the unfinished block so far: joined data, or at least 1 if any field
 * line or part of a line other than a comment stands in it. 0: at a border. */
size_t runnel__parser_unfinished(const struct runnel__parser *parser);

/* What was too big, after RUNNEL_ETOOBIG: "event over 16777216 bytes". Writes
 * at most size - 1 bytes and a NUL. */
void runnel__parser_why(const struct runnel__parser *parser, char *dst,
                        size_t size);

/* Bytes held now (carry, stores beyond the id are not counted). */
size_t runnel__parser_held(const struct runnel__parser *parser);

/* To keep a slice that is not used up, e.g. in a pause: puts what is cut into
 * the carry and returns in *low the first byte that is still needed (a refused
 * event's bytes, or the rest of the slice; equal to the slice's end when
 * nothing is). The caller copies everything from there on, then says where to.
 * Slices of the item just returned end here, unless it was refused. 0 or
 * RUNNEL_ENOMEM, and then nothing else changed. */
int runnel__parser_keep(struct runnel__parser *parser, char **low);
void runnel__parser_moved(struct runnel__parser *parser, const char *from,
                          char *to, size_t slack);

/* A short value in memory of its own; not counted as held. */
struct runnel__store {
  char *at; /* owned, NUL-terminated; NULL until something is stored */
  uint32_t len;
  uint32_t cap; /* bytes allocated, NUL included */
};

/* How the next item may be read. Only rules->quick says that it may, and never
 * with utf8_replace, so that nothing plain is to be repaired. */
enum runnel__plain {
  RUNNEL__NOT_PLAIN = 0,
  RUNNEL__PLAIN,     /* between blocks, and nothing is carried or cut */
  RUNNEL__PLAIN_DATA /* so, and of the block only data is to be cleared */
};

/* Private to the parser's files. In the order of use, so that a read touches
 * few cache lines; the flags are bytes, 0 or 1 where nothing else is said. */
struct runnel__parser {
  char *at; /* what is not read of the slice: [at, end), the caller's */
  char *end;
  const char *reach; /* past what may be read: `end` and its slack, to 64 */

  /* The block so far. */
  char *data;      /* joined lines, in the slice; unused when data_carried */
  size_t data_len; /* when dropping: what was skipped */
  char *type;      /* in the slice, or in type_store; NULL: none */
  uint32_t type_len;

  unsigned char skip_lf;  /* a CR ended the last slice */
  unsigned char bom;      /* bytes of a BOM seen at the start; 3: past it */
  unsigned char in_force; /* index in ids */
  unsigned char plain;    /* enum runnel__plain */

  /* Side by side, so that runnel__parser_clear is one store for them. */
  unsigned char has_data;
  unsigned char data_carried; /* the data is carry's first data_len bytes */
  unsigned char dropping;     /* over the limit: only counted */
  unsigned char type_stored;
  unsigned char has_id;  /* ids[!in_force] is the block's, until it is shown */
  unsigned char touched; /* it has a line that is no comment */
  unsigned char shown;   /* enum runnel_parsed just returned; 0: none */
  unsigned char id_changed;

  unsigned char shown_id; /* index of the id just shown; 2: none */
  unsigned char refused;  /* the block is complete, to be returned again */

  /* The line that a slice's end cut. */
  unsigned char line;         /* enum line_kind; 0: at the start of a line */
  unsigned char name_len;     /* bytes of cut.name */
  unsigned char value_begun;  /* the space after the colon was looked for */
  unsigned char line_nul : 1; /* an id with NUL */
  unsigned char line_big : 1; /* an id or comment over its limit */

  unsigned char too_big; /* enum too_big, after RUNNEL_ETOOBIG */
  signed char error;     /* the code that is returned for good; 0: none */

  int64_t retry_ms;                         /* of the block; -1: none */
  const struct runnel__parser_rules *rules; /* the owner's */
  struct runnel__store ids[2]; /* in force, and the next or the one before */
  struct runnel__parser_counts counts;
  struct runnel__mem *mem; /* the owner's */
  union {
    char name[5];   /* of the cut line, until its colon */
    int64_t number; /* of a cut retry line */
  } cut;
  struct runnel__buf carry; /* data of a cut block, then a cut value */
  struct runnel__store type_store;
};

static inline struct runnel__str
runnel__parser_id(const struct runnel__parser *parser) {
  const struct runnel__store *store = &parser->ids[parser->in_force];
  struct runnel__str id = {store->at != NULL ? store->at : "", store->len};
  return id;
}

static inline struct runnel__str
runnel__parser_show_id(struct runnel__parser *parser) {
  assert(!parser->has_id || parser->shown != 0);
  parser->shown_id = parser->in_force;
  return runnel__parser_id(parser);
}

/* What next and feed do when there is more to it. */
int runnel__parser_next_item(struct runnel__parser *parser,
                             struct runnel_event *event);
void runnel__parser_begin(struct runnel__parser *parser);

/* Notes an error, which is returned for good; returns `kind`. Only where the
 * next item is not read plainly. */
int runnel__parser_note(struct runnel__parser *parser, int kind);

/* Reads the slice on, a line at a time; the rest of runnel__parser_next. */
int runnel__parser_read_lines(struct runnel__parser *parser,
                              struct runnel_event *event);
/* The same where it is known that no line ends in what is left. */
int runnel__parser_read_cut(struct runnel__parser *parser);

/* Forgets the block and what was shown of it, the carry excepted. */
static inline void runnel__parser_clear(struct runnel__parser *parser) {
  parser->data_len = 0;
  parser->type = NULL;
  parser->type_len = 0;
  parser->has_data = 0;
  parser->data_carried = 0;
  parser->dropping = 0;
  parser->type_stored = 0;
  parser->has_id = 0;
  parser->touched = 0;
  parser->shown = 0;
  parser->id_changed = 0;
  parser->shown_id = RUNNEL__NO_ID;
  parser->retry_ms = -1;
}

static inline void runnel__parser_feed(struct runnel__parser *parser,
                                       char *bytes, size_t len, size_t slack) {
  assert(parser->at == parser->end && !parser->refused);
  parser->counts.bytes += len;
  parser->at = bytes;
  parser->end = bytes + len;
  parser->reach =
      parser->end + (slack < RUNNEL__SLACK_MAX ? slack : RUNNEL__SLACK_MAX);
  if (parser->skip_lf || parser->bom < RUNNEL__BOM_LEN)
    runnel__parser_begin(parser);
}

static inline int runnel__parser_next(struct runnel__parser *parser,
                                      struct runnel_event *event) {
  if (parser->plain == RUNNEL__NOT_PLAIN)
    return runnel__parser_next_item(parser, event);
  if (parser->at < parser->end)
    return parser->rules->quick(parser, event);
  runnel__parser_clear(parser);
  return RUNNEL_PARSED_MORE;
}

#endif
