/* From results to figures in each scenario's units, their medians, and a line
 * of the table or of JSON. Knows nothing of how they were measured. */
#include <stdio.h>
#include <stdlib.h>

#include "tlsb.h"

static const struct tlsb_client *const clients[TLSB_CLIENTS] = {&tlsb_bare,
                                                                &tlsb_runnel};

/* The first figure is the one that is compared. */
static const struct {
  const char *unit;
  const char *names[TLSB_FIGURES];
} kinds[TLSB_KINDS] = {
    [TLSB_SHAKE] = {"ms CPU each", {"cpu_ms_each", "per_s", "full", "resumed"}},
    [TLSB_BULK] = {"MB/s of CPU", {"mb_per_cpu_s", "mb_per_s"}},
    [TLSB_IDLE] = {"bytes each",
                   {"allocated_bytes_each", "rss_bytes_each", "full",
                    "resumed"}},
    [TLSB_STORM] = {"ms CPU each", {"cpu_ms_each", "s", "full", "resumed"}},
    [TLSB_LATENCY] = {"us, p99", {"p99_us", "p50_us", "max_us", "handshakes"}}};

void tlsb_row_add(struct tlsb_row *row, int client, int round,
                  const struct tlsb_result *result) {
  double figures[TLSB_FIGURES] = {0, 0, result->full, result->resumed};
  switch (row->plan.kind) {
  case TLSB_BULK:
    figures[0] = 1e3 * result->count / result->cpu_ns;
    figures[1] = 1e3 * result->count / result->wall_ns;
    break;
  case TLSB_IDLE:
    figures[0] = result->allocated_bytes / result->count;
    figures[1] = result->rss_bytes / result->count;
    break;
  case TLSB_LATENCY:
    figures[0] = result->p99_ns / 1e3;
    figures[1] = result->p50_ns / 1e3;
    figures[2] = result->max_ns / 1e3;
    figures[3] = result->full + result->resumed;
    break;
  default:
    figures[0] = result->cpu_ns / 1e6 / result->count;
    figures[1] = row->plan.kind == TLSB_STORM
                     ? result->wall_ns / 1e9
                     : 1e9 * result->count / result->wall_ns;
  }
  for (int i = 0; i < TLSB_FIGURES; i++)
    row->value[client][i][round] = figures[i];
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The widest of the clients' ranges, in % of its median; values are sorted. */
static double spread_of(const struct tlsb_row *row, int rounds) {
  double widest = 0;
  for (int i = 0; i < TLSB_CLIENTS; i++) {
    const double *value = row->value[i][0];
    double range = (value[rounds - 1] - value[0]) / value[rounds / 2];
    if (range > widest)
      widest = range;
  }
  return 100 * widest;
}

static void print_json(const struct tlsb_row *row, int rounds) {
  const struct tlsb_plan *plan = &row->plan;
  printf("{\"scenario\":\"%s\",\"streams\":%d,\"unit\":\"%s\",\"clients\":{",
         row->name, plan->streams + plan->steady, kinds[plan->kind].unit);
  for (int i = 0; i < TLSB_CLIENTS; i++) {
    const double *value = row->value[i][0];
    printf("%s\"%s\":{\"least\":%.5g,\"most\":%.5g", i == 0 ? "" : ",",
           clients[i]->name, value[0], value[rounds - 1]);
    for (int k = 0; k < TLSB_FIGURES; k++)
      if (kinds[plan->kind].names[k] != NULL)
        printf(",\"%s\":%.5g", kinds[plan->kind].names[k],
               row->value[i][k][rounds / 2]);
    putchar('}');
  }
  puts("}}");
}

void tlsb_report_head(void) {
  printf("%-28s %-11s %9s %9s %7s %8s  %s\n", "scenario", "unit",
         clients[0]->name, clients[1]->name, "x bare", "spread %",
         "also, bare/runnel");
}

/* How much cheaper a resumed handshake is than a full one, from the row before
 * of the same kind and version. */
static void print_ratio(const struct tlsb_row *row, double value) {
  static struct tlsb_plan plan;
  static double full;
  if (row->plan.kind != TLSB_SHAKE && row->plan.kind != TLSB_STORM)
    return;
  if (row->plan.full) {
    plan = row->plan;
    full = value;
  } else if (plan.kind == row->plan.kind && plan.version == row->plan.version &&
             plan.key == row->plan.key && full > 0) {
    printf("; %.1f x cheaper than full", full / value);
  }
}

void tlsb_report_row(struct tlsb_row *row, int rounds, int json) {
  for (int i = 0; i < TLSB_CLIENTS; i++)
    for (int k = 0; k < TLSB_FIGURES; k++)
      qsort(row->value[i][k], (size_t)rounds, sizeof(double), by_value);
  if (json) {
    print_json(row, rounds);
    return;
  }
  printf("%-28s %-11s", row->name, kinds[row->plan.kind].unit);
  double bare = row->value[0][0][rounds / 2];
  double ours = row->value[1][0][rounds / 2];
  printf(" %9.*f %9.*f", bare < 10 ? 3 : 1, bare, ours < 10 ? 3 : 1, ours);
  printf(" %7.2f %8.0f ", ours / bare, spread_of(row, rounds));
  for (int k = 1; k < TLSB_FIGURES; k++)
    if (kinds[row->plan.kind].names[k] != NULL) {
      double one = row->value[0][k][rounds / 2];
      double two = row->value[1][k][rounds / 2];
      printf(" %s %.*f/%.*f", kinds[row->plan.kind].names[k], one < 10 ? 2 : 0,
             one, two < 10 ? 2 : 0, two);
    }
  print_ratio(row, ours);
  putchar('\n');
}
