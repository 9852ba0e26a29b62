/* TLS settings: everything that can be wrong with them is told at the call, by
 * option, file and reason (faults.md U15); what is right is counted, reloaded
 * and shared by threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/net/material.h"
#include "../lib/net/tls_lib.h"
#include "../lib/net/trust.h"
#include "failing_alloc.h"
#include "tempdir.h"
#include "tls_ca.h"
#include "tls_settings_rows.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

static struct tls_ca *ca;
static struct runnel__mem mem;
static struct runnel__trusts *trusts;

/* What is wrong ----------------------------------------------------------- */

static const char *path_of(const char *name) {
  return name == NULL || name[0] == '/' ? name : tls_ca_file(ca, name);
}

static void fill(struct runnel_tls_options *options,
                 const struct settings_row *row, const char **pin) {
  *options = (struct runnel_tls_options)RUNNEL_TLS_OPTIONS_INIT;
  options->ca_file = path_of(row->ca_file);
  options->ca_dir = path_of(row->ca_dir);
  options->crl_file = path_of(row->crl_file);
  options->cert_file = path_of(row->cert_file);
  options->key_file = path_of(row->key_file);
  options->key_password = row->password;
  *pin = row->pin;
  options->pins = pin;
  options->pins_len = row->pin != NULL;
  options->version_min = row->version_min;
  options->version_max = row->version_max;
  options->insecure = row->insecure;
  options->no_resumption = row->no_resumption;
  if (row->ca != NULL)
    options->ca = file_read(path_of(row->ca), &options->ca_len);
  if (row->cert != NULL)
    options->cert = file_read(path_of(row->cert), &options->cert_len);
  if (row->ca_file == NULL && row->ca_dir == NULL && row->ca == NULL &&
      !row->insecure)
    options->ca_file = tls_ca_file(ca, "root.pem");
}

static size_t count_anchors(runnel_tls *tls) {
  struct runnel__material *material = runnel__material_of(tls);
  size_t count = material->anchors.certs_len;
  runnel__material_give(material);
  return count;
}

static void check_text(size_t i, const struct settings_row *row, int err,
                       const char *text) {
  if (row->refused[0] == NULL && err == RUNNEL_OK && text[0] == '\0')
    return;
  for (size_t k = 0; k < LEN(row->refused); k++)
    if (row->refused[0] == NULL || err != RUNNEL_EINVAL ||
        (row->refused[k] != NULL && strstr(text, row->refused[k]) == NULL))
      fail_msg("row %zu: %d, \"%s\"", i, err, text);
  if (strchr(text, '\n') != NULL || strstr(text, SECRET) != NULL)
    fail_msg("row %zu: \"%s\"", i, text);
}

static void what_is_wrong_is_told_at_once(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(rows); i++) {
    struct runnel_tls_options options;
    const char *pin;
    fill(&options, &rows[i], &pin);
    strcpy(options.error_text, "what stood there before");
    runnel_tls *tls = NULL;
    int err = runnel_tls_new(&tls, &options);
    check_text(i, &rows[i], err, options.error_text);
    assert_true((err == RUNNEL_OK) == (tls != NULL));
    if (err == RUNNEL_OK && rows[i].anchors > 0)
      assert_int_equal(count_anchors(tls), rows[i].anchors);
    runnel_tls_release(tls);
    free((void *)(size_t)options.ca);
    free((void *)(size_t)options.cert);
  }
}

static void options_have_a_size_and_sound_lists(void **state) {
  (void)state;
  runnel_tls *tls = NULL;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  assert_int_equal(runnel_tls_new(NULL, &options), RUNNEL_EINVAL);
  assert_int_equal(runnel_tls_reload(NULL, &options), RUNNEL_EINVAL);
  options.size = 0;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_EINVAL);
  options.size = sizeof options - 1;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_EINVAL);
  assert_non_null(strstr(options.error_text, "size"));
  options = (struct runnel_tls_options)RUNNEL_TLS_OPTIONS_INIT;
  options.ca_file = tls_ca_file(ca, "root.pem");
  options.pins_len = 1;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_EINVAL);
  assert_non_null(strstr(options.error_text, "pins: NULL"));
  static const char *const pins[65] = {PIN, NULL};
  options.pins = pins;
  options.pins_len = 65;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_EINVAL);
  assert_non_null(strstr(options.error_text, "pins_len: 65"));
  options.pins_len = 2;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_EINVAL);
  assert_non_null(strstr(options.error_text, "pins[1]"));
  runnel_tls_release(NULL);
  assert_null(runnel_tls_retain(NULL));
  assert_int_equal(strncmp(runnel_tls_library(), "Mbed TLS ", 9), 0);
}

