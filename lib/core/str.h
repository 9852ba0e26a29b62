/* A borrowed run of bytes; the owner is named where one is declared. */
#ifndef RUNNEL_CORE_STR_H
#define RUNNEL_CORE_STR_H

#include <stddef.h>
#include <string.h>

struct runnel__str {
  const char *at; /* need not end in NUL; never NULL when len > 0 */
  size_t len;
};

#define RUNNEL__STR(literal)                                                   \
  ((struct runnel__str){(literal), sizeof(literal) - 1})

static inline struct runnel__str runnel__str_of(const char *text) {
  struct runnel__str str = {text, text == NULL ? 0 : strlen(text)};
  return str;
}

static inline int runnel__str_eq(struct runnel__str a, struct runnel__str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII only: locale must not decide what a header is called. */
static inline char runnel__lower(char c) {
  return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static inline int runnel__str_eq_nocase(struct runnel__str a,
                                        struct runnel__str b) {
  if (a.len != b.len)
    return 0;
  for (size_t i = 0; i < a.len; i++)
    if (runnel__lower(a.at[i]) != runnel__lower(b.at[i]))
      return 0;
  return 1;
}

static inline int runnel__str_ends_nocase(struct runnel__str str,
                                          struct runnel__str tail) {
  if (tail.len > str.len)
    return 0;
  struct runnel__str end = {str.at + (str.len - tail.len), tail.len};
  return runnel__str_eq_nocase(end, tail);
}

/* Without leading and trailing SP and HTAB (OWS, RFC 9110 5.6.3). */
static inline struct runnel__str runnel__str_trim(struct runnel__str str) {
  while (str.len > 0 && (str.at[0] == ' ' || str.at[0] == '\t')) {
    str.at++;
    str.len--;
  }
  while (str.len > 0 &&
         (str.at[str.len - 1] == ' ' || str.at[str.len - 1] == '\t'))
    str.len--;
  return str;
}

#endif
