/* Standard output: bytes are gathered during a turn of the loop and written at
 * its end, in order, before any state is saved.
 *
 * A reader that went away is peace, not an error. A slow reader holds the whole
 * command back, and so, through TCP, the servers; a signal and --duration still
 * end it, which is why a pipe is never given more than it takes at once. */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What a pipe that poll calls writable takes without waiting: PIPE_BUF's
 * lowest value in use. */
#define PIPE_BYTES 4096

void cmd_out_init(struct cmd_out *out) {
  struct stat info;
  const char *no_color = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  memset(out, 0, sizeof *out);
  out->fd = STDOUT_FILENO;
  out->regular = fstat(out->fd, &info) == 0 && S_ISREG(info.st_mode);
  out->terminal = isatty(out->fd);
  out->colour = out->terminal && (no_color == NULL || no_color[0] == '\0') &&
                (term == NULL || strcmp(term, "dumb") != 0);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void cmd_out_limit(struct cmd_out *out, int64_t ms) {
  out->deadline_ms = now_ms() + ms;
}

/* For poll: -1 without a deadline. */
static int wait_ms(const struct cmd_out *out) {
  if (out->deadline_ms == 0)
    return -1;
  int64_t left = out->deadline_ms - now_ms();
  return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Waits until there is room. 0: a signal or the deadline came first. */
static int wait_room(const struct cmd_out *out) {
  struct pollfd fds[2] = {{.fd = out->fd, .events = POLLOUT},
                          {.fd = cmd_signals_fd(), .events = POLLIN}};
  for (;;) {
    int timeout = wait_ms(out);
    int ready = poll(fds, 2, timeout);
    if (ready > 0)
      return fds[0].revents != 0;
    if (ready == 0 && timeout != INT_MAX)
      return 0;
    if (ready < 0 && errno != EINTR && errno != EAGAIN)
      return 1;
  }
}

/* As much as a pipe takes at once, and no cut line if that can be. */
static size_t part_of(const char *at, size_t len) {
  if (len <= PIPE_BYTES)
    return len;
  for (size_t i = PIPE_BYTES; i > 0; i--)
    if (at[i - 1] == '\n')
      return i;
  return PIPE_BYTES;
}

static void fail(struct cmd_out *out, int native) {
  out->broken = 1;
  if (native == EPIPE || native == ECONNRESET)
    return;
  out->failed = 1;
  cmd_note("cannot write standard output: %s", strerror(native));
}

void cmd_out_flush(struct cmd_out *out) {
  size_t done = 0;
  while (!out->broken && done < out->bytes.len) {
    size_t left = out->bytes.len - done;
    if (!out->regular && !wait_room(out)) {
      out->broken = 1;
      break;
    }
    if (!out->regular)
      left = part_of(out->bytes.at + done, left);
    ssize_t wrote = write(out->fd, out->bytes.at + done, left);
    if (wrote >= 0)
      done += (size_t)wrote;
    else if (errno != EINTR && errno != EAGAIN)
      fail(out, errno);
  }
  out->bytes.len = 0;
}

int cmd_out_gone(const struct cmd_out *out) {
  struct pollfd fd = {.fd = out->fd, .events = 0};
  return !out->regular && poll(&fd, 1, 0) > 0 &&
         (fd.revents & (POLLERR | POLLHUP)) != 0;
}
