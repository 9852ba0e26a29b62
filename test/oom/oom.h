/* Memory that runs out, for everything in the process: a program that links
 * oom.c has its own malloc, for itself and for the shared libraries it uses,
 * mbedTLS among them, which has no other way to be told. They pass everything
 * on, but between oom_begin and oom_end the k-th call fails, or all from it on.
 *
 * One thread. Knows nothing of runnel. */
#ifndef RUNNEL_TEST_OOM_H
#define RUNNEL_TEST_OOM_H

#include <stddef.h>

/* 0 where the C library, or a sanitizer, has another malloc than can be stood
 * in front of; then nothing here does anything. */
int oom_works(void);

/* fail_at 0: none fails. for_ever 1: all after it fail too. */
void oom_begin(size_t fail_at, int for_ever);

/* Nothing fails any more. Returns how many calls there were. */
size_t oom_end(void);

/* Blocks of the whole process that were not freed. */
long oom_live(void);

#endif
