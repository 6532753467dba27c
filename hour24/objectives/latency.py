"""Latency: against a target, over all transactions, and against hour 0.

Rules of this module:

- The target is for the server's time. What Sentry computed of the service's own spans speaks
  first; then probes, from their slot to the answer, less the round trip of a connection; then
  the few samples taken now. The first that can tell decides; where another differs, that is said.
- "p99 below X" is "fewer than 1 % at or above X": exact bounds on the count, and what had no
  answer lies beyond any X. A histogram's bucket that holds X counts against whoever it hurts.
- A census is a fact from 1 / (1 - q) requests on: below, the quantile is its slowest one. Of a
  sample whose source told quantiles only, the counts that they allow are bounded.
- When more than 1 % of the requests were sent late, the prober was the bottleneck, and its
  figures show nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from hour24 import histogram
from hour24.evidence import Distribution, Evidence, Listing, Quantiles, Samples, Unanswered
from hour24.objectives.base import Objective
from hour24.objectives.measured import unheard, value
from hour24.objectives.words import count, percent, said, several, times
from hour24.statistics import quantiles, rates, shift
from hour24.verdict import Outcome, Scale, Verdict

MOST_LATE = 0.01
LEAST_SLOW = 2
"""One slow request of a census is no quantile."""
Standing = Literal["inside", "beyond", "open"]
_BY = {"spans": "Sentry's spans", "probes": "probes", "samples": "samples taken now"}


class _Look(NamedTuple):
    """What one source says of a target.

    ``least`` and ``most`` bound how many of ``n`` lie at or above it. ``observed``, ``lower`` and
    ``upper`` are the quantile and its bounds in ms, where they are known; ``why`` is a code when
    it tells nothing.
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


LOOKED_AT = ("spans", "probes", "samples")
"""What tells latencies, the one that is closest to the server first."""


