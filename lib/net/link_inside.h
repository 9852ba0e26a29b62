/* The inside of a link, shared by link.c, which has the socket, and secure.c,
 * which puts TLS between it and the owner. */
#ifndef RUNNEL_NET_LINK_INSIDE_H
#define RUNNEL_NET_LINK_INSIDE_H

#include "../core/buf.h"
#include "link.h"

enum {
  LINK_CONNECTING, /* or failed at once, which is told next turn */
  LINK_UP,
  LINK_DOWN, /* has said its last word */
  LINK_GONE  /* hung up; the memory waits to be freed */
};

struct runnel__link {
  struct runnel__net *net;
  const struct runnel__link_ears *ears;
  void *owner;
  struct runnel__cover *cover; /* owned; its TLS; NULL: none */
  int fd;                      /* owned; -1: none */
  uint8_t state;
  uint8_t listening;
  uint8_t active;           /* UV_READABLE, UV_WRITABLE: what `poll` watches */
  uint8_t polled;           /* `poll` is a handle of the loop */
  int code;                 /* failure that is not told yet; 0: none */
  int native;               /* its errno */
  struct runnel__buf out;   /* what the socket did not take yet */
  size_t out_sent;          /* how much of `out` it took since */
  struct runnel__list due;  /* in net->due or net->graves, or in none */
  struct runnel__list node; /* in net->links */
  uv_poll_t poll;
};

/* The last word; nothing but the caller's way out may follow. A kept failure
 * was there before whatever is said now. */
void runnel__link_say_down(struct runnel__link *link, int code, int native);

/* Watches what is wanted, if something is missing or has fired in vain. */
void runnel__link_watch(struct runnel__link *link, int vain);

/* Gives the link a turn if there is something to tell that no event of the
 * socket would bring up. */
void runnel__link_make_due(struct runnel__link *link);

/* Keeps a failure that reading will come to. */
void runnel__link_keep_failure(struct runnel__link *link, int code, int native);

/* Sends as they are; what the socket does not take at once is copied. 0 or
 * RUNNEL_ENOMEM (nothing was sent). */
int runnel__link_send_raw(struct runnel__link *link, const char *bytes,
                          size_t len);

#endif
