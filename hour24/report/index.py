"""The page of a watch: its state, the grid of criteria x checkpoints, trends and files.

Rules of this module:

- Everything is computed from the ledger as of ``now``; nothing is stored.
- Order: state, next, checkpoints, grid, changes, trends, files.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hour24.incidents import Incident, of_watch
from hour24.ledger import moved
from hour24.ledger.advisory import reported
from hour24.ledger.chain import FILES
from hour24.ledger.record import Record
from hour24.report import grid, page, timeline, trends
from hour24.report.times import Times
from hour24.text import format_duration, format_lateness, join_words, one_line, parse_time
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from hour24.ledger.book import Entry, Ledger


class Run(Struct, frozen=True, kw_only=True):
    """The newest attempt of a checkpoint, or a checkpoint without any."""

    hour: int
    due: datetime
    record: Record | None
    attempts: int
    state: str
    coverage: float | None
    decision: str
    counts: Mapping[Outcome, int]
    page: str = ""
    late_share: float = 0.0


class Change(Struct, frozen=True, kw_only=True):
    """What changed at one checkpoint since the previous one."""

    hour: int
    new: tuple[tuple[Outcome, str], ...]
    still: tuple[tuple[Outcome, str], ...]
    over: tuple[str, ...]


def write(ledger: Ledger, path: Path, now: datetime | None = None) -> None:
    """Write the page of a watch.

    Args:
        now: the time as of which waivers and due times count; None: the end of the newest record.
    Raises: OSError, if it cannot be written.
    """
    page.put(path, text(ledger, now))


def text(ledger: Ledger, now: datetime | None = None) -> str:
    """Return the page of a watch as HTML."""
    records = ledger.records()
    at = now or max((record.ended for record in records), default=ledger.watch.t0)
    watch, genesis = ledger.watch, ledger.genesis
    times = Times(watch.zone, watch.t0, watch.whole.end)
    entries = ledger.entries()
    shown = listed(entries)
    runs = _runs(ledger, records, at)
    outcome = ledger.outcome_of_watch(at)
    lines = grid.lines(ledger, at)
    pictures, at_zero = trends.draw(ledger, times)
    found = of_watch(ledger.standings(at), records)
    drawn = timeline.events(ledger, records, found)
    signoff = next((e for e in reversed(entries) if e.kind == "signoff"), None)
    context = {
        "ledger": ledger,
        "watch": watch,
        "launch": ledger.launch(at),
        "folder": shlex.quote(str(ledger.folder)),
        "genesis": genesis,
        "times": times,
        "now": at,
        "verdict": outcome,
        "icon": page.icon(outcome, bool(genesis.target_kind.banner)),
        "rehearsal": genesis.target_kind.about,
        "runs": runs,
        "done": sum(run.record is not None for run in runs),
        "next": _next(ledger, records, at),
        "decided": _decided(runs),
        "heads": grid.heads(ledger, at),
        "groups": _grouped(lines),
        "states": grid.states(_grouped(lines)),
        "blocking": grid.blocking(ledger, at),
        "incidents": [_incident(each, times) for each in found],
        "open_incidents": [one for one in found if one.is_open],
        "timeline": drawn,
        "timeline_svg": timeline.draw(ledger, drawn) if drawn else "",
        "waived": _waived(ledger, at),
        "advisory_checks": reported(records),
        "moved": moved.changes(ledger),
        "limited": [r for r in records if r.limits != genesis.limits],
        "changes": _changes(ledger),
        "pictures": pictures,
        "at_zero": at_zero,
        "entries": [entry_view(n, entry, times) for n, entry in shown],
        "head": shown[-1][1].sha256 if shown else "",
        "waivers": waiver_views(
            [e for e in entries if e.kind in ("waive", "classify", "moved")], at, times
        ),
        "signoff": signoff.content if signoff is not None else None,
        "span": format_duration,
        "lateness": format_lateness,
    }
    return page.render("index.html.j2", context)


def _incident(found: Incident, times: Times) -> dict[str, Any]:
    """Return an incident as one row: what, when, whether it is over, at which checkpoints."""
    return {
        "outcome": found.outcome,
        "headline": found.headline,
        "began": times.full(found.began) if found.began is not None else "",
        "ending": found.ending(times.full),
        "share": found.share,
        "touched": found.touched,
        "hours": found.hours,
        "open": found.is_open,
        "checks": join_words(found.checks),
        "doubt": found.doubt,
    }


def _waived(ledger: Ledger, now: datetime) -> str:
    """Return what was waived: ``6 FAIL and 1 INCONCLUSIVE by Mara Lind``; empty if nothing."""
    waived = [each for each in ledger.standings(now) if each.waived_by]
    counted = Counter(each.outcome for each in waived)
    parts = [f"{counted[o]} {o}" for o in (Outcome.FAIL, Outcome.INCONCLUSIVE) if counted[o]]
    names = dict.fromkeys(one_line(each.waived_by, 40) for each in waived)
    return f"{' and '.join(parts)} by {', '.join(names)}" if parts else ""


def _runs(ledger: Ledger, records: Sequence[Record], now: datetime) -> list[Run]:
    watch = ledger.watch
    found = []
    for hour in grid.hours_of(ledger):
        due = watch.t0 + timedelta(hours=hour)
        own = [record for record in records if record.hour == hour]
        latest = ledger.latest(hour)
        state = "later" if due > now else "missed"
        probes = trends.probes_of(latest) if latest is not None else None
        late = max(0.0, latest.late_s) / watch.tolerance_s if latest and watch.tolerance_s else 0
        found.append(
            Run(
                hour=hour,
                due=due,
                record=latest,
                attempts=len(own),
                state="run" if latest is not None else state,
                coverage=probes.kept / probes.due if probes is not None and probes.due else None,
                decision=str((latest.decision or {}).get("action", "")) if latest else "",
                counts=page.tally(latest.criteria) if latest is not None else {},
                page=grid.page_of(latest) if latest is not None else "",
                late_share=min(late, 1.33),
            )
        )
    return found


def _decided(runs: Sequence[Run]) -> tuple[str, Run] | None:
    """Return the newest decision as text, and its checkpoint."""
    ran = [(page.decision_text(run.record), run) for run in runs if run.record is not None]
    return next((one for one in reversed(ran) if one[0]), None)


def _next(ledger: Ledger, records: Sequence[Record], now: datetime) -> dict[str, Any] | None:
    """Return the first checkpoint without a record that can still be run, and its command."""
    watch = ledger.watch
    for hour in grid.hours_of(ledger):
        due = watch.t0 + timedelta(hours=hour)
        if ledger.latest(hour) is None and now < due + timedelta(seconds=watch.tolerance_s):
            command = page.command(ledger.genesis.target, watch.name, hour, ledger.folder.parent)
            return {"hour": hour, "due": due, "command": command}
    return None


def _grouped(lines: Sequence[grid.Line]) -> dict[str, list[grid.Line]]:
    groups: dict[str, list[grid.Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    return groups


def _changes(ledger: Ledger) -> list[Change]:
    """Return what is new, still open, and passing again, from each checkpoint to the next."""
    before: dict[str, Outcome] = {}
    found = []
    for hour in ledger.watch.hours:
        record = ledger.latest(hour)
        if record is None:
            continue
        now = {f"{j.id} {one_line(j.subject, 60)}".strip(): j.outcome for j in record.criteria}
        bad = {n: o for n, o in now.items() if o in (Outcome.FAIL, Outcome.INCONCLUSIVE)}
        new = tuple((o, name) for name, o in bad.items() if before.get(name) != o)
        still = tuple((o, name) for name, o in bad.items() if before.get(name) == o)
        over = tuple(n for n in before if now.get(n) == Outcome.PASS)
        if new or still or over:
            found.append(Change(hour=hour, new=new, still=still, over=over))
        before = {**{n: o for n, o in before.items() if n not in now}, **bad}
    return found


def listed(entries: Sequence[Entry]) -> list[tuple[int, Entry]]:
    """Return the entries that pages list, with their numbers.

    Entries about files are left out: they may name the very page.
    """
    return [(n, entry) for n, entry in enumerate(entries) if entry.kind != FILES]


def entry_view(n: int, entry: Entry, times: Times) -> dict[str, Any]:
    """Return one entry of the chain, for the table of files."""
    content = entry.content
    at = parse_time(content.get("ended") or content.get("at") or content.get("opened"))
    return {
        "n": n,
        "file": entry.file,
        "at": times.full(at, True) if at else "",
        "sha256": entry.sha256,
        "says": describe(entry),
    }


def describe(entry: Entry, named: bool = True) -> str:
    """Return what a ledger entry is, in a few words; ``named``: with its author and expiry."""
    content = entry.content
    match entry.kind:
        case "watch":
            return "the watch was opened"
        case "checkpoint":
            early = ", early: does not count" if content.get("early") else ""
            return (
                f"hour {content.get('hour')}, attempt {content.get('attempt')}: "
                f"{content.get('outcome')}{early}"
            )
        case "waive" | "classify":
            return _describe_act(entry, named)
        case "moved":
            by = f", by {one_line(content.get('by', ''), 80)}" if named else ""
            return f"Changed addresses confirmed{by}"
    parts = [
        f"{name} {one_line(content[name], 120)}"
        for name in ("criterion", "subject", "hour", "hours", "class", "issue", "by", "until")
        if content.get(name) not in (None, "") and (named or name not in ("by", "until"))
    ]
    return f"{entry.kind}: {', '.join(parts)}" if parts else entry.kind


def _describe_act(entry: Entry, named: bool) -> str:
    content = entry.content
    word = "Waiver" if entry.kind == "waive" else "Class"
    what = [
        one_line(content[key], 120)
        for key in ("criterion", "issue", "pattern", "class", "subject")
        if content.get(key) not in (None, "")
    ]
    hours = content.get("hours") if content.get("hours") is not None else content.get("hour")
    if hours is not None:
        listed = hours if isinstance(hours, list | tuple) else [hours]
        what.append(f"at hour {join_words([one_line(hour, 10) for hour in listed])}")
    text = f"{word}: {' '.join(what)}"
    return f"{text}, by {one_line(content.get('by', ''), 80)}" if named else text


def waiver_views(entries: Sequence[Entry], now: datetime, times: Times) -> list[dict[str, Any]]:
    """Return each waiver and classification; those of one person for one reason are one."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for n, entry in enumerate(entries):
        view = _waiver_view(entry, now, times)
        alone = None if entry.kind == "waive" else n
        key = (view["by"], view["because"], view["until"], view["expired"], alone)
        if (one := found.setdefault(key, view)) is not view:
            one["what"] += f"; {view['what'].removeprefix('Waiver: ')}"
            one["n"] += 1
            one["last"] = view["at"]
    return list(found.values())


def _waiver_view(entry: Entry, now: datetime, times: Times) -> dict[str, Any]:
    """Return one waiver or classification for a page; ``n``: the number of entries."""
    content = entry.content
    until = parse_time(content.get("until"))
    return {
        "what": describe(entry, named=False),
        "by": one_line(content.get("by", ""), 120),
        "because": one_line(content.get("because", ""), 600),
        "until": times.whole(until) if until else one_line(content.get("until", ""), 40),
        "expired": until is not None and until <= now,
        "at": times.full(at) if (at := parse_time(content.get("at"))) else "",
        "last": "",
        "n": 1,
    }
