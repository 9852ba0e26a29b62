/* Texts with tokens, for tables of what a program is given and says.
 *
 * Put in beforehand: <U> the URL http://127.0.0.1:PORT/feed, <p> the port, <D>
 * a folder. Matched: <n> digits, <t> a time as ISO 8601 writes it, <s> the
 * inside of a JSON string, <l> anything within a line. */
#ifndef RUNNEL_TEST_COMMAND_TEXT_H
#define RUNNEL_TEST_COMMAND_TEXT_H

/* The text with <U>, <p> and <D> put in; to be freed. NULL stays NULL. */
char *command_text(const char *text, int port, const char *dir);

/* 1 if all of `text` is what the pattern says. */
int command_matches(const char *pattern, const char *text);

/* 1 if a part of it is. */
int command_holds(const char *pattern, const char *text);

#endif
