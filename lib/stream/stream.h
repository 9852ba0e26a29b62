/* A subscription, and what its rooms share.
 *
 *   stream    what the application sees: open, close, pause, reconnect, ids
 *   attempt   one try: gate, request, dial, head, redirects
 *   handshake TLS, between dial and exchange
 *   exchange  the response: link and rest in, pulled body and events out
 *   deliver   the callbacks of what was parsed
 *   ending    how an attempt ended, and what follows
 *   request   the handle of one attempt's request
 *
 * Invariants: the state changes in runnel__stream_set_state only. `epoch` goes
 * up whenever an attempt is over, so that code that called the application can
 * tell that its attempt is gone. A stream is freed by the client's turn only,
 * never while one of its callbacks is on the stack; what an attempt owns is
 * freed when the callback that ended it has returned. */
#ifndef RUNNEL_STREAM_STREAM_H
#define RUNNEL_STREAM_STREAM_H

#include "../core/heap.h"
#include "../core/reply.h"
#include "../core/verdict.h"
#include "ask.h"
#include "dialer.h"
#include "gate.h"
#include "handshake.h"
#include "options.h"

/* A response that was open for so long was no failure (ms). */
#define RUNNEL__STEADY_MS 5000
/* The body of an answer that is not accepted is waited for so long (ms). */
#define RUNNEL__ERROR_BODY_MS 2000
/* After ERESOURCE nobody dials for so long (ms). */
#define RUNNEL__RESOURCE_PAUSE_MS 1000
/* After a read with so many events the others have their turn. */
#define RUNNEL__TURN_EVENTS 1024
/* One line about an ending, NUL included. */
#define RUNNEL__TEXT_BYTES 320

/* One try, from the gate's first admission until its response is accepted, or
 * it ends. Survives redirects. */
struct runnel__attempt {
  runnel_stream *stream;
  runnel_request *request;       /* owned; NULL without on_request */
  struct runnel__origin *origin; /* where this hop goes; one reference */
  char *hop_url;                 /* owned; where a redirect led; or NULL */
  struct runnel__url url;        /* of this hop; points into one of the texts */
  struct runnel__addr peer;      /* connected to, or last tried */
  int64_t open_left_ms;          /* of open_ms_max, while its clock stands */
  int64_t open_at_ms; /* when it runs out; RUNNEL__NEVER: the clock stands */
  int redirects;
  int refusal;    /* code of an answer whose body is being read; or 0 */
  int asked;      /* on_request was called for this hop */
  int dialing;    /* holds a slot of the gate */
  int crossed;    /* a redirect left the first origin */
  int became_get; /* a redirect made it a GET without body */
  int acted;      /* a request that must not be repeated was written */
  int graced;     /* the head's deadline was put off once */
  struct runnel__buf error_body;
  char why[RUNNEL_ERROR_TEXT_BYTES]; /* of an EREDIRECT, or a fault of TLS */
  struct runnel__handshake handshake;
  struct runnel__dialer dialer;
};

/* What a turn left unread. */
struct runnel__rest {
  size_t held; /* bytes counted as held */
  char bytes[];
};

struct runnel_stream {
  /* What a read touches. */
  runnel_client *client;
  struct runnel__policy *policy; /* one reference */
  struct runnel__link *link;     /* connected; NULL otherwise */
  struct runnel__reply *reply;   /* being read; NULL otherwise */
  struct runnel__rest *rest;     /* unread; NULL: nothing */
  void *user;
  int64_t heard_ms; /* when bytes came last */
  uint64_t events;  /* taken */
  uint32_t epoch;
  uint8_t state; /* enum runnel_state, PAUSED excepted */
  uint8_t paused;
  uint8_t in_callback;
  uint8_t accepted;  /* the body is an event stream */
  uint8_t parsing;   /* the parser has input, or an event to show again */
  uint8_t listening; /* as the link was told */
  uint8_t sated;     /* it had its share of this turn */
  uint8_t stale;     /* to be swept when the callback returns */
  uint8_t id_due;    /* on_id is owed, once no pause holds it back */
  struct runnel__parser parser;

  /* The rest of its life. */
  struct runnel__attempt *attempt;  /* under way; NULL once accepted */
  struct runnel__attempt *finished; /* to be swept */
  struct runnel__ask ask;
  struct runnel__origin *origin; /* of ask.url; one reference */
  struct runnel__list all;       /* in the client */
  struct runnel__list ready;     /* in the client's ready list */
  struct runnel__list queue;     /* in its origin's */
  struct runnel__heap_node clock;
  int64_t deadline_ms;    /* the state's; RUNNEL__NEVER: none */
  int64_t left_ms;        /* of a deadline that stands still in a pause */
  int64_t reconnect_ms;   /* when to reconnect; RUNNEL__NEVER: not asked */
  int64_t hurried_ms;     /* when a backoff was cut short last */
  int64_t base_ms;        /* backoff's base: retry_ms, or the server's */
  int64_t opened_ms;      /* when the last response was accepted */
  int64_t failing_ms;     /* when the failures in a row began */
  uint64_t failures;      /* in a row */
  uint64_t opened_events; /* taken before that response */
  uint64_t attempts;
  uint64_t opens;
  uint64_t refusals;
  int last_code; /* of the attempt before */
  int last_status;
  int close_code;
  int parked_code; /* an ending that a pause holds back */
  int parked_native;
  uint8_t parked;
  uint8_t parked_phase;
  uint8_t why;          /* enum runnel_why of the next attempt */
  uint8_t unauthorized; /* a 401 came, and no 200 since */
  uint8_t proceeded;    /* a held request may go on */
  uint8_t secure;       /* the link speaks TLS */
};

