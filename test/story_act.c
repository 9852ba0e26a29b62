/* Actions: the same words on a line of their own and after `on`. Every call
 * that is refused shows as "= RUNNEL_E...". */
#include "story_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear_client_closed(void *user) {
  struct story_app *app = user;
  if (app->in_call || app->client_closed)
    story_app_fail(app, "the client's callback inside a call, or twice");
  for (size_t i = 0; i < app->streams_len; i++)
    if (app->streams[i].opened && !app->streams[i].order.closed)
      story_app_fail(app, "the client closed before s%zu", i + 1);
  app->client_closed = 1;
  story_app_say(app, "client closed");
}

/* The result of a call, shown if it is an error. */
static int called(struct story_app *app, const char *what, int code) {
  app->in_call--;
  if (code != RUNNEL_OK)
    story_app_say(app, "%s = %s", what, runnel_err_name(code));
  return code == RUNNEL_OK;
}

static void set_paused(struct story_app *app, int paused) {
  for (size_t i = 0; i < app->streams_len; i++)
    app->streams[i].order.paused = paused;
}

int story_app_close(struct story_app *app) {
  app->in_call++;
  if (!called(app, "close client",
              runnel_client_close(app->client, hear_client_closed, app)))
    return 0;
  app->client_closing = 1;
  for (size_t i = 0; i < app->streams_len; i++)
    app->streams[i].order.closing = 1;
  return 1;
}

/* The first stream's authority is the Host that needs no mention. */
static void note_host(struct story_app *app, const char *url) {
  static char host[300];
  const char *at = strstr(url, "//");
  if (app->streams_len > 1 || at == NULL)
    return;
  at += 2;
  size_t len = strcspn(at, "/?#");
  const char *user = memchr(at, '@', len);
  if (user != NULL) {
    len -= (size_t)(user + 1 - at);
    at = user + 1;
  }
  int https = strncmp(url, "https:", 6) == 0;
  if (!https && len > 3 && strncmp(at + len - 3, ":80", 3) == 0)
    len -= 3;
  if (https && len > 4 && strncmp(at + len - 4, ":443", 4) == 0)
    len -= 4;
  snprintf(host, sizeof host, "%.*s", (int)len, at);
  app->sim.plain_host = host;
}

static void open_stream(struct story_app *app, char *words) {
  if (app->streams_len == STORY_STREAMS_MAX)
    story_app_fail(app, "too many streams");
  struct story_options options;
  story_options_init(&options);
  if (app->options.stream_defaults == NULL)
    story_ears_set(&options.stream, "");
  struct story_stream *stream = &app->streams[app->streams_len];
  *stream = (struct story_stream){.app = app};
  stream->number = ++app->streams_len;
  options.stream.url = story_word(&words);
  note_host(app, options.stream.url);
  story_options_read(app, &options, words);
  options.stream.user = stream;
  const struct runnel_stream_options *defaults = &app->defaults.stream;
  stream->order.wants_request =
      options.stream.on_request != NULL || defaults->on_request != NULL;
  stream->order.wants_end =
      options.stream.on_end != NULL || defaults->on_end != NULL;
  stream->shows_text = options.shows_text;
  app->in_call++;
  int code = runnel_stream_open(&stream->stream, app->client, &options.stream);
  app->in_call--;
  stream->opened = code == RUNNEL_OK;
  if (code != RUNNEL_OK) {
    stream->stream = NULL;
    story_app_say(app, "open = %s%s%s", runnel_err_name(code),
                  options.stream.error_text[0] == '\0' ? "" : ": ",
                  options.stream.error_text);
  }
  story_options_free(&options);
}

static int visit(runnel_stream *stream, void *user) {
  struct story_bytes *line = user;
  struct story_stream *known = runnel_stream_user(stream);
  char text[32];
  snprintf(text, sizeof text, " s%zu", known->number);
  story_bytes_text(line, text);
  return 0;
}

static void hear_post(runnel_client *client, void *user) {
  struct story_app *app = user;
  if (client != app->client)
    story_app_fail(app, "a post heard of another client");
  story_app_say(app, "posted");
  story_app_todo(app, &(struct story_action){0}, "post");
}

static int act_client(struct story_app *app, char *words) {
  runnel_client *client = app->client;
  char *rest;
  if (strcmp(words, "close client") == 0) {
    story_app_close(app);
  } else if (strcmp(words, "pause client") == 0) {
    app->in_call++;
    if (called(app, words, runnel_client_pause(client)))
      set_paused(app, 1);
  } else if (strcmp(words, "resume client") == 0) {
    app->in_call++;
    if (called(app, words, runnel_client_resume(client)))
      set_paused(app, 0);
  } else if ((rest = story_after(words, "reconnect client")) != NULL) {
    app->in_call++;
    if (called(app, "reconnect client",
               runnel_client_reconnect(client, *rest ? story_ms(rest) : 0)))
      for (size_t i = 0; i < app->streams_len; i++)
        order_reconnects_later(&app->streams[i].order);
  } else if (strcmp(words, "post") == 0) {
    app->in_call++;
    called(app, words, runnel_client_post(client, hear_post, app));
  } else if (strcmp(words, "each") == 0) {
    struct story_bytes line = {0};
    story_bytes_text(&line, "each");
    app->in_call++;
    called(app, words, runnel_client_each(client, visit, &line));
    story_app_say(app, "%s", line.at);
    story_bytes_free(&line);
  } else {
    return 0;
  }
  return 1;
}

