/* What a peer says, and what the command makes of it. Included once, by
 * command_test.c, which explains the tokens. */

struct row {
  const char *name;
  const struct peer_step *scripts[3];
  const char *args[14];
  const char *input;  /* standard input */
  int status;         /* exit status */
  const char *out;    /* all of standard output */
  const char *err;    /* NULL: nothing; else a part of standard error */
  const char *head;   /* a part of the last request's head */
  const char *absent; /* no part of it */
  const char *body;   /* of the last request */
  size_t requests;    /* 0: not looked at */
};

#define OPEN "{\"kind\":\"open\",\"stream\":0,\"url\":\"<U>\",\"status\":200}\n"
#define EVENT_A                                                                \
  "{\"kind\":\"event\",\"stream\":0,\"type\":\"message\",\"data\":\"a\","      \
  "\"id\":\"\"}\n"
#define END "{\"kind\":\"end\",\"stream\":0,\"retry_in_ms\":null}\n"
#define AGAIN "{\"kind\":\"end\",\"stream\":0,\"retry_in_ms\":<n>}\n"
#define CLOSE "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_OK\"}\n"
#define CLOSED(code)                                                           \
  "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_" code "\"}\n"
#define ERROR(code, rest)                                                      \
  "{\"kind\":\"error\",\"stream\":0,\"code\":\"RUNNEL_" code "\"," rest "}\n"
#define JSON "-f", "json"
#define TRY "--no-reconnect"

