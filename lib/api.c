/* The public functions: is this the process that made the client, are the
 * arguments there; then who does it. The only room that knows which world is
 * plugged in. */
#include <unistd.h>

#include "net/loop.h"
#include "net/tls_settings.h"
#include "net/trust.h"
#include "stream/client.h"
#include "stream/options.h"
#include "stream/request.h"
#include "stream/stream.h"

/* RUNNEL_EFORKED in a child that inherited the client (promise 10). */
static int check_process(long pid) {
  return pid == (long)getpid() ? RUNNEL_OK : RUNNEL_EFORKED;
}

static int check_client(const runnel_client *client) {
  return client == NULL ? RUNNEL_EINVAL : check_process(client->pid);
}

static int check_stream(const runnel_stream *stream) {
  return stream == NULL ? RUNNEL_EINVAL : check_client(stream->client);
}

static int check_request(const runnel_request *request) {
  return request == NULL ? RUNNEL_EINVAL : check_process(request->pid);
}

int runnel_client_new(runnel_client **client, struct uv_loop_s *loop,
                      struct runnel_client_options *options) {
  if (client == NULL)
    return RUNNEL_EINVAL;
  runnel_client *made;
  int err = runnel__client_new(&made, options);
  if (err != RUNNEL_OK)
    return err;
  struct runnel__world *world;
  err = runnel__loop_new(&world, runnel__client_hooks(made), loop);
  if (err != RUNNEL_OK) {
    runnel__client_free(made);
    return err;
  }
  made->pid = (long)getpid();
  made->owns_loop = runnel__loop_owned(world);
  runnel__client_attach(made, world);
  *client = made;
  return RUNNEL_OK;
}

int runnel_client_run(runnel_client *client) {
  int err = check_client(client);
  if (err != RUNNEL_OK)
    return err;
  if (!client->owns_loop || client->gone != NULL || client->turns > 0)
    return RUNNEL_ESTATE;
  int gone = 0;
  client->gone = &gone;
  runnel__loop_run(client->world);
  if (!gone)
    client->gone = NULL;
  return RUNNEL_OK;
}

int runnel_client_close(runnel_client *client, void (*on_closed)(void *user),
                        void *user) {
  int err = check_client(client);
  return err != RUNNEL_OK ? err : runnel__client_close(client, on_closed, user);
}

int runnel_client_abandon(runnel_client *client) {
  if (client == NULL)
    return RUNNEL_EINVAL;
  if (check_process(client->pid) == RUNNEL_OK)
    return RUNNEL_ESTATE;
  runnel__client_abandon(client);
  return RUNNEL_OK;
}

int runnel_client_pause(runnel_client *client) {
  int err = check_client(client);
  return err != RUNNEL_OK ? err : runnel__client_pause(client);
}

int runnel_client_resume(runnel_client *client) {
  int err = check_client(client);
  return err != RUNNEL_OK ? err : runnel__client_resume(client);
}

int runnel_client_reconnect(runnel_client *client, int64_t spread_ms) {
  int err = check_client(client);
  return err != RUNNEL_OK ? err : runnel__client_reconnect(client, spread_ms);
}

int runnel_client_post(runnel_client *client,
                       void (*run)(runnel_client *client, void *user),
                       void *user) {
  int err = check_client(client);
  if (err == RUNNEL_OK && run == NULL)
    err = RUNNEL_EINVAL;
  if (err != RUNNEL_OK)
    return err;
  return client->world->ops->post(client->world, run, user);
}

int runnel_client_each(runnel_client *client,
                       int (*visit)(runnel_stream *stream, void *user),
                       void *user) {
  int err = check_client(client);
  if (err == RUNNEL_OK && visit == NULL)
    err = RUNNEL_EINVAL;
  return err != RUNNEL_OK ? err : runnel__client_each(client, visit, user);
}

const struct runnel_client_stats *runnel_client_stats(runnel_client *client) {
  static const struct runnel_client_stats none = {0};
  if (check_client(client) != RUNNEL_OK)
    return &none;
  runnel__client_stats(client, &client->stats);
  return &client->stats;
}

int runnel_stream_open(runnel_stream **stream, runnel_client *client,
                       struct runnel_stream_options *options) {
  int err = check_client(client);
  return err != RUNNEL_OK ? err : runnel__stream_open(stream, client, options);
}

