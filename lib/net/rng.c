/* The system's random numbers; see rng.h. */
#include "rng.h"

#include <mbedtls/ctr_drbg.h>
#include <uv.h>

int runnel__rng_draw(void *unused, unsigned char *bytes, size_t len) {
  (void)unused;
  return uv_random(NULL, NULL, bytes, len, 0, NULL) == 0
             ? 0
             : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}
