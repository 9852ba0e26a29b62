/* Where certificates to trust come from; see trust_load.h. */
#include "trust_load.h"

#include <dirent.h>
#include <errno.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls_lib.h"

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

const char *const runnel__anchors_places[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* the same, new */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/opt/homebrew/etc/ca-certificates/cert.pem", /* macOS, Apple's chips */
    "/opt/homebrew/etc/openssl@3/cert.pem",
    "/usr/local/etc/ca-certificates/cert.pem", /* macOS, Intel's */
    "/usr/local/etc/openssl@3/cert.pem",
    "/etc/ssl/cert.pem",                      /* FreeBSD, macOS itself */
    "/usr/local/share/certs/ca-root-nss.crt", /* FreeBSD, as a package */
    "/usr/local/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    NULL};

/* What one source came to. */
struct tally {
  size_t found; /* certificates, those that were known before included */
  size_t bad;
};

/* The store ------------------------------------------------------------- */

static int is_known(const struct runnel__anchors *store,
                    const mbedtls_x509_buf *der) {
  for (size_t i = 0; i < store->certs_len; i++)
    if (store->certs[i].len == der->len &&
        memcmp(store->bytes + store->certs[i].at, der->p, der->len) == 0)
      return 1;
  return 0;
}

static int reserve(struct runnel__anchors *store, size_t len) {
  if (store->certs_len == store->certs_cap) {
    size_t cap = store->certs_cap * 2 + 16;
    void *certs = realloc(store->certs, cap * sizeof *store->certs);
    if (certs == NULL)
      return RUNNEL_ENOMEM;
    store->certs = certs;
    store->certs_cap = cap;
  }
  if (store->cap - store->len < len) {
    size_t cap = store->cap * 2 + len;
    void *bytes = realloc(store->bytes, cap);
    if (bytes == NULL)
      return RUNNEL_ENOMEM;
    store->bytes = bytes;
    store->cap = cap;
  }
  return RUNNEL_OK;
}

static int add_cert(struct runnel__anchors *store, const mbedtls_x509_buf *der,
                    char *text) {
  if (is_known(store, der))
    return RUNNEL_OK;
  if (store->certs_len == RUNNEL__ANCHORS_MAX)
    return runnel__settings_refuse(text, "more than %d certificates to trust",
                                   RUNNEL__ANCHORS_MAX);
  if (reserve(store, der->len) != RUNNEL_OK)
    return RUNNEL_ENOMEM;
  memcpy(store->bytes + store->len, der->p, der->len);
  store->certs[store->certs_len].at = store->len;
  store->certs[store->certs_len++].len = der->len;
  store->len += der->len;
  return RUNNEL_OK;
}

void runnel__anchors_fit(struct runnel__anchors *store) {
  void *bytes = store->len > 0 ? realloc(store->bytes, store->len) : NULL;
  if (bytes == NULL)
    return;
  store->bytes = bytes;
  store->cap = store->len;
}

void runnel__anchors_free(struct runnel__anchors *store) {
  free(store->bytes);
  free(store->certs);
  memset(store, 0, sizeof *store);
}

static void leave_out(struct runnel__anchors *store, const char *why) {
  if (store->left_out++ == 0)
    snprintf(store->left_text, sizeof store->left_text, "%.*s",
             RUNNEL__LEFT_BYTES - 1, why);
}

/* Bytes ----------------------------------------------------------------- */

/* One certificate: DER, or one block of PEM with a NUL as its last byte. */
static int add_one(struct runnel__anchors *store, const unsigned char *bytes,
                   size_t len, const char *label, struct tally *tally,
                   char *text) {
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  int native = mbedtls_x509_crt_parse(&crt, bytes, len);
  if (native != 0) /* as runnel__parsed_init */
    native = mbedtls_x509_crt_parse(&crt, bytes, len);
  int err = RUNNEL_OK;
  if (native == 0) {
    tally->found++;
    err = add_cert(store, &crt.raw, text);
  } else if (runnel__tls_lib_is_no_memory(native)) {
    err = RUNNEL_ENOMEM;
  } else {
    tally->bad++;
    char why[RUNNEL_ERROR_TEXT_BYTES];
    runnel__settings_refuse(why, "%s: certificate %zu cannot be read (-0x%04X)",
                            label, tally->found + tally->bad,
                            (unsigned)-native);
    leave_out(store, why);
  }
  mbedtls_x509_crt_free(&crt);
  return err;
}

/* A block that was cut runs into the next one, and cannot be read; that one is
 * found all the same. */
static int add_pem(struct runnel__anchors *store, struct runnel__blob *blob,
                   struct tally *tally, char *text) {
  char *at = strstr((char *)blob->at, pem_begin);
  while (at != NULL) {
    char *next = strstr(at + sizeof pem_begin - 1, pem_begin);
    char *end = strstr(at, pem_end);
    end = end != NULL ? end + sizeof pem_end - 1 : (char *)blob->at + blob->len;
    char behind = *end;
    *end = '\0';
    int err = add_one(store, (unsigned char *)at, (size_t)(end - at) + 1,
                      blob->label, tally, text);
    *end = behind;
    if (err != RUNNEL_OK)
      return err;
    at = next;
  }
  return RUNNEL_OK;
}

static int add_blob(struct runnel__anchors *store, struct runnel__blob *blob,
                    struct tally *tally, char *text) {
  if (runnel__blob_has(blob, pem_begin))
    return add_pem(store, blob, tally, text);
  if (blob->at[0] != 0x30) /* DER begins with a SEQUENCE */
    return RUNNEL_OK;
  return add_one(store, blob->at, blob->len, blob->label, tally, text);
}

/* A source that was named must have something. */
static int add_named(struct runnel__anchors *store, struct runnel__blob *blob,
                     char *text) {
  struct tally tally = {0};
  int err = add_blob(store, blob, &tally, text);
  if (err == RUNNEL_OK && tally.found == 0)
    err = runnel__settings_refuse(text, "%s: %s", blob->label,
                                  tally.bad == 0 ? "no certificate in it"
                                                 : "not one certificate in it "
                                                   "can be read");
  runnel__blob_free(blob);
  return err;
}

int runnel__anchors_add_bytes(struct runnel__anchors *store, const char *option,
                              const void *bytes, size_t len, char *text) {
  struct runnel__blob blob;
  int err = runnel__blob_copy(&blob, option, bytes, len, text);
  return err != RUNNEL_OK ? err : add_named(store, &blob, text);
}

int runnel__anchors_add_file(struct runnel__anchors *store, const char *option,
                             const char *path, char *text) {
  struct runnel__blob blob;
  int err = runnel__blob_read(&blob, option, path, text);
  return err != RUNNEL_OK ? err : add_named(store, &blob, text);
}

/* Folders --------------------------------------------------------------- */

/* A file of a folder. What holds no certificate is no concern of ours; links
 * that c_rehash makes lead to what is known. */
static int add_entry(struct runnel__anchors *store, const char *option,
                     const char *path, struct tally *tally, char *text) {
  struct stat info;
  int there = stat(path, &info) == 0;
  if (there && !S_ISREG(info.st_mode))
    return RUNNEL_OK;
  if (there && info.st_size == 0)
    return RUNNEL_OK;
  struct runnel__blob blob;
  char why[RUNNEL_ERROR_TEXT_BYTES];
  int err = runnel__blob_read(&blob, option, path, why);
  if (err == RUNNEL_EINVAL) {
    tally->bad++;
    leave_out(store, why);
    return RUNNEL_OK;
  }
  if (err != RUNNEL_OK)
    return err;
  if (runnel__blob_has(&blob, pem_begin)) {
    err = add_pem(store, &blob, tally, text);
  } else {
    struct tally der = {0}; /* keys and lists of revoked ones are DER as well */
    size_t left_out = store->left_out;
    err = add_blob(store, &blob, &der, text);
    store->left_out = left_out;
    tally->found += der.found;
  }
  runnel__blob_free(&blob);
  return err;
}

static int add_entries(struct runnel__anchors *store, const char *option,
                       const char *path, DIR *dir, struct tally *tally,
                       char *text) {
  size_t path_len = strlen(path);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.')
      continue;
    size_t size = path_len + strlen(entry->d_name) + 2;
    char *name = malloc(size);
    if (name == NULL)
      return RUNNEL_ENOMEM;
    snprintf(name, size, "%s/%s", path, entry->d_name);
    int err = add_entry(store, option, name, tally, text);
    free(name);
    if (err != RUNNEL_OK)
      return err;
  }
  return RUNNEL_OK;
}

