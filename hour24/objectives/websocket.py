"""Whether WebSocket connections drop: those the prober held since T0, and those held now.

Rules of this module:

- A share of connections that ended abnormally, with exact bounds. The two are held for different
  times, so each is judged by itself: FAIL when either shows it, PASS when one shows that few
  drop, the other does not contradict, and the prober saw enough.
- A handshake that fails is no drop; it is told apart. When none succeeds, the service is silent:
  FAIL while the control address answers, else nothing is known.
- Without a prober that was due, what 30 connections of a minute tell is not enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from hour24.evidence import Counts, Document, Evidence, Probes, Unanswered, control_is_silent
from hour24.objectives.base import Kinds, Objective
from hour24.objectives.probes import looked
from hour24.statistics import rates
from hour24.statistics.coverage import LONGEST_GAP_S, REQUIRED
from hour24.text import (
    count_of,
    format_count,
    format_duration,
    format_number,
    format_percent,
    join_some,
)
from hour24.verdict import Outcome, Scale, Verdict

REFUSED = "refused: "
EARLY = "closed early"
BY_US = "ended by us"
OWN_PINGS = ", open by our own pings every"
CLOSED = "closed "
"""How a refusal begins that came after the handshake, with a code that speaks of our credential."""
LIMITED = frozenset({"400", "401", "403", "426", "429"})
"""Statuses that speak of our request, our credential and our haste."""


class _Held(NamedTuple):
    """Connections of one kind: their share that dropped, handshakes refused, seconds held, and
    the words for them."""

    by: str
    share: rates.Share
    refused: int
    held_s: float
    told: str


class DropsBelow(Objective, frozen=True, kw_only=True):
    """Fewer than ``limit`` of the WebSocket connections drop.

    Args:
        limit: a share, above 0 and below 1.
        coverage: share of the prober's due looks that must have been had, 0 to 1.
        max_gap_s: longest stretch without a look, in seconds.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {"probes": Probes, "held": Counts, "control": Document}

    limit: float = 0.10
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        return f"below {format_percent(self.limit)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes, held = evidence.get("probes"), self._heard(evidence)
        control = evidence.get("control")
        kinds = [*self._probed(probes), *self._held(held)]
        opened = [kind for kind in kinds if kind.share.total]
        beyond = [kind for kind in opened if kind.share.standing == "beyond"]
        inside = [kind for kind in opened if kind.share.standing == "inside"]
        if beyond:
            return self._verdict(Outcome.FAIL, "drops", beyond[0], kinds)
        silence = self._silence(probes, held, control)
        if silence is not None:
            return self._open(*silence, kinds)
        for each in (probes, held):
            if isinstance(each, Unanswered):
                return self._open(Outcome.INCONCLUSIVE, each.code, each.reason, kinds)
        if isinstance(probes, Probes) and probes.due:
            look = looked(probes)
            wanting = look.wanting(self.coverage, self.max_gap_s)
            if wanting:
                return self._open(
                    Outcome.INCONCLUSIVE,
                    "coverage_too_low",
                    f"Only {look.ran()}; {look.unseen()}: {wanting}",
                    kinds,
                )
        early = held.parts.get(EARLY, 0) if isinstance(held, Counts) else 0
        if isinstance(held, Counts) and 2 * early > held.total:
            return self._open(
                Outcome.INCONCLUSIVE,
                "closed_early",
                f"{count_of(early, held.total)} connections were closed "
                "by the server "
                "before their time, normally (1000, 1001): no drops, but they did not hold",
                kinds,
            )
        by_us = held.parts.get(BY_US, 0) if isinstance(held, Counts) else 0
        if isinstance(held, Counts) and 2 * by_us > held.total:
            return self._open(
                Outcome.INCONCLUSIVE,
                "not_taken",
                f"We ended {count_of(by_us, held.total)} connections ourselves: a message was "
                "longer than we take",
                kinds,
            )
        if inside:
            return self._verdict(Outcome.PASS, "", inside[0], kinds)
        if not opened:
            return self._open(
                Outcome.INCONCLUSIVE, "no_data", "No WebSocket connection was opened", kinds
            )
        best = max(opened, key=lambda kind: kind.share.total)
        return self._verdict(Outcome.INCONCLUSIVE, "too_few_samples", best, kinds)

    def _probed(self, evidence: Evidence | None) -> list[_Held]:
        if not isinstance(evidence, Probes) or not (evidence.connections or evidence.refused):
            return []
        drops = min(evidence.drops, evidence.connections)
        hours = evidence.held_s / 3600
        often = (
            f", {format_number(drops / hours)} an hour of connection," if drops and hours else ""
        )
        return [
            self._kind(
                "probes",
                evidence.connections,
                drops,
                evidence.refused,
                evidence.held_s,
                f"of the prober{often}",
            )
        ]

    def _heard(self, evidence: Mapping[str, Evidence]) -> Evidence | None:
        """What was held now; unanswered where our own network may have ended it."""
        held = evidence.get("held")
        lost = isinstance(held, Counts) and (held.bad or held.parts.get("refused"))
        if held is None or not lost or not control_is_silent(evidence.get("control")):
            return held
        return Unanswered(
            question=held.question,
            code="no_network",
            reason="Connections held now ended or were not opened, and the control address did not "
            "answer either: our own network may be down",
        )

    def _held(self, evidence: Evidence | None) -> list[_Held]:
        if not isinstance(evidence, Counts):
            return []
        refused = evidence.parts.get("refused", 0)
        codes = sorted(name for name in evidence.parts if name.isdigit())
        _, pings, every = evidence.question.asked.partition(OWN_PINGS)
        what = f"held now{pings}{every}"
        return [
            self._kind("held", evidence.total, evidence.bad, refused, 0.0, what, join_some(codes))
        ]

    def _kind(
        self,
        by: str,
        total: int,
        bad: int,
        refused: int,
        held_s: float,
        what: str,
        codes: str = "",
    ) -> _Held:
        share = rates.judge_sample(bad, total, self.limit)
        told = f"no connection {what} opened"
        if total:
            told = (
                f"{count_of(bad, total)} connections {what} dropped ({format_percent(share.share)}"
            )
            told += (
                f", at least {format_percent(share.lower)}"
                if share.standing == "beyond"
                else (f", at most {format_percent(share.upper)}")
            )
            told += f", with {codes})" if codes else ")"
        if refused:
            told += f", and {format_count(refused)} handshakes were refused, which are no drops"
        if held_s:
            told += f", over {format_duration(held_s)} held"
        return _Held(by, share, refused, held_s, told)

    def _silence(
        self, probes: Evidence | None, held: Evidence | None, control: Evidence | None
    ) -> tuple[Outcome, str, str] | None:
        """Outcome, code and reason when no handshake succeeds any more; none otherwise."""
        if isinstance(held, Counts):
            if held.total or not held.parts.get("refused"):
                return None
            how = sorted(k.removeprefix(REFUSED) for k in held.parts if k.startswith(REFUSED))
            refused = format_count(held.parts["refused"])
            told = f"None of {refused} handshakes succeeded ({join_some(how)})"
        elif isinstance(probes, Probes) and not probes.connections and probes.refused:
            how = sorted({failure.reason for failure in probes.failures})
            told = f"None of {format_count(probes.refused)} handshakes succeeded ({join_some(how)})"
        else:
            return None
        if how and all(each in LIMITED or each.startswith(CLOSED) for each in how):
            return (
                Outcome.INCONCLUSIVE,
                "source_limited" if how == ["429"] else "source_refused",
                f"{told}: expected our handshake to be accepted; see websocket.headers and "
                "websocket.subprotocols in production.toml",
            )
        if any(each.isdigit() for each in how):
            return Outcome.FAIL, "no_answer", f"{told}, though the service answered"
        failures = probes.failures if isinstance(probes, Probes) else ()
        last = max(failures, key=lambda failure: failure.at, default=None)
        answered = isinstance(control, Document) and not control.silent
        if answered or (last is not None and last.control is True):
            return Outcome.FAIL, "no_answer", f"{told}, while the control address answered"
        if last is not None and last.control is False:
            return (
                Outcome.INCONCLUSIVE,
                "no_network",
                f"{told}, and neither did the control address answer: our own network may be down",
            )
        return (
            Outcome.INCONCLUSIVE,
            "no_control",
            f"{told}, and no probe of the control address stands beside it, so that it may be our "
            "own network",
        )

    def _open(self, outcome: Outcome, code: str, reason: str, kinds: list[_Held]) -> Verdict:
        told = [kind.told for kind in kinds if kind.share.total]
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason + "".join(f"; {each}" for each in told),
            observed="not measured" if outcome == Outcome.INCONCLUSIVE else "no connection",
            limit=self.limit_text(),
            figures=_figures(kinds),
        )

    def _verdict(self, outcome: Outcome, code: str, by: _Held, kinds: list[_Held]) -> Verdict:
        share = by.share
        told = [by.told, *(kind.told for kind in kinds if kind is not by)]
        reason = "; ".join(told)
        fails = outcome == Outcome.FAIL
        if outcome == Outcome.INCONCLUSIVE:
            needed = rates.needed_total(share.bad, self.limit)
            reason += f"; {format_count(needed)} connections with no more drops would show it below"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason[:1].upper() + reason[1:],
            observed=format_percent(share.share),
            bound=f"at least {format_percent(share.lower)}"
            if fails
            else f"at most {format_percent(share.upper)}",
            limit=self.limit_text(),
            scale=Scale(
                unit="ratio",
                limit=self.limit,
                observed=share.share,
                lower=share.lower,
                upper=share.upper,
            ),
            figures=_figures(kinds),
        )


def _figures(kinds: list[_Held]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind in kinds:
        figures[f"{kind.by}_connections"] = float(kind.share.total)
        figures[f"{kind.by}_drops"] = float(kind.share.bad)
        figures[f"{kind.by}_refused"] = float(kind.refused)
        if kind.share.total:
            figures[f"{kind.by}_lower"] = kind.share.lower
            figures[f"{kind.by}_upper"] = kind.share.upper
    return figures
