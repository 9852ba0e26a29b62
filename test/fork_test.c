/* Forked children that abandon a world (lib/net/loop.c): what they free, and
 * that the parent hears everything as if there had been none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/net/loop.h"
#include "../lib/net/resolve.h"
#include "rig.h"

int runnel__test_fork(void);

static void stop_keeping(struct rig *rig) {
  rig->world->ops->keep(rig->world, 0);
}

static void count_post(struct runnel_client *owner, void *user) {
  (void)owner;
  ++*(int *)user;
}

/* What is alive at the fork: a link that listens with bytes unsent, one that is
 * connecting, one hung up, an alarm, a post, a look-up that waits.
 *
 * The look-up is kept from a thread until the child is gone, and these tests
 * are a group of their own: a thread that is inside malloc at the fork would
 * leave a sanitizer's allocator locked in the child for ever (the C library's
 * own is not). */
struct scene {
  struct rig rig;
  struct ear open;
  struct ear dialing;
  struct ear hung_up;
  struct answer answer;
  struct answer after; /* asked for after the fork */
  struct runnel__target target;
  int listener;
  int fd;
  int posts;
  long left_over; /* allocations that abandon may leave */
};

static void keep_from_threads(struct scene *scene, int on) {
  struct runnel__net *net = (struct runnel__net *)scene->rig.world;
  net->inbox->threads = on ? RUNNEL__RESOLVE_THREADS_MAX : 0;
}

static void look_up_again(struct scene *scene) {
  struct runnel__world *world = scene->rig.world;
  keep_from_threads(scene, 0);
  assert_non_null(world->ops->resolve(world, "127.0.0.1", &scene->after));
}

static int child_of(struct scene *scene) {
  fflush(NULL);
  int pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
  }
  scene->rig.world->ops->abandon(scene->rig.world);
  exit(atomic_load(&scene->rig.balance) == scene->left_over ? 0 : 1);
}

static void run_own(struct rig *rig) {
  rig->world->ops->wake_at(rig->world, 0);
  runnel__loop_run(rig->world);
}

/* The loop ends once the parent has heard all of it. */
static void check_scene(struct rig *rig) {
  struct scene *scene = (struct scene *)(void *)rig;
  if (scene->open.got > 0 && scene->dialing.up && scene->posts == 1 &&
      scene->answer.heard == 1 && scene->after.heard == 1)
    rig->world->ops->keep(rig->world, 0);
  else
    rig->world->ops->wake_at(rig->world, rig->world->ops->now_ms(rig->world));
}

static void fork_in_alarm(struct rig *rig) {
  struct scene *scene = (struct scene *)(void *)rig;
  assert_int_equal(child_of(scene), 0);
  look_up_again(scene);
  rig->on_alarm = check_scene;
  check_scene(rig);
}

static void set_scene(struct scene *scene, int own_loop) {
  struct rig *rig = &scene->rig;
  memset(scene, 0, sizeof *scene);
  rig_open(rig, own_loop);
  const struct runnel__world_ops *ops = rig->world->ops;
  scene->listener = rig_listen(&scene->target);
  rig_connect(rig, &scene->open, &scene->target);
  rig->on_alarm = stop_keeping;
  while (!scene->open.up) {
    ops->keep(rig->world, 1);
    if (own_loop)
      run_own(rig);
    else
      rig_turn(rig);
  }
  ops->keep(rig->world, 1);
  scene->fd = accept(scene->listener, NULL, NULL);
  ops->listen(scene->open.link, 1);
  rig_connect(rig, &scene->dialing, &scene->target);
  rig_connect(rig, &scene->hung_up, &scene->target);
  ops->hang_up(scene->hung_up.link);
  ops->post(rig->world, count_post, &scene->posts);
  keep_from_threads(scene, 1);
  ops->resolve(rig->world, "127.0.0.1", &scene->answer);
}

/* The parent hears everything as if there had been no child. */
static void end_scene(struct scene *scene) {
  struct rig *rig = &scene->rig;
  if (runnel__loop_owned(rig->world)) {
    run_own(rig);
  } else {
    rig->world->ops->wake_at(rig->world, 0);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
  }
  assert_int_equal(scene->open.got, 1);
  assert_int_equal(scene->open.down + scene->dialing.down, 0);
  assert_int_equal(scene->hung_up.up, 0);
  rig->world->ops->hang_up(scene->open.link);
  rig->world->ops->hang_up(scene->dialing.link);
  close(scene->fd);
  close(scene->listener);
  rig_close(rig);
}

static void test_a_child_abandons_a_world_on_its_callers_loop(void **state) {
  (void)state;
  static struct scene scene;
  set_scene(&scene, 0);
  size_t len = 16 * 1024 * 1024;
  char *zeros = calloc(1, len);
  assert_int_equal(scene.rig.world->ops->send(scene.open.link, zeros, len), 0);
  free(zeros);
  assert_int_equal(child_of(&scene), 0);
  look_up_again(&scene);
  assert_int_equal(send(scene.fd, "x", 1, 0), 1);
  scene.rig.on_alarm = check_scene;
  end_scene(&scene);
}

static void test_a_child_abandons_a_world_on_its_own_loop(void **state) {
  (void)state;
  static struct scene scene;
  set_scene(&scene, 1);
  assert_int_equal(child_of(&scene), 0);
  look_up_again(&scene);
  assert_int_equal(send(scene.fd, "x", 1, 0), 1);
  scene.rig.on_alarm = check_scene;
  end_scene(&scene);
}

/* Only the memory of the loop that still runs is left. */
static void test_a_child_abandons_inside_a_callback(void **state) {
  (void)state;
  static struct scene scene;
  set_scene(&scene, 1);
  scene.left_over = 1;
  assert_int_equal(send(scene.fd, "x", 1, 0), 1);
  scene.rig.on_alarm = fork_in_alarm;
  end_scene(&scene);
}

static void test_a_child_abandons_a_world_that_is_closing(void **state) {
  (void)state;
  for (int own = 0; own < 2; own++) {
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    rig_open(&scene.rig, own);
    scene.rig.world->ops->close(scene.rig.world);
    assert_int_equal(child_of(&scene), 0);
    if (own)
      runnel__loop_run(scene.rig.world);
    RIG_UNTIL(&scene.rig, scene.rig.closed);
    scene.rig.world = NULL;
    rig_close(&scene.rig);
  }
}

int runnel__test_fork(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_child_abandons_a_world_on_its_callers_loop),
      cmocka_unit_test(test_a_child_abandons_a_world_on_its_own_loop),
      cmocka_unit_test(test_a_child_abandons_inside_a_callback),
      cmocka_unit_test(test_a_child_abandons_a_world_that_is_closing),
  };
  return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