static int code_of(const char *name) {
#define NAMED(known, value, text)                                              \
  if (strcmp(name, #known) == 0)                                               \
    return (value);
  RUNNEL_ERR_MAP(NAMED)
#undef NAMED
  return 1000;
}

void story_app_proceed(struct story_app *app, struct story_stream *stream,
                       int code) {
  runnel_request *request = stream->request;
  stream->request = NULL;
  stream->held = 0;
  app->in_call++;
  called(app, "proceed", runnel_request_proceed(request, code));
}

static void set_header(struct story_app *app, struct story_stream *stream,
                       char *text, unsigned flags) {
  struct story_bytes bytes = {0};
  char *word = story_word(&text);
  story_unescape(&bytes, word == NULL ? "" : word);
  char *colon = strstr(bytes.at, ": ");
  if (colon != NULL)
    *colon = '\0';
  app->in_call++;
  called(app, "set header",
         runnel_request_set_header(stream->request, bytes.at,
                                   colon == NULL ? NULL : colon + 2, flags));
  story_bytes_free(&bytes);
}

static int act_request(struct story_app *app, struct story_stream *stream,
                       char *words) {
  char *rest;
  if (strcmp(words, "hold") == 0) {
    app->in_call++;
    if (called(app, words, runnel_request_hold(stream->request)))
      stream->held = 1;
  } else if ((rest = story_after(words, "proceed")) != NULL) {
    story_app_proceed(app, stream, *rest ? code_of(rest) : RUNNEL_OK);
  } else if ((rest = story_after(words, "set header")) != NULL) {
    set_header(app, stream, rest, 0);
  } else if ((rest = story_after(words, "set secret")) != NULL) {
    set_header(app, stream, rest, RUNNEL_SENSITIVE);
  } else if ((rest = story_after(words, "set url")) != NULL) {
    app->in_call++;
    called(app, "set url", runnel_request_set_url(stream->request, rest));
  } else if ((rest = story_after(words, "set method")) != NULL) {
    app->in_call++;
    called(app, "set method", runnel_request_set_method(stream->request, rest));
  } else if ((rest = story_after(words, "set body")) != NULL) {
    app->in_call++;
    called(app, "set body",
           runnel_request_set_body(stream->request, rest, strlen(rest)));
  } else {
    return 0;
  }
  return 1;
}

#define STATS(X)                                                               \
  X(attempts)                                                                  \
  X(opens)                                                                     \
  X(events)                                                                    \
  X(comments)                                                                  \
  X(drops)                                                                     \
  X(refusals)                                                                  \
  X(failures)                                                                  \
  X(bytes)                                                                     \
  X(bytes_copied)                                                              \
  X(bytes_moved)                                                               \
  X(held_bytes)                                                                \
  X(retry_ms)

#define CLIENT_STATS(X)                                                        \
  X(streams)                                                                   \
  X(streams_open)                                                              \
  X(streams_queued)                                                            \
  X(dials)                                                                     \
  X(held_bytes)                                                                \
  X(attempts)                                                                  \
  X(opens)                                                                     \
  X(events)                                                                    \
  X(lookups)                                                                   \
  X(lookups_joined)                                                            \
  X(handshakes)                                                                \
  X(handshakes_full)                                                           \
  X(handshakes_resumed)

#define ADD_STAT(name)                                                         \
  if (strcmp(word, #name) == 0) {                                              \
    snprintf(text, sizeof text, " %s=%lld", #name, (long long)stats->name);    \
    story_bytes_text(&line, text);                                             \
  }

static void show_stats(struct story_app *app, runnel_stream *stream,
                       char *words) {
  const struct runnel_stream_stats *stats = runnel_stream_stats(stream);
  struct story_bytes line = {0};
  char text[64];
  story_bytes_text(&line, "stats");
  for (char *word; (word = story_word(&words)) != NULL;) {
    STATS(ADD_STAT)
  }
  story_app_say(app, "%s", line.at);
  story_bytes_free(&line);
}

static void show_client_stats(struct story_app *app, char *words) {
  const struct runnel_client_stats *stats = runnel_client_stats(app->client);
  struct story_bytes line = {0};
  char text[64];
  story_bytes_text(&line, "client");
  for (char *word; (word = story_word(&words)) != NULL;) {
    CLIENT_STATS(ADD_STAT)
  }
  story_app_say(app, "%s", line.at);
  story_bytes_free(&line);
}

static void set_id(struct story_app *app, runnel_stream *stream,
                   const char *text) {
  struct story_bytes id = {0};
  story_unescape(&id, text);
  app->in_call++;
  called(app, "set id", runnel_stream_set_last_event_id(stream, id.at, id.len));
  story_bytes_free(&id);
}

static void show_id(struct story_app *app, runnel_stream *stream) {
  struct story_bytes line = {0};
  size_t len;
  const char *id = runnel_stream_last_event_id(stream, &len);
  story_escape(&line, id, len);
  story_app_say(app, "last id %s", line.at);
  story_bytes_free(&line);
}

static int act_stream(struct story_app *app, struct story_stream *stream,
                      char *words) {
  runnel_stream *handle = stream->stream;
  char *rest;
  if (strcmp(words, "close") == 0) {
    app->in_call++;
    if (called(app, words, runnel_stream_close(handle)))
      stream->order.closing = 1;
  } else if (strcmp(words, "pause") == 0) {
    app->in_call++;
    if (called(app, words, runnel_stream_pause(handle)))
      stream->order.paused = 1;
  } else if (strcmp(words, "resume") == 0) {
    app->in_call++;
    if (called(app, words, runnel_stream_resume(handle)))
      stream->order.paused = 0;
  } else if (strcmp(words, "reconnect") == 0) {
    app->in_call++;
    if (called(app, words, runnel_stream_reconnect(handle))) {
      order_reconnected(&stream->order);
      free(stream->refused);
      stream->refused = NULL;
    }
  } else if (strcmp(words, "state") == 0) {
    story_app_say(app, "state %s",
                  runnel_state_name(runnel_stream_state(handle)));
  } else if ((rest = story_after(words, "stats")) != NULL) {
    show_stats(app, handle, rest);
  } else if ((rest = story_after(words, "set id")) != NULL) {
    set_id(app, handle, rest);
  } else if (strcmp(words, "last id") == 0) {
    show_id(app, handle);
  } else {
    return 0;
  }
  return 1;
}

/* What only a callback can do. */
static int act_inside(struct story_app *app, const struct story_action *action,
                      char *words) {
  char *rest;
  if (strcmp(words, "LATER") == 0 && action->result != NULL) {
    *action->result = RUNNEL_LATER;
  } else if (strcmp(words, "stop") == 0 && action->verdict != NULL) {
    action->verdict->retry = 0;
  } else if ((rest = story_after(words, "retry")) != NULL &&
             action->verdict != NULL) {
    action->verdict->retry = 1;
    action->verdict->delay_ms = story_ms(rest);
  } else if ((rest = story_after(words, "blocked")) != NULL) {
    app->sim.now_ms += story_ms(rest);
  } else {
    return strcmp(words, "-") == 0;
  }
  return 1;
}

int story_app_act(struct story_app *app, const struct story_action *action,
                  char *words) {
  struct story_stream *stream = action->stream;
  char *rest;
  if (act_inside(app, action, words))
    return 1;
  if (app->client == NULL || app->client_closed)
    return stream != NULL && stream->request != NULL &&
           act_request(app, stream, words);
  if ((rest = story_after(words, "open")) != NULL) {
    open_stream(app, rest);
    return 1;
  }
  if ((rest = story_after(words, "client stats")) != NULL) {
    show_client_stats(app, rest);
    return 1;
  }
  if (act_client(app, words))
    return 1;
  if (stream == NULL)
    return 0;
  if (stream->request != NULL && act_request(app, stream, words))
    return 1;
  return stream->stream != NULL && act_stream(app, stream, words);
}

/* "sN WORDS": the stream, *words then points behind it. */
struct story_stream *story_app_stream(struct story_app *app, char **words) {
  char *end;
  if ((*words)[0] != 's' || (*words)[1] < '0' || (*words)[1] > '9')
    return NULL;
  size_t number = strtoul(*words + 1, &end, 10);
  if (*end != ' ' || number == 0 || number > app->streams_len)
    return NULL;
  *words = story_rest(end);
  return &app->streams[number - 1];
}

static void act_all(struct story_app *app, const struct story_action *action,
                    char *words) {
  for (char *next; words != NULL; words = next) {
    next = strstr(words, "; ");
    if (next != NULL) {
      *next = '\0';
      next += 2;
    }
    struct story_action one = *action;
    struct story_stream *other = story_app_stream(app, &words);
    if (other != NULL)
      one.stream = other;
    if (!story_app_act(app, &one, words) && app->memory.failed == 0)
      story_app_fail(app, "cannot be done here: %s", words);
  }
}

void story_app_todo(struct story_app *app, const struct story_action *action,
                    const char *kind) {
  size_t number = action->stream == NULL ? 0 : action->stream->number;
  for (struct story_todo **at = &app->todos; *at != NULL; at = &(*at)->next) {
    struct story_todo *todo = *at;
    if (strcmp(todo->kind, kind) != 0 ||
        (todo->stream != 0 && todo->stream != number))
      continue;
    *at = todo->next;
    act_all(app, action, todo->words);
    free(todo->words);
    free(todo);
    return;
  }
}
