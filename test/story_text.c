/* Escapes are C's, so that a transcript line can be pasted back as input. */
#include "story_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_BYTES 120 /* more is cut to its first 20 */

void story_bytes_add(struct story_bytes *to, const char *bytes, size_t len) {
  if (to->len + len + 1 > to->cap) {
    to->cap = (to->len + len + 1) * 2;
    to->at = realloc(to->at, to->cap);
    if (to->at == NULL)
      abort();
  }
  if (len > 0)
    memcpy(to->at + to->len, bytes, len);
  to->len += len;
  to->at[to->len] = '\0';
}

void story_bytes_text(struct story_bytes *to, const char *text) {
  story_bytes_add(to, text, strlen(text));
}

void story_bytes_free(struct story_bytes *bytes) {
  free(bytes->at);
  *bytes = (struct story_bytes){0};
}

/* \(N text): returns what follows it. */
static const char *repeat(struct story_bytes *to, const char *at) {
  char *end;
  unsigned long times = strtoul(at, &end, 10);
  const char *close = strchr(at, ')');
  if (end == at || *end != ' ' || close == NULL)
    return at;
  char text[64];
  snprintf(text, sizeof text, "%.*s", (int)(close - end - 1), end + 1);
  struct story_bytes once = {0};
  story_unescape(&once, text);
  for (unsigned long i = 0; i < times; i++)
    story_bytes_add(to, once.at, once.len);
  story_bytes_free(&once);
  return close + 1;
}

void story_unescape(struct story_bytes *to, const char *text) {
  static const char names[] = "nrt0\\";
  static const char values[] = "\n\r\t\0\\";
  story_bytes_add(to, "", 0);
  while (*text != '\0') {
    const char *found;
    if (*text != '\\') {
      story_bytes_add(to, text++, 1);
    } else if (text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
               isxdigit((unsigned char)text[3])) {
      char hex[3] = {text[2], text[3], '\0'};
      char byte = (char)strtol(hex, NULL, 16);
      story_bytes_add(to, &byte, 1);
      text += 4;
    } else if (text[1] == '(') {
      text = repeat(to, text + 2);
    } else if (text[1] != '\0' && (found = strchr(names, text[1])) != NULL) {
      story_bytes_add(to, &values[found - names], 1);
      text += 2;
    } else {
      story_bytes_add(to, text++, 1);
    }
  }
}

void story_escape(struct story_bytes *to, const char *bytes, size_t len) {
  story_bytes_add(to, "", 0);
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)bytes[i];
    char text[8];
    if (c == '\n')
      snprintf(text, sizeof text, "\\n");
    else if (c == '\r')
      snprintf(text, sizeof text, "\\r");
    else if (c == '\0')
      snprintf(text, sizeof text, "\\0");
    else if (c == '\\')
      snprintf(text, sizeof text, "\\\\");
    else if (c < 0x20 || c >= 0x7f)
      snprintf(text, sizeof text, "\\x%02x", c);
    else
      snprintf(text, sizeof text, "%c", c);
    story_bytes_text(to, text);
  }
}

void story_escape_short(struct story_bytes *to, const char *bytes, size_t len) {
  if (len <= SHORT_BYTES) {
    story_escape(to, bytes, len);
    return;
  }
  char text[32];
  story_escape(to, bytes, 20);
  snprintf(text, sizeof text, "...(%zu)", len);
  story_bytes_text(to, text);
}

char *story_word(char **at) {
  char *from = *at;
  while (*from == ' ')
    from++;
  if (*from == '\0') {
    *at = from;
    return NULL;
  }
  int quoted = 0;
  char *to = from;
  char *read = from;
  for (; *read != '\0' && (quoted || *read != ' '); read++) {
    if (*read == '"')
      quoted = !quoted;
    else
      *to++ = *read;
  }
  *at = *read == '\0' ? read : read + 1;
  *to = '\0';
  return from;
}

char *story_rest(char *at) {
  while (*at == ' ')
    at++;
  return at;
}

char *story_after(char *text, const char *word) {
  size_t len = strlen(word);
  if (strncmp(text, word, len) != 0)
    return NULL;
  if (text[len] == '\0')
    return text + len;
  return text[len] == ' ' ? story_rest(text + len) : NULL;
}

int64_t story_ms(const char *text) {
  static const struct {
    const char *unit;
    int64_t ms;
  } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  char *end;
  long long number = strtoll(text, &end, 10);
  if (end == text)
    return -1;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp(end, units[i].unit) == 0)
      return number * units[i].ms;
  return -1;
}
