/* nginx and what stands behind it. Sessions: each has events 1 to
 * SESSION_EVENTS; the first connection of each is cut in the middle of one, the
 * next goes on after the Last-Event-ID that it names. */
#include "e2e_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempdir.h"

struct e2e_world e2e;

/* The upstream ------------------------------------------------------------- */

/* `bytes` as chunks of 7 bytes, so that chunks cut lines, events, characters.
 */
static void write_chunks(struct peer_out *out, const char *bytes, size_t len) {
  for (size_t at = 0; at < len; at += 7) {
    size_t piece = len - at < 7 ? len - at : 7;
    peer_printf(out, "%zx\r\n", piece);
    peer_write(out, bytes + at, piece);
    peer_write(out, "\r\n", 2);
  }
}

static void write_head(struct peer_out *out, int chunked) {
  peer_printf(
      out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\n",
      chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n");
}

static void print_session_event(char *dst, size_t size, long session, int id) {
  snprintf(dst, size, "event: %s\nid: %d\nretry: 100\ndata: %ld/%d\n\n",
           id == SESSION_EVENTS ? "complete" : "content", id, session, id);
}

/* Session: without an id, events up to the cut, half of the next, and a reset;
 * with one, what follows it. */
static enum peer_then answer_session(struct peer_out *out,
                                     const struct peer_request *request,
                                     int chunked) {
  char text[64];
  long session = strtol(strchr(request->target, '=') + 1, NULL, 10);
  int id = 0, cut = 1;
  if (peer_header(request, "Last-Event-ID", text, sizeof text) != NULL) {
    id = atoi(text);
    cut = 0;
  }
  int last = cut ? SESSION_CUT + 1 : SESSION_EVENTS;
  write_head(out, chunked);
  while (id < last) {
    char event[128];
    print_session_event(event, sizeof event, session, ++id);
    size_t len = strlen(event);
    if (cut && id == last)
      len /= 2;
    if (chunked)
      write_chunks(out, event, len);
    else
      peer_write(out, event, len);
  }
  if (cut)
    return PEER_THEN_RESET;
  if (chunked)
    peer_printf(out, "0\r\n\r\n");
  return PEER_THEN_CLOSE;
}

static enum peer_then answer_tour(struct peer_out *out, int chunked) {
  write_head(out, chunked);
  if (!chunked) {
    peer_write(out, e2e.tour, e2e.tour_len);
    return PEER_THEN_CLOSE;
  }
  write_chunks(out, e2e.tour, e2e.tour_len);
  peer_printf(out, "0\r\n\r\n");
  return PEER_THEN_CLOSE;
}

/* nginx asks by HTTP/1.1 for what is to be chunked, by 1.0 for the rest. */
static enum peer_then answer(struct peer_out *out,
                             const struct peer_request *request,
                             size_t connection, void *user) {
  (void)connection;
  (void)user;
  int chunked = strstr(request->head, " HTTP/1.1\r\n") != NULL;
  if (strncmp(request->target, "/session", 8) == 0)
    return answer_session(out, request, chunked);
  return answer_tour(out, chunked);
}

static const struct peer_step upstream_script[] = {PEER_READ(), PEER_DO(answer),
                                                   PEER_END()};
static const struct peer_step *const upstream_scripts[] = {upstream_script};

/* Set-up ------------------------------------------------------------------- */

static const char locations[] =
    "location /static/ { alias %s/data/; }\n"
    "location /shared/ { alias %s/; }\n"
    "location /made/ { alias %s/; }\n"
    "location /gzip/ { alias %s/data/; gzip on; gzip_min_length 1;\n"
    "  gzip_types text/event-stream; }\n"
    "location /gzipped/ { alias %s/data/;\n"
    "  add_header Content-Encoding gzip; }\n"
    "location /chunked/ { proxy_pass http://127.0.0.1:%d/;\n"
    "  proxy_http_version 1.1; proxy_buffering off; }\n"
    "location /close/ { proxy_pass http://127.0.0.1:%d/;\n"
    "  proxy_http_version 1.0; proxy_buffering off;\n"
    "  chunked_transfer_encoding off; }\n"
    "location /late/ { proxy_pass http://127.0.0.1:%d/;\n"
    "  proxy_http_version 1.1; proxy_buffering off; }\n"
    "error_page 404 /answers/404.json;\n"
    "location /answers/ { alias %s/data/; }\n"
    "location = /broken { error_page 500 /answers/500.json; return 500; }\n"
    "location = /busy { add_header Retry-After 7 always;\n"
    "  return 503 'come later'; }\n"
    "location = /over { return 204; }\n"
    "location = /plain { default_type text/plain; return 200 'data: x'; }\n"
    "location = /301 { return 301 /static/tour.events; }\n"
    "location = /302 { return 302 /static/tour.events; }\n"
    "location = /303 { return 303 /static/tour.events; }\n"
    "location = /307 { return 307 /static/tour.events; }\n"
    "location = /308 { return 308 /static/tour.events; }\n"
    "location = /hops { return 302 /301; }\n"
    "location = /loop { return 302 /loop; }\n";

void e2e_print_made(char *dst, int id) {
  int filler = id % 100 == 0 ? 70000 : id % 90;
  snprintf(dst, E2E_MADE_BYTES_MAX, "%d %0*d", id, filler + 1, id % 7);
}

static void make_file(void) {
  size_t cap = MADE_EVENTS * 160 + MADE_EVENTS / 100 * 70200, len = 0;
  char *text = malloc(cap), *data = malloc(E2E_MADE_BYTES_MAX);
  if (text == NULL || data == NULL)
    abort();
  for (int id = 1; id <= MADE_EVENTS; id++) {
    e2e_print_made(data, id);
    len += (size_t)snprintf(text + len, cap - len,
                            "id: %d\nevent: made%d\ndata: %s\n\n", id, id % 3,
                            data);
  }
  tempdir_write(e2e.made_dir, "made.events", text, len);
  free(data);
  free(text);
}

int e2e_set_up(void **state) {
  (void)state;
  const char *dir = RUNNEL_TEST_DIR;
  struct peer_options options = {.scripts = upstream_scripts, .scripts_len = 1};
  e2e.tour = file_read(RUNNEL_TEST_DIR "/data/tour.events", &e2e.tour_len);
  e2e.made_dir = tempdir_make();
  make_file();
  e2e.upstream = peer_new(&options);
  options.deaf = 1;
  e2e.late = peer_new(&options);
  if (e2e.tour == NULL || e2e.upstream == NULL || e2e.late == NULL)
    return -1;
  char config[sizeof locations + 8192];
  int port = peer_port(e2e.upstream);
  snprintf(config, sizeof config, locations, dir, SHARED_DIR, e2e.made_dir, dir,
           dir, port, port, peer_port(e2e.late), dir);
  e2e.nginx = nginx_start(config);
  return 0; /* without nginx each test fails by itself */
}

int e2e_tear_down(void **state) {
  (void)state;
  nginx_stop(e2e.nginx);
  peer_free(e2e.late);
  peer_free(e2e.upstream);
  tempdir_remove(e2e.made_dir);
  free(e2e.tour);
  return 0;
}
