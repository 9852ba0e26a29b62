/* Requests of the scripted peer: bytes in, one whole request out. */
#ifndef RUNNEL_TEST_PEER_REQUEST_H
#define RUNNEL_TEST_PEER_REQUEST_H

#include "peer.h"

/* Bytes that grow; aborts without memory. */
struct peer_out {
  char *bytes;
  size_t len;
  size_t cap;
};

void peer_out_deinit(struct peer_out *out);

/* Takes one whole request off the front of `in`; NULL: not all is there yet.
 * Freed by peer_request_free. */
struct peer_request *peer_request_take(struct peer_out *in, size_t connection);

void peer_request_free(struct peer_request *request);

#endif
