/* Promises 3 and 4 of runnel.h as a small machine per stream: which callback
 * may come now. Stories and storms both feed it. */
#ifndef RUNNEL_TEST_ORDER_H
#define RUNNEL_TEST_ORDER_H

struct order {
  int wants_request; /* there is an on_request */
  int wants_end;     /* there is an on_end */
  int in_attempt;    /* on_request ran (or nobody can tell) */
  int opened;
  int paused;
  int may_reconnect; /* a reconnect of the whole client is spread over time */
  int revived;       /* reconnected inside on_end */
  int in_end;        /* on_end is running */
  int may_stop; /* ... whose verdict was: stop; a reconnect that comes too soon
                   after another does not undo it */
  int closing;  /* by the application */
  int stopped;  /* the last end's verdict was: stop */
  int stop_code;
  int closed;
};

/* Each returns NULL, or the rule that the callback breaks. */
const char *order_request(struct order *order, int why);
const char *order_open(struct order *order);
const char *order_shown(struct order *order); /* event, comment, drop */
/* Also after a reconnect inside on_event, whose id is in force all the same. */
const char *order_id(struct order *order);
const char *order_end(struct order *order, int code, int phase);
const char *order_close(struct order *order, int code);

/* What the application did, successfully. `order_verdict`: what on_end left. */
void order_verdict(struct order *order, int retry, int code);
void order_reconnected(struct order *order);
void order_reconnects_later(struct order *order);

#endif
