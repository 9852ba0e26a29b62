/* An attempt is over: count it, tell the application, do what the verdict says.
 * The rules are api.md's and core/verdict's; this file applies them in order.
 */
#include "stream.h"

#include "../core/httpdate.h"
#include "client.h"

/* What is known of an ending before anything is let go. */
struct facts {
  struct runnel__tale tale;
  int accepted;
  int acted;
  int productive;   /* an event came over the response */
  int64_t open_ms;  /* how long it was open */
  int64_t after_ms; /* Retry-After; -1: none */
};

static int64_t read_retry_after(runnel_stream *stream) {
  runnel_client *client = stream->client;
  int64_t found_ms = -1;
  int64_t cap_ms = stream->policy->retry_after_ms_max;
  size_t len;
  const struct runnel_header *headers =
      runnel__reply_headers(stream->reply, &len);
  if (cap_ms == 0)
    return -1;
  for (size_t i = 0; i < len; i++) {
    int64_t delay_ms;
    if (runnel__str_eq_nocase(runnel__str_of(headers[i].name),
                              RUNNEL__STR("retry-after")) &&
        runnel__retry_after_parse(&delay_ms, runnel__str_of(headers[i].value),
                                  client->world->ops->wall_s(client->world)) ==
            RUNNEL_OK &&
        delay_ms > found_ms)
      found_ms = delay_ms; /* of several, the one that is kindest */
  }
  return found_ms > cap_ms ? cap_ms : found_ms;
}

static struct facts gather(runnel_stream *stream, int code, int phase,
                           int native) {
  struct facts facts = {
      .tale = {.code = code, .phase = phase, .native = native},
      .accepted = stream->accepted,
      .acted = stream->attempt != NULL && stream->attempt->acted,
      .after_ms = -1,
  };
  if (stream->reply != NULL)
    facts.tale.status = runnel__reply_status(stream->reply);
  if (stream->accepted) {
    facts.tale.unfinished = runnel__parser_unfinished(&stream->parser);
    facts.open_ms = stream->client->now_ms - stream->opened_ms;
    facts.productive = stream->parser.counts.events > stream->opened_events;
  }
  if (code == RUNNEL_ESTATUS && runnel__verdict_retried(facts.tale.status))
    facts.after_ms = read_retry_after(stream);
  return facts;
}

/* A body that ended as it should, after something came or a good while. */
static int is_clean(const struct facts *facts, int once) {
  return facts->tale.code == RUNNEL_OK ||
         (facts->tale.code == RUNNEL_EEND && facts->accepted && !once &&
          (facts->productive || facts->open_ms >= RUNNEL__STEADY_MS));
}

/* Counts the failure, or that there was none; returns what on_end is told. */
static uint64_t count_failure(runnel_stream *stream, const struct facts *facts,
                              enum runnel__fate fate) {
  if (fate == RUNNEL__FATE_AT_ONCE)
    return 0;
  if (is_clean(facts, stream->policy->once)) {
    stream->failures = 0;
    return 0;
  }
  if (facts->productive && facts->open_ms >= RUNNEL__STEADY_MS) {
    stream->failures = 0; /* it was well, however it ended */
    return 0;
  }
  if (stream->failures == 0)
    stream->failing_ms = stream->client->now_ms;
  if (stream->failures < UINT64_MAX)
    stream->failures++;
  return stream->failures;
}

static int64_t delay_of(runnel_stream *stream, const struct facts *facts,
                        enum runnel__fate fate, uint64_t failures) {
  const struct runnel__policy *policy = stream->policy;
  const struct runnel__backoff backoff = {
      .base_ms = stream->base_ms,
      .cap_ms = policy->retry_ms_max,
      .growth = policy->retry_growth,
      .jitter = policy->retry_jitter,
  };
  uint64_t random = runnel__client_random(stream->client);
  if (fate == RUNNEL__FATE_AT_ONCE)
    return 0;
  int64_t delay_ms = fate == RUNNEL__FATE_CAP
                         ? runnel__backoff_cap_ms(&backoff, random)
                         : runnel__backoff_ms(&backoff, failures, random);
  if (facts->after_ms < 0)
    return delay_ms;
  return runnel__backoff_after_ms(delay_ms, facts->after_ms,
                                  runnel__client_random(stream->client));
}

/* Gives up where the application said how long to try. */
static int gives_up(const runnel_stream *stream, uint64_t failures,
                    int64_t delay_ms) {
  const struct runnel__policy *policy = stream->policy;
  if (failures == 0)
    return 0;
  if (failures >= (uint64_t)policy->failures_max)
    return 1;
  if (policy->elapsed_ms_max == RUNNEL__OFF)
    return 0;
  return stream->client->now_ms - stream->failing_ms + delay_ms >
         policy->elapsed_ms_max;
}

/* A stream may have no other ear than the log: what ends it is an ERROR there.
 */
static int log_level(const struct runnel_end *end,
                     const struct runnel_verdict *verdict) {
  if (end->code != RUNNEL_OK && !verdict->retry)
    return RUNNEL_LOG_ERROR;
  return end->failures > 0 ? RUNNEL_LOG_WARN : RUNNEL_LOG_INFO;
}

