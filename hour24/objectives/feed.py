"""Whether the error tracker is reliable: it stores a test event and drops no events.

Rules of this module:

- Acceptance is not receipt: only an event that is read back proves it.
- A slow tracker does not lose events. It has lost one when its ingest refuses errors, when it
  counts what was sent as dropped and not as accepted, or when it answers every request quickly and
  after a long wait neither shows the event nor counts any. If it counts events that it does not
  show yet, or answers slowly, the event may only be late.
- No event dropped of no event sent is PASS where few or none are usual, and the reason says that
  none was sent. Where the day before the watch had errors even in its quiet hours, a tracker that
  suddenly receives none may be broken: INCONCLUSIVE, because its other answers are empty then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.evidence import Counts, Document, Evidence, Series, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_duration, format_number
from hour24.verdict import Outcome, Scale, Verdict

SETTINGS = "by settings, "
"""Prefix of parts that the team's own settings exclude."""
MOST_PARTS = 5
"""Parts named in a reason: more do not fit on a line."""
HOUR_S = 3600.0
LEAST_EXPECTED = 10.0
"""A Poisson count of mean 10 is 0 once in 22,000 windows."""
SILENT_SHARE = 0.1
"""Less than a tenth of the count of the quieter hours is no longer a quiet day."""
QUICK_S = 5.0
"""A tracker that took longer to answer is slow, so the event may only be late."""


class EventStored(Objective, frozen=True, kw_only=True):
    """An event sent now was read back."""

    needs: ClassVar[Kinds] = {"event": Document}

    def limit_text(self) -> str:
        return "stored"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        event = pick(evidence, "event", Document)
        who = event.question.who
        attempts = event.question.attempts
        if event.status == 200 and isinstance(event.body, dict) and event.body:
            begun = attempts[0].at if attempts else event.question.at
            took = event.took_ms / 1000
            if attempts:
                took = (attempts[-1].at - begun).total_seconds() + attempts[-1].took_ms / 1000
            return Verdict(
                outcome=Outcome.PASS,
                reason=f"The test event was read back from {who} {format_duration(took)} later",
                observed=f"read back in {format_duration(took)}",
                limit=self.limit_text(),
                figures={"took_s": took},
            )
        detail = event.problem or f"it answered {event.status}"
        if event.status == 404:
            return self._absent(event)
        if event.status == 429 and isinstance(event.body, dict) and event.body.get("limit"):
            return self._verdict(
                Outcome.FAIL,
                "not_accepted",
                f"{who} accepts no errors now: {detail}; errors of the service are lost too",
                "not accepted",
            )
        code = {401: "source_refused", 403: "source_refused", 429: "source_limited"}
        return self._verdict(
            Outcome.INCONCLUSIVE,
            code.get(event.status, "source_misread"),
            f"Whether {who} stored the test event is not known: {detail}",
        )

    def _absent(self, event: Document) -> Verdict:
        """The verdict on an event that was accepted but not found."""
        about = event.body if isinstance(event.body, dict) else {}
        usage = about.get("usage")
        took_s = max((each.took_ms for each in event.question.attempts), default=0.0) / 1000
        missing = (
            f"{event.question.who} accepted the test event, but it did not appear: {event.problem}"
        )
        if not isinstance(usage, dict):
            usage = {"code": "source_misread", "reason": "it returned no usage"}
        if took_s > QUICK_S:
            why = f"it took up to {format_duration(took_s)} to answer, so it may only be late"
            return self._verdict(Outcome.INCONCLUSIVE, "source_timeout", f"{missing}; {why}")
        if usage.get("code", "source_lacks") != "source_lacks":
            why = f"what it counted meanwhile is not known: {usage['reason']}"
            return self._verdict(Outcome.INCONCLUSIVE, usage["code"], f"{missing}; {why}")
        before, after = usage.get("before") or {}, usage.get("after") or {}
        rose = {name: n - before.get(name, 0) for name, n in after.items()}
        taken = rose.get("accepted", 0)
        if taken > 0:
            why = f"it counted {taken} as accepted meanwhile, so it may only be late"
            return self._verdict(Outcome.INCONCLUSIVE, "source_timeout", f"{missing}; {why}")
        lost = [
            f"{n} {name}"
            for name, n in sorted(rose.items())
            if n > 0 and not name.startswith("client_discard")
        ]
        counted = "it counted no error event meanwhile"
        if lost:
            counted = f"it counted as dropped meanwhile: {', '.join(lost[:MOST_PARTS])}"
        elif "code" in usage:
            counted = "it does not report counts"
        return self._verdict(
            Outcome.FAIL,
            "dropped" if lost else "not_stored",
            f"{missing}, though it answered every request within {QUICK_S:g} s, and {counted}; "
            "errors of the service may be lost the same way (quota, inbound filters, its workers)",
            "not stored",
        )

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, observed: str = "not measured"
    ) -> Verdict:
        return Verdict(
            outcome=outcome, code=code, reason=reason, observed=observed, limit=self.limit_text()
        )


class NothingDropped(Objective, frozen=True, kw_only=True):
    """Every error event of the window was accepted, and the tracker still receives events.

    ``day_before`` is the number of events that it accepted per hour before the watch.
    """

    needs: ClassVar[Kinds] = {"outcomes": Counts}
    may: ClassVar[Kinds] = {"day_before": Series}

    def limit_text(self) -> str:
        return "none dropped"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        outcomes = pick(evidence, "outcomes", Counts)
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
                f"({how or 'no reason reported'}): the errors it shows are incomplete"
                f"{_by_settings(outcomes)}",
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
                else f"{who} counted no {outcomes.what} in the window and dropped none; the test "
                "event of hour 0 shows that events arrive"
            )
            + _by_settings(outcomes),
            observed="0 dropped",
            limit=self.limit_text(),
            scale=scale,
            figures=figures,
        )

    def _silent(self, outcomes: Counts, before: Evidence | None) -> tuple[str, str] | None:
        """Code and reason if the count is so low that the tracker may have stopped receiving."""
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
        until = min(window.end, outcomes.question.at)  # the last hour may not be over yet
        passed = max(0.0, (until - window.start).total_seconds() / HOUR_S)
        expected = quiet * passed
        if expected < LEAST_EXPECTED or outcomes.total >= expected * SILENT_SHARE:
            return None
        return "feed_silent", (
            f"{who} counted {outcomes.total} {outcomes.what} in {passed:.3g} h, where the "
            f"quieter hours of the day before the watch had {format_number(quiet)} an hour: "
            "either "
            "nothing fails any more, or nothing reaches it. Make the service report an error, and "
            "check that it arrives (DSN, inbound filters, quota, firewall); then waive this"
        )


def _by_settings(outcomes: Counts) -> str:
    """``; 9 excluded by your own settings (9 client_discard: ignored)``; empty when none were."""
    found = {
        name.removeprefix(SETTINGS): n
        for name, n in sorted(outcomes.parts.items())
        if name.startswith(SETTINGS)
    }
    if not found:
        return ""
    how = ", ".join(f"{n} {name}" for name, n in list(found.items())[:MOST_PARTS])
    return f"; {sum(found.values())} excluded by your own settings ({how})"
