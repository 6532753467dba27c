"""Whether a quantile of an endpoint's latency is below its target.

Rules of this module:

- The target is for the server's time. A tracer's figures from the service's own spans come first;
  then probes, from their slot to the answer, minus the round trip of a connection; then the few
  samples taken now. The first with enough data decides; the verdict says where another differs.
- Where so many of our own requests failed that the quantile cannot be below any target, the
  endpoint fails, whatever its spans say about the requests it answered.
- Spans alone do not pass an endpoint that answered none of our own requests: refused credentials,
  rate limits and our own network show nothing, and the verdict says so.
- Samples without any answer count against the endpoint only if the control address answered.
- Samples cover a quarter of a minute: where probes show the endpoint below its target, failed
  samples decide only when they are the majority.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hour24.evidence import (
    Buckets,
    Distribution,
    Document,
    Evidence,
    Quantiles,
    Samples,
    Unanswered,
    control_is_silent,
)
from hour24.objectives.base import Kinds, Objective
from hour24.objectives.latency.findings import REMEDY, Finding, Unsampled, examine, unsampled
from hour24.statistics import rates
from hour24.text import count_of, format_count, format_number, format_percent, join_some
from hour24.verdict import Outcome, Scale, Verdict

SOURCES = ("spans", "probes", "samples")
"""Evidence with latencies, the one closest to the server first."""
OWN = ("probes", "samples")
OUR_NETWORK = ("no_network", "no_control")
_BY = {"spans": "server spans", "probes": "probes", "samples": "samples taken now"}


class QuantileBelow(Objective, frozen=True, kw_only=True):
    """A quantile of an endpoint's latency is below its target.

    Args:
        target_ms: in milliseconds.
        q: which quantile, 0 to 1.
        known_slow: why it is known to be slow; judged all the same, and reported.

    ``control`` is the control address: without its answer, unanswered samples say nothing about
    the service.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {
        **dict.fromkeys(SOURCES, Quantiles | Buckets | Distribution | Samples),
        "control": Document,
    }
    spared: ClassVar[Mapping[str, str]] = {
        "probes": "our own requests; a criterion of its own reports a prober that is off",
        "samples": "our own requests, like the probes",
        "control": "it only shows on which side an answer was lost",
    }

    target_ms: float
    q: float
    known_slow: str = ""

    def limit_text(self) -> str:
        return f"p{100 * self.q:g} below {self.target_ms:g} ms"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        evidence = _of_the_service(evidence)
        findings = [
            examine(name, evidence[name], self.target_ms, self.q)
            for name in SOURCES
            if name in evidence
        ]
        results = [each for each in findings if each is not None]
        unanswered = [each for each in evidence.values() if isinstance(each, Unanswered)]
        if not results:
            code = unanswered[0].code if unanswered else "not_described"
            reasons = [each.reason for each in unanswered] or ["nothing measured this endpoint"]
            return self.unmeasured(code, join_some(reasons))
        failed = next((each for each in results if self._too_many_failed(each, results)), None)
        if failed is not None:
            return self._verdict(
                Outcome.FAIL,
                failed.unsampled.code,
                self._failed_text(failed),
                failed,
                results,
                unanswered,
            )
        decided = [each for each in results if each.standing != "open"]
        first = decided[0] if decided else max(results, key=lambda each: (not each.why, each.n))
        blocked = _no_own_answer(results, unanswered) if first.standing != "beyond" else None
        if blocked is not None:
            code, reason = blocked
            if first.standing == "inside":
                reason = f"{self._sentence(first)}, but {reason}"
            reason = reason[:1].upper() + reason[1:]
            return self._verdict(Outcome.INCONCLUSIVE, code, reason, first, (first,), unanswered)
        outcome, code = {
            "beyond": (Outcome.FAIL, "slow"),
            "inside": (Outcome.PASS, ""),
            "open": (Outcome.INCONCLUSIVE, first.why),
        }[first.standing]
        return self._verdict(outcome, code, self._sentence(first), first, results, unanswered)

    def _too_many_failed(self, each: Finding, results: Sequence[Finding]) -> bool:
        """True if the failed requests alone are more than may be slow."""
        if self._without(each).standing != "beyond":
            return False
        longer = any(other.standing == "inside" and other.n > each.n for other in results)
        return each.by != "samples" or not longer or 2 * each.unsampled.bad > each.n

    def _without(self, each: Finding) -> rates.Share:
        """The share of failed requests, without timeouts when the prober was the bottleneck."""
        late = each.unsampled.ended.get("timeout", 0) if each.why == "sent_late" else 0
        return rates.judge_sample(each.unsampled.bad - late, each.n, 1 - self.q)

    def _failed_text(self, failed: Finding) -> str:
        return (
            f"{count_of(failed.unsampled.bad, failed.n)} {_BY[failed.by]} failed"
            f"{failed.unsampled.endings()}, at least "
            f"{format_percent(self._without(failed).lower)}; at most "
            f"{format_percent(1 - self.q)} may fail or be slow"
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        by: Finding,
        results: Sequence[Finding],
        unanswered: Sequence[Unanswered],
    ) -> Verdict:
        """The verdict by one finding; the others are added to its reason."""
        for other in results:
            if other is by:
                continue
            if other.standing not in ("open", by.standing):
                reason += f"; {_BY[other.by]} differ: {self._format_counts(other)}"
            elif other.unsampled.text():
                reason += (
                    f"; of {format_count(other.asked)} {_BY[other.by]}, {other.unsampled.text()}"
                )
        reason += "".join(
            f"; no answer: {each.reason}" for each in unanswered if each.code != "not_described"
        )
        if self.known_slow:
            reason += f"; known to be slow: {self.known_slow}"
        figures = {"q": self.q, "n": float(by.n), "at_or_above": float(by.most)}
        if by.unsampled.bad:
            figures["no_good_answer"] = float(by.unsampled.bad)
        for name in ("observed", "lower", "upper"):
            known = getattr(by, name)
            if known is not None:
                figures[f"{name}_ms"] = known
        unmeasured = "no good answer" if outcome == Outcome.FAIL else "not measured"
        if by.n > by.unsampled.bad:
            unmeasured = _bound(by) or unmeasured  # buckets know bounds alone
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

    def _sentence(self, by: Finding) -> str:
        source = _BY[by.by]
        reason = f"{source[:1].upper()}{source[1:]}: {self._format_counts(by)}"
        if by.standing != "open":
            return reason + _bounded(by)
        if by.why == "sent_late":
            return reason
        if by.most > by.n * (1 - self.q):
            return f"{reason}; this is undecided"
        if by.why == "no_bucket":
            return f"{reason}; this is undecided"
        needed = rates.needed_total(by.most, 1 - self.q)
        return f"{reason}; {format_count(needed)} requests with no more slow ones would pass"

    def _format_counts(self, by: Finding) -> str:
        """``3 of 1,354 took 500 ms or more (p99 402 ms; a sample)``."""
        many = format_count(by.most)
        if by.least != by.most:
            many = f"{format_count(by.least)} to {many}"
        p = "" if by.observed is None else f"p{100 * self.q:g} {format_number(by.observed)} ms"
        details = "; ".join(part for part in (p, by.note) if part)
        return f"{many} of {format_count(by.n)} took {self.target_ms:g} ms or more" + (
            f" ({details})" if details else ""
        )


