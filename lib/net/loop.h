/* The libuv world: clock, alarm, randomness, posting, and the life of the
 * handles; resolve.c and link.c are its hands. Decides nothing. */
#ifndef RUNNEL_NET_LOOP_H
#define RUNNEL_NET_LOOP_H

#include "../core/world.h"

struct uv_loop_s;

/* A world on `uv`, or on a loop of its own when NULL. It keeps a copy
 * of `hooks` (complete) and owns what it allocates. ears and owner are set by
 * the caller before the next turn. 0, RUNNEL_ENOMEM or RUNNEL_ERESOURCE. */
int runnel__loop_new(struct runnel__world **world,
                     const struct runnel_alloc *hooks, struct uv_loop_s *uv);

/* 1 if the loop is the world's own. */
int runnel__loop_owned(const struct runnel__world *world);

/* Runs a loop of its own until nothing keeps it alive. If the world was closed
 * meanwhile, everything including the loop is freed when this returns. */
void runnel__loop_run(struct runnel__world *world);

#endif
