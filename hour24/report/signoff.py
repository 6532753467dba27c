"""The sign-off page: the document to archive, or the reasons why there is none yet.

Rules of this module:

- A watch is approved if its ledger has a ``signoff`` entry and nothing blocked the launch when it
  was signed; any other is REFUSED and lists what is missing. A rehearsal is always refused.
- Everything is computed from the ledger as of the signature; until then, as of ``now``.
- Issues and proposals are listed from evidence in the records; nothing is judged again here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from hour24 import evidence as ev
from hour24.criteria import CRITERIA, EIGHT, database, errors, latency
from hour24.incidents import of_watch
from hour24.ledger import moved
from hour24.ledger.advisory import reported
from hour24.ledger.record import Judged, Record
from hour24.report import charts, coverage, grid, index, page, trends
from hour24.report.coverage import Coverage
from hour24.report.exhibits import Answers, read
from hour24.report.times import Times
from hour24.text import (
    format_count,
    format_duration,
    format_lateness,
    format_number,
    format_percent,
    one_line,
    parse_time,
    shorten,
)
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger, Standing

MOST = 5
MOST_ISSUES = 24
MOST_MISSING = 10
ISSUES = (errors.NEW.id, errors.CRITICAL.id, errors.TOP.id)


class Eighth(Struct, frozen=True, kw_only=True):
    """One of the eight criteria, judged over the whole watch."""

    id: str
    sentence: str
    outcome: Outcome
    findings: tuple[str, ...]
    margin: Any
    left: str
    waived: str


def write(ledger: Ledger, path: Path, now: datetime, missing: Sequence[str] = ()) -> None:
    """Write the sign-off page.

    Args:
        missing: what prevents an approval, one sentence each
            (``hour24.ledger.signoff.missing``); empty: computed from the standings alone.
    Raises: OSError, if it cannot be written.
    """
    page.put(path, text(ledger, now, missing))


def text(ledger: Ledger, now: datetime, missing: Sequence[str] = ()) -> str:
    """Return the sign-off page as HTML."""
    watch, genesis = ledger.watch, ledger.genesis
    times = Times(watch.zone, watch.t0, watch.whole.end)
    entries = ledger.entries()
    shown = index.listed(entries)
    entry = next((e for e in reversed(entries) if e.kind == "signoff"), None)
    content = entry.content if entry is not None else {}
    signed = parse_time(content.get("at"))
    now = signed or now  # a waiver that ends later does not undo what was signed
    missing = list(missing) or _missing(ledger, now, entry is not None)
    approved = not missing
    standings = ledger.standings(now)
    records = [r for hour in watch.hours if (r := ledger.latest(hour)) is not None]
    last = records[-1] if records else None
    outcome = Outcome.PASS if approved else Outcome.FAIL
    at = entries.index(entry) if entry is not None else len(entries)
    groups = {"": _but_eight(grid.lines(ledger, now))}
    context = {
        "watch": watch,
        "word": ledger.launch(now).word,
        "folder": shlex.quote(str(ledger.folder)),
        "genesis": genesis,
        "times": times,
        "icon": page.icon(outcome, bool(genesis.target_kind.banner)),
        "rehearsal": genesis.target_kind.about,
        "approved": approved,
        "content": {name: one_line(content.get(name) or "", 600) for name in _NAMED},
        "signed": signed,
        "launch": parse_time(content.get("launch_at")),
        "missing": _shown(ledger, now, missing),
        "most_missing": MOST_MISSING,
        "eight": _eight(ledger, standings),
        "advisory_checks": reported(ledger.records()),
        "waivers": index.waiver_views([e for e in entries if e.kind == "waive"], now, times),
        "classes": [index.describe(e) for e in entries if e.kind == "classify"],
        "heads": grid.heads(ledger, now),
        "groups": groups,
        "states": grid.states(groups),
        "coverage": _coverage(records, watch.whole.seconds),
        "state": _state(last),
        "last": last,
        "incidents": [
            (each.outcome, each.summary(times.full), "open" if each.is_open else "closed")
            for each in of_watch(standings, ledger.records())
        ],
        "issues": _issues(standings, approved),
        "found": list(_found(records, times)),
        "slow_endpoints": _endpoints(last),
        "slow_statements": list(_statements(last)),
        "frequent": _frequent(records),
        "known_slow": _known_slow(last),
        "number_of_entries": len(shown),
        "entries": [index.entry_view(n, e, times) for n, e in shown],
        "records": len([e for e in entries if e.kind == "checkpoint"]),
        "before": entries[at - 1] if entry is not None else shown[-1][1] if shown else None,
        "own": entry,
        "number": at,
        "moved": moved.changes(ledger),
        "watched": last.watched if last is not None else {},
        "local": last is not None and _local(last.watched),
        "unchanged": all(r.limits == genesis.limits for r in records),
        "verdicts": len(standings),
        "tally": {o: sum(s.outcome == o for s in standings) for o in Outcome},
        "now": now,
        "late": format_lateness(max((max(0.0, r.late_s) for r in records), default=0.0)),
        "span": format_duration,
    }
    return page.render("signoff.html.j2", context)


_NAMED = ("by", "role", "because", "decision", "key", "signature", "release")


def _missing(ledger: Ledger, now: datetime, signed: bool) -> list[str]:
    """Return what is missing according to the standings alone."""
    found = [f"{outcome.value}: {line}" for outcome, line in grid.blocking(ledger, now)]
    if not ledger.genesis.target_kind.approvable:
        found.append("a rehearsal cannot be signed off")
    if not signed:
        found.append("not signed yet")
    return found


def _shown(ledger: Ledger, now: datetime, missing: Sequence[str]) -> list[str]:
    """Return what is missing, one line per criterion, however many hours it concerns."""
    blocking = grid.blocking(ledger, now)
    open_ones = [s for s in ledger.standings(now) if not s.waived_by and not s.settled_by]
    bad = [s for s in open_ones if s.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
    grouped = tuple(
        {f"{s.id} " for s in bad}
        | {f"{s.id}:" for s in bad}
        | {f"hour {s.hour}: " for s in bad if s.code == "missed"}
        | {"FAIL: ", "INCONCLUSIVE: "}
    )
    rest = [line for line in missing if not line.startswith(grouped)]
    gone = len(rest) < len(missing)
    return [*rest, *(f"{outcome.value}: {line}" for outcome, line in blocking if gone)]


def _eight(ledger: Ledger, standings: Sequence[Standing]) -> list[Eighth]:
    """Return the eight criteria as the last checkpoint judged them."""
    hour = ledger.watch.hours[-1]
    record = ledger.latest(hour)
    grouped = page.by_criterion(record.criteria) if record is not None else {}
    found = []
    for name in (line for line in grid.planned([record]) if line in EIGHT):
        many = grouped.get(name, ())
        own = [s for s in standings if s.id == name and s.hour == hour]
        outcome = page.outcome_of(many) if many else Outcome.INCONCLUSIVE
        drawn = _drawn(many, outcome)
        findings = [
            f"{one_line(j.subject, 40) + ': ' if j.subject else ''}"
            f"{shorten(j.reason, 360 if j.outcome == Outcome.PASS else 110)}"
            for j in many
        ]
        found.append(
            Eighth(
                id=name,
                sentence=_sentence(name, many),
                outcome=outcome,
                findings=tuple(findings) or ("not judged: this hour has no record",),
                margin=charts.margin(drawn.scale, drawn.outcome, name) if drawn else None,
                left=charts.margin_text(drawn.scale, drawn.outcome) if drawn else "–",
                waived=next((one_line(s.waived_by, 80) for s in own if s.waived_by), ""),
            )
        )
    return found


def _local(watched: Mapping[str, str]) -> bool:
    """Return True if every address of the service is on the machine that measures."""
    try:
        parts = [urlsplit(each) for name, each in watched.items() if name.endswith(".url")]
    except ValueError:  # the host was redacted, so it was a secret, which no loopback address is
        return False
    urls = [one for one in parts if one.scheme and one.hostname]
    return bool(urls) and all(
        one.hostname in ("localhost", "::1") or str(one.hostname).startswith("127.") for one in urls
    )


def _drawn(many: Sequence[Judged], outcome: Outcome) -> Judged | None:
    """Return the verdict whose margin is drawn: the last of the worst ones that has a scale."""
    able = [j for j in many if j.scale is not None and j.scale.unit not in charts.ALL]
    return next((j for j in reversed(able) if j.outcome == outcome), None)


def _sentence(name: str, many: Sequence[Judged]) -> str:
    if many:
        return many[0].sentence
    return CRITERIA[name].sentence if name in CRITERIA else name


def _but_eight(lines: Sequence[grid.Line]) -> list[grid.Line]:
    return [line for line in lines if line.id not in EIGHT]


def _coverage(records: Sequence[Record], whole_s: float) -> list[Coverage]:
    """Return the coverage of all health probes, then of the last checkpoint's other measures."""
    probes = [p for r in records if (p := trends.probes_of(r)) is not None]
    found = [
        Coverage(
            what="health probes, all checkpoints",
            got=sum(p.kept for p in probes),
            planned=sum(p.due for p in probes),
            gap_s=max((b - a for p in probes for a, b in p.gaps), default=0.0),
        )
    ]
    last = records[-1].criteria if records else ()
    answers = Answers(last)
    named = (one for judged in last for one in answers.of(judged).items())
    rest = (one for one in coverage.measure(named, whole_s) if not one.what.startswith("health"))
    return [one for one in (*found, *rest) if one.planned]


