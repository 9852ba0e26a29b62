/* The client: which streams there are, when the next of them wants something,
 * and in what order all ends. */
#ifndef RUNNEL_STREAM_CLIENT_H
#define RUNNEL_STREAM_CLIENT_H

#include "../core/world.h"
#include "runnel.h"

/* Checks the options and makes a client that has no world yet. `options` may be
 * NULL. 0, RUNNEL_EINVAL (with error_text) or RUNNEL_ENOMEM. */
int runnel__client_new(struct runnel_client **client,
                       struct runnel_client_options *options);

/* The application's allocator hooks, complete; a world is made with them. */
const struct runnel_alloc *
runnel__client_hooks(const struct runnel_client *client);

/* Plugs the world in: sets its ears and owner. Must follow new, once. */
void runnel__client_attach(struct runnel_client *client,
                           struct runnel__world *world);

/* Frees a client that no world was attached to. */
void runnel__client_free(struct runnel_client *client);

#endif
