/* Random numbers for secrets, each drawn from the system: there is no state of
 * ours that a fork would double, that a clock or a restart would repeat, or
 * that threads would share. mbedTLS draws some dozens for a handshake, and a
 * call of the system costs a millionth of one. */
#ifndef RUNNEL_NET_RNG_H
#define RUNNEL_NET_RNG_H

#include <stddef.h>

/* For mbedTLS: fills `bytes`. 0, or MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED.
 * `unused` is not touched. */
int runnel__rng_draw(void *unused, unsigned char *bytes, size_t len);

#endif
