/* runnel_tls: TLS settings as the application gave them. Counted, shared by
 * clients and threads; what is in force at a moment is a material, which never
 * changes, so that a reload is one exchange of a pointer under a lock. */
#ifndef RUNNEL_NET_TLS_SETTINGS_H
#define RUNNEL_NET_TLS_SETTINGS_H

#include "runnel.h"

/* Bytes read from the named files, or given: certificates, key, password, pins.
 * Counted; wiped when freed. */
struct runnel__material;

/* As the public calls. */
int runnel__tls_settings_new(runnel_tls **tls,
                             struct runnel_tls_options *options);
int runnel__tls_settings_reload(runnel_tls *tls,
                                struct runnel_tls_options *options);
runnel_tls *runnel__tls_settings_retain(runnel_tls *tls);
void runnel__tls_settings_release(runnel_tls *tls);

/* What is in force now, with one more reference. */
struct runnel__material *runnel__material_of(runnel_tls *tls);
void runnel__material_give(struct runnel__material *material);

/* 1: it is not in force any more, for a reload replaced it or the settings were
 * let go. */
int runnel__material_is_old(const struct runnel__material *material);

#endif
