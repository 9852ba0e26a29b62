/* Gate R2, second half: libuv's own allocations fail, the k-th and from the
 * k-th on, for every k, while a client on its own loop is made, subscribes,
 * reconnects and is closed. What follows is an error or success, never a crash
 * or a leak. (The library's own allocations: the stories' oom lens.)
 *
 * Each point is a process of its own, for the allocator must be given to libuv
 * before anything else.
 *
 * Where libuv itself gives up there is nothing that a library could do: in
 * uv__io_start, when the table of watchers cannot grow (maybe_resize), which is
 * its only realloc. Up to 1.50 it calls abort(), later it frees the table and
 * goes on to use it (1.53 too). An abort after any other allocation fails
 * the test. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define EVENTS 3
#define POINTS_MAX 50
#define CHILD_S 30
#define FDS_MAX 150 /* more than libuv's first table of watchers holds */

/* How a point ends: the child's exit status. */
enum {
  POINT_NONE = 10, /* there are fewer allocations: the sweep is over */
  POINT_SUCCESS,
  POINT_REFUSED, /* no client: RUNNEL_ENOMEM */
  POINT_UV_GIVES_UP,
  POINT_WRONG_ABORT,
  POINT_WRONG_CODE,
  POINT_LEAK,
  POINT_LOST /* events are missing */
};

static struct {
  size_t calls;
  size_t fail_at;
  int for_ever;
  size_t failed;
  int in_realloc; /* the last failure was one */
  void *ungrown;  /* what that one was to enlarge */
  long live;
} memory;

static int is_refused(int in_realloc) {
  memory.calls++;
  if (memory.for_ever ? memory.calls < memory.fail_at
                      : memory.calls != memory.fail_at)
    return 0;
  memory.failed++;
  memory.in_realloc = in_realloc;
  return 1;
}

static void *keep(void *block) {
  memory.live += block != NULL;
  return block;
}

static void *uv_malloc(size_t size) {
  return is_refused(0) ? NULL : keep(malloc(size));
}

static void *uv_calloc(size_t count, size_t size) {
  return is_refused(0) ? NULL : keep(calloc(count, size));
}

static void *uv_realloc(void *block, size_t size) {
  if (is_refused(1)) {
    memory.ungrown = block;
    return NULL;
  }
  void *moved = realloc(block, size);
  return block == NULL ? keep(moved) : moved;
}

static void uv_free(void *block) {
  if (block != NULL && block == memory.ungrown)
    _exit(POINT_UV_GIVES_UP);
  memory.live -= block != NULL;
  free(block);
}

static void on_abort(int number) {
  (void)number;
  _exit(memory.failed > 0 && memory.in_realloc ? POINT_UV_GIVES_UP
                                               : POINT_WRONG_ABORT);
}

/* The life ----------------------------------------------------------------- */

static const struct peer_step script[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                          PEER_CHUNK("data: a\n\n"),
                                          PEER_LAST_CHUNK(), PEER_END()};
static const struct peer_step *const scripts[] = {script};

struct life {
  int events;
  int closed;
};

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  struct life *life = user;
  (void)event;
  if (++life->events == EVENTS)
    (void)runnel_stream_close(stream);
  return RUNNEL_OK;
}

static void on_close(runnel_stream *stream, int code, void *user) {
  struct life *life = user;
  (void)stream;
  life->closed += code == RUNNEL_ECANCELED ? 1 : 100;
}

/* Returns a POINT_, or 0 while nothing is wrong. */
static int subscribe(runnel_client *client, struct peer *peer) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct life life = {0};
  char url[64];
  snprintf(url, sizeof url, "http://localhost:%d/", peer_port(peer));
  options.url = url;
  options.user = &life;
  options.retry_ms = 1;
  options.on_event = on_event;
  options.on_close = on_close;
  for (int fd = 0; fd >= 0 && fd < FDS_MAX;)
    fd = dup(0);
  if (runnel_stream_open(NULL, client, &options) != RUNNEL_OK)
    return POINT_WRONG_CODE;
  (void)runnel_client_run(client);
  return life.events == EVENTS && life.closed == 1 ? 0 : POINT_LOST;
}

static int live_through(struct peer *peer) {
  runnel_client *client = NULL;
  int code = runnel_client_new(&client, NULL, NULL);
  if (code != RUNNEL_OK)
    return code == RUNNEL_ENOMEM && memory.failed > 0 ? POINT_REFUSED
                                                      : POINT_WRONG_CODE;
  int point = subscribe(client, peer);
  if (runnel_client_close(client, NULL, NULL) != RUNNEL_OK ||
      runnel_client_run(client) != RUNNEL_OK)
    return POINT_WRONG_CODE;
  return point != 0 ? point : memory.failed > 0 ? POINT_SUCCESS : POINT_NONE;
}

/* In the child. */
static int try_point(size_t at, int for_ever) {
  struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  signal(SIGABRT, on_abort);
  alarm(CHILD_S);
  memory.fail_at = at;
  memory.for_ever = for_ever;
  if (uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, uv_free) != 0)
    return POINT_WRONG_CODE;
  struct peer *peer = peer_new(&options);
  int point = peer == NULL ? POINT_WRONG_CODE : live_through(peer);
  peer_free(peer);
  return memory.live == 0 ? point : POINT_LEAK;
}

static int point_of(size_t at, int for_ever) {
  int status = 0;
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    exit(try_point(at, for_ever)); /* with its leak check */
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void sweep(int for_ever) {
  size_t seen[POINT_LOST + 1] = {0};
  int point = 0;
  for (size_t at = 1; point != POINT_NONE; at++) {
    assert_true(at < POINTS_MAX);
    point = point_of(at, for_ever);
    if (point < POINT_NONE || point > POINT_UV_GIVES_UP)
      fail_msg("allocation %zu%s: exit status %d", at,
               for_ever ? " and all after" : "", point);
    seen[point]++;
  }
  print_message("             %zu refused, %zu without effect, %zu times libuv "
                "gives up\n",
                seen[POINT_REFUSED], seen[POINT_SUCCESS],
                seen[POINT_UV_GIVES_UP]);
  assert_true(seen[POINT_REFUSED] > 0);
}

static void libuv_has_no_memory_once(void **state) {
  (void)state;
  sweep(0);
}

static void libuv_has_no_memory_any_more(void **state) {
  (void)state;
  sweep(1);
}

int runnel__test_uvalloc(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(libuv_has_no_memory_once),
      cmocka_unit_test(libuv_has_no_memory_any_more),
  };
  return cmocka_run_group_tests_name("uvalloc", tests, NULL, NULL);
}
