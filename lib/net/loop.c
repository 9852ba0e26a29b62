/* The libuv world: clock, alarm, randomness, posting, and the life of the
 * handles. Decides nothing.
 *
 * The next turn is an idle handle, started while something is due and stopped
 * when nothing is. A timer of 0 ms would not do: libuv before 1.45 runs one
 * that a timer's callback starts in the same pass, and sockets would starve.
 * For the same reason the timer only marks the alarm as due, so that the owner
 * hears it once a turn at most.
 *
 * The async handle is the only one that ever holds the loop, while the owner
 * wants it kept; the others are unreferenced from the start. It is also the
 * bell that other threads ring.
 *
 * Invariants: `handles` counts every libuv handle that is not closed yet, so
 * the world ends when it falls to 0; nobody is called from inside an ask; after
 * close nothing is heard but `closed`. */
#include "loop.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "link.h"
#include "net.h"
#include "resolve.h"
#include "secure.h"
#include "socket.h"
#include "trust.h"

#define NS_PER_MS 1000000U

struct post {
  struct runnel__list node;
  void (*run)(struct runnel_client *owner, void *user);
  void *user;
};

static struct runnel__net *net_of(struct runnel__world *world) {
  return (struct runnel__net *)world;
}

/* Clock, randomness ------------------------------------------------------- */

static int64_t clock_ms(void) { return (int64_t)(uv_hrtime() / NS_PER_MS); }

static int64_t now_ms(struct runnel__world *world) {
  (void)world;
  return clock_ms();
}

static int64_t wall_s(struct runnel__world *world) {
  (void)world;
  return (int64_t)time(NULL);
}

/* SplitMix64 (Steele, Lea, Flood, 2014): even, fast, and good enough to spread
 * attempts; nothing secret is drawn from it. */
