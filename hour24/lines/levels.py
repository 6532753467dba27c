"""The level of a log line: its level field or its prefix, as the common loggers write them.

Rules of this module:

- A field first (JSON, logfmt), then a prefix, then what only a crash prints (a panic, an uncaught
  exception, a traceback), then the priority of a syslog header, then the platform's own label.
- A prefix comes before the message: only times, processes, threads and logger names may precede it.
  A level word inside a message is no level: ``finished, 0 ERROR``.
- In lower case a level counts only when its logger marks it: ``[error]``, ``error:``.
- What a container runtime wraps around a line comes off first: ``{"log": ...}`` of Docker; time,
  stream and flag of Kubernetes' runtimes.
- A line with carriage returns has the worst level of its parts.
- Only the first :data:`LONGEST` characters of the first line that is not blank are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from hour24.linear import shipped
from hour24.lines.visible import visible, without_sequences, without_signs

LONGEST = 4000
MOST_HEADERS = 10
"""Times, names and numbers that may precede a level."""
MOST_FIELDS = 200
"""Fields of a line that are read; a level comes early."""

Severity = Literal["error", "warning", "lower", "unknown"]
By = Literal["line", "crash", "syslog", "platform", "nothing"]


class Level(NamedTuple):
    """The level of a line: severity, the word for it, and what stated it."""

    severity: Severity
    word: str
    by: By

    @property
    def is_error(self) -> bool:
        """Whether it is an error or worse."""
        return self.severity == "error"

    @property
    def is_known(self) -> bool:
        """Whether the level is stated at all."""
        return self.severity != "unknown"


UNKNOWN = Level("unknown", "", "nothing")


def _level_names(words: str) -> list[str]:
    return words.split()


_WORDS: dict[str, Severity] = {
    **dict.fromkeys(
        _level_names(
            "error err eror erro fatal fata ftl critical crit alert alrt emerg emergency panic pani"
            " pnc severe dpanic"
        ),
        "error",
    ),
    **dict.fromkeys(_level_names("warn warning wrn"), "warning"),
    **dict.fromkeys(
        _level_names(
            "info inf information informational notice note log debug debu dbg dbug trace trac trc"
            " trce fine finer finest verbose vrb config success http silly audit statement detail"
            " hint context system"
        ),
        "lower",
    ),
}
_SMALL: dict[str, Severity] = {**_WORDS, "fail": "error"}
"""``fail:`` is a level of .NET; in capitals it is a test result."""
_LEVEL_KEYS = frozenset(
    _level_names(
        "level lvl severity levelname levelno level_name loglevel log_level log.level level.name @l"
        " @level severitytext severity_text severity_number severitynumber level_value priority s"
    )
)
_NO_NAMES = frozenset(
    _level_names(
        "a after an and any before by for found from got had has have in is last new next no not of"
        " on other previous saw seen some the this to was with without zero"
    )
)
"""Words of messages that are no logger names."""


def _at(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return shipped(pattern, flags, longest=LONGEST)


_STRING = r'"(?:[^"\\]|\\.)*+"?'
_JSON_TOKEN = _at(rf'({_STRING})(?:[ \t]*+(:))?|([{{}}\[\],])|([^\s"{{}}\[\],:]++)', re.DOTALL)
_TIME = _at(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?\s+)?"
    r"(?:"
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T _]\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,:]\d{1,9})?)?)?"
    r"|\d{1,2}[-/.](?:\d{1,2}|[A-Z][a-z]{2})(?:[-/.]\d{2,4})?,?"
    r"(?:[ :T]\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?\s+\d{1,2},?"
    r"(?:\s+\d{4})?(?:,?\s+\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?:\s+\d{4})?"
    r"|\d{1,2}\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}(?:\s+\d{4})?"
    r"(?:\s+\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:[.,:]\d{1,9})?)?|\d{6} \d\d:\d\d:\d\d"
    r")"
    r"(?:\s?[AP]M\b)?(?:\s?(?:Z|[+-]\d\d:?\d\d|UTC|GMT|[ECMPAN][SD]T|A[EC][SD]T|CES?T|EES?T|WES?T|BST|[IJK]ST|MSK)(?![A-Za-z]))?"
)
_BRACKET = _at(r"\[([^\[\]]{0,200}+)\]|\(([^()]{0,120}+)\)|\{([^{}]{0,120}+)\}|<([^<>]{0,60}+)>")
_SEPARATOR = _at(r"[-|:,;>*#·•»/=⨯✖!]{1,4}+(?=\s|\[|$)|\|+|:(?=[ \[])|[^\w\s\x00-\x7f]{1,8}+(?=\s)")
_CONTAINER = _at(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "
)
_NUMBER = _at(r"(?:pid[=:])?\d{1,20}+(?::\w{1,20}+)?(?=[\s|\]:,-]|$)")
_PAIR = _at(
    r"([\w@.][\w@./-]{0,60}+)=(\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|[^\s\"']*+)", re.DOTALL
)
_WORD = _at(r"[A-Za-z]{2,13}+")
_AFTER_LARGE = _at(r"$|[\s:|\]>)\[(]|/[A-Z]|-{1,3}(?:\s|$)|!|\+\d")
_NAME = _at(r"[\w$@./~-][\w$@./:~*-]{0,100}+")
_MARKED = _at(r"[\[|:]|\s{1,40}+\|(?:\s|$)|\s[-:]\s")
_LOGGED = _at(r"[\w.-]{1,60}\.([A-Z]{4,9}):")  # monolog: app.ERROR:
_KLOG = _at(r"([IWEFD])\d{4}\s+\d\d:\d\d:\d\d")
_RUBY = _at(r"([DIWEFA]), \[")
_TORNADO = _at(r"\[?\s{0,4}([DIWECF])\s{1,4}\d{2,4}-?\d\d-?\d\d[ T]\d\d:\d\d")
_ANDROID = _at(r"([VDIWEFA])/[\w.-]{1,60}+\s*+(?:\(|:)")
_LOGCAT = _at(r"\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+\d+\s+\d+\s+([VDIWEFA])\s")
_PRIORITY = _at(r"<(\d{1,3})>(?:\d{1,2} )?")
_INSIDE = _at(r"[A-Za-z]{3,13}+")
_SWIFT = _at(r"\s{1,4}([a-z]{4,9}) [\w.-]{1,60}+ ?:")
_REPORT = _at(r"=([A-Z]{4,10}) REPORT====")
_LETTERS: dict[str, Severity] = {
    "I": "lower",
    "D": "lower",
    "V": "lower",
    "T": "lower",
    "W": "warning",
    "E": "error",
    "F": "error",
    "A": "error",
    "C": "error",
}
_CRASH = _at(
    r"panic: |fatal error: |Traceback \(most recent call last\)|thread '[^']{0,200}+' "
    r"(?:\(\d+\) )?panicked at|Exception in thread |Exception: |Unhandled exception"
    r"|Uncaught |\(node:\d+\) (?:UnhandledPromiseRejection|\[?[A-Z_0-9]*\]? ?[A-Z]\w*Error)"
    r"|\[?UnhandledPromiseRejection|[Uu]nhandled [Rr]ejection|[Uu]nhandled promise rejection"
    r"|(?:triggerU|u)ncaughtException|Error: |Error \[[A-Z_0-9]+\]: |error: |Caused by: |npm ERR!"
    r"|npm error |PHP (?:Fatal|Parse|Recoverable fatal) error: |(?:PHP )?Fatal error: "
    r"|Fatal Python error: |FATAL ERROR: |terminate called |Segmentation fault|::error|##\[error\]"
    r"|http: panic serving |\*\*\* (?:Error|buffer overflow|stack smashing)|Unhandled Exception: "
    r"|(?:[A-Za-z_$][\w$]{0,60}+(?:\.|::|:(?=\w))){0,12}+[A-Z][\w$]{0,60}?"
    r"(?:Error|Exception)(?: \[[A-Z_0-9]+\])?: "
    r"|\S{1,200}+: (?:[a-z]{1,20}+: )?line \d+: .{0,200}?(?:command not found|No such file)"
    r"|ActiveRecord::\w+|[A-Z]\w*(?:::[A-Z]\w*)+(?:Error|Exception)?\b: "
    r"|exception: |uncaught exception"
)
_LOWER_CRASH = _at(
    r"PHP (?:Warning|Notice|Deprecated|Strict Standards): |npm (?:WARN|warn|notice) "
)
_MAYBE = _at(
    r"\b(?:error|fatal|critical|crit|panic|emerg|severe|exception|traceback|uncaught|unhandled"
    r"|err|eror|alert|panicked)\b",
    re.IGNORECASE,
)


def level_of(message: str, label: str = "") -> Level:
    """The level of a line.

    Args:
        message: as it came.
        label: what the platform calls its level; empty where it says nothing.
    """
    found = max((_own(part) for part in _parts(message)), key=lambda each: _RANK[each.severity])
    if found.is_known:
        return found
    severity = _word(label.strip())
    return UNKNOWN if severity is None else Level(severity, label.strip().lower(), "platform")


def names_level(word: str) -> bool:
    """Whether a word by itself is the name of a level."""
    return word.lower() in _WORDS


def may_be_error(message: str) -> bool:
    """True if a word of an error is anywhere in the part of a line that is read."""
    return _MAYBE.search(visible(message[: 2 * LONGEST])[:LONGEST]) is not None


_RANK: dict[Severity, int] = {"unknown": 0, "lower": 1, "warning": 2, "error": 3}


def _parts(message: str) -> list[str]:
    """The first line that is not blank, divided at each carriage return."""
    cut = message[: 2 * LONGEST]
    shown = without_sequences(cut).replace("\r\n", "\n")
    parts = [without_signs(part) for part in shown.split("\r")]
    lines = [next((line for line in each.split("\n") if line.strip()), "") for each in parts]
    return [line.strip()[:LONGEST] for line in lines if line.strip()] or [""]


def _word(word: str) -> Severity | None:
    """The severity that a level's word or number means; none when it means none."""
    plain = word.strip().strip("[]()<>:\"'").lower()
    if plain.lstrip("-").replace(".", "", 1).isdigit():
        return None
    return _WORDS.get(plain)


