/* Changes to one attempt's request, and its hold. Setters build the new value
 * before they let go of the old, so that a failure changes nothing. */
#include "request.h"

#include <string.h>

#include "client.h"
#include "stream.h"

struct runnel_request *runnel__request_new(runnel_stream *stream) {
  runnel_client *client = stream->client;
  struct runnel_request *request =
      runnel__alloc_zero(&client->mem, sizeof *request);
  if (request == NULL)
    return NULL;
  runnel__mem_init(&request->mem, &client->mem.hooks, 0);
  request->stream = stream;
  request->pid = client->pid;
  return request;
}

static void free_request(struct runnel_request *request) {
  struct runnel__mem mem = request->mem;
  runnel__ask_free(&request->ask, &mem);
  runnel__free(&mem, request);
}

void runnel__request_release(struct runnel_request *request) {
  if (request == NULL)
    return;
  request->stream = NULL;
  if (!request->held)
    free_request(request);
}

/* Its attempt goes on; a close or a reconnect inside on_request ends it. */
static int is_current(const struct runnel_request *request) {
  const runnel_stream *stream = request->stream;
  return stream != NULL && stream->attempt != NULL &&
         stream->attempt->request == request;
}

/* 0 while it can be changed. */
static int check_open(const struct runnel_request *request) {
  return is_current(request) && (request->open || request->held)
             ? RUNNEL_OK
             : RUNNEL_ESTATE;
}

/* Says in the log why a change was refused; setters have no error_text. */
static int refuse(const struct runnel_request *request, int code,
                  const char *text) {
  runnel__log_line(&request->stream->client->log, RUNNEL_LOG_WARN,
                   "request not changed: %s", text);
  return code;
}

static void replace_text(struct runnel_request *request, char **text,
                         char *fresh) {
  runnel__free(&request->mem, *text);
  *text = fresh;
}

int runnel__request_set_url(struct runnel_request *request, const char *url) {
  char text[RUNNEL_ERROR_TEXT_BYTES];
  int err = check_open(request);
  if (err != RUNNEL_OK)
    return err;
  err = runnel__ask_check_url(url, "", text);
  if (err != RUNNEL_OK)
    return refuse(request, err, text);
  char *fresh = runnel__copy(&request->mem, url, strlen(url));
  if (fresh == NULL)
    return RUNNEL_ENOMEM;
  replace_text(request, &request->ask.url, fresh);
  request->url_fresh = 1;
  return RUNNEL_OK;
}

int runnel__request_set_method(struct runnel_request *request,
                               const char *method) {
  char text[RUNNEL_ERROR_TEXT_BYTES];
  int err = check_open(request);
  if (err != RUNNEL_OK)
    return err;
  if (method == NULL)
    return RUNNEL_EINVAL;
  err = runnel__ask_check_method(method, "", text);
  if (err != RUNNEL_OK)
    return refuse(request, err, text);
  char *fresh = runnel__copy(&request->mem, method, strlen(method));
  if (fresh == NULL)
    return RUNNEL_ENOMEM;
  replace_text(request, &request->ask.method, fresh);
  return RUNNEL_OK;
}

int runnel__request_set_body(struct runnel_request *request, const void *body,
                             size_t len) {
  int err = check_open(request);
  if (err != RUNNEL_OK)
    return err;
  if (len > 0 && body == NULL)
    return RUNNEL_EINVAL;
  if (runnel__ask_body_over(len))
    return RUNNEL_ETOOBIG;
  const runnel_stream *stream = request->stream;
  if (body != NULL && stream->attempt->crossed &&
      !stream->policy->redirect_body)
    return refuse(request, RUNNEL_EREDIRECT,
                  "another origin would be sent the body");
  char *fresh = NULL;
  if (body != NULL) {
    fresh = runnel__copy(&request->mem, body, len);
    if (fresh == NULL)
      return RUNNEL_ENOMEM;
  }
  replace_text(request, &request->ask.body, fresh);
  request->ask.body_len = len;
  request->has_body = 1;
  return RUNNEL_OK;
}

/* The list it stands on: its own, or still the stream's. */
static const struct runnel__ask *
headers_now(const struct runnel_request *request) {
  return request->has_headers ? &request->ask : &request->stream->ask;
}

int runnel__request_set_header(struct runnel_request *request, const char *name,
                               const char *value, unsigned flags) {
  char text[RUNNEL_ERROR_TEXT_BYTES];
  int err = check_open(request);
  if (err != RUNNEL_OK)
    return err;
  struct runnel_header set = {name, value == NULL ? "" : value, flags};
  err = runnel__headers_check(&set, 1, "", text);
  if (err != RUNNEL_OK)
    return refuse(request, err, text);
  set.value = value;
  const struct runnel__ask *now = headers_now(request);
  size_t len = now->headers_len;
  struct runnel_header *fresh =
      runnel__headers_set(&request->mem, now->headers, &len, &set);
  if (fresh == NULL)
    return RUNNEL_ENOMEM;
  if (runnel__headers_check(fresh, len, "", text) != RUNNEL_OK) {
    runnel__free(&request->mem, fresh);
    return refuse(request, RUNNEL_ETOOBIG, text);
  }
  runnel__free(&request->mem, request->ask.headers);
  request->ask.headers = fresh;
  request->ask.headers_len = len;
  request->has_headers = 1;
  return RUNNEL_OK;
}

int runnel__request_hold(struct runnel_request *request) {
  if (!request->open || request->held || !is_current(request))
    return RUNNEL_ESTATE;
  request->held = 1;
  return RUNNEL_OK;
}

int runnel__request_proceed(struct runnel_request *request, int code) {
  if (!request->held)
    return RUNNEL_ESTATE;
  if (code > 0 || strcmp(runnel_err_name(code), "RUNNEL_UNKNOWN") == 0)
    return RUNNEL_EINVAL;
  request->held = 0;
  request->code = code;
  runnel_stream *stream = request->stream;
  if (stream == NULL) {
    free_request(request);
    return RUNNEL_OK;
  }
  if (request->open || !is_current(request))
    return RUNNEL_OK; /* whoever is on the stack looks by itself, or frees it */
  stream->proceeded = 1;
  stream->deadline_ms = RUNNEL__NEVER; /* in time, whenever it is served */
  runnel__stream_arm(stream);
  runnel__client_ready(stream->client, stream);
  runnel__client_settle(stream->client);
  return RUNNEL_OK;
}
