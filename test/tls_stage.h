/* What the groups on the codec begin with: a server's site, a world that trusts
 * it, and what is expected of a pair. */
#ifndef RUNNEL_TEST_TLS_STAGE_H
#define RUNNEL_TEST_TLS_STAGE_H

#include "tls_pair.h"

struct tls_stage {
  struct tls_site site;
  struct tls_ground ground; /* trusts the site */
};

extern struct tls_stage tls_stage;

/* A group's set-up and tear-down. */
int tls_stage_set_up(void **state);
int tls_stage_tear_down(void **state);

/* A pair whose client asks the server `at` for `host`. */
void tls_stage_begin(struct tls_pair *pair, struct tls_site *at,
                     const char *host);

/* One whose handshake is over. */
void tls_stage_shake(struct tls_pair *pair, struct tls_site *at);

/* All that came is this text. */
void tls_stage_expect_plain(const struct tls_pair *pair, const char *text);

/* It ended so, and the reason has these words ("": any) in one line. */
void tls_stage_expect_end(const struct tls_pair *pair, int code,
                          const char *words);

#endif
