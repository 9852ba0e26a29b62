/* Reads test/vectors/NAME.txt; the format is told in test/vectors/format.md. */
#ifndef RUNNEL_TEST_VECTORS_H
#define RUNNEL_TEST_VECTORS_H

#include <stddef.h>

#include "../lib/core/parser.h"

struct vector {
  char name[128];
  struct runnel__parser_rules rules;
  char in[6144];
  size_t in_len;
  char out[6144]; /* the transcript, NUL-terminated */
};

/* Calls `visit` for each case of the file and returns how many there were. The
 * file's folder comes from RUNNEL_TEST_DIR. A file that breaks the format fails
 * the test. */
size_t vectors_each(const char *file,
                    void (*visit)(const struct vector *vector, void *user),
                    void *user);

/* The same with the cases of all files. */
size_t vectors_all(void (*visit)(const struct vector *vector, void *user),
                   void *user);

#endif
