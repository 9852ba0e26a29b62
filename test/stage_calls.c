/* The public calls, and what each must answer (runnel.h, at each function). */
#include "stage.h"

#include <string.h>

#define LEN(list) (sizeof list / sizeof list[0])

/* `got` is right if the stream is in a state where the call is possible, and
 * RUNNEL_ESTATE if it is not; either where nobody can tell. */
static void check_code(const struct stage_actor *actor, const char *call,
                       int got, int possible) {
  if (stage_is_unsure(actor) && got == RUNNEL_ESTATE)
    return;
  int expected = possible ? RUNNEL_OK : RUNNEL_ESTATE;
  stage_check(actor->stage, got == expected, "stream %zu: %s is %s, not %s",
              actor->number, call, runnel_err_name(got),
              runnel_err_name(expected));
}

/* The application ended the attempt, silently. */
static void note_cut(struct stage_actor *actor) {
  order_reconnected(&actor->order);
  actor->cuts++;
  actor->request.over = 1;
}

static void note_close(struct stage_actor *actor) {
  actor->order.closing = 1;
  actor->cuts++;
  actor->request.over = 1;
}

/* Streams ----------------------------------------------------------------- */

static void stream_close(struct stage *stage, struct stage_actor *actor) {
  stage_check(stage, runnel_stream_close(actor->stream) == RUNNEL_OK,
              "close is refused");
  if (!stage_is_closing(actor))
    note_close(actor);
}

static void stream_pause(struct stage *stage, struct stage_actor *actor) {
  int code = runnel_stream_pause(actor->stream);
  (void)stage;
  check_code(actor, "pause", code, !stage_is_closing(actor));
  if (code == RUNNEL_OK)
    actor->order.paused = 1;
}

static void stream_resume(struct stage *stage, struct stage_actor *actor) {
  int code = runnel_stream_resume(actor->stream);
  (void)stage;
  check_code(actor, "resume", code, !stage_is_closing(actor));
  if (code == RUNNEL_OK)
    actor->order.paused = 0;
}

static void stream_reconnect(struct stage *stage, struct stage_actor *actor) {
  int code = runnel_stream_reconnect(actor->stream);
  (void)stage;
  check_code(actor, "reconnect", code,
             !stage_is_closing(actor) && !actor->once);
  if (code == RUNNEL_OK)
    note_cut(actor);
}

static void stream_set_id(struct stage *stage, struct stage_actor *actor) {
  static char big[2000];
  static const char id[] = "77";
  size_t len;
  memset(big, 'x', sizeof big);
  int code = runnel_stream_set_last_event_id(actor->stream, big, sizeof big);
  stage_check(stage, code == RUNNEL_ETOOBIG || code == RUNNEL_ESTATE,
              "an id of 2,000 bytes is %s", runnel_err_name(code));
  code = runnel_stream_set_last_event_id(actor->stream, "a\nb", 3);
  stage_check(stage, code == RUNNEL_EINVAL || code == RUNNEL_ESTATE,
              "an id with LF is %s", runnel_err_name(code));
  code = runnel_stream_set_last_event_id(actor->stream, id, 2);
  check_code(actor, "set_last_event_id", code, !stage_is_closing(actor));
  const char *now = runnel_stream_last_event_id(actor->stream, &len);
  stage_check(stage, code != RUNNEL_OK || (len == 2 && strcmp(now, id) == 0),
              "the id that was set is not in force");
}

static void stream_unset_id(struct stage *stage, struct stage_actor *actor) {
  int code = runnel_stream_set_last_event_id(actor->stream, NULL, 0);
  check_code(actor, "set_last_event_id", code, !stage_is_closing(actor));
  stage_check(stage,
              code != RUNNEL_OK ||
                  runnel_stream_last_event_id(actor->stream, NULL)[0] == '\0',
              "the id is not taken away");
}

static void stream_last_id(struct stage *stage, struct stage_actor *actor) {
  size_t len;
  const char *id = runnel_stream_last_event_id(actor->stream, &len);
  stage_check(stage, id != NULL && id[len] == '\0', "an id without its NUL");
}

