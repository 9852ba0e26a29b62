/* See tls.h. mbedTLS does the work; what is not the same in all its versions is
 * in tls_lib.c, its errors are told by tls_fault.c.
 *
 * mbedTLS reads and writes through two functions of ours, which never fail but
 * for memory: read_fed gives what was fed, and says that it is dry; write_out
 * takes all. That a call of mbedTLS's wants to read means nothing by itself (it
 * says so after a ticket, too): only a dry read needs more bytes. */
#include "tls.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include <mbedtls/platform_util.h>

#include "../core/buf.h"
#include "tls_fault.h"
#include "tls_lib.h"
#include "tls_rest.h"
#include "trust_inside.h"

/* A session is not used after a day, whatever its ticket says. */
#define SESSION_S_MAX (24 * 3600)

/* Tickets in a row without a plain byte, and refused renegotiations. */
#define TICKETS_MAX 100
#define REFUSALS_MAX 10

/* Of what a record starts with (RFC 8446 5.1). */
#define START_BYTES 5

/* What only the handshake needs; freed when it is over. */
struct shake {
  struct runnel__vouch vouch;
  int64_t given_until_s; /* of the session that was given; 0: none was */
  char start[START_BYTES];
  uint8_t start_len; /* bytes that came, up to START_BYTES */
  char host[];       /* NUL-terminated */
};

struct runnel__tls {
  mbedtls_ssl_context ssl;
  struct runnel__mem *mem;
  struct runnel__trust *trust; /* counted */
  struct shake *shake;         /* owned; NULL: the handshake is over. A failed
                                  one stays, for its words */
  const char *in;              /* fed and not used up; in `kept`, or borrowed */
  size_t in_len;
  struct runnel__buf kept;
  char *out; /* owned */
  size_t out_len;
  size_t out_cap;
  int64_t until_s; /* no session of this connection is good after it */
  struct runnel__session session; /* bytes: owned, wiped */
  struct runnel__secured secured;
  struct runnel__tls_rest rest;
  int ended;       /* END or the error that next returns for good; 0: goes on */
  int native;      /* mbedTLS's code of it */
  uint8_t told;    /* next has returned `ended` */
  uint8_t dry;     /* the last call of mbedTLS's wanted more than there was */
  uint8_t fresh;   /* there may be a session that was not given yet */
  uint8_t reading; /* what is written now answers the peer */
  uint8_t tickets; /* since a plain byte came */
  uint8_t refusals; /* answers that were no plain bytes */
  char why[128];
};

/* Input and output of mbedTLS's */

static void note_start(struct shake *shake, const char *bytes, size_t len) {
  for (size_t i = 0; i < len && shake->start_len < START_BYTES; i++)
    shake->start[shake->start_len++] = bytes[i];
}

static int read_fed(void *ctx, unsigned char *to, size_t room) {
  struct runnel__tls *tls = ctx;
  size_t len = room < tls->in_len ? room : tls->in_len;
  if (len == 0) {
    tls->dry = 1;
    return MBEDTLS_ERR_SSL_WANT_READ;
  }
  memcpy(to, tls->in, len);
  if (tls->shake != NULL)
    note_start(tls->shake, tls->in, len);
  tls->in += len;
  tls->in_len -= len;
  return (int)len;
}

static int make_room(struct runnel__tls *tls, size_t len) {
  if (len <= tls->out_cap - tls->out_len)
    return 0;
  if (len > SIZE_MAX / 4 - tls->out_len)
    return RUNNEL_ENOMEM;
  size_t cap = tls->out_len + len;
  if (tls->out_len > 0)
    cap *= 2;
  char *out = runnel__realloc(tls->mem, tls->out, cap);
  if (out == NULL)
    return RUNNEL_ENOMEM;
  tls->out = out;
  tls->out_cap = cap;
  return 0;
}

static int write_out(void *ctx, const unsigned char *bytes, size_t len) {
  struct runnel__tls *tls = ctx;
  if (tls->reading && tls->refusals++ == REFUSALS_MAX)
    return MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
  if (len > INT_MAX || make_room(tls, len) != 0)
    return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  memcpy(tls->out + tls->out_len, bytes, len);
  tls->out_len += len;
  return (int)len;
}

/* Endings ------------------------------------------------------------------ */

static int end(struct runnel__tls *tls, int code, const char *why) {
  tls->ended = code;
  snprintf(tls->why, sizeof tls->why, "%s", why);
  return code;
}

/* A refusal of our own callback has many names in mbedTLS, so that it is asked
 * first. */
