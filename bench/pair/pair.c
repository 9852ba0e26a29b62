/* See pair.h. */
#define _GNU_SOURCE /* sched_setaffinity, memfd_create */
#include "pair.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASK_FD 4

/* Above those that a child expects, so that placing one never closes another.
 */
#define FD_MIN 10

int pair_cores(void) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0)
    return 1;
  return CPU_COUNT(&cores);
}

int pair_descriptors(void) {
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

/* A file that holds the task; -1: none. */
static int write_task(const struct pair_job *job) {
  int fd = memfd_create("task", MFD_CLOEXEC);
  if (fd < 0)
    return -1;
  if (write(fd, job->task, job->task_len) != (ssize_t)job->task_len) {
    close(fd);
    return -1;
  }
  return raise_fd(fd);
}

/* The process id; -1: it could not be started. `out` < 0: none. */
static pid_t start(const struct pair_job *job, const char *role, int core,
                   int control, int out) {
  int task = write_task(job);
  pid_t id = task < 0 ? -1 : fork();
  if (id == 0) {
    pin(core);
    if (out >= 0)
      dup2(out, STDOUT_FILENO);
    dup2(control, PAIR_CONTROL_FD);
    dup2(task, TASK_FD);
    execl("/proc/self/exe", "bench", "--child", role, (char *)NULL);
    _exit(127);
  }
  if (task >= 0)
    close(task);
  return id;
}

const char *pair_role(int argc, char **argv) {
  return argc == 3 && strcmp(argv[1], "--child") == 0 ? argv[2] : NULL;
}

int pair_begin(void *task, size_t task_len, int seconds_max) {
  signal(SIGPIPE, SIG_IGN);
  alarm((unsigned)seconds_max + 5);
  pair_descriptors();
  if (pread(TASK_FD, task, task_len, 0) != (ssize_t)task_len)
    return -1;
  close(TASK_FD);
  return 0;
}

int pair_report(const void *result, size_t result_len) {
  return write(STDOUT_FILENO, result, result_len) == (ssize_t)result_len ? 0
                                                                         : -1;
}

/* What the client wrote; -1: nothing, or not in time. */
static int read_result(const struct pair_job *job, int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  if (poll(&wait, 1, job->seconds_max * 1000) != 1)
    return -1;
  ssize_t got = read(fd, job->result, job->result_len);
  return got == (ssize_t)job->result_len ? 0 : -1;
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

int pair_run(const struct pair_job *job, const char *client_name) {
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
  pid_t server = start(job, "server", 1, control[0], -1);
  pid_t client =
      server < 0 ? -1 : start(job, client_name, 0, control[1], out[1]);
  close(control[0]);
  close(control[1]);
  close(out[1]);
  int failed = client < 0 || read_result(job, out[0]) != 0;
  close(out[0]);
  /* A client that measured ends by itself, and the server with its control
   * socket; one that failed takes the server along. */
  failed |= reap(client, failed) != 0;
  failed |= reap(server, failed) != 0;
  return failed ? -1 : 0;
}
