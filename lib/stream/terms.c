/* Terms by their key, each with at most one session. */
#include "terms.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The trust in hex, a letter, an origin's key */
#define KEY_BYTES (16 + 1 + 7 + 256 + 8)

void runnel__sessions_init(struct runnel__sessions *sessions,
                           struct runnel__mem *mem) {
  *sessions = (struct runnel__sessions){.mem = mem};
  runnel__list_init(&sessions->by_use);
}

/* A call that no compiler leaves out, though what it writes is never read. */
static void wipe(char *bytes, size_t len) {
  static void *(*const volatile set)(void *, int, size_t) = memset;
  set(bytes, 0, len);
}

static void forget(struct runnel__sessions *sessions,
                   struct runnel__terms *terms) {
  if (terms->bytes == NULL)
    return;
  wipe(terms->bytes, terms->len);
  runnel__mem_unhold(sessions->mem, terms->len);
  sessions->held -= terms->len;
  runnel__free(sessions->mem, terms->bytes);
  terms->bytes = NULL;
}

static void free_terms(struct runnel__sessions *sessions,
                       struct runnel__terms *terms) {
  forget(sessions, terms);
  runnel__table_remove(&sessions->terms, &terms->node);
  runnel__list_remove(&terms->use);
  runnel__free(sessions->mem, terms);
}

void runnel__sessions_free(struct runnel__sessions *sessions) {
  while (!runnel__list_empty(&sessions->by_use))
    free_terms(sessions,
               RUNNEL__OF(sessions->by_use.next, struct runnel__terms, use));
  runnel__table_free(&sessions->terms, sessions->mem);
}

/* Room for one more, if need be in place of terms that nobody names. */
static void make_room(struct runnel__sessions *sessions) {
  if (sessions->terms.len < RUNNEL__TERMS_MAX)
    return;
  for (struct runnel__list *at = sessions->by_use.next; at != &sessions->by_use;
       at = at->next) {
    struct runnel__terms *terms = RUNNEL__OF(at, struct runnel__terms, use);
    if (terms->refs == 0) {
      free_terms(sessions, terms);
      return;
    }
  }
}

static struct runnel__terms *add_terms(struct runnel__sessions *sessions,
                                       struct runnel__str key) {
  make_room(sessions);
  if (runnel__table_reserve(&sessions->terms, sessions->mem) != RUNNEL_OK)
    return NULL;
  struct runnel__terms *terms =
      runnel__alloc_zero(sessions->mem, sizeof *terms + key.len + 1);
  if (terms == NULL)
    return NULL;
  memcpy(terms->key, key.at, key.len);
  runnel__list_init(&terms->use);
  runnel__list_init(&terms->waiting);
  terms->lead_until_ms = RUNNEL__NEVER;
  terms->node.key = (struct runnel__str){terms->key, key.len};
  runnel__table_add(&sessions->terms, &terms->node);
  return terms;
}

struct runnel__terms *runnel__terms_take(struct runnel__sessions *sessions,
                                         const char *origin, uint64_t trust_id,
                                         int anonymous) {
  char text[KEY_BYTES];
  int len = snprintf(text, sizeof text, "%016" PRIx64 "%c%s", trust_id,
                     anonymous ? 'a' : 'c', origin);
  struct runnel__str key = {text, (size_t)len};
  assert(key.len < sizeof text); /* a cut key would mix origins */
  struct runnel__table_node *node = runnel__table_find(&sessions->terms, key);
  struct runnel__terms *terms =
      node != NULL ? RUNNEL__OF(node, struct runnel__terms, node)
                   : add_terms(sessions, key);
  if (terms == NULL)
    return NULL;
  terms->refs++;
  runnel__list_remove(&terms->use);
  runnel__list_push(&sessions->by_use, &terms->use);
  return terms;
}

void runnel__terms_give(struct runnel__terms *terms) { terms->refs--; }

int runnel__terms_session(struct runnel__sessions *sessions,
                          struct runnel__terms *terms, int64_t now_ms,
                          int64_t wall_s, struct runnel__session *session) {
  if (terms->bytes != NULL &&
      (terms->end.at_ms <= now_ms || terms->end.at_s <= wall_s))
    forget(sessions, terms);
  if (terms->bytes == NULL)
    return 0;
  *session =
      (struct runnel__session){terms->bytes, terms->len, terms->end.at_s};
  return 1;
}

/* Forgets what was not used for longest, until `len` more are within the share.
 * 0: they never are. */
static int make_share(struct runnel__sessions *sessions, size_t len) {
  uint64_t most = sessions->mem->held_max / RUNNEL__SESSIONS_SHARE;
  struct runnel__list *at = sessions->by_use.next;
  if (len > most)
    return 0;
  for (; sessions->held > most - len; at = at->next)
    forget(sessions, RUNNEL__OF(at, struct runnel__terms, use));
  return 1;
}

/* A copy that is counted as held, or NULL. */
static char *copy_session(struct runnel__sessions *sessions,
                          const struct runnel__session *session) {
  if (!make_share(sessions, session->len) ||
      runnel__mem_hold(sessions->mem, session->len) != RUNNEL_OK)
    return NULL;
  char *copy = runnel__copy(sessions->mem, session->bytes, session->len);
  if (copy == NULL)
    runnel__mem_unhold(sessions->mem, session->len);
  return copy;
}

/* The sooner of both. */
static struct runnel__session_end
end_of(int64_t until_s, const struct runnel__session_end *end) {
  struct runnel__session_end soonest = *end;
  if (until_s < soonest.at_s)
    soonest.at_s = until_s;
  return soonest;
}

int runnel__terms_keep(struct runnel__sessions *sessions,
                       struct runnel__terms *terms,
                       const struct runnel__session *session,
                       const struct runnel__session_end *end, int64_t now_ms,
                       int64_t wall_s) {
  struct runnel__session_end soonest = end_of(session->until_s, end);
  if (session->len == 0 || session->len > RUNNEL__SESSION_BYTES_MAX ||
      soonest.at_s <= wall_s || soonest.at_ms <= now_ms)
    return 0;
  char *copy = copy_session(sessions, session);
  if (copy == NULL)
    return 0;
  forget(sessions, terms);
  terms->bytes = copy;
  terms->len = session->len;
  sessions->held += session->len;
  terms->end = soonest;
  terms->sure_ms = now_ms;
  terms->serial = ++sessions->made;
  return 1;
}

void runnel__terms_drop(struct runnel__sessions *sessions,
                        struct runnel__terms *terms, uint64_t serial) {
  if (terms->serial == serial)
    forget(sessions, terms);
}
