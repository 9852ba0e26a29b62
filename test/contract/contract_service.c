/* runnel-contract-service: the REST service through which the harness for
 * clients of event streams drives runnel.
 *
 *   runnel-contract-service PORT      127.0.0.1 only; 0: any free port
 *
 * Prints one line with its port when it listens; ends on DELETE / with status
 * 0 and nothing left. Streams and their callbacks live on one loop; the REST
 * side is a thread that asks that loop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>
#include <uv.h>

#include "front.h"
#include "poster.h"
#include "runnel.h"
#include "subject.h"

/* So many streams in a row; a harness opens some hundred. */
#define SUBJECTS_MAX 65536

struct service {
  uv_loop_t loop;
  runnel_client *client;
  struct poster *poster;
  struct front *front;
  struct subject **subjects; /* by number, from 0; NULL: deleted */
  size_t subjects_len;
};

static const char *const capabilities[] = {
    "bom",           "comments", "headers",
    "last-event-id", "post",     "read-timeout",
    "report",        "restart",  "server-directed-shutdown-request"};

/* Answers ------------------------------------------------------------------ */

static void say(struct front_reply *reply, int status, const char *text) {
  reply->status = status;
  reply->type = "text/plain; charset=utf-8";
  snprintf(reply->text, sizeof reply->text, "%s\n", text);
}

static void show_status(struct front_reply *reply) {
  json_t *list = json_array();
  for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
    json_array_append_new(list, json_string(capabilities[i]));
  json_t *status =
      json_pack("{s:s,s:o}", "name", "runnel", "capabilities", list);
  char *text = json_dumps(status, JSON_COMPACT);
  json_decref(status);
  say(reply, text == NULL ? 500 : 200, text == NULL ? "out of memory" : text);
  if (text != NULL)
    reply->type = "application/json";
  free(text);
}

static json_t *parse_body(struct front_reply *reply,
                          const struct front_request *request) {
  json_error_t error;
  json_t *json = json_loadb(request->body, request->body_len, 0, &error);
  if (json == NULL)
    say(reply, 400, error.text);
  return json;
}

static int make_room(struct service *service) {
  if (service->subjects_len == SUBJECTS_MAX)
    return 0;
  struct subject **subjects =
      realloc(service->subjects,
              (service->subjects_len + 1) * sizeof service->subjects[0]);
  if (subjects != NULL)
    service->subjects = subjects;
  return subjects != NULL;
}

static void open_subject(struct service *service, struct front_reply *reply,
                         const struct front_request *request) {
  json_t *json = parse_body(reply, request);
  if (json == NULL)
    return;
  char fault[RUNNEL_ERROR_TEXT_BYTES];
  struct subject *subject = NULL;
  if (!make_room(service))
    snprintf(fault, sizeof fault, "too many streams");
  else
    subject = subject_new(service->client, service->poster, json, fault,
                          sizeof fault);
  json_decref(json);
  if (subject == NULL) {
    say(reply, 400, fault);
    return;
  }
  service->subjects[service->subjects_len++] = subject;
  reply->status = 201;
  snprintf(reply->location, sizeof reply->location, "/streams/%zu",
           service->subjects_len);
}

/* The stream that the path names, or NULL. */
static struct subject **find_subject(struct service *service,
                                     const char *path) {
  static const char prefix[] = "/streams/";
  if (strncmp(path, prefix, sizeof prefix - 1) != 0)
    return NULL;
  const char *digits = path + sizeof prefix - 1;
  size_t len = strspn(digits, "0123456789");
  if (len == 0 || len > 9 || digits[len] != '\0' || digits[0] == '0')
    return NULL;
  size_t number = strtoul(digits, NULL, 10);
  if (number > service->subjects_len || service->subjects[number - 1] == NULL)
    return NULL;
  return &service->subjects[number - 1];
}

static void command(struct subject *subject, struct front_reply *reply,
                    const struct front_request *request) {
  json_t *json = parse_body(reply, request);
  if (json == NULL)
    return;
  const char *name = json_string_value(json_object_get(json, "command"));
  if (name == NULL || strcmp(name, "restart") != 0) {
    say(reply, 400, "unknown command");
  } else {
    int code = subject_restart(subject);
    if (code == RUNNEL_OK)
      reply->status = 204;
    else
      say(reply, 500, runnel_strerror(code));
  }
  json_decref(json);
}

static void answer_root(struct service *service, struct front_reply *reply,
                        const struct front_request *request) {
  if (strcmp(request->method, "GET") == 0) {
    show_status(reply);
  } else if (strcmp(request->method, "POST") == 0) {
    open_subject(service, reply, request);
  } else if (strcmp(request->method, "DELETE") == 0) {
    reply->status = 204;
    reply->quits = 1;
  } else {
    say(reply, 405, "GET, POST or DELETE");
  }
}

static void answer(struct front_reply *reply,
                   const struct front_request *request, void *user) {
  struct service *service = user;
  if (strcmp(request->path, "/") == 0) {
    answer_root(service, reply, request);
    return;
  }
  struct subject **subject = find_subject(service, request->path);
  if (subject == NULL) {
    say(reply, 404, "no such stream");
  } else if (strcmp(request->method, "POST") == 0) {
    command(*subject, reply, request);
  } else if (strcmp(request->method, "DELETE") == 0) {
    subject_delete(*subject);
    *subject = NULL;
    reply->status = 204;
  } else {
    say(reply, 405, "POST or DELETE");
  }
}

/* Life --------------------------------------------------------------------- */

/* Whatever is open ends, and with it the loop. */
static void quit(void *user) {
  struct service *service = user;
  if (service->front != NULL)
    front_close(service->front);
  for (size_t i = 0; i < service->subjects_len; i++)
    if (service->subjects[i] != NULL)
      subject_delete(service->subjects[i]);
  free(service->subjects);
  if (service->client != NULL)
    runnel_client_close(service->client, NULL, NULL);
  if (service->poster != NULL)
    poster_close(service->poster);
}

/* 0, or -1 with a line on standard error; `quit` is due in both cases. */
static int start(struct service *service, int port) {
  struct front_options options = {.loop = &service->loop,
                                  .port = port,
                                  .answer = answer,
                                  .quit = quit,
                                  .user = service};
  service->poster = poster_new(&service->loop);
  if (service->poster == NULL ||
      runnel_client_new(&service->client, &service->loop, NULL) != RUNNEL_OK) {
    fprintf(stderr, "runnel-contract-service: out of memory\n");
    return -1;
  }
  service->front = front_open(&options);
  if (service->front == NULL) {
    fprintf(stderr, "runnel-contract-service: port %d: cannot listen\n", port);
    return -1;
  }
  printf("listening on 127.0.0.1:%d\n", front_port(service->front));
  fflush(stdout);
  return 0;
}

/* 0 to 65535; -1: it is no port. */
static int parse_port(const char *text) {
  size_t len = strspn(text, "0123456789");
  if (len == 0 || len > 5 || text[len] != '\0')
    return -1;
  long port = strtol(text, NULL, 10);
  return port <= 65535 ? (int)port : -1;
}

int main(int argc, char **argv) {
  struct service service = {0};
  int port = argc == 2 ? parse_port(argv[1]) : -1;
  if (port < 0) {
    fprintf(stderr, "usage: runnel-contract-service PORT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN); /* libcurl's writes may raise it */
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
      uv_loop_init(&service.loop) != 0)
    return 1;
  int failed = start(&service, port);
  if (failed)
    quit(&service);
  uv_run(&service.loop, UV_RUN_DEFAULT);
  uv_loop_close(&service.loop);
  curl_global_cleanup();
  return failed != 0;
}