static void stream_stats(struct stage *stage, struct stage_actor *actor) {
  const struct runnel_stream_stats *stats = runnel_stream_stats(actor->stream);
  stage_check(stage, stats != NULL && stats->opens <= stats->attempts,
              "more opens than attempts");
}

static void stream_state(struct stage *stage, struct stage_actor *actor) {
  int state = runnel_stream_state(actor->stream);
  if (stage_is_unsure(actor) && state == RUNNEL_STATE_CLOSING)
    return;
  int is_right = stage_is_closing(actor) ? state == RUNNEL_STATE_CLOSING
                 : actor->order.paused   ? state == RUNNEL_STATE_PAUSED
                                         : state >= RUNNEL_STATE_HELD &&
                                             state < RUNNEL_STATE_CLOSING &&
                                             state != RUNNEL_STATE_PAUSED;
  stage_check(stage, is_right, "stream %zu is %s", actor->number,
              runnel_state_name(state));
}

/* Requests ---------------------------------------------------------------- */

/* The one that is there: the attempt's, else an old one. */
static struct stage_request *request_of(struct stage_actor *actor) {
  return actor->request.handle != NULL ? &actor->request : &actor->orphan;
}

static void check_change(const struct stage_actor *actor,
                         const struct stage_request *request, const char *call,
                         int got) {
  int over = request->over || stage_is_closing(actor);
  if (actor->order.may_reconnect && got == RUNNEL_ESTATE)
    return; /* nobody can tell whether its attempt is over */
  check_code(actor, call, got, !over && (request->asking || request->held));
}

static void check_refusal(struct stage *stage, const char *call, int got,
                          int refusal) {
  stage_check(stage, got == refusal || got == RUNNEL_ESTATE, "%s is %s", call,
              runnel_err_name(got));
}

static void request_set_header(struct stage *stage, struct stage_actor *actor) {
  struct stage_request *request = request_of(actor);
  check_refusal(stage, "set_header of Host",
                runnel_request_set_header(request->handle, "Host", "a", 0),
                RUNNEL_EINVAL);
  check_change(actor, request, "set_header",
               runnel_request_set_header(request->handle, "X-Try", "1",
                                         RUNNEL_SENSITIVE));
}

static void request_set_url(struct stage *stage, struct stage_actor *actor) {
  struct stage_request *request = request_of(actor);
  check_refusal(stage, "set_url of ftp",
                runnel_request_set_url(request->handle, "ftp://h/"),
                RUNNEL_EURL);
  check_change(actor, request, "set_url",
               runnel_request_set_url(request->handle, "http://10.0.9.9/new"));
}

static void request_set_method(struct stage *stage, struct stage_actor *actor) {
  struct stage_request *request = request_of(actor);
  check_refusal(stage, "set_method of a space",
                runnel_request_set_method(request->handle, "A B"),
                RUNNEL_EINVAL);
  check_change(actor, request, "set_method",
               runnel_request_set_method(request->handle, "PUT"));
}

static void request_set_body(struct stage *stage, struct stage_actor *actor) {
  struct stage_request *request = request_of(actor);
  check_refusal(stage, "set_body without one",
                runnel_request_set_body(request->handle, NULL, 1),
                RUNNEL_EINVAL);
  int code = runnel_request_set_body(request->handle, "body", 4);
  if (request->crossed && !request->over && code == RUNNEL_EREDIRECT)
    return; /* a body is not for another origin */
  stage_check(stage, !request->crossed || code != RUNNEL_OK,
              "another origin gets a body");
  check_change(actor, request, "set_body", code);
}

static void request_hold(struct stage *stage, struct stage_actor *actor) {
  struct stage_request *request = request_of(actor);
  int over = request->over || stage_is_closing(actor);
  int code = runnel_request_hold(request->handle);
  int possible = request->asking && !request->held && !over;
  (void)stage;
  check_code(actor, "hold", code, possible);
  if (code == RUNNEL_OK)
    request->held = 1;
}

