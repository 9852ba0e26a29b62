/* Chunked framing beside llhttp's on the same bytes. What ours takes, llhttp
 * takes in the same way: the same body, the same end at the same byte. What
 * ours refuses and llhttp does not must stand in `stricter` below, so that each
 * difference is a decision. No verdict may depend on where the input is cut.
 *
 * Input: four bytes of cuts; the rest, a body. */
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/core/chunk.h"
#include "../story_text.h"
#include "fuzz.h"

enum end { MORE, DONE, BAD };

struct reading {
  enum end end;
  size_t at;       /* bytes that were taken */
  const char *why; /* ours: after BAD */
  struct story_bytes body;
};

/* Ours -------------------------------------------------------------------- */

static size_t take_data(struct reading *reading, const char *at, size_t len,
                        uint64_t left) {
  size_t take = len < left ? len : (size_t)left;
  story_bytes_add(&reading->body, at, take);
  return take;
}

/* One slice, in memory of its own. `left`: data of a chunk that was cut. */
static void read_slice(struct reading *reading, struct runnel__chunk *chunk,
                       uint64_t *left, const uint8_t *bytes, size_t len) {
  char *copy = malloc(len > 0 ? len : 1);
  FUZZ_CHECK(copy != NULL, "no memory");
  if (len > 0)
    memcpy(copy, bytes, len);
  struct runnel__str slice = {copy, len};
  while (slice.len > 0 && reading->end == MORE) {
    size_t before = slice.len;
    if (*left > 0) {
      size_t took = take_data(reading, slice.at, slice.len, *left);
      slice.at += took;
      slice.len -= took;
      *left -= took;
    } else {
      enum runnel__chunk_read read =
          runnel__chunk_read(chunk, &slice, &reading->why);
      if (read == RUNNEL__CHUNK_DATA)
        *left = chunk->size;
      else if (read != RUNNEL__CHUNK_MORE)
        reading->end = read == RUNNEL__CHUNK_DONE ? DONE : BAD;
    }
    reading->at += before - slice.len;
  }
  free(copy);
}

static void read_ours(struct reading *reading, const struct fuzz_input *input,
                      const size_t *cuts, size_t cuts_len) {
  struct runnel__chunk chunk = {0};
  uint64_t left = 0;
  size_t at = 0;
  *reading = (struct reading){.end = MORE};
  story_bytes_text(&reading->body, "");
  for (size_t i = 0; i <= cuts_len && reading->end == MORE; i++) {
    size_t end = i < cuts_len ? cuts[i] : input->len;
    read_slice(reading, &chunk, &left, input->at + at, end - at);
    at = end;
  }
}

/* llhttp's ---------------------------------------------------------------- */

static int note_body(llhttp_t *parser, const char *at, size_t len) {
  struct reading *reading = parser->data;
  story_bytes_add(&reading->body, at, len);
  return 0;
}

static int note_complete(llhttp_t *parser) {
  ((struct reading *)parser->data)->end = DONE;
  return HPE_PAUSED;
}

static void read_theirs(struct reading *reading,
                        const struct fuzz_input *input) {
  static const char head[] = "HTTP/1.1 200 OK\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n";
  llhttp_settings_t settings;
  llhttp_t parser;
  const char *bytes = (const char *)input->at;
  *reading = (struct reading){.end = MORE, .at = input->len};
  story_bytes_text(&reading->body, "");
  llhttp_settings_init(&settings);
  settings.on_body = note_body;
  settings.on_message_complete = note_complete;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = reading;
  FUZZ_CHECK(llhttp_execute(&parser, head, sizeof head - 1) == HPE_OK, "head");
  llhttp_errno_t err = llhttp_execute(&parser, bytes, input->len);
  if (err == HPE_OK)
    return;
  reading->at = (size_t)(llhttp_get_error_pos(&parser) - bytes);
  if (reading->end != DONE)
    reading->end = BAD;
}

/* Differences ------------------------------------------------------------- */

static int same_body(const struct reading *a, const struct reading *b) {
  return a->body.len == b->body.len &&
         memcmp(a->body.at, b->body.at, a->body.len) == 0;
}

