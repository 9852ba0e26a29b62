/* See quick.h. One body, built once for each kind of window.
 *
 * Where the time goes: on tiny events one chain of dependences per event (mask,
 * first end, next event), so the mask is anchored anew at each event and kept
 * in a register; on medium ones in branches that nobody can foresee; on large
 * ones in reading memory, so strides are skipped once a line is long. */
#include "quick.h"

#include <assert.h>

#include "block.h"
#include "scan.h"

static_assert(RUNNEL__SLACK_MAX == RUNNEL__WINDOW,
              "a window may begin at a slice's last byte");

/* A line that fills so many pairs of windows is long: strides are faster. */
#define LONG_LINE_PAIRS 4

/* What is read next, and the block's data, in registers. */
struct cursor {
  char *line;       /* start of the line */
  char *base;       /* the window's first byte */
  uint64_t ends;    /* the window's line ends at or behind `line` */
  const char *last; /* where the last window may begin */
  char *data;       /* joined so far, in the slice; NULL: none */
  size_t data_len;
};

/* From where everything back to the line's start is known to have no line end:
 * goes on by strides that have none, from an even address. */
RUNNEL__INLINE void skip_strides(struct cursor *cursor,
                                 runnel__scan_stride stride) {
  cursor->base -= (uintptr_t)cursor->base % RUNNEL__WINDOW;
  while (cursor->last - cursor->base >= RUNNEL__STRIDE - RUNNEL__WINDOW &&
         !stride(cursor->base))
    cursor->base += RUNNEL__STRIDE;
}

/* Goes on to a window with a line end. 0: what may be read has none. Windows
 * are looked at in pairs, so that fewer lengths differ in a branch. */
RUNNEL__INLINE int find_window(struct cursor *cursor,
                               runnel__scan_window window,
                               runnel__scan_stride stride) {
  int empty = 0;
  while (cursor->ends == 0) {
    cursor->base += RUNNEL__WINDOW;
    if (++empty == LONG_LINE_PAIRS)
      skip_strides(cursor, stride);
    if (cursor->last - cursor->base < RUNNEL__WINDOW) {
      if (cursor->base > cursor->last)
        return 0;
      cursor->ends = window(cursor->base);
      continue;
    }
    uint64_t first = window(cursor->base);
    uint64_t second = window(cursor->base + RUNNEL__WINDOW);
    cursor->base += first == 0 ? RUNNEL__WINDOW : 0;
    cursor->ends = first == 0 ? second : first;
  }
  return 1;
}

/* Steps over the line end at `stop`. */
RUNNEL__INLINE void pass_end(struct runnel__parser *parser,
                             struct cursor *cursor, char *stop) {
  cursor->ends &= cursor->ends - 1;
  cursor->line = stop + 1;
  if (__builtin_expect(*stop == '\n', 1))
    return;
  if (stop + 1 == parser->end) {
    parser->skip_lf = 1;
    return;
  }
  if (stop[1] != '\n')
    return;
  cursor->line = stop + 2;
  cursor->ends &= cursor->ends - 1;
  if (stop + 1 == cursor->base + RUNNEL__WINDOW)
    cursor->base++; /* the next window begins behind that LF */
}

