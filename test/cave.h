/* Two networks of the test's own, joined by a wire (Linux network namespaces
 * and a veth pair), of which the calling thread and what it starts are in the
 * near one. Needs root, CAP_NET_ADMIN and `ip`; where these are missing, the
 * test is skipped, with a line that says so.
 *
 *   struct cave cave;
 *   cave_enter(&cave);                       or the test is skipped
 *   cave_go(&cave, CAVE_FAR);                what is made now, is over there
 *   cave_go(&cave, CAVE_NEAR);
 *   cave_run("ip addr show");                must succeed
 *   cave_leave(&cave);                       also as a teardown, see below
 *
 * No packet leaves the machine. */
#ifndef RUNNEL_TEST_CAVE_H
#define RUNNEL_TEST_CAVE_H

#define CAVE_FAR_V4 "10.9.0.2"
#define CAVE_FAR_V6 "fd09::2"

/* An address on the wire that nobody has: SYNs to it get no answer. */
#define CAVE_HOLE_V4 "10.9.0.99"

enum cave_side { CAVE_HOME, CAVE_NEAR, CAVE_FAR, CAVE_SIDES };

struct cave {
  int sides[CAVE_SIDES]; /* descriptors of the namespaces; -1: none */
  int has_v6;
};

void cave_enter(struct cave *cave);
void cave_go(struct cave *cave, enum cave_side side);
void cave_leave(struct cave *cave);

/* Skips the test, loudly. */
void cave_skip(const char *why);

/* A cmocka teardown: leaves whatever a failed test entered. */
int cave_teardown(void **state);

__attribute__((format(printf, 1, 2))) void cave_run(const char *format, ...);

/* Frames to a far address get lost from now on, without a word; or not. */
void cave_cut(const char *address);
void cave_mend(const char *address);

#endif
