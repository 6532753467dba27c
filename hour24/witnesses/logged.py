"""What lines of a log answer: errors, watched words, beats; the same for every witness of logs.

Rules of this module:

- Errors are a line's own level, then the label of whoever stored it (:mod:`hour24.lines.levels`).
  Lines below an error are left out; a line of unknown level with a word of an error is kept, for
  the judge to count.
- Of watched words only counts are kept. Case does not matter; a line with two of them counts for
  both.
- A beat has the time of its line; when the line arrived is not known, so its value is None.
- :data:`ERROR_TEXT` finds every line whose own level may be an error, for a system or a scan that
  reads more lines than can be judged one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hour24.errors import SourceEmpty, SourceIncomplete
from hour24.evidence import Line, Listing, Question, Series
from hour24.linear import shipped
from hour24.lines import visible
from hour24.watch import Window

WATCHED = ("WARN", "database", "timeout")
LONGEST = 2000
"""Characters of a message that are kept: more than a person reads."""
_WORDS = (
    "error|ERROR|Error|err|ERR|Err|erro|ERRO|eror|EROR|fatal|FATAL|Fatal|FATA|FTL|critical|CRITICAL"
    "|Critical|crit|CRIT|panic|PANIC|Panic|PANI|PNC|panicked|dpanic|DPANIC|alert|ALERT|Alert|emerg"
    "|EMERG|EMERGENCY|emergency|Emergency|severe|SEVERE|Severe|Traceback|Uncaught|uncaught"
    "|Unhandled|unhandled|uncaughtException|fail:|Segmentation|terminate called"
    "|Exception|CRASH|SUPERVISOR|Out of memory|of memory: Kill|Failed with result|Task timed out"
    "|terminated with exception|failed to load command|never retrieved|before completing"
    "|memory allocation|Unable to load app|Rack app"
)
_NUMBERS = r"([0-3]|[5-9]0|1[7-9]|2[1-4]|[4-9][0-9]0|[4-9]0000)([^0-9]|$)"
ERROR_TEXT = (
    rf"(^|[^A-Za-z]|[0-9]m)({_WORDS})($|[^A-Za-z])|[A-Za-z](Error|Exception)($|[^A-Za-z])"
    rf"|([Ll]evel|everity|PRIORITY|umber)[a-z_]*\W{{1,4}}{_NUMBERS}|levelno\W{{1,4}}[45]0"
    r"|(^|[{,]) ?.s.: ?.[EF]\W|^<[0-9]{1,3}>|(^|\[)[EFAC]([0-9]{4,8} |, \[| [0-9]{4}|\/)"
    r"|[ \[][EFC](\]| \[[0-9]| \| | [A-Z-]+ +\[)|\*\* \("
)
"""A regular expression for RE2 and Go: every line that may be an error, and some that are none."""
MOST_PATTERN = 1000
"""A longer pattern is not searched for a word."""
LEAST_TEXT = 3
MOST_JOINED = 60
"""Lines of one entry that are read: a long trace."""
REQUEST = shipped(r"\"[A-Z]{3,10} \S{1,4000} HTTP/\d[^\"\n]{0,8}\" \d{3}\b", longest=4000)
"""A line of an access log: it has no level and is no message of the service."""

_UNREADABLE = shipped(r"\\[xuUN]|\(\?[aiLmsu]*x", longest=MOST_PATTERN)
"""Characters written as codes, and patterns in verbose mode."""
_SEVERAL = shipped(r"\\[^\W\d_]|\\\d+|[.^$]|\[\^?\]?(?:\\.|[^\]\\])*\]", longest=MOST_PATTERN)
"""Matches one of several characters, or none: ``\\d``, ``.``, ``[a-z]``."""
_REPEAT = shipped(r"[*?+][?+]?|\{[^}]*\}[?+]?", longest=MOST_PATTERN)


class Entry(NamedTuple):
    """One line with the lines that belong to it: ``at`` epoch seconds, ``level`` of its label."""

    at: float
    id: str
    message: str
    level: str = ""
    instance: str = ""


def is_error(message: str, label: str = "") -> bool:
    """True for a line whose level is an error or worse."""
    from hour24.lines.levels import level_of

    return level_of(message[:LONGEST], label).is_error


def is_kept(message: str, label: str = "") -> bool:
    """True for an error, and for a line of unknown level that holds the word of one."""
    from hour24.lines.levels import level_of, may_be_error

    level = level_of(message[:LONGEST], label)
    return level.is_error or (not level.is_known and may_be_error(message[:LONGEST]))


def holds(message: str, word: str) -> bool:
    """True if the visible text holds a watched word."""
    return word.casefold() in visible(message).casefold()


def errors_of(lines: Sequence[str], label: str = "") -> list[str]:
    """Return the messages of one entry that :func:`is_kept` keeps.

    Args:
        lines: the line with the timestamp, and those without one that follow it.

    An error takes its lines with it. Below a warning a trace is the warning's. Below any other
    line each line without a timestamp is judged by itself: another process may have printed it.
    """
    from hour24.lines.levels import level_of
    from hour24.lines.printed import joined

    lines = joined(lines)
    head = level_of(lines[0][:LONGEST], label)
    if head.is_error:
        return ["\n".join(lines)[:LONGEST]]
    found = [lines[0][:LONGEST]] if is_kept(lines[0], label) else []
    for line in lines[1:]:
        if line[:1] in " \t":
            continue
        own = level_of(line[:LONGEST])
        if own.is_error and not (head.severity == "warning" and own.by == "crash"):
            found.append(line[:LONGEST])
    return found


def has_level(message: str, label: str = "") -> bool:
    """True for a line whose level is recognised, and for a line of an access log."""
    from hour24.lines.levels import level_of

    if level_of(message[:LONGEST], label).is_known:
        return True
    return REQUEST.search(visible(message[:4000])[:4000]) is not None


def error_listing(
    question: Question,
    found: Iterable[Entry],
    *,
    complete: bool,
    seen: int,
    note: str,
    about: Mapping[str, float | str | None],
) -> Listing:
    """Return ``{id, at, message, level, instance}``, oldest first."""
    return Listing(
        question=question,
        what="ERROR lines",
        items=tuple(
            {
                "id": each.id,
                "at": each.at,
                "message": each.message[:LONGEST],
                "level": each.level,
                "instance": each.instance,
            }
            for each in sorted(found)
        ),
        complete=complete,
        seen=seen,
        note=note,
        about=dict(about),
    )


def beats_series(question: Question, times: Mapping[str, Sequence[float]]) -> Series:
    """Return one line per worker: ``times`` are its beats, ``values`` their unknown arrivals."""
    return Series(
        question=question,
        unit="s",
        lines=tuple(
            Line(
                labels={"worker": worker} if worker else {},
                times=tuple(sorted(each)),
                values=(None,) * len(each),
            )
            for worker, each in sorted(times.items())
        ),
        note="times of the lines; when they arrived is not known",
    )


def plain_text(pattern: str) -> str:
    """Return the longest word that every match of the pattern holds; empty where none is certain.

    Only text outside groups and classes, and is not repeated, is certain.
    """
    if len(pattern) > MOST_PATTERN or _UNREADABLE.search(pattern):
        return ""
    found = [""]
    at = depth = 0
    while at < len(pattern):
        several = _SEVERAL.match(pattern, at)
        repeat = _REPEAT.match(pattern, at)
        if repeat is not None and not depth:
            found[-1] = found[-1][:-1]  # the character before it may be absent
        ends = several or repeat
        if ends is not None:
            found.append("")
            at = ends.end()
            continue
        depth += {"(": 1, ")": -1}.get(pattern[at], 0)
        if pattern[at] == "|" and not depth:
            return ""
        if pattern[at] in "()":
            found.append("")
        elif not depth:
            at += pattern[at] == "\\"
            found[-1] += pattern[at]
        elif pattern[at] == "\\":
            at += 1
        at += 1
    words = ("".join(c if c.isalnum() else " " for c in text).split() for text in found)
    best = max((word for each in words for word in each), key=len, default="")
    return best if len(best) >= LEAST_TEXT else ""


def questions_of_doctor(
    section: str, source: Any, window: Window, jobs: Any
) -> list[tuple[str, Callable[[], str]]]:
    """Return what ``doctor`` asks a witness of log lines: each question with its answer in short.

    Args:
        section: names the witness in a refusal.
        jobs: the section [jobs]; None: no beat is asked for.
    """
    found: list[tuple[str, Callable[[], str]]] = [
        ("error lines", lambda: _error_lines(section, source.error_lines(window))),
        ("watched lines", lambda: f"{source.watched_lines(window).total} lines in the last hour"),
    ]
    if jobs is not None:
        found.append(("beats", lambda: count_workers(section, source.beats(window, jobs))))
    return found


def _error_lines(section: str, found: Any) -> str:
    about = found.about
    if missing := about.get("missing"):
        raise SourceIncomplete(
            f"{section}: error lines: expected the last hour, got a part: {missing}"
        )
    levels = ""
    if "sampled" in about:
        known = about["sampled"] - about["unlevelled"]
        levels = f"; a level in {known:,.0f} of {about['sampled']:,.0f} lines"
    return f"{len(found.items)} in the last hour{levels}"


def count_workers(section: str, found: Any) -> str:
    """Return how many workers had a beat. Raises: SourceEmpty, if none had."""
    if not found.lines:
        raise SourceEmpty(f"{section}: beats: expected a beat in the last hour, got none")
    return f"{len(found.lines)} workers"