static int fail(struct runnel__tls *tls, int native) {
  struct shake *shake = tls->shake;
  tls->native = native;
  if (shake != NULL && runnel__vouch_failed(&shake->vouch, native) != 0)
    return end(tls, shake->vouch.code, "");
  tls->ended = runnel__tls_fault(&tls->ssl, native, tls->why, sizeof tls->why);
  if (shake == NULL || tls->ended == RUNNEL_ENOMEM)
    return tls->ended;
  const char *words = runnel__tls_fault_of_start(
      (struct runnel__str){shake->start, shake->start_len});
  return words == NULL ? tls->ended : end(tls, RUNNEL_ETLS, words);
}

int runnel__tls_cut(struct runnel__tls *tls) {
  tls->told = 1;
  if (tls->shake == NULL)
    return end(tls, RUNNEL_ELOST,
               "the connection ended without a close_notify");
  const char *words = runnel__tls_fault_of_start(
      (struct runnel__str){tls->shake->start, tls->shake->start_len});
  return end(tls, RUNNEL_ETLS,
             words != NULL
                 ? words
                 : "the server closed the connection in the handshake");
}

const char *runnel__tls_why(const struct runnel__tls *tls, int *native) {
  if (native != NULL)
    *native = tls->native;
  if (tls->shake != NULL && tls->shake->vouch.code != 0)
    return tls->shake->vouch.why;
  return tls->why;
}

/* Beginning and end of a codec --------------------------------------------- */

static void free_shake(struct runnel__tls *tls) {
  runnel__free(tls->mem, tls->shake);
  tls->shake = NULL;
}

static void drop_session(struct runnel__tls *tls) {
  if (tls->session.bytes == NULL)
    return;
  mbedtls_platform_zeroize((char *)tls->session.bytes, tls->session.len);
  runnel__free(tls->mem, (char *)tls->session.bytes);
  tls->session = (struct runnel__session){0};
}

void runnel__tls_free(struct runnel__tls *tls) {
  if (tls == NULL)
    return;
  mbedtls_ssl_free(&tls->ssl);
  free_shake(tls);
  drop_session(tls);
  runnel__buf_free(&tls->kept, tls->mem);
  runnel__free(tls->mem, tls->out);
  runnel__trust_give(tls->trust);
  runnel__free(tls->mem, tls);
}

static struct shake *new_shake(struct runnel__mem *mem,
                               const struct runnel__secure *how) {
  struct shake *shake =
      runnel__alloc_zero(mem, sizeof *shake + how->host.len + 1);
  if (shake == NULL)
    return NULL;
  memcpy(shake->host, how->host.at, how->host.len);
  shake->vouch.trust = how->trust;
  shake->vouch.host = (struct runnel__str){shake->host, how->host.len};
  shake->vouch.literal = how->literal;
  return shake;
}

/* One that is over or cannot be read makes a full handshake, and no fault. */
static int offer_session(struct runnel__tls *tls,
                         const struct runnel__session *given) {
  mbedtls_ssl_session session;
  if (given == NULL || given->until_s <= (int64_t)time(NULL) ||
      !runnel__trust_resumes(tls->trust))
    return 0;
  mbedtls_ssl_session_init(&session);
  int err = mbedtls_ssl_session_load(
      &session, (const unsigned char *)given->bytes, given->len);
  if (err == 0)
    err = mbedtls_ssl_set_session(&tls->ssl, &session);
  mbedtls_ssl_session_free(&session);
  if (err == 0)
    tls->shake->given_until_s = given->until_s;
  return err == MBEDTLS_ERR_SSL_ALLOC_FAILED ? RUNNEL_ENOMEM : 0;
}

static int begin(struct runnel__tls *tls, const struct runnel__secure *how) {
  tls->shake = new_shake(tls->mem, how);
  if (tls->shake == NULL)
    return RUNNEL_ENOMEM;
  int err = mbedtls_ssl_setup(&tls->ssl,
                              runnel__trust_config(tls->trust, how->anonymous));
  if (err == 0)
    err = mbedtls_ssl_set_hostname(&tls->ssl,
                                   how->literal ? NULL : tls->shake->host);
  if (err != 0)
    return fail(tls, err);
  mbedtls_ssl_set_bio(&tls->ssl, tls, write_out, read_fed, NULL);
  mbedtls_ssl_set_verify(&tls->ssl, runnel__vouch, &tls->shake->vouch);
  return offer_session(tls, how->session);
}

int runnel__tls_new(struct runnel__tls **tls, struct runnel__mem *mem,
                    const struct runnel__secure *how) {
  assert(how->host.len > 0 && how->host.at[how->host.len - 1] != '.');
  struct runnel__tls *fresh = runnel__alloc_zero(mem, sizeof *fresh);
  if (fresh == NULL)
    return RUNNEL_ENOMEM;
  fresh->mem = mem;
  fresh->trust = how->trust;
  runnel__trust_retain(fresh->trust);
  mbedtls_ssl_init(&fresh->ssl);
  int err = begin(fresh, how);
  if (err != 0) {
    runnel__tls_free(fresh);
    return err;
  }
  *tls = fresh;
  return 0;
}

