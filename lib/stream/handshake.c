/* Slots, and who goes ahead. Whatever lets others go on only puts them into the
 * queue: handshakes begin in the pump alone, which no call of the application's
 * is on the stack of. */
#include "handshake.h"

#include <stdio.h>
#include <string.h>

#include "../core/chars.h"
#include "client.h"
#include "lead.h"
#include "stream.h"

runnel_stream *
runnel__handshake_stream(const struct runnel__handshake *handshake) {
  return RUNNEL__OF(handshake, const struct runnel__attempt, handshake)->stream;
}

static struct runnel__handshakes *all_of(const runnel_stream *stream) {
  return &stream->client->handshakes;
}

static struct runnel__line *line_of(const runnel_stream *stream) {
  return &stream->attempt->origin->handshakes;
}

void runnel__handshakes_init(struct runnel__handshakes *handshakes,
                             struct runnel__mem *mem) {
  *handshakes = (struct runnel__handshakes){0};
  runnel__slots_init(&handshakes->slots);
  runnel__sessions_init(&handshakes->sessions, mem);
}

/* Settings ----------------------------------------------------------------- */

/* The trust, to be given back; what there is to say about it goes to the log,
 * once. */
static int take_trust(runnel_client *client, runnel_tls *settings,
                      struct runnel__trust **trust, char *text) {
  struct runnel__world *world = client->world;
  text[0] = '\0';
  int err = world->ops->trust(world, settings, trust, text);
  if (err != RUNNEL_OK)
    return err;
  if (!client->handshakes.is_named) {
    client->handshakes.is_named = 1;
    runnel__log_line(&client->log, RUNNEL_LOG_INFO, "TLS is %s",
                     runnel_tls_library());
  }
  if (text[0] != '\0')
    runnel__log_line(&client->log, RUNNEL_LOG_WARN, "TLS: %s", text);
  return RUNNEL_OK;
}

int runnel__handshake_ready(runnel_client *client, runnel_tls *settings,
                            char *text) {
  char said[RUNNEL_ERROR_TEXT_BYTES];
  struct runnel__trust *trust;
  int err = take_trust(client, settings, &trust, said);
  if (err == RUNNEL_OK)
    client->world->ops->distrust(trust);
  else
    snprintf(text, RUNNEL_ERROR_TEXT_BYTES, "%s",
             said[0] == '\0' ? runnel_strerror(err) : said);
  return err;
}

/* Settings that cannot be used are no fault of a call's any more, and may be
 * mended by a reload: as any other fault of TLS they are tried again. */
static int take_own_trust(runnel_stream *stream, struct runnel__trust **trust) {
  char text[RUNNEL_ERROR_TEXT_BYTES];
  int err = take_trust(stream->client, stream->policy->tls, trust, text);
  if (err != RUNNEL_EINVAL)
    return err;
  snprintf(stream->attempt->why, sizeof stream->attempt->why, "%s", text);
  return RUNNEL_ETLS;
}

int runnel__handshake_prepare(runnel_stream *stream) {
  struct runnel__trust *trust;
  int err = take_own_trust(stream, &trust);
  if (err == RUNNEL_OK)
    stream->client->world->ops->distrust(trust);
  return err;
}

/* Under way ---------------------------------------------------------------- */

static void give_slot(runnel_stream *stream) {
  runnel__slots_give(&all_of(stream)->slots, line_of(stream));
  all_of(stream)->dirty = 1;
}

static void leave_terms(struct runnel__handshake *handshake) {
  struct runnel__terms *terms = handshake->terms;
  if (terms == NULL)
    return;
  handshake->terms = NULL;
  if (terms->leader == handshake)
    runnel__lead_pass(terms);
  runnel__terms_give(terms);
}

void runnel__handshake_leave(runnel_stream *stream,
                             struct runnel__handshake *handshake) {
  uint8_t step = handshake->step;
  if (step == RUNNEL__HANDSHAKE_QUEUED)
    runnel__slots_leave(line_of(stream), &handshake->node);
  if (step == RUNNEL__HANDSHAKE_WAITING)
    runnel__list_remove(&handshake->node);
  if (step == RUNNEL__HANDSHAKE_UNDER_WAY)
    give_slot(stream);
  leave_terms(handshake);
  *handshake = (struct runnel__handshake){0};
}

/* The session that was tried goes, unless the trouble was ours; and so does the
 * address, which may be another's by now. */
static void fail(runnel_stream *stream, int code, int native) {
  runnel_client *client = stream->client;
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel__handshake *handshake = &attempt->handshake;
  if (code != RUNNEL_ENOMEM) {
    runnel__lookups_forget(&client->lookups, attempt->url.host);
    if (handshake->terms != NULL)
      runnel__terms_drop(&client->handshakes.sessions, handshake->terms,
                         handshake->serial);
  }
  runnel__stream_end(stream, code, RUNNEL_PHASE_HANDSHAKE, native);
}

