/* See secure.h.
 *
 * Invariants
 *  - The world's two buffers hold nothing between turns: what was read and not
 *    used up is kept by the codec before they are used again.
 *  - A cover is in net->shakes while its handshake has bytes to try with, and
 *    the socket is not read meanwhile, so that a peer cannot pile up more.
 *  - No ear is called with the codec on the stack, and after each one the
 *    link's state is looked at anew: the owner may have hung up. */
#include "secure.h"

#include <assert.h>

#include "link_inside.h"
#include "tls.h"
#include "trust.h"

/* How long the handshakes may hold a turn; one step may take longer. */
#define SHAKE_NS UINT64_C(1000000)

struct runnel__cover {
  struct runnel__link *link;
  struct runnel__tls *tls;   /* owned */
  struct runnel__list shake; /* in net->shakes, or in none */
  uint8_t is_up;             /* the handshake is over */
  uint8_t is_cut;            /* the peer's FIN came during the handshake */
  uint8_t is_ended;          /* the peer's close_notify came */
};

/* Asks -------------------------------------------------------------------- */

int runnel__secure_trust(struct runnel__world *world, runnel_tls *settings,
                         struct runnel__trust **trust, char *text) {
  struct runnel__net *net = (struct runnel__net *)world;
  if (net->trusts == NULL) {
    int err = runnel__trusts_new(&net->trusts, &net->mem);
    if (err != RUNNEL_OK) {
      text[0] = '\0';
      return err;
    }
  }
  return runnel__trust_take(net->trusts, settings, trust, text);
}

/* Room for what the codec decrypts; one for all links, from the first one on.
 */
static int have_plain(struct runnel__net *net) {
  if (net->plain_buf == NULL)
    net->plain_buf = runnel__alloc_zero(&net->mem, RUNNEL__TLS_PLAIN_BYTES +
                                                       RUNNEL__SLACK_BYTES);
  return net->plain_buf != NULL;
}

static void queue_shake(struct runnel__cover *cover) {
  struct runnel__net *net = cover->link->net;
  if (runnel__list_empty(&cover->shake))
    runnel__list_push(&net->shakes, &cover->shake);
  runnel__net_rouse(net);
}

int runnel__secure_link(struct runnel__link *link,
                        const struct runnel__secure *how) {
  struct runnel__net *net = link->net;
  assert(link->cover == NULL);
  if (!have_plain(net))
    return RUNNEL_ENOMEM;
  struct runnel__cover *cover = runnel__alloc_zero(&net->mem, sizeof *cover);
  if (cover == NULL)
    return RUNNEL_ENOMEM;
  int err = runnel__tls_new(&cover->tls, how->mem, how);
  if (err != RUNNEL_OK) {
    runnel__free(&net->mem, cover);
    return err;
  }
  cover->link = link;
  runnel__list_init(&cover->shake);
  link->cover = cover;
  if (link->state == LINK_UP)
    queue_shake(cover);
  return RUNNEL_OK;
}

const char *runnel__secure_why(struct runnel__link *link) {
  return link->cover == NULL ? "" : runnel__tls_why(link->cover->tls, NULL);
}

int runnel__secure_shakes(const struct runnel__link *link) {
  return link->cover != NULL && !link->cover->is_up;
}

int runnel__secure_waits(const struct runnel__link *link) {
  return runnel__secure_shakes(link) && runnel__list_empty(&link->cover->shake);
}

int runnel__secure_holds(const struct runnel__link *link) {
  return link->cover != NULL && link->cover->is_up &&
         runnel__tls_holds(link->cover->tls);
}

/* Out --------------------------------------------------------------------- */

/* All that the codec has for the peer, in one send. */
static int send_out(struct runnel__link *link) {
  struct runnel__tls *tls = link->cover->tls;
  struct runnel__str out = runnel__tls_out(tls);
  int err = RUNNEL_OK;
  if (out.len > 0)
    err = runnel__link_send_raw(link, out.at, out.len);
  runnel__tls_sent(tls);
  return err;
}

int runnel__secure_send(struct runnel__link *link, const char *bytes,
                        size_t len) {
  int err = runnel__tls_send(link->cover->tls, bytes, len);
  if (err == RUNNEL_OK)
    err = send_out(link);
  if (err == RUNNEL_OK || err == RUNNEL_ENOMEM)
    return err;
  int native = 0;
  (void)runnel__tls_why(link->cover->tls, &native);
  runnel__link_keep_failure(link, err, native);
  return RUNNEL_OK;
}

void runnel__secure_bye(struct runnel__link *link) {
  const struct runnel__cover *cover = link->cover;
  if (cover == NULL || !cover->is_up || link->net->abandoned ||
      link->code != RUNNEL_OK || link->out.len > 0 ||
      (link->state != LINK_UP && !cover->is_ended))
    return;
  runnel__tls_bye(link->cover->tls);
  (void)send_out(link);
}

