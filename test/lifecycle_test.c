/* Every public call, in every callback, to a stream in every state: a matrix in
 * the virtual world. In each cell one stream ("the player") lives a life that
 * has all callbacks in it; at the first of one kind the call is made, to itself
 * or to another stream that stands still in a state of its own. Whatever that
 * did, the world is then kind until all have ended. Answers and callbacks are
 * checked by the stage's model, memory by the allocator's balance. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage.h"

int runnel__test_lifecycle(void);

#define ROUNDS_MAX 2000
#define PATIENCE_MS                                                            \
  60000 /* of the player's clocks; less than of the other's                    \
         */
#define FOR_LONG_MS 3600000
#define QUEUE_ADDRESS "10.0.0.50"

/* To whom the call is made. */
#define TARGET_MAP(X)                                                          \
  X(OTHER_HELD, "another, held")                                               \
  X(OTHER_ORPHANED, "another, backing off with an old request")                \
  X(OTHER_QUEUED, "another, queued")                                           \
  X(OTHER_FRESH, "another, just opened")                                       \
  X(OTHER_RESOLVING, "another, resolving")                                     \
  X(OTHER_CONNECTING, "another, connecting")                                   \
  X(OTHER_HANDSHAKING, "another, shaking hands")                               \
  X(OTHER_WAITING_HEAD, "another, waiting for the head")                       \
  X(OTHER_OPEN, "another, open")                                               \
  X(OTHER_PAUSED, "another, paused over a refused event")                      \
  X(OTHER_BACKING_OFF, "another, backing off")                                 \
  X(OTHER_CLOSING, "another, closing")                                         \
  X(SELF, "itself")                                                            \
  X(SELF_PAUSED, "itself, after a pause")                                      \
  X(SELF_CLOSING, "itself, after a close")                                     \
  X(SELF_RECONNECTED, "itself, after a reconnect")                             \
  X(SELF_HELD, "itself, after a hold")                                         \
  X(SELF_CLIENT_CLOSING, "itself, after the client's close")

enum target {
#define TARGET(name, text) name,
  TARGET_MAP(TARGET)
#undef TARGET
      TARGETS
};

static const char *const target_names[TARGETS] = {
#define TARGET(name, text) text,
    TARGET_MAP(TARGET)
#undef TARGET
};

/* What is done to it right before the call. */
static const char *const first_calls[TARGETS] = {
    [OTHER_CLOSING] = "stream_close", [SELF_PAUSED] = "stream_pause",
    [SELF_CLOSING] = "stream_close",  [SELF_RECONNECTED] = "stream_reconnect",
    [SELF_HELD] = "request_hold",     [SELF_CLIENT_CLOSING] = "client_close",
};

struct cell {
  const struct stage_call *call;
  enum stage_cue cue;
  enum target target;
  int once;
  /* How far it is. */
  struct stage stage;
  struct stage_actor *player;
  struct stage_actor *other; /* NULL: itself */
  int prepared;
  int fired;
  int kind; /* nobody stands still any more, and all ends in 204 */
};

static void fail_cell(void *user, const char *line) {
  const struct cell *cell = user;
  fail_msg("%s in %s%s, to %s: %s", cell->call->name,
           stage_cue_names[cell->cue], cell->once ? " of a one-shot" : "",
           target_names[cell->target], line);
  abort();
}

/* The world ---------------------------------------------------------------- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define BODY                                                                   \
  ": comment\n\nid: 1\ndata: a\n\nid: 2\n\n"                                   \
  "data: a line that is over the limit of 32 bytes\n\ndata: b\n\n"

static const char whole[] = HEAD BODY;
static const char head[] = HEAD;
static const char two_events[] = HEAD "id: 1\ndata: a\n\ndata: b\n\n";
static const char over[] = "HTTP/1.1 204 No Content\r\n\r\n";

/* Whose link or look-up it is: hosts have the actor's number. NULL: one that
 * came later. */
