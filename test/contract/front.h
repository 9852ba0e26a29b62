/* The REST side: HTTP by libmicrohttpd on 127.0.0.1, in a thread of its own,
 * which hands each request to the loop's thread and waits for the answer. It
 * knows neither streams nor the contract.
 *
 * Invariants
 *  - One request at a time is with the loop; `answer` and `quit` run on the
 *    loop's thread.
 *  - An open front keeps the loop alive. */
#ifndef RUNNEL_TEST_CONTRACT_FRONT_H
#define RUNNEL_TEST_CONTRACT_FRONT_H

#include <stddef.h>
#include <uv.h>

struct front;

/* Lives until `answer` returns. */
struct front_request {
  const char *method;
  const char *path;
  const char *body; /* NUL-terminated */
  size_t body_len;
};

/* All zero but the status at first. */
struct front_reply {
  int status;
  int quits;         /* 1: once this is sent, `quit` is called, one time */
  char location[32]; /* "": none */
  const char *type;  /* of the text, static */
  char text[512];    /* the body; "": none */
};

struct front_options {
  uv_loop_t *loop;
  int port; /* 0: any that is free */
  void (*answer)(struct front_reply *reply, const struct front_request *request,
                 void *user);
  void (*quit)(void *user);
  void *user;
};

/* NULL when the system refuses: no memory, or the port is taken. */
struct front *front_open(const struct front_options *options);

int front_port(const struct front *front);

/* Ends the thread and every connection; frees once the loop has run on. */
void front_close(struct front *front);

#endif