int runnel_stream_close(runnel_stream *stream) {
  int err = check_stream(stream);
  return err != RUNNEL_OK ? err
                          : runnel__stream_close(stream, RUNNEL_ECANCELED);
}

int runnel_stream_pause(runnel_stream *stream) {
  int err = check_stream(stream);
  return err != RUNNEL_OK ? err : runnel__stream_pause(stream);
}

int runnel_stream_resume(runnel_stream *stream) {
  int err = check_stream(stream);
  return err != RUNNEL_OK ? err : runnel__stream_resume(stream);
}

int runnel_stream_reconnect(runnel_stream *stream) {
  int err = check_stream(stream);
  return err != RUNNEL_OK ? err : runnel__stream_reconnect(stream);
}

const char *runnel_stream_last_event_id(runnel_stream *stream, size_t *len) {
  struct runnel__str id = {"", 0};
  if (check_stream(stream) == RUNNEL_OK)
    id = runnel__parser_id(&stream->parser);
  if (len != NULL)
    *len = id.len;
  return id.at;
}

int runnel_stream_set_last_event_id(runnel_stream *stream, const char *id,
                                    size_t len) {
  int err = check_stream(stream);
  return err != RUNNEL_OK ? err : runnel__stream_set_id(stream, id, len);
}

int runnel_stream_state(runnel_stream *stream) {
  int err = check_stream(stream);
  if (err != RUNNEL_OK)
    return err;
  if (stream->paused && stream->state != RUNNEL_STATE_CLOSING)
    return RUNNEL_STATE_PAUSED;
  return stream->state;
}

const struct runnel_stream_stats *runnel_stream_stats(runnel_stream *stream) {
  static const struct runnel_stream_stats none = {0};
  if (check_stream(stream) != RUNNEL_OK)
    return &none;
  runnel__stream_stats(stream, &stream->client->stream_stats);
  return &stream->client->stream_stats;
}

void *runnel_stream_user(runnel_stream *stream) {
  return stream == NULL ? NULL : stream->user;
}

int runnel_request_set_header(runnel_request *request, const char *name,
                              const char *value, unsigned flags) {
  int err = check_request(request);
  if (err == RUNNEL_OK && name == NULL)
    err = RUNNEL_EINVAL;
  if (err != RUNNEL_OK)
    return err;
  return runnel__request_set_header(request, name, value, flags);
}

int runnel_request_set_url(runnel_request *request, const char *url) {
  int err = check_request(request);
  return err != RUNNEL_OK ? err : runnel__request_set_url(request, url);
}

int runnel_request_set_method(runnel_request *request, const char *method) {
  int err = check_request(request);
  return err != RUNNEL_OK ? err : runnel__request_set_method(request, method);
}

int runnel_request_set_body(runnel_request *request, const void *body,
                            size_t len) {
  int err = check_request(request);
  return err != RUNNEL_OK ? err : runnel__request_set_body(request, body, len);
}

int runnel_request_hold(runnel_request *request) {
  int err = check_request(request);
  return err != RUNNEL_OK ? err : runnel__request_hold(request);
}

int runnel_request_proceed(runnel_request *request, int code) {
  int err = check_request(request);
  return err != RUNNEL_OK ? err : runnel__request_proceed(request, code);
}

/* 0, or RUNNEL_EINVAL; NULL is the defaults. */
static int check_tls_options(struct runnel_tls_options *options) {
  if (options == NULL)
    return RUNNEL_OK;
  if (options->size == 0)
    return RUNNEL_EINVAL; /* not initialised: its text is not ours to write */
  options->error_text[0] = '\0';
  return runnel__options_size(options, options->size, sizeof *options, "",
                              options->error_text);
}

int runnel_tls_new(runnel_tls **tls, struct runnel_tls_options *options) {
  int err = tls == NULL ? RUNNEL_EINVAL : check_tls_options(options);
  return err != RUNNEL_OK ? err : runnel__tls_settings_new(tls, options);
}

int runnel_tls_reload(runnel_tls *tls, struct runnel_tls_options *options) {
  int err = tls == NULL ? RUNNEL_EINVAL : check_tls_options(options);
  return err != RUNNEL_OK ? err : runnel__tls_settings_reload(tls, options);
}

runnel_tls *runnel_tls_retain(runnel_tls *tls) {
  return runnel__tls_settings_retain(tls);
}

void runnel_tls_release(runnel_tls *tls) { runnel__tls_settings_release(tls); }

const char *runnel_tls_library(void) { return runnel__trust_library(); }
