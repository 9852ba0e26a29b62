/* Gate R4: every system call that the library reaches, its own and libuv's,
 * fails with each errno that it may have, at each of its occurrences, once and
 * from then on until relief; and every call is interrupted, and every read and
 * write moves one byte.
 *
 * Each point plays the same life against a scripted peer: two events, a clean
 * end, a reconnect that names the last id, a third event, close. Whatever
 * fails, all three events come once and in order, each failed attempt is told
 * with its errno, on_close comes once, and no memory and no descriptor stays.
 * Delays are not waited for: the clock skips them (fault_skip_ms).
 *
 * Left out, because libuv itself calls abort() then (1.44 to 1.53), so that no
 * library on it could do anything:
 *  - pipe2 and the mutexes of a process's first uv_loop_init;
 *  - epoll_ctl while libuv polls, but its trial of a descriptor is in here
 *    (EPOLL_CTL_CHECK; without EEXIST and a failing EPOLL_CTL_DEL, likewise);
 *  - epoll_wait, and read and write of its eventfd, with anything but EINTR
 *    (and EAGAIN for read), which the kernel does not give on a good
 *    descriptor.
 * And these, because nothing could be done about them:
 *  - clock_gettime, which cannot fail for a clock that exists; libuv would show
 *    0 for the time (the wall clock does fail, in clocks_test.c);
 *  - EAGAIN and EINTR for ever: the peer would be silent, the signal endless.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../scene.h"
#include "fault.h"
#include "fault_groups.h"

#define POINT_S 60       /* no point takes longer */
#define TURNS_MAX 20000  /* of the loop, for one point */
#define POINTS_MAX 64    /* occurrences of one call */
#define ENDS_TO_RELIEF 3 /* a lasting fault goes after so many */
#define SKIP_MS 1000     /* longer than any delay here */
#define ERRORS_MAX 12

/* What a lasting or single failure of a call leads to. */
struct row {
  enum fault_call call;
  int code;    /* of the failed attempt; OK: nobody notices */
  int lasting; /* 1: also from the k-th call on */
  int errors[ERRORS_MAX];
};

static const struct row rows[] = {
    {FAULT_SOCKET,
     RUNNEL_ECONNECT,
     1,
     {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT}},
    {FAULT_CONNECT,
     RUNNEL_ECONNECT,
     1,
     {ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENETDOWN,
      EADDRINUSE, EACCES, EPERM, EAGAIN, EADDRNOTAVAIL, ENOBUFS}},
    {FAULT_CONNECT, RUNNEL_OK, 1, {EINTR, EINPROGRESS}},
    {FAULT_GETSOCKOPT, RUNNEL_ECONNECT, 1, {ENOBUFS, ENOMEM, EINVAL}},
    {FAULT_SO_ERROR,
     RUNNEL_ECONNECT,
     1,
     {ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EPIPE,
      EADDRNOTAVAIL, ENOBUFS}},
    {FAULT_SETSOCKOPT,
     RUNNEL_OK,
     1,
     {ENOPROTOOPT, EINVAL, ENOBUFS, ENOMEM, EPERM}},
    {FAULT_GETPEERNAME, RUNNEL_ECONNECT, 1, {ENOTCONN, ENOBUFS}},
    {FAULT_GETSOCKNAME, RUNNEL_ECONNECT, 1, {ENOBUFS, EINVAL}},
    {FAULT_RECV,
     RUNNEL_ELOST,
     1,
     {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, EPIPE, EIO, ENOTCONN,
      ENOBUFS, ENOMEM}},
    {FAULT_RECV, RUNNEL_OK, 0, {EAGAIN, EINTR}},
    {FAULT_SEND,
     RUNNEL_ELOST,
     1,
     {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EPERM, EACCES,
      EMSGSIZE, ENOTCONN, ENOBUFS, ENOMEM}},
    {FAULT_SEND, RUNNEL_OK, 0, {EAGAIN, EINTR}},
    {FAULT_CLOSE, RUNNEL_OK, 1, {EINTR, EIO, EINPROGRESS, ENOSPC}},
    {FAULT_IOCTL, RUNNEL_ECONNECT, 1, {EIO, ENOMEM, EBADF}},
    {FAULT_IOCTL, RUNNEL_OK, 0, {EINTR, ENOTTY}},
    {FAULT_EPOLL_CTL_CHECK, RUNNEL_ECONNECT, 1, {ENOMEM, ENOSPC, EPERM}},
    {FAULT_EPOLL_WAIT, RUNNEL_OK, 0, {EINTR}},
    {FAULT_READ, RUNNEL_OK, 0, {EINTR, EAGAIN}},
    {FAULT_WRITE, RUNNEL_OK, 0, {EINTR}},
    {FAULT_GAI,
     RUNNEL_ERESOLVE,
     1,
     {EAI_AGAIN, EAI_FAIL, EAI_NONAME, EAI_FAMILY, EAI_SERVICE, EAI_MEMORY}},
    {FAULT_SYSTEM,
     RUNNEL_ERESOLVE,
     1,
     {EMFILE, ENFILE, ENOBUFS, ENOMEM, EIO, ECONNREFUSED}},
    {FAULT_RANDOM, RUNNEL_OK, 1, {ENOSYS, EPERM, EIO}},
    {FAULT_PTHREAD_CREATE, RUNNEL_ERESOURCE, 1, {EAGAIN, ENOMEM, EPERM}},
    {FAULT_ATTR_INIT, RUNNEL_ERESOURCE, 1, {ENOMEM}},
    {FAULT_ATTR_STACK, RUNNEL_OK, 1, {EINVAL}},
    {FAULT_MUTEX_INIT, RUNNEL_ERESOURCE, 1, {ENOMEM, EAGAIN}},
};

