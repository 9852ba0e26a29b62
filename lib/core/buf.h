/* A bounded, growing buffer of bytes that a peer sent, counted as held.
 *
 * All zero is an empty buffer. Capacity doubles, so appending is linear. There
 * is always room for one NUL behind `len`. */
#ifndef RUNNEL_CORE_BUF_H
#define RUNNEL_CORE_BUF_H

#include "alloc.h"

struct runnel__buf {
  char *at;   /* owned; NULL when cap is 0 */
  size_t len; /* bytes used */
  size_t cap; /* bytes allocated and counted as held, NUL included */
};

/* Makes room for `len` bytes in all and a NUL. 0; RUNNEL_ETOOBIG when len >
 * max; RUNNEL_ENOMEM. On failure the buffer is as it was. */
int runnel__buf_reserve(struct runnel__buf *buf, struct runnel__mem *mem,
                        size_t len, size_t max);

/* Appends; errors as runnel__buf_reserve. `bytes` may not point into buf. */
int runnel__buf_append(struct runnel__buf *buf, struct runnel__mem *mem,
                       const char *bytes, size_t len, size_t max);

/* Frees what it holds; the buffer is empty then. */
void runnel__buf_free(struct runnel__buf *buf, struct runnel__mem *mem);

#endif
