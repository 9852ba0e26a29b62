/* One connection of the wire with a knife: two sockets, what passes between
 * them, and the rule. Knows neither threads nor poll; tls_cut.c asks it what to
 * wait for and gives it turns, under its lock. */
#ifndef RUNNEL_TEST_TLS_CUT_CONN_H
#define RUNNEL_TEST_TLS_CUT_CONN_H

#include <poll.h>

#include "tls_cut.h"

struct tls_cut_conn;

/* Takes both sockets; `counts` has TLS_CUT_COUNTS. A rule that is due at once
 * is acted on. */
struct tls_cut_conn *tls_cut_conn_take(int client, int server,
                                       const struct tls_cut_rule *rule,
                                       uint64_t *counts);

/* What is waited for on that side; fd -1: nothing. */
struct pollfd tls_cut_conn_poll(const struct tls_cut_conn *conn,
                                enum tls_cut_side side);

/* Something came for this side, or it takes bytes again. */
void tls_cut_conn_turn(struct tls_cut_conn *conn, enum tls_cut_side side,
                       short revents);

/* At once, whatever the rule says. */
void tls_cut_conn_act(struct tls_cut_conn *conn, enum tls_cut_act what);

int tls_cut_conn_is_over(const struct tls_cut_conn *conn);

void tls_cut_conn_free(struct tls_cut_conn *conn);

#endif
