/* What the end-to-end tests of TLS begin with: certificates (tls_ca.h), and
 * scenes: a program that trusts their authority, and a server behind a wire
 * that can be cut (tls_cut.h).
 *
 * In the folder of the authority are, besides its own:
 *
 *   good.pem        P-256; good.test, other.test, *.wild.test, localhost,
 *                   127.0.0.1 and ::1
 *   rsa.pem         the same, RSA 2048; pss.pem: a key for RSA-PSS alone
 *   client.pem      a client's; stranger.pem: a client's by `another`, which
 *                   nobody trusts
 *   feed, ...       whole answers for s_server -HTTP */
#ifndef RUNNEL_TEST_TLS_WORLD_H
#define RUNNEL_TEST_TLS_WORLD_H

#include "nginx.h"
#include "scene.h"
#include "tls_ca.h"
#include "tls_cut.h"
#include "tls_server.h"

#define TLS_HOST "good.test"

struct tls_world {
  struct tls_ca *ca;
  runnel_tls *tls; /* trusts its root */
};
extern struct tls_world tls_world;

/* Once for each group. */
int tls_world_set_up(void **state);
int tls_world_tear_down(void **state);

/* The path of a file of the folder, as tls_ca_file. */
const char *tls_file(const char *name);

/* A type, the two bytes of an alert, and a tag (RFC 8446 5.2): no more than
 * that may be encrypted of what is sent to somebody who is not trusted. */
#define TLS_ALERT_BYTES_MAX 32

/* 1: the library has TLS 1.3; else says aloud what is left out. */
int tls_has_1_3(void);

/* Settings that trust the world's authority; `options` may name more. */
runnel_tls *tls_trusting(struct runnel_tls_options *options);

/* A server with the certificate of that name, what it shows behind that (a
 * file; NULL: inter.pem; "": nothing), and more arguments, divided by spaces.
 */
struct tls_server *tls_start_with(const char *cert, const char *chain,
                                  const char *args);
struct tls_server *tls_start(const char *cert, const char *args);

/* An nginx with that certificate, and more for its server block. A test without
 * nginx fails here. */
struct nginx *tls_nginx(const char *cert, const char *locations);

/* A host whose client knows TLS_HOST (and more names) as 127.0.0.1, and a wire
 * to a server. */
struct tls_scene {
  struct host host;
  struct tls_cut *cut;
  struct tls_server *server; /* stopped with the scene; may be NULL */
  char url[256];             /* https://good.test:PORT/feed */
};

/* Takes the server over. */
void tls_scene_open(struct tls_scene *scene, struct tls_server *server);

/* To whatever listens there, asked for as that host. `options` may be NULL. */
void tls_scene_open_to(struct tls_scene *scene, int port, const char *host,
                       struct runnel_client_options *options);
void tls_scene_close(struct tls_scene *scene);

/* Opens the scene's URL with the settings (NULL: the world's) and waits for the
 * end of the first attempt, which is the last. */
void tls_take_once(struct tls_scene *scene, struct feed *feed,
                   runnel_tls *settings);

/* The connection is over, and not a byte of a request was in it: of what is
 * encrypted the client sent an alert at most. */
void tls_check_nothing_asked(struct tls_scene *scene);

#endif
