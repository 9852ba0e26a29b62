/* One socket as a byte stream over uv_poll_t (RFC 9293; POSIX.1-2008 sockets).
 *
 * Why not uv_tcp_t: a queued write of its may raise SIGPIPE in the host, it
 * reads many times a turn before anybody can say stop, and it hides the
 * descriptor.
 *
 * Invariants
 *  - The poll handle watches what is wanted, or more: interest that is missing
 *    is added at once, superfluous interest is dropped when it fires. So
 *    listening off and on again costs no system call, and a socket in error
 *    that nobody listens to cannot make the loop spin.
 *  - A failed send is kept in code and native and told when reading has come to
 *    the end of what the peer sent: the answer to a request that the server did
 *    not read to its end would be lost otherwise. A send also takes the error
 *    out of the socket, so that a read would then take a reset for an end;
 *    what is kept goes before what a read finds.
 *  - No ear is called but from on_poll and from a turn that was due, each time
 *    last, or with the link's state looked at anew.
 *  - hang_up stops the handle first (uv_close does), which takes the descriptor
 *    out of libuv's set while it still is ours, and closes the descriptor after
 *    that; the number may then be used again before libuv's close callback
 *    frees the memory. */
#include "link.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "link_inside.h"
#include "secure.h"
#include "socket.h"

/* What one link may read in one turn, so that a firehose leaves the others
 * their share. */
#define TURN_BYTES_MAX ((size_t)4 * RUNNEL__READ_BYTES)

/* More than any request; only there so that arithmetic cannot overflow. */
#define OUT_BYTES_MAX (SIZE_MAX / 4)

static void on_poll(uv_poll_t *poll, int status, int fired);

/* Errors ------------------------------------------------------------------ */

static int is_resource(int err) {
  /* ENOSPC is epoll's way of saying that a user watches too much. */
  static const int resources[] = {EMFILE, ENFILE,        ENOBUFS,
                                  ENOMEM, EADDRNOTAVAIL, ENOSPC};
  for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++)
    if (resources[i] == err)
      return 1;
  return 0;
}

/* What an errno means for a link in this state. */
static int code_of(const struct runnel__link *link, int err) {
  if (is_resource(err))
    return RUNNEL_ERESOURCE;
  return link->state == LINK_CONNECTING ? RUNNEL_ECONNECT : RUNNEL_ELOST;
}

/* A link that shakes hands reads whether or not anybody listens, but not while
 * it has bytes left to try with. */
static int wants_read(const struct runnel__link *link) {
  if (link->state != LINK_UP)
    return 0;
  return runnel__secure_shakes(link) ? runnel__secure_waits(link)
                                     : link->listening;
}

/* Nothing of a kept failure is told while nobody listens: what the peer sent
 * before it comes first. A connect has nothing that could come before. */
void runnel__link_make_due(struct runnel__link *link) {
  int told = link->state == LINK_CONNECTING || wants_read(link);
  int some = link->code != RUNNEL_OK || runnel__secure_holds(link);
  if (!some || !told || !runnel__list_empty(&link->due))
    return;
  runnel__list_push(&link->net->due, &link->due);
  runnel__net_rouse(link->net);
}

void runnel__link_keep_failure(struct runnel__link *link, int code,
                               int native) {
  if (link->code == RUNNEL_OK) {
    link->code = code;
    link->native = native;
  }
  runnel__link_make_due(link);
}

/* Interest ---------------------------------------------------------------- */

static int wanted_events(const struct runnel__link *link) {
  if (link->state == LINK_CONNECTING)
    return UV_WRITABLE;
  if (link->state != LINK_UP)
    return 0;
  return (wants_read(link) ? UV_READABLE : 0) |
         (link->out.len > 0 ? UV_WRITABLE : 0);
}

void runnel__link_watch(struct runnel__link *link, int vain) {
  int wanted = wanted_events(link);
  int missing = wanted & ~link->active;
  int useless = link->active & vain & ~wanted;
  if (!link->polled || (missing == 0 && useless == 0))
    return;
  int err = wanted == 0 ? uv_poll_stop(&link->poll)
                        : uv_poll_start(&link->poll, wanted, on_poll);
  assert(err == 0);
  (void)err;
  link->active = (uint8_t)wanted;
}

/* Connecting -------------------------------------------------------------- */

/* 0 when the connect is under way, or an errno. One that is done at once is
 * told like any other: the socket is writable on the next turn. */
static int dial(struct runnel__link *link,
                const struct runnel__target *target) {
  int err = runnel__socket_dial(&link->fd, target);
  if (err != 0)
    return err;
  err = uv_poll_init(link->net->uv, &link->poll, link->fd);
  if (err != 0)
    return -err;
  link->poll.data = link;
  link->polled = 1;
  link->net->handles++;
  uv_unref((uv_handle_t *)&link->poll);
  runnel__link_watch(link, 0);
  return 0;
}

