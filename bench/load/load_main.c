/* What does runnel cost an application on real sockets, and how far is that
 * from the least that anybody could pay?
 *
 *   load [--json] [--quick] [--rounds N] [--only TEXT]
 *
 *   --json       a JSON object a line instead of the table
 *   --quick      3 rounds and fewer events
 *   --rounds N   medians of N rounds, 1 to 101, default 5
 *   --only TEXT  only scenarios whose name contains TEXT
 *
 * Scenarios, their units, and what is counted (the client process alone; the
 * server is another, on another core):
 *
 *   blast    ns/event    CPU, user and system, of what it takes to receive one
 *                        event from a server that always has more; events/s
 *                        of runnel beside it, and how busy it was: far below
 *                        100 % the server, or a neighbour on its core, was the
 *                        slower one. Tiny: 33 B, medium: 300 B, large: 16 KiB
 *                        on average; an HTTP chunk per event, or as many whole
 *                        events as fit into 16 KiB
 *   connect  us each     CPU, from nothing to all responses accepted
 *   idle     bytes each  growth of resident memory until all are open; runnel
 *                        dials 512 at once, its default, else without limits
 *   storm    s           the server closes all connections at once: until each
 *                        has the next event again; CPU each beside it
 *
 * Clients, in one run, taking turns: `floor` (epoll, recv, memchr), `uv+llhttp`
 * (uv_poll, llhttp, memchr) and `runnel` (runnel.h alone). The floors do no
 * more than see each event; runnel does all that an event stream asks for.
 *
 * With 100 connections and medium or large events a client that falls behind
 * the server reads from deep queues, which are cold memory, and one that keeps
 * up reads from warm ones: those rows have two values each, whose spread shows.
 *
 * Events are numbered: one that is lost, comes twice or out of order ends the
 * run with exit status 1, and so does a session that takes longer than a
 * minute. Linux only (epoll, affinity). */
#include <stdio.h>

#include "load.h"

/* runnel last: the report compares it with those before. */
static const struct load_role roles[LOAD_CLIENTS] = {
    {"floor", load_floor_run},
    {"uv+llhttp", load_uv_run},
    {"runnel", load_runnel_run}};

static struct load_row rows[] = {
    {.name = "blast tiny, chunk each, 1",
     .plan = {LOAD_BLAST, LOAD_TINY, LOAD_CHUNK_EACH, 1, 200}},
    {.name = "blast tiny, chunk each, 100",
     .plan = {LOAD_BLAST, LOAD_TINY, LOAD_CHUNK_EACH, 100, 2}},
    {.name = "blast tiny, 16 KiB chunks, 1",
     .plan = {LOAD_BLAST, LOAD_TINY, LOAD_CHUNK_16K, 1, 200}},
    {.name = "blast medium, chunk each, 1",
     .plan = {LOAD_BLAST, LOAD_MEDIUM, LOAD_CHUNK_EACH, 1, 400}},
    {.name = "blast medium, chunk each, 100",
     .plan = {LOAD_BLAST, LOAD_MEDIUM, LOAD_CHUNK_EACH, 100, 4}},
    {.name = "blast medium, 16 KiB chunks, 1",
     .plan = {LOAD_BLAST, LOAD_MEDIUM, LOAD_CHUNK_16K, 1, 400}},
    {.name = "blast large, chunk each, 1",
     .plan = {LOAD_BLAST, LOAD_LARGE, LOAD_CHUNK_EACH, 1, 800}},
    {.name = "blast large, chunk each, 100",
     .plan = {LOAD_BLAST, LOAD_LARGE, LOAD_CHUNK_EACH, 100, 8}},
    {.name = "connect", .plan = {LOAD_CONNECT, 0, 0, 10000, 1}},
    {.name = "idle", .plan = {LOAD_IDLE, 0, 0, 10000, 1}},
    {.name = "storm", .plan = {LOAD_STORM, 0, 0, 10000, 1}}};

#define ROWS (sizeof rows / sizeof rows[0])

/* As one of a session's two processes. */
static int run_role(const char *name) {
  static struct load_session session;
  struct load_plan plan;
  if (pair_begin(&plan, sizeof plan, LOAD_SECONDS_MAX) != 0)
    return 1;
  if (strcmp(name, "server") == 0)
    return load_server_run(&plan);
  for (int i = 0; i < LOAD_CLIENTS; i++)
    if (strcmp(name, roles[i].name) == 0) {
      load_session_init(&session, &plan);
      roles[i].run(&session);
      return pair_report(&session.result, sizeof session.result) != 0;
    }
  return 2;
}

/* What this machine and a short run make of the plan. */
static void fit_plan(struct load_plan *plan, int descriptors, int quick) {
  int most = descriptors - 64;
  if (plan->connections > most)
    plan->connections = most;
  if (quick && plan->laps > 1)
    plan->laps /= 2;
}

/* The clients take turns, another one first each round. */
static int run_row(struct load_row *row, int rounds) {
  struct load_result result;
  const struct pair_job job = {&row->plan, sizeof row->plan, &result,
                               sizeof result, LOAD_SECONDS_MAX};
  for (int round = 0; round < rounds; round++)
    for (int turn = 0; turn < LOAD_CLIENTS; turn++) {
      int client = (round + turn) % LOAD_CLIENTS;
      if (pair_run(&job, roles[client].name) != 0) {
        fprintf(stderr, "load: %s: %s failed\n", row->name, roles[client].name);
        return -1;
      }
      load_row_add(row, client, round, &result);
    }
  return 0;
}

int main(int argc, char **argv) {
  struct pair_args args;
  const char *role = pair_role(argc, argv);
  if (role != NULL)
    return run_role(role);
  if (pair_read_args(&args, argc, argv, "load", 3) != 0)
    return 2;
  int descriptors = pair_descriptors();
  if (pair_cores() < 2)
    fputs("load: one core: client and server share it\n", stderr);
  if (!args.json)
    load_report_head(roles);
  for (size_t i = 0; i < ROWS; i++) {
    if (strstr(rows[i].name, args.only) == NULL)
      continue;
    fit_plan(&rows[i].plan, descriptors, args.quick);
    if (rows[i].plan.kind != LOAD_BLAST && rows[i].plan.connections < 10000)
      fprintf(stderr, "load: %d connections only: see ulimit -n\n",
              rows[i].plan.connections);
    if (run_row(&rows[i], args.rounds) != 0)
      return 1;
    load_report_row(&rows[i], roles, args.rounds, args.json);
    fflush(stdout);
  }
  return 0;
}
