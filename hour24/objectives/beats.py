"""Whether background jobs ran: their heartbeats in the logs.

Rules of this module:

- Beats count at the time they happened, not when their lines arrived: delayed logs are not missed
  beats. The window's edges end gaps too.
- The end of a window is judged once lines as late as the latest so far would have arrived.
- One line per worker: two workers in one unlabelled stream hide that one stopped: INCONCLUSIVE.
- When the log source answered without any beat, the jobs did not run: FAIL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from hour24.evidence import Evidence, Line, Series, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.statistics import beats as rhythm
from hour24.text import format_count, format_duration, format_time, join_some, one_line
from hour24.verdict import Outcome, Scale, Verdict

MOST_NAMED = 8
"""Workers named in a reason: more do not fit on a line."""
MISSED = 1.5
"""Periods from which a gap is a missed beat: jitter stays below half a period."""


class _Worker(NamedTuple):
    """The beats of one worker.

    Args:
        name: of the worker; empty in an unlabelled stream.
        beats: number of its beats in the window.
        missed: gaps of a missed beat that are within the limit, as (from, to).
        over: gaps over the limit.
        open_: gaps at the window's end that late lines may still close.
        longest_s: its longest gap, in seconds.
        streams: number of workers in its stream.
        late_s: how late its lines arrived, in seconds.
    """

    name: str
    beats: int
    missed: list[tuple[float, float]]
    over: list[tuple[float, float]]
    open_: list[tuple[float, float]]
    longest_s: float
    streams: int
    late_s: float


class BeatsKept(Objective, frozen=True, kw_only=True):
    """Background jobs beat every ``every_s``, with no gap over ``max_gap_s``.

    ``baseline`` contains the beats of hour 0: a worker of then without any beat now has stopped.

    Args:
        every_s: period of the beats, in seconds.
        max_gap_s: longest time without a beat, in seconds.
    """

    needs: ClassVar[Kinds] = {"beats": Series}
    may: ClassVar[Kinds] = {"baseline": Series}

    every_s: float = 30.0
    max_gap_s: float = 75.0

    def limit_text(self) -> str:
        return f"at most {self.max_gap_s:g} s"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        series = pick(evidence, "beats", Series)
        start, end = _ends(series)
        lines = [line for line in series.lines if line.times]
        gone = _missing_workers(evidence.get("baseline"), lines)
        if not lines or gone:
            who = f" of {', '.join(gone)}, which beat at hour 0," if lines else ""
            figures = {"beats": float(sum(len(line.times) for line in lines))}
            return self._verdict(
                Outcome.FAIL,
                "no_beat",
                f"No beat{who} from {format_time(start)} to {format_time(end)}, though the logs "
                f"answered: expected one every {self.every_s:g} s",
                end - start,
                {**figures, "longest_gap_s": end - start},
            )
        workers = [self._worker(line, start, end, series) for line in lines]
        worst = max(workers, key=lambda worker: worker.longest_s)
        over = [(w, gap) for w in workers for gap in w.over]
        open_ = [(w, gap) for w in workers for gap in w.open_]
        mixed = [w for w in workers if w.streams > 1]
        late_s = max(w.late_s for w in workers)
        missed = sum(len(w.missed) for w in workers)
        figures = {
            "beats": float(sum(w.beats for w in workers)),
            "workers": float(len(workers)),
            "longest_gap_s": worst.longest_s,
            "gaps": float(len(over)),
            "missed": float(missed),
            "late_s": late_s,
        }
        if over:
            gaps = [_gap(w, gap) for w, gap in over]
            return self._verdict(
                Outcome.FAIL,
                "gap",
                f"{join_some(gaps)}: expected one every {self.every_s:g} s and no "
                f"gap over {self.max_gap_s:g} s",
                worst.longest_s,
                figures,
            )
        if mixed:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "mixed_workers",
                f"{mixed[0].streams} workers seem to share one stream"
                + (f" ({mixed[0].name})" if mixed[0].name else "")
                + ", which would hide that one stopped: name the worker in jobs.pattern, "
                "(?P<worker>...)",
                worst.longest_s,
                figures,
            )
        if open_:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "too_early",
                f"{_gap(*open_[0])}, but lines arrive up to {format_duration(late_s)} late, so its "
                "end is not known yet",
                worst.longest_s,
                figures,
            )
        baseline = evidence.get("baseline")
        if isinstance(baseline, Unanswered):
            return self._verdict(
                Outcome.INCONCLUSIVE,
                baseline.code,
                "No hour-0 list of workers, so a missing worker cannot be detected: "
                f"{baseline.reason}",
                worst.longest_s,
                figures,
            )
        named = [w.name for w in workers if w.name][:MOST_NAMED]
        reason = (
            f"{format_count(int(figures['beats']))} beats"
            + (f" of {', '.join(named)}" if named else "")
            + f", longest gap {format_duration(worst.longest_s)}"
        )
        if missed:
            reason += (
                f"; {format_count(missed)} gaps of {MISSED * self.every_s:g} to "
                f"{self.max_gap_s:g} s, "
                "one missed beat each"
            )
        if late_s > self.max_gap_s:
            reason += f"; log lines arrived up to {format_duration(late_s)} late (no missed beat)"
        return self._verdict(Outcome.PASS, "", reason, worst.longest_s, figures)

    def _worker(self, line: Line, start: float, end: float, series: Series) -> _Worker:
        late_s = rhythm.lateness(line.times, line.values)
        settled = series.question.at.timestamp() - max(rhythm.WATERMARK_S, late_s)
        beats = [t for t in rhythm.unique_times(line.times) if start <= t <= end]
        long = rhythm.gaps(beats, start, end, MISSED * self.every_s)
        over = [(a, b) for a, b in long if b - a > self.max_gap_s]
        # lines that are still on their way may close this gap
        open_ = [(a, b) for a, b in over if b >= end and min(b, settled) - a <= self.max_gap_s]
        return _Worker(
            name=one_line(line.labels.get("worker", ""), 60),
            beats=len(beats),
            missed=[gap for gap in long if gap not in over],
            over=[gap for gap in over if gap not in open_],
            open_=open_,
            longest_s=max(b - a for a, b in rhythm.gaps(beats, start, end, -1.0)),
            streams=rhythm.count_workers(beats, self.every_s),
            late_s=late_s,
        )

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, longest: float, figures: dict[str, float]
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=format_duration(longest),
            limit=self.limit_text(),
            scale=Scale(unit="s", limit=self.max_gap_s, observed=longest),
            figures=figures,
        )


def _gap(worker: _Worker, gap: tuple[float, float]) -> str:
    who = f" of {worker.name}" if worker.name else ""
    return f"no beat{who} for {format_duration(gap[1] - gap[0])} from {format_time(gap[0])}"


def _missing_workers(baseline: Evidence | None, lines: list[Line]) -> list[str]:
    """Workers of hour 0 without any beat now."""
    if not isinstance(baseline, Series):
        return []
    now = {line.labels.get("worker", "") for line in lines}
    then = {line.labels.get("worker", "") for line in baseline.lines if line.times}
    return sorted(then - now - {""})


def _ends(series: Series) -> tuple[float, float]:
    """The ends of the window in epoch seconds; without a window, the first and last beat."""
    window = series.question.window
    if window is not None:
        return window.start.timestamp(), window.end.timestamp()
    times = [t for line in series.lines for t in line.times] or [series.question.at.timestamp()]
    return min(times), max(times)