static const struct row rows[] = {
    {"json: one event", {one}, {JSON, TRY, U}, .out = OPEN EVENT_A END CLOSE},
    {"json: type, lines, id, retry",
     {rich},
     {JSON, TRY, U},
     .out = OPEN "{\"kind\":\"event\",\"stream\":0,\"type\":\"up\",\"data\":"
                 "\"x\\ny\",\"id\":\"7\",\"retry\":250}\n"
                 "{\"kind\":\"event\",\"stream\":0,\"type\":\"message\","
                 "\"data\":\"z\",\"id\":\"7\"}\n" END CLOSE},
    {"json: bad bytes, one U+FFFD per maximal subpart",
     {broken_utf8},
     {JSON, TRY, "--comments", U},
     .out = OPEN "{\"kind\":\"event\",\"stream\":0,\"type\":\"\xef\xbf\xbd\","
                 "\"data\":\"a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
                 "\xef\xbf\xbd\",\"id\":\"\xef\xbf\xbd\"}\n"
                 "{\"kind\":\"comment\",\"stream\":0,\"text\":\" \xef\xbf\xbd"
                 "\xef\xbf\xbd\"}\n" END CLOSE},
    {"json: quotes and controls",
     {quotes},
     {JSON, TRY, U},
     .out = OPEN "{\"kind\":\"event\",\"stream\":0,\"type\":\"message\","
                 "\"data\":\"\\\"\\\\/\\u0001\\t\",\"id\":\"\"}\n" END CLOSE},
    {"json: comments",
     {remarks},
     {JSON, TRY, "--comments", U},
     .out = OPEN
     "{\"kind\":\"comment\",\"stream\":0,\"text\":\" hi\"}\n"
     "{\"kind\":\"comment\",\"stream\":0,\"text\":\"\"}\n" EVENT_A END CLOSE},
    {"comments are not shown unasked",
     {remarks},
     {JSON, TRY, U},
     .out = OPEN EVENT_A END CLOSE},
    {"json: time comes last",
     {one},
     {JSON, TRY, "--timestamps", "-n1", U},
     .out = "{\"kind\":\"open\",\"stream\":0,\"url\":\"<U>\",\"status\":200,"
            "\"time\":\"<t>\"}\n{\"kind\":\"event\",\"stream\":0,\"type\":"
            "\"message\",\"data\":\"a\",\"id\":\"\",\"time\":\"<t>\"}\n"
            "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_OK\","
            "\"time\":\"<t>\"}\n"},
    {"a clean end leads to a new attempt, 204 ends in peace",
     {one, no_content},
     {JSON, "--retry-initial", "1", U},
     .out = OPEN EVENT_A AGAIN END CLOSE,
     .requests = 2},
    {"the id goes along",
     {lost, no_content},
     {"-f", "data", "--retry-initial", "1", U},
     .out = "a\n",
     .err = "(RUNNEL_ELOST); retry 1 in 0.0 s\n",
     .head = "Last-Event-ID: 5\r\n",
     .requests = 2},
    {"json: a lost connection",
     {lost, no_content},
     {JSON, "--retry-initial", "1", "-q", U},
     .out = OPEN
     "{\"kind\":\"event\",\"stream\":0,\"type\":\"message\",\"data\":\"a\","
     "\"id\":\"5\"}\n" ERROR(
         "ELOST", "\"status\":200,\"message\":\"<s>\",\"retry_in_ms\":<n>")
         END CLOSE},
    {"a lost connection under --no-reconnect is an error",
     {lost},
     {"-f", "data", TRY, U},
     .status = 1,
     .out = "a\n",
     .err = "runnel: [0] <U>: <l>(RUNNEL_ELOST); gave up\n"},
    {"a clean end that is the last failure allowed",
     {hollow},
     {JSON, "--max-failures=1", U},
     .status = 1,
     .out = OPEN END CLOSED("EEND"),
     .err = "(RUNNEL_EEND); gave up\n",
     .requests = 1},
    {"a close-delimited body ends cleanly",
     {to_close},
     {JSON, TRY, U},
     .out = OPEN EVENT_A END CLOSE},
    {"json: 404",
     {missing},
     {JSON, "-q", U},
     .status = 1,
     .out = ERROR("ESTATUS",
                  "\"status\":404,\"body\":\"{\\\"error\\\":{\\\"code\\\":404}}"
                  "\\n\\n\",\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("ESTATUS"),
     .requests = 1},
    {"404 on standard error",
     {missing},
     {"-f", "data", U},
     .status = 1,
     .out = "",
     .err = "runnel: [0] <U>: 404 Not Found: {\"error\":{\"code\":404}} "
            "(RUNNEL_ESTATUS); gave up\n"},
    {"json: an empty body is there",
     {empty_404},
     {JSON, "-q", U},
     .status = 1,
     .out = ERROR("ESTATUS", "\"status\":404,\"body\":\"\",\"message\":\"<s>\","
                             "\"retry_in_ms\":null") CLOSED("ESTATUS")},
    {"a body is shown on one line, without controls",
     {bad_body},
     {"-f", "data", U},
     .status = 1,
     .out = "",
     .err = ": a \xef\xbf\xbd\\x1b (RUNNEL_ESTATUS); gave up\n"},
    {"json: a body is well-formed",
     {bad_body},
     {JSON, "-q", U},
     .status = 1,
     .out =
         ERROR("ESTATUS", "\"status\":400,\"body\":\"a\\n\xef\xbf\xbd\\u001B\","
                          "\"message\":\"<s>\",\"retry_in_ms\":null")
             CLOSED("ESTATUS")},
    {"503 is tried again",
     {busy, no_content},
     {JSON, "--retry-initial", "1", "-q", U},
     .out = ERROR("ESTATUS", "\"status\":503,\"body\":\"busy\",\"message\":"
                             "\"<s>\",\"retry_in_ms\":<n>") END CLOSE},
    {"retry 2 after two failures",
     {busy, busy, no_content},
     {"-f", "data", "--retry-initial", "1", U},
     .out = "",
     .err = "busy (RUNNEL_ESTATUS); retry 2 in 0.0 s\n"},
    {"no delay",
     {busy, no_content},
     {JSON, "--retry-initial", "0", "-q", U},
     .out = ERROR("ESTATUS", "\"status\":503,\"body\":\"busy\",\"message\":"
                             "\"<s>\",\"retry_in_ms\":0") END CLOSE},
    {"--max-failures",
     {busy},
     {"-f", "data", "--retry-initial", "1", "--max-failures", "3", U},
     .status = 1,
     .out = "",
     .err = "(RUNNEL_ESTATUS); gave up\n",
     .requests = 3},
    {"401 is final",
     {denied},
     {"-q", U},
     .status = 1,
     .out = "",
     .requests = 1},
    {"401 with a header file is asked once more",
     {denied},
     {"-q", "-H", "@<D>/header", U},
     .status = 1,
     .out = "",
     .head = "X-From-File: one\r\n",
     .requests = 2},
    {"json: content type",
     {html},
     {JSON, "-q", U},
     .status = 1,
     .out = ERROR("ETYPE",
                  "\"status\":200,\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("ETYPE")},
    {"json: not HTTP",
     {rubbish},
     {JSON, "-q", TRY, U},
     .status = 1,
     .out = ERROR("EHTTP", "\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("EHTTP")},
    {"json: nothing before the end",
     {nothing},
     {JSON, "-q", TRY, U},
     .status = 1,
     .out = ERROR("ELOST", "\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("ELOST")},
    {"json: a redirect's URL",
     {moved, one},
     {JSON, "-n1", U},
     .out = "{\"kind\":\"open\",\"stream\":0,\"url\":\"http://127.0.0.1:<p>/"
            "other?q=1\",\"status\":200}\n" EVENT_A CLOSE},
    {"json: a redirect to nowhere",
     {moved_badly},
     {JSON, "-q", U},
     .status = 1,
     .out = ERROR("EREDIRECT", "\"status\":302,\"body\":\"\",\"message\":"
                               "\"<s>\",\"retry_in_ms\":null")
         CLOSED("EREDIRECT")},
    {"json: an oversize event",
     {fat},
     {JSON, "-q", "--max-event-size", "5", U},
     .status = 1,
     .out = OPEN "{\"kind\":\"event\",\"stream\":0,\"type\":\"message\","
                 "\"data\":\"12345\",\"id\":\"\"}\n" ERROR(
                     "ETOOBIG", "\"status\":200,\"message\":\"<s>\","
                                "\"retry_in_ms\":null") CLOSED("ETOOBIG")},
    {"-n stops", {two}, {JSON, "-n", "1", U}, .out = OPEN EVENT_A CLOSE},
    {"-n counts shown events only",
     {types},
     {"-f", "data", "--event", "a", "-n2", U},
     .out = "1\n4\n"},
    {"--event twice",
     {types},
     {"-f", "data", "--event=b", "--event=message", TRY, U},
     .out = "2\n3\n"},
    {"--expect met",
     {two},
     {"-f", "data", "--expect=2", TRY, U},
     .out = "a\nb\n"},
    {"--expect missed",
     {two},
     {"-f", "data", "--expect", "3", TRY, U},
     .status = 1,
     .out = "a\nb\n",
     .err = "runnel: 2 events came, 3 were expected\n"},
    {"--expect counts shown events",
     {types},
     {"-qf", "data", "--event", "a", "--expect", "3", TRY, U},
     .status = 1,
     .out = "1\n4\n"},
    {"--once: the end is success",
     {one},
     {JSON, "--once", U},
     .out = OPEN EVENT_A END CLOSE,
     .requests = 1},
    {"--once: an unfinished block is an error",
     {cut_block},
     {JSON, "--once", "-q", U},
     .status = 1,
     .out = OPEN EVENT_A ERROR(
         "EEND", "\"status\":200,\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("EEND")},
    {"an unfinished block of a stream is a clean end",
     {cut_block},
     {JSON, TRY, U},
     .out = OPEN EVENT_A END CLOSE},
    {"--sentinel",
     {done},
     {JSON, "--sentinel", "[DONE]", U},
     .out = OPEN EVENT_A END CLOSE,
     .requests = 1},
    {"--once without the sentinel is an error",
     {one},
     {JSON, "--once", "-q", "--sentinel", "[DONE]", U},
     .status = 1,
     .out = OPEN EVENT_A ERROR(
         "EEND", "\"status\":200,\"message\":\"<s>\",\"retry_in_ms\":null")
         CLOSED("EEND")},
    {"no secret on standard error",
     {missing},
     {"-f", "data", "http://me:pw@127.0.0.1:<p>/feed?token=x#y"},
     .status = 1,
     .out = "",
     .err = "runnel: [0] <U>: 404"},
    {"text", {two}, {TRY, U}, .out = "message a\nmessage b\n"},
    {"text: type, id, aligned lines",
     {rich},
     {TRY, U},
     .out = "up 7 x\n     y\nmessage 7 z\n"},
    {"text: comments",
     {remarks},
     {"--comments", TRY, U},
     .out = ":  hi\n: \nmessage a\n"},
    {"text: timestamps",
     {one},
     {"--timestamps", TRY, U},
     .out = "<t> message a\n"},
    {"text: several URLs",
     {one},
     {"-q", "-n1", "http://127.0.0.1:1/", U},
     .out = "[1] message a\n"},
    {"text: ids",
     {ids},
     {TRY, U},
     .out = "message 1 a\nmessage 2 b\nmessage c\n"},
    {"data: lines as they are",
     {rich},
     {"-f", "data", "--comments", "--timestamps", TRY, U},
     .out = "x\ny\nz\n"},
    {"--url-file -",
     {one},
     {"-f", "data", TRY, "--url-file=-"},
     .input = "\n# none\n<U>\r\n",
     .out = "a\n"},
    {"options after URLs, --",
     {one},
     {U, TRY, "-f", "data", "--", U},
     .out = "a\na\n"},
    {"-q says nothing",
     {lost},
     {"-q", "-f", "data", TRY, U},
     .status = 1,
     .out = "a\n"},
    {"-v tells of a clean end",
     {one, no_content},
     {"-v", "-f", "data", "--retry-initial", "1", U},
     .out = "a\n",
     .err = "runnel: [0] <U>: ended; next attempt in 0.0 s\n"},
    {"-v tells of the connection",
     {one},
     {"-v", "-f", "data", TRY, U},
     .out = "a\n",
     .err = "runnel: [0] <U>: connected (200, <n> ms)\n"},
    {"-q goes before -v and --stats",
     {one},
     {"-v", "-q", "-f", "data", TRY, U},
     .out = "a\n"},
    {"-q leaves the table that was asked for",
     {missing},
     {"-q", "--stats", "-f", "data", TRY, U},
     .status = 1,
     .out = "",
     .err = "runnel: stream<l>\nrunnel:      0 <l>\nrunnel:  total<l>\n"},
    {"--stats",
     {two},
     {"--stats", "-f", "data", TRY, U},
     .out = "a\nb\n",
     .err = "runnel:  total         2 "},
    {"--max-failures counts a one-shot's own",
     {busy},
     {"-q", "--once", "--retry-initial", "1", U},
     .status = 1,
     .out = "",
     .requests = 3},
    {"limits that are off",
     {one},
     {"-f", "data", "--retry-max=0", "--max-failures=0", "--open-timeout=0",
      "--idle-timeout=0", "--retry-initial=0", TRY, U},
     .out = "a\n"},
    {"--duration is peace",
     {one},
     {"-f", "data", "--duration", "0.2", U},
     .status = 0},
};
