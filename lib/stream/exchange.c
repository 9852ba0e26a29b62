/* A request out, a response in: owns the link, pulls the codecs, keeps what a
 * turn leaves unread.
 *
 * The codecs are pulled, so the application is only ever called from pull(),
 * with neither on the stack: after each item the loop looks at the epoch and
 * the pause again, and whatever a callback did is ordinary. */
#include "stream.h"

#include <string.h>

#include "../core/head.h"
#include "client.h"
#include "request.h"

/* A body up to this goes out with its head, in one packet if it fits. */
#define JOINED_BODY_BYTES 16384

static const struct runnel__world_ops *world_ops(const runnel_stream *stream) {
  return stream->client->world->ops;
}

void runnel__exchange_listen(runnel_stream *stream) {
  int on = stream->link != NULL && stream->reply != NULL && !stream->paused &&
           stream->rest == NULL && !stream->parsing && !stream->sated;
  if (stream->link == NULL || on == stream->listening)
    return;
  stream->listening = (uint8_t)on;
  world_ops(stream)->listen(stream->link, on);
}

static void drop_rest(runnel_stream *stream) {
  struct runnel__mem *mem = &stream->client->mem;
  if (stream->rest == NULL)
    return;
  runnel__mem_unhold(mem, stream->rest->held);
  runnel__free(mem, stream->rest);
  stream->rest = NULL;
}

void runnel__exchange_cut(runnel_stream *stream) {
  stream->epoch++;
  stream->accepted = 0;
  stream->parsing = 0;
  stream->sated = 0;
  stream->listening = 0;
  if (stream->link == NULL)
    return;
  world_ops(stream)->hang_up(stream->link);
  stream->link = NULL;
}

void runnel__exchange_sweep(runnel_stream *stream) {
  drop_rest(stream);
  if (stream->policy != NULL)
    runnel__parser_restart(&stream->parser);
  if (stream->reply != NULL)
    runnel__reply_free(stream->reply, &stream->client->mem);
  stream->reply = NULL;
}

static void take_body(runnel_stream *stream, char *body, size_t len) {
  if (!stream->accepted) {
    runnel__answer_body(stream, body, len);
    return;
  }
  stream->parsing = 1;
  /* Behind the slice lie other bytes of the read, or the read's own slack. */
  runnel__parser_feed(&stream->parser, body, len, RUNNEL__SLACK_BYTES);
}

static void end_of_body(runnel_stream *stream) {
  const struct runnel__policy *policy = stream->policy;
  if (!stream->accepted) {
    runnel__answer_end(stream);
    return;
  }
  int whole = runnel__parser_unfinished(&stream->parser) == 0;
  int success = policy->once && policy->sentinel == NULL && whole;
  runnel__stream_end(stream, success ? RUNNEL_OK : RUNNEL_EEND,
                     RUNNEL_PHASE_BODY, 0);
}

static void end_badly(runnel_stream *stream, int code, int native) {
  if (stream->attempt != NULL && stream->attempt->refusal != RUNNEL_OK) {
    runnel__answer_end(stream); /* its status says more than the loss */
    return;
  }
  runnel__stream_end(stream, code,
                     stream->accepted ? RUNNEL_PHASE_BODY : RUNNEL_PHASE_HEAD,
                     native);
}

/* Pulls one parsed item. */
static void step_parser(runnel_stream *stream) {
  struct runnel_event event;
  int kind = runnel__parser_next(&stream->parser, &event);
  if (kind == RUNNEL_PARSED_EVENT)
    runnel__deliver_event(stream, &event);
  else if (kind == RUNNEL_PARSED_MORE)
    stream->parsing = 0;
  else if (kind > 0)
    runnel__deliver(stream, kind, &event);
  else
    runnel__stream_end(stream, kind, RUNNEL_PHASE_BODY, 0);
}

