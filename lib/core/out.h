/* A bounded writer that counts what it had no room for, as snprintf does. */
#ifndef RUNNEL_CORE_OUT_H
#define RUNNEL_CORE_OUT_H

#include <stdint.h>

#include "str.h"

struct runnel__out {
  char *dst;   /* borrowed; NULL is allowed when size is 0 */
  size_t size; /* room in dst, NUL included */
  size_t len;  /* bytes wanted so far, saturating; may be beyond size */
};

static inline void runnel__out_char(struct runnel__out *out, char c) {
  if (out->len < out->size && out->len + 1 < out->size)
    out->dst[out->len] = c;
  if (out->len < SIZE_MAX)
    out->len++;
}

static inline void runnel__out_str(struct runnel__out *out,
                                   struct runnel__str str) {
  for (size_t i = 0; i < str.len; i++)
    runnel__out_char(out, str.at[i]);
}

/* Ends the text with a NUL, if there is room for anything; returns the length
 * that was wanted. */
static inline size_t runnel__out_end(struct runnel__out *out) {
  if (out->size > 0)
    out->dst[out->len < out->size ? out->len : out->size - 1] = '\0';
  return out->len;
}

#endif
