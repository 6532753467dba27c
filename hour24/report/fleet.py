"""The page of a fleet: the newest watch of each service x criteria x hours, the worst first.

Rules of this module:

- A cell is the worst state of a criterion over the hours of a watch, with each hour that has it;
  every hour is a link to its evidence.
- A watch that cannot be read is the first row: a list that leaves it out would look complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from hour24.criteria import CRITERIA
from hour24.errors import LedgerError
from hour24.ledger.book import Ledger
from hour24.report import grid, page
from hour24.report.times import Times
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from hour24.report.grid import Line

ORDER = ("fail", "missed", "inc", "waived", "excused", "resolved", "pass", "na", "later", "not")
"""States, the worst first."""
OPEN = ("fail", "missed", "inc")
"""States that block a launch."""


class Cell(Struct, frozen=True, kw_only=True):
    """One criterion of one service.

    Args:
        state: the worst of its hours; empty where the criterion is not part of the watch.
        hours: the hours with that state, each with the address of its evidence.
    """

    state: str = ""
    hours: tuple[tuple[int, str], ...] = ()


class Row(Struct, frozen=True, kw_only=True):
    """One service.

    Args:
        page: address of its watch's page; empty when it has none.
        word: may we launch, in a word.
        cells: one for each criterion of the page.
        open: how many criteria have each of the states in ``OPEN``.
        problem: why its watch cannot be read.
    """

    service: str
    watch: str
    page: str = ""
    word: str = ""
    cells: dict[str, Cell] = {}
    open: tuple[int, ...] = ()
    problem: str = ""


def write(folder: Path, path: Path, now_of: Callable[[Ledger], datetime], now: datetime) -> int:
    """Write the page of every service with a watch below ``folder``. Returns: their number.

    Args:
        now_of: the time at which the standings of a watch are read.
    Raises: OSError, if it cannot be written.
    """
    found = rows(
        (Ledger(each.parent) for each in sorted(folder.glob("*/watch.json"))), path.parent, now_of
    )
    page.put(path, text(found, now))
    return len(found)


def rows(ledgers: Iterable[Ledger], base: Path, now_of: Callable[[Ledger], datetime]) -> list[Row]:
    """Return the newest watch of each service, the worst first."""
    newest: dict[str, tuple[datetime, Row]] = {}
    unreadable: list[Row] = []
    for ledger in ledgers:
        try:
            row, opened = _row(ledger, base, now_of), ledger.genesis.opened
        except (LedgerError, OSError) as problem:
            name = ledger.folder.name
            unreadable.append(Row(service=name, watch=name, problem=str(problem)))
            continue
        if row.service not in newest or opened > newest[row.service][0]:
            newest[row.service] = (opened, row)
    found = [row for _, row in newest.values()]
    found.sort(key=lambda row: ([-many for many in row.open], row.service))
    return unreadable + found


def text(found: Sequence[Row], now: datetime) -> str:
    """Return the page as HTML."""
    named = [name for name in CRITERIA if any(name in row.cells for row in found)]
    failing = sum(row.open[0] > 0 for row in found if row.open)
    return page.render(
        "fleet.html.j2",
        {
            "rows": found,
            "criteria": [CRITERIA[name] for name in named],
            "failing": failing,
            "blind": sum(
                bool(row.problem) or (sum(row.open) > 0 and not row.open[0]) for row in found
            ),
            "states": {cell.state for row in found for cell in row.cells.values()} - {""},
            "icon": page.icon(Outcome.FAIL if failing else Outcome.PASS, False),
            "rehearsal": "",
            "times": Times("UTC", now, now),
            "now": now,
        },
    )


def _row(ledger: Ledger, base: Path, now_of: Callable[[Ledger], datetime]) -> Row:
    now, genesis = now_of(ledger), ledger.genesis
    folder = ledger.folder.relative_to(base).as_posix()
    cells: dict[str, Cell] = {}
    for line in grid.lines(ledger, now):
        cell = _cell(line, folder)
        before = cells.get(line.id)
        if before is None or ORDER.index(cell.state) < ORDER.index(before.state):
            cells[line.id] = cell
    return Row(
        service=f"{genesis.service.get('name', '')}, {genesis.service.get('environment', '')}",
        watch=ledger.folder.name,
        page=f"{folder}/index.html" if (ledger.folder / "index.html").exists() else "",
        word=ledger.launch(now).text,
        cells=cells,
        open=tuple(sum(cell.state == state for cell in cells.values()) for state in OPEN),
    )


def _cell(line: Line, folder: str) -> Cell:
    state = min((each.state for each in line.cells), key=ORDER.index)
    hours = [each for each in line.cells if each.state == state]
    if state not in OPEN and state not in ("waived", "excused"):
        hours = hours[-1:]  # the last one is enough
    return Cell(
        state=state,
        hours=tuple((each.hour, f"{folder}/{each.link}" if each.link else "") for each in hours),
    )
