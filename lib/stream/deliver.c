/* The callbacks of what was parsed. Bookkeeping comes before each, and after
 * each the callers look at the stream again. */
#include "stream.h"

#include <string.h>

#include "client.h"

static void say_id(runnel_stream *stream, struct runnel__str id) {
  stream->id_due = 0;
  if (stream->policy->on_id == NULL)
    return;
  runnel__stream_enter(stream);
  stream->policy->on_id(stream, id.at, id.len, stream->user);
  runnel__stream_leave(stream);
}

/* on_id, unless a pause holds it back or there is nobody to hear it. */
static void tell_id(runnel_stream *stream) {
  if (!stream->id_due || stream->paused ||
      stream->state == RUNNEL_STATE_CLOSING)
    return;
  say_id(stream, runnel__parser_id(&stream->parser));
}

/* The id is a copy here, since nothing else keeps it while the application may
 * set another; without memory for it, it is owed until the next turn. */
void runnel__deliver_owed(runnel_stream *stream) {
  runnel_client *client = stream->client;
  if (!stream->id_due || stream->state == RUNNEL_STATE_CLOSING)
    return;
  struct runnel__str id = runnel__parser_id(&stream->parser);
  char *copy = runnel__copy(&client->mem, id.at, id.len);
  if (copy == NULL) {
    runnel__client_ready(client, stream);
    return;
  }
  id.at = copy;
  say_id(stream, id);
  runnel__free(&client->mem, copy);
}

static int is_sentinel(const runnel_stream *stream,
                       const struct runnel_event *event) {
  struct runnel__str data = {event->data, event->data_len};
  return stream->policy->sentinel != NULL &&
         runnel__str_eq(data, runnel__str_of(stream->policy->sentinel));
}

static void tell_event(runnel_stream *stream,
                       const struct runnel_event *event) {
  uint32_t epoch = stream->epoch;
  int changed = runnel__parser_id_changed(&stream->parser);
  runnel__stream_enter(stream);
  int answer = stream->policy->on_event(stream, event, stream->user);
  if (answer == RUNNEL_LATER) {
    stream->refusals++;
    /* Before leave, which sweeps: the id is taken back in any case. */
    runnel__parser_refuse(&stream->parser, event);
    if (stream->epoch == epoch)
      (void)runnel__stream_pause(stream);
  } else {
    stream->events++;
    stream->id_due |= (uint8_t)changed;
  }
  runnel__stream_leave(stream);
  tell_id(stream);
}

static void take_event(runnel_stream *stream,
                       const struct runnel_event *event) {
  if (!is_sentinel(stream, event)) {
    tell_event(stream, event);
    return;
  }
  uint32_t epoch = stream->epoch;
  stream->id_due |= (uint8_t)runnel__parser_id_changed(&stream->parser);
  tell_id(stream);
  if (stream->epoch == epoch)
    runnel__stream_end(stream, RUNNEL_OK, RUNNEL_PHASE_BODY, 0);
}

static void tell_comment(runnel_stream *stream,
                         const struct runnel_event *event) {
  runnel__stream_enter(stream);
  stream->policy->on_comment(stream, event->data, event->data_len,
                             stream->user);
  runnel__stream_leave(stream);
}

static void tell_drop(runnel_stream *stream, const struct runnel_event *event) {
  stream->id_due |= (uint8_t)runnel__parser_id_changed(&stream->parser);
  struct runnel_drop drop = {event->data_len, event->id, event->id_len};
  if (stream->policy->on_drop != NULL) {
    runnel__stream_enter(stream);
    stream->policy->on_drop(stream, &drop, stream->user);
    runnel__stream_leave(stream);
  }
  tell_id(stream);
}

/* A server's `retry` is in force as its line ends. */
static void take_retry(runnel_stream *stream, int64_t retry_ms) {
  const struct runnel__policy *policy = stream->policy;
  stream->base_ms =
      runnel__backoff_server_ms(retry_ms, policy->server_retry_ms_min,
                                policy->server_retry_ms_max, policy->retry_ms);
}

void runnel__deliver(runnel_stream *stream, int kind,
                     const struct runnel_event *event) {
  switch (kind) {
  case RUNNEL_PARSED_EVENT:
    take_event(stream, event);
    break;
  case RUNNEL_PARSED_ID:
    stream->id_due = 1;
    tell_id(stream);
    break;
  case RUNNEL_PARSED_COMMENT:
    tell_comment(stream, event);
    break;
  case RUNNEL_PARSED_RETRY:
    take_retry(stream, event->retry_ms);
    break;
  case RUNNEL_PARSED_DROP:
    tell_drop(stream, event);
    break;
  default:
    break;
  }
}
