"""Whether most transactions are fast enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hour24.evidence import Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick
from hour24.objectives.latency.findings import (
    Standing,
    count_above,
    missing_bucket,
    standing,
    standing_of_census,
)
from hour24.statistics import quantiles
from hour24.text import count_of, format_count, format_number, format_percent, join_some, one_line
from hour24.verdict import Outcome, Scale, Verdict


class MostBelow(Objective, frozen=True, kw_only=True):
    """Most transactions have a p99 below a limit.

    In a census each p99 is exact; in a sample, a transaction with too few spans is unknown, and the
    verdict must be the same whatever the unknown ones are.

    Args:
        share: of the transactions, 0 to 1.
        limit_ms: in milliseconds.
    """

    needs: ClassVar[Kinds] = {"transactions": Listing}

    share: float
    limit_ms: float

    def limit_text(self) -> str:
        return f"at least {format_percent(self.share)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        listing = pick(evidence, "transactions", Listing)
        positions = {str(i["transaction"]): self._position(i, listing.basis) for i in listing.items}
        n = len(positions)
        slow = [name for name, standing in positions.items() if standing == "beyond"]
        fast = sum(standing == "inside" for standing in positions.values())
        unknown = n - fast - len(slow)
        figures = {"transactions": float(n), "fast": float(fast), "unknown": float(unknown)}
        if n == 0 or not listing.complete:
            return self.unmeasured(
                "source_incomplete" if n else "no_data",
                f"{listing.question.who} returned {format_count(n)} transactions"
                + (", which are not all" if n else ": expected at least one"),
                figures,
            )
        least, most = fast / n, (fast + unknown) / n
        figures |= {"share_at_least": least, "share_at_most": most}
        reason = (
            f"{count_of(fast, n)} transactions have a p99 below "
            f"{self.limit_ms:g} ms, "
            f"{format_percent(least)}"
        )
        if slow:
            items = {str(item["transaction"]): item for item in listing.items}
            slow_text = [f"{one_line(name, 100)} {self._p99(items[name])}" for name in slow]
            reason += f"; above: {join_some(slow_text)}"
        lacking = [
            missing_bucket(item["above"], self.limit_ms)
            for item in listing.items
            if "above" in item and not self._count_slow(item)[2]
        ]
        if unknown and lacking:
            reason += f"; {format_count(unknown)} are undecided: {lacking[0]}"
        elif unknown:
            reason += (
                f"; {format_count(unknown)} have too few calls to decide (a sample needs "
                f"{format_count(quantiles.least_samples(0.99))})"
            )
        outcome, code = Outcome.INCONCLUSIVE, "no_bucket" if lacking else "too_little_traffic"
        if least >= self.share:
            outcome, code = Outcome.PASS, ""
        elif most < self.share:
            outcome, code = Outcome.FAIL, "slow"
            reason += f": expected at least {format_percent(self.share)}"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=format_percent(least),
            bound=f"{format_percent(least)} to {format_percent(most)}" if unknown else "",
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

    def _count_slow(self, item: Mapping[str, Any]) -> tuple[int, int, bool]:
        """How many calls took the limit or longer, by buckets."""
        return count_above(item["above"], int(item["count_most"]), self.limit_ms)

    def _p99(self, item: Mapping[str, Any]) -> str:
        """``1,354 ms``; of buckets, how many were above the limit."""
        if "above" not in item:
            return f"{format_number(float(item['p99'] or 0.0))} ms"
        least = format_count(self._count_slow(item)[0])
        return f"({least} of {format_count(int(item['count']))} above)"

    def _position(self, item: Mapping[str, Any], basis: str) -> Standing:
        n = int(item["count"])
        if "above" in item:
            least, most, _ = self._count_slow(item)
            return standing_of_census((n, int(item["count_most"])), least, most, 0.99)
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
        least, most = quantiles.count_at_or_above(n, self.limit_ms, known)
        fact = known.get(0.99) if basis == "census" else None
        return standing(n, least, most, 0.01, fact, self.limit_ms)
