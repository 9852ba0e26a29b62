/* The client `runnel`: the library as an application uses it, through runnel.h
 * alone, with its gate off (idle: without its limits per second) and the
 * server's retry of 1 ms allowed. */
#include <stdio.h>
#include <stdlib.h>

#include "load.h"
#include "runnel.h"

static struct {
  struct load_session *session;
  runnel_client *client;
} self;

/* After the close nothing is heard any more, so that this closes but once. */
static void stop_if_done(void) {
  if (self.session->done)
    runnel_client_close(self.client, NULL, NULL);
}

static void on_open(runnel_stream *stream, const struct runnel_open *open,
                    void *user) {
  (void)stream;
  (void)open;
  (void)user;
  load_session_opened(self.session);
  stop_if_done();
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  if (event->data_len < LOAD_NUMBER_AT + LOAD_NUMBER_LEN)
    load_fail("runnel: a short event");
  load_session_take(self.session, user, event->data + LOAD_NUMBER_AT);
  stop_if_done();
  return RUNNEL_OK;
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  (void)stream;
  if (end->phase != RUNNEL_PHASE_BODY) {
    fprintf(stderr, "load: runnel: %s\n", end->text);
    exit(1);
  }
  verdict->retry = load_session_ended(self.session, user);
  stop_if_done();
}

static void open_stream(struct load_tally *tally, int index) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[128];
  int which = index % LOAD_ADDRESSES;
  snprintf(url, sizeof url, "http://127.0.0.%d:%u" LOAD_PATH, which + 1,
           (unsigned)self.session->ports[which]);
  load_tally_init(tally, self.session);
  options.url = url;
  options.user = tally;
  if (runnel_stream_open(NULL, self.client, &options) != RUNNEL_OK)
    load_fail(options.error_text);
}

void load_runnel_run(struct load_session *session) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_stream_options defaults = RUNNEL_STREAM_OPTIONS_INIT;
  int connections = session->plan.connections;
  struct load_tally *tallies = calloc((size_t)connections, sizeof *tallies);

  self.session = session;
  defaults.on_open = on_open;
  defaults.on_event = on_event;
  defaults.on_end = on_end;
  defaults.server_retry_ms_min = 1;
  options.stream_defaults = &defaults;
  options.dials_per_second_max = RUNNEL_NONE;
  options.origin_dials_per_second_max = RUNNEL_NONE;
  /* Idle asks what open streams hold, not what 10,000 dials at once do. */
  if (session->plan.kind != LOAD_IDLE)
    options.dials_max = options.origin_dials_max = RUNNEL_NONE;
  if (tallies == NULL ||
      runnel_client_new(&self.client, NULL, &options) != RUNNEL_OK)
    load_fail("runnel: client");
  for (int i = 0; i < connections; i++)
    open_stream(&tallies[i], i);
  runnel_client_run(self.client);
  if (!session->done)
    load_fail("runnel: the loop ended too early");
  free(tallies);
}