/* With 2.28 there is no TLS 1.3 to insist on, and AES does not lock a key of
 * PKCS#8. */
static void what_a_version_lacks_is_told(void **state) {
  (void)state;
  int is_old = runnel__tls_lib_version_max() == RUNNEL_TLS_1_2;
  runnel_tls *tls = NULL;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.ca_file = tls_ca_file(ca, "root.pem");
  options.version_min = RUNNEL_TLS_1_3;
  assert_int_equal(runnel_tls_new(&tls, &options),
                   is_old ? RUNNEL_EINVAL : RUNNEL_OK);
  assert_true(is_old == (strstr(options.error_text, "has no TLS 1.3") != NULL));
  runnel_tls_release(tls);
  tls = NULL;
  options.version_min = 0;
  options.cert_file = tls_ca_file(ca, "me.pem");
  options.key_file = tls_ca_file(ca, "locked-aes.key");
  options.key_password = SECRET;
  int err = runnel_tls_new(&tls, &options);
  if (err == RUNNEL_EINVAL && is_old)
    assert_non_null(strstr(options.error_text, "in a way that cannot be read"));
  else
    assert_int_equal(err, RUNNEL_OK);
  runnel_tls_release(tls);
}

/* The system's ------------------------------------------------------------ */

static int take(runnel_tls *tls, struct runnel__trust **trust, char *text) {
  return runnel__trust_take(trusts, tls, trust, text);
}

/* What the environment names: certificates, and what is warned of. */
static void check_system(const char *file, const char *dirs, size_t anchors,
                         const char *words) {
  if (file != NULL)
    setenv("SSL_CERT_FILE", file, 1);
  else
    unsetenv("SSL_CERT_FILE");
  if (dirs != NULL)
    setenv("SSL_CERT_DIR", dirs, 1);
  else
    unsetenv("SSL_CERT_DIR");
  runnel_tls *tls;
  struct runnel__trust *trust;
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  int err = runnel_tls_new(&tls, &options);
  assert_int_equal(err, anchors > 0 ? RUNNEL_OK : RUNNEL_EINVAL);
  if (err == RUNNEL_OK) {
    assert_int_equal(count_anchors(tls), anchors);
    assert_int_equal(take(tls, &trust, text), RUNNEL_OK);
    runnel_tls_release(tls);
    runnel__trust_give(trust);
  }
  const char *told = err == RUNNEL_OK ? text : options.error_text;
  if (words == NULL ? told[0] != '\0' : strstr(told, words) == NULL)
    fail_msg("\"%s\", not \"%s\"", told, words == NULL ? "" : words);
}

static void the_environment_names_the_system_s(void **state) {
  (void)state;
  char both[1024];
  const char *root = tls_ca_file(ca, "root.pem");
  const char *folder = tls_ca_file(ca, "folder");
  const char *missing = tls_ca_file(ca, "missing");
  check_system(root, NULL, 1, NULL);
  check_system(NULL, folder, 3, NULL);
  check_system(root, folder, 3, NULL);
  snprintf(both, sizeof both, "%s:%s:", missing, folder);
  check_system("", both, 3, "left out: SSL_CERT_DIR \"/");
  check_system(missing, folder, 3, "left out: SSL_CERT_FILE \"/");
  check_system(missing, NULL, 0, "SSL_CERT_FILE \"/");
  check_system(NULL, tls_ca_file(ca, "hollow"), 0, "no certificate in it");
  check_system(tls_ca_file(ca, "partly.pem"), NULL, 2,
               "partly.pem\": certificate 2 cannot be read");
  check_system(tls_ca_file(ca, "worse.pem"), NULL, 2, "left out 2, the first:");
  unsetenv("SSL_CERT_FILE");
  unsetenv("SSL_CERT_DIR");
}

