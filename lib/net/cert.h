/* What is read in certificates beside what mbedTLS tells of them: extensions
 * (RFC 5280 4.2) and their parts. Knows nothing of trust. What is read points
 * into the certificate. */
#ifndef RUNNEL_NET_CERT_H
#define RUNNEL_NET_CERT_H

#include <mbedtls/x509_crt.h>
#include <stdint.h>

#include "../core/str.h"

/* Of extensions 2.5.29.N, the last number. */
enum {
  RUNNEL__EXT_SUBJECT_ALT_NAME = 17,
  RUNNEL__EXT_BASIC_CONSTRAINTS = 19,
  RUNNEL__EXT_NAME_CONSTRAINTS = 30
};

/* 1 with its value (DER), 0: it is not there, -1: the extensions cannot be
 * read. */
int runnel__cert_extension(const mbedtls_x509_crt *crt, int number,
                           struct runnel__str *value);

/* Tags of the entries of a subjectAltName (RFC 5280 4.2.1.6). */
enum { RUNNEL__SAN_DNS = 0x82, RUNNEL__SAN_ADDR = 0x87 };

struct runnel__san {
  struct runnel__str rest; /* entries that are not read yet */
  int tag;                 /* of the entry that was read */
  struct runnel__str value;
};

/* Begins with the entries of the extension's value: 1, or -1. */
int runnel__san_begin(struct runnel__san *san, struct runnel__str value);

/* 1: an entry was read, 0: there is none left, -1: it cannot be read. */
int runnel__san_next(struct runnel__san *san);

/* 1: the value of basicConstraints says in the standard's form that this is an
 * authority. mbedTLS before 3.6.7 is content with a path length alone
 * (CVE-2026-49300). */
int runnel__cert_says_authority(struct runnel__str value);

/* Seconds since 1970. */
int64_t runnel__cert_seconds(const mbedtls_x509_time *time);

/* Whose certificate it is (or who issued it), fit for a line of text: `CN=x`,
 * or the whole name where there is none; what is odd or does not fit is
 * replaced. */
#define RUNNEL__SHOWN_BYTES 72
void runnel__cert_show_name(char *dst, const mbedtls_x509_name *name);

/* Bytes of the peer's as text of one line, in RUNNEL__SHOWN_BYTES. */
void runnel__cert_show(char *dst, struct runnel__str bytes);

#endif
