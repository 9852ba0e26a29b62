/* The libuv world as a whole (lib/net/loop.c, resolve.c, inbox.c): alarm,
 * turns, posts, look-ups, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/net/loop.h"
#include "../lib/net/resolve.h"
#include "resolver.h"
#include "rig.h"

int runnel__test_loop(void);

/* Alarm and turns --------------------------------------------------------- */

static void test_the_last_alarm_asked_for_holds(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 0);
  const struct runnel__world_ops *ops = rig.world->ops;
  int64_t start = ops->now_ms(rig.world);
  ops->wake_at(rig.world, start + 3600000);
  ops->wake_at(rig.world, start + 5);
  assert_int_equal(rig.alarms, 0);
  RIG_UNTIL(&rig, rig.alarms);
  assert_true(ops->now_ms(rig.world) >= start + 5);
  ops->wake_at(rig.world, start);
  assert_int_equal(rig.alarms, 1); /* never from inside the ask */
  ops->wake_at(rig.world, RUNNEL__NEVER);
  assert_false(rig_spins(&rig));
  assert_int_equal(rig.alarms, 1);
  ops->wake_at(rig.world, INT64_MIN);
  RIG_UNTIL(&rig, rig.alarms == 2);
  ops->wake_at(rig.world, RUNNEL__NEVER - 1);
  assert_false(rig_spins(&rig));
  rig_close(&rig);
}

static void wake_again(struct rig *rig) {
  rig->world->ops->wake_at(rig->world, 0);
}

