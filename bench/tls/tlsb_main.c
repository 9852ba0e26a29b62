/* What does TLS cost a program that uses runnel, and how far is that from a
 * bare mbedTLS loop?
 *
 *   tls [--json] [--quick] [--rounds N] [--only TEXT]
 *
 *   --json       a JSON object a line instead of the table
 *   --quick      one round, and fewer of everything
 *   --rounds N   medians of N rounds, 1 to 101, default 5
 *   --only TEXT  only scenarios whose name contains TEXT
 *
 * Scenarios, their units, and what is counted (the client process alone; the
 * server is another, on another core, and is OpenSSL):
 *
 *   shake    ms CPU each   user and system, of one reconnect: connect,
 *                          handshake, request, response, one event, end; 16
 *                          streams at once
 *
 *   bulk     MB/s of CPU   plain bytes that a second of CPU receives (10^6), in
 *                          records of 1, 4 and 16 KiB, each an HTTP chunk that
 *                          holds one event; MB/s by the clock beside it: where
 *                          it is far lower, the server was the slower one
 *
 *   idle     bytes each    what malloc gave out for each open, silent stream,
 *                          its own overhead included; growth of resident memory
 *                          beside it. Both from the first stream to the last,
 *                          so that what all share is not counted
 *
 *   storm    ms CPU each   the server drops 2,000 streams at once: until each
 *                          has the next event again; seconds beside it
 *
 *   latency  us, p99       from the server's encryption of an event to the
 *                          callback, for 1,000 open streams that have an event
 *                          every 500 ms each, while 2,000 others are dropped
 *                          and come back, again and again for 10 s; p50 and the
 *                          greatest one beside it, and how many handshakes
 *                          there were meanwhile. Here alone runnel keeps its
 *                          limits on dials per second, but where it says
 *                          "ungated"
 */
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlsb.h"

/* runnel last: the report compares it with the one before. */
static const struct tlsb_client *const clients[TLSB_CLIENTS] = {&tlsb_bare,
                                                                &tlsb_runnel};

/* Names a plan's fields, with what most rows have in common. */
#define SHAKE(name_, version_, key_, full_, amount_)                           \
  {                                                                            \
    .name = (name_), .plan = {                                                 \
      .kind = TLSB_SHAKE,                                                      \
      .version = (version_),                                                   \
      .key = (key_),                                                           \
      .full = (full_),                                                         \
      .streams = 16,                                                           \
      .amount = (amount_)                                                      \
    }                                                                          \
  }
#define BULK(name_, suite_, record_bytes_)                                     \
  {                                                                            \
    .name = (name_), .plan = {                                                 \
      .kind = TLSB_BULK,                                                       \
      .version = 12,                                                           \
      .suite = (suite_),                                                       \
      .streams = 1,                                                            \
      .record_bytes = (record_bytes_),                                         \
      .amount = 268435456 / (record_bytes_)                                    \
    }                                                                          \
  }
#define IDLE(name_, version_, full_)                                           \
  {                                                                            \
    .name = (name_), .plan = {                                                 \
      .kind = TLSB_IDLE,                                                       \
      .version = (version_),                                                   \
      .full = (full_),                                                         \
      .streams = 500                                                           \
    }                                                                          \
  }
#define STORM(name_, version_, full_)                                          \
  {                                                                            \
    .name = (name_), .plan = {                                                 \
      .kind = TLSB_STORM,                                                      \
      .version = (version_),                                                   \
      .full = (full_),                                                         \
      .streams = 2000                                                          \
    }                                                                          \
  }
#define LATENCY(name_, version_, full_, calm_, gated_)                         \
  {                                                                            \
    .name = (name_), .plan = {                                                 \
      .kind = TLSB_LATENCY,                                                    \
      .version = (version_),                                                   \
      .full = (full_),                                                         \
      .calm = (calm_),                                                         \
      .gated = (gated_),                                                       \
      .streams = 2000,                                                         \
      .steady = 1000,                                                          \
      .amount = 10000                                                          \
    }                                                                          \
  }

