/* A ring of the lines that somebody waits in. */
#include "slots.h"

void runnel__slots_init(struct runnel__slots *slots) {
  *slots = (struct runnel__slots){.max = INT64_MAX};
  runnel__list_init(&slots->ring);
}

void runnel__line_init(struct runnel__line *line) {
  *line = (struct runnel__line){.taken = 0};
  runnel__list_init(&line->ring);
  runnel__list_init(&line->waiting);
}

void runnel__slots_join(struct runnel__slots *slots, struct runnel__line *line,
                        struct runnel__list *node, int first) {
  if (runnel__list_empty(&line->waiting))
    runnel__list_push(&slots->ring, &line->ring);
  runnel__list_push(first ? line->waiting.next : &line->waiting, node);
}

void runnel__slots_leave(struct runnel__line *line, struct runnel__list *node) {
  runnel__list_remove(node);
  if (runnel__list_empty(&line->waiting))
    runnel__list_remove(&line->ring);
}

/* Slots one line may have now. */
static int64_t share(const struct runnel__slots *slots) {
  int others_wait = slots->ring.next != slots->ring.prev;
  return others_wait ? slots->max - slots->max / 2 : slots->max;
}

/* To the end of the ring: the others have their turn. */
static struct runnel__list *pull(struct runnel__slots *slots,
                                 struct runnel__line *line) {
  struct runnel__list *node = line->waiting.next;
  runnel__list_remove(node);
  runnel__list_remove(&line->ring);
  if (!runnel__list_empty(&line->waiting))
    runnel__list_push(&slots->ring, &line->ring);
  return node;
}

struct runnel__list *runnel__slots_next(struct runnel__slots *slots) {
  if ((int64_t)slots->taken >= slots->max)
    return NULL;
  int64_t most = share(slots);
  for (struct runnel__list *at = slots->ring.next; at != &slots->ring;
       at = at->next) {
    struct runnel__line *line = RUNNEL__OF(at, struct runnel__line, ring);
    if ((int64_t)line->taken < most)
      return pull(slots, line);
  }
  return NULL;
}

void runnel__slots_take(struct runnel__slots *slots,
                        struct runnel__line *line) {
  slots->taken++;
  line->taken++;
}

void runnel__slots_give(struct runnel__slots *slots,
                        struct runnel__line *line) {
  slots->taken--;
  line->taken--;
}
