/* Text of stories: words, escapes, times, growing strings. Memory that the
 * tests themselves need does not fail. */
#ifndef RUNNEL_TEST_STORY_TEXT_H
#define RUNNEL_TEST_STORY_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct story_bytes {
  char *at; /* owned; NUL-terminated once something was added */
  size_t len;
  size_t cap;
};

void story_bytes_add(struct story_bytes *to, const char *bytes, size_t len);
void story_bytes_text(struct story_bytes *to, const char *text);
void story_bytes_free(struct story_bytes *bytes);

/* Adds `text` with \n \r \t \0 \\ \xNN resolved, and \(1000 ab), which is "ab"
 * a thousand times. */
void story_unescape(struct story_bytes *to, const char *text);

/* Adds bytes so that one line shows them all. */
void story_escape(struct story_bytes *to, const char *bytes, size_t len);

/* Likewise, but only the beginning of what is long, with its length. */
void story_escape_short(struct story_bytes *to, const char *bytes, size_t len);

/* Cuts the next word off *at, in place; spaces inside "..." belong to it, the
 * quotes do not. NULL: there is none. */
char *story_word(char **at);

/* The rest of the line, without leading spaces. */
char *story_rest(char *at);

/* If `text` begins with `word` and then a space or nothing: what follows, else
 * NULL. */
char *story_after(char *text, const char *word);

/* "250ms", "10s", "5m", "1h"; -1: none of these. */
int64_t story_ms(const char *text);

#endif
