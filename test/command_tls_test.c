/* The `runnel` command over TLS, against two real servers: the session server
 * of the demo, which speaks with mbedTLS, and openssl's s_server, which asks
 * the client for a certificate.
 *
 * <p> is the session server's port, <D> the folder of the certificates:
 * root.pem, whose inter.pem signed good.pem (for localhost and 127.0.0.1, with
 * its chain) and me.pem (a client's); other.pem is a stranger's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command_text.h"
#include "spawn.h"
#include "tempdir.h"
#include "tls_ca.h"
#include "tls_server.h"

#define NO_PIN "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#include "command_tls_rows.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ARGS_MAX 20

int runnel__test_command_tls(void);

static struct {
  struct tls_ca *ca;
  char dir[512];
  struct spawn *server;
  int port;
} site;

/* Certificates and servers ------------------------------------------------ */

static void make_certificates(void) {
  static const char client[] = "basicConstraints = CA:FALSE\n"
                               "extendedKeyUsage = clientAuth\n";
  site.ca = tls_ca_open();
  tls_ca_issue(site.ca,
               &(struct tls_cert){"good", .san = "DNS:localhost,IP:127.0.0.1"});
  tls_ca_issue(site.ca,
               &(struct tls_cert){"other", .issuer = "other", .is_ca = 1});
  tls_ca_issue(site.ca,
               &(struct tls_cert){"me", .only = client, .key = "ec-me"});
  tls_ca_run(site.ca,
             (const char *const[]){"pkcs8", "-topk8", "-in",
                                   tls_ca_file(site.ca, "me.key"), "-out",
                                   tls_ca_file(site.ca, "encrypted.key"),
                                   "-passout", "pass:secret", NULL});
  const char *file = tls_ca_file(site.ca, "root.pem");
  size_t len = (size_t)(strrchr(file, '/') - file);
  snprintf(site.dir, sizeof site.dir, "%.*s", (int)len, file);
}

static struct spawn *start_sessions(int *port, int drop) {
  const char *cert = tls_ca_file(site.ca, "good.chain.pem");
  const char *key = tls_ca_file(site.ca, "good.key");
  const char *argv[] = {RUNNEL_SESSION_SERVER,
                        "--interval",
                        "10",
                        "--retry",
                        "100",
                        "--cert",
                        cert,
                        "--key",
                        key,
                        NULL,
                        NULL};
  if (drop)
    argv[9] = "--drop";
  struct spawn_options options = {
      .argv = argv, .input_stays_open = 1, .watchdog_s = 300};
  struct spawn *server = spawn_start(&options);
  assert_non_null(server);
  assert_int_equal(spawn_wait_lines(server, 1), 0);
  *port = atoi(spawn_out(server));
  return server;
}

static void stop_sessions(struct spawn *server) {
  struct spawn_result result;
  spawn_close_input(server);
  spawn_finish(server, &result);
  assert_string_equal(result.err, "");
  assert_int_equal(result.status, 0);
  spawn_result_deinit(&result);
}

static int open_site(void **state) {
  (void)state;
  make_certificates();
  site.server = start_sessions(&site.port, 0);
  return 0;
}

static int close_site(void **state) {
  (void)state;
  stop_sessions(site.server);
  tls_ca_close(site.ca);
  return 0;
}

/* The command ------------------------------------------------------------- */

/* Runs it with `args`, NULL-ended, and --pin if there is one. */
static void run(struct spawn_result *result, const char *const *args,
                const char *pin, const char *env_text, int port) {
  const char *argv[ARGS_MAX + 4] = {RUNNEL_COMMAND};
  char *owned[ARGS_MAX] = {NULL};
  char *env_owned = command_text(env_text, port, site.dir);
  const char *env[] = {env_owned == NULL ? "SSL_CERT_FILE" : env_owned,
                       "SSL_CERT_DIR", NULL};
  size_t len = 0;
  for (; args[len] != NULL; len++) {
    assert_true(len < ARGS_MAX);
    owned[len] = command_text(args[len], port, site.dir);
    argv[len + 1] = owned[len];
  }
  if (pin != NULL) {
    argv[len + 1] = "--pin";
    argv[len + 2] = tls_ca_pin(site.ca, pin);
  }
  struct spawn_options options = {.argv = argv, .env = env, .watchdog_s = 30};
  assert_int_equal(spawn_run(result, &options), 0);
  for (size_t i = 0; i < len; i++)
    free(owned[i]);
  free(env_owned);
}

