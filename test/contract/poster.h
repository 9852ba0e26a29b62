/* Sends JSON bodies to URLs by libcurl, on a libuv loop. It knows neither
 * streams nor the contract.
 *
 * Invariants
 *  - Everything runs on the loop's thread; `done` only from the loop.
 *  - A cancelled letter is never heard of again, and nothing of it is sent
 *    after poster_cancel returned but what the kernel already has. */
#ifndef RUNNEL_TEST_CONTRACT_POSTER_H
#define RUNNEL_TEST_CONTRACT_POSTER_H

#include <uv.h>

struct poster;
struct letter; /* one POST under way */

/* NULL when there is no memory. */
struct poster *poster_new(uv_loop_t *loop);

/* No letter may be under way. Frees once the loop has run on. */
void poster_close(struct poster *poster);

/* 1 if `url` is one that letters can go to: http, absolute. */
int poster_accepts(const char *url);

/* POSTs `body`, NUL-terminated, taken with free() in any case. `done` tells
 * whether an answer came: error is then NULL, whatever its status. The letter
 * is dead when it returns. NULL when there is no memory. */
struct letter *poster_send_take(struct poster *poster, const char *url,
                                char *body,
                                void (*done)(void *user, const char *error),
                                void *user);

void poster_cancel(struct letter *letter);

#endif
