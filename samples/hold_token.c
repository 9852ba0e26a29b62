/* A token that expires: each attempt waits until a fresh one is there.
 *
 *   hold_token http://127.0.0.1:8080/feed
 *
 * on_request holds the request; fetching the token takes a while (here: a
 * timer), then the header is set and the attempt goes on. A 401 is asked again
 * at once, one time, which is when a new token is fetched. A held request
 * occupies nothing but its own memory, and must be proceeded exactly once, even
 * when its stream was closed meanwhile: then that only frees it. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define TOKEN_MS 100 /* how long the token's server takes */

static unsigned tokens; /* made so far */

struct fetch {
  uv_timer_t timer;
  runnel_request *request; /* held */
};

static void on_fetch_closed(uv_handle_t *handle) { free(handle->data); }

static void on_token(uv_timer_t *timer) {
  struct fetch *fetch = timer->data;
  char value[64];
  snprintf(value, sizeof value, "Bearer token-%u", tokens);
  int code = runnel_request_set_header(fetch->request, "Authorization", value,
                                       RUNNEL_SENSITIVE);
  /* RUNNEL_ESTATE: the stream was closed; proceed frees the request. */
  runnel_request_proceed(fetch->request, code);
  uv_close((uv_handle_t *)timer, on_fetch_closed);
}

static void on_request(runnel_stream *stream, runnel_request *request,
                       const struct runnel_attempt *attempt, void *user) {
  struct fetch *fetch = malloc(sizeof *fetch);
  if (fetch == NULL || runnel_request_hold(request) != RUNNEL_OK) {
    free(fetch);
    runnel_stream_close(stream);
    return;
  }
  if (attempt->why == RUNNEL_WHY_FIRST ||
      attempt->why == RUNNEL_WHY_UNAUTHORIZED)
    tokens++;
  printf("attempt %llu: fetching a token\n",
         (unsigned long long)attempt->number);
  fetch->request = request;
  fetch->timer.data = fetch;
  uv_timer_init(user, &fetch->timer);
  uv_timer_start(&fetch->timer, on_token, TOKEN_MS, 0);
}

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  (void)stream;
  (void)user;
  printf("%s: %s\n", event->type, event->data);
  return RUNNEL_OK;
}

static void on_end(runnel_stream *stream, const struct runnel_end *end,
                   struct runnel_verdict *verdict, void *user) {
  (void)stream;
  (void)user;
  printf("%s; %s\n", end->text, verdict->retry ? "again" : "given up");
}

static void on_close(runnel_stream *stream, int code, void *user) {
  (void)user;
  (void)stream;
  printf("closed: %s\n", runnel_strerror(code));
}

int main(int argc, char **argv) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  runnel_client *client;
  uv_loop_t loop;
  if (argc != 2 || uv_loop_init(&loop) != 0)
    return 2;
  if (runnel_client_new(&client, &loop, NULL) != RUNNEL_OK)
    return 1;
  options.url = argv[1];
  options.user = &loop;
  options.on_request = on_request;
  options.on_event = on_event;
  options.on_end = on_end;
  options.on_close = on_close;
  int code = runnel_stream_open(NULL, client, &options);
  if (code != RUNNEL_OK)
    fprintf(stderr, "%s\n", options.error_text);
  uv_run(&loop, UV_RUN_DEFAULT); /* until the stream has closed */
  runnel_client_close(client, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) == 0 && code == RUNNEL_OK ? 0 : 1;
}
