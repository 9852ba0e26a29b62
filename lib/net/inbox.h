/* What other threads may touch of a world: the posts, the look-ups, and the
 * bell that wakes the loop.
 *
 * The block is counted and outlives the world while a resolver's thread still
 * runs, for getaddrinfo cannot be cancelled and closing does not wait for it.
 * Whichever thread comes last frees the block, so it is taken from malloc,
 * which every thread may call; the application's allocator need not be safe
 * for that.
 *
 * Invariants: every field is touched with `lock` held only; `bell` is NULL from
 * the moment the world begins to close, so nobody rings a closed handle. */
#ifndef RUNNEL_NET_INBOX_H
#define RUNNEL_NET_INBOX_H

#include <pthread.h>
#include <uv.h>

#include "../core/list.h"

struct runnel__inbox {
  pthread_mutex_t lock;
  uv_async_t *bell; /* the world's; NULL: the world is closing or gone */
  unsigned refs;    /* one of the world, one of each thread */
  unsigned threads; /* resolver threads that will look at `queue` again */
  struct runnel__list posts;   /* struct runnel__post, oldest first */
  struct runnel__list queue;   /* look-ups that wait for a thread */
  struct runnel__list running; /* look-ups inside getaddrinfo */
  struct runnel__list done;    /* look-ups to be told to the owner */
};

/* With one reference. 0, RUNNEL_ENOMEM or RUNNEL_ERESOURCE. */
int runnel__inbox_new(struct runnel__inbox **inbox, uv_async_t *bell);

/* Gives one reference back; the last one frees it, lists not included. */
void runnel__inbox_release(struct runnel__inbox *inbox);

void runnel__inbox_lock(struct runnel__inbox *inbox);
void runnel__inbox_unlock(struct runnel__inbox *inbox);

/* Wakes the loop unless the world is closing. With the lock held. */
void runnel__inbox_ring(struct runnel__inbox *inbox);

#endif
