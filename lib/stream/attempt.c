/* One try: through the gate, the request asked for, the dial. */
#include "stream.h"

#include "client.h"
#include "request.h"

struct runnel__origin *runnel__attempt_origin(const runnel_stream *stream) {
  return stream->attempt != NULL ? stream->attempt->origin : stream->origin;
}

void runnel__attempt_queue(runnel_stream *stream) {
  runnel_client *client = stream->client;
  runnel__stream_set_state(stream, RUNNEL_STATE_QUEUED, RUNNEL__NEVER);
  if (stream->paused)
    return; /* resume queues it: on_request must not come before */
  runnel__gate_join(&client->gate, runnel__attempt_origin(stream),
                    &stream->queue);
  client->gate_dirty = 1;
}

static void release_slot(struct runnel__attempt *attempt) {
  if (!attempt->dialing)
    return;
  attempt->dialing = 0;
  runnel_client *client = attempt->stream->client;
  runnel__gate_done(&client->gate, attempt->origin);
  client->gate_dirty = 1;
}

void runnel__attempt_stop_clock(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  int64_t now_ms = runnel__client_now(stream->client);
  if (attempt->open_at_ms == RUNNEL__NEVER)
    return;
  attempt->open_left_ms =
      attempt->open_at_ms > now_ms ? attempt->open_at_ms - now_ms : 0;
  attempt->open_at_ms = RUNNEL__NEVER;
}

void runnel__attempt_start_clock(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  attempt->open_at_ms =
      runnel__later(runnel__client_now(stream->client), attempt->open_left_ms);
}

void runnel__attempt_suspend(runnel_stream *stream) {
  release_slot(stream->attempt);
  runnel__handshake_leave(stream, &stream->attempt->handshake);
  runnel__attempt_stop_clock(stream);
}

static void free_attempt(struct runnel__attempt *attempt) {
  runnel_client *client = attempt->stream->client;
  runnel__request_release(attempt->request);
  runnel__origin_give(&client->gate, &client->mem, attempt->origin);
  runnel__buf_free(&attempt->error_body, &client->mem);
  runnel__free(&client->mem, attempt->hop_url);
  runnel__free(&client->mem, attempt);
}

void runnel__attempt_sweep(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->finished;
  stream->finished = NULL;
  if (attempt != NULL)
    free_attempt(attempt);
}

void runnel__attempt_forget(runnel_stream *stream) {
  if (stream->attempt != NULL)
    free_attempt(stream->attempt);
  stream->attempt = NULL;
}

static void stop_attempt(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  if (attempt == NULL)
    return;
  if (attempt->dialer.lookups != NULL)
    runnel__dialer_stop(&attempt->dialer);
  release_slot(attempt);
  runnel__handshake_leave(stream, &attempt->handshake);
  stream->attempt = NULL;
  stream->finished = attempt;
}

void runnel__attempt_cut(runnel_stream *stream) {
  if (stream->state == RUNNEL_STATE_QUEUED)
    runnel__gate_leave(runnel__attempt_origin(stream), &stream->queue);
  stop_attempt(stream);
  runnel__exchange_cut(stream);
  stream->parked = 0;
  stream->proceeded = 0;
  if (stream->in_callback > 0) {
    stream->stale = 1;
    return;
  }
  runnel__attempt_sweep(stream);
  runnel__exchange_sweep(stream);
}

/* Where this hop goes. */
static const char *hop_text(const struct runnel__attempt *attempt) {
  const struct runnel_request *request = attempt->request;
  if (request != NULL && request->url_fresh)
    return request->ask.url;
  return attempt->hop_url != NULL ? attempt->hop_url : attempt->stream->ask.url;
}

static int begin_attempt(runnel_stream *stream) {
  runnel_client *client = stream->client;
  struct runnel__attempt *attempt =
      runnel__alloc_zero(&client->mem, sizeof *attempt);
  if (attempt == NULL)
    return RUNNEL_ENOMEM;
  if (stream->policy->on_request != NULL) {
    attempt->request = runnel__request_new(stream);
    if (attempt->request == NULL) {
      runnel__free(&client->mem, attempt);
      return RUNNEL_ENOMEM;
    }
  }
  attempt->stream = stream;
  attempt->origin = stream->origin;
  attempt->origin->refs++;
  attempt->open_left_ms = stream->policy->open_ms_max;
  attempt->open_at_ms = RUNNEL__NEVER;
  attempt->dialer.stagger_at_ms = RUNNEL__NEVER;
  (void)runnel__url_parse(&attempt->url, runnel__str_of(stream->ask.url), NULL);
  stream->attempt = attempt;
  return RUNNEL_OK;
}