/* The point that is being tried ------------------------------------------- */

static char point[128];

static void name_point(const struct fault_plan *plan) {
  snprintf(
      point, sizeof point, "%s, call %u%s: %s", fault_call_name(plan->call),
      plan->at, plan->for_ever ? " and all after" : "",
      plan->call == FAULT_GAI ? gai_strerror(plan->err) : strerror(plan->err));
}

/* An abort or a hang is to say where. */
static void die(int number) {
  static const char text[] = "\nfault point: ";
  ssize_t unused = write(2, text, sizeof text - 1);
  unused = write(2, point, strlen(point));
  unused = write(2, "\n", 1);
  (void)unused;
  signal(number, SIG_DFL);
  raise(number);
}

/* The peer ----------------------------------------------------------------- */

#define EVENT(id, data) "id: " id "\ndata: " data "\n\n"

/* What follows the id that the request names. */
static enum peer_then answer(struct peer_out *out,
                             const struct peer_request *request,
                             size_t connection, void *user) {
  char id[16];
  (void)connection;
  (void)user;
  peer_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n");
  if (peer_header(request, "Last-Event-ID", id, sizeof id) == NULL)
    id[0] = '0';
  if (id[0] == '2') {
    peer_printf(out, "f\r\n" EVENT("3", "c") "\r\n");
    return PEER_THEN_STALL;
  }
  if (id[0] == '0')
    peer_printf(out, "f\r\n" EVENT("1", "a") "\r\n");
  peer_printf(out, "f\r\n" EVENT("2", "b") "\r\n0\r\n\r\n");
  return PEER_THEN_CLOSE;
}

static const struct peer_step script[] = {PEER_READ(), PEER_DO(answer),
                                          PEER_END()};
static const struct peer_step *const scripts[] = {script};

/* One life ----------------------------------------------------------------- */

struct life {
  struct peer *peer;
  const struct row *row; /* NULL: every failure would be wrong */
  int err;
  struct host host;
  struct feed feed;
  size_t failures;
};

static int is_resource(int err) {
  return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM ||
         err == EADDRNOTAVAIL || err == ENOSPC;
}

