/* Events as text, for people, and as bare data, for pipes.
 *
 * A line of text is the stream's place (with several URLs), the time if asked
 * for, the type, the id, the data; further lines of data stand below the first.
 * Opens, ends and closes are said on standard error (cmd_note). A terminal gets
 * well-formed UTF-8 without control characters; anything else the bytes. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

static void put(struct cmd *cmd, const char *at, size_t len) {
  if (cmd->out.terminal)
    cmd_bytes_plain(&cmd->out.bytes, at, len, 1);
  else
    cmd_bytes_add(&cmd->out.bytes, at, len);
}

static void put_style(struct cmd *cmd, const char *style) {
  if (cmd->out.colour)
    cmd_bytes_text(&cmd->out.bytes, style);
}

/* How many columns the bytes take, if each character takes one. */
static size_t columns(const char *at, size_t len) {
  size_t count = 0;
  for (size_t i = 0; i < len; i++)
    count += ((unsigned char)at[i] & 0xc0) != 0x80;
  return count;
}

/* What stands before the data; returns the columns it takes. */
static size_t put_front(struct cmd_stream *stream, const char *type,
                        size_t type_len, const char *id, size_t id_len) {
  struct cmd *cmd = stream->cmd;
  struct cmd_bytes front = {0};
  char place[32];
  char time[CMD_TIME_BYTES];
  if (cmd->options.timestamps) {
    cmd_time_print(time, 0);
    cmd_bytes_text(&front, time);
    cmd_bytes_text(&front, " ");
  }
  if (cmd->options.urls.len > 1) {
    snprintf(place, sizeof place, "[%zu] ", stream->place);
    cmd_bytes_text(&front, place);
  }
  cmd_bytes_add(&front, type, type_len);
  if (id_len > 0) {
    cmd_bytes_text(&front, " ");
    cmd_bytes_add(&front, id, id_len);
  }
  cmd_bytes_text(&front, " ");
  put_style(cmd, DIM);
  put(cmd, front.at, front.len);
  put_style(cmd, PLAIN);
  size_t width = columns(front.at, front.len);
  cmd_bytes_free(&front);
  return width;
}

/* The data's lines, those after the first moved in. */
static void put_lines(struct cmd *cmd, const char *at, size_t len,
                      size_t width) {
  for (;;) {
    const char *end = memchr(at, '\n', len);
    size_t line = end == NULL ? len : (size_t)(end - at);
    put(cmd, at, line);
    cmd_bytes_text(&cmd->out.bytes, "\n");
    if (end == NULL)
      return;
    at += line + 1;
    len -= line + 1;
    for (size_t i = 0; i < width; i++)
      cmd_bytes_text(&cmd->out.bytes, " ");
  }
}

static void show_event(struct cmd_stream *stream,
                       const struct runnel_event *event) {
  size_t width =
      put_front(stream, event->type, event->type_len, event->id, event->id_len);
  put_lines(stream->cmd, event->data, event->data_len, width);
  cmd_wake(stream->cmd);
}

static void show_comment(struct cmd_stream *stream, const char *text,
                         size_t len) {
  put_front(stream, ":", 1, "", 0);
  put_style(stream->cmd, DIM);
  put(stream->cmd, text, len);
  put_style(stream->cmd, PLAIN);
  cmd_bytes_text(&stream->cmd->out.bytes, "\n");
  cmd_wake(stream->cmd);
}

static void show_data(struct cmd_stream *stream,
                      const struct runnel_event *event) {
  put_lines(stream->cmd, event->data, event->data_len, 0);
  cmd_wake(stream->cmd);
}

static void no_open(struct cmd_stream *stream, const struct runnel_open *open) {
  (void)stream;
  (void)open;
}

static void no_comment(struct cmd_stream *stream, const char *text,
                       size_t len) {
  (void)stream;
  (void)text;
  (void)len;
}

static void no_end(struct cmd_stream *stream, const struct cmd_end *end) {
  (void)stream;
  (void)end;
}

static void no_close(struct cmd_stream *stream, int code) {
  (void)stream;
  (void)code;
}

const struct cmd_show cmd_show_text = {no_open, show_event, show_comment,
                                       no_end, no_close};
const struct cmd_show cmd_show_data = {no_open, show_data, no_comment, no_end,
                                       no_close};
