/* Eight sessions at once, in one process, on one loop: starts the session
 * server beside it, has each connection cut once, and shows that nothing is
 * lost and nothing comes twice.
 *
 *   runnel-demo [--tls FOLDER] [path of session-server]
 *
 * With --tls all of it goes over https: FOLDER holds the server's cert.pem and
 * key.pem, and ca.pem, whom alone the client trusts. The table then says how
 * many handshakes were full ones, and how many an earlier session made short.
 *
 * Exit status 0 only if each session gave all its events, in order, once, and
 * was really cut and continued. */
#include <runnel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SESSIONS 8
#define EVENTS 25
#define GIVE_UP_MS 9000

/* The program's arguments say the same to the server. */
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

struct session {
  unsigned number;
  unsigned long last_id;
  unsigned events;
  unsigned opens;
  unsigned lost;
  unsigned duplicated;
  int complete;
};

static struct {
  uv_loop_t loop;
  uv_process_t server;
  uv_pipe_t to_server; /* its end tells the server to end */
  uv_pipe_t from_server;
  uv_timer_t give_up;
  runnel_client *client;
  const char *folder; /* of certificates; NULL: no TLS */
  runnel_tls *tls;
  struct runnel_client_stats stats; /* the last ones */
  struct session sessions[SESSIONS];
  char port[16];
  size_t port_len;
  int failed;
  int colour;
  int ending;
} demo;

static const char *dim(void) { return demo.colour ? "\x1b[2m" : ""; }
static const char *plain(void) { return demo.colour ? "\x1b[0m" : ""; }

static void close_handle(uv_handle_t *handle, void *user) {
  (void)user;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

/* Ends the server by closing its standard input, and everything else. */
static void end_all(void *user) {
  (void)user;
  if (uv_is_active((uv_handle_t *)&demo.server))
    uv_process_kill(&demo.server, SIGTERM);
  uv_walk(&demo.loop, close_handle, NULL);
}

static void finish(void) {
  if (demo.ending)
    return;
  demo.ending = 1;
  if (demo.client == NULL) {
    end_all(NULL);
  } else {
    demo.stats = *runnel_client_stats(demo.client);
    runnel_client_close(demo.client, end_all, NULL);
  }
}

static void fail(const char *what, const char *why) {
  fprintf(stderr, "runnel-demo: %s: %s\n", what, why);
  demo.failed = 1;
  finish();
}

static void count(struct session *session, unsigned long id) {
  session->events++;
  if (id <= session->last_id) {
    session->duplicated++;
    return;
  }
  session->lost += (unsigned)(id - session->last_id - 1);
  session->last_id = id;
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  struct session *session = user;
  printf("%s[%u] %3s%s  %-9s  %s\n", dim(), session->number, event->id, plain(),
         event->type, event->data);
  count(session, strtoul(event->id, NULL, 10));
  if (strcmp(event->type, "complete") == 0) {
    session->complete = 1;
    runnel_stream_close(stream);
  }
  return RUNNEL_OK;
}

static void on_open(runnel_stream *stream, const struct runnel_open *open,
                    void *user) {
  struct session *session = user;
  (void)stream;
  session->opens++;
  printf("%s[%u]      %s to %s%s%s%s%s\n", dim(), session->number,
         session->opens == 1 ? "connected" : "connected again", open->peer,
         open->tls_version == NULL ? "" : ", ",
         open->tls_version == NULL ? "" : open->tls_version,
         open->tls_resumed ? ", resumed" : "", plain());
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  struct session *session = user;
  (void)stream;
  printf("[%u]      %s (%s); goes on after %s in %lld ms\n", session->number,
         end->text, runnel_err_name(end->code),
         runnel_stream_last_event_id(stream, NULL),
         (long long)verdict->delay_ms);
}

static void on_close(runnel_stream *stream, int code, void *user) {
  static unsigned closed;
  struct session *session = user;
  (void)stream;
  if (code != RUNNEL_OK && code != RUNNEL_ECANCELED)
    fprintf(stderr, "runnel-demo: session %u: %s\n", session->number,
            runnel_strerror(code));
  if (++closed == SESSIONS)
    finish();
}

static int open_session(struct session *session) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char base[64];
  char name[32];
  char url[256];
  snprintf(base, sizeof base, "%s://127.0.0.1:%s/stream",
           demo.tls == NULL ? "http" : "https", demo.port);
  snprintf(name, sizeof name, "session-%u", session->number);
  if (runnel_url_add_query(url, sizeof url, base, "sessionId", name) !=
      RUNNEL_OK)
    return -1;
  options.url = url;
  options.user = session;
  options.tls = demo.tls;
  options.on_open = on_open;
  options.on_event = on_event;
  options.on_end = on_end;
  options.on_close = on_close;
  if (runnel_stream_open(NULL, demo.client, &options) == RUNNEL_OK)
    return 0;
  fail("open", options.error_text);
  return -1;
}

/* The path of a file with certificates; what snprintf cuts is not found. */
static const char *certificate(char *dst, size_t size, const char *name) {
  snprintf(dst, size, "%s/%s", demo.folder, name);
  return dst;
}

static int load_tls(void) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char ca[4096];
  if (demo.folder == NULL)
    return 0;
  options.ca_file = certificate(ca, sizeof ca, "ca.pem");
  if (runnel_tls_new(&demo.tls, &options) == RUNNEL_OK)
    return 0;
  fail("TLS", options.error_text);
  return -1;
}

