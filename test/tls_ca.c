/* See tls_ca.h. `openssl ca` does all of it, for it alone can say from when to
 * when a certificate holds. */
#include "tls_ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/x509_crt.h>

#include "spawn.h"
#include "tempdir.h"

#define PATHS 8
#define DAY_S 86400
#define TEXT_BYTES 4096

struct tls_ca {
  char *dir;
  char paths[PATHS][512];
  size_t next_path;
  char pin[64];
};

static const char config[] = "[ca]\n"
                             "default_ca = all\n"
                             "[all]\n"
                             "database = %s/index\n"
                             "new_certs_dir = %s/issued\n"
                             "rand_serial = yes\n"
                             "unique_subject = no\n"
                             "default_md = sha256\n"
                             "policy = any\n"
                             "copy_extensions = none\n"
                             "default_crl_days = 30\n"
                             "[any]\n"
                             "organizationName = optional\n"
                             "commonName = optional\n"
                             "[req]\n"
                             "distinguished_name = nobody\n"
                             "[nobody]\n";

const char *tls_ca_file(struct tls_ca *ca, const char *name) {
  char *path = ca->paths[ca->next_path++ % PATHS];
  return tempdir_path(ca->dir, name, path, sizeof ca->paths[0]);
}

/* The file NAME and an ending. */
static const char *file_of(struct tls_ca *ca, const char *name,
                           const char *end) {
  char file[256];
  snprintf(file, sizeof file, "%s%s", name, end);
  return tls_ca_file(ca, file);
}

void tls_ca_run(struct tls_ca *ca, const char *const *arguments) {
  const char *argv[40] = {"openssl"};
  size_t len = 1;
  for (; *arguments != NULL && len < 39; arguments++)
    argv[len++] = *arguments;
  argv[len] = NULL;
  char conf[600];
  snprintf(conf, sizeof conf, "OPENSSL_CONF=%s", tls_ca_file(ca, "conf"));
  const char *env[] = {conf, NULL};
  struct spawn_options options = {.argv = argv, .env = env};
  struct spawn_result result;
  if (spawn_run(&result, &options) != 0) {
    fprintf(stderr, "openssl could not be started\n");
    abort();
  }
  if (result.status != 0) {
    fprintf(stderr, "openssl %s: %s\n", argv[1], result.err);
    abort();
  }
  spawn_result_deinit(&result);
}

#define RUN(ca, ...) tls_ca_run(ca, (const char *const[]){__VA_ARGS__, NULL})

/* Keys and requests ----------------------------------------------------- */

static const struct kind {
  const char *name;
  const char *algorithm;
  const char *option; /* NULL: none */
} kinds[] = {
    {"ec", "EC", "ec_paramgen_curve:P-256"},
    {"p384", "EC", "ec_paramgen_curve:P-384"},
    {"rsa", "RSA", "rsa_keygen_bits:2048"},
    {"rsa1024", "RSA", "rsa_keygen_bits:1024"},
    {"rsapss", "RSA-PSS", "rsa_keygen_bits:2048"},
    {"ed25519", "ED25519", NULL},
};

static const struct kind *kind_of(const char *key) {
  size_t len = strcspn(key, "-");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strlen(kinds[i].name) == len && strncmp(kinds[i].name, key, len) == 0)
      return &kinds[i];
  fprintf(stderr, "no kind of key: %s\n", key);
  abort();
}

/* KEY.key, and KEY.csr for it, whose subject nobody reads. */
static void make_key(struct tls_ca *ca, const char *key) {
  const struct kind *kind = kind_of(key);
  const char *path = file_of(ca, key, ".key");
  if (access(path, R_OK) == 0)
    return;
  if (kind->option != NULL)
    RUN(ca, "genpkey", "-algorithm", kind->algorithm, "-pkeyopt", kind->option,
        "-out", path);
  else
    RUN(ca, "genpkey", "-algorithm", kind->algorithm, "-out", path);
  RUN(ca, "req", "-new", "-key", path, "-subj", "/CN=x", "-out",
      file_of(ca, key, ".csr"));
}

