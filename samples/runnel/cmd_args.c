/* The command line: what is wrong is named in one line and nothing is sent.
 *
 * Options parse as getopt_long does it; they and URLs come in any order, and a
 * URL's place is where it stood. Rules that the library knows (URLs, headers,
 * methods, addresses) are left to it. */
#include "cmd.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upper bound of counts: what a double, and so JSON, holds exactly. */
#define COUNT_MAX INT64_C(9007199254740992)

enum code {
  CODE_URL = 1, /* getopt's, for what is no option */
  CODE_URL_FILE = 256,
  CODE_JSON,
  CODE_LAST_EVENT_ID,
  CODE_EVENT,
  CODE_COMMENTS,
  CODE_EXPECT,
  CODE_DURATION,
  CODE_NO_RECONNECT,
  CODE_ONCE,
  CODE_REPLAY,
  CODE_SENTINEL,
  CODE_RETRY_INITIAL,
  CODE_RETRY_MAX,
  CODE_MAX_FAILURES,
  CODE_OPEN_TIMEOUT,
  CODE_IDLE_TIMEOUT,
  CODE_MAX_EVENT_SIZE,
  CODE_UNIX_SOCKET,
  CODE_RESOLVE,
  CODE_STATE,
  CODE_TIMESTAMPS,
  CODE_STATS,
  CODE_VERSION,
  CODE_CACERT,
  CODE_CERT,
  CODE_KEY,
  CODE_PIN,
  CODE_INSECURE,
  CODE_NO_PROXY,
  CODE_NO_COMPRESSION
};

static const struct option long_options[] = {
    {"format", required_argument, NULL, 'f'},
    {"url-file", required_argument, NULL, CODE_URL_FILE},
    {"header", required_argument, NULL, 'H'},
    {"method", required_argument, NULL, 'X'},
    {"data", required_argument, NULL, 'd'},
    {"json", required_argument, NULL, CODE_JSON},
    {"last-event-id", required_argument, NULL, CODE_LAST_EVENT_ID},
    {"event", required_argument, NULL, CODE_EVENT},
    {"comments", no_argument, NULL, CODE_COMMENTS},
    {"max-events", required_argument, NULL, 'n'},
    {"expect", required_argument, NULL, CODE_EXPECT},
    {"duration", required_argument, NULL, CODE_DURATION},
    {"no-reconnect", no_argument, NULL, CODE_NO_RECONNECT},
    {"once", no_argument, NULL, CODE_ONCE},
    {"replay", no_argument, NULL, CODE_REPLAY},
    {"sentinel", required_argument, NULL, CODE_SENTINEL},
    {"retry-initial", required_argument, NULL, CODE_RETRY_INITIAL},
    {"retry-max", required_argument, NULL, CODE_RETRY_MAX},
    {"max-failures", required_argument, NULL, CODE_MAX_FAILURES},
    {"open-timeout", required_argument, NULL, CODE_OPEN_TIMEOUT},
    {"idle-timeout", required_argument, NULL, CODE_IDLE_TIMEOUT},
    {"max-event-size", required_argument, NULL, CODE_MAX_EVENT_SIZE},
    {"unix-socket", required_argument, NULL, CODE_UNIX_SOCKET},
    {"resolve", required_argument, NULL, CODE_RESOLVE},
    {"cacert", required_argument, NULL, CODE_CACERT},
    {"cert", required_argument, NULL, CODE_CERT},
    {"key", required_argument, NULL, CODE_KEY},
    {"pin", required_argument, NULL, CODE_PIN},
    {"insecure", no_argument, NULL, CODE_INSECURE},
    {"state", required_argument, NULL, CODE_STATE},
    {"timestamps", no_argument, NULL, CODE_TIMESTAMPS},
    {"stats", no_argument, NULL, CODE_STATS},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, CODE_VERSION},
    {"proxy", required_argument, NULL, CODE_NO_PROXY},
    {"compressed", no_argument, NULL, CODE_NO_COMPRESSION},
    {NULL, 0, NULL, 0}};

/* A number: its option, its bounds, what 0 stands for, and where it goes. */
struct number {
  int code;
  const char *name;
  int64_t min; /* 0: 0 becomes RUNNEL_NONE */
  int64_t max;
  size_t offset; /* in struct cmd_numbers */
};

#define NUMBER(field) offsetof(struct cmd_numbers, field)

