/* The head of a response, collected and checked line by line, without llhttp.
 *
 * Responses 1xx are skipped here. A head comes out only when all of its lines
 * have passed guard.h and its framing fields leave one reading (RFC 9112 6.3);
 * so neither cuts of the input nor versions of llhttp make a difference. */
#ifndef RUNNEL_CORE_REPLY_HEAD_H
#define RUNNEL_CORE_REPLY_HEAD_H

#include <stdint.h>

#include "buf.h"
#include "str.h"

/* What ends the body. */
enum runnel__reply_framing {
  RUNNEL__FRAMING_CHUNKED = 0,
  RUNNEL__FRAMING_LENGTH = 1,   /* one valid Content-Length */
  RUNNEL__FRAMING_UNTIL_END = 2 /* the end of the connection */
};

struct runnel__reply_head {
  struct runnel__buf buf; /* status line and fields, then `headers` */
  const struct runnel_header *headers; /* NULL until the head is complete */
  const char *why;                     /* static; NULL: nothing is wrong */
  uint32_t len_max;
  uint32_t used;    /* of it, 1xx and empty lines included */
  uint32_t line_at; /* where in `buf` the line begins that is read */
  uint16_t fields;  /* seen, 1xx included */
  uint16_t headers_len;
  uint16_t status;   /* 0: no status line yet */
  uint8_t minor;     /* of HTTP/1.x */
  uint8_t interim;   /* responses 1xx */
  uint8_t empty_len; /* bytes of empty lines before a status line */
  uint8_t framing;   /* enum, once complete */
};

/* Takes bytes off the front of *bytes, *len. 1: complete; 0: more is needed;
 * RUNNEL_EHTTP (and `why`) or RUNNEL_ENOMEM. */
int runnel__reply_head_read(struct runnel__reply_head *head,
                            struct runnel__mem *mem, char **bytes, size_t *len);

/* See runnel__reply_header. */
struct runnel__str
runnel__reply_head_field(const struct runnel__reply_head *head,
                         struct runnel__str name, size_t *count);

/* The status line of a complete head, with its CRLF. */
struct runnel__str
runnel__reply_head_status_line(const struct runnel__reply_head *head);

/* Frees what it holds; status stays. */
void runnel__reply_head_forget(struct runnel__reply_head *head,
                               struct runnel__mem *mem);

#endif
