/* One question, one streamed answer: a POST that must never be sent twice.
 *
 *   post_once http://127.0.0.1:8080/v3/call/stream '{"name":"greet"}'
 *
 * The token comes from the environment (API_TOKEN). Any method but GET and HEAD
 * is one-shot: the end of the body, or the sentinel, is success; a connection
 * that is lost after the request was written is final, since the server may
 * have acted. Only a refused connection or an answer such as 429 or 503 is
 * tried again, three times at most. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  (void)user;
  fwrite(event->data, 1, event->data_len, stdout);
  putchar('\n');
  fflush(stdout);
  return RUNNEL_OK;
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  (void)stream;
  (void)user;
  if (end->code != RUNNEL_OK)
    fprintf(stderr, "%s %.*s (%s)\n", end->text, (int)end->body_len,
            end->body_len == 0 ? "" : end->body,
            verdict->retry ? "tried again" : "given up");
}

static void on_close(runnel_stream *stream, int code, void *user) {
  (void)stream;
  *(int *)user = code;
}

int main(int argc, char **argv) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  const char *token = getenv("API_TOKEN");
  char authorization[1024];
  runnel_client *client;
  int result = RUNNEL_OK;
  if (argc != 3) {
    fprintf(stderr, "usage: post_once URL JSON\n");
    return 2;
  }
  int len = snprintf(authorization, sizeof authorization, "Bearer %s",
                     token == NULL ? "" : token);
  if (len < 0 || (size_t)len >= sizeof authorization) {
    fprintf(stderr, "post_once: the token is too long\n");
    return 2;
  }
  const struct runnel_header headers[] = {
      {"Content-Type", "application/json", 0},
      {"Authorization", authorization, RUNNEL_SENSITIVE}};
  options.url = argv[1];
  options.method = "POST";
  options.body = argv[2];
  options.body_len = strlen(argv[2]);
  options.headers = headers;
  options.headers_len = token == NULL ? 1 : 2;
  options.sentinel = "[DONE]";
  options.user = &result;
  options.on_event = on_event;
  options.on_end = on_end;
  options.on_close = on_close;
  if (runnel_client_new(&client, NULL, NULL) != RUNNEL_OK)
    return 1;
  int code = runnel_stream_open(NULL, client, &options);
  if (code != RUNNEL_OK)
    fprintf(stderr, "%s\n", options.error_text);
  else
    runnel_client_run(client);
  runnel_client_close(client, NULL, NULL);
  runnel_client_run(client);
  return code == RUNNEL_OK && result == RUNNEL_OK ? 0 : 1;
}