static struct stage_actor *actor_of(struct cell *cell, const char *name) {
  size_t number;
  struct stage *stage = &cell->stage;
  if (sscanf(name, "10.0.0.%zu:", &number) != 1 &&
      sscanf(name, "host%zu.test", &number) != 1)
    return NULL;
  if (number == 50) /* the one whose slot the queued one waits for */
    number = 0;
  return number < stage->len ? &stage->actors[number] : NULL;
}

static int stands_still(const struct cell *cell,
                        const struct stage_actor *actor, int state) {
  return !cell->kind && actor != NULL && actor->state == state;
}

static int touch_lookup(struct cell *cell, struct sim_lookup *lookup) {
  struct runnel__addr addr;
  if (stands_still(cell, actor_of(cell, lookup->host), RUNNEL_STATE_RESOLVING))
    return 0;
  runnel__addr_parse(&addr, runnel__str_of("10.0.7.7"));
  sim_resolved(lookup, &addr, 1);
  return 1;
}

static void answer(struct cell *cell, struct sim_link *link,
                   struct stage_actor *actor) {
  const char *text = over;
  link->answered = 1;
  if (stands_still(cell, actor, RUNNEL_STATE_OPEN))
    text = head;
  else if (stands_still(cell, actor, RUNNEL_STATE_PAUSED))
    text = two_events;
  else if (actor == cell->player && actor->answers++ == 0)
    text = whole;
  sim_bytes(link, text, strlen(text));
}

static int touch_link(struct cell *cell, struct sim_link *link) {
  struct stage_actor *actor = actor_of(cell, link->name);
  if (link->is_down || link->ends)
    return 0;
  if (!link->is_up) {
    if (stands_still(cell, actor, RUNNEL_STATE_CONNECTING))
      return 0;
    if (stands_still(cell, actor, RUNNEL_STATE_BACKING_OFF))
      sim_refused(link, RUNNEL_ECONNECT, ECONNREFUSED);
    else
      sim_up(link);
    return 1;
  }
  if (link->is_shaking) {
    if (stands_still(cell, actor, RUNNEL_STATE_HANDSHAKING))
      return 0;
    sim_secured(link, "TLSv1.3", 0);
    return 1;
  }
  if (stands_still(cell, actor, RUNNEL_STATE_WAITING_HEAD))
    return 0;
  if (!link->answered) {
    answer(cell, link, actor);
    return 1;
  }
  if (stands_still(cell, actor, RUNNEL_STATE_OPEN) ||
      stands_still(cell, actor, RUNNEL_STATE_PAUSED))
    return 0;
  sim_end(link, RUNNEL_OK, 0);
  return 1;
}

/* All that the peers do at this instant. 0: nothing. */
static int play_peers(struct cell *cell) {
  struct sim *sim = &cell->stage.sim;
  int busy = 0;
  sim_settle(sim);
  for (size_t i = sim->lookups_len; i > 0; i--)
    if (i <= sim->lookups_len)
      busy += touch_lookup(cell, sim->lookups[i - 1]);
  for (size_t i = sim->links_len; i > 0; i--) {
    if (i > sim->links_len)
      continue;
    busy += touch_link(cell, sim->links[i - 1]);
    sim_settle(sim);
  }
  sim_settle(sim);
  return busy;
}

/* The application ---------------------------------------------------------- */

static struct stage_actor *open_actor(struct cell *cell, const char *host,
                                      int once) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[64];
  snprintf(url, sizeof url, host, cell->stage.len);
  options.url = url;
  options.end = once ? RUNNEL_END_ONCE : RUNNEL_END_AUTO;
  options.event_bytes_max = 32;
  options.oversize = RUNNEL_OVERSIZE_DROP;
  options.open_ms_max = RUNNEL_NONE;
  options.connect_ms_max = RUNNEL_NONE;
  options.handshake_ms_max = RUNNEL_NONE;
  options.hold_ms_max = cell->prepared ? 100 : FOR_LONG_MS;
  options.retry_ms = cell->prepared ? 100 : FOR_LONG_MS;
  options.retry_ms_max = RUNNEL_NONE;
  return stage_open(&cell->stage, &options);
}

