/* Doubles carry the ladder, because growth is one; every result is clamped
 * before it becomes an integer. */
#include "backoff.h"

#include "runnel.h"

/* [0, 1] from 32 bits. */
static double unit(uint64_t bits) {
  return (double)(bits & UINT32_MAX) / (double)UINT32_MAX;
}

static int64_t clamp(double ms) {
  if (!(ms > 0))
    return 0;
  return ms >= (double)RUNNEL_MS_MAX ? RUNNEL_MS_MAX : (int64_t)ms;
}

/* growth^exponent by squaring, up to infinity: a million failures cost no more
 * than twenty. */
static double power(double growth, uint64_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1)
      result *= growth;
    growth *= growth;
  }
  return result;
}

/* The ladder's top: a server's base above the cap lifts it. */
static double ladder_cap(const struct runnel__backoff *backoff) {
  return (double)(backoff->cap_ms > backoff->base_ms ? backoff->cap_ms
                                                     : backoff->base_ms);
}

static int64_t spread(const struct runnel__backoff *backoff, double d,
                      uint64_t random) {
  double base = (double)backoff->base_ms;
  double halved = d * (0.5 + 0.5 * unit(random >> 32));
  double delay = halved > base ? halved : base;
  return clamp(delay + base * backoff->jitter * unit(random));
}

int64_t runnel__backoff_ms(const struct runnel__backoff *backoff,
                           uint64_t failures, uint64_t random) {
  double base = (double)backoff->base_ms;
  if (failures == 0)
    return spread(backoff, 0, random);
  double d = base == 0 ? 0 : base * power(backoff->growth, failures - 1);
  double cap = ladder_cap(backoff);
  return spread(backoff, d < cap ? d : cap, random);
}

int64_t runnel__backoff_cap_ms(const struct runnel__backoff *backoff,
                               uint64_t random) {
  return spread(backoff, ladder_cap(backoff), random);
}

int64_t runnel__backoff_after_ms(int64_t delay_ms, int64_t after_ms,
                                 uint64_t random) {
  int64_t after = clamp((double)after_ms * (1 + 0.2 * unit(random)));
  return after > delay_ms ? after : delay_ms;
}

int64_t runnel__backoff_server_ms(int64_t retry_ms, int64_t min_ms,
                                  int64_t max_ms, int64_t fallback_ms) {
  if (min_ms == max_ms)
    return fallback_ms;
  if (retry_ms < min_ms)
    return min_ms;
  return retry_ms > max_ms ? max_ms : retry_ms;
}
