/* Whole lives of streams: the input drives the virtual world (test/sim.h) and
 * the application (model.h), a letter and an argument at a time, so that a
 * corpus can be read and written by hand. An argument is a byte, '0' meaning 0.
 *
 * The first two bytes choose the client; '$', '@' and what the world does:
 *   $N  actions mean stream N         @N  the world means link N; @. the newest
 *   rN  the oldest look-up: 0 to 2: so many addresses more than one; else fails
 *   uN  the link is up                nN  it is refused (1: out of resources)
 *   hN  head N of the table           eN  N + 1 tokens, in pieces from 4 on
 *   BN  body N of the table           bN  N raw bytes, which follow
 *   l   the last chunk                fN  the peer ends (1: resets) the link
 *   xN  TLS: 0 secured, 1 resumed, 2 distrusted, 3 broken, 4 a session, 5 a
 *       reload
 *   tN  the next alarm within 2^N s   TN  callbacks take N seconds: no alarm
 *   zN  what the link holds is noticed after the next alarm only
 *   mN  the Nth allocation fails      MN  and all after it
 * What the application does, at once or, behind 'a', in the next callback:
 *   oN open  c close  p pause  s resume  k reconnect  iN set the id  PN proceed
 *   CN the client: 0 close, 1 pause, 2 resume, 3 reconnect, 4 each, 5 post
 *   wN change a request
 * (oN: N % 16 is the kind of stream, N / 16 the callbacks; see model.c.)
 * and in callbacks only: L refuse, H hold, VN verdict.
 *
 * In the end, if the first byte is even, the world becomes kind, and every
 * stream must open or show an event, or have closed. Then all is closed. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

#define OPS_MAX 400
#define RECOVERY_MAX 5000

#define STREAM "200 OK\r\nContent-Type: text/event-stream\r\n"
#define DIGITS "0123456789012345678901234567890123456789"

/* '+' stands for STREAM. */
static const char *const heads[] = {
    "+",
    "+Transfer-Encoding: chunked\r\n",
    "+Content-Length: 64\r\n",
    "200 OK\r\nContent-Type: text/html\r\n",
    "+Content-Encoding: gzip\r\n",
    "204 No Content\r\n",
    "301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n",
    "307 Moved\r\nLocation: http://other:81/feed\r\nContent-Length: 0\r\n",
    "302 Moved\r\nLocation: //other/\r\n",
    "308 Moved\r\n",
    "401 Unauthorized\r\nContent-Length: 4\r\n",
    "404 Not Found\r\nContent-Length: 100000\r\n",
    "500 Oops\r\n",
    "503 Later\r\nRetry-After: 7\r\nContent-Length: 0\r\n",
    "429 Later\r\nRetry-After: Thu, 01 Jan 2026 02:00:00 GMT\r\n",
    "421 Misdirected\r\nContent-Length: 0\r\n",
    "100 Continue\r\n",
    "101 Switching\r\nUpgrade: x\r\n",
    "200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
    "302 Moved\r\nLocation: ftp://x/\r\n",
    "302 Moved\r\nLocation: https://other/\r\nContent-Length: 0\r\n",
};

static const char *const bodies[] = {
    ": ping\n",
    "retry: 5000\n",
    "retry: 0\n\n",
    "id: 8\n\n",
    "id\n\n",
    "data: [DONE]\n\n",
    "data: half of",
    "event: x\ndata: a\ndata: b\n\n",
    "data: \xff\xfe\nid: \xf0\x90\n\n",
    "data: " DIGITS "\ndata: " DIGITS "\n\n",
    "\xef\xbb\xbf",
    "\r",
    "\r\n\r\n",
};

struct play {
  struct model model;
  struct fuzz_input input;
  size_t link; /* 0: the newest */
  size_t ops;
};

static struct sim_link *target(struct play *play) {
  struct sim *sim = &play->model.sim;
  if (play->link != 0)
    return sim_find_link(sim, play->link);
  return sim->links_len > 0 ? sim->links[sim->links_len - 1] : NULL;
}

static void foul(struct play *play, const struct sim_link *link) {
  struct model_link *sent = model_link_of(&play->model, link->number);
  if (sent != NULL)
    sent->is_foul = 1;
}

/* Body bytes, as a chunk if that is how the link's answer began. */
static void send_body(struct sim_link *link, const char *bytes, size_t len,
                      int in_pieces) {
  char text[1100];
  size_t used = 0;
  if (link->chunked)
    used = (size_t)snprintf(text, sizeof text, "%zx\r\n", len);
  memcpy(text + used, bytes, len);
  used += len;
  if (link->chunked)
    used += (size_t)snprintf(text + used, sizeof text - used, "\r\n");
  size_t step = in_pieces ? 1 + used / 3 : used;
  for (size_t at = 0; at < used; at += step)
    sim_bytes(link, text + at, used - at < step ? used - at : step);
}

