/* HTTP dates (RFC 9110 5.6.7, all three forms) and Retry-After (10.2.3). */
#ifndef RUNNEL_CORE_HTTPDATE_H
#define RUNNEL_CORE_HTTPDATE_H

#include <stdint.h>

#include "str.h"

/* Seconds since 1970 of IMF-fixdate, RFC 850 and asctime dates; now_s settles
 * the century of the second (50 years ahead at most). 0, or RUNNEL_EINVAL with
 * *unix_s untouched. */
int runnel__httpdate_parse(int64_t *unix_s, struct runnel__str text,
                           int64_t now_s);

/* Milliseconds from now, at least 0, saturating at RUNNEL_MS_MAX, of seconds in
 * digits or of a date. 0, or RUNNEL_EINVAL: rubbish, to be ignored. */
int runnel__retry_after_parse(int64_t *delay_ms, struct runnel__str text,
                              int64_t now_s);

#endif
