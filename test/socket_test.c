/* System calls on one socket (lib/net/socket.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/net/socket.h"
#include "rig.h"

int runnel__test_socket(void);

static void test_a_socket_that_met_itself(void **state) {
  (void)state;
  struct sockaddr_in at;
  socklen_t len = sizeof at;
  memset(&at, 0, sizeof at);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(runnel__socket_result(fd), ECONNREFUSED);
  close(fd);
}

static int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
  return value;
}

static void test_socket_options(void **state) {
  (void)state;
  struct runnel__target target;
  int listener = rig_listen(&target);
  int fd;
  assert_int_equal(runnel__socket_dial(&fd, &target), 0);
  assert_true(option_of(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  close(fd);
  target.keepalive_s = 61;
  target.keepalive_interval_s = 11;
  target.keepalive_probes = 7;
  assert_int_equal(runnel__socket_dial(&fd, &target), 0);
  assert_true(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
#if defined(TCP_KEEPIDLE)
  assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
#endif
#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
  assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 11);
  assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 7);
#endif
  close(fd);
  close(listener);
}

int runnel__test_socket(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_socket_that_met_itself),
      cmocka_unit_test(test_socket_options),
  };
  return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