static void send_tokens(struct play *play, struct sim_link *link,
                        uint8_t argument) {
  struct model_link *sent = model_link_of(&play->model, link->number);
  if (sent == NULL)
    return;
  for (unsigned i = 0; i <= argument % 4; i++) {
    char text[64];
    int len = snprintf(text, sizeof text, "id: %u\ndata: #%04x%04x#\n\n",
                       sent->events, (unsigned)link->number, sent->events);
    sent->events++;
    send_body(link, text, (size_t)len, argument / 4 % 2);
  }
}

static void send_raw(struct play *play, struct sim_link *link,
                     uint8_t argument) {
  char text[256];
  size_t len;
  const uint8_t *bytes = fuzz_bytes(&play->input, argument, &len);
  for (size_t i = 0; i < len; i++)
    text[i] = (char)(bytes[i] == '#' ? '.' : bytes[i]);
  foul(play, link);
  if (len > 0)
    sim_bytes(link, text, len);
}

/* Only a first head of an event stream leaves the link clean. */
static void send_head(struct play *play, struct sim_link *link,
                      uint8_t argument) {
  char text[256];
  size_t which = argument % (sizeof heads / sizeof *heads);
  if (link->answered || which > 1)
    foul(play, link);
  link->answered = 1;
  link->chunked = which == 1;
  int stream = heads[which][0] == '+';
  int len = snprintf(text, sizeof text, "HTTP/1.1 %s%s\r\n",
                     stream ? STREAM : "", heads[which] + stream);
  sim_bytes(link, text, (size_t)len);
}

static void send_on_link(struct play *play, struct sim_link *link,
                         uint8_t letter, uint8_t argument) {
  const char *body = bodies[argument % (sizeof bodies / sizeof *bodies)];
  if (link->ends)
    return;
  switch (letter) {
  case 'h':
    send_head(play, link, argument);
    break;
  case 'e':
    send_tokens(play, link, argument);
    break;
  case 'B':
    foul(play, link);
    send_body(link, body, strlen(body), argument / 16 % 2);
    break;
  case 'b':
    send_raw(play, link, argument);
    break;
  case 'l':
    sim_bytes(link, "0\r\n\r\n", 5);
    break;
  default:
    sim_end(link, argument ? RUNNEL_ELOST : RUNNEL_OK,
            argument ? ECONNRESET : 0);
    break;
  }
}

static void do_tls(struct sim_link *link, uint8_t argument) {
  if (argument == 5)
    sim_reload(link->sim);
  else if (argument == 4 && link->is_up)
    sim_session(link, link->number, 3600);
  else if (!link->is_shaking)
    return;
  else if (argument < 2)
    sim_secured(link, "TLSv1.3", argument == 1 && link->session > 0);
  else if (argument == 2)
    sim_unsecured(link, RUNNEL_ETRUST, -1, "distrusted");
  else
    sim_unsecured(link, RUNNEL_ETLS, -1, "broken");
}

static void do_link(struct play *play, uint8_t letter, uint8_t argument) {
  struct sim_link *link = target(play);
  if (link == NULL || link->is_down)
    return;
  if (letter == 'u' || letter == 'n') {
    if (link->is_up)
      return;
    if (letter == 'u')
      sim_up(link);
    else
      sim_refused(link, argument ? RUNNEL_ERESOURCE : RUNNEL_ECONNECT,
                  argument ? EMFILE : ECONNREFUSED);
  } else if (letter == 'z') {
    sim_silence(link);
  } else if (letter == 'x') {
    do_tls(link, argument);
  } else if (link->is_up) {
    send_on_link(play, link, letter, argument);
  }
}

static void answer_lookup(struct play *play, uint8_t argument) {
  static const char *const texts[] = {"10.0.0.1", "2001:db8::1", "10.0.0.2"};
  struct sim *sim = &play->model.sim;
  struct runnel__addr addrs[3];
  if (sim->lookups_len == 0)
    return;
  if (argument > 2) {
    sim_unresolved(sim->lookups[0],
                   argument == 4 ? RUNNEL_ENOMEM : RUNNEL_ERESOLVE,
                   argument == 4 ? EAI_MEMORY : EAI_NONAME);
    return;
  }
  for (size_t i = 0; i <= argument; i++)
    FUZZ_CHECK(runnel__addr_parse(&addrs[i], runnel__str_of(texts[i])),
               "no address");
  sim_resolved(sim->lookups[0], addrs, (size_t)argument + 1);
}

