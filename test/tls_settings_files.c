/* See tls_settings_files.h. */
#include "tls_settings_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tempdir.h"

static void must(int done) {
  if (!done)
    abort();
}

#define RUN(ca, ...) tls_ca_run(ca, (const char *const[]){__VA_ARGS__, NULL})

static void lock_key(struct tls_ca *ca, const char *file,
                     const char *const *how) {
  static const char pass[] = "pass:" SECRET;
  const char *argv[16] = {how[0],     how[1],
                          "-in",      tls_ca_file(ca, "me.key"),
                          "-out",     tls_ca_file(ca, file),
                          "-passout", pass};
  for (size_t i = 2, k = 8; how[i] != NULL; i++)
    argv[k++] = how[i];
  tls_ca_run(ca, argv);
}

static void make_keys(struct tls_ca *ca) {
  tls_ca_issue(ca, &(struct tls_cert){.name = "me"});
  tls_ca_issue(ca, &(struct tls_cert){.name = "mine-rsa", .key = "rsa"});
  lock_key(ca, "locked.key", (const char *const[]){"ec", "-aes256", NULL});
  lock_key(
      ca, "locked-8.key",
      (const char *const[]){"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", NULL});
  lock_key(ca, "locked-aes.key",
           (const char *const[]){"pkcs8", "-topk8", "-v2", "aes256", NULL});
  RUN(ca, "pkey", "-in", tls_ca_file(ca, "me.key"), "-outform", "DER", "-out",
      tls_ca_file(ca, "key.der"));
  RUN(ca, "x509", "-in", tls_ca_file(ca, "me.pem"), "-outform", "DER", "-out",
      tls_ca_file(ca, "me.der"));
  tls_ca_write(ca, "broken.key",
               "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n"
               "-----END PRIVATE KEY-----\n");
  tls_ca_bundle(ca, "root-first.pem", "root me");
}

/* A file of those texts, in order. */
static void join(struct tls_ca *ca, const char *name,
                 const char *const *texts) {
  char all[16384];
  size_t len = 0;
  for (; *texts != NULL; texts++)
    len += (size_t)snprintf(all + len, sizeof all - len, "%s", *texts);
  tls_ca_write(ca, name, all);
}

static void make_bundles(struct tls_ca *ca) {
  static const char broken[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBszCCAVqgAwIBAgIUAAAAAAAAAAAA\n"
                               "-----END CERTIFICATE-----\n";
  char *root = file_read(tls_ca_file(ca, "root.pem"), NULL);
  char *inter = file_read(tls_ca_file(ca, "inter.pem"), NULL);
  char half[300];
  snprintf(half, sizeof half, "%s", inter);
  tls_ca_issue(
      ca, &(struct tls_cert){.name = "other", .issuer = "other", .is_ca = 1});
  tls_ca_bundle(ca, "both.pem", "root inter");
  tls_ca_bundle(ca, "twice.pem", "root root");
  join(ca, "partly.pem",
       (const char *const[]){"# words\n", root, broken, "and more\n", inter,
                             NULL});
  join(ca, "worse.pem",
       (const char *const[]){half, "\n", root, broken, inter, NULL});
  join(ca, "cut.pem", (const char *const[]){root, half, NULL});
  tls_ca_write(ca, "broken.pem", broken);
  tls_ca_write(ca, "broken.der", "0\x82\x01\x02xxxxxx");
  tls_ca_write(ca, "begin", "-----BEGIN CERTIFICATE-----");
  tls_ca_write(ca, "words", "Here is no certificate.\n");
  tls_ca_write(ca, "empty", "");
  FILE *zeros = fopen(tls_ca_file(ca, "zeros"), "wb");
  must(zeros != NULL);
  for (int i = 0; i < 10000; i++)
    fputc(0, zeros);
  fclose(zeros);
  RUN(ca, "x509", "-in", tls_ca_file(ca, "root.pem"), "-outform", "DER", "-out",
      tls_ca_file(ca, "root.der"));
  tls_ca_list_revoked(ca, "root", "list.crl", 0);
  RUN(ca, "crl", "-in", tls_ca_file(ca, "list.crl"), "-outform", "DER", "-out",
      tls_ca_file(ca, "list.der"));
  free(root);
  free(inter);
}

static void copy_to(struct tls_ca *ca, const char *file, const char *copy) {
  size_t len;
  char *bytes = file_read(tls_ca_file(ca, file), &len);
  FILE *out = fopen(tls_ca_file(ca, copy), "wb");
  must(bytes != NULL);
  must(out != NULL);
  must(fwrite(bytes, 1, len, out) == len);
  fclose(out);
  free(bytes);
}

/* As c_rehash leaves one, with what else lies in such folders. */
static void make_folders(struct tls_ca *ca) {
  must(mkdir(tls_ca_file(ca, "folder"), 0700) == 0);
  must(mkdir(tls_ca_file(ca, "folder/below"), 0700) == 0);
  must(mkdir(tls_ca_file(ca, "hollow"), 0700) == 0);
  must(mkdir(tls_ca_file(ca, "rotten"), 0700) == 0);
  copy_to(ca, "both.pem", "folder/both.pem");
  copy_to(ca, "root.der", "folder/root.der");
  copy_to(ca, "me.pem", "folder/me.crt");
  copy_to(ca, "other.pem", "folder/below/other.pem");
  copy_to(ca, "other.pem", "folder/.hidden.pem");
  copy_to(ca, "words", "folder/README");
  copy_to(ca, "empty", "folder/empty");
  copy_to(ca, "key.der", "folder/key.der");
  copy_to(ca, "list.der", "folder/list.der");
  copy_to(ca, "root.key", "hollow/root.key");
  copy_to(ca, "broken.pem", "rotten/broken.pem");
  for (int i = 0; i < 2; i++) {
    char link[64];
    snprintf(link, sizeof link, "folder/12345678.%d", i);
    must(symlink(i == 0 ? "both.pem" : "me.crt", tls_ca_file(ca, link)) == 0);
  }
  must(mkfifo(tls_ca_file(ca, "folder/fifo"), 0600) == 0);
}

void tls_settings_files_make(struct tls_ca *ca) {
  make_keys(ca);
  make_bundles(ca);
  make_folders(ca);
}
