"""The page of all watches in a folder: what each watched, how it stands, and its own page.

A watch that cannot be read has a row that says why: a list that leaves it out would look complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from hour24.errors import LedgerError
from hour24.ledger.book import Ledger
from hour24.report import grid, page
from hour24.report.times import Times
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from markupsafe import Markup


class Row(Struct, frozen=True, kw_only=True):
    """One watch.

    Args:
        page: address of its page; empty when it has none.
        word: may we launch, in a word; ``because``: the counts behind it.
        done, planned: checkpoints that are recorded, and that there are.
        problem: why it cannot be read.
    """

    name: str
    outcome: Outcome
    page: str = ""
    service: str = ""
    begins: Markup | None = None
    opened: datetime | None = None
    word: str = ""
    because: str = ""
    done: int = 0
    planned: int = 0
    problem: str = ""


def write(folder: Path, path: Path, now_of: Callable[[Ledger], datetime], now: datetime) -> int:
    """Write the page of every watch below ``folder``. Returns: their number.

    Args:
        now_of: the time at which the standings of a watch are read.
    Raises: OSError, if it cannot be written.
    """
    ledgers = [Ledger(each.parent) for each in sorted(folder.glob("*/watch.json"))]
    page.put(path, text(ledgers, path.parent, now_of, now))
    return len(ledgers)


def text(
    ledgers: Iterable[Ledger], base: Path, now_of: Callable[[Ledger], datetime], now: datetime
) -> str:
    """Return the page as HTML, the newest watch first."""
    rows = [_row(ledger, base, now_of) for ledger in ledgers]
    rows.sort(key=lambda row: (row.opened is None, row.opened), reverse=True)
    return page.render(
        "watches.html.j2",
        {
            "rows": rows,
            "icon": page.icon(Outcome.PASS, False),
            "rehearsal": "",
            "times": Times("UTC", now, now),
            "now": now,
        },
    )


def _row(ledger: Ledger, base: Path, now_of: Callable[[Ledger], datetime]) -> Row:
    name = ledger.folder.name
    try:
        genesis, now = ledger.genesis, now_of(ledger)
        launch = ledger.launch(now)
        hours = grid.hours_of(ledger)
        index = ledger.folder / "index.html"
        return Row(
            name=name,
            outcome=ledger.outcome_of_watch(now),
            page=index.relative_to(base).as_posix() if index.exists() else "",
            service=f"{genesis.service.get('name', '')}, {genesis.service.get('environment', '')}",
            begins=Times(genesis.zone, genesis.t0, ledger.watch.whole.end).tag(genesis.t0),
            opened=genesis.opened,
            word=launch.text,
            because=launch.because,
            done=sum(ledger.latest(hour) is not None for hour in hours),
            planned=len(hours),
        )
    except (LedgerError, OSError) as problem:
        return Row(name=name, outcome=Outcome.INCONCLUSIVE, problem=str(problem))
