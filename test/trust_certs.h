/* The certificates of the trust tests, beside "root" and "inter". */
#ifndef RUNNEL_TEST_TRUST_CERTS_H
#define RUNNEL_TEST_TRUST_CERTS_H

#include "tls_ca.h"

void trust_certs_make(struct tls_ca *ca);

#endif
