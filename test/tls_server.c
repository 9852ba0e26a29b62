/* Runs openssl s_server for a test. It listens when it prints ACCEPT and the
 * port that the system chose. */
#include "tls_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_MAX 64
#define LISTENS "ACCEPT 127.0.0.1:"

struct tls_server {
  struct spawn *spawn;
  int port;
};

/* cd comes first, for files are served from the folder it runs in. */
static const char *const first[] = {
    "sh",      "-c",         "cd \"$0\" && exec \"$@\" 2>&1",
    NULL,      "openssl",    "s_server",
    "-accept", "127.0.0.1:0"};
#define FIRST_LEN (sizeof first / sizeof *first)

struct tls_server *tls_server_start(const char *dir, const char *const *args) {
  const char *argv[ARGS_MAX] = {NULL};
  size_t len = FIRST_LEN;
  memcpy(argv, first, sizeof first);
  argv[3] = dir;
  for (; *args != NULL && len + 1 < ARGS_MAX; args++)
    argv[len++] = *args;
  assert_null(*args);
  struct spawn_options options = {
      .argv = argv, .input_stays_open = 1, .watchdog_s = 600};
  struct tls_server *server = calloc(1, sizeof *server);
  assert_non_null(server);
  server->spawn = spawn_start(&options);
  assert_non_null(server->spawn);
  if (spawn_wait_for(server->spawn, LISTENS) != 0) {
    print_error("s_server: %s\n", spawn_out(server->spawn));
    tls_server_stop(server, NULL);
    fail();
  }
  server->port =
      atoi(strstr(spawn_out(server->spawn), LISTENS) + sizeof LISTENS - 1);
  return server;
}

int tls_server_port(const struct tls_server *server) { return server->port; }

void tls_server_wait(struct tls_server *server, const char *text) {
  if (spawn_wait_for(server->spawn, text) != 0)
    fail_msg("s_server did not say \"%s\" but: %s", text,
             spawn_out(server->spawn));
}

void tls_server_write(struct tls_server *server, const char *text) {
  assert_int_equal(spawn_write(server->spawn, text, strlen(text)), 0);
}

void tls_server_stop(struct tls_server *server, char **said) {
  struct spawn_result result;
  if (server == NULL)
    return;
  spawn_signal(server->spawn, SIGTERM);
  spawn_finish(server->spawn, &result);
  free(result.err);
  if (said != NULL)
    *said = result.out;
  else
    free(result.out);
  free(server);
}