static void test_an_alarm_always_due_starves_nobody(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  rig.on_alarm = wake_again;
  rig.world->ops->wake_at(rig.world, rig.world->ops->now_ms(rig.world) + 1);
  RIG_UNTIL(&rig, rig.alarms);
  rig.world->ops->listen(ear.link, 1);
  rig_put(fd, "x");
  RIG_UNTIL(&rig, ear.got);
  int alarms = rig.alarms;
  uv_run(&rig.loop, UV_RUN_NOWAIT);
  assert_int_equal(rig.alarms, alarms + 1); /* once a turn */
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void stop_keeping(struct rig *rig) {
  rig->world->ops->keep(rig->world, 0);
}

static void test_the_loop_lives_while_kept(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  rig.world->ops->listen(ear.link, 1);
  rig.on_alarm = stop_keeping;
  rig.world->ops->wake_at(rig.world, rig.world->ops->now_ms(rig.world) + 2);
  assert_int_equal(uv_run(&rig.loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(rig.alarms, 1);
  assert_int_equal(uv_loop_alive(&rig.loop), 0);
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_clocks_and_randomness(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 0);
  const struct runnel__world_ops *ops = rig.world->ops;
  int64_t before = ops->now_ms(rig.world);
  assert_true(ops->now_ms(rig.world) >= before);
  assert_true(ops->wall_s(rig.world) > INT64_C(1600000000));
  uint64_t ones = 0;
  uint64_t all = UINT64_MAX;
  for (int i = 0; i < 200; i++) {
    uint64_t drawn = ops->random(rig.world);
    ones |= drawn;
    all &= drawn;
  }
  assert_true(ones == UINT64_MAX && all == 0);
  rig_close(&rig);
}

/* Posts ------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 1000 };

struct poster {
  struct rig *rig;
  pthread_t thread;
  size_t sent;
  size_t heard;
  int failed;
};

struct posted {
  struct poster *from;
  size_t number;
};

static void hear_post(struct runnel_client *owner, void *user) {
  struct posted *posted = user;
  struct poster *from = posted->from;
  assert_ptr_equal((void *)owner, (void *)from->rig);
  assert_int_equal(posted->number, from->heard);
  from->heard++;
  free(posted);
}

static void *post_many(void *arg) {
  struct poster *poster = arg;
  for (; poster->sent < POSTS; poster->sent++) {
    struct posted *posted = malloc(sizeof *posted);
    if (posted == NULL)
      break;
    posted->from = poster;
    posted->number = poster->sent;
    if (poster->rig->world->ops->post(poster->rig->world, hear_post, posted))
      poster->failed = 1;
  }
  return NULL;
}

static void test_posts_of_a_thread_run_in_order(void **state) {
  (void)state;
  struct rig rig;
  struct poster posters[POSTERS];
  memset(posters, 0, sizeof posters);
  rig_open(&rig, 0);
  for (size_t i = 0; i < POSTERS; i++) {
    posters[i].rig = &rig;
    assert_int_equal(
        pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
  }
  for (size_t i = 0; i < POSTERS; i++) {
    RIG_UNTIL(&rig, posters[i].heard == POSTS);
    pthread_join(posters[i].thread, NULL);
    assert_int_equal(posters[i].failed, 0);
  }
  rig_close(&rig);
}

static void count_post(struct runnel_client *owner, void *user) {
  (void)owner;
  ++*(int *)user;
}

static void post_again(struct runnel_client *owner, void *user) {
  struct rig *rig = (struct rig *)(void *)owner;
  ++*(int *)user;
  rig->world->ops->post(rig->world, post_again, user);
}

static void close_by_post(struct runnel_client *owner, void *user) {
  struct rig *rig = (struct rig *)(void *)owner;
  rig->world->ops->post(rig->world, count_post, user);
  rig->world->ops->close(rig->world);
  rig->world->ops->post(rig->world, count_post, user);
  rig->world = NULL;
}

static void test_a_post_that_posts_waits_its_turn(void **state) {
  (void)state;
  struct rig rig;
  int count = 0;
  rig_open(&rig, 0);
  rig.world->ops->post(rig.world, post_again, &count);
  for (int turns = 1; turns < 5; turns++) {
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    assert_true(count <= turns);
  }
  RIG_UNTIL(&rig, count > 5);
  rig_close(&rig);
}

static void test_posts_are_dropped_by_close(void **state) {
  (void)state;
  struct rig rig;
  int count = 0;
  rig_open(&rig, 0);
  atomic_store(&rig.left, 0);
  assert_int_equal(rig.world->ops->post(rig.world, count_post, &count),
                   RUNNEL_ENOMEM);
  atomic_store(&rig.left, -1);
  rig.world->ops->post(rig.world, close_by_post, &count);
  rig.world->ops->post(rig.world, count_post, &count);
  RIG_UNTIL(&rig, rig.closed);
  assert_int_equal(count, 0);
  rig_close(&rig);
}

/* Look-ups ---------------------------------------------------------------- */

static void look_up(struct rig *rig, struct answer *answer, const char *host) {
  memset(answer, 0, sizeof *answer);
  assert_non_null(rig->world->ops->resolve(rig->world, host, answer));
  assert_int_equal(answer->heard, 0);
  RIG_UNTIL(rig, answer->heard);
  assert_int_equal(answer->heard, 1);
}

/* A bare root directory without /etc/hosts may not know localhost. */
static int system_knows(const char *host) {
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, NULL, NULL, &found) != 0)
    return 0;
  freeaddrinfo(found);
  return 1;
}

static void test_names_and_literals_resolve(void **state) {
  (void)state;
  static const uint8_t loopback[4] = {127, 0, 0, 1};
  struct rig rig;
  struct answer answer;
  rig_open(&rig, 0);
  if (system_knows("localhost")) {
    look_up(&rig, &answer, "localhost");
    assert_int_equal(answer.code, RUNNEL_OK);
    assert_in_range(answer.len, 1, RUNNEL__ADDRS_MAX);
    assert_int_equal(answer.addrs[0].port, 0);
  }
  look_up(&rig, &answer, "127.0.0.1");
  assert_int_equal(answer.code, RUNNEL_OK);
  assert_int_equal(answer.len, 1);
  assert_int_equal(answer.addrs[0].v6, 0);
  assert_memory_equal(answer.addrs[0].ip, loopback, 4);
  look_up(&rig, &answer, "fe80::1%1");
  assert_int_equal(answer.len, 1);
  assert_int_equal(answer.addrs[0].v6, 1);
  assert_int_equal(answer.addrs[0].zone, 1);
  rig_close(&rig);
}

/* Each address once, no more than are dialled, without what else came along. */
static void test_a_name_with_many_addresses(void **state) {
  (void)state;
  struct rig rig;
  struct answer answer;
  rig_open(&rig, 0);
  look_up(&rig, &answer, "many.test");
  assert_int_equal(answer.code, RUNNEL_OK);
  assert_int_equal(answer.len, RUNNEL__ADDRS_MAX);
  for (size_t i = 0; i < answer.len; i++) {
    const uint8_t ip[4] = {127, 0, 0, (uint8_t)(i + 1)};
    assert_memory_equal(answer.addrs[i].ip, ip, 4);
    assert_int_equal(answer.addrs[i].port, 0);
  }
  rig_close(&rig);
}

/* An empty label cannot be asked of any server. */
static void test_a_name_that_cannot_exist(void **state) {
  (void)state;
  struct rig rig;
  struct answer answer;
  rig_open(&rig, 0);
  look_up(&rig, &answer, "no..such");
  assert_int_equal(answer.code, RUNNEL_ERESOLVE);
  assert_true(answer.native != 0);
  assert_int_equal(answer.len, 0);
  rig_close(&rig);
}

static void test_more_look_ups_than_threads(void **state) {
  (void)state;
  static struct answer answers[100];
  struct rig rig;
  rig_open(&rig, 0);
  memset(answers, 0, sizeof answers);
  for (size_t i = 0; i < 100; i++)
    assert_non_null(
        rig.world->ops->resolve(rig.world, "127.0.0.1", &answers[i]));
  for (size_t i = 0; i < 100; i++) {
    RIG_UNTIL(&rig, answers[i].heard);
    assert_int_equal(answers[i].code, RUNNEL_OK);
  }
  rig_close(&rig);
}

/* Some are dropped while they wait, some while they run, some when done. */
static void test_dropped_look_ups_are_not_heard(void **state) {
  (void)state;
  static struct answer answers[100];
  struct runnel__lookup *lookups[100];
  struct rig rig;
  rig_open(&rig, 0);
  memset(answers, 0, sizeof answers);
  for (size_t i = 0; i < 100; i++)
    lookups[i] = rig.world->ops->resolve(rig.world, "localhost", &answers[i]);
  for (size_t i = 0; i < 99; i++)
    rig.world->ops->drop(lookups[i]);
  RIG_UNTIL(&rig, answers[99].heard);
  for (size_t i = 0; i < 99; i++)
    assert_int_equal(answers[i].heard, 0);
  rig_close(&rig);
}

/* A thread is left for one more name, and answers it. */
static void test_names_without_answer_delay_no_other(void **state) {
  (void)state;
  enum { STUCK = RUNNEL__RESOLVE_THREADS_MAX - 1 };
  static struct answer stuck[STUCK];
  struct answer other;
  struct rig rig;
  rig_open(&rig, 0);
  memset(stuck, 0, sizeof stuck);
  for (size_t i = 0; i < STUCK; i++)
    assert_non_null(
        rig.world->ops->resolve(rig.world, "a.slow.test", &stuck[i]));
  resolver_wait(STUCK);
  for (size_t i = 0; i < 10; i++) {
    look_up(&rig, &other, "127.0.0.1");
    assert_int_equal(other.code, RUNNEL_OK);
  }
  for (size_t i = 0; i < STUCK; i++)
    assert_int_equal(stuck[i].heard, 0);
  resolver_answer();
  for (size_t i = 0; i < STUCK; i++) {
    RIG_UNTIL(&rig, stuck[i].heard);
    assert_int_equal(stuck[i].code, RUNNEL_OK);
  }
  rig_close(&rig);
}

static void test_close_waits_for_no_look_up(void **state) {
  (void)state;
  enum { LOOKUPS = RUNNEL__RESOLVE_THREADS_MAX + 3 }; /* some in the queue */
  struct answer answer = {0};
  struct runnel__lookup *lookups[LOOKUPS];
  struct rig rig;
  int ended = resolver_ended();
  rig_open(&rig, 0);
  for (size_t i = 0; i < LOOKUPS; i++)
    lookups[i] = rig.world->ops->resolve(rig.world, "a.slow.test", &answer);
  resolver_wait(RUNNEL__RESOLVE_THREADS_MAX);
  for (size_t i = 0; i < LOOKUPS; i++)
    rig.world->ops->drop(lookups[i]);
  rig_close(&rig);
  assert_int_equal(answer.heard, 0);
  assert_int_equal(resolver_ended(), ended);
  resolver_answer();
}

/* They end while it closes, and after. */
static void test_close_with_look_ups_at_any_stage(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    struct rig rig;
    struct answer answer = {0};
    struct runnel__lookup *lookups[3];
    rig_open(&rig, 0);
    for (size_t i = 0; i < 3; i++)
      lookups[i] = rig.world->ops->resolve(rig.world, "localhost", &answer);
    for (size_t i = 0; i < 3; i++)
      rig.world->ops->drop(lookups[i]);
    rig_close(&rig);
    assert_int_equal(answer.heard, 0);
  }
}

