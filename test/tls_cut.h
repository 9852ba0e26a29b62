/* A wire with a knife: a TCP proxy on loopback, in a thread of its own, between
 * a client and a server that speak TLS. It passes whole records on (RFC 8446
 * 5.1) and, where a rule says so, cuts, resets, stalls or dribbles; and it
 * writes down what records the client sent, whose headers are in the clear.
 *
 *   struct tls_cut *cut = tls_cut_new(NULL, server_port);
 *   tls_cut_rule(cut, (struct tls_cut_rule){.from = TLS_CUT_SERVER,
 *                                           .records = 2, .bytes = 3,
 *                                           .act = TLS_CUT_RESET});
 *   ... tls_cut_port(cut) ...
 *   tls_cut_free(cut);
 *
 * Nothing sleeps: all waits for bytes or for the test. */
#ifndef RUNNEL_TEST_TLS_CUT_H
#define RUNNEL_TEST_TLS_CUT_H

#include <stddef.h>
#include <stdint.h>

struct tls_cut;

enum tls_cut_side { TLS_CUT_CLIENT, TLS_CUT_SERVER };

enum tls_cut_act {
  TLS_CUT_NOTHING = 0,
  TLS_CUT_FIN,    /* the client's connection ends in order, without TLS's word;
                     the server's too */
  TLS_CUT_RESET,  /* with RST, both */
  TLS_CUT_STALL,  /* nothing more passes, either way, until the client goes */
  TLS_CUT_INJECT, /* what `inject` says goes to the client; then nothing
                     passes */
  TLS_CUT_DRIBBLE /* from then on, what this side sends comes byte by byte */
};

/* Does `act` once that side sent so many records and so many bytes of the next.
 */
struct tls_cut_rule {
  enum tls_cut_side from;
  uint64_t records;
  uint64_t bytes;
  enum tls_cut_act act;
  const char *inject; /* borrowed */
  size_t inject_len;
};

/* Listens on a Unix socket of that path, or, with NULL, on a free port of
 * 127.0.0.1, and leads to that port there. Aborts if it cannot. */
struct tls_cut *tls_cut_new(const char *unix_path, int server_port);

/* Ends the thread and all connections. NULL is allowed. */
void tls_cut_free(struct tls_cut *cut);

int tls_cut_port(const struct tls_cut *cut);

/* Where connections accepted from now on lead to. */
void tls_cut_lead_to(struct tls_cut *cut, int server_port);

/* For connections accepted from now on. */
void tls_cut_rule(struct tls_cut *cut, struct tls_cut_rule rule);

/* Does it at once to all connections that are open; returns when it is done.
 * Not INJECT, not DRIBBLE. */
void tls_cut_now(struct tls_cut *cut, enum tls_cut_act act);

/* Counts since the start, or since tls_cut_forget. */
enum tls_cut_count {
  TLS_CUT_ACCEPTED,       /* connections */
  TLS_CUT_ENDED,          /* connections that are over */
  TLS_CUT_ACTED,          /* rules that came to their act */
  TLS_CUT_CLIENT_RECORDS, /* whole records, of that side */
  TLS_CUT_SERVER_RECORDS,
  TLS_CUT_CLIENT_BYTES,
  TLS_CUT_SERVER_BYTES,
  TLS_CUT_CLIENT_HANDSHAKE, /* of the client's records: content type 22 */
  TLS_CUT_CLIENT_ALERT,     /* 21 */
  TLS_CUT_CLIENT_DATA,      /* 23; with TLS 1.3 whatever is encrypted */
  TLS_CUT_CLIENT_DATA_MAX,  /* bytes of the largest of those, header excluded */
  TLS_CUT_COUNTS
};
uint64_t tls_cut_count(struct tls_cut *cut, enum tls_cut_count what);

/* Blocks until the count is at least that; fails the test after a minute. */
void tls_cut_wait(struct tls_cut *cut, enum tls_cut_count what,
                  uint64_t at_least);

/* All counts are 0 again; for moments at which no connection is open. */
void tls_cut_forget(struct tls_cut *cut);

#endif
