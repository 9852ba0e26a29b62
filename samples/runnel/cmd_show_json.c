/* Events and the rest as JSON lines; the keys' order is fixed.
 *
 * Strings are well-formed UTF-8 whatever came. On a terminal the controls that
 * JSON lets pass (DEL, C1, those of direction) are escaped as well. */
#include "cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *string_of(const char *at, size_t len) {
  struct cmd_bytes clean = {0};
  cmd_bytes_utf8(&clean, at, len);
  json_t *string = json_stringn_nocheck(clean.at, clean.len);
  cmd_bytes_free(&clean);
  return string;
}

static void add(json_t *line, const char *key, json_t *value) {
  if (value == NULL || json_object_set_new_nocheck(line, key, value) != 0) {
    cmd_note("out of memory");
    exit(CMD_FAILED);
  }
}

static json_t *line_of(const struct cmd_stream *stream, const char *kind) {
  json_t *line = json_object();
  add(line, "kind", json_string(kind));
  add(line, "stream", json_integer((json_int_t)stream->place));
  return line;
}

static json_t *wait_of(int64_t retry_ms) {
  return retry_ms < 0 ? json_null() : json_integer((json_int_t)retry_ms);
}

/* jansson has escaped what is below U+0020. */
static void escape(struct cmd_bytes *bytes, const char *text) {
  size_t len = strlen(text);
  for (size_t i = 0; i < len;) {
    int valid;
    size_t step = cmd_utf8_next(text + i, len - i, &valid);
    int control = cmd_utf8_control(text + i, step);
    char escaped[16];
    snprintf(escaped, sizeof escaped, "\\u%04X", (unsigned)control);
    if (control >= 0)
      cmd_bytes_text(bytes, escaped);
    else
      cmd_bytes_add(bytes, text + i, step);
    i += step;
  }
}

static void put(struct cmd_stream *stream, json_t *line) {
  struct cmd *cmd = stream->cmd;
  char time[CMD_TIME_BYTES];
  if (cmd->options.timestamps) {
    cmd_time_print(time, 1);
    add(line, "time", json_string(time));
  }
  char *text = json_dumps(line, JSON_COMPACT);
  json_decref(line);
  if (text == NULL) {
    cmd_note("out of memory");
    exit(CMD_FAILED);
  }
  if (cmd->out.terminal)
    escape(&cmd->out.bytes, text);
  else
    cmd_bytes_text(&cmd->out.bytes, text);
  cmd_bytes_text(&cmd->out.bytes, "\n");
  free(text);
  cmd_wake(cmd);
}

static void show_open(struct cmd_stream *stream,
                      const struct runnel_open *open) {
  json_t *line = line_of(stream, "open");
  add(line, "url", string_of(open->url, strlen(open->url)));
  add(line, "status", json_integer(open->status));
  put(stream, line);
}

static void show_event(struct cmd_stream *stream,
                       const struct runnel_event *event) {
  json_t *line = line_of(stream, "event");
  add(line, "type", string_of(event->type, event->type_len));
  add(line, "data", string_of(event->data, event->data_len));
  add(line, "id", string_of(event->id, event->id_len));
  if (event->retry_ms >= 0)
    add(line, "retry", json_integer((json_int_t)event->retry_ms));
  put(stream, line);
}

static void show_comment(struct cmd_stream *stream, const char *text,
                         size_t len) {
  json_t *line = line_of(stream, "comment");
  add(line, "text", string_of(text, len));
  put(stream, line);
}

static void show_end(struct cmd_stream *stream, const struct cmd_end *end) {
  const struct runnel_end *how = end->end;
  json_t *line = line_of(stream, end->clean ? "end" : "error");
  if (!end->clean) {
    add(line, "code", json_string(runnel_err_name(how->code)));
    if (how->status != 0)
      add(line, "status", json_integer(how->status));
    if (how->status != 0 && how->status != 200)
      add(line, "body", string_of(how->body, how->body_len));
    add(line, "message", string_of(end->text, strlen(end->text)));
  }
  add(line, "retry_in_ms", wait_of(end->retry_ms));
  put(stream, line);
}

static void show_close(struct cmd_stream *stream, int code) {
  json_t *line = line_of(stream, "close");
  add(line, "code", json_string(runnel_err_name(code)));
  put(stream, line);
}

const struct cmd_show cmd_show_json = {show_open, show_event, show_comment,
                                       show_end, show_close};