static void proceed_with(struct stage *stage, struct stage_actor *actor,
                         int with) {
  struct stage_request *request = request_of(actor);
  int held = request->held;
  int code = runnel_request_proceed(request->handle, 1);
  stage_check(stage, code == (held ? RUNNEL_EINVAL : RUNNEL_ESTATE),
              "proceed with 1 is %s", runnel_err_name(code));
  code = runnel_request_proceed(request->handle, with);
  stage_check(stage, code == (held ? RUNNEL_OK : RUNNEL_ESTATE),
              "proceed is %s", runnel_err_name(code));
  if (held) /* dead from now on */
    *request = (struct stage_request){0};
}

static void request_proceed(struct stage *stage, struct stage_actor *actor) {
  proceed_with(stage, actor, RUNNEL_OK);
}

static void request_fail(struct stage *stage, struct stage_actor *actor) {
  proceed_with(stage, actor, RUNNEL_EUNAUTHORIZED);
}

/* The client -------------------------------------------------------------- */

static void hear_client_closed(void *user) {
  struct stage *stage = user;
  stage_check(stage, stage->open == 0, "the client closed before its streams");
  stage_check(stage, !stage->client_closed, "the client closed twice");
  stage_check(stage, !stage->in_call, "the client's callback inside a call");
  stage->client_closed = 1;
  stage->in_callback = 1;
  stage->cue(stage, STAGE_CLIENT, NULL);
  stage->in_callback = 0;
  stage->client = NULL;
}

static void client_close(struct stage *stage, struct stage_actor *actor) {
  int code = runnel_client_close(stage->client, hear_client_closed, stage);
  int expected = stage->client_closing ? RUNNEL_ESTATE : RUNNEL_OK;
  (void)actor;
  stage_check(stage, code == expected, "client_close is %s",
              runnel_err_name(code));
  stage->client_closing = 1;
  for (size_t i = 0; i < stage->len; i++)
    if (stage->actors[i].stream != NULL && !stage->actors[i].order.stopped)
      note_close(&stage->actors[i]);
}

static void client_open(struct stage *stage, struct stage_actor *actor) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  (void)actor;
  options.url = "http://10.0.8.8/";
  stage_open(stage, &options);
}

static void pause_all(struct stage *stage, int on) {
  int code = on ? runnel_client_pause(stage->client)
                : runnel_client_resume(stage->client);
  stage_check(stage, code == RUNNEL_OK, "pausing all is %s",
              runnel_err_name(code));
  for (size_t i = 0; i < stage->len; i++)
    if (stage->actors[i].stream != NULL && !stage_is_closing(&stage->actors[i]))
      stage->actors[i].order.paused = on;
}

static void client_pause(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  pause_all(stage, 1);
}

static void client_resume(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  pause_all(stage, 0);
}

static void client_reconnect(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  stage_check(stage,
              runnel_client_reconnect(stage->client, -1) == RUNNEL_EINVAL,
              "a spread of -1 is taken");
  stage_check(stage, runnel_client_reconnect(stage->client, 0) == RUNNEL_OK,
              "reconnecting all is refused");
  for (size_t i = 0; i < stage->len; i++)
    if (!stage_is_closing(&stage->actors[i]) && !stage->actors[i].once)
      note_cut(&stage->actors[i]);
}

static void client_spread(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  stage_check(stage, runnel_client_reconnect(stage->client, 300) == RUNNEL_OK,
              "reconnecting all is refused");
  for (size_t i = 0; i < stage->len; i++)
    if (!stage->actors[i].once)
      order_reconnects_later(&stage->actors[i].order);
}

struct visits {
  struct stage *stage;
  size_t next; /* the least number that may come now */
  size_t end;  /* whoever is opened meanwhile */
  size_t left; /* until it has seen enough */
};

static int visit(runnel_stream *stream, void *user) {
  struct visits *visits = user;
  struct stage *stage = visits->stage;
  struct stage_actor *actor = runnel_stream_user(stream);
  stage_check(stage, actor->number >= visits->next, "visited out of order");
  stage_check(stage, actor->number < visits->end, "a new stream is visited");
  stage_check(stage, !stage_is_closing(actor), "a closing stream is visited");
  visits->next = actor->number + 1;
  stage->cue(stage, STAGE_VISIT, actor);
  return --visits->left == 0 ? 42 : 0;
}

static void each(struct stage *stage, size_t most) {
  struct visits visits = {stage, 0, stage->len, most};
  int answer = runnel_client_each(stage->client, visit, &visits);
  stage_check(stage, answer == (visits.left == 0 ? 42 : 0), "each is %d",
              answer);
}

