/* Links: one socket as a byte stream (lib/net/link.c), over real
 * sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rig.h"

int runnel__test_net(void);

/* More than fits into the sockets' buffers. */
static void send_much(struct rig *rig, struct ear *ear) {
  size_t len = 16 * 1024 * 1024;
  char *zeros = calloc(1, len);
  assert_non_null(zeros);
  assert_int_equal(rig->world->ops->send(ear->link, zeros, len), 0);
  free(zeros);
}

static void test_bytes_come_only_while_listening(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  const struct runnel__world_ops *ops = rig.world->ops;
  int fd = rig_pair(&rig, &ear);
  rig_put(fd, "one");
  assert_false(rig_spins(&rig));
  assert_int_equal(ear.got, 0);
  ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.got > 0);
  assert_string_equal(ear.last, "one");
  ops->listen(ear.link, 0);
  rig_put(fd, "second");
  assert_false(rig_spins(&rig));
  assert_int_equal(ear.reads, 1);
  ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.got > 3);
  assert_string_equal(ear.last, "second");
  assert_int_equal(ops->send(ear.link, "ask", 3), 0);
  char text[8] = "";
  assert_int_equal(recv(fd, text, sizeof text, 0), 3);
  assert_string_equal(text, "ask");
  close(fd);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_OK);
  assert_int_equal(ear.native, 0);
  assert_int_equal(ops->send(ear.link, "late", 4), 0);
  ops->hang_up(ear.link);
  rig_close(&rig);
}

static void test_listen_off_inside_bytes_stops_at_once(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  static char block[100000];
  assert_int_equal(send(fd, block, sizeof block, 0), (ssize_t)sizeof block);
  ear.stop_in_bytes = 1;
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.reads == 1);
  assert_false(rig_spins(&rig));
  assert_int_equal(ear.reads, 1);
  while (ear.got < sizeof block) {
    rig.world->ops->listen(ear.link, 1);
    rig_turn(&rig);
  }
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_one_link_reads_its_share_a_turn(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  static char block[65536];
  size_t put_len = 0;
  ssize_t n;
  while ((n = send(fd, block, sizeof block, MSG_DONTWAIT)) > 0)
    put_len += (size_t)n;
  rig.world->ops->listen(ear.link, 1);
  while (ear.got < put_len) {
    size_t before = ear.got;
    rig_turn(&rig);
    assert_true(ear.got - before <= 262144);
  }
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_a_refused_connect(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  struct runnel__target target;
  rig_open(&rig, 0);
  close(rig_listen(&target));
  rig_connect(&rig, &ear, &target);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.up, 0);
  assert_int_equal(ear.code, RUNNEL_ECONNECT);
  assert_int_equal(ear.native, ECONNREFUSED);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

static void test_an_error_at_once_is_heard_next_turn(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  struct ear unheard;
  struct runnel__target target = rig_nowhere();
  rig_open(&rig, 0);
  rig_connect(&rig, &ear, &target);
  rig_connect(&rig, &unheard, &target);
  rig.world->ops->hang_up(unheard.link);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ECONNECT);
  assert_true(ear.native > 0);
  assert_int_equal(unheard.down, 0);
  rig.world->ops->hang_up(ear.link);
  assert_false(rig_spins(&rig));
  rig_close(&rig);
}

static void test_descriptors_run_out(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  struct runnel__target target;
  rig_open(&rig, 0);
  int listener = rig_listen(&target);
  struct rlimit before = rig_take_descriptors();
  rig_connect(&rig, &ear, &target);
  rig_give_descriptors(before);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ERESOURCE);
  assert_int_equal(ear.native, EMFILE);
  rig.world->ops->hang_up(ear.link);
  close(listener);
  rig_close(&rig);
}

static void fill_unix(struct sockaddr_un *at) {
  memset(at, 0, sizeof *at);
  at->sun_family = AF_UNIX;
  snprintf(at->sun_path, sizeof at->sun_path, "/tmp/runnel-net-%ld",
           (long)getpid());
  unlink(at->sun_path);
}

static void test_a_unix_socket(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  struct sockaddr_un at;
  fill_unix(&at);
  struct runnel__target target = {.unix_path = at.sun_path};
  rig_open(&rig, 0);
  rig_connect(&rig, &ear, &target);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ECONNECT);
  assert_int_equal(ear.native, ENOENT);
  rig.world->ops->hang_up(ear.link);

  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(listener, 1), 0);
  rig_connect(&rig, &ear, &target);
  RIG_UNTIL(&rig, ear.up);
  int fd = accept(listener, NULL, NULL);
  rig.world->ops->listen(ear.link, 1);
  rig_put(fd, "local");
  close(fd);
  RIG_UNTIL(&rig, ear.down);
  assert_string_equal(ear.last, "local");
  assert_int_equal(ear.code, RUNNEL_OK);
  rig.world->ops->hang_up(ear.link);
  close(listener);
  unlink(at.sun_path);
  rig_close(&rig);
}