/* Certificates ---------------------------------------------------------- */

void tls_ca_write(struct tls_ca *ca, const char *name, const char *text) {
  tempdir_write(ca->dir, name, text, strlen(text));
}

static void write_text(struct tls_ca *ca, const char *path, const char *text) {
  tls_ca_write(ca, strrchr(path, '/') + 1, text);
}

static void write_extensions(struct tls_ca *ca, const struct tls_cert *cert) {
  static const char server[] = "basicConstraints = CA:FALSE\n"
                               "keyUsage = digitalSignature\n"
                               "extendedKeyUsage = serverAuth\n";
  static const char authority[] = "basicConstraints = critical, CA:TRUE\n"
                                  "keyUsage = critical, keyCertSign, cRLSign\n";
  static char text[TEXT_BYTES * 16];
  int len = snprintf(text, sizeof text, "%s%s%s\n%s\n",
                     cert->only != NULL ? cert->only
                     : cert->is_ca      ? authority
                                        : server,
                     cert->san != NULL ? "subjectAltName = " : "",
                     cert->san != NULL ? cert->san : "",
                     cert->with != NULL ? cert->with : "");
  if (len < 0 || (size_t)len >= sizeof text)
    abort();
  write_text(ca, file_of(ca, cert->name, ".ext"), text);
}

/* "YYYYMMDDHHMMSSZ" of a time that is `days` from now. */
static void write_date(char *dst, size_t size, int days) {
  time_t at = time(NULL) + (time_t)days * DAY_S;
  struct tm parts;
  gmtime_r(&at, &parts);
  strftime(dst, size, "%Y%m%d%H%M%SZ", &parts);
}

static void copy(struct tls_ca *ca, const char *from, const char *to) {
  char *text = file_read(from, NULL);
  if (text == NULL)
    abort();
  write_text(ca, to, text);
  free(text);
}

/* The issuer's own chain behind the certificate, the root left out. */
static void write_chain(struct tls_ca *ca, const struct tls_cert *cert,
                        const char *issuer) {
  char *own = file_read(file_of(ca, cert->name, ".pem"), NULL);
  char *behind = strcmp(issuer, cert->name) == 0
                     ? NULL
                     : file_read(file_of(ca, issuer, ".chain.pem"), NULL);
  size_t len = strlen(own) + (behind == NULL ? 0 : strlen(behind));
  char *both = malloc(len + 1);
  if (both == NULL)
    abort();
  snprintf(both, len + 1, "%s%s", own, behind == NULL ? "" : behind);
  int is_root = cert->is_ca && behind == NULL;
  write_text(ca, file_of(ca, cert->name, ".chain.pem"), is_root ? "" : both);
  free(own);
  free(behind);
  free(both);
}

void tls_ca_issue(struct tls_ca *ca, const struct tls_cert *cert) {
  const char *issuer = cert->issuer != NULL ? cert->issuer : "inter";
  int alone = strcmp(issuer, cert->name) == 0;
  char own_key[128], subject[256], from[32], until[32];
  snprintf(own_key, sizeof own_key, "ec%s%s", cert->is_ca ? "-" : "",
           cert->is_ca ? cert->name : "");
  const char *key = cert->key != NULL ? cert->key : own_key;
  const char *common =
      cert->common_name != NULL ? cert->common_name : cert->name;
  snprintf(subject, sizeof subject, "/O=runnel%s%s",
           common[0] != '\0' ? "/CN=" : "", common);
  write_date(from, sizeof from, -1);
  write_date(until, sizeof until, 365);
  make_key(ca, key);
  copy(ca, file_of(ca, key, ".key"), file_of(ca, cert->name, ".key"));
  write_extensions(ca, cert);
  const char *rest[] = {"ca",
                        "-batch",
                        "-notext",
                        "-in",
                        file_of(ca, key, ".csr"),
                        "-out",
                        file_of(ca, cert->name, ".pem"),
                        "-subj",
                        subject,
                        "-md",
                        cert->hash != NULL ? cert->hash : "sha256",
                        "-startdate",
                        cert->from != NULL ? cert->from : from,
                        "-enddate",
                        cert->until != NULL ? cert->until : until,
                        "-extfile",
                        file_of(ca, cert->name, ".ext"),
                        "-keyfile",
                        file_of(ca, alone ? key : issuer, ".key"),
                        alone ? "-selfsign" : "-cert",
                        alone ? NULL : file_of(ca, issuer, ".pem"),
                        NULL};
  tls_ca_run(ca, rest);
  write_chain(ca, cert, issuer);
}

