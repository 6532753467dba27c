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

from collections.abc import Iterator

import msgspec

from hour24.lines import forms
from hour24.lines.crashes import CRASH, LOWER_CRASH
from hour24.lines.printed import (
    LONGEST,
    MOST_LINES,
    OPENING,
    has_message,
    lone_level,
    printed_fields,
)
from hour24.lines.visible import visible, without_sequences, without_signs
from hour24.lines.words import (
    LETTERS,
    LEVEL_KEYS,
    NO_NAMES,
    SETTINGS,
    SMALL,
    UNKNOWN,
    WORDS,
    Level,
    Severity,
)

MOST_HEADERS = 10
"""Times, names and numbers that may precede a level."""
MOST_FIELDS = 200
"""Fields of a line that are read; a level comes early."""


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
    return word.lower() in WORDS


def may_be_error(message: str) -> bool:
    """True if a word of an error is anywhere in the part of a line that is read."""
    return forms.MAYBE.search(visible(message[: 2 * LONGEST])[:LONGEST]) is not None


_RANK: dict[Severity, int] = {"unknown": 0, "lower": 1, "warning": 2, "error": 3}


def _parts(message: str) -> list[str]:
    """The first line that is not blank, divided at each carriage return."""
    cut = message[: 2 * LONGEST]
    shown = without_sequences(cut).replace("\r\n", "\n")
    parts = [without_signs(part) for part in shown.split("\r")]
    lines = [_head([line for line in each.split("\n") if line.strip()]) for each in parts]
    return [line.rstrip()[:LONGEST] for line in lines if line] or [""]


def _head(lines: list[str]) -> str:
    """The line that states the level of these: the first, but for two forms."""
    if not lines:
        return ""
    first = lines[0].strip()
    if len(lines) > 1:
        if first in ("{", "%{"):
            return " ".join(line.strip() for line in lines[:MOST_LINES])
        time = forms.TIME.match(first)
        if time is not None and forms.JAVA.match(first, time.end()):
            return lines[1]
    return lines[0]


def _word(word: str) -> Severity | None:
    """The severity that a level's word or number means; none when it means none."""
    plain = word.strip().strip("[]()<>:\"'").lower()
    if plain.lstrip("-").replace(".", "", 1).isdigit():
        return None
    return WORDS.get(plain)


