/* The test program's own name service, for names that the system's has not;
 * its getaddrinfo stands before the system's. All other names go there.
 *
 *   both.test        ::1 and 127.0.0.1
 *   cave.test        CAVE_FAR_V6 and CAVE_FAR_V4 (cave.h)
 *   many.test        127.0.0.1 to 127.0.0.40, each twice, with a port
 *   *.slow.test      127.0.0.1, but only once the test lets it */
#ifndef RUNNEL_TEST_RESOLVER_H
#define RUNNEL_TEST_RESOLVER_H

#define RESOLVER_MANY 40

/* How many slow look-ups have ended since the start. */
int resolver_ended(void);

/* Blocks until that many slow look-ups are under way. */
void resolver_wait(int running);

/* Answers all that are under way, and blocks until the threads that asked go
 * on. */
void resolver_answer(void);

#endif
