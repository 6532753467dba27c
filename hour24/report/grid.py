"""Criteria x checkpoints: what stands at each hour of a watch.

Rules of this module:

- What stands is the ledger's word (a FAIL sticks, waivers expire, settling follows rule 7);
  what was observed comes from the newest counting record of the hour.
- Settled, waived, missed and not yet due differ by sign and word, never by colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct, structs

from hour24.criteria import CRITERIA
from hour24.ledger.record import Judged, Record
from hour24.report import charts, page
from hour24.text import format_percent, join_words, one_line, plural, shorten
from hour24.verdict import Outcome, worst

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger, Standing

_NUMBER = re.compile(r"[×+−-]?[0-9][0-9.,]*( of [0-9][0-9,]*)?(\s|$)")


class Cell(Struct, frozen=True, kw_only=True):
    """One criterion at one hour.

    Args:
        state: pass, fail, waived (a FAIL), inc, excused (an INCONCLUSIVE, waived), settled,
            missed, na, not (not due), later (not yet due).
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
    """One criterion over the watch; ``most``: the largest share of its limit, in words."""

    id: str
    group: str
    sentence: str
    means: str
    cells: tuple[Cell, ...]
    spark: Markup | None
    most: str = ""


class Stood(Struct, frozen=True, kw_only=True):
    """What did not hold at some hours for one reason, and what became of it.

    Args:
        name: id, with the subjects that it concerns.
        why: the reason at the last of these hours.
        became: ``waived by ...``, ``settled by ...``; empty while it stands.
    """

    outcome: Outcome
    name: str
    hours: tuple[int, ...]
    why: str
    became: str = ""

    @property
    def text(self) -> str:
        """``LATENCY-TARGET calls at hours 8 and 12; at the last: ...``"""
        told = join_words([str(hour) for hour in self.hours])
        if len(self.hours) == 1:
            return f"{self.name} at hour {told}: {self.why}"
        return f"{self.name} at hours {told}; at hour {self.hours[-1]}: {self.why}"


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
        cells = tuple(_short(cell, told.means if told else "") for cell in cells)
        found.append(
            Line(
                id=name,
                group=known.group if known else told.group if told else "Own criteria",
                sentence=known.sentence if known else told.sentence if told else "",
                means=told.means if told else "",
                cells=cells,
                spark=_spark(name, cells, ledger.watch.hours),
                most=_most(cells),
            )
        )
    return found


def _short(cell: Cell, means: str) -> Cell:
    """The cell without what the line says already: ``0`` where it means failed probes."""
    value = cell.value.removeprefix(f"{means} ") if means else cell.value
    number = _NUMBER.match(value)
    if number is not None:
        said = {word.rstrip("s") for word in means.lower().split()} | {"in", "a", "an"}
        if {word.rstrip("s") for word in value[number.end() :].lower().split()} <= said:
            value = number.group().rstrip()
    return structs.replace(cell, value=value)


def states(groups: Mapping[str, Sequence[Line]]) -> set[str]:
    """The states that occur, for the legend."""
    return {cell.state for lines in groups.values() for line in lines for cell in line.cells}


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

    A checkpoint that was not run is one line, and so is a criterion, however many hours or
    subjects it concerns for the same reason.

    Args:
        until: the last hour that is looked at.
    """
    standings = [s for s in ledger.standings(now) if s.hour <= until]
    missed: dict[int, int] = {}
    for s in standings:
        if s.code == "missed" and not s.waived_by and not s.settled_by:
            missed[s.hour] = missed.get(s.hour, 0) + 1
    found = [(stood.outcome, stood.text) for stood in gathered(standings) if not stood.became]
    found += [
        (Outcome.INCONCLUSIVE, f"Hour {hour} was due and not run: {plural(n, 'verdict')} missing")
        for hour, n in missed.items()
    ]
    return sorted(found, key=lambda pair: pair[0] != Outcome.FAIL)


def gathered(standings: Iterable[Standing]) -> list[Stood]:
    """What did not hold: the hours of one criterion together, then criteria and subjects.

    A checkpoint that was not run is left out.
    """
    hours: dict[tuple[Outcome, str, str, str], list[Standing]] = {}
    for s in standings:
        if s.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) and s.code != "missed":
            hours.setdefault((s.outcome, s.id, s.subject, _became(s)), []).append(s)
    names: dict[tuple[Outcome, tuple[int, ...], str, str], dict[str, list[str]]] = {}
    for (outcome, name, subject, became), many in hours.items():
        why = shorten(many[-1].reason, 240)
        key = outcome, tuple(s.hour for s in many), why, became
        names.setdefault(key, {}).setdefault(name, []).append(one_line(subject, 60))
    return [
        Stood(
            outcome=outcome,
            name=join_words(
                [f"{name} {join_words(subjects)}".strip() for name, subjects in ids.items()]
            ),
            hours=at,
            why=why,
            became=became,
        )
        for (outcome, at, why, became), ids in names.items()
    ]


def _became(standing: Standing) -> str:
    if standing.waived_by:
        return f"waived by {one_line(standing.waived_by, 80)}"
    return f"settled by {one_line(standing.settled_by, 80)}" if standing.settled_by else ""


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
        failed = cell.outcome == Outcome.FAIL
        state, word = ("waived", "FAIL, waived") if failed else ("excused", "INCONCLUSIVE, waived")
        return structs.replace(cell, state=state, word=word, more=f"by {', '.join(waived)}")
    if bad:
        by = sorted({one_line(s.settled_by, 60) for s in bad if s.settled_by})
        return structs.replace(cell, state="settled", word="settled", more=f"by {', '.join(by)}")
    return cell


def _value(many: Sequence[Judged], outcome: Outcome) -> tuple[str, float | None]:
    """What was observed, and the share of the limit, the worst of several subjects.

    Subjects whose limits differ are compared by the share of the limit that was observed.
    """
    if not many:
        return "", None
    shares = [(_share(j), n) for n, j in enumerate(many) if j.outcome == outcome]
    share, at = max(shares, default=(-1.0, 0))
    worst_one = many[at]
    used = share if share >= 0 else None
    units = {(j.scale.unit, j.scale.limit) for j in many if j.scale is not None}
    if len(units) > 1 and len({unit for unit, _ in units}) == 1 and worst_one.scale is not None:
        seen = charts.share(worst_one.scale.observed, worst_one.scale)
        if seen is not None and seen < 10:
            return format_percent(seen, 0), used
    return shorten(worst_one.observed, 24), used


def _share(judged: Judged) -> float:
    """The share of its limit that decides; -1 without a scale."""
    at = charts.deciding(judged.scale, judged.outcome) if judged.scale is not None else None
    return -1.0 if at is None else at


def _most(cells: Sequence[Cell]) -> str:
    """The largest share of the limit over the watch."""
    most = max((cell.share for cell in cells if cell.share is not None), default=None)
    if most is None:
        return ""
    return format_percent(most, 0) if most < 10 else "far over"


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
