"""The page of one checkpoint, computed from its record and the ledger it stands in.

Rules of this module:

- Every count on the page is computed here from the record; nothing is kept.
- Order: verdict and decision, what failed, what was not measured, every criterion with its
  margin, charts, evidence. What failed or was not measured comes before what held.
- A waiver or a settling stands beside an outcome, never in its place.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hour24.ledger import moved
from hour24.ledger.launch import Launch, launch
from hour24.ledger.record import Judged, Record
from hour24.ledger.standings import Standing
from hour24.report import charts, coverage, grid, page, pictures
from hour24.report.exhibits import Answers, Exhibit, anchor, exhibits
from hour24.report.rows import Row, each_part, row_of, silent, unmeasured
from hour24.report.times import Times
from hour24.shipped import COMMAND
from hour24.text import (
    format_count,
    format_duration,
    format_lateness,
    join_words,
    one_line,
    parse_time,
    shorten,
    shorten_ids,
)
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger, Standing

READY = 20
HEADLINE = 360
"""Characters of a reason in the headline: enough for the number that matters."""
"""The hour at which the runbook asks whether the system is ready to be declared stable."""
MOST_TOLD = 12
"""Lines of what stands that a page of one checkpoint lists; the watch's page has them all."""
MOST_NAMED = 8
"""Criteria without an answer that the first lines of a page name for one reason."""
_BY_WEIGHT = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE, Outcome.PASS)


class Next(Struct, frozen=True, kw_only=True):
    """The checkpoint that follows, and its command.

    ``hour`` -1: none, and the command is the sign-off's; without one nothing follows at all.
    """

    hour: int
    due: datetime | None
    command: str


def write(record: Record, ledger: Ledger | None, path: Path) -> None:
    """Write the page of one checkpoint.

    Args:
        ledger: the watch it stands in; none: what only the ledger knows is left out.
    Raises: OSError, when it cannot be written.
    """
    page.put(path, text(record, ledger, path))


def text(record: Record, ledger: Ledger | None, path: Path) -> str:
    """The page of one checkpoint, as HTML."""
    times = Times(record.zone, record.t0, max(record.due, record.ended))
    grouped = page.by_criterion(record.criteria)
    answers = Answers(record.criteria)
    shown = dict(zip(map(anchor, record.criteria), exhibits(answers, times), strict=True))
    beside = _beside(record, ledger)
    hour0 = _hour0(record, ledger)
    rows = {name: row_of(many, answers, beside, hour0) for name, many in grouped.items()}
    groups: dict[str, list[Row]] = {}
    for name, row in rows.items():
        groups.setdefault(grouped[name][0].group or "Criteria", []).append(row)
    counts = page.tally(record.criteria)
    drawn, undrawn = pictures.of(record, answers, times)
    context = {
        "record": record,
        "times": times,
        "icon": page.icon(record.outcome, bool(record.target_kind.banner)),
        "rehearsal": record.target_kind.about,
        "counts": counts,
        "order": [o for o in _BY_WEIGHT if counts[o]],
        "due": sum(counts.values()),
        "measured": counts[Outcome.PASS] + counts[Outcome.FAIL],
        "outcomes": [[row.outcome for row in many] for many in groups.values()],
        "says": page.decided(record),
        "decision": _decision(record),
        "headline": _headline(record, rows),
        "failed": [row for row in each_part(rows.values()) if row.outcome == Outcome.FAIL],
        "unmeasured": unmeasured(filter(_open, record.criteria), answers, beside, times),
        "blind": _blind(record, grouped),
        "partly": len({j.id for j in record.criteria if _open(j)}) - counts[Outcome.INCONCLUSIVE],
        "silent": silent(record.criteria),
        "waived_na": unmeasured(filter(_left_out, record.criteria), answers, beside, times),
        "seen": coverage.seen(
            (one for j in record.criteria for one in answers.of(j).items()), record.window.seconds
        ),
        "groups": groups,
        "charts": drawn,
        "undrawn": undrawn,
        "evidence": [(rows[j.id], j, shown[anchor(j)]) for j in record.criteria],
        "prints": _digests(shown),
        "next": _next(record, ledger),
        "stands": _stands(record, ledger),
        "readiness": _readiness(record, ledger),
        "place": _place(record, ledger, path),
        "folder": _folder(record, ledger),
        "launch": _launch(record, ledger),
        "advisory": exhibits(Answers([_advisory(record)]), times)[0],
        "span": format_duration,
        "lateness": format_lateness,
        "took_s": (record.ended - record.started).total_seconds(),
        "most_told": MOST_TOLD,
        "shown_anchor": anchor,
        "objective_text": _objective,
        "tolerance_s": ledger.watch.tolerance_s if ledger else None,
    }
    return page.render("checkpoint.html.j2", context)


