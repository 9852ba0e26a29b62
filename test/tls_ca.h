/* Certificates for tests, made on the spot in a directory of their own by the
 * openssl command: another implementation than the one that judges them.
 *
 *   struct tls_ca *ca = tls_ca_open();
 *   tls_ca_issue(ca, &(struct tls_cert){"good", .san = "DNS:localhost"});
 *   options.ca_file = tls_ca_file(ca, "root.pem");
 *   ... a server with tls_ca_file(ca, "good.chain.pem"), "good.key" ...
 *   tls_ca_close(ca);
 *
 * There is a "root" and an "inter" signed by it from the start. Whatever cannot
 * be made aborts the test. */
#ifndef RUNNEL_TEST_TLS_CA_H
#define RUNNEL_TEST_TLS_CA_H

#include <stddef.h>

struct tls_ca;

/* What is not given (NULL, 0) is as a good server's certificate has it. */
struct tls_cert {
  const char *name;   /* of its files */
  const char *san;    /* subjectAltName, as x509v3_config(5); NULL: none */
  const char *issuer; /* name of who signs; NULL: "inter"; its own: itself */
  const char *common_name; /* NULL: the name; "": the subject is only "O=..." */
  const char *key;   /* which one: "ec", "p384", "rsa", "rsa1024", "rsapss" or
                        "ed25519", and "-" and any words, for as many as
                        wanted; made when first named. NULL: "ec", for an
                        authority one of its own */
  const char *hash;  /* NULL: "sha256" */
  int is_ca;         /* 1: an authority */
  const char *with;  /* more lines of extensions */
  const char *only;  /* these lines of extensions instead of all others */
  const char *from;  /* "YYYYMMDDHHMMSSZ"; NULL: yesterday */
  const char *until; /* NULL: in a year */
};

struct tls_ca *tls_ca_open(void);
void tls_ca_close(struct tls_ca *ca); /* NULL is allowed */

/* Makes NAME.pem, NAME.key, and NAME.chain.pem: the certificate and those of
 * its issuers below the root. */
void tls_ca_issue(struct tls_ca *ca, const struct tls_cert *cert);

/* Takes the certificate back, as its issuer's list will say. */
void tls_ca_revoke(struct tls_ca *ca, const char *name);

/* Makes the issuer's list of revoked certificates as FILE; out of date, if
 * stale is 1. */
void tls_ca_list_revoked(struct tls_ca *ca, const char *issuer,
                         const char *file, int stale);

/* Runs openssl in the directory; the arguments end with NULL. */
void tls_ca_run(struct tls_ca *ca, const char *const *arguments);

/* The path of a file of the directory; valid for the next seven calls. */
const char *tls_ca_file(struct tls_ca *ca, const char *name);

/* Writes a file of that text. */
void tls_ca_write(struct tls_ca *ca, const char *name, const char *text);

/* Writes the certificates named, by spaces, into one file. */
void tls_ca_bundle(struct tls_ca *ca, const char *file, const char *names);

/* "sha256/..." of the certificate's key; valid until the next call. */
const char *tls_ca_pin(struct tls_ca *ca, const char *name);

#endif
