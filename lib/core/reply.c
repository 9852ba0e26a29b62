/* Responses, pulled; see reply.h for what is promised.
 *
 * llhttp reads every head, whole and in one spelling, once reply_head.h and
 * guard.h have found it well formed, and decides what it means for the body
 * (RFC 9112 6). It is never paused, never resumed, and gone when the head is
 * read: the framing of a body is counting, or chunk.h's. */
#include "reply.h"

#include <assert.h>
#include <llhttp.h>

#include "chunk.h"
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
  struct runnel__reply_head head;
  char *at;        /* what is not used up yet; the caller's */
  size_t len;      /* of it */
  uint64_t left;   /* of the chunk's or body's data */
  const char *why; /* static; NULL: nothing is wrong */
  struct runnel__chunk chunk;
  int8_t code; /* once FAILED */
  uint8_t phase;
  uint8_t no_body;
  uint8_t headed; /* HEAD was returned */
};

static_assert(RUNNEL_ENOMEM >= INT8_MIN && RUNNEL_EHTTP >= INT8_MIN,
              "codes fit");

/* What a head led to. */
struct notes {
  uint64_t length; /* announced */
  int no_body;     /* in: the content is absent whatever the head says */
  int head;
};

static int note_head(llhttp_t *parser) {
  struct notes *notes = parser->data;
  notes->head = 1;
  notes->length = parser->content_length;
  return notes->no_body ? 1 : 0;
}

static const llhttp_settings_t settings = {.on_headers_complete = note_head};

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

/* Head -------------------------------------------------------------------- */

/* 1, or 0 when llhttp refuses. */
static int execute(llhttp_t *parser, struct runnel__str piece) {
  return piece.len == 0 ||
         llhttp_execute(parser, piece.at, piece.len) == HPE_OK;
}

/* The head in one spelling: every value directly behind its colon. */
static int execute_head(const struct runnel__reply_head *head,
                        struct notes *notes) {
  struct runnel__str end = RUNNEL__STR("\r\n");
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = notes;
  int ok = execute(&parser, runnel__reply_head_status_line(head));
  for (size_t i = 0; ok && i < head->headers_len; i++)
    ok = execute(&parser, runnel__str_of(head->headers[i].name)) &&
         execute(&parser, RUNNEL__STR(":")) &&
         execute(&parser, runnel__str_of(head->headers[i].value)) &&
         execute(&parser, end);
  return ok && execute(&parser, end) && notes->head;
}

static int begin_body(struct runnel__reply *reply) {
  static const uint8_t phases[] = {[RUNNEL__FRAMING_CHUNKED] = CHUNK_FRAME,
                                   [RUNNEL__FRAMING_LENGTH] = LENGTH,
                                   [RUNNEL__FRAMING_UNTIL_END] = UNTIL_END};
  const struct runnel__reply_head *head = &reply->head;
  struct notes notes = {0};
  notes.no_body = reply->no_body || head->status == 204 || head->status == 304;
  if (!execute_head(head, &notes))
    return malformed(reply, "the response head is malformed");
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

/* Shows up to `left` bytes of data. */
static int next_data(struct runnel__reply *reply, uint64_t left, char **body,
                     size_t *body_len) {
  size_t len = reply->len > left ? (size_t)left : reply->len;
  *body = reply->at;
  *body_len = len;
  use(reply, len);
  return RUNNEL__REPLY_BODY;
}

static int next_counted(struct runnel__reply *reply, char **body,
                        size_t *body_len) {
  int item = next_data(reply, reply->left, body, body_len);
  reply->left -= *body_len;
  if (reply->left == 0)
    reply->phase = reply->phase == LENGTH ? COMPLETE : CHUNK_FRAME;
  return item;
}

/* Reads on to the next chunk's data, the end of the body or of the input. */
static int read_frame(struct runnel__reply *reply) {
  struct runnel__str bytes = {reply->at, reply->len};
  const char *why;
  enum runnel__chunk_read read =
      runnel__chunk_read(&reply->chunk, &bytes, &why);
  if (read == RUNNEL__CHUNK_BAD)
    return malformed(reply, why);
  use(reply, reply->len - bytes.len);
  if (read == RUNNEL__CHUNK_DATA) {
    reply->left = reply->chunk.size;
    reply->phase = CHUNK_DATA;
  } else if (read == RUNNEL__CHUNK_DONE) {
    reply->phase = COMPLETE;
  }
  return RUNNEL_OK;
}

/* A chunk's size line and its data, where both are as they usually are and the
 * data is there. 0: they are not, and nothing changed. */
static int next_whole_chunk(struct runnel__reply *reply, char **body,
                            size_t *body_len) {
  uint64_t size;
  size_t used =
      runnel__chunk_usual(&reply->chunk, reply->at, reply->len, &size);
  if (used == 0 || size > reply->len - used)
    return 0;
  *body = reply->at + used;
  *body_len = (size_t)size;
  use(reply, used + (size_t)size);
  reply->chunk.state = RUNNEL__CHUNK_AFTER_DATA;
  return 1;
}

/* Everything else; not inlined, so that a whole chunk pays for no frame. */
__attribute__((noinline)) static int next_other(struct runnel__reply *reply,
                                                struct runnel__mem *mem,
                                                char **body, size_t *body_len) {
  if (reply->phase == HEAD)
    return next_head(reply, mem);
  if (reply->phase == CHUNK_FRAME && reply->len > 0) {
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

int runnel__reply_next(struct runnel__reply *reply, struct runnel__mem *mem,
                       char **body, size_t *body_len) {
  if (reply->phase == CHUNK_FRAME && next_whole_chunk(reply, body, body_len))
    return RUNNEL__REPLY_BODY;
  return next_other(reply, mem, body, body_len);
}

int runnel__reply_finish(struct runnel__reply *reply) {
  if (reply->phase == FAILED)
    return reply->code;
  if (reply->phase == UNTIL_END)
    reply->phase = COMPLETE;
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
