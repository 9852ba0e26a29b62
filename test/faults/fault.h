/* The system's calls, with faults: a program that links fault.c has its own
 * socket, recv, epoll_ctl and so on, for itself and for the shared libraries it
 * uses, libuv among them. They pass everything on, but on a thread that began
 * faults (and on those it starts) they fail as the plan says, the k-th time or
 * from then on.
 *
 *   struct fault_plan plan = {.call = FAULT_RECV, .err = ECONNRESET, .at = 2};
 *   fault_begin(&plan);
 *   ... what is tested ...
 *   hits = fault_end();
 *
 * One plan at a time. Knows nothing of runnel. */
#ifndef RUNNEL_TEST_FAULT_H
#define RUNNEL_TEST_FAULT_H

#include <stdint.h>

/* X(name): the calls, each a class of its own. SO_ERROR: getsockopt succeeds
 * and tells this error. CHECK: the epoll_ctl with which libuv tries whether a
 * descriptor can be watched. GAI: `err` is an EAI_* code. SYSTEM: getaddrinfo
 * fails with EAI_SYSTEM and errno `err`. RANDOM: getrandom and /dev/urandom.
 * WALL: the wall clock. */
#define FAULT_CALLS_MAP(X)                                                     \
  X(NONE)                                                                      \
  X(SOCKET)                                                                    \
  X(CONNECT)                                                                   \
  X(GETSOCKOPT)                                                                \
  X(SO_ERROR)                                                                  \
  X(SETSOCKOPT)                                                                \
  X(GETPEERNAME)                                                               \
  X(GETSOCKNAME)                                                               \
  X(RECV)                                                                      \
  X(SEND)                                                                      \
  X(POLL)                                                                      \
  X(CLOSE)                                                                     \
  X(IOCTL)                                                                     \
  X(EPOLL_CREATE1)                                                             \
  X(EPOLL_CTL_CHECK)                                                           \
  X(EPOLL_WAIT)                                                                \
  X(EVENTFD)                                                                   \
  X(READ)                                                                      \
  X(WRITE)                                                                     \
  X(GAI)                                                                       \
  X(SYSTEM)                                                                    \
  X(RANDOM)                                                                    \
  X(MUTEX_INIT)                                                                \
  X(PTHREAD_CREATE)                                                            \
  X(ATTR_INIT)                                                                 \
  X(ATTR_STACK)                                                                \
  X(WALL)

enum fault_call {
#define FAULT_CALL_NAME(name) FAULT_##name,
  FAULT_CALLS_MAP(FAULT_CALL_NAME)
#undef FAULT_CALL_NAME
      FAULT_CALLS
};

struct fault_plan {
  enum fault_call call;
  int err;
  unsigned at;   /* the call that fails, from 1 */
  int for_ever;  /* 1: all after it too, until fault_relieve */
  int trickle;   /* 1: recv and send move one byte a call */
  int interrupt; /* 1: each call that may be interrupted is, every other time */
};

const char *fault_call_name(enum fault_call call);

/* Copies the plan; counts start anew. */
void fault_begin(const struct fault_plan *plan);

/* From now on nothing fails; what is counted is counted on. */
void fault_relieve(void);

/* This thread is clean again. Returns how many calls failed. */
unsigned fault_end(void);

/* Since fault_begin: calls of a class, and calls that failed. */
unsigned fault_calls(enum fault_call call);
unsigned fault_hits(void);

/* Descriptors opened since fault_begin by calls under faults, and not closed;
 * and how often one was closed that was not open. */
int fault_descriptors(void);
int fault_bad_closes(void);

/* The monotonic clock of this thread, and of those it starts from now on, goes
 * on by so much; the wall clock of all threads is wrong by so much. Outside of
 * any plan. */
void fault_skip_ms(int64_t ms);
void fault_wall_s(int64_t wrong_s);

#endif
