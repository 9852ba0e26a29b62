/* Texts with tokens: see the header. */
#include "command_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends to `out`, which grows. */
static void put(char **out, size_t *len, const char *bytes, size_t count) {
  char *more = realloc(*out, *len + count + 1);
  if (more == NULL)
    abort();
  memcpy(more + *len, bytes, count);
  *len += count;
  more[*len] = '\0';
  *out = more;
}

char *command_text(const char *text, int port, const char *dir) {
  char number[16];
  char url[64];
  char *out = NULL;
  size_t len = 0;
  if (text == NULL)
    return NULL;
  snprintf(number, sizeof number, "%d", port);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/feed", port);
  put(&out, &len, "", 0);
  while (*text != '\0') {
    const char *value = strncmp(text, "<U>", 3) == 0   ? url
                        : strncmp(text, "<p>", 3) == 0 ? number
                        : strncmp(text, "<D>", 3) == 0 ? dir
                                                       : NULL;
    if (value == NULL)
      put(&out, &len, text, 1);
    else
      put(&out, &len, value, strlen(value));
    text += value == NULL ? 1 : 3;
  }
  return out;
}

/* How much of the text a token takes; 0: none of it. */
static size_t token_len(char token, const char *text) {
  size_t len = 0;
  if (token == 'n')
    return strspn(text, "0123456789");
  if (token == 't')
    return strspn(text, "0123456789T:.Z+-");
  while (text[len] != '\0' && text[len] != '"' && text[len] != '\n')
    len += text[len] == '\\' && text[len + 1] != '\0' ? 2 : 1;
  return len;
}

/* 1 if the text begins as the pattern says; `whole`: and ends there. */
static int match(const char *pattern, const char *text, int whole) {
  while (*pattern != '\0') {
    if (strncmp(pattern, "<l>", 3) == 0) {
      do
        if (match(pattern + 3, text, whole))
          return 1;
      while (*text != '\0' && *text++ != '\n');
      return 0;
    }
    size_t len = 0;
    if (strncmp(pattern, "<n>", 3) == 0 || strncmp(pattern, "<t>", 3) == 0 ||
        strncmp(pattern, "<s>", 3) == 0) {
      len = token_len(pattern[1], text);
      if (len == 0)
        return 0;
      pattern += 3;
      text += len;
    } else if (*pattern++ != *text++) {
      return 0;
    }
  }
  return !whole || *text == '\0';
}

int command_matches(const char *pattern, const char *text) {
  return match(pattern, text, 1);
}

int command_holds(const char *pattern, const char *text) {
  for (;; text++) {
    if (match(pattern, text, 0))
      return 1;
    if (*text == '\0')
      return 0;
  }
}
