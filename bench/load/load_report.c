/* From results to figures in each scenario's unit, their medians, and a line
 * of the table or of JSON. Knows nothing of how they were measured. */
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

static const struct {
  const char *unit;
  const char *second; /* NULL: none */
} kinds[] = {[LOAD_BLAST] = {"ns/event", "m_events_per_s"},
             [LOAD_CONNECT] = {"us each", NULL},
             [LOAD_IDLE] = {"bytes each", NULL},
             [LOAD_STORM] = {"s", "cpu_us_each"}};

void load_row_add(struct load_row *row, int client, int round,
                  const struct load_result *result) {
  double each = row->plan.connections;
  double *value = &row->value[client][round];
  double *second = &row->second[client][round];
  switch (row->plan.kind) {
  case LOAD_BLAST:
    *value = result->cpu_ns / result->events;
    *second = 1e3 * result->events / result->wall_ns;
    break;
  case LOAD_CONNECT:
    *value = result->cpu_ns / 1e3 / each;
    break;
  case LOAD_IDLE:
    *value = result->rss_bytes / each;
    break;
  default:
    *value = result->wall_ns / 1e9;
    *second = result->cpu_ns / 1e3 / each;
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int len) {
  qsort(values, (size_t)len, sizeof values[0], by_value);
  return values[len / 2];
}

void load_report_head(const struct load_role *roles) {
  printf("%-30s %-10s", "scenario", "unit");
  for (int i = 0; i < LOAD_CLIENTS; i++)
    printf(" %10s", roles[i].name);
  printf(" %9s %10s %9s  %s\n", "x floor", "x uv+llh.", "spread %", "also");
}

/* The widest of the clients' ranges, in % of its median; values are sorted. */
static double spread_of(const struct load_row *row, int rounds) {
  double widest = 0;
  for (int i = 0; i < LOAD_CLIENTS; i++) {
    const double *value = row->value[i];
    double range = (value[rounds - 1] - value[0]) / value[rounds / 2];
    if (range > widest)
      widest = range;
  }
  return 100 * widest;
}

static void print_json(const struct load_row *row,
                       const struct load_role *roles, const double *second,
                       int rounds) {
  const char *name = kinds[row->plan.kind].second;
  printf("{\"scenario\":\"%s\",\"connections\":%d,\"unit\":\"%s\","
         "\"clients\":{",
         row->name, row->plan.connections, kinds[row->plan.kind].unit);
  for (int i = 0; i < LOAD_CLIENTS; i++) {
    const double *value = row->value[i]; /* sorted by now */
    printf("%s\"%s\":{\"median\":%.4g,\"least\":%.4g,\"most\":%.4g",
           i == 0 ? "" : ",", roles[i].name, value[rounds / 2], value[0],
           value[rounds - 1]);
    if (name != NULL)
      printf(",\"%s\":%.4g", name, second[i]);
    putchar('}');
  }
  puts("}}");
}

void load_report_row(struct load_row *row, const struct load_role *roles,
                     int rounds, int json) {
  double value[LOAD_CLIENTS], second[LOAD_CLIENTS];
  for (int i = 0; i < LOAD_CLIENTS; i++) {
    value[i] = median(row->value[i], rounds);
    second[i] = median(row->second[i], rounds);
  }
  if (json) {
    print_json(row, roles, second, rounds);
    return;
  }
  printf("%-30s %-10s", row->name, kinds[row->plan.kind].unit);
  for (int i = 0; i < LOAD_CLIENTS; i++)
    printf(" %10.*f", value[i] < 10 ? 2 : 1, value[i]);
  /* runnel is the last of the clients. */
  double ours = value[LOAD_CLIENTS - 1];
  printf(" %9.2f %10.2f %9.0f ", ours / value[0], ours / value[1],
         spread_of(row, rounds));
  if (row->plan.kind == LOAD_BLAST)
    printf(" %6.2f M events/s, %.0f %% busy", second[LOAD_CLIENTS - 1],
           ours * second[LOAD_CLIENTS - 1] / 10);
  else if (row->plan.kind == LOAD_STORM)
    printf(" %6.1f us CPU each", second[LOAD_CLIENTS - 1]);
  putchar('\n');
}