/* The byte that ours refused, and the one before it. */
struct place {
  unsigned char byte;
  unsigned char before; /* 0 at the start */
};

static int is_bare_lf(struct place place) {
  return place.byte == '\n' && place.before != '\r';
}

/* A build of llhttp 8 without its strict mode takes any byte behind a CR. */
static int is_behind_cr(struct place place) {
  return place.before == '\r' && place.byte != '\n';
}

static int is_blank(struct place place) {
  return place.byte == ' ' || place.byte == '\t';
}

/* DEL and obs-text, in a quoted value of an extension. */
static int is_not_ascii(struct place place) { return place.byte >= 0x7f; }

static int is_any(struct place place) {
  (void)place;
  return 1;
}

/* What ours refuses though llhttp, in one of its versions, lets it pass: other
 * readers take each in another way, which is how one message becomes two (RFC
 * 9112 11.2). Trailers are dropped, but their end is the body's. */
static const struct {
  const char *why;
  int (*is)(struct place place);
} stricter[] = {
    {"a chunk's size line is malformed", is_bare_lf},
    {"a chunk's size line is malformed", is_behind_cr},
    {"a chunk's size line is malformed", is_blank},
    {"a chunk's size line is malformed", is_not_ascii},
    {"a chunk does not end in CRLF after its data", is_any},
    {"a trailer line is malformed", is_any},
};

static int may_be_stricter(const struct reading *ours,
                           const struct fuzz_input *input) {
  struct place place = {input->at[ours->at],
                        ours->at > 0 ? input->at[ours->at - 1] : 0};
  for (size_t i = 0; i < sizeof stricter / sizeof stricter[0]; i++)
    if (strcmp(stricter[i].why, ours->why) == 0 && stricter[i].is(place))
      return 1;
  return 0;
}

/* llhttp 8 refuses extensions that 9 and RFC 9112 7.1.1 allow. */
static int is_in_extension(const struct fuzz_input *input, size_t at) {
  while (at > 0 && input->at[at - 1] != '\n')
    if (input->at[--at] == ';')
      return 1;
  return 0;
}

static void compare(const struct reading *ours, const struct reading *theirs,
                    const struct fuzz_input *input) {
  if (ours->end == BAD) {
    FUZZ_CHECK(theirs->end == BAD || may_be_stricter(ours, input),
               "refused at %zu (%s), and llhttp takes it", ours->at, ours->why);
    return;
  }
  if (theirs->end == BAD && is_in_extension(input, theirs->at))
    return;
  FUZZ_CHECK(ours->end == theirs->end, "end %d, llhttp's %d at %zu",
             (int)ours->end, (int)theirs->end, theirs->at);
  FUZZ_CHECK(same_body(ours, theirs), "%zu bytes, llhttp's %zu", ours->body.len,
             theirs->body.len);
}

static void compare_cut(const struct reading *whole,
                        const struct reading *cut) {
  FUZZ_CHECK(whole->end == cut->end && whole->at == cut->at,
             "end %d at %zu, cut %d at %zu", (int)whole->end, whole->at,
             (int)cut->end, cut->at);
  FUZZ_CHECK(whole->end != BAD || strcmp(whole->why, cut->why) == 0,
             "\"%s\" depends on cuts: \"%s\"", whole->why, cut->why);
  FUZZ_CHECK(same_body(whole, cut), "the body depends on cuts");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct fuzz_input input = {bytes, len};
  struct reading ours, cut, theirs;
  size_t cuts_len;
  uint64_t seed = fuzz_number(&input, 4);
  size_t *cuts = fuzz_cuts(seed, input.len, &cuts_len);
  read_ours(&ours, &input, NULL, 0);
  read_ours(&cut, &input, cuts, cuts_len);
  compare_cut(&ours, &cut);
  read_theirs(&theirs, &input);
  compare(&ours, &theirs, &input);
  story_bytes_free(&ours.body);
  story_bytes_free(&cut.body);
  story_bytes_free(&theirs.body);
  free(cuts);
  return 0;
}
