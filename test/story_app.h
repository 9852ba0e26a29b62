/* The application of a story: a client on a virtual world, streams s1, s2, ...,
 * callbacks that write down what they see and do what the story says. */
#ifndef RUNNEL_TEST_STORY_APP_H
#define RUNNEL_TEST_STORY_APP_H

#include "../lib/stream/client.h"
#include "failing_alloc.h"
#include "order.h"
#include "runnel.h"
#include "sim.h"
#include "story_text.h"

#define STORY_STREAMS_MAX 64
#define STORY_HEADERS_MAX 16
#define STORY_RESOLVES_MAX 8
#define STORY_SETTINGS_MAX 4

struct story_app;

/* What an `on` line asks a later callback to do. */
struct story_todo {
  struct story_todo *next;
  char *words; /* "close; set id 5"; owned */
  char kind[16];
  size_t stream; /* from 1; 0: any */
};

struct story_stream {
  struct story_app *app;
  runnel_stream *stream;   /* NULL: refused, or closed */
  runnel_request *request; /* NULL outside on_request and hold */
  struct order order;
  size_t number; /* from 1 */
  int opened;    /* runnel_stream_open succeeded */
  int held;
  int shows_text;
  size_t good;   /* times that a response or an event was shown */
  char *refused; /* data of the event that was refused; owned */
};

/* Options under construction; the strings are borrowed from `words`. */
struct story_options {
  struct runnel_stream_options stream;
  struct runnel_header headers[STORY_HEADERS_MAX];
  size_t headers_len;
  struct story_bytes texts[STORY_HEADERS_MAX + 8]; /* unescaped */
  size_t texts_len;
  int shows_text;
};

struct story_app {
  struct sim sim;
  struct failing_alloc memory;
  runnel_client *client; /* NULL: none yet, or closed */
  struct runnel_client_options options;
  struct runnel_resolve resolves[STORY_RESOLVES_MAX];
  struct story_options defaults;
  struct story_bytes client_texts[2 * STORY_RESOLVES_MAX];
  size_t client_texts_len;
  struct story_stream streams[STORY_STREAMS_MAX];
  size_t streams_len;
  runnel_tls *settings[STORY_SETTINGS_MAX]; /* one reference each, or NULL */
  struct story_todo *todos;
  struct story_bytes shown; /* the transcript */
  int no_client;            /* there was no memory for it */
  int client_closing;
  int client_closed;
  int in_call;
  int quiet; /* what is shown is not written down */
  /* The story broke a rule or the library did: must not return. */
  void (*fail)(void *user, const char *line);
  void *user;
};

void story_app_init(struct story_app *app);

/* Closes whatever is open, checks that all is given back, frees. */
void story_app_deinit(struct story_app *app);

__attribute__((format(printf, 2, 3))) void
story_app_say(struct story_app *app, const char *format, ...);
__attribute__((format(printf, 2, 3))) void
story_app_fail(struct story_app *app, const char *format, ...);

/* Does one line of the application's, e.g. "s2 close". 0: it is none. */
int story_app_do(struct story_app *app, char *line);

/* Does one action, e.g. "close", for a stream (NULL: the client's only). In a
 * callback, `event_result` and `verdict` may be set. 0: it is none. */
struct story_action {
  struct story_stream *stream;
  struct runnel_verdict *verdict;
  int *result;
};
int story_app_act(struct story_app *app, const struct story_action *action,
                  char *words);

/* The stream that "sN WORDS" names, *words then points behind it; or NULL. */
struct story_stream *story_app_stream(struct story_app *app, char **words);

/* 0: the call was refused. */
int story_app_close(struct story_app *app);
void story_app_proceed(struct story_app *app, struct story_stream *stream,
                       int code);

/* Does what the next `on` line for this callback asks. */
void story_app_todo(struct story_app *app, const struct story_action *action,
                    const char *kind);

/* Begins the client if there is none yet. 0: there was no memory. */
int story_app_begin(struct story_app *app);

/* story_options.c: reads "key=value ..." words. */
void story_options_init(struct story_options *options);
void story_options_free(struct story_options *options);
void story_options_read(struct story_app *app, struct story_options *options,
                        char *words);
void story_client_read(struct story_app *app, char *words);

/* story_ears.c: the callbacks. */
void story_ears_set(struct runnel_stream_options *options, const char *wants);

#endif