static const struct number numbers[] = {
    {'n', "--max-events", 1, COUNT_MAX, NUMBER(events_max)},
    {CODE_EXPECT, "--expect", 1, COUNT_MAX, NUMBER(expect)},
    {CODE_RETRY_INITIAL, "--retry-initial", 0, RUNNEL_MS_MAX, NUMBER(retry_ms)},
    {CODE_RETRY_MAX, "--retry-max", 0, RUNNEL_MS_MAX, NUMBER(retry_ms_max)},
    {CODE_MAX_FAILURES, "--max-failures", 0, COUNT_MAX, NUMBER(failures_max)},
    {CODE_OPEN_TIMEOUT, "--open-timeout", 0, RUNNEL_MS_MAX,
     NUMBER(open_ms_max)},
    {CODE_IDLE_TIMEOUT, "--idle-timeout", 0, RUNNEL_MS_MAX,
     NUMBER(idle_ms_max)},
    {CODE_MAX_EVENT_SIZE, "--max-event-size", 1, RUNNEL_BYTES_MAX,
     NUMBER(event_bytes_max)},
};

/* Reads digits and nothing else. 0, or -1: not a number up to max. */
static int read_digits(int64_t *number, const char *text, size_t len,
                       int64_t max) {
  int64_t sum = 0;
  if (len == 0)
    return -1;
  for (size_t i = 0; i < len; i++) {
    int64_t digit = text[i] - '0';
    if (digit < 0 || digit > 9 || sum > (max - digit) / 10)
      return -1;
    sum = sum * 10 + digit;
  }
  *number = sum;
  return 0;
}

/* CMD_GO, CMD_USAGE, or 0: the code is not a number's. */
static int take_number(struct cmd_options *options, int code,
                       const char *text) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const struct number *number = &numbers[i];
    int64_t value;
    if (number->code != code)
      continue;
    if (read_digits(&value, text, strlen(text), number->max) != 0 ||
        value < number->min)
      return cmd_usage("option %s: '%s' is not a number from %lld to %lld",
                       number->name, text, (long long)number->min,
                       (long long)number->max);
    if (value == 0)
      value = RUNNEL_NONE;
    *(int64_t *)(void *)((char *)&options->numbers + number->offset) = value;
    return CMD_GO;
  }
  return 0;
}

/* Seconds, with up to three decimals or more that are cut off. */
static int take_duration(struct cmd_options *options, const char *text) {
  int64_t seconds;
  int64_t ms = 0;
  size_t whole = strcspn(text, ".");
  const char *rest = text + whole;
  int bare = whole == 0 && *rest == '.'; /* ".5" */
  int wrong = read_digits(&seconds, bare ? "0" : text, bare ? 1 : whole,
                          RUNNEL_MS_MAX / 1000) != 0;
  if (!wrong && *rest == '.') {
    rest++;
    size_t len = strlen(rest);
    wrong = len == 0 || strspn(rest, "0123456789") != len;
    for (size_t i = 0; !wrong && i < 3; i++)
      ms = ms * 10 + (i < len ? rest[i] - '0' : 0);
  }
  if (!wrong)
    ms += seconds * 1000;
  if (wrong || ms < 1 || ms > RUNNEL_MS_MAX)
    return cmd_usage("option --duration: '%s' is not a number of seconds from "
                     "0.001 to %lld",
                     text, (long long)(RUNNEL_MS_MAX / 1000));
  options->numbers.duration_ms = ms;
  return CMD_GO;
}

static int take_format(struct cmd_options *options, const char *text) {
  static const char *const names[] = {"text", "json", "data"};
  for (int i = 0; i < 3; i++)
    if (strcmp(text, names[i]) == 0) {
      options->format = i;
      return CMD_GO;
    }
  return cmd_usage("option --format: '%s' is not text, json or data", text);
}

static int take_header(struct cmd_options *options, const char *text) {
  if (text[0] == '@') {
    struct cmd_header_files *files = &options->header_files;
    files->at = cmd_grow(files->at, files->len + 1, sizeof *files->at);
    files->at[files->len++] = (struct cmd_header_file){.path = text + 1};
    return CMD_GO;
  }
  if (cmd_header_parse(&options->headers, text, strlen(text)) != 0)
    return cmd_usage("option --header: there is no colon in it (it is 'Name: "
                     "value' or @FILE)");
  return CMD_GO;
}

static int take_mode(struct cmd_options *options, int end) {
  if (options->end != RUNNEL_END_AUTO && options->end != end)
    return cmd_usage("options --once and --replay exclude each other");
  options->end = end;
  return CMD_GO;
}

/* A text that means nothing when it is empty. */
static int take_text(const char **dst, const char *name, const char *text) {
  if (text[0] == '\0')
    return cmd_usage("option %s: must not be empty", name);
  *dst = text;
  return CMD_GO;
}

static int take_type(struct cmd_options *options, const char *text) {
  const char *type = NULL;
  int status = take_text(&type, "--event", text);
  if (type != NULL)
    cmd_strings_take(&options->types, cmd_copy(type, strlen(type)));
  return status;
}

static int take_flag(int *flag) {
  *flag = 1;
  return CMD_GO;
}

