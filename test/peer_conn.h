/* One connection of the scripted peer: plays its script over a nonblocking
 * socket. Knows neither threads nor poll; peer.c asks it what to wait for and
 * gives it turns, under the peer's lock. */
#ifndef RUNNEL_TEST_PEER_CONN_H
#define RUNNEL_TEST_PEER_CONN_H

#include "peer.h"

/* What the connections of one peer share. */
struct peer_shared {
  uint64_t counts[PEER_COUNTS];
  uint64_t level;
  struct peer_request **requests; /* each owned, never moved */
  size_t requests_cap;
  void *user;
};

struct peer_conn;

/* Takes the descriptor. Aborts without memory, as all of the peer does. */
struct peer_conn *peer_conn_take(int fd, size_t index,
                                 const struct peer_step *script);

/* The poll events it waits for; beyond them it waits for the level only. */
short peer_conn_events(const struct peer_conn *conn);

int peer_conn_fd(const struct peer_conn *conn);

/* 1: it has something to do without waiting. */
int peer_conn_ready(const struct peer_conn *conn);

/* Goes on as far as it can. 0: it is over and must be freed. */
int peer_conn_turn(struct peer_conn *conn, struct peer_shared *shared,
                   short revents);

void peer_conn_free(struct peer_conn *conn);

#endif
