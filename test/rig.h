/* What the tests of lib/net stand on: a libuv world whose memory is counted, a
 * listener on loopback, and ears that write down what they hear. No sleeps: the
 * loop is turned until a condition holds, and a watchdog fails the test when it
 * never does. */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <stdatomic.h>
#include <sys/resource.h>
#include <uv.h>

#include "../lib/core/world.h"

struct rig {
  uv_loop_t loop;      /* unused if the world has its own */
  uv_timer_t watchdog; /* wakes the loop, so that a hang is noticed */
  uint64_t started_ns;
  struct runnel__world *world;
  struct runnel_alloc hooks;
  atomic_long balance; /* allocations not freed */
  atomic_long left;    /* allocations that still succeed; < 0: all */
  int alarms;
  int closed;
  void (*on_alarm)(struct rig *rig);
};

/* What one link's owner heard. */
struct ear {
  struct rig *rig;
  struct runnel__link *link;
  int up;
  int down;
  int code;
  int native;
  size_t got;
  size_t reads;
  char last[64];     /* the start of the last read */
  int hang_up_in;    /* 'u', 'b', 'd': hang up inside that ear */
  int stop_in_bytes; /* listen(0) inside `bytes` */
};

/* What one look-up's asker heard. */
struct answer {
  int heard;
  int code;
  int native;
  size_t len;
  struct runnel__addr addrs[RUNNEL__ADDRS_MAX];
};

extern const struct runnel__link_ears rig_ears;

/* Opens a world on rig->loop, or on a loop of its own. */
void rig_open(struct rig *rig, int own_loop);

/* Closes it, waits for `closed` and checks that nothing is left. */
void rig_close(struct rig *rig);

/* One turn of rig->loop, waiting; fails after 20 s in all. */
void rig_turn(struct rig *rig);

#define RIG_UNTIL(rig, condition)                                              \
  do {                                                                         \
    while (!(condition))                                                       \
      rig_turn(rig);                                                           \
  } while (0)

/* 1 if the loop would wake up at once, again and again. */
int rig_spins(struct rig *rig);

/* A listener on 127.0.0.1; *target says how to get there. */
int rig_listen(struct runnel__target *target);

/* Where connect itself fails: a broadcast address. */
struct runnel__target rig_nowhere(void);

/* Connects `ear` to `target`; `ear` is zeroed first. */
void rig_connect(struct rig *rig, struct ear *ear,
                 const struct runnel__target *target);

/* Connects and accepts, until up; returns the server's end. */
int rig_pair(struct rig *rig, struct ear *ear);

/* Sends text from the server's end. */
void rig_put(int fd, const char *text);

/* Closes the server's end with a reset. */
void rig_reset(int fd);

/* Until given back, no more descriptors are to be had. */
struct rlimit rig_take_descriptors(void);
void rig_give_descriptors(struct rlimit before);

#endif
