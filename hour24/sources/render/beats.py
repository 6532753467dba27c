"""Beats of the background jobs, as the log tells them.

Rules of this room:

- The platform is asked for lines that hold the longest plain text of the pattern; the pattern
  itself, which it need not understand, is tried here, case not regarded.
- A beat is at the moment its line tells. When the line arrived is not told, and is no value.
- No beat at all is no answer: a pattern that finds nothing looks the same as jobs that stand
  still.
"""

from __future__ import annotations

import re

from hour24.config import Jobs
from hour24.errors import SourceEmpty
from hour24.evidence import Line, Series
from hour24.sources.render.logs import lines, newest
from hour24.sources.render.place import Place
from hour24.watch import Window

MOST_PAGES = 200
"""Three workers for 24 h are 87 pages."""
LEAST_TEXT = 3
_UNREADABLE = re.compile(r"\\[xuUN]|\(\?[aiLmsu]*x")
"""Characters by their number, and patterns with blanks that mean nothing."""
_SEVERAL = re.compile(r"\\[^\W\d_]|\\\d+|[.^$]|\[\^?\]?(?:\\.|[^\]\\])*\]")
"""What stands for one of several characters, or for none: ``\\d``, ``.``, ``[a-z]``."""
_REPEAT = re.compile(r"[*?+][?+]?|\{[^}]*\}[?+]?")


def beats(place: Place, window: Window, jobs: Jobs) -> Series:
    """One line a worker: ``times`` are its beats, ``values`` their arrivals, which are not told.

    Raises: SourceTooMany, past the page cap; SourceEmpty, without a beat.
    """
    expression = re.compile(jobs.pattern, re.IGNORECASE)
    plain = plain_text(jobs.pattern)
    with place.asking("beats", window) as asking:
        filters = [("text", f"*{plain}*")] if plain else []
        found = lines(place, asking, window, *filters, most_pages=MOST_PAGES)
        times: dict[str, list[float]] = {}
        for line in found:
            match = expression.search(line.message)
            if match is not None and line.is_message:
                worker = match.groupdict().get("worker") or ""
                times.setdefault(worker, []).append(line.at)
        if not times:
            newest(place, asking, window)
            asking.refuse(
                SourceEmpty,
                f"expected lines that jobs.pattern finds, got none among {len(found)} "
                + (f"with {plain!r}" if plain else "of all kinds"),
            )
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
            note="moments of the lines; when they arrived is not told by the platform",
        )


def plain_text(pattern: str) -> str:
    """The longest text that whatever the pattern finds must hold; empty where none is certain.

    Only what stands outside groups and classes, and is not repeated, is certain.
    """
    if _UNREADABLE.search(pattern):
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
    best = max((text.strip() for text in found), key=len)
    return best if len(best) >= LEAST_TEXT else ""
