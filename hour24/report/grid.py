"""Criteria x checkpoints: what stands at each hour of a watch.

Rules of this module:

- What stands is the ledger's word (a FAIL sticks, waivers expire, settling follows rule 7);
  what was observed comes from the newest counting record of the hour.
- Settled, waived, missed and not yet due differ by sign and word, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct, structs

from hour24.criteria import CRITERIA
from hour24.record import Judged, Record
from hour24.report import charts, page
from hour24.report.words import joined, one_line, percent, plural
from hour24.verdict import Outcome, worst

if TYPE_CHECKING:
    from hour24.ledger import Ledger, Standing


class Cell(Struct, frozen=True, kw_only=True):
    """One criterion at one hour.

    Args:
        state: pass, fail, waived, inc, settled, missed, na, not (not due), later (not yet due).
        word: the state in words; ``value``: what was observed, short; ``more``: who waived, what
            settled, which code.
    """

    hour: int
    state: str
    word: str
    value: str = ""
    more: str = ""
    share: float | None = None
    outcome: Outcome | None = None


class Line(Struct, frozen=True, kw_only=True):
    """One criterion over the watch."""

    id: str
    group: str
    sentence: str
    means: str
    cells: tuple[Cell, ...]
    spark: Markup | None


class Head(Struct, frozen=True, kw_only=True):
    """A checkpoint's column: its page when there is one."""

    hour: int
    due: datetime
    page: str = ""
    later: bool = False


def heads(ledger: Ledger, now: datetime) -> list[Head]:
    """The columns, one a checkpoint."""
    found = []
    for hour in hours_of(ledger):
        due = ledger.watch.t0 + timedelta(hours=hour)
        record = ledger.latest(hour)
        link = page_of(record) if record is not None else ""
        found.append(Head(hour=hour, due=due, page=link, later=record is None and due > now))
    return found


def hours_of(ledger: Ledger) -> tuple[int, ...]:
    """The checkpoints at which something is due; the week after a watch has none in the watch."""
    plan = planned([ledger.latest(hour) for hour in ledger.watch.hours])
    due = {hour for hours in plan.values() for hour in hours}
    return tuple(hour for hour in ledger.watch.hours if hour in due)


def page_of(record: Record) -> str:
    """The file name of a record's page."""
    return f"hour{record.hour:02d}.a{record.attempt}.html"


def lines(ledger: Ledger, now: datetime) -> list[Line]:
    """Every criterion that is due at some hour of this watch, in the order of the table."""
    standings: dict[tuple[str, int], list[Standing]] = {}
    for standing in ledger.standings(now):
        standings.setdefault((standing.id, standing.hour), []).append(standing)
    records = {hour: ledger.latest(hour) for hour in ledger.watch.hours}
    judged = {
        hour: page.by_criterion(record.criteria) if record is not None else {}
        for hour, record in records.items()
    }
    plan = planned(records.values())
    columns = heads(ledger, now)
    found = []
    for name, hours in plan.items():
        cells = tuple(
            _cell(
                head,
                name in judged[head.hour] or head.hour in hours,
                standings.get((name, head.hour), ()),
                judged[head.hour].get(name, ()),
            )
            for head in columns
        )
        known = next((many[name][0] for many in judged.values() if name in many), None)
        told = CRITERIA.get(name)
        found.append(
            Line(
                id=name,
                group=known.group if known else told.group if told else "Own criteria",
                sentence=known.sentence if known else told.sentence if told else "",
                means=told.means if told else "",
                cells=cells,
                spark=_spark(name, cells, ledger.watch.hours),
            )
        )
    return found


def planned(records: Iterable[Record | None]) -> dict[str, tuple[int, ...]]:
    """Id -> hours, from the newest record's plan; without records, from the table."""
    plans = [record.plan for record in records if record is not None]
    plan: Mapping[str, tuple[int, ...]] = (
        plans[-1] if plans else {name: criterion.hours for name, criterion in CRITERIA.items()}
    )
    ordered = {name: tuple(plan[name]) for name in CRITERIA if name in plan}
    ordered.update({name: tuple(hours) for name, hours in plan.items() if name not in ordered})
    return ordered


