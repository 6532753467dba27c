"""The page of one checkpoint, computed from its record and its ledger.

Rules of this module:

- Every count on the page is computed here from the record; nothing is stored.
- Order: verdict and decision, what failed, what was not measured, every criterion with its
  margin, charts, evidence. Failures and missing measurements come before passes.
- A waiver or a later PASS is shown next to an outcome and never replaces it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from hour24 import codes
from hour24.incidents import of_record
from hour24.ledger import moved
from hour24.ledger.advisory import reported
from hour24.ledger.chain import FILES
from hour24.ledger.launch import Launch, launch
from hour24.ledger.record import Judged, Record
from hour24.ledger.standings import Standing
from hour24.report import charts, coverage, grid, page, pictures
from hour24.report import incidents as views
from hour24.report.exhibits import Answers, Exhibit, anchor, exhibits
from hour24.report.rows import Row, each_part, row_of, silent_sources, unmeasured
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
"""The hour at which the runbook asks whether the system is ready to be declared stable."""
MOST_LISTED = 12
"""Open findings listed on the page of one checkpoint; the page of the watch has them all."""
MOST_NAMED = 8
"""Criteria without an answer that the tally names for one code; the others are counted."""
_BY_WEIGHT = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE, Outcome.PASS)


class Next(Struct, frozen=True, kw_only=True):
    """The next checkpoint and its command.

    ``hour`` -1: none is left and the command is the sign-off; no command: nothing is left.
    """

    hour: int
    due: datetime | None
    command: str


def write(record: Record, ledger: Ledger | None, path: Path) -> None:
    """Write the page of one checkpoint.

    Args:
        ledger: the ledger of its watch; None: what only the ledger knows is left out.
    Raises: OSError, if it cannot be written.
    """
    page.put(path, text(record, ledger, path))


def text(record: Record, ledger: Ledger | None, path: Path) -> str:
    """Return the page of one checkpoint as HTML."""
    end = record.due if ledger is None else ledger.watch.whole.end  # it names the next checkpoint
    times = Times(record.zone, min(record.window.start, record.t0), max(end, record.ended))
    grouped = page.by_criterion(record.criteria)
    answers = Answers(record.verdicts)
    shown = dict(zip(map(anchor, record.verdicts), exhibits(answers, times), strict=True))
    marks = _ledger_marks(record, ledger)
    hour0 = _hour0(record, ledger)
    rows = {name: row_of(many, answers, marks, hour0) for name, many in grouped.items()}
    groups: dict[str, list[Row]] = {}
    for name, row in rows.items():
        groups.setdefault(grouped[name][0].group or "Criteria", []).append(row)
    counts = page.tally(record.criteria)
    drawn, undrawn = pictures.draw(record, answers, times)
    show = views.clock(times, record)
    found = of_record(record, marks)
    parts = {(row.id, row.key): row for row in each_part(rows.values())}
    cards = views.cards(
        found,
        parts,
        lambda each: unmeasured(
            [one.judged for one in each.findings if one.judged and _open(one.judged)],
            answers,
            marks,
            times,
        ),
        drawn,
        show,
        record,
        ledger.folder.parent if ledger else None,
    )
    beside = {
        picture.of
        for card in cards
        if card.outcome == Outcome.FAIL  # the others are drawn without their charts
        for picture in card.pictures
    }
    before, after = _neighbours(record, ledger)
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
        "says": page.decision_text(record),
        "decision": _decision(record),
        "why": [*_alarm(record), *views.reasons(found, show)],
        "ending": views.ending_text(found, show),
        "changed": views.changed_text(record, before),
        "live": views.live_text(record, show),
        "deadline": _deadline(record, ledger, times),
        "before": grid.page_of(before) if before is not None else "",
        "before_hour": before.hour if before is not None else 0,
        "after": grid.page_of(after) if after is not None else "",
        "after_hour": after.hour if after is not None else 0,
        "failed": [card for card in cards if card.outcome == Outcome.FAIL],
        "unmeasured": [card for card in cards if card.outcome != Outcome.FAIL],
        "passed": [row for row in each_part(rows.values()) if row.outcome == Outcome.PASS],
        "without_answer": _without_answer(record, grouped),
        "partly": len({j.id for j in record.criteria if _open(j)}) - counts[Outcome.INCONCLUSIVE],
        "silent": silent_sources(record.criteria),
        "waived_na": unmeasured(filter(_left_out, record.criteria), answers, marks, times),
        "coverage": coverage.measure(
            (one for j in record.criteria for one in answers.of(j).items()), record.window.seconds
        ),
        "groups": groups,
        "charts": [picture for picture in drawn if picture.of not in beside],
        "undrawn": undrawn,
        "evidence": [(j, shown[anchor(j)]) for j in record.criteria if _to_read(j)],
        "evidence_passed": [(j, shown[anchor(j)]) for j in record.criteria if not _to_read(j)],
        "advisory_checks": reported([msgspec.structs.replace(record, early=False)]),
        "evidence_advisory": [(j, shown[anchor(j)]) for j in record.advisory_checks],
        "lead": _lead(cards),
        "prints": _digests(shown),
        "next": _next(record, ledger),
        "open_before": _open_before(record, ledger),
        "also_open": _also_open(record, ledger),
        "readiness": _readiness(record, ledger),
        "entry": _entry(record, ledger, path),
        "folder": _folder(record, ledger),
        "launch": _launch(record, ledger),
        "probe_command": page.probe_command(
            record.target, record.watch, ledger.folder.parent if ledger else None
        ),
        "status_pages": exhibits(Answers([_status_pages(record)]), times)[0],
        "span": format_duration,
        "lateness": format_lateness,
        "took_s": (record.ended - record.started).total_seconds(),
        "most_listed": MOST_LISTED,
        "shown_anchor": anchor,
        "objective_text": _objective,
        "tolerance_s": ledger.watch.tolerance_s if ledger else None,
    }
    return page.render("checkpoint.html.j2", context)


def _open(judged: Judged) -> bool:
    return judged.outcome == Outcome.INCONCLUSIVE


def _left_out(judged: Judged) -> bool:
    return judged.outcome == Outcome.NOT_APPLICABLE


def _without_answer(
    record: Record, grouped: Mapping[str, tuple[Judged, ...]]
) -> list[tuple[str, str]]:
    """Return each code with the criteria that have no answer because of it.

    At most ``MOST_NAMED`` are named. If a criterion has an answer for some subjects, only the
    others are named.
    """
    ids: dict[str, dict[str, None]] = {}
    for judged in filter(_open, record.criteria):
        whole = all(map(_open, grouped[judged.id]))
        name = judged.id if whole else f"{judged.id} {one_line(judged.subject, 60)}"
        ids.setdefault(one_line(judged.code or "no code", 40), {})[name.strip()] = None
    found = []
    for code, names in ids.items():
        more = [f"{format_count(len(names) - MOST_NAMED)} more"] if len(names) > MOST_NAMED else []
        found.append((code, join_words([*list(names)[:MOST_NAMED], *more])))
    return found


def _standings(record: Record, ledger: Ledger | None) -> tuple[Standing, ...]:
    if ledger is None:
        return ()
    return tuple(s for s in ledger.standings(record.ended) if s.hour <= record.hour)


def _ledger_marks(record: Record, ledger: Ledger | None) -> dict[tuple[str, str], str]:
    """Return what the ledger adds to these outcomes: waived, resolved, failed before."""
    marks: dict[tuple[str, str], str] = {}
    own = {(judged.id, judged.subject): judged.outcome for judged in record.criteria}
    for standing in _standings(record, ledger):
        key = (standing.id, standing.subject)
        if standing.hour != record.hour:
            continue
        if standing.waived_by:
            marks[key] = f"waived by {standing.waived_by}"
        elif standing.settled_by:
            marks[key] = f"resolved by {standing.settled_by}"
        elif standing.outcome == Outcome.FAIL and own.get(key) not in (None, Outcome.FAIL):
            marks[key] = "failed on an earlier attempt of this hour; that FAIL counts"
    return marks


def _hour0(record: Record, ledger: Ledger | None) -> dict[tuple[str, str], float]:
    """Return the share of its limit that each criterion used at hour 0."""
    first = ledger.latest(0) if ledger is not None and record.hour > 0 else None
    if first is None:
        return {}
    found: dict[tuple[str, str], float] = {}
    for judged in first.criteria:
        at = charts.share(judged.scale.observed, judged.scale) if judged.scale else None
        if at is not None:
            found[judged.id, judged.subject] = min(at, charts.SHARE_END)
    return found


def _to_read(judged: Judged) -> bool:
    return judged.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)


def _lead(cards: Sequence[views.Card]) -> str:
    """Return the anchor of the finding that names the first incident; its evidence is open."""
    return next((row.anchor for card in cards for row in card.rows[:1]), "")


def _neighbours(record: Record, ledger: Ledger | None) -> tuple[Record | None, Record | None]:
    """Return the newest records of the checkpoints before and after this one."""
    if ledger is None:
        return None, None
    hours = ledger.watch.hours
    every = {hour: ledger.latest(hour) for hour in hours}
    before = [one for hour, one in every.items() if hour < record.hour and one is not None]
    after = [one for hour, one in every.items() if hour > record.hour and one is not None]
    return (before[-1] if before else None), (after[0] if after else None)


def _deadline(record: Record, ledger: Ledger | None, times: Times) -> str:
    """Return by when to act: the root cause, the end of the tolerance, or the next checkpoint."""
    decision = record.decision or {}
    cause = _time(decision.get("root_cause_by"))
    parts = [f"root cause by {times.clock(cause)}"] if cause is not None else []
    if decision.get("action") in ("RETRY", "HOLD") and ledger is not None:
        until = record.due + timedelta(seconds=ledger.watch.tolerance_s)
        if any(_open(j) and j.code in codes.AGAIN for j in record.criteria):
            parts.append(f"run again before {times.clock(until)}: what is only measured on time")
    after = _next(record, ledger)
    if after.due is not None:
        parts.append(f"hour {after.hour} is due {times.full(after.due)}")
    elif after.command:
        parts.append("before the sign-off")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _alarm(record: Record) -> list[str]:
    """Return why a person is called although nothing failed."""
    decision = record.decision or {}
    if record.outcome != Outcome.INCONCLUSIVE or decision.get("action") not in page.ALARMS:
        return []
    parts = (one_line(decision.get(name) or "", 300) for name in ("rule", "why"))
    return [shorten_ids(": ".join(part for part in parts if part))]


def _decision(record: Record) -> dict[str, Any] | None:
    """Return the decision with every part set, so that a template need not guess.

    None if there is nothing to do: the headline of a PASS says so already. It does not say why
    the watch may continue with an INCONCLUSIVE verdict.
    """
    decision = record.decision
    idle = record.outcome == Outcome.PASS and not (decision or {}).get("steps")
    if decision is None or (decision.get("action") == "PROCEED" and idle):
        return None
    return {
        "action": str(decision.get("action", "")),
        "rule": shorten(decision.get("rule") or decision.get("why") or "", 300),
        "why": shorten(decision.get("why") or "", 400) if decision.get("rule") else "",
        "status": [one_line(line, 300) for line in decision.get("status") or ()],
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
    """Return a time as the record stores it; None if it is missing or cannot be read."""
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _objective(objective: Mapping[str, Any] | None) -> str:
    """Return an objective as the record stores it: ``RateBelow(limit=0.01)``."""
    if objective is None:
        return "none: due, never judged"
    fields = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in objective.items()
        if name != "name"
    )
    return one_line(f"{objective.get('name', '?')}({fields})", 900)


def _digests(shown: Mapping[str, tuple[Exhibit, ...]]) -> dict[str, str]:
    """Return anchor -> one digest over the digests of all its answers.

    Empty if an answer has none: four endpoints that share one digest are not the same evidence.
    """
    found = {}
    for where, several in shown.items():
        digests = [each.digest for each in several if each.digest]
        whole = "\n".join(digests).encode()
        every = digests and len(digests) == len(several)
        found[where] = hashlib.sha256(whole).hexdigest() if every else ""
    return found


def _next(record: Record, ledger: Ledger | None) -> Next:
    hours = set(ledger.watch.hours) if ledger else {h for due in record.plan.values() for h in due}
    after = sorted(hour for hour in hours if hour > record.hour)
    if record.early:  # it does not count: its own hour is still to come
        after = [record.hour, *after]
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
    """Return the state of the launch up to this checkpoint, with the waivers given since."""
    if ledger is None:
        judged = [
            Standing(id=j.id, subject=j.subject, hour=record.hour, outcome=j.outcome)
            for j in record.criteria
        ]
        return launch(judged, approved=False, kind=record.target_kind)
    entered = [
        parse_time(entry.content.get("at")) for entry in ledger.entries() if entry.kind != FILES
    ]
    now = max([record.ended, *(at for at in entered if at is not None)])
    return ledger.launch(now, record.hour)


def _folder(record: Record, ledger: Ledger | None) -> str:
    """Return the folder of the watch, quoted for a shell."""
    return shlex.quote(str(ledger.folder if ledger else Path("reports") / record.watch))


def _open_before(record: Record, ledger: Ledger | None) -> list[str]:
    """Return the findings of earlier hours that still block the launch.

    Those of a check that fails here as well stand at its own FAIL; see ``_also_open``.
    """
    if ledger is None or record.hour == READY:
        return []
    before = [hour for hour in ledger.watch.hours if hour < record.hour]
    failing = {(j.id, j.subject) for j in record.criteria if j.outcome == Outcome.FAIL}
    found = grid.blocking(ledger, record.ended, max(before, default=-1), failing)
    return [line for _, line in found]


def _also_open(record: Record, ledger: Ledger | None) -> dict[tuple[str, str], str]:
    """Return the earlier hours at which a check that fails here is open as well."""
    hours: dict[tuple[str, str], dict[Outcome, list[str]]] = {}
    for each in _standings(record, ledger):
        if each.hour < record.hour and each.is_open:
            found = hours.setdefault((each.id, each.subject), {})
            found.setdefault(each.outcome, []).append(str(each.hour))
    return {
        (j.id, j.subject): join_words(
            [
                f"{outcome} at hour{'s' if len(many) > 1 else ''} {join_words(many)}"
                for outcome, many in hours[j.id, j.subject].items()
            ]
        )
        for j in record.criteria
        if j.outcome == Outcome.FAIL and (j.id, j.subject) in hours
    }


def _readiness(record: Record, ledger: Ledger | None) -> tuple[bool, list[str]] | None:
    """Return, at hour 20, whether the watch would be approved now, and the reasons if not.

    A rehearsal gets the answer of a production; the page says that it is a rehearsal.
    """
    if record.hour != READY or ledger is None:
        return None
    because = [line for _, line in grid.blocking(ledger, record.ended, record.hour)]
    return not because, because


def _entry(record: Record, ledger: Ledger | None, path: Path) -> dict[str, Any]:
    """Return the position of the record in the chain."""
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


def _status_pages(record: Record) -> Judged:
    """Return the vendors' status pages in the form that exhibits are made of; never judged."""
    pages: dict[str, Any] = {}
    for n, plain in enumerate(record.advisory, 1):
        name = str((plain.get("question") or {}).get("source", "page"))
        pages[f"{name}, {n}" if name in pages else name] = plain
    return Judged(
        id="status-pages",
        sentence="",
        group="",
        outcome=Outcome.NOT_APPLICABLE,
        reason="",
        evidence=pages,
    )
