/* The `runnel` command: from the command line to the exit status.
 *
 * All streams are opened, and so checked, before the loop runs: what is wrong
 * is refused before anything is sent. In a turn of the loop output is gathered,
 * then written, then the state is saved, so that the file never holds an id
 * that was not shown. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* Descriptors that are no stream's: the standard ones, the loop's, the
 * signals', the state file's, and some air. */
#define OTHER_DESCRIPTORS 24

/* How often it is looked whether the pipe's reader is still there and whether
 * a connection is silent. */
#define WATCH_MS 500
#define SILENCE_MS 15000

/* More output than this is not gathered in one turn. */
#define GATHERED_BYTES ((size_t)1 << 20)

struct cmd_loop {
  uv_loop_t uv;
  uv_check_t check; /* after the turn's reads: write */
  uv_idle_t idle;   /* only while something waits: the turn will not block */
  uv_poll_t signals;
  uv_timer_t duration;
  uv_timer_t watch;
};

int64_t cmd_now_ms(const struct cmd *cmd) {
  return (int64_t)(uv_now(&cmd->loop->uv));
}

void cmd_time_print(char *dst, int utc) {
  struct timespec now;
  struct tm parts;
  char zone[8] = "Z";
  clock_gettime(CLOCK_REALTIME, &now);
  if (utc) {
    gmtime_r(&now.tv_sec, &parts);
  } else {
    localtime_r(&now.tv_sec, &parts);
    strftime(zone, sizeof zone, "%z", &parts);
  }
  size_t len = strftime(dst, CMD_TIME_BYTES - 16, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(dst + len, CMD_TIME_BYTES - len, ".%03d%s",
           (int)(now.tv_nsec / 1000000), zone);
}

/* Writes what is gathered, then saves the state. */
static void settle(struct cmd *cmd) {
  cmd_out_flush(&cmd->out);
  if (cmd->out.broken) {
    cmd_stop(cmd);
    return;
  }
  int code = cmd->state == NULL ? 0 : cmd_state_save(cmd->state);
  if (code != 0 && !cmd->state_failed)
    cmd_note("cannot write the state file %s: %s", cmd->options.state,
             strerror(code));
  cmd->state_failed |= code != 0;
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

static void on_check(uv_check_t *check) {
  struct cmd *cmd = check->data;
  uv_idle_stop(&cmd->loop->idle);
  settle(cmd);
}

void cmd_wake(struct cmd *cmd) {
  if (cmd->out.bytes.len > GATHERED_BYTES)
    cmd_out_flush(&cmd->out);
  uv_idle_start(&cmd->loop->idle, on_idle);
}

static void on_signal(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  uv_poll_stop(poll);
  cmd_stop(poll->data);
}

static void on_duration(uv_timer_t *timer) { cmd_stop(timer->data); }

static void watch_silence(struct cmd_stream *stream, int64_t now_ms) {
  if (stream->handle == NULL || stream->opened_ms == 0 ||
      now_ms - stream->opened_ms < SILENCE_MS)
    return;
  if (runnel_stream_stats(stream->handle)->bytes == stream->opened_bytes)
    cmd_note_stream(stream, "connected, nothing received for 15 s: idle, or a "
                            "proxy buffers");
  stream->opened_ms = 0;
}

static void on_watch(uv_timer_t *timer) {
  struct cmd *cmd = timer->data;
  if (cmd_out_gone(&cmd->out)) {
    cmd->out.broken = 1;
    cmd_stop(cmd);
  }
  for (size_t i = 0; cmd->notes_tty && i < cmd->streams_len; i++)
    watch_silence(&cmd->streams[i], cmd_now_ms(cmd));
}

static void close_handle(uv_handle_t *handle, void *user) {
  (void)user;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

/* The client is freed, so all that is left on the loop is ours. */
static void on_client_closed(void *user) {
  struct cmd *cmd = user;
  uv_walk(&cmd->loop->uv, close_handle, NULL);
}

void cmd_stop(struct cmd *cmd) {
  if (cmd->stopping)
    return;
  cmd->stopping = 1;
  runnel_client_close(cmd->client, on_client_closed, cmd);
}

static int start_handles(struct cmd *cmd) {
  struct cmd_loop *loop = cmd->loop;
  int64_t duration_ms = cmd->options.numbers.duration_ms;
  uv_check_init(&loop->uv, &loop->check);
  uv_idle_init(&loop->uv, &loop->idle);
  uv_timer_init(&loop->uv, &loop->duration);
  uv_timer_init(&loop->uv, &loop->watch);
  if (uv_poll_init(&loop->uv, &loop->signals, cmd_signals_fd()) != 0)
    return -1;
  loop->check.data = cmd;
  loop->signals.data = cmd;
  loop->duration.data = cmd;
  loop->watch.data = cmd;
  uv_check_start(&loop->check, on_check);
  uv_poll_start(&loop->signals, UV_READABLE, on_signal);
  if (duration_ms != 0) {
    cmd_out_limit(&cmd->out, duration_ms);
    uv_timer_start(&loop->duration, on_duration, (uint64_t)duration_ms, 0);
  }
  if (cmd->notes_tty || !cmd->out.regular)
    uv_timer_start(&loop->watch, on_watch, WATCH_MS, WATCH_MS);
  return 0;
}

static void log_line(int level, const char *line, void *user) {
  if (level == RUNNEL_LOG_WARN)
    cmd_refuse_hear(user, line);
  /* What opens and ends is said by the streams' callbacks. */
  if (level >= RUNNEL_LOG_DEBUG)
    cmd_note("%s", line);
}

static int make_client(struct cmd *cmd) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  options.resolve = cmd->options.resolve;
  options.resolve_len = cmd->options.resolve_len;
  options.log = log_line;
  options.log_ctx = cmd;
  options.log_level = cmd->options.verbose && !cmd->options.quiet
                          ? RUNNEL_LOG_DEBUG
                          : RUNNEL_LOG_WARN;
  int code = runnel_client_new(&cmd->client, &cmd->loop->uv, &options);
  if (code == RUNNEL_OK)
    return 0;
  cmd_note("%s (%s)",
           options.error_text[0] == '\0' ? runnel_strerror(code)
                                         : options.error_text,
           runnel_err_name(code));
  return code == RUNNEL_EINVAL ? CMD_USAGE : CMD_FAILED;
}

/* Closed standard descriptors would be given to sockets. */
static void fill_descriptors(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", O_RDONLY);
}

static int raise_limit(const struct cmd *cmd) {
  struct rlimit limit;
  unsigned long long need = cmd->options.urls.len + OTHER_DESCRIPTORS;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need)
    return 0;
  return cmd_usage("%zu URLs need %llu descriptors, and the limit is %llu: "
                   "raise it with ulimit -n",
                   cmd->options.urls.len, need,
                   (unsigned long long)limit.rlim_cur);
}

static void note_missed(int64_t shown, int64_t expect) {
  cmd_note("%lld event%s came, %lld %s expected", (long long)shown,
           shown == 1 ? "" : "s", (long long)expect,
           expect == 1 ? "was" : "were");
}

static int exit_status(const struct cmd *cmd) {
  if (cmd->failed || cmd->state_failed || cmd->out.failed)
    return CMD_FAILED;
  if (cmd->shown < cmd->options.numbers.expect) {
    if (!cmd->options.quiet)
      note_missed(cmd->shown, cmd->options.numbers.expect);
    return CMD_FAILED;
  }
  return CMD_PEACE;
}

/* With the client made: everything up to the last close. */
static int run_streams(struct cmd *cmd) {
  int status = cmd_streams_open(cmd);
  if (status == 0)
    cmd_tls_warn(&cmd->options);
  if (status == 0 && start_handles(cmd) != 0) {
    cmd_note("cannot watch for signals");
    status = CMD_FAILED;
  }
  if (status != 0) {
    cmd->silent = 1;
    cmd_stop(cmd);
  }
  uv_run(&cmd->loop->uv, UV_RUN_DEFAULT);
  if (status != 0)
    return status;
  settle(cmd);
  if (cmd->options.stats) /* also with --quiet: it was asked for */
    cmd_table_print(cmd);
  return exit_status(cmd);
}

static int run(struct cmd *cmd) {
  cmd->loop = cmd_alloc(sizeof *cmd->loop);
  if (cmd_signals_open() < 0 || uv_loop_init(&cmd->loop->uv) != 0) {
    cmd_note("cannot make a loop: %s", strerror(errno));
    return CMD_FAILED;
  }
  int status = make_client(cmd);
  if (status == 0)
    status = run_streams(cmd);
  uv_loop_close(&cmd->loop->uv);
  return status;
}

static int prepare(struct cmd *cmd) {
  static const struct cmd_show *const shows[] = {&cmd_show_text, &cmd_show_json,
                                                 &cmd_show_data};
  cmd->show = shows[cmd->options.format];
  cmd->notes_tty = !cmd->options.quiet && isatty(STDERR_FILENO);
  cmd_out_init(&cmd->out);
  int status = raise_limit(cmd);
  if (status == 0)
    status = cmd_tls_open(&cmd->tls, &cmd->options);
  if (status == 0 && cmd->options.state != NULL)
    status = cmd_state_open(&cmd->state, cmd->options.state);
  return status;
}

static void release(struct cmd *cmd) {
  for (size_t i = 0; i < cmd->streams_len; i++) {
    free(cmd->streams[i].shown_url);
    free(cmd->streams[i].file_error);
    free(cmd->streams[i].file_told);
  }
  free(cmd->streams);
  free(cmd->loop);
  runnel_tls_release(cmd->tls);
  cmd_state_free(cmd->state);
  cmd_bytes_free(&cmd->out.bytes);
  cmd_options_free(&cmd->options);
}

int main(int argc, char **argv) {
  struct cmd cmd;
  memset(&cmd, 0, sizeof cmd);
  fill_descriptors();
  int status = cmd_args_parse(&cmd.options, argc, argv);
  if (status == CMD_GO) {
    status = prepare(&cmd);
    if (status == 0)
      status = run(&cmd);
  }
  release(&cmd);
  return status;
}
