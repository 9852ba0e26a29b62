/* Memory that notes how often it is looked at: its pages are closed to the
 * program, and the fault of looking into one is counted and opens it. At most
 * PAGES_OPEN_MAX of them are open at a time; the one opened first is closed for
 * the next. So whoever reads a long range once causes one fault for each page,
 * and whoever goes over it again and again causes one more each time. It counts
 * what is looked at, in pages, whatever code looks and without help of it. */
#ifndef RUNNEL_TEST_PAGES_H
#define RUNNEL_TEST_PAGES_H

#include <stddef.h>

#define PAGES_BYTES ((size_t)4096) /* counted in these */
#define PAGES_OPEN_MAX 8

enum pages_kind { PAGES_INPUT, PAGES_KEPT, PAGES_KINDS };

/* Looks counted since pages_begin, by kind. */
extern volatile size_t pages_looks[PAGES_KINDS];

/* Between them faults are heard. */
void pages_begin(void);
void pages_end(void);

/* A closed block whose end lies at a page's end as near as alignment allows. */
void *pages_new(size_t size, enum pages_kind kind);
void pages_free(void *memory);

/* 0: not one of these. */
size_t pages_size(const void *memory);

/* Opens all of a block, or closes it again; neither is a look. */
void pages_open(void *memory);
void pages_close(void *memory);

#endif