struct runnel__link *runnel__link_connect(struct runnel__world *world,
                                          const struct runnel__target *target,
                                          const struct runnel__link_ears *ears,
                                          void *owner) {
  struct runnel__net *net = (struct runnel__net *)world;
  assert(!net->closing);
  struct runnel__link *link = runnel__alloc_zero(&net->mem, sizeof *link);
  if (link == NULL)
    return NULL;
  link->net = net;
  link->ears = ears;
  link->owner = owner;
  link->fd = -1;
  runnel__list_init(&link->due);
  runnel__list_init(&link->node);
  runnel__list_push(&net->links, &link->node);
  int err = dial(link, target);
  if (err != 0)
    runnel__link_keep_failure(link, code_of(link, err), err);
  return link;
}

/* Telling ----------------------------------------------------------------- */

void runnel__link_say_down(struct runnel__link *link, int code, int native) {
  if (link->code != RUNNEL_OK) {
    code = link->code;
    native = link->native;
  }
  runnel__list_remove(&link->due);
  link->state = LINK_DOWN;
  if (link->active != 0)
    uv_poll_stop(&link->poll);
  link->active = 0;
  link->ears->down(link->owner, code, native);
}

static void finish_connect(struct runnel__link *link) {
  int err = runnel__socket_result(link->fd);
  if (err != 0) {
    runnel__link_say_down(link, code_of(link, err), err);
    return;
  }
  link->state = LINK_UP;
  link->ears->up(link->owner);
}

/* One send; what is left waits for the next turn. */
static void flush(struct runnel__link *link) {
  ptrdiff_t sent = runnel__socket_send(link->fd, link->out.at + link->out_sent,
                                       link->out.len - link->out_sent);
  if (sent >= 0) {
    link->out_sent += (size_t)sent;
    if (link->out_sent < link->out.len)
      return;
  }
  runnel__buf_free(&link->out, &link->net->mem);
  link->out_sent = 0;
  if (sent < 0)
    runnel__link_keep_failure(link, code_of(link, (int)-sent), (int)-sent);
}

static void take_bytes(struct runnel__link *link, char *bytes, size_t len) {
  if (link->cover == NULL)
    link->ears->bytes(link->owner, bytes, len);
  else
    runnel__secure_bytes(link, bytes, len);
}

static void take_end(struct runnel__link *link) {
  if (link->cover == NULL)
    runnel__link_say_down(link, RUNNEL_OK, 0);
  else
    runnel__secure_end(link);
}

/* A read that did not fill the buffer has most likely emptied the socket;
 * asking again would cost a call to hear so. A kept failure then needs the turn
 * after this one to be told. */
static void read_socket(struct runnel__link *link) {
  char *buf = link->net->read_buf;
  size_t total = 0;
  ptrdiff_t got;
  do {
    int end = 0;
    got = runnel__socket_recv(link->fd, buf, RUNNEL__READ_BYTES, &end);
    if (end) {
      take_end(link);
      return;
    }
    if (got < 0) {
      runnel__link_say_down(link, code_of(link, (int)-got), (int)-got);
      return;
    }
    if (got == 0)
      break;
    total += (size_t)got;
    take_bytes(link, buf, (size_t)got);
  } while (wants_read(link) && got == RUNNEL__READ_BYTES &&
           total < TURN_BYTES_MAX);
  if (got == 0 && link->code != RUNNEL_OK)
    runnel__link_say_down(link, link->code, link->native);
  else
    runnel__link_make_due(link);
}

/* What TLS holds comes before what the socket has. */
static void read_turn(struct runnel__link *link) {
  if (runnel__secure_holds(link))
    runnel__secure_drain(link);
  if (wants_read(link))
    read_socket(link);
}

static void on_poll(uv_poll_t *poll, int status, int fired) {
  struct runnel__link *link = poll->data;
  if (status < 0) {
    /* libuv has stopped the handle, for the socket is in error; which error,
     * the calls below find out. */
    link->active = 0;
    fired = UV_READABLE | UV_WRITABLE;
  }
  /* Bytes that are read did not come in vain, though it may be enough then. */
  int vain = wants_read(link) ? fired & ~UV_READABLE : fired;
  if (link->state == LINK_CONNECTING) {
    finish_connect(link);
  } else {
    if ((fired & UV_WRITABLE) != 0 && link->out.len > 0)
      flush(link);
    if ((fired & UV_READABLE) != 0 && wants_read(link))
      read_turn(link);
  }
  if (link->state == LINK_UP)
    runnel__link_watch(link, vain);
}

void runnel__link_turn(struct runnel__list *due) {
  struct runnel__link *link = RUNNEL__OF(due->next, struct runnel__link, due);
  runnel__list_remove(&link->due);
  if (link->state == LINK_CONNECTING)
    runnel__link_say_down(link, link->code, link->native);
  else if (wants_read(link))
    read_turn(link);
}

