/* The application in a storm: checks what it is shown, and does foolish things
 * in callbacks and outside. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm.h"

#define RETRY_MS 1000
#define RETRY_MS_MAX 30000
#define HEADROOM_MS 2 /* of rounding */

__attribute__((format(printf, 2, 3))) static void
fail(const struct storm_stream *stream, const char *format, ...) {
  char line[400];
  char text[300];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(line, sizeof line, "stream %zu: %s", stream->feed.number, text);
  stream->storm->fail(stream->storm, line);
  abort();
}

static struct storm_stream *enter(void *user, const char *broken) {
  struct storm_stream *stream = user;
  if (broken != NULL)
    fail(stream, "%s", broken);
  if (stream->storm->in_call)
    fail(stream, "a callback inside a call");
  return stream;
}

static int chance(struct storm *storm, uint64_t times) {
  return !storm->kind && storm_chance(&storm->random, times);
}

static void do_close(struct storm_stream *stream) {
  stream->storm->in_call++;
  if (runnel_stream_close(stream->stream) == RUNNEL_OK)
    stream->order.closing = 1;
  stream->storm->in_call--;
}

static void do_pause(struct storm_stream *stream, int on) {
  stream->storm->in_call++;
  int code = on ? runnel_stream_pause(stream->stream)
                : runnel_stream_resume(stream->stream);
  stream->storm->in_call--;
  if (code == RUNNEL_OK)
    stream->order.paused = on;
}

static void do_reconnect(struct storm_stream *stream) {
  stream->storm->in_call++;
  int code = runnel_stream_reconnect(stream->stream);
  stream->storm->in_call--;
  if (code != RUNNEL_OK)
    return;
  if (stream->feed.once)
    fail(stream, "a one-shot stream reconnects");
  order_reconnected(&stream->order);
  stream->reconnected = 1;
  stream->refused = 0;
}

static void do_proceed(struct storm_stream *stream, int code) {
  runnel_request *request = stream->held;
  stream->held = NULL;
  stream->storm->in_call++;
  if (runnel_request_proceed(request, code) != RUNNEL_OK)
    fail(stream, "proceed is refused");
  stream->storm->in_call--;
}

static void reconnect_all(struct storm *storm) {
  int64_t spread_ms = (int64_t)storm_below(&storm->random, 5000);
  storm->in_call++;
  if (runnel_client_reconnect(storm->client, spread_ms) != RUNNEL_OK)
    storm->fail(storm, "reconnecting all is refused");
  storm->in_call--;
  for (size_t i = 0; i < storm->next; i++)
    order_reconnects_later(&storm->streams[i].order);
}

void storm_app_meddle(struct storm_stream *stream) {
  struct storm *storm = stream->storm;
  if (stream->held != NULL && storm_chance(&storm->random, 2)) {
    do_proceed(stream,
               storm_chance(&storm->random, 4) ? RUNNEL_ENOMEM : RUNNEL_OK);
    return;
  }
  if (stream->stream == NULL)
    return;
  switch (storm_below(&storm->random, 40)) {
  case 0:
    do_close(stream);
    break;
  case 1:
  case 2:
  case 3:
    do_reconnect(stream);
    break;
  case 4:
  case 5:
  case 6:
    do_pause(stream, 1);
    break;
  case 7:
    storm_app_open(storm);
    break;
  case 8:
    if (storm_chance(&storm->random, 20))
      reconnect_all(storm);
    break;
  default:
    do_pause(stream, 0);
    break;
  }
}

/* In a callback, mostly to the stream itself. */
static void meddle_inside(struct storm_stream *stream) {
  struct storm *storm = stream->storm;
  if (chance(storm, 12))
    storm_app_meddle(stream);
  if (chance(storm, 100))
    storm_app_meddle(&storm->streams[storm_below(&storm->random, storm->next)]);
}

void storm_app_release(struct storm_stream *stream) {
  if (stream->held != NULL)
    do_proceed(stream, RUNNEL_OK);
  if (stream->stream != NULL && stream->order.paused)
    do_pause(stream, 0);
}

static void spend(struct storm_stream *stream, struct storm_bucket *bucket,
                  int64_t rate) {
  int64_t now_ms = stream->storm->sim.now_ms;
  if (rate <= 0)
    return;
  bucket->tokens += (double)(now_ms - bucket->filled_ms) * (double)rate / 1000;
  bucket->filled_ms = now_ms;
  if (bucket->tokens > (double)rate)
    bucket->tokens = (double)rate;
  bucket->tokens -= 1;
  if (bucket->tokens < -0.01)
    fail(stream, "the gate lets too many through");
}

static void check_gate(struct storm_stream *stream) {
  struct storm *storm = stream->storm;
  const struct runnel_client_options *options = &storm->options;
  spend(stream, &storm->bucket, options->dials_per_second_max);
  spend(stream, &storm->origin_buckets[stream->origin],
        options->origin_dials_per_second_max);
}

