/* What a scenario means, in the client's process: when measuring starts and
 * stops, what the server is told, when the client may stop, and what counts as
 * a failure. Knows nothing of sockets but the control socket.
 *
 * One stream is opened first, and the others at its first event: what all share
 * is there by then, a session to resume included.
 *
 *   shake    the server ends each response after an event; the clock runs for
 *            so many reconnects, from the third of each stream on
 *   bulk     the clock runs from the first event to the last
 *   idle     from the first stream's first event to the last one's
 *   storm    all had an event -> drop; until all have the next one
 *   latency  all had an event -> for so many ms, drop the streams that are not
 *            steady, each time that all are back */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tlsb.h"

#define LATENCIES_MAX ((size_t)1 << 20)

_Noreturn void tlsb_fail(const char *what) {
  fprintf(stderr, "tls: %s\n", what);
  exit(1);
}

uint64_t tlsb_now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t tlsb_number(const char *digits, size_t len) {
  uint64_t v = 0;
  for (size_t i = 0; i < len; i++)
    v = v * 10 + (uint64_t)(unsigned char)digits[i] - '0';
  return v;
}

/* Measuring ---------------------------------------------------------------- */

/* Resident bytes now: the second number of /proc/self/statm, in pages. */
static double resident_bytes(void) {
  char text[128] = "";
  char *end = text;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fgets(text, sizeof text, file) == NULL)
    tlsb_fail("/proc/self/statm");
  fclose(file);
  strtoul(text, &end, 10);
  return (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

/* What malloc gave out, its own overhead included; 0: it does not say. */
static double allocated_bytes(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  struct mallinfo2 info = mallinfo2();
  return (double)info.uordblks + (double)info.hblkhd;
#else
  return 0;
#endif
}

static double ns_of(const struct timeval *time) {
  return 1e9 * (double)time->tv_sec + 1e3 * (double)time->tv_usec;
}

static struct tlsb_mark mark_now(const struct tlsb_session *session) {
  struct rusage usage;
  struct tlsb_mark mark;
  getrusage(RUSAGE_SELF, &usage);
  mark.cpu_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime);
  mark.wall_ns = (double)tlsb_now_ns();
  mark.allocated_bytes = allocated_bytes();
  mark.rss_bytes = resident_bytes();
  session->client->count(&mark.full, &mark.resumed);
  return mark;
}

static void start_clock(struct tlsb_session *session) {
  session->began = mark_now(session);
}

static void stop_clock(struct tlsb_session *session, double count) {
  struct tlsb_mark now = mark_now(session);
  const struct tlsb_mark *began = &session->began;
  struct tlsb_result *result = &session->result;
  result->cpu_ns = now.cpu_ns - began->cpu_ns;
  result->wall_ns = now.wall_ns - began->wall_ns;
  result->allocated_bytes = now.allocated_bytes - began->allocated_bytes;
  result->rss_bytes = now.rss_bytes - began->rss_bytes;
  result->full = now.full - began->full;
  result->resumed = now.resumed - began->resumed;
  result->count = count;
  session->done = 1;
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a;
  float y = *(const float *)b;
  return (x > y) - (x < y);
}

static void take_percentiles(struct tlsb_session *session) {
  size_t len = session->latencies_len;
  if (len == 0)
    tlsb_fail("no events in the window");
  qsort(session->latencies, len, sizeof *session->latencies, by_value);
  session->result.p50_ns = (double)session->latencies[len / 2];
  session->result.p99_ns = (double)session->latencies[len * 99 / 100];
  session->result.max_ns = (double)session->latencies[len - 1];
  free(session->latencies);
  session->latencies = NULL;
}

/* Going on ----------------------------------------------------------------- */

void tlsb_session_init(struct tlsb_session *session,
                       const struct tlsb_task *task,
                       const struct tlsb_client *client) {
  *session =
      (struct tlsb_session){.task = task, .client = client, .plan = task->plan};
  if (read(PAIR_CONTROL_FD, &session->port, sizeof session->port) !=
      sizeof session->port)
    tlsb_fail("the server did not start");
  if (task->plan.kind != TLSB_LATENCY)
    return;
  session->latencies = malloc(LATENCIES_MAX * sizeof *session->latencies);
  if (session->latencies == NULL)
    tlsb_fail("memory");
}