def _own(line: str) -> Level:
    """What a line says of its own level."""
    lone = lone_level(line)
    if lone is not None:
        found = _field(*lone)
        if found is not None:
            return found
    line = line.strip()
    priority = forms.PRIORITY.match(line)
    syslog = UNKNOWN
    if priority is not None and int(priority[1]) < 192:
        syslog = Level(_SYSLOG[int(priority[1]) & 7], priority[0].strip(), "syslog")
        line = line[priority.end() :].lstrip()
    container = forms.CONTAINER.match(line)
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
    for letters in (forms.KLOG, forms.RUBY, forms.LOGCAT, forms.TORNADO, forms.ANDROID):
        letter = letters.match(line)
        if letter is not None:
            return Level(LETTERS[letter[1]], letter[1], "line")
    report = forms.REPORT.match(line)
    if report is not None:
        word = report[1].lower()
        severity = "error" if word in ("crash", "supervisor") else WORDS.get(word)
        if severity is not None:
            return Level(severity, report[1], "line")
    tabbed = forms.TABBED.search(line) if "\t" in line else None
    if tabbed is not None and (severity := _word(tabbed[1])) is not None:
        return Level(severity, tabbed[1], "line")
    csv = forms.CSV.match(line)
    if csv is not None and csv[1].lower() in WORDS:
        return Level(WORDS[csv[1].lower()], csv[1], "line")
    inner = forms.SAID.match(line) or forms.PHP.match(line)
    if inner is not None:
        found = _of_line(inner[1])
        if found.is_known:
            return found
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
        if OPENING.match(line, at):
            found = _of_printed(line[at:])
            if found is not None:
                return found
        if LOWER_CRASH.match(line, at):
            return Level("warning", line[at : at + 20], "crash")
        crash = CRASH.match(line, at)
        if crash is not None:
            found = Level("error", crash[0].strip(" :")[:40], "crash")
            return _unless_nothing(found, line, at + len(crash[0].rstrip(": ")))
        found = _level_at(line, at, timed, number) or _decorated(line, at)
        namespace = forms.NAMESPACE.match(line, at) if found is None else None
        if namespace is not None:
            return Level("error", namespace[1], "line")
        if found is None and timed:
            letter = forms.TIMED_LETTER.match(line, at)
            found = None if letter is None else Level(LETTERS[letter[1]], letter[1], "line")
        if found is not None:
            return found
        number = ""
        time = forms.TIME.match(line, at)
        if time is not None and time.end() > at and line[time.end() : time.end() + 1] not in "_.%":
            at, timed = time.end(), True
            swift = forms.SWIFT.match(line, at)
            if swift is not None and swift[1] in WORDS:
                return Level(WORDS[swift[1]], swift[1], "line")
            process = forms.PROCESS.match(line, at)
            if process is not None and process[1].lower() in WORDS:
                return Level(WORDS[process[1].lower()], process[1], "line")
            continue
        pair = forms.PAIR.match(line, at)
        if pair is not None:
            return _of_pairs(line, at)
        bracket = forms.BRACKET.match(line, at)
        if bracket is not None:
            held = next(each for each in bracket.groups() if each is not None)
            found = _of_tags(line, at) or _in_bracket(held)
            if found is None and timed and len(held) == 1 and held in "EFCWID":
                found = Level(LETTERS[held], held, "line")  # beego
            if found is not None:
                return _unless_nothing(found, line, bracket.end())
            timed = timed or forms.TIME.search(held) is not None
            at = bracket.end()
            continue
        separator = forms.SEPARATOR.match(line, at)
        if separator is not None:
            at = separator.end()
            continue
        address = forms.ADDRESS.match(line, at)
        if address is not None:
            at = address.end()
            continue
        digits = forms.NUMBER.match(line, at)
        if digits is not None:
            number, at = digits[0], digits.end()
            continue
        logged = forms.LOGGED.match(line, at)
        if logged is not None and logged[1].lower() in WORDS:
            return Level(WORDS[logged[1].lower()], logged[1], "line")
        name = forms.NAME.match(line, at)
        if name is None:
            return UNKNOWN
        word = name[0]
        marked = word[-1] == ":" or forms.MARKED.match(line, name.end()) is not None
        bare = timed and not named and word.lower() not in NO_NAMES
        if not marked and not bare and not (timed and any(sign in word for sign in ".:@/")):
            return UNKNOWN
        named = named or not marked
        at = name.end()
    return UNKNOWN


def _level_at(line: str, at: int, timed: bool, number: str) -> Level | None:
    """Return the level at this position without brackets, in capitals or marked."""
    found = forms.WORD.match(line, at)
    if found is None:
        return None
    word, end = found[0], found.end()
    small = word.lower()
    after = line[end : end + 3]
    if word.isupper() and small in WORDS:
        if number.isdigit() and (int(number) == 0 or not timed):
            return None  # "0 ERROR, 0 WARN"
        if not forms.AFTER_LARGE.match(line, end) or forms.ARROW.match(line, end):
            return None
        return _unless_nothing(Level(WORDS[small], word, "line"), line, end)
    severity = SMALL.get(small)
    if severity is None or number:
        return None
    if word.islower() and after[:1] == ":" and after[1:2] in ("", " ", "\t"):
        return _unless_nothing(Level(severity, word, "line"), line, end)
    if after[:2] in (" |", " -") and timed and word.islower():
        return Level(severity, word, "line")
    if after[:1] in ("|", "\t") and at > 0:
        return Level(severity, word, "line")
    if word[0].isupper() and after[:1] == ":":
        return _unless_nothing(Level(severity, word, "line"), line, end)
    return None


def _unless_nothing(level: Level, line: str, end: int) -> Level:
    """Return the level, or a lower one where the word only names a count of zero."""
    if level.is_error and forms.NOTHING.match(line, end):
        return Level("lower", level.word, "line")
    return level


def _decorated(line: str, at: int) -> Level | None:
    """Return the level of a word between signs: ``**ERROR**``, ``==ERROR==``."""
    found = forms.DECORATED.match(line, at)
    if found is None:
        return None
    word = found[1] or found[2]
    severity = WORDS.get(word.lower())
    if severity is None:
        return None
    return _unless_nothing(Level(severity, word, "line"), line, found.end())


