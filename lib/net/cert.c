/* Reading in certificates; see cert.h. */
#include "cert.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <stdio.h>

#define SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define DAY_S 86400
#define NAME_BYTES 1024

/* Takes one element of that tag off the front of `from`. 1 or 0. */
static int take_element(struct runnel__str *from, int tag,
                        struct runnel__str *value) {
  unsigned char *at = (unsigned char *)from->at;
  const unsigned char *end = at + from->len;
  size_t len;
  if (mbedtls_asn1_get_tag(&at, end, &len, tag) != 0)
    return 0;
  value->at = (const char *)at;
  value->len = len;
  from->at = (const char *)at + len;
  from->len = (size_t)(end - at) - len;
  return 1;
}

/* Extension ::= SEQUENCE { OID, BOOLEAN DEFAULT FALSE, OCTET STRING } */
static int read_extension(struct runnel__str *list, struct runnel__str *oid,
                          struct runnel__str *value) {
  struct runnel__str extension, critical;
  if (!take_element(list, SEQUENCE, &extension) ||
      !take_element(&extension, MBEDTLS_ASN1_OID, oid))
    return 0;
  (void)take_element(&extension, MBEDTLS_ASN1_BOOLEAN, &critical);
  return take_element(&extension, MBEDTLS_ASN1_OCTET_STRING, value);
}

int runnel__cert_extension(const mbedtls_x509_crt *crt, int number,
                           struct runnel__str *value) {
  struct runnel__str all = {(const char *)crt->v3_ext.p, crt->v3_ext.len};
  const char wanted[] = {0x55, 0x1d, (char)number};
  struct runnel__str list, oid;
  if (all.len == 0)
    return 0;
  if (!take_element(&all, SEQUENCE, &list))
    return -1;
  while (list.len > 0) {
    if (!read_extension(&list, &oid, value))
      return -1;
    if (oid.len == sizeof wanted && memcmp(oid.at, wanted, sizeof wanted) == 0)
      return 1;
  }
  return 0;
}

int runnel__san_begin(struct runnel__san *san, struct runnel__str value) {
  return take_element(&value, SEQUENCE, &san->rest) && value.len == 0 ? 1 : -1;
}

int runnel__san_next(struct runnel__san *san) {
  if (san->rest.len == 0)
    return 0;
  san->tag = (unsigned char)san->rest.at[0];
  return take_element(&san->rest, san->tag, &san->value) ? 1 : -1;
}

int runnel__cert_says_authority(struct runnel__str value) {
  struct runnel__str fields, authority;
  return take_element(&value, SEQUENCE, &fields) && value.len == 0 &&
         take_element(&fields, MBEDTLS_ASN1_BOOLEAN, &authority) &&
         authority.len == 1 && authority.at[0] != 0;
}

/* Days since 1970 of the proleptic Gregorian calendar, years begun in March so
 * that leap days come last. */
int64_t runnel__cert_seconds(const mbedtls_x509_time *time) {
  int64_t year = time->mon > 2 ? time->year : time->year - 1;
  int64_t month = time->mon > 2 ? time->mon - 3 : time->mon + 9;
  int64_t days = year * 365 + year / 4 - year / 100 + year / 400 +
                 (month * 153 + 2) / 5 + time->day - 1 - 719468;
  return days * DAY_S + time->hour * 3600 + time->min * 60 + time->sec;
}

void runnel__cert_show(char *dst, struct runnel__str bytes) {
  size_t room = RUNNEL__SHOWN_BYTES - 1;
  size_t len = bytes.len <= room ? bytes.len : room - 3;
  for (size_t i = 0; i < len; i++) {
    char c = bytes.at[i];
    dst[i] = (char)(c < 0x20 || c > 0x7e || c == '"' ? '?' : c);
  }
  memcpy(dst + len, "...", 3 < room - len ? 3 : room - len);
  dst[bytes.len <= room ? len : len + 3] = '\0';
}

void runnel__cert_show_name(char *dst, const mbedtls_x509_name *name) {
  const mbedtls_x509_name *common = NULL;
  char text[NAME_BYTES];
  for (const mbedtls_x509_name *at = name; at != NULL; at = at->next)
    if (at->oid.p != NULL && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0)
      common = at;
  if (common != NULL) {
    struct runnel__str value = {(const char *)common->val.p, common->val.len};
    memcpy(text, "CN=", 3);
    value.len = value.len < NAME_BYTES - 3 ? value.len : NAME_BYTES - 3;
    memcpy(text + 3, value.at, value.len);
    struct runnel__str shown = {text, value.len + 3};
    runnel__cert_show(dst, shown);
    return;
  }
  int len = mbedtls_x509_dn_gets(text, sizeof text, name);
  runnel__cert_show(dst, len > 0 ? runnel__str_of(text)
                                 : RUNNEL__STR("without a name"));
}
