/* TLS between a connection that is up and its request.
 *
 *   queued     wants a slot (slots.h); its clocks stand still
 *   waiting    another handshake under the same terms goes ahead (lead.h), for
 *              its session will make this one short. Holds no slot; its clocks
 *              stand still
 *   under way  has a slot; handshake_ms_max and open_ms_max run
 *   done       the exchange has the link; sessions are still listened to, until
 *              a response is accepted
 *
 * The dial's slot in the gate was given back when the connection came up. */
#ifndef RUNNEL_STREAM_HANDSHAKE_H
#define RUNNEL_STREAM_HANDSHAKE_H

#include "slots.h"
#include "terms.h"

/* A handshake whose peer's bytes wait at its deadline, for a callback blocked,
 * has so long for what is left: work of our own, many of them taking turns, and
 * the peer's next flight (ms). */
#define RUNNEL__GRACE_MS 1000

enum runnel__handshake_step {
  RUNNEL__HANDSHAKE_NONE,
  RUNNEL__HANDSHAKE_QUEUED,
  RUNNEL__HANDSHAKE_WAITING,
  RUNNEL__HANDSHAKE_UNDER_WAY,
  RUNNEL__HANDSHAKE_DONE
};

/* Of one attempt. */
struct runnel__handshake {
  struct runnel__list node;    /* in its origin's line, or its terms' waiting */
  struct runnel__terms *terms; /* one reference; NULL: none yet */
  const char *version;         /* once it is done; static */
  struct runnel__session_end end; /* of the sessions that it brings */
  uint64_t serial;                /* of the session that it tries; 0: none */
  int64_t patience_ms;            /* it waits until then; 0: did not yet */
  uint8_t step;                   /* enum runnel__handshake_step */
  uint8_t impatient;              /* it waited long enough */
  uint8_t resumed;
};

/* Of one client. */
struct runnel__handshakes {
  struct runnel__slots slots; /* of those under way */
  int dirty;                  /* a slot came free, or somebody joined */
  int is_named;               /* the log was told which library it is */
  uint64_t full;
  uint64_t resumed;
  struct runnel__sessions sessions;
};

void runnel__handshakes_init(struct runnel__handshakes *handshakes,
                             struct runnel__mem *mem);

/* Begins those that may. Part of a client's turn. */
void runnel__handshakes_pump(runnel_client *client);

/* Has the settings of https made ready (NULL: the defaults). 0, RUNNEL_EINVAL
 * with the reason in `text` (RUNNEL_ERROR_TEXT_BYTES), RUNNEL_ENOMEM or
 * RUNNEL_ERESOURCE. */
int runnel__handshake_ready(runnel_client *client, runnel_tls *settings,
                            char *text);

/* The attempt's own settings, before it dials: RUNNEL_ETLS if they cannot be
 * used, with the reason in attempt->why. */
int runnel__handshake_prepare(runnel_stream *stream);

/* The attempt's link is up, and the hop is https: the exchange begins once the
 * handshake is done. */
void runnel__handshake_start(runnel_stream *stream, struct runnel__link *link);

/* Wants a slot; `first`: before all others of its origin. */
void runnel__handshake_queue(struct runnel__handshake *handshake, int first);

runnel_stream *
runnel__handshake_stream(const struct runnel__handshake *handshake);

/* The deadline of RUNNEL_STATE_HANDSHAKING is there. */
void runnel__handshake_alarm(runnel_stream *stream);

/* A session came on the link; forgotten once a response was accepted. */
void runnel__handshake_session(runnel_stream *stream,
                               const struct runnel__session *session);

/* A response head came: a session would have come before it. */
void runnel__handshake_answered(runnel_stream *stream);

/* The attempt, or its hop, is over. Asks nothing of the world; harmless twice.
 */
void runnel__handshake_leave(runnel_stream *stream,
                             struct runnel__handshake *handshake);

#endif
