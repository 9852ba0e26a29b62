/* Prints the events of every URL given, for as long as the servers live. */
#include <runnel.h>
#include <stdio.h>

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  printf("%s: %s %s\n", (const char *)user, event->type, event->data);
  return RUNNEL_OK;
}

int main(int argc, char **argv) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_stream_options stream = RUNNEL_STREAM_OPTIONS_INIT;
  runnel_client *client;

  options.log = runnel_log_stderr;
  if (runnel_client_new(&client, NULL, &options) != RUNNEL_OK)
    return 1;
  stream.on_event = on_event;
  for (int i = 1; i < argc; i++) {
    stream.url = stream.user = argv[i];
    if (runnel_stream_open(NULL, client, &stream) != RUNNEL_OK)
      fprintf(stderr, "%s\n", stream.error_text);
  }
  runnel_client_run(client); /* until the last stream closed */
  runnel_client_close(client, NULL, NULL);
  return runnel_client_run(client) != RUNNEL_OK;
}
