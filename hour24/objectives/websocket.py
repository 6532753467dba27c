"""Whether WebSocket connections drop: the prober's since T0, and those opened now.

Rules of this module:

- The share of connections that ended abnormally has exact bounds. The two kinds stay open for
  different times, so each is judged by itself: FAIL when either shows it, PASS when one shows that
  few drop, the other does not contradict, and the prober's coverage is sufficient.
- A failed handshake is no drop; it is reported separately. When none succeeds, the service does not
  answer: FAIL while the control address answers; otherwise the state is not known.
- A connection without the first answer that production.toml expects counts as dropped; when no
  connection got any answer, our first message may be wrong: INCONCLUSIVE.
- If a prober was due and did not run, 30 connections of one minute are not enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from hour24.evidence import Counts, Document, Evidence, Probes, Unanswered, control_is_silent
from hour24.objectives.base import Kinds, Objective
from hour24.objectives.probes import measure_coverage
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
"""Prefix of a refusal after the handshake, with a close code about our credential."""
NO_FIRST_ANSWER = "no first answer"
WRONG_ANSWER = "wrong answer"
LIMITED = frozenset({"400", "401", "403", "426", "429"})
"""Statuses that our request, our credential or our request rate caused."""


class _Connections(NamedTuple):
    """Connections of one kind.

    Args:
        by: ``probes`` or ``held``, the prefix of its figures.
        share: how many dropped.
        refused: number of refused handshakes.
        held_s: connection time in seconds.
        text: its result, part of a sentence.
    """

    by: str
    share: rates.Share
    refused: int
    held_s: float
    text: str


class DropsBelow(Objective, frozen=True, kw_only=True):
    """Fewer than ``limit`` of the WebSocket connections drop.

    Args:
        limit: a share, above 0 and below 1.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest time without a probe, in seconds.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {"probes": Probes, "held": Counts, "control": Document}
    spared: ClassVar[Mapping[str, str]] = {
        "control": "it only shows on which side an answer was lost",
    }

    limit: float = 0.10
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        return f"below {format_percent(self.limit)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes, held = evidence.get("probes"), self._opened_now(evidence)
        control = evidence.get("control")
        kinds = [*self._probed_connections(probes), *self._held_connections(held)]
        opened = [kind for kind in kinds if kind.share.total]
        beyond = [kind for kind in opened if kind.share.standing == "beyond"]
        inside = [kind for kind in opened if kind.share.standing == "inside"]
        if beyond:
            code = "wrong_answer" if _wrongly_answered(held, beyond[0]) else "drops"
            return self._verdict(Outcome.FAIL, code, beyond[0], kinds)
        failed = self._no_handshake(probes, held, control)
        if failed is not None:
            return self._open(*failed, kinds)
        for each in (probes, held):
            if isinstance(each, Unanswered):
                return self._open(Outcome.INCONCLUSIVE, each.code, each.reason, kinds)
        if isinstance(probes, Probes) and probes.due:
            covered = measure_coverage(probes)
            shortfall = covered.shortfall(self.coverage, self.max_gap_s)
            if shortfall:
                return self._open(
                    Outcome.INCONCLUSIVE,
                    "coverage_too_low",
                    f"Only {covered.ran_text()}; {covered.longest_gap_text()}: {shortfall}",
                    kinds,
                )
        early = held.parts.get(EARLY, 0) if isinstance(held, Counts) else 0
        if isinstance(held, Counts) and 2 * early > held.total:
            return self._open(
                Outcome.INCONCLUSIVE,
                "closed_early",
                f"{count_of(early, held.total)} connections were closed "
                "normally (1000, 1001) by the server, too early to observe them",
                kinds,
            )
        by_us = held.parts.get(BY_US, 0) if isinstance(held, Counts) else 0
        if isinstance(held, Counts) and 2 * by_us > held.total:
            return self._open(
                Outcome.INCONCLUSIVE,
                "not_taken",
                f"hour24 closed {count_of(by_us, held.total)} connections itself: a message was "
                "too long",
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

    def _probed_connections(self, evidence: Evidence | None) -> list[_Connections]:
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

    def _opened_now(self, evidence: Mapping[str, Evidence]) -> Evidence | None:
        """The connections opened now; unanswered if our own network may have ended them."""
        held = evidence.get("held")
        lost = isinstance(held, Counts) and (held.bad or held.parts.get("refused"))
        if held is None or not lost or not control_is_silent(evidence.get("control")):
            return held
        return Unanswered(
            question=held.question,
            code="no_network",
            reason="Connections opened now dropped or failed, and the control address did not "
            "answer either: our own network may be down",
        )

    def _held_connections(self, evidence: Evidence | None) -> list[_Connections]:
        if not isinstance(evidence, Counts):
            return []
        refused = evidence.parts.get("refused", 0)
        codes = sorted(name for name in evidence.parts if name.isdigit() or name == WRONG_ANSWER)
        _, pings, every = evidence.question.asked.partition(OWN_PINGS)
        what = f"opened now{pings}{every}"
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
    ) -> _Connections:
        share = rates.judge_sample(bad, total, self.limit)
        text = f"no connection {what} succeeded"
        if total:
            text = (
                f"{count_of(bad, total)} connections {what} dropped ({format_percent(share.share)}"
            )
            text += (
                f", at least {format_percent(share.lower)}"
                if share.standing == "beyond"
                else (f", at most {format_percent(share.upper)}")
            )
            text += f", with {codes})" if codes else ")"
        if refused:
            text += f", and {format_count(refused)} handshakes were refused (not counted as drops)"
        if held_s:
            text += f", over {format_duration(held_s)} of connection time"
        return _Connections(by, share, refused, held_s, text)

    def _no_handshake(
        self, probes: Evidence | None, held: Evidence | None, control: Evidence | None
    ) -> tuple[Outcome, str, str] | None:
        """Outcome, code and reason when no handshake succeeds; None otherwise."""
        if isinstance(held, Counts):
            if held.total or not held.parts.get("refused"):
                return None
            how = sorted(k.removeprefix(REFUSED) for k in held.parts if k.startswith(REFUSED))
            refused = format_count(held.parts["refused"])
            text = f"None of {refused} handshakes succeeded ({join_some(how)})"
        elif isinstance(probes, Probes) and not probes.connections and probes.refused:
            how = sorted({failure.reason for failure in probes.failures})
            text = f"None of {format_count(probes.refused)} handshakes succeeded ({join_some(how)})"
        else:
            return None
        if how == [NO_FIRST_ANSWER]:
            return (
                Outcome.INCONCLUSIVE,
                "source_refused",
                f"{format_count(held.parts['refused']) if isinstance(held, Counts) else 'All'} "
                "connections opened, and the service sent nothing on any of them: see "
                "websocket.first_message and websocket.expects in production.toml",
            )
        ours = LIMITED | {NO_FIRST_ANSWER}
        if how and all(each in ours or each.startswith(CLOSED) for each in how):
            return (
                Outcome.INCONCLUSIVE,
                "source_limited" if how == ["429"] else "source_refused",
                f"{text}: expected our handshake to be accepted; see websocket.headers and "
                "websocket.subprotocols in production.toml",
            )
        if any(each.isdigit() for each in how):
            return Outcome.FAIL, "no_answer", f"{text}, though the service answered"
        failures = probes.failures if isinstance(probes, Probes) else ()
        last = max(failures, key=lambda failure: failure.at, default=None)
        answered = isinstance(control, Document) and not control.silent
        if answered or (last is not None and last.control is True):
            return Outcome.FAIL, "no_answer", f"{text}, while the control address answered"
        if last is not None and last.control is False:
            return (
                Outcome.INCONCLUSIVE,
                "no_network",
                f"{text}, and neither did the control address answer: our own network may be down",
            )
        return (
            Outcome.INCONCLUSIVE,
            "no_control",
            f"{text}, and the control address was not probed, so it may be our own network",
        )

    def _open(self, outcome: Outcome, code: str, reason: str, kinds: list[_Connections]) -> Verdict:
        text = [kind.text for kind in kinds if kind.share.total]
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason + "".join(f"; {each}" for each in text),
            observed="not measured" if outcome == Outcome.INCONCLUSIVE else "no connection",
            limit=self.limit_text(),
            figures=_figures(kinds),
        )

    def _verdict(
        self, outcome: Outcome, code: str, by: _Connections, kinds: list[_Connections]
    ) -> Verdict:
        share = by.share
        text = [by.text, *(kind.text for kind in kinds if kind is not by)]
        reason = "; ".join(text)
        fails = outcome == Outcome.FAIL
        if outcome == Outcome.INCONCLUSIVE:
            needed = rates.needed_total(share.bad, self.limit)
            reason += f"; {format_count(needed)} connections with no more drops would pass"
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


def _wrongly_answered(held: Evidence | None, beyond: _Connections) -> bool:
    """True when most connections that count as dropped had a wrong first answer."""
    wrong = held.parts.get(WRONG_ANSWER, 0) if isinstance(held, Counts) else 0
    return beyond.by == "held" and 2 * wrong > beyond.share.bad


def _figures(kinds: list[_Connections]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind in kinds:
        figures[f"{kind.by}_connections"] = float(kind.share.total)
        figures[f"{kind.by}_drops"] = float(kind.share.bad)
        figures[f"{kind.by}_refused"] = float(kind.refused)
        if kind.share.total:
            figures[f"{kind.by}_lower"] = kind.share.lower
            figures[f"{kind.by}_upper"] = kind.share.upper
    return figures
