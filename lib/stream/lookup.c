/* One entry per host: who waits for it, and what was learnt last. */
#include "lookup.h"

#include <string.h>

struct runnel__host {
  struct runnel__table_node node;
  struct runnel__list use; /* in lookups.by_use */
  struct runnel__lookups *lookups;
  struct runnel__list waiting;
  struct runnel__lookup *lookup; /* the world's, under way; NULL: none */
  int64_t learnt_ms;             /* when addrs came, or the failure */
  int64_t tried_ms;              /* when a look-up failed over old addresses */
  int code;                      /* of the failure; RUNNEL_OK: none */
  int native;
  size_t addrs_len;
  struct runnel__addr *addrs; /* owned; in the order they came */
  char name[];                /* lower case, NUL-terminated */
};

void runnel__lookups_init(struct runnel__lookups *lookups,
                          struct runnel__mem *mem) {
  *lookups = (struct runnel__lookups){.mem = mem};
  runnel__list_init(&lookups->by_use);
}

static void free_host(struct runnel__host *host) {
  struct runnel__lookups *lookups = host->lookups;
  runnel__table_remove(&lookups->hosts, &host->node);
  runnel__list_remove(&host->use);
  runnel__free(lookups->mem, host->addrs);
  runnel__free(lookups->mem, host);
}

void runnel__lookups_free(struct runnel__lookups *lookups, int drop) {
  while (!runnel__list_empty(&lookups->by_use)) {
    struct runnel__host *host =
        RUNNEL__OF(lookups->by_use.next, struct runnel__host, use);
    if (drop && host->lookup != NULL)
      lookups->world->ops->drop(host->lookup);
    free_host(host);
  }
  runnel__table_free(&lookups->hosts, lookups->mem);
}

static struct runnel__host *find_host(struct runnel__lookups *lookups,
                                      struct runnel__str host, char *name) {
  struct runnel__str key = {name, host.len};
  for (size_t i = 0; i < host.len; i++)
    name[i] = runnel__lower(host.at[i]);
  name[host.len] = '\0';
  struct runnel__table_node *node = runnel__table_find(&lookups->hosts, key);
  return node == NULL ? NULL : RUNNEL__OF(node, struct runnel__host, node);
}

static int is_idle(const struct runnel__host *host) {
  return host->lookup == NULL && runnel__list_empty(&host->waiting);
}

/* Room for one host more, if need be in place of one that nobody waits for. */
static void make_room(struct runnel__lookups *lookups) {
  if (lookups->hosts.len < RUNNEL__HOSTS_MAX)
    return;
  for (struct runnel__list *at = lookups->by_use.next; at != &lookups->by_use;
       at = at->next) {
    struct runnel__host *host = RUNNEL__OF(at, struct runnel__host, use);
    if (is_idle(host)) {
      free_host(host);
      return;
    }
  }
}

static struct runnel__host *add_host(struct runnel__lookups *lookups,
                                     const char *name) {
  size_t len = strlen(name);
  make_room(lookups);
  if (runnel__table_reserve(&lookups->hosts, lookups->mem) != RUNNEL_OK)
    return NULL;
  struct runnel__host *host =
      runnel__alloc_zero(lookups->mem, sizeof *host + len + 1);
  if (host == NULL)
    return NULL;
  memcpy(host->name, name, len);
  host->lookups = lookups;
  runnel__list_init(&host->waiting);
  runnel__list_init(&host->use);
  runnel__list_push(&lookups->by_use, &host->use);
  host->node.key = (struct runnel__str){host->name, len};
  runnel__table_add(&lookups->hosts, &host->node);
  return host;
}

static int start_lookup(struct runnel__host *host) {
  struct runnel__lookups *lookups = host->lookups;
  struct runnel__world *world = lookups->world;
  if (host->lookup != NULL)
    return RUNNEL_OK;
  host->lookup = world->ops->resolve(world, host->name, host);
  if (host->lookup == NULL)
    return RUNNEL_ENOMEM;
  lookups->asked++;
  return RUNNEL_OK;
}

/* Whether what is remembered can be told, given its age; a refresh that is due
 * is started on the way. */
static int can_tell(struct runnel__host *host) {
  const struct runnel__lookups *lookups = host->lookups;
  struct runnel__world *world = lookups->world;
  int64_t now_ms = world->ops->now_ms(world);
  int64_t age_ms = now_ms - host->learnt_ms;
  if (host->code != RUNNEL_OK)
    return age_ms < lookups->negative_ttl_ms;
  if (host->addrs_len == 0)
    return 0;
  if (age_ms < lookups->ttl_ms)
    return 1;
  if (age_ms - lookups->ttl_ms >= lookups->stale_ms)
    return 0;
  if (host->tried_ms == 0 ||
      now_ms - host->tried_ms >= lookups->negative_ttl_ms)
    (void)start_lookup(host); /* without memory the old answer must do */
  return 1;
}