/* stream.c */
int runnel__stream_open(runnel_stream **stream, runnel_client *client,
                        struct runnel_stream_options *options);
int runnel__stream_close(runnel_stream *stream, int code);
int runnel__stream_pause(runnel_stream *stream);
int runnel__stream_resume(runnel_stream *stream);
int runnel__stream_reconnect(runnel_stream *stream);
int runnel__stream_set_id(runnel_stream *stream, const char *id, size_t len);
void runnel__stream_stats(const runnel_stream *stream,
                          struct runnel_stream_stats *stats);
/* Adds its counts to a client's. */
void runnel__stream_add_stats(const runnel_stream *stream,
                              struct runnel_client_stats *stats);

/* Enters a state and sets its deadline (RUNNEL__NEVER: none). */
void runnel__stream_set_state(runnel_stream *stream, int state,
                              int64_t deadline_ms);
/* Brings the heap up to date with all of the stream's deadlines. */
void runnel__stream_arm(runnel_stream *stream);
/* Its turn on the ready list. May free the stream. */
void runnel__stream_serve(runnel_stream *stream);
/* Frees it without a word: the client is abandoned, or opening failed. */
void runnel__stream_free(runnel_stream *stream);

/* Brackets every callback of a stream; leave sweeps what ended meanwhile. */
void runnel__stream_sweep(runnel_stream *stream);
static inline void runnel__stream_enter(runnel_stream *stream) {
  stream->in_callback++;
}
static inline void runnel__stream_leave(runnel_stream *stream) {
  stream->in_callback--;
  if (stream->stale && stream->in_callback == 0)
    runnel__stream_sweep(stream);
}

/* attempt.c */
/* Waits for the gate, towards a new attempt (attempt NULL) or the next hop. */
void runnel__attempt_queue(runnel_stream *stream);
void runnel__attempt_admitted(runnel_stream *stream);
/* A held request was proceeded. */
void runnel__attempt_proceed(runnel_stream *stream);
/* Ends what is under way silently and at once: link, dial, queue, slot. What it
 * owns is freed now or, inside a callback, when that returns. */
void runnel__attempt_cut(runnel_stream *stream);
/* Frees what is left of a finished attempt. */
void runnel__attempt_sweep(runnel_stream *stream);
/* Frees one under way without a word to the world, which is gone. */
void runnel__attempt_forget(runnel_stream *stream);
/* open_ms_max stands still, e.g. in a pause, and goes on. */
void runnel__attempt_stop_clock(runnel_stream *stream);
void runnel__attempt_start_clock(runnel_stream *stream);
/* The next hop is to wait in the gate: its slot and its clock are let go. */
void runnel__attempt_suspend(runnel_stream *stream);
/* The origin that the stream waits for, or talks to. */
struct runnel__origin *runnel__attempt_origin(const runnel_stream *stream);

/* answer.c: the final head is there: accepts, follows, refuses or ends. */
void runnel__answer_head(runnel_stream *stream);
/* A piece of the body of an answer that is refused; its end. */
void runnel__answer_body(runnel_stream *stream, const char *body, size_t len);
void runnel__answer_end(runnel_stream *stream);

/* redirect.c: prepares the next hop; RUNNEL_EREDIRECT (attempt->why) or ENOMEM.
 */
int runnel__redirect(runnel_stream *stream);
/* What this hop's request says after redirects and the application's changes.
 */
struct runnel__str runnel__redirect_method(const runnel_stream *stream);
const struct runnel__ask *runnel__redirect_body(const runnel_stream *stream);
/* Gives `url`, a hop's, the userinfo that belongs to the first origin. */
void runnel__redirect_userinfo(const runnel_stream *stream,
                               struct runnel__url *url);

/* exchange.c */
/* Writes the request on a link that is up and begins to read. */
int runnel__exchange_start(runnel_stream *stream, struct runnel__link *link);
/* Pulls what was kept until it is used up or the application stops it, and
 * reads on. */
void runnel__exchange_serve(runnel_stream *stream);
void runnel__exchange_listen(runnel_stream *stream); /* tells the link */
/* Hangs up; the epoch goes on. What it owns is swept later. */
void runnel__exchange_cut(runnel_stream *stream);
void runnel__exchange_sweep(runnel_stream *stream); /* frees reply and rest */

/* deliver.c: shows one parsed item: an event, or any other kind. */
void runnel__deliver_event(runnel_stream *stream,
                           const struct runnel_event *event);
void runnel__deliver(runnel_stream *stream, int kind,
                     const struct runnel_event *event);
/* on_id, if it is owed and nothing holds it back. */
void runnel__deliver_id(runnel_stream *stream);

/* alarm.c: its deadline is there. */
void runnel__stream_alarm(runnel_stream *stream);

/* ending.c: the attempt is over; tells the application and decides. Parked
 * while paused. */
void runnel__stream_end(runnel_stream *stream, int code, int phase, int native);

/* describe.c: one line about an ending, of RUNNEL__TEXT_BYTES. */
struct runnel__tale {
  int code;
  int phase;
  int native;
  int status;
  uint64_t unfinished;
};
void runnel__describe(char *text, const runnel_stream *stream,
                      const struct runnel__tale *tale);
/* The URL without userinfo, query and fragment, for a log. */
void runnel__describe_url(char *text, size_t size, const runnel_stream *stream);
/* A line of RUNNEL_LOG_DEBUG about the hop: what is done, and its URL. */
void runnel__describe_step(const runnel_stream *stream, const char *step);
/* "192.0.2.1:80" or "unix:/path": whom the attempt talks to. */
void runnel__describe_peer(char *text, size_t size,
                           const runnel_stream *stream);

#endif
