/* Look-ups in threads (POSIX.1-2008 getaddrinfo, RFC 3493 section 6.1).
 *
 * A thread is started for a look-up while there are fewer than the limit; it
 * serves what waits and ends when nothing does. Threads are detached: a dropped
 * look-up runs out unseen, and its thread frees it. Look-ups come from malloc,
 * since either side may have to free them and the application's allocator is
 * promised the loop's thread.
 *
 * Invariants: a look-up is in exactly one list: queue, running or done of the
 * inbox (under its lock), or the world's `done` (the loop's alone). What a
 * thread writes to a running look-up is read only after it moved to done. */
#include "resolve.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* getaddrinfo of the usual C libraries needs well under half of this. */
#define THREAD_STACK_BYTES ((size_t)256 * 1024)

struct runnel__lookup {
  struct runnel__list node;
  struct runnel__inbox *inbox; /* a running one is covered by its thread's */
  void *asker;
  uint8_t running;
  uint8_t dropped; /* nobody wants it; set while running only */
  int code;
  int native;
  size_t len;
  struct runnel__addr addrs[RUNNEL__ADDRS_MAX];
  char host[]; /* NUL-terminated */
};

static struct runnel__lookup *lookup_of(struct runnel__list *node) {
  return RUNNEL__OF(node, struct runnel__lookup, node);
}

/* 1 and *addr, or 0 for a family that is not dialled. */
static int read_addr(struct runnel__addr *addr, const struct addrinfo *info) {
  memset(addr, 0, sizeof *addr);
  if (info->ai_family == AF_INET &&
      info->ai_addrlen >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in in;
    memcpy(&in, info->ai_addr, sizeof in);
    memcpy(addr->ip, &in.sin_addr, 4);
    return 1;
  }
  if (info->ai_family == AF_INET6 &&
      info->ai_addrlen >= sizeof(struct sockaddr_in6)) {
    struct sockaddr_in6 in;
    memcpy(&in, info->ai_addr, sizeof in);
    memcpy(addr->ip, &in.sin6_addr, 16);
    addr->zone = in.sin6_scope_id;
    addr->v6 = 1;
    return 1;
  }
  return 0;
}

static int known(const struct runnel__lookup *lookup,
                 const struct runnel__addr *addr) {
  for (size_t i = 0; i < lookup->len; i++) {
    const struct runnel__addr *other = &lookup->addrs[i];
    if (other->v6 == addr->v6 && other->zone == addr->zone &&
        memcmp(other->ip, addr->ip, sizeof addr->ip) == 0)
      return 1;
  }
  return 0;
}

static void take_addrs(struct runnel__lookup *lookup,
                       const struct addrinfo *info) {
  for (; info != NULL && lookup->len < RUNNEL__ADDRS_MAX;
       info = info->ai_next) {
    struct runnel__addr addr;
    if (read_addr(&addr, info) && !known(lookup, &addr))
      lookup->addrs[lookup->len++] = addr;
  }
  if (lookup->len == 0) {
    lookup->code = RUNNEL_ERESOLVE;
    lookup->native = EAI_NONAME;
  }
}

static void take_failure(struct runnel__lookup *lookup, int eai, int err) {
  lookup->code = RUNNEL_ERESOLVE;
  lookup->native = eai;
  if (eai == EAI_MEMORY) {
    lookup->code = RUNNEL_ENOMEM;
    lookup->native = ENOMEM;
  }
  if (eai != EAI_SYSTEM)
    return;
  if (err == EMFILE || err == ENFILE || err == ENOBUFS) {
    lookup->code = RUNNEL_ERESOURCE;
    lookup->native = err;
  } else if (err == ENOMEM) {
    lookup->code = RUNNEL_ENOMEM;
    lookup->native = err;
  }
}

/* Without AI_ADDRCONFIG: it drops every address of a host that has none but
 * loopback itself, and a family that cannot be reached fails at once anyway. */
static void look_up(struct runnel__lookup *lookup) {
  struct addrinfo hints;
  struct addrinfo *found = NULL;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  errno = 0;
  int eai = getaddrinfo(lookup->host, NULL, &hints, &found);
  int err = errno;
  if (eai != 0) {
    take_failure(lookup, eai, err);
    return;
  }
  take_addrs(lookup, found);
  freeaddrinfo(found);
}

