/* Checks the client's options and keeps copies of what they point to. */
#include "client_options.h"

#include <string.h>

#define RESOLVE_MAX 1024
#define RATE_MAX INT64_C(1000000)
#define HELD_MIN INT64_C(65536)
#define HELD_DEFAULT (INT64_C(256) << 20)

static int check_range(char *text, const char *name, int64_t value, int64_t min,
                       int64_t max, int can_be_off) {
  if (value == 0 || (value == RUNNEL_NONE && can_be_off) ||
      (value >= min && value <= max))
    return RUNNEL_OK;
  return runnel__options_refuse(
      text, RUNNEL_EINVAL, "%s is %lld: must be %lld to %lld%s", name,
      (long long)value, (long long)min, (long long)max,
      can_be_off ? ", or RUNNEL_NONE" : "");
}

static int check_numbers(const struct runnel_client_options *options,
                         char *text) {
  const struct {
    const char *name;
    int64_t value;
    int64_t min;
    int64_t max;
    int can_be_off;
  } rows[] = {
      {"dials_per_second_max", options->dials_per_second_max, 1, RATE_MAX, 1},
      {"origin_dials_per_second_max", options->origin_dials_per_second_max, 1,
       RATE_MAX, 1},
      {"dials_max", options->dials_max, 1, RATE_MAX, 1},
      {"origin_dials_max", options->origin_dials_max, 1, RATE_MAX, 1},
      {"lookup_ttl_ms", options->lookup_ttl_ms, 1, RUNNEL_MS_MAX, 1},
      {"lookup_negative_ttl_ms", options->lookup_negative_ttl_ms, 1,
       RUNNEL_MS_MAX, 1},
      {"lookup_stale_ms", options->lookup_stale_ms, 1, RUNNEL_MS_MAX, 1},
      {"held_bytes_max", options->held_bytes_max, HELD_MIN, RUNNEL_BYTES_MAX,
       0},
      {"handshakes_max", options->handshakes_max, 1, RATE_MAX, 1},
      {"log_level", options->log_level, RUNNEL_LOG_ERROR, RUNNEL_LOG_DEBUG, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int err = check_range(text, rows[i].name, rows[i].value, rows[i].min,
                          rows[i].max, rows[i].can_be_off);
    if (err != RUNNEL_OK)
      return err;
  }
  return RUNNEL_OK;
}

static int check_alloc(const struct runnel_alloc *alloc, char *text) {
  int given =
      (alloc->alloc != NULL) + (alloc->realloc != NULL) + (alloc->free != NULL);
  if (given == 0 || given == 3)
    return RUNNEL_OK;
  return runnel__options_refuse(
      text, RUNNEL_EINVAL,
      "alloc has %d of its 3 functions: give all of them or none", given);
}

static int check_resolve(const struct runnel_client_options *options,
                         char *text) {
  if (options->resolve_len > RESOLVE_MAX)
    return runnel__options_refuse(text, RUNNEL_EINVAL,
                                  "resolve_len is %zu: over %d",
                                  options->resolve_len, RESOLVE_MAX);
  if (options->resolve_len > 0 && options->resolve == NULL)
    return runnel__options_refuse(text, RUNNEL_EINVAL,
                                  "resolve is NULL, resolve_len %zu",
                                  options->resolve_len);
  for (size_t i = 0; i < options->resolve_len; i++) {
    const struct runnel_resolve *row = &options->resolve[i];
    struct runnel__addr addr;
    if (row->host == NULL || row->host[0] == '\0' ||
        strlen(row->host) > RUNNEL__HOST_BYTES_MAX)
      return runnel__options_refuse(text, RUNNEL_EINVAL,
                                    "resolve[%zu]: host must be 1 to %d bytes",
                                    i, RUNNEL__HOST_BYTES_MAX);
    if (row->port < 1 || row->port > 65535)
      return runnel__options_refuse(text, RUNNEL_EINVAL,
                                    "resolve[%zu]: port is %d: must be 1 to "
                                    "65535",
                                    i, row->port);
    if (row->address == NULL ||
        !runnel__addr_parse(&addr, runnel__str_of(row->address)))
      return runnel__options_refuse(text, RUNNEL_EINVAL,
                                    "resolve[%zu]: address is not an IPv4 or "
                                    "IPv6 address",
                                    i);
  }
  return RUNNEL_OK;
}

static int check_defaults(const struct runnel_stream_options *defaults,
                          char *text) {
  static const char prefix[] = "stream_defaults.";
  if (defaults == NULL)
    return RUNNEL_OK;
  int err = runnel__options_size(defaults, defaults->size, sizeof *defaults,
                                 prefix, text);
  if (err != RUNNEL_OK)
    return err;
  struct runnel_stream_options shared = *defaults;
  shared.method = NULL; /* a stream's own, and not taken from here */
  shared.body = NULL;
  shared.body_len = 0;
  err = runnel__options_check(&shared, prefix, text);
  if (err != RUNNEL_OK)
    return err;
  return runnel__ask_check(&shared, 0, prefix, text);
}

int runnel__client_options_check(struct runnel_client_options *options) {
  if (options->size == 0)
    return RUNNEL_EINVAL; /* not initialised: its text is not ours to write */
  char *text = options->error_text;
  text[0] = '\0';
  int err =
      runnel__options_size(options, options->size, sizeof *options, "", text);
  if (err == RUNNEL_OK)
    err = check_alloc(&options->alloc, text);
  if (err == RUNNEL_OK)
    err = check_numbers(options, text);
  if (err == RUNNEL_OK)
    err = check_resolve(options, text);
  if (err == RUNNEL_OK)
    err = check_defaults(options->stream_defaults, text);
  return err;
}

static int copy_resolve(struct runnel_client *client,
                        const struct runnel_client_options *options) {
  size_t len = options->resolve_len;
  if (len == 0)
    return RUNNEL_OK;
  size_t bytes = len * sizeof client->overrides[0];
  for (size_t i = 0; i < len; i++)
    bytes += strlen(options->resolve[i].host) + 1;
  struct runnel__override *rows = runnel__alloc(&client->mem, bytes);
  if (rows == NULL)
    return RUNNEL_ENOMEM;
  char *at = (char *)(rows + len);
  for (size_t i = 0; i < len; i++) {
    const struct runnel_resolve *given = &options->resolve[i];
    size_t host_len = strlen(given->host) + 1;
    memcpy(at, given->host, host_len);
    rows[i].host = at;
    at += host_len;
    (void)runnel__addr_parse(&rows[i].addr, runnel__str_of(given->address));
    rows[i].addr.port = (uint16_t)given->port;
  }
  client->overrides = rows;
  client->overrides_len = len;
  return RUNNEL_OK;
}

static int copy_defaults(struct runnel_client *client,
                         const struct runnel_stream_options *defaults) {
  client->defaults = (struct runnel_stream_options)RUNNEL_STREAM_OPTIONS_INIT;
  if (defaults == NULL)
    return RUNNEL_OK;
  client->defaults = *defaults;
  struct runnel_stream_options shared = {
      .size = sizeof shared,
      .headers = defaults->headers,
      .headers_len = defaults->headers_len,
      .unix_path = defaults->unix_path,
  };
  int err =
      runnel__ask_copy(&client->defaults_ask, &client->mem, &shared, NULL);
  client->defaults.headers = client->defaults_ask.headers;
  client->defaults.headers_len = client->defaults_ask.headers_len;
  client->defaults.unix_path = client->defaults_ask.unix_path;
  client->defaults.sentinel = NULL;
  client->defaults.tls = runnel_tls_retain(defaults->tls);
  if (err != RUNNEL_OK || defaults->sentinel == NULL)
    return err;
  client->defaults_sentinel = runnel__copy(&client->mem, defaults->sentinel,
                                           strlen(defaults->sentinel));
  client->defaults.sentinel = client->defaults_sentinel;
  return client->defaults_sentinel == NULL ? RUNNEL_ENOMEM : RUNNEL_OK;
}

static int64_t number_or(int64_t value, int64_t normal) {
  if (value == 0)
    return normal;
  return value == RUNNEL_NONE ? INT64_MAX : value;
}

/* A span that is off is none. */
static int64_t span_or(int64_t value, int64_t normal) {
  if (value == 0)
    return normal;
  return value == RUNNEL_NONE ? 0 : value;
}

int runnel__client_options_copy(struct runnel_client *client,
                                const struct runnel_client_options *options) {
  client->mem.held_max =
      (uint64_t)number_or(options->held_bytes_max, HELD_DEFAULT);
  client->log.write = options->log;
  client->log.ctx = options->log_ctx;
  client->log.level =
      options->log_level == 0 ? RUNNEL_LOG_INFO : options->log_level;
  struct runnel__gate *gate = &client->gate;
  gate->rate_max = number_or(options->dials_per_second_max, 1000);
  gate->origin_rate_max = number_or(options->origin_dials_per_second_max, 500);
  gate->dials_max = number_or(options->dials_max, 512);
  gate->origin_dials_max = number_or(options->origin_dials_max, 256);
  client->handshakes.slots.max = number_or(options->handshakes_max, 64);
  struct runnel__lookups *lookups = &client->lookups;
  lookups->ttl_ms = span_or(options->lookup_ttl_ms, 60000);
  lookups->negative_ttl_ms = span_or(options->lookup_negative_ttl_ms, 5000);
  lookups->stale_ms =
      span_or(options->lookup_stale_ms, lookups->ttl_ms == 0 ? 0 : 3600000);
  int err = copy_resolve(client, options);
  if (err == RUNNEL_OK)
    err = copy_defaults(client, options->stream_defaults);
  return err;
}