static void tell_request(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel_request *request = attempt->request;
  struct runnel__str id = runnel__parser_show_id(&stream->parser);
  char url[RUNNEL__URL_BYTES_MAX + 1];
  runnel__url_print(url, sizeof url, &attempt->url, 1);
  struct runnel_attempt info = {
      .number = stream->attempts,
      .failures = stream->failures,
      .why = attempt->redirects > 0 ? RUNNEL_WHY_REDIRECT : stream->why,
      .cross_origin = attempt->crossed,
      .last_code = stream->last_code,
      .last_status = stream->last_status,
      .id = id.at,
      .id_len = id.len,
      .url = url,
  };
  request->open = 1;
  runnel__stream_enter(stream);
  stream->policy->on_request(stream, request, &info, stream->user);
  request->open = 0;
  runnel__stream_leave(stream);
}

/* Follows a URL that the application set. 1 to go on; 0: another origin, in
 * whose queue the stream now stands, or an error that ended the attempt. */
static int retarget(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  runnel_client *client = stream->client;
  if (attempt->request == NULL || !attempt->request->url_fresh)
    return 1;
  (void)runnel__url_parse(&attempt->url, runnel__str_of(hop_text(attempt)),
                          NULL);
  struct runnel__origin *origin =
      runnel__origin_take(&client->gate, &client->mem, &attempt->url);
  if (origin == NULL) {
    runnel__stream_end(stream, RUNNEL_ENOMEM, RUNNEL_PHASE_REQUEST, 0);
    return 0;
  }
  if (origin == attempt->origin) {
    runnel__origin_give(&client->gate, &client->mem, origin);
    return 1;
  }
  int was_dialing = attempt->dialing;
  if (was_dialing)
    runnel__attempt_suspend(stream);
  runnel__origin_give(&client->gate, &client->mem, attempt->origin);
  attempt->origin = origin;
  if (was_dialing)
    runnel__attempt_queue(stream);
  return !was_dialing;
}

/* Asks the application for this hop's request. 1 to go on. */
static int ask_application(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  attempt->asked = 1;
  if (attempt->request == NULL)
    return 1;
  uint32_t epoch = stream->epoch;
  tell_request(stream);
  if (stream->epoch != epoch)
    return 0;
  if (attempt->request->code != RUNNEL_OK) {
    runnel__stream_end(stream, attempt->request->code, RUNNEL_PHASE_REQUEST, 0);
    return 0;
  }
  if (!attempt->request->held)
    return retarget(stream);
  runnel__attempt_suspend(stream);
  runnel__stream_set_state(
      stream, RUNNEL_STATE_HELD,
      runnel__later(stream->client->now_ms, stream->policy->hold_ms_max));
  return 0;
}

void runnel__attempt_proceed(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  if (attempt == NULL || stream->state != RUNNEL_STATE_HELD)
    return;
  if (attempt->request->code != RUNNEL_OK)
    runnel__stream_end(stream, attempt->request->code, RUNNEL_PHASE_REQUEST, 0);
  else if (retarget(stream))
    runnel__attempt_queue(stream);
}

static void hear_connecting(void *owner) {
  runnel_stream *stream = owner;
  struct runnel__attempt *attempt = stream->attempt;
  const struct runnel__dialer *dialer = &attempt->dialer;
  attempt->peer = dialer->dials[dialer->next - 1].addr;
  runnel__client_begin(stream->client);
  if (stream->state == RUNNEL_STATE_CONNECTING) {
    runnel__stream_arm(stream);
  } else {
    int64_t limit_ms = runnel__later(runnel__client_now(stream->client),
                                     stream->policy->connect_ms_max);
    runnel__stream_set_state(
        stream, RUNNEL_STATE_CONNECTING,
        limit_ms < attempt->open_at_ms ? limit_ms : attempt->open_at_ms);
  }
  runnel__client_end(stream->client);
}

