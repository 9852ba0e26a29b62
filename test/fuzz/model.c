/* See model.h. */
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void hear_broken(void *user, const char *line) {
  (void)user;
  fuzz_fail("%s", line);
}

struct model_link *model_link_of(struct model *model, size_t number) {
  return number < MODEL_LINKS_MAX ? &model->links[number] : NULL;
}

void model_init(struct model *model, unsigned flags) {
  static const struct runnel_resolve fixed = {"fixed", 80, "10.9.9.9"};
  memset(model, 0, sizeof *model);
  struct runnel_alloc hooks = failing_alloc_hooks(&model->memory);
  sim_init(&model->sim, &hooks);
  model->sim.fail = hear_broken;
  model->sim.is_random = 1;
  model->sim.random = flags;
  struct runnel_client_options *options = &model->options;
  *options = (struct runnel_client_options)RUNNEL_CLIENT_OPTIONS_INIT;
  options->alloc = hooks;
  options->log = model_ears_log;
  options->log_level = RUNNEL_LOG_DEBUG;
  options->held_bytes_max = MODEL_HELD_BYTES_MAX;
  options->dials_max = flags & 1 ? 1 : 0;
  options->origin_dials_max = flags & 1 ? 1 : 0;
  options->dials_per_second_max = flags & 2 ? 1 : 0;
  options->lookup_ttl_ms = flags & 4 ? 1 : 0;
  options->lookup_stale_ms = flags & 4 ? RUNNEL_NONE : 0;
  options->handshakes_max = flags & 8 ? 1 : 0;
  options->resolve = &fixed;
  options->resolve_len = 1;
  if (runnel__client_new(&model->client, options) != RUNNEL_OK)
    fuzz_fail("no client: %s", options->error_text);
  model->client->pid = (long)getpid(); /* as runnel_client_new does */
  runnel__client_attach(model->client, &model->sim.world);
}

static void hear_client_closed(void *user) {
  struct model *model = user;
  FUZZ_CHECK(!model->client_closed && model->in_call == 0, "closed twice");
  for (size_t i = 0; i < model->streams_len; i++)
    FUZZ_CHECK(model->streams[i].stream == NULL,
               "a stream outlives its client");
  model->client_closed = 1;
  model->client = NULL;
}

static void close_client(struct model *model) {
  int code = runnel_client_close(model->client, hear_client_closed, model);
  FUZZ_CHECK(code == (model->client_closing ? RUNNEL_ESTATE : RUNNEL_OK),
             "client close: %d", code);
  model->client_closing = 1;
  for (size_t i = 0; i < model->streams_len; i++)
    model->streams[i].order.closing = 1;
}

static void proceed(struct model_stream *stream, int code) {
  runnel_request *request = stream->held[0];
  stream->held_len--;
  memmove(stream->held, stream->held + 1,
          stream->held_len * sizeof stream->held[0]);
  stream->model->in_call++;
  FUZZ_CHECK(runnel_request_proceed(request, code) == RUNNEL_OK, "proceed");
  stream->model->in_call--;
}

/* Actions ----------------------------------------------------------------- */

static void set_url(struct runnel_stream_options *options, unsigned which) {
  static const char *const urls[] = {
      "http://h/feed",        "http://u:s3cret@h:8080/feed?s3cret",
      "http://10.0.0.1/feed", "http://[2001:db8::1]:81/",
      "http://fixed/feed",
  };
  options->url = which == 15 ? "https://h/feed" : urls[which % 5];
}

