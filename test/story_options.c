/* "name=value" words become options: numbers and flags by a table, so that
 * every option can stand in a story. */
#include <stdlib.h>
#include <string.h>

#include "story_app.h"

#define AT(name) offsetof(struct runnel_stream_options, name)
#define CLIENT_AT(name) offsetof(struct runnel_client_options, name)

struct number {
  const char *name;
  size_t offset;
};

static const struct number numbers[] = {
    {"open_ms_max", AT(open_ms_max)},
    {"connect_ms_max", AT(connect_ms_max)},
    {"handshake_ms_max", AT(handshake_ms_max)},
    {"idle_ms_max", AT(idle_ms_max)},
    {"hold_ms_max", AT(hold_ms_max)},
    {"retry_ms", AT(retry_ms)},
    {"retry_ms_max", AT(retry_ms_max)},
    {"failures_max", AT(failures_max)},
    {"elapsed_ms_max", AT(elapsed_ms_max)},
    {"server_retry_ms_min", AT(server_retry_ms_min)},
    {"server_retry_ms_max", AT(server_retry_ms_max)},
    {"retry_after_ms_max", AT(retry_after_ms_max)},
    {"redirects_max", AT(redirects_max)},
    {"event_bytes_max", AT(event_bytes_max)},
    {"id_bytes_max", AT(id_bytes_max)},
    {"type_bytes_max", AT(type_bytes_max)},
    {"head_bytes_max", AT(head_bytes_max)},
    {"error_body_bytes_max", AT(error_body_bytes_max)},
    {"keepalive_s", AT(keepalive_s)},
    {"keepalive_interval_s", AT(keepalive_interval_s)},
    {"keepalive_probes", AT(keepalive_probes)},
};

static const struct number flags[] = {
    {"replay_unanswered", AT(replay_unanswered)},
    {"redirect_body", AT(redirect_body)},
    {"utf8_replace", AT(utf8_replace)},
};

static const struct number client_numbers[] = {
    {"dials_per_second_max", CLIENT_AT(dials_per_second_max)},
    {"origin_dials_per_second_max", CLIENT_AT(origin_dials_per_second_max)},
    {"lookup_ttl_ms", CLIENT_AT(lookup_ttl_ms)},
    {"dials_max", CLIENT_AT(dials_max)},
    {"origin_dials_max", CLIENT_AT(origin_dials_max)},
    {"held_bytes_max", CLIENT_AT(held_bytes_max)},
    {"handshakes_max", CLIENT_AT(handshakes_max)},
};

void story_options_init(struct story_options *options) {
  memset(options, 0, sizeof *options);
  options->stream.size = sizeof options->stream;
}

void story_options_free(struct story_options *options) {
  for (size_t i = 0; i < options->texts_len; i++)
    story_bytes_free(&options->texts[i]);
  options->texts_len = 0;
}

static int64_t read_number(const char *value) {
  return strcmp(value, "none") == 0 ? RUNNEL_NONE : strtoll(value, NULL, 10);
}

static int set_number(void *options, const struct number *table, size_t len,
                      const char *name, const char *value) {
  for (size_t i = 0; i < len; i++) {
    if (strcmp(table[i].name, name) != 0)
      continue;
    int64_t number = read_number(value);
    memcpy((char *)options + table[i].offset, &number, sizeof number);
    return 1;
  }
  return 0;
}

static int set_flag(struct runnel_stream_options *options, const char *name,
                    const char *value) {
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    if (strcmp(flags[i].name, name) != 0)
      continue;
    int flag = atoi(value);
    memcpy((char *)options + flags[i].offset, &flag, sizeof flag);
    return 1;
  }
  return 0;
}

static struct story_bytes *add_text(struct story_app *app,
                                    struct story_options *options,
                                    const char *text) {
  if (options->texts_len == sizeof options->texts / sizeof options->texts[0])
    story_app_fail(app, "too many options in one line");
  struct story_bytes *bytes = &options->texts[options->texts_len++];
  story_unescape(bytes, text);
  return bytes;
}

/* "Name: value" becomes two strings in place. */
static void add_header(struct story_app *app, struct story_options *options,
                       const char *text, unsigned header_flags) {
  char *name = add_text(app, options, text)->at;
  char *colon = strstr(name, ": ");
  if (colon == NULL || options->headers_len == STORY_HEADERS_MAX)
    story_app_fail(app, "not a header: %s", text);
  *colon = '\0';
  options->headers[options->headers_len++] =
      (struct runnel_header){name, colon + 2, header_flags};
  options->stream.headers = options->headers;
  options->stream.headers_len = options->headers_len;
}