static void arm(struct play *play, uint8_t letter) {
  struct model *model = &play->model;
  struct model_todo todo = {letter, (uint8_t)(fuzz_byte(&play->input) - '0')};
  if (model->todos_len < MODEL_TODOS_MAX)
    model->todos[model->todos_len++] = todo;
}

static void do_world(struct play *play, uint8_t letter, uint8_t argument) {
  struct model *model = &play->model;
  struct sim *sim = &model->sim;
  switch (letter) {
  case '$':
    if (argument < model->streams_len)
      model->chosen = argument;
    break;
  case '@':
    play->link = argument < MODEL_LINKS_MAX ? argument : 0;
    break;
  case 'r':
    answer_lookup(play, argument);
    break;
  case 't':
    sim_tick(sim, sim->now_ms + (INT64_C(1000) << argument % 16));
    break;
  case 'T':
    sim->now_ms += argument * INT64_C(1000);
    break;
  case 'a':
    arm(play, argument + '0');
    break;
  case 'm':
  case 'M':
    model->memory.fail_at = model->memory.calls + argument;
    model->memory.for_ever = letter == 'M';
    break;
  default:
    do_link(play, letter, argument);
    break;
  }
}

static int is_over(const struct play *play) {
  return play->model.sim.is_closed || play->model.client == NULL;
}

static void take_op(struct play *play) {
  uint8_t letter = fuzz_byte(&play->input);
  if (letter == '\0' || !strchr("$@runheBblfxtTzmMaocpskiPCw", letter))
    return;
  uint8_t argument = (uint8_t)(fuzz_byte(&play->input) - '0');
  if (strchr("$@runheBblfxtTzmMa", letter))
    do_world(play, letter, argument);
  else
    model_act(&play->model, letter, argument);
  if (!is_over(play))
    sim_settle(&play->model.sim);
  model_check(&play->model);
}

/* Kindness ---------------------------------------------------------------- */

static int all_well(const struct model *model, const size_t *goods) {
  for (size_t i = 0; i < model->streams_len; i++)
    if (model->streams[i].stream != NULL && model->streams[i].good <= goods[i])
      return 0;
  return 1;
}

/* 1 if there was something to do. */
static int help(struct play *play) {
  struct sim *sim = &play->model.sim;
  if (sim->lookups_len > 0) {
    answer_lookup(play, 0);
    return 1;
  }
  for (size_t i = 0; i < sim->links_len; i++) {
    struct sim_link *link = sim->links[i];
    if (link->is_down || link->ends || (link->is_up && link->user != NULL))
      continue;
    if (!link->is_up) {
      sim_up(link);
      return 1;
    }
    if (link->is_shaking) {
      sim_secured(link, "TLSv1.3", link->session > 0);
      return 1;
    }
    if (link->sent_len == 0)
      continue;
    link->user = link;
    send_head(play, link, 1);
    send_tokens(play, link, 0);
    return 1;
  }
  return 0;
}

static void recover(struct play *play) {
  struct model *model = &play->model;
  struct sim *sim = &model->sim;
  size_t goods[MODEL_STREAMS_MAX];
  model->todos_done = model->todos_len;
  model->memory.fail_at = 0;
  if (model->client_closing)
    return;
  for (size_t i = 0; i < MODEL_STREAMS_MAX; i++)
    goods[i] = model->streams[i].good;
  for (size_t i = 0; i < sim->links_len; i++)
    if (sim->links[i]->is_up && !sim->links[i]->ends)
      sim_end(sim->links[i], RUNNEL_ELOST, ECONNRESET);
  for (int i = 0; i < RECOVERY_MAX && !all_well(model, goods); i++) {
    model_release(model);
    sim_settle(sim);
    if (help(play))
      sim_settle(sim);
    else if (!sim_tick(sim, RUNNEL__NEVER - 1))
      break;
  }
  model_check(model);
  FUZZ_CHECK(all_well(model, goods), "a stream did not recover");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static struct play play; /* large */
  play.input = (struct fuzz_input){bytes, len};
  play.link = 0;
  uint8_t flags = fuzz_byte(&play.input);
  model_init(&play.model, fuzz_byte(&play.input));
  for (play.ops = 0;
       play.input.len > 0 && play.ops < OPS_MAX && !is_over(&play); play.ops++)
    take_op(&play);
  if (flags % 2 == 0 && !is_over(&play))
    recover(&play);
  model_deinit(&play.model);
  return 0;
}
