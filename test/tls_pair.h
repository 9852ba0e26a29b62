/* Two TLS codecs in memory, wired to each other: the client is ours, the server
 * is plain mbedTLS with a certificate of its own authority, all made on the
 * spot. No socket; the server's random numbers are the same in each run. */
#ifndef RUNNEL_TEST_TLS_PAIR_H
#define RUNNEL_TEST_TLS_PAIR_H

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>

#include "../lib/net/tls.h"
#include "../lib/net/trust.h"
#include "failing_alloc.h"
#include "story_text.h"

#define TLS_SITE_NAME "host.test"

/* How a server is; all zero: the highest version, tickets, the name above. */
struct tls_site_how {
  const char *name;      /* dNSName of its certificate */
  const char *not_after; /* "20491231235959" */
  int version_max;       /* of enum runnel_tls_version */
  int ids;               /* 1: sessions by id, not by ticket */
  int no_sessions;
  int tickets; /* that it sends after a handshake of TLS 1.3; 0: 1 */
};

/* A server's settings, and the authority that vouches for it. */
struct tls_site {
  mbedtls_ssl_config config;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  mbedtls_ssl_ticket_context tickets;
  mbedtls_ssl_cache_context cache;
  char ca[2048]; /* the authority's certificate, PEM */
};

void tls_site_init(struct tls_site *site, const struct tls_site_how *how);
void tls_site_deinit(struct tls_site *site);

/* 1: the library has TLS 1.3. */
int tls_site_has_1_3(void);

/* 1: it reads messages that come in several records. */
int tls_site_joins_fragments(void);

/* The server's end of a connection. */
struct tls_peer {
  mbedtls_ssl_context ssl;
  struct story_bytes in;
  size_t in_at;
  struct story_bytes out;   /* not delivered yet */
  struct story_bytes plain; /* what it read */
  int is_up;
  int code; /* mbedTLS's that ended it, or 0 */
};

void tls_peer_init(struct tls_peer *peer, struct tls_site *site);
void tls_peer_deinit(struct tls_peer *peer);

/* Takes bytes of the client's, and does what it can with them. */
void tls_peer_hear(struct tls_peer *peer, const char *bytes, size_t len);

/* One record, or more if `len` is larger than that can be. */
void tls_peer_say(struct tls_peer *peer, const char *bytes, size_t len);
void tls_peer_say_nothing(struct tls_peer *peer); /* a record without bytes */
void tls_peer_close(struct tls_peer *peer);
void tls_peer_alert(struct tls_peer *peer, int level, int number);

/* A message of the handshake, of any bytes. */
void tls_peer_message(struct tls_peer *peer, const void *bytes, size_t len);

/* The world's side: settings that trust a site. */
struct tls_ground {
  struct runnel__mem mem;
  struct runnel__trusts *trusts;
  runnel_tls *settings;
  struct runnel__trust *trust;
};

/* options: NULL, or more than `ca`. */
void tls_ground_init(struct tls_ground *ground, const struct tls_site *site,
                     struct runnel_tls_options *options);
void tls_ground_deinit(struct tls_ground *ground);

/* A client that trusts a ground, and a server. */
struct tls_pair {
  /* Choices, after tls_pair_init. */
  size_t slice; /* feed at most so many bytes at once; 0: all */
  size_t cut;   /* feed up to this byte of the server's apart; 0: none */
  size_t stop;  /* deliver no more than so many bytes; 0: all */
  int keeps;    /* 1: keep after each item */
  void (*enter)(int inside); /* told 1 before and 0 after the client works, but
                                for tls_pair_init; may be NULL */
  int deaf;                  /* 1: the server hears nothing */
  size_t broken; /* this byte of the server's, from 1, is changed; 0: none */

  /* What came. */
  struct runnel__tls *tls;
  struct tls_peer peer;
  struct runnel__mem mem;
  struct failing_alloc memory;
  int end;         /* END or an error */
  size_t withheld; /* bytes of the server's that `stop` kept back */
  size_t heard;    /* bytes of the server's that were delivered */
  size_t steps;
  size_t ups;
  size_t records;
  size_t sessions;
  size_t sessions_first; /* of them, before any plain byte */
  struct runnel__secured secured;
  struct story_bytes plain;
  struct story_bytes session_bytes;
  struct runnel__session session; /* the last one */
};

/* What the client is given, with `host` as a name. session: NULL, or of an
 * earlier pair. */
struct runnel__secure tls_secure(const struct tls_ground *ground,
                                 const char *host,
                                 const struct runnel__session *session);

/* 0 or the error of runnel__tls_new; `fail_at` as in failing_alloc. To be
 * deinit'ed in both cases. */
int tls_pair_init(struct tls_pair *pair, struct tls_site *site,
                  const struct runnel__secure *how, size_t fail_at);
void tls_pair_deinit(struct tls_pair *pair);

/* Bytes go to and fro until neither side has more. */
void tls_pair_run(struct tls_pair *pair);

/* The client's first flight goes out; nothing is delivered yet. */
void tls_pair_hello(struct tls_pair *pair);

/* Bytes come from no server of ours. */
void tls_pair_feed(struct tls_pair *pair, const char *bytes, size_t len);

/* The client's words go out; nothing is delivered yet. */
int tls_pair_send(struct tls_pair *pair, const char *bytes, size_t len);

#endif
