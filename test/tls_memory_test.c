/* What an idle TLS connection holds, beside one of bare mbedTLS with the same
 * settings: not its record buffers. Counted by the C library; where that counts
 * nothing (under the sanitizers, on others than glibc) the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/net/trust_inside.h"
#include "tls_pair.h"

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#include <malloc.h>
static size_t allocated(void) { return mallinfo2().uordblks; }
#else
static size_t allocated(void) { return 0; }
#endif

/* Freed blocks that the C library keeps near count as used: many connections
 * make that little. */
#define CONNECTIONS 64

/* What mbedTLS keeps besides: its context, keys and cipher contexts. */
#define RESTING_MAX 10240

struct bare {
  mbedtls_ssl_context ssl;
  struct tls_peer peer;
};

static int bare_writes(void *ctx, const unsigned char *bytes, size_t len) {
  tls_peer_hear(ctx, (const char *)bytes, len);
  return (int)len;
}

static int bare_reads(void *ctx, unsigned char *to, size_t room) {
  struct tls_peer *peer = ctx;
  size_t len = room < peer->out.len ? room : peer->out.len;
  if (len == 0)
    return MBEDTLS_ERR_SSL_WANT_READ;
  memcpy(to, peer->out.at, len);
  memmove(peer->out.at, peer->out.at + len, peer->out.len - len);
  peer->out.len -= len;
  return (int)len;
}

static void open_bare(struct bare *bare, struct tls_site *site,
                      const struct tls_ground *ground) {
  struct runnel__vouch vouch = {.trust = ground->trust,
                                .host = runnel__str_of(TLS_SITE_NAME)};
  unsigned char byte;
  tls_peer_init(&bare->peer, site);
  mbedtls_ssl_init(&bare->ssl);
  assert_int_equal(
      mbedtls_ssl_setup(&bare->ssl, runnel__trust_config(ground->trust, 0)), 0);
  assert_int_equal(mbedtls_ssl_set_hostname(&bare->ssl, TLS_SITE_NAME), 0);
  mbedtls_ssl_set_bio(&bare->ssl, &bare->peer, bare_writes, bare_reads, NULL);
  mbedtls_ssl_set_verify(&bare->ssl, runnel__vouch, &vouch);
  assert_int_equal(mbedtls_ssl_handshake(&bare->ssl), 0);
  while (bare->peer.out.len > 0) /* tickets */
    (void)mbedtls_ssl_read(&bare->ssl, &byte, 1);
  tls_peer_deinit(&bare->peer);
}

static size_t weigh_bare(struct tls_site *site,
                         const struct tls_ground *ground) {
  static struct bare all[CONNECTIONS];
  size_t before = allocated();
  for (size_t i = 0; i < CONNECTIONS; i++)
    open_bare(&all[i], site, ground);
  size_t each = (allocated() - before) / CONNECTIONS;
  for (size_t i = 0; i < CONNECTIONS; i++)
    mbedtls_ssl_free(&all[i].ssl);
  return each + sizeof all->ssl;
}

static size_t weigh_ours(struct tls_site *site, const struct tls_ground *ground,
                         const struct runnel__session *session) {
  static struct tls_pair all[CONNECTIONS];
  struct runnel__secure how = tls_secure(ground, TLS_SITE_NAME, session);
  size_t before = allocated();
  for (size_t i = 0; i < CONNECTIONS; i++) {
    assert_int_equal(tls_pair_init(&all[i], site, &how, 0), 0);
    tls_pair_run(&all[i]);
    assert_int_equal(all[i].ups, 1);
    assert_int_equal(all[i].secured.resumed, session != NULL);
    tls_peer_deinit(&all[i].peer);
    all[i].peer = (struct tls_peer){0};
    story_bytes_free(&all[i].session_bytes);
  }
  size_t each = (allocated() - before) / CONNECTIONS;
  for (size_t i = 0; i < CONNECTIONS; i++)
    tls_pair_deinit(&all[i]);
  return each;
}

static void weigh(int version) {
  struct tls_site site;
  struct tls_ground ground;
  struct tls_pair pair;
  tls_site_init(&site, &(struct tls_site_how){.version_max = version});
  tls_ground_init(&ground, &site, NULL);
  struct runnel__secure how = tls_secure(&ground, TLS_SITE_NAME, NULL);
  assert_int_equal(tls_pair_init(&pair, &site, &how, 0), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.sessions, 1);
  (void)weigh_bare(&site, &ground); /* warm: what is allocated once */
  size_t bare = weigh_bare(&site, &ground);
  size_t full = weigh_ours(&site, &ground, NULL);
  size_t resumed = weigh_ours(&site, &ground, &pair.session);
  printf("tls_memory: %s, %s: an idle connection holds %zu bytes, resumed %zu; "
         "bare %zu\n",
         runnel__trust_library(), pair.secured.version, full, resumed, bare);
  assert_true(full <= RESTING_MAX);
  assert_true(resumed <= RESTING_MAX);
  tls_pair_deinit(&pair);
  tls_ground_deinit(&ground);
  tls_site_deinit(&site);
}

static void test_idle(void **state) {
  (void)state;
  size_t before = allocated();
  void *volatile block = malloc(50 * 1000);
  size_t after = allocated();
  free(block);
  if (after <= before)
    skip();
  weigh(RUNNEL_TLS_1_2);
  if (tls_site_has_1_3())
    weigh(RUNNEL_TLS_1_3);
}

int runnel__test_tls_memory(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle)};
  return cmocka_run_group_tests_name("tls_memory", tests, NULL, NULL);
}
