/* Whom to trust: certificates gathered from files, folders, memory and the
 * system's usual places, each once.
 *
 * What is gathered is DER, checked by parsing, so that each world parses it
 * again without text around it and without a copy. */
#ifndef RUNNEL_NET_TRUST_LOAD_H
#define RUNNEL_NET_TRUST_LOAD_H

#include "blob.h"

/* More certificates than this are no trust store (the system's has 150). */
#define RUNNEL__ANCHORS_MAX 10000

/* Room for one thing that was left out; a line says more than that. */
#define RUNNEL__LEFT_BYTES 208

struct runnel__span {
  size_t at; /* offset in bytes */
  size_t len;
};

/* All zero is an empty store. */
struct runnel__anchors {
  unsigned char *bytes; /* owned: DER, one certificate after the other */
  size_t len;
  size_t cap;
  struct runnel__span *certs; /* owned */
  size_t certs_len;
  size_t certs_cap;
  size_t left_out;                    /* what could not be read */
  char left_text[RUNNEL__LEFT_BYTES]; /* the first of these, and why */
};

/* All add what is there to what was. 0, RUNNEL_ENOMEM, or RUNNEL_EINVAL with a
 * text when nothing at all can be had there; parts that cannot be read among
 * others are left out, and counted. */
int runnel__anchors_add_file(struct runnel__anchors *store, const char *option,
                             const char *path, char *text);
int runnel__anchors_add_dir(struct runnel__anchors *store, const char *option,
                            const char *path, char *text);
int runnel__anchors_add_bytes(struct runnel__anchors *store, const char *option,
                              const void *bytes, size_t len, char *text);

/* What SSL_CERT_FILE and SSL_CERT_DIR name, if one is set (and the program has
 * no more rights than its user); else the first of the places, files or
 * folders, in which there is a certificate. */
int runnel__anchors_add_system(struct runnel__anchors *store,
                               const char *const *places, char *text);

/* Gives back what was reserved for more. */
void runnel__anchors_fit(struct runnel__anchors *store);

/* Where systems keep theirs, NULL-ended. */
extern const char *const runnel__anchors_places[];

void runnel__anchors_free(struct runnel__anchors *store);

#endif
