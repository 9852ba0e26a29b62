/* See rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/net/loop.h"
#include "rig.h"

#define PATIENCE_NS UINT64_C(20000000000)

/* Memory ------------------------------------------------------------------ */

static int is_refused(struct rig *rig) {
  if (atomic_load(&rig->left) < 0)
    return 0;
  if (atomic_load(&rig->left) == 0)
    return 1;
  atomic_fetch_sub(&rig->left, 1);
  return 0;
}

static void *count_alloc(size_t size, void *ctx) {
  struct rig *rig = ctx;
  void *memory = is_refused(rig) ? NULL : malloc(size);
  if (memory != NULL)
    atomic_fetch_add(&rig->balance, 1);
  return memory;
}

static void *count_realloc(void *memory, size_t size, void *ctx) {
  struct rig *rig = ctx;
  if (is_refused(rig))
    return NULL;
  void *moved = realloc(memory, size);
  if (moved != NULL && memory == NULL)
    atomic_fetch_add(&rig->balance, 1);
  return moved;
}

static void count_free(void *memory, void *ctx) {
  struct rig *rig = ctx;
  atomic_fetch_sub(&rig->balance, 1);
  free(memory);
}

/* Ears -------------------------------------------------------------------- */

static void hang_up(struct ear *ear) {
  ear->rig->world->ops->hang_up(ear->link);
  ear->link = NULL;
}

static void hear_up(void *owner) {
  struct ear *ear = owner;
  ear->up++;
  if (ear->hang_up_in == 'u')
    hang_up(ear);
}

static void hear_bytes(void *owner, char *bytes, size_t len) {
  struct ear *ear = owner;
  ear->reads++;
  ear->got += len;
  memset(ear->last, 0, sizeof ear->last);
  memcpy(ear->last, bytes, len < sizeof ear->last ? len : sizeof ear->last - 1);
  memset(bytes, 'x', len); /* the owner may write */
  if (ear->stop_in_bytes)
    ear->rig->world->ops->listen(ear->link, 0);
  if (ear->hang_up_in == 'b')
    hang_up(ear);
}

static void hear_down(void *owner, int code, int native) {
  struct ear *ear = owner;
  ear->down++;
  ear->code = code;
  ear->native = native;
  if (ear->hang_up_in == 'd')
    hang_up(ear);
}

const struct runnel__link_ears rig_ears = {
    .up = hear_up, .bytes = hear_bytes, .down = hear_down};

static void hear_alarm(void *owner) {
  struct rig *rig = owner;
  rig->alarms++;
  if (rig->on_alarm != NULL)
    rig->on_alarm(rig);
}

static void hear_resolved(void *asker, int code, int native,
                          const struct runnel__addr *addrs, size_t len) {
  struct answer *answer = asker;
  answer->heard++;
  answer->code = code;
  answer->native = native;
  answer->len = len;
  memcpy(answer->addrs, addrs, len * sizeof *addrs);
}

static void hear_closed(void *owner) {
  struct rig *rig = owner;
  rig->closed++;
}

static const struct runnel__world_ears world_ears = {hear_alarm, hear_resolved,
                                                     hear_closed};

/* The world --------------------------------------------------------------- */

/* Only there to end a wait. */
static void on_watchdog(uv_timer_t *timer) { (void)timer; }

void rig_open(struct rig *rig, int own_loop) {
  memset(rig, 0, sizeof *rig);
  atomic_store(&rig->left, -1);
  rig->hooks =
      (struct runnel_alloc){count_alloc, count_realloc, count_free, rig};
  rig->started_ns = uv_hrtime();
  assert_int_equal(uv_loop_init(&rig->loop), 0);
  uv_timer_init(&rig->loop, &rig->watchdog);
  uv_timer_start(&rig->watchdog, on_watchdog, 1000, 1000);
  uv_unref((uv_handle_t *)&rig->watchdog);
  assert_int_equal(
      runnel__loop_new(&rig->world, &rig->hooks, own_loop ? NULL : &rig->loop),
      0);
  assert_int_equal(runnel__loop_owned(rig->world), own_loop);
  rig->world->ears = &world_ears;
  rig->world->owner = rig;
  rig->world->ops->keep(rig->world, 1);
}

void rig_close(struct rig *rig) {
  if (rig->world != NULL) {
    rig->world->ops->close(rig->world);
    if (runnel__loop_owned(rig->world))
      runnel__loop_run(rig->world);
    RIG_UNTIL(rig, rig->closed);
  }
  assert_int_equal(atomic_load(&rig->balance), 0);
  uv_close((uv_handle_t *)&rig->watchdog, NULL);
  assert_int_equal(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&rig->loop), 0);
}

void rig_turn(struct rig *rig) {
  uv_run(&rig->loop, UV_RUN_ONCE);
  if (uv_hrtime() - rig->started_ns > PATIENCE_NS)
    fail_msg("the condition did not come true");
}

/* After some turns to settle: does the set of watched sockets still call? */
int rig_spins(struct rig *rig) {
  for (int i = 0; i < 5; i++)
    uv_run(&rig->loop, UV_RUN_NOWAIT);
  struct pollfd ask = {uv_backend_fd(&rig->loop), POLLIN, 0};
  return uv_backend_timeout(&rig->loop) == 0 || poll(&ask, 1, 0) > 0;
}

/* Sockets ----------------------------------------------------------------- */

int rig_listen(struct runnel__target *target) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  struct sockaddr_in at;
  socklen_t len = sizeof at;
  memset(&at, 0, sizeof at);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(fd, 128), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  memset(target, 0, sizeof *target);
  memcpy(target->addr.ip, &at.sin_addr, 4);
  target->addr.port = ntohs(at.sin_port);
  return fd;
}

struct runnel__target rig_nowhere(void) {
  struct runnel__target target = {0};
  memset(target.addr.ip, 255, 4);
  target.addr.port = 80;
  return target;
}

void rig_connect(struct rig *rig, struct ear *ear,
                 const struct runnel__target *target) {
  memset(ear, 0, sizeof *ear);
  ear->rig = rig;
  ear->link = rig->world->ops->connect(rig->world, target, &rig_ears, ear);
  assert_non_null(ear->link);
  assert_int_equal(ear->up + ear->down, 0); /* never from inside an ask */
}

int rig_pair(struct rig *rig, struct ear *ear) {
  struct runnel__target target;
  int listener = rig_listen(&target);
  rig_connect(rig, ear, &target);
  RIG_UNTIL(rig, ear->up);
  int fd = accept(listener, NULL, NULL);
  assert_true(fd >= 0);
  close(listener);
  return fd;
}

void rig_put(int fd, const char *text) {
  size_t len = strlen(text);
  assert_int_equal(send(fd, text, len, 0), (ssize_t)len);
}

void rig_reset(int fd) {
  struct linger at_once = {1, 0};
  assert_int_equal(
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  close(fd);
}

struct rlimit rig_take_descriptors(void) {
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit none = {3, before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  return before;
}

void rig_give_descriptors(struct rlimit before) {
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}