void tlsb_session_start(struct tlsb_session *session) {
  session->client->open(0);
}

void tlsb_tally_init(struct tlsb_tally *tally,
                     const struct tlsb_session *session, int index) {
  *tally = (struct tlsb_tally){.steady = index < session->plan.steady};
}

/* From here on handshakes are full ones, if the plan wants them to be. */
static void drop(struct tlsb_session *session) {
  char order = 'd';
  if (session->plan.full && !session->dropped)
    session->client->forget();
  session->dropped = 1;
  session->back = 0;
  if (write(PAIR_CONTROL_FD, &order, 1) != 1)
    tlsb_fail("control");
}

static void came_up(struct tlsb_session *session) {
  const struct tlsb_plan *plan = &session->plan;
  int all = plan->steady + plan->streams;
  if (++session->up == 1) {
    start_clock(session);
    for (int i = 1; i < all; i++)
      session->client->open(i);
  }
  if (session->up < all)
    return;
  switch (plan->kind) {
  case TLSB_IDLE:
    stop_clock(session, all - 1);
    break;
  case TLSB_STORM:
    start_clock(session);
    drop(session);
    break;
  case TLSB_LATENCY:
    start_clock(session);
    session->until_ns = tlsb_now_ns() + (uint64_t)plan->amount * 1000000u;
    if (!plan->calm)
      drop(session);
    break;
  default:
    break;
  }
}

/* An event that is not its stream's first, nor a steady one. */
static void came_on(struct tlsb_session *session) {
  const struct tlsb_plan *plan = &session->plan;
  int warm = 2 * plan->streams;
  session->back++;
  switch (plan->kind) {
  case TLSB_SHAKE:
    if (session->back == warm)
      start_clock(session);
    else if (session->back == warm + plan->amount)
      stop_clock(session, plan->amount);
    break;
  case TLSB_BULK:
    if (session->back == plan->amount)
      stop_clock(session, (double)plan->amount * plan->record_bytes);
    break;
  case TLSB_STORM:
    if (session->back == plan->streams)
      stop_clock(session, plan->streams);
    break;
  case TLSB_LATENCY:
    if (session->back == plan->streams)
      drop(session);
    break;
  default:
    tlsb_fail("an idle stream had an event");
  }
}

static void came_steady(struct tlsb_session *session, const char *stamp) {
  uint64_t now_ns = tlsb_now_ns();
  uint64_t sent_ns = tlsb_number(stamp, TLSB_STAMP_LEN);
  if (session->until_ns == 0)
    return;
  if (session->latencies_len == LATENCIES_MAX || sent_ns > now_ns)
    tlsb_fail("more events than can be, or from the future");
  session->latencies[session->latencies_len++] = (float)(now_ns - sent_ns);
  if (now_ns < session->until_ns)
    return;
  stop_clock(session, (double)session->latencies_len);
  take_percentiles(session);
}

void tlsb_session_take(struct tlsb_session *session, struct tlsb_tally *tally,
                       const char *data) {
  uint64_t got = tlsb_number(data + TLSB_NUMBER_AT, TLSB_NUMBER_LEN);
  if (got != tally->next) {
    fprintf(stderr, "tls: event %llu came, %u was expected\n",
            (unsigned long long)got, (unsigned)tally->next);
    exit(1);
  }
  tally->next++;
  if (session->done)
    return;
  if (got == 0)
    came_up(session);
  else if (tally->steady)
    came_steady(session, data + TLSB_STAMP_AT);
  else
    came_on(session);
}

void tlsb_session_ended(const struct tlsb_session *session,
                        const struct tlsb_tally *tally) {
  if (session->plan.kind != TLSB_SHAKE && (!session->dropped || tally->steady))
    tlsb_fail("a connection ended too early");
  if (tally->next == 0)
    tlsb_fail("a connection ended without an event");
}
