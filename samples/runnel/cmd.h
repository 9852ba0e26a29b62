/* The `runnel` command: what its rooms share.
 *
 * cmd_main     life of the process: options, client, loop, exit status
 * cmd_args     the command line; cmd_help its text
 * cmd_streams  the streams' callbacks
 * cmd_files    URL files, bodies
 * cmd_headers  request headers, from the command line and from files
 * cmd_refuse   what the library refuses, in the command line's words
 * cmd_tls      whom to trust, and the client's own certificate
 * cmd_state    the last ids, kept over restarts
 * cmd_out      standard output, buffered for one turn of the loop
 * cmd_show_*   events and the rest as JSON lines, text or bare data
 * cmd_note     lines on standard error; cmd_table the one of --stats
 * cmd_signals  SIGINT and SIGTERM as a descriptor
 * cmd_bytes    growing bytes, and UTF-8 made well-formed
 *
 * The command is a process of its own: when memory runs out it says so and
 * leaves with status 1. */
#ifndef RUNNEL_SAMPLES_CMD_H
#define RUNNEL_SAMPLES_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "runnel.h"

enum cmd_exit { CMD_PEACE = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* What cmd_args_parse returns when there is something to run. */
#define CMD_GO (-1)

/* Bytes ------------------------------------------------------------------- */

struct cmd_bytes {
  char *at; /* owned; a NUL follows `len` once anything was added */
  size_t len;
  size_t cap;
};

void *cmd_alloc(size_t size); /* zeroed; never NULL */
void *cmd_grow(void *memory, size_t count, size_t size);
char *cmd_copy(const char *text, size_t len);

void cmd_bytes_add(struct cmd_bytes *bytes, const char *at, size_t len);
void cmd_bytes_text(struct cmd_bytes *bytes, const char *text);
void cmd_bytes_free(struct cmd_bytes *bytes);

/* Adds `at` with U+FFFD for each maximal subpart of ill-formed UTF-8. */
void cmd_bytes_utf8(struct cmd_bytes *bytes, const char *at, size_t len);

/* As cmd_bytes_utf8, and with control characters, C1 included, escaped as \xNN
 * and those that turn the direction of writing as \uNNNN: what may be shown on
 * a terminal. `tabs`: HTAB stays. */
void cmd_bytes_plain(struct cmd_bytes *bytes, const char *at, size_t len,
                     int tabs);

/* The code point if the well-formed sequence of `step` bytes is one that a
 * terminal must not get, else -1. */
int cmd_utf8_control(const char *at, size_t step);

/* The length of the well-formed sequence at `at` (*valid 1), or of the maximal
 * subpart that stands there (*valid 0). len > 0. */
size_t cmd_utf8_next(const char *at, size_t len, int *valid);

struct cmd_strings {
  char **at; /* each owned */
  size_t len;
};

void cmd_strings_take(struct cmd_strings *strings, char *text);
void cmd_strings_free(struct cmd_strings *strings);

/* Where something was read. */
struct cmd_place {
  const char *path; /* lives as long as the options; NULL: the command line */
  size_t line;      /* from 1 */
};

struct cmd_url {
  char *text; /* owned */
  struct cmd_place place;
};

struct cmd_urls {
  struct cmd_url *at;
  size_t len;
};

void cmd_urls_add(struct cmd_urls *urls, const char *text, size_t len,
                  struct cmd_place place);
void cmd_urls_free(struct cmd_urls *urls);

struct cmd_header {
  char *name;  /* owned */
  char *value; /* owned */
  struct cmd_place place;
};

struct cmd_headers {
  struct cmd_header *at;
  size_t len;
};

void cmd_headers_free(struct cmd_headers *headers);

struct cmd_header_file {
  const char *path;      /* argv's */
  int read;              /* once, so that the next two hold */
  int once;              /* no regular file: it cannot be read again */
  struct cmd_bytes kept; /* what it held then, if so */
};

struct cmd_header_files {
  struct cmd_header_file *at;
  size_t len;
};

void cmd_header_files_free(struct cmd_header_files *files);

/* Options ----------------------------------------------------------------- */

enum cmd_format { CMD_TEXT, CMD_JSON, CMD_DATA };

/* What a stream option of the library gets; 0 leaves it its default. */
struct cmd_numbers {
  int64_t events_max;  /* shown, in all; 0: no limit */
  int64_t expect;      /* 0: nothing expected */
  int64_t duration_ms; /* 0: no limit */
  int64_t retry_ms;
  int64_t retry_ms_max;
  int64_t failures_max;
  int64_t open_ms_max;
  int64_t idle_ms_max;
  int64_t event_bytes_max;
};

struct cmd_tls {
  const char *cacert; /* argv's, as are all; NULL: the system's */
  const char *cert;   /* both or none */
  const char *key;
  const char **pins; /* the list is owned */
  size_t pins_len;
  int insecure;
};

struct cmd_options {
  int format; /* enum cmd_format */
  struct cmd_urls urls;
  struct cmd_headers headers;           /* given on the command line */
  struct cmd_header_files header_files; /* read again before each attempt */
  struct cmd_headers file_headers;      /* as the files were at the start */
  const char *method; /* argv's; NULL: GET, or POST with a body */
  const char *data;   /* argv's: -d */
  const char *json;   /* argv's: --json */
  struct cmd_bytes body;
  const char *last_event_id; /* argv's */
  struct cmd_strings types;  /* shown ones; none: all */
  struct cmd_numbers numbers;
  const char *sentinel;  /* argv's */
  const char *unix_path; /* argv's */
  const char *state;     /* argv's */
  struct runnel_resolve *resolve;
  size_t resolve_len;
  struct cmd_tls tls;
  int end;             /* enum runnel_end_mode */
  int urls_from_input; /* --url-file - was given */
  int comments;
  int no_reconnect;
  int timestamps;
  int stats;
  int verbose;
  int quiet;
};

/* CMD_GO, or the exit status (what is to be said was said). */
int cmd_args_parse(struct cmd_options *options, int argc, char **argv);
void cmd_options_free(struct cmd_options *options);

/* 1 if the end of a body is the end of the stream. */
int cmd_options_one_shot(const struct cmd_options *options);

void cmd_help_print(void);

/* "HOST:PORT:ADDRESS"; host and address may stand in brackets. 0 or
 * CMD_USAGE. */
int cmd_resolve_parse(struct cmd_options *options, const char *text);

/* Files ------------------------------------------------------------------- */

/* The whole file. 0, or an errno. */
int cmd_file_read(struct cmd_bytes *bytes, const char *path);

/* The next line of `bytes` from *at on, without its LF or CRLF; NULL: none. */
const char *cmd_line_next(const struct cmd_bytes *bytes, size_t *at,
                          size_t *len);
int cmd_line_blank(const char *line, size_t len);

/* All of standard input. 0, or an errno. */
int cmd_input_read(struct cmd_bytes *bytes);

/* Adds a URL file's lines; "-" is standard input. 0 or CMD_USAGE. */
int cmd_urls_read(struct cmd_urls *urls, const char *path);

/* Headers ----------------------------------------------------------------- */

/* Splits "Name: value". 0, or -1: no colon. Takes nothing over. */
int cmd_header_parse(struct cmd_headers *headers, const char *line, size_t len);

int cmd_headers_have(const struct cmd_headers *headers, const char *name);

/* Adds a header file's lines; a name that comes twice is joined with a comma.
 * NULL, or why not, valid until the next call. */
const char *cmd_headers_read(struct cmd_headers *headers,
                             struct cmd_header_file *file);

/* The command line's fields and those of the files as they were at the start,
 * so that the library judges them all before anything is sent. To be freed. */
struct runnel_header *cmd_headers_all(const struct cmd_options *options,
                                      size_t *len);

struct cmd;

/* Sets the attempt's fields to what the header files hold now. NULL, or why
 * not, valid until the next call. */
const char *cmd_headers_set(struct cmd *cmd, runnel_request *request);

/* What the library refuses ------------------------------------------------ */

struct cmd_stream;

/* Says why a stream's options were refused. The exit status. */
int cmd_refuse(const struct cmd_stream *stream, int code, const char *text);

/* The library's "headers[0]: rule" as the rule; valid as long as `text`. */
const char *cmd_refuse_rule(const char *text);

/* Keeps the rule if the log's line says why a request was not changed. */
void cmd_refuse_hear(struct cmd *cmd, const char *line);

/* TLS --------------------------------------------------------------------- */

void cmd_tls_pin(struct cmd_tls *tls, const char *pin);

/* Makes the settings, if any option asks for some. 0, or the exit status. */
int cmd_tls_open(runnel_tls **tls, const struct cmd_options *options);

/* Says so if nothing is verified. */
void cmd_tls_warn(const struct cmd_options *options);

/* Standard output --------------------------------------------------------- */

/* Bytes for standard output. */
struct cmd_out {
  struct cmd_bytes bytes;
  int fd;
  int regular; /* a file: a write never waits for a reader */
  int terminal;
  int colour;
  int broken;          /* nothing more can be written */
  int failed;          /* and not because the reader went away */
  int64_t deadline_ms; /* of the monotonic clock; 0: none */
};

void cmd_out_init(struct cmd_out *out);
/* In so long, nothing waits for a reader any more. */
void cmd_out_limit(struct cmd_out *out, int64_t ms);
/* Writes all; waits for a slow reader, but not longer than until a signal or
 * the limit. */
void cmd_out_flush(struct cmd_out *out);
/* 1 if nobody reads the pipe any more. */
int cmd_out_gone(const struct cmd_out *out);

/* Signals ----------------------------------------------------------------- */

/* From now on the first SIGINT or SIGTERM makes the descriptor readable, the
 * second ends the process. -1: it could not be made. */
int cmd_signals_open(void);
int cmd_signals_fd(void);

/* State ------------------------------------------------------------------- */

struct cmd_state;

/* Reads the file and makes sure that one can be written beside it. 0 or
 * CMD_USAGE. */
int cmd_state_open(struct cmd_state **state, const char *path);
/* NULL if there is none; valid until the next get. */
const char *cmd_state_get(struct cmd_state *state, const char *url);
void cmd_state_put(struct cmd_state *state, const char *url, const char *id,
                   size_t len);
/* Writes what was put since; 0, or an errno. */
int cmd_state_save(struct cmd_state *state);
void cmd_state_free(struct cmd_state *state);

/* The run ----------------------------------------------------------------- */

struct cmd_stream {
  struct cmd *cmd;
  runnel_stream *handle; /* NULL once closed */
  size_t place;          /* the URL's, from 0 */
  const char *url;       /* as given; the options' */
  char *shown_url;       /* without userinfo, query and fragment */
  int kept_id;           /* it began with an id from the state file */
  char *file_error;      /* why this attempt could not read its headers */
  char *file_told;       /* the last file_error that was said, until it works */
  int64_t started_ms;    /* when the attempt may have begun */
  int64_t opened_ms;     /* 0: not open, or the long silence was told */
  uint64_t opened_bytes; /* how much had been read then */
  int peace;             /* the last end was in peace */
  struct runnel_stream_stats stats; /* the last ones, kept at its close */
};

struct cmd_show; /* a format: a table of functions */

struct cmd {
  struct cmd_options options;
  const struct cmd_show *show;
  struct cmd_out out;
  struct cmd_state *state; /* NULL without --state */
  struct cmd_stream *streams;
  size_t streams_len; /* opened */
  size_t alive;       /* of those: not closed */
  runnel_client *client;
  runnel_tls *tls;  /* NULL: the library's own settings */
  int64_t shown;    /* events */
  int notes_tty;    /* standard error is a terminal */
  int silent;       /* refused: nothing is shown of what is undone */
  int stopping;     /* the client is being closed */
  int failed;       /* a stream ended with an error */
  int state_failed; /* the state file could not be written */
  char refusal[RUNNEL_ERROR_TEXT_BYTES]; /* why a request was not changed */
  struct cmd_loop *loop;
};

struct cmd_end {
  const struct runnel_end *end;
  const char *text; /* what is said: end->text or a reason of ours */
  int clean;        /* a complete body ended, or 204, or the sentinel */
  int64_t retry_ms; /* -1: nothing follows */
};

struct cmd_show {
  void (*open)(struct cmd_stream *stream, const struct runnel_open *open);
  void (*event)(struct cmd_stream *stream, const struct runnel_event *event);
  void (*comment)(struct cmd_stream *stream, const char *text, size_t len);
  void (*end)(struct cmd_stream *stream, const struct cmd_end *end);
  void (*close)(struct cmd_stream *stream, int code);
};

extern const struct cmd_show cmd_show_json;
extern const struct cmd_show cmd_show_text;
extern const struct cmd_show cmd_show_data;

/* Opens a stream for each URL. 0, or an exit status: what is open is then to be
 * closed with `silent`. */
int cmd_streams_open(struct cmd *cmd);

/* Closes everything in peace; again: no effect. */
void cmd_stop(struct cmd *cmd);
/* Something waits to be written or saved. */
void cmd_wake(struct cmd *cmd);
int64_t cmd_now_ms(const struct cmd *cmd);

/* ISO 8601 with milliseconds, in UTC ("...Z") or as the clock on the wall. */
#define CMD_TIME_BYTES 40
void cmd_time_print(char *dst, int utc);

/* Standard error ---------------------------------------------------------- */

/* "runnel: ..." and a line end, in one write, without control characters. */
__attribute__((format(printf, 1, 2))) void cmd_note(const char *format, ...);
/* The same, and CMD_USAGE. */
__attribute__((format(printf, 1, 2))) int cmd_usage(const char *format, ...);
/* "runnel: [2] http://h/feed: ..."; not with --quiet. */
__attribute__((format(printf, 2, 3))) void
cmd_note_stream(const struct cmd_stream *stream, const char *format, ...);
void cmd_note_end(const struct cmd_stream *stream, const struct cmd_end *end);
/* Without userinfo, query and fragment; to be freed. */
char *cmd_url_shown(const char *url);
/* The same of what is no URL: whatever an '@' may end is left out. */
char *cmd_url_refused(const char *url);
void cmd_table_print(const struct cmd *cmd);

#endif
