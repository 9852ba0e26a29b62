/* Who goes ahead when many handshakes want the same session.
 *
 * While terms have no session, or none that is sure to be taken (for a server
 * that was started anew has forgotten it), one handshake leads and the others
 * wait. Once a session came or served, or it is clear that none comes, nobody
 * leads and all go; a leader that ends without either makes place for the one
 * that waits longest. So a thousand reconnects cost one full handshake. */
#ifndef RUNNEL_STREAM_LEAD_H
#define RUNNEL_STREAM_LEAD_H

#include "handshake.h"

/* A leader whose handshake takes longer makes place for the next (ms). */
#define RUNNEL__LEAD_MS 2000
/* With TLS 1.3 the session comes after the handshake, or not at all (ms). */
#define RUNNEL__TICKET_WAIT_MS 500
/* Nobody waits longer for others' handshakes, in all (ms). */
#define RUNNEL__SESSION_WAIT_MS 5000

/* Takes the lead if there is none. */
void runnel__lead_take(struct runnel__handshake *handshake);

/* Nobody leads any more; all go. */
void runnel__lead_end(struct runnel__terms *terms);

/* The leader is over: the next one leads. */
void runnel__lead_pass(struct runnel__terms *terms);

/* How long the leader, if it is one, is waited for. */
void runnel__lead_until(struct runnel__handshake *handshake, int64_t until_ms);

/* 1: it has to wait. */
int runnel__lead_blocks(const struct runnel__handshake *handshake);
void runnel__lead_wait(struct runnel__handshake *handshake, int64_t now_ms);

/* The leader, or whoever waits, took too long. */
void runnel__lead_alarm(struct runnel__handshake *handshake, int64_t now_ms);

#endif
