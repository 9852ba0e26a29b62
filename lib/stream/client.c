/* The registry, the alarm, the turn. */
#include "client.h"

#include "client_options.h"
#include "request.h"
#include "stream.h"

/* wake_at for "the next turn": a time that has come by any clock. */
#define AT_ONCE 0

static int own_init(struct runnel_client *client,
                    const struct runnel_client_options *options) {
  runnel__list_init(&client->streams);
  runnel__list_init(&client->ready);
  runnel__gate_init(&client->gate, 0);
  runnel__lookups_init(&client->lookups, &client->mem);
  runnel__handshakes_init(&client->handshakes, &client->mem);
  client->wake_ms = RUNNEL__NEVER;
  int err = runnel__client_options_copy(client, options);
  if (err == RUNNEL_OK)
    err = runnel__heap_reserve(&client->heap, &client->mem, 1);
  return err;
}

int runnel__client_new(struct runnel_client **client,
                       struct runnel_client_options *options) {
  struct runnel_client_options none = RUNNEL_CLIENT_OPTIONS_INIT;
  if (options == NULL)
    options = &none;
  int err = runnel__client_options_check(options);
  if (err != RUNNEL_OK)
    return err;
  struct runnel__mem mem;
  runnel__mem_init(&mem, &options->alloc, 0);
  struct runnel_client *made = runnel__alloc_zero(&mem, sizeof *made);
  if (made == NULL)
    return RUNNEL_ENOMEM;
  made->mem = mem;
  err = own_init(made, options);
  if (err != RUNNEL_OK) {
    runnel__client_free(made);
    return err;
  }
  *client = made;
  return RUNNEL_OK;
}

const struct runnel_alloc *
runnel__client_hooks(const struct runnel_client *client) {
  return &client->mem.hooks;
}

void runnel__client_free(struct runnel_client *client) {
  struct runnel__mem mem = client->mem;
  if (client->gone != NULL)
    *client->gone = 1;
  runnel__policy_give(client->last_policy, &mem);
  runnel__ask_free(&client->defaults_ask, &mem);
  runnel__free(&mem, client->defaults_sentinel);
  runnel_tls_release(client->defaults.tls);
  runnel__free(&mem, client->overrides);
  runnel__sessions_free(&client->handshakes.sessions);
  runnel__lookups_free(&client->lookups, 0);
  runnel__gate_free(&client->gate, &mem);
  runnel__heap_free(&client->heap, &mem);
  runnel__free(&mem, client);
}

int64_t runnel__client_now(struct runnel_client *client) {
  client->now_ms = client->world->ops->now_ms(client->world);
  return client->now_ms;
}

uint64_t runnel__client_random(struct runnel_client *client) {
  return client->world->ops->random(client->world);
}

/* The alarm that is wanted: at once for who is ready, else the first deadline.
 */
static int64_t next_wake(const struct runnel_client *client) {
  if (client->closed)
    return RUNNEL__NEVER;
  if (!runnel__list_empty(&client->ready) || client->gate_dirty ||
      client->handshakes.dirty)
    return AT_ONCE;
  if (client->closing && client->streams_len == 0)
    return AT_ONCE;
  const struct runnel__heap_node *first = runnel__heap_first(&client->heap);
  return first == NULL ? RUNNEL__NEVER : first->at_ms;
}

void runnel__client_settle(struct runnel_client *client) {
  if (client->turns > 0)
    return;
  int64_t wake_ms = next_wake(client);
  if (wake_ms == client->wake_ms)
    return;
  client->wake_ms = wake_ms;
  client->world->ops->wake_at(client->world, wake_ms);
}

void runnel__client_begin(struct runnel_client *client) {
  if (client->turns++ == 0)
    (void)runnel__client_now(client);
}

/* Lets the gate admit whom it may, and sets its clock for the others. */
static void pump_gate(struct runnel_client *client) {
  int64_t wake_ms = RUNNEL__NEVER;
  struct runnel__list *node;
  client->gate_dirty = 0;
  while ((node = runnel__gate_admit(&client->gate, client->now_ms, &wake_ms)) !=
         NULL)
    runnel__attempt_admitted(RUNNEL__OF(node, runnel_stream, queue));
  if (wake_ms == RUNNEL__NEVER)
    runnel__heap_remove(&client->heap, &client->gate_clock);
  else
    runnel__heap_set(&client->heap, &client->gate_clock, wake_ms);
}