static void test_a_unix_path_too_long(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  char path[300];
  memset(path, 'p', sizeof path - 1);
  path[sizeof path - 1] = '\0';
  struct runnel__target target = {.unix_path = path};
  rig_open(&rig, 0);
  rig_connect(&rig, &ear, &target);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ECONNECT);
  assert_int_equal(ear.native, ENAMETOOLONG);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

/* The peer reads a little now and then; every byte arrives, in order, also what
 * is sent when half of it is through. */
static void test_a_long_send_to_a_slow_reader(void **state) {
  (void)state;
  enum { LEN = 16 * 1024 * 1024 };
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  char *sent = malloc(LEN + 3);
  assert_non_null(sent);
  for (size_t i = 0; i < LEN; i++)
    sent[i] = (char)(i * 31 + (i >> 13));
  memcpy(sent + LEN, "end", 3);
  assert_int_equal(rig.world->ops->send(ear.link, sent, LEN), 0);
  size_t got = 0;
  size_t given = LEN;
  static char part[50000];
  while (got < LEN + 3) {
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    ssize_t n = recv(fd, part, sizeof part, MSG_DONTWAIT);
    if (n < 0) {
      assert_int_equal(errno, EAGAIN);
      continue;
    }
    assert_memory_equal(part, sent + got, (size_t)n);
    got += (size_t)n;
    if (given == LEN && got > LEN / 2) {
      assert_int_equal(rig.world->ops->send(ear.link, sent + LEN, 3), 0);
      given += 3;
    }
  }
  free(sent);
  assert_false(rig_spins(&rig));
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_hang_up_with_unsent_bytes(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  send_much(&rig, &ear);
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_no_memory_for_the_rest_of_a_send(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  atomic_store(&rig.left, 0);
  send_much(&rig, &ear);
  assert_int_equal(ear.down, 0);
  assert_int_equal(rig.world->ops->waiting(ear.link), 1);
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ENOMEM);
  assert_null(rig.world->ops->connect(rig.world, &(struct runnel__target){0},
                                      &rig_ears, &ear));
  atomic_store(&rig.left, -1);
  rig.world->ops->hang_up(ear.link);
  close(fd);
  rig_close(&rig);
}

static void test_a_reset_while_nobody_listens(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  rig.world->ops->listen(ear.link, 1);
  uv_run(&rig.loop, UV_RUN_NOWAIT);
  rig.world->ops->listen(ear.link, 0);
  rig_reset(fd);
  assert_false(rig_spins(&rig));
  assert_int_equal(ear.down, 0);
  assert_int_equal(rig.world->ops->waiting(ear.link), 1);
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ELOST);
  assert_int_equal(ear.native, ECONNRESET);
  assert_int_equal(rig.world->ops->waiting(ear.link), 0);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

/* The first send takes the error out of the socket, the second would raise
 * SIGPIPE. What the peer had sent comes first, and the reset is not mistaken
 * for an end. */
static void test_sends_after_a_reset(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  signal(SIGPIPE, SIG_DFL);
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  rig_put(fd, "early answer");
  rig_reset(fd);
  RIG_UNTIL(&rig, rig.world->ops->waiting(ear.link));
  for (int i = 0; i < 3; i++)
    assert_int_equal(rig.world->ops->send(ear.link, "x", 1), 0);
  assert_false(rig_spins(&rig));
  assert_int_equal(ear.down, 0);
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.down);
  assert_string_equal(ear.last, "early answer");
  assert_int_equal(ear.code, RUNNEL_ELOST);
  assert_true(ear.native == ECONNRESET || ear.native == EPIPE);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

static void test_a_reset_with_unsent_bytes(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  send_much(&rig, &ear);
  rig_reset(fd);
  assert_false(rig_spins(&rig));
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.down);
  assert_int_equal(ear.code, RUNNEL_ELOST);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

static void test_waiting_sees_bytes_and_ends(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  assert_int_equal(rig.world->ops->waiting(ear.link), 0);
  rig_put(fd, "b");
  assert_int_equal(rig.world->ops->waiting(ear.link), 1);
  rig.world->ops->listen(ear.link, 1);
  RIG_UNTIL(&rig, ear.got);
  assert_int_equal(rig.world->ops->waiting(ear.link), 0);
  rig.world->ops->listen(ear.link, 0);
  close(fd);
  assert_int_equal(rig.world->ops->waiting(ear.link), 1);
  rig.world->ops->hang_up(ear.link);
  rig_close(&rig);
}

static void test_give_changes_who_hears(void **state) {
  (void)state;
  struct rig rig;
  struct ear ear;
  struct ear other = {0};
  rig_open(&rig, 0);
  int fd = rig_pair(&rig, &ear);
  other.rig = &rig;
  other.link = ear.link;
  rig.world->ops->give(ear.link, &rig_ears, &other);
  rig.world->ops->listen(other.link, 1);
  rig_put(fd, "yours");
  RIG_UNTIL(&rig, other.got);
  assert_int_equal(ear.got, 0);
  rig.world->ops->hang_up(other.link);
  close(fd);
  rig_close(&rig);
}

static void test_hang_up_inside_each_ear(void **state) {
  (void)state;
  struct rig rig;
  struct runnel__target target;
  rig_open(&rig, 0);
  int listener = rig_listen(&target);
  for (const char *in = "ubd"; *in != '\0'; in++) {
    struct ear ear;
    rig_connect(&rig, &ear, &target);
    ear.hang_up_in = *in;
    RIG_UNTIL(&rig, ear.up);
    int fd = accept(listener, NULL, NULL);
    if (ear.link != NULL) {
      rig.world->ops->listen(ear.link, 1);
      rig_put(fd, "bytes");
      close(fd);
      RIG_UNTIL(&rig, ear.link == NULL);
    } else {
      close(fd);
    }
    assert_false(rig_spins(&rig));
    assert_int_equal(ear.down, *in == 'd');
    assert_int_equal(ear.reads, *in != 'u');
  }
  close(listener);
  struct ear refused;
  rig_connect(&rig, &refused, &target);
  refused.hang_up_in = 'd';
  RIG_UNTIL(&rig, refused.down);
  target = rig_nowhere();
  struct ear at_once;
  rig_connect(&rig, &at_once, &target);
  at_once.hang_up_in = 'd';
  RIG_UNTIL(&rig, at_once.down);
  rig_close(&rig);
}

static void test_two_thousand_links(void **state) {
  (void)state;
  struct rig rig;
  struct runnel__target target;
  static struct ear ears[100];
  rig_open(&rig, 0);
  int listener = rig_listen(&target);
  long before = atomic_load(&rig.balance);
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < 100; i++)
      rig_connect(&rig, &ears[i], &target);
    for (size_t i = 0; i < 100; i++) {
      RIG_UNTIL(&rig, ears[i].up);
      close(accept(listener, NULL, NULL));
      rig.world->ops->listen(ears[i].link, i % 2 == 0);
    }
    for (size_t i = 0; i < 100; i++) {
      if (i % 2 == 0)
        RIG_UNTIL(&rig, ears[i].down);
      rig.world->ops->hang_up(ears[i].link);
    }
    RIG_UNTIL(&rig, atomic_load(&rig.balance) == before);
  }
  close(listener);
  rig_close(&rig);
}

int runnel__test_net(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes_come_only_while_listening),
      cmocka_unit_test(test_listen_off_inside_bytes_stops_at_once),
      cmocka_unit_test(test_one_link_reads_its_share_a_turn),
      cmocka_unit_test(test_a_refused_connect),
      cmocka_unit_test(test_an_error_at_once_is_heard_next_turn),
      cmocka_unit_test(test_descriptors_run_out),
      cmocka_unit_test(test_a_unix_socket),
      cmocka_unit_test(test_a_unix_path_too_long),
      cmocka_unit_test(test_a_long_send_to_a_slow_reader),
      cmocka_unit_test(test_hang_up_with_unsent_bytes),
      cmocka_unit_test(test_no_memory_for_the_rest_of_a_send),
      cmocka_unit_test(test_a_reset_while_nobody_listens),
      cmocka_unit_test(test_sends_after_a_reset),
      cmocka_unit_test(test_a_reset_with_unsent_bytes),
      cmocka_unit_test(test_waiting_sees_bytes_and_ends),
      cmocka_unit_test(test_give_changes_who_hears),
      cmocka_unit_test(test_hang_up_inside_each_ear),
      cmocka_unit_test(test_two_thousand_links),
  };
  return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
