/* The callbacks of whoever stands on the stage, checked against order.h. */
#include "stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/stream/client.h"

const char *const stage_cue_names[STAGE_CUES] = {
#define STAGE_CUE(name, text) text,
    STAGE_CUE_MAP(STAGE_CUE)
#undef STAGE_CUE
};

void stage_check(struct stage *stage, int holds, const char *format, ...) {
  char line[400];
  va_list args;
  if (holds)
    return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  stage->fail(stage->user, line);
  abort();
}

int stage_is_closing(const struct stage_actor *actor) {
  return actor->order.closing || actor->order.stopped;
}

int stage_is_unsure(const struct stage_actor *actor) {
  return !stage_is_closing(actor) && actor->order.may_stop;
}

/* Callbacks --------------------------------------------------------------- */

static struct stage_actor *enter(void *user, const char *broken) {
  struct stage_actor *actor = user;
  struct stage *stage = actor->stage;
  stage_check(stage, broken == NULL, "stream %zu: %s", actor->number, broken);
  stage_check(stage, !stage->in_call, "stream %zu: a callback inside a call",
              actor->number);
  stage_check(stage, !stage->in_callback, "a callback inside a callback");
  stage_check(stage, actor->stream != NULL, "a callback of a dead stream");
  stage->in_callback = 1;
  return actor;
}

static void play(struct stage_actor *actor, enum stage_cue cue) {
  struct stage *stage = actor->stage;
  stage->cue(stage, cue, actor);
  stage->in_callback = 0;
}

/* A held one is kept until the application proceeds. */
static void put_by(struct stage_actor *actor) {
  if (!actor->request.held)
    return;
  if (actor->orphan.handle != NULL)
    stage_check(actor->stage,
                runnel_request_proceed(actor->orphan.handle, 0) == RUNNEL_OK,
                "proceed of an old request is refused");
  actor->orphan = actor->request;
  actor->orphan.over = 1;
}

static void hear_request(runnel_stream *stream, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct stage_actor *actor = user;
  enter(user, order_request(&actor->order, attempt->why));
  struct stage *stage = actor->stage;
  stage_check(stage, stream == actor->stream, "on_request of another stream");
  stage_check(stage, runnel_stream_user(stream) == user, "another's user");
  put_by(actor);
  actor->request = (struct stage_request){
      .handle = request, .asking = 1, .crossed = attempt->cross_origin};
  play(actor, STAGE_REQUEST);
  actor->request.asking = 0;
  if (!actor->request.held)
    actor->request.handle = NULL;
}

static void hear_open(runnel_stream *stream, const struct runnel_open *open,
                      void *user) {
  struct stage_actor *actor = user;
  enter(user, order_open(&actor->order));
  stage_check(actor->stage, stream == actor->stream && open->status == 200,
              "on_open of another stream");
  play(actor, STAGE_OPEN);
}

static int hear_event(runnel_stream *stream, const struct runnel_event *event,
                      void *user) {
  struct stage_actor *actor = user;
  enter(user, order_shown(&actor->order));
  (void)stream;
  stage_check(actor->stage, event->data[event->data_len] == '\0',
              "data without its NUL");
  unsigned cuts = actor->cuts;
  play(actor, STAGE_EVENT);
  if (!actor->refuses)
    return RUNNEL_OK;
  actor->refuses = 0;
  if (actor->cuts == cuts && !stage_is_closing(actor))
    actor->order.paused = 1;
  return RUNNEL_LATER;
}

static void hear_id(runnel_stream *stream, const char *id, size_t len,
                    void *user) {
  struct stage_actor *actor = user;
  enter(user, order_id(&actor->order));
  (void)stream;
  stage_check(actor->stage, id[len] == '\0', "an id without its NUL");
  play(actor, STAGE_ID);
}

static void hear_comment(runnel_stream *stream, const char *text, size_t len,
                         void *user) {
  struct stage_actor *actor = user;
  enter(user, order_shown(&actor->order));
  (void)stream;
  stage_check(actor->stage, text[len] == '\0', "a comment without its NUL");
  play(actor, STAGE_COMMENT);
}

static void hear_drop(runnel_stream *stream, const struct runnel_drop *drop,
                      void *user) {
  struct stage_actor *actor = user;
  enter(user, order_shown(&actor->order));
  (void)stream;
  stage_check(actor->stage, drop->id[drop->id_len] == '\0',
              "a drop's id without its NUL");
  play(actor, STAGE_DROP);
}

