/* Growing bytes, and UTF-8 as the Encoding Standard decodes it (4.8, "UTF-8
 * decoder"): one U+FFFD for each maximal subpart. */
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory) {
  if (memory == NULL) {
    cmd_note("out of memory");
    exit(CMD_FAILED);
  }
  return memory;
}

void *cmd_alloc(size_t size) { return need(calloc(1, size == 0 ? 1 : size)); }

void *cmd_grow(void *memory, size_t count, size_t size) {
  if (count > SIZE_MAX / size)
    return need(NULL);
  return need(realloc(memory, count == 0 ? 1 : count * size));
}

char *cmd_copy(const char *text, size_t len) {
  char *copy = cmd_alloc(len + 1);
  memcpy(copy, text, len);
  return copy;
}

void cmd_bytes_add(struct cmd_bytes *bytes, const char *at, size_t len) {
  if (len >= SIZE_MAX / 4 - bytes->len)
    need(NULL);
  if (bytes->len + len >= bytes->cap) {
    bytes->cap = (bytes->len + len + 64) * 2;
    bytes->at = cmd_grow(bytes->at, bytes->cap, 1);
  }
  if (len > 0)
    memcpy(bytes->at + bytes->len, at, len);
  bytes->len += len;
  bytes->at[bytes->len] = '\0';
}

void cmd_bytes_text(struct cmd_bytes *bytes, const char *text) {
  cmd_bytes_add(bytes, text, strlen(text));
}

void cmd_bytes_free(struct cmd_bytes *bytes) {
  free(bytes->at);
  memset(bytes, 0, sizeof *bytes);
}

size_t cmd_utf8_next(const char *at, size_t len, int *valid) {
  const unsigned char *byte = (const unsigned char *)at;
  unsigned char lower = 0x80;
  unsigned char upper = 0xbf;
  size_t more = byte[0] < 0x80   ? 0
                : byte[0] < 0xe0 ? 1
                : byte[0] < 0xf0 ? 2
                                 : 3;
  *valid = 0;
  if ((byte[0] >= 0x80 && byte[0] < 0xc2) || byte[0] > 0xf4)
    return 1;
  if (byte[0] == 0xe0)
    lower = 0xa0;
  if (byte[0] == 0xed)
    upper = 0x9f;
  if (byte[0] == 0xf0)
    lower = 0x90;
  if (byte[0] == 0xf4)
    upper = 0x8f;
  for (size_t i = 1; i <= more; i++) {
    if (i >= len || byte[i] < lower || byte[i] > upper)
      return i;
    lower = 0x80;
    upper = 0xbf;
  }
  *valid = 1;
  return more + 1;
}

void cmd_bytes_utf8(struct cmd_bytes *bytes, const char *at, size_t len) {
  size_t done = 0; /* up to here it is added */
  size_t i = 0;
  while (i < len) {
    int valid;
    size_t step = cmd_utf8_next(at + i, len - i, &valid);
    if (!valid) {
      cmd_bytes_add(bytes, at + done, i - done);
      cmd_bytes_text(bytes, "\xef\xbf\xbd");
      done = i + step;
    }
    i += step;
  }
  cmd_bytes_add(bytes, at + done, len - done);
}

/* Unicode's Bidi_Control: with them a line can be made to read as another. */
static int turns(int code) {
  return code == 0x061c || code == 0x200e || code == 0x200f ||
         (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

int cmd_utf8_control(const char *at, size_t step) {
  const unsigned char *byte = (const unsigned char *)at;
  int code = byte[0];
  if (step == 2)
    code = (byte[0] & 0x1f) << 6 | (byte[1] & 0x3f);
  else if (step == 3)
    code = (byte[0] & 0x0f) << 12 | (byte[1] & 0x3f) << 6 | (byte[2] & 0x3f);
  else if (step > 3)
    return -1;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || turns(code) ? code
                                                                     : -1;
}

void cmd_bytes_plain(struct cmd_bytes *bytes, const char *at, size_t len,
                     int tabs) {
  for (size_t i = 0; i < len;) {
    int valid;
    size_t step = cmd_utf8_next(at + i, len - i, &valid);
    int control = valid ? cmd_utf8_control(at + i, step) : -1;
    char escaped[16];
    if (control >= 0 && !(tabs && control == '\t')) {
      snprintf(escaped, sizeof escaped, control > 0xff ? "\\u%04x" : "\\x%02x",
               (unsigned)control);
      cmd_bytes_text(bytes, escaped);
    } else if (valid) {
      cmd_bytes_add(bytes, at + i, step);
    } else {
      cmd_bytes_text(bytes, "\xef\xbf\xbd");
    }
    i += step;
  }
  cmd_bytes_add(bytes, "", 0);
}

void cmd_strings_take(struct cmd_strings *strings, char *text) {
  strings->at = cmd_grow(strings->at, strings->len + 1, sizeof *strings->at);
  strings->at[strings->len++] = text;
}

void cmd_strings_free(struct cmd_strings *strings) {
  for (size_t i = 0; i < strings->len; i++)
    free(strings->at[i]);
  free(strings->at);
  memset(strings, 0, sizeof *strings);
}

void cmd_urls_add(struct cmd_urls *urls, const char *text, size_t len,
                  struct cmd_place place) {
  urls->at = cmd_grow(urls->at, urls->len + 1, sizeof *urls->at);
  urls->at[urls->len++] = (struct cmd_url){cmd_copy(text, len), place};
}

void cmd_urls_free(struct cmd_urls *urls) {
  for (size_t i = 0; i < urls->len; i++)
    free(urls->at[i].text);
  free(urls->at);
  memset(urls, 0, sizeof *urls);
}
