"""Whether a watch may be approved, and what stands in the way.

Rules of this module:

- Pure: the ledger and a moment in, sentences out. An empty answer means that nothing is missing
  as far as the records say; whether they are genuine is :mod:`hour24.ledger.verify`'s to say.
- A rehearsal is never approved, nor a watch that was served by one.
- All seven checkpoints are in the plan: a shorter one may run, and is not approved.
- No unwaived FAIL, nothing unsettled, no checkpoint missed. The eight criteria of the sign-off
  must have passed themselves: a waiver covers what they rest on, not them. Of these eight,
  production.toml may leave out what the service does not have; never its health.
- Health was seen throughout: 99 % of the due probes, and no stretch over 5 minutes unseen. Probes
  of a rehearsal are no look at a production.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, ValidationError

from hour24.criteria import EIGHT, health, signoff
from hour24.evidence import Probes, from_plain
from hour24.ledger import moved
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
"""The release that the production.toml of a rehearsal names."""


class Coverage(Struct, frozen=True, kw_only=True):
    """How much of the watch the health probes saw.

    Args:
        due, kept: probes that were due, and that were made.
        longest_gap_s: longest stretch without any.
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


def standing_against(
    ledger: Ledger, now: datetime, launch_at: datetime | None = None
) -> tuple[str, ...]:
    """What stands in the way of an approval, one sentence each; none when nothing does.

    Args:
        launch_at: when customers are let in; none: as the newest record has it.
    Raises: LedgerError, when there is no watch.
    """
    standings = ledger.standings(now)
    return (
        *_of_the_watch(ledger, standings, launch_at or launch_of(ledger)),
        *_missed(standings),
        *_open(one for one in standings if one.id not in EIGHT),
        *_of_the_eight(standings),
        *_unseen(coverage(ledger)),
    )


def nowhere(ledger: Ledger) -> Iterator[str]:
    """That no record says where production was found, as an older version's do not."""
    if ledger.genesis.target_kind.lasting and not moved.beginning(ledger):
        yield "addresses: expected where production was found in the records, got none"


def launch_of(ledger: Ledger) -> datetime | None:
    """When customers are let in, as the newest record has it; none where nothing is planned."""
    newest = max(ledger.records(), key=lambda one: one.ended, default=None)
    return newest.launch_at if newest is not None else None


def told(ledger: Ledger, now: datetime) -> dict[str, Any]:
    """What an approval says of its ledger, for ``signoff.json``.

    Args:
        ledger: as it was before the approval.
        now: moment of the approval.
    """
    entries, records = ledger.entries(), ledger.records()
    standings = ledger.standings(now)
    seen = coverage(ledger)
    newest = max(records, key=lambda one: one.ended, default=None)
    return {
        "watch": ledger.genesis.name,
        "release": ledger.genesis.service.get("release", ""),
        "entries": len(entries),
        "records": sum(entry.kind == "checkpoint" for entry in entries),
        "criteria": {one.id: str(one.outcome) for one in standings if one.id in EIGHT},
        "waived": [f"{_named(s)}: waived by {s.waived_by}" for s in standings if s.waived_by],
        "settled": [
            f"{_named(s)}: settled by {s.settled_by}"
            for s in standings
            if s.settled_by and not s.waived_by
        ],
        "left_out": sorted(
            {f"{s.id}: {s.reason}" for s in standings if s.outcome == Outcome.NOT_APPLICABLE}
        ),
        "watched": newest.watched if newest is not None else {},
        "moved": [
            f"{one.file}: {line}: declared by {one.by}: {one.because}"
            for one in moved.changes(ledger)
            for line in one.says
        ],
        "coverage": seen.ratio if seen is not None else None,
    }


def _named(standing: Standing) -> str:
    name = f"{standing.id} {standing.subject}".strip()
    return f"{name} at hour {standing.hour}, {standing.outcome.value}"


def _of_the_watch(
    ledger: Ledger, standings: Sequence[Standing], launch_at: datetime | None
) -> Iterator[str]:
    watch = ledger.watch
    if not ledger.genesis.target_kind.approvable:
        yield "this is a rehearsal, and a rehearsal is never approved"
    if ledger.genesis.service.get("release") == REHEARSED:
        yield f"release: expected a production's, got {REHEARSED!r}: that is a rehearsal's service"
    if not {*CHECKPOINTS} <= {*watch.hours}:
        wanted, got = (", ".join(map(str, hours)) for hours in (CHECKPOINTS, watch.hours))
        yield f"checkpoints: expected checkpoints at hours {wanted}, got {got}"
    spoken = {one.hour for one in standings}
    for hour in watch.hours:
        if ledger.latest(hour) is None and (hour not in spoken or hour == LAST):
            early = ", only a run before it was due" if ledger.records(hour) else ""
            yield f"hour {hour}: expected a record, got none{early}"
    if launch_at is not None and launch_at < watch.t0 + timedelta(hours=LAST):
        yield (
            f"launch: expected at {watch.t0 + timedelta(hours=LAST):%Y-%m-%d %H:%M}Z or later, "
            f"got {launch_at:%Y-%m-%d %H:%M}Z"
        )


def _missed(standings: Iterable[Standing]) -> Iterator[str]:
    """One line for each checkpoint that was not run and is not waived as a whole."""
    hours: dict[int, int] = {}
    for one in standings:
        if one.stands and one.code == "missed" and one.id not in EIGHT:
            hours[one.hour] = hours.get(one.hour, 0) + 1
    for hour, number in hours.items():
        yield f"hour {hour}: {number} criteria were due and not judged: it was not run"


def _open(standings: Iterable[Standing]) -> list[str]:
    """One line for each FAIL and INCONCLUSIVE that stands, hours with one reason together."""
    hours: dict[tuple[bool, str, str], list[int]] = {}
    for one in standings:
        if one.stands and one.code != "missed":
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
                "; when that is waived since, run hour 24 again"
                if one.on_ledger and not one.waived_by
                else ""
            )
            yield (
                f"{name}{subject}: expected PASS at hour {LAST}, "
                f"got {one.outcome.value}{waived}: {one.reason}{again}"
            )


def _unseen(seen: Coverage | None) -> Iterator[str]:
    if seen is None:
        yield "health probes: expected them over 24 hours, got none in the records"
        return
    if seen.simulated:
        yield "health probes: expected a production's, got a rehearsal's: they are simulated"
    if seen.ratio < REQUIRED:
        yield (
            f"health probes: expected at least {format_percent(REQUIRED)} of {seen.due}, "
            f"got {seen.ratio:.2%}"
        )
    if seen.longest_gap_s > LONGEST_GAP_S:
        yield (
            f"health probes: expected no stretch over {format_duration(LONGEST_GAP_S)} unseen, "
            f"got {format_duration(seen.longest_gap_s)}"
        )


def coverage(ledger: Ledger) -> Coverage | None:
    """How much of the watch the health probes saw; none when the records hold no probes.

    The look at all 24 hours is taken where there is one; else each checkpoint's own.
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
    """The health probes that this criterion rests on."""
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
