/* Files that the command line names: bodies, URL lists, header files.
 *
 * Nothing is repaired: a URL file with a byte that no URL holds is refused with
 * the line's number. A header's value never appears in a message. */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_all(struct cmd_bytes *bytes, FILE *file) {
  char part[16384];
  size_t got;
  cmd_bytes_add(bytes, "", 0);
  errno = 0;
  while ((got = fread(part, 1, sizeof part, file)) > 0)
    cmd_bytes_add(bytes, part, got);
  if (!ferror(file))
    return 0;
  return errno == 0 ? EIO : errno;
}

int cmd_file_read(struct cmd_bytes *bytes, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return errno;
  int code = read_all(bytes, file);
  fclose(file);
  return code;
}

/* The next line of `bytes` from *at on, without its LF or CRLF; NULL: none. */
static const char *next_line(const struct cmd_bytes *bytes, size_t *at,
                             size_t *len) {
  if (*at >= bytes->len)
    return NULL;
  const char *line = bytes->at + *at;
  const char *end = memchr(line, '\n', bytes->len - *at);
  *len = end == NULL ? bytes->len - *at : (size_t)(end - line);
  *at += *len + 1;
  if (*len > 0 && line[*len - 1] == '\r')
    (*len)--;
  return line;
}

static int blank(const char *line, size_t len) {
  return strspn(line, " \t") >= len;
}

/* 1 if each byte may stand in a URL. */
static int urlish(const char *line, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)line[i] <= 0x20 || (unsigned char)line[i] >= 0x7f)
      return 0;
  return 1;
}

static int take_urls(struct cmd_strings *urls, const char *path,
                     const struct cmd_bytes *bytes) {
  size_t at = 0;
  size_t len;
  size_t number = 0;
  const char *line;
  while ((line = next_line(bytes, &at, &len)) != NULL) {
    number++;
    if (blank(line, len) || line[0] == '#')
      continue;
    if (!urlish(line, len))
      return cmd_usage("option --url-file: %s, line %zu: a byte that a URL "
                       "cannot hold (a space, a control character, or one "
                       "outside ASCII)",
                       path, number);
    cmd_strings_take(urls, cmd_copy(line, len));
  }
  return 0;
}

int cmd_urls_read(struct cmd_strings *urls, const char *path) {
  struct cmd_bytes bytes = {0};
  int code = strcmp(path, "-") == 0 ? read_all(&bytes, stdin)
                                    : cmd_file_read(&bytes, path);
  int status = code == 0 ? take_urls(urls, path, &bytes)
                         : cmd_usage("option --url-file: cannot read %s: %s",
                                     path, strerror(code));
  cmd_bytes_free(&bytes);
  return status;
}

int cmd_header_parse(struct cmd_headers *headers, const char *line,
                     size_t len) {
  const char *colon = memchr(line, ':', len);
  if (colon == NULL)
    return -1;
  const char *value = colon + 1;
  const char *end = line + len;
  while (value < end && (*value == ' ' || *value == '\t'))
    value++;
  while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  headers->at = cmd_grow(headers->at, headers->len + 1, sizeof *headers->at);
  struct runnel_header *header = &headers->at[headers->len++];
  header->name = cmd_copy(line, (size_t)(colon - line));
  header->value = cmd_copy(value, (size_t)(end - value));
  header->flags = 0;
  return 0;
}

static int same_name(const char *a, const char *b) {
  for (; *a != '\0' && *b != '\0'; a++, b++) {
    char x = (char)(*a >= 'A' && *a <= 'Z' ? *a + 32 : *a);
    char y = (char)(*b >= 'A' && *b <= 'Z' ? *b + 32 : *b);
    if (x != y)
      return 0;
  }
  return *a == *b;
}

/* A field that comes twice is one with both values (RFC 9110 5.2): a request's
 * fields are set by name. */
static void join_last(struct cmd_headers *headers, size_t first) {
  struct runnel_header *last = &headers->at[headers->len - 1];
  for (size_t i = first; i + 1 < headers->len; i++) {
    struct runnel_header *header = &headers->at[i];
    if (!same_name(header->name, last->name))
      continue;
    struct cmd_bytes joined = {0};
    cmd_bytes_text(&joined, header->value);
    cmd_bytes_text(&joined, ", ");
    cmd_bytes_text(&joined, last->value);
    free((void *)(uintptr_t)header->value);
    header->value = joined.at;
    free((void *)(uintptr_t)last->name);
    free((void *)(uintptr_t)last->value);
    headers->len--;
    return;
  }
}

const char *cmd_headers_read(struct cmd_headers *headers, const char *path) {
  static char why[512];
  struct cmd_bytes bytes = {0};
  size_t at = 0;
  size_t len;
  size_t number = 0;
  size_t first = headers->len;
  const char *line;
  const char *error = NULL;
  int code = cmd_file_read(&bytes, path);
  if (code != 0) {
    snprintf(why, sizeof why, "cannot read header file %s: %s", path,
             strerror(code));
    error = why;
  }
  while (error == NULL && (line = next_line(&bytes, &at, &len)) != NULL) {
    number++;
    if (blank(line, len))
      continue;
    if (memchr(line, '\0', len) != NULL ||
        cmd_header_parse(headers, line, len) != 0) {
      snprintf(why, sizeof why,
               "header file %s, line %zu: not of the form 'Name: value'", path,
               number);
      error = why;
    } else {
      join_last(headers, first);
    }
  }
  cmd_bytes_free(&bytes);
  return error;
}