def _of_tags(line: str, at: int) -> Level | None:
    """Return the worst level among the tags of hapi's loggers: ``[request,error]``."""
    found = forms.TAGS.match(line, at)
    if found is None:
        return None
    words = [each for each in found[1].split(",") if each in _TAG_LEVELS]
    worst = max(words, key=lambda each: _RANK[WORDS[each]], default="")
    return Level(WORDS[worst], worst, "line") if worst else None


_TAG_LEVELS = frozenset(("error", "fatal", "critical", "warn", "warning", "info", "debug", "trace"))


def _of_printed(text: str) -> Level | None:
    """Return the level field of an object that a language printed; none where it is no log line."""
    found: Level | None = None
    keys = set()
    for key, value in printed_fields(text):
        keys.add(key)
        if found is None and key in LEVEL_KEYS and key != "s":
            found = _field(key, value)
    return found if found is not None and has_message(keys) else None


def _in_bracket(inner: str) -> Level | None:
    """Level in brackets: ``ERROR``, ``core:error``, ``06:10:00 ERR``, ``error  ``."""
    plain = inner.strip().strip("*!")
    chromium = forms.INSIDE_CHROMIUM.match(plain)
    if chromium is not None and chromium[1].lower() in WORDS:
        return Level(WORDS[chromium[1].lower()], chromium[1], "line")
    pair = forms.PAIR.fullmatch(plain)
    if pair is not None and pair[1].lower() in LEVEL_KEYS:
        return _field(pair[1].lower(), pair[2].strip("\"'"))
    if plain.lower() in WORDS:
        return Level(WORDS[plain.lower()], plain, "line")
    rest = plain
    time = forms.TIME.search(rest)
    if time is not None and time.start() == 0:
        rest = rest[time.end() :].strip(" :,|")
    rest = rest.removeprefix("{").strip()
    first = forms.INSIDE.match(rest)
    if first is not None and first[0].lower() in WORDS:
        after = rest[first.end() : first.end() + 1]
        if (first[0].isupper() and after in ("", " ", "/", ":", "|")) or (
            time is not None and after in ("", " ") and first[0].isalpha()
        ):
            return Level(WORDS[first[0].lower()], first[0], "line")
    module, colon, last = rest.rpartition(":")
    if colon and last.lower() in WORDS and module.replace("_", "a").isalnum() | (not module):
        return Level(WORDS[last.lower()], last, "line")
    return None


def _of_pairs(line: str, start: int) -> Level:
    """Return the level field of a logfmt line."""
    at, header = start, True
    for _ in range(MOST_FIELDS):
        while at < len(line) and line[at] in " \t,":
            at += 1
        pair = forms.PAIR.match(line, at)
        if pair is None:
            if header:  # fields before the level: sidekiq's, Elixir's
                header = False
                bracket = forms.BRACKET.match(line, at)
                found = _in_bracket(bracket[1] or "") if bracket else _level_at(line, at, True, "")
                if found is not None:
                    return found
            word = forms.NAME.match(line, at)
            if word is None:
                return UNKNOWN
            at = word.end()
            continue
        key, value = pair[1].lower(), pair[2].strip("\"'")
        if key == "at" and (severity := _word(value)) is not None:  # Heroku's router
            return Level(severity, value, "line")
        if key in LEVEL_KEYS and (key not in SETTINGS or forms.HAS_MESSAGE.search(line)):
            found = _field(key, value)
            if found is not None:
                return found
        at = max(pair.end(), at + 1)
    return UNKNOWN


def _of_json(text: str) -> Level | None:
    """Return the level field of a JSON line, even of a cut one; none without a field."""
    found: list[Level] = []
    for key, value in json_fields(text):
        if key in LEVEL_KEYS:
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
    for number, token in enumerate(forms.JSON_TOKEN.finditer(text)):
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
    if name.isdigit() and len(name) <= 6 and key != "l":
        number = int(name)
        severity = _from_number(key, number)
        return None if severity is None else Level(severity, word, "line")
    if key == "s":  # MongoDB
        return Level(LETTERS[word], word, "line") if word in LETTERS else None
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
