/* Runs one session: a server process and a client process, this program
 * executed anew each time, so that neither inherits the other's heap. The
 * client stays on the first core we may use, the server on the second. Both are
 * always reaped; past TLSB_SECONDS_MAX they are killed, by their ids. */
#define _GNU_SOURCE /* sched_setaffinity, memfd_create */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tlsb.h"

/* Above those that a child expects, so that placing one never closes another.
 */
#define FD_MIN 10

int tlsb_spawn_cores(void) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return 1;
  return CPU_COUNT(&cores);
}

int tlsb_spawn_descriptors(void) {
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

static int raise_fd(int fd) {
  int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
  close(fd);
  return high;
}

/* A file that holds the task for the role; -1: none. */
static int write_task(struct tlsb_task *task, const char *role) {
  int fd = memfd_create("task", MFD_CLOEXEC);
  if (fd < 0)
    return -1;
  snprintf(task->role, sizeof task->role, "%s", role);
  if (write(fd, task, sizeof *task) != sizeof *task) {
    close(fd);
    return -1;
  }
  return raise_fd(fd);
}

void tlsb_spawn_task(struct tlsb_task *task) {
  if (pread(TLSB_TASK_FD, task, sizeof *task, 0) != sizeof *task)
    tlsb_fail("no task");
  close(TLSB_TASK_FD);
}

/* The process id; -1: it could not be started. `out` < 0: none. */
static pid_t start(const char *role, struct tlsb_task *task, int core,
                   int control, int out) {
  int given = write_task(task, role);
  pid_t id = given < 0 ? -1 : fork();
  if (id == 0) {
    pin(core);
    if (out >= 0)
      dup2(out, STDOUT_FILENO);
    dup2(control, TLSB_CONTROL_FD);
    dup2(given, TLSB_TASK_FD);
    execl("/proc/self/exe", "tls", "--child", (char *)NULL);
    _exit(127);
  }
  if (given >= 0)
    close(given);
  return id;
}

/* What the client wrote; -1: nothing, or not in time. */
static int read_result(struct tlsb_result *result, int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  if (poll(&wait, 1, TLSB_SECONDS_MAX * 1000) != 1)
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

int tlsb_spawn_session(struct tlsb_result *result, struct tlsb_task *task,
                       const char *name) {
  int control[2], out[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    return -1;
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(control[0]);
    close(control[1]);
    return -1;
  }
  for (int i = 0; i < 2; i++) {
    control[i] = raise_fd(control[i]);
    out[i] = raise_fd(out[i]);
  }
  pid_t server = start("server", task, 1, control[0], -1);
  pid_t client = server < 0 ? -1 : start(name, task, 0, control[1], out[1]);
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
