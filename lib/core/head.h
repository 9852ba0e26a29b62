/* The bytes of a request head (RFC 9112 2.1, 3), and what may stand in one.
 *
 * Nothing with CR, LF, NUL or another control character can pass: every outside
 * string is checked by the functions below before it is kept, and written
 * as it is. */
#ifndef RUNNEL_CORE_HEAD_H
#define RUNNEL_CORE_HEAD_H

#include "buf.h"
#include "url.h"

#define RUNNEL__HEADERS_MAX 100
#define RUNNEL__HEADERS_BYTES_MAX 32768

/* 1 if it is an RFC 9110 5.6.2 token. */
int runnel__head_token(struct runnel__str text);

/* Checks one field of the application's: token name that runnel does not own,
 * value without control characters (HTAB allowed). 0, or RUNNEL_EINVAL with the
 * reason in `why` (RUNNEL__WHY_BYTES; names the field, never its value). */
int runnel__head_check(struct runnel__str name, struct runnel__str value,
                       char *why);

/* 1 for a field that must not follow a redirect to another origin: by flag,
 * Authorization, Cookie, Proxy-Authorization, or a name that is or ends, in any
 * case, in key, token, secret, auth, session or signature. */
int runnel__head_secret(const struct runnel_header *header);

struct runnel__head {
  struct runnel__str method;
  const struct runnel__url *url; /* its userinfo becomes Basic authorization,
                                    unless there is an Authorization field */
  const struct runnel_header *headers;
  size_t headers_len;
  struct runnel__str last_event_id; /* empty: no field */
  int has_body;                     /* writes Content-Length */
  uint64_t body_len;
  int cross_origin; /* leave secret fields out */
  int drop_content; /* leave Content-Type out: a redirect made it a GET */
};

/* Appends the whole head, blank line included, to `out`: request line, Host,
 * then Accept, Cache-Control and User-Agent unless replaced, `Accept-Encoding:
 * identity`, the application's, Last-Event-ID, Content-Length. Accept is
 * exactly text/event-stream, Cache-Control exactly no-cache, User-Agent
 * runnel/x.y. Content-Length: 0 is written for a method other than GET, HEAD,
 * DELETE, OPTIONS and TRACE without body (RFC 9110 8.6). 0 or RUNNEL_ENOMEM. */
int runnel__head_write(struct runnel__buf *out, struct runnel__mem *mem,
                       const struct runnel__head *head);

#endif