void storm_app_check(struct storm *storm) {
  int64_t dials = 0;
  int64_t by_origin[STORM_ORIGINS] = {0};
  for (size_t i = 0; i < storm->next; i++) {
    struct storm_stream *stream = &storm->streams[i];
    if (stream->stream == NULL)
      continue;
    int state = runnel_stream_state(stream->stream);
    if (state != RUNNEL_STATE_RESOLVING && state != RUNNEL_STATE_CONNECTING)
      continue;
    dials++;
    if (!stream->crossed &&
        ++by_origin[stream->origin] > storm->options.origin_dials_max)
      fail(stream, "more dials than origin_dials_max");
  }
  const struct runnel_client_stats *stats = runnel_client_stats(storm->client);
  const struct runnel_client_options *options = &storm->options;
  if (dials > options->dials_max || (int64_t)stats->dials > options->dials_max)
    storm->fail(storm, "more dials than dials_max");
  if ((int64_t)stats->handshakes > options->handshakes_max)
    storm->fail(storm, "more handshakes than handshakes_max");
  if (stats->held_bytes > (uint64_t)options->held_bytes_max)
    storm->fail(storm, "more bytes held than held_bytes_max");
  if (stats->streams != storm->open)
    storm->fail(storm, "the count of streams is wrong");
}

static void check_delay(struct storm_stream *stream,
                        const struct runnel_end *end, int64_t delay_ms) {
  int64_t base = runnel_stream_stats(stream->stream)->retry_ms;
  if (base < 100 || base > 3600000)
    fail(stream, "a base of %" PRId64 " ms", base);
  if (end->code == RUNNEL_EUNAUTHORIZED)
    return;
  int64_t cap = RETRY_MS_MAX > base ? RETRY_MS_MAX : base;
  int64_t d = base;
  for (uint64_t i = 1; i < end->failures && d < cap; i++)
    d *= 2;
  if (d > cap || end->code == RUNNEL_ETRUST)
    d = cap;
  int64_t least = d / 2 > base ? d / 2 : base;
  int64_t most = (d > base ? d : base) + base / 4;
  if (stream->after_ms > least && end->status == 503)
    least = stream->after_ms;
  if (stream->after_ms * 6 / 5 > most && end->status == 503)
    most = stream->after_ms * 6 / 5;
  if (delay_ms < least - HEADROOM_MS || delay_ms > most + HEADROOM_MS)
    fail(stream,
         "a delay of %" PRId64 " ms after %" PRIu64 " failures: not %" PRId64
         " to %" PRId64,
         delay_ms, end->failures, least, most);
}

static void check_failures(struct storm_stream *stream,
                           const struct runnel_end *end) {
  int64_t failures = (int64_t)end->failures;
  if (end->code == RUNNEL_EUNAUTHORIZED && failures == 0)
    return;
  if (failures != 0 && failures != 1 && failures != stream->failures + 1)
    fail(stream, "%" PRId64 " failures after %" PRId64, failures,
         stream->failures);
  stream->failures = failures;
}

static void hear_request(runnel_stream *handle, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct storm_stream *stream = user;
  enter(user, order_request(&stream->order, attempt->why));
  struct storm *storm = stream->storm;
  char id[32] = "";
  (void)handle;
  if (stream->taken > 0)
    snprintf(id, sizeof id, "%" PRIu64, stream->taken);
  if (strcmp(attempt->id, id) != 0)
    fail(stream, "on_request with id %s, taken %s", attempt->id, id);
  if (attempt->why == RUNNEL_WHY_RETRY && !stream->reconnected &&
      storm->sim.now_ms < stream->not_before_ms)
    fail(stream, "an attempt before its time");
  if (attempt->why != RUNNEL_WHY_REDIRECT) {
    storm->totals.attempts++;
    check_gate(stream);
  }
  stream->reconnected = 0;
  stream->crossed = attempt->cross_origin;
  if (stream->held == NULL && chance(storm, 20) &&
      runnel_request_hold(request) == RUNNEL_OK)
    stream->held = request;
  else if (chance(storm, 10) &&
           runnel_request_set_header(request, "X-Try", "1", 0) != RUNNEL_OK &&
           storm->memory.failed == 0)
    fail(stream, "set_header is refused");
  meddle_inside(stream);
}

static void hear_open(runnel_stream *handle, const struct runnel_open *open,
                      void *user) {
  struct storm_stream *stream = user;
  enter(user, order_open(&stream->order));
  (void)handle;
  if (open->status != 200)
    fail(stream, "on_open with status %d", open->status);
  if (stream->feed.once && stream->taken > 0)
    fail(stream, "a one-shot stream opens again");
  meddle_inside(stream);
}

static void check_event(struct storm_stream *stream,
                        const struct runnel_event *event) {
  struct story_bytes data = {0};
  uint64_t k = stream->taken + 1;
  storm_event_data(&data, &stream->feed, k);
  if (event->data_len != data.len ||
      memcmp(event->data, data.at, data.len + 1) != 0)
    fail(stream, "after event %" PRIu64 " comes: %.60s", stream->taken,
         event->data);
  if (strtoull(event->id, NULL, 10) != k || !event->has_id)
    fail(stream, "event %" PRIu64 " has the id %s", k, event->id);
  if (stream->refused != 0 && stream->refused != k)
    fail(stream, "another event than the refused one");
  story_bytes_free(&data);
}