def _open(judged: Judged) -> bool:
    return judged.outcome == Outcome.INCONCLUSIVE


def _left_out(judged: Judged) -> bool:
    return judged.outcome == Outcome.NOT_APPLICABLE


def _blind(record: Record, grouped: Mapping[str, tuple[Judged, ...]]) -> list[tuple[str, str]]:
    """Each code with the criteria that have no answer because of it, at most ``MOST_NAMED``.

    Of a criterion that failed or holds elsewhere the parts without an answer are named.
    """
    ids: dict[str, dict[str, None]] = {}
    for judged in filter(_open, record.criteria):
        whole = all(map(_open, grouped[judged.id]))
        name = judged.id if whole else f"{judged.id} {one_line(judged.subject, 60)}"
        ids.setdefault(one_line(judged.code or "no code", 40), {})[name.strip()] = None
    told = []
    for code, names in ids.items():
        more = [f"{format_count(len(names) - MOST_NAMED)} more"] if len(names) > MOST_NAMED else []
        told.append((code, join_words([*list(names)[:MOST_NAMED], *more])))
    return told


def _standings(record: Record, ledger: Ledger | None) -> tuple[Standing, ...]:
    if ledger is None:
        return ()
    return tuple(s for s in ledger.standings(record.ended) if s.hour <= record.hour)


def _beside(record: Record, ledger: Ledger | None) -> dict[tuple[str, str], str]:
    """What the ledger says beside this record's outcomes: waived, settled, failed before."""
    said: dict[tuple[str, str], str] = {}
    own = {(judged.id, judged.subject): judged.outcome for judged in record.criteria}
    for standing in _standings(record, ledger):
        key = (standing.id, standing.subject)
        if standing.hour != record.hour:
            continue
        if standing.waived_by:
            said[key] = f"waived by {standing.waived_by}"
        elif standing.settled_by:
            said[key] = f"settled by {standing.settled_by}"
        elif standing.outcome == Outcome.FAIL and own.get(key) not in (None, Outcome.FAIL):
            said[key] = "failed on an earlier attempt of this hour; that FAIL stands"
    return said


def _hour0(record: Record, ledger: Ledger | None) -> dict[tuple[str, str], float]:
    """Each criterion's share of its limit at hour 0, drawn beside today's."""
    first = ledger.latest(0) if ledger is not None and record.hour > 0 else None
    if first is None:
        return {}
    found: dict[tuple[str, str], float] = {}
    for judged in first.criteria:
        at = charts.share(judged.scale.observed, judged.scale) if judged.scale else None
        if at is not None:
            found[judged.id, judged.subject] = min(at, charts.SHARE_END)
    return found


def _headline(record: Record, rows: Mapping[str, Row]) -> list[str]:
    """The reasons that decide, the worst first, at most two and how many more."""
    deciding = [row for row in each_part(rows.values()) if row.outcome == record.outcome]
    if record.outcome not in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        return []
    told = []
    if record.outcome == Outcome.INCONCLUSIVE and (nobody := silent(record.criteria)):
        told.append(f"No answer from {nobody}.")
        deciding = [row for row in deciding if not row.code.startswith("source_")]
    told += [
        f"{row.id}{f' {row.subject}' if row.subject else ''}: "
        f"{shorten(shorten_ids(row.reason), HEADLINE)}"
        for row in deciding[:2]
    ]
    if len(deciding) > 2:
        told.append(f"And {format_count(len(deciding) - 2)} more below.")
    return told


def _decision(record: Record) -> dict[str, Any] | None:
    """The decision with every part there, so that a template need not guess.

    None when there is nothing to do: the headline of a PASS says so already. Why one may proceed
    with what is INCONCLUSIVE it does not say.
    """
    decision = record.decision
    idle = record.outcome == Outcome.PASS and not (decision or {}).get("steps")
    if decision is None or (decision.get("action") == "PROCEED" and idle):
        return None
    return {
        "action": str(decision.get("action", "")),
        "rule": shorten(decision.get("rule") or decision.get("why") or "", 300),
        "why": shorten(decision.get("why") or "", 400) if decision.get("rule") else "",
        "status": [one_line(told, 300) for told in decision.get("status") or ()],
        "causes": [
            {
                "cause": str(cause.get("cause", "")),
                "share": float(cause.get("share") or 0.0),
                "count": cause.get("count"),
            }
            for cause in decision.get("causes") or ()
        ],
        "severities": [
            " · ".join(f"{one_line(v, 200)}" for v in item.values())
            if isinstance(item, dict)
            else str(item)
            for item in decision.get("severities") or ()
        ],
        "steps": [
            {
                "text": shorten(step.get("text", ""), 600),
                "command": str(step.get("command") or ""),
            }
            for step in decision.get("steps") or ()
        ],
        "call": [
            {key: str(person.get(key, "")) for key in ("role", "name", "reach")}
            for person in decision.get("call") or ()
        ],
        "root_cause_by": _time(decision.get("root_cause_by")),
    }


