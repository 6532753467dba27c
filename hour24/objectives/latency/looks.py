"""What one source says of a quantile and its limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from hour24 import histogram
from hour24.evidence import Distribution, Evidence, Quantiles, Samples, Unanswered
from hour24.objectives.probes import answered
from hour24.statistics import quantiles, rates
from hour24.text import format_count, format_number, join_some, one_line

MOST_LATE = 0.01
LEAST_SLOW = 2
"""One slow request of a census is no quantile."""
REMEDY = {
    "source_refused": "expected our credential to be accepted; see the endpoint's headers and "
    "expect_status in production.toml",
    "source_limited": "it limits our requests; let it allow them, or ask less: latency_per_s and "
    "interval_s in production.toml",
}
"""What is done where our own requests bring no samples, by code."""
Standing = Literal["inside", "beyond", "open"]


class Lost(NamedTuple):
    """Requests of ours that brought no sample.

    Args:
        bad: those without a good answer: each lies beyond any value.
        ended: how these ended -> how many, as far as that is known.
        refused: answered 401 or 403: our credential was not accepted.
        limited: answered 429.
    """

    bad: int = 0
    ended: Mapping[str, int] = {}
    refused: int = 0
    limited: int = 0

    @property
    def silent(self) -> int:
        """How many of the bad ones had no HTTP answer at all."""
        return self.bad - sum(n for how, n in self.ended.items() if answered(how))

    @property
    def code(self) -> str:
        """What the bad ones are called: silence, unless most of them were answered."""
        return "no_answer" if 2 * self.silent >= self.bad else "bad_status"

    def told(self) -> str:
        """``20 had no good answer (503 18, timeout 2), 3 were refused (401 or 403)``."""
        ranked = sorted(self.ended.items(), key=lambda each: (-each[1], each[0]))
        how = join_some([f"{one_line(name, 40)} {format_count(n)}" for name, n in ranked])
        parts = [
            f"{format_count(self.bad)} had no good answer" + (f" ({how})" if how else ""),
            f"{format_count(self.refused)} were refused (401 or 403)",
            f"{format_count(self.limited)} were limited (429)",
        ]
        numbers = (self.bad, self.refused, self.limited)
        return ", ".join(part for part, n in zip(parts, numbers, strict=True) if n)


class Look(NamedTuple):
    """What one source says of a target.

    ``least`` and ``most`` bound how many of ``n`` lie at or above it. ``observed``, ``lower`` and
    ``upper`` are the quantile and its bounds in ms, where they are known; ``why`` is a code when
    it tells nothing; ``lost`` is for our own requests.
    """

    by: str
    standing: Standing
    n: int
    least: int
    most: int
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    why: str = ""
    note: str = ""
    lost: Lost = Lost()

    @property
    def asked(self) -> int:
        """How many requests of ours it rests on, those that brought no sample too."""
        return self.n + self.lost.refused + self.lost.limited

    @property
    def good(self) -> int:
        """How many of our own requests had a good answer."""
        return self.n - self.lost.bad


def look(by: str, evidence: Evidence, target_ms: float, q: float) -> Look | None:
    """What this evidence says of quantile ``q`` and the target; none when there is no answer.

    Raises: TypeError, when it tells no latencies.
    """
    match evidence:
        case Quantiles():
            return _of_quantiles(by, evidence, target_ms, q)
        case Distribution():
            return _of_distribution(by, evidence, target_ms, q)
        case Samples():
            return _of_samples(by, evidence, target_ms, q)
        case Unanswered():
            return None
    raise TypeError(f"{by}: expected latencies, got {type(evidence).__name__}")


def lost(told: Distribution | Samples) -> Lost:
    """What became of the requests that brought no sample."""
    if isinstance(told, Samples):
        return Lost(told.censored)
    return Lost(told.censored, told.bad, told.refused, told.limited)


def standing(
    n: int, least: int, most: int, share: float, fact: float | None = None, limit: float = math.inf
) -> Standing:
    """Where ``least`` to ``most`` slow ones of ``n`` stand to an allowed ``share``.

    Args:
        fact: the quantile of a census, which is held against ``limit`` without a bound.
    """
    if n == 0:
        return "open"
    if fact is not None:
        return "inside" if fact < limit else "beyond" if least >= LEAST_SLOW else "open"
    if rates.judge_sample(least, n, share).standing == "beyond":
        return "beyond"
    return "inside" if rates.judge_sample(most, n, share).standing == "inside" else "open"


def _of_quantiles(by: str, told: Quantiles, target_ms: float, q: float) -> Look:
    known = {float(each): v for each, v in told.values.items() if math.isfinite(v)}
    least, most = quantiles.count_at_or_above(told.n, target_ms, known)
    observed = known.get(q)
    census = told.basis == "census" and told.n * (1 - q) >= 1
    return Look(
        by,
        standing(told.n, least, most, 1 - q, observed if census else None, target_ms),
        told.n,
        least,
        most,
        observed,
        why="too_little_traffic",
        note="all of them" if told.basis == "census" else "a sample",
    )


def _of_distribution(by: str, told: Distribution, target_ms: float, q: float) -> Look:
    counts, n = told.merged(), told.n + told.censored
    trip = histogram.round_trip(counts, told.round_trip_ms)
    at = histogram.bucket(target_ms + trip)
    above = sum(c for index, c in counts.items() if index > at) + told.censored
    most = above + counts.get(at, 0)
    away = lost(told)
    ranked = _ranked(sorted(counts.items()), told.n)
    raw = ranked(_ranks(n, q)[0])
    notes = []
    if trip:
        of = "" if raw is None else f" {format_number(raw)} ms"
        notes.append(f"a round trip of {format_number(trip)} ms taken off{of}")
    elif told.round_trip_ms and counts:
        notes.append(
            f"nothing taken off: the connection took {format_number(told.round_trip_ms)} ms, "
            "longer than the fastest answer"
        )
    notes += [f"from {one_line(told.question.vantage, 60)}"] if told.question.vantage else []
    notes += [away.told()] if away.told() else []
    if n and told.sent_late > MOST_LATE * n:
        notes.append(
            f"{format_count(told.sent_late)} were sent late: the prober was the bottleneck"
        )
        return Look(by, "open", n, above, most, why="sent_late", note=", ".join(notes), lost=away)
    observed, lower, upper = (
        None if v is None else max(0.0, v - trip) for v in map(ranked, _ranks(n, q))
    )
    return Look(
        by,
        standing(n, above, most, 1 - q),
        n,
        above,
        most,
        observed,
        lower,
        upper,
        why="too_few_samples",
        note=", ".join(notes),
        lost=away,
    )


def _of_samples(by: str, told: Samples, target_ms: float, q: float) -> Look:
    factor = {"ms": 1.0, "s": 1000.0}[told.unit]
    values = sorted(v * factor for v in told.values)
    n = len(values) + told.censored
    above = sum(v >= target_ms for v in values) + told.censored
    observed, lower, upper = (
        values[rank - 1] if rank is not None and rank <= len(values) else None
        for rank in _ranks(n, q)
    )
    return Look(
        by,
        standing(n, above, above, 1 - q),
        n,
        above,
        above,
        observed,
        lower,
        upper,
        why="too_few_samples",
        note=lost(told).told(),
        lost=lost(told),
    )


def _ranks(n: int, q: float) -> tuple[int | None, int | None, int | None]:
    """The ranks of quantile ``q`` of ``n`` and of its bounds."""
    if not n:
        return None, None, None
    return max(1, math.ceil(q * n)), quantiles.lower_rank(n, q), quantiles.upper_rank(n, q)


def _ranked(counts: Sequence[tuple[int, int]], n: int) -> Callable[[int | None], float | None]:
    """The value at a rank of a histogram; none past its end, or without a rank."""

    def at(rank: int | None) -> float | None:
        if rank is None or rank > n:
            return None
        seen = 0
        for index, number in counts:
            seen += number
            if seen >= rank:
                return histogram.middle(index)
        return None

    return at
