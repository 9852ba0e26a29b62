/* The host program of the tests: a loop, a counted client, feeds. */
#include "host.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `sign` 1: a block came; -1: it goes. */
static void count(struct host *host, void *memory, long sign) {
  long size = (long)malloc_usable_size(memory) * sign;
  long bytes = atomic_fetch_add(&host->bytes, size) + size;
  long peak = atomic_load(&host->bytes_peak);
  while (bytes > peak &&
         !atomic_compare_exchange_weak(&host->bytes_peak, &peak, bytes))
    ;
  atomic_fetch_add(&host->blocks, sign);
}

static void *count_alloc(size_t size, void *ctx) {
  void *memory = malloc(size);
  if (memory != NULL)
    count(ctx, memory, 1);
  return memory;
}

static void *count_realloc(void *memory, size_t size, void *ctx) {
  if (memory != NULL)
    count(ctx, memory, -1);
  void *moved = realloc(memory, size);
  if (moved != NULL)
    count(ctx, moved, 1);
  else if (memory != NULL)
    count(ctx, memory, 1);
  return moved;
}

static void count_free(void *memory, void *ctx) {
  count(ctx, memory, -1);
  free(memory);
}

static void on_watchdog(uv_timer_t *timer) {
  (void)timer;
  fail_msg("nothing more happened within %d ms", HOST_WATCHDOG_MS);
}

void host_open_bare(struct host *host) {
  memset(host, 0, sizeof *host);
  atomic_init(&host->blocks, 0);
  host->hooks =
      (struct runnel_alloc){count_alloc, count_realloc, count_free, host};
  assert_int_equal(uv_loop_init(&host->loop), 0);
  uv_timer_init(&host->loop, &host->watchdog);
  uv_timer_start(&host->watchdog, on_watchdog, HOST_WATCHDOG_MS, 0);
  uv_unref((uv_handle_t *)&host->watchdog);
}

void host_open(struct host *host, struct runnel_client_options *options) {
  struct runnel_client_options defaults = RUNNEL_CLIENT_OPTIONS_INIT;
  if (options == NULL)
    options = &defaults;
  host_open_bare(host);
  options->alloc = host->hooks;
  int code = runnel_client_new(&host->client, &host->loop, options);
  if (code != RUNNEL_OK)
    fail_msg("client: %s: %s", runnel_err_name(code), options->error_text);
}

static void on_client_closed(void *user) {
  struct host *host = user;
  assert_int_equal(host->inside, 0);
  host->client_closed++;
  host->client = NULL;
}

void host_close_client(struct host *host) {
  assert_int_equal(runnel_client_close(host->client, on_client_closed, host),
                   RUNNEL_OK);
  host->client_closing = 1;
}

void host_turn(struct host *host) {
  if (!uv_loop_alive(&host->loop))
    fail_msg("the loop has nothing left to wait for");
  uv_run(&host->loop, UV_RUN_ONCE);
}

void host_drain(struct host *host) { uv_run(&host->loop, UV_RUN_DEFAULT); }

void host_close(struct host *host) {
  if (host->client != NULL && !host->client_closing)
    host_close_client(host);
  host_drain(host);
  assert_int_equal(host->client_closed, host->client_closing);
  uv_close((uv_handle_t *)&host->watchdog, NULL);
  host_drain(host);
  assert_int_equal(uv_loop_close(&host->loop), 0);
  assert_int_equal(atomic_load(&host->blocks), 0);
}

static void on_nudged(runnel_client *client, void *user) {
  (void)client;
  (void)user;
}

void host_nudge(void *host) {
  (void)runnel_client_post(((struct host *)host)->client, on_nudged, NULL);
}

/* Feeds -------------------------------------------------------------------- */

static char *copy(const char *bytes, size_t len) {
  char *text = malloc(len + 1);
  assert_non_null(text);
  memcpy(text, bytes, len);
  text[len] = '\0';
  return text;
}

static void note(struct feed *feed, char what) {
  feed->wrong += feed->closed != 0 || feed->host->inside != 0;
  size_t len = strlen(feed->heard);
  if (len + 1 < sizeof feed->heard)
    feed->heard[len] = what;
}

static void tell(struct feed *feed, char what) {
  if (feed->on_any != NULL)
    feed->on_any(feed, what);
}

static void keep_event(struct feed *feed, const struct runnel_event *event) {
  if (feed->events_len == feed->events_cap) {
    feed->events_cap = feed->events_cap * 2 + 16;
    feed->events =
        realloc(feed->events, feed->events_cap * sizeof *feed->events);
    assert_non_null(feed->events);
  }
  feed->events[feed->events_len] =
      (struct feed_event){.type = copy(event->type, event->type_len),
                          .data = copy(event->data, event->data_len),
                          .id = copy(event->id, event->id_len),
                          .data_len = event->data_len,
                          .has_id = event->has_id};
}

