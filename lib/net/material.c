/* Options of TLS to a material: read, checked; see material.h. */
#include "material.h"

#include <mbedtls/base64.h>
#include <stdlib.h>
#include <string.h>

#include "tls_lib.h"

static const char pin_begin[] = "sha256/";
#define PIN_BASE64_LEN 44

/* What a file or bytes in memory give; both are too many. */
struct source {
  const char *file_option;
  const char *file;
  const char *option;
  const void *bytes;
  size_t len;
};

static int take(struct runnel__blob *blob, const struct source *source,
                char *text) {
  if (source->file != NULL && source->bytes != NULL)
    return runnel__settings_refuse(text, "%s and %s: only one of them",
                                   source->file_option, source->option);
  if (source->file != NULL)
    return runnel__blob_read(blob, source->file_option, source->file, text);
  if (source->bytes != NULL)
    return runnel__blob_copy(blob, source->option, source->bytes, source->len,
                             text);
  return RUNNEL_OK;
}

static int take_own(struct runnel__material *material,
                    const struct runnel_tls_options *options, char *text) {
  struct source cert = {"cert_file", options->cert_file, "cert", options->cert,
                        options->cert_len};
  struct source key = {"key_file", options->key_file, "key", options->key,
                       options->key_len};
  int err = take(&material->cert, &cert, text);
  if (err == RUNNEL_OK)
    err = take(&material->key, &key, text);
  if (err != RUNNEL_OK)
    return err;
  if ((material->cert.at == NULL) != (material->key.at == NULL))
    return runnel__settings_refuse(
        text,
        "a client's certificate and its key are given together: %s is "
        "missing",
        material->cert.at == NULL ? "cert_file" : "key_file");
  /* An empty password is one: the blob takes it with its NUL. */
  if (options->key_password != NULL)
    err = runnel__blob_copy(&material->password, "key_password",
                            options->key_password,
                            strlen(options->key_password) + 1, text);
  return err;
}

static int take_anchors(struct runnel__anchors *store,
                        const struct runnel_tls_options *options, char *text) {
  int err = RUNNEL_OK;
  if (options->ca_file == NULL && options->ca_dir == NULL &&
      options->ca == NULL)
    return options->insecure ? RUNNEL_OK
                             : runnel__anchors_add_system(
                                   store, runnel__anchors_places, text);
  if (options->ca_file != NULL)
    err = runnel__anchors_add_file(store, "ca_file", options->ca_file, text);
  if (err == RUNNEL_OK && options->ca_dir != NULL)
    err = runnel__anchors_add_dir(store, "ca_dir", options->ca_dir, text);
  if (err == RUNNEL_OK && options->ca != NULL)
    err = runnel__anchors_add_bytes(store, "ca", options->ca, options->ca_len,
                                    text);
  return err;
}

static int take_pins(struct runnel__material *material,
                     const struct runnel_tls_options *options, char *text) {
  if (options->pins_len > RUNNEL__PINS_MAX)
    return runnel__settings_refuse(text,
                                   "pins_len: %zu, and at most %d are "
                                   "possible",
                                   options->pins_len, RUNNEL__PINS_MAX);
  if (options->pins_len > 0 && options->pins == NULL)
    return runnel__settings_refuse(text, "pins: NULL, and pins_len is not 0");
  for (size_t i = 0; i < options->pins_len; i++) {
    const char *pin = options->pins[i];
    size_t len = sizeof pin_begin - 1, got = 0;
    if (pin == NULL || strncmp(pin, pin_begin, len) != 0 ||
        strlen(pin + len) != PIN_BASE64_LEN ||
        mbedtls_base64_decode(material->pins[i], RUNNEL__PIN_BYTES, &got,
                              (const unsigned char *)pin + len,
                              strlen(pin + len)) != 0 ||
        got != RUNNEL__PIN_BYTES)
      return runnel__settings_refuse(
          text, "pins[%zu]: not \"sha256/\" and the base64 of 32 bytes", i);
  }
  material->pins_len = options->pins_len;
  return RUNNEL_OK;
}

static int is_version(int version) {
  return version == RUNNEL_TLS_1_2 || version == RUNNEL_TLS_1_3;
}

/* A maximum above what the library has is kept to anyway. */
static int take_versions(struct runnel__material *material,
                         const struct runnel_tls_options *options, char *text) {
  int newest = runnel__tls_lib_version_max();
  int min = options->version_min, max = options->version_max;
  min = min == 0 ? RUNNEL_TLS_1_2 : min;
  if (max == 0 || (is_version(max) && max > newest))
    max = newest;
  if (!is_version(min) || !is_version(max))
    return runnel__settings_refuse(
        text, "%s: %d is neither RUNNEL_TLS_1_2 nor RUNNEL_TLS_1_3",
        is_version(min) ? "version_max" : "version_min",
        is_version(min) ? max : min);
  if (min > newest)
    return runnel__settings_refuse(text, "version_min: %s has no TLS 1.3",
                                   runnel__tls_lib_name());
  if (min > max)
    return runnel__settings_refuse(text, "version_min: above version_max");
  material->version_min = min;
  material->version_max = max;
  return RUNNEL_OK;
}

static int is_flag(int value) { return value == 0 || value == 1; }

static int take_all(struct runnel__material *material,
                    const struct runnel_tls_options *options, char *text) {
  struct source crl = {"crl_file", options->crl_file, "", NULL, 0};
  if (!is_flag(options->insecure))
    return runnel__settings_refuse(text, "insecure: %d is neither 0 nor 1",
                                   options->insecure);
  if (!is_flag(options->no_resumption))
    return runnel__settings_refuse(text, "no_resumption: %d is neither 0 nor 1",
                                   options->no_resumption);
  material->insecure = options->insecure;
  material->no_resumption = options->no_resumption;
  int err = take_versions(material, options, text);
  if (err == RUNNEL_OK)
    err = take_pins(material, options, text);
  if (err == RUNNEL_OK)
    err = take_own(material, options, text);
  if (err == RUNNEL_OK)
    err = take(&material->crl, &crl, text);
  if (err == RUNNEL_OK)
    err = take_anchors(&material->anchors, options, text);
  if (err == RUNNEL_OK)
    runnel__anchors_fit(&material->anchors);
  return err;
}

static void free_material(struct runnel__material *material) {
  runnel__anchors_free(&material->anchors);
  runnel__blob_free(&material->crl);
  runnel__blob_free(&material->cert);
  runnel__blob_free(&material->key);
  runnel__blob_free(&material->password);
  free(material);
}

int runnel__material_new(struct runnel__material **material,
                         const struct runnel_tls_options *options, char *text) {
  int err = runnel__tls_lib_start();
  if (err != RUNNEL_OK)
    return err;
  struct runnel__material *made = calloc(1, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  atomic_init(&made->refs, 1);
  atomic_init(&made->old, 0);
  struct runnel__parsed parsed;
  err = take_all(made, options, text);
  if (err == RUNNEL_OK)
    err = runnel__parsed_init(&parsed, made, text);
  if (err != RUNNEL_OK) {
    free_material(made);
    return err;
  }
  runnel__parsed_deinit(&parsed);
  *material = made;
  return RUNNEL_OK;
}

void runnel__material_retire(struct runnel__material *material) {
  atomic_store(&material->old, 1);
}

int runnel__material_is_old(const struct runnel__material *material) {
  return atomic_load(&material->old);
}

void runnel__material_give(struct runnel__material *material) {
  if (atomic_fetch_sub(&material->refs, 1) == 1)
    free_material(material);
}
