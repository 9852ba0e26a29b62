/* What a world trusts, and shows of itself: TLS settings, parsed once for each
 * world that uses them and shared by its connections.
 *
 * The settings themselves (runnel_tls) are shared by threads and may be
 * replaced under way; what is parsed of them belongs to one world and its
 * thread, and stays as it is. So nothing here needs a lock. */
#ifndef RUNNEL_NET_TRUST_H
#define RUNNEL_NET_TRUST_H

#include "../core/world.h"

/* All of one world: a generator of random numbers, and the trusts made of the
 * settings that were asked for. */
struct runnel__trusts;

/* 0, RUNNEL_ENOMEM, or RUNNEL_ERESOURCE (the system gave no randomness). */
int runnel__trusts_new(struct runnel__trusts **trusts, struct runnel__mem *mem);

/* No trust of it may be counted any more. NULL is allowed. */
void runnel__trusts_free(struct runnel__trusts *trusts);

/* As the op `trust` of core/world.h. */
int runnel__trust_take(struct runnel__trusts *trusts, runnel_tls *settings,
                       struct runnel__trust **trust, char *text);

/* Counts one more use. */
void runnel__trust_retain(struct runnel__trust *trust);

/* One use less. An unused trust stays for the next one who asks, unless its
 * settings were replaced or let go by everybody else. */
void runnel__trust_give(struct runnel__trust *trust);

/* Tells trusts of one world apart; never used twice in it. */
uint64_t runnel__trust_id(const struct runnel__trust *trust);

/* "Mbed TLS 3.6.6": the library that runs. */
const char *runnel__trust_library(void);

#endif
