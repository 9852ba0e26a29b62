/* One byte, one state; the short way for what servers write is in chunk.h. */
#include "chunk.h"

#include <assert.h>

#include "chars.h"

enum state {
  FIRST_SIZE = RUNNEL__CHUNK_FIRST_SIZE, /* the first digit of a size */
  AFTER_DATA = RUNNEL__CHUNK_AFTER_DATA, /* CR is wanted */
  AFTER_DATA_LF,
  SIZE,
  EXTENSION,
  SIZE_LF,
  TRAILER_START,
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  LAST_LF,
  DONE,
  BAD
};

const unsigned char runnel__chunk_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

static_assert(RUNNEL__TRAILERS_BYTES_MAX < UINT16_MAX &&
                  RUNNEL__CHUNK_LINE_BYTES_MAX < UINT16_MAX,
              "lengths fit their fields");

static enum state step_size(struct runnel__chunk *chunk, char byte) {
  int digit = runnel__hex_value(byte);
  if (digit < 0 && chunk->state == SIZE && byte == ';')
    return EXTENSION;
  if (digit < 0 && chunk->state == SIZE && byte == '\r')
    return SIZE_LF;
  if (digit < 0)
    return BAD;
  if (chunk->digits > 0 || digit > 0)
    chunk->digits++;
  chunk->size = chunk->size << 4 | (uint64_t)digit;
  return SIZE;
}

/* After a size line: data, or the trailers. */
static enum state end_size(const struct runnel__chunk *chunk, char byte) {
  if (byte != '\n')
    return BAD;
  return chunk->size > 0 ? AFTER_DATA : TRAILER_START;
}

static enum state step_framing(struct runnel__chunk *chunk, char byte) {
  switch (chunk->state) {
  case AFTER_DATA:
    return byte == '\r' ? AFTER_DATA_LF : BAD;
  case AFTER_DATA_LF:
    chunk->size = 0;
    chunk->digits = 0;
    return byte == '\n' ? FIRST_SIZE : BAD;
  case EXTENSION:
    if (byte == '\r')
      return SIZE_LF;
    return runnel__is_field_byte(byte) && (unsigned char)byte < 0x80 ? EXTENSION
                                                                     : BAD;
  case SIZE_LF:
    return end_size(chunk, byte);
  default:
    return step_size(chunk, byte);
  }
}

static enum state step_trailer(enum state state, char byte) {
  switch (state) {
  case TRAILER_START:
    if (byte == '\r')
      return LAST_LF;
    return runnel__is_tchar(byte) ? TRAILER_NAME : BAD;
  case TRAILER_NAME:
    if (byte == ':')
      return TRAILER_VALUE;
    return runnel__is_tchar(byte) ? TRAILER_NAME : BAD;
  case TRAILER_VALUE:
    if (byte == '\r')
      return TRAILER_LF;
    return runnel__is_field_byte(byte) ? TRAILER_VALUE : BAD;
  case TRAILER_LF:
    return byte == '\n' ? TRAILER_START : BAD;
  default:
    assert(state == LAST_LF);
    return byte == '\n' ? DONE : BAD;
  }
}

/* NULL, or why the byte may not stand there. */
static const char *step(struct runnel__chunk *chunk, char byte) {
  enum state before = chunk->state;
  if (before >= TRAILER_START) {
    chunk->state = (uint8_t)step_trailer(before, byte);
    if (chunk->state == BAD)
      return "a trailer line is malformed";
    return ++chunk->trailers_len > RUNNEL__TRAILERS_BYTES_MAX
               ? "the trailers are over their limit"
               : NULL;
  }
  chunk->state = (uint8_t)step_framing(chunk, byte);
  if (chunk->state == BAD)
    return before == AFTER_DATA || before == AFTER_DATA_LF
               ? "a chunk does not end in CRLF after its data"
               : "a chunk's size line is malformed";
  if (chunk->digits > RUNNEL__CHUNK_DIGITS_MAX)
    return "a chunk's size is over 64 bits";
  if (before == AFTER_DATA || before == AFTER_DATA_LF)
    chunk->line_len = 0;
  else if (++chunk->line_len > RUNNEL__CHUNK_LINE_BYTES_MAX)
    return "a chunk's size line is over its limit";
  return NULL;
}

enum runnel__chunk_read runnel__chunk_read(struct runnel__chunk *chunk,
                                           struct runnel__str *bytes,
                                           const char **why) {
  size_t used = runnel__chunk_usual(chunk, bytes->at, bytes->len, &chunk->size);
  if (used > 0) {
    chunk->state = AFTER_DATA;
    bytes->at += used;
    bytes->len -= used;
    return RUNNEL__CHUNK_DATA;
  }
  while (bytes->len > 0) {
    int at_size_end = chunk->state == SIZE_LF;
    *why = step(chunk, bytes->at[0]);
    if (*why != NULL)
      return RUNNEL__CHUNK_BAD;
    bytes->at++;
    bytes->len--;
    if (at_size_end && chunk->state == AFTER_DATA)
      return RUNNEL__CHUNK_DATA;
    if (chunk->state == DONE)
      return RUNNEL__CHUNK_DONE;
  }
  return RUNNEL__CHUNK_MORE;
}
