/* Files of all sorts for the tests of TLS settings: keys that are locked,
 * bundles with faults, folders as c_rehash leaves them. */
#ifndef RUNNEL_TEST_TLS_SETTINGS_FILES_H
#define RUNNEL_TEST_TLS_SETTINGS_FILES_H

#include "tls_ca.h"

/* The password of the locked keys. */
#define SECRET "not-to-be-told"

void tls_settings_files_make(struct tls_ca *ca);

#endif