int runnel__lookups_ask(struct runnel__lookups *lookups,
                        struct runnel__str name,
                        struct runnel__lookup_wait *wait) {
  char text[256];
  struct runnel__host *host = find_host(lookups, name, text);
  if (host == NULL)
    host = add_host(lookups, text);
  if (host == NULL)
    return RUNNEL_ENOMEM;
  runnel__list_remove(&host->use);
  runnel__list_push(&lookups->by_use, &host->use);
  if (can_tell(host)) {
    lookups->joined++;
    wait->ready(wait->owner, host->code, host->native, host->addrs,
                host->addrs_len);
    return RUNNEL_OK;
  }
  lookups->joined += host->lookup != NULL;
  if (start_lookup(host) != RUNNEL_OK)
    return RUNNEL_ENOMEM;
  wait->host = host;
  runnel__list_init(&wait->node);
  runnel__list_push(&host->waiting, &wait->node);
  return RUNNEL_OK;
}

void runnel__lookups_leave(struct runnel__lookup_wait *wait) {
  if (wait->host == NULL)
    return;
  wait->host = NULL;
  runnel__list_remove(&wait->node);
}

void runnel__lookups_forget(struct runnel__lookups *lookups,
                            struct runnel__str name) {
  char text[256];
  struct runnel__host *host = find_host(lookups, name, text);
  if (host != NULL)
    host->addrs_len = 0;
}

void runnel__lookups_prefer(struct runnel__lookups *lookups,
                            struct runnel__str name,
                            const struct runnel__addr *addr) {
  char text[256];
  const struct runnel__host *host = find_host(lookups, name, text);
  if (host == NULL)
    return;
  for (size_t i = 1; i < host->addrs_len; i++) {
    struct runnel__addr found = host->addrs[i];
    if (found.v6 != addr->v6 || found.zone != addr->zone ||
        memcmp(found.ip, addr->ip, sizeof found.ip) != 0)
      continue;
    memmove(host->addrs + 1, host->addrs, i * sizeof found);
    host->addrs[0] = found;
    return;
  }
}

/* Keeps a failure, unless older addresses may still serve, or the trouble was
 * ours and says nothing about the host. */
static void learn_failure(struct runnel__host *host, int64_t now_ms, int code,
                          int native) {
  const struct runnel__lookups *lookups = host->lookups;
  if (host->addrs_len > 0 &&
      now_ms - host->learnt_ms < lookups->ttl_ms + lookups->stale_ms) {
    host->tried_ms = now_ms;
    return;
  }
  host->addrs_len = 0;
  host->code = code == RUNNEL_ERESOLVE ? code : RUNNEL_OK;
  host->native = native;
  host->learnt_ms = now_ms;
}

/* Keeps the answer; without memory for it the next one asks again. */
static void learn_addrs(struct runnel__host *host, int64_t now_ms,
                        const struct runnel__addr *addrs, size_t len) {
  void *room =
      runnel__realloc(host->lookups->mem, host->addrs, len * sizeof addrs[0]);
  host->code = RUNNEL_OK;
  host->addrs_len = 0;
  if (room == NULL)
    return;
  host->addrs = room;
  memcpy(host->addrs, addrs, len * sizeof addrs[0]);
  host->addrs_len = len;
  host->learnt_ms = now_ms;
  host->tried_ms = 0;
}

void runnel__lookups_resolved(void *asker, int code, int native,
                              const struct runnel__addr *addrs, size_t len) {
  struct runnel__host *host = asker;
  struct runnel__world *world = host->lookups->world;
  int64_t now_ms = world->ops->now_ms(world);
  host->lookup = NULL;
  if (code == RUNNEL_OK && len == 0)
    code = RUNNEL_ERESOLVE;
  if (code == RUNNEL_OK)
    learn_addrs(host, now_ms, addrs, len);
  else
    learn_failure(host, now_ms, code, native);
  struct runnel__list
      batch; /* who asks from now on is answered or waits anew */
  runnel__list_move(&batch, &host->waiting);
  while (!runnel__list_empty(&batch)) {
    struct runnel__lookup_wait *wait =
        RUNNEL__OF(batch.next, struct runnel__lookup_wait, node);
    runnel__list_remove(&wait->node);
    wait->host = NULL;
    wait->ready(wait->owner, code, native, addrs, len);
  }
}