class QuantileBelow(Objective, frozen=True, kw_only=True):
    """A quantile of an endpoint's latency is below its target.

    Args:
        target_ms: in milliseconds.
        q: which quantile, 0 to 1.
        known_slow: why it is known to be slow; judged all the same, and told.

    ``control`` silent: samples taken now that had no answer say nothing of the service.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    may: ClassVar[tuple[str, ...]] = (*LOOKED_AT, "control")

    target_ms: float
    q: float = 0.99
    known_slow: str = ""

    def limit_text(self) -> str:
        return f"p{100 * self.q:g} below {self.target_ms:g} ms"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        evidence = _of_our_network(evidence)
        looks = [self._look(name, evidence[name]) for name in LOOKED_AT if name in evidence]
        told = [look for look in looks if look is not None]
        silent = [each for each in evidence.values() if isinstance(each, Unanswered)]
        if not told:
            code = silent[0].code if silent else "not_described"
            reasons = [each.reason for each in silent] or ["nothing measured this endpoint"]
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                code=code,
                reason=several(reasons),
                observed="not measured",
                limit=self.limit_text(),
            )
        decided = [look for look in told if look.standing != "open"]
        first = decided[0] if decided else max(told, key=lambda look: (not look.why, look.n))
        reason = self._sentence(first)
        for other in decided[1:]:
            if other.standing != first.standing:
                reason += f"; {_BY[other.by]} differ: {self._counted(other)}"
        reason += "".join(
            f"; not heard: {each.reason}" for each in silent if each.code != "not_described"
        )
        if self.known_slow:
            reason += f"; known to be slow: {self.known_slow}"
        figures = {"q": self.q, "n": float(first.n), "at_or_above": float(first.most)}
        for name in ("observed", "lower", "upper"):
            known = getattr(first, name)
            if known is not None:
                figures[f"{name}_ms"] = known
        outcome, code = {
            "beyond": (Outcome.FAIL, "slow"),
            "inside": (Outcome.PASS, ""),
            "open": (Outcome.INCONCLUSIVE, first.why),
        }[first.standing]
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed="not measured" if first.observed is None else f"{value(first.observed)} ms",
            bound=_bound(first),
            limit=self.limit_text(),
            scale=Scale(
                unit="ms",
                limit=self.target_ms,
                observed=first.observed,
                lower=first.lower,
                upper=first.upper,
            ),
            figures=figures,
        )

    def _look(self, name: str, evidence: Evidence) -> _Look | None:
        match evidence:
            case Quantiles():
                return self._of_quantiles(name, evidence)
            case Distribution():
                return self._of_distribution(name, evidence)
            case Samples():
                return self._of_samples(name, evidence)
            case Unanswered():
                return None
        raise TypeError(f"{name}: expected latencies, got {type(evidence).__name__}")

    def _of_quantiles(self, name: str, told: Quantiles) -> _Look:
        known = {float(q): v for q, v in told.values.items() if math.isfinite(v)}
        least, most = quantiles.between(told.n, self.target_ms, known)
        observed = known.get(self.q)
        census = told.basis == "census" and told.n * (1 - self.q) >= 1
        return _Look(
            name,
            _standing(
                told.n, least, most, 1 - self.q, observed if census else None, self.target_ms
            ),
            told.n,
            least,
            most,
            observed,
            why="too_little_traffic",
            note="all of them" if told.basis == "census" else "a sample",
        )

    def _of_distribution(self, name: str, told: Distribution) -> _Look:
        counts, n = told.merged(), told.n + told.censored
        trip = told.round_trip_ms
        at = histogram.bucket(self.target_ms + trip)
        above = sum(c for index, c in counts.items() if index > at) + told.censored
        most = above + counts.get(at, 0)
        standing = _standing(n, above, most, 1 - self.q)
        ranked = _ranked(sorted(counts.items()), told.n)
        notes = [f"a round trip of {value(trip)} ms taken off"] if trip else []
        notes += [f"from {said(told.question.vantage, 60)}"] if told.question.vantage else []
        notes += [f"{count(told.censored)} had no good answer"] if told.censored else []
        if n and told.sent_late > MOST_LATE * n:
            notes.append(f"{count(told.sent_late)} were sent late: the prober was the bottleneck")
            return _Look(name, "open", n, above, most, why="sent_late", note=", ".join(notes))
        ranks = (
            max(1, math.ceil(self.q * n)) if n else None,
            quantiles.lower_rank(n, self.q),
            quantiles.upper_rank(n, self.q),
        )
        observed, lower, upper = (
            None if v is None else max(0.0, v - trip) for v in map(ranked, ranks)
        )
        return _Look(
            name,
            standing,
            n,
            above,
            most,
            observed,
            lower,
            upper,
            why="too_few_samples",
            note=", ".join(notes),
        )

    def _of_samples(self, name: str, told: Samples) -> _Look:
        factor = {"ms": 1.0, "s": 1000.0}[told.unit]
        values = sorted(v * factor for v in told.values)
        n = len(values) + told.censored
        above = sum(v >= self.target_ms for v in values) + told.censored

        def ranked(rank: int | None) -> float | None:
            return values[rank - 1] if rank is not None and rank <= len(values) else None

        return _Look(
            name,
            _standing(n, above, above, 1 - self.q),
            n,
            above,
            above,
            ranked(max(1, math.ceil(self.q * n))) if n else None,
            ranked(quantiles.lower_rank(n, self.q)),
            ranked(quantiles.upper_rank(n, self.q)),
            why="too_few_samples",
            note=f"{count(told.censored)} had no good answer" if told.censored else "",
        )

    def _sentence(self, look: _Look) -> str:
        reason = f"By {_BY[look.by]}, {self._counted(look)}"
        if look.standing != "open":
            return reason + _bounded(look)
        if look.why == "sent_late":
            return reason
        if look.most > look.n * (1 - self.q):
            return f"{reason}; that shows neither"
        needed = rates.needed(look.most, 1 - self.q)
        return f"{reason}; {count(needed)} requests with no more than these would show it below"

    def _counted(self, look: _Look) -> str:
        """``3 of 1,354 took 500 ms or more (p99 402 ms; a sample)``."""
        many = count(look.most)
        if look.least != look.most:
            many = f"{count(look.least)} to {many}"
        p = "" if look.observed is None else f"p{100 * self.q:g} {value(look.observed)} ms"
        beside = "; ".join(part for part in (p, look.note) if part)
        return f"{many} of {count(look.n)} took {self.target_ms:g} ms or more" + (
            f" ({beside})" if beside else ""
        )


def _standing(
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
    if rates.against(least, n, share).standing == "beyond":
        return "beyond"
    return "inside" if rates.against(most, n, share).standing == "inside" else "open"


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


def _of_our_network(evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence without the samples that our own network may have cost."""
    known = {name: each for name, each in evidence.items() if name != "control"}
    samples = known.get("samples")
    lost = isinstance(samples, Distribution | Samples) and samples.censored
    if samples is not None and lost and unheard(evidence.get("control")):
        known["samples"] = Unanswered(
            question=samples.question,
            code="no_network",
            reason="samples had no answer, and neither had the control address: our own network "
            "may be down",
        )
    return known


