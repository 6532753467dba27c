"""Whether a quantile of an endpoint's latency is below its target.

Rules of this module:

- The target is for the server's time. What a tracer computed of the service's own spans speaks
  first; then probes, from their slot to the answer, less the round trip of a connection; then
  the few samples taken now. The first that can tell decides; where another differs, that is said.
- The endpoint is the accused: where so many of our own requests had no good answer that the
  quantile cannot be below any target, it fails, whatever its spans tell of those it answered.
- Spans alone pass no endpoint that we asked ourselves and that gave us no good answer at all: its
  refusals of our credential, its limits and our own network show nothing, and that is told.
- Samples without any answer speak of the endpoint only where the control address answered.
- Samples are a quarter of a minute: where a longer look shows the endpoint below its target, they
  outvote it only when most of them had no good answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hour24.evidence import (
    Distribution,
    Document,
    Evidence,
    Quantiles,
    Samples,
    Unanswered,
    control_is_silent,
)
from hour24.objectives.base import Kinds, Objective
from hour24.objectives.latency.looks import REMEDY, Look, Lost, look, lost
from hour24.statistics import rates
from hour24.text import format_count, format_number, format_percent, join_some
from hour24.verdict import Outcome, Scale, Verdict

LOOKED_AT = ("spans", "probes", "samples")
"""What tells latencies, the one that is closest to the server first."""
OWN = ("probes", "samples")
OUR_NETWORK = ("no_network", "no_control")
_BY = {"spans": "the server's spans", "probes": "probes", "samples": "samples taken now"}


class QuantileBelow(Objective, frozen=True, kw_only=True):
    """A quantile of an endpoint's latency is below its target.

    Args:
        target_ms: in milliseconds.
        q: which quantile, 0 to 1.
        known_slow: why it is known to be slow; judged all the same, and told.

    ``control`` is the control address: without its answer, samples taken now that had none say
    nothing of the service.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {
        **dict.fromkeys(LOOKED_AT, Quantiles | Distribution | Samples),
        "control": Document,
    }

    target_ms: float
    q: float
    known_slow: str = ""

    def limit_text(self) -> str:
        return f"p{100 * self.q:g} below {self.target_ms:g} ms"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        evidence = _of_the_service(evidence)
        looks = [
            look(name, evidence[name], self.target_ms, self.q)
            for name in LOOKED_AT
            if name in evidence
        ]
        told = [each for each in looks if each is not None]
        silent = [each for each in evidence.values() if isinstance(each, Unanswered)]
        if not told:
            code = silent[0].code if silent else "not_described"
            reasons = [each.reason for each in silent] or ["nothing measured this endpoint"]
            return self.unmeasured(code, join_some(reasons))
        dead = next((each for each in told if self._dead(each, told)), None)
        if dead is not None:
            return self._verdict(
                Outcome.FAIL, dead.lost.code, self._unanswered(dead), dead, told, silent
            )
        decided = [each for each in told if each.standing != "open"]
        first = decided[0] if decided else max(told, key=lambda each: (not each.why, each.n))
        kept = _kept_from_us(told, silent) if first.standing != "beyond" else None
        if kept is not None:
            code, reason = kept
            if first.standing == "inside":
                reason = f"{self._sentence(first)}, but {reason}"
            reason = reason[:1].upper() + reason[1:]
            return self._verdict(Outcome.INCONCLUSIVE, code, reason, first, (first,), silent)
        outcome, code = {
            "beyond": (Outcome.FAIL, "slow"),
            "inside": (Outcome.PASS, ""),
            "open": (Outcome.INCONCLUSIVE, first.why),
        }[first.standing]
        return self._verdict(outcome, code, self._sentence(first), first, told, silent)

    def _dead(self, each: Look, told: Sequence[Look]) -> bool:
        """Whether what had no good answer alone is more than may be slow."""
        if self._without(each).standing != "beyond":
            return False
        longer = any(other.standing == "inside" and other.n > each.n for other in told)
        return each.by != "samples" or not longer or 2 * each.lost.bad > each.n

    def _without(self, each: Look) -> rates.Share:
        """The share without a good answer; of a bottleneck's, what ran out of time is no one's."""
        late = each.lost.ended.get("timeout", 0) if each.why == "sent_late" else 0
        return rates.judge_sample(each.lost.bad - late, each.n, 1 - self.q)

    def _unanswered(self, dead: Look) -> str:
        return (
            f"Of {format_count(dead.n)} {_BY[dead.by]}, {dead.lost.told()}, at least "
            f"{format_percent(self._without(dead).lower)}, 99 % sure: more than the "
            f"{format_percent(1 - self.q)} that may be slow"
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        by: Look,
        told: Sequence[Look],
        silent: Sequence[Unanswered],
    ) -> Verdict:
        """The verdict by one look, with what the others tell beside it."""
        for other in told:
            if other is by:
                continue
            if other.standing not in ("open", by.standing):
                reason += f"; {_BY[other.by]} differ: {self._counted(other)}"
            elif other.lost.told():
                reason += f"; of {format_count(other.asked)} {_BY[other.by]}, {other.lost.told()}"
        reason += "".join(
            f"; not heard: {each.reason}" for each in silent if each.code != "not_described"
        )
        if self.known_slow:
            reason += f"; known to be slow: {self.known_slow}"
        figures = {"q": self.q, "n": float(by.n), "at_or_above": float(by.most)}
        if by.lost.bad:
            figures["no_good_answer"] = float(by.lost.bad)
        for name in ("observed", "lower", "upper"):
            known = getattr(by, name)
            if known is not None:
                figures[f"{name}_ms"] = known
        unmeasured = "no good answer" if outcome == Outcome.FAIL else "not measured"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=unmeasured if by.observed is None else f"{format_number(by.observed)} ms",
            bound=_bound(by),
            limit=self.limit_text(),
            scale=Scale(
                unit="ms",
                limit=self.target_ms,
                observed=by.observed,
                lower=by.lower,
                upper=by.upper,
            ),
            figures=figures,
        )

    def _sentence(self, by: Look) -> str:
        reason = f"By {_BY[by.by]}, {self._counted(by)}"
        if by.standing != "open":
            return reason + _bounded(by)
        if by.why == "sent_late":
            return reason
        if by.most > by.n * (1 - self.q):
            return f"{reason}; that shows neither"
        needed = rates.needed_total(by.most, 1 - self.q)
        return (
            f"{reason}; {format_count(needed)} requests with no more than these would show it below"
        )

    def _counted(self, by: Look) -> str:
        """``3 of 1,354 took 500 ms or more (p99 402 ms; a sample)``."""
        many = format_count(by.most)
        if by.least != by.most:
            many = f"{format_count(by.least)} to {many}"
        p = "" if by.observed is None else f"p{100 * self.q:g} {format_number(by.observed)} ms"
        beside = "; ".join(part for part in (p, by.note) if part)
        return f"{many} of {format_count(by.n)} took {self.target_ms:g} ms or more" + (
            f" ({beside})" if beside else ""
        )


