"""Whether a watch may be approved, and what blocks it.

Rules of this module:

- Pure: the ledger and a time in, sentences out. An empty answer means that nothing is missing
  by the records; :mod:`hour24.ledger.verify` decides whether they are genuine.
- A rehearsal is never approved, nor a watch that was served by one.
- All seven checkpoints are in the plan: a shorter one may run, but is not approved.
- No unwaived FAIL, nothing unresolved, no checkpoint missed. The eight sign-off criteria must pass
  themselves: a waiver covers the criteria they depend on, not them. Of these eight,
  production.toml may disable what the service does not have, but never its health.
- Health was probed throughout: 99 % of the due probes, and no gap over 5 minutes. Simulated probes
  of a rehearsal do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, ValidationError

from hour24.criteria import EIGHT, health, signoff
from hour24.evidence import Probes, from_plain
from hour24.ledger import moved
from hour24.ledger.advisory import reported
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.ledger.standings import Standing
from hour24.statistics.coverage import LONGEST_GAP_S, REQUIRED
from hour24.text import format_duration, format_percent
from hour24.verdict import Outcome
from hour24.watch import CHECKPOINTS

LAST = 24
HEALTH = signoff.HEALTH.id
REHEARSED = "rehearsal"
"""The release in the production.toml of a rehearsal."""


class Coverage(Struct, frozen=True, kw_only=True):
    """How much of the watch the health probes cover.

    Args:
        due, kept: probes that were due, and that were made.
        longest_gap_s: longest time without one.
        simulated: whether any of them are a rehearsal's.
    """

    due: int
    kept: int
    longest_gap_s: float
    simulated: bool = False

    @property
    def ratio(self) -> float:
        """``kept / due``, 0 when none was due."""
        return self.kept / self.due if self.due else 0.0


def blocking(ledger: Ledger, now: datetime, launch_at: datetime | None = None) -> tuple[str, ...]:
    """Return what blocks an approval, one sentence each.

    Args:
        launch_at: the launch time; none: that of the newest record.
    Raises: LedgerError, when there is no watch.
    """
    standings = ledger.standings(now)
    return (
        *_of_the_watch(ledger, standings, launch_at or launch_of(ledger)),
        *_missed_checkpoints(standings),
        *_open_findings(one for one in standings if one.id not in EIGHT),
        *_of_the_eight(standings),
        *_missing_probes(coverage(ledger)),
    )


def missing_addresses(ledger: Ledger) -> Iterator[str]:
    """Yield a problem when no record has the addresses of production, as in older versions."""
    if ledger.genesis.target_kind.lasting and not moved.beginning(ledger):
        yield "addresses: expected those of production in the records, got none"


def launch_of(ledger: Ledger) -> datetime | None:
    """Return the launch time of the newest record; none when it has none."""
    newest = max(ledger.records(), key=lambda one: one.ended, default=None)
    return newest.launch_at if newest is not None else None


def summary(ledger: Ledger, now: datetime) -> dict[str, Any]:
    """Return what ``signoff.json`` states about its ledger.

    Args:
        ledger: as it was before the approval.
        now: time of the approval.
    """
    entries, records = ledger.entries(), ledger.records()
    standings = ledger.standings(now)
    covered = coverage(ledger)
    newest = max(records, key=lambda one: one.ended, default=None)
    return {
        "watch": ledger.genesis.name,
        "release": ledger.genesis.service.get("release", ""),
        "entries": len(entries),
        "records": sum(entry.kind == "checkpoint" for entry in entries),
        "criteria": {one.id: str(one.outcome) for one in standings if one.id in EIGHT},
        "waived": [f"{_join_names(s)}: waived by {s.waived_by}" for s in standings if s.waived_by],
        "settled": [
            f"{_join_names(s)}: settled by {s.settled_by}"
            for s in standings
            if s.settled_by and not s.waived_by
        ],
        "left_out": sorted(
            {f"{s.id}: {s.reason}" for s in standings if s.outcome == Outcome.NOT_APPLICABLE}
        ),
        "advisory": [
            f"{one.id}: {one.last}; does not count: {one.because}" for one in reported(records)
        ],
        "watched": newest.watched if newest is not None else {},
        "moved": [
            f"{one.file}: {line}: declared by {one.by}: {one.because}"
            for one in moved.changes(ledger)
            for line in one.says
        ],
        "coverage": covered.ratio if covered is not None else None,
    }


def _join_names(standing: Standing) -> str:
    name = f"{standing.id} {standing.subject}".strip()
    return f"{name} at hour {standing.hour}, {standing.outcome.value}"


def _of_the_watch(
    ledger: Ledger, standings: Sequence[Standing], launch_at: datetime | None
) -> Iterator[str]:
    watch = ledger.watch
    if not ledger.genesis.target_kind.approvable:
        yield "this is a rehearsal, which is never approved"
    if ledger.genesis.service.get("release") == REHEARSED:
        yield f"release: expected that of a production, got {REHEARSED!r}: this is a rehearsal"
    if not {*CHECKPOINTS} <= {*watch.hours}:
        wanted, got = (", ".join(map(str, hours)) for hours in (CHECKPOINTS, watch.hours))
        yield f"checkpoints: expected checkpoints at hours {wanted}, got {got}"
    recorded = {one.hour for one in standings}
    for hour in watch.hours:
        if ledger.latest(hour) is None and (hour not in recorded or hour == LAST):
            early = ", only a run before it was due" if ledger.records(hour) else ""
            yield f"hour {hour}: expected a record, got none{early}"
    if launch_at is not None and launch_at < watch.t0 + timedelta(hours=LAST):
        yield (
            f"launch: expected at {watch.t0 + timedelta(hours=LAST):%Y-%m-%d %H:%M}Z or later, "
            f"got {launch_at:%Y-%m-%d %H:%M}Z"
        )


def _missed_checkpoints(standings: Iterable[Standing]) -> Iterator[str]:
    """Yield one line for each checkpoint that was not run and is not waived completely."""
    hours: dict[int, int] = {}
    for one in standings:
        if one.is_open and one.code == "missed" and one.id not in EIGHT:
            hours[one.hour] = hours.get(one.hour, 0) + 1
    for hour, number in hours.items():
        yield f"hour {hour}: {number} criteria were due and not judged: it was not run"


def _open_findings(standings: Iterable[Standing]) -> list[str]:
    """Return one line for each open FAIL and INCONCLUSIVE; hours with one reason together."""
    hours: dict[tuple[bool, str, str], list[int]] = {}
    for one in standings:
        if one.is_open and one.code != "missed":
            name = f"{one.id} {one.subject}".strip()
            code = f" ({one.code})" if one.outcome == Outcome.INCONCLUSIVE and one.code else ""
            key = (one.outcome != Outcome.FAIL, name, f"{one.outcome.value}{code}: {one.reason}")
            hours.setdefault(key, []).append(one.hour)
    return [
        f"{name} at hour {', '.join(map(str, at))}: {what}"
        for (_, name, what), at in sorted(hours.items(), key=lambda item: item[0][0])
    ]


def _of_the_eight(standings: Sequence[Standing]) -> Iterator[str]:
    for name in EIGHT:
        own = [one for one in standings if one.id == name]
        if not own:
            yield f"{name}: expected PASS at hour {LAST}, got no verdict"
        for one in own:
            left_out = one.outcome == Outcome.NOT_APPLICABLE and name != HEALTH
            if one.outcome == Outcome.PASS or left_out:
                continue
            subject = f" {one.subject}" if one.subject else ""
            waived = f", waived by {one.waived_by}: the eight cannot be" if one.waived_by else ""
            again = (
                "; if it was waived since, run hour 24 again"
                if one.on_ledger and not one.waived_by
                else ""
            )
            yield (
                f"{name}{subject}: expected PASS at hour {LAST}, "
                f"got {one.outcome.value}{waived}: {one.reason}{again}"
            )


def _missing_probes(seen: Coverage | None) -> Iterator[str]:
    if seen is None:
        yield "health probes: expected them over 24 hours, got none in the records"
        return
    if seen.simulated:
        yield "the health probes are simulated (rehearsal)"
    if seen.ratio < REQUIRED:
        yield (
            f"health probes: expected at least {format_percent(REQUIRED)} of {seen.due}, "
            f"got {seen.ratio:.2%}"
        )
    if seen.longest_gap_s > LONGEST_GAP_S:
        yield (
            f"health probes: expected no gap over {format_duration(LONGEST_GAP_S)}, "
            f"got {format_duration(seen.longest_gap_s)}"
        )


def coverage(ledger: Ledger) -> Coverage | None:
    """Return how much of the watch the health probes cover; none without probes.

    Uses the evidence over all 24 hours if there is one; else that of each checkpoint.
    """
    last = ledger.latest(LAST)
    whole = _probes(last, HEALTH) if last is not None else None
    if whole is not None:
        return _coverage([whole])
    hours = [hour for hour in ledger.watch.hours if hour]
    records = [ledger.latest(hour) for hour in hours]
    seen = [_probes(one, health.ALWAYS.id) for one in records if one is not None]
    each = [one for one in seen if one is not None]
    return _coverage(each) if each and len(each) == len(hours) else None


def _coverage(seen: Sequence[Probes]) -> Coverage:
    return Coverage(
        due=sum(one.due for one in seen),
        kept=sum(one.kept for one in seen),
        longest_gap_s=max((end - start for one in seen for start, end in one.gaps), default=0.0),
        simulated=any(one.simulated for one in seen),
    )


def _probes(record: Record, name: str) -> Probes | None:
    """Return the health probes in this criterion's evidence."""
    for judged in record.criteria:
        if judged.id != name:
            continue
        for plain in judged.evidence.values():
            try:
                answer = from_plain(plain)
            except ValidationError:
                continue
            if isinstance(answer, Probes) and answer.target == "health":
                return answer
    return None
