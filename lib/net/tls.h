/* TLS (RFC 8446, RFC 5246) as a codec: cipher bytes in and out, plain bytes in
 * and out. Knows no socket, no clock but the wall's for certificates, and no
 * loop; which library does the work stands in the .c file alone.
 *
 * Pulled like the other codecs:
 *
 *   runnel__tls_feed(tls, bytes, len);
 *   while ((item = runnel__tls_next(tls, plain, room, &got)) > 0) ...
 *   what is in runnel__tls_out goes to the peer, before anything is waited for
 *
 * Until UP the codec shakes hands: one step of the handshake for each call of
 * next, so that a caller with other work can stop between them. */
#ifndef RUNNEL_NET_TLS_H
#define RUNNEL_NET_TLS_H

#include "../core/world.h"

/* Most plain bytes that one call of next gives (RFC 8446 5.1). */
#define RUNNEL__TLS_PLAIN_BYTES 16384

/* Room for the reason of a failure, NUL included. */
#define RUNNEL__TLS_WHY_BYTES 256

struct runnel__tls;

/* What runnel__tls_next returns, or a negative RUNNEL_E*:
 *  ENOMEM  out of memory
 *  ETRUST  the certificate was not accepted; nothing of the application's was
 *          sent
 *  ETLS    any other fault of TLS, an alert of the peer's included */
enum {
  RUNNEL__TLS_MORE = 0, /* nothing without more cipher bytes */
  RUNNEL__TLS_STEP,    /* went on by a step that gives nothing, of the handshake
                          or, after it, over a ticket or a warning; call again */
  RUNNEL__TLS_UP,      /* the handshake is over: runnel__tls_secured */
  RUNNEL__TLS_SESSION, /* after UP: a session came, runnel__tls_session. Given
                          before plain bytes and when all that was fed is used
                          up, at most one each time */
  RUNNEL__TLS_PLAIN,   /* plain bytes were written to `plain` */
  RUNNEL__TLS_END      /* close_notify; nothing follows */
};

/* A client's side of a connection that begins. Copies what it needs of `how`
 * and counts its trust. `mem` must outlive it. 0, RUNNEL_ENOMEM, or RUNNEL_ETLS
 * (the generator of random numbers failed). */
int runnel__tls_new(struct runnel__tls **tls, struct runnel__mem *mem,
                    const struct runnel__secure *how);

/* Frees it, and wipes what was secret. NULL is allowed. */
void runnel__tls_free(struct runnel__tls *tls);

/* Cipher bytes of the peer's, borrowed until next returns MORE or an error, or
 * keep is called. What was fed before, kept or not, must be used up: next
 * returned MORE. */
void runnel__tls_feed(struct runnel__tls *tls, const char *bytes, size_t len);

/* Pulls one thing. `room` is at least RUNNEL__TLS_PLAIN_BYTES; *len is set with
 * PLAIN only. After an error, END or RUNNEL_ENOMEM: only free and out. */
int runnel__tls_next(struct runnel__tls *tls, char *plain, size_t room,
                     size_t *len);

/* Copies what was fed and is not used up, so that the caller may have its
 * buffer back; counted as held. 0 or RUNNEL_ENOMEM. */
int runnel__tls_keep(struct runnel__tls *tls);

/* 1: next would give something, or at least has bytes to try with. */
int runnel__tls_holds(const struct runnel__tls *tls);

/* The peer's bytes ended (FIN) and next returned MORE: what that means.
 * RUNNEL_ELOST after the handshake, for there was no close_notify (RFC 8446
 * 6.1); RUNNEL_ETLS in it. Sets why. */
int runnel__tls_cut(struct runnel__tls *tls);

/* Encrypts `len` plain bytes to `out`. After UP only. 0, RUNNEL_ENOMEM or
 * RUNNEL_ETLS; after either the connection is to be given up. */
int runnel__tls_send(struct runnel__tls *tls, const char *bytes, size_t len);

/* Puts a close_notify into `out`; a failure to do so does not matter. */
void runnel__tls_bye(struct runnel__tls *tls);

/* Cipher bytes that are to go to the peer; valid until the next call. */
struct runnel__str runnel__tls_out(const struct runnel__tls *tls);

/* All of `out` has gone, or was copied: its memory is let go. */
void runnel__tls_sent(struct runnel__tls *tls);

/* After UP. */
const struct runnel__secured *
runnel__tls_secured(const struct runnel__tls *tls);

/* After SESSION; valid until the next call. */
const struct runnel__session *
runnel__tls_session(const struct runnel__tls *tls);

/* After an error: one line about it, "" if there is no more to say than its
 * code does. *native (may be NULL): the library's own code, or 0. */
const char *runnel__tls_why(const struct runnel__tls *tls, int *native);

#endif