static void log_end(const runnel_stream *stream, const struct runnel_end *end,
                    const struct runnel_verdict *verdict) {
  const struct runnel__log *log = &stream->client->log;
  int level = log_level(end, verdict);
  if (!runnel__log_wants(log, level))
    return;
  char name[RUNNEL__TEXT_BYTES];
  runnel__describe_url(name, sizeof name, stream);
  if (verdict->retry)
    runnel__log_line(log, level, "%s: %s (%s); again in %lld ms", name,
                     end->text, runnel_err_name(end->code),
                     (long long)verdict->delay_ms);
  else
    runnel__log_line(log, level, "%s: %s (%s); done", name, end->text,
                     runnel_err_name(end->code));
}

/* on_end, then the log, which knows what was decided. The attempt's memory
 * lives until leave, and so do the slices. */
static void tell_end(runnel_stream *stream, struct runnel_end *end,
                     struct runnel_verdict *verdict) {
  uint32_t epoch = stream->epoch;
  if (stream->policy->on_end != NULL)
    stream->policy->on_end(stream, end, verdict, stream->user);
  if (stream->epoch ==
      epoch) /* else the application closed or reconnected it */
    log_end(stream, end, verdict);
}

static void obey(runnel_stream *stream, const struct runnel_verdict *verdict,
                 int code) {
  if (!verdict->retry) {
    (void)runnel__stream_close(stream, code);
    return;
  }
  int64_t delay_ms = verdict->delay_ms;
  if (delay_ms < 0)
    delay_ms = 0;
  if (delay_ms > RUNNEL_MS_MAX)
    delay_ms = RUNNEL_MS_MAX;
  runnel__stream_set_state(stream, RUNNEL_STATE_BACKING_OFF,
                           runnel__client_now(stream->client) + delay_ms);
}

/* A pause holds the news back; the peer is let go all the same. */
static void park(runnel_stream *stream, int code, int phase, int native) {
  struct runnel__attempt *attempt = stream->attempt;
  uint8_t accepted = stream->accepted;
  if (attempt != NULL && attempt->dialer.lookups != NULL)
    runnel__dialer_stop(&attempt->dialer);
  if (attempt != NULL)
    runnel__attempt_suspend(stream); /* the slot is for others now */
  runnel__exchange_cut(stream);
  stream->accepted = accepted; /* what is told later still says so */
  stream->parked = 1;
  stream->parked_code = code;
  stream->parked_phase = (uint8_t)phase;
  stream->parked_native = native;
  stream->deadline_ms = RUNNEL__NEVER;
  stream->left_ms = RUNNEL__NEVER;
  runnel__stream_arm(stream);
}

static void fill_end(struct runnel_end *end, const runnel_stream *stream) {
  if (stream->reply != NULL)
    end->headers = runnel__reply_headers(stream->reply, &end->headers_len);
  if (stream->attempt != NULL) {
    end->body = stream->attempt->error_body.at;
    end->body_len = stream->attempt->error_body.len;
  }
  if (end->body == NULL)
    end->body = "";
}

void runnel__stream_end(runnel_stream *stream, int code, int phase,
                        int native) {
  if (stream->paused) {
    park(stream, code, phase, native);
    return;
  }
  (void)runnel__client_now(stream->client);
  struct facts facts = gather(stream, code, phase, native);
  const struct runnel__ending ending = {
      .code = code,
      .status = facts.tale.status,
      .once = stream->policy->once,
      .accepted = facts.accepted,
      .acted = facts.acted,
      .can_authorize = stream->policy->on_request != NULL &&
                       !stream->unauthorized && facts.tale.status == 401,
  };
  enum runnel__fate fate = runnel__verdict(&ending);
  char text[RUNNEL__TEXT_BYTES];
  runnel__describe(text, stream, &facts.tale);
  struct runnel_end end = {
      .code = code,
      .phase = phase,
      .native = native,
      .status = facts.tale.status,
      .failures = count_failure(stream, &facts, fate),
      .unfinished = facts.tale.unfinished,
      .text = text,
  };
  fill_end(&end, stream);
  struct runnel_verdict verdict = {
      .delay_ms = delay_of(stream, &facts, fate, end.failures)};
  verdict.retry = fate != RUNNEL__FATE_PEACE && fate != RUNNEL__FATE_STOP &&
                  !gives_up(stream, end.failures, verdict.delay_ms);
  runnel__stream_enter(stream);
  runnel__attempt_cut(stream);
  runnel__stream_set_state(stream, RUNNEL_STATE_BACKING_OFF, RUNNEL__NEVER);
  stream->last_code = code;
  stream->last_status = facts.tale.status;
  stream->unauthorized |= (uint8_t)(end.status == 401);
  stream->why = end.status == 401 ? RUNNEL_WHY_UNAUTHORIZED : RUNNEL_WHY_RETRY;
  uint32_t epoch = stream->epoch;
  tell_end(stream, &end, &verdict);
  runnel__stream_leave(stream);
  if (stream->epoch == epoch && stream->state == RUNNEL_STATE_BACKING_OFF)
    obey(stream, &verdict, code);
}
