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

static void note_open(const struct cmd_stream *stream,
                      const struct runnel_open *open) {
  const char *version = stream->cmd->options.verbose ? open->tls_version : NULL;
  cmd_note_stream(stream, "connected (%d, %lld ms%s%s%s)", open->status,
                  (long long)(stream->opened_ms - stream->started_ms),
                  version == NULL ? "" : ", ", version == NULL ? "" : version,
                  version != NULL && open->tls_resumed ? ", resumed" : "");
}

static void on_open(runnel_stream *handle, const struct runnel_open *open,
                    void *user) {
  struct cmd_stream *stream = user;
  struct cmd *cmd = stream->cmd;
  stream->opened_ms = cmd_now_ms(cmd);
  stream->opened_bytes = runnel_stream_stats(handle)->bytes;
  cmd->show->open(stream, open);
  if (cmd->notes_tty || cmd->options.verbose)
    note_open(stream, open);
}

static void on_request(runnel_stream *handle, runnel_request *request,
                       const struct runnel_attempt *attempt, void *user) {
  struct cmd_stream *stream = user;
  (void)handle;
  (void)attempt;
  const char *why = cmd_headers_set(stream->cmd, request);
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

/* A header file that stays as bad as it was is told of once, for all its
 * attempts. */
static int told_before(const struct cmd_stream *stream) {
  return stream->file_error != NULL && stream->file_told != NULL &&
         strcmp(stream->file_error, stream->file_told) == 0;
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
  /* Who typed can look at the certificate; a daemon could only wait. */
  if (cmd->options.no_reconnect || end->code == RUNNEL_ETRUST)
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
  if (!told_before(stream) || shown.retry_ms < 0 || cmd->options.verbose)
    cmd_note_end(stream, &shown);
  free(stream->file_told);
  stream->file_told = stream->file_error;
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

static int open_stream(struct cmd *cmd, struct runnel_stream_options *options,
                       size_t place) {
  struct cmd_stream *stream = &cmd->streams[place];
  const char *id = cmd->options.last_event_id;
  const char *kept = NULL;
  stream->cmd = cmd;
  stream->place = place;
  stream->url = cmd->options.urls.at[place].text;
  stream->shown_url = cmd_url_shown(stream->url);
  stream->started_ms = cmd_now_ms(cmd);
  if (cmd->state != NULL)
    kept = cmd_state_get(cmd->state, stream->url);
  stream->kept_id = kept != NULL;
  options->url = stream->url;
  options->last_event_id = kept != NULL ? kept : id;
  options->user = stream;
  cmd->streams_len++;
  int code = runnel_stream_open(&stream->handle, cmd->client, options);
  if (code != RUNNEL_OK)
    return cmd_refuse(stream, code, options->error_text);
  cmd->alive++;
  return 0;
}

int cmd_streams_open(struct cmd *cmd) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct runnel_header *headers =
      cmd_headers_all(&cmd->options, &options.headers_len);
  int status = 0;
  options.headers = headers;
  options.tls = cmd->tls;
  set_request(&options, &cmd->options);
  set_callbacks(&options, cmd);
  cmd->streams = cmd_alloc(cmd->options.urls.len * sizeof *cmd->streams);
  for (size_t i = 0; i < cmd->options.urls.len && status == 0; i++)
    status = open_stream(cmd, &options, i);
  free(headers);
  return status;
}
