/* A stage: a client in the virtual world whose application may do anything in
 * any callback, and a model of what it must be answered and may be told
 * (promises 2, 3, 4 and 6). The play itself, which is who does what when and
 * how the peers behave, is the test's. */
#ifndef RUNNEL_TEST_STAGE_H
#define RUNNEL_TEST_STAGE_H

#include "failing_alloc.h"
#include "order.h"
#include "runnel.h"
#include "sim.h"

#define STAGE_ACTORS 64
#define STAGE_POSTS 1024

/* Where the application may do something. */
#define STAGE_CUE_MAP(X)                                                       \
  X(REQUEST, "on_request")                                                     \
  X(OPEN, "on_open")                                                           \
  X(EVENT, "on_event")                                                         \
  X(ID, "on_id")                                                               \
  X(COMMENT, "on_comment")                                                     \
  X(DROP, "on_drop")                                                           \
  X(END, "on_end")                                                             \
  X(CLOSE, "on_close")                                                         \
  X(CLIENT, "the client's callback")                                           \
  X(POST, "a posted function")                                                 \
  X(VISIT, "the visitor")                                                      \
  X(OUTSIDE, "no callback")

enum stage_cue {
#define STAGE_CUE(name, text) STAGE_##name,
  STAGE_CUE_MAP(STAGE_CUE)
#undef STAGE_CUE
      STAGE_CUES
};

extern const char *const stage_cue_names[STAGE_CUES];

struct stage;

/* A handle that on_request gave. */
struct stage_request {
  runnel_request *handle; /* NULL: none */
  int asking;             /* inside its on_request */
  int held;
  int over;    /* its attempt is */
  int crossed; /* it goes to another origin, by a redirect */
};

struct stage_actor {
  struct stage *stage;
  size_t number;
  runnel_stream *stream; /* NULL: not opened, or closed */
  struct stage_request request;
  struct stage_request orphan; /* of an attempt that is over, still held */
  struct order order;
  struct runnel_verdict *verdict; /* inside on_end, else NULL */
  unsigned cuts; /* how often the application ended its attempt */
  int once;
  int opened;
  int refuses; /* the event that is shown now */
  /* The play's own. */
  int state;
  size_t answers;
};

struct stage_post {
  struct stage *stage;
  size_t number;
};

struct stage {
  struct sim sim; /* first */
  struct failing_alloc memory;
  runnel_client *client; /* NULL once it closed */
  struct stage_actor actors[STAGE_ACTORS];
  size_t len;
  size_t open; /* actors whose stream is */
  int client_closing;
  int client_closed;
  int in_call;
  int in_callback;
  int running; /* what the client takes for runnel_client_run's */
  struct stage_post posts[STAGE_POSTS];
  size_t posts_made;
  size_t posts_run;
  size_t calls; /* made so far */
  /* The play. `actor` is NULL where the cue is the client's. */
  void (*cue)(struct stage *stage, enum stage_cue cue,
              struct stage_actor *actor);
  void *user;
  void (*fail)(void *user, const char *line); /* must not return */
};

/* `stage` is zeroed but for cue, user and fail. */
void stage_begin(struct stage *stage, struct runnel_client_options *options);

/* Closes the client unless that was done, releases all holds and checks that
 * everybody was told and everything given back. */
void stage_end(struct stage *stage);

/* NULL: no room, or the client is closing (which is checked). */
struct stage_actor *stage_open(struct stage *stage,
                               struct runnel_stream_options *options);

/* Lets go of everything that the application keeps an actor from. */
void stage_release(struct stage_actor *actor);

void stage_check(struct stage *stage, int holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The stream is closing, as far as the application knows. */
int stage_is_closing(const struct stage_actor *actor);
/* ... or nobody can tell. */
int stage_is_unsure(const struct stage_actor *actor);

/* Every public call that a client, a stream or a request has. Each checks its
 * answer against the model. Those of streams and requests are made to `actor`,
 * and do nothing if it has no such handle. */
struct stage_call {
  const char *name;
  int kind; /* 'c': the client; 's': a stream; 'r': a request */
  void (*make)(struct stage *stage, struct stage_actor *actor);
};

extern const struct stage_call stage_calls[];
extern const size_t stage_calls_len;

/* The one of that name. */
const struct stage_call *stage_find_call(const char *name);

/* Makes it, counts it, and looks at the stream's state afterwards. */
void stage_make(const struct stage_call *call, struct stage *stage,
                struct stage_actor *actor);

#endif
