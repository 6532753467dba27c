"""Criteria x checkpoints: the result of each criterion at each hour of a watch.

Rules of this module:

- The result is the ledger's: a FAIL stays, waivers expire, a later PASS resolves by rule 7. The
  observed value comes from the newest counting record of the hour.
- Resolved, waived, missed and not yet due differ by shape and word, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct, structs

from hour24.criteria import CRITERIA
from hour24.ledger.record import Judged, Record
from hour24.linear import shipped
from hour24.report import charts, page
from hour24.report.exhibits import anchor
from hour24.text import format_percent, join_words, one_line, plural, shorten
from hour24.verdict import Outcome, worst

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger, Standing

LONGEST = 200
"""Characters of a value that are searched for its number."""
_NUMBER = shipped(
    r"[×+−-]?[0-9][0-9.,]*( of [0-9][0-9,]*)?(\s|$)",
    longest=LONGEST,
)


class Cell(Struct, frozen=True, kw_only=True):
    """One criterion at one hour.

    Args:
        state: pass, fail, waived (a FAIL), inc, excused (an INCONCLUSIVE, waived), resolved,
            missed, na, not (not due), later (not yet due).
        word: the state as text; ``value``: the observed value, short; ``more``: who waived it, what
            resolved it, or its code; ``link``: the address of its evidence.
    """

    hour: int
    state: str
    word: str
    value: str = ""
    more: str = ""
    share: float | None = None
    outcome: Outcome | None = None
    link: str = ""


class Line(Struct, frozen=True, kw_only=True):
    """One criterion over the watch; ``most``: the largest share of its limit, as text."""

    id: str
    group: str
    sentence: str
    means: str
    cells: tuple[Cell, ...]
    spark: Markup | None
    most: str = ""


class Problem(Struct, frozen=True, kw_only=True):
    """Verdicts that did not pass at some hours for one reason.

    Args:
        name: ids, with the subjects concerned.
        why: the reason at the last of these hours.
        state: ``waived by ...``, ``resolved by ...``; empty while it is open.
    """

    outcome: Outcome
    name: str
    hours: tuple[int, ...]
    why: str
    state: str = ""

    @property
    def text(self) -> str:
        """Return ``LATENCY-TARGET calls at hours 8 and 12; at hour 12: ...``."""
        hours = join_words([str(hour) for hour in self.hours])
        if len(self.hours) == 1:
            return f"{self.name} at hour {hours}: {self.why}"
        return f"{self.name} at hours {hours}; at hour {self.hours[-1]}: {self.why}"


class Head(Struct, frozen=True, kw_only=True):
    """The column of a checkpoint, with its page if there is one."""

    hour: int
    due: datetime
    page: str = ""
    later: bool = False


def heads(ledger: Ledger, now: datetime) -> list[Head]:
    """Return the columns, one per checkpoint."""
    found = []
    for hour in hours_of(ledger):
        due = ledger.watch.t0 + timedelta(hours=hour)
        record = ledger.latest(hour)
        link = page_of(record) if record is not None else ""
        found.append(Head(hour=hour, due=due, page=link, later=record is None and due > now))
    return found


def hours_of(ledger: Ledger) -> tuple[int, ...]:
    """Return the checkpoints with something due; the week after launch has none of the watch."""
    plan = planned([ledger.latest(hour) for hour in ledger.watch.hours])
    due = {hour for hours in plan.values() for hour in hours}
    return tuple(hour for hour in ledger.watch.hours if hour in due)


def page_of(record: Record) -> str:
    """Return the file name of the page of a record."""
    return f"hour{record.hour:02d}.a{record.attempt}.html"


def lines(ledger: Ledger, now: datetime) -> list[Line]:
    """Return every criterion that is due at some hour of this watch, in the order of the table."""
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
        shipped = CRITERIA.get(name)
        cells = tuple(_short(cell, shipped.means if shipped else "") for cell in cells)
        found.append(
            Line(
                id=name,
                group=known.group if known else shipped.group if shipped else "Custom criteria",
                sentence=known.sentence if known else shipped.sentence if shipped else "",
                means=shipped.means if shipped else "",
                cells=cells,
                spark=_spark(name, cells, ledger.watch.hours),
                most=_most(cells),
            )
        )
    return found


def _short(cell: Cell, means: str) -> Cell:
    """Return the cell without the words that its line has: ``0`` for ``0 failed probes``."""
    value = cell.value.removeprefix(f"{means} ") if means else cell.value
    number = _NUMBER.match(value[:LONGEST])
    if number is not None:
        known = {word.rstrip("s") for word in means.lower().split()} | {"in", "a", "an"}
        if {word.rstrip("s") for word in value[number.end() :].lower().split()} <= known:
            value = number.group().rstrip()
    return structs.replace(cell, value=value)


def states(groups: Mapping[str, Sequence[Line]]) -> set[str]:
    """Return the states that occur, for the legend."""
    return {cell.state for lines in groups.values() for line in lines for cell in line.cells}


def planned(records: Iterable[Record | None]) -> dict[str, tuple[int, ...]]:
    """Return id -> hours, from the plan of the newest record; without records, from the table."""
    plans = [record.plan for record in records if record is not None]
    plan: Mapping[str, tuple[int, ...]] = (
        plans[-1] if plans else {name: criterion.hours for name, criterion in CRITERIA.items()}
    )
    ordered = {name: tuple(plan[name]) for name in CRITERIA if name in plan}
    ordered.update({name: tuple(hours) for name, hours in plan.items() if name not in ordered})
    return ordered


def blocking(
    ledger: Ledger,
    now: datetime,
    until: int = 10**6,
    without: Collection[tuple[str, str]] = (),
) -> list[tuple[Outcome, str]]:
    """Return what blocks the launch: neither waived nor resolved, the FAILs first.

    A missed checkpoint is one line, and so is a criterion with the same reason at several hours
    or for several subjects.

    Args:
        until: the last hour that counts.
        without: ids and subjects that are listed elsewhere.
    """
    standings = [
        s
        for s in ledger.standings(now)
        if s.hour <= until and (s.code == "missed" or (s.id, s.subject) not in without)
    ]
    missed: dict[int, int] = {}
    for s in standings:
        if s.code == "missed" and not s.waived_by and not s.settled_by:
            missed[s.hour] = missed.get(s.hour, 0) + 1
    found = [(each.outcome, each.text) for each in group_problems(standings) if not each.state]
    found += [
        (Outcome.INCONCLUSIVE, f"Hour {hour} was due but not run: {plural(n, 'verdict')} missing")
        for hour, n in missed.items()
    ]
    return sorted(found, key=lambda pair: pair[0] != Outcome.FAIL)


def group_problems(standings: Iterable[Standing]) -> list[Problem]:
    """Return what did not pass, grouped by the hours of a criterion, then criteria and subjects.

    Missed checkpoints are left out.
    """
    hours: dict[tuple[Outcome, str, str, str], list[Standing]] = {}
    for s in standings:
        if s.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) and s.code != "missed":
            hours.setdefault((s.outcome, s.id, s.subject, _state_of(s)), []).append(s)
    names: dict[tuple[Outcome, tuple[int, ...], str, str], dict[str, list[str]]] = {}
    for (outcome, name, subject, state), many in hours.items():
        why = shorten(many[-1].reason, 240)
        key = outcome, tuple(s.hour for s in many), why, state
        names.setdefault(key, {}).setdefault(name, []).append(one_line(subject, 60))
    return [
        Problem(
            outcome=outcome,
            name=join_words(
                [f"{name} {join_words(subjects)}".strip() for name, subjects in ids.items()]
            ),
            hours=at,
            why=why,
            state=state,
        )
        for (outcome, at, why, state), ids in names.items()
    ]


def _state_of(standing: Standing) -> str:
    if standing.waived_by:
        return f"waived by {one_line(standing.waived_by, 80)}"
    return f"resolved by {one_line(standing.settled_by, 80)}" if standing.settled_by else ""


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
        link=_link(head, many, outcome),
    )
    return _with_state(cell, bad, open_ones)


def _link(head: Head, many: Sequence[Judged], outcome: Outcome) -> str:
    """Return the address of the evidence of the worst subject; empty without a page."""
    found = next((j for j in many if j.outcome == outcome), None)
    return f"{head.page}#{anchor(found)}" if head.page and found is not None else ""


def _with_state(cell: Cell, bad: Sequence[Standing], open_ones: Sequence[Standing]) -> Cell:
    """Return the cell with what the ledger adds to its outcome: missed, waived, resolved, code."""
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
        return structs.replace(cell, state="resolved", word="resolved", more=f"by {', '.join(by)}")
    return cell


def _value(many: Sequence[Judged], outcome: Outcome) -> tuple[str, float | None]:
    """Return the observed value and the share of the limit, of the worst subject.

    Subjects with different limits are compared by the observed share of the limit.
    """
    if not many:
        return "", None
    shares = [(_share(j), n) for n, j in enumerate(many) if j.outcome == outcome]
    share, at = max(shares, default=(-1.0, 0))
    worst_one = many[at]
    used = share if share >= 0 else None
    units = {(j.scale.unit, j.scale.limit) for j in many if j.scale is not None}
    if len(units) > 1 and len({unit for unit, _ in units}) == 1 and worst_one.scale is not None:
        observed = charts.share(worst_one.scale.observed, worst_one.scale)
        if observed is not None and observed < 10:
            return format_percent(observed, 0), used
    return shorten(worst_one.observed, 24), used


def _share(judged: Judged) -> float:
    """Return the deciding share of its limit; -1 without a scale."""
    at = charts.deciding(judged.scale, judged.outcome) if judged.scale is not None else None
    return -1.0 if at is None else at


def _most(cells: Sequence[Cell]) -> str:
    """Return the largest share of the limit over the watch, as text."""
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
