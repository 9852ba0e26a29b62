/* The stream's callbacks put messages into a queue, the poster takes them out
 * one at a time.
 *
 * A response that ends in order is an event stream's daily life and no error;
 * neither is the server's 204, nor a restart, which ends an attempt silently.
 * Everything else that ends an attempt is one error. */
#include "subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "params.h"

/* Of messages that wait. Two events of 14 MB fit. */
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* A server that refuses every connection is not to be asked without a pause,
 * whatever the first delay is. */
#define NEXT_DELAY_MS_MIN 100

struct message {
  struct message *next;
  char *text; /* JSON, to be freed */
  size_t len;
};

struct subject {
  runnel_client *client;
  runnel_stream *stream; /* NULL: it is over */
  struct poster *poster;
  struct letter *letter; /* under way; NULL: none */
  json_t *json;          /* what POST / carried */
  const char *callback_url;
  uint64_t number;      /* of the last callback; 0: none yet */
  struct message *head; /* waiting */
  struct message **tail;
  size_t bytes;  /* waiting, in all */
  char *last_id; /* of a stream that is over; NULL: none */
  int deleted;   /* free it when the stream is closed */
};

/* The queue ---------------------------------------------------------------- */

static void send_next(struct subject *subject);

static void on_sent(void *user, const char *error) {
  struct subject *subject = user;
  subject->letter = NULL;
  if (error != NULL)
    fprintf(stderr, "runnel-contract-service: %s/%" PRIu64 ": %s\n",
            subject->callback_url, subject->number, error);
  if (subject->bytes < QUEUE_BYTES_MAX / 2 && subject->stream != NULL)
    runnel_stream_resume(subject->stream);
  send_next(subject);
}

static char *take_first(struct subject *subject) {
  struct message *message = subject->head;
  char *text = message->text;
  subject->head = message->next;
  if (subject->head == NULL)
    subject->tail = &subject->head;
  subject->bytes -= message->len;
  free(message);
  return text;
}

/* A test that misses a callback must not go on. */
_Noreturn static void stop_without_memory(void) {
  fprintf(stderr, "runnel-contract-service: out of memory\n");
  abort();
}

static void send_next(struct subject *subject) {
  if (subject->letter != NULL || subject->head == NULL)
    return;
  size_t size = strlen(subject->callback_url) + sizeof "/18446744073709551615";
  char *url = malloc(size);
  if (url == NULL)
    stop_without_memory();
  snprintf(url, size, "%s/%" PRIu64, subject->callback_url, ++subject->number);
  subject->letter = poster_send_take(subject->poster, url, take_first(subject),
                                     on_sent, subject);
  if (subject->letter == NULL)
    stop_without_memory();
  free(url);
}

static void drop_messages(struct subject *subject) {
  if (subject->letter != NULL)
    poster_cancel(subject->letter);
  subject->letter = NULL;
  while (subject->head != NULL)
    free(take_first(subject));
}

/* Queues `json`, which it takes; NULL is a lack of memory. */
static void queue_take(struct subject *subject, json_t *json) {
  struct message *message = calloc(1, sizeof *message);
  char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
  json_decref(json);
  if (message == NULL || text == NULL)
    stop_without_memory();
  *message = (struct message){.text = text, .len = strlen(text)};
  *subject->tail = message;
  subject->tail = &message->next;
  subject->bytes += message->len;
  if (subject->bytes > QUEUE_BYTES_MAX)
    runnel_stream_pause(subject->stream);
  send_next(subject);
}

/* The stream's callbacks --------------------------------------------------- */

/* What an error text quotes may be any bytes that a server sent. */
static json_t *make_string(const char *text, size_t len) {
  json_t *string = json_stringn(text, len);
  char *copy = string == NULL ? malloc(len + 1) : NULL;
  if (copy == NULL)
    return string;
  for (size_t i = 0; i < len; i++)
    copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
  string = json_stringn(copy, len);
  free(copy);
  return string;
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  queue_take(user, json_pack("{s:s,s:{s:o,s:o,s:o}}", "kind", "event", "event",
                             "type", make_string(event->type, event->type_len),
                             "data", make_string(event->data, event->data_len),
                             "id", make_string(event->id, event->id_len)));
  return RUNNEL_OK;
}

static void on_comment(runnel_stream *stream, const char *text, size_t len,
                       void *user) {
  (void)stream;
  queue_take(user, json_pack("{s:s,s:o}", "kind", "comment", "comment",
                             make_string(text, len)));
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  (void)stream;
  if (end->failures > 1 && verdict->delay_ms < NEXT_DELAY_MS_MIN)
    verdict->delay_ms = NEXT_DELAY_MS_MIN;
  if (end->code == RUNNEL_OK || end->code == RUNNEL_EEND)
    return;
  queue_take(user, json_pack("{s:s,s:o}", "kind", "error", "error",
                             make_string(end->text, strlen(end->text))));
}

static void free_subject(struct subject *subject) {
  json_decref(subject->json);
  free(subject->last_id);
  free(subject);
}

static void on_close(runnel_stream *stream, int code, void *user) {
  struct subject *subject = user;
  (void)code;
  if (subject->deleted) {
    free_subject(subject);
    return;
  }
  size_t len = 0;
  const char *id = runnel_stream_last_event_id(stream, &len);
  free(subject->last_id);
  subject->last_id = malloc(len + 1);
  if (subject->last_id != NULL)
    memcpy(subject->last_id, id, len + 1);
  subject->stream = NULL;
}

/* Life --------------------------------------------------------------------- */

static int open_stream(struct subject *subject, struct params *params) {
  params->stream.user = subject;
  params->stream.on_event = on_event;
  params->stream.on_comment = on_comment;
  params->stream.on_end = on_end;
  params->stream.on_close = on_close;
  return runnel_stream_open(&subject->stream, subject->client, &params->stream);
}

struct subject *subject_new(runnel_client *client, struct poster *poster,
                            json_t *json, char *fault, size_t size) {
  struct params params;
  const char *why = params_read(&params, json);
  struct subject *subject = why == NULL ? calloc(1, sizeof *subject) : NULL;
  if (why == NULL && !poster_accepts(params.callback_url))
    why = "callbackUrl: not an http URL";
  if (subject != NULL && why == NULL) {
    *subject = (struct subject){.client = client,
                                .poster = poster,
                                .json = json_incref(json),
                                .callback_url = params.callback_url,
                                .tail = &subject->head};
    int code = open_stream(subject, &params);
    if (code == RUNNEL_OK)
      return subject;
    why = params.stream.error_text[0] != '\0' ? params.stream.error_text
                                              : runnel_strerror(code);
    json_decref(json);
  }
  snprintf(fault, size, "%s", why != NULL ? why : "out of memory");
  free(subject);
  return NULL;
}

int subject_restart(struct subject *subject) {
  struct params params;
  if (subject->stream != NULL)
    return runnel_stream_reconnect(subject->stream);
  params_read(&params, subject->json); /* it was good once */
  params.stream.last_event_id = subject->last_id;
  return open_stream(subject, &params);
}

void subject_delete(struct subject *subject) {
  drop_messages(subject);
  subject->deleted = 1;
  if (subject->stream != NULL)
    runnel_stream_close(subject->stream);
  else
    free_subject(subject);
}
