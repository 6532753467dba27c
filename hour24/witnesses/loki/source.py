"""Errors, watched words and beats of the lines that one selector finds.

Rules of this module:

- The server filters by the regular expression that finds every line that may be an error; the judge
  decides by the line's own level. The newest lines are read without a filter: an error among them
  that the filter did not find refuses the answer, and their levels are the sample.
- The log's life is seen: an older line before the window, or one at its very start, and a younger
  one after it, or one in its last part. What is not seen is named, and the listing is incomplete.
- Nothing found is an answer only together with a positive count of all lines.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hour24.asking.client import BUDGET_S, Asking
from hour24.clock import Clock
from hour24.config import Jobs
from hour24.errors import SourceEmpty, SourceIncomplete, SourceMisread, SourceTooMany
from hour24.evidence import Counts, Listing, Series
from hour24.linear import stated
from hour24.lines import visible
from hour24.watch import Window
from hour24.witnesses.logged import (
    ERROR_TEXT,
    WATCHED,
    Entry,
    beats_series,
    error_listing,
    has_level,
    holds,
    is_error,
    is_kept,
    plain_text,
)
from hour24.witnesses.loki import LokiAt
from hour24.witnesses.loki.api import LABELS, Api, Logged, nanoseconds, quoted

__all__ = ["Loki"]

MOST = 10_000
"""Lines of errors that are read."""
MOST_COUNTED = 100_000
SAMPLED = 500
AROUND = timedelta(hours=1)
"""How far before the window an older line is searched."""
LEVELS = "error|critical|fatal|crit|alert|emerg|emergency|panic|err|severe"


class Life(NamedTuple):
    """What of the log's life was seen.

    Args:
        lines: lines of any kind in the window.
        newest: the newest lines of the window, without a filter.
        missing: what of the window is not seen; empty: nothing.
    """

    lines: int
    newest: list[Logged]
    missing: str

    def note(self) -> str:
        at = datetime.fromtimestamp(self.newest[-1].at, UTC) if self.newest else None
        until = f"the newest is from {at:%Y-%m-%d %H:%M:%S}Z" if at else "none in the window"
        return f"{self.lines:,} lines of the window; {until}"


class Loki:
    """The lines of one selector; used by one thread. Every method raises SourceError."""

    def __init__(self, at: LokiAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self._api = Api(at, clock, budget_s)
        self._clock = clock
        self._at = at

    def error_lines(self, window: Window) -> Listing:
        """ERROR lines: ``{id, at, message, level, instance}``."""
        with self._api.asking("error lines", window) as asking:
            by_text = f"|~ {quoted(ERROR_TEXT)}"
            named = " or ".join(f'{label}=~"(?i){LEVELS}"' for label in ("detected_level", *LABELS))
            by_level = f" | {named}"
            seen, whole = self._api.lines(asking, window, f" {by_text}", MOST)
            more, all_of_them = self._api.lines(asking, window, by_level, MOST)
            life = self._life(asking, window)
            found = {(each.ns, each.labels, each.message): each for each in (*seen, *more)}
            if whole and all_of_them:
                self._check_filter(asking, life, found.values())
            kept = [each for each in found.values() if is_kept(each.message, each.level)]
            sample = life.newest
            return error_listing(
                asking.question(),
                [
                    Entry(each.at, f"{each.ns}.{i}", each.message, each.level, each.instance)
                    for i, each in enumerate(sorted(kept))
                ],
                complete=whole and all_of_them and not life.missing,
                seen=max(life.lines, len(found)),
                note=life.note(),
                about={
                    "sampled": float(len(sample)),
                    "unlevelled": float(
                        sum(not has_level(each.message, each.level) for each in sample)
                    ),
                    "missing": life.missing or None,
                },
            )

    def watched_lines(self, window: Window) -> Counts:
        """How many lines hold each watched word: ``parts``, word -> lines."""
        with self._api.asking("watched lines", window) as asking:
            sought = f" |~ {quoted('(?i)' + '|'.join(WATCHED))}"
            found, whole = self._api.lines(asking, window, sought, MOST_COUNTED)
            life = self._life(asking, window)
            self._refuse_part(asking, life, whole)
            return Counts(
                question=asking.question(),
                what="lines read",
                total=max(life.lines, len(found)),
                bad=0,
                parts={word: sum(holds(each.message, word) for each in found) for word in WATCHED},
                note=life.note(),
            )

    def beats(self, window: Window, jobs: Jobs) -> Series:
        """Beats of the background jobs, one line a worker: ``{"worker": "dialer"}``."""
        expression, plain = stated(jobs.pattern), plain_text(jobs.pattern)
        with self._api.asking("beats", window) as asking:
            sought = f" |~ {quoted('(?i)' + plain)}" if plain else ""
            found, whole = self._api.lines(asking, window, sought, MOST_COUNTED)
            life = self._life(asking, window)
            self._refuse_part(asking, life, whole)
            times: dict[str, list[float]] = {}
            for each in found:
                match = expression.groups(visible(each.message))
                if match is not None:
                    times.setdefault(match.get("worker", ""), []).append(each.at)
            return beats_series(asking.question(), times)

    def _life(self, asking: Asking, window: Window) -> Life:
        """Return what of the log's life was seen. Raises: SourceEmpty, without any."""
        span = nanoseconds(window)
        lines = self._api.count(asking, window)
        newest = self._api.page(asking, span, "", min(SAMPLED, self._at.page), "backward", window)
        newest.sort()
        older = self._api.count(asking, Window(window.start - AROUND, window.start))
        ends = window.end.timestamp()
        now = self._clock.now()
        after = Window(window.end, min(now, window.end + AROUND))
        younger = after.seconds > 0 and self._api.count(asking, after) > 0
        if bool(lines) != bool(newest):
            raise SourceMisread(
                f"{asking.where}: expected a count that its lines agree with, got {lines:,} and "
                f"{len(newest)} of the newest"
            )
        if not lines and not (older and younger):
            asking.refuse(
                SourceEmpty,
                "expected a line of any kind in the window, or before and after it, got none",
            )
        problems = []
        if not older:
            first = self._api.page(asking, span, "", 1, "forward", window)
            if not first or first[0].at - window.start.timestamp() > self._at.quiet_s:
                problems.append("no line before the window nor at its start")
        if not younger and newest and ends - newest[-1].at > self._at.quiet_s:
            problems.append("no line in the window's last part, nor after it")
        return Life(lines, newest, "; ".join(problems))

    def _check_filter(self, asking: Asking, life: Life, found: object) -> None:
        """Raises: SourceMisread, when an error of the newest lines passed no filter."""
        known = {(each.ns, each.message) for each in found}  # type: ignore[attr-defined]
        for each in life.newest:
            if is_error(each.message, each.level) and (each.ns, each.message) not in known:
                raise SourceMisread(
                    f"{asking.where}: expected its own filter to find each error, got another at "
                    f"{each.ns}"
                )

    def _refuse_part(self, asking: Asking, life: Life, whole: bool) -> None:
        if not whole:
            asking.refuse(SourceTooMany, f"expected at most {MOST_COUNTED:,} lines, got more")
        if life.missing:
            asking.refuse(
                SourceIncomplete, f"expected the whole window, got a part: {life.missing}"
            )