/* The code that this errno has to show as. */
static int expected_code(const struct row *row, int err) {
  if (row->call == FAULT_GAI)
    return err == EAI_MEMORY ? RUNNEL_ENOMEM : row->code;
  if (row->call == FAULT_SYSTEM && err == ENOMEM)
    return RUNNEL_ENOMEM;
  return is_resource(err) ? RUNNEL_ERESOURCE : row->code;
}

static int expected_native(const struct row *row, int err) {
  if (row->call == FAULT_GAI && err == EAI_MEMORY)
    return ENOMEM; /* as the memory of our own */
  int is_odd = row->call == FAULT_SYSTEM && !is_resource(err);
  return is_odd ? EAI_SYSTEM : err;
}

static void note_end(struct feed *feed, char what) {
  struct life *life = feed->data;
  if (what != 'n' || feed->code == RUNNEL_EEND)
    return;
  life->failures++;
  if (feed->ends == ENDS_TO_RELIEF)
    fault_relieve();
  if (life->row == NULL || life->row->code == RUNNEL_OK)
    fail_msg("%s: an end that nobody caused: %s", point, feed->text);
  if (feed->code != expected_code(life->row, life->err) ||
      feed->native != expected_native(life->row, life->err))
    fail_msg("%s: %s (%d)", point, feed->text, feed->native);
  if (!feed->retry || feed->failures == 0)
    fail_msg("%s: not tried again: %s", point, feed->text);
}

/* Turns the loop to the end of the stream; delays are skipped. */
static void turn_to_the_end(struct life *life) {
  for (int turns = 0; !life->feed.closed; turns++) {
    int state = runnel_stream_state(life->feed.stream);
    if (turns == TURNS_MAX)
      fail_msg("%s: it spins in state %s", point, runnel_state_name(state));
    if (state == RUNNEL_STATE_BACKING_OFF || state == RUNNEL_STATE_QUEUED) {
      fault_skip_ms(SKIP_MS);
      uv_run(&life->host.loop, UV_RUN_NOWAIT);
    } else {
      host_turn(&life->host);
    }
  }
}

static void check_events(const struct feed *feed) {
  if (feed->events_len != 3 || feed->closed != 1 ||
      feed->close_code != RUNNEL_ECANCELED)
    fail_msg("%s: %zu events, heard %s", point, feed->events_len, feed->heard);
  for (size_t i = 0; i < 3; i++)
    if (feed->events[i].data[0] != "abc"[i])
      fail_msg("%s: event %zu is %s", point, i, feed->events[i].data);
}

static void watch_stream(struct life *life) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[64];
  life->feed =
      (struct feed){.close_after = 3, .on_any = note_end, .data = life};
  options.retry_ms = 1;
  snprintf(url, sizeof url, "http://feed.test:%d/", peer_port(life->peer));
  feed_open(&life->feed, &life->host, url, &options);
  turn_to_the_end(life);
  check_events(&life->feed);
}

/* Plays the life under a plan; returns how many calls failed. */
static unsigned play(struct life *life, const struct fault_plan *plan) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  name_point(plan);
  alarm(POINT_S);
  life->failures = 0;
  life->err = plan->err;
  host_open_bare(&life->host);
  options.alloc = life->host.hooks;
  options.lookup_ttl_ms = options.lookup_negative_ttl_ms =
      options.lookup_stale_ms = RUNNEL_NONE;
  fault_begin(plan);
  int code = runnel_client_new(&life->host.client, &life->host.loop, &options);
  if (code == RUNNEL_OK) {
    watch_stream(life);
  } else {
    life->failures++;
    if (life->row == NULL || life->row->code != code)
      fail_msg("%s: no client: %s", point, runnel_err_name(code));
  }
  host_close(&life->host);
  unsigned hits = fault_end();
  feed_deinit(&life->feed);
  life->feed = (struct feed){0};
  if (fault_descriptors() != 0 || fault_bad_closes() != 0)
    fail_msg("%s: %d descriptors left, %d closed that were not open", point,
             fault_descriptors(), fault_bad_closes());
  return hits;
}

