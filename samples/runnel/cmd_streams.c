/* The streams: their options, and what their callbacks show, count and keep. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

static int wanted(const struct cmd_options *options,
                  const struct runnel_event *event) {
  for (size_t i = 0; i < options->types.len; i++)
    if (strlen(options->types.at[i]) == event->type_len &&
        memcmp(options->types.at[i], event->type, event->type_len) == 0)
      return 1;
  return options->types.len == 0;
}

static void keep_id(struct cmd_stream *stream, const char *id, size_t len) {
  if (stream->cmd->state == NULL)
    return;
  cmd_state_put(stream->cmd->state, stream->url, id, len);
  cmd_wake(stream->cmd);
}

static int on_event(runnel_stream *handle, const struct runnel_event *event,
                    void *user) {
  struct cmd_stream *stream = user;
  struct cmd *cmd = stream->cmd;
  (void)handle;
  if (wanted(&cmd->options, event)) {
    cmd->show->event(stream, event);
    cmd->shown++;
  }
  /* Here and not in on_id alone: a close leaves that out. */
  keep_id(stream, event->id, event->id_len);
  if (cmd->options.numbers.events_max != 0 &&
      cmd->shown >= cmd->options.numbers.events_max)
    cmd_stop(cmd);
  return RUNNEL_OK;
}

static void on_id(runnel_stream *handle, const char *id, size_t len,
                  void *user) {
  (void)handle;
  keep_id(user, id, len);
}

static void on_comment(runnel_stream *handle, const char *text, size_t len,
                       void *user) {
  struct cmd_stream *stream = user;
  (void)handle;
  stream->cmd->show->comment(stream, text, len);
}

static void on_open(runnel_stream *handle, const struct runnel_open *open,
                    void *user) {
  struct cmd_stream *stream = user;
  struct cmd *cmd = stream->cmd;
  stream->opened_ms = cmd_now_ms(cmd);
  stream->opened_bytes = runnel_stream_stats(handle)->bytes;
  cmd->show->open(stream, open);
  if (cmd->notes_tty || cmd->options.verbose)
    cmd_note_stream(stream, "connected (%d, %lld ms)", open->status,
                    (long long)(stream->opened_ms - stream->started_ms));
}

/* Sets the attempt's fields to what the header files hold now. NULL, or why
 * not. */
static const char *set_headers(const struct cmd_options *options,
                               runnel_request *request) {
  static const char refused[] = "a header file holds a field that is refused";
  struct cmd_headers headers = {0};
  const char *why = NULL;
  for (size_t i = 0; i < options->header_files.len && why == NULL; i++)
    why = cmd_headers_read(&headers, options->header_files.at[i]);
  /* A field that left the file since leaves the request too. */
  for (size_t i = 0; i < options->file_headers.len && why == NULL; i++)
    if (runnel_request_set_header(request, options->file_headers.at[i].name,
                                  NULL, 0) != RUNNEL_OK)
      why = refused;
  for (size_t i = 0; i < headers.len && why == NULL; i++)
    if (runnel_request_set_header(request, headers.at[i].name,
                                  headers.at[i].value, 0) != RUNNEL_OK)
      why = refused;
  cmd_headers_free(&headers);
  return why;
}

static void on_request(runnel_stream *handle, runnel_request *request,
                       const struct runnel_attempt *attempt, void *user) {
  struct cmd_stream *stream = user;
  (void)handle;
  (void)attempt;
  const char *why = set_headers(&stream->cmd->options, request);
  free(stream->file_error);
  stream->file_error = why == NULL ? NULL : cmd_copy(why, strlen(why));
  /* Sending the old token would be worse than not sending: the attempt fails.
   */
  if (why != NULL && runnel_request_hold(request) == RUNNEL_OK)
    runnel_request_proceed(request, RUNNEL_EINVAL);
}

/* A header file that cannot be read now may be there again later: it is tried
 * again as a lost connection is. */
static void pardon(const struct cmd_stream *stream,
                   const struct runnel_end *end,
                   struct runnel_verdict *verdict) {
  int64_t max = stream->cmd->options.numbers.failures_max;
  if (max == 0 && cmd_options_one_shot(&stream->cmd->options))
    max = 3;
  if (max <= 0 || end->failures < (uint64_t)max)
    verdict->retry = 1;
}

