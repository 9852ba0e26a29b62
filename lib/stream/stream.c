/* What the application sees of a stream: opening, closing, pausing,
 * reconnecting, ids. What is under way is attempt.c's and exchange.c's. */
#include "stream.h"

#include <string.h>

#include "client.h"
#include "request.h"

static int check_options(const struct runnel_stream_options *merged,
                         const struct runnel_client *client, char *text) {
  int err = runnel__options_check(merged, "", text);
  if (err == RUNNEL_OK)
    err = runnel__ask_check(merged, 1, "", text);
  if (err != RUNNEL_OK)
    return err;
  if (merged->on_event == NULL)
    return runnel__options_refuse(text, RUNNEL_EINVAL, "on_event is missing");
  if (merged->on_end == NULL && merged->on_close == NULL &&
      client->log.write == NULL)
    return runnel__options_refuse(
        text, RUNNEL_EINVAL,
        "on_end, on_close and the client's log are all missing: the stream "
        "could fail unseen");
  return RUNNEL_OK;
}

/* https needs settings that can be used, and says so before anything is done.
 */
static int check_tls(const struct runnel_stream_options *merged,
                     runnel_client *client, char *text) {
  struct runnel__url url;
  int err = runnel__url_parse(&url, runnel__str_of(merged->url), NULL);
  if (err != RUNNEL_OK || !url.https)
    return err;
  return runnel__handshake_ready(client, merged->tls, text);
}

static int check_id(const char *id, size_t len, size_t max) {
  if (len > max)
    return RUNNEL_ETOOBIG;
  for (size_t i = 0; i < len; i++)
    if (id[i] == '\0' || id[i] == '\r' || id[i] == '\n')
      return RUNNEL_EINVAL;
  return RUNNEL_OK;
}

static struct runnel__str
first_id(const struct runnel_stream_options *options) {
  struct runnel__str id = runnel__str_of(options->last_event_id);
  if (options->last_event_id != NULL && options->last_event_id_len != 0)
    id.len = options->last_event_id_len;
  return id;
}

static int check_first_id(const struct runnel_stream_options *options,
                          const struct runnel_stream_options *merged,
                          char *text) {
  struct runnel__str id = first_id(options);
  size_t max = merged->id_bytes_max == 0 ? 1024 : (size_t)merged->id_bytes_max;
  if (options->last_event_id == NULL && options->last_event_id_len != 0)
    return runnel__options_refuse(text, RUNNEL_EINVAL,
                                  "last_event_id is NULL, its length %zu",
                                  options->last_event_id_len);
  int err = check_id(id.at, id.len, max);
  if (err == RUNNEL_ETOOBIG)
    return runnel__options_refuse(text, RUNNEL_EINVAL,
                                  "last_event_id is %zu bytes long: over %zu",
                                  id.len, max);
  if (err != RUNNEL_OK)
    return runnel__options_refuse(text, err,
                                  "last_event_id holds NUL, CR or LF");
  return RUNNEL_OK;
}

static void init_lists(runnel_stream *stream) {
  runnel__list_init(&stream->all);
  runnel__list_init(&stream->ready);
  runnel__list_init(&stream->queue);
  stream->deadline_ms = RUNNEL__NEVER;
  stream->left_ms = RUNNEL__NEVER;
  stream->reconnect_ms = RUNNEL__NEVER;
}

/* Everything of a new stream that takes memory. What was made is freed with the
 * stream. */
static int fill(runnel_stream *stream,
                const struct runnel_stream_options *merged) {
  runnel_client *client = stream->client;
  struct runnel__policy *policy =
      runnel__policy_take(&client->mem, merged, client->last_policy);
  if (policy == NULL)
    return RUNNEL_ENOMEM;
  stream->policy = policy;
  runnel__parser_init(&stream->parser, &client->mem, &policy->rules);
  stream->base_ms = policy->retry_ms;
  int err = runnel__ask_copy(&stream->ask, &client->mem, merged,
                             client->defaults.headers);
  if (err != RUNNEL_OK)
    return err;
  struct runnel__url url;
  err = runnel__url_parse(&url, runnel__str_of(stream->ask.url), NULL);
  if (err != RUNNEL_OK)
    return err;
  stream->origin = runnel__origin_take(&client->gate, &client->mem, &url);
  if (stream->origin == NULL)
    return RUNNEL_ENOMEM;
  return runnel__parser_set_id(&stream->parser, first_id(merged));
}