/* 16 kinds of stream, with all callbacks or some. */
static void open_stream(struct model *model, uint8_t argument) {
  static const struct runnel_header headers[] = {
      {"Authorization", "Bearer " MODEL_SECRET, 0},
      {"X-Tenant", MODEL_SECRET, RUNNEL_SENSITIVE}};
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  unsigned kind = argument % 16, ears = argument / 16;
  if (model->streams_len == MODEL_STREAMS_MAX)
    return;
  struct model_stream *stream = &model->streams[model->streams_len];
  *stream = (struct model_stream){.model = model};
  set_url(&options, kind);
  model_ears_set(&options, ears);
  stream->order.wants_request = options.on_request != NULL;
  stream->order.wants_end = options.on_end != NULL;
  options.user = stream;
  options.headers = headers;
  options.headers_len = 2;
  options.idle_ms_max = kind & 1 ? 15000 : 0;
  options.oversize = kind & 2 ? RUNNEL_OVERSIZE_DROP : RUNNEL_OVERSIZE_FAIL;
  options.event_bytes_max = kind & 4 ? 64 : 0;
  options.utf8_replace = (kind & 4) != 0;
  options.sentinel = kind & 8 ? "[DONE]" : NULL;
  options.error_body_bytes_max = kind == 5 ? RUNNEL_NONE : 0;
  options.redirects_max = kind == 6 ? 1 : 0;
  options.unix_path = kind == 7 ? "/run/feed" : NULL;
  options.last_event_id = kind == 9 ? "41" : NULL;
  options.failures_max = kind == 10 ? 2 : 0;
  options.end = kind == 11 ? RUNNEL_END_ONCE : RUNNEL_END_AUTO;
  options.retry_ms = kind == 13 ? RUNNEL_NONE : 0;
  options.replay_unanswered = kind == 14;
  if (kind == 12 || kind == 14) {
    options.method = "POST";
    options.body = "body " MODEL_SECRET;
    options.body_len = sizeof "body " MODEL_SECRET - 1;
  }
  int code = runnel_stream_open(&stream->stream, model->client, &options);
  FUZZ_CHECK(code == RUNNEL_OK ||
                 (code == RUNNEL_ENOMEM && model->memory.failed > 0) ||
                 (code == RUNNEL_ESTATE && model->client_closing),
             "open: %s: %s", runnel_err_name(code), options.error_text);
  if (code != RUNNEL_OK)
    return;
  stream->opened = 1;
  model->chosen = model->streams_len++;
}

static void pause_stream(struct model_stream *stream, int on) {
  int code = on ? runnel_stream_pause(stream->stream)
                : runnel_stream_resume(stream->stream);
  FUZZ_CHECK(code == RUNNEL_OK || code == RUNNEL_ESTATE, "pause: %d", code);
  if (code == RUNNEL_OK)
    stream->order.paused = on;
}

static void reconnect(struct model_stream *stream) {
  if (runnel_stream_reconnect(stream->stream) != RUNNEL_OK)
    return;
  order_reconnected(&stream->order);
  stream->refused[0] = '\0';
}

static void set_id(struct model_stream *stream, uint8_t argument) {
  static const char *const ids[] = {"", "7", "id with spaces", "\xff", "a\nb"};
  const char *id = ids[argument % 5];
  size_t len;
  int code = runnel_stream_set_last_event_id(stream->stream, id, strlen(id));
  const char *now = runnel_stream_last_event_id(stream->stream, &len);
  FUZZ_CHECK(code != RUNNEL_OK || (len == strlen(id) && strcmp(now, id) == 0),
             "the id was set, but is not there");
  FUZZ_CHECK(code != RUNNEL_OK || strchr(id, '\n') == NULL, "LF in an id");
}

static void act_on_stream(struct model_stream *stream, uint8_t letter,
                          uint8_t argument) {
  switch (letter) {
  case 'c':
    FUZZ_CHECK(runnel_stream_close(stream->stream) == RUNNEL_OK, "close");
    stream->order.closing = 1;
    break;
  case 'p':
    pause_stream(stream, 1);
    break;
  case 's':
    pause_stream(stream, 0);
    break;
  case 'k':
    reconnect(stream);
    break;
  default:
    set_id(stream, argument);
    break;
  }
}

static int visit(runnel_stream *handle, void *user) {
  struct model_stream *stream = runnel_stream_user(handle);
  unsigned letter = *(uint8_t *)user;
  if (letter < 4)
    act_on_stream(stream, (uint8_t) "cpsk"[letter], 0);
  return letter == 4;
}

static void pause_client(struct model *model, int on) {
  int code = on ? runnel_client_pause(model->client)
                : runnel_client_resume(model->client);
  for (size_t i = 0; code == RUNNEL_OK && i < model->streams_len; i++)
    model->streams[i].order.paused = on;
}