static int print_version(void) {
  printf("runnel %s\n%s\n", runnel_version(), runnel_tls_library());
  return fflush(stdout) == 0 ? CMD_PEACE : CMD_FAILED;
}

static int print_help(void) {
  cmd_help_print();
  return fflush(stdout) == 0 ? CMD_PEACE : CMD_FAILED;
}

/* What getopt could not read. */
static int refuse_option(int code, char **argv) {
  const char *word = argv[optind - 1];
  if (code == ':' && strncmp(word, "--", 2) == 0)
    return cmd_usage("option %s: needs a value", word);
  if (code == ':')
    return cmd_usage("option -%c: needs a value", optopt);
  if (optopt > 0 && optopt < 256)
    return cmd_usage("unknown option -%c (see runnel --help)", optopt);
  if (optopt != 0)
    return cmd_usage("option %.*s: takes no value", (int)strcspn(word, "="),
                     word);
  return cmd_usage("unknown or ambiguous option %.*s (see runnel --help)",
                   (int)strcspn(word, "="), word);
}

static int refuse_feature(int code, const char *name) {
  const char *what = code == CODE_NO_PROXY ? "proxies" : "compression";
  return cmd_usage("unknown option --%s: this build has no %s", name, what);
}

static int take_switch(struct cmd_options *options, int code) {
  switch (code) {
  case CODE_COMMENTS:
    return take_flag(&options->comments);
  case CODE_NO_RECONNECT:
    return take_flag(&options->no_reconnect);
  case CODE_ONCE:
    return take_mode(options, RUNNEL_END_ONCE);
  case CODE_REPLAY:
    return take_mode(options, RUNNEL_END_RESUME);
  case CODE_INSECURE:
    return take_flag(&options->tls.insecure);
  case CODE_TIMESTAMPS:
    return take_flag(&options->timestamps);
  case CODE_STATS:
    return take_flag(&options->stats);
  case 'v':
    return take_flag(&options->verbose);
  case 'q':
    return take_flag(&options->quiet);
  case 'h':
    return print_help();
  default:
    return print_version();
  }
}

static int take_value(struct cmd_options *options, int code, const char *text) {
  switch (code) {
  case CODE_URL:
    cmd_urls_add(&options->urls, text, strlen(text),
                 (struct cmd_place){NULL, 0});
    return CMD_GO;
  case CODE_URL_FILE:
    options->urls_from_input |= strcmp(text, "-") == 0;
    return cmd_urls_read(&options->urls, text) == 0 ? CMD_GO : CMD_USAGE;
  case 'f':
    return take_format(options, text);
  case 'H':
    return take_header(options, text);
  case 'X':
    return take_text(&options->method, "--method", text);
  case 'd':
    options->data = text;
    return CMD_GO;
  case CODE_JSON:
    options->json = text;
    return CMD_GO;
  case CODE_LAST_EVENT_ID:
    options->last_event_id = text;
    return CMD_GO;
  case CODE_EVENT:
    return take_type(options, text);
  case CODE_DURATION:
    return take_duration(options, text);
  case CODE_SENTINEL:
    return take_text(&options->sentinel, "--sentinel", text);
  case CODE_UNIX_SOCKET:
    return take_text(&options->unix_path, "--unix-socket", text);
  case CODE_RESOLVE:
    return cmd_resolve_parse(options, text) == 0 ? CMD_GO : CMD_USAGE;
  case CODE_CACERT:
    return take_text(&options->tls.cacert, "--cacert", text);
  case CODE_CERT:
    return take_text(&options->tls.cert, "--cert", text);
  case CODE_KEY:
    return take_text(&options->tls.key, "--key", text);
  case CODE_PIN:
    cmd_tls_pin(&options->tls, text);
    return CMD_GO;
  default:
    return take_text(&options->state, "--state", text);
  }
}

static int take_option(struct cmd_options *options, int code, const char *text,
                       int index) {
  if (code >= CODE_NO_PROXY && code <= CODE_NO_COMPRESSION)
    return refuse_feature(code, long_options[index].name);
  if (text == NULL)
    return take_switch(options, code);
  int status = take_number(options, code, text);
  return status != 0 ? status : take_value(options, code, text);
}

/* What -d or --json says. */
static int read_body(struct cmd_options *options, const char *name,
                     const char *text) {
  int code = 0;
  if (text[0] != '@')
    cmd_bytes_text(&options->body, text);
  else if (strcmp(text, "@-") != 0)
    code = cmd_file_read(&options->body, text + 1);
  else if (options->urls_from_input)
    return cmd_usage("options %s @- and --url-file - exclude each other: both "
                     "read standard input",
                     name);
  else
    code = cmd_input_read(&options->body);
  if (code != 0)
    return cmd_usage("option %s: cannot read %s: %s", name, text + 1,
                     strerror(code));
  return CMD_GO;
}

