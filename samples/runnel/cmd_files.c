/* Files that the command line names: bodies, URL lists; and lines of files.
 *
 * Nothing is repaired: a URL file with a byte that no URL holds is refused with
 * the line's number. */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
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

int cmd_input_read(struct cmd_bytes *bytes) { return read_all(bytes, stdin); }

const char *cmd_line_next(const struct cmd_bytes *bytes, size_t *at,
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

int cmd_line_blank(const char *line, size_t len) {
  return strspn(line, " \t") >= len;
}

/* 1 if each byte may stand in a URL. */
static int urlish(const char *line, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)line[i] <= 0x20 || (unsigned char)line[i] >= 0x7f)
      return 0;
  return 1;
}

static int take_urls(struct cmd_urls *urls, const char *path,
                     const struct cmd_bytes *bytes) {
  size_t at = 0;
  size_t len;
  size_t number = 0;
  const char *line;
  while ((line = cmd_line_next(bytes, &at, &len)) != NULL) {
    number++;
    if (cmd_line_blank(line, len) || line[0] == '#')
      continue;
    if (!urlish(line, len))
      return cmd_usage("option --url-file: %s, line %zu: a byte that a URL "
                       "cannot hold (a space, a control character, or one "
                       "outside ASCII)",
                       path, number);
    cmd_urls_add(urls, line, len, (struct cmd_place){path, number});
  }
  return 0;
}

int cmd_urls_read(struct cmd_urls *urls, const char *path) {
  struct cmd_bytes bytes = {0};
  int code = strcmp(path, "-") == 0 ? cmd_input_read(&bytes)
                                    : cmd_file_read(&bytes, path);
  int status = code == 0 ? take_urls(urls, path, &bytes)
                         : cmd_usage("option --url-file: cannot read %s: %s",
                                     path, strerror(code));
  cmd_bytes_free(&bytes);
  return status;
}