/* Making and closing ------------------------------------------------------ */

static void test_no_memory_for_a_world(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 0);
  long before = atomic_load(&rig.balance);
  for (int own = 0; own < 2; own++) {
    for (int k = 0; k < 2 + own; k++) {
      struct runnel__world *world = NULL;
      atomic_store(&rig.left, k);
      assert_int_equal(
          runnel__loop_new(&world, &rig.hooks, own ? NULL : &rig.loop),
          RUNNEL_ENOMEM);
      assert_null(world);
      assert_int_equal(atomic_load(&rig.balance), before);
    }
  }
  atomic_store(&rig.left, -1);
  rig_close(&rig);
}

static void test_no_descriptors_for_a_world(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 0);
  long before = atomic_load(&rig.balance);
  struct runnel__world *world = NULL;
  struct rlimit limit = rig_take_descriptors();
  int code = runnel__loop_new(&world, &rig.hooks, NULL);
  rig_give_descriptors(limit);
  assert_int_equal(code, RUNNEL_ERESOURCE);
  assert_int_equal(atomic_load(&rig.balance), before);
  rig_close(&rig);
}

static void close_in_alarm(struct rig *rig) {
  rig->world->ops->close(rig->world);
}

static void test_an_own_loop_runs_and_ends(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 1);
  struct runnel__world *world = rig.world;
  rig.on_alarm = stop_keeping;
  world->ops->wake_at(world, 0);
  runnel__loop_run(world);
  assert_int_equal(rig.alarms, 1);
  world->ops->keep(world, 1);
  rig.on_alarm = close_in_alarm;
  world->ops->wake_at(world, 0);
  runnel__loop_run(world);
  assert_int_equal(rig.closed, 1);
  rig.world = NULL;
  rig_close(&rig);
}