static void check(struct spawn_result *result, int status, const char *out,
                  const char *err, int port) {
  char *wanted = command_text(err == NULL ? "" : err, port, site.dir);
  int said =
      err == NULL ? result->err_len == 0 : command_holds(wanted, result->err);
  int shown = command_matches(out, result->out);
  if (result->status != status || !said || !shown)
    print_error("status %d, standard output:\n%s\nstandard error:\n%s\n"
                "wanted %d and\n%s\nand\n%s\n",
                result->status, result->out, result->err, status, out, wanted);
  assert_true(shown);
  assert_true(said);
  assert_int_equal(result->status, status);
  free(wanted);
  spawn_result_deinit(result);
}

static void check_row(void **state) {
  const struct tls_row *row = *state;
  struct spawn_result result;
  run(&result, row->args, row->pin, row->env, site.port);
  check(&result, row->status, row->out, row->err, site.port);
}

/* The session of the first connection, which is cut, makes the second one's
 * handshake short. */
static void a_reconnect_is_resumed(void **state) {
  static const char *const args[] = {"-vfdata", "-n1",   "--event", "complete",
                                     ROOT,      BY_NAME, NULL};
  struct spawn_result result;
  int port;
  (void)state;
  struct spawn *server = start_sessions(&port, 1);
  run(&result, args, NULL, NULL, port);
  stop_sessions(server);
  check(&result, 0, "{\"type\":\"complete\",\"done\":true}\n",
        "connected (200, <n> ms, TLSv1.<n>, resumed)\n", port);
}

/* Mutual TLS -------------------------------------------------------------- */

/* What s_server sends for GET /events, head and all. */
static const char events[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/event-stream\r\n"
                             "Connection: close\r\n\r\n"
                             "data: secret\n\n";

static struct tls_server *start_mutual(void) {
  tempdir_write(site.dir, "events", events, strlen(events));
  static const char *const args[] = {
      "-HTTP",       "-cert",          "good.pem",
      "-cert_chain", "good.chain.pem", "-key",
      "good.key",    "-Verify",        "3",
      "-CAfile",     "root.pem",       "-verify_return_error",
      NULL};
  return tls_server_start(site.dir, args);
}

#define MUTUAL "-fdata", "--no-reconnect", ROOT, "https://localhost:<p>/events"

static void a_certificate_that_is_asked_for(void **state) {
  static const char *const args[] = {MUTUAL,  "--cert",     "<D>/me.chain.pem",
                                     "--key", "<D>/me.key", NULL};
  struct spawn_result result;
  (void)state;
  struct tls_server *server = start_mutual();
  run(&result, args, NULL, NULL, tls_server_port(server));
  check(&result, 0, "secret\n", NULL, tls_server_port(server));
  tls_server_stop(server, NULL);
}

/* With TLS 1.3 the server refuses after the client took its own part for done.
 */
static void no_certificate_that_is_asked_for(void **state) {
  static const char *const args[] = {MUTUAL, NULL};
  struct spawn_result result;
  (void)state;
  struct tls_server *server = start_mutual();
  run(&result, args, NULL, NULL, tls_server_port(server));
  check(&result, 1, "", "; gave up\n", tls_server_port(server));
  tls_server_stop(server, NULL);
}

int runnel__test_command_tls(void) {
  static const struct CMUnitTest others[] = {
      cmocka_unit_test(a_reconnect_is_resumed),
      cmocka_unit_test(a_certificate_that_is_asked_for),
      cmocka_unit_test(no_certificate_that_is_asked_for)};
  static struct CMUnitTest tests[COUNT(tls_rows) + COUNT(others)];
  size_t len = 0;
  for (size_t i = 0; i < COUNT(tls_rows); i++)
    tests[len++] = (struct CMUnitTest){tls_rows[i].name, check_row, NULL, NULL,
                                       (void *)(uintptr_t)&tls_rows[i]};
  for (size_t i = 0; i < COUNT(others); i++)
    tests[len++] = others[i];
  return _cmocka_run_group_tests("command_tls", tests, len, open_site,
                                 close_site);
}