void runnel__client_end(struct runnel_client *client) {
  if (client->turns > 1) {
    client->turns--;
    return;
  }
  if (client->gate_dirty)
    pump_gate(client);
  if (client->handshakes.dirty)
    runnel__handshakes_pump(client);
  client->turns--;
  if (client->closing && client->streams_len == 0 && !client->closed) {
    client->closed = 1;
    runnel__lookups_free(&client->lookups, 1);
    client->world->ops->close(client->world);
  }
  runnel__client_settle(client);
}

/* Every deadline that has come, once: a handler that sets a new one at once
 * must wait for the next turn. */
static void run_deadlines(struct runnel_client *client) {
  size_t most = client->heap.len;
  struct runnel__heap_node *node;
  while (most-- > 0 && (node = runnel__heap_first(&client->heap)) != NULL &&
         node->at_ms <= client->now_ms) {
    runnel__heap_remove(&client->heap, node);
    if (node == &client->gate_clock)
      client->gate_dirty = 1;
    else
      runnel__stream_alarm(RUNNEL__OF(node, runnel_stream, clock));
  }
}

static void serve_ready(struct runnel_client *client) {
  struct runnel__list batch;
  runnel__list_move(&batch, &client->ready);
  while (!runnel__list_empty(&batch)) {
    runnel_stream *stream = RUNNEL__OF(batch.next, runnel_stream, ready);
    runnel__list_remove(&stream->ready);
    runnel__stream_serve(stream);
  }
}

static void hear_alarm(void *owner) {
  struct runnel_client *client = owner;
  client->wake_ms = RUNNEL__NEVER; /* used up, whatever it was */
  runnel__client_begin(client);
  run_deadlines(client);
  serve_ready(client);
  runnel__client_end(client);
}

static void hear_resolved(void *asker, int code, int native,
                          const struct runnel__addr *addrs, size_t len) {
  runnel__lookups_resolved(asker, code, native, addrs, len);
}

static void hear_closed(void *owner) {
  struct runnel_client *client = owner;
  void (*on_closed)(void *user) = client->on_closed;
  void *user = client->on_closed_user;
  if (on_closed != NULL)
    on_closed(user);
  runnel__client_free(client);
}

void runnel__client_attach(struct runnel_client *client,
                           struct runnel__world *world) {
  static const struct runnel__world_ears ears = {hear_alarm, hear_resolved,
                                                 hear_closed};
  client->world = world;
  client->lookups.world = world;
  client->gate.origins.seed = world->ops->random(world);
  client->lookups.hosts.seed = world->ops->random(world);
  client->handshakes.sessions.terms.seed = world->ops->random(world);
  world->ears = &ears;
  world->owner = client;
  (void)runnel__client_now(client);
}

int runnel__client_add(struct runnel_client *client, runnel_stream *stream) {
  int err = runnel__heap_reserve(&client->heap, &client->mem,
                                 client->streams_len + 2);
  if (err != RUNNEL_OK)
    return err;
  runnel__list_push(&client->streams, &stream->all);
  if (client->streams_len++ == 0)
    client->world->ops->keep(client->world, 1);
  return RUNNEL_OK;
}

void runnel__client_remove(struct runnel_client *client,
                           runnel_stream *stream) {
  runnel__list_remove(&stream->all);
  runnel__list_remove(&stream->ready);
  runnel__heap_remove(&client->heap, &stream->clock);
  if (--client->streams_len == 0 && !client->closing)
    client->world->ops->keep(client->world, 0);
}

void runnel__client_ready(struct runnel_client *client, runnel_stream *stream) {
  if (runnel__list_empty(&stream->ready))
    runnel__list_push(&client->ready, &stream->ready);
}

int runnel__client_close(struct runnel_client *client,
                         void (*on_closed)(void *user), void *user) {
  if (client->closing)
    return RUNNEL_ESTATE;
  client->closing = 1;
  client->on_closed = on_closed;
  client->on_closed_user = user;
  if (client->streams_len == 0)
    client->world->ops->keep(client->world, 1);
  for (struct runnel__list *at = client->streams.next; at != &client->streams;
       at = at->next)
    (void)runnel__stream_close(RUNNEL__OF(at, runnel_stream, all),
                               RUNNEL_ECANCELED);
  runnel__client_settle(client);
  return RUNNEL_OK;
}