void tls_ca_revoke(struct tls_ca *ca, const char *name) {
  RUN(ca, "ca", "-revoke", file_of(ca, name, ".pem"), "-keyfile",
      tls_ca_file(ca, "root.key"), "-cert", tls_ca_file(ca, "root.pem"));
}

void tls_ca_list_revoked(struct tls_ca *ca, const char *issuer,
                         const char *file, int stale) {
  char from[32], until[32];
  write_date(from, sizeof from, -3);
  write_date(until, sizeof until, stale ? -1 : 30);
  RUN(ca, "ca", "-gencrl", "-keyfile", file_of(ca, issuer, ".key"), "-cert",
      file_of(ca, issuer, ".pem"), "-crl_lastupdate", from, "-crl_nextupdate",
      until, "-out", tls_ca_file(ca, file));
}

void tls_ca_bundle(struct tls_ca *ca, const char *file, const char *names) {
  char name[128], path[512];
  FILE *out = fopen(tempdir_path(ca->dir, file, path, sizeof path), "wb");
  if (out == NULL)
    abort();
  for (int len; sscanf(names, " %127s%n", name, &len) == 1; names += len) {
    char *text = file_read(file_of(ca, name, ".pem"), NULL);
    if (text == NULL || fputs(text, out) < 0)
      abort();
    free(text);
  }
  fclose(out);
}

const char *tls_ca_pin(struct tls_ca *ca, const char *name) {
  mbedtls_x509_crt crt;
  unsigned char hash[32], text[48];
  size_t len;
  mbedtls_x509_crt_init(&crt);
  if (mbedtls_x509_crt_parse_file(&crt, file_of(ca, name, ".pem")) != 0 ||
      mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt.pk_raw.p,
                 crt.pk_raw.len, hash) != 0 ||
      mbedtls_base64_encode(text, sizeof text, &len, hash, sizeof hash) != 0)
    abort();
  mbedtls_x509_crt_free(&crt);
  snprintf(ca->pin, sizeof ca->pin, "sha256/%s", (const char *)text);
  return ca->pin;
}

struct tls_ca *tls_ca_open(void) {
  struct tls_ca *ca = calloc(1, sizeof *ca);
  if (ca == NULL)
    abort();
  ca->dir = tempdir_make();
  char text[sizeof config + 1024];
  snprintf(text, sizeof text, config, ca->dir, ca->dir);
  write_text(ca, tls_ca_file(ca, "conf"), text);
  write_text(ca, tls_ca_file(ca, "index"), "");
  if (mkdir(tls_ca_file(ca, "issued"), 0700) != 0)
    abort();
  tls_ca_issue(
      ca, &(struct tls_cert){.name = "root", .issuer = "root", .is_ca = 1});
  tls_ca_issue(
      ca, &(struct tls_cert){.name = "inter", .issuer = "root", .is_ca = 1});
  return ca;
}

void tls_ca_close(struct tls_ca *ca) {
  if (ca == NULL)
    return;
  tempdir_remove(ca->dir);
  free(ca);
}