def standing(ledger: Ledger, now: datetime, until: int = 10**6) -> list[tuple[Outcome, str]]:
    """What stands against the launch: neither waived nor settled, the FAILs first.

    A checkpoint that was not run is one line; one reason at several hours is one line.

    Args:
        until: the last hour that is looked at.
    """
    missed: dict[int, int] = {}
    hours: dict[tuple[Outcome, str, str], list[int]] = {}
    for s in ledger.standings(now):
        if s.hour > until or s.waived_by or s.settled_by:
            continue
        if s.outcome not in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            continue
        if s.code == "missed":
            missed[s.hour] = missed.get(s.hour, 0) + 1
        else:
            name = f"{s.id} {one_line(s.subject, 60)}".strip()
            hours.setdefault((s.outcome, name, one_line(s.reason, 240)), []).append(s.hour)
    found = [
        (outcome, f"{name} at hour{'s' if len(at) > 1 else ''} {joined(list(map(str, at)))}: {why}")
        for (outcome, name, why), at in hours.items()
    ]
    found += [
        (Outcome.INCONCLUSIVE, f"Hour {hour} was due and not run: {plural(n, 'verdict')} missing")
        for hour, n in missed.items()
    ]
    return sorted(found, key=lambda pair: pair[0] != Outcome.FAIL)


def _cell(head: Head, due: bool, standings: Sequence[Standing], many: Sequence[Judged]) -> Cell:
    if not standings and not many:
        if not due:
            return Cell(hour=head.hour, state="not", word="not due")
        if head.later:
            return Cell(hour=head.hour, state="later", word="not yet due")
        return Cell(
            hour=head.hour,
            state="missed",
            word="MISSED",
            outcome=Outcome.INCONCLUSIVE,
            more="no record",
        )
    outcome = worst([s.outcome for s in standings] or [j.outcome for j in many])
    value, share = _value(many, outcome)
    bad = [s for s in standings if s.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
    open_ones = [s for s in bad if not s.waived_by and not s.settled_by]
    cell = Cell(
        hour=head.hour,
        state=page.GLYPHS[outcome],
        word=page.WORDS[outcome],
        value="" if value == "not measured" else value,
        share=share,
        outcome=outcome,
    )
    return _stood(cell, bad, open_ones)


def _stood(cell: Cell, bad: Sequence[Standing], open_ones: Sequence[Standing]) -> Cell:
    """The cell with what the ledger says beside its outcome."""
    subjects = ", ".join(one_line(s.subject, 40) for s in open_ones if s.subject)
    if open_ones:
        missed = all(s.code == "missed" for s in open_ones)
        if missed:
            return structs.replace(cell, state="missed", word="MISSED", more="", value="")
        codes = {s.code for s in open_ones if s.outcome == Outcome.INCONCLUSIVE and s.code}
        more = subjects or ", ".join(sorted(one_line(code, 40) for code in codes))
        return structs.replace(cell, more=more)
    waived = sorted({one_line(s.waived_by, 60) for s in bad if s.waived_by})
    if waived:
        word = f"{cell.word}, waived"
        return structs.replace(cell, state="waived", word=word, more=f"by {', '.join(waived)}")
    if bad:
        by = sorted({one_line(s.settled_by, 60) for s in bad if s.settled_by})
        return structs.replace(cell, state="settled", word="settled", more=f"by {', '.join(by)}")
    return cell


def _value(many: Sequence[Judged], outcome: Outcome) -> tuple[str, float | None]:
    """What was observed, and the share of the limit, the worst of several subjects."""
    shares = [
        at
        for j in many
        if j.scale is not None and (at := charts.deciding(j.scale, j.outcome)) is not None
    ]
    share = max(shares, default=None)
    if len(many) == 1:
        return one_line(many[0].observed, 24), share
    if not many:
        return "", None
    seen = [
        at
        for j in many
        if j.scale is not None and (at := charts.share(j.scale.observed, j.scale)) is not None
    ]
    if seen and max(seen) < 10:
        return percent(max(seen), 0), share
    held = sum(j.outcome == Outcome.PASS for j in many)
    return f"{held} of {len(many)}", share


def _spark(name: str, cells: Sequence[Cell], hours: Sequence[int]) -> Markup | None:
    points = [
        (
            cell.hour / max(1, hours[-1]),
            cell.share,
            Outcome.PASS if cell.outcome is None else cell.outcome,
        )
        for cell in cells
        if cell.state not in ("not", "later")
    ]
    if sum(share is not None for _, share, _ in points) < 2:
        return None
    return charts.spark(points, name)
