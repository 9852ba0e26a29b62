/* What each state's deadline means. */
#include "stream.h"

#include "client.h"

/* The peer spoke, or what it said waits in the socket: a callback that blocked
 * for long is no reason to call it dead. */
static void check_idle(runnel_stream *stream) {
  int64_t now_ms = stream->client->now_ms;
  int64_t idle_ms = stream->policy->idle_ms_max;
  if (runnel__later(stream->heard_ms, idle_ms) <= now_ms) {
    int unread = stream->rest != NULL || stream->parsing;
    if (!unread && !stream->client->world->ops->waiting(stream->link)) {
      runnel__stream_end(stream, RUNNEL_EIDLE, RUNNEL_PHASE_BODY, 0);
      return;
    }
    stream->heard_ms = now_ms;
  }
  stream->deadline_ms = runnel__later(stream->heard_ms, idle_ms);
  runnel__stream_arm(stream);
}

static void check_head(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  if (attempt->refusal != RUNNEL_OK) {
    runnel__answer_end(stream);
  } else if (!attempt->graced &&
             stream->client->world->ops->waiting(stream->link)) {
    attempt->graced = 1; /* once: a head that dribbles is late all the same */
    stream->deadline_ms = stream->client->now_ms + 1;
    runnel__stream_arm(stream);
  } else {
    runnel__stream_end(stream, RUNNEL_ETIMEDOUT, RUNNEL_PHASE_HEAD, 0);
  }
}

static void run_deadline(runnel_stream *stream) {
  switch (stream->state) {
  case RUNNEL_STATE_HELD:
    runnel__stream_end(stream, RUNNEL_ETIMEDOUT, RUNNEL_PHASE_REQUEST, 0);
    break;
  case RUNNEL_STATE_RESOLVING:
    runnel__stream_end(stream, RUNNEL_ETIMEDOUT, RUNNEL_PHASE_RESOLVE, 0);
    break;
  case RUNNEL_STATE_CONNECTING:
    runnel__lookups_forget(&stream->client->lookups, stream->attempt->url.host);
    runnel__stream_end(stream, RUNNEL_ETIMEDOUT, RUNNEL_PHASE_CONNECT, 0);
    break;
  case RUNNEL_STATE_HANDSHAKING:
    runnel__handshake_alarm(stream);
    break;
  case RUNNEL_STATE_WAITING_HEAD:
    check_head(stream);
    break;
  case RUNNEL_STATE_OPEN:
    check_idle(stream);
    break;
  case RUNNEL_STATE_BACKING_OFF:
    runnel__attempt_queue(stream);
    break;
  default:
    break;
  }
}

void runnel__stream_alarm(runnel_stream *stream) {
  int64_t now_ms = stream->client->now_ms;
  struct runnel__attempt *attempt = stream->attempt;
  if (stream->reconnect_ms <= now_ms)
    (void)runnel__stream_reconnect(stream);
  else if (stream->deadline_ms <= now_ms)
    run_deadline(stream);
  else if (attempt != NULL && stream->state == RUNNEL_STATE_CONNECTING &&
           attempt->dialer.stagger_at_ms <= now_ms)
    runnel__dialer_alarm(&attempt->dialer);
  else
    runnel__stream_arm(stream); /* early: it was put off meanwhile */
}
