/* UTF-8 as the Encoding Standard decodes it (section 8.1.1): each maximal
 * subpart of an ill-formed sequence becomes one U+FFFD. Stateless: it is given
 * whole values, never cut ones. */
#ifndef RUNNEL_CORE_UTF8_H
#define RUNNEL_CORE_UTF8_H

#include <stddef.h>

/* 1 if all of it is well-formed. */
int runnel__utf8_valid(const char *bytes, size_t len);

/* Bytes that `bytes` has once it is repaired: at most 3 * len. */
size_t runnel__utf8_fixed_len(const char *bytes, size_t len);

/* Writes the repaired bytes to dst, which has room for them, without a NUL, and
 * returns their number. dst and bytes do not overlap. */
size_t runnel__utf8_fix(char *dst, const char *bytes, size_t len);

#endif
