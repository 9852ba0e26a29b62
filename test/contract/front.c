/* libmicrohttpd's one thread meets the loop at a uv_async_t and a semaphore:
 * the thread leaves its one call, wakes the loop and waits; the loop answers.
 * Once the request to quit is answered the thread hands nothing over any more,
 * so it never waits for a loop that waits for it. */
#include "front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#define BODY_BYTES_MAX ((size_t)1024 * 1024)

/* What a connection's thread keeps of one request. */
struct call {
  struct front_request request;
  struct front_reply reply;
  char *body;
  size_t body_len;
  int too_big; /* or no memory for it */
};

struct front {
  struct front_options options;
  struct MHD_Daemon *daemon;
  uv_async_t wake;
  uv_sem_t answered;
  _Atomic(struct call *) call; /* with the loop until the semaphore's post */
  atomic_int wants_quit;       /* the answer to that request is sent */
  int quitting; /* the thread's own: all later requests are refused */
};

/* The loop's side ---------------------------------------------------------- */

static void on_wake(uv_async_t *wake) {
  struct front *front = wake->data;
  struct call *call = atomic_exchange(&front->call, NULL);
  if (call != NULL) {
    front->options.answer(&call->reply, &call->request, front->options.user);
    uv_sem_post(&front->answered);
  } else if (atomic_exchange(&front->wants_quit, 0)) {
    front->options.quit(front->options.user);
  }
}

/* The thread's side -------------------------------------------------------- */

static void take_bytes(struct call *call, const char *bytes, size_t len) {
  if (call->too_big || len > BODY_BYTES_MAX - call->body_len) {
    call->too_big = 1;
    return;
  }
  char *body = realloc(call->body, call->body_len + len + 1);
  if (body == NULL) {
    call->too_big = 1;
    return;
  }
  call->body = body;
  memcpy(body + call->body_len, bytes, len);
  call->body_len += len;
  body[call->body_len] = '\0';
}

static void ask_loop(struct front *front, struct call *call) {
  if (front->quitting || call->too_big) {
    call->reply.status = front->quitting ? 503 : 413;
    return;
  }
  call->request.body = call->body == NULL ? "" : call->body;
  call->request.body_len = call->body_len;
  atomic_store(&front->call, call);
  uv_async_send(&front->wake);
  uv_sem_wait(&front->answered);
  front->quitting = call->reply.quits;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection,
                                  struct front_reply *reply) {
  struct MHD_Response *response = MHD_create_response_from_buffer(
      strlen(reply->text), reply->text, MHD_RESPMEM_MUST_COPY);
  if (response == NULL)
    return MHD_NO;
  if (reply->location[0] != '\0')
    MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION,
                            reply->location);
  if (reply->type != NULL)
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            reply->type);
  enum MHD_Result sent =
      MHD_queue_response(connection, (unsigned)reply->status, response);
  MHD_destroy_response(response);
  return sent;
}

/* Called once with the head, then with pieces of the body, then with none. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes,
                                  size_t *len, void **kept) {
  struct front *front = user;
  struct call *call = *kept;
  (void)version;
  if (call == NULL) {
    *kept = calloc(1, sizeof *call);
    return *kept == NULL ? MHD_NO : MHD_YES;
  }
  if (*len > 0) {
    take_bytes(call, bytes, *len);
    *len = 0;
    return MHD_YES;
  }
  call->request.method = method;
  call->request.path = url;
  ask_loop(front, call);
  return send_reply(connection, &call->reply);
}

static void on_completed(void *user, struct MHD_Connection *connection,
                         void **kept, enum MHD_RequestTerminationCode code) {
  struct front *front = user;
  struct call *call = *kept;
  (void)connection;
  (void)code;
  if (call == NULL)
    return;
  if (call->reply.quits) {
    atomic_store(&front->wants_quit, 1);
    uv_async_send(&front->wake);
  }
  free(call->body);
  free(call);
  *kept = NULL;
}

/* Life --------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle) {
  struct front *front = handle->data;
  uv_sem_destroy(&front->answered);
  free(front);
}

struct front *front_open(const struct front_options *options) {
  struct front *front = calloc(1, sizeof *front);
  if (front == NULL)
    return NULL;
  front->options = *options;
  front->wake.data = front;
  if (uv_sem_init(&front->answered, 0) != 0) {
    free(front);
    return NULL;
  }
  if (uv_async_init(options->loop, &front->wake, on_wake) != 0) {
    uv_sem_destroy(&front->answered);
    free(front);
    return NULL;
  }
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)options->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  front->daemon = MHD_start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request,
      front, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, front, MHD_OPTION_END);
  if (front->daemon != NULL)
    return front;
  front_close(front);
  return NULL;
}

int front_port(const struct front *front) {
  return MHD_get_daemon_info(front->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void front_close(struct front *front) {
  if (front->daemon != NULL)
    MHD_stop_daemon(front->daemon);
  uv_close((uv_handle_t *)&front->wake, on_closed);
}