def _own(line: str) -> Level:
    """What a line says of its own level."""
    priority = _PRIORITY.match(line)
    syslog = UNKNOWN
    if priority is not None and int(priority[1]) < 192:
        syslog = Level(_SYSLOG[int(priority[1]) & 7], priority[0].strip(), "syslog")
        line = line[priority.end() :].lstrip()
    container = _CONTAINER.match(line)
    if container is not None:
        line = line[container.end() :].lstrip()
    found = _of_line(line)
    return found if found.is_known else syslog


_SYSLOG: tuple[Severity, ...] = (
    "error",
    "error",
    "error",
    "error",
    "warning",
    "lower",
    "lower",
    "lower",
)


def _of_line(line: str) -> Level:
    for letters in (_KLOG, _RUBY, _LOGCAT, _TORNADO, _ANDROID):
        found = letters.match(line)
        if found is not None:
            return Level(_LETTERS[found[1]], found[1], "line")
    report = _REPORT.match(line)
    if report is not None and report[1].lower() in _WORDS:
        return Level(_WORDS[report[1].lower()], report[1], "line")
    return _behind_headers(line)


def _behind_headers(line: str) -> Level:
    """The level behind times, numbers and names; what only a crash prints behind them too."""
    at, timed, named, number = 0, False, False, ""
    for _ in range(MOST_HEADERS):
        while at < len(line) and line[at] in " \t":
            at += 1
        if at >= len(line):
            return UNKNOWN
        if line[at] == "{":
            found = _of_json(line[at:])
            if found is not None:
                return found
        if _LOWER_CRASH.match(line, at):
            return Level("warning", line[at : at + 20], "crash")
        crash = _CRASH.match(line, at)
        if crash is not None:
            return Level("error", crash[0].strip(" :")[:40], "crash")
        found = _level_at(line, at, timed, number)
        if found is not None:
            return found
        number = ""
        time = _TIME.match(line, at)
        if time is not None and time.end() > at and line[time.end() : time.end() + 1] not in "_.%":
            at, timed = time.end(), True
            swift = _SWIFT.match(line, at)
            if swift is not None and swift[1] in _WORDS:
                return Level(_WORDS[swift[1]], swift[1], "line")
            continue
        pair = _PAIR.match(line, at)
        if pair is not None:
            return _of_pairs(line, at)
        bracket = _BRACKET.match(line, at)
        if bracket is not None:
            held = next(each for each in bracket.groups() if each is not None)
            found = _in_bracket(held)
            if found is not None:
                return found
            timed = timed or _TIME.search(held) is not None
            at = bracket.end()
            continue
        separator = _SEPARATOR.match(line, at)
        if separator is not None:
            at = separator.end()
            continue
        digits = _NUMBER.match(line, at)
        if digits is not None:
            number, at = digits[0], digits.end()
            continue
        logged = _LOGGED.match(line, at)
        if logged is not None and logged[1].lower() in _WORDS:
            return Level(_WORDS[logged[1].lower()], logged[1], "line")
        name = _NAME.match(line, at)
        if name is None:
            return UNKNOWN
        word = name[0]
        marked = word[-1] == ":" or _MARKED.match(line, name.end()) is not None
        bare = timed and not named and word.lower() not in _NO_NAMES
        if not marked and not bare and not (timed and any(sign in word for sign in ".:@/")):
            return UNKNOWN
        named = named or not marked
        at = name.end()
    return UNKNOWN


