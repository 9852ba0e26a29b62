/* What may stand in the lines of a response head (RFC 9112 4, 5) and around its
 * chunks (7.1).
 *
 * Versions of llhttp differ in what they let pass; so a line is checked here
 * first, and llhttp sees none that any of them would take differently. Refuses
 * to know what a line means: sizes, lengths and framing are llhttp's. All texts
 * of refusals are static. */
#ifndef RUNNEL_CORE_GUARD_H
#define RUNNEL_CORE_GUARD_H

#include <stdint.h>

#include "str.h"

#define RUNNEL__CHUNK_LINE_BYTES_MAX 4096
#define RUNNEL__TRAILERS_BYTES_MAX 16384

/* "HTTP/1.0" or "HTTP/1.1", SP, status 100 to 599, end or SP and a reason;
 * `line` without CRLF. NULL, or why not. */
const char *runnel__guard_status_line(struct runnel__str line, int *status,
                                      int *minor);

/* A token, ':', and a value without control characters. NULL, or why not. */
const char *runnel__guard_field_line(struct runnel__str line);

/* The first bytes of a head, as many as are there, without the rest of the
 * line: NULL while they may become an empty line or a status line. */
const char *runnel__guard_start(struct runnel__str bytes);

/* What stands between the data of two chunks, byte by byte: the data's CRLF, a
 * size line with extensions, and after the last chunk the trailers. */
struct runnel__guard_chunk {
  uint8_t state;     /* enum in guard.c */
  uint8_t digits;    /* of the size, leading zeros aside */
  uint16_t line_len; /* of the size line so far */
  uint16_t trailers_len;
};

enum runnel__guard_run {
  RUNNEL__GUARD_MORE = 0, /* for llhttp; the input is used up */
  RUNNEL__GUARD_SKIP = 1, /* not for llhttp: an extension, a trailer */
  RUNNEL__GUARD_LINE = 2, /* for llhttp; a size line ended */
  RUNNEL__GUARD_DONE = 3  /* for llhttp; the empty line after the trailers */
};

/* Before the first chunk. */
void runnel__guard_chunk_init(struct runnel__guard_chunk *chunk);

/* After LINE: a chunk of data follows, or was the last one. */
void runnel__guard_chunk_data(struct runnel__guard_chunk *chunk);
void runnel__guard_chunk_last(struct runnel__guard_chunk *chunk);

/* Takes a run of bytes, all of one kind, at least one: its length in *used, the
 * kind in *run. NULL, or why not. */
const char *runnel__guard_chunk_run(struct runnel__guard_chunk *chunk,
                                    struct runnel__str bytes, size_t *used,
                                    int *run);

#endif