/* Settings by number; made when they are named first. */
static runnel_tls *find_settings(struct story_app *app, const char *value) {
  size_t which = strtoul(value, NULL, 10);
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.insecure = 1; /* they are not looked into */
  if (which >= STORY_SETTINGS_MAX)
    story_app_fail(app, "no such settings: %s", value);
  if (app->settings[which] == NULL &&
      runnel_tls_new(&app->settings[which], &options) != RUNNEL_OK)
    story_app_fail(app, "no settings: %s", options.error_text);
  return app->settings[which];
}

static int set_text(struct story_app *app, struct story_options *options,
                    const char *name, const char *value) {
  struct runnel_stream_options *stream = &options->stream;
  if (strcmp(name, "method") == 0) {
    stream->method = add_text(app, options, value)->at;
  } else if (strcmp(name, "body") == 0) {
    struct story_bytes *body = add_text(app, options, value);
    stream->body = body->at;
    stream->body_len = body->len;
  } else if (strcmp(name, "id") == 0) {
    struct story_bytes *id = add_text(app, options, value);
    stream->last_event_id = id->at;
    stream->last_event_id_len = id->len;
  } else if (strcmp(name, "tls") == 0) {
    stream->tls = find_settings(app, value);
  } else if (strcmp(name, "unix_path") == 0) {
    stream->unix_path = add_text(app, options, value)->at;
  } else if (strcmp(name, "sentinel") == 0) {
    stream->sentinel = add_text(app, options, value)->at;
  } else if (strcmp(name, "header") == 0) {
    add_header(app, options, value, 0);
  } else if (strcmp(name, "secret") == 0) {
    add_header(app, options, value, RUNNEL_SENSITIVE);
  } else {
    return 0;
  }
  return 1;
}

static int set_choice(struct story_options *options, const char *name,
                      const char *value) {
  struct runnel_stream_options *stream = &options->stream;
  if (strcmp(name, "end") == 0)
    stream->end =
        strcmp(value, "once") == 0 ? RUNNEL_END_ONCE : RUNNEL_END_RESUME;
  else if (strcmp(name, "oversize") == 0)
    stream->oversize = strcmp(value, "drop") == 0 ? RUNNEL_OVERSIZE_DROP
                                                  : RUNNEL_OVERSIZE_FAIL;
  else if (strcmp(name, "growth") == 0)
    stream->retry_growth = strtod(value, NULL);
  else if (strcmp(name, "jitter") == 0)
    stream->retry_jitter =
        strcmp(value, "none") == 0 ? RUNNEL_NONE : strtod(value, NULL);
  else if (strcmp(name, "wants") == 0) {
    story_ears_set(stream, value);
    options->shows_text = strstr(value, "text") != NULL;
  } else
    return 0;
  return 1;
}

void story_options_read(struct story_app *app, struct story_options *options,
                        char *words) {
  for (char *word; (word = story_word(&words)) != NULL;) {
    char *value = strchr(word, '=');
    if (value == NULL)
      story_app_fail(app, "an option without '=': %s", word);
    *value++ = '\0';
    if (!set_number(&options->stream, numbers,
                    sizeof numbers / sizeof numbers[0], word, value) &&
        !set_flag(&options->stream, word, value) &&
        !set_choice(options, word, value) &&
        !set_text(app, options, word, value))
      story_app_fail(app, "no such option: %s", word);
  }
}

static char *keep_text(struct story_app *app, const char *text) {
  struct story_bytes *bytes = &app->client_texts[app->client_texts_len++];
  story_bytes_text(bytes, text);
  return bytes->at;
}

/* host:port:address */
static void add_resolve(struct story_app *app, const char *value) {
  char *host = keep_text(app, value);
  char *port = strchr(host, ':');
  char *address = port == NULL ? NULL : strchr(port + 1, ':');
  if (address == NULL)
    story_app_fail(app, "not HOST:PORT:ADDRESS: %s", value);
  *port = '\0';
  *address = '\0';
  app->resolves[app->options.resolve_len++] =
      (struct runnel_resolve){host, atoi(port + 1), address + 1};
  app->options.resolve = app->resolves;
}

static void write_log(int level, const char *line, void *ctx) {
  story_app_say(ctx, "log %d %s", level, line);
}

void story_client_read(struct story_app *app, char *words) {
  for (char *word; (word = story_word(&words)) != NULL;) {
    char *value = strchr(word, '=');
    if (value == NULL)
      story_app_fail(app, "an option without '=': %s", word);
    *value++ = '\0';
    if (strcmp(word, "resolve") == 0) {
      add_resolve(app, value);
    } else if (strcmp(word, "log") == 0) {
      app->options.log = write_log;
      app->options.log_ctx = app;
      app->options.log_level = atoi(value);
    } else if (!set_number(&app->options, client_numbers,
                           sizeof client_numbers / sizeof client_numbers[0],
                           word, value)) {
      story_app_fail(app, "no such option of the client: %s", word);
    }
  }
}