static void subscribe(void) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  if (load_tls() != 0)
    return;
  int code = runnel_client_new(&demo.client, &demo.loop, &options);
  if (code != RUNNEL_OK) {
    demo.client = NULL;
    fail("client", runnel_strerror(code));
    return;
  }
  for (unsigned i = 0; i < SESSIONS; i++) {
    demo.sessions[i].number = i + 1;
    if (open_session(&demo.sessions[i]) != 0)
      return;
  }
}

/* The server's one line: its port. */
static void on_port(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf) {
  (void)buf;
  if (got < 0) {
    uv_read_stop(stream);
    if (demo.client == NULL)
      fail("server", uv_strerror((int)got));
    return;
  }
  demo.port_len += (size_t)got;
  char *end = memchr(demo.port, '\n', demo.port_len);
  if (end == NULL && demo.port_len + 1 < sizeof demo.port)
    return;
  uv_read_stop(stream);
  if (end != NULL)
    *end = '\0';
  subscribe();
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  (void)handle;
  (void)size;
  *buf = uv_buf_init(demo.port + demo.port_len,
                     (unsigned)(sizeof demo.port - 1 - demo.port_len));
}

static void on_exit_of_server(uv_process_t *process, int64_t status,
                              int number) {
  (void)process;
  (void)status;
  (void)number;
  if (!demo.ending)
    fail("server", "it ended too early");
}

static void on_give_up(uv_timer_t *timer) {
  (void)timer;
  fail("time", "not all events came");
}

static int start_server(char *path) {
  static char drop[] = "--drop";
  static char sessions[] = "--sessions";
  static char sessions_number[] = TEXT(SESSIONS);
  static char events[] = "--events";
  static char events_number[] = TEXT(EVENTS);
  static char cert_option[] = "--cert";
  static char key_option[] = "--key";
  char cert[4096];
  char key[4096];
  char *args[] = {path,   drop,          sessions, sessions_number,
                  events, events_number, NULL,     NULL,
                  NULL,   NULL,          NULL};
  uv_stdio_container_t stdio[3];
  uv_process_options_t options;
  if (demo.folder != NULL) {
    certificate(cert, sizeof cert, "cert.pem");
    certificate(key, sizeof key, "key.pem");
    args[6] = cert_option;
    args[7] = cert;
    args[8] = key_option;
    args[9] = key;
  }
  memset(&options, 0, sizeof options);
  uv_pipe_init(&demo.loop, &demo.to_server, 0);
  uv_pipe_init(&demo.loop, &demo.from_server, 0);
  stdio[0].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE);
  stdio[0].data.stream = (uv_stream_t *)&demo.to_server;
  stdio[1].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
  stdio[1].data.stream = (uv_stream_t *)&demo.from_server;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = STDERR_FILENO;
  options.file = path;
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_exit_of_server;
  int code = uv_spawn(&demo.loop, &demo.server, &options);
  if (code != 0) {
    fail(path, uv_strerror(code));
    return -1;
  }
  return uv_read_start((uv_stream_t *)&demo.from_server, give_room, on_port);
}

/* The table; 0 if all is as it should be. */
static int judge(void) {
  int wrong = demo.failed;
  printf("\n%-10s %8s %11s %6s %11s\n", "session", "events", "reconnects",
         "lost", "duplicated");
  for (unsigned i = 0; i < SESSIONS; i++) {
    const struct session *session = &demo.sessions[i];
    unsigned again = session->opens > 1 ? session->opens - 1 : 0;
    printf("session-%-2u %8u %11u %6u %11u\n", session->number, session->events,
           again, session->lost, session->duplicated);
    wrong |= session->events != EVENTS || session->last_id != EVENTS ||
             session->lost != 0 || session->duplicated != 0 ||
             !session->complete || again != 1;
  }
  if (demo.tls != NULL)
    printf("\nTLS handshakes: %llu full, %llu resumed\n",
           (unsigned long long)demo.stats.handshakes_full,
           (unsigned long long)demo.stats.handshakes_resumed);
  printf("\n%s\n", wrong ? "Something is missing."
                         : "Every connection was cut once; nothing was lost, "
                           "nothing came twice.");
  return wrong;
}

/* Beside this program. 0 or -1. */
static int find_server(char *path, size_t size) {
  static const char name[] = "session-server";
  size_t len = size - sizeof name;
  if (uv_exepath(path, &len) != 0)
    return -1;
  char *slash = strrchr(path, '/');
  memcpy(slash == NULL ? path : slash + 1, name, sizeof name);
  return 0;
}

int main(int argc, char **argv) {
  char path[4096];
  const char *no_color = getenv("NO_COLOR");
  int at = 1;
  demo.colour =
      isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 2 && strcmp(argv[1], "--tls") == 0) {
    demo.folder = argv[2];
    at = 3;
  }
  if (argc > at)
    snprintf(path, sizeof path, "%s", argv[at]);
  else if (find_server(path, sizeof path) != 0)
    return 1;
  if (uv_loop_init(&demo.loop) != 0)
    return 1;
  uv_timer_init(&demo.loop, &demo.give_up);
  uv_timer_start(&demo.give_up, on_give_up, GIVE_UP_MS, 0);
  start_server(path);
  uv_run(&demo.loop, UV_RUN_DEFAULT);
  uv_loop_close(&demo.loop);
  int wrong = judge();
  runnel_tls_release(demo.tls);
  return wrong;
}
