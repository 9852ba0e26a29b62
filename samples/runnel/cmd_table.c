/* The table of --stats: a line per stream and one of their sums. */
#include "cmd.h"

#include <stdio.h>

#define FRONT "%6s %9s %9s %8s %8s %10s %12s %12s %12s  %s"
#define ROW "%6s %9llu %9llu %8llu %8llu %10llu %12llu %12llu %12llu  %s"

static unsigned long long number(uint64_t value) { return value; }

static uint64_t reconnects(const struct runnel_stream_stats *stats) {
  return stats->opens > 1 ? stats->opens - 1 : 0;
}

static void print_row(const char *name, const struct runnel_stream_stats *row,
                      uint64_t again, const char *url) {
  cmd_note(ROW, name, number(row->events), number(row->comments),
           number(row->drops), number(row->attempts), number(again),
           number(row->bytes), number(row->bytes_copied),
           number(row->bytes_moved), url);
}

void cmd_table_print(const struct cmd *cmd) {
  struct runnel_stream_stats sum = {0};
  uint64_t again = 0;
  cmd_note(FRONT, "stream", "events", "comments", "drops", "attempts",
           "reconnects", "bytes", "bytes_copied", "bytes_moved", "url");
  for (size_t i = 0; i < cmd->streams_len; i++) {
    const struct cmd_stream *stream = &cmd->streams[i];
    const struct runnel_stream_stats *row = &stream->stats;
    char name[24];
    snprintf(name, sizeof name, "%zu", stream->place);
    print_row(name, row, reconnects(row), stream->shown_url);
    sum.events += row->events;
    sum.comments += row->comments;
    sum.drops += row->drops;
    sum.attempts += row->attempts;
    sum.bytes += row->bytes;
    sum.bytes_copied += row->bytes_copied;
    sum.bytes_moved += row->bytes_moved;
    again += reconnects(row);
  }
  print_row("total", &sum, again, "");
}
