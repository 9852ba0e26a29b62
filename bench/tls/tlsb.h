/* What the parts of the TLS benchmark share: the plan of a session, what a
 * client does with what it hears, and the numbers that events carry.
 *
 * A session is one server process, one client process, and a control socket
 * between them. The client opens connections when it is told to and tells of
 * each event and each end; tlsb_session.c alone decides what that means for the
 * scenario, what is measured and when it is over.
 *
 * Each event's data begins {"n":00000042,"t":0000000001234567890 : its number,
 * which counts from 0 on each stream, over all its connections, and the
 * server's CLOCK_MONOTONIC in ns when it was encrypted. So what is lost, comes
 * twice or out of order is seen at the event where it happens. */
#ifndef TLSB_H
#define TLSB_H

#include <stddef.h>
#include <stdint.h>

#include "../pair/pair.h"

#define TLSB_HOST "bench.test"
/* The letter that follows says whether the stream is a steady one. */
#define TLSB_PATH "/bench/subscriptions/of-some-length/"
/* Of one session; then its processes are ended. */
#define TLSB_SECONDS_MAX 120
#define TLSB_READ_BYTES ((size_t)65536)
#define TLSB_STEADY_MS 500 /* between two events of a steady stream */

#define TLSB_NUMBER_AT 5 /* of the data: after {"n": */
#define TLSB_NUMBER_LEN 8
#define TLSB_STAMP_AT 18 /* after ,"t": */
#define TLSB_STAMP_LEN 19
#define TLSB_DATA_LEN_MIN (TLSB_STAMP_AT + TLSB_STAMP_LEN + 1)

enum tlsb_kind {
  TLSB_SHAKE,
  TLSB_BULK,
  TLSB_IDLE,
  TLSB_STORM,
  TLSB_LATENCY,
  TLSB_KINDS
};
enum tlsb_key { TLSB_EC, TLSB_RSA, TLSB_KEYS };
enum tlsb_suite { TLSB_CHACHA, TLSB_AES };

struct tlsb_plan {
  int kind;         /* enum tlsb_kind */
  int version;      /* 12 or 13 */
  int key;          /* enum tlsb_key */
  int suite;        /* enum tlsb_suite */
  int full;         /* 1: without resumption */
  int streams;      /* those that are dropped, or all; at least 1 */
  int steady;       /* latency: those that stay open and have events */
  int calm;         /* latency: 1: nothing is dropped */
  int gated;        /* runnel keeps its limits on dials per second */
  int record_bytes; /* bulk: plain bytes of a record, an event each */
  int amount;       /* shake: handshakes; bulk: events; latency: ms */
};

/* Who the server is; PEM, NUL-terminated. */
struct tlsb_identity {
  char authority[2048]; /* whom the client trusts */
  char cert[2048];
  char key[4096];
};

/* What both processes are given. */
struct tlsb_task {
  struct tlsb_plan plan;
  struct tlsb_identity identity;
};

/* What one session measured. */
struct tlsb_result {
  double cpu_ns;          /* of the client process, user and system */
  double wall_ns;         /* of the same time */
  double count;           /* handshakes, bytes or streams, as the kind has it */
  double allocated_bytes; /* growth from the first stream to the last */
  double rss_bytes;       /* likewise */
  double full;            /* handshakes meanwhile */
  double resumed;
  double p50_ns; /* of events' latency */
  double p99_ns;
  double max_ns;
};

/* The session, in the client's process ------------------------------------ */

struct tlsb_session;

/* One of the programs that are compared. */
struct tlsb_client {
  const char *name;
  /* Makes ready, calls tlsb_session_start, and works until session->done. */
  void (*run)(struct tlsb_session *session);
  /* Opens that stream; its tally was begun by tlsb_tally_init. */
  void (*open)(int index);
  /* From now on every handshake is a full one. */
  void (*forget)(void);
  /* Handshakes that were done so far. */
  void (*count)(double *full, double *resumed);
};

/* A stream's share. */
struct tlsb_tally {
  uint32_t next; /* number that the next event must carry */
  int steady;
};

struct tlsb_mark {
  double cpu_ns;
  double wall_ns;
  double allocated_bytes;
  double rss_bytes;
  double full;
  double resumed;
};

struct tlsb_session {
  const struct tlsb_task *task;
  const struct tlsb_client *client;
  struct tlsb_plan plan;
  uint16_t port; /* the server's, on 127.0.0.1; in the host's order */
  int up;        /* streams that had their first event */
  int back;      /* events since, of streams that are not steady */
  int dropped;   /* the server was told to drop those */
  int done;      /* the client may stop */
  struct tlsb_mark began;
  uint64_t until_ns; /* latency: end of the window; 0: not begun */
  float *latencies;  /* ns; owned */
  size_t latencies_len;
  struct tlsb_result result;
};

void tlsb_session_init(struct tlsb_session *session,
                       const struct tlsb_task *task,
                       const struct tlsb_client *client);

/* The client is ready. It may be asked to open streams from in here, and from
 * tlsb_session_take. */
void tlsb_session_start(struct tlsb_session *session);

void tlsb_tally_init(struct tlsb_tally *tally,
                     const struct tlsb_session *session, int index);

/* An event came. `data` has TLSB_DATA_LEN_MIN bytes at least. */
void tlsb_session_take(struct tlsb_session *session, struct tlsb_tally *tally,
                       const char *data);

/* A connection ended, as it should: the stream is to connect again. */
void tlsb_session_ended(const struct tlsb_session *session,
                        const struct tlsb_tally *tally);

uint64_t tlsb_now_ns(void); /* CLOCK_MONOTONIC */

/* `len` ASCII digits as a number. */
uint64_t tlsb_number(const char *digits, size_t len);

/* Prints why and ends the process with status 1. */
_Noreturn void tlsb_fail(const char *what);

/* The programs ------------------------------------------------------------- */

extern const struct tlsb_client tlsb_bare;
extern const struct tlsb_client tlsb_runnel;

int tlsb_server_run(const struct tlsb_task *task);

/* Certificates for TLSB_HOST, with a key of that kind. 0 or -1. */
int tlsb_identity_make(struct tlsb_identity *identity, int key);

/* The report --------------------------------------------------------------- */

#define TLSB_CLIENTS 2
#define TLSB_FIGURES 4

struct tlsb_row {
  const char *name;
  struct tlsb_plan plan;
  /* The first figure is the kind's own. */
  double value[TLSB_CLIENTS][TLSB_FIGURES][PAIR_ROUNDS_MAX];
};

void tlsb_row_add(struct tlsb_row *row, int client, int round,
                  const struct tlsb_result *result);
void tlsb_report_head(void);
void tlsb_report_row(struct tlsb_row *row, int rounds, int json);

#endif
