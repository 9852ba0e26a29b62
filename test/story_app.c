/* The application from beginning to end; what it does in between is in
 * story_act.c. */
#include "story_app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void story_app_say(struct story_app *app, const char *format, ...) {
  char line[4400];
  va_list args;
  if (app->quiet)
    return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (size_t len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
    line[len - 1] = '\0'; /* as in the story's text */
  story_bytes_text(&app->shown, "  ");
  story_bytes_text(&app->shown, line);
  story_bytes_text(&app->shown, "\n");
}

void story_app_fail(struct story_app *app, const char *format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  app->fail(app->user, line);
  abort();
}

static void hear_say(void *user, const char *line) {
  story_app_say(user, "%s", line);
}

static void hear_broken(void *user, const char *line) {
  story_app_fail(user, "%s", line);
}

void story_app_init(struct story_app *app) {
  memset(app, 0, sizeof *app);
  struct runnel_alloc hooks = failing_alloc_hooks(&app->memory);
  sim_init(&app->sim, &hooks);
  app->sim.say = hear_say;
  app->sim.fail = hear_broken;
  app->sim.user = app;
  app->options = (struct runnel_client_options)RUNNEL_CLIENT_OPTIONS_INIT;
  app->options.alloc = hooks;
  story_options_init(&app->defaults);
}

int story_app_begin(struct story_app *app) {
  if (app->client != NULL || app->no_client)
    return !app->no_client;
  if (app->defaults.texts_len > 0 || app->defaults.stream.on_event != NULL)
    app->options.stream_defaults = &app->defaults.stream;
  int code = runnel__client_new(&app->client, &app->options);
  if (code == RUNNEL_OK) {
    app->client->pid = (long)getpid(); /* as runnel_client_new does */
    runnel__client_attach(app->client, &app->sim.world);
    return 1;
  }
  if (code != RUNNEL_ENOMEM || app->memory.failed == 0)
    story_app_fail(app, "no client: %s: %s", runnel_err_name(code),
                   app->options.error_text);
  app->no_client = 1;
  return 0;
}

/* "on [sN] KIND WORDS" */
static void add_todo(struct story_app *app, char *line) {
  struct story_todo *todo = calloc(1, sizeof *todo);
  if (todo == NULL)
    abort();
  char *word = story_word(&line);
  if (word != NULL && word[0] == 's' && word[1] >= '1' && word[1] <= '9') {
    todo->stream = strtoul(word + 1, NULL, 10);
    word = story_word(&line);
  }
  snprintf(todo->kind, sizeof todo->kind, "%s", word == NULL ? "" : word);
  todo->words = strdup(story_rest(line));
  if (todo->words == NULL)
    abort();
  struct story_todo **end = &app->todos;
  while (*end != NULL)
    end = &(*end)->next;
  *end = todo;
}

/* The stream that a line without a name means: the first that still lives. */
static struct story_stream *first_stream(struct story_app *app) {
  for (size_t i = 0; i < app->streams_len; i++)
    if (app->streams[i].stream != NULL || app->streams[i].request != NULL)
      return &app->streams[i];
  return NULL;
}

int story_app_do(struct story_app *app, char *line) {
  char *rest;
  if ((rest = story_after(line, "client")) != NULL &&
      story_after(rest, "stats") == NULL) {
    story_client_read(app, rest);
    return 1;
  }
  if ((rest = story_after(line, "defaults")) != NULL) {
    story_ears_set(&app->defaults.stream, "");
    story_options_read(app, &app->defaults, rest);
    return 1;
  }
  if ((rest = story_after(line, "on")) != NULL) {
    add_todo(app, rest);
    return 1;
  }
  if (!story_app_begin(app))
    return 1;
  struct story_action action = {.stream = story_app_stream(app, &line)};
  if (action.stream == NULL)
    action.stream = first_stream(app);
  return story_app_act(app, &action, line);
}

static void check_streams(struct story_app *app) {
  for (size_t i = 0; i < app->streams_len; i++) {
    struct story_stream *stream = &app->streams[i];
    if (stream->opened && !stream->order.closed)
      story_app_fail(app, "s%zu never closed", i + 1);
    free(stream->refused);
    stream->refused = NULL;
  }
}

static void end_client(struct story_app *app) {
  if (app->client == NULL)
    return;
  if (!app->client_closing && !story_app_close(app))
    story_app_fail(app, "the client does not close");
  sim_settle(&app->sim);
  if (!app->client_closed)
    story_app_fail(app, "the client's callback never came");
}

/* Handles that the application holds may outlive the client. */
static void end_requests(struct story_app *app) {
  for (size_t i = 0; i < app->streams_len; i++)
    if (app->streams[i].request != NULL)
      story_app_proceed(app, &app->streams[i], RUNNEL_OK);
}

static void free_todos(struct story_app *app) {
  while (app->todos != NULL) {
    struct story_todo *todo = app->todos;
    app->todos = todo->next;
    free(todo->words);
    free(todo);
  }
}

void story_app_deinit(struct story_app *app) {
  app->quiet = 1;
  free_todos(app);
  end_client(app);
  end_requests(app);
  check_streams(app);
  sim_deinit(&app->sim);
  if (app->memory.live != 0)
    story_app_fail(app, "%zu blocks were never given back", app->memory.live);
  for (size_t i = 0; i < STORY_SETTINGS_MAX; i++)
    runnel_tls_release(app->settings[i]);
  story_options_free(&app->defaults);
  for (size_t i = 0; i < app->client_texts_len; i++)
    story_bytes_free(&app->client_texts[i]);
  story_bytes_free(&app->shown);
}
