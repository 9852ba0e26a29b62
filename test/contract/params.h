/* What POST / asks for, as options of a stream. It knows neither HTTP nor
 * libuv. */
#ifndef RUNNEL_TEST_CONTRACT_PARAMS_H
#define RUNNEL_TEST_CONTRACT_PARAMS_H

#include <jansson.h>

#include "runnel.h"

#define PARAMS_HEADERS_MAX 100

struct params {
  struct runnel_stream_options stream; /* without callbacks */
  struct runnel_header headers[PARAMS_HEADERS_MAX];
  const char *callback_url;
};

/* Fills `params`, whose strings live as long as `json`. Returns NULL, or why
 * the request is a bad one. */
const char *params_read(struct params *params, const json_t *json);

#endif
