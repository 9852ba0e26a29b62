/* TLS in a storm: handshakes that are done, refused, broken or stuck, and
 * sessions that come when they like. */
#ifndef RUNNEL_TEST_STORM_TLS_H
#define RUNNEL_TEST_STORM_TLS_H

#include "sim.h"

/* Something happens to a link whose handshake is under way; `kind` 1: it is
 * done. The link may be gone afterwards. */
void storm_shake(struct sim_link *link, uint64_t *random, int kind);

/* A session comes on a link, perhaps. */
void storm_bring_session(struct sim_link *link, uint64_t *random);

#endif
