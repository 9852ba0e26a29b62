/* See tls_stage.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_stage.h"

struct tls_stage tls_stage;

int tls_stage_set_up(void **state) {
  (void)state;
  tls_site_init(&tls_stage.site, NULL);
  tls_ground_init(&tls_stage.ground, &tls_stage.site, NULL);
  return 0;
}

int tls_stage_tear_down(void **state) {
  (void)state;
  tls_ground_deinit(&tls_stage.ground);
  tls_site_deinit(&tls_stage.site);
  return 0;
}

void tls_stage_begin(struct tls_pair *pair, struct tls_site *at,
                     const char *host) {
  struct runnel__secure how = tls_secure(&tls_stage.ground, host, NULL);
  assert_int_equal(tls_pair_init(pair, at, &how, 0), 0);
}

void tls_stage_shake(struct tls_pair *pair, struct tls_site *at) {
  tls_stage_begin(pair, at, TLS_SITE_NAME);
  tls_pair_run(pair);
  assert_int_equal(pair->end, 0);
  assert_int_equal(pair->ups, 1);
}

void tls_stage_expect_plain(const struct tls_pair *pair, const char *text) {
  assert_int_equal(pair->plain.len, strlen(text));
  if (pair->plain.len > 0)
    assert_memory_equal(pair->plain.at, text, pair->plain.len);
}

void tls_stage_expect_end(const struct tls_pair *pair, int code,
                          const char *words) {
  const char *why = runnel__tls_why(pair->tls, NULL);
  assert_int_equal(pair->end, code);
  if (words[0] != '\0' && strstr(why, words) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", why, words);
  assert_null(strchr(why, '\n'));
}