static void hear_end(runnel_stream *stream, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct stage_actor *actor = user;
  enter(user, order_end(&actor->order, end->code, end->phase));
  (void)stream;
  actor->request.over = 1;
  actor->verdict = verdict;
  play(actor, STAGE_END);
  actor->verdict = NULL;
  order_verdict(&actor->order, verdict->retry, end->code);
}

static void hear_close(runnel_stream *stream, int code, void *user) {
  struct stage_actor *actor = user;
  struct stage *stage = actor->stage;
  enter(user, order_close(&actor->order, code));
  (void)stream;
  stage_check(stage, runnel_stream_state(stream) == RUNNEL_STATE_CLOSING,
              "on_close in another state than closing");
  actor->order.closing = 1;
  actor->request.over = 1;
  play(actor, STAGE_CLOSE);
  actor->stream = NULL;
  stage->open--;
}

/* What the application keeps ---------------------------------------------- */

static void proceed(struct stage_actor *actor, struct stage_request *request) {
  struct stage *stage = actor->stage;
  if (request->handle == NULL || !request->held)
    return;
  runnel_request *handle = request->handle;
  *request = (struct stage_request){0};
  stage->in_call++;
  stage_check(stage, runnel_request_proceed(handle, RUNNEL_OK) == RUNNEL_OK,
              "proceed is refused");
  stage->in_call--;
}

void stage_release(struct stage_actor *actor) {
  struct stage *stage = actor->stage;
  proceed(actor, &actor->request);
  proceed(actor, &actor->orphan);
  if (actor->stream == NULL || !actor->order.paused)
    return;
  stage->in_call++;
  int code = runnel_stream_resume(actor->stream);
  stage->in_call--;
  if (code == RUNNEL_OK)
    actor->order.paused = 0;
  else
    stage_check(stage, stage_is_closing(actor) || stage_is_unsure(actor),
                "resume is refused");
}

/* Beginning and end ------------------------------------------------------- */

void stage_begin(struct stage *stage, struct runnel_client_options *options) {
  struct runnel_alloc hooks = failing_alloc_hooks(&stage->memory);
  sim_init(&stage->sim, &hooks);
  stage->sim.user = stage->user;
  stage->sim.fail = stage->fail;
  options->alloc = hooks;
  stage_check(stage, runnel__client_new(&stage->client, options) == RUNNEL_OK,
              "no client: %s", options->error_text);
  stage->client->pid = (long)getpid();
  stage->client->owns_loop = 1;
  stage->client->gone = &stage->running; /* as inside runnel_client_run */
  runnel__client_attach(stage->client, &stage->sim.world);
}

struct stage_actor *stage_open(struct stage *stage,
                               struct runnel_stream_options *options) {
  if (stage->len == STAGE_ACTORS)
    return NULL;
  struct stage_actor *actor = &stage->actors[stage->len];
  *actor =
      (struct stage_actor){.stage = stage, .number = stage->len, .state = -1};
  actor->order.wants_request = 1;
  actor->order.wants_end = 1;
  options->user = actor;
  options->on_request = hear_request;
  options->on_open = hear_open;
  options->on_event = hear_event;
  options->on_id = hear_id;
  options->on_comment = hear_comment;
  options->on_drop = hear_drop;
  options->on_end = hear_end;
  options->on_close = hear_close;
  stage->in_call++;
  int code = runnel_stream_open(&actor->stream, stage->client, options);
  stage->in_call--;
  int expected = stage->client_closing ? RUNNEL_ESTATE : RUNNEL_OK;
  stage_check(stage, code == expected, "open is %s: %s", runnel_err_name(code),
              options->error_text);
  if (code != RUNNEL_OK)
    return NULL;
  actor->opened = 1;
  actor->once = options->end == RUNNEL_END_ONCE;
  stage->len++;
  stage->open++;
  return actor;
}

void stage_end(struct stage *stage) {
  if (!stage->client_closing)
    stage_make(stage_find_call("client_close"), stage, NULL);
  sim_settle(&stage->sim);
  stage_check(stage, stage->client_closed, "the client's callback never came");
  for (size_t i = 0; i < stage->len; i++) {
    stage_release(&stage->actors[i]);
    stage_check(stage, stage->actors[i].order.closed, "stream %zu never closed",
                i);
  }
  sim_deinit(&stage->sim);
  stage_check(stage, stage->memory.live == 0, "%zu blocks were not given back",
              stage->memory.live);
}