def _bound(look: _Look) -> str:
    if look.standing == "beyond":
        return "" if look.lower is None else f"at least {value(look.lower)} ms"
    return "" if look.upper is None else f"at most {value(look.upper)} ms"


def _bounded(look: _Look) -> str:
    bound = _bound(look)
    confidence = "99" if look.standing == "beyond" else "95"
    return f"; {bound}, {confidence} % sure" if bound else ""


class MostBelow(Objective, frozen=True, kw_only=True):
    """Most transactions have a p99 below a limit.

    Of a census each p99 is a fact; of a sample, a transaction with too few spans is unknown, and
    the verdict must hold whatever the unknown ones are.

    Args:
        share: of the transactions, 0 to 1.
        limit_ms: in milliseconds.
    """

    needs: ClassVar[tuple[str, ...]] = ("transactions",)

    share: float = 0.9
    limit_ms: float = 1000.0

    def limit_text(self) -> str:
        return f"at least {percent(self.share)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        listing = evidence["transactions"]
        if not isinstance(listing, Listing):
            raise TypeError(f"transactions: expected a Listing, got {type(listing).__name__}")
        stands = {str(i["transaction"]): self._stands(i, listing.basis) for i in listing.items}
        n = len(stands)
        slow = [name for name, standing in stands.items() if standing == "beyond"]
        fast = sum(standing == "inside" for standing in stands.values())
        unknown = n - fast - len(slow)
        figures = {"transactions": float(n), "fast": float(fast), "unknown": float(unknown)}
        if n == 0 or not listing.complete:
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                code="source_incomplete" if n else "no_data",
                reason=f"Sentry told {count(n)} transactions"
                + (", which are not all there are" if n else ": expected at least one"),
                observed="not measured",
                limit=self.limit_text(),
                figures=figures,
            )
        least, most = fast / n, (fast + unknown) / n
        figures |= {"share_at_least": least, "share_at_most": most}
        reason = (
            f"{count(fast)} of {count(n)} transactions have a p99 below {self.limit_ms:g} ms, "
            f"{percent(least)}"
        )
        if slow:
            items = {str(item["transaction"]): item for item in listing.items}
            told = [f"{said(name)} {value(float(items[name]['p99'] or 0.0))} ms" for name in slow]
            reason += f"; above: {several(told)}"
        if unknown:
            reason += (
                f"; {count(unknown)} were seen too rarely to tell (of a sample, it takes "
                f"{count(quantiles.least(0.99))})"
            )
        outcome, code = Outcome.INCONCLUSIVE, "too_little_traffic"
        if least >= self.share:
            outcome, code = Outcome.PASS, ""
        elif most < self.share:
            outcome, code = Outcome.FAIL, "slow"
            reason += f": expected at least {percent(self.share)}"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=percent(least),
            bound=f"{percent(least)} to {percent(most)}" if unknown else "",
            limit=self.limit_text(),
            scale=Scale(
                unit="ratio",
                limit=self.share,
                observed=least,
                lower=least if unknown else None,
                upper=most if unknown else None,
                better="above",
            ),
            figures=figures,
        )

    def _stands(self, item: Mapping[str, Any], basis: str) -> Standing:
        n = int(item["count"])
        known = {
            q: float(item[name])
            for q, name in (
                (0.5, "p50"),
                (0.75, "p75"),
                (0.9, "p90"),
                (0.95, "p95"),
                (0.99, "p99"),
                (1.0, "p100"),
            )
            if item.get(name) is not None
        }
        least, most = quantiles.between(n, self.limit_ms, known)
        fact = known.get(0.99) if basis == "census" else None
        return _standing(n, least, most, 0.01, fact, self.limit_ms)


