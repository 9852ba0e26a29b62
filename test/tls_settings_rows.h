/* Settings, each with what is refused of it; see tls_settings_test.c. */
#ifndef RUNNEL_TEST_TLS_SETTINGS_ROWS_H
#define RUNNEL_TEST_TLS_SETTINGS_ROWS_H

#include "runnel.h"
#include "tls_settings_files.h"

#define PIN "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Names are those of files of the CA's directory, but for absolute ones. */
struct settings_row {
  const char *ca_file;
  const char *ca_dir;
  const char *ca;
  const char *crl_file;
  const char *cert_file;
  const char *cert;
  const char *key_file;
  const char *password;
  const char *pin;
  int version_min;
  int version_max;
  int insecure;
  int no_resumption;
  const char *refused[2]; /* parts of the text; NULL: accepted */
  size_t anchors;         /* how many, if accepted; 0: not of interest */
};

static const struct settings_row rows[] = {
    {.ca_file = "root.pem", .anchors = 1},
    {.ca_file = "both.pem", .anchors = 2},
    {.ca_file = "twice.pem", .anchors = 1},
    {.ca_file = "partly.pem", .anchors = 2},
    {.ca_file = "cut.pem", .anchors = 1},
    {.ca_file = "root.der", .anchors = 1},
    {.ca_file = "missing", .refused = {"ca_file \"/", "No such file"}},
    {.ca_file = "", .refused = {"ca_file", "Is a directory"}},
    {.ca_file = "folder", .refused = {"folder\": Is a directory"}},
    {.ca_file = "root.pem/x", .refused = {"Not a directory"}},
    {.ca_file = "/proc/self/mem", .refused = {"mem\": Input/output error"}},
    {.ca_file = "empty", .refused = {"empty\": empty"}},
    {.ca_file = "words", .refused = {"words\": no certificate in it"}},
    {.ca_file = "root.key", .refused = {"no certificate in it"}},
    {.ca_file = "zeros", .refused = {"no certificate in it"}},
    {.ca_file = "broken.pem", .refused = {"not one certificate in it can be"}},
    {.ca_file = "broken.der", .refused = {"not one certificate in it can be"}},
    {.ca_file = "begin", .refused = {"begin\": not one certificate in it"}},
    {.ca_file = "line\nend", .refused = {"/line?end\": No such file"}},

    {.ca_dir = "folder", .anchors = 3},
    {.ca_dir = "missing", .refused = {"ca_dir \"/", "No such file"}},
    {.ca_dir = "root.pem", .refused = {"ca_dir", "Not a directory"}},
    {.ca_dir = "hollow", .refused = {"hollow\": no certificate in it"}},
    {.ca_dir = "rotten", .refused = {"not one certificate in it can be read"}},

    {.ca = "root.pem", .anchors = 1},
    {.ca = "root.der", .anchors = 1},
    {.ca = "words", .refused = {"ca: no certificate in it"}},
    {.ca = "empty", .refused = {"ca: empty"}},
    {.ca_file = "root.pem",
     .ca_dir = "folder",
     .ca = "other.pem",
     .anchors = 4},
    {.ca_file = "root.pem", .ca_dir = "hollow", .refused = {"hollow"}},
    {.ca_file = "words", .ca_dir = "folder", .refused = {"words"}},
    {.insecure = 1, .anchors = 0},
    {.insecure = 1, .ca_file = "missing", .refused = {"ca_file"}},

    {.crl_file = "list.crl"},
    {.crl_file = "list.der"},
    {.crl_file = "missing", .refused = {"crl_file \"/", "No such file"}},
    {.crl_file = "empty", .refused = {"empty\": empty"}},
    {.crl_file = "words", .refused = {"no list of revoked certificates"}},
    {.crl_file = "root.pem", .refused = {"no list of revoked certificates"}},

    {.cert_file = "me.pem", .key_file = "me.key"},
    {.cert_file = "me.chain.pem", .key_file = "me.key"},
    {.cert_file = "me.der", .key_file = "key.der"},
    {.cert_file = "mine-rsa.pem", .key_file = "mine-rsa.key"},
    {.cert = "me.pem", .key_file = "me.key"},
    {.cert_file = "me.pem", .refused = {"key_file is missing"}},
    {.key_file = "me.key", .refused = {"cert_file is missing"}},
    {.cert_file = "me.pem",
     .cert = "me.pem",
     .key_file = "me.key",
     .refused = {"cert_file and cert: only one"}},
    {.cert_file = "missing",
     .key_file = "me.key",
     .refused = {"cert_file \"/", "No such file"}},
    {.cert_file = "me.pem",
     .key_file = "missing",
     .refused = {"key_file \"/", "No such file"}},
    {.cert_file = "words",
     .key_file = "me.key",
     .refused = {"words\": no certificate"}},
    {.cert_file = "partly.pem",
     .key_file = "me.key",
     .refused = {"1 of its certificates cannot be read"}},
    {.cert_file = "me.pem",
     .key_file = "words",
     .refused = {"words\": no private key"}},
    {.cert_file = "me.pem",
     .key_file = "me.pem",
     .refused = {"me.pem\": no private key in it"}},
    {.cert_file = "me.pem",
     .key_file = "broken.key",
     .refused = {"broken.key\": the key cannot be read"}},
    {.cert_file = "me.pem",
     .key_file = "root.key",
     .refused =
         {"root.key\": not the key of the first certificate of cert_file",
          "me.pem"}},
    {.cert_file = "me.pem",
     .key_file = "mine-rsa.key",
     .refused = {"not the key of the first certificate"}},
    {.cert_file = "root-first.pem",
     .key_file = "me.key",
     .refused = {"not the key of the first certificate"}},

    {.cert_file = "me.pem", .key_file = "locked.key", .password = SECRET},
    {.cert_file = "me.pem", .key_file = "locked-8.key", .password = SECRET},
    {.cert_file = "me.pem", .key_file = "me.key", .password = SECRET},
    {.cert_file = "me.pem",
     .key_file = "locked.key",
     .refused = {"key_file", "is encrypted, and key_password is not set"}},
    {.cert_file = "me.pem",
     .key_file = "locked-8.key",
     .refused = {"key_file", "is encrypted, and key_password is not set"}},
    {.cert_file = "me.pem",
     .key_file = "locked.key",
     .password = SECRET "!",
     .refused = {"key_password is not the password of the key"}},
    {.cert_file = "me.pem",
     .key_file = "locked-8.key",
     .password = SECRET "!",
     .refused = {"key_password is not the password of the key"}},
    {.cert_file = "me.pem",
     .key_file = "locked.key",
     .password = "",
     .refused = {"key_password is not the password of the key"}},

    {.pin = PIN},
    {.pin = "", .refused = {"pins[0]: not \"sha256/\" and the base64 of 32"}},
    {.pin = "sha256/", .refused = {"pins[0]"}},
    {.pin = "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     .refused = {"pins[0]"}},
    {.pin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
     .refused = {"pins[0]"}},
    {.pin = PIN "=", .refused = {"pins[0]"}},
    {.pin = PIN "\n", .refused = {"pins[0]"}},
    {.pin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAA=",
     .refused = {"pins[0]"}},

    {.version_min = RUNNEL_TLS_1_2, .version_max = RUNNEL_TLS_1_2},
    {.version_max = RUNNEL_TLS_1_3},
    {.version_min = 11, .refused = {"version_min: 11"}},
    {.version_max = 14, .refused = {"version_max: 14"}},
    {.version_max = -1, .refused = {"version_max: -1"}},
    {.version_min = RUNNEL_TLS_1_3,
     .version_max = RUNNEL_TLS_1_2,
     .refused = {"version_min: "}},
    {.insecure = 2, .refused = {"insecure: 2 is neither 0 nor 1"}},
    {.no_resumption = -1, .refused = {"no_resumption: -1 is neither"}},
};

#endif