static void test_close_comes_after_links_that_were_hung_up(void **state) {
  (void)state;
  struct rig rig;
  struct ear ears[3];
  struct runnel__target target;
  rig_open(&rig, 0);
  int listener = rig_listen(&target);
  rig_connect(&rig, &ears[0], &target);
  rig_connect(&rig, &ears[1], &target);
  target = rig_nowhere();
  rig_connect(&rig, &ears[2], &target);
  for (size_t i = 0; i < 3; i++)
    rig.world->ops->hang_up(ears[i].link);
  rig_close(&rig);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(ears[i].up + ears[i].down, 0);
  close(listener);
}

int runnel__test_loop(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_last_alarm_asked_for_holds),
      cmocka_unit_test(test_an_alarm_always_due_starves_nobody),
      cmocka_unit_test(test_the_loop_lives_while_kept),
      cmocka_unit_test(test_clocks_and_randomness),
      cmocka_unit_test(test_posts_of_a_thread_run_in_order),
      cmocka_unit_test(test_a_post_that_posts_waits_its_turn),
      cmocka_unit_test(test_posts_are_dropped_by_close),
      cmocka_unit_test(test_names_and_literals_resolve),
      cmocka_unit_test(test_a_name_with_many_addresses),
      cmocka_unit_test(test_a_name_that_cannot_exist),
      cmocka_unit_test(test_more_look_ups_than_threads),
      cmocka_unit_test(test_dropped_look_ups_are_not_heard),
      cmocka_unit_test(test_names_without_answer_delay_no_other),
      cmocka_unit_test(test_close_waits_for_no_look_up),
      cmocka_unit_test(test_close_with_look_ups_at_any_stage),
      cmocka_unit_test(test_no_memory_for_a_world),
      cmocka_unit_test(test_no_descriptors_for_a_world),
      cmocka_unit_test(test_an_own_loop_runs_and_ends),
      cmocka_unit_test(test_close_comes_after_links_that_were_hung_up),
  };
  return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
