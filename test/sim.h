/* A virtual world (lib/core/world.h): a clock that stands until it is moved,
 * look-ups and links that do what the test says, no sockets.
 *
 * A test lets one thing happen (sim_resolved, sim_up, sim_bytes ...), then
 * sim_settle lets happen what follows at the same instant: bytes that a link
 * listens for, alarms that are due, posts. Every rule of world.h is checked on
 * the library; a broken one fails the test. */
#ifndef RUNNEL_TEST_SIM_H
#define RUNNEL_TEST_SIM_H

#include "../lib/core/world.h"

/* Both draws of a backoff: halved not at all, no jitter. */
#define SIM_RANDOM_PLAIN UINT64_C(0xffffffff00000000)

/* 2026-01-01 00:00:00 UTC, when the clock stands at SIM_START_MS. */
#define SIM_START_S INT64_C(1767225600)
#define SIM_START_MS INT64_C(1000000)

struct sim;

/* Bytes on their way to a listener; each is one read. */
struct sim_piece {
  struct sim_piece *next;
  size_t len;
  char bytes[];
};

/* Settings as this world parsed them, which takes no time here. */
struct sim_trust {
  struct sim *sim;
  runnel_tls *settings;
  uint64_t id; /* from 1 */
  size_t refs;
  int is_old; /* was reloaded */
};

struct sim_link {
  struct sim *sim;
  const struct runnel__link_ears *ears;
  void *owner;
  size_t number;  /* of the connect, from 1 */
  char name[128]; /* "10.0.0.1:80", "unix:/path" */
  struct runnel__addr addr;
  int is_up;
  int is_down; /* said its last word */
  int is_hung_up;
  int listens;
  int silenced; /* what is in the socket is not noticed before the next alarm */
  int is_due;   /* in the sim's list of those that may hear something */
  struct sim_piece *first; /* in the socket */
  struct sim_piece *last;
  int ends; /* after the bytes: 1: with end_code, end_native */
  int end_code;
  int end_native;
  struct sim_trust *trust; /* as it was secured; NULL: not */
  int is_shaking;          /* the handshake is under way */
  int is_secured;
  int is_anonymous;
  size_t session; /* that it tries; 0: none */
  char host[256]; /* that it must prove to be */
  char why[256];  /* of its end; or "" */
  char *sent;     /* all that was sent, NUL-terminated; owned */
  size_t sent_len;
  size_t sent_shown;
  /* The test's own. */
  int chunked;
  int answered;
  void *user;
};

struct sim_lookup {
  struct sim *sim;
  void *asker;
  size_t number;
  char host[256];
};

struct sim_post {
  struct sim_post *next;
  void (*run)(struct runnel_client *client, void *user);
  void *user;
};

struct sim {
  struct runnel__world world; /* first: the world is this */
  struct runnel_alloc hooks;
  int64_t now_ms;
  int64_t wake_at_ms;
  int64_t wall_skew_s;
  uint64_t random; /* what it always is; or the seed */
  int is_random;   /* 1: a generator */
  int is_kept;
  int is_closing;
  int is_closed;
  int in_ear;
  struct sim_link **links; /* all not hung up, oldest first; owned */
  size_t links_len;
  size_t links_cap;
  struct sim_lookup **lookups; /* under way, oldest first; owned */
  size_t lookups_len;
  size_t lookups_cap;
  struct sim_link **graves; /* hung up in this turn */
  size_t graves_len;
  size_t graves_cap;
  struct sim_link **dues; /* links that may hear something; owned */
  size_t dues_len;
  size_t dues_cap;
  struct sim_trust **trusts; /* all made; owned */
  size_t trusts_len;
  size_t trusts_cap;
  char trust_fault[256];   /* why settings cannot be used; "": they can */
  char trust_warning[256]; /* of the next trust that is made */
  int secure_fails;        /* the next handshake does not even begin */
  struct sim_post *posts;
  int has_silenced;
  size_t links_made;
  size_t lookups_made;

  /* What the library asks, a line each; NULL: nobody listens. */
  void (*say)(void *user, const char *line);
  void *user;
  int shows_listen;       /* say "listen on", "listen off" */
  int shows_all;          /* say requests as they are */
  const char *plain_host; /* a Host field that is not said */

  /* A rule is broken: must not return. */
  void (*fail)(void *user, const char *line);
};

void sim_init(struct sim *sim, const struct runnel_alloc *hooks);

/* Frees what is the sim's own; the world must be closed, or never attached. */
void sim_deinit(struct sim *sim);

/* What is due at this instant. */
void sim_settle(struct sim *sim);

/* To the time of the alarm, which is heard; then as sim_settle. 0: there is no
 * alarm, or it lies after `until_ms`. */
int sim_tick(struct sim *sim, int64_t until_ms);

void sim_resolved(struct sim_lookup *lookup, const struct runnel__addr *addrs,
                  size_t len);
void sim_unresolved(struct sim_lookup *lookup, int code, int native);
void sim_up(struct sim_link *link);
void sim_refused(struct sim_link *link, int code, int native);

/* The handshake is done; it failed, or TLS broke down after it. */
void sim_secured(struct sim_link *link, const char *version, int resumed);
void sim_unsecured(struct sim_link *link, int code, int native,
                   const char *why);

/* A session for later handshakes, that ends so many seconds from now. 0: nobody
 * reads the link, or its handshake is not done. */
int sim_session(struct sim_link *link, size_t number, int64_t seconds);

/* The settings' files were read anew: later handshakes have other trusts. */
void sim_reload(struct sim *sim);

/* The link whose handshake began first, or NULL. */
struct sim_link *sim_shaking(struct sim *sim);

/* Put into the socket; heard by sim_settle. */
void sim_bytes(struct sim_link *link, const char *bytes, size_t len);
void sim_end(struct sim_link *link, int code, int native);

/* What is in its socket is not noticed before the next alarm. */
void sim_silence(struct sim_link *link);

/* The one of that number, or NULL. */
struct sim_link *sim_find_link(struct sim *sim, size_t number);

#endif
