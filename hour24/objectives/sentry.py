"""Whether Sentry can be believed: an event sent is stored, and none is dropped.

Rules of this module:

- Acceptance is not receipt: only the event read back proves it.
- Nothing dropped of nothing sent holds, and the reason says that nothing was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.evidence import Counts, Document, Evidence
from hour24.objectives.base import Objective
from hour24.verdict import Outcome, Scale, Verdict

MOST_PARTS = 5


class EventStored(Objective, frozen=True, kw_only=True):
    """An event sent now was read back."""

    needs: ClassVar[tuple[str, ...]] = ("event",)

    def limit_text(self) -> str:
        return "stored"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        event = evidence["event"]
        if not isinstance(event, Document):
            raise TypeError(f"event: expected a Document, got {type(event).__name__}")
        attempts = event.question.attempts
        if event.status == 200 and isinstance(event.body, dict) and event.body:
            begun = attempts[0].at if attempts else event.question.at
            took = event.took_ms / 1000
            if attempts:
                took = (attempts[-1].at - begun).total_seconds() + attempts[-1].took_ms / 1000
            return Verdict(
                outcome=Outcome.PASS,
                reason=f"The event sent was read back from Sentry {took:.1f} s later",
                observed=f"read back in {took:.1f} s",
                limit=self.limit_text(),
                figures={"took_s": took},
            )
        told = event.problem or f"it answered {event.status}"
        if event.status == 404:
            return Verdict(
                outcome=Outcome.FAIL,
                code="not_stored",
                reason=f"Sentry accepted the event sent, but it never appeared: {told}; errors "
                "of the service may be lost the same way (quota, inbound filters, its workers)",
                observed="not stored",
                limit=self.limit_text(),
            )
        code = {401: "source_refused", 403: "source_refused", 429: "source_limited"}
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            code=code.get(event.status, "source_misread"),
            reason=f"Whether Sentry stored the event sent cannot be said: {told}",
            observed="not measured",
            limit=self.limit_text(),
        )


class NothingDropped(Objective, frozen=True, kw_only=True):
    """Every error event of the window was accepted."""

    needs: ClassVar[tuple[str, ...]] = ("outcomes",)

    def limit_text(self) -> str:
        return "none dropped"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        outcomes = evidence["outcomes"]
        if not isinstance(outcomes, Counts):
            raise TypeError(f"outcomes: expected Counts, got {type(outcomes).__name__}")
        figures = {"dropped": float(outcomes.bad), "events": float(outcomes.total)}
        scale = Scale(unit=outcomes.what, limit=1.0, observed=float(outcomes.bad))
        if outcomes.bad > 0:
            parts = sorted(outcomes.parts.items(), key=lambda part: (-part[1], part[0]))
            how = ", ".join(
                f"{count} {name}" for name, count in parts[:MOST_PARTS] if name != "accepted"
            )
            return Verdict(
                outcome=Outcome.FAIL,
                code="dropped",
                reason=f"Sentry dropped {outcomes.bad} of {outcomes.total} {outcomes.what} "
                f"({how or 'how is not told'}): what it shows of errors is a part of them",
                observed=f"{outcomes.bad} dropped",
                limit=self.limit_text(),
                scale=scale,
                figures=figures,
            )
        return Verdict(
            outcome=Outcome.PASS,
            reason=f"Sentry accepted all {outcomes.total} {outcomes.what} of the window"
            if outcomes.total
            else f"Sentry counted no {outcomes.what} in the window, and dropped none; that any "
            "would arrive is what SENTRY-RECEIVES shows",
            observed="0 dropped",
            limit=self.limit_text(),
            scale=scale,
            figures=figures,
        )