static void fire(struct cell *cell) {
  struct stage *stage = &cell->stage;
  cell->fired = 1;
  if (cell->target == OTHER_FRESH)
    cell->other = open_actor(cell, "http://10.0.0.%zu/", cell->once);
  struct stage_actor *whom = cell->other != NULL ? cell->other : cell->player;
  if (first_calls[cell->target] != NULL)
    stage_make(stage_find_call(first_calls[cell->target]), stage, whom);
  if (stage->client != NULL)
    stage_make(cell->call, stage, whom);
}

static void hear_cue(struct stage *stage, enum stage_cue cue,
                     struct stage_actor *actor) {
  struct cell *cell = stage->user;
  if (actor != NULL && actor->state == RUNNEL_STATE_HELD &&
      cue == STAGE_REQUEST)
    stage_make(stage_find_call("request_hold"), stage, actor);
  if (actor != NULL && actor->state == RUNNEL_STATE_PAUSED && !cell->kind &&
      cue == STAGE_EVENT)
    actor->refuses = 1;
  if (!cell->prepared)
    return;
  if (cell->cue == STAGE_POST && cue == STAGE_OPEN && stage->posts_made == 0)
    stage_make(stage_find_call("client_post"), stage, NULL);
  if (cell->cue == STAGE_VISIT && cue == STAGE_OPEN && !cell->fired)
    stage_make(stage_find_call("client_each"), stage, NULL);
  if (cue != cell->cue || cell->fired)
    return;
  if (actor == NULL || actor == cell->player)
    fire(cell);
}

/* Puts the other into its state. */
static void prepare(struct cell *cell) {
  static const int states[TARGETS] = {
      [OTHER_HELD] = RUNNEL_STATE_HELD,
      [OTHER_ORPHANED] = RUNNEL_STATE_HELD,
      [OTHER_RESOLVING] = RUNNEL_STATE_RESOLVING,
      [OTHER_CONNECTING] = RUNNEL_STATE_CONNECTING,
      [OTHER_HANDSHAKING] = RUNNEL_STATE_HANDSHAKING,
      [OTHER_WAITING_HEAD] = RUNNEL_STATE_WAITING_HEAD,
      [OTHER_OPEN] = RUNNEL_STATE_OPEN,
      [OTHER_PAUSED] = RUNNEL_STATE_PAUSED,
      [OTHER_BACKING_OFF] = RUNNEL_STATE_BACKING_OFF,
      [OTHER_CLOSING] = RUNNEL_STATE_OPEN,
      [OTHER_QUEUED] = RUNNEL_STATE_QUEUED,
  };
  if (cell->target >= SELF || cell->target == OTHER_FRESH)
    return;
  const char *host = "http://10.0.0.%zu/";
  if (cell->target == OTHER_QUEUED) {
    host = "http://" QUEUE_ADDRESS "/%zu";
    open_actor(cell, host, 0)->state = RUNNEL_STATE_CONNECTING;
    play_peers(cell);
  } else if (cell->target == OTHER_RESOLVING) {
    host = "http://host%zu.test/";
  } else if (cell->target == OTHER_HANDSHAKING) {
    host = "https://10.0.0.%zu/";
  }
  cell->other = open_actor(cell, host, cell->once);
  cell->other->state = states[cell->target];
  while (play_peers(cell))
    ;
  if (cell->target == OTHER_ORPHANED) {
    sim_tick(&cell->stage.sim, INT64_MAX); /* held for too long */
    cell->other->state = RUNNEL_STATE_BACKING_OFF;
  }
  stage_check(&cell->stage,
              runnel_stream_state(cell->other->stream) == cell->other->state,
              "prepared: %s",
              runnel_state_name(runnel_stream_state(cell->other->stream)));
}

