/* A hash table of things that are found by a short text, such as hosts and
 * origins. Intrusive: the node, and the key it points to, live in the thing.
 * The hash starts from a random seed, so that nobody outside can aim at one
 * chain. */
#ifndef RUNNEL_CORE_TABLE_H
#define RUNNEL_CORE_TABLE_H

#include "alloc.h"
#include "str.h"

struct runnel__table_node {
  struct runnel__table_node *next; /* of the same chain */
  uint64_t hash;
  struct runnel__str key;
};

struct runnel__table {
  struct runnel__table_node **chains; /* owned */
  size_t chains_len;                  /* a power of two, or 0 */
  size_t len;                         /* nodes in it */
  uint64_t seed;
};

/* The node with exactly this key, or NULL. */
struct runnel__table_node *runnel__table_find(const struct runnel__table *table,
                                              struct runnel__str key);

/* Room for one node more. 0 or RUNNEL_ENOMEM. */
int runnel__table_reserve(struct runnel__table *table, struct runnel__mem *mem);

/* Adds a node whose key is set and not in the table; room was reserved. */
void runnel__table_add(struct runnel__table *table,
                       struct runnel__table_node *node);
void runnel__table_remove(struct runnel__table *table,
                          struct runnel__table_node *node);

/* Frees the chains; the nodes are their owners'. */
void runnel__table_free(struct runnel__table *table, struct runnel__mem *mem);

#endif
