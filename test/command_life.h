/* What a table cannot say of the command: its life among signals, pipes, files
 * and terminals. Each is a test for cmocka. */
#ifndef RUNNEL_TEST_COMMAND_LIFE_H
#define RUNNEL_TEST_COMMAND_LIFE_H

/* X(name, text) */
#define COMMAND_LIFE(X)                                                        \
  X(help, "--help and --version answer on standard output")                    \
  X(flushes, "an event is shown while the stream is open")                     \
  X(interrupt, "SIGINT is peace")                                              \
  X(terminate, "SIGTERM is peace")                                             \
  X(signal_backing_off, "SIGTERM while backing off is peace")                  \
  X(closed_pipe, "a reader that goes away is peace")                           \
  X(closed_pipe_idle, "also when nothing more comes")                          \
  X(blocked_pipe, "a signal ends a wait for a slow reader")                    \
  X(blocked_duration, "--duration ends a wait for a slow reader")              \
  X(blocked_lines, "what a slow reader got ends with a line")                  \
  X(steady, "a loss of a steady connection is no failure")                     \
  X(full_disk, "an output that cannot be written is an error")                 \
  X(refused, "a refused connection, in words and in JSON")                     \
  X(no_host, "a name that does not exist")                                     \
  X(idle_timeout, "--idle-timeout ends an idle attempt")                       \
  X(open_timeout, "--open-timeout ends a silent attempt")                      \
  X(unix_socket, "--unix-socket")                                              \
  X(descriptors, "more URLs than descriptors")                                 \
  X(header_file_changes, "a header file is read before each attempt")          \
  X(header_file_gone, "an unreadable header file fails the attempt")           \
  X(header_file_dropped, "what a header file drops is the command line's")     \
  X(header_file_refused, "a field refused later is named, and only once")      \
  X(header_file_fifo, "a header file that became a FIFO is not waited for")    \
  X(state_made, "--state makes its file, mode 0600")                           \
  X(state_resumes, "--state goes before --last-event-id")                      \
  X(state_keeps_others, "--state keeps what it does not know")                 \
  X(state_empty_id, "--state tells an empty id from none")                     \
  X(state_two_urls, "--state keeps an id for each URL")                        \
  X(state_block_without_data, "--state keeps an id without an event")          \
  X(state_last_of_n, "--state holds the last event's id under -n")             \
  X(state_not_before_shown, "--state holds no id that was not written")        \
  X(state_bytes, "--state keeps an id that is not UTF-8")                      \
  X(state_empty_file, "--state takes an empty file for a new one")             \
  X(state_link, "--state follows a symbolic link")                             \
  X(state_long_id, "an id that is too long is --state's fault")                \
  X(state_killed, "--state is whole after a kill at any time")                 \
  X(terminal_colour, "a terminal gets colour, and no control characters")      \
  X(terminal_no_color, "NO_COLOR is honoured")                                 \
  X(terminal_json, "JSON on a terminal escapes what JSON lets pass")           \
  X(terminal_notes, "a terminal is told of the connection")                    \
  X(two_streams, "two streams in JSON have their places")                      \
  X(expect_one_failed, "an error of one stream is the status of all")

#define COMMAND_LIFE_DECLARE(name, text) void command_life_##name(void **state);
COMMAND_LIFE(COMMAND_LIFE_DECLARE)
#undef COMMAND_LIFE_DECLARE

#endif