static struct tlsb_row rows[] = {
    SHAKE("shake 1.2 EC full", 12, TLSB_EC, 1, 500),
    SHAKE("shake 1.2 EC resumed", 12, TLSB_EC, 0, 5000),
    SHAKE("shake 1.2 RSA full", 12, TLSB_RSA, 1, 500),
    SHAKE("shake 1.2 RSA resumed", 12, TLSB_RSA, 0, 5000),
    SHAKE("shake 1.3 EC full", 13, TLSB_EC, 1, 500),
    SHAKE("shake 1.3 EC resumed", 13, TLSB_EC, 0, 1000),
    SHAKE("shake 1.3 RSA full", 13, TLSB_RSA, 1, 500),
    SHAKE("shake 1.3 RSA resumed", 13, TLSB_RSA, 0, 1000),
    BULK("bulk ChaCha20 1 KiB", TLSB_CHACHA, 1024),
    BULK("bulk ChaCha20 4 KiB", TLSB_CHACHA, 4096),
    BULK("bulk ChaCha20 16 KiB", TLSB_CHACHA, 16384),
    BULK("bulk AES-128-GCM 1 KiB", TLSB_AES, 1024),
    BULK("bulk AES-128-GCM 4 KiB", TLSB_AES, 4096),
    BULK("bulk AES-128-GCM 16 KiB", TLSB_AES, 16384),
    IDLE("idle 1.2 full", 12, 1),
    IDLE("idle 1.2 resumed", 12, 0),
    IDLE("idle 1.3 full", 13, 1),
    IDLE("idle 1.3 resumed", 13, 0),
    STORM("storm 1.2 full", 12, 1),
    STORM("storm 1.2 resumed", 12, 0),
    STORM("storm 1.3 full", 13, 1),
    STORM("storm 1.3 resumed", 13, 0),
    LATENCY("latency 1.2 calm", 12, 0, 1, 1),
    LATENCY("latency 1.2 full", 12, 1, 0, 1),
    LATENCY("latency 1.2 resumed", 12, 0, 0, 1),
    LATENCY("latency 1.2 full, ungated", 12, 1, 0, 0),
    LATENCY("latency 1.2 resumed, ungated", 12, 0, 0, 0),
    LATENCY("latency 1.3 full", 13, 1, 0, 1),
    LATENCY("latency 1.3 resumed", 13, 0, 0, 1)};

#define ROWS (sizeof rows / sizeof rows[0])

static int has_version(int version) {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  return version <= 13;
#else
  return version <= 12;
#endif
}

/* As one of a session's two processes. */
static int run_role(const char *name) {
  static struct tlsb_task task;
  static struct tlsb_session session;
  if (pair_begin(&task, sizeof task, TLSB_SECONDS_MAX) != 0)
    return 1;
  if (strcmp(name, "server") == 0)
    return tlsb_server_run(&task);
  for (int i = 0; i < TLSB_CLIENTS; i++)
    if (strcmp(name, clients[i]->name) == 0) {
      tlsb_session_init(&session, &task, clients[i]);
      clients[i]->run(&session);
      return pair_report(&session.result, sizeof session.result) != 0;
    }
  return 2;
}

/* What this machine and a short run make of the plan. */
static void fit_plan(struct tlsb_plan *plan, int descriptors, int quick) {
  if (quick) {
    plan->amount /= plan->kind == TLSB_BULK ? 4 : 5;
    if (plan->streams > 16)
      plan->streams /= 5;
    plan->steady /= 5;
  }
  while (plan->streams + plan->steady > descriptors - 64) {
    plan->streams /= 2;
    plan->steady /= 2;
  }
}

/* That the handshakes were of the kind that the scenario is about. */
static int is_sound(const struct tlsb_plan *plan,
                    const struct tlsb_result *result) {
  if (plan->kind == TLSB_BULK || plan->calm)
    return 1;
  return plan->full ? result->resumed == 0
                    : result->full <= 0.02 * (result->full + result->resumed);
}

/* The clients take turns, another one first each round. */
static int run_row(struct tlsb_row *row, struct tlsb_task *task, int rounds) {
  struct tlsb_result result;
  const struct pair_job job = {task, sizeof *task, &result, sizeof result,
                               TLSB_SECONDS_MAX};
  task->plan = row->plan;
  for (int round = 0; round < rounds; round++)
    for (int turn = 0; turn < TLSB_CLIENTS; turn++) {
      int client = (round + turn) % TLSB_CLIENTS;
      const char *name = clients[client]->name;
      if (pair_run(&job, name) != 0) {
        fprintf(stderr, "tls: %s: %s failed\n", row->name, name);
        return -1;
      }
      if (!is_sound(&row->plan, &result)) {
        fprintf(stderr, "tls: %s: %s made %.0f full handshakes, %.0f resumed\n",
                row->name, name, result.full, result.resumed);
        return -1;
      }
      tlsb_row_add(row, client, round, &result);
    }
  return 0;
}

static int run_rows(const struct pair_args *args,
                    const struct tlsb_identity *identities) {
  static struct tlsb_task task;
  int descriptors = pair_descriptors();
  if (!args->json)
    tlsb_report_head();
  for (size_t i = 0; i < ROWS; i++) {
    if (strstr(rows[i].name, args->only) == NULL ||
        !has_version(rows[i].plan.version))
      continue;
    fit_plan(&rows[i].plan, descriptors, args->quick);
    task.identity = identities[rows[i].plan.key];
    if (run_row(&rows[i], &task, args->rounds) != 0)
      return 1;
    tlsb_report_row(&rows[i], args->rounds, args->json);
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  static struct tlsb_identity identities[TLSB_KEYS];
  struct pair_args args;
  const char *role = pair_role(argc, argv);
  if (role != NULL)
    return run_role(role);
  if (pair_read_args(&args, argc, argv, "tls", 1) != 0)
    return 2;
  if (pair_cores() < 2)
    fputs("tls: one core: client and server share it\n", stderr);
  for (int key = 0; key < TLSB_KEYS; key++)
    if (tlsb_identity_make(&identities[key], key) != 0) {
      fputs("tls: OpenSSL could not make a certificate\n", stderr);
      return 1;
    }
  return run_rows(&args, identities);
}
