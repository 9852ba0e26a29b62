/* runnel as a guest on a loop that an application has already: a timer of the
 * application's counts the events of each second, and pauses the stream while
 * more come than it wants.
 *
 *   embed http://127.0.0.1:8080/feed
 *
 * The client adds its handles to the loop and keeps it alive only while a
 * stream is open or closing. After five seconds the client is closed; the loop
 * then has nothing left of it. */
#include <runnel.h>
#include <stdio.h>
#include <uv.h>

#define SECONDS 5
#define EVENTS_PER_SECOND 100

struct app {
  uv_timer_t timer;
  runnel_client *client;
  runnel_stream *stream; /* NULL once closed */
  unsigned events;       /* in this second */
  unsigned seconds;
  int refused;
};

static int on_event(runnel_stream *stream, const struct runnel_event *event,
                    void *user) {
  struct app *app = user;
  (void)event;
  if (++app->events >= EVENTS_PER_SECOND)
    runnel_stream_pause(stream); /* the server is held back by TCP */
  return RUNNEL_OK;
}

static void on_close(runnel_stream *stream, int code, void *user) {
  struct app *app = user;
  (void)stream;
  app->stream = NULL;
  printf("closed: %s\n", runnel_strerror(code));
}

static void on_closed(void *user) {
  struct app *app = user;
  uv_close((uv_handle_t *)&app->timer, NULL);
}

static void on_timer(uv_timer_t *timer) {
  struct app *app = timer->data;
  printf("%u events, %s\n", app->events,
         app->stream == NULL
             ? "closed"
             : runnel_state_name(runnel_stream_state(app->stream)));
  app->events = 0;
  if (app->stream != NULL)
    runnel_stream_resume(app->stream);
  if (++app->seconds == SECONDS || app->stream == NULL) {
    uv_timer_stop(timer);
    runnel_client_close(app->client, on_closed, app);
  }
}

int main(int argc, char **argv) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct app app = {.events = 0};
  uv_loop_t loop;
  if (argc != 2 || uv_loop_init(&loop) != 0)
    return 2;
  if (runnel_client_new(&app.client, &loop, NULL) != RUNNEL_OK)
    return 1;
  options.url = argv[1];
  options.user = &app;
  options.on_event = on_event;
  options.on_close = on_close;
  uv_timer_init(&loop, &app.timer);
  app.timer.data = &app;
  if (runnel_stream_open(&app.stream, app.client, &options) == RUNNEL_OK) {
    uv_timer_start(&app.timer, on_timer, 1000, 1000);
  } else {
    fprintf(stderr, "%s\n", options.error_text);
    app.refused = 1;
    runnel_client_close(app.client, on_closed, &app);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop) == 0 && !app.refused ? 0 : 1;
}
