/* openssl's s_server, on a free port of 127.0.0.1, started and ended by its
 * process id. It serves one connection at a time, in one of two ways:
 *
 *  - files: "-HTTP" among the arguments: the answer to GET /NAME is the file of
 *    that name in its folder, head and all; then it says close_notify;
 *  - by hand: what the test writes goes to the client as it is, but for a line
 *    that begins with a letter of its own (q ends the connection, r
 *    renegotiates, k and K update keys, P sends plain bytes). */
#ifndef RUNNEL_TEST_TLS_SERVER_H
#define RUNNEL_TEST_TLS_SERVER_H

#include "spawn.h"

struct tls_server;

/* `dir`: where relative paths of the arguments, and files, are. `args` follow
 * "openssl s_server -accept 127.0.0.1:0", NULL-ended. Fails the test, with what
 * openssl said, if it does not start. */
struct tls_server *tls_server_start(const char *dir, const char *const *args);

int tls_server_port(const struct tls_server *server);

/* Waits until it printed that; fails the test when it ends before. */
void tls_server_wait(struct tls_server *server, const char *text);

/* By hand: writes that to the connection, or to s_server itself. */
void tls_server_write(struct tls_server *server, const char *text);

/* Ends it. *said (may be NULL): all that it printed, to be freed. NULL for the
 * server is allowed. */
void tls_server_stop(struct tls_server *server, char **said);

#endif
