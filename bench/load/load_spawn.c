/* Runs one session: a server process and a client process, this program
 * executed anew each time, so that neither inherits the other's heap. The
 * client stays on the first core we may use, the server on the second. Both are
 * always reaped; past LOAD_SECONDS_MAX they are killed, by their ids. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

int load_spawn_cores(void) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return 1;
  return CPU_COUNT(&cores);
}

int load_spawn_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 256;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > 1000000 ? 1000000 : (int)limit.rlim_cur;
}

/* To the `nth` core that we may use; to any if there are not so many. */
static void pin(int nth) {
  cpu_set_t cores, one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return;
  for (size_t core = 0; core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &cores) && nth-- == 0) {
      CPU_SET(core, &one);
      sched_setaffinity(0, sizeof one, &one);
      return;
    }
}

/* Puts `fd` where the new program expects it, and keeps it open over exec. */
static void place(int fd, int where) {
  if (fd == where)
    fcntl(fd, F_SETFD, 0);
  else
    dup2(fd, where);
}

/* The process id; -1: it could not be forked. `out` < 0: none. */
static pid_t start(const char *role, const struct load_plan *plan, int core,
                   int control, int out) {
  pid_t id = fork();
  if (id != 0)
    return id;
  char numbers[5][16];
  const int values[5] = {plan->kind, plan->size, plan->framing,
                         plan->connections, plan->laps};
  for (int i = 0; i < 5; i++)
    snprintf(numbers[i], sizeof numbers[i], "%d", values[i]);
  pin(core);
  if (out >= 0)
    place(out, STDOUT_FILENO);
  place(control, LOAD_CONTROL_FD);
  execl("/proc/self/exe", "load", "--role", role, numbers[0], numbers[1],
        numbers[2], numbers[3], numbers[4], (char *)NULL);
  _exit(127);
}

/* What the client wrote; -1: nothing, or not in time. */
static int read_result(struct load_result *result, int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  if (poll(&wait, 1, LOAD_SECONDS_MAX * 1000) != 1)
    return -1;
  return read(fd, result, sizeof *result) == sizeof *result ? 0 : -1;
}

static int reap(pid_t id, int kill_it) {
  int status = 0;
  if (id <= 0)
    return -1;
  if (kill_it)
    kill(id, SIGKILL);
  if (waitpid(id, &status, 0) != id)
    return -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int load_spawn_session(struct load_result *result, const char *name,
                       const struct load_plan *plan) {
  int control[2], out[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    return -1;
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(control[0]);
    close(control[1]);
    return -1;
  }
  pid_t server = start("server", plan, 1, control[0], -1);
  pid_t client = server < 0 ? -1 : start(name, plan, 0, control[1], out[1]);
  close(control[0]);
  close(control[1]);
  close(out[1]);
  int failed = client < 0 || read_result(result, out[0]) != 0;
  close(out[0]);
  /* A client that measured ends by itself, and the server with its control
   * socket; one that failed takes the server along. */
  failed |= reap(client, failed) != 0;
  failed |= reap(server, failed) != 0;
  return failed ? -1 : 0;
}