/* Reading ------------------------------------------------------------------ */

void runnel__tls_feed(struct runnel__tls *tls, const char *bytes, size_t len) {
  assert(tls->in_len == 0);
  runnel__buf_free(&tls->kept, tls->mem);
  tls->in = bytes;
  tls->in_len = len;
  tls->dry = 0;
}

int runnel__tls_keep(struct runnel__tls *tls) {
  if (tls->in_len == 0 || tls->kept.at != NULL)
    return 0;
  int err = runnel__buf_append(&tls->kept, tls->mem, tls->in, tls->in_len,
                               tls->in_len);
  if (err == 0)
    tls->in = tls->kept.at;
  return err;
}

int runnel__tls_holds(const struct runnel__tls *tls) {
  if (tls->ended != 0)
    return !tls->told;
  if (tls->shake != NULL)
    return !tls->dry;
  return tls->in_len > 0 || tls->fresh ||
         mbedtls_ssl_check_pending(&tls->ssl) != 0;
}

/* Nobody is verified after the handshake. */
static int refuse(void *ctx, mbedtls_x509_crt *crt, int depth,
                  uint32_t *flags) {
  (void)ctx;
  (void)crt;
  (void)depth;
  *flags |= MBEDTLS_X509_BADCERT_OTHER;
  return MBEDTLS_ERR_X509_FATAL_ERROR;
}

/* The last wall: no handshake ends well unless a certificate was vouched for,
 * now or when the session was made. */
static int come_up(struct runnel__tls *tls) {
  const struct shake *shake = tls->shake;
  int resumed = shake->vouch.leaf_until_s == 0;
  if (shake->vouch.code != 0)
    return fail(tls, 0);
  if (resumed && (shake->given_until_s == 0 ||
                  mbedtls_ssl_get_peer_cert(&tls->ssl) != NULL))
    return end(tls, RUNNEL_ETRUST, "the server's certificate was not verified");
  tls->until_s = resumed ? shake->given_until_s : shake->vouch.leaf_until_s;
  tls->secured.version = mbedtls_ssl_get_version(&tls->ssl);
  tls->secured.resumed = resumed;
  tls->fresh = runnel__trust_resumes(tls->trust) != 0;
  mbedtls_ssl_set_verify(&tls->ssl, refuse, NULL);
  (void)mbedtls_ssl_set_hostname(&tls->ssl, NULL);
  runnel__tls_lib_settle(&tls->ssl);
  free_shake(tls);
  return RUNNEL__TLS_UP;
}

static int shake_hands(struct runnel__tls *tls) {
  tls->dry = 0;
  int native = mbedtls_ssl_handshake_step(&tls->ssl);
  if (native == MBEDTLS_ERR_SSL_WANT_READ)
    return tls->dry ? RUNNEL__TLS_MORE : RUNNEL__TLS_STEP;
  if (native != 0 && !runnel__tls_lib_is_ticket(native))
    return fail(tls, native);
  return runnel__tls_lib_is_over(&tls->ssl) ? come_up(tls) : RUNNEL__TLS_STEP;
}

static int note_ticket(struct runnel__tls *tls) {
  if (tls->tickets++ == TICKETS_MAX)
    return end(tls, RUNNEL_ETLS, "the server sends tickets without end");
  tls->fresh = runnel__trust_resumes(tls->trust) != 0;
  return RUNNEL__TLS_STEP;
}

static int64_t earlier(int64_t one, int64_t other) {
  return one < other ? one : other;
}

/* 1: there is a session to give. It is a nicety: without memory there is none.
 */
static int take_session(struct runnel__tls *tls) {
  uint32_t lifetime_s;
  size_t len = 0;
  const mbedtls_ssl_session *session =
      runnel__tls_lib_session(&tls->ssl, &lifetime_s);
  tls->fresh = 0;
  if (session == NULL)
    return 0;
  (void)mbedtls_ssl_session_save(session, NULL, 0, &len);
  unsigned char *bytes = runnel__alloc(tls->mem, len);
  if (bytes == NULL)
    return 0;
  tls->session.bytes = (char *)bytes;
  tls->session.len = len;
  if (len == 0 || mbedtls_ssl_session_save(session, bytes, len, &len) != 0) {
    drop_session(tls);
    return 0;
  }
  if (lifetime_s == 0 || lifetime_s > SESSION_S_MAX)
    lifetime_s = SESSION_S_MAX;
  tls->session.until_s =
      earlier((int64_t)time(NULL) + lifetime_s, tls->until_s);
  runnel__tls_lib_drop_ticket(&tls->ssl);
  return 1;
}

/* Plain bytes that wait are seen before they are taken, for a session that is
 * due comes first: what follows may end the interest in it. */
