/* Runs nginx for a test: a configuration in a temporary directory, in the
 * foreground, one worker, as the user that runs the test. It is ready when its
 * log says that the worker was started, for by then it listens. */
#include "nginx.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spawn.h"
#include "tempdir.h"

#define TRIES 5

struct nginx {
  struct spawn *spawn;
  char *dir;
  int port;
  int tls;
};

/* Where nginx is; NULL: nowhere. Debian's sbin is not in every user's PATH. */
static const char *find_program(char *dst, size_t size) {
  const char *path = getenv("PATH");
  char dirs[4096];
  snprintf(dirs, sizeof dirs, "%s:/usr/sbin:/usr/local/sbin:/sbin",
           path == NULL ? "" : path);
  for (char *rest = NULL, *dir = strtok_r(dirs, ":", &rest); dir != NULL;
       dir = strtok_r(NULL, ":", &rest)) {
    int len = snprintf(dst, size, "%s/nginx", dir);
    if (len > 0 && (size_t)len < size && access(dst, X_OK) == 0)
      return dst;
  }
  return NULL;
}

/* A port that nobody listens on now; nginx_start tries again should another
 * process take it meanwhile. */
static int find_port(void) {
  struct sockaddr_in addr = {.sin_family = AF_INET};
  socklen_t len = sizeof addr;
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int port = 0;
  if (bind(fd, (struct sockaddr *)&addr, len) == 0 &&
      getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
    port = ntohs(addr.sin_port);
  close(fd);
  return port;
}

static void write_config(const struct nginx *nginx, const char *locations) {
  static const char format[] =
      "%s\n"
      "daemon off;\n"
      "worker_processes 1;\n"
      "pid %s/nginx.pid;\n"
      "error_log stderr notice;\n"
      "events { worker_connections 2048; }\n"
      "http {\n"
      "  error_log %s/error.log info;\n"
      "  access_log off;\n"
      "  client_body_temp_path %s/body;\n"
      "  proxy_temp_path %s/proxy;\n"
      "  fastcgi_temp_path %s/fastcgi;\n"
      "  uwsgi_temp_path %s/uwsgi;\n"
      "  scgi_temp_path %s/scgi;\n"
      "  default_type application/octet-stream;\n"
      "  types { text/event-stream events; application/json json; }\n"
      "  server {\n"
      "    listen 127.0.0.1:%d%s;\n"
      "    %s\n"
      "  }\n"
      "}\n";
  const char *dir = nginx->dir;
  size_t size = sizeof format + strlen(locations) + 8 * strlen(dir) + 64;
  char *text = malloc(size);
  if (text == NULL)
    abort();
  int len = snprintf(text, size, format, geteuid() == 0 ? "user root;" : "",
                     dir, dir, dir, dir, dir, dir, dir, nginx->port,
                     nginx->tls ? " ssl" : "", locations);
  tempdir_write(dir, "nginx.conf", text, (size_t)len);
  free(text);
}

static int try_start(struct nginx *nginx, const char *program,
                     const char *locations) {
  char config[4096];
  nginx->port = find_port();
  write_config(nginx, locations);
  tempdir_path(nginx->dir, "nginx.conf", config, sizeof config);
  const char *argv[] = {program, "-p", nginx->dir, "-c", config, NULL};
  struct spawn_options options = {.argv = argv, .watchdog_s = 600};
  nginx->spawn = spawn_start(&options);
  if (nginx->spawn == NULL)
    return -1;
  return spawn_wait_for(nginx->spawn, "start worker process ");
}

/* Ends it and gives what it wrote to standard error, to be freed. */
static char *end_process(struct nginx *nginx) {
  struct spawn_result result;
  if (nginx->spawn == NULL)
    return NULL;
  spawn_signal(nginx->spawn, SIGTERM);
  spawn_finish(nginx->spawn, &result);
  nginx->spawn = NULL;
  free(result.out);
  return result.err;
}

static struct nginx *start(const char *locations, int tls) {
  char program[4200];
  if (find_program(program, sizeof program) == NULL) {
    fprintf(stderr, "nginx is not installed; these tests need it (Debian: "
                    "apt-get install nginx-light)\n");
    return NULL;
  }
  struct nginx *nginx = calloc(1, sizeof *nginx);
  if (nginx == NULL)
    abort();
  nginx->dir = tempdir_make();
  nginx->tls = tls;
  for (int i = 0; i < TRIES; i++) {
    if (try_start(nginx, program, locations) == 0)
      return nginx;
    char *said = end_process(nginx);
    fprintf(stderr, "nginx did not start: %s\n", said == NULL ? "" : said);
    free(said);
  }
  tempdir_remove(nginx->dir);
  free(nginx);
  return NULL;
}

struct nginx *nginx_start(const char *locations) {
  return start(locations, 0);
}

struct nginx *nginx_start_tls(const char *locations) {
  return start(locations, 1);
}

int nginx_port(const struct nginx *nginx) { return nginx->port; }

const char *nginx_url(const struct nginx *nginx, const char *target, char *dst,
                      size_t size) {
  int len = snprintf(dst, size, "http%s://127.0.0.1:%d%s",
                     nginx->tls ? "s" : "", nginx->port, target);
  if (len < 0 || (size_t)len >= size)
    abort();
  return dst;
}

void nginx_stop(struct nginx *nginx) {
  if (nginx == NULL)
    return;
  free(end_process(nginx));
  tempdir_remove(nginx->dir);
  free(nginx);
}
