/* See cave.h. Namespaces are a thread's own on Linux, so the rest of the
 * program stays at home. */
#define _GNU_SOURCE /* unshare, setns */
#include "cave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_NAMESPACE "/proc/thread-self/ns/net"
#define PATH "PATH=$PATH:/usr/sbin:/sbin; "

static struct cave *entered; /* that a teardown would have to leave */

static int run_line(const char *line) {
  char full[512];
  snprintf(full, sizeof full, PATH "%s", line);
  return system(full); /* NOLINT(cert-env33-c): fixed lines, ours */
}

void cave_run(const char *format, ...) {
  char line[400];
  va_list list;
  va_start(list, format);
  vsnprintf(line, sizeof line, format, list);
  va_end(list);
  if (run_line(line) != 0)
    fail_msg("failed: %s", line);
}

/* A namespace of its own for this thread; -1 with errno. */
static int make_side(void) {
  if (unshare(CLONE_NEWNET) != 0)
    return -1;
  return open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
}

void cave_skip(const char *why) {
  print_message("\n*** SKIPPED, NOT TESTED: %s ***\n", why);
  skip();
}

static void lay_wire(struct cave *cave) {
  cave_run("ip link set lo up");
  cave_run("ip link add near0 type veth peer name far0 && "
           "ip link set far0 netns /proc/%ld/fd/%d",
           (long)getpid(), cave->sides[CAVE_FAR]);
  cave_run("ip addr add 10.9.0.1/24 dev near0 && "
           "ip link set near0 up");
  cave_go(cave, CAVE_FAR);
  cave_run("ip link set lo up && ip link set far0 up && "
           "ip addr add " CAVE_FAR_V4 "/24 dev far0");
  if (cave->has_v6)
    cave_run("ip -6 addr add " CAVE_FAR_V6 "/64 dev far0 nodad");
  cave_go(cave, CAVE_NEAR);
  if (cave->has_v6)
    cave_run("ip -6 addr add fd09::1/64 dev near0 nodad");
  cave_cut(CAVE_HOLE_V4);
}

void cave_enter(struct cave *cave) {
  for (int i = 0; i < CAVE_SIDES; i++)
    cave->sides[i] = -1;
  if (run_line("command -v ip >/dev/null") != 0)
    cave_skip("needs ip (Debian: iproute2)");
  cave->sides[CAVE_HOME] = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  if (cave->sides[CAVE_HOME] < 0)
    cave_skip("needs network namespaces (Linux)");
  cave->sides[CAVE_FAR] = make_side();
  if (cave->sides[CAVE_FAR] < 0) {
    close(cave->sides[CAVE_HOME]);
    cave_skip("needs root and CAP_SYS_ADMIN for a network namespace");
  }
  entered = cave;
  cave->sides[CAVE_NEAR] = make_side();
  assert_true(cave->sides[CAVE_NEAR] >= 0);
  if (run_line("ip link add try0 type veth peer name try1 2>/dev/null && "
               "ip link del try0") != 0) {
    cave_leave(cave);
    cave_skip("needs CAP_NET_ADMIN and veth");
  }
  cave->has_v6 = access("/proc/sys/net/ipv6", F_OK) == 0;
  lay_wire(cave);
}

void cave_go(struct cave *cave, enum cave_side side) {
  if (setns(cave->sides[side], CLONE_NEWNET) != 0)
    fail_msg("setns: %s", strerror(errno));
}

void cave_leave(struct cave *cave) {
  if (cave->sides[CAVE_FAR] >= 0) /* else it never left, nor might it return */
    cave_go(cave, CAVE_HOME);
  for (int i = 0; i < CAVE_SIDES; i++)
    if (cave->sides[i] >= 0)
      close(cave->sides[i]);
  entered = NULL;
}

int cave_teardown(void **state) {
  (void)state;
  if (entered != NULL)
    cave_leave(entered);
  return 0;
}

/* A neighbour with an address that no card has. */
void cave_cut(const char *address) {
  cave_run("ip neigh replace %s lladdr 02:00:00:00:00:99 dev near0 "
           "nud permanent",
           address);
}

void cave_mend(const char *address) {
  cave_run("ip neigh del %s dev near0", address);
}