static void open_life(struct life *life) {
  struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  memset(life, 0, sizeof *life);
  life->peer = peer_new(&options);
  assert_non_null(life->peer);
  signal(SIGALRM, die);
  signal(SIGABRT, die);
}

static void close_life(struct life *life) {
  alarm(0);
  signal(SIGALRM, SIG_DFL);
  signal(SIGABRT, SIG_DFL);
  peer_free(life->peer);
}

/* Tests -------------------------------------------------------------------- */

/* Every occurrence of one failure, until a life has fewer of it. */
static unsigned try_error(struct life *life, int err, int for_ever) {
  for (unsigned at = 1; at <= POINTS_MAX; at++) {
    const struct fault_plan plan = {
        .call = life->row->call, .err = err, .at = at, .for_ever = for_ever};
    if (play(life, &plan) == 0)
      return at - 1;
    if (life->row->code != RUNNEL_OK && life->failures == 0)
      fail_msg("%s: nobody was told", point);
  }
  return POINTS_MAX;
}

/* From 1.53 on libuv reads its eventfd only when that is full, and takes it
 * that a write to it is never interrupted, which is so. */
static int is_done_by_libuv(enum fault_call call) {
  return (call != FAULT_READ && call != FAULT_WRITE) ||
         uv_version() < ((1 << 16) | (53 << 8));
}

static void each_call_fails_with_each_error(void **state) {
  (void)state;
  unsigned points = 0;
  for (size_t i = 0; i < LEN(rows); i++) {
    static struct life life;
    if (!is_done_by_libuv(rows[i].call))
      continue;
    open_life(&life);
    life.row = &rows[i];
    for (size_t k = 0; k < ERRORS_MAX && rows[i].errors[k] != 0; k++)
      for (int for_ever = 0; for_ever <= rows[i].lasting; for_ever++) {
        unsigned tried = try_error(&life, rows[i].errors[k], for_ever);
        if (tried == 0)
          fail_msg("%s is never called", fault_call_name(rows[i].call));
        points += tried;
      }
    close_life(&life);
  }
  print_message("             %u points\n", points);
}

static void each_call_is_interrupted(void **state) {
  (void)state;
  static struct life life;
  open_life(&life);
  const struct fault_plan plan = {.interrupt = 1};
  assert_true(play(&life, &plan) > 10);
  assert_int_equal(life.failures, 0);
  close_life(&life);
}

static void reads_and_writes_of_one_byte(void **state) {
  (void)state;
  static struct life life;
  open_life(&life);
  for (int interrupt = 0; interrupt <= 1; interrupt++) {
    const struct fault_plan plan = {.trickle = 1, .interrupt = interrupt};
    play(&life, &plan);
    assert_true(fault_calls(FAULT_RECV) > 200);
    assert_true(fault_calls(FAULT_SEND) > 200);
    assert_int_equal(life.failures, 0);
  }
  close_life(&life);
}

/* The question whether bytes wait, which is asked before a stream is idle -- */

static const struct peer_step late_script[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),     PEER_CHUNK("data: a\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: b\n\n"), PEER_STALL(),
    PEER_END()};
static const struct peer_step *const late_scripts[] = {late_script};

/* The idle limit passes at once; with `waits`, an event waits in the socket by
 * then, as after a callback that blocked. Returns how many calls failed. */
static unsigned be_late(struct scene *scene, struct feed *feed, int err,
                        int waits) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  const struct fault_plan plan = {.call = FAULT_POLL, .err = err, .at = 1};
  scene_open(scene, late_scripts, 1);
  *feed = (struct feed){.close_after = 2, .delay_ms = 1};
  options.idle_ms_max = 5000;
  feed_open(feed, &scene->host, scene->url, &options);
  HOST_UNTIL(&scene->host, feed->events_len == 1);
  uint64_t sent = peer_count(scene->peer, PEER_SENT);
  if (waits) {
    peer_raise(scene->peer, 1);
    assert_int_equal(peer_wait_count(scene->peer, PEER_SENT, sent + 1), 0);
  }
  fault_begin(&plan);
  fault_skip_ms(5001);
  HOST_UNTIL(&scene->host, feed->closed);
  return fault_end();
}