def _time(text: Any) -> datetime | None:
    """A time as the record keeps it; none where there is none or it cannot be read."""
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _objective(objective: Mapping[str, Any] | None) -> str:
    """``RateBelow(limit=0.01)``, as it stands in the record."""
    if objective is None:
        return "none: it was due and never judged"
    fields = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in objective.items()
        if name != "name"
    )
    return one_line(f"{objective.get('name', '?')}({fields})", 900)


def _digests(shown: Mapping[str, tuple[Exhibit, ...]]) -> dict[str, str]:
    """Anchor -> one digest over the digests of all its answers; empty where none has one."""
    found = {}
    for where, several in shown.items():
        digests = [each.digest for each in several if each.digest]
        whole = "\n".join(digests).encode()
        found[where] = hashlib.sha256(whole).hexdigest() if digests else ""
    return found


def _next(record: Record, ledger: Ledger | None) -> Next:
    hours = set(ledger.watch.hours) if ledger else {h for due in record.plan.values() for h in due}
    after = sorted(hour for hour in hours if hour > record.hour)
    if after:
        due = record.t0 + timedelta(hours=after[0])
        return Next(hour=after[0], due=due, command=_command(record, ledger, after[0]))
    if ledger is not None and ledger.genesis.daily:
        return Next(hour=-1, due=None, command="")
    return Next(
        hour=-1,
        due=None,
        command=f'{COMMAND} signoff --by "NAME" --role "ROLE" {_folder(record, ledger)}',
    )


def _command(record: Record, ledger: Ledger | None, hour: int) -> str:
    reports = ledger.folder.parent if ledger else None
    return page.command(record.target, record.watch, hour, reports)


def _launch(record: Record, ledger: Ledger | None) -> Launch:
    """The word of the watch up to this checkpoint, with the waivers that were given since."""
    if ledger is None:
        judged = [
            Standing(id=j.id, subject=j.subject, hour=record.hour, outcome=j.outcome)
            for j in record.criteria
        ]
        return launch(judged, approved=False, kind=record.target_kind)
    entered = [parse_time(entry.content.get("at")) for entry in ledger.entries()]
    now = max([record.ended, *(at for at in entered if at is not None)])
    return ledger.launch(now, record.hour)


def _folder(record: Record, ledger: Ledger | None) -> str:
    """The watch's folder, quoted for a shell."""
    return shlex.quote(str(ledger.folder if ledger else Path("reports") / record.watch))


def _stands(record: Record, ledger: Ledger | None) -> list[str]:
    """What of earlier hours still stands against the launch, in words."""
    if ledger is None or record.hour == READY:
        return []
    before = [hour for hour in ledger.watch.hours if hour < record.hour]
    return [line for _, line in grid.standing(ledger, record.ended, max(before, default=-1))]


def _readiness(record: Record, ledger: Ledger | None) -> tuple[bool, list[str]] | None:
    """At hour 20: would it be approved now? Yes or no, and because of what.

    A rehearsal is answered as the production that it plays; the page says that it is none.
    """
    if record.hour != READY or ledger is None:
        return None
    because = [line for _, line in grid.standing(ledger, record.ended, record.hour)]
    return not because, because


def _place(record: Record, ledger: Ledger | None, path: Path) -> dict[str, Any]:
    """Where the record stands in the chain."""
    file = path.with_suffix(".json")
    entries = ledger.entries() if ledger is not None else ()
    position = next((n for n, entry in enumerate(entries) if entry.file == file.name), None)
    sha = entries[position].sha256 if position is not None else ""
    if not sha and file.is_file():
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
    unchanged = ledger.genesis.limits == record.limits if ledger is not None else None
    return {
        "file": file.name,
        "position": position,
        "sha256": sha,
        "unchanged": unchanged,
        "moved": [one for one in moved.changes(ledger) if one.file == file.name] if ledger else [],
        "follows": ledger.genesis.follows if ledger is not None else "",
        "pytest": path.with_suffix(".pytest.html").name,
        "xml": path.with_suffix(".xml").name,
    }


def _advisory(record: Record) -> Judged:
    """The vendors' status pages in the form that exhibits are made of; never judged."""
    pages: dict[str, Any] = {}
    for n, plain in enumerate(record.advisory, 1):
        name = str((plain.get("question") or {}).get("source", "page"))
        pages[f"{name}, {n}" if name in pages else name] = plain
    return Judged(
        id="advisory",
        sentence="",
        group="",
        outcome=Outcome.NOT_APPLICABLE,
        reason="",
        evidence=pages,
    )