def _state(last: Record | None) -> list[str]:
    """Return the state of the system at the last checkpoint."""
    return [
        f"{judged.id}: {shorten(judged.reason, 160)}"
        for judged in (last.criteria if last is not None else ())
        if judged.id in CRITERIA and CRITERIA[judged.id].state
    ]


def _issues(standings: Sequence[Standing], approved: bool) -> list[tuple[Outcome, str, str]]:
    """Return every check that did not pass at some hour, and its state now.

    Without an approval, open ones are left out: they are listed under what is missing.
    """
    own = [s for s in standings if s.id not in EIGHT]
    found = [(one.outcome, one.text, one.state or "open") for one in grid.group_problems(own)]
    found = [one for one in found if approved or one[2] != "open"]
    return sorted(found, key=lambda one: one[0] != Outcome.FAIL)[:MOST_ISSUES]


def _listed(record: Record, wanted: Sequence[str], what: str) -> Iterator[dict[str, Any]]:
    """Yield the items of the first listing of ``what`` in the evidence of these criteria."""
    for judged in record.criteria:
        if judged.id not in wanted:
            continue
        for plain in judged.evidence.values():
            answer = read(plain)
            if isinstance(answer, ev.Listing) and answer.what == what:
                yield from answer.items
                return


def _found(records: Sequence[Record], times: Times) -> Iterator[tuple[str, str, str]]:
    """Yield the issues of the whole watch: title, events, last seen; most frequent first."""
    total: dict[str, tuple[int, Any]] = {}
    for record in records:
        for item in _listed(record, ISSUES, "issues"):
            name = f"{item.get('short_id') or item.get('id', '')} {item.get('title', '')}".strip()
            n = item.get("count")
            before, _ = total.get(name, (0, None))
            total[name] = before + (n if isinstance(n, int) else 0), item.get("last_seen")
    for name, (n, last_seen) in sorted(total.items(), key=lambda one: -one[1][0])[:12]:
        at = parse_time(last_seen)
        yield one_line(name, 160), format_count(n), times.full(at) if at else ""


