/* Trusts of a world: settings parsed, and the configurations of mbedTLS that
 * connections share; see trust.h.
 *
 * The generator is the system's (rng.h), so that there is nothing to be seeded
 * anew after a fork. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "../core/list.h"
#include "material.h"
#include "rng.h"
#include "tls_lib.h"
#include "trust_inside.h"

struct runnel__trusts {
  struct runnel__mem *mem;
  struct runnel__list all; /* struct runnel__trust */
  uint64_t last_id;
  struct runnel__tls_spare spare; /* of their connections */
};

struct runnel__trust {
  struct runnel__list node;
  struct runnel__trusts *owner;
  uint64_t id;
  size_t uses;
  int standard; /* made of the defaults: there are no settings */
  struct runnel__material *material; /* one reference */
  struct runnel__parsed parsed;
  mbedtls_ssl_config
      named; /* shows the client's certificate, if there is one */
  mbedtls_ssl_config anonymous;
};

/* SHA-2 and keys of 112 bits of strength or more (RFC 9325 4.1, 4.5), the same
 * on all versions, whose own profiles differ. */
static const mbedtls_x509_crt_profile profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSA) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSASSA_PSS) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
    .rsa_min_bitlen = 2048,
};

/* Making ---------------------------------------------------------------- */

static int configure(struct runnel__trust *trust, mbedtls_ssl_config *config) {
  const struct runnel__material *material = trust->material;
  struct runnel__parsed *parsed = &trust->parsed;
  if (runnel__tls_lib_configure(config, material->version_min,
                                material->version_max,
                                !material->no_resumption) != 0)
    return RUNNEL_ENOMEM;
  mbedtls_ssl_conf_rng(config, runnel__rng_draw, NULL);
  mbedtls_ssl_conf_cert_profile(config, &profile);
  mbedtls_ssl_conf_ca_chain(
      config, material->anchors.certs_len > 0 ? &parsed->anchors : NULL,
      material->crl.at != NULL ? &parsed->crl : NULL);
  mbedtls_ssl_conf_authmode(config, material->insecure
                                        ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                        : MBEDTLS_SSL_VERIFY_REQUIRED);
  return RUNNEL_OK;
}

static int configure_both(struct runnel__trust *trust) {
  struct runnel__parsed *parsed = &trust->parsed;
  int err = configure(trust, &trust->named);
  if (err == RUNNEL_OK)
    err = configure(trust, &trust->anonymous);
  if (err == RUNNEL_OK && trust->material->cert.at != NULL &&
      mbedtls_ssl_conf_own_cert(&trust->named, &parsed->cert, &parsed->key) !=
          0)
    err = RUNNEL_ENOMEM;
  return err;
}

static void free_trust(struct runnel__trust *trust) {
  mbedtls_ssl_config_free(&trust->named);
  mbedtls_ssl_config_free(&trust->anonymous);
  runnel__parsed_deinit(&trust->parsed);
  runnel__material_give(trust->material);
  runnel__list_remove(&trust->node);
  runnel__free(trust->owner->mem, trust);
}

/* Takes the reference to the material over, on failure too. */
static int new_trust(struct runnel__trust **trust,
                     struct runnel__trusts *trusts,
                     struct runnel__material *material, char *text) {
  struct runnel__trust *made = runnel__alloc_zero(trusts->mem, sizeof *made);
  int err = made == NULL ? RUNNEL_ENOMEM
                         : runnel__parsed_init(&made->parsed, material, text);
  if (err != RUNNEL_OK) {
    runnel__free(trusts->mem, made);
    runnel__material_give(material);
    return err;
  }
  made->owner = trusts;
  made->material = material;
  mbedtls_ssl_config_init(&made->named);
  mbedtls_ssl_config_init(&made->anonymous);
  runnel__list_init(&made->node);
  err = configure_both(made);
  if (err != RUNNEL_OK) {
    free_trust(made);
    return err;
  }
  made->id = ++trusts->last_id;
  runnel__list_push(&trusts->all, &made->node);
  *trust = made;
  return RUNNEL_OK;
}

/* What is to be known about a trust that was made; "" if nothing is. */
static void warn(char *text, const struct runnel__material *material) {
  const struct runnel__anchors *anchors = &material->anchors;
  text[0] = '\0';
  if (material->insecure)
    snprintf(text, RUNNEL_ERROR_TEXT_BYTES,
             "insecure: the peer's certificate is not verified%s, so whoever "
             "sits between can read and change everything",
             material->pins_len > 0 ? " but for its pinned key" : "");
  else if (anchors->left_out == 1)
    snprintf(text, RUNNEL_ERROR_TEXT_BYTES, "left out: %s", anchors->left_text);
  else if (anchors->left_out > 1)
    snprintf(text, RUNNEL_ERROR_TEXT_BYTES, "left out %zu, the first: %s",
             anchors->left_out, anchors->left_text);
}

