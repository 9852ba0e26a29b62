/* TLS sessions, which make later handshakes short.
 *
 * A resumed handshake verifies nothing. So a session is found again only under
 * the very terms that it was made under: the origin (host and port), the trust,
 * and whether the client certificate is shown; all else that was checked or
 * offered is fixed by the trust. The newest session of each terms is kept, in
 * memory that is wiped before it is freed and counts as held. */
#ifndef RUNNEL_STREAM_TERMS_H
#define RUNNEL_STREAM_TERMS_H

#include "../core/list.h"
#include "../core/table.h"
#include "../core/world.h"

/* Terms that are remembered; the ones not used for longest make room. */
#define RUNNEL__TERMS_MAX 1024
/* A session that is larger is not kept. */
#define RUNNEL__SESSION_BYTES_MAX 32768
/* Of what a client may hold, this part at most is sessions': servers choose how
 * long theirs are, and streams need the rest. */
#define RUNNEL__SESSIONS_SHARE 4
/* From a full handshake on, its sessions and their successors are of use for so
 * long at most (RFC 5077 5.6), unless they end before. */
#define RUNNEL__SESSION_MS_MAX INT64_C(86400000)
/* A session that was made, or served, so shortly ago is sure to be taken. */
#define RUNNEL__SESSION_SURE_MS 1000

struct runnel__handshake;

/* When the sessions of a handshake end at the latest. */
struct runnel__session_end {
  int64_t at_s;  /* since 1970 */
  int64_t at_ms; /* by the monotonic clock */
};

struct runnel__terms {
  struct runnel__table_node node; /* in the sessions' table */
  struct runnel__list use;        /* in the sessions' by_use */
  size_t refs;                    /* handshakes that name them */

  /* lead.c's. */
  struct runnel__handshake *leader; /* NULL: nobody has to wait */
  struct runnel__list waiting;      /* in the order of coming */
  int64_t lead_until_ms;            /* the leader is not waited for any longer;
                                       RUNNEL__NEVER: it has not begun */
  int gives_none; /* the last full handshake brought no session */

  char *bytes; /* the session, owned; NULL: none */
  size_t len;
  struct runnel__session_end end;
  int64_t sure_ms; /* when it was made, or served last */
  uint64_t serial; /* of the session, from 1 */
  char key[];
};

struct runnel__sessions {
  struct runnel__mem *mem;
  struct runnel__table terms;
  struct runnel__list by_use; /* the ones used last are last */
  uint64_t made;              /* sessions so far */
  uint64_t held;              /* bytes of those that are kept */
};

void runnel__sessions_init(struct runnel__sessions *sessions,
                           struct runnel__mem *mem);

/* Nobody names any terms any more. */
void runnel__sessions_free(struct runnel__sessions *sessions);

/* The terms of an origin (as in struct runnel__origin), with one more
 * reference; NULL: no memory. */
struct runnel__terms *runnel__terms_take(struct runnel__sessions *sessions,
                                         const char *origin, uint64_t trust_id,
                                         int anonymous);
void runnel__terms_give(struct runnel__terms *terms);

/* 1: there is a session that has not ended: *session, valid until the next call
 * for these terms. */
int runnel__terms_session(struct runnel__sessions *sessions,
                          struct runnel__terms *terms, int64_t now_ms,
                          int64_t wall_s, struct runnel__session *session);

/* Keeps a copy in place of an older one, until its own end or `end`, whichever
 * comes first. 1: kept; 0: of no use, too large, or no memory. */
int runnel__terms_keep(struct runnel__sessions *sessions,
                       struct runnel__terms *terms,
                       const struct runnel__session *session,
                       const struct runnel__session_end *end, int64_t now_ms,
                       int64_t wall_s);

/* Forgets the session of that serial, unless a newer one took its place. */
void runnel__terms_drop(struct runnel__sessions *sessions,
                        struct runnel__terms *terms, uint64_t serial);

#endif
