/* Chunked framing (RFC 9112 7.1): what stands between the data of two chunks,
 * and the end. Ours and not llhttp's because it is passed with every event that
 * comes as a chunk of its own: a size line costs a few nanoseconds here, and 24
 * there.
 *
 * Strict where readers differ: CRLF alone ends a line, a size is 1 to 16 hex
 * digits (leading zeros aside) with nothing around them, extensions (quoted
 * ones too) are passed over and bounded, trailers are checked, bounded and
 * dropped. Whatever it accepts, llhttp takes in the same way; a test holds it
 * to that. */
#ifndef RUNNEL_CORE_CHUNK_H
#define RUNNEL_CORE_CHUNK_H

#include <stdint.h>

#include "str.h"

#define RUNNEL__CHUNK_DIGITS_MAX 16 /* of an uint64_t, leading zeros aside */
#define RUNNEL__CHUNK_LINE_BYTES_MAX 4096
#define RUNNEL__TRAILERS_BYTES_MAX 16384

/* All zero: before the first chunk. */
struct runnel__chunk {
  uint64_t size;     /* of the chunk whose size line was read */
  uint16_t line_len; /* of the size line so far */
  uint16_t trailers_len;
  uint8_t state;  /* below, or enum in chunk.c */
  uint8_t digits; /* of the size, leading zeros aside */
};

enum { RUNNEL__CHUNK_FIRST_SIZE = 0, RUNNEL__CHUNK_AFTER_DATA = 1 };

enum runnel__chunk_read {
  RUNNEL__CHUNK_MORE = 0, /* the input is used up */
  RUNNEL__CHUNK_DATA = 1, /* `size` bytes of data follow, at least one */
  RUNNEL__CHUNK_DONE = 2, /* the last chunk and its trailers are over */
  RUNNEL__CHUNK_BAD = 3   /* *why says what */
};

/* Reads framing from *bytes, which moves past what was used. After DATA the
 * next call wants the bytes behind that data. */
enum runnel__chunk_read runnel__chunk_read(struct runnel__chunk *chunk,
                                           struct runnel__str *bytes,
                                           const char **why);

/* Each byte's value as a hex digit, and 1; 0 for the others. */
extern const unsigned char runnel__chunk_digits[256];

/* What servers write, looked at in one go: the CRLF of the data before, digits,
 * CRLF. Returns their length, and *size bytes of data follow; the state is then
 * AFTER_DATA. 0: it is not just so, and runnel__chunk_read is to judge. */
static inline size_t runnel__chunk_usual(const struct runnel__chunk *chunk,
                                         const char *bytes, size_t len,
                                         uint64_t *size) {
  static const char crlf[2] = {'\r', '\n'};
  const char *at = bytes;
  const char *end = bytes + len;
  if (chunk->state == RUNNEL__CHUNK_AFTER_DATA) {
    if (len < sizeof crlf || memcmp(at, crlf, sizeof crlf) != 0)
      return 0;
    at += sizeof crlf;
  } else if (chunk->state != RUNNEL__CHUNK_FIRST_SIZE) {
    return 0;
  }
  const char *last =
      end - at > RUNNEL__CHUNK_DIGITS_MAX ? at + RUNNEL__CHUNK_DIGITS_MAX : end;
  uint64_t value = 0;
  unsigned digit;
  while (at < last && (digit = runnel__chunk_digits[(unsigned char)*at]) > 0) {
    value = value << 4 | (digit - 1);
    at++;
  }
  if (value == 0 || end - at < (ptrdiff_t)sizeof crlf ||
      memcmp(at, crlf, sizeof crlf) != 0)
    return 0;
  *size = value;
  return (size_t)(at - bytes) + sizeof crlf;
}

#endif
