/* The handle: a lock around one pointer; see tls_settings.h. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "material.h"

struct runnel_tls {
  atomic_uint refs;
  pthread_mutex_t lock;              /* around `material` alone */
  struct runnel__material *material; /* one reference */
};

static const struct runnel_tls_options defaults = RUNNEL_TLS_OPTIONS_INIT;

static int make(struct runnel__material **material,
                struct runnel_tls_options *options) {
  char text[RUNNEL_ERROR_TEXT_BYTES] = "";
  int err = runnel__material_new(material,
                                 options == NULL ? &defaults : options, text);
  if (options != NULL)
    memcpy(options->error_text, text, sizeof text);
  return err;
}

int runnel__tls_settings_new(runnel_tls **tls,
                             struct runnel_tls_options *options) {
  struct runnel__material *material;
  int err = make(&material, options);
  if (err != RUNNEL_OK)
    return err;
  runnel_tls *made = calloc(1, sizeof *made);
  if (made == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
    free(made);
    runnel__material_give(material);
    return RUNNEL_ENOMEM;
  }
  atomic_init(&made->refs, 1);
  made->material = material;
  *tls = made;
  return RUNNEL_OK;
}

static struct runnel__material *exchange(runnel_tls *tls,
                                         struct runnel__material *material) {
  int err = pthread_mutex_lock(&tls->lock);
  assert(err == 0);
  struct runnel__material *before = tls->material;
  tls->material = material;
  err = pthread_mutex_unlock(&tls->lock);
  assert(err == 0);
  (void)err;
  return before;
}

static void let_go(struct runnel__material *material) {
  runnel__material_retire(material);
  runnel__material_give(material);
}

int runnel__tls_settings_reload(runnel_tls *tls,
                                struct runnel_tls_options *options) {
  struct runnel__material *material;
  int err = make(&material, options);
  if (err == RUNNEL_OK)
    let_go(exchange(tls, material));
  return err;
}

runnel_tls *runnel__tls_settings_retain(runnel_tls *tls) {
  if (tls != NULL)
    atomic_fetch_add(&tls->refs, 1);
  return tls;
}

void runnel__tls_settings_release(runnel_tls *tls) {
  if (tls == NULL || atomic_fetch_sub(&tls->refs, 1) != 1)
    return;
  let_go(tls->material);
  pthread_mutex_destroy(&tls->lock);
  free(tls);
}

struct runnel__material *runnel__material_of(runnel_tls *tls) {
  int err = pthread_mutex_lock(&tls->lock);
  assert(err == 0);
  struct runnel__material *material = tls->material;
  atomic_fetch_add(&material->refs, 1);
  err = pthread_mutex_unlock(&tls->lock);
  assert(err == 0);
  (void)err;
  return material;
}