static void on_request(runnel_stream *stream, runnel_request *request,
                       const struct runnel_attempt *attempt, void *user) {
  struct feed *feed = user;
  (void)stream;
  (void)request;
  (void)attempt;
  note(feed, 'r');
  feed->requests++;
  tell(feed, 'r');
}

static void keep_headers(struct feed *feed, const struct runnel_open *open) {
  size_t len = 0;
  feed->headers[0] = '\0';
  for (size_t i = 0; i < open->headers_len && len < sizeof feed->headers; i++)
    len += (size_t)snprintf(feed->headers + len, sizeof feed->headers - len,
                            "%s: %s\n", open->headers[i].name,
                            open->headers[i].value);
}

static void on_open(runnel_stream *stream, const struct runnel_open *open,
                    void *user) {
  struct feed *feed = user;
  (void)stream;
  note(feed, 'o');
  feed->opens++;
  snprintf(feed->peer, sizeof feed->peer, "%s", open->peer);
  snprintf(feed->url, sizeof feed->url, "%s", open->url);
  feed->tls_resumed = open->tls_resumed;
  snprintf(feed->tls_version, sizeof feed->tls_version, "%s",
           open->tls_version == NULL ? "" : open->tls_version);
  keep_headers(feed, open);
  tell(feed, 'o');
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  struct feed *feed = user;
  note(feed, 'e');
  int code = feed->on_event == NULL ? RUNNEL_OK : feed->on_event(feed, event);
  if (code == RUNNEL_LATER)
    return code;
  if (!feed->count_only)
    keep_event(feed, event);
  feed->events_len++;
  feed->bytes += event->data_len;
  int last = feed->events_len == feed->close_after;
  if (feed->close_on != NULL)
    last |= strcmp(event->type, feed->close_on) == 0;
  if (last)
    assert_int_equal(runnel_stream_close(stream), RUNNEL_OK);
  tell(feed, 'e');
  return code;
}

static void on_comment(runnel_stream *stream, const char *text, size_t len,
                       void *user) {
  struct feed *feed = user;
  (void)stream;
  (void)text;
  (void)len;
  note(feed, 'k');
  feed->comments++;
  tell(feed, 'k');
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  struct feed *feed = user;
  (void)stream;
  note(feed, 'n');
  feed->ends++;
  feed->code = end->code;
  feed->phase = end->phase;
  feed->native = end->native;
  feed->status = end->status;
  feed->failures = end->failures;
  feed->unfinished = end->unfinished;
  feed->retry = verdict->retry;
  feed->retry_delay_ms = verdict->delay_ms;
  snprintf(feed->text, sizeof feed->text, "%s", end->text);
  snprintf(feed->body, sizeof feed->body, "%.*s", (int)end->body_len,
           end->body == NULL ? "" : end->body);
  if (feed->delay_ms != 0)
    verdict->delay_ms = feed->delay_ms;
  if (feed->stop_at_end)
    verdict->retry = 0;
  tell(feed, 'n');
}

static void on_close(runnel_stream *stream, int code, void *user) {
  struct feed *feed = user;
  (void)stream;
  note(feed, 'C');
  feed->closed++;
  feed->close_code = code;
  feed->stream = NULL;
  tell(feed, 'C');
}

int feed_try_open(struct feed *feed, struct host *host, const char *url,
                  struct runnel_stream_options *options) {
  struct runnel_stream_options with = RUNNEL_STREAM_OPTIONS_INIT;
  if (options != NULL)
    with = *options;
  with.url = url;
  with.user = feed;
  with.on_request = with.on_request != NULL ? with.on_request : on_request;
  with.on_open = with.on_open != NULL ? with.on_open : on_open;
  with.on_event = with.on_event != NULL ? with.on_event : on_event;
  with.on_comment = with.on_comment != NULL ? with.on_comment : on_comment;
  with.on_end = with.on_end != NULL ? with.on_end : on_end;
  with.on_close = with.on_close != NULL ? with.on_close : on_close;
  feed->host = host;
  int code = runnel_stream_open(&feed->stream, host->client, &with);
  snprintf(feed->text, sizeof feed->text, "%s", with.error_text);
  return code;
}

void feed_open(struct feed *feed, struct host *host, const char *url,
               struct runnel_stream_options *options) {
  int code = feed_try_open(feed, host, url, options);
  if (code != RUNNEL_OK)
    fail_msg("%s: %s: %s", url, runnel_err_name(code), feed->text);
}

void feed_deinit(struct feed *feed) {
  assert_int_equal(feed->wrong, 0);
  for (size_t i = 0; !feed->count_only && i < feed->events_len; i++) {
    free(feed->events[i].type);
    free(feed->events[i].data);
    free(feed->events[i].id);
  }
  free(feed->events);
  feed->events = NULL;
  feed->events_len = feed->events_cap = 0;
}
