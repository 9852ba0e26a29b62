/* How an attempt ended -> what follows. One table; no state. */
#ifndef RUNNEL_CORE_VERDICT_H
#define RUNNEL_CORE_VERDICT_H

enum runnel__fate {
  RUNNEL__FATE_PEACE, /* all is done: the stream closes with RUNNEL_OK */
  RUNNEL__FATE_STOP,  /* the stream closes with the code */
  RUNNEL__FATE_RETRY, /* a new attempt after backoff */
  RUNNEL__FATE_CAP,   /* likewise, but at the cap at once: only time mends it */
  RUNNEL__FATE_AT_ONCE /* a new attempt without delay, not a failure */
};

/* How it ended. */
struct runnel__ending {
  int code;     /* RUNNEL_OK or an error */
  int status;   /* of the answer; 0 if no head was read */
  int once;     /* one-shot mode */
  int accepted; /* a response had been accepted */
  int acted;    /* a request that is not idempotent was written, and may not
                   be repeated unanswered */
  int can_authorize; /* 401: a new token may come, and none was just tried */
};

enum runnel__fate runnel__verdict(const struct runnel__ending *ending);

/* What a status other than an accepted 200 means: RUNNEL_OK (204),
 * RUNNEL_EREDIRECT (a redirect that may be followed), RUNNEL_EUNAUTHORIZED or
 * RUNNEL_ESTATUS. */
int runnel__verdict_status(int status);

/* 1 for the statuses that are tried again (and whose Retry-After counts). */
int runnel__verdict_retried(int status);

#endif
