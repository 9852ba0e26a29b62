/* Intrusive doubly linked list: a ring with a head that is no element. An
 * element that is in no list is a ring of its own, so removing it twice does no
 * harm. */
#ifndef RUNNEL_CORE_LIST_H
#define RUNNEL_CORE_LIST_H

#include <stddef.h>

struct runnel__list {
  struct runnel__list *next;
  struct runnel__list *prev;
};

/* The struct that `node` is the member `member` of. */
#define RUNNEL__OF(node, type, member)                                         \
  ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void runnel__list_init(struct runnel__list *list) {
  list->next = list;
  list->prev = list;
}

static inline int runnel__list_empty(const struct runnel__list *list) {
  return list->next == list;
}

static inline void runnel__list_push(struct runnel__list *list,
                                     struct runnel__list *node) {
  node->prev = list->prev;
  node->next = list;
  list->prev->next = node;
  list->prev = node;
}

static inline void runnel__list_remove(struct runnel__list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  runnel__list_init(node);
}

/* All of `from` to the empty `to`, which is then safe to walk while callbacks
 * push to `from`. */
static inline void runnel__list_move(struct runnel__list *to,
                                     struct runnel__list *from) {
  runnel__list_init(to);
  if (runnel__list_empty(from))
    return;
  to->next = from->next;
  to->prev = from->prev;
  to->next->prev = to;
  to->prev->next = to;
  runnel__list_init(from);
}

#endif
