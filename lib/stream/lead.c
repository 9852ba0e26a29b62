/* A leader, and those that wait for it. Nobody begins here: who may go is put
 * into the queue. */
#include "lead.h"

#include "stream.h"

void runnel__lead_take(struct runnel__handshake *handshake) {
  struct runnel__terms *terms = handshake->terms;
  if (terms->leader != NULL)
    return;
  terms->leader = handshake;
  terms->lead_until_ms = RUNNEL__NEVER;
}

static struct runnel__handshake *take_first(struct runnel__terms *terms) {
  struct runnel__handshake *first =
      RUNNEL__OF(terms->waiting.next, struct runnel__handshake, node);
  runnel__list_remove(&first->node);
  return first;
}

void runnel__lead_end(struct runnel__terms *terms) {
  terms->leader = NULL;
  while (!runnel__list_empty(&terms->waiting))
    runnel__handshake_queue(take_first(terms), 0);
}

void runnel__lead_pass(struct runnel__terms *terms) {
  terms->leader = NULL;
  if (runnel__list_empty(&terms->waiting))
    return;
  struct runnel__handshake *next = take_first(terms);
  runnel__lead_take(next);
  runnel__handshake_queue(next, 1); /* it came before all who are there */
}

static void set_deadline(struct runnel__handshake *handshake) {
  const struct runnel__terms *terms = handshake->terms;
  runnel__stream_set_state(
      runnel__handshake_stream(handshake), RUNNEL_STATE_HANDSHAKING,
      terms->lead_until_ms < handshake->patience_ms ? terms->lead_until_ms
                                                    : handshake->patience_ms);
}

void runnel__lead_until(struct runnel__handshake *handshake, int64_t until_ms) {
  struct runnel__terms *terms = handshake->terms;
  if (terms->leader != handshake)
    return;
  terms->lead_until_ms = until_ms;
  for (struct runnel__list *at = terms->waiting.next; at != &terms->waiting;
       at = at->next)
    set_deadline(RUNNEL__OF(at, struct runnel__handshake, node));
}

int runnel__lead_blocks(const struct runnel__handshake *handshake) {
  const struct runnel__terms *terms = handshake->terms;
  return terms->leader != NULL && terms->leader != handshake &&
         !handshake->impatient;
}

void runnel__lead_wait(struct runnel__handshake *handshake, int64_t now_ms) {
  if (handshake->patience_ms == 0)
    handshake->patience_ms = now_ms + RUNNEL__SESSION_WAIT_MS;
  handshake->step = RUNNEL__HANDSHAKE_WAITING;
  runnel__list_push(&handshake->terms->waiting, &handshake->node);
  set_deadline(handshake);
}

/* A leader that is through brought no session; one that is not is stuck. */
static void give_up_leader(struct runnel__terms *terms) {
  if (terms->leader->step == RUNNEL__HANDSHAKE_DONE) {
    terms->gives_none = 1;
    runnel__lead_end(terms);
  } else {
    runnel__lead_pass(terms);
  }
}

void runnel__lead_alarm(struct runnel__handshake *handshake, int64_t now_ms) {
  struct runnel__terms *terms = handshake->terms;
  if (handshake->patience_ms <= now_ms) {
    handshake->impatient = 1;
    runnel__list_remove(&handshake->node);
    runnel__handshake_queue(handshake, 0);
    return;
  }
  if (terms->lead_until_ms <= now_ms)
    give_up_leader(terms);
  if (handshake->step == RUNNEL__HANDSHAKE_WAITING)
    set_deadline(handshake);
}
