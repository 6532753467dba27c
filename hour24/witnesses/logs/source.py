"""Errors, watched words and beats of a log on this machine.

Rules of this module:

- A question reads the window's lines anew; nothing is kept between two questions.
- What the files do not show of the window is named: the error lines found are evidence all the
  same, in a listing that is not complete; counts and beats are refused.
- Of the lines whose level was read, those without one are counted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hour24.asking.answers import stamp
from hour24.asking.client import BUDGET_S
from hour24.clock import Clock
from hour24.config import Jobs
from hour24.errors import (
    SourceError,
    SourceIncomplete,
    SourceLacks,
    SourceMisread,
    SourceTimeout,
    SourceTooMany,
)
from hour24.evidence import Attempt, Counts, Listing, Question, Series
from hour24.linear import stated
from hour24.lines import visible
from hour24.watch import Window
from hour24.witnesses.logged import (
    ERROR_TEXT,
    WATCHED,
    Entry,
    beats_series,
    error_listing,
    errors_of,
    holds,
    plain_text,
)
from hour24.witnesses.logs import LogsAt, pieces
from hour24.witnesses.logs.scan import Found, Raw, Scan

__all__ = ["Logs"]


class Logs:
    """One log; used by one thread. Every method raises SourceError."""

    def __init__(self, at: LogsAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self._at = at
        self._clock = clock
        self._budget_s = self._left_s = budget_s

    def error_lines(self, window: Window) -> Listing:
        """ERROR lines: ``{id, at, message, level, instance}``; a trace is part of its line."""
        found, question = self._read(
            "error lines",
            window,
            ERROR_TEXT,
            lambda raw: bool(errors_of(raw.lines, raw.label)),
            levels=True,
        )
        entries = [
            Entry(raw.at, f"{raw.id}.{number}" if number else raw.id, message, raw.label)
            for raw in found.entries
            for number, message in enumerate(errors_of(raw.lines, raw.label))
        ]
        unlevelled = found.unlevelled if self._at.without_level == "unknown" else 0
        return error_listing(
            _sealed(question, [each.message for each in entries]),
            entries,
            complete=found.whole and not found.missing,
            seen=max(found.lines, len(entries)),
            note=self._note(found),
            about={
                "sampled": float(found.sampled),
                "unlevelled": float(unlevelled),
                "missing": found.missing or None,
            },
        )

    def watched_lines(self, window: Window) -> Counts:
        """How many lines hold each watched word: ``parts``, word -> lines."""
        parts = dict.fromkeys(WATCHED, 0)

        def count(raw: Raw) -> bool:
            for line in raw.lines:
                for word in WATCHED:
                    parts[word] += holds(line, word)
            return False

        def reset() -> None:
            parts.update(dict.fromkeys(WATCHED, 0))

        found, question = self._read(
            "watched lines", window, f"(?i){'|'.join(WATCHED)}", count, begin=reset
        )
        self._refuse_gaps(question, "watched lines", found)
        return Counts(
            question=_sealed(question, [f"{word} {n}" for word, n in parts.items()]),
            what="lines read",
            total=found.lines,
            bad=0,
            parts=parts,
            note=self._note(found),
        )

    def beats(self, window: Window, jobs: Jobs) -> Series:
        """Beats of the background jobs, one line a worker: ``{"worker": "dialer"}``."""
        expression, plain = stated(jobs.pattern), plain_text(jobs.pattern)
        times: dict[str, list[float]] = {}

        def beat(raw: Raw) -> bool:
            match = expression.groups(visible("\n".join(raw.lines)))
            if match is not None:
                times.setdefault(match.get("worker", ""), []).append(raw.at)
            return False

        found, question = self._read(
            "beats", window, f"(?i){plain}" if plain else None, beat, begin=times.clear
        )
        self._refuse_gaps(question, "beats", found)
        series = beats_series(question, times)
        stated_times = [f"{worker} {at}" for worker, each in times.items() for at in each]
        return beats_series(_sealed(series.question, stated_times), times)

    # --- reading ------------------------------------------------------------------------------

    def _read(
        self,
        what: str,
        window: Window,
        sought: str | None,
        wanted: Callable[[Raw], bool],
        *,
        levels: bool = False,
        begin: Callable[[], None] = lambda: None,
    ) -> tuple[Found, Question]:
        """Return what the window holds, and the question."""
        import re2  # slow to import: only when a log is read

        where = f"logs: {what}"
        at, began = self._clock.now(), time.monotonic()
        if self._left_s <= 0:
            raise SourceTimeout(f"{where}: no answer within its budget of {self._budget_s:g} s")
        asked, result = [self._named(window)], "ok"
        try:
            pattern = None if sought is None else re2.compile(f"(?m){sought}".encode())
            if self._at.journal:
                from hour24.witnesses.logs import journal

                found = journal.read(self._at, where, window, at, wanted, self._left_s, begin)
            else:
                found = self._of_files(where, window, at, pattern, wanted, levels, begin)
            asked.append(found.asked)
        except SourceError as problem:
            result = problem.code
            problem.question = self._question(window, asked, at, began, result)
            raise
        finally:
            self._left_s -= time.monotonic() - began
        return found, self._question(window, asked, at, began, result)

    def _of_files(
        self,
        where: str,
        window: Window,
        now: datetime,
        pattern: Any,
        wanted: Callable[[Raw], bool],
        levels: bool,
        begin: Callable[[], None],
    ) -> Found:
        if not self._at.file:
            raise SourceLacks(f"{where}: expected logs.file or logs.journal, got neither")
        zone, deadline = self._zone(where), time.monotonic() + self._left_s
        for _ in range(pieces.TRIES):
            opened = pieces.opened(Path(self._at.file), where)
            try:
                scan = Scan(
                    opened,
                    where,
                    window,
                    now,
                    zone=zone,
                    quiet_s=self._at.quiet_s,
                    deadline=deadline,
                    budget_s=self._budget_s,
                )
                begin()
                found = scan.read(pattern, wanted, levels=levels)
                if not opened.are_changed:
                    return found
            finally:
                opened.close()
        raise SourceMisread(
            f"{where}: expected a log that stays unchanged, got {pieces.TRIES} truncations"
        )

    def _zone(self, where: str) -> tzinfo | None:
        if not self._at.time_zone:
            return None
        try:
            return ZoneInfo(self._at.time_zone)
        except (KeyError, ValueError, OSError):
            raise SourceMisread(
                f"{where}: time_zone: expected an IANA time zone, got {self._at.time_zone!r}"
            ) from None

    def _named(self, window: Window) -> str:
        source = f"unit {self._at.journal}" if self._at.journal else self._at.file
        return f"read {source} from {stamp(window.start)} to {stamp(window.end)}"

    def _question(
        self, window: Window, asked: list[str], at: datetime, began: float, result: str
    ) -> Question:
        took_ms = round((time.monotonic() - began) * 1000, 3)
        return Question(
            source="logs",
            asked="\n".join(asked),
            at=at,
            window=window,
            attempts=(Attempt(at=at, took_ms=took_ms, result=result),),
        )

    def _refuse_gaps(self, question: Question, what: str, found: Found) -> None:
        if found.missing:
            problem = SourceIncomplete(
                f"logs: {what}: expected the whole window, got a part: {found.missing}"
            )
            problem.question = question
            raise problem
        if not found.whole:
            few = SourceTooMany(f"logs: {what}: expected fewer lines, got too many")
            few.question = question
            raise few

    def _note(self, found: Found) -> str:
        last = f"{datetime.fromtimestamp(found.last, UTC):%Y-%m-%d %H:%M:%S}Z"
        levels = (
            f"a level was recognised in {found.sampled - found.unlevelled:,} of "
            f"{found.sampled:,} lines sampled; "
            if found.sampled
            else ""
        )
        zone = f"{found.zone}; " if found.zone else ""
        return f"{found.lines:,} lines of the window; {levels}{zone}the newest line is from {last}"


def _sealed(question: Question, parts: list[str]) -> Question:
    """Return the question with the digest of what was found."""
    from msgspec.structs import replace

    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()
    return replace(question, digest=digest)
