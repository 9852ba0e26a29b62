/* Look-ups: getaddrinfo in threads of our own. Knows neither cache nor order of
 * dialling.
 *
 * Not uv_getaddrinfo: that runs two look-ups at a time, so that two names whose
 * servers are silent hold up all others, and its close waits for them. */
#ifndef RUNNEL_NET_RESOLVE_H
#define RUNNEL_NET_RESOLVE_H

#include "net.h"

/* Threads of one world at once; further look-ups wait in order. */
#define RUNNEL__RESOLVE_THREADS_MAX 32

struct runnel__lookup *runnel__resolve_start(struct runnel__world *world,
                                             const char *host, void *asker);
void runnel__resolve_drop(struct runnel__lookup *lookup);

/* Tells the owner what is done. From the loop. */
void runnel__resolve_tell(struct runnel__net *net);

/* In a forked child, with the inbox's lock held: frees every look-up. */
void runnel__resolve_abandon(struct runnel__net *net);

/* gai_strerror(3) of an EAI_* code. */
const char *runnel__resolve_words(int native);

#endif