static void on_end(runnel_stream *handle, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  struct cmd_stream *stream = user;
  struct cmd *cmd = stream->cmd;
  struct cmd_end shown = {.end = end, .text = end->text};
  (void)handle;
  if (stream->file_error != NULL) {
    shown.text = stream->file_error;
    pardon(stream, end, verdict);
  }
  if (cmd->options.no_reconnect)
    verdict->retry = 0;
  shown.clean =
      end->code == RUNNEL_OK ||
      (end->code == RUNNEL_EEND && !cmd_options_one_shot(&cmd->options));
  shown.retry_ms = verdict->retry ? verdict->delay_ms : -1;
  stream->peace =
      shown.clean && (end->code == RUNNEL_OK || cmd->options.no_reconnect);
  stream->opened_ms = 0;
  stream->started_ms = cmd_now_ms(cmd) + verdict->delay_ms;
  cmd->show->end(stream, &shown);
  cmd_note_end(stream, &shown);
  free(stream->file_error);
  stream->file_error = NULL;
}

static void on_close(runnel_stream *handle, int code, void *user) {
  struct cmd_stream *stream = user;
  struct cmd *cmd = stream->cmd;
  stream->stats = *runnel_stream_stats(handle);
  stream->handle = NULL;
  if (code == RUNNEL_ECANCELED || (code == RUNNEL_EEND && stream->peace))
    code = RUNNEL_OK;
  cmd->failed |= code != RUNNEL_OK;
  if (!cmd->silent)
    cmd->show->close(stream, code);
  if (--cmd->alive == 0)
    cmd_stop(cmd);
}

static void set_request(struct runnel_stream_options *options,
                        const struct cmd_options *from) {
  options->method = from->method;
  options->body = from->body.at;
  options->body_len = from->body.len;
  options->unix_path = from->unix_path;
  options->sentinel = from->sentinel;
  options->end = from->end;
  options->retry_ms = from->numbers.retry_ms;
  options->retry_ms_max = from->numbers.retry_ms_max;
  options->failures_max = from->numbers.failures_max;
  options->open_ms_max = from->numbers.open_ms_max;
  options->idle_ms_max = from->numbers.idle_ms_max;
  options->event_bytes_max = from->numbers.event_bytes_max;
}

static void set_callbacks(struct runnel_stream_options *options,
                          const struct cmd *cmd) {
  options->on_event = on_event;
  options->on_open = on_open;
  options->on_end = on_end;
  options->on_close = on_close;
  if (cmd->state != NULL)
    options->on_id = on_id;
  if (cmd->options.comments && cmd->options.format != CMD_DATA)
    options->on_comment = on_comment;
  /* Only then: with it a 401 is asked again, for a new token's sake. */
  if (cmd->options.header_files.len > 0)
    options->on_request = on_request;
}

/* The command line's fields and those of the files, so that the library judges
 * them all before anything is sent. To be freed. */
static struct runnel_header *all_headers(const struct cmd_options *options,
                                         size_t *len) {
  *len = options->headers.len + options->file_headers.len;
  struct runnel_header *headers = cmd_alloc(*len * sizeof *headers);
  for (size_t i = 0; i < *len; i++)
    headers[i] = i < options->headers.len
                     ? options->headers.at[i]
                     : options->file_headers.at[i - options->headers.len];
  return headers;
}

static int refuse(const struct cmd_stream *stream, int code, const char *text) {
  cmd_note("[%zu] %s: %s (%s)", stream->place, stream->shown_url,
           text[0] == '\0' ? runnel_strerror(code) : text,
           runnel_err_name(code));
  return code == RUNNEL_ENOMEM || code == RUNNEL_ERESOURCE ? CMD_FAILED
                                                           : CMD_USAGE;
}

static int open_stream(struct cmd *cmd, struct runnel_stream_options *options,
                       size_t place) {
  struct cmd_stream *stream = &cmd->streams[place];
  const char *id = cmd->options.last_event_id;
  const char *kept = NULL;
  stream->cmd = cmd;
  stream->place = place;
  stream->url = cmd->options.urls.at[place];
  stream->shown_url = cmd_url_shown(stream->url);
  stream->started_ms = cmd_now_ms(cmd);
  if (cmd->state != NULL)
    kept = cmd_state_get(cmd->state, stream->url);
  options->url = stream->url;
  options->last_event_id = kept != NULL ? kept : id;
  options->user = stream;
  cmd->streams_len++;
  int code = runnel_stream_open(&stream->handle, cmd->client, options);
  if (code != RUNNEL_OK)
    return refuse(stream, code, options->error_text);
  cmd->alive++;
  return 0;
}

int cmd_streams_open(struct cmd *cmd) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct runnel_header *headers =
      all_headers(&cmd->options, &options.headers_len);
  int status = 0;
  options.headers = headers;
  set_request(&options, &cmd->options);
  set_callbacks(&options, cmd);
  cmd->streams = cmd_alloc(cmd->options.urls.len * sizeof *cmd->streams);
  for (size_t i = 0; i < cmd->options.urls.len && status == 0; i++)
    status = open_stream(cmd, &options, i);
  free(headers);
  return status;
}
