/* A request as one readable line: what differs from the usual one. */
#ifndef RUNNEL_TEST_SIM_REQUEST_H
#define RUNNEL_TEST_SIM_REQUEST_H

#include <stddef.h>

/* Writes "GET /feed  Last-Event-ID: 7  body=..." of the first whole request in
 * `bytes` (NUL-terminated) to `line`; returns its length in bytes, 0 while it
 * is not complete. Fields that have their usual value are left out, usual ones
 * that are missing shown as "no Accept"; Host is usual when it is `host`. `all`
 * 1: the request as it is. */
size_t sim_request_line(char *line, size_t size, const char *bytes,
                        const char *host, int all);

/* Copies the value of a field of the request's head to dst, "" if there is
 * none. */
void sim_request_field(char *dst, size_t size, const char *bytes,
                       const char *name);

#endif
