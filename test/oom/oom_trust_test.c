/* Gate R3, what is not a connection: with each allocation failed in turn, once
 * and from there on, mbedTLS's among them, settings are made, a world trusts by
 * them, and a good chain and a wrong one are judged. What does not work says
 * that there is no memory; nobody is trusted who should not be; nothing leaks;
 * and with memory back all is well.
 *
 * mbedTLS tells some failed allocations as a bad signature. So a good chain may
 * be refused; that is tried again. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../lib/net/trust_inside.h"
#include "../tempdir.h"
#include "../tls_ca.h"
#include "oom.h"
#include "oom_groups.h"

/* All points up to this one, then each that STRIDE comes to. */
#define ALL_POINTS 400
#define STRIDE 37

struct files {
  char root[256], folder[256], crl[256], cert[256], key[256];
  char good[256], wrong[256];
  char pin[64];
};

static struct files files;

/* What a run came to, each 0 or a code. */
struct run {
  int made;
  int world;
  int taken;
  int judged; /* 1: there is a verdict on both chains */
  int good;   /* of mbedTLS's */
  int wrong;
  char text[RUNNEL_ERROR_TEXT_BYTES];
};

static int judge(const struct runnel__trust *trust, const char *file) {
  struct runnel__vouch vouch = {.trust = trust,
                                .host = RUNNEL__STR("example.test")};
  const mbedtls_ssl_config *config = runnel__trust_config(trust, 0);
  mbedtls_x509_crt chain;
  uint32_t flags;
  mbedtls_x509_crt_init(&chain);
  int native = mbedtls_x509_crt_parse_file(&chain, file);
  if (native == 0)
    native = mbedtls_x509_crt_verify_with_profile(
        &chain, config->ca_chain, config->ca_crl, config->cert_profile,
        vouch.host.at, &flags, runnel__vouch, &vouch);
  mbedtls_x509_crt_free(&chain);
  return native;
}

static void take(struct run *run, runnel_tls *tls,
                 struct runnel__trusts *trusts, int judged) {
  struct runnel__trust *trust;
  run->taken = runnel__trust_take(trusts, tls, &trust, run->text);
  if (run->taken != RUNNEL_OK)
    return;
  if (judged) {
    run->judged = 1;
    run->good = judge(trust, files.good);
    run->wrong = judge(trust, files.wrong);
  }
  runnel__trust_give(trust);
}

static struct run run_all(size_t fail_at, int for_ever, int judged,
                          size_t *calls) {
  const char *const pins[] = {files.pin};
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  struct run run = {0};
  struct runnel__mem mem;
  struct runnel__trusts *trusts = NULL;
  runnel_tls *tls = NULL;
  options.ca_file = files.root;
  options.ca_dir = files.folder;
  options.crl_file = files.crl;
  options.cert_file = files.cert;
  options.key_file = files.key;
  options.key_password = "secret";
  options.pins = pins;
  options.pins_len = 1;
  runnel__mem_init(&mem, NULL, 1 << 20);
  oom_begin(fail_at, for_ever);
  run.made = runnel_tls_new(&tls, &options);
  run.world = runnel__trusts_new(&trusts, &mem);
  if (run.made == RUNNEL_OK && run.world == RUNNEL_OK)
    take(&run, tls, trusts, judged);
  *calls = oom_end();
  if (run.made != RUNNEL_OK)
    memcpy(run.text, options.error_text, sizeof run.text);
  runnel__trusts_free(trusts);
  runnel_tls_release(tls);
  return run;
}

static int is_said(int err) { return err == RUNNEL_OK || err == RUNNEL_ENOMEM; }

static void check(const struct run *run, size_t point, int for_ever) {
  if (!is_said(run->made) || !is_said(run->world) || !is_said(run->taken))
    fail_msg("point %zu%s: %d, %d, %d: %s", point, for_ever ? " on" : "",
             run->made, run->world, run->taken, run->text);
  if (run->judged && run->wrong == 0)
    fail_msg("point %zu: a wrong name was taken", point);
}

static void sweep(int for_ever, int judged) {
  size_t calls, points = 0;
  struct run run = run_all(0, 0, judged, &calls);
  assert_int_equal(run.made | run.world | run.taken | run.good, 0);
  assert_int_equal(run.wrong != 0, judged);
  long live = oom_live();
  size_t last = calls;
  for (size_t point = 1; point <= last;
       point += point < ALL_POINTS ? 1 : STRIDE, points++) {
    run = run_all(point, for_ever, judged, &calls);
    check(&run, point, for_ever);
    if (oom_live() != live)
      fail_msg("point %zu: %ld blocks leaked", point, oom_live() - live);
  }
  run = run_all(0, 0, judged, &calls);
  assert_int_equal(run.made | run.world | run.taken | run.good, 0);
  print_message("%zu of %zu allocations failed%s\n", points, last,
                for_ever ? ", and all after" : "");
}

static void settings_and_trusts_say_that_there_is_no_memory(void **state) {
  (void)state;
  sweep(0, 0);
  sweep(1, 0);
}

static void nobody_is_trusted_for_want_of_memory(void **state) {
  (void)state;
  sweep(0, 1);
}

static struct tls_ca *ca;

static void name(char *dst, const char *file) {
  snprintf(dst, 256, "%s", tls_ca_file(ca, file));
}

static int open_group(void **state) {
  (void)state;
  ca = tls_ca_open();
  tls_ca_issue(ca,
               &(struct tls_cert){.name = "good", .san = "DNS:example.test"});
  tls_ca_issue(ca, &(struct tls_cert){.name = "wrong", .san = "DNS:x.test"});
  tls_ca_list_revoked(ca, "root", "crl", 0);
  const char *lock[] = {"ec",       "-aes256",
                        "-in",      tls_ca_file(ca, "good.key"),
                        "-out",     tls_ca_file(ca, "locked"),
                        "-passout", "pass:secret",
                        NULL};
  tls_ca_run(ca, lock);
  assert_int_equal(mkdir(tls_ca_file(ca, "folder"), 0700), 0);
  tls_ca_bundle(ca, "folder/inter.pem", "inter");
  name(files.root, "root.pem");
  name(files.folder, "folder");
  name(files.crl, "crl");
  name(files.cert, "good.chain.pem");
  name(files.key, "locked");
  name(files.good, "good.chain.pem");
  name(files.wrong, "wrong.chain.pem");
  snprintf(files.pin, sizeof files.pin, "%s", tls_ca_pin(ca, "inter"));
  return 0;
}

static int close_group(void **state) {
  (void)state;
  tls_ca_close(ca);
  return 0;
}

int runnel__test_oom_trust(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(settings_and_trusts_say_that_there_is_no_memory),
      cmocka_unit_test(nobody_is_trusted_for_want_of_memory),
  };
  return cmocka_run_group_tests_name("oom_trust", tests, open_group,
                                     close_group);
}
