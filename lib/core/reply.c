/* Responses through llhttp, pulled; see reply.h for what is promised.
 *
 * llhttp is never paused and never resumed: it is given one piece at a time (a
 * head that is complete, a size line, the data of one chunk), so that a call
 * can end in one thing only, and its callbacks do no more than write down what
 * that was. The pieces come from reply_head.h and guard.h, which decide what is
 * well formed; llhttp decides what it means (RFC 9112 6). It is given heads in
 * one spelling, and sees neither extensions, trailers nor responses 1xx, which
 * its versions take differently (8.1 refuses a quoted extension). */
#include "reply.h"

#include <assert.h>
#include <llhttp.h>

#include "guard.h"
#include "reply_head.h"

enum phase {
  HEAD = 0,
  CHUNK_FRAME, /* between the data of two chunks */
  CHUNK_DATA,
  LENGTH,    /* a body of Content-Length bytes */
  UNTIL_END, /* a body that the connection's end ends */
  COMPLETE,
  FAILED
};

struct runnel__reply {
  llhttp_t parser; /* set up when the head is complete */
  struct runnel__reply_head head;
  char *at;        /* what is not used up yet; the caller's */
  size_t len;      /* of it */
  uint64_t left;   /* of the chunk's or body's data */
  const char *why; /* static; NULL: nothing is wrong */
  struct runnel__guard_chunk chunk;
  int8_t code; /* once FAILED */
  uint8_t phase;
  uint8_t no_body;
  uint8_t headed; /* HEAD was returned */
};

static_assert(RUNNEL_ENOMEM >= INT8_MIN && RUNNEL_EHTTP >= INT8_MIN,
              "codes fit");

/* What one piece led to. */
struct notes {
  uint64_t length; /* announced by a head or a size line */
  size_t body_len;
  int no_body; /* in: the head's content is absent whatever it says */
  int head;
  int chunk;
  int complete;
};

static int note_head(llhttp_t *parser) {
  struct notes *notes = parser->data;
  notes->head = 1;
  notes->length = parser->content_length;
  return notes->no_body ? 1 : 0;
}

static int note_chunk(llhttp_t *parser) {
  struct notes *notes = parser->data;
  notes->chunk = 1;
  notes->length = parser->content_length;
  return 0;
}

static int note_body(llhttp_t *parser, const char *at, size_t len) {
  struct notes *notes = parser->data;
  (void)at;
  notes->body_len += len;
  return 0;
}

static int note_complete(llhttp_t *parser) {
  struct notes *notes = parser->data;
  notes->complete = 1;
  return 0;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = note_head,
    .on_chunk_header = note_chunk,
    .on_body = note_body,
    .on_message_complete = note_complete,
};

struct runnel__reply *runnel__reply_new(struct runnel__mem *mem, int no_body,
                                        size_t head_bytes_max) {
  assert(head_bytes_max > 0 && head_bytes_max <= UINT32_MAX / 2);
  struct runnel__reply *reply = runnel__alloc_zero(mem, sizeof *reply);
  if (reply == NULL)
    return NULL;
  reply->no_body = no_body != 0;
  reply->head.len_max = (uint32_t)head_bytes_max;
  return reply;
}

void runnel__reply_forget(struct runnel__reply *reply,
                          struct runnel__mem *mem) {
  runnel__reply_head_forget(&reply->head, mem);
}

void runnel__reply_free(struct runnel__reply *reply, struct runnel__mem *mem) {
  if (reply == NULL)
    return;
  runnel__reply_head_forget(&reply->head, mem);
  runnel__free(mem, reply);
}

void runnel__reply_feed(struct runnel__reply *reply, char *bytes, size_t len) {
  assert(reply->len == 0);
  reply->at = bytes;
  reply->len = len;
}

static int fail(struct runnel__reply *reply, int code, const char *why) {
  reply->phase = FAILED;
  reply->code = (int8_t)code;
  reply->why = why;
  return code;
}

static int malformed(struct runnel__reply *reply, const char *why) {
  return fail(reply, RUNNEL_EHTTP, why);
}

static void use(struct runnel__reply *reply, size_t len) {
  reply->at += len;
  reply->len -= len;
}

/* 1, or 0 when llhttp refuses. */
static int execute(struct runnel__reply *reply, struct notes *notes,
                   struct runnel__str piece) {
  if (piece.len == 0)
    return 1;
  reply->parser.data = notes;
  int ok = llhttp_execute(&reply->parser, piece.at, piece.len) == HPE_OK;
  reply->parser.data = NULL;
  return ok;
}

/* Head -------------------------------------------------------------------- */

/* The head in one spelling: every value directly behind its colon. */
static int execute_head(struct runnel__reply *reply, struct notes *notes) {
  const struct runnel__reply_head *head = &reply->head;
  struct runnel__str end = RUNNEL__STR("\r\n");
  int ok = execute(reply, notes, runnel__reply_head_status_line(head));
  for (size_t i = 0; ok && i < head->headers_len; i++)
    ok = execute(reply, notes, runnel__str_of(head->headers[i].name)) &&
         execute(reply, notes, RUNNEL__STR(":")) &&
         execute(reply, notes, runnel__str_of(head->headers[i].value)) &&
         execute(reply, notes, end);
  return ok && execute(reply, notes, end) && notes->head;
}