void runnel__client_abandon(struct runnel_client *client) {
  struct runnel__world *world = client->world;
  world->ops->abandon(world);
  while (!runnel__list_empty(&client->streams)) {
    runnel_stream *stream =
        RUNNEL__OF(client->streams.next, runnel_stream, all);
    runnel__list_remove(&stream->all);
    runnel__stream_free(stream);
  }
  runnel__client_free(client);
}

/* Runs `act` on every stream that is not closing. */
static void for_each(struct runnel_client *client,
                     int (*act)(runnel_stream *)) {
  for (struct runnel__list *at = client->streams.next; at != &client->streams;
       at = at->next)
    (void)act(RUNNEL__OF(at, runnel_stream, all));
  runnel__client_settle(client);
}

int runnel__client_pause(struct runnel_client *client) {
  for_each(client, runnel__stream_pause);
  return RUNNEL_OK;
}

int runnel__client_resume(struct runnel_client *client) {
  for_each(client, runnel__stream_resume);
  return RUNNEL_OK;
}

int runnel__client_reconnect(struct runnel_client *client, int64_t spread_ms) {
  if (spread_ms < 0 || spread_ms > RUNNEL_MS_MAX)
    return RUNNEL_EINVAL;
  if (spread_ms == 0) {
    for_each(client, runnel__stream_reconnect);
    return RUNNEL_OK;
  }
  int64_t now_ms = runnel__client_now(client);
  for (struct runnel__list *at = client->streams.next; at != &client->streams;
       at = at->next) {
    runnel_stream *stream = RUNNEL__OF(at, runnel_stream, all);
    if (stream->state == RUNNEL_STATE_CLOSING || stream->policy->once)
      continue;
    uint64_t draw = runnel__client_random(client) % ((uint64_t)spread_ms + 1);
    stream->reconnect_ms = now_ms + (int64_t)draw;
    runnel__stream_arm(stream);
  }
  runnel__client_settle(client);
  return RUNNEL_OK;
}

int runnel__client_each(struct runnel_client *client,
                        int (*visit)(runnel_stream *stream, void *user),
                        void *user) {
  if (runnel__list_empty(&client->streams))
    return 0;
  const struct runnel__list *last = client->streams.prev;
  struct runnel__list *at = &client->streams;
  do {
    at = at->next;
    runnel_stream *stream = RUNNEL__OF(at, runnel_stream, all);
    int stop = stream->state == RUNNEL_STATE_CLOSING ? 0 : visit(stream, user);
    if (stop != 0)
      return stop;
  } while (at != last);
  return 0;
}

void runnel__client_stats(struct runnel_client *client,
                          struct runnel_client_stats *stats) {
  *stats = client->past;
  stats->streams = client->streams_len;
  stats->dials = client->gate.dials;
  stats->held_bytes = client->mem.held;
  stats->lookups = client->lookups.asked;
  stats->lookups_joined = client->lookups.joined;
  stats->handshakes = client->handshakes.slots.taken;
  stats->handshakes_full = client->handshakes.full;
  stats->handshakes_resumed = client->handshakes.resumed;
  for (struct runnel__list *at = client->streams.next; at != &client->streams;
       at = at->next) {
    const runnel_stream *stream = RUNNEL__OF(at, runnel_stream, all);
    stats->streams_open +=
        stream->state == RUNNEL_STATE_OPEN && stream->link != NULL;
    stats->streams_queued += stream->state == RUNNEL_STATE_QUEUED;
    runnel__stream_add_stats(stream, stats);
  }
}

const struct runnel__addr *
runnel__client_override(const struct runnel_client *client,
                        struct runnel__str host, uint16_t port) {
  for (size_t i = 0; i < client->overrides_len; i++) {
    const struct runnel__override *row = &client->overrides[i];
    if (row->addr.port == port &&
        runnel__str_eq_nocase(runnel__str_of(row->host), host))
      return &row->addr;
  }
  return NULL;
}
