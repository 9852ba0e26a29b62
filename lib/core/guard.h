/* What may stand in the lines of a response head (RFC 9112 4, 5).
 *
 * Versions of llhttp differ in what they let pass; so a line is checked here
 * first, and llhttp sees none that any of them would take differently. Refuses
 * to know what a line means: lengths and framing are llhttp's. All texts of
 * refusals are static. */
#ifndef RUNNEL_CORE_GUARD_H
#define RUNNEL_CORE_GUARD_H

#include <stdint.h>

#include "str.h"

/* "HTTP/1.0" or "HTTP/1.1", SP, status 100 to 599, end or SP and a reason;
 * `line` without CRLF. NULL, or why not. */
const char *runnel__guard_status_line(struct runnel__str line, int *status,
                                      int *minor);

/* A token, ':', and a value without control characters. NULL, or why not. */
const char *runnel__guard_field_line(struct runnel__str line);

/* The first bytes of a head, as many as are there, without the rest of the
 * line: NULL while they may become an empty line or a status line. */
const char *runnel__guard_start(struct runnel__str bytes);

#endif