/* Pulls one thing of the response. 0: all is used up. */
static int step_reply(runnel_stream *stream) {
  char *body;
  size_t len;
  int item =
      runnel__reply_next(stream->reply, &stream->client->mem, &body, &len);
  switch (item) {
  case RUNNEL__REPLY_MORE:
    return 0;
  case RUNNEL__REPLY_HEAD:
    runnel__answer_head(stream);
    return 1;
  case RUNNEL__REPLY_BODY:
    take_body(stream, body, len);
    return 1;
  case RUNNEL__REPLY_END:
    end_of_body(stream);
    return 1;
  default:
    end_badly(stream, item, 0);
    return 1;
  }
}

/* Pulls until all is used up (1), or something is left (0): the application
 * paused, or the attempt is over. */
static int pull(runnel_stream *stream) {
  uint32_t epoch = stream->epoch;
  do {
    if (stream->parsing)
      step_parser(stream);
    else if (!step_reply(stream))
      return 1;
  } while (stream->epoch == epoch && !stream->paused);
  return 0;
}

/* Moves what is needed of a read, from `low` to the end of what the reply was
 * fed, into memory of the stream's. */
static int copy_rest(runnel_stream *stream, char *low) {
  static char nothing[1]; /* never read or written */
  struct runnel__mem *mem = &stream->client->mem;
  size_t left_len;
  char *left = runnel__reply_left(stream->reply, &left_len);
  size_t len = (size_t)(left - low) + left_len;
  if (len == 0) { /* all was read; only pointers must not dangle */
    if (stream->parsing)
      runnel__parser_moved(&stream->parser, low, nothing, 0);
    runnel__reply_moved(stream->reply, nothing);
    return RUNNEL_OK;
  }
  size_t held = sizeof *stream->rest + len + RUNNEL__SLACK_BYTES;
  if (runnel__mem_hold(mem, held) != RUNNEL_OK)
    return RUNNEL_ENOMEM;
  struct runnel__rest *rest = runnel__alloc(mem, held);
  if (rest == NULL) {
    runnel__mem_unhold(mem, held);
    return RUNNEL_ENOMEM;
  }
  rest->held = held;
  memcpy(rest->bytes, low, len);
  memset(rest->bytes + len, 0, RUNNEL__SLACK_BYTES);
  if (stream->parsing)
    runnel__parser_moved(&stream->parser, low, rest->bytes,
                         RUNNEL__SLACK_BYTES);
  runnel__reply_moved(stream->reply, rest->bytes + (left - low));
  stream->rest = rest;
  return RUNNEL_OK;
}

/* Keeps what a read leaves: 0 or RUNNEL_ENOMEM. */
static int keep_rest(runnel_stream *stream) {
  size_t left_len;
  char *low = runnel__reply_left(stream->reply, &left_len);
  if (stream->parsing) {
    int err = runnel__parser_keep(&stream->parser, &low);
    if (err != RUNNEL_OK)
      return err;
  }
  return copy_rest(stream, low);
}

static uint64_t items(const runnel_stream *stream) {
  return stream->parser.counts.events + stream->parser.counts.comments;
}

/* A read is pulled to its end, for what it leaves would have to be copied; a
 * stream that had so many events in it reads no more until the next turn. */
static void hear_bytes(void *owner, char *bytes, size_t len) {
  runnel_stream *stream = owner;
  runnel_client *client = stream->client;
  runnel__client_begin(client);
  uint32_t epoch = stream->epoch;
  uint64_t before = items(stream);
  stream->heard_ms = client->now_ms;
  runnel__reply_feed(stream->reply, bytes, len);
  if (pull(stream)) {
    stream->sated = items(stream) - before >= RUNNEL__TURN_EVENTS;
    if (stream->sated)
      runnel__client_ready(client, stream);
  } else if (stream->epoch == epoch && keep_rest(stream) != RUNNEL_OK) {
    runnel__stream_end(stream, RUNNEL_ENOMEM,
                       stream->accepted ? RUNNEL_PHASE_BODY : RUNNEL_PHASE_HEAD,
                       0);
  }
  runnel__exchange_listen(stream);
  runnel__client_end(client);
}

static void hear_down(void *owner, int code, int native) {
  runnel_stream *stream = owner;
  runnel_client *client = stream->client;
  runnel__client_begin(client);
  if (code != RUNNEL_OK)
    end_badly(stream, code, native);
  else if (runnel__reply_finish(stream->reply) == RUNNEL__REPLY_END)
    end_of_body(stream);
  else
    end_badly(stream, RUNNEL_ELOST, 0);
  runnel__client_end(client);
}