static int begin_body(struct runnel__reply *reply) {
  static const uint8_t phases[] = {[RUNNEL__FRAMING_CHUNKED] = CHUNK_FRAME,
                                   [RUNNEL__FRAMING_LENGTH] = LENGTH,
                                   [RUNNEL__FRAMING_UNTIL_END] = UNTIL_END};
  const struct runnel__reply_head *head = &reply->head;
  struct notes notes = {0};
  notes.no_body = reply->no_body || head->status == 204 || head->status == 304;
  llhttp_init(&reply->parser, HTTP_RESPONSE, &settings);
  if (!execute_head(reply, &notes))
    return malformed(reply, "the response head is malformed");
  runnel__guard_chunk_init(&reply->chunk);
  reply->phase = phases[head->framing];
  reply->left = reply->phase == LENGTH ? notes.length : 0;
  if (notes.no_body || (reply->phase == LENGTH && reply->left == 0))
    reply->phase = COMPLETE;
  reply->headed = 1;
  return RUNNEL__REPLY_HEAD;
}

static int next_head(struct runnel__reply *reply, struct runnel__mem *mem) {
  int result =
      runnel__reply_head_read(&reply->head, mem, &reply->at, &reply->len);
  if (result < 0)
    return fail(reply, result, reply->head.why);
  return result == 1 ? begin_body(reply) : (int)RUNNEL__REPLY_MORE;
}

/* Body -------------------------------------------------------------------- */

/* Shows up to `left` bytes of data; llhttp must see them as such. */
static int next_data(struct runnel__reply *reply, uint64_t left, char **body,
                     size_t *body_len) {
  struct notes notes = {0};
  struct runnel__str data = {reply->at, reply->len};
  if (data.len > left)
    data.len = (size_t)left;
  if (!execute(reply, &notes, data) || notes.body_len != data.len)
    return malformed(reply, "the body's framing is malformed");
  *body = reply->at;
  *body_len = data.len;
  use(reply, data.len);
  return RUNNEL__REPLY_BODY;
}

static int next_counted(struct runnel__reply *reply, char **body,
                        size_t *body_len) {
  int item = next_data(reply, reply->left, body, body_len);
  if (item != RUNNEL__REPLY_BODY)
    return item;
  reply->left -= *body_len;
  if (reply->left == 0)
    reply->phase = reply->phase == LENGTH ? COMPLETE : CHUNK_FRAME;
  return item;
}

/* After a size line: data, or the trailers. */
static int begin_chunk(struct runnel__reply *reply, const struct notes *notes) {
  if (!notes->chunk)
    return malformed(reply, "a chunk's size line is malformed");
  reply->left = notes->length;
  if (reply->left == 0) {
    runnel__guard_chunk_last(&reply->chunk);
  } else {
    runnel__guard_chunk_data(&reply->chunk);
    reply->phase = CHUNK_DATA;
  }
  return RUNNEL_OK;
}

/* Reads on to the next chunk's data, the end of the body or of the input. */
static int read_frame(struct runnel__reply *reply) {
  int err = RUNNEL_OK;
  while (reply->len > 0 && reply->phase == CHUNK_FRAME && err == RUNNEL_OK) {
    struct notes notes = {0};
    struct runnel__str piece = {reply->at, reply->len};
    int run;
    const char *why =
        runnel__guard_chunk_run(&reply->chunk, piece, &piece.len, &run);
    if (why != NULL)
      return malformed(reply, why);
    if (run != RUNNEL__GUARD_SKIP && !execute(reply, &notes, piece))
      return malformed(reply, "a chunk's size is malformed");
    use(reply, piece.len);
    if (run == RUNNEL__GUARD_LINE)
      err = begin_chunk(reply, &notes);
    if (run == RUNNEL__GUARD_DONE)
      reply->phase = COMPLETE;
  }
  return err;
}

int runnel__reply_next(struct runnel__reply *reply, struct runnel__mem *mem,
                       char **body, size_t *body_len) {
  if (reply->phase == HEAD)
    return next_head(reply, mem);
  if (reply->phase == CHUNK_FRAME) {
    int err = read_frame(reply);
    if (err != RUNNEL_OK)
      return err;
  }
  if (reply->phase == FAILED)
    return reply->code;
  if (reply->phase == COMPLETE)
    return RUNNEL__REPLY_END;
  if (reply->len == 0)
    return RUNNEL__REPLY_MORE;
  if (reply->phase == UNTIL_END)
    return next_data(reply, UINT64_MAX, body, body_len);
  return next_counted(reply, body, body_len);
}

int runnel__reply_finish(struct runnel__reply *reply) {
  if (reply->phase == FAILED)
    return reply->code;
  if (reply->phase == UNTIL_END) {
    struct notes notes = {0};
    reply->parser.data = &notes;
    int ok = llhttp_finish(&reply->parser) == HPE_OK;
    reply->parser.data = NULL;
    if (!ok)
      return malformed(reply, "the body's framing is malformed");
    reply->phase = COMPLETE;
  }
  return reply->phase == COMPLETE ? (int)RUNNEL__REPLY_END : RUNNEL_ELOST;
}

/* What was read ----------------------------------------------------------- */

int runnel__reply_status(const struct runnel__reply *reply) {
  return reply->headed ? reply->head.status : 0;
}

const struct runnel_header *
runnel__reply_headers(const struct runnel__reply *reply, size_t *len) {
  *len = reply->head.headers == NULL ? 0 : reply->head.headers_len;
  return reply->head.headers;
}

struct runnel__str runnel__reply_header(const struct runnel__reply *reply,
                                        struct runnel__str name,
                                        size_t *count) {
  return runnel__reply_head_field(&reply->head, name, count);
}

const char *runnel__reply_why(const struct runnel__reply *reply) {
  return reply->why == NULL ? "" : reply->why;
}

char *runnel__reply_left(const struct runnel__reply *reply, size_t *len) {
  *len = reply->len;
  return reply->at;
}

void runnel__reply_moved(struct runnel__reply *reply, char *bytes) {
  reply->at = bytes;
}
