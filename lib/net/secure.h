/* TLS on a link: what comes from the socket goes through the codec before the
 * owner hears it, and what the owner sends before the socket takes it.
 *
 * Handshakes wait in one queue of the world, which is served for a moment each
 * turn, so that a storm of them leaves open links their share: a step of one
 * may cost milliseconds (RFC 8446 has no cheaper way to prove who one is). */
#ifndef RUNNEL_NET_SECURE_H
#define RUNNEL_NET_SECURE_H

#include "net.h"

/* The TLS of one link. */
struct runnel__cover;

/* As the ops of core/world.h. */
int runnel__secure_trust(struct runnel__world *world, runnel_tls *settings,
                         struct runnel__trust **trust, char *text);
int runnel__secure_link(struct runnel__link *link,
                        const struct runnel__secure *how);
const char *runnel__secure_why(struct runnel__link *link);

/* 1: the owner would hear something without another byte from the socket. */
int runnel__secure_holds(const struct runnel__link *link);

/* 1: shaking hands: the owner hears no bytes yet. */
int runnel__secure_shakes(const struct runnel__link *link);

/* 1: shaking hands, and what came has been used up. */
int runnel__secure_waits(const struct runnel__link *link);

/* Cipher bytes from the socket, in the world's buffer, until this returns. */
void runnel__secure_bytes(struct runnel__link *link, const char *bytes,
                          size_t len);

/* What is held goes to the owner, while it listens. */
void runnel__secure_drain(struct runnel__link *link);

/* The peer's FIN, with nothing held. */
void runnel__secure_end(struct runnel__link *link);

/* 0, RUNNEL_ENOMEM (the link is to be given up); all else is heard as down. */
int runnel__secure_send(struct runnel__link *link, const char *bytes,
                        size_t len);

/* Has the peer told that nothing follows (RFC 8446 6.1), as far as the socket
 * takes it at once. */
void runnel__secure_bye(struct runnel__link *link);

/* Frees the link's TLS, if it has one. */
void runnel__secure_free(struct runnel__link *link);

/* Serves the handshakes of net->shakes for a moment. */
void runnel__secure_turn(struct runnel__net *net);

#endif
