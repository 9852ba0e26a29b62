/* Growth by doubling, inside a bound and inside the client's meter. */
#include "buf.h"

#include <string.h>

#define FIRST_BYTES 256

/* The capacity for `len` bytes and a NUL: doubled, but never far past `max`. */
static size_t next_cap(const struct runnel__buf *buf, size_t len, size_t max) {
  size_t cap = buf->cap < FIRST_BYTES ? FIRST_BYTES : buf->cap * 2;
  if (cap > max + 1)
    cap = max + 1;
  return cap < len + 1 ? len + 1 : cap;
}

/* A meter near its end may still have room for just what is needed. */
static int hold_growth(struct runnel__buf *buf, struct runnel__mem *mem,
                       size_t len, size_t *cap) {
  if (runnel__mem_hold(mem, *cap - buf->cap) == RUNNEL_OK)
    return RUNNEL_OK;
  *cap = len + 1;
  return runnel__mem_hold(mem, *cap - buf->cap);
}

int runnel__buf_reserve(struct runnel__buf *buf, struct runnel__mem *mem,
                        size_t len, size_t max) {
  if (len > max || max >= SIZE_MAX / 2)
    return RUNNEL_ETOOBIG;
  if (len < buf->cap)
    return RUNNEL_OK;
  size_t cap = next_cap(buf, len, max);
  int err = hold_growth(buf, mem, len, &cap);
  if (err != RUNNEL_OK)
    return err;
  char *at = runnel__realloc(mem, buf->at, cap);
  if (at == NULL) {
    runnel__mem_unhold(mem, cap - buf->cap);
    return RUNNEL_ENOMEM;
  }
  buf->at = at;
  buf->cap = cap;
  return RUNNEL_OK;
}

int runnel__buf_append(struct runnel__buf *buf, struct runnel__mem *mem,
                       const char *bytes, size_t len, size_t max) {
  if (len > max || buf->len > max - len)
    return RUNNEL_ETOOBIG;
  int err = runnel__buf_reserve(buf, mem, buf->len + len, max);
  if (err != RUNNEL_OK)
    return err;
  if (len > 0)
    memcpy(buf->at + buf->len, bytes, len);
  buf->len += len;
  buf->at[buf->len] = '\0';
  return RUNNEL_OK;
}

void runnel__buf_free(struct runnel__buf *buf, struct runnel__mem *mem) {
  runnel__free(mem, buf->at);
  runnel__mem_unhold(mem, buf->cap);
  *buf = (struct runnel__buf){0};
}
