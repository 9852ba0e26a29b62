/* What a scenario means, in the client's process: when measuring starts and
 * stops, what the server is told, when the client may stop, and what counts as
 * a failure. Knows nothing of sockets but the control socket.
 *
 *   blast    all open -> go, and the clock runs until all events are there;
 *            then every connection must end, with nothing more on it
 *   connect  the clock runs from the start until all are open
 *   idle     likewise; then the growth of resident memory
 *   storm    all open, an event each -> drop; until all have the next event */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

_Noreturn void load_fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

_Noreturn void load_fail_number(const struct load_tally *tally, uint32_t got) {
  fprintf(stderr, "load: event %u came, %u was expected, %u still due\n",
          (unsigned)got, (unsigned)tally->next, (unsigned)tally->left);
  exit(1);
}

static struct load_mark mark_now(void) {
  struct rusage usage;
  struct timespec time;
  getrusage(RUSAGE_SELF, &usage);
  clock_gettime(CLOCK_MONOTONIC, &time);
  struct load_mark mark;
  mark.cpu_ns =
      (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
      (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
  mark.wall_ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
  return mark;
}

/* Resident bytes now: the second number of /proc/self/statm, in pages. */
static size_t resident_bytes(void) {
  char text[128] = "";
  char *end = text;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fgets(text, sizeof text, file) == NULL)
    load_fail("/proc/self/statm");
  fclose(file);
  strtoul(text, &end, 10);
  return (size_t)strtoul(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void order(char what) {
  if (write(PAIR_CONTROL_FD, &what, 1) != 1)
    load_fail("control");
}

static void stop_clock(struct load_session *session) {
  struct load_mark now = mark_now();
  session->result.cpu_ns = (double)(now.cpu_ns - session->began.cpu_ns);
  session->result.wall_ns = (double)(now.wall_ns - session->began.wall_ns);
  session->result.rss_bytes =
      (double)resident_bytes() - (double)session->rss_bytes;
}

void load_session_init(struct load_session *session,
                       const struct load_plan *plan) {
  *session = (struct load_session){.plan = *plan};
  if (read(PAIR_CONTROL_FD, session->ports, sizeof session->ports) !=
      sizeof session->ports)
    load_fail("the server did not start");
  session->lap_events = load_frames_events(plan->size);
  if (plan->kind == LOAD_BLAST)
    session->result.events =
        (double)session->lap_events * plan->laps * plan->connections;
  session->rss_bytes = resident_bytes();
  session->began = mark_now();
}

void load_tally_init(struct load_tally *tally,
                     const struct load_session *session) {
  tally->next = 0;
  tally->left = 0;
  if (session->plan.kind == LOAD_BLAST)
    tally->left = session->lap_events * (uint32_t)session->plan.laps;
  else if (session->plan.kind == LOAD_STORM)
    tally->left = 1;
}

void load_session_opened(struct load_session *session) {
  if (++session->opened != session->plan.connections)
    return;
  switch (session->plan.kind) {
  case LOAD_BLAST:
    session->began = mark_now();
    order('g');
    break;
  case LOAD_CONNECT:
  case LOAD_IDLE:
    stop_clock(session);
    session->done = 1;
    break;
  default: /* a storm counts events */
    break;
  }
}

static void drop_all(struct load_session *session) {
  session->dropped = 1;
  session->full = 0;
  session->began = mark_now();
  order('d');
}

void load_session_full(struct load_session *session, struct load_tally *tally) {
  int storm = session->plan.kind == LOAD_STORM;
  if (storm && !session->dropped)
    tally->left = 1;
  if (++session->full != session->plan.connections)
    return;
  if (storm && !session->dropped) {
    drop_all(session);
    return;
  }
  stop_clock(session);
  session->done = storm;
}

int load_session_ended(struct load_session *session,
                       const struct load_tally *tally) {
  if (session->dropped && tally->next == 1)
    return 1;
  if (session->plan.kind != LOAD_BLAST)
    load_fail("a connection ended too early");
  if (tally->left != 0)
    load_fail("events were lost at the end");
  if (++session->ended == session->plan.connections)
    session->done = 1;
  return 0;
}
