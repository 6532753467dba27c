"""Builds the record of a run.

Rules of this module:

- A criterion that was due and has no verdict is INCONCLUSIVE in the record, with a code.
- Nothing is judged here, and production is not queried.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from hour24 import __version__, config
from hour24.checkpoint.attempt import Attempt
from hour24.checkpoint.linking import links_of
from hour24.criteria import errors
from hour24.criteria.judges import subjects
from hour24.evidence import Listing, Unanswered, from_plain, spread, to_plain
from hour24.ledger import moved
from hour24.ledger.record import Judged, Prober, Record, Shown, Vantage, absent, split
from hour24.verdict import Outcome, worst
from hour24.versions import JUDGES
from hour24.witnesses.port import Measure

PROBER_SILENT_AFTER_S = 180.0
"""Three missed minute lines: then the prober no longer counts as running."""


def build_record(run: Attempt, interrupted: str = "") -> Record:
    """Returns the record with the verdicts so far."""
    judged = list(run.judged)
    due = {each.id: each for each in run.due()}
    many = _subjects(run)
    for name, subject in tuple(absent(due, judged, many)):
        code, reason = _why_absent(run, interrupted)
        judged.append(
            run.make_judged(
                due[name],
                subject=subject,
                outcome=Outcome.INCONCLUSIVE,
                code=code,
                reason=reason,
                observed="not measured",
            )
        )
    order = {name: position for position, name in enumerate(run.plan)}
    judged.sort(key=lambda each: (order.get(each.id, len(order)), each.subject))
    counted, apart = split(judged, run.advisory)
    now = run.context.clock.now()
    service = run.production.service
    limits = config.limits_digest(run.production)
    changed = _change_notes(run, limits, run.addresses)
    return Record(
        judges=JUDGES,
        watch=run.watch.name,
        target=run.ledger.genesis.target,
        rehearsal=run.context.rehearsal,
        service={
            "name": service.name,
            "environment": service.environment,
            "release": service.release,
        },
        zone=service.time_zone,
        hour=run.checkpoint.hour,
        attempt=run.attempt,
        t0=run.watch.t0,
        due=run.checkpoint.due,
        started=run.started,
        ended=max(now, run.started),
        late_s=max(0.0, run.checkpoint.late_s(run.started)),
        early=run.started < run.checkpoint.due,
        window=run.checkpoint.window,
        outcome=worst(each.outcome for each in counted),
        limits=limits,
        watched=dict(run.addresses),
        launch_at=service.launch_at,
        subjects=many,
        vantage=Vantage(
            host=socket.gethostname(),
            user=_user(),
            pid=os.getpid(),
            version=__version__,
            commit=_commit(),
        ),
        plan={
            each.id: tuple(each.hours) for each in run.plan.values() if each.id not in run.advisory
        },
        criteria=counted,
        shown=tuple(_shown_measurements(run, judged)),
        advisory=tuple(_status_pages(run, interrupted)),
        advisory_plan=dict(run.advisory),
        advisory_checks=apart,
        prober=_prober(run, now),
        notes=tuple(run.redactor.text(each) for each in (*run.notes, *changed)),
        links=links_of(run.production, run.redactor.text),
        interrupted=interrupted,
    )


def _subjects(run: Attempt) -> dict[str, tuple[str, ...]]:
    """Returns the subjects of each due criterion that has several."""
    endpoints = tuple(run.production.endpoints)
    each = {one.id: subjects(one.id, endpoints) for one in run.due()}
    return {name: many for name, many in each.items() if many != ("",)}


def _change_notes(run: Attempt, limits: str, addresses: Mapping[str, str]) -> Iterator[str]:
    """Yields a note for each change of production.toml since the watch began."""
    if limits != run.ledger.genesis.limits:
        yield "the limits in production.toml changed since the watch began"
    yield from run.advisory_changes()
    before = moved.beginning(run.ledger) or addresses
    for line in moved.differences(before, addresses):
        yield f"an address changed since the watch began: {line}"


def _why_absent(run: Attempt, interrupted: str) -> tuple[str, str]:
    if interrupted:
        return "interrupted", f"the run ended before it was judged: {interrupted}"
    if run.broken:
        files = ", ".join(run.broken)
        return "does_not_import", f"it was due, and its test was not found; broken: {files}"
    return "not_run", "it was due, but its test was not selected or not found"


def _prober(run: Attempt, now: datetime) -> Prober:
    from hour24 import probes

    folder = run.ledger.folder / "probe"
    files = tuple(sorted(path.name for path in folder.glob("*.jsonl")))
    last = probes.last_line(folder)
    recent = last is not None and (now - last).total_seconds() < PROBER_SILENT_AFTER_S
    running = recent or probes.is_written(folder)
    return Prober(running=running, files=files, last_line=last)


def _status_pages(run: Attempt, interrupted: str) -> list[dict[str, Any]]:
    if run.lanes is None or not run.production.providing(Measure.INCIDENTS):
        return []
    if interrupted and not run.lanes.has_answer("status_pages"):
        return []  # an interrupted run must end soon
    try:
        answer = run.lanes.answer("status_pages")
    except Exception as problem:  # noqa: BLE001  never judged: its bugs must not cost the record
        note = f"status pages: {type(problem).__name__}: {problem}"
        if note not in run.notes:
            run.notes.append(note)
        return []
    pages = answer if isinstance(answer, dict) else {"status": answer}
    plain: list[dict[str, Any]] = run.redactor.plain([to_plain(e) for e in spread(pages).values()])
    return plain


def _shown_measurements(run: Attempt, judged: list[Judged]) -> list[Shown]:
    shown = []
    if run.checkpoint.hour == 0:
        shown += [
            Shown(
                id=errors.TOP.id,
                title="The most frequent errors, unjudged at hour 0",
                text=_most_frequent(each.evidence["issues"]),
            )
            for each in judged
            if each.id == errors.CRITICAL.id and "issues" in each.evidence
        ]
    return shown


def _most_frequent(plain: Mapping[str, Any]) -> str:
    listing = from_plain(plain)
    if isinstance(listing, Unanswered):
        return f"not measured: {listing.reason}"
    assert isinstance(listing, Listing)
    top = sorted(listing.items, key=lambda item: -int(item["count"]))[:3]
    return "; ".join(f"{item['count']} x {item['title'][:120]}" for item in top) or "none"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


@lru_cache(maxsize=1)
def _commit() -> str:
    """Returns the commit of this clone; "" outside a clone."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout.strip()