/* Until the player closed, or waits for ever; then until all did. */
static void play(struct cell *cell) {
  struct stage *stage = &cell->stage;
  for (int rounds = 0; stage->open > 0; rounds++) {
    stage_check(stage, rounds < ROUNDS_MAX, "some streams never end");
    if (play_peers(cell))
      continue;
    if (cell->player->stream != NULL)
      stage_release(cell->player);
    for (size_t i = 0; cell->kind && i < stage->len; i++)
      stage_release(&stage->actors[i]);
    sim_settle(&stage->sim);
    int64_t until_ms =
        cell->kind ? INT64_MAX - 1 : stage->sim.now_ms + PATIENCE_MS;
    if (!sim_tick(&stage->sim, until_ms) && cell->player->stream == NULL)
      cell->kind = 1;
  }
}

/* Has the player an old request? Only once the first attempt was held for too
 * long. */
static int wants_orphan(const struct cell *cell) {
  return cell->target >= SELF && cell->call->kind == 'r' &&
         cell->cue != STAGE_REQUEST;
}

static size_t run_cell(struct cell *cell) {
  struct stage *stage = &cell->stage;
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  options.origin_dials_max = 1;
  stage->cue = hear_cue;
  stage->fail = fail_cell;
  stage->user = cell;
  stage_begin(stage, &options);
  prepare(cell);
  cell->prepared = 1;
  cell->player = open_actor(cell, "http://10.0.0.%zu/", cell->once);
  if (wants_orphan(cell)) {
    int cue = (int)cell->cue;
    cell->cue = STAGE_CUES; /* not yet */
    cell->player->state = RUNNEL_STATE_HELD;
    sim_settle(&stage->sim);
    sim_tick(&stage->sim, INT64_MAX);
    cell->player->state = -1;
    cell->cue = (enum stage_cue)cue;
  }
  if (cell->cue == STAGE_OUTSIDE) {
    play_peers(cell);
    fire(cell);
  }
  play(cell);
  stage_end(stage);
  stage_check(stage, cell->fired, "the call was never made");
  return stage->calls;
}

/* The matrix --------------------------------------------------------------- */

/* Cells in which there is nobody to make the call to are left out. */
static int makes_sense(const struct cell *cell) {
  int is_dead = cell->cue == STAGE_CLIENT;
  if (is_dead && cell->call->kind == 's')
    return 0; /* every stream is dead by then */
  if (cell->target == SELF_HELD && cell->cue != STAGE_REQUEST)
    return 0;
  if (cell->target == OTHER_FRESH && (is_dead || cell->call->kind == 'r'))
    return 0; /* it asks later */
  return !is_dead || cell->target == SELF || cell->target == OTHER_HELD ||
         cell->target == OTHER_ORPHANED;
}

static void test_matrix(void **state) {
  static struct cell cell;
  size_t cells = 0;
  size_t calls = 0;
  (void)state;
  for (int once = 0; once <= 1; once++)
    for (size_t call = 0; call < stage_calls_len; call++)
      for (int cue = 0; cue < STAGE_CUES; cue++)
        for (int target = 0; target < TARGETS; target++) {
          memset(&cell, 0, sizeof cell);
          cell.call = &stage_calls[call];
          cell.cue = (enum stage_cue)cue;
          cell.target = (enum target)target;
          cell.once = once;
          if (!makes_sense(&cell))
            continue;
          calls += run_cell(&cell);
          cells++;
        }
  printf("lifecycle: %zu calls x %d callbacks x %d targets x 2 modes: %zu "
         "cells, %zu calls\n",
         stage_calls_len, STAGE_CUES, TARGETS, cells, calls);
}

int runnel__test_lifecycle(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix)};
  return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
