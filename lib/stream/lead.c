/* A leader, and those that wait for it. Nobody begins here: who may go is put
 * into the queue. */
#include "lead.h"

#include "stream.h"

void runnel__lead_take(struct runnel__handshake *handshake) {
  struct runnel__terms *terms = handshake->terms;
  if (terms->leader != NULL)
    return;
  terms->leader = handshake;
  terms->ticket_at_ms = RUNNEL__NEVER;
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

void runnel__lead_await(struct runnel__terms *terms, int64_t now_ms) {
  int64_t until_ms = now_ms + RUNNEL__TICKET_WAIT_MS;
  terms->ticket_at_ms = until_ms;
  for (struct runnel__list *at = terms->waiting.next; at != &terms->waiting;
       at = at->next) {
    runnel_stream *stream = runnel__handshake_stream(
        RUNNEL__OF(at, struct runnel__handshake, node));
    if (stream->deadline_ms > until_ms)
      runnel__stream_set_state(stream, RUNNEL_STATE_HANDSHAKING, until_ms);
  }
}

int runnel__lead_blocks(const struct runnel__handshake *handshake) {
  const struct runnel__terms *terms = handshake->terms;
  return terms->leader != NULL && terms->leader != handshake &&
         !handshake->impatient;
}

void runnel__lead_wait(struct runnel__handshake *handshake, int64_t now_ms) {
  struct runnel__terms *terms = handshake->terms;
  if (handshake->patience_ms == 0)
    handshake->patience_ms = now_ms + RUNNEL__SESSION_WAIT_MS;
  handshake->step = RUNNEL__HANDSHAKE_WAITING;
  runnel__list_push(&terms->waiting, &handshake->node);
  runnel__stream_set_state(
      runnel__handshake_stream(handshake), RUNNEL_STATE_HANDSHAKING,
      terms->ticket_at_ms < handshake->patience_ms ? terms->ticket_at_ms
                                                   : handshake->patience_ms);
}

void runnel__lead_alarm(struct runnel__handshake *handshake, int64_t now_ms) {
  struct runnel__terms *terms = handshake->terms;
  if (terms->ticket_at_ms <= now_ms) {
    terms->gives_none = 1;
    runnel__lead_end(terms);
    return;
  }
  handshake->impatient = 1;
  runnel__list_remove(&handshake->node);
  runnel__handshake_queue(handshake, 0);
}