int runnel__anchors_add_dir(struct runnel__anchors *store, const char *option,
                            const char *path, char *text) {
  DIR *dir = opendir(path);
  if (dir == NULL && errno == ENOMEM)
    return RUNNEL_ENOMEM;
  if (dir == NULL) {
    char words[128];
    if (strerror_r(errno, words, sizeof words) != 0)
      words[0] = '\0';
    return runnel__settings_refuse(text, "%s \"%s\": %s", option, path, words);
  }
  struct tally tally = {0};
  int err = add_entries(store, option, path, dir, &tally, text);
  closedir(dir);
  if (err == RUNNEL_OK && tally.found == 0)
    err = runnel__settings_refuse(text, "%s \"%s\": %s", option, path,
                                  tally.bad == 0 ? "no certificate in it"
                                                 : "not one certificate in it "
                                                   "can be read");
  return err;
}

/* The system's ---------------------------------------------------------- */

/* A name of the environment, which a program that has more rights than its
 * user must not heed. */
static const char *env_path(const char *name) {
  if (getuid() != geteuid() || getgid() != getegid())
    return NULL;
  const char *path = getenv(name);
  return path == NULL || path[0] == '\0' ? NULL : path;
}

/* One of several sources: a fault of it is only noted. */
static int add_among(struct runnel__anchors *store, const char *option,
                     const char *path, int is_dir) {
  char why[RUNNEL_ERROR_TEXT_BYTES];
  int err = is_dir ? runnel__anchors_add_dir(store, option, path, why)
                   : runnel__anchors_add_file(store, option, path, why);
  if (err == RUNNEL_EINVAL) {
    leave_out(store, why);
    return RUNNEL_OK;
  }
  return err;
}