/* Taking and giving ----------------------------------------------------- */

int runnel__trusts_new(struct runnel__trusts **trusts,
                       struct runnel__mem *mem) {
  unsigned char sample[16];
  if (runnel__tls_lib_start() != RUNNEL_OK ||
      runnel__rng_draw(NULL, sample, sizeof sample) != 0)
    return RUNNEL_ERESOURCE;
  struct runnel__trusts *made = runnel__alloc_zero(mem, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  made->mem = mem;
  runnel__list_init(&made->all);
  *trusts = made;
  return RUNNEL_OK;
}

static struct runnel__trust *trust_of(struct runnel__list *node) {
  return RUNNEL__OF(node, struct runnel__trust, node);
}

void runnel__trusts_free(struct runnel__trusts *trusts) {
  if (trusts == NULL)
    return;
  while (!runnel__list_empty(&trusts->all)) {
    struct runnel__trust *trust = trust_of(trusts->all.next);
    assert(trust->uses == 0);
    free_trust(trust);
  }
  runnel__tls_spare_free(&trusts->spare);
  runnel__free(trusts->mem, trusts);
}

/* Those that nobody uses, and nobody can ask for any more. */
static void sweep(struct runnel__trusts *trusts) {
  struct runnel__list *node = trusts->all.next;
  while (node != &trusts->all) {
    struct runnel__trust *trust = trust_of(node);
    node = node->next;
    if (trust->uses == 0 && runnel__material_is_old(trust->material))
      free_trust(trust);
  }
}

/* material NULL: the one of the defaults. */
static struct runnel__trust *find(struct runnel__trusts *trusts,
                                  const struct runnel__material *material) {
  for (struct runnel__list *node = trusts->all.next; node != &trusts->all;
       node = node->next) {
    struct runnel__trust *trust = trust_of(node);
    if (material == NULL ? trust->standard : trust->material == material)
      return trust;
  }
  return NULL;
}

static int make_standard(struct runnel__trust **trust,
                         struct runnel__trusts *trusts, char *text) {
  static const struct runnel_tls_options defaults = RUNNEL_TLS_OPTIONS_INIT;
  struct runnel__material *material;
  int err = runnel__material_new(&material, &defaults, text);
  if (err == RUNNEL_OK)
    err = new_trust(trust, trusts, material, text);
  if (err == RUNNEL_OK)
    (*trust)->standard = 1;
  return err;
}

int runnel__trust_take(struct runnel__trusts *trusts, runnel_tls *settings,
                       struct runnel__trust **trust, char *text) {
  struct runnel__material *material =
      settings == NULL ? NULL : runnel__material_of(settings);
  struct runnel__trust *found = find(trusts, material);
  text[0] = '\0';
  if (found != NULL) {
    if (material != NULL)
      runnel__material_give(material);
    found->uses++;
    *trust = found;
    return RUNNEL_OK;
  }
  sweep(trusts);
  int err = material == NULL ? make_standard(&found, trusts, text)
                             : new_trust(&found, trusts, material, text);
  if (err != RUNNEL_OK)
    return err;
  warn(text, found->material);
  found->uses = 1;
  *trust = found;
  return RUNNEL_OK;
}

void runnel__trust_retain(struct runnel__trust *trust) { trust->uses++; }

void runnel__trust_give(struct runnel__trust *trust) {
  assert(trust->uses > 0);
  if (--trust->uses == 0 && runnel__material_is_old(trust->material))
    free_trust(trust);
}

uint64_t runnel__trust_id(const struct runnel__trust *trust) {
  return trust->id;
}

const char *runnel__trust_library(void) { return runnel__tls_lib_name(); }

const mbedtls_ssl_config *
runnel__trust_config(const struct runnel__trust *trust, int anonymous) {
  return anonymous ? &trust->anonymous : &trust->named;
}

struct runnel__tls_spare *
runnel__trust_spare(const struct runnel__trust *trust) {
  return &trust->owner->spare;
}

int runnel__trust_resumes(const struct runnel__trust *trust) {
  return !trust->material->no_resumption;
}

const struct runnel__material *
runnel__trust_material(const struct runnel__trust *trust) {
  return trust->material;
}