void runnel__secure_free(struct runnel__link *link) {
  struct runnel__cover *cover = link->cover;
  if (cover == NULL)
    return;
  link->cover = NULL;
  runnel__list_remove(&cover->shake);
  runnel__tls_free(cover->tls);
  runnel__free(&link->net->mem, cover);
}

/* In ---------------------------------------------------------------------- */

/* An alert that says why goes out before the link is given up. */
static void say_fault(struct runnel__link *link, int code) {
  int native = 0;
  (void)runnel__tls_why(link->cover->tls, &native);
  (void)send_out(link);
  runnel__link_say_down(link, code, native);
}

/* Hands one thing on. 1: the link may have more to say. */
static int tell(struct runnel__link *link, int item, char *plain, size_t len) {
  switch (item) {
  case RUNNEL__TLS_MORE:
    return 0;
  case RUNNEL__TLS_STEP:
    break;
  case RUNNEL__TLS_PLAIN:
    link->ears->bytes(link->owner, plain, len);
    break;
  case RUNNEL__TLS_SESSION:
    link->ears->session(link->owner, runnel__tls_session(link->cover->tls));
    break;
  case RUNNEL__TLS_END:
    link->cover->is_ended = 1;
    runnel__link_say_down(link, RUNNEL_OK, 0);
    break;
  default:
    say_fault(link, item);
    break;
  }
  return link->state == LINK_UP && link->listening;
}

void runnel__secure_drain(struct runnel__link *link) {
  struct runnel__net *net = link->net;
  size_t len = 0;
  int item;
  do
    item = runnel__tls_next(link->cover->tls, net->plain_buf,
                            RUNNEL__TLS_PLAIN_BYTES, &len);
  while (tell(link, item, net->plain_buf, len));
  if (link->state != LINK_UP)
    return;
  (void)send_out(link); /* an answer to a key update (RFC 8446 4.6.3) */
  if (runnel__tls_keep(link->cover->tls) != RUNNEL_OK)
    runnel__link_say_down(link, RUNNEL_ENOMEM, 0);
}

void runnel__secure_bytes(struct runnel__link *link, const char *bytes,
                          size_t len) {
  struct runnel__cover *cover = link->cover;
  runnel__tls_feed(cover->tls, bytes, len);
  if (cover->is_up)
    runnel__secure_drain(link);
  else if (runnel__tls_keep(cover->tls) != RUNNEL_OK)
    runnel__link_say_down(link, RUNNEL_ENOMEM, 0);
  else
    queue_shake(cover);
}

void runnel__secure_end(struct runnel__link *link) {
  if (link->cover->is_up) {
    runnel__link_say_down(link, runnel__tls_cut(link->cover->tls), 0);
    return;
  }
  link->cover->is_cut = 1;
  queue_shake(link->cover);
}

/* Handshakes -------------------------------------------------------------- */

static void finish(struct runnel__link *link) {
  struct runnel__cover *cover = link->cover;
  cover->is_up = 1;
  if (send_out(link) != RUNNEL_OK) {
    runnel__link_say_down(link, RUNNEL_ENOMEM, 0);
    return;
  }
  link->ears->secured(link->owner, runnel__tls_secured(cover->tls));
  if (link->state != LINK_UP)
    return;
  runnel__link_make_due(link);
  runnel__link_watch(link, 0);
}

/* The flight is written, or there is none: the peer's turn. If it could not be
 * sent, reading comes to that, after what the peer may have said. */
static void wait_for_peer(struct runnel__link *link) {
  if (send_out(link) != RUNNEL_OK)
    runnel__link_say_down(link, RUNNEL_ENOMEM, 0);
  else if (link->cover->is_cut)
    say_fault(link, runnel__tls_cut(link->cover->tls));
  else
    runnel__link_watch(link, 0);
}

/* The handshake at the head of the queue stays there until it has to wait: done
 * one after the other, the first ones are done early. */
static void step(struct runnel__cover *cover) {
  struct runnel__link *link = cover->link;
  size_t len = 0;
  int item = runnel__tls_next(cover->tls, link->net->plain_buf,
                              RUNNEL__TLS_PLAIN_BYTES, &len);
  if (item == RUNNEL__TLS_STEP)
    return;
  assert(item != RUNNEL__TLS_SESSION && item != RUNNEL__TLS_PLAIN);
  runnel__list_remove(&cover->shake);
  if (item == RUNNEL__TLS_UP)
    finish(link);
  else if (item == RUNNEL__TLS_MORE)
    wait_for_peer(link);
  else
    say_fault(link, item == RUNNEL__TLS_END ? RUNNEL_ETLS : item);
}

void runnel__secure_turn(struct runnel__net *net) {
  if (runnel__list_empty(&net->shakes))
    return;
  uint64_t until = uv_hrtime() + SHAKE_NS;
  do
    step(RUNNEL__OF(net->shakes.next, struct runnel__cover, shake));
  while (!runnel__list_empty(&net->shakes) && uv_hrtime() < until);
}
