/* What a stream's callbacks write down, and what they check: order, NULs after
 * slices, the refused event that comes again, no call inside a call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story_app.h"

static const char *const whys[] = {"first", "retry", "reconnect",
                                   "unauthorized", "redirect"};
static const char *const phases[] = {"request",   "resolve", "connect",
                                     "handshake", "head",    "body"};

static void show(struct story_stream *stream, const char *line) {
  if (stream->app->streams_len > 1)
    story_app_say(stream->app, "s%zu %s", stream->number, line);
  else
    story_app_say(stream->app, "%s", line);
}

/* What holds for each callback. */
static struct story_stream *enter(void *user, const char *broken) {
  struct story_stream *stream = user;
  if (broken != NULL)
    story_app_fail(stream->app, "s%zu: %s", stream->number, broken);
  if (stream->app->in_call)
    story_app_fail(stream->app, "a callback inside a call");
  return stream;
}

static void add_slice(struct story_stream *stream, struct story_bytes *line,
                      const char *name, const char *at, size_t len) {
  if (at[len] != '\0')
    story_app_fail(stream->app, "no NUL after the slice %s", name);
  story_bytes_text(line, name);
  story_escape_short(line, at, len);
}

static void add_number(struct story_bytes *line, const char *name,
                       int64_t value) {
  char text[64];
  snprintf(text, sizeof text, "%s%lld", name, (long long)value);
  story_bytes_text(line, text);
}

static void finish(struct story_stream *stream, struct story_bytes *line) {
  show(stream, line->at);
  story_bytes_free(line);
}

/* Whatever the callback does, its slice stays as it is until it returns. */
static void act_on_slice(struct story_stream *stream, const char *kind,
                         const char *at, size_t len) {
  struct story_bytes before = {0};
  story_bytes_add(&before, at, len);
  story_app_todo(stream->app, &(struct story_action){.stream = stream}, kind);
  if (len > 0 && memcmp(before.at, at, len) != 0)
    story_app_fail(stream->app, "the slice of on_%s has changed", kind);
  story_bytes_free(&before);
}

static void hear_request(runnel_stream *handle, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct story_stream *stream = user;
  enter(user, order_request(&stream->order, attempt->why));
  struct story_bytes line = {0};
  (void)handle;
  add_number(&line, "request ", (int64_t)attempt->number);
  story_bytes_text(&line, " why=");
  story_bytes_text(&line, whys[attempt->why]);
  if (attempt->cross_origin)
    story_bytes_text(&line, " cross_origin");
  if (attempt->failures > 0)
    add_number(&line, " failures=", (int64_t)attempt->failures);
  if (attempt->last_code != RUNNEL_OK) {
    story_bytes_text(&line, " last=");
    story_bytes_text(&line, runnel_err_name(attempt->last_code));
  }
  if (attempt->last_status != 0)
    add_number(&line, " last_status=", attempt->last_status);
  if (attempt->id_len > 0)
    add_slice(stream, &line, " id=", attempt->id, attempt->id_len);
  story_bytes_text(&line, " url=");
  story_bytes_text(&line, attempt->url);
  finish(stream, &line);
  if (stream->held) /* of an attempt that is over: it only wants freeing */
    story_app_proceed(stream->app, stream, RUNNEL_OK);
  stream->request = request;
  stream->held = 0;
  act_on_slice(stream, "request", attempt->id, attempt->id_len);
  if (!stream->held)
    stream->request = NULL;
}

static void hear_open(runnel_stream *handle, const struct runnel_open *open,
                      void *user) {
  struct story_stream *stream = user;
  enter(user, order_open(&stream->order));
  char line[256];
  (void)handle;
  stream->good++;
  snprintf(line, sizeof line, "open %d", open->status);
  show(stream, line);
  if (stream->shows_text) {
    snprintf(line, sizeof line, "at %s by %s, %zu fields%s%s%s", open->url,
             open->peer, open->headers_len,
             open->tls_version == NULL ? "" : ", ",
             open->tls_version == NULL ? "" : open->tls_version,
             open->tls_resumed ? ", resumed" : "");
    show(stream, line);
  }
  story_app_todo(stream->app, &(struct story_action){.stream = stream}, "open");
}

static void check_refused(struct story_stream *stream,
                          const struct runnel_event *event) {
  if (stream->refused != NULL && strcmp(stream->refused, event->data) != 0)
    story_app_fail(stream->app, "another event after the refused one");
  free(stream->refused);
  stream->refused = NULL;
}

static void keep_refused(struct story_stream *stream,
                         const struct runnel_event *event) {
  stream->refused = malloc(event->data_len + 1);
  if (stream->refused == NULL)
    abort();
  memcpy(stream->refused, event->data, event->data_len + 1);
}

