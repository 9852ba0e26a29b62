/* Programs under test. Reading happens inside the waiting calls, by poll over
 * the three pipes, so no thread is needed; between calls the program may at
 * most fill a pipe and wait. */
#define _GNU_SOURCE /* pipe2: what others spawn must not inherit our ends */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct caught {
  char *bytes; /* NUL-terminated */
  size_t len;
  size_t cap;
};

struct spawn {
  pid_t pid;
  int fds[3]; /* our ends of its standard descriptors; -1: closed */
  const char *input;
  size_t input_left;
  int input_stays_open;
  struct caught caught[3]; /* [1], [2] */
  const char *signal_text; /* NULL: none, or sent */
  int signal;
  int watchdog; /* it was killed */
  long long deadline_ms;
};

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *must(void *memory) {
  if (memory == NULL)
    abort();
  return memory;
}

static void catch_bytes(struct caught *caught, const char *bytes, size_t len) {
  if (caught->len + len + 1 > caught->cap) {
    caught->cap = (caught->len + len + 1) * 2;
    caught->bytes = must(realloc(caught->bytes, caught->cap));
  }
  memcpy(caught->bytes + caught->len, bytes, len);
  caught->len += len;
  caught->bytes[caught->len] = '\0';
}

static int same_name(const char *entry, const char *change) {
  size_t len = strcspn(change, "=");
  return strncmp(entry, change, len) == 0 && entry[len] == '=';
}

/* The environment with the changes: an array of borrowed strings. */
static char **make_env(const char *const *changes) {
  size_t have = 0, extra = 0, len = 0;
  while (environ[have] != NULL)
    have++;
  while (changes != NULL && changes[extra] != NULL)
    extra++;
  char **env = must(calloc(have + extra + 1, sizeof *env));
  for (size_t i = 0; i < have; i++) {
    int changed = 0;
    for (size_t k = 0; k < extra; k++)
      changed |= same_name(environ[i], changes[k]);
    if (!changed)
      env[len++] = environ[i];
  }
  for (size_t k = 0; k < extra; k++)
    if (strchr(changes[k], '=') != NULL)
      env[len++] = (char *)(size_t)changes[k];
  return env;
}

/* In the child, between fork and exec: only what is async-signal-safe. */
static void become(const struct spawn_options *options, char **env,
                   const int theirs[3]) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < 32; number++)
    signal(number, SIG_DFL);
  for (int fd = 0; fd < 3; fd++)
    if (dup2(theirs[fd], fd) < 0)
      _exit(127);
  if (options->limit_files > 0) {
    rlim_t files = (rlim_t)options->limit_files;
    struct rlimit limit = {.rlim_cur = files, .rlim_max = files};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  environ = env;
  execvp(options->argv[0], (char *const *)(size_t)options->argv);
  _exit(127);
}

/* ours and theirs: the two ends for each standard descriptor. */
static int make_ends(const struct spawn_options *options, int ours[3],
                     int theirs[3]) {
  for (int fd = 0; fd < 3; fd++) {
    int ends[2];
    if (fd == 0 && options->input == NULL && !options->input_stays_open) {
      theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (theirs[0] < 0)
        return -1;
      continue;
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
      return -1;
    ours[fd] = ends[fd == 0];
    theirs[fd] = ends[fd != 0];
    fcntl(ours[fd], F_SETFL, O_NONBLOCK);
  }
  return 0;
}

static void close_all(const int fds[3]) {
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

struct spawn *spawn_start(const struct spawn_options *options) {
  int ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1};
  if (make_ends(options, ours, theirs) != 0) {
    close_all(ours);
    close_all(theirs);
    return NULL;
  }
  char **env = make_env(options->env);
  pid_t pid = fork();
  if (pid == 0)
    become(options, env, theirs);
  free(env);
  close_all(theirs);
  if (pid < 0) {
    close_all(ours);
    return NULL;
  }
  struct spawn *spawn = must(calloc(1, sizeof *spawn));
  int watchdog_s = options->watchdog_s > 0 ? options->watchdog_s : 60;
  *spawn = (struct spawn){.pid = pid,
                          .input = options->input,
                          .input_left = options->input_len,
                          .input_stays_open = options->input_stays_open,
                          .signal_text = options->signal_text,
                          .signal = options->signal,
                          .deadline_ms = now_ms() + watchdog_s * 1000LL};
  memcpy(spawn->fds, ours, sizeof ours);
  if (options->input != NULL && options->input_len == 0)
    spawn->input_left = strlen(options->input);
  catch_bytes(&spawn->caught[1], "", 0);
  catch_bytes(&spawn->caught[2], "", 0);
  return spawn;
}

static void close_end(struct spawn *spawn, int fd) {
  if (spawn->fds[fd] >= 0)
    close(spawn->fds[fd]);
  spawn->fds[fd] = -1;
}

void spawn_close_output(struct spawn *spawn) { close_end(spawn, 1); }

void spawn_close_input(struct spawn *spawn) { close_end(spawn, 0); }

/* SIGPIPE of our own is held off while we write to a program that may be gone:
 * blocked, and taken if it came. */
static ssize_t write_quietly(int fd, const char *bytes, size_t len) {
  sigset_t pipes, before;
  struct timespec at_once = {0, 0};
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipes, &before);
  ssize_t wrote = write(fd, bytes, len);
  int saved = errno;
  if (wrote < 0 && saved == EPIPE)
    sigtimedwait(&pipes, NULL, &at_once);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = saved;
  return wrote;
}

