/* The command on a terminal: a pseudo-terminal is its standard output and
 * error. */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "command_life.h"
#include "command_rig.h"

#define TEXT_BYTES 65536

static const struct peer_step hostile[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(),
    PEER_CHUNK("event: up\nid: 7\ndata: a\x1b[31m\x07\tb\x7f\xc2\x9b"
               "1m\xc3\xa4\xff\xe2\x80\xae\n\n"),
    PEER_LAST_CHUNK(), PEER_END()};

/* In the child: the terminal as standard output and error, then the program. */
static void become(const struct command_rig *rig, const char *name,
                   const char *no_color) {
  setsid();
  int fd = open(name, O_RDWR);
  struct termios modes;
  if (fd < 0 || tcgetattr(fd, &modes) != 0)
    _exit(99);
  modes.c_oflag &= ~(tcflag_t)OPOST;
  tcsetattr(fd, TCSANOW, &modes);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  unsetenv("NO_COLOR");
  if (no_color != NULL)
    setenv("NO_COLOR", no_color, 1);
  setenv("TERM", "xterm", 1);
  execv(rig->argv[0], (char *const *)(uintptr_t)rig->argv);
  _exit(98);
}

/* Runs it to its end and gives what the terminal showed; asserts status 0. */
static void run_tty(struct command_rig *rig, char *text, const char *no_color,
                    const char *const *args) {
  size_t len = 0;
  int status;
  command_rig_args(rig, args);
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  const char *name = ptsname(master);
  assert_non_null(name);
  /* Held open, so that reading waits until the child has come. */
  int held = open(name, O_RDWR | O_NOCTTY);
  assert_true(held >= 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    become(rig, name, no_color);
  /* Little is written, so the terminal's buffer holds it. */
  assert_int_equal(waitpid(pid, &status, 0), pid);
  close(held);
  for (;;) {
    ssize_t got = read(master, text + len, TEXT_BYTES - 1 - len);
    if (got <= 0)
      break;
    len += (size_t)got;
  }
  close(master);
  text[len] = '\0';
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_tty(const char *no_color, const char *const *args,
                      const char *there, const char *absent) {
  static char text[TEXT_BYTES];
  struct command_rig rig;
  command_rig_open(&rig, SCRIPTS(hostile), 1);
  run_tty(&rig, text, no_color, args);
  if (strstr(text, there) == NULL)
    print_error("not there: %s\nin: %s\n", there, text);
  assert_non_null(strstr(text, there));
  if (absent != NULL)
    assert_null(strstr(text, absent));
  command_rig_close(&rig);
}

void command_life_terminal_colour(void **state) {
  (void)state;
  check_tty(NULL, ARGS("-q", "--no-reconnect", "<U>"),
            "\x1b[2mup 7 \x1b[0ma\\x1b[31m\\x07\tb\\x7f\\x9b1m\xc3\xa4"
            "\xef\xbf\xbd\\u202e\n",
            "\x1b[31m");
}

void command_life_terminal_no_color(void **state) {
  (void)state;
  check_tty("1", ARGS("-q", "--no-reconnect", "<U>"), "up 7 a\\x1b[31m",
            "\x1b");
}

void command_life_terminal_json(void **state) {
  (void)state;
  check_tty(
      NULL, ARGS("-q", "-fjson", "--no-reconnect", "<U>"),
      "\"a\\u001B[31m\\u0007\\tb\\u007F\\u009B1m\xc3\xa4\xef\xbf\xbd\\u202E\"",
      "\x1b");
}

void command_life_terminal_notes(void **state) {
  (void)state;
  check_tty(NULL, ARGS("-fdata", "--no-reconnect", "<U>"),
            "/feed: connected (200, ", "\x1b");
}
