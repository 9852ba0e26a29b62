/* The counted block between a world and other threads; see inbox.h. Knows
 * neither what is posted nor what is looked up. */
#include "inbox.h"

#include <assert.h>
#include <stdlib.h>

#include "runnel.h"

int runnel__inbox_new(struct runnel__inbox **inbox, uv_async_t *bell) {
  struct runnel__inbox *made = calloc(1, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  if (pthread_mutex_init(&made->lock, NULL) != 0) {
    free(made);
    return RUNNEL_ERESOURCE;
  }
  made->bell = bell;
  made->refs = 1;
  runnel__list_init(&made->posts);
  runnel__list_init(&made->queue);
  runnel__list_init(&made->running);
  runnel__list_init(&made->done);
  *inbox = made;
  return RUNNEL_OK;
}

void runnel__inbox_release(struct runnel__inbox *inbox) {
  runnel__inbox_lock(inbox);
  assert(inbox->refs > 0);
  unsigned left = --inbox->refs;
  runnel__inbox_unlock(inbox);
  if (left > 0)
    return;
  pthread_mutex_destroy(&inbox->lock);
  free(inbox);
}

void runnel__inbox_lock(struct runnel__inbox *inbox) {
  int err = pthread_mutex_lock(&inbox->lock);
  assert(err == 0);
  (void)err;
}

void runnel__inbox_unlock(struct runnel__inbox *inbox) {
  int err = pthread_mutex_unlock(&inbox->lock);
  assert(err == 0);
  (void)err;
}

void runnel__inbox_ring(struct runnel__inbox *inbox) {
  if (inbox->bell != NULL)
    uv_async_send(inbox->bell);
}
