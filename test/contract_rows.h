/* ROW(name, stream, callbacks...): what a stream holds, and the callbacks that
 * it must lead to, in the words of contract_expect. HTML standard 9.2.5 and
 * 9.2.6; the cases are those of the public harness. */
#define BOM "\xEF\xBB\xBF"

ROW("one line", "data: Hello\n\n", "message|Hello|")
ROW("two events", "data: Hello\n\ndata: World\n\n", "message|Hello|",
    "message|World|")
ROW("two lines", "data: Hello\ndata:World\n\n", "message|Hello\nWorld|")
ROW("empty data", "data:\n\n", "message||")
ROW("type", "event: greeting\ndata: Hello\n\n", "greeting|Hello|")
ROW("id", "id: abc\ndata: Hello\n\n", "message|Hello|abc")
ROW("type and id", "event: greeting\nid: abc\ndata: Hello\n\n",
    "greeting|Hello|abc")
ROW("id with NUL is ignored", "id: a\0bc\ndata: Hello\n\n", "message|Hello|")
ROW("id stays in force", "id: abc\ndata: first\n\ndata: second\n\n",
    "message|first|abc", "message|second|abc")
ROW("id is emptied", "id: abc\ndata: first\n\nid: \ndata: second\n\n",
    "message|first|abc", "message|second|")
ROW("fields in reverse", "data: Hello\nid: abc\nevent: greeting\n\n",
    "greeting|Hello|abc")
ROW("unknown field", "event: greeting\ncolor: blue\ndata: Hello\n\n",
    "greeting|Hello|")
ROW("no space", "event:greeting\ndata:Hello\n\n", "greeting|Hello|")
ROW("two spaces", "event:  greeting\ndata:  Hello\n\n", " greeting| Hello|")
ROW("no colon", "data\n\ndata\ndata\n\n", "message||", "message|\n|")
ROW("many bytes a character", "data: €豆腐\n\n", "message|€豆腐|")
ROW("bad UTF-8", "data: a\xFF\n\n:c\xFF\n", "message|a\xEF\xBF\xBD|",
    ":c\xEF\xBF\xBD")

ROW("BOM", BOM "data: Hello\n\n", "message|Hello|")
ROW("BOM before a type", BOM "event: greeting\nid: abc\ndata: Hello\n\n",
    "greeting|Hello|abc")
ROW("BOM, two events", BOM "data: First\n\ndata: Second\n\n", "message|First|",
    "message|Second|")
ROW("BOM later", "data: First\n\ndata: " BOM "Second\n\n", "message|First|",
    "message|" BOM "Second|")
ROW("BOM twice", BOM "data: " BOM "Hello\n\n", "message|" BOM "Hello|")
ROW("BOM before a comment", BOM ":comment\ndata: Hello\n\n", ":comment",
    "message|Hello|")
ROW("BOM, empty data", BOM "data:\n\n", "message||")

ROW("comment", ":Hello\n", ":Hello")
ROW("two comments", ":Hello\n:World\n", ":Hello", ":World")
ROW("comment before an event", ":Hello\ndata: Hello\n\n", ":Hello",
    "message|Hello|")
ROW("comment after an event", "data: Hello\n\n:Hello\n", "message|Hello|",
    ":Hello")

#define ENDS(name, end)                                                        \
  ROW("one line, " name, "data: event 1" end end, "message|event 1|")          \
  ROW("events of one and two lines, " name,                                    \
      "data: event 1" end end "data: event 2 line 1" end                       \
      "data: event 2 line 2" end end,                                          \
      "message|event 1|", "message|event 2 line 1\nevent 2 line 2|")           \
  ROW("empty line first, " name,                                               \
      "data:" end "data: line2" end "data: line3" end end,                     \
      "message|\nline2\nline3|")                                               \
  ROW("empty line within, " name,                                              \
      "data: line1" end "data:" end "data: line3" end end,                     \
      "message|line1\n\nline3|")                                               \
  ROW("one blank line more, " name,                                            \
      "data: event 1" end end end "data: event 2" end end, "message|event 1|", \
      "message|event 2|")                                                      \
  ROW("two blank lines more, " name,                                           \
      "data: event 1" end end end end "data: event 2" end end,                 \
      "message|event 1|", "message|event 2|")
ENDS("LF", "\n")
ENDS("CRLF", "\r\n")
ENDS("CR", "\r")
ROW("CRLF everywhere", "data: Hello\r\ndata: World\r\n\r\ndata: OK\r\n\r\n",
    "message|Hello\nWorld|", "message|OK|")
#undef ENDS
#undef BOM
#undef ROW
