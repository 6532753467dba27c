"""Patterns of what stands before a message: times, names, brackets, and levels of each logger.

Each is matched at one position of a line, never searched for, but where it is named a search.
"""

from __future__ import annotations

import re

from hour24.lines.printed import line_pattern as _at

_STRING = r'"(?:[^"\\]|\\.)*+"?'
JSON_TOKEN = _at(rf'({_STRING})(?:[ \t]*+(:))?|([{{}}\[\],])|([^\s"{{}}\[\],:]++)', re.DOTALL)
TIME = _at(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s+)?"
    r"(?:"
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T _]\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,:]\d{1,9})?)?)?"
    r"|\d{1,2}[-/.](?:\d{1,2}|[A-Z][a-z]{2})(?:[-/.]\d{2,4})?,?"
    r"(?:[ :T]\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?\s+\d{1,2},?"
    r"(?:\s+\d{4})?(?:,?\s+\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?:\s+\d{4})?"
    r"|\d{1,2}\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}(?:\s+\d{4})?"
    r"(?:\s+\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:[.,:]\d{1,9})?)?|\d{6} \d\d:\d\d:\d\d|\d{6}/\d{6}\.\d{3}"
    r"|20\d{6}[T _-]\d\d:?\d\d:?\d\d(?:[.,]\d{1,9})?|1\d{9}(?:\d{3}){0,3}(?:\.\d{1,9})?(?![\w:])"
    r")"
    r"(?:\s?[AP]M\b)?(?:\s?(?:Z|[+-]\d\d:?\d\d|UTC|GMT|[ECMPAN][SD]T|A[EC][SD]T|CES?T|EES?T|WES?T|BST|[IJK]ST|MSK)(?![A-Za-z]))?"
)
BRACKET = _at(r"\[([^\[\]]{0,200}+)\]|\(([^()]{0,120}+)\)|\{([^{}]{0,120}+)\}|<([^<>]{0,60}+)>")
SEPARATOR = _at(
    r"#\||[-|:,;>*#·•»/=⨯✖!]{1,4}+(?=\s|\[|$)|\|+|:(?=[ \[])|[^\w\s\x00-\x7f]{1,8}+(?=\s)"
)
CONTAINER = _at(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "
)
NUMBER = _at(r"(?:pid[=:])?\d{1,20}+(?::\w{1,20}+)?(?=[\s|\]:,-]|$)")
PAIR = _at(
    r"([\w@.][\w@./-]{0,60}+)=(\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[^\s\"']*+)", re.DOTALL
)
WORD = _at(r"[A-Za-z]{2,13}+")
AFTER_LARGE = _at(r"$|[\s:|\]>)\[(]|/[A-Z]|-{1,3}(?:\s|$)|!|\+\d")
NAME = _at(r"[\w$@./~-][\w$@./:~*-]{0,100}+")
MARKED = _at(r"[\[|:]|\s{1,40}+\|(?:\s|$)|\s[-:]\s")
LOGGED = _at(r"[\w.-]{1,60}\.([A-Z]{4,9}):")  # monolog: app.ERROR:
KLOG = _at(r"([IWEFD])(?:\d\d){2,4}\s+\d\d:\d\d:\d\d")
RUBY = _at(r"([DIWEFA]), \[")
TORNADO = _at(r"\[?\s{0,4}([DIWECF])\s{1,4}\d{2,4}-?\d\d-?\d\d[ T]\d\d:\d\d")
ANDROID = _at(r"([VDIWEFA])/[\w.-]{1,60}+\s*+(?:\(|:)")
LOGCAT = _at(r"\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+\d+\s+\d+\s+([VDIWEFA])\s")
PRIORITY = _at(r"<(\d{1,3})>(?:\d{1,2} )?")
INSIDE = _at(r"[A-Za-z]{3,13}+")
SWIFT = _at(r"\s{1,4}([a-z]{4,9}) [\w.-]{1,60}+ ?:")
TABBED = _at(r"(?:^|\t)(?:level|severity|loglevel):([A-Za-z]{3,13})(?:\t|$)")
"""LTSV; searched for."""
NAMESPACE = _at(r"(?:[a-z][\w.-]{0,40}:{1,2}){1,4}(error|fatal)\s|✖\s{1,3}(?:error|fatal)\s")
"""``prisma:error``, ``app:error`` of Node's debug, and signale."""
TAGS = _at(r"\[(\w[\w-]{0,30}+(?:,\w[\w-]{0,30}+){1,8})\]")  # hapi: [request,error]
DECORATED = _at(
    r"(?:[*=_~!#«:]{1,4}([A-Z]{3,13})[*=_~!#»:]{1,4}|\*\*([A-Za-z]{3,13}):?\*\*)(?=[\s:]|$)"
)
NOTHING = _at(
    r"\W{1,4}(?:0|none|no (?:errors?|alerts?|issues|problems))\s{0,4}"
    r"(?:[,;|]\s{0,4}[A-Za-z]{2,13}\s?[:=]|$)",
    re.IGNORECASE,
)
"""A count of nothing: ``CRITICAL: 0, ERROR: 0``."""
ARROW = _at(r"\s{0,4}(?:->|=>|→|to)\s{1,4}[A-Za-z]{2,12}$")
"""A change of state: ``state: ERROR -> OK``."""
TIMED_LETTER = _at(r"([EFCWID])(?=\s(?:\[\d|\|\s|[A-Z-]{1,12}\s{1,12}\[))")  # semantic_logger, etcd
ADDRESS = _at(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?=\s)")
PROCESS = _at(r":?\S{0,200}?:\[\d{1,10}\]:([A-Z]{3,11}):")  # PostgreSQL at Amazon
CSV = _at(
    r"\d{4}-\d\d-\d\d [\d:.]{8,15} \w{1,5},"
    r"(?:(?:\"[^\"]{0,200}+\"|[^,\"]{0,200}+),){10}([A-Z]{3,7})\d?,[0-9A-Z]{5},"
)
"""PostgreSQL's csvlog: the level is the twelfth field."""
SAID = _at(r".{0,200}? child \d{1,10} said into std(?:err|out): \"(.{1,3000})")  # PHP-FPM
PHP = _at(r"NOTICE: (?:PHP message: ){1,3}(PHP .{1,3000})")
JAVA = _at(r"\s{1,4}[\w$]{1,60}(?:\.[\w$]{1,60}){1,12}\s[\w$<>]{1,80}$")
"""The first of the two lines of java.util.logging: a time, a class and a method."""
INSIDE_CHROMIUM = _at(r"(?:\d{1,9}:){0,2}\d{4}/\d{6}(?:\.\d{1,9})?:([A-Z]{3,9}):")
HAS_MESSAGE = _at(r"\b(?:msg|message|event|text)=")
REPORT = _at(r"=([A-Z]{4,10}) REPORT====")
MAYBE = _at(
    r"\b(?:error|fatal|critical|crit|panic|emerg|severe|exception|traceback|uncaught|unhandled"
    r"|err|eror|alert|panicked)\b",
    re.IGNORECASE,
)
