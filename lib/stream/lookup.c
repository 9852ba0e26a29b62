/* One job per host that is being looked up; those who ask meanwhile join it. */
#include "lookup.h"

#include <string.h>

struct runnel__lookup_job {
  struct runnel__list node; /* in lookups.jobs */
  struct runnel__lookups *lookups;
  struct runnel__list waiting;
  struct runnel__lookup *lookup; /* the world's; NULL once it answered */
  size_t host_len;
  char host[]; /* NUL-terminated */
};

void runnel__lookups_init(struct runnel__lookups *lookups,
                          struct runnel__mem *mem) {
  *lookups = (struct runnel__lookups){.mem = mem};
  runnel__list_init(&lookups->jobs);
}

static struct runnel__lookup_job *find_job(struct runnel__lookups *lookups,
                                           struct runnel__str host) {
  for (struct runnel__list *at = lookups->jobs.next; at != &lookups->jobs;
       at = at->next) {
    struct runnel__lookup_job *job =
        RUNNEL__OF(at, struct runnel__lookup_job, node);
    struct runnel__str name = {job->host, job->host_len};
    if (runnel__str_eq_nocase(name, host))
      return job;
  }
  return NULL;
}

static struct runnel__lookup_job *start_job(struct runnel__lookups *lookups,
                                            struct runnel__str host) {
  struct runnel__lookup_job *job =
      runnel__alloc_zero(lookups->mem, sizeof *job + host.len + 1);
  if (job == NULL)
    return NULL;
  memcpy(job->host, host.at, host.len);
  job->host_len = host.len;
  job->lookups = lookups;
  runnel__list_init(&job->waiting);
  struct runnel__world *world = lookups->world;
  job->lookup = world->ops->resolve(world, job->host, job);
  if (job->lookup == NULL) {
    runnel__free(lookups->mem, job);
    return NULL;
  }
  runnel__list_init(&job->node);
  runnel__list_push(&lookups->jobs, &job->node);
  lookups->asked++;
  return job;
}

int runnel__lookups_ask(struct runnel__lookups *lookups,
                        struct runnel__str host,
                        struct runnel__lookup_wait *wait) {
  struct runnel__lookup_job *job = find_job(lookups, host);
  if (job != NULL)
    lookups->joined++;
  else
    job = start_job(lookups, host);
  if (job == NULL)
    return RUNNEL_ENOMEM;
  wait->job = job;
  runnel__list_init(&wait->node);
  runnel__list_push(&job->waiting, &wait->node);
  return RUNNEL_OK;
}

void runnel__lookups_leave(struct runnel__lookups *lookups,
                           struct runnel__lookup_wait *wait) {
  struct runnel__lookup_job *job = wait->job;
  if (job == NULL)
    return;
  wait->job = NULL;
  runnel__list_remove(&wait->node);
  if (job->lookup == NULL || !runnel__list_empty(&job->waiting))
    return; /* answered: resolved() frees it; or others still wait */
  lookups->world->ops->drop(job->lookup);
  runnel__list_remove(&job->node);
  runnel__free(lookups->mem, job);
}

void runnel__lookups_resolved(void *asker, int code, int native,
                              const struct runnel__addr *addrs, size_t len) {
  struct runnel__lookup_job *job = asker;
  job->lookup = NULL;
  runnel__list_remove(&job->node); /* who asks from now on asks anew */
  while (!runnel__list_empty(&job->waiting)) {
    struct runnel__lookup_wait *wait =
        RUNNEL__OF(job->waiting.next, struct runnel__lookup_wait, node);
    runnel__list_remove(&wait->node);
    wait->job = NULL;
    wait->ready(wait->owner, code, native, addrs, len);
  }
  runnel__free(job->lookups->mem, job);
}

void runnel__lookups_abandon(struct runnel__lookups *lookups) {
  while (!runnel__list_empty(&lookups->jobs)) {
    struct runnel__lookup_job *job =
        RUNNEL__OF(lookups->jobs.next, struct runnel__lookup_job, node);
    runnel__list_remove(&job->node);
    runnel__free(lookups->mem, job);
  }
}
