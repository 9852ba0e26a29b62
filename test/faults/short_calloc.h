/* A calloc that has no memory when it is told to, for this program and for
 * mbedTLS, which takes all of its memory by it. On threads that began it only.
 */
#ifndef RUNNEL_TEST_SHORT_CALLOC_H
#define RUNNEL_TEST_SHORT_CALLOC_H

#include <stddef.h>

/* The call that fails, from 1; 0: none. Counting starts anew. */
void short_calloc_begin(size_t fail_at);

/* 1: calls count (and fail) from now on; 0: they do not. */
void short_calloc_enter(int inside);

/* Calls that counted. */
size_t short_calloc_calls(void);

#endif