def _level_at(line: str, at: int, timed: bool, number: str) -> Level | None:
    """Return the level at this position without brackets, in capitals or marked."""
    found = _WORD.match(line, at)
    if found is None:
        return None
    word, end = found[0], found.end()
    small = word.lower()
    after = line[end : end + 3]
    if word.isupper() and small in _WORDS:
        if number.isdigit() and (int(number) == 0 or not timed):
            return None  # "0 ERROR, 0 WARN"
        if not _AFTER_LARGE.match(line, end):
            return None
        return Level(_WORDS[small], word, "line")
    severity = _SMALL.get(small)
    if severity is None or number:
        return None
    if word.islower() and after[:1] == ":" and after[1:2] in ("", " ", "\t", "\x20"):
        return Level(severity, word, "line")
    if after[:2] in (" |", " -") and timed and word.islower():
        return Level(severity, word, "line")
    if after[:1] in ("|", "\t") and at > 0:
        return Level(severity, word, "line")
    if word[0].isupper() and after[:1] == ":" and small in _SMALL:
        return Level(severity, word, "line")
    return None


def _in_bracket(inner: str) -> Level | None:
    """Level in brackets: ``ERROR``, ``core:error``, ``06:10:00 ERR``, ``error  ``."""
    plain = inner.strip()
    if plain.lower() in _WORDS:
        return Level(_WORDS[plain.lower()], plain, "line")
    rest = plain
    time = _TIME.search(rest)
    if time is not None and time.start() == 0:
        rest = rest[time.end() :].strip(" :,|")
    rest = rest.removeprefix("{").strip()
    first = _INSIDE.match(rest)
    if first is not None and first[0].lower() in _WORDS:
        after = rest[first.end() : first.end() + 1]
        if (first[0].isupper() and after in ("", " ", "/", ":", "|")) or (
            time is not None and after in ("", " ") and first[0].isalpha()
        ):
            return Level(_WORDS[first[0].lower()], first[0], "line")
    module, colon, last = rest.rpartition(":")
    if colon and last.lower() in _WORDS and module.replace("_", "").isalnum():
        return Level(_WORDS[last.lower()], last, "line")
    return None


