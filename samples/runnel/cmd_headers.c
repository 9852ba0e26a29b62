/* Request headers: fields of the command line, and files that hold more of them
 * and are read again before each attempt.
 *
 * A file's field goes before the command line's of the same name, which comes
 * back when the file drops it. What is no regular file (a FIFO, a process
 * substitution) can be read only once: what it held at the start is sent each
 * time. A header's value never appears in a message. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
  struct cmd_header *header = &headers->at[headers->len++];
  header->name = cmd_copy(line, (size_t)(colon - line));
  header->value = cmd_copy(value, (size_t)(end - value));
  header->place = (struct cmd_place){NULL, 0};
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

int cmd_headers_have(const struct cmd_headers *headers, const char *name) {
  for (size_t i = 0; i < headers->len; i++)
    if (same_name(headers->at[i].name, name))
      return 1;
  return 0;
}

/* A field that comes twice is one with both values (RFC 9110 5.2): a request's
 * fields are set by name. */
static void join_last(struct cmd_headers *headers, size_t first) {
  struct cmd_header *last = &headers->at[headers->len - 1];
  for (size_t i = first; i + 1 < headers->len; i++) {
    struct cmd_header *header = &headers->at[i];
    if (!same_name(header->name, last->name))
      continue;
    struct cmd_bytes joined = {0};
    cmd_bytes_text(&joined, header->value);
    cmd_bytes_text(&joined, ", ");
    cmd_bytes_text(&joined, last->value);
    free(header->value);
    header->value = joined.at;
    free(last->name);
    free(last->value);
    headers->len--;
    return;
  }
}

static const char *why_not(const char *path, size_t line, const char *rule) {
  static char why[1024];
  snprintf(why, sizeof why, "header file %s, line %zu: %s", path, line, rule);
  return why;
}

static const char *parse_lines(struct cmd_headers *headers, const char *path,
                               const struct cmd_bytes *bytes) {
  size_t at = 0;
  size_t len;
  size_t number = 0;
  size_t first = headers->len;
  const char *line;
  while ((line = cmd_line_next(bytes, &at, &len)) != NULL) {
    number++;
    if (cmd_line_blank(line, len))
      continue;
    if (memchr(line, '\0', len) != NULL ||
        cmd_header_parse(headers, line, len) != 0)
      return why_not(path, number, "not of the form 'Name: value'");
    headers->at[headers->len - 1].place = (struct cmd_place){path, number};
    join_last(headers, first);
  }
  return NULL;
}

/* 1 if opening it again could wait for somebody who writes, or find nothing. */
static int is_once(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
         !S_ISDIR(info.st_mode);
}

const char *cmd_headers_read(struct cmd_headers *headers,
                             struct cmd_header_file *file) {
  static char why[1024];
  struct cmd_bytes bytes = {0};
  int once = is_once(file->path);
  int code = 0;
  if (file->read && file->once)
    return parse_lines(headers, file->path, &file->kept);
  if (file->read && once) {
    snprintf(why, sizeof why, "header file %s is no regular file any more",
             file->path);
    return why;
  }
  code = cmd_file_read(&bytes, file->path);
  if (code != 0) {
    snprintf(why, sizeof why, "cannot read header file %s: %s", file->path,
             strerror(code));
    cmd_bytes_free(&bytes);
    return why;
  }
  const char *error = parse_lines(headers, file->path, &bytes);
  if (once && !file->read)
    file->kept = bytes;
  else
    cmd_bytes_free(&bytes);
  file->once |= once;
  file->read = 1;
  return error;
}

struct runnel_header *cmd_headers_all(const struct cmd_options *options,
                                      size_t *len) {
  const struct cmd_headers *parts[] = {&options->headers,
                                       &options->file_headers};
  size_t count = 0;
  *len = parts[0]->len + parts[1]->len;
  struct runnel_header *headers = cmd_alloc(*len * sizeof *headers);
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < parts[k]->len; i++, count++)
      headers[count] = (struct runnel_header){parts[k]->at[i].name,
                                              parts[k]->at[i].value, 0};
  return headers;
}

/* The command line's values of that name, joined; NULL at its `at`: none. */
static struct cmd_bytes given_value(const struct cmd_headers *given,
                                    const char *name) {
  struct cmd_bytes value = {0};
  for (size_t i = 0; i < given->len; i++) {
    if (!same_name(given->at[i].name, name))
      continue;
    cmd_bytes_text(&value, value.at == NULL ? "" : ", ");
    cmd_bytes_text(&value, given->at[i].value);
  }
  return value;
}

/* A field that left the file since leaves the request too, or becomes again
 * what the command line says. */
static int set_dropped(const struct cmd_options *options,
                       const struct cmd_headers *now, runnel_request *request) {
  int code = RUNNEL_OK;
  for (size_t i = 0; i < options->file_headers.len && code == RUNNEL_OK; i++) {
    const char *name = options->file_headers.at[i].name;
    if (cmd_headers_have(now, name))
      continue;
    struct cmd_bytes value = given_value(&options->headers, name);
    code = runnel_request_set_header(request, name, value.at, 0);
    cmd_bytes_free(&value);
  }
  return code;
}

static const char *set_now(struct cmd *cmd, const struct cmd_headers *now,
                           runnel_request *request) {
  int code = set_dropped(&cmd->options, now, request);
  if (code != RUNNEL_OK)
    return runnel_strerror(code);
  for (size_t i = 0; i < now->len; i++) {
    const struct cmd_header *header = &now->at[i];
    cmd->refusal[0] = '\0';
    code = runnel_request_set_header(request, header->name, header->value, 0);
    if (code != RUNNEL_OK)
      return why_not(header->place.path, header->place.line,
                     cmd->refusal[0] == '\0' ? runnel_strerror(code)
                                             : cmd->refusal);
  }
  return NULL;
}

const char *cmd_headers_set(struct cmd *cmd, runnel_request *request) {
  struct cmd_header_files *files = &cmd->options.header_files;
  struct cmd_headers now = {0};
  const char *why = NULL;
  for (size_t i = 0; i < files->len && why == NULL; i++)
    why = cmd_headers_read(&now, &files->at[i]);
  if (why == NULL)
    why = set_now(cmd, &now, request);
  cmd_headers_free(&now);
  return why;
}

void cmd_headers_free(struct cmd_headers *headers) {
  for (size_t i = 0; i < headers->len; i++) {
    free(headers->at[i].name);
    free(headers->at[i].value);
  }
  free(headers->at);
  memset(headers, 0, sizeof *headers);
}

void cmd_header_files_free(struct cmd_header_files *files) {
  for (size_t i = 0; i < files->len; i++)
    cmd_bytes_free(&files->at[i].kept);
  free(files->at);
  memset(files, 0, sizeof *files);
}