/* The body and its type, as a header unless one was given. */
static int load_body(struct cmd_options *options) {
  const char *text = options->data != NULL ? options->data : options->json;
  const char *type = options->data != NULL
                         ? "Content-Type: application/x-www-form-urlencoded"
                         : "Content-Type: application/json";
  if (text == NULL)
    return CMD_GO;
  int status =
      read_body(options, options->data != NULL ? "--data" : "--json", text);
  if (status != CMD_GO)
    return status;
  if (options->method == NULL)
    options->method = "POST";
  if (!cmd_headers_have(&options->headers, "Content-Type") &&
      !cmd_headers_have(&options->file_headers, "Content-Type"))
    cmd_header_parse(&options->headers, type, strlen(type));
  return CMD_GO;
}

static int finish(struct cmd_options *options) {
  if (options->data != NULL && options->json != NULL)
    return cmd_usage("options --data and --json exclude each other");
  if ((options->tls.cert == NULL) != (options->tls.key == NULL))
    return cmd_usage("options --cert and --key belong together: %s is missing",
                     options->tls.cert == NULL ? "--cert" : "--key");
  for (size_t i = 0; i < options->header_files.len; i++) {
    const char *error =
        cmd_headers_read(&options->file_headers, &options->header_files.at[i]);
    if (error != NULL)
      return cmd_usage("option --header: %s", error);
    if (options->verbose && !options->quiet && options->header_files.at[i].once)
      cmd_note("header file %s is no regular file: what it holds now is sent "
               "with every attempt",
               options->header_files.at[i].path);
  }
  if (options->urls.len == 0)
    return cmd_usage("no URL given (see runnel --help)");
  return load_body(options);
}

int cmd_args_parse(struct cmd_options *options, int argc, char **argv) {
  int code;
  int index = 0;
  opterr = 0;
  /* '-': URLs come in their order; ':': a missing value is told apart. */
  while ((code = getopt_long(argc, argv, "-:f:H:X:d:n:vqh", long_options,
                             &index)) != -1) {
    int status = code == '?' || code == ':'
                     ? refuse_option(code, argv)
                     : take_option(options, code, optarg, index);
    if (status != CMD_GO)
      return status;
  }
  for (; optind < argc; optind++)
    take_value(options, CODE_URL, argv[optind]);
  return finish(options);
}

static int is_address(const char *text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text, bytes) == 1 ||
         inet_pton(AF_INET6, text, bytes) == 1;
}

int cmd_resolve_parse(struct cmd_options *options, const char *text) {
  const char *host = text[0] == '[' ? text + 1 : text;
  size_t host_len = strcspn(host, text[0] == '[' ? "]" : ":");
  const char *rest = host + host_len;
  int64_t port = 0;
  if (text[0] == '[' && *rest == ']')
    rest++;
  const char *digits = *rest == ':' ? rest + 1 : rest;
  size_t digits_len = strcspn(digits, ":");
  const char *address = digits + digits_len;
  size_t len = *address == ':' ? strlen(++address) : 0;
  if (len > 1 && address[0] == '[' && address[len - 1] == ']') {
    address++;
    len -= 2;
  }
  if (host_len == 0 || digits == rest || len == 0)
    return cmd_usage("option --resolve: '%s' is not HOST:PORT:ADDRESS", text);
  if (read_digits(&port, digits, digits_len, 65535) != 0 || port == 0)
    return cmd_usage("option --resolve: the port in '%s' is not a number from "
                     "1 to 65535",
                     text);
  char *literal = cmd_copy(address, len);
  if (!is_address(literal)) {
    free(literal);
    return cmd_usage("option --resolve: the address in '%s' is not an IPv4 or "
                     "IPv6 one",
                     text);
  }
  options->resolve = cmd_grow(options->resolve, options->resolve_len + 1,
                              sizeof *options->resolve);
  struct runnel_resolve *entry = &options->resolve[options->resolve_len++];
  entry->host = cmd_copy(host, host_len);
  entry->port = (int)port;
  entry->address = literal;
  return 0;
}

int cmd_options_one_shot(const struct cmd_options *options) {
  const char *method = options->method == NULL ? "GET" : options->method;
  if (options->end != RUNNEL_END_AUTO)
    return options->end == RUNNEL_END_ONCE;
  return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

void cmd_options_free(struct cmd_options *options) {
  for (size_t i = 0; i < options->resolve_len; i++) {
    free((void *)(uintptr_t)options->resolve[i].host);
    free((void *)(uintptr_t)options->resolve[i].address);
  }
  free(options->resolve);
  free(options->tls.pins);
  cmd_urls_free(&options->urls);
  cmd_header_files_free(&options->header_files);
  cmd_strings_free(&options->types);
  cmd_headers_free(&options->headers);
  cmd_headers_free(&options->file_headers);
  cmd_bytes_free(&options->body);
}