def _of_pairs(line: str, start: int) -> Level:
    """Return the level field of a logfmt line."""
    at = start
    for _ in range(MOST_FIELDS):
        while at < len(line) and line[at] in " \t,":
            at += 1
        pair = _PAIR.match(line, at)
        if pair is None:
            word = _NAME.match(line, at)
            if word is None:
                return UNKNOWN
            at = word.end()
            continue
        key, value = pair[1].lower(), pair[2].strip("\"'")
        if key in _LEVEL_KEYS:
            found = _field(key, value)
            if found is not None:
                return found
        at = max(pair.end(), at + 1)
    return UNKNOWN


def _of_json(text: str) -> Level | None:
    """Return the level field of a JSON line, even of a cut one; none without a field."""
    found: list[Level] = []
    for key, value in json_fields(text):
        if key in _LEVEL_KEYS:
            level = _field(key, value)
            if level is not None:
                if key not in ("s", "priority"):
                    return level
                found.append(level)
        elif key == "@mt":
            found.append(Level("lower", "Information", "line"))  # serilog leaves it out
        elif key == "log":
            found.append(_of_line(value))  # the line itself, in Docker's own form
    return next((each for each in found if each.is_known), None)


def json_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys and plain values of the outermost object, of ``log`` and of loguru's level."""
    depth, keys, key = 0, [""], ""
    for number, token in enumerate(_JSON_TOKEN.finditer(text)):
        if number > 10 * MOST_FIELDS:
            return
        quoted, colon, sign, bare = token.groups()
        loguru = keys[-2:] == ["record", "level"] and key == "name"
        inside = depth == 1 or (depth == 2 and keys[-1] == "log") or loguru
        if sign in ("{", "["):
            keys.append(key)
            depth, key = depth + 1, ""
        elif sign in ("}", "]"):
            depth -= 1
            keys = keys[:-1] or [""]
            key = ""
            if depth <= 0:
                return
        elif sign == ",":
            key = ""
        elif quoted is not None and colon:
            key = _text(quoted).lower()
        elif (quoted is not None or bare is not None) and key and inside:
            name = "level.name" if loguru else key
            yield name, _text(quoted, nested=key == "log") if quoted is not None else bare
            key = ""


