/* See quick.h. One body, built once for each kind of window.
 *
 * Where the time goes: on tiny events one chain of dependences per event (mask,
 * first end, next event), so the mask is anchored anew at each block, and kept
 * in a register; on large ones in reading memory, so whole windows are skipped.
 */
#include "quick.h"

#include "block.h"
#include "scan.h"

/* What is read next, in registers. */
struct cursor {
  char *line;    /* start of the line */
  char *next;    /* the next window begins here */
  uint64_t ends; /* line ends at or behind `line` in the window before it */
};

/* The end of the line, or NULL if the slice cuts it, or what may be read does.
 */
RUNNEL__INLINE char *find_end(const struct runnel__parser *parser,
                              struct cursor *cursor,
                              runnel__scan_window window) {
  while (cursor->ends == 0) {
    if (parser->end - cursor->next + parser->slack < RUNNEL__WINDOW)
      return NULL;
    cursor->ends = window(cursor->next);
    cursor->next += RUNNEL__WINDOW;
  }
  char *stop = cursor->next - RUNNEL__WINDOW + __builtin_ctzll(cursor->ends);
  return stop < parser->end ? stop : NULL;
}

/* Has the next search begin with a window at `at`. */
RUNNEL__INLINE void anchor(struct cursor *cursor, char *at) {
  cursor->line = at;
  cursor->next = at;
  cursor->ends = 0;
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
  } else if (stop[1] == '\n' && stop + 1 == cursor->next) {
    anchor(cursor, stop + 2); /* the LF lies in the window to come */
  } else if (stop[1] == '\n') {
    cursor->ends &= cursor->ends - 1;
    cursor->line = stop + 2;
  }
}

RUNNEL__INLINE uint64_t first_bytes(const char *line) {
  uint64_t word;
  memcpy(&word, line, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

#define NAME_DATA UINT64_C(0x3a61746164)    /* "data:", first byte lowest */
#define NAME_EVENT UINT64_C(0x3a746e657665) /* "event:" */
#define NAME_ID UINT64_C(0x3a6469)          /* "id:" */
#define FIRST(count) ((UINT64_C(1) << (8 * (count))) - 1)

/* Takes one field line. 0: not one that is known here, or not within limits. */
RUNNEL__INLINE int take_field(struct runnel__parser *parser, char *line,
                              char *stop, int *err) {
  if (parser->end - line + parser->slack < (ptrdiff_t)sizeof(uint64_t))
    return 0;
  uint64_t word = first_bytes(line);
  char *value;
  if ((word & FIRST(5)) == NAME_DATA) {
    value = line + 5 + (line[5] == ' ');
    size_t len = (size_t)(stop - value);
    if (__builtin_expect(parser->has_data || parser->dropping ||
                             len > parser->rules->event_bytes_max,
                         0)) {
      if (parser->dropping || parser->data_carried)
        return 0;
      *err = runnel__block_data(parser, value, len);
      return *err == RUNNEL_OK;
    }
    parser->has_data = 1;
    parser->data = value;
    parser->data_len = len;
  } else if ((word & FIRST(6)) == NAME_EVENT) {
    value = line + 6 + (line[6] == ' ');
    *err = runnel__block_type(parser, value, (size_t)(stop - value));
  } else if ((word & FIRST(3)) == NAME_ID) {
    value = line + 3 + (line[3] == ' ');
    *err = runnel__block_id(parser, value, (size_t)(stop - value));
  } else {
    return 0;
  }
  parser->touched = 1;
  return *err == RUNNEL_OK;
}

/* The blank line of a block of the common kind; runnel__block_end knows all. */
RUNNEL__INLINE int end_block(struct runnel__parser *parser,
                             struct runnel_event *event) {
  if (__builtin_expect(!parser->has_data || parser->data_carried ||
                           parser->dropping || parser->rules->utf8_replace,
                       0))
    return runnel__block_end(parser, event);
  runnel__block_commit_id(parser);
  struct runnel__str id = runnel__parser_id(parser);
  parser->counts.events++;
  parser->shown = RUNNEL_PARSED_EVENT;
  parser->data[parser->data_len] = '\0';
  event->data = parser->data;
  event->data_len = parser->data_len;
  event->type = "message";
  event->type_len = sizeof "message" - 1;
  if (parser->type_len > 0) {
    parser->type[parser->type_len] = '\0';
    event->type = parser->type;
    event->type_len = parser->type_len;
  }
  event->id = id.at;
  event->id_len = id.len;
  event->has_id = parser->has_id;
  event->retry_ms = parser->retry_ms;
  return RUNNEL_PARSED_EVENT;
}

RUNNEL__INLINE int read_quickly(struct runnel__parser *parser,
                                struct runnel_event *event,
                                runnel__scan_window window) {
  struct cursor cursor;
  int kind = 0;
  anchor(&cursor, parser->at);
  for (;;) {
    char *line = cursor.line;
    char *stop = find_end(parser, &cursor, window);
    if (stop == NULL)
      break;
    if (stop == line) {
      pass_end(parser, &cursor, stop);
      kind = end_block(parser, event);
    } else if (take_field(parser, line, stop, &kind)) {
      pass_end(parser, &cursor, stop);
    } else {
      break;
    }
    if (kind != 0)
      break;
  }
  parser->at = cursor.line;
  return kind;
}

static int quick_plain(struct runnel__parser *parser,
                       struct runnel_event *event) {
  return read_quickly(parser, event, runnel__window_plain);
}

#if defined(__x86_64__)

static int quick_sse2(struct runnel__parser *parser,
                      struct runnel_event *event) {
  return read_quickly(parser, event, runnel__window_sse2);
}

__attribute__((target("avx2"))) static int
quick_avx2(struct runnel__parser *parser, struct runnel_event *event) {
  return read_quickly(parser, event, runnel__window_avx2);
}

#elif defined(__aarch64__)

static int quick_neon(struct runnel__parser *parser,
                      struct runnel_event *event) {
  return read_quickly(parser, event, runnel__window_neon);
}

#endif

/* Widest last. */
const runnel__quick *runnel__quick_all(size_t *len) {
#if defined(__x86_64__)
  static const runnel__quick all[] = {quick_plain, quick_sse2, quick_avx2};
  *len = __builtin_cpu_supports("avx2") ? 3 : 2;
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
