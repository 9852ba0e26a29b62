/* The contract service as a process, the harness's side of its REST interface,
 * and the receiver of its callbacks. Includes cmocka; everything is asserted.
 *
 * A session is a stream that the service was asked to open, with the scripted
 * server that it reads from. Its callbacks are read one by one, in the order
 * in which they arrived; each must have the next number. */
#ifndef RUNNEL_TEST_CONTRACT_RIG_H
#define RUNNEL_TEST_CONTRACT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "peer.h"

#define CONTRACT_SCRIPTS_MAX 4

struct contract_rig;

struct contract_session {
  struct contract_rig *rig;
  struct peer *peer; /* what the stream reads from */
  const struct peer_step *scripts[CONTRACT_SCRIPTS_MAX]; /* the peer's */
  struct peer *receiver;
  unsigned number;      /* of the session, in the callbacks' paths */
  char path[64];        /* the Location of the answer */
  uint64_t callbacks;   /* read so far */
  size_t requests_read; /* of the receiver's, other sessions' included */
};

/* For cmocka_unit_test_setup_teardown: *state is the rig. Teardown ends the
 * service by DELETE / and asserts its status 0 and a silent standard error. */
int contract_rig_setup(void **state);
int contract_rig_teardown(void **state);

/* The status of the answer; `body` NULL: none is sent. */
int contract_ask(struct contract_rig *rig, const char *method, const char *path,
                 const char *body);
/* The last answer's body, and its Location or "". */
const char *contract_text(const struct contract_rig *rig);
const char *contract_location(const struct contract_rig *rig);

/* The status of the answer to POST / with `json`, which it takes. */
int contract_post_take(struct contract_rig *rig, json_t *json);

/* Opens a session that reads from a new peer that plays `scripts`. `more`,
 * taken, may be NULL: an object whose members are added. */
void contract_open_take(struct contract_rig *rig,
                        struct contract_session *session,
                        const struct peer_step *const *scripts, size_t len,
                        json_t *more);
/* The same, with callbacks to another receiver than the rig's. */
void contract_open_to_take(struct peer *receiver, struct contract_rig *rig,
                           struct contract_session *session,
                           const struct peer_step *const *scripts, size_t len,
                           json_t *more);
/* Deletes the stream (204) and frees the peer. */
void contract_close(struct contract_session *session);

/* The session's next callback; to be decref'd. */
json_t *contract_next(struct contract_session *session);

/* The same as text: "message|data|id", ":comment" or "error", whatever the
 * error's text, which must not be empty. */
void contract_expect(struct contract_session *session, const char *text);

/* Request `index` to the session's peer, once it is there. */
const struct peer_request *contract_request(struct contract_session *session,
                                            size_t index);

#define SCRIPTS_OF(...)                                                        \
  (const struct peer_step *const[]){__VA_ARGS__},                              \
      sizeof((const struct peer_step *const[]){__VA_ARGS__}) /                 \
          sizeof(const struct peer_step *)

#endif