/* Asks -------------------------------------------------------------------- */

void runnel__link_give(struct runnel__link *link,
                       const struct runnel__link_ears *ears, void *owner) {
  link->ears = ears;
  link->owner = owner;
}

/* Copies what was not sent. Sent bytes are moved out of the way when they are
 * the greater part, so that moving stays cheaper than sending. */
static int keep_rest(struct runnel__link *link, const char *bytes, size_t len) {
  struct runnel__buf *out = &link->out;
  if (link->out_sent > out->len / 2) {
    memmove(out->at, out->at + link->out_sent, out->len - link->out_sent);
    out->len -= link->out_sent;
    link->out_sent = 0;
  }
  int code =
      runnel__buf_append(out, &link->net->mem, bytes, len, OUT_BYTES_MAX);
  return code == RUNNEL_OK ? RUNNEL_OK : RUNNEL_ENOMEM;
}

int runnel__link_send_raw(struct runnel__link *link, const char *bytes,
                          size_t len) {
  ptrdiff_t sent =
      link->out.len > 0 ? 0 : runnel__socket_send(link->fd, bytes, len);
  if (sent < 0) {
    runnel__link_keep_failure(link, code_of(link, (int)-sent), (int)-sent);
    return RUNNEL_OK;
  }
  if ((size_t)sent == len)
    return RUNNEL_OK;
  if (keep_rest(link, bytes + sent, len - (size_t)sent) != RUNNEL_OK) {
    if (sent == 0)
      return RUNNEL_ENOMEM;
    runnel__link_keep_failure(link, RUNNEL_ENOMEM, ENOMEM);
  }
  runnel__link_watch(link, 0);
  return RUNNEL_OK;
}

int runnel__link_send(struct runnel__link *link, const char *bytes,
                      size_t len) {
  assert(link->state == LINK_UP || link->state == LINK_DOWN);
  if (link->state != LINK_UP || link->code != RUNNEL_OK || len == 0)
    return RUNNEL_OK;
  return link->cover == NULL ? runnel__link_send_raw(link, bytes, len)
                             : runnel__secure_send(link, bytes, len);
}

void runnel__link_listen(struct runnel__link *link, int on) {
  assert(link->state != LINK_GONE);
  link->listening = on != 0;
  runnel__link_make_due(link);
  runnel__link_watch(link, 0);
}

int runnel__link_waiting(struct runnel__link *link) {
  if (link->state != LINK_UP)
    return 0;
  int is_queued = runnel__secure_shakes(link) && !runnel__secure_waits(link);
  return link->code != RUNNEL_OK || is_queued || runnel__secure_holds(link) ||
         runnel__socket_ready(link->fd);
}

/* The end ----------------------------------------------------------------- */

static void free_link(struct runnel__link *link) {
  runnel__secure_free(link);
  runnel__list_remove(&link->node);
  runnel__list_remove(&link->due);
  runnel__free(&link->net->mem, link);
}

static void close_socket(struct runnel__link *link) {
  if (link->fd >= 0)
    runnel__socket_close(link->fd);
  link->fd = -1;
}

static void on_poll_closed(uv_handle_t *handle) {
  struct runnel__link *link = handle->data;
  struct runnel__net *net = link->net;
  free_link(link);
  runnel__net_closed_one(net);
}

void runnel__link_hang_up(struct runnel__link *link) {
  assert(link->state != LINK_GONE);
  runnel__secure_bye(link);
  runnel__secure_free(link);
  link->state = LINK_GONE;
  link->listening = 0;
  runnel__list_remove(&link->due);
  runnel__buf_free(&link->out, &link->net->mem);
  if (link->polled) {
    uv_close((uv_handle_t *)&link->poll, on_poll_closed);
  } else {
    runnel__list_push(&link->net->graves, &link->due);
    runnel__net_rouse(link->net);
  }
  close_socket(link);
}

void runnel__link_bury(struct runnel__net *net) {
  while (!runnel__list_empty(&net->graves))
    free_link(RUNNEL__OF(net->graves.next, struct runnel__link, due));
}

void runnel__link_hang_up_all(struct runnel__net *net) {
  struct runnel__list *node = net->links.next;
  for (; node != &net->links; node = node->next) {
    struct runnel__link *link = RUNNEL__OF(node, struct runnel__link, node);
    if (link->state != LINK_GONE)
      runnel__link_hang_up(link);
  }
}

void runnel__link_abandon(struct runnel__net *net) {
  while (!runnel__list_empty(&net->links)) {
    struct runnel__link *link =
        RUNNEL__OF(net->links.next, struct runnel__link, node);
    close_socket(link);
    runnel__buf_free(&link->out, &net->mem);
    free_link(link);
  }
}
