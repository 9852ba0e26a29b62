/* Staggered connects. A dial is asked at most one at a time; each failure
 * brings the next one forward. */
#include "dialer.h"

#include <errno.h>
#include <string.h>

void runnel__dialer_init(struct runnel__dialer *dialer,
                         struct runnel__lookups *lookups,
                         const struct runnel__dialer_ears *ears, void *owner,
                         const struct runnel__target *target) {
  memset(dialer, 0, sizeof *dialer);
  dialer->lookups = lookups;
  dialer->ears = ears;
  dialer->owner = owner;
  dialer->target = *target;
  dialer->stagger_at_ms = RUNNEL__NEVER;
}

static void hang_up_all(struct runnel__dialer *dialer,
                        const struct runnel__dial *but) {
  const struct runnel__world_ops *ops = dialer->lookups->world->ops;
  for (size_t i = 0; i < dialer->next; i++) {
    struct runnel__dial *dial = &dialer->dials[i];
    if (dial->link != NULL && dial != but)
      ops->hang_up(dial->link);
    dial->link = NULL;
  }
  dialer->live = 0;
  dialer->stagger_at_ms = RUNNEL__NEVER;
}

void runnel__dialer_stop(struct runnel__dialer *dialer) {
  runnel__lookups_leave(&dialer->wait);
  hang_up_all(dialer, NULL);
}

static void hear_up(void *owner) {
  struct runnel__dial *dial = owner;
  struct runnel__dialer *dialer = dial->dialer;
  struct runnel__link *link = dial->link;
  hang_up_all(dialer, dial);
  dialer->ears->connected(dialer->owner, link, &dial->addr);
}

/* A server that refused says more than an address that could not be had here,
 * and only if all could not be had is it a matter of resources. */
static void note_failure(struct runnel__dialer *dialer,
                         const struct runnel__dial *dial, int code,
                         int native) {
  if (dialer->code == RUNNEL_ECONNECT && code != RUNNEL_ECONNECT)
    return;
  dialer->code = code;
  dialer->native = native;
  dialer->failed_addr = dial->addr;
}

static void dial_next(struct runnel__dialer *dialer);

/* Where IPv6 is switched off, ::1 "cannot be assigned": that is no server
 * there, and not, as for IPv4, all ports used up. */
static int code_of_down(const struct runnel__dial *dial, int code, int native) {
  if (code == RUNNEL_OK)
    return RUNNEL_ECONNECT;
  return dial->addr.v6 && native == EADDRNOTAVAIL ? RUNNEL_ECONNECT : code;
}

static void hear_down(void *owner, int code, int native) {
  struct runnel__dial *dial = owner;
  struct runnel__dialer *dialer = dial->dialer;
  dialer->lookups->world->ops->hang_up(dial->link);
  dial->link = NULL;
  dialer->live--;
  note_failure(dialer, dial, code_of_down(dial, code, native), native);
  dial_next(dialer);
}

static const struct runnel__link_ears dial_ears = {.up = hear_up,
                                                   .down = hear_down};

/* Asks for one connect. 1: it is under way. */
static int start_dial(struct runnel__dialer *dialer,
                      struct runnel__dial *dial) {
  struct runnel__world *world = dialer->lookups->world;
  dialer->target.addr = dial->addr;
  dial->link = world->ops->connect(world, &dialer->target, &dial_ears, dial);
  if (dial->link == NULL) {
    note_failure(dialer, dial, RUNNEL_ENOMEM, 0);
    return 0;
  }
  dialer->live++;
  return 1;
}

/* Dials the next address; when none is left and none is under way, it failed.
 */
static void dial_next(struct runnel__dialer *dialer) {
  struct runnel__world *world = dialer->lookups->world;
  int started = 0;
  while (!started && dialer->next < dialer->dials_len)
    started = start_dial(dialer, &dialer->dials[dialer->next++]);
  dialer->stagger_at_ms = dialer->next < dialer->dials_len
                              ? world->ops->now_ms(world) + RUNNEL__STAGGER_MS
                              : RUNNEL__NEVER;
  if (dialer->live > 0)
    dialer->ears->connecting(dialer->owner);
  else
    dialer->ears->failed(dialer->owner, dialer->code, RUNNEL_PHASE_CONNECT,
                         dialer->native, &dialer->failed_addr);
}

void runnel__dialer_alarm(struct runnel__dialer *dialer) { dial_next(dialer); }

void runnel__dialer_connect(struct runnel__dialer *dialer,
                            const struct runnel__addr *addrs, size_t len) {
  dialer->dials_len = len < RUNNEL__ADDRS_MAX ? len : RUNNEL__ADDRS_MAX;
  for (size_t i = 0; i < dialer->dials_len; i++)
    dialer->dials[i] = (struct runnel__dial){dialer, NULL, addrs[i]};
  dial_next(dialer);
}

static void hear_resolved(void *owner, int code, int native,
                          const struct runnel__addr *addrs, size_t len) {
  struct runnel__dialer *dialer = owner;
  if (code != RUNNEL_OK || len == 0) {
    const struct runnel__addr none = {0};
    dialer->ears->failed(dialer->owner,
                         code == RUNNEL_OK ? RUNNEL_ERESOLVE : code,
                         RUNNEL_PHASE_RESOLVE, native, &none);
    return;
  }
  struct runnel__addr order[RUNNEL__ADDRS_MAX];
  if (len > RUNNEL__ADDRS_MAX)
    len = RUNNEL__ADDRS_MAX;
  for (size_t i = 0; i < len; i++) {
    order[i] = addrs[i];
    order[i].port = dialer->target.addr.port;
  }
  runnel__addrs_interleave(order, len);
  runnel__dialer_connect(dialer, order, len);
}

void runnel__dialer_resolve(struct runnel__dialer *dialer,
                            struct runnel__str host, uint16_t port) {
  dialer->target.addr.port = port;
  dialer->wait.ready = hear_resolved;
  dialer->wait.owner = dialer;
  if (runnel__lookups_ask(dialer->lookups, host, &dialer->wait) == RUNNEL_OK)
    return;
  const struct runnel__addr none = {0};
  dialer->ears->failed(dialer->owner, RUNNEL_ENOMEM, RUNNEL_PHASE_RESOLVE, 0,
                       &none);
}
