/* The callbacks: order, slices, ids, tokens, what may not be said. */
#include <stdio.h>
#include <string.h>

#include "model.h"

static struct model_stream *enter(void *user, const char *broken) {
  struct model_stream *stream = user;
  FUZZ_CHECK(broken == NULL, "%s", broken);
  FUZZ_CHECK(stream->model->in_call == 0, "a callback inside a call");
  return stream;
}

static void check_slice(const char *at, size_t len) {
  FUZZ_CHECK(at != NULL && at[len] == '\0', "no NUL behind a slice");
}

static void check_line(const char *line) {
  FUZZ_CHECK(strstr(line, MODEL_SECRET) == NULL, "said: %s", line);
  for (; *line != '\0'; line++)
    FUZZ_CHECK((unsigned char)*line >= 0x20 && *line != 0x7f,
               "a line with the byte %d", *line);
}

void model_ears_log(int level, const char *line, void *ctx) {
  (void)ctx;
  FUZZ_CHECK(level >= RUNNEL_LOG_ERROR && level <= RUNNEL_LOG_DEBUG,
             "log level %d", level);
  check_line(line);
}

/* Without on_end, an attempt is over when the next one begins. */
static void forget_attempt(struct model_stream *stream) {
  if (!stream->order.wants_end)
    order_reconnected(&stream->order);
}

static void hear_request(runnel_stream *handle, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct model_stream *stream = user;
  if (attempt->why != RUNNEL_WHY_REDIRECT)
    forget_attempt(stream);
  enter(user, order_request(&stream->order, attempt->why));
  size_t len;
  const char *id = runnel_stream_last_event_id(handle, &len);
  check_slice(attempt->id, attempt->id_len);
  FUZZ_CHECK(len == attempt->id_len && memcmp(id, attempt->id, len) == 0,
             "another id goes out than is in force");
  stream->request = request;
  model_todo(stream, NULL, NULL);
  stream->request = NULL;
}

static void hear_open(runnel_stream *handle, const struct runnel_open *open,
                      void *user) {
  struct model_stream *stream = user;
  if (!stream->order.wants_request)
    forget_attempt(stream);
  enter(user, order_open(&stream->order));
  stream->refused[0] = '\0'; /* of a response that is over */
  (void)handle;
  FUZZ_CHECK(open->status == 200, "on_open with status %d", open->status);
  stream->good++;
  model_todo(stream, NULL, NULL);
}

/* 1, and the numbers, if the event is a token. */
static int read_token(const struct runnel_event *event, unsigned *link,
                      unsigned *number) {
  return event->data_len == 10 &&
         sscanf(event->data, "#%4x%4x#", link, number) == 2 &&
         event->data[9] == '#';
}

/* A token follows its link's last one, or begins a later link. */
static void check_token(struct model_stream *stream,
                        const struct runnel_event *event, unsigned link,
                        unsigned number) {
  struct model_link *sent = model_link_of(stream->model, link);
  FUZZ_CHECK(sent == NULL || number < sent->events, "%s was never sent",
             event->data);
  FUZZ_CHECK(link > stream->link ||
                 (link == stream->link && number > stream->event),
             "%s after %u %u", event->data, stream->link, stream->event);
  if (sent == NULL || sent->is_foul)
    return;
  unsigned wanted = link == stream->link ? stream->event + 1 : 0;
  FUZZ_CHECK(number == wanted, "%s, but %u was not seen", event->data, wanted);
}

static int hear_event(runnel_stream *handle, const struct runnel_event *event,
                      void *user) {
  struct model_stream *stream = user;
  enter(user, order_shown(&stream->order));
  size_t len;
  unsigned link, number;
  int result = RUNNEL_OK;
  const char *id = runnel_stream_last_event_id(handle, &len);
  check_slice(event->type, event->type_len);
  check_slice(event->data, event->data_len);
  check_slice(event->id, event->id_len);
  FUZZ_CHECK(id[len] == '\0', "no NUL behind the id");
  int is_token = read_token(event, &link, &number);
  if (stream->refused[0] != '\0')
    FUZZ_CHECK(strcmp(stream->refused, event->data) == 0,
               "another event than the refused one");
  stream->refused[0] = '\0';
  if (is_token)
    check_token(stream, event, link, number);
  char data[12];
  snprintf(data, sizeof data, "%s", is_token ? event->data : "");
  model_todo(stream, NULL, &result);
  if (result == RUNNEL_LATER) {
    stream->order.paused = 1;
    memcpy(stream->refused, data, sizeof data);
    return result;
  }
  stream->good++;
  if (is_token) {
    stream->link = link;
    stream->event = number;
  }
  return result;
}

static void hear_slice(runnel_stream *handle, const char *at, size_t len,
                       void *user) {
  struct model_stream *stream = user;
  enter(user, order_shown(&stream->order));
  (void)handle;
  check_slice(at, len);
  model_todo(stream, NULL, NULL);
}

/* An id that was taken is told even if the attempt is over by then. */
static void hear_id(runnel_stream *handle, const char *id, size_t len,
                    void *user) {
  struct model_stream *stream = user;
  const struct order *order = &stream->order;
  (void)handle;
  enter(user, NULL);
  FUZZ_CHECK(!order->paused && !order->closing && !order->stopped &&
                 !order->closed,
             "on_id when nothing may be shown");
  check_slice(id, len);
  model_todo(stream, NULL, NULL);
}

static void hear_drop(runnel_stream *handle, const struct runnel_drop *drop,
                      void *user) {
  hear_slice(handle, drop->id, drop->id_len, user);
}

static void hear_end(runnel_stream *handle, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct model_stream *stream = user;
  enter(user, order_end(&stream->order, end->code, end->phase));
  (void)handle;
  check_line(end->text);
  check_slice(end->body, end->body_len);
  FUZZ_CHECK(verdict->delay_ms >= 0, "a delay of %lld ms",
             (long long)verdict->delay_ms);
  stream->refused[0] = '\0';
  int code = end->code;
  model_todo(stream, verdict, NULL);
  order_verdict(&stream->order, verdict->retry, code);
}

static void hear_close(runnel_stream *handle, int code, void *user) {
  struct model_stream *stream = user;
  enter(user, order_close(&stream->order, code));
  (void)handle;
  model_todo(stream, NULL, NULL);
  stream->stream = NULL;
}

void model_ears_set(struct runnel_stream_options *options, unsigned flags) {
  options->on_event = hear_event;
  options->on_close = hear_close;
  options->on_request = flags & 1 ? NULL : hear_request;
  options->on_end = flags & 2 ? NULL : hear_end;
  options->on_open = hear_open;
  if (flags & 4)
    options->on_comment = hear_slice;
  if (flags & 8)
    options->on_id = hear_id;
  options->on_drop = hear_drop;
}
