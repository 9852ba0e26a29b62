/* A client's options, checked and copied. */
#ifndef RUNNEL_STREAM_CLIENT_OPTIONS_H
#define RUNNEL_STREAM_CLIENT_OPTIONS_H

#include "client.h"

/* 0 or RUNNEL_EINVAL with error_text. */
int runnel__client_options_check(struct runnel_client_options *options);

/* Copies what a client keeps of checked options. 0 or RUNNEL_ENOMEM; what was
 * copied is freed with the client either way. */
int runnel__client_options_copy(struct runnel_client *client,
                                const struct runnel_client_options *options);

#endif
