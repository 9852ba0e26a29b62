/* The seam between deciding (lib/stream) and acting (lib/net, or a test's
 * virtual world): a clock, randomness, look-ups and byte streams, asked for
 * through `ops` and heard through `ears`.
 *
 * Rules
 *  - A world never calls back from inside an ask; errors that the system
 * reports at once are heard on the next turn.
 *  - hang_up is silent and ends all hearing at once; the link's memory lives
 *    until the loop's next turn, for it may be on the stack.
 *  - `down` is a link's last word, but hang_up must still be asked to free it.
 *  - No policy here: order and stagger of addresses, joined look-ups, limits
 * and deadlines belong to the deciding side. */
#ifndef RUNNEL_CORE_WORLD_H
#define RUNNEL_CORE_WORLD_H

#include "addrs.h"
#include "alloc.h"

/* wake_at: no alarm wanted. */
#define RUNNEL__NEVER INT64_MAX

/* Bytes past a range given to `bytes` that may be read (not written, and what
 * they hold means nothing), so that scanning may use wide steps. */
#define RUNNEL__SLACK_BYTES 64

struct runnel__world;
struct runnel__link;   /* one byte stream, in the making or made */
struct runnel__lookup; /* one look-up under way */

/* Where to connect to. The strings need to live during the ask only. */
struct runnel__target {
  const char *unix_path; /* not NULL: a Unix socket; addr is ignored */
  struct runnel__addr addr;
  int keepalive_s; /* 0: off */
  int keepalive_interval_s;
  int keepalive_probes;
};

/* TLS settings made ready by a world: parsed once, shared by its links, and
 * never changed. Counted: `trust` takes, `distrust` gives. */
struct runnel__trust;

/* What makes a later handshake short (RFC 5077, RFC 8446 2.2). Secret. */
struct runnel__session {
  const char *bytes; /* as the world made them; nobody else reads them */
  size_t len;
  int64_t until_s; /* not after this second since 1970: the ticket's end, or
                      that of the certificate that was verified */
};

/* How a link is to be made secure. Copied during the ask; the trust is counted
 * by the link. */
struct runnel__secure {
  struct runnel__trust *trust;
  struct runnel__str host; /* whom the peer must prove to be: a name without a
                              dot at its end, or an address without brackets */
  int literal;             /* the host is an address: it is not sent (SNI) */
  int anonymous;           /* the client certificate is not shown */
  const struct runnel__session *session; /* NULL: a full handshake */
  struct runnel__mem *mem; /* counts what TLS keeps of the peer's bytes; must
                              outlive the link */
};

/* What a handshake came to. */
struct runnel__secured {
  const char *version; /* "TLSv1.3"; static */
  int resumed;         /* by the session that was given: nothing was verified */
};

/* What a link tells its owner. */
struct runnel__link_ears {
  /* Connected. */
  void (*up)(void *owner);
  /* Bytes came: the owner may write to them during the call, and read
   * RUNNEL__SLACK_BYTES past them. Only while listening. */
  void (*bytes)(void *owner, char *bytes, size_t len);
  /* Over. code RUNNEL_OK: the peer closed in order (FIN). RUNNEL_ECONNECT,
   * RUNNEL_ERESOURCE: never came up. RUNNEL_ELOST, RUNNEL_ERESOURCE,
   * RUNNEL_ENOMEM: lost later. native: errno, or 0. */
  void (*down)(void *owner, int code, int native);
  /* The handshake that `secure` began is done; from now on all bytes are
   * plain. Its failure is heard as down: RUNNEL_ETRUST (the certificate was not
   * accepted), RUNNEL_ETLS, RUNNEL_ENOMEM, RUNNEL_ELOST (reset). */
  void (*secured)(void *owner, const struct runnel__secured *secured);
  /* A session for later handshakes under the same terms; at any time after
   * `secured`, never before, for until then nothing is proved. While listening.
   * Copied by who wants it. */
  void (*session)(void *owner, const struct runnel__session *session);
};