static void feed(struct spawn *spawn) {
  if (spawn->fds[0] < 0)
    return;
  if (spawn->input_left > 0) {
    ssize_t wrote =
        write_quietly(spawn->fds[0], spawn->input, spawn->input_left);
    if (wrote > 0) {
      spawn->input += wrote;
      spawn->input_left -= (size_t)wrote;
    } else if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
      close_end(spawn, 0);
    }
  }
  if (spawn->input_left == 0 && !spawn->input_stays_open)
    close_end(spawn, 0);
}

static void read_end(struct spawn *spawn, int fd) {
  char bytes[16384];
  ssize_t len = read(spawn->fds[fd], bytes, sizeof bytes);
  if (len > 0)
    catch_bytes(&spawn->caught[fd], bytes, (size_t)len);
  else if (len == 0 || (errno != EAGAIN && errno != EINTR))
    close_end(spawn, fd);
}

static int has(const struct spawn *spawn, const char *text) {
  return strstr(spawn->caught[1].bytes, text) != NULL ||
         strstr(spawn->caught[2].bytes, text) != NULL;
}

static void check_signal(struct spawn *spawn) {
  if (spawn->signal_text == NULL || !has(spawn, spawn->signal_text))
    return;
  kill(spawn->pid, spawn->signal);
  spawn->signal_text = NULL;
}

static void watch(struct spawn *spawn) {
  if (spawn->watchdog || now_ms() < spawn->deadline_ms)
    return;
  kill(spawn->pid, SIGKILL);
  spawn->watchdog = 1;
}

/* Waits for something and deals with it. 0: both outputs are closed. */
static int turn(struct spawn *spawn) {
  if (spawn->fds[1] < 0 && spawn->fds[2] < 0)
    return 0;
  struct pollfd polls[3];
  int feeding =
      spawn->fds[0] >= 0 && (spawn->input_left > 0 || !spawn->input_stays_open);
  for (int fd = 0; fd < 3; fd++)
    polls[fd] = (struct pollfd){.fd = fd == 0 && !feeding ? -1 : spawn->fds[fd],
                                .events = fd == 0 ? POLLOUT : POLLIN};
  long long left = spawn->deadline_ms - now_ms();
  int timeout = spawn->watchdog ? 1000 : left > 0 ? (int)left : 0;
  int ready = poll(polls, 3, timeout);
  if (ready > 0) {
    if (polls[0].revents != 0)
      feed(spawn);
    for (int fd = 1; fd < 3; fd++)
      if (polls[fd].revents != 0)
        read_end(spawn, fd);
  } else if (ready == 0 && spawn->watchdog) {
    close_end(spawn, 1); /* held open by a child of its own */
    close_end(spawn, 2);
  }
  check_signal(spawn);
  watch(spawn);
  return 1;
}

int spawn_wait_for(struct spawn *spawn, const char *text) {
  while (!has(spawn, text))
    if (!turn(spawn))
      return -1;
  return 0;
}

static size_t count_lines(const struct caught *caught) {
  size_t lines = 0;
  for (size_t i = 0; i < caught->len; i++)
    lines += caught->bytes[i] == '\n';
  return lines;
}

int spawn_wait_lines(struct spawn *spawn, size_t lines) {
  while (count_lines(&spawn->caught[1]) < lines)
    if (!turn(spawn))
      return -1;
  return 0;
}

int spawn_write(struct spawn *spawn, const char *bytes, size_t len) {
  spawn->input = bytes;
  spawn->input_left = len;
  while (spawn->input_left > 0 && spawn->fds[0] >= 0)
    if (!turn(spawn))
      break;
  int wrote = spawn->input_left == 0;
  spawn->input_left = 0;
  return wrote ? 0 : -1;
}

const char *spawn_out(const struct spawn *spawn) {
  return spawn->caught[1].bytes;
}

const char *spawn_err(const struct spawn *spawn) {
  return spawn->caught[2].bytes;
}

int spawn_pid(const struct spawn *spawn) { return (int)spawn->pid; }

void spawn_signal(struct spawn *spawn, int signal) { kill(spawn->pid, signal); }

/* A program that closed its outputs and yet does not end is rare: then, and
 * only then, its end is asked for every few milliseconds. */
static int reap(struct spawn *spawn) {
  int status = 0;
  struct timespec pause = {.tv_sec = 0, .tv_nsec = 2000000};
  while (waitpid(spawn->pid, &status, spawn->watchdog ? 0 : WNOHANG) <= 0) {
    nanosleep(&pause, NULL);
    watch(spawn);
  }
  return status;
}

void spawn_finish(struct spawn *spawn, struct spawn_result *result) {
  while (turn(spawn))
    ;
  int status = reap(spawn);
  for (int fd = 0; fd < 3; fd++)
    close_end(spawn, fd);
  *result = (struct spawn_result){
      .status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
      .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
      .watchdog = spawn->watchdog,
      .out = spawn->caught[1].bytes,
      .out_len = spawn->caught[1].len,
      .err = spawn->caught[2].bytes,
      .err_len = spawn->caught[2].len};
  free(spawn);
}

int spawn_run(struct spawn_result *result,
              const struct spawn_options *options) {
  struct spawn *spawn = spawn_start(options);
  if (spawn == NULL)
    return -1;
  spawn_finish(spawn, result);
  return 0;
}

void spawn_result_deinit(struct spawn_result *result) {
  free(result->out);
  free(result->err);
  *result = (struct spawn_result){0};
}