static void act_on_client(struct model *model, uint8_t argument) {
  uint8_t letter = argument / 8;
  int code = RUNNEL_OK;
  switch (argument % 8) {
  case 0:
    close_client(model);
    break;
  case 1:
    pause_client(model, 1);
    break;
  case 2:
    pause_client(model, 0);
    break;
  case 3:
    code = runnel_client_reconnect(model->client, (int64_t)letter * 200);
    for (size_t i = 0; code == RUNNEL_OK && i < model->streams_len; i++) {
      order_reconnects_later(&model->streams[i].order);
      model->streams[i].refused[0] = '\0';
    }
    break;
  case 4:
    code = runnel_client_each(model->client, visit, &letter);
    break;
  default:
    code = runnel_client_post(model->client, model_posted, model);
    break;
  }
  FUZZ_CHECK(code >= 0 || code == RUNNEL_ENOMEM || code == RUNNEL_ESTATE,
             "client: %s", runnel_err_name(code));
}

static void change_request(struct model_stream *stream, uint8_t argument) {
  runnel_request *request = stream->request;
  if (request == NULL && stream->held_len > 0)
    request = stream->held[0];
  if (request == NULL)
    return;
  switch (argument % 6) {
  case 0:
    runnel_request_set_header(request, "X-Key", MODEL_SECRET, 0);
    break;
  case 1:
    runnel_request_set_header(request, "Authorization", NULL, 0);
    break;
  case 2:
    runnel_request_set_url(request, "http://third/x");
    break;
  case 3:
    runnel_request_set_method(request, "PUT");
    break;
  case 4:
    runnel_request_set_body(request, MODEL_SECRET, 6);
    break;
  default:
    FUZZ_CHECK(runnel_request_set_header(request, "Host", "evil", 0) < 0 &&
                   runnel_request_set_url(request, "ftp://h/") < 0,
               "a bad change was taken");
    break;
  }
}

static void hold(struct model_stream *stream) {

  if (stream->held_len < MODEL_HELD_MAX &&
      runnel_request_hold(stream->request) == RUNNEL_OK)
    stream->held[stream->held_len++] = stream->request;
}

int model_act(struct model *model, uint8_t letter, uint8_t argument) {
  static const int codes[] = {RUNNEL_OK, RUNNEL_ENOMEM, RUNNEL_EUNAUTHORIZED,
                              RUNNEL_ERESOLVE};
  struct model_stream *stream =
      model->streams_len > 0 ? &model->streams[model->chosen] : NULL;
  if (letter == 'P' && stream != NULL && stream->held_len > 0) {
    proceed(stream, codes[argument % 4]);
    return 1;
  }
  if (model->client == NULL)
    return 0;
  model->in_call++;
  if (letter == 'o')
    open_stream(model, argument);
  else if (letter == 'C')
    act_on_client(model, argument);
  else if (letter == 'w' && stream != NULL)
    change_request(stream, argument);
  else if (letter != '\0' && strchr("cpski", letter) && stream != NULL &&
           stream->stream != NULL)
    act_on_stream(stream, letter, argument);
  model->in_call--;
  return 1;
}

/* What the next callback does: an action, or its own result. */
void model_todo(struct model_stream *stream, struct runnel_verdict *verdict,
                int *result) {
  struct model *model = stream->model;
  if (model->todos_done == model->todos_len)
    return;
  struct model_todo todo = model->todos[model->todos_done++];
  if (todo.letter >= 'c' && todo.letter <= 'w')
    model->chosen = (size_t)(stream - model->streams);
  if (todo.letter == 'L' && result != NULL) {
    *result = RUNNEL_LATER;
  } else if (todo.letter == 'H' && stream->request != NULL) {
    model->in_call++;
    hold(stream);
    model->in_call--;
  } else if (todo.letter == 'V' && verdict != NULL) {
    verdict->retry = todo.argument % 2;
    verdict->delay_ms = (int64_t)(todo.argument / 2) * 100;
  } else {
    model_act(model, todo.letter, todo.argument);
  }
}