/* Later streams with equal options share this one's policy. */
static void remember_policy(runnel_client *client,
                            struct runnel__policy *policy) {
  if (client->last_policy == policy)
    return;
  runnel__policy_give(client->last_policy, &client->mem);
  policy->refs++;
  client->last_policy = policy;
}

static int make(runnel_stream **stream, runnel_client *client,
                const struct runnel_stream_options *merged) {
  runnel_stream *made = runnel__alloc_zero(&client->mem, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  made->client = client;
  made->user = merged->user;
  init_lists(made);
  int err = fill(made, merged);
  if (err == RUNNEL_OK)
    err = runnel__client_add(client, made);
  if (err != RUNNEL_OK) {
    runnel__stream_free(made);
    return err;
  }
  remember_policy(client, made->policy);
  *stream = made;
  return RUNNEL_OK;
}

int runnel__stream_open(runnel_stream **stream, runnel_client *client,
                        struct runnel_stream_options *options) {
  if (options == NULL || options->size == 0)
    return RUNNEL_EINVAL;
  char *text = options->error_text;
  text[0] = '\0';
  int err =
      runnel__options_size(options, options->size, sizeof *options, "", text);
  if (err != RUNNEL_OK)
    return err;
  if (client->closing)
    return runnel__options_refuse(text, RUNNEL_ESTATE, "the client is closing");
  struct runnel_stream_options merged;
  runnel__options_merge(&merged, options, &client->defaults);
  err = check_options(&merged, client, text);
  if (err == RUNNEL_OK)
    err = check_first_id(options, &merged, text);
  if (err == RUNNEL_OK)
    err = check_tls(&merged, client, text);
  if (err != RUNNEL_OK)
    return err;
  runnel_stream *made = NULL;
  err = make(&made, client, &merged);
  if (err != RUNNEL_OK)
    return runnel__options_refuse(text, err, "out of memory");
  runnel__attempt_queue(made);
  runnel__client_settle(client);
  if (stream != NULL)
    *stream = made;
  return RUNNEL_OK;
}

void runnel__stream_free(runnel_stream *stream) {
  struct runnel__mem *mem = &stream->client->mem;
  runnel__attempt_forget(stream);
  runnel__attempt_sweep(stream);
  runnel__exchange_sweep(stream);
  if (stream->policy != NULL)
    runnel__parser_deinit(&stream->parser);
  runnel__origin_give(&stream->client->gate, mem, stream->origin);
  runnel__ask_free(&stream->ask, mem);
  runnel__policy_give(stream->policy, mem);
  runnel__free(mem, stream);
}

void runnel__stream_sweep(runnel_stream *stream) {
  stream->stale = 0;
  runnel__attempt_sweep(stream);
  runnel__exchange_sweep(stream);
}

void runnel__stream_arm(runnel_stream *stream) {
  int64_t at_ms = stream->deadline_ms;
  const struct runnel__attempt *attempt = stream->attempt;
  if (attempt != NULL && attempt->dialer.stagger_at_ms < at_ms &&
      stream->state == RUNNEL_STATE_CONNECTING)
    at_ms = attempt->dialer.stagger_at_ms;
  if (stream->reconnect_ms < at_ms)
    at_ms = stream->reconnect_ms;
  struct runnel__heap *heap = &stream->client->heap;
  if (at_ms == RUNNEL__NEVER)
    runnel__heap_remove(heap, &stream->clock);
  else if (stream->clock.place == 0 || stream->clock.at_ms != at_ms)
    runnel__heap_set(heap, &stream->clock, at_ms);
}

/* Clocks of a response stand still in a pause. */
static int clock_stands(const runnel_stream *stream) {
  return stream->paused && (stream->state == RUNNEL_STATE_WAITING_HEAD ||
                            stream->state == RUNNEL_STATE_OPEN);
}

static void stop_clock(runnel_stream *stream) {
  if (!clock_stands(stream) || stream->deadline_ms == RUNNEL__NEVER)
    return;
  if (stream->attempt != NULL)
    runnel__attempt_stop_clock(stream);
  int64_t now_ms = runnel__client_now(stream->client);
  if (stream->state == RUNNEL_STATE_OPEN) /* bytes put it off, unseen so far */
    stream->deadline_ms =
        runnel__later(stream->heard_ms, stream->policy->idle_ms_max);
  stream->left_ms =
      stream->deadline_ms > now_ms ? stream->deadline_ms - now_ms : 0;
  stream->deadline_ms = RUNNEL__NEVER;
}

void runnel__stream_set_state(runnel_stream *stream, int state,
                              int64_t deadline_ms) {
  stream->state = (uint8_t)state;
  stream->deadline_ms = deadline_ms;
  stream->left_ms = RUNNEL__NEVER;
  stop_clock(stream);
  runnel__stream_arm(stream);
}

int runnel__stream_close(runnel_stream *stream, int code) {
  if (stream->state == RUNNEL_STATE_CLOSING)
    return RUNNEL_OK;
  runnel__attempt_cut(stream);
  stream->close_code = code;
  stream->reconnect_ms = RUNNEL__NEVER;
  runnel__stream_set_state(stream, RUNNEL_STATE_CLOSING, RUNNEL__NEVER);
  runnel__client_ready(stream->client, stream);
  runnel__client_settle(stream->client);
  return RUNNEL_OK;
}

static void finish_close(runnel_stream *stream) {
  runnel_client *client = stream->client;
  const struct runnel__policy *policy = stream->policy;
  char name[RUNNEL__TEXT_BYTES];
  if (runnel__log_wants(&client->log, RUNNEL_LOG_INFO)) {
    runnel__describe_url(name, sizeof name, stream);
    runnel__log_line(&client->log, RUNNEL_LOG_INFO, "%s: closed (%s)", name,
                     runnel_err_name(stream->close_code));
  }
  if (policy->on_close != NULL) {
    runnel__stream_enter(stream);
    policy->on_close(stream, stream->close_code, stream->user);
    runnel__stream_leave(stream);
  }
  runnel__stream_add_stats(stream, &client->past);
  runnel__client_remove(client, stream);
  runnel__stream_free(stream);
}

int runnel__stream_pause(runnel_stream *stream) {
  if (stream->state == RUNNEL_STATE_CLOSING)
    return RUNNEL_ESTATE;
  if (stream->paused)
    return RUNNEL_OK;
  stream->paused = 1;
  if (stream->state == RUNNEL_STATE_QUEUED)
    runnel__gate_leave(runnel__attempt_origin(stream), &stream->queue);
  stop_clock(stream);
  runnel__stream_arm(stream);
  runnel__exchange_listen(stream);
  runnel__client_settle(stream->client);
  return RUNNEL_OK;
}

int runnel__stream_resume(runnel_stream *stream) {
  if (stream->state == RUNNEL_STATE_CLOSING)
    return RUNNEL_ESTATE;
  if (!stream->paused)
    return RUNNEL_OK;
  stream->paused = 0;
  int64_t now_ms = runnel__client_now(stream->client);
  if (stream->left_ms != RUNNEL__NEVER) {
    stream->deadline_ms = now_ms + stream->left_ms;
    stream->left_ms = RUNNEL__NEVER;
    if (stream->attempt != NULL)
      runnel__attempt_start_clock(stream);
    if (stream->state == RUNNEL_STATE_OPEN)
      stream->heard_ms = stream->deadline_ms - stream->policy->idle_ms_max;
    runnel__stream_arm(stream);
  }
  if (stream->state == RUNNEL_STATE_QUEUED)
    runnel__attempt_queue(stream);
  runnel__client_ready(stream->client, stream);
  runnel__client_settle(stream->client);
  return RUNNEL_OK;
}

/* A backoff after failures may be cut short once per base. */
static int may_hurry(runnel_stream *stream, int64_t now_ms) {
  if (stream->failures == 0 || stream->state != RUNNEL_STATE_BACKING_OFF)
    return 1;
  if (stream->hurried_ms != 0 && now_ms - stream->hurried_ms < stream->base_ms)
    return 0;
  stream->hurried_ms = now_ms;
  return 1;
}

int runnel__stream_reconnect(runnel_stream *stream) {
  if (stream->state == RUNNEL_STATE_CLOSING || stream->policy->once)
    return RUNNEL_ESTATE;
  stream->reconnect_ms = RUNNEL__NEVER;
  if (!may_hurry(stream, runnel__client_now(stream->client))) {
    runnel__stream_arm(stream);
    return RUNNEL_OK;
  }
  if (stream->attempt != NULL || stream->link != NULL) {
    stream->last_code = RUNNEL_ECANCELED;
    stream->last_status = 0;
  }
  runnel__attempt_cut(stream);
  stream->why = stream->attempts == 0 ? RUNNEL_WHY_FIRST : RUNNEL_WHY_RECONNECT;
  runnel__attempt_queue(stream);
  runnel__client_settle(stream->client);
  return RUNNEL_OK;
}

int runnel__stream_set_id(runnel_stream *stream, const char *id, size_t len) {
  if (stream->state == RUNNEL_STATE_CLOSING)
    return RUNNEL_ESTATE;
  struct runnel__str text = {id == NULL ? "" : id, id == NULL ? 0 : len};
  int err = check_id(text.at, text.len, stream->policy->rules.id_bytes_max);
  if (err != RUNNEL_OK)
    return err;
  return runnel__parser_set_id(&stream->parser, text);
}

void runnel__stream_serve(runnel_stream *stream) {
  if (stream->state == RUNNEL_STATE_CLOSING) {
    finish_close(stream);
    return;
  }
  runnel__deliver_id(stream);
  if (stream->paused || stream->state == RUNNEL_STATE_CLOSING)
    return; /* closing: it is on the ready list again */
  if (stream->parked) {
    stream->parked = 0;
    runnel__stream_end(stream, stream->parked_code, stream->parked_phase,
                       stream->parked_native);
  } else if (stream->proceeded) {
    stream->proceeded = 0;
    runnel__attempt_proceed(stream);
  } else {
    runnel__exchange_serve(stream);
  }
}

void runnel__stream_stats(const runnel_stream *stream,
                          struct runnel_stream_stats *stats) {
  const struct runnel__parser_counts *counts = &stream->parser.counts;
  *stats = (struct runnel_stream_stats){
      .attempts = stream->attempts,
      .opens = stream->opens,
      .events = stream->events,
      .comments = counts->comments,
      .drops = counts->drops,
      .refusals = stream->refusals,
      .failures = stream->failures,
      .bytes = counts->bytes,
      .bytes_copied = counts->bytes_copied,
      .bytes_moved = counts->bytes_moved,
      .held_bytes = runnel__parser_held(&stream->parser),
      .retry_ms = stream->base_ms,
  };
  if (stream->rest != NULL)
    stats->held_bytes += stream->rest->held;
  if (stream->attempt != NULL)
    stats->held_bytes += stream->attempt->error_body.cap;
}

void runnel__stream_add_stats(const runnel_stream *stream,
                              struct runnel_client_stats *stats) {
  const struct runnel__parser_counts *counts = &stream->parser.counts;
  stats->attempts += stream->attempts;
  stats->opens += stream->opens;
  stats->events += stream->events;
  stats->bytes += counts->bytes;
  stats->bytes_copied += counts->bytes_copied;
  stats->bytes_moved += counts->bytes_moved;
}
