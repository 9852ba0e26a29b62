/* The callbacks of what was parsed. Bookkeeping comes before each, and after
 * each the callers look at the stream again. */
#include "stream.h"

#include <assert.h>

#include "client.h"

/* The item just parsed is taken: on_id is owed if it has changed the id. */
static void owe_id(runnel_stream *stream) {
  if (runnel__parser_id_changed(&stream->parser) &&
      stream->policy->on_id != NULL)
    stream->id_due = 1;
}

/* A pause comes before the next item is parsed, and what it kept is parsed
 * after on_id: no id is ever pending here. */
void runnel__deliver_id(runnel_stream *stream) {
  if (!stream->id_due || stream->paused ||
      stream->state == RUNNEL_STATE_CLOSING)
    return;
  struct runnel__str id = runnel__parser_show_id(&stream->parser);
  stream->id_due = 0;
  runnel__stream_enter(stream);
  stream->policy->on_id(stream, id.at, id.len, stream->user);
  runnel__stream_leave(stream);
}

static int is_sentinel(const char *sentinel, const struct runnel_event *event) {
  struct runnel__str data = {event->data, event->data_len};
  return sentinel[0] == event->data[0] &&
         runnel__str_eq(data, runnel__str_of(sentinel));
}

static void take_sentinel(runnel_stream *stream) {
  uint32_t epoch = stream->epoch;
  owe_id(stream);
  runnel__deliver_id(stream);
  if (stream->epoch == epoch)
    runnel__stream_end(stream, RUNNEL_OK, RUNNEL_PHASE_BODY, 0);
}

static void refuse_event(runnel_stream *stream,
                         const struct runnel_event *event, uint32_t epoch) {
  stream->refusals++;
  /* Before leave, which sweeps: the id is taken back in any case. */
  runnel__parser_refuse(&stream->parser, event);
  if (stream->epoch == epoch)
    (void)runnel__stream_pause(stream);
}

void runnel__deliver_event(runnel_stream *stream,
                           const struct runnel_event *event) {
  const struct runnel__policy *policy = stream->policy;
  uint32_t epoch = stream->epoch;
  if (policy->sentinel != NULL && is_sentinel(policy->sentinel, event)) {
    take_sentinel(stream);
    return;
  }
  runnel__stream_enter(stream);
  int answer = policy->on_event(stream, event, stream->user);
  if (answer == RUNNEL_LATER) {
    refuse_event(stream, event, epoch);
  } else {
    stream->events++;
    owe_id(stream);
  }
  runnel__stream_leave(stream);
  if (stream->id_due)
    runnel__deliver_id(stream);
}

static void tell_comment(runnel_stream *stream,
                         const struct runnel_event *event) {
  runnel__stream_enter(stream);
  stream->policy->on_comment(stream, event->data, event->data_len,
                             stream->user);
  runnel__stream_leave(stream);
}

static void tell_drop(runnel_stream *stream, const struct runnel_event *event) {
  owe_id(stream);
  struct runnel_drop drop = {event->data_len, event->id, event->id_len};
  if (stream->policy->on_drop != NULL) {
    runnel__stream_enter(stream);
    stream->policy->on_drop(stream, &drop, stream->user);
    runnel__stream_leave(stream);
  }
  runnel__deliver_id(stream);
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
  case RUNNEL_PARSED_ID:
    owe_id(stream);
    runnel__deliver_id(stream);
    break;
  case RUNNEL_PARSED_COMMENT:
    tell_comment(stream, event);
    break;
  case RUNNEL_PARSED_RETRY:
    take_retry(stream, event->retry_ms);
    break;
  default:
    assert(kind == RUNNEL_PARSED_DROP);
    tell_drop(stream, event);
    break;
  }
}
