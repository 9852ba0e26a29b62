/* The inside of the libuv world, shared by loop.c and its hands, link.c and
 * resolve.c, alone. */
#ifndef RUNNEL_NET_NET_H
#define RUNNEL_NET_NET_H

#include <uv.h>

#include "../core/list.h"
#include "../core/world.h"
#include "inbox.h"

struct runnel__trusts;

/* One read takes at most this much; the buffer is one for all links. */
#define RUNNEL__READ_BYTES 65536

struct runnel__net {
  struct runnel__world world; /* first: the world is this */
  char *read_buf;             /* RUNNEL__READ_BYTES and the slack; owned */
  char *plain_buf;            /* what TLS decrypted, and the slack; owned; NULL
                                 until the first TLS link */
  struct runnel__trusts *trusts; /* owned; NULL until they are asked for */
  uv_loop_t *uv;                 /* owned if `owned` */
  struct runnel__inbox *inbox;
  struct runnel__list links;  /* every link whose memory lives */
  struct runnel__list due;    /* links that have something to say next turn */
  struct runnel__list graves; /* hung up links without a handle to close */
  struct runnel__list shakes; /* TLS handshakes that can go on */
  struct runnel__list posts;  /* taken from the inbox, being run */
  struct runnel__list done;   /* look-ups taken from the inbox, being told */
  struct runnel__mem mem;
  uv_async_t bell;    /* rung by other threads; holds the loop if kept */
  uv_timer_t timer;   /* the alarm's */
  uv_idle_t idle;     /* runs while something is due on the next turn */
  size_t handles;     /* of libuv's that are not closed yet, links' included */
  int64_t wake_at_ms; /* RUNNEL__NEVER: no alarm is wanted */
  uint64_t random;    /* the generator's state */
  uint8_t owned;
  uint8_t alarm_due; /* the time of wake_at_ms seems to have come */
  uint8_t running;   /* inside runnel__loop_run */
  uint8_t closing;
  uint8_t abandoned; /* `closed` is not to be heard */
  uint8_t gone; /* all handles are closed; an owned loop waits to be freed */
};

/* Has the idle handle run on the next turn. */
void runnel__net_rouse(struct runnel__net *net);

/* One of `handles` is closed. The world may be gone when this returns. */
void runnel__net_closed_one(struct runnel__net *net);

#endif