static int hear_event(runnel_stream *handle, const struct runnel_event *event,
                      void *user) {
  struct story_stream *stream = user;
  enter(user, order_shown(&stream->order));
  struct story_bytes line = {0};
  check_refused(stream, event);
  size_t id_len;
  const char *id = runnel_stream_last_event_id(handle, &id_len);
  if (id_len != event->id_len || memcmp(id, event->id, id_len) != 0)
    story_app_fail(stream->app, "the event's id is not stored yet");
  story_bytes_text(&line, "event ");
  if (event->type_len != 7 || memcmp(event->type, "message", 7) != 0) {
    add_slice(stream, &line, "type=", event->type, event->type_len);
    story_bytes_text(&line, " ");
  }
  if (event->has_id || event->id_len > 0) {
    add_slice(stream, &line, event->has_id ? "id=" : "under=", event->id,
              event->id_len);
    story_bytes_text(&line, " ");
  }
  if (event->retry_ms >= 0)
    add_number(&line, "retry=", event->retry_ms);
  story_bytes_text(&line, event->retry_ms >= 0 ? " " : "");
  add_slice(stream, &line, "data=", event->data, event->data_len);
  finish(stream, &line);
  int result = RUNNEL_OK;
  story_app_todo(stream->app,
                 &(struct story_action){.stream = stream, .result = &result},
                 "event");
  if (result == RUNNEL_LATER) {
    stream->order.paused = 1;
    keep_refused(stream, event);
  } else {
    stream->good++;
  }
  return result;
}

static void show_slice(struct story_stream *stream, const char *kind,
                       const char *at, size_t len) {
  struct story_bytes line = {0};
  story_bytes_text(&line, kind);
  add_slice(stream, &line, " ", at, len);
  finish(stream, &line);
  act_on_slice(stream, kind, at, len);
}

static void hear_id(runnel_stream *handle, const char *id, size_t len,
                    void *user) {
  struct story_stream *stream = user;
  enter(user, order_id(&stream->order));
  (void)handle;
  show_slice(stream, "id", id, len);
}

static void hear_comment(runnel_stream *handle, const char *text, size_t len,
                         void *user) {
  struct story_stream *stream = user;
  enter(user, order_shown(&stream->order));
  (void)handle;
  show_slice(stream, "comment", text, len);
}

static void hear_drop(runnel_stream *handle, const struct runnel_drop *drop,
                      void *user) {
  struct story_stream *stream = user;
  enter(user, order_shown(&stream->order));
  struct story_bytes line = {0};
  (void)handle;
  add_number(&line, "drop bytes=", (int64_t)drop->bytes);
  if (drop->id_len > 0)
    add_slice(stream, &line, " id=", drop->id, drop->id_len);
  finish(stream, &line);
  story_app_todo(stream->app, &(struct story_action){.stream = stream}, "drop");
}

static void add_end(struct story_stream *stream, struct story_bytes *line,
                    const struct runnel_end *end) {
  story_bytes_text(line, "end ");
  story_bytes_text(line, runnel_err_name(end->code));
  if (end->phase != RUNNEL_PHASE_BODY) {
    story_bytes_text(line, " phase=");
    story_bytes_text(line, phases[end->phase]);
  }
  if (end->status != 0 && end->status != 200)
    add_number(line, " status=", end->status);
  if (end->failures > 0)
    add_number(line, " failures=", (int64_t)end->failures);
  if (end->unfinished > 0 && end->code != RUNNEL_ETOOBIG &&
      end->code != RUNNEL_ENOMEM) /* there it depends on the reads */
    add_number(line, " unfinished=", (int64_t)end->unfinished);
  if (end->body_len > 0)
    add_slice(stream, line, " body=", end->body, end->body_len);
}

static void hear_end(runnel_stream *handle, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct story_stream *stream = user;
  enter(user, order_end(&stream->order, end->code, end->phase));
  struct story_bytes line = {0};
  (void)handle;
  free(stream->refused);
  stream->refused = NULL;
  add_end(stream, &line, end);
  if (verdict->retry)
    add_number(&line, " retry ", verdict->delay_ms);
  else
    story_bytes_text(&line, " stop");
  finish(stream, &line);
  if (stream->shows_text) {
    story_bytes_text(&line, "text ");
    story_escape(&line, end->text, strlen(end->text));
    finish(stream, &line);
  }
  story_app_todo(stream->app,
                 &(struct story_action){.stream = stream, .verdict = verdict},
                 "end");
  order_verdict(&stream->order, verdict->retry, end->code);
}

static void hear_close(runnel_stream *handle, int code, void *user) {
  struct story_stream *stream = user;
  enter(user, order_close(&stream->order, code));
  char line[64];
  (void)handle;
  snprintf(line, sizeof line, "close %s", runnel_err_name(code));
  show(stream, line);
  story_app_todo(stream->app, &(struct story_action){.stream = stream},
                 "close");
  stream->stream = NULL;
}

/* `wants`: "request,id,comment,drop"; "no-end" and the like leave out what is
 * heard without asking. */
void story_ears_set(struct runnel_stream_options *options, const char *wants) {
  options->on_open = strstr(wants, "no-open") ? NULL : hear_open;
  options->on_event = hear_event;
  options->on_end = strstr(wants, "no-end") ? NULL : hear_end;
  options->on_close = hear_close;
  options->on_request = strstr(wants, "request") ? hear_request : NULL;
  options->on_id = strstr(wants, "id") ? hear_id : NULL;
  options->on_comment = strstr(wants, "comment") ? hear_comment : NULL;
  options->on_drop = strstr(wants, "drop") ? hear_drop : NULL;
}
