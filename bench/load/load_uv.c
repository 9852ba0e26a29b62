/* The client `uv+llhttp`: uv_poll, recv, llhttp, memchr for newlines in what
 * llhttp's body callback gets. What a client on runnel's own two libraries
 * cannot go below. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <llhttp.h>
#include <uv.h>

#include "load.h"

struct uv_conn {
  uv_poll_t *poll; /* NULL: closed; freed by its close callback */
  int fd;
  int asked; /* the request was sent */
  struct load_lines lines;
  struct load_tally tally;
  llhttp_t parser;
};

static struct {
  struct load_session *session;
  struct uv_conn *conns;
  uv_loop_t loop;
  llhttp_settings_t settings;
} self;

static void begin(struct uv_conn *conn);

static int on_headers_complete(llhttp_t *parser) {
  if (parser->status_code != 200)
    load_fail("uv+llhttp: status");
  load_session_opened(self.session);
  return 0;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t len) {
  struct uv_conn *conn = parser->data;
  load_lines_feed(&conn->lines, self.session, &conn->tally, bytes, len);
  return 0;
}

static void free_poll(uv_handle_t *handle) { free(handle); }

static void close_conn(struct uv_conn *conn) {
  uv_poll_stop(conn->poll);
  uv_close((uv_handle_t *)conn->poll, free_poll);
  conn->poll = NULL;
  close(conn->fd);
}

static void end(struct uv_conn *conn) {
  close_conn(conn);
  if (load_session_ended(self.session, &conn->tally))
    begin(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void ask(struct uv_conn *conn) {
  load_raw_ask(self.session, conn->fd, &conn->tally);
  conn->asked = 1;
  uv_poll_start(conn->poll, UV_READABLE, on_ready);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  static char buffer[LOAD_READ_BYTES];
  struct uv_conn *conn = poll->data;
  (void)events;
  if (self.session->done)
    return;
  if (status == 0 && !conn->asked) {
    ask(conn);
    return;
  }
  ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);
  if (got > 0) {
    if (llhttp_execute(&conn->parser, buffer, (size_t)got) != HPE_OK)
      load_fail("uv+llhttp: malformed");
  } else if (got == 0 || errno != EAGAIN) {
    end(conn);
  }
  if (self.session->done)
    uv_stop(&self.loop);
}

static void begin(struct uv_conn *conn) {
  conn->fd = load_raw_connect(self.session, (int)(conn - self.conns));
  conn->asked = 0;
  conn->lines.kept_len = 0;
  llhttp_init(&conn->parser, HTTP_RESPONSE, &self.settings);
  conn->parser.data = conn;
  conn->poll = malloc(sizeof *conn->poll);
  if (conn->poll == NULL ||
      uv_poll_init_socket(&self.loop, conn->poll, conn->fd) != 0)
    load_fail("uv+llhttp: poll");
  conn->poll->data = conn;
  uv_poll_start(conn->poll, UV_WRITABLE, on_ready);
}

void load_uv_run(struct load_session *session) {
  int connections = session->plan.connections;
  self.session = session;
  llhttp_settings_init(&self.settings);
  self.settings.on_headers_complete = on_headers_complete;
  self.settings.on_body = on_body;
  self.conns = calloc((size_t)connections, sizeof self.conns[0]);
  if (self.conns == NULL || uv_loop_init(&self.loop) != 0)
    load_fail("uv+llhttp: memory");
  for (int i = 0; i < connections; i++) {
    load_tally_init(&self.conns[i].tally, session);
    begin(&self.conns[i]);
  }
  uv_run(&self.loop, UV_RUN_DEFAULT);
  for (int i = 0; i < connections; i++)
    if (self.conns[i].poll != NULL)
      close_conn(&self.conns[i]);
  uv_run(&self.loop, UV_RUN_DEFAULT);
  uv_loop_close(&self.loop);
  free(self.conns);
}