static void note_why(runnel_stream *stream) {
  const struct runnel__world_ops *ops = stream->client->world->ops;
  snprintf(stream->attempt->why, sizeof stream->attempt->why, "%s",
           ops->why(stream->link));
}

static void hear_down(void *owner, int code, int native) {
  runnel_stream *stream = owner;
  runnel__client_begin(stream->client);
  note_why(stream);
  fail(stream, code, native);
  runnel__client_end(stream->client);
}

static void take_full(runnel_stream *stream) {
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__handshakes *all = all_of(stream);
  struct runnel__terms *terms = handshake->terms;
  int64_t now_ms = stream->client->now_ms;
  all->full++;
  handshake->end =
      (struct runnel__session_end){INT64_MAX, now_ms + RUNNEL__SESSION_MS_MAX};
  runnel__terms_drop(&all->sessions, terms, handshake->serial);
  if (terms->bytes == NULL && !terms->gives_none)
    runnel__lead_take(handshake); /* for it may bring a session soon */
  runnel__lead_until(handshake, now_ms + RUNNEL__TICKET_WAIT_MS);
}

static void take_resumed(runnel_stream *stream) {
  const struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__terms *terms = handshake->terms;
  all_of(stream)->resumed++;
  if (terms->serial != handshake->serial)
    return; /* there is a newer one */
  terms->sure_ms = stream->client->now_ms;
  runnel__lead_end(terms);
}

static void hear_secured(void *owner, const struct runnel__secured *secured) {
  runnel_stream *stream = owner;
  runnel_client *client = stream->client;
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel__handshake *handshake = &attempt->handshake;
  runnel__client_begin(client);
  give_slot(stream);
  handshake->step = RUNNEL__HANDSHAKE_DONE;
  handshake->version = secured->version;
  handshake->resumed = secured->resumed != 0;
  attempt->graced = 0;
  if (secured->resumed)
    take_resumed(stream);
  else
    take_full(stream);
  runnel__describe_step(stream, secured->resumed ? "resumed a TLS session with"
                                                 : "made a TLS session with");
  runnel__lookups_prefer(&client->lookups, attempt->url.host, &attempt->peer);
  if (runnel__exchange_start(stream, stream->link) != RUNNEL_OK)
    runnel__stream_end(stream, RUNNEL_ENOMEM, RUNNEL_PHASE_HEAD, 0);
  runnel__client_end(client);
}

void runnel__handshake_session(runnel_stream *stream,
                               const struct runnel__session *session) {
  runnel_client *client = stream->client;
  struct runnel__world *world = client->world;
  if (stream->attempt == NULL || stream->attempt->handshake.terms == NULL)
    return;
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__terms *terms = handshake->terms;
  if (!runnel__terms_keep(&client->handshakes.sessions, terms, session,
                          &handshake->end, client->now_ms,
                          world->ops->wall_s(world)))
    return;
  terms->gives_none = 0;
  runnel__lead_end(terms);
}

void runnel__handshake_answered(runnel_stream *stream) {
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__terms *terms = handshake->terms;
  if (terms == NULL || terms->leader != handshake)
    return;
  terms->gives_none = 1;
  runnel__lead_end(terms);
}

/* Beginning ---------------------------------------------------------------- */

/* A reload since it came changed the terms. */
static int find_terms(runnel_stream *stream, uint64_t trust_id) {
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel__handshake *handshake = &attempt->handshake;
  struct runnel__terms *terms =
      runnel__terms_take(&all_of(stream)->sessions, attempt->origin->key,
                         trust_id, attempt->crossed);
  if (terms == NULL)
    return RUNNEL_ENOMEM;
  if (terms == handshake->terms) {
    runnel__terms_give(terms);
    return RUNNEL_OK;
  }
  leave_terms(handshake);
  handshake->terms = terms;
  return RUNNEL_OK;
}

/* As the certificate must name it (RFC 9525 6.3), and the server is told (RFC
 * 6066 3): in lower case, without the root's dot. */
static struct runnel__str print_host(char *text,
                                     const struct runnel__url *url) {
  struct runnel__str host = {text, url->host.len};
  for (size_t i = 0; i < host.len; i++)
    text[i] = runnel__lower(url->host.at[i]);
  if (host.len > 1 && text[host.len - 1] == '.')
    host.len--;
  return host;
}