struct runnel__world_ears {
  /* The time given to wake_at is there (or a little early; ask again). */
  void (*alarm)(void *owner);
  /* A look-up ended: code RUNNEL_OK and 1 to RUNNEL__ADDRS_MAX addresses (port
   * 0); RUNNEL_ERESOLVE with native an EAI_*; or RUNNEL_ERESOURCE or
   * RUNNEL_ENOMEM with native an errno. The look-up is gone; nothing is to be
   * dropped. */
  void (*resolved)(void *asker, int code, int native,
                   const struct runnel__addr *addrs, size_t len);
  /* The world is closed and will be freed when this returns. */
  void (*closed)(void *owner);
};

struct runnel__world_ops {
  int64_t (*now_ms)(struct runnel__world *world);  /* monotonic, fresh */
  int64_t (*wall_s)(struct runnel__world *world);  /* since 1970, dates only */
  uint64_t (*random)(struct runnel__world *world); /* 64 even bits */

  /* One alarm: the last ask holds. A time that has come: on the next turn. */
  void (*wake_at)(struct runnel__world *world, int64_t at_ms);

  /* 1: keep the loop alive; 0: let it end. */
  void (*keep)(struct runnel__world *world, int on);

  /* Looks `host` (NUL-terminated, at most 253 bytes) up, both families. NULL:
   * no memory. `drop` ends the hearing; what cannot be cancelled runs out
   * unseen. */
  struct runnel__lookup *(*resolve)(struct runnel__world *world,
                                    const char *host, void *asker);
  void (*drop)(struct runnel__lookup *lookup);

  /* Connects. NULL: no memory. The link hears nothing but up and down at first.
   */
  struct runnel__link *(*connect)(struct runnel__world *world,
                                  const struct runnel__target *target,
                                  const struct runnel__link_ears *ears,
                                  void *owner);
  /* Makes settings (NULL: the defaults) ready, or counts those that are: 0,
   * RUNNEL_EINVAL (text says why they cannot be used), RUNNEL_ENOMEM or
   * RUNNEL_ERESOURCE. `text` has RUNNEL_ERROR_TEXT_BYTES; after 0 it is "", or
   * a warning, once for each trust that is made. */
  int (*trust)(struct runnel__world *world, runnel_tls *settings,
               struct runnel__trust **trust, char *text);
  void (*distrust)(struct runnel__trust *trust);
  /* Tells the trusts of a world apart for ever. */
  uint64_t (*trust_id)(const struct runnel__trust *trust);
  /* Begins a TLS handshake on a link that is up. Nothing but secured
   * and down is heard before it is done. 0, RUNNEL_ENOMEM or RUNNEL_ETLS. */
  int (*secure)(struct runnel__link *link, const struct runnel__secure *how);
  /* More about the code of a `down` or a failed `secure` than its number says:
   * one line, "" if there is none. Valid until hang_up. */
  const char *(*why)(struct runnel__link *link);

  /* From now on another owner hears it. */
  void (*give)(struct runnel__link *link, const struct runnel__link_ears *ears,
               void *owner);
  /* Sends all of it, in order; what the socket does not take at once is copied.
   * Only after up. 0 or RUNNEL_ENOMEM (nothing was sent); all else is heard as
   * down. */
  int (*send)(struct runnel__link *link, const char *bytes, size_t len);
  /* 1: read from the next turn on; 0: stop at once, also inside `bytes`. */
  void (*listen)(struct runnel__link *link, int on);
  /* 1: bytes, an end or an error wait in the socket, or inside TLS. */
  int (*waiting)(struct runnel__link *link);
  void (*hang_up)(struct runnel__link *link);

  /* Any thread: run(owner, user) on the loop's thread. 0 or RUNNEL_ENOMEM. */
  int (*post)(struct runnel__world *world,
              void (*run)(struct runnel_client *owner, void *user), void *user);

  /* Ends everything; all links and look-ups have been hung up and dropped. What
   * was posted and has not run is dropped. `closed` follows. */
  void (*close)(struct runnel__world *world);

  /* In a forked child: closes descriptors and frees, links included, without
   * touching the loop. The world is gone when it returns. */
  void (*abandon)(struct runnel__world *world);

  /* The system's words for the native code of a look-up that failed. */
  const char *(*resolve_words)(int native);
};

/* Embedded first in what implements it. */
struct runnel__world {
  const struct runnel__world_ops *ops;
  const struct runnel__world_ears *ears;
  void *owner; /* of `alarm` and `closed`; the client */
};

#endif