/* libuv before 1.45 runs timers before it polls, later ones after: then the
 * event that waits is read before anybody asks. */
static void the_question_whether_bytes_wait_fails(void **state) {
  (void)state;
  static const int errors[] = {EINTR, ENOMEM, EAGAIN};
  for (size_t i = 0; i < LEN(errors) * 2; i++) {
    struct scene scene;
    struct feed feed;
    int err = errors[i / 2], waits = i % 2 != 0;
    unsigned hits = be_late(&scene, &feed, err, waits);
    assert_true(hits == 1 || waits);
    assert_int_equal(feed.ends, hits == 1 && (err != EINTR || !waits));
    if (feed.ends != 0)
      assert_int_equal(feed.code, RUNNEL_EIDLE);
    feed_deinit(&feed);
    scene_close(&scene);
  }
}

/* A loop of its own ------------------------------------------------------- */

static const struct row own_rows[] = {
    {FAULT_EPOLL_CREATE1, RUNNEL_ERESOURCE, 1, {EMFILE, ENFILE, ENOMEM}},
    {FAULT_EVENTFD, RUNNEL_ERESOURCE, 1, {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {FAULT_MUTEX_INIT, RUNNEL_ERESOURCE, 1, {EAGAIN, ENOMEM}},
    {FAULT_CLOSE, RUNNEL_OK, 1, {EINTR, EIO}},
    {FAULT_RANDOM, RUNNEL_OK, 1, {ENOSYS}},
    {FAULT_SOCKET, RUNNEL_OK, 1, {EMFILE, EAFNOSUPPORT}},
};

/* Makes a client, and closes it if it came; returns how many calls failed. A
 * uv_loop_init that fails late leaves libuv's epoll set open (1.44 to 1.53). */
static unsigned make_client(const struct row *row,
                            const struct fault_plan *plan) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct host host;
  name_point(plan);
  host_open_bare(&host);
  options.alloc = host.hooks;
  fault_begin(plan);
  int code = runnel_client_new(&host.client, NULL, &options);
  if (code == RUNNEL_OK) {
    runnel_client *client = host.client;
    host_close_client(&host);
    assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  }
  unsigned hits = fault_end();
  int unwanted = hits == 0 || row->code == RUNNEL_OK
                     ? code != RUNNEL_OK
                     : code != row->code && code != RUNNEL_ENOMEM;
  int left_by_uv = code != RUNNEL_OK && row->call != FAULT_EPOLL_CREATE1;
  if (unwanted || fault_descriptors() > left_by_uv || fault_bad_closes() != 0)
    fail_msg("%s: %s, %d descriptors left", point, runnel_err_name(code),
             fault_descriptors());
  host_close(&host);
  return hits;
}

static void a_loop_of_its_own_cannot_be_made(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(own_rows); i++)
    for (size_t k = 0; k < ERRORS_MAX && own_rows[i].errors[k] != 0; k++) {
      struct fault_plan plan = {
          .call = own_rows[i].call, .err = own_rows[i].errors[k], .at = 1};
      while (make_client(&own_rows[i], &plan) != 0)
        plan.at++;
      if (plan.at == 1)
        fail_msg("%s is never called", fault_call_name(plan.call));
    }
}

int runnel__test_syscalls(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_call_fails_with_each_error),
      cmocka_unit_test(each_call_is_interrupted),
      cmocka_unit_test(reads_and_writes_of_one_byte),
      cmocka_unit_test(the_question_whether_bytes_wait_fails),
      cmocka_unit_test(a_loop_of_its_own_cannot_be_made),
  };
  return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
