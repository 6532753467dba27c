"""Whether the error tracker can be believed: an event sent is stored, and none is dropped.

Rules of this module:

- Acceptance is not receipt: only the event read back proves it.
- A slow tracker is not one that loses events. It has lost one when its ingest says that it takes no
  errors, when it counts as dropped and not as accepted what was sent since, or when it answers
  every look quickly and after long patience neither shows the event nor counts any. Where it
  counts events that it does not show yet, or is slow to answer, it may only be late.
- Nothing dropped of nothing sent holds where little or nothing is usual, and the reason says that
  nothing was sent. Where the day before the watch had errors in its quiet hours too, a tracker that
  suddenly hears of none may be deaf: INCONCLUSIVE, since everything else it says is empty then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.evidence import Counts, Document, Evidence, Series, Unanswered
from hour24.objectives.base import Kinds, Objective, given
from hour24.text import format_duration, format_number
from hour24.verdict import Outcome, Scale, Verdict

SETTINGS = "by settings, "
"""How the name of a part begins that the team itself leaves out."""
MOST_PARTS = 5
HOUR_S = 3600.0
LEAST_EXPECTED = 10.0
SILENT_SHARE = 0.1
"""Of ten events or more that are expected, less than a tenth is silence: a Poisson count of mean 10
is 0 once in 22,000 windows, and what is expected is taken from the quieter hours."""
QUICK_S = 5.0
"""A look at the event that took longer shows a tracker that is slow."""


class EventStored(Objective, frozen=True, kw_only=True):
    """An event sent now was read back."""

    needs: ClassVar[Kinds] = {"event": Document}

    def limit_text(self) -> str:
        return "stored"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        event = given(evidence, "event", Document)
        who = event.question.who
        attempts = event.question.attempts
        if event.status == 200 and isinstance(event.body, dict) and event.body:
            begun = attempts[0].at if attempts else event.question.at
            took = event.took_ms / 1000
            if attempts:
                took = (attempts[-1].at - begun).total_seconds() + attempts[-1].took_ms / 1000
            return Verdict(
                outcome=Outcome.PASS,
                reason=f"The event sent was read back from {who} {format_duration(took)} later",
                observed=f"read back in {format_duration(took)}",
                limit=self.limit_text(),
                figures={"took_s": took},
            )
        told = event.problem or f"it answered {event.status}"
        if event.status == 404:
            return self._absent(event)
        if event.status == 429 and isinstance(event.body, dict) and event.body.get("limit"):
            return self._verdict(
                Outcome.FAIL,
                "not_accepted",
                f"{who}'s ingest takes no errors now: {told}; those of the service are lost too",
                "not accepted",
            )
        code = {401: "source_refused", 403: "source_refused", 429: "source_limited"}
        return self._verdict(
            Outcome.INCONCLUSIVE,
            code.get(event.status, "source_misread"),
            f"Whether {who} stored the event sent cannot be said: {told}",
        )

    def _absent(self, event: Document) -> Verdict:
        """The verdict on an event that was accepted and is not there."""
        about = event.body if isinstance(event.body, dict) else {}
        usage = about.get("usage")
        took_s = max((each.took_ms for each in event.question.attempts), default=0.0) / 1000
        stands = (
            f"{event.question.who} accepted the event sent, but it did not appear: {event.problem}"
        )
        if not isinstance(usage, dict):
            usage = {"code": "source_misread", "reason": "nothing is told of what it counted"}
        if took_s > QUICK_S:
            why = f"it took up to {format_duration(took_s)} to answer, so that it may only be late"
            return self._verdict(Outcome.INCONCLUSIVE, "source_timeout", f"{stands}; {why}")
        if usage.get("code", "source_lacks") != "source_lacks":
            why = f"what it counted meanwhile is not known: {usage['reason']}"
            return self._verdict(Outcome.INCONCLUSIVE, usage["code"], f"{stands}; {why}")
        before, after = usage.get("before") or {}, usage.get("after") or {}
        rose = {name: n - before.get(name, 0) for name, n in after.items()}
        taken = rose.get("accepted", 0)
        if taken > 0:
            why = f"it counted {taken} as accepted meanwhile, so that it may only be late"
            return self._verdict(Outcome.INCONCLUSIVE, "source_timeout", f"{stands}; {why}")
        lost = [
            f"{n} {name}"
            for name, n in sorted(rose.items())
            if n > 0 and not name.startswith("client_discard")
        ]
        counted = "it counted no error event meanwhile"
        if lost:
            counted = f"it counted as dropped meanwhile: {', '.join(lost[:MOST_PARTS])}"
        elif "code" in usage:
            counted = "it does not tell what it counted"
        return self._verdict(
            Outcome.FAIL,
            "dropped" if lost else "not_stored",
            f"{stands}, though it answered every look within {QUICK_S:g} s, and {counted}; errors "
            "of the service may be lost the same way (quota, inbound filters, its workers)",
            "not stored",
        )

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, observed: str = "not measured"
    ) -> Verdict:
        return Verdict(
            outcome=outcome, code=code, reason=reason, observed=observed, limit=self.limit_text()
        )


class NothingDropped(Objective, frozen=True, kw_only=True):
    """Every error event of the window was accepted, and the tracker did not fall silent.

    ``day_before`` is what it accepted hour by hour before the watch began.
    """

    needs: ClassVar[Kinds] = {"outcomes": Counts}
    may: ClassVar[Kinds] = {"day_before": Series}

    def limit_text(self) -> str:
        return "none dropped"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        outcomes = given(evidence, "outcomes", Counts)
        who = outcomes.question.who
        figures = {"dropped": float(outcomes.bad), "events": float(outcomes.total)}
        scale = Scale(unit=outcomes.what, limit=1.0, observed=float(outcomes.bad))
        if outcomes.bad > 0:
            lost = [each for each in outcomes.parts.items() if not each[0].startswith(SETTINGS)]
            parts = sorted(lost, key=lambda part: (-part[1], part[0]))
            how = ", ".join(
                f"{count} {name}" for name, count in parts[:MOST_PARTS] if name != "accepted"
            )
            return Verdict(
                outcome=Outcome.FAIL,
                code="dropped",
                reason=f"{who} dropped {outcomes.bad} of {outcomes.total} {outcomes.what} "
                f"({how or 'how is not told'}): what it shows of errors is a part of "
                f"them{_by_settings(outcomes)}",
                observed=f"{outcomes.bad} dropped",
                limit=self.limit_text(),
                scale=scale,
                figures=figures,
            )
        silent = self._silent(outcomes, evidence.get("day_before"))
        if silent is not None:
            code, reason = silent
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                code=code,
                reason=reason,
                observed="silent" if code == "feed_silent" else "not measured",
                limit=self.limit_text(),
                scale=scale,
                figures=figures,
            )
        return Verdict(
            outcome=Outcome.PASS,
            reason=(
                f"{who} accepted all {outcomes.total} {outcomes.what} of the window"
                if outcomes.total
                else f"{who} counted no {outcomes.what} in the window, and dropped none; that any "
                "would arrive is what the canary event of hour 0 shows"
            )
            + _by_settings(outcomes),
            observed="0 dropped",
            limit=self.limit_text(),
            scale=scale,
            figures=figures,
        )

    def _silent(self, outcomes: Counts, before: Evidence | None) -> tuple[str, str] | None:
        """Why this count may be that of a tracker that hears of nothing; its code, and why."""
        who = outcomes.question.who
        if isinstance(before, Unanswered):
            if outcomes.total:
                return None
            return before.code, (
                f"{who} counted no {outcomes.what} in the window, and whether that is usual is "
                f"not known: {before.reason}"
            )
        if before is None:
            return None
        assert isinstance(before, Series)
        window = outcomes.question.window
        hours = sorted(each or 0.0 for line in before.lines for each in line.values)
        if window is None or not hours:
            return None
        quiet = hours[len(hours) // 4]
        until = min(window.end, outcomes.question.at)  # an hour that goes on may be asked for
        passed = max(0.0, (until - window.start).total_seconds() / HOUR_S)
        expected = quiet * passed
        if expected < LEAST_EXPECTED or outcomes.total >= expected * SILENT_SHARE:
            return None
        return "feed_silent", (
            f"{who} counted {outcomes.total} {outcomes.what} in {passed:.3g} h, where the "
            f"quieter hours of the day before the watch had {format_number(quiet)} an hour: "
            "perhaps nothing "
            "fails any more, perhaps nothing reaches it. Let the service report an error, and see "
            "that it arrives (DSN, inbound filters, quota, firewall); then waive this by name"
        )


def _by_settings(outcomes: Counts) -> str:
    """``; by the team's own settings, 9 were left out (9 client_discard: ignored)``."""
    found = {
        name.removeprefix(SETTINGS): n
        for name, n in sorted(outcomes.parts.items())
        if name.startswith(SETTINGS)
    }
    if not found:
        return ""
    how = ", ".join(f"{n} {name}" for name, n in list(found.items())[:MOST_PARTS])
    return f"; by the team's own settings, {sum(found.values())} were left out ({how})"
