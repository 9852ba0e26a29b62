/* The client: which streams there are, when the next of them wants something,
 * and in what order all ends. */
#ifndef RUNNEL_STREAM_CLIENT_H
#define RUNNEL_STREAM_CLIENT_H

#include "../core/heap.h"
#include "../core/list.h"
#include "ask.h"
#include "gate.h"
#include "handshake.h"
#include "log.h"
#include "lookup.h"
#include "options.h"

/* An address that stands in for a look-up. */
struct runnel__override {
  const char *host; /* in the client's copy */
  struct runnel__addr addr;
};

struct runnel_client {
  struct runnel__mem mem;
  struct runnel__world *world;
  struct runnel__log log;

  struct runnel__list streams; /* all, in the order of opening */
  struct runnel__list ready;   /* those that want a turn */
  size_t streams_len;
  struct runnel__heap heap; /* room for every stream and the gate */
  struct runnel__heap_node gate_clock;
  struct runnel__gate gate;
  struct runnel__lookups lookups;
  struct runnel__handshakes handshakes;
  int gate_dirty; /* somebody joined, or a slot came free */

  int64_t now_ms;  /* by the world's clock, as the turn began */
  int64_t wake_ms; /* what the world was asked for last */
  int turns;       /* nested; 0: not inside a turn */

  struct runnel_stream_options defaults; /* pointers into defaults_ask */
  struct runnel__ask defaults_ask;
  char *defaults_sentinel;
  struct runnel__policy *last_policy; /* one reference; equal ones are shared */
  struct runnel__override *overrides; /* with their strings one allocation */
  size_t overrides_len;

  int closing;
  int closed; /* the world was told to close */
  int *gone;  /* set to 1 when the client is freed, for who runs its loop */
  void (*on_closed)(void *user);
  void *on_closed_user;
  long pid;      /* the process that made it; api.c compares */
  int owns_loop; /* runnel_client_run drives it */

  struct runnel_client_stats past; /* of streams that are freed */
  struct runnel_client_stats stats;
  struct runnel_stream_stats stream_stats;
};

/* Checks the options and makes a client that has no world yet. `options` may be
 * NULL. 0, RUNNEL_EINVAL (with error_text) or RUNNEL_ENOMEM. */
int runnel__client_new(struct runnel_client **client,
                       struct runnel_client_options *options);

/* The application's allocator hooks, complete; a world is made with them. */
const struct runnel_alloc *
runnel__client_hooks(const struct runnel_client *client);

/* Plugs the world in: sets its ears and owner. Must follow new, once. */
void runnel__client_attach(struct runnel_client *client,
                           struct runnel__world *world);

/* Frees the client's memory; no stream is left and no world is told. */
void runnel__client_free(struct runnel_client *client);

int runnel__client_close(struct runnel_client *client,
                         void (*on_closed)(void *user), void *user);

/* In a forked child: frees streams, world and client without a word. */
void runnel__client_abandon(struct runnel_client *client);

int runnel__client_pause(struct runnel_client *client);
int runnel__client_resume(struct runnel_client *client);
int runnel__client_reconnect(struct runnel_client *client, int64_t spread_ms);
int runnel__client_each(struct runnel_client *client,
                        int (*visit)(runnel_stream *stream, void *user),
                        void *user);
void runnel__client_stats(struct runnel_client *client,
                          struct runnel_client_stats *stats);

/* Brackets what comes from the world: begin brings the clock up to date, end
 * lets the gate admit and sets the alarm. */
void runnel__client_begin(struct runnel_client *client);
void runnel__client_end(struct runnel_client *client);

/* After a call of the application's that changed something: an alarm for the
 * next turn, unless one is under way. */
void runnel__client_settle(struct runnel_client *client);

/* Registers a stream, with room in the heap. 0 or RUNNEL_ENOMEM. */
int runnel__client_add(struct runnel_client *client, runnel_stream *stream);
void runnel__client_remove(struct runnel_client *client, runnel_stream *stream);

/* The stream wants a turn. */
void runnel__client_ready(struct runnel_client *client, runnel_stream *stream);

/* The time now, fresh: for deadlines, since callbacks may have taken long. */
int64_t runnel__client_now(struct runnel_client *client);
uint64_t runnel__client_random(struct runnel_client *client);

/* The override for a host and port, or NULL. */
const struct runnel__addr *
runnel__client_override(const struct runnel_client *client,
                        struct runnel__str host, uint16_t port);

/* a + b for a time and a span, RUNNEL__NEVER when b is off. */
static inline int64_t runnel__later(int64_t at_ms, int64_t span_ms) {
  return span_ms >= RUNNEL__NEVER - at_ms ? RUNNEL__NEVER : at_ms + span_ms;
}

#endif
