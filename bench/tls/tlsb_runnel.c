/* The client `runnel`: the library as an application uses it, through runnel.h
 * alone, with the server's retry of 1 ms allowed, and its limits on dials per
 * second off unless the plan keeps them. Handshakes are under way as many at
 * once as by default. */
#include <stdio.h>
#include <stdlib.h>

#include "runnel.h"
#include "tlsb.h"

static struct {
  struct tlsb_session *session;
  runnel_client *client;
  runnel_tls *tls;
  struct tlsb_tally *tallies;
} self;

/* After the close nothing is heard any more, so that this closes but once. */
static void stop_if_done(void) {
  if (self.session->done)
    runnel_client_close(self.client, NULL, NULL);
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  if (event->data_len < TLSB_DATA_LEN_MIN)
    tlsb_fail("runnel: a short event");
  tlsb_session_take(self.session, user, event->data);
  stop_if_done();
  return RUNNEL_OK;
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  (void)stream;
  if (end->phase != RUNNEL_PHASE_BODY) {
    fprintf(stderr, "tls: runnel: %s\n", end->text);
    exit(1);
  }
  tlsb_session_ended(self.session, user);
  verdict->retry = 1;
}

static void open_stream(int index) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct tlsb_tally *tally = &self.tallies[index];
  char url[128];
  tlsb_tally_init(tally, self.session, index);
  snprintf(url, sizeof url, "https://" TLSB_HOST ":%u" TLSB_PATH "%s",
           (unsigned)self.session->port, tally->steady ? "a" : "b");
  options.url = url;
  options.user = tally;
  if (runnel_stream_open(NULL, self.client, &options) != RUNNEL_OK)
    tlsb_fail(options.error_text);
}

static void fill_tls(struct runnel_tls_options *options) {
  options->ca = self.session->task->identity.authority;
  options->version_min = options->version_max = self.session->plan.version;
}

static void forget(void) {
  struct runnel_tls_options options = RUNNEL_TLS_OPTIONS_INIT;
  fill_tls(&options);
  options.no_resumption = 1;
  if (runnel_tls_reload(self.tls, &options) != RUNNEL_OK)
    tlsb_fail(options.error_text);
}

static void count(double *full, double *resumed) {
  const struct runnel_client_stats *stats = runnel_client_stats(self.client);
  *full = (double)stats->handshakes_full;
  *resumed = (double)stats->handshakes_resumed;
}

static void make_client(void) {
  const struct runnel_resolve resolve = {
      .host = TLSB_HOST, .port = self.session->port, .address = "127.0.0.1"};
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_stream_options defaults = RUNNEL_STREAM_OPTIONS_INIT;
  struct runnel_tls_options tls = RUNNEL_TLS_OPTIONS_INIT;
  fill_tls(&tls);
  if (runnel_tls_new(&self.tls, &tls) != RUNNEL_OK)
    tlsb_fail(tls.error_text);
  defaults.on_event = on_event;
  defaults.on_end = on_end;
  defaults.server_retry_ms_min = 1;
  defaults.tls = self.tls;
  options.stream_defaults = &defaults;
  options.resolve = &resolve;
  options.resolve_len = 1;
  if (!self.session->plan.gated)
    options.dials_per_second_max = options.origin_dials_per_second_max =
        RUNNEL_NONE;
  if (runnel_client_new(&self.client, NULL, &options) != RUNNEL_OK)
    tlsb_fail(options.error_text);
}

static void run(struct tlsb_session *session) {
  const struct tlsb_plan *plan = &session->plan;
  self.session = session;
  self.tallies = calloc((size_t)plan->streams + (size_t)plan->steady,
                        sizeof *self.tallies);
  if (self.tallies == NULL)
    tlsb_fail("memory");
  make_client();
  if (plan->full && (plan->kind == TLSB_SHAKE || plan->kind == TLSB_IDLE))
    forget();
  tlsb_session_start(session);
  runnel_client_run(self.client);
  if (!session->done)
    tlsb_fail("runnel: the loop ended too early");
  runnel_tls_release(self.tls);
  free(self.tallies);
}

const struct tlsb_client tlsb_runnel = {.name = "runnel",
                                        .run = run,
                                        .open = open_stream,
                                        .forget = forget,
                                        .count = count};
