"""A made-up watch with verdicts that can be recomputed, for the tests of the ledger and above."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from hour24.criteria import CRITERIA, Criterion, due
from hour24.criteria.judges import refusal
from hour24.evidence import Counts, Evidence, Listing, Probes, Question, Unanswered, to_plain
from hour24.ledger import canonical, chain, derived
from hour24.ledger import record as record_form
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.record import Judged, Prober, Record, Vantage
from hour24.objectives.base import Kinds, Objective
from hour24.objectives.signoff import HeldThroughout
from hour24.verdict import Outcome, Verdict, worst
from hour24.versions import JUDGES
from hour24.watch import Watch

T0 = datetime(2025, 12, 21, 11, 15, tzinfo=UTC)
LIMITS = "5e" * 32
WATCHED = {"health.url": "https://voice.example.org/health", "render.service": "srv-1"}
WATCH = Watch(name="launch", t0=T0, zone="Europe/Berlin")
AFTER = WATCH.whole.end + timedelta(minutes=20)


MADE_UP = ("FewBad", "HealthProbed", "Eased", "WithBaseline")
"""Objectives of tests, which may judge whatever they are given."""


def _refusal(name: str, subject: str, hour: int, objective: Mapping[str, Any]) -> str:
    return "" if objective["name"] in MADE_UP else refusal(name, subject, hour, objective)


derived.refusal = _refusal


class FewBad(Objective, frozen=True, kw_only=True):
    """Fewer than ``limit`` of the things counted are bad; judged from 10 of them on."""

    needs: ClassVar[Kinds] = {"counts": Counts}

    limit: float = 0.1

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        counts = evidence["counts"]
        assert isinstance(counts, Counts)
        if counts.total < 10:
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                code="too_few_samples",
                reason=f"{counts.total} were counted, 10 would do",
            )
        ratio = counts.bad / counts.total
        bad = ratio >= self.limit
        return Verdict(
            outcome=Outcome.FAIL if bad else Outcome.PASS,
            code="beyond_limit" if bad else "",
            reason=f"{counts.bad} of {counts.total} were bad",
            figures={"ratio": ratio, "total": float(counts.total)},
        )


class HealthProbed(Objective, frozen=True, kw_only=True):
    """No probe failed."""

    needs: ClassVar[Kinds] = {"probes": Probes}

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = evidence["probes"]
        assert isinstance(probes, Probes)
        outcome = Outcome.FAIL if probes.bad else Outcome.PASS
        return Verdict(
            outcome=outcome, reason=f"{probes.bad} failed", figures={"bad": float(probes.bad)}
        )


def asked(hour: int, source: str = "render") -> Question:
    point = WATCH.checkpoint(hour)
    return Question(
        source=source,
        asked="GET /metrics",
        at=point.due,
        window=point.window,
        title=source.capitalize(),
    )


def counts(hour: int, bad: int = 0, total: int = 300) -> dict[str, Evidence]:
    return {"counts": Counts(question=asked(hour), total=total, bad=bad, what="requests")}


def without_data(hour: int, code: str = "source_failed") -> dict[str, Evidence]:
    reason = "render: metrics: expected 200, got 503 on 3 attempts"
    return {"counts": Unanswered(question=asked(hour), code=code, reason=reason)}


def probes(hour: int, **changes: Any) -> dict[str, Evidence]:
    fields: dict[str, Any] = {"interval_s": 10.0, "due": 8640, "kept": 8640, "target": "health"}
    return {"probes": Probes(question=asked(hour, "prober"), **{**fields, **changes})}


def judged(
    criterion: Criterion | str,
    hour: int,
    evidence: Mapping[str, Evidence] | None = None,
    objective: Objective | None = None,
    subject: str = "",
) -> Judged:
    """What the objective says of the evidence; a PASS when neither is given."""
    one = CRITERIA[criterion] if isinstance(criterion, str) else criterion
    point = WATCH.checkpoint(hour)
    limit = objective or FewBad()
    given = counts(hour) if evidence is None else evidence
    verdict = limit.judge(given)
    spans = {"now": None, "since_t0": point.since_t0, "window": point.window}
    return Judged(
        id=one.id,
        subject=subject,
        sentence=one.sentence,
        group=one.group,
        span=one.span,
        window=spans[one.span],
        outcome=verdict.outcome,
        code=verdict.code,
        reason=verdict.reason,
        figures=verdict.figures,
        objective=limit.to_plain(),
        evidence={name: to_plain(each) for name, each in given.items()},
    )


def unjudged(name: str, hour: int, code: str = "not_run", **changes: Any) -> Judged:
    fields: dict[str, Any] = {
        "id": name,
        "sentence": CRITERIA[name].sentence,
        "group": CRITERIA[name].group,
        "window": WATCH.checkpoint(hour).window,
        "outcome": Outcome.INCONCLUSIVE,
        "code": code,
        "reason": "it was due and not judged",
    }
    return Judged(**{**fields, **changes})


def record(hour: int, *others: Judged, attempt: int = 1, **changes: Any) -> Record:
    """A record in which all that is due passes, except what ``others`` say."""
    point = WATCH.checkpoint(hour)
    said = {one.id for one in others}
    kept = [judged(one, hour) for one in due(hour) if one.id not in said] + list(others)
    if hour == 24 and "SIGNOFF-HEALTH" not in said:
        kept.append(judged("SIGNOFF-HEALTH", 24, probes(24), HealthProbed(), subject="24 hours"))
    started = point.due + timedelta(minutes=2)
    fields: dict[str, Any] = {
        "judges": JUDGES,
        "watch": WATCH.name,
        "target": "production.toml",
        "rehearsal": None,
        "service": {"name": "voice", "environment": "production", "release": "7c1e2fa"},
        "zone": WATCH.zone,
        "hour": hour,
        "attempt": attempt,
        "t0": T0,
        "due": point.due,
        "started": started,
        "ended": started + timedelta(seconds=9),
        "late_s": 120.0,
        "window": point.window,
        "outcome": worst(one.outcome for one in kept),
        "limits": LIMITS,
        "watched": {} if changes.get("rehearsal") else WATCHED,
        "vantage": Vantage(host="fra-1", user="mara", pid=4711, version="0.1.0"),
        "plan": {name: one.hours for name, one in CRITERIA.items()},
        "criteria": tuple(kept),
        "prober": Prober(running=True),
    }
    return Record(**{**fields, **changes})


def genesis(**changes: Any) -> Genesis:
    fields: dict[str, Any] = {
        "judges": JUDGES,
        "name": WATCH.name,
        "t0": T0,
        "zone": WATCH.zone,
        "hours": WATCH.hours,
        "tolerance_s": WATCH.tolerance_s,
        "settle_s": WATCH.settle_s,
        "target": "production.toml",
        "service": {"name": "voice", "environment": "production", "release": "7c1e2fa"},
        "limits": LIMITS,
        "watched": {} if changes.get("rehearsal") else WATCHED,
        "opened": T0,
    }
    return Genesis(**{**fields, **changes})


def watch_of(reports: Path, *records: Record, **changes: Any) -> Ledger:
    """A new watch with these records in it."""
    ledger = Ledger.create(reports, genesis(**changes))
    for each in records:
        ledger.write(each)
    return ledger


def whole(reports: Path, **instead: Record) -> Ledger:
    """A watch with seven passing checkpoints; ``hour8=...`` puts another record there."""
    records = [instead.get(f"hour{hour}") or record(hour) for hour in WATCH.hours]
    return watch_of(reports, *records)


def held(hour: int, ledger: Ledger, *criteria: str) -> tuple[HeldThroughout, dict[str, Evidence]]:
    """The sign-off's objective over the present standings, and its evidence."""
    items = tuple(
        {
            "hour": one.hour,
            "id": one.id,
            "subject": one.subject,
            "outcome": str(one.outcome),
            "code": one.code,
            "settled": one.settled_by,
            "waived": one.waived_by,
        }
        for one in ledger.standings(AFTER)
    )
    listing = Listing(question=asked(hour, "ledger"), what="standings", items=items)
    return HeldThroughout(criteria=criteria), {"standings": listing}


def resealed(folder: Path, edits: Mapping[str, Callable[[dict[str, Any]], Any]]) -> None:
    """Forge: change entries and seal everything after them again, as a careful liar would."""
    entries = Ledger(folder).entries()
    link: dict[str, str] | None = None
    for entry in entries:
        content = json.loads(json.dumps(record_form.with_evidence(entry.content, entry.file)))
        edits.get(entry.file, lambda _: None)(content)
        if link is not None:
            content["previous"] = link
        data = canonical.to_bytes(content, entry.file)
        (folder / entry.file).write_bytes(data)
        link = {"file": entry.file, "sha256": hashlib.sha256(data).hexdigest()}
    assert list(chain.breaks(Ledger(folder).entries())) == []


def by_hand(ledger: Ledger, kind: str, fields: Mapping[str, Any]) -> Path:
    """An entry of its form and in the chain, at whatever time it says."""
    path = ledger.append(kind, {**fields, "at": datetime.max.replace(tzinfo=UTC)})
    resealed(ledger.folder, {path.name: lambda content: content.update(at=fields["at"])})
    return path


def changed(one: Record, **to: Any) -> Record:
    return msgspec.structs.replace(one, **to)
