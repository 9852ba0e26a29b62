/* What the parts of the load program share: the plan of a session, what a
 * client does with what it hears, and the numbers that events carry.
 *
 * A session is one server process, one client process, and a control socket
 * between them. The client opens all its connections and tells of each thing
 * that it hears (opened, taken, ended); session.c alone decides what that means
 * for the scenario, what is measured and when it is over.
 *
 * Each event's data begins {"n":00000042 and its numbers run from 0 to the
 * lap's end, lap after lap; how many events are due is counted besides. So what
 * is lost, comes twice or out of order is seen at the event where it happens.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "../pair/pair.h"
#include <string.h>

#define LOAD_ADDRESSES 8 /* 127.0.0.1 to .8, so that ports do not run out */
#define LOAD_READ_BYTES ((size_t)65536)
#define LOAD_SECONDS_MAX 60 /* of one session; then its processes are ended */
#define LOAD_NUMBER_AT 5    /* of the data: after {"n": */
#define LOAD_NUMBER_LEN 8

enum load_kind { LOAD_BLAST, LOAD_CONNECT, LOAD_IDLE, LOAD_STORM };
enum load_size { LOAD_TINY, LOAD_MEDIUM, LOAD_LARGE };
enum load_framing { LOAD_CHUNK_EACH, LOAD_CHUNK_16K };

struct load_plan {
  int kind;        /* enum load_kind */
  int size;        /* enum load_size; blast alone */
  int framing;     /* enum load_framing; blast alone */
  int connections; /* 1 to 10,000 */
  int laps;        /* events of a connection, in laps; blast alone */
};

/* Frames: one lap of events in HTTP chunks, made beforehand. */

struct load_frames {
  char *bytes;
  size_t len;
};

uint32_t load_frames_events(int size); /* of one lap */
int load_frames_init(struct load_frames *frames, int size, int framing);

/* What one session measured, or the client's share in it. */
struct load_result {
  double cpu_ns;  /* of the client process, user and system */
  double wall_ns; /* of the same time */
  double events;
  double rss_bytes; /* growth since before the client was made */
};

/* The session, in the client's process. */

struct load_mark {
  uint64_t cpu_ns;
  uint64_t wall_ns;
};

struct load_session {
  struct load_plan plan;
  uint16_t ports[LOAD_ADDRESSES]; /* in the host's order */
  uint32_t lap_events;            /* numbers wrap here */
  int opened;                     /* responses accepted so far */
  int full;                       /* connections that have all that is due */
  int ended;                      /* connections that ended as they should */
  int dropped;                    /* storm: the server was told to drop all */
  int done;                       /* the client may stop */
  size_t rss_bytes;               /* before the client was made */
  struct load_mark began;
  struct load_result result;
};

/* A connection's share. */
struct load_tally {
  uint32_t next; /* number that the next event must carry */
  uint32_t left; /* events still due */
};

void load_session_init(struct load_session *session,
                       const struct load_plan *plan);
void load_tally_init(struct load_tally *tally,
                     const struct load_session *session);
void load_session_opened(struct load_session *session);
void load_session_full(struct load_session *session, struct load_tally *tally);

/* 1: the connection is to be made again; 0: it is over for good. */
int load_session_ended(struct load_session *session,
                       const struct load_tally *tally);

/* Prints why and ends the process with status 1. */
_Noreturn void load_fail(const char *what);
_Noreturn void load_fail_number(const struct load_tally *tally, uint32_t got);

/* Eight ASCII digits as a number; other bytes give some other number. Little
 * endian: pairs, fours, then all eight in three multiplications. */
static inline uint32_t load_number(const char *at) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t v;
  memcpy(&v, at, sizeof v);
  v -= UINT64_C(0x3030303030303030);
  v = v * 10 + (v >> 8);
  v = ((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
       ((v >> 16) & UINT64_C(0x000000ff000000ff)) *
           UINT64_C(0x0000271000000001)) >>
      32;
  return (uint32_t)v;
#else
  uint32_t v = 0;
  for (int i = 0; i < LOAD_NUMBER_LEN; i++)
    v = v * 10 + (uint32_t)(unsigned char)at[i] - '0';
  return v;
#endif
}

/* An event came; `number` are its eight digits. The same for every client. */
static inline void load_session_take(struct load_session *session,
                                     struct load_tally *tally,
                                     const char *number) {
  uint32_t got = load_number(number);
  if (got != tally->next || tally->left == 0)
    load_fail_number(tally, got);
  tally->next = got + 1 == session->lap_events ? 0 : got + 1;
  if (--tally->left == 0)
    load_session_full(session, tally);
}

/* What both floors share: a socket, a request, and lines by memchr. */

struct load_lines {
  uint8_t kept_len; /* of the line that a read cut; 0: none */
  char kept[23];    /* its first bytes, enough for the number */
};

int load_raw_connect(const struct load_session *session, int index);
void load_raw_ask(const struct load_session *session, int fd,
                  const struct load_tally *tally);
void load_lines_feed(struct load_lines *lines, struct load_session *session,
                     struct load_tally *tally, const char *bytes, size_t len);

/* Padded, so that a URL has about 60 bytes. */
#define LOAD_PATH "/bench/subscriptions/of-some-length/feed"

/* The three clients and the server, each in a process of its own. */

void load_floor_run(struct load_session *session);
void load_uv_run(struct load_session *session);
void load_runnel_run(struct load_session *session);
int load_server_run(const struct load_plan *plan);

struct load_role {
  const char *name;
  void (*run)(struct load_session *session);
};

/* The report. */

#define LOAD_CLIENTS 3

struct load_row {
  const char *name;
  struct load_plan plan;
  double value[LOAD_CLIENTS][PAIR_ROUNDS_MAX];  /* in the kind's unit */
  double second[LOAD_CLIENTS][PAIR_ROUNDS_MAX]; /* blast: M events/s; storm:
                                                   CPU us each; else unused */
};

void load_row_add(struct load_row *row, int client, int round,
                  const struct load_result *result);
void load_report_head(const struct load_role *roles);
void load_report_row(struct load_row *row, const struct load_role *roles,
                     int rounds, int json);

#endif
