/* One socket as a byte stream: connect, send, receive, hang up. Knows neither
 * protocol nor deadline; what each function does stands in core/world.h. */
#ifndef RUNNEL_NET_LINK_H
#define RUNNEL_NET_LINK_H

#include "net.h"

struct runnel__link *runnel__link_connect(struct runnel__world *world,
                                          const struct runnel__target *target,
                                          const struct runnel__link_ears *ears,
                                          void *owner);
void runnel__link_give(struct runnel__link *link,
                       const struct runnel__link_ears *ears, void *owner);
int runnel__link_send(struct runnel__link *link, const char *bytes, size_t len);
void runnel__link_listen(struct runnel__link *link, int on);
int runnel__link_waiting(struct runnel__link *link);
void runnel__link_hang_up(struct runnel__link *link);

/* Serves the first link of `due`, a list of the links that asked for it. */
void runnel__link_turn(struct runnel__list *due);

/* Frees the hung up links of net->graves. */
void runnel__link_bury(struct runnel__net *net);

/* Hangs up every link of the world that is not hung up yet. */
void runnel__link_hang_up_all(struct runnel__net *net);

/* In a forked child: closes descriptors and frees all links, the loop being
 * left alone. */
void runnel__link_abandon(struct runnel__net *net);

#endif