static uint64_t draw(struct runnel__world *world) {
  uint64_t z = net_of(world)->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Without the system's randomness the clock still tells processes apart. */
static uint64_t seed(const struct runnel__net *net) {
  uint64_t random;
  if (uv_random(NULL, NULL, &random, sizeof random, 0, NULL) != 0)
    random = uv_hrtime() ^ (uint64_t)(uintptr_t)net;
  return random;
}

/* Turns and the alarm ----------------------------------------------------- */

static void on_idle(uv_idle_t *idle);

void runnel__net_rouse(struct runnel__net *net) {
  if (!net->closing)
    uv_idle_start(&net->idle, on_idle); /* again: no effect */
}

static void on_timer(uv_timer_t *timer) {
  struct runnel__net *net = timer->data;
  net->alarm_due = 1;
  runnel__net_rouse(net);
}

/* Has the alarm come at wake_at_ms, on the next turn at the earliest. The
 * loop's own time may be old: it is renewed, or the alarm would be early. */
static void arm(struct runnel__net *net) {
  net->alarm_due = 0;
  uv_timer_stop(&net->timer);
  if (net->wake_at_ms == RUNNEL__NEVER)
    return;
  int64_t now = clock_ms();
  if (net->wake_at_ms <= now) {
    on_timer(&net->timer);
    return;
  }
  uv_update_time(net->uv);
  uv_timer_start(&net->timer, on_timer, (uint64_t)(net->wake_at_ms - now), 0);
}

static void wake_at(struct runnel__world *world, int64_t at_ms) {
  struct runnel__net *net = net_of(world);
  if (net->closing || at_ms == net->wake_at_ms)
    return;
  net->wake_at_ms = at_ms;
  arm(net);
}

/* The timer may be early by the coarseness of the loop's time: then it is set
 * again, by at least 1 ms. */
static void sound_alarm(struct runnel__net *net) {
  if (clock_ms() < net->wake_at_ms) {
    arm(net);
    return;
  }
  net->alarm_due = 0;
  net->wake_at_ms = RUNNEL__NEVER;
  net->world.ears->alarm(net->world.owner);
}

/* What becomes due meanwhile waits for the turn after this. */
static void on_idle(uv_idle_t *idle) {
  struct runnel__net *net = idle->data;
  struct runnel__list due;
  runnel__link_bury(net);
  runnel__list_move(&due, &net->due);
  while (!runnel__list_empty(&due))
    runnel__link_turn(&due);
  if (!net->closing)
    runnel__secure_turn(net);
  if (net->alarm_due && !net->closing)
    sound_alarm(net);
  if (!net->closing && !net->alarm_due && runnel__list_empty(&net->due) &&
      runnel__list_empty(&net->shakes) && runnel__list_empty(&net->graves))
    uv_idle_stop(idle);
}

static void keep(struct runnel__world *world, int on) {
  uv_handle_t *bell = (uv_handle_t *)&net_of(world)->bell;
  if (on)
    uv_ref(bell);
  else
    uv_unref(bell);
}

/* Posts ------------------------------------------------------------------- */

static int post(struct runnel__world *world,
                void (*run)(struct runnel_client *owner, void *user),
                void *user) {
  struct runnel__net *net = net_of(world);
  struct post *made = runnel__alloc(&net->mem, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  made->run = run;
  made->user = user;
  runnel__inbox_lock(net->inbox);
  runnel__list_push(&net->inbox->posts, &made->node);
  runnel__inbox_ring(net->inbox);
  runnel__inbox_unlock(net->inbox);
  return RUNNEL_OK;
}

static struct post *take_post(struct runnel__list *posts) {
  struct post *first = RUNNEL__OF(posts->next, struct post, node);
  runnel__list_remove(&first->node);
  return first;
}

static void free_posts(struct runnel__net *net, struct runnel__list *posts) {
  while (!runnel__list_empty(posts))
    runnel__free(&net->mem, take_post(posts));
}

/* Only what was there at the start is run: a post that posts again waits its
 * turn. Closing from one empties the list. */
static void run_posts(struct runnel__net *net) {
  runnel__inbox_lock(net->inbox);
  runnel__list_move(&net->posts, &net->inbox->posts);
  runnel__inbox_unlock(net->inbox);
  while (!runnel__list_empty(&net->posts)) {
    struct post *first = take_post(&net->posts);
    void (*run)(struct runnel_client * owner, void *user) = first->run;
    void *user = first->user;
    runnel__free(&net->mem, first);
    run(net->world.owner, user);
  }
}

static void on_bell(uv_async_t *bell) {
  struct runnel__net *net = bell->data;
  runnel__resolve_tell(net);
  if (!net->closing)
    run_posts(net);
}

/* The end ----------------------------------------------------------------- */

/* The world's memory, and its own loop's once all of that is closed. */
static void free_net(struct runnel__net *net) {
  struct runnel__mem mem = net->mem;
  runnel__trusts_free(net->trusts); /* they have net->mem */
  if (net->owned) {
    int err = uv_loop_close(net->uv);
    assert(err == 0);
    (void)err;
    runnel__free(&mem, net->uv);
  }
  runnel__free(&mem, net->plain_buf);
  runnel__free(&mem, net->read_buf);
  runnel__free(&mem, net);
}

/* A post may have come while the handles closed. */
static void drop_posts(struct runnel__net *net) {
  runnel__inbox_lock(net->inbox);
  free_posts(net, &net->inbox->posts);
  runnel__inbox_unlock(net->inbox);
}

void runnel__net_closed_one(struct runnel__net *net) {
  assert(net->handles > 0);
  if (--net->handles > 0 || !net->closing)
    return;
  runnel__link_bury(net);
  net->gone = 1;
  if (net->abandoned)
    return;
  net->world.ears->closed(net->world.owner);
  drop_posts(net);
  runnel__inbox_release(net->inbox);
  if (!net->owned)
    free_net(net); /* a loop of its own is still inside uv_run */
}

static void on_closed(uv_handle_t *handle) {
  runnel__net_closed_one(handle->data);
}

static void close_handles(struct runnel__net *net) {
  net->closing = 1;
  uv_close((uv_handle_t *)&net->bell, on_closed);
  uv_close((uv_handle_t *)&net->timer, on_closed);
  uv_close((uv_handle_t *)&net->idle, on_closed);
}

static void close_world(struct runnel__world *world) {
  struct runnel__net *net = net_of(world);
  assert(!net->closing);
  runnel__inbox_lock(net->inbox);
  net->inbox->bell = NULL; /* from here on nobody rings */
  runnel__inbox_unlock(net->inbox);
  free_posts(net, &net->posts);
  drop_posts(net);
  close_handles(net);
}

/* A loop of its own ------------------------------------------------------- */

/* libuv does not close a descriptor below 3 (it asserts that there is none), so
 * a loop must not be given one, though a daemon may have closed its standard
 * ones: they are occupied while the loop gets its own. */
#define STANDARD_FDS 3

static size_t occupy_standard(int *fds) {
  size_t len = 0;
  while (len < STANDARD_FDS) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= STANDARD_FDS)
      runnel__socket_close(fd);
    if (fd < 0 || fd >= STANDARD_FDS)
      break;
    fds[len++] = fd;
  }
  return len;
}