static int peek(struct runnel__tls *tls, char *plain) {
  int native = mbedtls_ssl_read(&tls->ssl, (unsigned char *)plain, 0);
  return native == 0 && mbedtls_ssl_get_bytes_avail(&tls->ssl) > 0 ? 1 : native;
}

static int wake(struct runnel__tls *tls) {
  int err =
      runnel__tls_wake(&tls->rest, &tls->ssl, runnel__trust_spare(tls->trust));
  return err == 0 ? 0 : end(tls, RUNNEL_ENOMEM, "");
}

static int read_record(struct runnel__tls *tls, char *plain, size_t room,
                       size_t *len) {
  if (tls->rest.rests && tls->in_len == 0)
    return RUNNEL__TLS_MORE;
  if (wake(tls) != 0)
    return RUNNEL_ENOMEM;
  tls->dry = 0;
  tls->reading = 1;
  int due = tls->fresh;
  int native = due ? peek(tls, plain)
                   : mbedtls_ssl_read(&tls->ssl, (unsigned char *)plain, room);
  tls->reading = 0;
  if (native > 0 && due)
    return take_session(tls) ? RUNNEL__TLS_SESSION : RUNNEL__TLS_STEP;
  if (native > 0) {
    *len = (size_t)native;
    tls->tickets = 0;
    return RUNNEL__TLS_PLAIN;
  }
  if (tls->refusals > REFUSALS_MAX)
    return end(tls, RUNNEL_ETLS, "the server insists on renegotiation");
  if (native == MBEDTLS_ERR_SSL_WANT_READ)
    return tls->dry ? RUNNEL__TLS_MORE : RUNNEL__TLS_STEP;
  if (runnel__tls_lib_is_ticket(native))
    return note_ticket(tls);
  if (native == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
    return end(tls, RUNNEL__TLS_END, "");
  /* 0: records without bytes. An end, which 0 means too, read_fed never says.
   */
  return native == 0 ? RUNNEL__TLS_STEP : fail(tls, native);
}

/* A session is given before plain bytes, or when nothing else is left to give:
 * however many tickets a peer sends in a row, the last one counts. */
int runnel__tls_next(struct runnel__tls *tls, char *plain, size_t room,
                     size_t *len) {
  assert(room >= RUNNEL__TLS_PLAIN_BYTES);
  drop_session(tls);
  int item = tls->ended;
  if (item == 0)
    item = tls->shake != NULL ? shake_hands(tls)
                              : read_record(tls, plain, room, len);
  if (tls->ended == 0 && item != RUNNEL__TLS_MORE)
    return item;
  if (item >= 0 && tls->fresh && take_session(tls))
    return RUNNEL__TLS_SESSION;
  if (item != RUNNEL__TLS_MORE) {
    tls->told = 1;
    return item;
  }
  runnel__buf_free(&tls->kept, tls->mem);
  if (tls->shake == NULL)
    runnel__tls_rest(&tls->rest, &tls->ssl, runnel__trust_spare(tls->trust));
  return item;
}

/* Writing ------------------------------------------------------------------ */

int runnel__tls_send(struct runnel__tls *tls, const char *bytes, size_t len) {
  assert(tls->shake == NULL);
  if (tls->ended == 0 && wake(tls) != 0)
    return RUNNEL_ENOMEM;
  while (len > 0 && tls->ended == 0) {
    tls->dry = 0;
    int native =
        mbedtls_ssl_write(&tls->ssl, (const unsigned char *)bytes, len);
    if (native > 0) {
      bytes += native;
      len -= (size_t)native;
    } else if (runnel__tls_lib_is_ticket(native)) {
      (void)note_ticket(tls);
    } else if (native != MBEDTLS_ERR_SSL_WANT_READ || tls->dry) {
      return fail(tls, native);
    }
  }
  if (tls->ended == 0)
    runnel__tls_rest(&tls->rest, &tls->ssl, runnel__trust_spare(tls->trust));
  return tls->ended < 0 ? tls->ended : 0;
}

void runnel__tls_bye(struct runnel__tls *tls) {
  if (tls->shake == NULL && tls->ended >= 0 &&
      runnel__tls_wake(&tls->rest, &tls->ssl,
                       runnel__trust_spare(tls->trust)) == 0)
    (void)mbedtls_ssl_close_notify(&tls->ssl);
}

struct runnel__str runnel__tls_out(const struct runnel__tls *tls) {
  return (struct runnel__str){tls->out, tls->out_len};
}

void runnel__tls_sent(struct runnel__tls *tls) {
  runnel__free(tls->mem, tls->out);
  tls->out = NULL;
  tls->out_len = tls->out_cap = 0;
}

const struct runnel__secured *
runnel__tls_secured(const struct runnel__tls *tls) {
  return &tls->secured;
}

const struct runnel__session *
runnel__tls_session(const struct runnel__tls *tls) {
  return &tls->session;
}