static void client_each(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  each(stage, STAGE_ACTORS);
}

static void client_each_one(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  each(stage, 1);
}

static void run_post(runnel_client *client, void *user) {
  struct stage_post *post = user;
  struct stage *stage = post->stage;
  stage_check(stage, client == stage->client, "posted to another client");
  stage_check(stage, !stage->client_closed, "a post runs after the close");
  stage_check(stage, !stage->in_call && !stage->in_callback,
              "a post runs inside something else");
  stage_check(stage, post->number == stage->posts_run++,
              "posts run out of order");
  stage->in_callback = 1;
  stage->cue(stage, STAGE_POST, NULL);
  stage->in_callback = 0;
}

static void client_post(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  if (stage->posts_made == STAGE_POSTS)
    return;
  struct stage_post *post = &stage->posts[stage->posts_made];
  *post = (struct stage_post){stage, stage->posts_made++};
  stage_check(stage,
              runnel_client_post(stage->client, run_post, post) == RUNNEL_OK,
              "post is refused");
}

static void client_stats(struct stage *stage, struct stage_actor *actor) {
  const struct runnel_client_stats *stats = runnel_client_stats(stage->client);
  (void)actor;
  /* A stream is counted until its on_close has returned. */
  stage_check(stage, stats->streams == stage->open, "%zu streams, not %zu",
              (size_t)stats->streams, stage->open);
}

static void client_run(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  stage_check(stage, runnel_client_run(stage->client) == RUNNEL_ESTATE,
              "run inside run");
}

static void client_abandon(struct stage *stage, struct stage_actor *actor) {
  (void)actor;
  stage_check(stage, runnel_client_abandon(stage->client) == RUNNEL_ESTATE,
              "abandon where nobody forked");
}

/* All of them ------------------------------------------------------------- */

const struct stage_call stage_calls[] = {
    {"client_open", 'c', client_open},
    {"client_close", 'c', client_close},
    {"client_pause", 'c', client_pause},
    {"client_resume", 'c', client_resume},
    {"client_reconnect", 'c', client_reconnect},
    {"client_reconnect spread", 'c', client_spread},
    {"client_each", 'c', client_each},
    {"client_each until one", 'c', client_each_one},
    {"client_post", 'c', client_post},
    {"client_stats", 'c', client_stats},
    {"client_run", 'c', client_run},
    {"client_abandon", 'c', client_abandon},
    {"stream_close", 's', stream_close},
    {"stream_pause", 's', stream_pause},
    {"stream_resume", 's', stream_resume},
    {"stream_reconnect", 's', stream_reconnect},
    {"stream_set_last_event_id", 's', stream_set_id},
    {"stream_set_last_event_id NULL", 's', stream_unset_id},
    {"stream_last_event_id", 's', stream_last_id},
    {"stream_stats", 's', stream_stats},
    {"stream_state", 's', stream_state},
    {"request_set_header", 'r', request_set_header},
    {"request_set_url", 'r', request_set_url},
    {"request_set_method", 'r', request_set_method},
    {"request_set_body", 'r', request_set_body},
    {"request_hold", 'r', request_hold},
    {"request_proceed", 'r', request_proceed},
    {"request_proceed failing", 'r', request_fail},
};
const size_t stage_calls_len = LEN(stage_calls);

const struct stage_call *stage_find_call(const char *name) {
  for (size_t i = 0; i < stage_calls_len; i++)
    if (strcmp(stage_calls[i].name, name) == 0)
      return &stage_calls[i];
  return NULL;
}

void stage_make(const struct stage_call *call, struct stage *stage,
                struct stage_actor *actor) {
  if (call->kind == 's' && (actor == NULL || actor->stream == NULL))
    return;
  if (call->kind == 'r' && (actor == NULL || request_of(actor)->handle == NULL))
    return;
  if (call->kind == 'c' && stage->client == NULL)
    return;
  stage->calls++;
  stage->in_call++;
  call->make(stage, actor);
  if (actor != NULL && actor->stream != NULL)
    stream_state(stage, actor);
  stage->in_call--;
}
