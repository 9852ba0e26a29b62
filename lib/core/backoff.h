/* How long to wait before the next attempt. Pure arithmetic that saturates at
 * RUNNEL_MS_MAX. */
#ifndef RUNNEL_CORE_BACKOFF_H
#define RUNNEL_CORE_BACKOFF_H

#include <stdint.h>

struct runnel__backoff {
  int64_t base_ms; /* retry_ms, or the server's; 0: no delay */
  int64_t cap_ms;  /* INT64_MAX: none */
  double growth;   /* at least 1 */
  double jitter;   /* 0 to 1 */
};

/* d = min(max(cap, base), base * growth^(failures - 1));
 * max(base, d * U[0.5, 1]) + base * U[0, jitter].
 * failures 0 (a clean end): base + base * U[0, jitter]. `random`: 64 even bits,
 * both draws come from it. */
int64_t runnel__backoff_ms(const struct runnel__backoff *backoff,
                           uint64_t failures, uint64_t random);

/* The longest step of the ladder at once, for what time alone will mend. */
int64_t runnel__backoff_cap_ms(const struct runnel__backoff *backoff,
                               uint64_t random);

/* A Retry-After of after_ms as lower bound: max(delay, after * (1 + U[0,
 * 0.2])). */
int64_t runnel__backoff_after_ms(int64_t delay_ms, int64_t after_ms,
                                 uint64_t random);

/* A server's `retry`, clamped to [min, max]; fallback_ms when both are equal
 * (the server is ignored). */
int64_t runnel__backoff_server_ms(int64_t retry_ms, int64_t min_ms,
                                  int64_t max_ms, int64_t fallback_ms);

#endif
