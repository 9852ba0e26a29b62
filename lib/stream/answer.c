/* What a response head means: accepted, followed, or refused with its body kept
 * for the application to see. */
#include "stream.h"

#include "client.h"

static struct runnel__str field(const runnel_stream *stream,
                                struct runnel__str name, size_t *count) {
  return runnel__reply_header(stream->reply, name, count);
}

/* text/event-stream in any case, with any parameters (HTML standard 9.2.3). */
static int is_event_stream(const runnel_stream *stream) {
  size_t count;
  struct runnel__str type = field(stream, RUNNEL__STR("content-type"), &count);
  if (count != 1)
    return 0;
  for (size_t i = 0; i < type.len; i++)
    if (type.at[i] == ';')
      type.len = i;
  return runnel__str_eq_nocase(runnel__str_trim(type),
                               RUNNEL__STR("text/event-stream"));
}

static int is_encoded(const runnel_stream *stream) {
  size_t count;
  struct runnel__str coding =
      field(stream, RUNNEL__STR("content-encoding"), &count);
  return count > 1 || (coding.len > 0 &&
                       !runnel__str_eq_nocase(coding, RUNNEL__STR("identity")));
}

static void log_open(const runnel_stream *stream) {
  const struct runnel__log *log = &stream->client->log;
  char name[RUNNEL__TEXT_BYTES];
  if (!runnel__log_wants(log, RUNNEL_LOG_INFO))
    return;
  const struct runnel__handshake *handshake = &stream->attempt->handshake;
  const char *version = handshake->version;
  runnel__describe_url(name, sizeof name, stream);
  runnel__log_line(log, RUNNEL_LOG_INFO, "%s: connected (%d%s%s%s)", name,
                   runnel__reply_status(stream->reply),
                   version == NULL ? "" : ", ", version == NULL ? "" : version,
                   handshake->resumed ? ", resumed" : "");
}

static void tell_open(runnel_stream *stream) {
  char url[RUNNEL__URL_BYTES_MAX + 1];
  char peer[RUNNEL__TEXT_BYTES];
  struct runnel_open open = {
      .status = runnel__reply_status(stream->reply),
      .url = url,
      .peer = peer,
      .tls_version = stream->attempt->handshake.version,
      .tls_resumed = stream->attempt->handshake.resumed,
  };
  open.headers = runnel__reply_headers(stream->reply, &open.headers_len);
  runnel__url_print(url, sizeof url, &stream->attempt->url, 1);
  runnel__describe_peer(peer, sizeof peer, stream);
  runnel__stream_enter(stream);
  stream->policy->on_open(stream, &open, stream->user);
  runnel__stream_leave(stream);
}

static void accept_answer(runnel_stream *stream) {
  uint32_t epoch = stream->epoch;
  int64_t now_ms = runnel__client_now(stream->client);
  stream->accepted = 1;
  stream->opens++;
  stream->unauthorized = 0;
  stream->opened_ms = now_ms;
  stream->heard_ms = now_ms;
  stream->opened_events = stream->parser.counts.events;
  runnel__stream_set_state(stream, RUNNEL_STATE_OPEN,
                           runnel__later(now_ms, stream->policy->idle_ms_max));
  log_open(stream);
  if (stream->policy->on_open != NULL)
    tell_open(stream);
  if (stream->epoch != epoch)
    return;
  /* An open stream needs neither its attempt nor the head any more. */
  runnel__handshake_leave(stream, &stream->attempt->handshake);
  stream->finished = stream->attempt;
  stream->attempt = NULL;
  runnel__attempt_sweep(stream);
  runnel__reply_forget(stream->reply, &stream->client->mem);
}

/* Reads the body of an answer that is not accepted, for a while. */
static void refuse_answer(runnel_stream *stream, int code) {
  struct runnel__attempt *attempt = stream->attempt;
  attempt->refusal = code;
  if (stream->policy->error_body_bytes_max == 0) {
    runnel__answer_end(stream);
    return;
  }
  int64_t limit_ms = runnel__client_now(stream->client) + RUNNEL__ERROR_BODY_MS;
  if (stream->deadline_ms < limit_ms)
    limit_ms = stream->deadline_ms;
  runnel__stream_set_state(stream, RUNNEL_STATE_WAITING_HEAD, limit_ms);
}

static void follow(runnel_stream *stream) {
  int err = runnel__redirect(stream);
  if (err == RUNNEL_EREDIRECT) {
    refuse_answer(stream, err);
    return;
  }
  if (err != RUNNEL_OK) {
    runnel__stream_end(stream, err, RUNNEL_PHASE_HEAD, 0);
    return;
  }
  stream->last_status = runnel__reply_status(stream->reply);
  runnel__describe_step(stream, "redirected by");
  runnel__exchange_cut(stream);
  runnel__exchange_sweep(stream);
  runnel__attempt_suspend(stream);
  runnel__attempt_queue(stream);
}

void runnel__answer_head(runnel_stream *stream) {
  int status = runnel__reply_status(stream->reply);
  int code = status == 200 ? RUNNEL_OK : runnel__verdict_status(status);
  runnel__handshake_answered(stream);
  if (status == 421) /* misdirected: the address may be another's by now */
    runnel__lookups_forget(&stream->client->lookups, stream->attempt->url.host);
  if (status == 200 && !is_event_stream(stream))
    runnel__stream_end(stream, RUNNEL_ETYPE, RUNNEL_PHASE_HEAD, 0);
  else if (status == 200 && is_encoded(stream))
    runnel__stream_end(stream, RUNNEL_EENCODING, RUNNEL_PHASE_HEAD, 0);
  else if (status == 200)
    accept_answer(stream);
  else if (code == RUNNEL_OK)
    runnel__stream_end(stream, RUNNEL_OK, RUNNEL_PHASE_HEAD, 0);
  else if (code == RUNNEL_EREDIRECT)
    follow(stream);
  else
    refuse_answer(stream, code);
}

void runnel__answer_body(runnel_stream *stream, const char *body, size_t len) {
  struct runnel__buf *kept = &stream->attempt->error_body;
  size_t max = (size_t)stream->policy->error_body_bytes_max;
  size_t take = max - kept->len < len ? max - kept->len : len;
  int err = runnel__buf_append(kept, &stream->client->mem, body, take, max);
  if (err != RUNNEL_OK || kept->len == max)
    runnel__answer_end(stream); /* enough, or all that can be had */
}

void runnel__answer_end(runnel_stream *stream) {
  runnel__stream_end(stream, stream->attempt->refusal, RUNNEL_PHASE_HEAD, 0);
}