static void the_first_place_with_a_certificate_is_the_system_s(void **state) {
  (void)state;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  const char *missing = tls_ca_file(ca, "missing");
  const char *const good[] = {missing, tls_ca_file(ca, "hollow"),
                              tls_ca_file(ca, "both.pem"),
                              tls_ca_file(ca, "other.pem"), NULL};
  const char *const bad[] = {missing, tls_ca_file(ca, "words"), NULL};
  const char *const none[] = {missing, NULL};
  struct runnel__anchors anchors = {0};
  assert_int_equal(runnel__anchors_add_system(&anchors, good, text), RUNNEL_OK);
  assert_int_equal(anchors.certs_len, 2);
  runnel__anchors_free(&anchors);
  assert_int_equal(runnel__anchors_add_system(&anchors, bad, text),
                   RUNNEL_EINVAL);
  assert_non_null(strstr(text, "words\": no certificate in it"));
  runnel__anchors_free(&anchors);
  assert_int_equal(runnel__anchors_add_system(&anchors, none, text),
                   RUNNEL_EINVAL);
  assert_non_null(strstr(text, "ca-certificates"));
  runnel__anchors_free(&anchors);
}

/* Reload ------------------------------------------------------------------ */

static runnel_tls *new_tls(const char *ca_file) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.ca_file = tls_ca_file(ca, ca_file);
  runnel_tls *tls;
  assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_OK);
  return tls;
}

static int reload(runnel_tls *tls, const char *ca_file) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  options.ca_file = tls_ca_file(ca, ca_file);
  return runnel_tls_reload(tls, &options);
}

/* One trust for all who ask, until the settings are others. */
static void a_reload_is_for_those_who_ask_later(void **state) {
  (void)state;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  struct runnel__trust *first, *second, *third;
  runnel_tls *tls = new_tls("partly.pem");
  assert_int_equal(take(tls, &first, text), RUNNEL_OK);
  assert_non_null(strstr(text, "left out: "));
  assert_int_equal(take(tls, &second, text), RUNNEL_OK);
  assert_string_equal(text, ""); /* it was said */
  assert_ptr_equal(first, second);
  assert_int_equal(reload(tls, "missing"), RUNNEL_EINVAL);
  assert_int_equal(take(tls, &third, text), RUNNEL_OK);
  assert_ptr_equal(first, third); /* the old one stays in force */
  assert_int_equal(reload(tls, "both.pem"), RUNNEL_OK);
  runnel__trust_give(second);
  runnel__trust_give(third);
  assert_int_equal(take(tls, &second, text), RUNNEL_OK);
  assert_string_equal(text, "");
  assert_true(runnel__trust_id(first) != runnel__trust_id(second));
  uint64_t id = runnel__trust_id(second);
  runnel__trust_retain(second);
  runnel__trust_give(second);
  runnel__trust_give(second);
  assert_int_equal(take(tls, &second, text), RUNNEL_OK);
  assert_int_equal(runnel__trust_id(second), id); /* unused, it was kept */
  runnel_tls_release(tls);
  runnel__trust_give(first);
  runnel__trust_give(second);
}

static void two_settings_are_two_trusts(void **state) {
  (void)state;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  struct runnel__trust *first, *second;
  runnel_tls *one = new_tls("root.pem"), *two = new_tls("root.pem");
  assert_int_equal(take(one, &first, text), RUNNEL_OK);
  assert_int_equal(take(two, &second, text), RUNNEL_OK);
  assert_true(runnel__trust_id(first) != runnel__trust_id(second));
  runnel__trust_give(first);
  runnel__trust_give(second);
  runnel_tls_release(one);
  assert_int_equal(take(two, &second, text), RUNNEL_OK);
  runnel__trust_give(second);
  runnel_tls_release(two); /* its unused trust goes with the world */
}

/* What nobody can ask for any more is not kept until the world ends. */
static void old_settings_leave_no_trust_behind(void **state) {
  (void)state;
  struct failing_alloc alloc = {0};
  struct runnel_alloc hooks = failing_alloc_hooks(&alloc);
  struct runnel__mem own;
  struct runnel__trusts *world;
  struct runnel__trust *trust;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  runnel__mem_init(&own, &hooks, 1 << 20);
  assert_int_equal(runnel__trusts_new(&world, &own), RUNNEL_OK);
  for (int i = 0; i < 20; i++) {
    runnel_tls *tls = new_tls("root.pem");
    assert_int_equal(runnel__trust_take(world, tls, &trust, text), RUNNEL_OK);
    runnel__trust_give(trust); /* unused while its settings live */
    runnel_tls_release(tls);
    assert_int_equal(alloc.live, 2); /* the world, and the last trust */
  }
  runnel__trusts_free(world);
  assert_int_equal(alloc.live, 0);
}

