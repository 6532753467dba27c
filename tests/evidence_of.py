"""Evidence and records as tests make them up: only what matters is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hour24.criteria import CRITERIA
from hour24.evidence import (
    Attempt,
    Counts,
    Document,
    Evidence,
    Listing,
    Question,
    Unanswered,
    to_plain,
)
from hour24.ledger.record import Judged, Record, Vantage
from hour24.verdict import Outcome, worst
from hour24.watch import Watch

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


def question(*results: str, every_s: float = 30.0, took_ms: float = 12.0) -> Question:
    """A question with these attempts, one every ``every_s``."""
    attempts = tuple(
        Attempt(at=AT + timedelta(seconds=n * every_s), took_ms=took_ms, result=result)
        for n, result in enumerate(results)
    )
    return Question(source="test", asked="a question", at=AT, attempts=attempts)


def document(body: Any = None, status: int = 200, *results: str, **more: Any) -> Document:
    """An HTTP answer."""
    asked = question(*(results or (str(status),)))
    return Document(question=asked, status=status, body=body, took_ms=12.0, **more)


def listing(*items: dict[str, Any], what: str = "things", **about: Any) -> Listing:
    """Things found."""
    return Listing(question=question("ok"), what=what, items=items, seen=len(items), about=about)


def counts(total: int, bad: int, what: str = "error events", **parts: int) -> Counts:
    """Things counted."""
    return Counts(question=question("ok"), total=total, bad=bad, what=what, parts=parts)


def unanswered(code: str = "source_unreachable", reason: str = "it did not answer") -> Evidence:
    """No answer."""
    return Unanswered(question=question(), code=code, reason=reason)


WATCH = Watch(name="launch-1", t0=datetime(2026, 11, 24, 2, tzinfo=UTC))


def judged(
    id: str,
    outcome: str = "PASS",
    code: str = "",
    reason: str = "because of numbers",
    objective: dict[str, Any] | None = None,
    **evidence: Evidence,
) -> Judged:
    """A criterion with its verdict."""
    return Judged(
        id=id,
        sentence=CRITERIA[id].sentence,
        group=CRITERIA[id].group,
        outcome=Outcome(outcome),
        code=code,
        reason=reason,
        objective=objective,
        evidence={name: to_plain(each) for name, each in evidence.items()},
    )


def record(*criteria: Judged, hour: int = 8, attempt: int = 1, **more: Any) -> Record:
    """A checkpoint's record."""
    checkpoint = WATCH.checkpoint(hour)
    plain: dict[str, Any] = {
        "watch": WATCH.name,
        "target": "production.toml",
        "rehearsal": None,
        "service": {"name": "voice-backend", "environment": "production", "release": "1"},
        "zone": "UTC",
        "hour": hour,
        "attempt": attempt,
        "t0": WATCH.t0,
        "due": checkpoint.due,
        "started": checkpoint.due + timedelta(minutes=attempt),
        "ended": checkpoint.due + timedelta(minutes=attempt, seconds=20),
        "late_s": 60.0 * attempt,
        "window": checkpoint.window,
        "outcome": worst(each.outcome for each in criteria),
        "limits": "0" * 64,
        "vantage": Vantage(host="here", user="ada", pid=1, version="0"),
        "plan": {name: each.hours for name, each in CRITERIA.items()},
        "criteria": criteria,
        **more,
    }
    return Record(**plain)
