/* One table says which member is what; null is the same as a missing member. */
#include "params.h"

#include <stddef.h>
#include <string.h>

/* So that a wrong reconnect shows within a second. */
#define DELAY_MS_DEFAULT 100

/* Events of 14 MB are part of the contract. */
#define EVENT_BYTES_MAX ((int64_t)64 * 1024 * 1024)

static int is_there(const json_t *json) {
  return json != NULL && !json_is_null(json);
}

/* Milliseconds, zero meaning `zero`; 0 if it is no such number. */
static int read_ms(int64_t *ms, const json_t *json, int64_t zero) {
  double value = json_number_value(json);
  if (!json_is_number(json) || !(value >= 0 && value <= (double)RUNNEL_MS_MAX))
    return 0;
  *ms = value < 1 ? zero : (int64_t)value;
  return 1;
}

static const char *read_numbers(struct params *params, const json_t *json) {
  struct runnel_stream_options *stream = &params->stream;
  const json_t *delay = json_object_get(json, "initialDelayMs");
  const json_t *timeout = json_object_get(json, "readTimeoutMs");
  stream->retry_ms = DELAY_MS_DEFAULT;
  if (is_there(delay) && !read_ms(&stream->retry_ms, delay, RUNNEL_NONE))
    return "initialDelayMs: not a number of milliseconds";
  if (is_there(timeout) && !read_ms(&stream->idle_ms_max, timeout, RUNNEL_NONE))
    return "readTimeoutMs: not a number of milliseconds";
  return NULL;
}

static const char *read_headers(struct params *params, const json_t *json) {
  json_t *headers = json_object_get(json, "headers");
  if (!is_there(headers))
    return NULL;
  if (!json_is_object(headers))
    return "headers: not an object";
  if (json_object_size(headers) > PARAMS_HEADERS_MAX)
    return "headers: too many";
  const char *name = NULL;
  json_t *value = NULL;
  json_object_foreach(headers, name, value) {
    if (!json_is_string(value))
      return "headers: a value is not a string";
    params->headers[params->stream.headers_len++] =
        (struct runnel_header){name, json_string_value(value), 0};
  }
  params->stream.headers = params->headers;
  return NULL;
}

static const char *read_strings(struct params *params, const json_t *json) {
  const char *tag = NULL, *body = NULL;
  const struct {
    const char *name;
    const char **value;
    int required;
    const char *fault;
  } rows[] = {
      {"streamUrl", &params->stream.url, 1, "streamUrl: not a string"},
      {"callbackUrl", &params->callback_url, 1, "callbackUrl: not a string"},
      {"tag", &tag, 0, "tag: not a string"},
      {"lastEventId", &params->stream.last_event_id, 0,
       "lastEventId: not a string"},
      {"method", &params->stream.method, 0, "method: not a string"},
      {"body", &body, 0, "body: not a string"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const json_t *value = json_object_get(json, rows[i].name);
    if (json_is_string(value))
      *rows[i].value = json_string_value(value);
    else if (rows[i].required || is_there(value))
      return rows[i].fault;
  }
  params->stream.body = body;
  params->stream.body_len = body == NULL ? 0 : strlen(body);
  return NULL;
}

const char *params_read(struct params *params, const json_t *json) {
  *params = (struct params){.stream = RUNNEL_STREAM_OPTIONS_INIT};
  struct runnel_stream_options *stream = &params->stream;
  if (!json_is_object(json))
    return "not a JSON object";
  const char *fault = read_strings(params, json);
  if (fault == NULL)
    fault = read_numbers(params, json);
  if (fault == NULL)
    fault = read_headers(params, json);
  /* An empty method is the default one, as the harness leaves it out. */
  if (stream->method != NULL && stream->method[0] == '\0')
    stream->method = NULL;
  stream->end = RUNNEL_END_RESUME;
  stream->retry_growth = 1;
  stream->retry_jitter = RUNNEL_NONE;
  stream->server_retry_ms_min = RUNNEL_NONE;
  stream->event_bytes_max = EVENT_BYTES_MAX;
  stream->id_bytes_max = 65536;
  stream->type_bytes_max = 65536;
  stream->utf8_replace = 1; /* JSON has no other strings */
  return fault;
}
