/* Chains that double in number as nodes come; FNV-1a from a random start. */
#include "table.h"

#define CHAINS_FIRST 16

static uint64_t hash_key(const struct runnel__table *table,
                         struct runnel__str key) {
  uint64_t hash = table->seed ^ UINT64_C(14695981039346656037);
  for (size_t i = 0; i < key.len; i++)
    hash = (hash ^ (unsigned char)key.at[i]) * UINT64_C(1099511628211);
  return hash ^ (hash >> 32);
}

static struct runnel__table_node **chain_of(const struct runnel__table *table,
                                            uint64_t hash) {
  return &table->chains[hash & (table->chains_len - 1)];
}

struct runnel__table_node *runnel__table_find(const struct runnel__table *table,
                                              struct runnel__str key) {
  if (table->chains_len == 0)
    return NULL;
  uint64_t hash = hash_key(table, key);
  struct runnel__table_node *node = *chain_of(table, hash);
  while (node != NULL &&
         (node->hash != hash || !runnel__str_eq(node->key, key)))
    node = node->next;
  return node;
}

int runnel__table_reserve(struct runnel__table *table,
                          struct runnel__mem *mem) {
  if (table->len < table->chains_len)
    return RUNNEL_OK;
  struct runnel__table grown = *table;
  grown.chains_len =
      table->chains_len == 0 ? CHAINS_FIRST : table->chains_len * 2;
  grown.chains = runnel__alloc_zero(
      mem, grown.chains_len * sizeof(struct runnel__table_node *));
  if (grown.chains == NULL)
    return RUNNEL_ENOMEM;
  for (size_t i = 0; i < table->chains_len; i++) {
    while (table->chains[i] != NULL) {
      struct runnel__table_node *node = table->chains[i];
      struct runnel__table_node **chain = chain_of(&grown, node->hash);
      table->chains[i] = node->next;
      node->next = *chain;
      *chain = node;
    }
  }
  runnel__free(mem, table->chains);
  *table = grown;
  return RUNNEL_OK;
}

void runnel__table_add(struct runnel__table *table,
                       struct runnel__table_node *node) {
  node->hash = hash_key(table, node->key);
  struct runnel__table_node **chain = chain_of(table, node->hash);
  node->next = *chain;
  *chain = node;
  table->len++;
}

void runnel__table_remove(struct runnel__table *table,
                          struct runnel__table_node *node) {
  struct runnel__table_node **at = chain_of(table, node->hash);
  while (*at != node)
    at = &(*at)->next;
  *at = node->next;
  table->len--;
}

void runnel__table_free(struct runnel__table *table, struct runnel__mem *mem) {
  runnel__free(mem, table->chains);
  table->chains = NULL;
  table->chains_len = 0;
}
