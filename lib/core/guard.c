/* Strict grammar of head lines and of chunk framing; see guard.h. Extensions
 * are passed over, quoted ones too, and trailers are checked and dropped, both
 * without llhttp, whose 8.1 refuses the former and whose versions differ on the
 * latter. */
#include "guard.h"

#include <assert.h>

#include "chars.h"

/* Of an uint64_t. */
#define SIZE_DIGITS_MAX 16

enum chunk_state {
  AFTER_DATA = 0, /* CR is wanted */
  AFTER_DATA_LF,
  SIZE_FIRST,
  SIZE,
  EXTENSION,
  SIZE_LF,
  SIZE_DONE,
  TRAILER_START,
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  LAST_LF,
  DONE
};

static_assert(RUNNEL__TRAILERS_BYTES_MAX < UINT16_MAX &&
                  RUNNEL__CHUNK_LINE_BYTES_MAX < UINT16_MAX,
              "lengths fit their fields");

const char *runnel__guard_start(struct runnel__str bytes) {
  struct runnel__str starts[] = {RUNNEL__STR("HTTP/1."), RUNNEL__STR("\r\n")};
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
    size_t len = bytes.len < starts[i].len ? bytes.len : starts[i].len;
    if (memcmp(bytes.at, starts[i].at, len) == 0)
      return NULL;
  }
  return "the answer is not HTTP/1.0 or HTTP/1.1";
}

const char *runnel__guard_status_line(struct runnel__str line, int *status,
                                      int *minor) {
  const char *at = line.at;
  if (line.len < 8 || memcmp(at, "HTTP/1.", 7) != 0 ||
      (at[7] != '0' && at[7] != '1'))
    return "the answer is not HTTP/1.0 or HTTP/1.1";
  if (line.len < 12 || at[8] != ' ' || !runnel__is_digit(at[9]) ||
      !runnel__is_digit(at[10]) || !runnel__is_digit(at[11]) ||
      (line.len > 12 && at[12] != ' '))
    return "the status line holds no status of three digits";
  if (at[9] < '1' || at[9] > '5')
    return "the status is not between 100 and 599";
  for (size_t i = 12; i < line.len; i++)
    if (!runnel__is_field_byte(at[i]))
      return "the status line holds a control character";
  *status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
  *minor = at[7] - '0';
  return NULL;
}

const char *runnel__guard_field_line(struct runnel__str line) {
  size_t i = 0;
  if (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
    return "a header line is folded";
  while (i < line.len && runnel__is_tchar(line.at[i]))
    i++;
  if (i == 0 || i == line.len || line.at[i] != ':')
    return "a header line does not begin with a name and a colon";
  for (; i < line.len; i++)
    if (!runnel__is_field_byte(line.at[i]))
      return "a header's value holds a control character";
  return NULL;
}

void runnel__guard_chunk_init(struct runnel__guard_chunk *chunk) {
  *chunk = (struct runnel__guard_chunk){.state = SIZE_FIRST};
}

void runnel__guard_chunk_data(struct runnel__guard_chunk *chunk) {
  assert(chunk->state == SIZE_DONE);
  *chunk = (struct runnel__guard_chunk){.state = AFTER_DATA};
}

void runnel__guard_chunk_last(struct runnel__guard_chunk *chunk) {
  assert(chunk->state == SIZE_DONE);
  *chunk = (struct runnel__guard_chunk){.state = TRAILER_START};
}

/* The state after `byte`, or -1. */
static int step_size(int state, char byte) {
  switch (state) {
  case AFTER_DATA:
    return byte == '\r' ? AFTER_DATA_LF : -1;
  case AFTER_DATA_LF:
    return byte == '\n' ? SIZE_FIRST : -1;
  case SIZE_FIRST:
    return runnel__hex_value(byte) >= 0 ? SIZE : -1;
  case SIZE:
    if (byte == ';')
      return EXTENSION;
    if (byte == '\r')
      return SIZE_LF;
    return runnel__hex_value(byte) >= 0 ? SIZE : -1;
  case EXTENSION:
    if (byte == '\r')
      return SIZE_LF;
    return runnel__is_field_byte(byte) && (unsigned char)byte < 0x80 ? EXTENSION
                                                                     : -1;
  default:
    assert(state == SIZE_LF);
    return byte == '\n' ? SIZE_DONE : -1;
  }
}

static int step_trailer(int state, char byte) {
  switch (state) {
  case TRAILER_START:
    if (byte == '\r')
      return LAST_LF;
    return runnel__is_tchar(byte) ? TRAILER_NAME : -1;
  case TRAILER_NAME:
    if (byte == ':')
      return TRAILER_VALUE;
    return runnel__is_tchar(byte) ? TRAILER_NAME : -1;
  case TRAILER_VALUE:
    if (byte == '\r')
      return TRAILER_LF;
    return runnel__is_field_byte(byte) ? TRAILER_VALUE : -1;
  case TRAILER_LF:
    return byte == '\n' ? TRAILER_START : -1;
  default:
    assert(state == LAST_LF);
    return byte == '\n' ? DONE : -1;
  }
}

static const char *step(struct runnel__guard_chunk *chunk, char byte) {
  int is_trailer = chunk->state >= TRAILER_START;
  int state = is_trailer ? step_trailer(chunk->state, byte)
                         : step_size(chunk->state, byte);
  if (state < 0 && chunk->state <= AFTER_DATA_LF)
    return "a chunk does not end in CRLF after its data";
  if (state < 0)
    return is_trailer ? "a trailer line is malformed"
                      : "a chunk's size line is malformed";
  if (is_trailer && ++chunk->trailers_len > RUNNEL__TRAILERS_BYTES_MAX)
    return "the trailers are over their limit";
  if (!is_trailer && ++chunk->line_len > RUNNEL__CHUNK_LINE_BYTES_MAX)
    return "a chunk's size line is over its limit";
  if (state == SIZE && (chunk->digits > 0 || byte != '0') &&
      ++chunk->digits > SIZE_DIGITS_MAX)
    return "a chunk's size is over 64 bits";
  chunk->state = (uint8_t)state;
  return NULL;
}

/* What the byte that led into `state` is. */
static int run_of(int state) {
  switch (state) {
  case EXTENSION:
  case TRAILER_START:
  case TRAILER_NAME:
  case TRAILER_VALUE:
  case TRAILER_LF:
    return RUNNEL__GUARD_SKIP;
  case SIZE_DONE:
    return RUNNEL__GUARD_LINE;
  case DONE:
    return RUNNEL__GUARD_DONE;
  default:
    return RUNNEL__GUARD_MORE;
  }
}

const char *runnel__guard_chunk_run(struct runnel__guard_chunk *chunk,
                                    struct runnel__str bytes, size_t *used,
                                    int *run) {
  assert(bytes.len > 0);
  int kind = -1;
  size_t i = 0;
  while (i < bytes.len) {
    struct runnel__guard_chunk before = *chunk;
    const char *why = step(chunk, bytes.at[i]);
    if (why != NULL)
      return why;
    int next = run_of(chunk->state);
    int skips = next == RUNNEL__GUARD_SKIP;
    if (kind >= 0 && skips != (kind == RUNNEL__GUARD_SKIP)) {
      *chunk = before; /* the byte begins the next run */
      break;
    }
    kind = next;
    i++;
    if (kind == RUNNEL__GUARD_LINE || kind == RUNNEL__GUARD_DONE)
      break;
  }
  *used = i;
  *run = kind;
  return NULL;
}
