"""One source's result for a quantile and its limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from hour24 import histogram
from hour24.evidence import Buckets, Distribution, Evidence, Quantiles, Samples, Unanswered
from hour24.objectives.probes import was_answered
from hour24.statistics import quantiles, rates
from hour24.text import format_count, format_number, join_some, one_line

MOST_LATE = 0.01
"""The share of late requests from which the prober was the bottleneck."""
LEAST_SLOW = 2
"""One slow request of a census is not a quantile."""
REMEDY = {
    "source_refused": "expected our credential to be accepted; see the endpoint's headers and "
    "expect_status in production.toml",
    "source_limited": "it rate-limits our requests; allow them, or send fewer: latency_per_s and "
    "interval_s in production.toml",
}
"""Code -> what to do when our own requests give no samples."""
Standing = Literal["inside", "beyond", "open"]


class Unsampled(NamedTuple):
    """Our own requests that gave no sample.

    Args:
        bad: those without a good answer: each is above any value.
        ended: how these ended -> how many, as far as that is known.
        refused: answered 401 or 403: our credential was refused.
        limited: answered 429.
    """

    bad: int = 0
    ended: Mapping[str, int] = {}
    refused: int = 0
    limited: int = 0

    @property
    def silent(self) -> int:
        """The number of bad ones without any HTTP answer."""
        return self.bad - sum(n for how, n in self.ended.items() if was_answered(how))

    @property
    def code(self) -> str:
        """The code of the bad ones: no answer, unless most of them were answered."""
        return "no_answer" if 2 * self.silent >= self.bad else "bad_status"

    def endings(self) -> str:
        """`` (18 × HTTP 503; 2 × timeout)``; empty when they are not known."""
        ranked = sorted(self.ended.items(), key=lambda each: (-each[1], each[0]))
        how = [
            f"{format_count(n)} × {'HTTP ' * name.isdigit()}{one_line(name, 40)}"
            for name, n in ranked
        ]
        return f" ({join_some(how)})" if how else ""

    def text(self) -> str:
        """``20 failed (18 × HTTP 503; 2 × timeout), 3 were refused (401 or 403)``."""
        parts = [
            f"{format_count(self.bad)} failed{self.endings()}",
            f"{format_count(self.refused)} were refused (401 or 403)",
            f"{format_count(self.limited)} were rate-limited (429)",
        ]
        numbers = (self.bad, self.refused, self.limited)
        return ", ".join(part for part, n in zip(parts, numbers, strict=True) if n)


class Finding(NamedTuple):
    """One source's result for a target.

    ``least`` and ``most`` bound how many of ``n`` are at or above it. ``observed``, ``lower`` and
    ``upper`` are the quantile and its bounds in ms, where they are known; ``why`` is the code when
    it is open; ``unsampled`` is for our own requests.
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
    unsampled: Unsampled = Unsampled()

    @property
    def asked(self) -> int:
        """The number of our own requests, including those without a sample."""
        return self.n + self.unsampled.refused + self.unsampled.limited

    @property
    def good(self) -> int:
        """The number of our own requests with a good answer."""
        return self.n - self.unsampled.bad


def examine(by: str, evidence: Evidence, target_ms: float, q: float) -> Finding | None:
    """The result for quantile ``q`` and the target; None when there is no answer.

    Raises: TypeError, when the evidence contains no latencies.
    """
    match evidence:
        case Quantiles():
            return _of_quantiles(by, evidence, target_ms, q)
        case Buckets():
            return _of_buckets(by, evidence, target_ms, q)
        case Distribution():
            return _of_distribution(by, evidence, target_ms, q)
        case Samples():
            return _of_samples(by, evidence, target_ms, q)
        case Unanswered():
            return None
    raise TypeError(f"{by}: expected latencies, got {type(evidence).__name__}")


def unsampled(answer: Distribution | Samples) -> Unsampled:
    """The requests of this answer that gave no sample."""
    if isinstance(answer, Samples):
        return Unsampled(answer.censored)
    return Unsampled(answer.censored, answer.bad, answer.refused, answer.limited)


def standing(
    n: int, least: int, most: int, share: float, fact: float | None = None, limit: float = math.inf
) -> Standing:
    """``least`` to ``most`` slow ones of ``n`` compared with an allowed ``share``.

    Args:
        fact: the exact quantile of a census, which is compared with ``limit`` without a bound.
    """
    if n == 0:
        return "open"
    if fact is not None:
        return "inside" if fact < limit else "beyond" if least >= LEAST_SLOW else "open"
    if rates.judge_sample(least, n, share).standing == "beyond":
        return "beyond"
    return "inside" if rates.judge_sample(most, n, share).standing == "inside" else "open"


def _of_quantiles(by: str, answer: Quantiles, target_ms: float, q: float) -> Finding:
    known = {float(each): v for each, v in answer.values.items() if math.isfinite(v)}
    least, most = quantiles.count_at_or_above(answer.n, target_ms, known)
    observed = known.get(q)
    census = answer.basis == "census" and answer.n * (1 - q) >= 1
    return Finding(
        by,
        standing(answer.n, least, most, 1 - q, observed if census else None, target_ms),
        answer.n,
        least,
        most,
        observed,
        why="too_little_traffic",
        note="all calls" if answer.basis == "census" else "a sample",
    )