static void free_standard(const int *fds, size_t len) {
  while (len > 0)
    runnel__socket_close(fds[--len]);
}

static int init_loop(uv_loop_t *uv) {
  int fds[STANDARD_FDS];
  size_t len = occupy_standard(fds);
  int err = uv_loop_init(uv);
  free_standard(fds, len);
  return err;
}

static int fork_loop(uv_loop_t *uv) {
  int fds[STANDARD_FDS];
  size_t len = occupy_standard(fds);
  int err = uv_loop_fork(uv);
  free_standard(fds, len);
  return err;
}

/* In a forked child ------------------------------------------------------- */

/* Resolver threads do not exist in the child, so the block is freed whatever
 * its count. If another thread was inside the lock at the fork, the lock is
 * held for ever, what it guards may be half changed, and all of it is left: a
 * few hundred bytes, once. */
static void abandon_inbox(struct runnel__net *net) {
  struct runnel__inbox *inbox = net->inbox;
  free_posts(net, &net->posts);
  if (pthread_mutex_trylock(&inbox->lock) != 0)
    return;
  free_posts(net, &inbox->posts);
  runnel__resolve_abandon(net);
  inbox->refs = 1;
  runnel__inbox_unlock(inbox);
  runnel__inbox_release(inbox);
}

/* A loop of its own is first given a new epoll set (or its like) by
 * uv_loop_fork: the old one is shared with the parent, which would lose each
 * socket that the child takes out. After that the child's loop can be closed in
 * the ordinary way. 0, or -1 when the system has no descriptor for that. */
static int abandon_loop(struct runnel__net *net) {
  if (fork_loop(net->uv) != 0)
    return -1;
  runnel__link_hang_up_all(net);
  if (!net->closing)
    close_handles(net);
  uv_run(net->uv, UV_RUN_DEFAULT);
  return 0;
}

/* The caller's loop cannot be told without reaching into that shared set, so
 * the handles are freed under it: the child must not use that loop again. The
 * same is done to an own loop that cannot be closed (the fork happened inside a
 * callback, or no descriptor was left); its loop's memory is then lost until
 * the child ends or executes another program. */
static void abandon(struct runnel__world *world) {
  struct runnel__net *net = net_of(world);
  net->abandoned = 1;
  if (!net->gone)
    abandon_inbox(net);
  if (!net->owned || net->running || (!net->gone && abandon_loop(net) != 0)) {
    runnel__link_abandon(net);
    net->owned = 0;
  }
  free_net(net);
}

/* The beginning ----------------------------------------------------------- */