static int add_dirs(struct runnel__anchors *store, const char *paths) {
  for (const char *at = paths; at != NULL;) {
    const char *end = strchr(at, ':');
    size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
    char *path = malloc(len + 1);
    if (path == NULL)
      return RUNNEL_ENOMEM;
    memcpy(path, at, len);
    path[len] = '\0';
    int err = len == 0 ? RUNNEL_OK : add_among(store, "SSL_CERT_DIR", path, 1);
    free(path);
    if (err != RUNNEL_OK)
      return err;
    at = end == NULL ? NULL : end + 1;
  }
  return RUNNEL_OK;
}

static int add_usual(struct runnel__anchors *store, const char *const *places) {
  for (; *places != NULL && store->certs_len == 0; places++) {
    struct stat info;
    if (stat(*places, &info) != 0)
      continue;
    int err = add_among(store, "the system's", *places, S_ISDIR(info.st_mode));
    if (err != RUNNEL_OK)
      return err;
  }
  return RUNNEL_OK;
}

int runnel__anchors_add_system(struct runnel__anchors *store,
                               const char *const *places, char *text) {
  const char *file = env_path("SSL_CERT_FILE");
  const char *dirs = env_path("SSL_CERT_DIR");
  int err = RUNNEL_OK;
  if (file != NULL)
    err = add_among(store, "SSL_CERT_FILE", file, 0);
  if (err == RUNNEL_OK && dirs != NULL)
    err = add_dirs(store, dirs);
  if (err == RUNNEL_OK && file == NULL && dirs == NULL)
    err = add_usual(store, places);
  if (err != RUNNEL_OK || store->certs_len > 0)
    return err;
  if (store->left_out > 0)
    return runnel__settings_refuse(text, "%s", store->left_text);
  return runnel__settings_refuse(
      text, "the system's certificates were not found: install them "
            "(ca-certificates), or set ca_file or SSL_CERT_FILE");
}
