/* A stream under test: its events, comments and errors go to its callback URL
 * as JSON, one after the other, numbered from 1 on without a gap.
 *
 * Invariants
 *  - One callback is under way at a time, so they arrive in order.
 *  - What waits is bounded: over its limit the stream is paused.
 *  - After subject_delete nothing more is sent, and nothing waited for. */
#ifndef RUNNEL_TEST_CONTRACT_SUBJECT_H
#define RUNNEL_TEST_CONTRACT_SUBJECT_H

#include <jansson.h>

#include "poster.h"
#include "runnel.h"

struct subject;

/* Opens a stream by what POST / carried. NULL: refused, and `fault` says why.
 */
struct subject *subject_new(runnel_client *client, struct poster *poster,
                            json_t *json, char *fault, size_t size);

/* Drops the connection and connects again; a stream that is over is opened
 * anew with its last id. 0, or one of runnel's errors. */
int subject_restart(struct subject *subject);

/* Closes it; the memory goes as soon as the loop lets it. */
void subject_delete(struct subject *subject);

#endif