static void no_settings_are_the_system_s(void **state) {
  (void)state;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  struct runnel__trust *first, *second;
  setenv("SSL_CERT_FILE", tls_ca_file(ca, "missing"), 1);
  assert_int_equal(take(NULL, &first, text), RUNNEL_EINVAL);
  assert_non_null(strstr(text, "SSL_CERT_FILE"));
  setenv("SSL_CERT_FILE", tls_ca_file(ca, "root.pem"), 1);
  assert_int_equal(take(NULL, &first, text), RUNNEL_OK);
  unsetenv("SSL_CERT_FILE");
  assert_int_equal(take(NULL, &second, text), RUNNEL_OK);
  assert_ptr_equal(first, second);
  runnel__trust_give(first);
  runnel__trust_give(second);
}

static void insecure_is_said_by_its_name(void **state) {
  (void)state;
  static const char *const pins[] = {PIN};
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  char text[RUNNEL_ERROR_TEXT_BYTES];
  runnel_tls *tls;
  struct runnel__trust *trust;
  options.insecure = 1;
  for (options.pins_len = 0; options.pins_len < 2; options.pins_len++) {
    options.pins = pins;
    assert_int_equal(runnel_tls_new(&tls, &options), RUNNEL_OK);
    assert_int_equal(take(tls, &trust, text), RUNNEL_OK);
    assert_int_equal(strncmp(text, "insecure: ", 10), 0);
    assert_true((strstr(text, "pinned") != NULL) == (options.pins_len == 1));
    runnel__trust_give(trust);
    runnel_tls_release(tls);
  }
}

/* Threads ----------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 20

static void *use_shared(void *shared) {
  runnel_tls *tls = shared;
  struct runnel__mem own;
  struct runnel__trusts *world;
  size_t faults = 0;
  runnel__mem_init(&own, NULL, 1 << 20);
  if (runnel__trusts_new(&world, &own) != RUNNEL_OK)
    return shared;
  for (int i = 0; i < ROUNDS; i++) {
    char text[RUNNEL_ERROR_TEXT_BYTES];
    struct runnel__trust *trust;
    runnel_tls_retain(tls);
    faults += runnel__trust_take(world, tls, &trust, text) != RUNNEL_OK;
    runnel_tls_release(tls);
    if (faults == 0)
      runnel__trust_give(trust);
  }
  runnel__trusts_free(world);
  runnel_tls_release(tls);
  return faults == 0 ? NULL : shared;
}

/* Each thread lets go of a reference of its own; who is last, frees. */
static void threads_share_settings_that_change(void **state) {
  (void)state;
  static const char *const files[] = {"root.pem", "both.pem", "missing"};
  pthread_t threads[THREADS];
  runnel_tls *tls = new_tls("root.pem");
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(
        pthread_create(&threads[i], NULL, use_shared, runnel_tls_retain(tls)),
        0);
  for (size_t i = 0; i < ROUNDS; i++)
    assert_int_equal(reload(tls, files[i % LEN(files)]),
                     i % LEN(files) == 2 ? RUNNEL_EINVAL : RUNNEL_OK);
  runnel_tls_release(tls);
  for (size_t i = 0; i < THREADS; i++) {
    void *failed;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
}

static int open_group(void **state) {
  (void)state;
  unsetenv("SSL_CERT_FILE"); /* the tests' own */
  unsetenv("SSL_CERT_DIR");
  ca = tls_ca_open();
  tls_settings_files_make(ca);
  runnel__mem_init(&mem, NULL, 1 << 20);
  return runnel__trusts_new(&trusts, &mem);
}

static int close_group(void **state) {
  (void)state;
  runnel__trusts_free(trusts);
  tls_ca_close(ca);
  return 0;
}

int runnel__test_tls_settings(void);

int runnel__test_tls_settings(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_wrong_is_told_at_once),
      cmocka_unit_test(options_have_a_size_and_sound_lists),
      cmocka_unit_test(what_a_version_lacks_is_told),
      cmocka_unit_test(the_environment_names_the_system_s),
      cmocka_unit_test(the_first_place_with_a_certificate_is_the_system_s),
      cmocka_unit_test(a_reload_is_for_those_who_ask_later),
      cmocka_unit_test(two_settings_are_two_trusts),
      cmocka_unit_test(old_settings_leave_no_trust_behind),
      cmocka_unit_test(no_settings_are_the_system_s),
      cmocka_unit_test(insecure_is_said_by_its_name),
      cmocka_unit_test(threads_share_settings_that_change),
  };
  return cmocka_run_group_tests_name("tls_settings", tests, open_group,
                                     close_group);
}
