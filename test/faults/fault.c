/* See fault.h. The dynamic linker finds these definitions before the system's,
 * for this program and for libuv. */
#include "fault.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault_next.h"

#define FDS_MAX 4096

static struct {
  struct fault_plan plan;
  atomic_int relieved;
  atomic_uint calls[FAULT_CALLS];
  atomic_uint hits;
  atomic_char opened[FDS_MAX];
  atomic_int bad_closes;
} all;

static _Thread_local int armed;
static _Thread_local int64_t skipped_ms;
static _Atomic int64_t wall_wrong_s;

/* *next becomes the system's function of that name, once. */
#define NEXT(function)                                                         \
  static __typeof__(function) *next;                                           \
  if (next == NULL)                                                            \
    fault_next(&next, #function);

/* Plans -------------------------------------------------------------------- */

const char *fault_call_name(enum fault_call call) {
  static const char *const names[] = {
#define FAULT_CALL_NAME(name) #name,
      FAULT_CALLS_MAP(FAULT_CALL_NAME)
#undef FAULT_CALL_NAME
  };
  return names[call];
}

void fault_begin(const struct fault_plan *plan) {
  all.plan = *plan;
  atomic_store(&all.relieved, 0);
  atomic_store(&all.hits, 0);
  atomic_store(&all.bad_closes, 0);
  for (size_t i = 0; i < FAULT_CALLS; i++)
    atomic_store(&all.calls[i], 0);
  for (size_t i = 0; i < FDS_MAX; i++)
    atomic_store(&all.opened[i], 0);
  armed = 1;
}

void fault_relieve(void) { atomic_store(&all.relieved, 1); }

unsigned fault_end(void) {
  armed = 0;
  return fault_hits();
}

unsigned fault_calls(enum fault_call call) {
  return atomic_load(&all.calls[call]);
}

unsigned fault_hits(void) { return atomic_load(&all.hits); }

int fault_descriptors(void) {
  int count = 0;
  for (size_t i = 0; i < FDS_MAX; i++)
    count += atomic_load(&all.opened[i]) != 0;
  return count;
}

int fault_bad_closes(void) { return atomic_load(&all.bad_closes); }

void fault_skip_ms(int64_t ms) { skipped_ms += ms; }

void fault_wall_s(int64_t wrong_s) { atomic_store(&wall_wrong_s, wrong_s); }

/* Counts a call; 1: it fails, with errno set. */
static int fails(enum fault_call call) {
  if (!armed)
    return 0;
  unsigned count = atomic_fetch_add(&all.calls[call], 1) + 1;
  const struct fault_plan *plan = &all.plan;
  if (plan->call != call || atomic_load(&all.relieved) ||
      !(plan->for_ever ? count >= plan->at : count == plan->at))
    return 0;
  atomic_fetch_add(&all.hits, 1);
  errno = plan->err;
  return 1;
}

/* The same for a call that a signal may interrupt. */
static int stops(enum fault_call call) {
  if (fails(call))
    return 1;
  if (!armed || !all.plan.interrupt || atomic_load(&all.relieved) ||
      fault_calls(call) % 2 == 0)
    return 0;
  atomic_fetch_add(&all.hits, 1);
  errno = EINTR;
  return 1;
}

static size_t share(size_t len) {
  return armed && all.plan.trickle && len > 1 ? 1 : len;
}

static int keep_fd(int fd) {
  if (armed && fd >= 0 && fd < FDS_MAX)
    atomic_store(&all.opened[fd], 1);
  return fd;
}

#pragma GCC visibility push(default)

/* Not declared by POSIX. */
long syscall(long number, ...);
int open64(const char *path, int flags, ...);

/* Sockets ------------------------------------------------------------------ */

int socket(int domain, int type, int protocol) {
  NEXT(socket)
  return fails(FAULT_SOCKET) ? -1 : keep_fd(next(domain, type, protocol));
}

/* An interrupted connect goes on by itself, as the system's does; so does one
 * that is under way. */
int connect(int fd, const struct sockaddr *addr, socklen_t len) {
  NEXT(connect)
  if (!stops(FAULT_CONNECT))
    return next(fd, addr, len);
  int err = errno;
  if (err == EINTR || err == EINPROGRESS)
    (void)next(fd, addr, len);
  errno = err;
  return -1;
}

int getsockopt(int fd, int level, int name, void *restrict value,
               socklen_t *restrict len) {
  NEXT(getsockopt)
  if (fails(FAULT_GETSOCKOPT))
    return -1;
  if (level != SOL_SOCKET || name != SO_ERROR || !fails(FAULT_SO_ERROR))
    return next(fd, level, name, value, len);
  memcpy(value, &all.plan.err, sizeof all.plan.err);
  return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
  NEXT(setsockopt)
  return fails(FAULT_SETSOCKOPT) ? -1 : next(fd, level, name, value, len);
}

int getpeername(int fd, struct sockaddr *restrict addr,
                socklen_t *restrict len) {
  NEXT(getpeername)
  return fails(FAULT_GETPEERNAME) ? -1 : next(fd, addr, len);
}

int getsockname(int fd, struct sockaddr *restrict addr,
                socklen_t *restrict len) {
  NEXT(getsockname)
  return fails(FAULT_GETSOCKNAME) ? -1 : next(fd, addr, len);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags) {
  NEXT(recv)
  return stops(FAULT_RECV) ? -1 : next(fd, bytes, share(size), flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
  NEXT(send)
  return stops(FAULT_SEND) ? -1 : next(fd, bytes, share(len), flags);
}

int poll(struct pollfd *fds, nfds_t len, int timeout) {
  NEXT(poll)
  return stops(FAULT_POLL) ? -1 : next(fds, len, timeout);
}

/* Linux closes the descriptor whatever it returns. */
int close(int fd) {
  NEXT(close)
  int failed = stops(FAULT_CLOSE);
  int err = errno;
  int result = next(fd);
  if (armed && fd >= 0 && fd < FDS_MAX) {
    atomic_fetch_add(&all.bad_closes, result != 0);
    atomic_store(&all.opened[fd], 0);
  }
  if (!failed)
    return result;
  errno = err;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  NEXT(ioctl)
  va_list list;
  va_start(list, request);
  void *arg = va_arg(list, void *);
  va_end(list);
  return stops(FAULT_IOCTL) ? -1 : next(fd, request, arg);
}

/* Of libuv's --------------------------------------------------------------- */

int epoll_create1(int flags) {
  NEXT(epoll_create1)
  return fails(FAULT_EPOLL_CREATE1) ? -1 : keep_fd(next(flags));
}

/* libuv's trial of a descriptor (uv__io_check_fd) names no watcher. What it
 * asks later, while it polls, it may not be refused: it would abort. */
int epoll_ctl(int set, int op, int fd, struct epoll_event *event) {
  NEXT(epoll_ctl)
  int is_check = op == EPOLL_CTL_ADD && event->data.fd == -1;
  return is_check && fails(FAULT_EPOLL_CTL_CHECK) ? -1
                                                  : next(set, op, fd, event);
}

int epoll_wait(int set, struct epoll_event *events, int len, int timeout) {
  NEXT(epoll_wait)
  return stops(FAULT_EPOLL_WAIT) ? -1 : next(set, events, len, timeout);
}

int epoll_pwait(int set, struct epoll_event *events, int len, int timeout,
                const sigset_t *signals) {
  NEXT(epoll_pwait)
  return stops(FAULT_EPOLL_WAIT) ? -1
                                 : next(set, events, len, timeout, signals);
}

int eventfd(unsigned value, int flags) {
  NEXT(eventfd)
  return fails(FAULT_EVENTFD) ? -1 : keep_fd(next(value, flags));
}

ssize_t read(int fd, void *bytes, size_t size) {
  NEXT(read)
  return stops(FAULT_READ) ? -1 : next(fd, bytes, size);
}

/* Of an eventfd that does not block, which no signal interrupts. */
ssize_t write(int fd, const void *bytes, size_t len) {
  NEXT(write)
  return fails(FAULT_WRITE) ? -1 : next(fd, bytes, len);
}

/* libuv's way to getrandom and close. */
long syscall(long number, ...) {
  NEXT(syscall)
  long args[6];
  va_list list;
  va_start(list, number);
  for (size_t i = 0; i < 6; i++)
    args[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_close)
    return close((int)args[0]);
  if (number == SYS_getrandom && stops(FAULT_RANDOM))
    return -1;
  return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

int open64(const char *path, int flags, ...) {
  NEXT(open64)
  va_list list;
  va_start(list, flags);
  unsigned mode = va_arg(list, unsigned);
  va_end(list);
  return fails(FAULT_RANDOM) ? -1 : keep_fd(next(path, flags, mode));
}

/* Names, threads, clocks --------------------------------------------------- */

/* feed.test is 127.0.0.1, without asking anybody. */
int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  NEXT(getaddrinfo)
  if (fails(FAULT_GAI))
    return all.plan.err;
  if (fails(FAULT_SYSTEM))
    return EAI_SYSTEM;
  if (host != NULL && strcmp(host, "feed.test") == 0)
    host = "127.0.0.1";
  return next(host, service, hints, found);
}

int pthread_mutex_init(pthread_mutex_t *lock,
                       const pthread_mutexattr_t *attributes) {
  NEXT(pthread_mutex_init)
  return fails(FAULT_MUTEX_INIT) ? all.plan.err : next(lock, attributes);
}

int pthread_attr_init(pthread_attr_t *attributes) {
  NEXT(pthread_attr_init)
  return fails(FAULT_ATTR_INIT) ? all.plan.err : next(attributes);
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) {
  NEXT(pthread_attr_setstacksize)
  return fails(FAULT_ATTR_STACK) ? all.plan.err : next(attributes, size);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  NEXT(clock_gettime)
  if (clock == CLOCK_REALTIME && fails(FAULT_WALL))
    return -1;
  int result = next(clock, time);
  if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE) {
    time->tv_sec += skipped_ms / 1000;
    time->tv_nsec += skipped_ms % 1000 * 1000000;
    time->tv_sec += time->tv_nsec / 1000000000;
    time->tv_nsec %= 1000000000;
  } else if (clock == CLOCK_REALTIME) {
    time->tv_sec += atomic_load(&wall_wrong_s);
  }
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0)
    now.tv_sec = -1;
  if (at != NULL)
    *at = now.tv_sec;
  return now.tv_sec;
}

#pragma GCC visibility pop

/* Of our own objects only (--wrap): a sanitizer keeps its own pthread_create.
 * A thread that is started under faults is under faults. */
struct start {
  void *(*run)(void *arg);
  void *arg;
};

static void *run_armed(void *arg) {
  struct start start = *(struct start *)arg;
  free(arg);
  armed = 1;
  return start.run(start.arg);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg) {
  if (!armed)
    return __real_pthread_create(thread, attributes, run, arg);
  if (fails(FAULT_PTHREAD_CREATE))
    return all.plan.err;
  struct start *start = malloc(sizeof *start);
  if (start == NULL)
    return EAGAIN;
  *start = (struct start){run, arg};
  int err = __real_pthread_create(thread, attributes, run_armed, start);
  if (err != 0)
    free(start);
  return err;
}
