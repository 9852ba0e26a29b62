/* The application of fuzz_story: a client on a virtual world, and callbacks
 * that check what must hold whatever happens (promises 1 to 6, 8 and 9 of
 * runnel.h) and then do what the input says.
 *
 * Tokens: an event of a well-behaved server has the data "#LLLLNNNN#", in hex
 * the number of the link and of the event on it, so that loss, repetition and
 * mixed-up order show. No other bytes of a server hold a '#'. */
#ifndef RUNNEL_TEST_FUZZ_MODEL_H
#define RUNNEL_TEST_FUZZ_MODEL_H

#include "../../lib/stream/client.h"
#include "../failing_alloc.h"
#include "../order.h"
#include "../sim.h"
#include "fuzz.h"

#define MODEL_STREAMS_MAX 8
#define MODEL_LINKS_MAX 128
#define MODEL_TODOS_MAX 64
#define MODEL_HELD_MAX 4
#define MODEL_HELD_BYTES_MAX 65536

/* In everything that may reach the stream's own server only. */
#define MODEL_SECRET "s3cret"

struct model;

struct model_stream {
  struct model *model;
  runnel_stream *stream;                /* NULL: refused, or closed */
  runnel_request *request;              /* NULL outside on_request */
  runnel_request *held[MODEL_HELD_MAX]; /* to be proceeded, oldest first */
  size_t held_len;                      /* of them, attempts may be over */
  struct order order;
  int opened;       /* ever */
  size_t good;      /* responses and events shown */
  unsigned link;    /* of the last token taken; 0: none */
  unsigned event;   /* its number there */
  char refused[12]; /* the token that must come next; "": none */
};

struct model_todo {
  uint8_t letter, argument;
};

/* What was sent on a link. */
struct model_link {
  unsigned events; /* tokens */
  int is_foul;     /* anything else, which may hide tokens */
};

struct model {
  struct sim sim;
  struct failing_alloc memory;
  struct runnel_client *client; /* NULL: never made, or closed */
  struct runnel_client_options options;
  struct model_stream streams[MODEL_STREAMS_MAX];
  size_t streams_len;
  size_t chosen; /* the stream that actions are done to */
  struct model_todo todos[MODEL_TODOS_MAX]; /* of callbacks to come */
  size_t todos_len, todos_done;
  struct model_link links[MODEL_LINKS_MAX];
  int in_call;
  int client_closing, client_closed;
};

void model_init(struct model *model, unsigned flags);

/* Closes all, checks that all is given back. */
void model_deinit(struct model *model);

/* One action of the application's; letters as in fuzz_story.c. 0: no action. */
int model_act(struct model *model, uint8_t letter, uint8_t argument);

/* Ends holds and pauses. */
void model_release(struct model *model);

/* What must hold between callbacks. */
void model_check(struct model *model);

/* 1 for the number of a link whose events are counted. */
struct model_link *model_link_of(struct model *model, size_t number);

/* What the callbacks of model_ears.c need of model.c. */
void model_ears_set(struct runnel_stream_options *options, unsigned flags);
void model_ears_log(int level, const char *line, void *ctx);
void model_todo(struct model_stream *stream, struct runnel_verdict *verdict,
                int *result);
void model_posted(struct runnel_client *client, void *user);

#endif