void model_posted(struct runnel_client *client, void *user) {
  struct model *model = user;
  FUZZ_CHECK(client == model->client && model->in_call == 0,
             "a post inside a call");
  if (model->streams_len > 0)
    model_todo(&model->streams[model->chosen], NULL, NULL);
}

void model_release(struct model *model) {
  for (size_t i = 0; i < model->streams_len; i++) {
    struct model_stream *stream = &model->streams[i];
    while (stream->held_len > 0)
      proceed(stream, RUNNEL_OK);
    if (stream->stream != NULL && stream->order.paused) {
      model->in_call++;
      pause_stream(stream, 0);
      model->in_call--;
    }
  }
}

/* Checks ------------------------------------------------------------------ */

/* The other origin of a redirect must see no secret. */
static void check_links(const struct model *model) {
  for (size_t i = 0; i < model->sim.links_len; i++) {
    const struct sim_link *link = model->sim.links[i];
    if (link->sent == NULL || strstr(link->sent, "Host: other") == NULL)
      continue;
    FUZZ_CHECK(strstr(link->sent, MODEL_SECRET) == NULL &&
                   strstr(link->sent, "Authorization") == NULL,
               "another origin is sent %s", link->sent);
  }
}

/* TLS sessions outlive their streams. */
static uint64_t held_by_sessions(const struct model *model) {
  const struct runnel__list *all = &model->client->handshakes.sessions.by_use;
  uint64_t held = 0;
  for (const struct runnel__list *at = all->next; at != all; at = at->next)
    held += RUNNEL__OF(at, struct runnel__terms, use)->len;
  return held;
}

void model_check(struct model *model) {
  if (model->client == NULL)
    return;
  const struct runnel_client_stats *stats = runnel_client_stats(model->client);
  FUZZ_CHECK(stats->held_bytes <= MODEL_HELD_BYTES_MAX, "%llu bytes are held",
             (unsigned long long)stats->held_bytes);
  FUZZ_CHECK(stats->streams > 0 || stats->held_bytes == held_by_sessions(model),
             "%llu bytes are held for nobody",
             (unsigned long long)stats->held_bytes);
  FUZZ_CHECK(model->options.dials_max == 0 ||
                 stats->dials <= (uint64_t)model->options.dials_max,
             "%llu dials", (unsigned long long)stats->dials);
  for (size_t i = 0; i < model->streams_len; i++) {
    struct model_stream *stream = &model->streams[i];
    if (stream->stream == NULL)
      continue;
    FUZZ_CHECK(runnel_stream_stats(stream->stream)->held_bytes <=
                   stats->held_bytes,
               "a stream holds more than its client");
    int state = runnel_stream_state(stream->stream);
    FUZZ_CHECK(state >= 0 && state <= RUNNEL_STATE_CLOSING, "state %d", state);
    FUZZ_CHECK(state == RUNNEL_STATE_CLOSING || !stream->order.closing,
               "closed, but in the state %d", state);
    FUZZ_CHECK(stream->order.closing || state == RUNNEL_STATE_CLOSING ||
                   (state == RUNNEL_STATE_PAUSED) == stream->order.paused,
               "paused %d, but in the state %d", stream->order.paused, state);
  }
  check_links(model);
}

/* The end ----------------------------------------------------------------- */

static void close_streams(struct model *model) {
  uint8_t close = 0;
  if (model->client_closing)
    return;
  model->in_call++;
  runnel_client_each(model->client, visit, &close);
  model->in_call--;
  sim_settle(&model->sim);
  model_check(model);
}

void model_deinit(struct model *model) {
  model->todos_done = model->todos_len;
  close_streams(model);
  model->in_call++;
  if (!model->client_closing)
    close_client(model);
  model->in_call--;
  sim_settle(&model->sim);
  FUZZ_CHECK(model->client_closed, "the client's callback never came");
  for (size_t i = 0; i < model->streams_len; i++) {
    FUZZ_CHECK(!model->streams[i].opened || model->streams[i].order.closed,
               "a stream never closed");
    while (model->streams[i].held_len > 0)
      proceed(&model->streams[i], RUNNEL_OK);
  }
  sim_deinit(&model->sim);
  FUZZ_CHECK(model->memory.live == 0, "%zu blocks were never given back",
             model->memory.live);
}
