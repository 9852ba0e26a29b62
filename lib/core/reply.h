/* A response (RFC 9112), pulled: bytes in; head, slices of body, end out.
 *
 * llhttp reads each head; what llhttp leaves out, or its versions do
 * differently, is checked here, so that 8.1 and 9.x give the same verdicts:
 * every head line ends in CRLF, no folded line, names are tokens, values hold
 * no control character but HTAB, status 100 to 599 in three digits, HTTP/1.0
 * or 1.1, a Transfer-Encoding only on 1.1 and only exactly chunked, 101
 * refused, at most 256 fields, 8 responses 1xx, 8 bytes of leading CRLF, head
 * bytes bounded over all 1xx, chunk lines to 4 KiB, trailers to 16 KiB. Bytes
 * after the end are never looked at. Knows neither sockets nor what a status
 * means. */
#ifndef RUNNEL_CORE_REPLY_H
#define RUNNEL_CORE_REPLY_H

#include "buf.h"
#include "str.h"

#define RUNNEL__REPLY_FIELDS_MAX 256
#define RUNNEL__REPLY_1XX_MAX 8

struct runnel__reply;

enum runnel__reply_item {
  RUNNEL__REPLY_MORE = 0, /* all that was fed is used up */
  RUNNEL__REPLY_HEAD = 1, /* a final head: status and headers can be asked */
  RUNNEL__REPLY_BODY = 2, /* a slice of body */
  RUNNEL__REPLY_END = 3   /* the body is complete */
};

/* `no_body`: the request was HEAD. `head_bytes_max`: see runnel.h. NULL when
 * there is no memory. */
struct runnel__reply *runnel__reply_new(struct runnel__mem *mem, int no_body,
                                        size_t head_bytes_max);
void runnel__reply_free(struct runnel__reply *reply, struct runnel__mem *mem);

/* Hands bytes over; only when the last ones are used up. They stay the caller's
 * and must live until runnel__reply_next said MORE (or were kept, see below).
 */
void runnel__reply_feed(struct runnel__reply *reply, char *bytes, size_t len);

/* One enum runnel__reply_item, or RUNNEL_EHTTP or RUNNEL_ENOMEM, for good.
 * BODY sets *body, *body_len: they point into the fed bytes. After HEAD of a
 * response without body (204, 304, HEAD, Content-Length 0) comes END. */
int runnel__reply_next(struct runnel__reply *reply, struct runnel__mem *mem,
                       char **body, size_t *body_len);

/* The connection was closed in order, all that was fed is used up:
 * RUNNEL__REPLY_END if that completes the body, else RUNNEL_ELOST (also before
 * the first byte, and inside a head). */
int runnel__reply_finish(struct runnel__reply *reply);

int runnel__reply_status(const struct runnel__reply *reply); /* 0: none yet */

/* The final head's fields in order of arrival, names as sent, values trimmed;
 * valid until runnel__reply_forget or free. */
const struct runnel_header *
runnel__reply_headers(const struct runnel__reply *reply, size_t *len);

/* The value of the first field of that name (lower-case literal), at == NULL if
 * there is none; *count, if not NULL, gets how many there are. */
struct runnel__str runnel__reply_header(const struct runnel__reply *reply,
                                        struct runnel__str name, size_t *count);

/* Frees the head's memory once nobody needs it; status stays. */
void runnel__reply_forget(struct runnel__reply *reply, struct runnel__mem *mem);

/* What was wrong, after RUNNEL_EHTTP: a static text such as "status 099". */
const char *runnel__reply_why(const struct runnel__reply *reply);

/* To keep what is not used up yet: the bytes left, and their new place once
 * they were copied. */
char *runnel__reply_left(const struct runnel__reply *reply, size_t *len);
void runnel__reply_moved(struct runnel__reply *reply, char *bytes);

#endif