def _frequent(records: Sequence[Record]) -> list[tuple[str, str, str]]:
    total: dict[str, int] = {}
    for record in records:
        for item in _listed(record, ISSUES, "issues"):
            title = one_line(item.get("title", ""), 90)
            n = item.get("count")
            total[title] = total.get(title, 0) + (n if isinstance(n, int) else 0)
    every = sum(total.values())
    ranked = sorted(total.items(), key=lambda one: -one[1])[:MOST]
    return [
        (title, format_count(n), format_percent(n / every, 0) if every else "–")
        for title, n in ranked
    ]


def _endpoints(last: Record | None) -> list[tuple[str, str, str]]:
    rows = []
    for judged in last.criteria if last is not None else ():
        if judged.id == latency.TARGET.id and judged.scale is not None:
            at = charts.share(judged.scale.observed, judged.scale)
            if at is not None and judged.scale.observed is not None:
                value = f"{format_number(judged.scale.observed)} {judged.scale.unit}"
                rows.append((at, one_line(judged.subject, 60), value))
    rows.sort(reverse=True)
    return [(name, value, format_percent(at, 0)) for at, name, value in rows[:MOST]]


def _statements(last: Record | None) -> Iterator[tuple[str, str, str]]:
    if last is None:
        return
    items = list(_listed(last, (database.SLOW.id,), "statements"))
    items.sort(key=lambda i: -float(i.get("max_ms") or 0.0))
    for item in items[:MOST]:
        yield (
            one_line(item.get("query", ""), 110),
            format_number(item.get("max_ms") or 0.0),
            format_number(item.get("calls") or 0),
        )


def _known_slow(last: Record | None) -> list[str]:
    return [
        f"{one_line(judged.subject, 60)}: {one_line(reason, 300)}"
        for judged in (last.criteria if last is not None else ())
        if judged.id == latency.TARGET.id
        and judged.objective is not None
        and (reason := str(judged.objective.get("known_slow") or ""))
    ]
