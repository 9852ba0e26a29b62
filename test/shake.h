/* A handshake in memory between mbedTLS as a server, with a certificate of a
 * test's, and mbedTLS as a client with a configuration of runnel's and its
 * check of the chain: nothing of runnel's own codec. */
#ifndef RUNNEL_TEST_SHAKE_H
#define RUNNEL_TEST_SHAKE_H

#include "../lib/net/trust_inside.h"

struct shake_server {
  const char *chain_file; /* PEM, the own certificate first */
  const char *key_file;
  const char *client_ca_file; /* the client must show one of it; NULL: nobody
                                 asks */
  int version; /* enum runnel_tls_version: the only one that it speaks */
};

/* The client's result: 0 when both ends have shaken hands, else its code of
 * mbedTLS's. 1: the server cannot use such a certificate. */
int shake_hands(const struct shake_server *server, struct runnel__vouch *vouch,
                int anonymous);

#endif