static int hear_event(runnel_stream *handle, const struct runnel_event *event,
                      void *user) {
  struct storm_stream *stream = user;
  enter(user, order_shown(&stream->order));
  struct storm *storm = stream->storm;
  (void)handle;
  check_event(stream, event);
  if (chance(storm, 15)) {
    storm->totals.refusals++;
    stream->refused = stream->taken + 1;
    stream->order.paused = 1;
    return RUNNEL_LATER;
  }
  stream->refused = 0;
  stream->taken++;
  storm->totals.events++;
  meddle_inside(stream);
  return RUNNEL_OK;
}

static void hear_comment(runnel_stream *handle, const char *text, size_t len,
                         void *user) {
  struct storm_stream *stream = user;
  enter(user, order_shown(&stream->order));
  (void)handle;
  if (len != 8 || memcmp(text, " comment", 9) != 0)
    fail(stream, "a comment that nobody sent");
  meddle_inside(stream);
}

static void hear_end(runnel_stream *handle, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct storm_stream *stream = user;
  enter(user, order_end(&stream->order, end->code, end->phase));
  struct storm *storm = stream->storm;
  (void)handle;
  storm->totals.ends++;
  stream->refused = 0;
  if (verdict->retry)
    check_delay(stream, end, verdict->delay_ms);
  check_failures(stream, end);
  stream->after_ms = -1;
  stream->not_before_ms = storm->sim.now_ms + verdict->delay_ms;
  meddle_inside(stream);
  order_verdict(&stream->order, verdict->retry, end->code);
}

static void hear_close(runnel_stream *handle, int code, void *user) {
  struct storm_stream *stream = user;
  enter(user, order_close(&stream->order, code));
  struct storm *storm = stream->storm;
  (void)handle;
  /* A one-shot body without framing may be cut at an event's end unseen. */
  int may_be_short = stream->feed.once && stream->reply.status < 0;
  if (code == RUNNEL_OK && !may_be_short &&
      stream->taken != stream->feed.events)
    fail(stream, "in peace after %" PRIu64 " of %" PRIu64 " events",
         stream->taken, stream->feed.events);
  stream->stream = NULL;
  storm->open--;
  if (chance(storm, 4))
    storm_app_open(storm);
}

static int is_https(int origin) { return origin % 3 == 1; }

static void write_url(char *url, size_t size, size_t number, int origin) {
  if (origin < STORM_ORIGINS / 2)
    snprintf(url, size, "http%s://10.0.0.%d/%zu", is_https(origin) ? "s" : "",
             origin + 1, number);
  else
    snprintf(url, size, "http%s://host%d.test:8080/%zu",
             is_https(origin) ? "s" : "", origin, number);
}

static void set_ears(struct runnel_stream_options *options) {
  options->on_request = hear_request;
  options->on_open = hear_open;
  options->on_event = hear_event;
  options->on_comment = hear_comment;
  options->on_end = hear_end;
  options->on_close = hear_close;
}

void storm_app_open(struct storm *storm) {
  if (storm->next == STORM_STREAMS || storm->client_closing)
    return;
  size_t number = storm->next++;
  struct storm_stream *stream = &storm->streams[number];
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[64];
  *stream = (struct storm_stream){
      .storm = storm,
      .feed = {storm->seed, number, 1 + storm_below(&storm->random, 20),
               storm_chance(&storm->random, 8), 0},
      .after_ms = -1,
      .origin = (int)storm_below(&storm->random, STORM_ORIGINS),
  };
  stream->feed.https = is_https(stream->origin);
  stream->order.wants_request = 1;
  stream->order.wants_end = 1;
  write_url(url, sizeof url, number, stream->origin);
  options.url = url;
  options.user = stream;
  set_ears(&options);
  if (stream->feed.once)
    options.method = "POST";
  if (storm_chance(&storm->random, 2))
    options.idle_ms_max = 20000;
  storm->in_call++;
  int code = runnel_stream_open(&stream->stream, storm->client, &options);
  storm->in_call--;
  if (code == RUNNEL_ENOMEM && storm->memory.failed > 0) {
    stream->stream = NULL;
    return;
  }
  if (code != RUNNEL_OK)
    fail(stream, "open: %s", runnel_err_name(code));
  stream->opened = 1;
  storm->open++;
  storm->totals.streams++;
}

static void hear_client_closed(void *user) {
  struct storm *storm = user;
  if (storm->open > 0 || storm->client_closed)
    storm->fail(storm, "the client closed before its streams, or twice");
  storm->client_closed = 1;
}

void storm_app_close(struct storm *storm) {
  storm->in_call++;
  if (runnel_client_close(storm->client, hear_client_closed, storm) !=
      RUNNEL_OK)
    storm->fail(storm, "the client does not close");
  storm->in_call--;
  storm->client_closing = 1;
  for (size_t i = 0; i < storm->next; i++)
    storm->streams[i].order.closing = 1;
}
