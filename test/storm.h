/* One storm: the application's side, the weather, and what must hold. */
#ifndef RUNNEL_TEST_STORM_H
#define RUNNEL_TEST_STORM_H

#include "failing_alloc.h"
#include "order.h"
#include "runnel.h"
#include "sim.h"
#include "storm_server.h"

#define STORM_STREAMS 1000
#define STORM_ORIGINS 12

struct storm;

/* A bucket as the gate should have it. */
struct storm_bucket {
  double tokens;
  int64_t filled_ms;
};

struct storm_stream {
  struct storm *storm;
  runnel_stream *stream; /* NULL: not opened yet, or closed */
  runnel_request *held;
  struct order order;
  struct storm_feed feed;
  struct storm_reply reply;
  size_t link;      /* number of the link that carries the reply */
  uint64_t taken;   /* the last event that was */
  uint64_t refused; /* the one that must come next; 0: none */
  int64_t not_before_ms;
  int64_t failures;
  int64_t after_ms; /* Retry-After of the last answer; -1 */
  int opened;       /* ever */
  int reconnected;  /* since the last end */
  int origin;
  int crossed; /* its attempt was led to another origin */
};

struct storm_totals {
  size_t streams;
  size_t attempts;
  size_t events;
  size_t ends;
  size_t refusals;
  size_t connects;
  size_t full; /* handshakes */
  size_t resumed;
};

struct storm {
  struct sim sim;
  struct failing_alloc memory;
  runnel_client *client;
  struct runnel_client_options options;
  struct storm_stream streams[STORM_STREAMS];
  struct storm_totals totals;
  struct storm_bucket bucket;
  struct storm_bucket origin_buckets[STORM_ORIGINS];
  uint64_t seed;
  uint64_t random;
  size_t steps;
  size_t open; /* streams that are */
  size_t next; /* the first that was never opened */
  int kind;    /* the weather is fine now */
  int in_call;
  int client_closing;
  int client_closed;
  void (*fail)(void *user, const char *line); /* must not return */
};

void storm_run(struct storm *storm, uint64_t seed, struct storm_totals *totals);

/* storm_app.c */
void storm_app_open(struct storm *storm);
/* Something that an application might do to a stream at any time. */
void storm_app_meddle(struct storm_stream *stream);
void storm_app_release(struct storm_stream *stream); /* proceed, resume */
void storm_app_close(struct storm *storm);
void storm_app_check(struct storm *storm); /* gate and memory */

#endif
