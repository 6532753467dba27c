"""Heartbeats of the background jobs, read from the log.

Rules of this module:

- The platform filters by the longest word of the pattern: a colour code may stand between two
  words, hardly within one. The pattern itself is matched here, on the visible text and without
  regard to case, since the platform may not understand it.
- A beat has the time of its line. The platform does not say when the line arrived, so the value
  is None.
- No beat is an answer when the window holds other lines; the log cannot say whether the jobs
  stopped or the pattern is wrong.
"""

from __future__ import annotations

from datetime import timedelta

from hour24.asking.answers import misread
from hour24.config import Jobs
from hour24.evidence import Line, Series
from hour24.linear import shipped, stated
from hour24.lines import visible
from hour24.watch import Window
from hour24.witnesses.render.api import ServiceApi
from hour24.witnesses.render.logs import LogLine, lines, newest

MOST_PAGES = 200
"""Three workers for 24 h are 87 pages."""
LEAST_TEXT = 3
LONGEST = 1000
"""A longer pattern is not searched for a word."""
PERIODS = 3
"""Beat periods that are read without a filter when the filter found no beat."""
_UNREADABLE = shipped(r"\\[xuUN]|\(\?[aiLmsu]*x", longest=LONGEST)
"""Characters written as codes, and patterns in verbose mode."""
_SEVERAL = shipped(r"\\[^\W\d_]|\\\d+|[.^$]|\[\^?\]?(?:\\.|[^\]\\])*\]", longest=LONGEST)
"""Matches one of several characters, or none: ``\\d``, ``.``, ``[a-z]``."""
_REPEAT = shipped(r"[*?+][?+]?|\{[^}]*\}[?+]?", longest=LONGEST)


def beats(api: ServiceApi, window: Window, jobs: Jobs) -> Series:
    """Return one line per worker: ``times`` are its beats, ``values`` their unknown arrivals.

    There is no line when no worker sent a beat.

    Raises: SourceTooMany, past the page cap; SourceEmpty, when the log holds no line at all.
    """
    expression = stated(jobs.pattern)
    plain = plain_text(jobs.pattern)

    def beat(line: LogLine) -> dict[str, str] | None:
        """Return the named groups of a line that is a beat; None for another line."""
        return expression.groups(visible(line.message)) if line.is_message else None

    with api.asking("beats", window) as asking:
        filters = [("text", f"*{plain}*")] if plain else []
        found = lines(api, asking, window, *filters, most_pages=MOST_PAGES)
        newest(api, asking, window, found, lambda line: beat(line) is not None)
        times: dict[str, list[float]] = {}
        for line in found:
            match = beat(line)
            if match is not None:
                times.setdefault(match.get("worker", ""), []).append(line.at)
        if not times and plain:
            # before a report that jobs stopped: the filter may hide their beats
            since = window.end - timedelta(seconds=PERIODS * jobs.every_s)
            last = Window(max(window.start, since), window.end)
            if any(beat(line) for line in lines(api, asking, last)):
                raise misread(asking.where, "beats by the filter too", f"*{plain}*")
        return Series(
            question=asking.question(),
            unit="s",
            lines=tuple(
                Line(
                    labels={"worker": worker} if worker else {},
                    times=tuple(each),
                    values=(None,) * len(each),
                )
                for worker, each in sorted(times.items())
            ),
            note="times of the lines; the platform does not say when they arrived",
        )


def plain_text(pattern: str) -> str:
    """Return the longest word that every match of the pattern holds; empty where none is certain.

    Only what stands outside groups and classes, and is not repeated, is certain.
    """
    if len(pattern) > LONGEST or _UNREADABLE.search(pattern):
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
