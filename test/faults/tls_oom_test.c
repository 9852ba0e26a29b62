/* Allocations of mbedTLS's that fail, one in each handshake: whatever it makes
 * of that (it has many names for it), no connection comes of a certificate that
 * is not the host's, and each end says what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/version.h>

#include "../tls_pair.h"
#include "fault_groups.h"
#include "short_calloc.h"

/* There are ten to thirty thousand: all of them take minutes. */
#define STRIDE_WRONG 37
#define STRIDE_RIGHT 185

/* mbedTLS 3.6 loses some memory when there is none left for a curve's point. */
#if MBEDTLS_VERSION_MAJOR >= 3
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libmbedcrypto"; }
#endif

struct sweep {
  const char *host;
  struct tls_site *site;
  struct tls_ground *ground;
  size_t runs;
  size_t ups;
  size_t no_memory;
  size_t no_trust;
  size_t other;
};

static void count(struct sweep *sweep, const struct tls_pair *pair) {
  sweep->runs++;
  sweep->ups += pair->ups;
  sweep->no_memory += pair->end == RUNNEL_ENOMEM;
  sweep->no_trust += pair->end == RUNNEL_ETRUST;
  sweep->other += pair->end == RUNNEL_ETLS;
}

/* How many allocations there were. */
static size_t shake_hands(struct sweep *sweep, size_t fail_at) {
  struct tls_pair pair;
  struct runnel__secure how = tls_secure(sweep->ground, sweep->host, NULL);
  short_calloc_begin(fail_at);
  assert_int_equal(tls_pair_init(&pair, sweep->site, &how, 0), 0);
  pair.enter = short_calloc_enter;
  tls_pair_run(&pair);
  if (pair.end == 0 && pair.ups > 0) {
    tls_peer_say(&pair.peer, "plain", 5);
    tls_pair_run(&pair);
    assert_int_equal(pair.plain.len, 5);
  }
  count(sweep, &pair);
  if (pair.end == RUNNEL_ETRUST || pair.end == RUNNEL_ETLS)
    assert_string_not_equal(runnel__tls_why(pair.tls, NULL), "");
  tls_pair_deinit(&pair);
  return short_calloc_calls();
}

static void run_sweep(struct sweep *sweep, size_t stride) {
  size_t all = shake_hands(sweep, 0);
  for (size_t at = 1; at <= all; at += stride)
    shake_hands(sweep, at);
  printf("tls_oom: %s: %zu allocations, %zu runs: %zu up, %zu no memory, %zu "
         "not trusted, %zu other\n",
         sweep->host, all, sweep->runs, sweep->ups, sweep->no_memory,
         sweep->no_trust, sweep->other);
  assert_int_equal(sweep->runs, sweep->ups + sweep->no_memory +
                                    sweep->no_trust + sweep->other);
}

static void test_short_memory(void **state) {
  struct tls_site site;
  struct tls_ground ground;
  struct sweep right = {
      .host = TLS_SITE_NAME, .site = &site, .ground = &ground};
  struct sweep wrong = {.host = "other.test", .site = &site, .ground = &ground};
  (void)state;
  tls_site_init(&site, NULL);
  tls_ground_init(&ground, &site, NULL);
  run_sweep(&right, STRIDE_RIGHT);
  assert_true(right.ups > 0 && right.no_memory > 0);
  run_sweep(&wrong, STRIDE_WRONG);
  assert_int_equal(wrong.ups, 0);
  tls_ground_deinit(&ground);
  tls_site_deinit(&site);
}

int runnel__test_tls_oom(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_short_memory)};
  return cmocka_run_group_tests_name("tls_oom", tests, NULL, NULL);
}
