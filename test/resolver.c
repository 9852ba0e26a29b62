/* getaddrinfo for names of the tests' own, with a brake for look-ups that
 * cannot be cancelled. The dynamic linker finds this one first; RTLD_NEXT is
 * the system's. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cave.h"

typedef int lookup_function(const char *, const char *, const struct addrinfo *,
                            struct addrinfo **);

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int running;
  int ended;
  int round; /* raised by each answer */
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static int ends_with(const char *host, const char *suffix) {
  size_t len = host == NULL ? 0 : strlen(host), suffix_len = strlen(suffix);
  return len >= suffix_len && strcmp(host + len - suffix_len, suffix) == 0;
}

static void wait_for_answer(void) {
  pthread_mutex_lock(&slow.lock);
  int round = slow.round;
  slow.running++;
  pthread_cond_broadcast(&slow.changed);
  while (slow.round == round)
    pthread_cond_wait(&slow.changed, &slow.lock);
  slow.running--;
  slow.ended++;
  pthread_cond_broadcast(&slow.changed);
  pthread_mutex_unlock(&slow.lock);
}

/* Lists of the system's, one behind the other: it frees them node by node. */
static int find_many(lookup_function *next, const struct addrinfo *hints,
                     struct addrinfo **found) {
  struct addrinfo **end = found;
  *found = NULL;
  for (int i = 0; i < 2 * RESOLVER_MANY; i++) {
    char literal[32];
    snprintf(literal, sizeof literal, "127.0.0.%d", i / 2 + 1);
    int err = next(literal, "9", hints, end);
    if (err != 0) {
      if (*found != NULL)
        freeaddrinfo(*found);
      return err;
    }
    while (*end != NULL)
      end = &(*end)->ai_next;
  }
  return 0;
}

/* The first literal's address, then the second's. */
static int list_two(lookup_function *next, const char *first,
                    const char *second, const struct addrinfo *hints,
                    struct addrinfo **found) {
  struct addrinfo *last = NULL;
  int failed = next(first, NULL, hints, found);
  if (failed != 0)
    return failed;
  failed = next(second, NULL, hints, &last);
  if (failed != 0)
    freeaddrinfo(*found);
  else
    (*found)->ai_next = last;
  return failed;
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  lookup_function *next = NULL;
  void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
  memcpy(&next, &symbol, sizeof next);
  if (ends_with(host, ".slow.test")) {
    wait_for_answer();
    return next("127.0.0.1", service, hints, found);
  }
  if (ends_with(host, "cave.test"))
    return list_two(next, CAVE_FAR_V6, CAVE_FAR_V4, hints, found);
  if (ends_with(host, "both.test")) {
    const struct addrinfo plain = {.ai_socktype = SOCK_STREAM};
    return next(NULL, "0", &plain, found); /* loopback, both families */
  }
  if (ends_with(host, "many.test"))
    return find_many(next, hints, found);
  return next(host, service, hints, found);
}

int resolver_ended(void) {
  pthread_mutex_lock(&slow.lock);
  int ended = slow.ended;
  pthread_mutex_unlock(&slow.lock);
  return ended;
}

void resolver_wait(int running) {
  pthread_mutex_lock(&slow.lock);
  while (slow.running < running)
    pthread_cond_wait(&slow.changed, &slow.lock);
  pthread_mutex_unlock(&slow.lock);
}

void resolver_answer(void) {
  pthread_mutex_lock(&slow.lock);
  slow.round++;
  pthread_cond_broadcast(&slow.changed);
  while (slow.running > 0)
    pthread_cond_wait(&slow.changed, &slow.lock);
  pthread_mutex_unlock(&slow.lock);
}
