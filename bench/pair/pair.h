/* What the benchmarks over sockets share: a session of two processes, server
 * and client, and the arguments.
 *
 * Both are this program executed anew each time, so that neither inherits the
 * other's heap. The client stays on the first core we may use, the server on
 * the second. Both are always reaped; one that takes too long is killed, by its
 * id. */
#ifndef PAIR_H
#define PAIR_H

#include <stddef.h>

#define PAIR_CONTROL_FD 3 /* in both: a socket to the other one */
#define PAIR_ROUNDS_MAX 101

struct pair_job {
  const void *task; /* given to both processes as it stands */
  size_t task_len;
  void *result; /* what the client writes to standard output */
  size_t result_len;
  int seconds_max; /* then the processes are ended */
};

/* Runs one session with the client of that name. 0: it measured; -1: it failed.
 */
int pair_run(const struct pair_job *job, const char *client);

/* In main: NULL, or as what this process was started: "server", or a client's
 * name. */
const char *pair_role(int argc, char **argv);

/* In a child, first: reads its task, and sees to it that it ends should the
 * parent be gone. 0 or -1. */
int pair_begin(void *task, size_t task_len, int seconds_max);

/* In the client, last: 0 or -1. */
int pair_report(const void *result, size_t result_len);

/* Cores that this process may run on. */
int pair_cores(void);

/* Raises the soft limit on descriptors to the hard one and returns it. */
int pair_descriptors(void);

struct pair_args {
  int json;
  int quick;
  int rounds; /* 1 to PAIR_ROUNDS_MAX; default 5, with quick `quick_rounds` */
  const char *only;
};

/* 0, or -1 with the usage of `program` on standard error. */
int pair_read_args(struct pair_args *args, int argc, char **argv,
                   const char *program, int quick_rounds);

#endif
