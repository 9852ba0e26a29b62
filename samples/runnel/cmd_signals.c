/* SIGINT and SIGTERM as a readable descriptor, so that a wait for a slow reader
 * of standard output hears them too. SIGPIPE is ignored: a write says it. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int ends[2] = {-1, -1};

static void hear(int number) {
  int kept = errno;
  ssize_t wrote = write(ends[1], "", 1);
  (void)number;
  (void)wrote; /* a full pipe is readable already */
  errno = kept;
}

int cmd_signals_fd(void) { return ends[0]; }

int cmd_signals_open(void) {
  struct sigaction action;
  if (pipe(ends) != 0)
    return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
  }
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
  /* Once: whoever asks a second time does not want to wait. */
  action.sa_flags = (int)SA_RESETHAND;
  action.sa_handler = hear;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return ends[0];
}
