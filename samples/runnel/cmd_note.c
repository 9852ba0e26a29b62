/* Lines on standard error, one write each, so that lines of several processes
 * do not mix.
 *
 * No control character of anybody's reaches the terminal, and no query,
 * userinfo or header value is shown. */
#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much of an answer's body a line shows. */
#define BODY_BYTES 200

static void write_line(const char *text, size_t len) {
  struct cmd_bytes line = {0};
  cmd_bytes_text(&line, "runnel: ");
  cmd_bytes_plain(&line, text, len, 0);
  cmd_bytes_text(&line, "\n");
  ssize_t wrote = write(STDERR_FILENO, line.at, line.len);
  (void)wrote; /* there is nowhere to say it */
  cmd_bytes_free(&line);
}

__attribute__((nonnull, format(printf, 2, 0))) static void
print(struct cmd_bytes *bytes, const char *format, va_list list) {
  va_list again;
  va_copy(again, list);
  int len = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (len < 0)
    return;
  char *text = cmd_alloc((size_t)len + 1);
  vsnprintf(text, (size_t)len + 1, format, list);
  cmd_bytes_add(bytes, text, (size_t)len);
  free(text);
}

__attribute__((nonnull, format(printf, 1, 0))) static void
say(const char *format, va_list list) {
  struct cmd_bytes bytes = {0};
  print(&bytes, format, list);
  write_line(bytes.at, bytes.len);
  cmd_bytes_free(&bytes);
}

void cmd_note(const char *format, ...) {
  va_list list;
  va_start(list, format);
  say(format, list);
  va_end(list);
}

int cmd_usage(const char *format, ...) {
  va_list list;
  va_start(list, format);
  say(format, list);
  va_end(list);
  return CMD_USAGE;
}

void cmd_note_stream(const struct cmd_stream *stream, const char *format, ...) {
  struct cmd_bytes bytes = {0};
  char place[32];
  va_list list;
  if (stream->cmd->options.quiet)
    return;
  snprintf(place, sizeof place, "[%zu] ", stream->place);
  cmd_bytes_text(&bytes, place);
  cmd_bytes_text(&bytes, stream->shown_url);
  cmd_bytes_text(&bytes, ": ");
  va_start(list, format);
  print(&bytes, format, list);
  va_end(list);
  write_line(bytes.at, bytes.len);
  cmd_bytes_free(&bytes);
}

char *cmd_url_shown(const char *url) {
  struct cmd_bytes shown = {0};
  size_t len = strcspn(url, "?#");
  const char *scheme = strstr(url, "://");
  size_t start = 0;
  if (scheme != NULL && (size_t)(scheme - url) < len)
    start = (size_t)(scheme - url) + 3;
  size_t host = start;
  size_t end = start + strcspn(url + start, "/?#\\");
  for (size_t i = start; i < end; i++)
    if (url[i] == '@')
      host = i + 1;
  cmd_bytes_add(&shown, url, start);
  cmd_bytes_add(&shown, url + host, len - host);
  return shown.at;
}

/* The library did not find where the host begins, so neither is it guessed
 * here: a password may hold any character, and stand anywhere before an '@'. */
char *cmd_url_refused(const char *url) {
  static const char *const schemes[] = {"http://", "https://"};
  struct cmd_bytes shown = {0};
  const char *at = strrchr(url, '@');
  for (size_t i = 0; at != NULL && i < 2; i++)
    if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
      cmd_bytes_text(&shown, schemes[i]);
  const char *rest = at == NULL ? url : at + 1;
  cmd_bytes_add(&shown, rest, strcspn(rest, "?#"));
  return shown.at;
}

/* ": " and the beginning of the answer's body on one line, if there is any. */
static void add_body(struct cmd_bytes *line, const struct runnel_end *end) {
  size_t len = end->body_len;
  size_t from = line->len + 2;
  if (end->status == 0 || end->status == 200)
    return;
  while (len > 0 && strchr(" \t\r\n", end->body[len - 1]) != NULL &&
         end->body[len - 1] != '\0')
    len--;
  if (len == 0)
    return;
  size_t shown = len > BODY_BYTES ? BODY_BYTES : len;
  while (shown < len && shown > 0 && (end->body[shown] & 0xc0) == 0x80)
    shown--; /* not in the middle of a character */
  cmd_bytes_text(line, ": ");
  cmd_bytes_add(line, end->body, shown);
  for (size_t i = from; i < line->len; i++)
    if (line->at[i] == '\r' || line->at[i] == '\n' || line->at[i] == '\t')
      line->at[i] = ' ';
  if (shown < len)
    cmd_bytes_text(line, "\xe2\x80\xa6");
}

/* Rounded up: a wait that is over before it was said to be is no fault. */
static void print_wait(char *dst, size_t size, int64_t ms) {
  int64_t tenths = ms / 100 + (ms % 100 != 0);
  if (tenths == 0)
    snprintf(dst, size, "at once");
  else
    snprintf(dst, size, "in %lld.%lld s", (long long)(tenths / 10),
             (long long)(tenths % 10));
}

static void note_clean(const struct cmd_stream *stream,
                       const struct cmd_end *end) {
  const struct cmd *cmd = stream->cmd;
  char wait[32];
  if (end->retry_ms >= 0 && cmd->options.verbose) {
    print_wait(wait, sizeof wait, end->retry_ms);
    cmd_note_stream(stream, "ended; next attempt %s", wait);
  } else if (end->retry_ms < 0 && !stream->peace) {
    cmd_note_stream(stream, "%s (%s); gave up", end->text,
                    runnel_err_name(end->end->code));
  } else if (cmd->options.verbose) {
    cmd_note_stream(stream, "ended");
  }
}

/* What follows an error: "retry 3 in 2.1 s". */
static void print_next(char *dst, size_t size, const struct cmd_end *end) {
  unsigned long long row = (unsigned long long)end->end->failures;
  char wait[32];
  print_wait(wait, sizeof wait, end->retry_ms);
  if (end->retry_ms < 0)
    snprintf(dst, size, "gave up");
  else if (row > 0)
    snprintf(dst, size, "retry %llu %s", row, wait);
  else if (end->end->code == RUNNEL_EUNAUTHORIZED)
    snprintf(dst, size, "asking again");
  else
    snprintf(dst, size, "next attempt %s", wait);
}

void cmd_note_end(const struct cmd_stream *stream, const struct cmd_end *end) {
  struct cmd_bytes line = {0};
  char next[64];
  if (end->clean) {
    note_clean(stream, end);
    return;
  }
  cmd_bytes_text(&line, end->text);
  add_body(&line, end->end);
  print_next(next, sizeof next, end);
  cmd_note_stream(stream, "%s (%s); %s", line.at,
                  runnel_err_name(end->end->code), next);
  cmd_bytes_free(&line);
}