/* Finds the session to try, and goes ahead if it is not sure to be taken. */
static int find_session(runnel_stream *stream,
                        struct runnel__session *session) {
  const runnel_client *client = stream->client;
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__terms *terms = handshake->terms;
  int64_t now_ms = client->now_ms;
  int found =
      runnel__terms_session(&all_of(stream)->sessions, terms, now_ms,
                            client->world->ops->wall_s(client->world), session);
  handshake->serial = found ? terms->serial : 0;
  handshake->end = found ? terms->end
                         : (struct runnel__session_end){
                               INT64_MAX, now_ms + RUNNEL__SESSION_MS_MAX};
  int is_sure = found && now_ms - terms->sure_ms <= RUNNEL__SESSION_SURE_MS;
  if (!is_sure && (found || !terms->gives_none))
    runnel__lead_take(handshake);
  return found;
}

static int secure(runnel_stream *stream, struct runnel__trust *trust) {
  char host[RUNNEL__HOST_BYTES_MAX + 2];
  const struct runnel__world_ops *ops = stream->client->world->ops;
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel__session session;
  const struct runnel__secure how = {
      .mem = &stream->client->mem,
      .trust = trust,
      .host = print_host(host, &attempt->url),
      .literal = attempt->url.literal,
      .anonymous = attempt->crossed,
      .session = find_session(stream, &session) ? &session : NULL,
  };
  runnel__slots_take(&all_of(stream)->slots, line_of(stream));
  attempt->handshake.step = RUNNEL__HANDSHAKE_UNDER_WAY;
  runnel__attempt_start_clock(stream);
  int64_t limit_ms = runnel__later(runnel__client_now(stream->client),
                                   stream->policy->handshake_ms_max);
  runnel__stream_set_state(
      stream, RUNNEL_STATE_HANDSHAKING,
      limit_ms < attempt->open_at_ms ? limit_ms : attempt->open_at_ms);
  runnel__lead_until(&attempt->handshake,
                     stream->client->now_ms + RUNNEL__LEAD_MS);
  runnel__describe_step(stream, "shaking hands with");
  int err = ops->secure(stream->link, &how);
  if (err != RUNNEL_OK)
    note_why(stream);
  return err;
}

/* There is a slot for it, unless it waits for another. */
static void begin(runnel_stream *stream) {
  const struct runnel__world_ops *ops = stream->client->world->ops;
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  struct runnel__trust *trust;
  int err = take_own_trust(stream, &trust);
  if (err == RUNNEL_OK) {
    err = find_terms(stream, ops->trust_id(trust));
    if (err == RUNNEL_OK && runnel__lead_blocks(handshake))
      runnel__lead_wait(handshake, stream->client->now_ms);
    else if (err == RUNNEL_OK)
      err = secure(stream, trust);
    ops->distrust(trust);
  }
  if (err != RUNNEL_OK)
    fail(stream, err, 0);
}

void runnel__handshakes_pump(runnel_client *client) {
  struct runnel__handshakes *all = &client->handshakes;
  struct runnel__list *node;
  all->dirty = 0;
  while ((node = runnel__slots_next(&all->slots)) != NULL) {
    struct runnel__handshake *handshake =
        RUNNEL__OF(node, struct runnel__handshake, node);
    handshake->step = RUNNEL__HANDSHAKE_NONE;
    begin(runnel__handshake_stream(handshake));
  }
}

void runnel__handshake_queue(struct runnel__handshake *handshake, int first) {
  runnel_stream *stream = runnel__handshake_stream(handshake);
  struct runnel__handshakes *all = all_of(stream);
  handshake->step = RUNNEL__HANDSHAKE_QUEUED;
  runnel__slots_join(&all->slots, line_of(stream), &handshake->node, first);
  all->dirty = 1;
  runnel__stream_set_state(stream, RUNNEL_STATE_HANDSHAKING, RUNNEL__NEVER);
}

void runnel__handshake_start(runnel_stream *stream, struct runnel__link *link) {
  static const struct runnel__link_ears ears = {.down = hear_down,
                                                .secured = hear_secured};
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  stream->client->world->ops->give(link, &ears, stream);
  stream->link = link;
  runnel__list_init(&handshake->node);
  runnel__attempt_stop_clock(stream);
  runnel__handshake_queue(handshake, 0);
}

/* Bytes that wait because a callback blocked are no reason to give up; once,
 * for a peer that dribbles is late all the same. */
static int is_graced(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  if (attempt->graced || !stream->client->world->ops->waiting(stream->link))
    return 0;
  attempt->graced = 1;
  return 1;
}

void runnel__handshake_alarm(runnel_stream *stream) {
  struct runnel__handshake *handshake = &stream->attempt->handshake;
  int64_t now_ms = stream->client->now_ms;
  if (handshake->step == RUNNEL__HANDSHAKE_WAITING)
    runnel__lead_alarm(handshake, now_ms);
  else if (is_graced(stream))
    runnel__stream_set_state(stream, RUNNEL_STATE_HANDSHAKING,
                             now_ms + RUNNEL__GRACE_MS);
  else
    fail(stream, RUNNEL_ETIMEDOUT, 0);
}