def _of_the_service(evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence without samples whose silence may be that of our own network."""
    known = {name: each for name, each in evidence.items() if name != "control"}
    samples, control = known.get("samples"), evidence.get("control")
    if not isinstance(samples, Distribution | Samples) or _heard(samples):
        return known
    if isinstance(control, Document) and not control_is_silent(control):
        return known
    code, and_control = ("no_control", "the control address was not asked, so that it may be")
    if control_is_silent(control):
        code, and_control = ("no_network", "neither had the control address: it may be")
    known["samples"] = Unanswered(
        question=samples.question,
        code=code,
        reason=f"samples had no answer, and {and_control} our own network",
    )
    return known


def _heard(samples: Distribution | Samples) -> bool:
    """Whether any of them was answered, in whichever way; of none there is nothing to ask."""
    away = lost(samples)
    good = len(samples.values) if isinstance(samples, Samples) else samples.n
    answered = good + away.refused + away.limited + away.bad - away.silent
    return answered > 0 or not away.silent


def _kept_from_us(told: Sequence[Look], silent: Sequence[Unanswered]) -> tuple[str, str] | None:
    """Code and reason when we asked the endpoint and had no good answer that would count.

    None when there was one, or when we did not ask: then spans may speak alone.
    """
    own = [each for each in told if each.by in OWN and each.asked]
    if any(each.good for each in own):
        return None
    network = next((each for each in silent if each.code in OUR_NETWORK), None)
    if network is not None:
        return network.code, "we had no answer of our own"
    if not own:
        return None
    away = Lost(
        sum(each.lost.bad for each in own),
        refused=sum(each.lost.refused for each in own),
        limited=sum(each.lost.limited for each in own),
    )
    reason = f"of our own {format_count(sum(each.asked for each in own))} requests, {away.told()}"
    if not away.refused and not away.limited:
        return own[0].why, f"{reason}; that shows neither"
    code = "source_refused" if away.refused else "source_limited"
    return code, f"{reason}, and none had a good answer: {REMEDY[code]}"


def _bound(by: Look) -> str:
    if by.standing == "beyond":
        return "" if by.lower is None else f"at least {format_number(by.lower)} ms"
    return "" if by.upper is None else f"at most {format_number(by.upper)} ms"


def _bounded(by: Look) -> str:
    bound = _bound(by)
    confidence = "99" if by.standing == "beyond" else "95"
    return f"; {bound}, {confidence} % sure" if bound else ""