static const struct runnel__world_ops ops = {
    .now_ms = now_ms,
    .wall_s = wall_s,
    .random = draw,
    .wake_at = wake_at,
    .keep = keep,
    .resolve = runnel__resolve_start,
    .drop = runnel__resolve_drop,
    .connect = runnel__link_connect,
    .give = runnel__link_give,
    .send = runnel__link_send,
    .listen = runnel__link_listen,
    .waiting = runnel__link_waiting,
    .hang_up = runnel__link_hang_up,
    .post = post,
    .close = close_world,
    .abandon = abandon,
    .resolve_words = runnel__resolve_words,
    .trust = runnel__secure_trust,
    .distrust = runnel__trust_give,
    .trust_id = runnel__trust_id,
    .secure = runnel__secure_link,
    .why = runnel__secure_why,
};

static int code_of_uv(int err) {
  return err == UV_ENOMEM ? RUNNEL_ENOMEM : RUNNEL_ERESOURCE;
}

/* The memory of a world whose handles do not exist yet; NULL: none left. */
static struct runnel__net *make_net(const struct runnel_alloc *hooks) {
  struct runnel__mem mem;
  runnel__mem_init(&mem, hooks, UINT64_MAX);
  struct runnel__net *net = runnel__alloc_zero(&mem, sizeof *net);
  if (net == NULL)
    return NULL;
  net->mem = mem;
  net->read_buf =
      runnel__alloc_zero(&mem, RUNNEL__READ_BYTES + RUNNEL__SLACK_BYTES);
  if (net->read_buf == NULL) {
    runnel__free(&mem, net);
    return NULL;
  }
  net->world.ops = &ops;
  net->wake_at_ms = RUNNEL__NEVER;
  net->random = seed(net);
  runnel__list_init(&net->links);
  runnel__list_init(&net->due);
  runnel__list_init(&net->graves);
  runnel__list_init(&net->shakes);
  runnel__list_init(&net->posts);
  runnel__list_init(&net->done);
  return net;
}

/* Sets net->uv: the caller's loop, or one that is made. */
static int take_loop(struct runnel__net *net, struct uv_loop_s *uv) {
  net->uv = uv;
  if (uv != NULL)
    return RUNNEL_OK;
  uv_loop_t *own = runnel__alloc_zero(&net->mem, sizeof *own);
  if (own == NULL)
    return RUNNEL_ENOMEM;
  int err = init_loop(own);
  if (err != 0) {
    runnel__free(&net->mem, own);
    return code_of_uv(err);
  }
  net->uv = own;
  net->owned = 1;
  return RUNNEL_OK;
}

/* The async handle is the only one that can fail, so it is made first. */
static int open_handles(struct runnel__net *net) {
  int err = uv_async_init(net->uv, &net->bell, on_bell);
  if (err != 0)
    return code_of_uv(err);
  uv_timer_init(net->uv, &net->timer);
  uv_idle_init(net->uv, &net->idle);
  net->bell.data = net;
  net->timer.data = net;
  net->idle.data = net;
  uv_unref((uv_handle_t *)&net->bell);
  uv_unref((uv_handle_t *)&net->timer);
  uv_unref((uv_handle_t *)&net->idle);
  net->handles = 3;
  return RUNNEL_OK;
}

int runnel__loop_new(struct runnel__world **world,
                     const struct runnel_alloc *hooks, struct uv_loop_s *uv) {
  struct runnel__net *net = make_net(hooks);
  if (net == NULL)
    return RUNNEL_ENOMEM;
  int code = runnel__inbox_new(&net->inbox, &net->bell);
  if (code != RUNNEL_OK)
    goto release;
  code = take_loop(net, uv);
  if (code == RUNNEL_OK)
    code = open_handles(net);
  if (code == RUNNEL_OK) {
    *world = &net->world;
    return RUNNEL_OK;
  }
  runnel__inbox_release(net->inbox);
release:
  free_net(net);
  return code;
}

int runnel__loop_owned(const struct runnel__world *world) {
  return ((const struct runnel__net *)world)->owned;
}

void runnel__loop_run(struct runnel__world *world) {
  struct runnel__net *net = net_of(world);
  assert(net->owned && !net->running);
  net->running = 1;
  uv_run(net->uv, UV_RUN_DEFAULT);
  net->running = 0;
  if (net->gone)
    free_net(net);
}