static void hear_session(void *owner, const struct runnel__session *session) {
  runnel_stream *stream = owner;
  runnel__client_begin(stream->client);
  runnel__handshake_session(stream, session);
  runnel__client_end(stream->client);
}

void runnel__exchange_serve(runnel_stream *stream) {
  if (stream->link == NULL || stream->reply == NULL)
    return;
  uint32_t epoch = stream->epoch;
  stream->sated = 0;
  if (stream->rest != NULL || stream->parsing) {
    int used_up = pull(stream);
    if (stream->epoch != epoch)
      return;
    if (used_up)
      drop_rest(stream);
  }
  runnel__exchange_listen(stream);
}

/* Methods that a server may be asked twice (RFC 9110 9.2.2). */
static int is_idempotent(struct runnel__str method) {
  static const char *const names[] = {"GET", "HEAD",   "OPTIONS",
                                      "PUT", "DELETE", "TRACE"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (runnel__str_eq(method, runnel__str_of(names[i])))
      return 1;
  return 0;
}

static int write_request(runnel_stream *stream, struct runnel__buf *out) {
  struct runnel__attempt *attempt = stream->attempt;
  const struct runnel_request *request = attempt->request;
  const struct runnel__ask *body = runnel__redirect_body(stream);
  const struct runnel__ask *fields =
      request != NULL && request->has_headers ? &request->ask : &stream->ask;
  struct runnel__url url = attempt->url;
  runnel__redirect_userinfo(stream, &url);
  struct runnel__head head = {
      .method = runnel__redirect_method(stream),
      .url = &url,
      .headers = fields->headers,
      .headers_len = fields->headers_len,
      .last_event_id = runnel__parser_id(&stream->parser),
      .has_body = body->body != NULL,
      .body_len = body->body_len,
      .cross_origin = attempt->crossed,
      .drop_content = attempt->became_get,
  };
  int err = runnel__head_write(out, &stream->client->mem, &head);
  if (err != RUNNEL_OK || body->body_len > JOINED_BODY_BYTES)
    return err;
  return runnel__buf_append(out, &stream->client->mem, body->body,
                            body->body_len, SIZE_MAX / 4);
}

static int send_request(runnel_stream *stream) {
  const struct runnel__ask *body = runnel__redirect_body(stream);
  struct runnel__buf out = {0};
  int err = write_request(stream, &out);
  if (err == RUNNEL_OK)
    err = world_ops(stream)->send(stream->link, out.at, out.len);
  if (err == RUNNEL_OK && body->body_len > JOINED_BODY_BYTES)
    err = world_ops(stream)->send(stream->link, body->body, body->body_len);
  runnel__buf_free(&out, &stream->client->mem);
  return err;
}

int runnel__exchange_start(runnel_stream *stream, struct runnel__link *link) {
  static const struct runnel__link_ears ears = {
      .bytes = hear_bytes, .down = hear_down, .session = hear_session};
  struct runnel__attempt *attempt = stream->attempt;
  const struct runnel__policy *policy = stream->policy;
  struct runnel__str method = runnel__redirect_method(stream);
  world_ops(stream)->give(link, &ears, stream);
  stream->link = link;
  stream->secure = (uint8_t)attempt->url.https;
  stream->reply = runnel__reply_new(&stream->client->mem,
                                    runnel__str_eq(method, RUNNEL__STR("HEAD")),
                                    (size_t)policy->head_bytes_max);
  if (stream->reply == NULL)
    return RUNNEL_ENOMEM;
  int err = send_request(stream);
  if (err != RUNNEL_OK)
    return err;
  if (!is_idempotent(method) && !policy->replay_unanswered)
    attempt->acted = 1;
  if (policy->head_waits)
    runnel__attempt_stop_clock(stream);
  runnel__stream_set_state(stream, RUNNEL_STATE_WAITING_HEAD,
                           attempt->open_at_ms);
  runnel__exchange_listen(stream);
  return RUNNEL_OK;
}
