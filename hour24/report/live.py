"""The live page of a watch that is running: what is happening now, and the grid so far.

It is made anew for each request, and reloads itself by the server's ``Refresh`` header.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from hour24.report import grid, page
from hour24.report.times import Times
from hour24.text import format_duration

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger


class Progress(Struct, frozen=True, kw_only=True):
    """What a running watch is doing.

    Args:
        doing: what is being asked or run now, one sentence each; empty: nothing but probes.
        probes: the newest complete minute of each probe, one line each.
        said: the newest lines of the terminal, newest first, each with its time.
        next_hour: the next checkpoint; None when all are recorded.
    """

    doing: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    said: tuple[tuple[datetime, str], ...] = ()
    next_hour: int | None = None


def text(ledger: Ledger, now: datetime, progress: Progress) -> str:
    """Return the page as HTML."""
    watch = ledger.watch
    lines = grid.lines(ledger, now)
    due = None if progress.next_hour is None else watch.checkpoint(progress.next_hour).due
    wait = "" if due is None else format_duration(abs((due - now).total_seconds()))
    launch = ledger.launch(now)
    outcome = ledger.outcome_of_watch(now)
    context = {
        "watch": watch,
        "service": ledger.genesis.service,
        "launch": launch,
        "verdict": outcome,
        "icon": page.icon(outcome, bool(ledger.genesis.target_kind.banner)),
        "rehearsal": ledger.genesis.target_kind.about,
        "times": Times(watch.zone, watch.t0, watch.whole.end),
        "now": now,
        "progress": progress,
        "due": due,
        "wait": wait,
        "overdue": due is not None and due <= now,
        "heads": grid.heads(ledger, now),
        "groups": _grouped(lines),
        "states": grid.states(_grouped(lines)),
        "blocking": grid.blocking(ledger, now),
        "last": grid.page_of(ledger.records()[-1]) if ledger.records() else "",
        "index": (ledger.folder / "index.html").exists(),
    }
    return page.render("live.html.j2", context)


def _grouped(lines: Sequence[grid.Line]) -> dict[str, list[grid.Line]]:
    grouped: dict[str, list[grid.Line]] = {}
    for line in lines:
        grouped.setdefault(line.group, []).append(line)
    return grouped
