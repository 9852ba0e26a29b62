/* See tls_pair.h. */
#include "tls_pair.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/net/tls_lib.h"

#define PLAIN_ROOM (RUNNEL__TLS_PLAIN_BYTES + RUNNEL__SLACK_BYTES)

/* Bytes go to and fro ----------------------------------------------------- */

struct runnel__secure tls_secure(const struct tls_ground *ground,
                                 const char *host,
                                 const struct runnel__session *session) {
  return (struct runnel__secure){
      .trust = ground->trust, .host = runnel__str_of(host), .session = session};
}

int tls_pair_init(struct tls_pair *pair, struct tls_site *site,
                  const struct runnel__secure *how, size_t fail_at) {
  *pair = (struct tls_pair){.memory.fail_at = fail_at};
  struct runnel_alloc hooks = failing_alloc_hooks(&pair->memory);
  runnel__mem_init(&pair->mem, &hooks, UINT64_MAX);
  tls_peer_init(&pair->peer, site);
  int err = runnel__tls_new(&pair->tls, &pair->mem, how);
  if (err != 0)
    pair->end = err;
  return err;
}

void tls_pair_deinit(struct tls_pair *pair) {
  runnel__tls_free(pair->tls);
  tls_peer_deinit(&pair->peer);
  story_bytes_free(&pair->plain);
  story_bytes_free(&pair->session_bytes);
  if (pair->memory.live != 0 || pair->mem.held != 0) {
    fprintf(stderr, "a TLS codec leaks %zu blocks, holds %llu bytes\n",
            pair->memory.live, (unsigned long long)pair->mem.held);
    abort();
  }
}

static void note_session(struct tls_pair *pair) {
  const struct runnel__session *session = runnel__tls_session(pair->tls);
  story_bytes_free(&pair->session_bytes);
  story_bytes_add(&pair->session_bytes, session->bytes, session->len);
  pair->session = *session;
  pair->session.bytes = pair->session_bytes.at;
  pair->sessions++;
}

static void note(struct tls_pair *pair, int item, const char *plain,
                 size_t len) {
  if (item == RUNNEL__TLS_STEP) {
    pair->steps++;
  } else if (item == RUNNEL__TLS_UP) {
    pair->ups++;
    pair->secured = *runnel__tls_secured(pair->tls);
  } else if (item == RUNNEL__TLS_SESSION) {
    note_session(pair);
  } else if (item == RUNNEL__TLS_PLAIN) {
    if (pair->records++ == 0)
      pair->sessions_first = pair->sessions;
    story_bytes_add(&pair->plain, plain, len);
  } else {
    pair->end = item;
  }
}

static void send_out(struct tls_pair *pair) {
  struct runnel__str out = runnel__tls_out(pair->tls);
  if (out.len > 0)
    tls_peer_hear(&pair->peer, out.at, out.len);
  runnel__tls_sent(pair->tls);
}

static void enter(const struct tls_pair *pair, int inside) {
  if (pair->enter != NULL)
    pair->enter(inside);
}

static int pull(struct tls_pair *pair, char *plain, size_t *len) {
  enter(pair, 1);
  int item = runnel__tls_next(pair->tls, plain, RUNNEL__TLS_PLAIN_BYTES, len);
  enter(pair, 0);
  return item;
}

/* Pulls all there is. What was fed is gone when `keeps` has copied it, so it is
 * made unreadable then. */
static void drain(struct tls_pair *pair, char *fed, size_t fed_len) {
  static char plain[PLAIN_ROOM];
  int item;
  do {
    size_t len = 0;
    item = pull(pair, plain, &len);
    if (item == RUNNEL__TLS_MORE)
      assert(!runnel__tls_holds(pair->tls));
    else
      note(pair, item, plain, len);
    if (pair->keeps && pair->end == 0) {
      if (runnel__tls_keep(pair->tls) != 0)
        pair->end = RUNNEL_ENOMEM;
      if (pair->end == 0 && fed_len > 0)
        memset(fed, 0xa5, fed_len);
    }
  } while (item != RUNNEL__TLS_MORE && pair->end == 0);
  send_out(pair);
}

/* Fed from a block of its own, so that the sanitizers see its borders. */
static void feed_slice(struct tls_pair *pair, const char *bytes, size_t len) {
  char *copy = malloc(len);
  assert(copy != NULL);
  memcpy(copy, bytes, len);
  if (pair->broken > pair->heard && pair->broken <= pair->heard + len)
    copy[pair->broken - pair->heard - 1] ^= 0x20;
  pair->heard += len;
  runnel__tls_feed(pair->tls, copy, len);
  drain(pair, copy, len);
  free(copy);
}

/* How much of `len` bytes is fed at once. */
static size_t slice_of(const struct tls_pair *pair, size_t len) {
  if (pair->slice > 0 && len > pair->slice)
    len = pair->slice;
  if (pair->cut > pair->heard && pair->cut - pair->heard < len)
    len = pair->cut - pair->heard;
  if (pair->stop > 0 && len > pair->stop - pair->heard)
    len = pair->stop - pair->heard;
  return len;
}

void tls_pair_feed(struct tls_pair *pair, const char *bytes, size_t len) {
  size_t at = 0;
  while (at < len && pair->end == 0) {
    size_t slice = slice_of(pair, len - at);
    if (slice == 0) {
      pair->withheld += len - at;
      return;
    }
    feed_slice(pair, bytes + at, slice);
    at += slice;
  }
}

void tls_pair_hello(struct tls_pair *pair) { drain(pair, NULL, 0); }

void tls_pair_run(struct tls_pair *pair) {
  if (pair->end == 0)
    drain(pair, NULL, 0);
  while (pair->peer.out.len > 0) {
    struct story_bytes out = pair->peer.out;
    pair->peer.out = (struct story_bytes){0};
    tls_pair_feed(pair, out.at, out.len);
    story_bytes_free(&out);
  }
}

int tls_pair_send(struct tls_pair *pair, const char *bytes, size_t len) {
  int err = runnel__tls_send(pair->tls, bytes, len);
  send_out(pair);
  return err;
}

/* The ground -------------------------------------------------------------- */

void tls_ground_init(struct tls_ground *ground, const struct tls_site *site,
                     struct runnel_tls_options *options) {
  struct runnel_tls_options none = RUNNEL_TLS_OPTIONS_INIT;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  if (options == NULL)
    options = &none;
  options->ca = site->ca;
  runnel__mem_init(&ground->mem, NULL, UINT64_MAX);
  if (runnel_tls_new(&ground->settings, options) != 0 ||
      runnel__trusts_new(&ground->trusts, &ground->mem) != 0 ||
      runnel__trust_take(ground->trusts, ground->settings, &ground->trust,
                         text) != 0) {
    fprintf(stderr, "no trust: %s\n", options->error_text);
    abort();
  }
}

void tls_ground_deinit(struct tls_ground *ground) {
  runnel__trust_give(ground->trust);
  runnel_tls_release(ground->settings);
  runnel__trusts_free(ground->trusts);
}
