/* See tls_fault.h. Alerts are those of RFC 8446 6 and, where it has dropped
 * them, of RFC 5246 7.2. */
#include "tls_fault.h"

#include <stdio.h>

#include <mbedtls/error.h>

#include "runnel.h"
#include "tls_lib.h"

struct alert {
  int number;
  const char *name;
};

static const struct alert alerts[] = {
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {21, "decryption failed"},
    {22, "record overflow"},
    {30, "decompression failure"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {60, "export restriction"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {100, "no renegotiation"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {111, "certificate unobtainable"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {114, "bad certificate hash value"},
    {115, "unknown PSK identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
};

static void tell_alert(int number, char *why, size_t size) {
  const char *name = "an unknown one";
  for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
    if (alerts[i].number == number)
      name = alerts[i].name;
  snprintf(why, size, "the server sent alert %d: %s", number, name);
}

/* "mbedTLS -0x7180: SSL - Verification of the message MAC failed". */
static void tell_code(int native, char *why, size_t size) {
  char text[160] = "";
  mbedtls_strerror(native, text, sizeof text);
  snprintf(why, size, "mbedTLS -0x%04x: %s", (unsigned)-native, text);
}

int runnel__tls_fault(const mbedtls_ssl_context *ssl, int native, char *why,
                      size_t size) {
  why[0] = '\0';
  if (runnel__tls_lib_is_no_memory(native))
    return RUNNEL_ENOMEM;
  if (native == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    tell_alert(runnel__tls_lib_alert(ssl), why, size);
  else if (runnel__tls_lib_is_version(native))
    snprintf(why, size, "the server has no version of TLS that is allowed");
  else if (runnel__tls_lib_is_key_update(ssl))
    snprintf(why, size,
             "the server wants new keys (KeyUpdate), which mbedTLS cannot do");
  else if (native == MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE)
    snprintf(why, size,
             "mbedTLS cannot read the server's handshake (2.28 wants each "
             "message of it in one record)");
  else
    tell_code(native, why, size);
  return RUNNEL_ETLS;
}

/* Content types of records are 20 to 23 (RFC 8446 5.1). */
const char *runnel__tls_fault_of_start(struct runnel__str start) {
  if (start.len == 0 || (start.at[0] >= 20 && start.at[0] <= 23))
    return NULL;
  struct runnel__str http = RUNNEL__STR("HTTP/");
  if (start.len < http.len)
    http.len = start.len;
  else
    start.len = http.len;
  return runnel__str_eq(start, http)
             ? "the server does not speak TLS: it answered in plain HTTP"
             : "the server does not speak TLS";
}