class NotSlower(Objective, frozen=True, kw_only=True):
    """An endpoint is not slower than at hour 0: neither its middle nor its tail.

    Args:
        max_ratio: by which factor the medians may have risen.
        max_tail: by which factor the p95 may have risen.
    """

    needs: ClassVar[tuple[str, ...]] = ("now", "baseline")

    max_ratio: float = 1.2
    max_tail: float = 1.5

    def limit_text(self) -> str:
        return f"below {times(self.max_ratio)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        now, baseline = (_distribution(evidence[name], name) for name in self.needs)
        for name, each in (("now", now), ("at hour 0", baseline)):
            sent = each.n + each.censored
            if each.sent_late > MOST_LATE * sent:
                return self._open(
                    "sent_late",
                    f"Of {count(sent)} requests {name}, {count(each.sent_late)} were sent late: "
                    "the prober was the bottleneck",
                )
        silent = rates.against(now.censored, now.n + now.censored, shift.TAIL_SHARE)
        if silent.standing == "beyond":
            return self._verdict(
                Outcome.FAIL,
                "no_answer",
                f"{count(silent.bad)} of {count(silent.total)} requests had no good answer, at "
                f"least {percent(silent.lower)}: so much of the tail lies beyond any value "
                "of hour 0",
                None,
                {"censored": float(silent.bad), "n": float(silent.total)},
            )
        after, before = _blocks(now), _blocks(baseline)
        medians, base = shift.block_medians(after), shift.block_medians(before)
        fewest = min(len(medians), len(base))
        if fewest < shift.LEAST_BLOCKS:
            when = "since then" if len(medians) == fewest else "at hour 0"
            return self._open(
                "too_few_samples",
                f"{count(fewest)} stretches of 10 min hold {shift.LEAST_IN_BLOCK} samples or "
                f"more {when}: expected at least {count(shift.LEAST_BLOCKS)}",
            )
        moved, tail = shift.shift(medians, base), shift.tail(after, before)
        seen = shift.visible(medians, base, self.max_ratio)
        figures = {
            "factor": moved.factor,
            "lower": moved.lower,
            "upper": moved.upper,
            "tail_share": tail.share,
            "tail_lower": tail.lower,
            "tail_ratio": tail.ratio,
            "visible": seen,
            "n": float(now.n),
            "n_baseline": float(baseline.n),
        }
        middle = (
            f"medians lie at {times(moved.factor)} of hour 0 ({times(moved.lower)} to "
            f"{times(moved.upper)}), p95 at {times(tail.ratio)}"
        )
        beside = f"; a rise below {times(seen)} could not have been seen"
        if now.censored:
            beside += f"; {count(now.censored)} had no good answer and are not among them"
        if moved.lower > self.max_ratio:
            return self._verdict(
                Outcome.FAIL,
                "slower",
                f"Slower: {middle}: expected below {times(self.max_ratio)}",
                moved,
                figures,
            )
        if tail.lower > shift.TAIL_SHARE and tail.ratio > self.max_tail:
            return self._verdict(
                Outcome.FAIL,
                "slower_tail",
                f"Its tail is slower: {percent(tail.share)} of the samples lie above the p95 of "
                f"hour 0, at least {percent(tail.lower)}; {middle}",
                moved,
                figures,
            )
        if moved.upper < self.max_ratio and tail.ratio < self.max_tail:
            return self._verdict(
                Outcome.PASS, "", middle[:1].upper() + middle[1:] + beside, moved, figures
            )
        return self._verdict(
            Outcome.INCONCLUSIVE,
            "too_few_samples",
            f"Neither shown: {middle}: expected both bounds on one side of "
            f"{times(self.max_ratio)}, and p95 below {times(self.max_tail)}{beside}",
            moved,
            figures,
        )

    def _open(self, code: str, reason: str) -> Verdict:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            code=code,
            reason=reason,
            observed="not measured",
            limit=self.limit_text(),
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        moved: shift.Shift | None,
        figures: dict[str, float],
    ) -> Verdict:
        if moved is None:
            return Verdict(
                outcome=outcome,
                code=code,
                reason=reason,
                observed="no answer",
                limit=self.limit_text(),
                figures=figures,
            )
        fails = outcome == Outcome.FAIL
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=times(moved.factor),
            bound=f"at least {times(moved.lower)}" if fails else f"at most {times(moved.upper)}",
            limit=self.limit_text(),
            scale=Scale(
                unit="times hour 0",
                limit=self.max_ratio,
                observed=moved.factor,
                lower=moved.lower,
                upper=moved.upper,
            ),
            figures=figures,
        )


def _blocks(found: Distribution) -> list[dict[int, int]]:
    return [
        {int(index): n for index, n in block.counts.items()}
        for block in found.blocks
        if block.counts
    ]


def _distribution(evidence: Evidence, name: str) -> Distribution:
    if not isinstance(evidence, Distribution):
        raise TypeError(f"{name}: expected a Distribution, got {type(evidence).__name__}")
    return evidence