static void hear_connected(void *owner, struct runnel__link *link,
                           const struct runnel__addr *addr) {
  runnel_stream *stream = owner;
  runnel_client *client = stream->client;
  runnel__client_begin(client);
  stream->attempt->peer = *addr;
  release_slot(stream->attempt);
  runnel__describe_step(stream, "connected to");
  if (stream->attempt->url.https) {
    runnel__handshake_start(stream, link);
  } else {
    runnel__lookups_prefer(&client->lookups, stream->attempt->url.host, addr);
    if (runnel__exchange_start(stream, link) != RUNNEL_OK)
      runnel__stream_end(stream, RUNNEL_ENOMEM, RUNNEL_PHASE_HEAD, 0);
  }
  runnel__client_end(client);
}

static void hear_failed(void *owner, int code, int phase, int native,
                        const struct runnel__addr *addr) {
  runnel_stream *stream = owner;
  runnel_client *client = stream->client;
  runnel__client_begin(client);
  stream->attempt->peer = *addr;
  release_slot(stream->attempt);
  if (code == RUNNEL_ECONNECT)
    runnel__lookups_forget(&client->lookups, stream->attempt->url.host);
  if (code == RUNNEL_ERESOURCE)
    runnel__gate_pause(&client->gate,
                       runnel__client_now(client) + RUNNEL__RESOURCE_PAUSE_MS);
  runnel__stream_end(stream, code, phase, native);
  runnel__client_end(client);
}

/* localhost and the names under it are the loopback addresses, whatever a
 * resolver would say, and where there is none (RFC 6761 6.3). */
static int is_localhost(struct runnel__str host) {
  if (host.len > 0 && host.at[host.len - 1] == '.')
    host.len--;
  return runnel__str_eq_nocase(host, RUNNEL__STR("localhost")) ||
         runnel__str_ends_nocase(host, RUNNEL__STR(".localhost"));
}

static void dial_loopback(struct runnel__dialer *dialer, uint16_t port) {
  const struct runnel__addr addrs[] = {
      {.ip = {[15] = 1}, .v6 = 1, .port = port},
      {.ip = {127, 0, 0, 1}, .port = port},
  };
  runnel__dialer_connect(dialer, addrs, 2);
}

static void start_dial(runnel_stream *stream) {
  static const struct runnel__dialer_ears ears = {hear_connecting,
                                                  hear_connected, hear_failed};
  struct runnel__attempt *attempt = stream->attempt;
  const struct runnel__policy *policy = stream->policy;
  const struct runnel__url *url = &attempt->url;
  struct runnel__target target = {
      .unix_path = stream->ask.unix_path,
      .keepalive_s = (int)policy->keepalive_s,
      .keepalive_interval_s = (int)policy->keepalive_interval_s,
      .keepalive_probes = (int)policy->keepalive_probes,
  };
  struct runnel__dialer *dialer = &attempt->dialer;
  attempt->peer = (struct runnel__addr){0};
  runnel__describe_step(stream, "dialling");
  runnel__stream_set_state(stream, RUNNEL_STATE_RESOLVING, attempt->open_at_ms);
  runnel__dialer_init(dialer, &stream->client->lookups, &ears, stream, &target);
  const struct runnel__addr *addr =
      runnel__client_override(stream->client, url->host, url->port);
  if (addr == NULL && (url->literal || target.unix_path != NULL))
    addr = &url->addr;
  if (addr != NULL)
    runnel__dialer_connect(dialer, addr, 1);
  else if (is_localhost(url->host))
    dial_loopback(dialer, url->port);
  else
    runnel__dialer_resolve(dialer, url->host, url->port);
}

void runnel__attempt_admitted(runnel_stream *stream) {
  /* It left the queue: no callback and no ending may look for it there. */
  runnel__stream_set_state(stream, RUNNEL_STATE_RESOLVING, RUNNEL__NEVER);
  if (stream->attempt == NULL) {
    stream->attempts++;
    stream->reconnect_ms = RUNNEL__NEVER; /* this is the new connection */
    if (begin_attempt(stream) != RUNNEL_OK) {
      runnel__gate_done(&stream->client->gate, stream->origin);
      stream->client->gate_dirty = 1;
      runnel__stream_end(stream, RUNNEL_ENOMEM, RUNNEL_PHASE_REQUEST, 0);
      return;
    }
  }
  struct runnel__attempt *attempt = stream->attempt;
  attempt->dialing = 1;
  runnel__attempt_start_clock(stream);
  if (!attempt->asked && !ask_application(stream))
    return;
  int err = attempt->url.https ? runnel__handshake_prepare(stream) : RUNNEL_OK;
  if (err == RUNNEL_OK)
    start_dial(stream);
  else
    runnel__stream_end(stream, err, RUNNEL_PHASE_HANDSHAKE, 0);
}
