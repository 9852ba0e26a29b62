/* What the command makes of a server's certificate, and of its own. Included
 * once, by command_tls_test.c, which explains the tokens. */

struct tls_row {
  const char *name;
  const char *args[12];
  const char *pin; /* --pin with the key of that certificate; NULL: none */
  const char *env; /* "NAME=value" */
  int status;
  const char *out; /* all of standard output */
  const char *err; /* NULL: nothing; else a part of standard error */
};

#define BY_NAME "https://localhost:<p>/stream?sessionId=session-1"
#define BY_ADDRESS "https://127.0.0.1:<p>/stream?sessionId=session-1"
#define BY_OTHER "https://other.test:<p>/stream?sessionId=session-1"
#define OTHER_IS_HERE "--resolve", "other.test:<p>:127.0.0.1"
#define FIRST "-fdata", "-n1"
#define ROOT "--cacert", "<D>/root.pem"
#define OTHER_ROOT "--cacert", "<D>/other.pem"
#define SESSION_1 "{\"sessionId\":\"session-1\"}\n"
#define REFUSED "(RUNNEL_ETRUST); gave up\n"
#define UNVERIFIED "runnel: certificates are not verified (--insecure)\n"

static const struct tls_row tls_rows[] = {
    {"--cacert, and a host by name", {FIRST, ROOT, BY_NAME}, .out = SESSION_1},
    {"--cacert, and a host by address",
     {FIRST, ROOT, BY_ADDRESS},
     .out = SESSION_1},
    {"SSL_CERT_FILE is the system's store",
     {FIRST, BY_NAME},
     .env = "SSL_CERT_FILE=<D>/root.pem",
     .out = SESSION_1},
    {"--cacert takes its place",
     {FIRST, OTHER_ROOT, BY_NAME},
     .env = "SSL_CERT_FILE=<D>/root.pem",
     .status = 1,
     .out = "",
     .err = REFUSED},
    {"an issuer that nobody knows is final",
     {FIRST, OTHER_ROOT, BY_NAME},
     .status = 1,
     .out = "",
     .err = "runnel: [0] https://localhost:<p>/stream: <l>certificate "
            "\"<l>CN=inter\" was issued by \"<l>CN=root\", which leads "
            "to no trusted certificate " REFUSED},
    {"the wrong host is named, and the right ones",
     {FIRST, ROOT, OTHER_IS_HERE, BY_OTHER},
     .status = 1,
     .out = "",
     .err = "certificate \"<l>good\" <l>localhost<l>127.0.0.1<l>" REFUSED},
    {"no store at all is the command line's fault",
     {FIRST, BY_NAME},
     .env = "SSL_CERT_FILE=/nonexistent/store",
     .status = 2,
     .out = "",
     .err = "/nonexistent/store"},
    {"--insecure takes any certificate, and says so",
     {FIRST, "--insecure", OTHER_IS_HERE, BY_OTHER},
     .out = SESSION_1,
     .err = UNVERIFIED},
    {"--insecure under --quiet",
     {FIRST, "-q", "--insecure", OTHER_IS_HERE, BY_OTHER},
     .out = SESSION_1},
    {"--pin of the server's key",
     {FIRST, ROOT, BY_NAME},
     .pin = "good",
     .out = SESSION_1},
    {"--pin of an issuer's key",
     {FIRST, ROOT, BY_NAME},
     .pin = "inter",
     .out = SESSION_1},
    {"one of several pins is enough",
     {FIRST, ROOT, "--pin", NO_PIN, BY_NAME},
     .pin = "good",
     .out = SESSION_1},
    {"--pin of another key",
     {FIRST, ROOT, BY_NAME},
     .pin = "me",
     .status = 1,
     .out = "",
     .err = REFUSED},
    {"a pin does not stand in for the chain",
     {FIRST, OTHER_ROOT, BY_NAME},
     .pin = "good",
     .status = 1,
     .out = "",
     .err = REFUSED},
    {"--insecure with a pin",
     {FIRST, "-q", "--insecure", BY_NAME},
     .pin = "good",
     .out = SESSION_1},
    {"--insecure leaves pins in force",
     {FIRST, "--insecure", BY_NAME},
     .pin = "me",
     .status = 1,
     .out = "",
     .err = REFUSED},
    {"json: a certificate that is refused",
     {"-fjson", "-q", OTHER_ROOT, BY_NAME},
     .status = 1,
     .out = "{\"kind\":\"error\",\"stream\":0,\"code\":\"RUNNEL_ETRUST\","
            "\"message\":\"<s>\",\"retry_in_ms\":null}\n"
            "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_ETRUST\"}\n"},
    {"-v tells the version of TLS",
     {FIRST, "-v", ROOT, BY_NAME},
     .out = SESSION_1,
     .err = "connected (200, <n> ms, TLSv1.<n>)\n"},
    {"plain http at a port that speaks TLS",
     {FIRST, "--no-reconnect", "http://127.0.0.1:<p>/"},
     .status = 1,
     .out = "",
     .err = "; gave up\n"},
    {"an encrypted key",
     {FIRST, ROOT, "--cert", "<D>/me.pem", "--key", "<D>/encrypted.key",
      BY_NAME},
     .status = 2,
     .out = "",
     .err = "option --key \"<D>/encrypted.key\": the key is encrypted, and "
            "there is no option for a password"},
    {"a key of another certificate",
     {FIRST, ROOT, "--cert", "<D>/me.pem", "--key", "<D>/good.key", BY_NAME},
     .status = 2,
     .out = "",
     .err = "option --key \"<D>/good.key\": not the key of the first "
            "certificate of --cert \"<D>/me.pem\"\n"},
};
