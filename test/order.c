/* One function per callback; the state is what the application could know. */
#include "order.h"

#include <stddef.h>

#include "runnel.h"

static const char *any(const struct order *order) {
  if (order->closed)
    return "a callback after on_close";
  if (order->closing)
    return "a callback other than on_close after close";
  if (order->stopped)
    return "a callback other than on_close after the last end";
  if (order->paused)
    return "a callback other than on_close while paused";
  return NULL;
}

const char *order_request(struct order *order, int why) {
  const char *broken = any(order);
  if (broken != NULL)
    return broken;
  if (why == RUNNEL_WHY_RECONNECT && order->may_reconnect)
    order_reconnected(order);
  if (why == RUNNEL_WHY_REDIRECT && !order->in_attempt)
    return "a hop outside an attempt";
  if (why != RUNNEL_WHY_REDIRECT && order->in_attempt)
    return "on_request before the attempt's on_end";
  if (order->opened)
    return "on_request after on_open";
  order->in_attempt = 1;
  order->may_stop = 0;
  return NULL;
}

const char *order_open(struct order *order) {
  const char *broken = any(order);
  if (broken != NULL)
    return broken;
  if (order->opened && (order->wants_request || !order->may_reconnect))
    return "on_open twice in an attempt";
  if (order->wants_request && !order->in_attempt)
    return "on_open before on_request";
  order->opened = 1;
  return NULL;
}

const char *order_shown(struct order *order) {
  const char *broken = any(order);
  if (broken == NULL && !order->opened)
    return "an event outside an open response";
  return broken;
}

const char *order_id(struct order *order) { return any(order); }

const char *order_end(struct order *order, int code, int phase) {
  const char *broken = any(order);
  if (broken != NULL)
    return broken;
  int built = code != RUNNEL_ENOMEM || phase != RUNNEL_PHASE_REQUEST;
  if (order->wants_request && !order->in_attempt && built)
    return "on_end without on_request, or twice";
  order->in_attempt = 0;
  order->opened = 0;
  order->revived = 0;
  order->in_end = 1;
  return NULL;
}

const char *order_close(struct order *order, int code) {
  if (order->closed)
    return "on_close twice";
  order->closed = 1;
  if (!order->wants_end)
    return NULL; /* nobody can tell how it ended */
  int ended = order->stopped || order->may_stop;
  if (!order->closing && !ended)
    return "on_close without a last end or a close";
  if (ended && !order->closing && code != order->stop_code)
    return "on_close with another code than the last end";
  if (!ended && code != RUNNEL_ECANCELED)
    return "on_close after close is not RUNNEL_ECANCELED";
  return NULL;
}

void order_verdict(struct order *order, int retry, int code) {
  order->stopped = !retry && !order->revived;
  order->may_stop = !retry && order->revived;
  order->stop_code = code;
  order->in_end = 0;
}

void order_reconnected(struct order *order) {
  order->revived = 1;
  order->in_attempt = 0;
  order->opened = 0;
}

void order_reconnects_later(struct order *order) {
  order->may_reconnect = 1;
  if (order->in_end) /* at once it goes on, later it is stopped before */
    order->revived = 1;
}
