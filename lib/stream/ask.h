/* What is asked for: URL, method, fields, body. A stream has one of its
 * options; an attempt whose request the application changed has one of its own.
 * All text in it was checked, so that whatever is written later is sound. */
#ifndef RUNNEL_STREAM_ASK_H
#define RUNNEL_STREAM_ASK_H

#include "../core/alloc.h"
#include "../core/str.h"

struct runnel__ask {
  char *url;    /* owned, NUL-terminated */
  char *method; /* owned; NULL: GET */
  char *body;   /* owned; NULL: none */
  size_t body_len;
  struct runnel_header *headers; /* with their strings one allocation; may be
                                    borrowed from the client's defaults */
  size_t headers_len;
  char *unix_path; /* owned; NULL: none */
  int borrowed;    /* headers are the client's */
};

/* Checks URL, method, body, headers and unix_path of merged options. 0,
 * RUNNEL_EINVAL or RUNNEL_EURL with error_text. `need_url` 0: for defaults. */
int runnel__ask_check(const struct runnel_stream_options *options, int need_url,
                      const char *prefix, char *error_text);

/* Copies checked options. Headers equal to `shared` (by pointer) are borrowed.
 * 0 or RUNNEL_ENOMEM, and then nothing is held. */
int runnel__ask_copy(struct runnel__ask *ask, struct runnel__mem *mem,
                     const struct runnel_stream_options *options,
                     const struct runnel_header *shared);
void runnel__ask_free(struct runnel__ask *ask, struct runnel__mem *mem);

/* A deep copy of headers in one allocation; NULL: no memory. */
struct runnel_header *runnel__headers_copy(struct runnel__mem *mem,
                                           const struct runnel_header *headers,
                                           size_t len);

/* A copy of `headers` in which the fields called `name` give way to the one
 * given, or to none when its value is NULL. *len is the number before and
 * after. NULL: no memory. */
struct runnel_header *runnel__headers_set(struct runnel__mem *mem,
                                          const struct runnel_header *headers,
                                          size_t *len,
                                          const struct runnel_header *set);

/* Checks a list of fields as the option `headers` promises. */
int runnel__headers_check(const struct runnel_header *headers, size_t len,
                          const char *prefix, char *error_text);

/* Checks one URL: RUNNEL_EURL with the reason in error_text. */
int runnel__ask_check_url(const char *url, const char *prefix,
                          char *error_text);

/* Checks a method; NULL is GET. RUNNEL_EINVAL with the reason in error_text. */
int runnel__ask_check_method(const char *method, const char *prefix,
                             char *error_text);

static inline struct runnel__str
runnel__ask_method(const struct runnel__ask *ask) {
  return runnel__str_of(ask->method == NULL ? "GET" : ask->method);
}

/* 1 if a body is longer than any may be, which needs 64 bits to be. */
static inline int runnel__ask_body_over(uint64_t body_len) {
  return body_len > (uint64_t)RUNNEL_BYTES_MAX;
}

#endif
