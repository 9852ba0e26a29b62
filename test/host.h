/* The program around the library, for tests with real sockets: a libuv loop, a
 * client whose memory is counted, and subscriptions that write down what their
 * callbacks hear. No sleeps: the loop is turned until a condition holds; a
 * watchdog on the loop fails the test when it never does.
 *
 *   struct host host;
 *   host_open(&host, NULL);
 *   struct feed feed = {.close_after = 3};
 *   feed_open(&feed, &host, url, NULL);
 *   HOST_UNTIL(&host, feed.closed);
 *   assert_string_equal(feed.events[0].data, "a");
 *   feed_deinit(&feed);
 *   host_close(&host);                     checks that nothing is left */
#ifndef RUNNEL_TEST_HOST_H
#define RUNNEL_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <cmocka.h>

#include "runnel.h"

#define HOST_WATCHDOG_MS 120000

struct host {
  uv_loop_t loop;
  uv_timer_t watchdog; /* does not keep the loop alive */
  runnel_client *client;
  int client_closing;
  int client_closed;
  struct runnel_alloc hooks;
  int inside;         /* the test is inside a call into the library */
  atomic_long blocks; /* allocated and not freed */
  atomic_long bytes;  /* in them */
  atomic_long bytes_peak;
};

/* One event as it was shown; the strings are the feed's. */
struct feed_event {
  char *type;
  char *data;
  char *id;
  size_t data_len;
  int has_id;
};

/* A subscription. Zero it, set the doings, open it. */
struct feed {
  /* Doings, all optional. */
  size_t close_after;   /* close after that many events in all */
  const char *close_on; /* close after an event of this type */
  int stop_at_end;      /* the first end is made final */
  int64_t delay_ms;     /* every retry waits this long instead; 0: as it is */
  int count_only;       /* keep no events, only count them */
  int (*on_event)(struct feed *feed, const struct runnel_event *event);
  void (*on_any)(struct feed *feed, char what); /* after each callback's
                                                   bookkeeping; see `heard` */
  void *data;                                   /* the test's own */

  /* What was heard. */
  struct host *host;
  runnel_stream *stream; /* NULL after on_close */
  struct feed_event *events;
  size_t events_cap;
  size_t events_len; /* events, also when count_only */
  uint64_t bytes;    /* of their data */
  size_t requests;
  size_t opens;
  size_t comments;
  size_t ends;
  size_t closed;
  int close_code;
  int wrong;       /* callbacks after on_close, or inside a call: must stay 0 */
  char heard[128]; /* the first callbacks: r on_request, o on_open, e on_event,
                      k on_comment, n on_end, C on_close */
  char peer[128];  /* of the last open */
  char tls_version[16]; /* likewise; "" without TLS */
  int tls_resumed;
  char url[512];
  char headers[2048]; /* "Name: value" lines */
  /* The last end. */
  int code;
  int phase;
  int native;
  int status;
  int retry;
  int64_t retry_delay_ms;
  uint64_t failures;
  uint64_t unfinished;
  char text[256];
  char body[4096];
};

/* A loop with a client on it. `options` may be NULL; its allocator is set. */
void host_open(struct host *host, struct runnel_client_options *options);

/* A loop and the counted allocator, without a client. */
void host_open_bare(struct host *host);

/* Asks the client to close; client_closed becomes 1 when it has. */
void host_close_client(struct host *host);

/* Closes the client, if that was not asked yet, and the loop; checks that the
 * loop ends by itself and that every block was given back. */
void host_close(struct host *host);

/* One turn of the loop, waiting for something. */
void host_turn(struct host *host);

/* Turns until the condition holds. */
#define HOST_UNTIL(host, condition)                                            \
  do {                                                                         \
    while (!(condition))                                                       \
      host_turn(host);                                                         \
  } while (0)

/* Runs the loop until nothing keeps it alive. */
void host_drain(struct host *host);

/* For a peer's on_change, with the host as user: has the loop make a turn. */
void host_nudge(void *host);

/* Opens `url`. `options` may be NULL; URL, user and callbacks are set here, a
 * callback that is set there is kept. Returns what runnel_stream_open does. */
int feed_try_open(struct feed *feed, struct host *host, const char *url,
                  struct runnel_stream_options *options);

/* The same, and it must be RUNNEL_OK. */
void feed_open(struct feed *feed, struct host *host, const char *url,
               struct runnel_stream_options *options);

/* Frees what it wrote down; the stream must be closed. */
void feed_deinit(struct feed *feed);

#endif