RUNNEL__INLINE uint64_t first_bytes(const char *line) {
  uint64_t word;
  memcpy(&word, line, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

#define NAME_DATA UINT64_C(0x3a61746164) /* "data:", first byte lowest */
#define NAME_DATA_SPACE UINT64_C(0x203a61746164)
#define NAME_EVENT UINT64_C(0x3a746e657665) /* "event:" */
#define NAME_ID UINT64_C(0x3a6469)          /* "id:" */
#define FIRST(count) ((UINT64_C(1) << (8 * (count))) - 1)

/* Copies an id by words into the store that is free. 0: it has a NUL, or the
 * store is not free or has no room for it yet. */
RUNNEL__INLINE int take_id(struct runnel__parser *parser, const char *value,
                           size_t len) {
  struct runnel__store *store = &parser->ids[!parser->in_force];
  if (parser->has_id || len > parser->rules->id_bytes_max ||
      len + sizeof(uint64_t) > store->cap)
    return 0;
  uint64_t nul = 0;
  for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
    uint64_t word = first_bytes(value + i);
    memcpy(store->at + i, value + i, sizeof word);
    if (len - i < sizeof word)
      word |= ~FIRST(len - i);
    nul |= runnel__zero_bytes(word);
  }
  if (nul != 0)
    return 0;
  store->at[len] = '\0';
  store->len = (uint32_t)len;
  parser->has_id = 1;
  return 1;
}

struct piece {
  char bytes[32];
};

/* memmove to a lower place, for lines: pieces that may overlap, all of them
 * read before one is written, so that the length decides no branch. */
RUNNEL__INLINE void move_pieces(char *to, const char *from, size_t len) {
  const size_t size = sizeof(struct piece);
  size_t last = len - size;
  size_t second = last < size ? last : size;
  size_t third = last < 2 * size ? last : 2 * size;
  struct piece pieces[4];
  memcpy(&pieces[0], from, size);
  memcpy(&pieces[1], from + second, size);
  memcpy(&pieces[2], from + third, size);
  memcpy(&pieces[3], from + last, size);
  memcpy(to, &pieces[0], size);
  memcpy(to + second, &pieces[1], size);
  memcpy(to + third, &pieces[2], size);
  memcpy(to + last, &pieces[3], size);
}

RUNNEL__INLINE void move_up(char *to, const char *from, size_t len) {
  if (len >= sizeof(struct piece) && len <= 4 * sizeof(struct piece))
    move_pieces(to, from, len);
  else
    memmove(to, from, len);
}

/* Moves a data line up behind those before it; between them is at least a line
 * end, which becomes the LF. 0: a type lies in between. */
RUNNEL__INLINE int join_data(struct runnel__parser *parser,
                             struct cursor *cursor, const char *value,
                             size_t len) {
  if (runnel__block_type_is_behind(parser, cursor->data))
    return 0;
  char *to = cursor->data + cursor->data_len;
  *to = '\n';
  move_up(to + 1, value, len);
  parser->counts.bytes_moved += len;
  cursor->data_len += len + 1;
  return 1;
}

RUNNEL__INLINE int take_data(struct runnel__parser *parser,
                             struct cursor *cursor, char *value, size_t len) {
  size_t max = parser->rules->event_bytes_max;
  if (len > max)
    return 0;
  if (__builtin_expect(cursor->data != NULL, 0))
    return cursor->data_len < max - len &&
           join_data(parser, cursor, value, len);
  cursor->data = value;
  cursor->data_len = len;
  return 1;
}

/* Takes the line up to `stop`, which is not empty. 0: it is not of a kind that
 * is known here, or not within its limits, and nothing changed. */
RUNNEL__INLINE int take_field(struct runnel__parser *parser,
                              struct cursor *cursor, char *stop) {
  char *line = cursor->line;
  if (stop - cursor->last > RUNNEL__WINDOW - (ptrdiff_t)sizeof(uint64_t))
    return 0; /* no word may be read here */
  uint64_t word = first_bytes(line);
  if ((word & FIRST(5)) == NAME_DATA) {
    char *value = line + 5 + (line[5] == ' ');
    return take_data(parser, cursor, value, (size_t)(stop - value));
  }
  if ((word & FIRST(3)) == NAME_ID) {
    char *value = line + 3 + (line[3] == ' ');
    return take_id(parser, value, (size_t)(stop - value));
  }
  if ((word & FIRST(6)) != NAME_EVENT)
    return 0;
  char *value = line + 6 + (line[6] == ' ');
  size_t len = (size_t)(stop - value);
  if (len > parser->rules->type_bytes_max)
    return 0;
  parser->type = value;
  parser->type_len = (uint32_t)len;
  parser->type_stored = 0;
  return 1;
}

/* Writes the block's data down, as a reading line by line would have done. */
RUNNEL__INLINE void put_data(struct runnel__parser *parser,
                             const struct cursor *cursor) {
  parser->has_data = 1;
  parser->data = cursor->data;
  parser->data_len = cursor->data_len;
}

/* Shows a block of nothing but data; its id, if any, is in force already. */
RUNNEL__INLINE void show_data(struct runnel__parser *parser,
                              struct runnel_event *event,
                              const struct cursor *cursor) {
  struct runnel__str id = runnel__parser_id(parser);
  put_data(parser, cursor);
  parser->counts.events++;
  parser->shown = RUNNEL_PARSED_EVENT;
  parser->shown_id = parser->in_force;
  cursor->data[cursor->data_len] = '\0';
  event->type = "message";
  event->type_len = sizeof "message" - 1;
  event->data = cursor->data;
  event->data_len = cursor->data_len;
  event->id = id.at;
  event->id_len = id.len;
  event->has_id = 0;
  event->retry_ms = -1;
}

/* The blank line of a block with data. */
RUNNEL__INLINE int end_block(struct runnel__parser *parser,
                             struct runnel_event *event,
                             const struct cursor *cursor) {
  runnel__block_commit_id(parser);
  parser->plain = RUNNEL__PLAIN;
  show_data(parser, event, cursor);
  if (parser->type_len > 0) {
    parser->type[parser->type_len] = '\0';
    event->type = parser->type;
    event->type_len = parser->type_len;
  }
  event->has_id = parser->has_id;
  event->retry_ms = parser->retry_ms;
  return RUNNEL_PARSED_EVENT;
}

/* Leaves what begins at cursor->line to parser.c. Whether a line ends there is
 * known up to the window's next line end, or to its start if it has none. */
static int leave(struct runnel__parser *parser, struct runnel_event *event,
                 const struct cursor *cursor) {
  parser->at = cursor->line;
  parser->plain = RUNNEL__NOT_PLAIN;
  if (cursor->data != NULL)
    put_data(parser, cursor);
  if (parser->has_data || parser->type != NULL || parser->has_id)
    parser->touched = 1;
  int next_end = cursor->ends == 0 ? 0 : __builtin_ctzll(cursor->ends);
  return cursor->base + next_end >= parser->end
             ? runnel__parser_read_cut(parser)
             : runnel__parser_read_lines(parser, event);
}

/* An empty line in a block that end_block does not know: 0, an item or an
 * error, which is returned for good. */
static int end_other(struct runnel__parser *parser, struct runnel_event *event,
                     struct cursor *cursor) {
  if (cursor->data != NULL)
    put_data(parser, cursor);
  cursor->data = NULL;
  cursor->data_len = 0;
  parser->at = cursor->line;
  parser->plain = RUNNEL__NOT_PLAIN;
  return runnel__parser_note(parser, runnel__block_end(parser, event));
}

RUNNEL__INLINE int read_blocks(struct runnel__parser *parser,
                               struct runnel_event *event,
                               runnel__scan_window window,
                               runnel__scan_stride stride) {
  char *at = parser->at;
  struct cursor cursor = {.line = at, .base = at};
  if (parser->plain != RUNNEL__NOT_PLAIN)
    runnel__parser_clear(parser);
  if (parser->reach - at < RUNNEL__WINDOW || parser->data_carried ||
      parser->dropping) {
    parser->plain = RUNNEL__NOT_PLAIN;
    return runnel__parser_read_lines(parser, event);
  }
  cursor.last = parser->reach - RUNNEL__WINDOW;
  if (__builtin_expect(parser->has_data, 0)) {
    cursor.data = parser->data;
    cursor.data_len = parser->data_len;
  }
  int repair = parser->rules->utf8_replace;
  cursor.ends = window(at);
  while (find_window(&cursor, window, stride)) {
    char *stop = cursor.base + __builtin_ctzll(cursor.ends);
    if (stop >= parser->end)
      break;
    if (stop == cursor.line) {
      pass_end(parser, &cursor, stop);
      parser->at = cursor.line;
      if (cursor.data != NULL && !repair)
        return end_block(parser, event, &cursor);
      int kind = end_other(parser, event, &cursor);
      if (kind != 0)
        return kind;
      continue;
    }
    if (!take_field(parser, &cursor, stop))
      break;
    if (*stop == '\n' && stop + 1 < parser->end && stop[1] == '\n' &&
        cursor.data != NULL && !repair) {
      parser->at = stop + 2;
      return end_block(parser, event, &cursor);
    }
    pass_end(parser, &cursor, stop);
  }
  return leave(parser, event, &cursor);
}

/* The commonest block, alone so that it costs no more than it must: a data line
 * and a blank one in one window, LF behind both. 0: it is not that. */
RUNNEL__INLINE int read_tiny(struct runnel__parser *parser,
                             struct runnel_event *event,
                             runnel__scan_window window) {
  static const char two_ends[2] = {'\n', '\n'};
  char *line = parser->at;
  if (parser->reach - line < RUNNEL__WINDOW ||
      (first_bytes(line) & FIRST(6)) != NAME_DATA_SPACE)
    return 0;
  uint64_t ends = window(line);
  if (ends == 0)
    return 0;
  char *stop = line + __builtin_ctzll(ends);
  if (parser->end - stop < 2 || memcmp(stop, two_ends, 2) != 0)
    return 0;
  struct cursor cursor = {.data = line + 6};
  cursor.data_len = (size_t)(stop - cursor.data);
  if (cursor.data_len > parser->rules->event_bytes_max)
    return 0;
  if (parser->plain == RUNNEL__PLAIN)
    runnel__parser_clear(parser);
  parser->plain = RUNNEL__PLAIN_DATA;
  parser->at = stop + 2;
  show_data(parser, event, &cursor);
  return 1;
}

static int blocks_plain(struct runnel__parser *parser,
                        struct runnel_event *event) {
  return read_blocks(parser, event, runnel__window_plain, runnel__stride_plain);
}

static int quick_plain(struct runnel__parser *parser,
                       struct runnel_event *event) {
  return parser->plain != RUNNEL__NOT_PLAIN &&
                 read_tiny(parser, event, runnel__window_plain)
             ? RUNNEL_PARSED_EVENT
             : blocks_plain(parser, event);
}

#if defined(__x86_64__)

static int blocks_sse2(struct runnel__parser *parser,
                       struct runnel_event *event) {
  return read_blocks(parser, event, runnel__window_sse2, runnel__stride_sse2);
}

static int quick_sse2(struct runnel__parser *parser,
                      struct runnel_event *event) {
  return parser->plain != RUNNEL__NOT_PLAIN &&
                 read_tiny(parser, event, runnel__window_sse2)
             ? RUNNEL_PARSED_EVENT
             : blocks_sse2(parser, event);
}

__attribute__((target("avx2,bmi"), noinline)) static int
blocks_avx2(struct runnel__parser *parser, struct runnel_event *event) {
  return read_blocks(parser, event, runnel__window_avx2, runnel__stride_avx2);
}

__attribute__((target("avx2,bmi"))) static int
quick_avx2(struct runnel__parser *parser, struct runnel_event *event) {
  return parser->plain != RUNNEL__NOT_PLAIN &&
                 read_tiny(parser, event, runnel__window_avx2)
             ? RUNNEL_PARSED_EVENT
             : blocks_avx2(parser, event);
}

#elif defined(__aarch64__)

static int blocks_neon(struct runnel__parser *parser,
                       struct runnel_event *event) {
  return read_blocks(parser, event, runnel__window_neon, runnel__stride_neon);
}

static int quick_neon(struct runnel__parser *parser,
                      struct runnel_event *event) {
  return parser->plain != RUNNEL__NOT_PLAIN &&
                 read_tiny(parser, event, runnel__window_neon)
             ? RUNNEL_PARSED_EVENT
             : blocks_neon(parser, event);
}

#endif

/* Widest last. */
const runnel__quick *runnel__quick_all(size_t *len) {
#if defined(__x86_64__)
  static const runnel__quick all[] = {quick_plain, quick_sse2, quick_avx2};
  int wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
  *len = wide ? 3 : 2;
#elif defined(__aarch64__)
  static const runnel__quick all[] = {quick_plain, quick_neon};
  *len = 2;
#else
  static const runnel__quick all[] = {quick_plain};
  *len = 1;
#endif
  return all;
}

runnel__quick runnel__quick_best(void) {
  size_t len;
  const runnel__quick *all = runnel__quick_all(&len);
  return all[len - 1];
}