def _of_the_service(evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence without samples that may have failed because of our own network."""
    known = {name: each for name, each in evidence.items() if name != "control"}
    samples, control = known.get("samples"), evidence.get("control")
    if not isinstance(samples, Distribution | Samples) or _any_answer(samples):
        return known
    if isinstance(control, Document) and not control_is_silent(control):
        return known
    code, control_text = ("no_control", "the control address was not asked, so it may be")
    if control_is_silent(control):
        code, control_text = ("no_network", "neither had the control address: it may be")
    known["samples"] = Unanswered(
        question=samples.question,
        code=code,
        reason=f"samples had no answer, and {control_text} our own network",
    )
    return known


def _any_answer(samples: Distribution | Samples) -> bool:
    """True if any of them had an answer, or if there are none."""
    lost = unsampled(samples)
    good = len(samples.values) if isinstance(samples, Samples) else samples.n
    answered = good + lost.refused + lost.limited + lost.bad - lost.silent
    return answered > 0 or not lost.silent


def _no_own_answer(
    results: Sequence[Finding], unanswered: Sequence[Unanswered]
) -> tuple[str, str] | None:
    """Code and reason when all of our own requests to the endpoint failed; else None.

    None, too, when we sent none: then spans alone may decide.
    """
    own = [each for each in results if each.by in OWN and each.asked]
    if any(each.good for each in own):
        return None
    network = next((each for each in unanswered if each.code in OUR_NETWORK), None)
    if network is not None:
        return network.code, "our own requests had no answer"
    if not own:
        return None
    lost = Unsampled(
        sum(each.unsampled.bad for each in own),
        refused=sum(each.unsampled.refused for each in own),
        limited=sum(each.unsampled.limited for each in own),
    )
    reason = f"of our own {format_count(sum(each.asked for each in own))} requests, {lost.text()}"
    if not lost.refused and not lost.limited:
        return own[0].why, f"{reason}; this is undecided"
    code = "source_refused" if lost.refused else "source_limited"
    return code, f"{reason}, and none succeeded: {REMEDY[code]}"


def _bound(by: Finding) -> str:
    if by.standing == "beyond":
        return "" if by.lower is None else f"at least {format_number(by.lower)} ms"
    return "" if by.upper is None else f"at most {format_number(by.upper)} ms"


def _bounded(by: Finding) -> str:
    bound = _bound(by)
    confidence = "99 %: " if by.standing == "beyond" else "95 %: "
    if by.observed is None:
        confidence = ""  # a bucket's bound is a fact
    return f"; {confidence}{bound}" if bound else ""