/* With the lock held. */
static void hand_back(struct runnel__inbox *inbox,
                      struct runnel__lookup *lookup) {
  runnel__list_remove(&lookup->node);
  lookup->running = 0;
  if (lookup->dropped) {
    free(lookup);
    return;
  }
  runnel__list_push(&inbox->done, &lookup->node);
  runnel__inbox_ring(inbox);
}

static void *serve(void *arg) {
  struct runnel__inbox *inbox = arg;
  runnel__inbox_lock(inbox);
  while (!runnel__list_empty(&inbox->queue)) {
    struct runnel__lookup *lookup = lookup_of(inbox->queue.next);
    runnel__list_remove(&lookup->node);
    runnel__list_push(&inbox->running, &lookup->node);
    lookup->running = 1;
    runnel__inbox_unlock(inbox);
    look_up(lookup);
    runnel__inbox_lock(inbox);
    hand_back(inbox, lookup);
  }
  inbox->threads--;
  runnel__inbox_unlock(inbox);
  runnel__inbox_release(inbox);
  return NULL;
}

/* 0 or an errno. Signals stay blocked in the thread: the application's handlers
 * expect its own threads. */
static int start_thread(struct runnel__inbox *inbox) {
  pthread_attr_t attr;
  int err = pthread_attr_init(&attr);
  if (err != 0)
    return err;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  /* Refused only where more is needed; the default serves then. */
  (void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  err = pthread_create(&thread, &attr, serve, inbox);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return err;
}

/* With the lock held: sees to it that `lookup`, last in the queue, is served.
 * If no thread can be had but others run, they will come to it. */
static void find_thread(struct runnel__inbox *inbox,
                        struct runnel__lookup *lookup) {
  if (inbox->threads >= RUNNEL__RESOLVE_THREADS_MAX)
    return;
  int err = start_thread(inbox);
  if (err == 0) {
    inbox->threads++;
    inbox->refs++;
    return;
  }
  if (inbox->threads > 0)
    return;
  lookup->code = RUNNEL_ERESOURCE;
  lookup->native = err;
  hand_back(inbox, lookup);
}

struct runnel__lookup *runnel__resolve_start(struct runnel__world *world,
                                             const char *host, void *asker) {
  struct runnel__net *net = (struct runnel__net *)world;
  assert(!net->closing);
  size_t size = strlen(host) + 1;
  struct runnel__lookup *lookup = calloc(1, sizeof *lookup + size);
  if (lookup == NULL)
    return NULL;
  lookup->inbox = net->inbox;
  lookup->asker = asker;
  memcpy(lookup->host, host, size);
  runnel__inbox_lock(net->inbox);
  runnel__list_push(&net->inbox->queue, &lookup->node);
  find_thread(net->inbox, lookup);
  runnel__inbox_unlock(net->inbox);
  return lookup;
}

void runnel__resolve_drop(struct runnel__lookup *lookup) {
  struct runnel__inbox *inbox = lookup->inbox;
  runnel__inbox_lock(inbox);
  lookup->dropped = lookup->running;
  if (!lookup->running) {
    runnel__list_remove(&lookup->node);
    free(lookup);
  }
  runnel__inbox_unlock(inbox);
}

void runnel__resolve_tell(struct runnel__net *net) {
  runnel__inbox_lock(net->inbox);
  runnel__list_move(&net->done, &net->inbox->done);
  runnel__inbox_unlock(net->inbox);
  while (!runnel__list_empty(&net->done)) {
    struct runnel__lookup *lookup = lookup_of(net->done.next);
    runnel__list_remove(&lookup->node);
    net->world.ears->resolved(lookup->asker, lookup->code, lookup->native,
                              lookup->addrs, lookup->len);
    free(lookup);
  }
}

static void free_lookups(struct runnel__list *list) {
  while (!runnel__list_empty(list)) {
    struct runnel__lookup *lookup = lookup_of(list->next);
    runnel__list_remove(&lookup->node);
    free(lookup);
  }
}

void runnel__resolve_abandon(struct runnel__net *net) {
  free_lookups(&net->inbox->queue);
  free_lookups(&net->inbox->running);
  free_lookups(&net->inbox->done);
  free_lookups(&net->done);
}

const char *runnel__resolve_words(int native) { return gai_strerror(native); }