def _text(quoted: str, *, nested: bool = False) -> str:
    """Return the visible text of a JSON string; of a line inside it too, decoded as a whole."""
    if nested:
        try:
            return visible(msgspec.json.decode(quoted, type=str)).strip()
        except msgspec.MsgspecError:
            pass  # cut, or with characters that JSON does not allow
    plain = quoted.strip('"')
    return visible(plain) if "\\" in plain or not plain.isascii() else plain


def _field(key: str, value: str) -> Level | None:
    """Return the level that this field states, if any."""
    word = value.strip()
    name = word.split("+")[0].split("-")[0]  # slog: ERROR+2
    if name.isdigit() and len(name) <= 6:
        number = int(name)
        severity = _from_number(key, number)
        return None if severity is None else Level(severity, word, "line")
    if key == "s":  # MongoDB
        return Level(_LETTERS[word], word, "line") if word in _LETTERS else None
    known = _word(name)
    return None if known is None else Level(known, word, "line")


def _from_number(key: str, number: int) -> Severity | None:
    """Severity of a level number: pino's 10 to 60, syslog's 0 to 7, monolog's, logback's."""
    if key in ("severity_number", "severitynumber"):
        return "error" if number >= 17 else "warning" if number >= 13 else "lower"
    if key == "levelno":  # Python's
        return "error" if number >= 40 else "warning" if number >= 30 else "lower"
    if number >= 1000:
        return "error" if number >= 40_000 else "warning" if number >= 30_000 else "lower"
    if number >= 100:
        return "error" if number >= 400 else "warning" if number >= 300 else "lower"
    if key in ("severity", "priority") or number <= 7:
        return _SYSLOG[number] if number <= 7 else None
    return "error" if number >= 50 else "warning" if number >= 40 else "lower"