def count_above(
    above: Mapping[str, Sequence[int]], total: int, limit: float
) -> tuple[int, int, bool]:
    """How many are at or above ``limit`` by buckets: at least, at most, and whether one ends there.

    Args:
        above: bound as text -> how many are above it, at least and at most.
        total: at most this many there are.
    """
    known = [(float(bound), many[0], many[1]) for bound, many in above.items()]
    exact = [each for each in known if math.isclose(each[0], limit, rel_tol=1e-9)]
    if exact:
        return exact[0][1], exact[0][2], True
    least = max((each[1] for each in known if each[0] > limit), default=0)
    most = min((each[2] for each in known if each[0] < limit), default=total)
    return min(least, most), most, False


def standing_of_census(n: tuple[int, int], least: int, most: int, q: float) -> Standing:
    """``least`` to ``most`` slow ones of all there were, compared with what ``q`` allows.

    Args:
        n: how many there were, at least and at most.
    """
    if most <= n[0] - math.ceil(q * n[0] - 1e-9):
        return "inside" if n[0] else "open"
    beyond = least > n[1] - math.ceil(q * n[1] - 1e-9) and least >= LEAST_SLOW
    return "beyond" if beyond else "open"


def missing_bucket(above: Mapping[str, Sequence[int]], limit: float) -> str:
    """Which bucket the histogram lacks: ``no bucket ends at 200 ms: add one between ...``."""
    bounds = [float(bound) for bound in above]
    below = max((each for each in bounds if each < limit), default=0.0)
    beyond = min((each for each in bounds if each > limit), default=math.inf)
    between = f"between {format_number(below)} and {format_number(beyond)}"
    if beyond == math.inf:
        between = f"above {format_number(below)}"
    return f"no bucket ends at {limit:g} ms: add one {between} ms"


def _of_buckets(by: str, answer: Buckets, target_ms: float, q: float) -> Finding:
    n = answer.total
    least, most, exact = count_above(answer.above, n[1], target_ms)
    if answer.basis == "census" and n[0] * (1 - q) >= 1:
        where = standing_of_census(n, least, most, q)
    else:
        where = standing(n[0], least, most, 1 - q)
    undecided = where == "open" and not exact and least != most
    crossed = sorted((float(bound), many) for bound, many in answer.above.items())
    lower = [b for b, many in crossed if many[0] > n[1] - math.ceil(q * n[1] - 1e-9)]
    upper = [b for b, many in crossed if n[0] and many[1] <= n[0] - math.ceil(q * n[0] - 1e-9)]
    return Finding(
        by,
        where,
        n[0],
        least,
        most,
        lower=lower[-1] if lower else None,
        upper=upper[0] if upper else None,
        why="no_bucket" if undecided else "too_little_traffic",
        note=missing_bucket(answer.above, target_ms) if not exact else "all requests, by buckets",
    )


def _of_distribution(by: str, answer: Distribution, target_ms: float, q: float) -> Finding:
    counts, n = answer.merged(), answer.n + answer.censored
    trip = histogram.round_trip(counts, answer.round_trip_ms)
    at = histogram.bucket(target_ms + trip)
    above = sum(c for index, c in counts.items() if index > at) + answer.censored
    most = above + counts.get(at, 0)
    away = unsampled(answer)
    ranked = _value_by_rank(sorted(counts.items()), answer.n)
    raw = ranked(_ranks(n, q)[0])
    notes = []
    if trip:
        of = "" if raw is None else f" from {format_number(raw)} ms"
        notes.append(f"a round trip of {format_number(trip)} ms subtracted{of}")
    elif answer.round_trip_ms and counts:
        notes.append(
            "no round trip subtracted: the connection took "
            f"{format_number(answer.round_trip_ms)} ms, longer than the fastest answer"
        )
    notes += [f"from {one_line(answer.question.vantage, 60)}"] if answer.question.vantage else []
    notes += [away.text()] if away.text() else []
    if n and answer.sent_late > MOST_LATE * n:
        notes.append(
            f"{format_count(answer.sent_late)} were sent late: the prober was the bottleneck"
        )
        return Finding(
            by, "open", n, above, most, why="sent_late", note=", ".join(notes), unsampled=away
        )
    observed, lower, upper = (
        None if v is None else max(0.0, v - trip) for v in map(ranked, _ranks(n, q))
    )
    return Finding(
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
        unsampled=away,
    )


def _of_samples(by: str, answer: Samples, target_ms: float, q: float) -> Finding:
    factor = {"ms": 1.0, "s": 1000.0}[answer.unit]
    values = sorted(v * factor for v in answer.values)
    n = len(values) + answer.censored
    above = sum(v >= target_ms for v in values) + answer.censored
    observed, lower, upper = (
        values[rank - 1] if rank is not None and rank <= len(values) else None
        for rank in _ranks(n, q)
    )
    return Finding(
        by,
        standing(n, above, above, 1 - q),
        n,
        above,
        above,
        observed,
        lower,
        upper,
        why="too_few_samples",
        note=unsampled(answer).text(),
        unsampled=unsampled(answer),
    )


def _ranks(n: int, q: float) -> tuple[int | None, int | None, int | None]:
    """The ranks of quantile ``q`` of ``n`` and of its bounds."""
    if not n:
        return None, None, None
    return max(1, math.ceil(q * n)), quantiles.lower_rank(n, q), quantiles.upper_rank(n, q)


def _value_by_rank(
    counts: Sequence[tuple[int, int]], n: int
) -> Callable[[int | None], float | None]:
    """A function from rank to value of a histogram; None past its end, or without a rank."""

    def at(rank: int | None) -> float | None:
        if rank is None or rank > n:
            return None
        passed = 0
        for index, number in counts:
            passed += number
            if passed >= rank:
                return histogram.middle(index)
        return None

    return at
