/* The application's handle of one attempt's request. It may outlive attempt,
 * stream and client while it is held, so it carries its own allocator. */
#ifndef RUNNEL_STREAM_REQUEST_H
#define RUNNEL_STREAM_REQUEST_H

#include "ask.h"

struct runnel_request {
  struct runnel__mem mem; /* the client's hooks; holds nothing of peers */
  runnel_stream *stream;  /* NULL: the attempt is over */
  long pid;               /* as the client's */
  int open;               /* on_request is running */
  int held;
  int code;               /* what proceed said */
  struct runnel__ask ask; /* what was changed; NULL members were not */
  int url_fresh;          /* ask.url was set for this hop */
  int has_headers;
  int has_body;
};

/* NULL: no memory. */
struct runnel_request *runnel__request_new(runnel_stream *stream);

/* The attempt is over: frees it, or leaves it to proceed while it is held. */
void runnel__request_release(struct runnel_request *request);

int runnel__request_set_header(struct runnel_request *request, const char *name,
                               const char *value, unsigned flags);
int runnel__request_set_url(struct runnel_request *request, const char *url);
int runnel__request_set_method(struct runnel_request *request,
                               const char *method);
int runnel__request_set_body(struct runnel_request *request, const void *body,
                             size_t len);
int runnel__request_hold(struct runnel_request *request);
int runnel__request_proceed(struct runnel_request *request, int code);

#endif
