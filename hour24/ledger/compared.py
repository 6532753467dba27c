"""Compares the records of a watch with its beginning, its plan, its journals and its alerts.

Rules of this module:

- Each check yields one line for each problem; nothing when there is none.
- A limit is the same in every record, whether it comes from production.toml or an objective.
- A criterion of hour24 is judged on evidence of the record's own window.
- Journals and alerts must agree with the records.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hour24 import evidence
from hour24.criteria import CRITERIA, DAILY, known, may_be_advisory
from hour24.errors import LedgerError
from hour24.ledger import chain, journal
from hour24.ledger import record as record_form
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.chain import Entry
from hour24.ledger.record import Judged, Record
from hour24.quarantine import SUFFIX
from hour24.shipped import COMMAND
from hour24.verdict import Outcome, worst
from hour24.watch import Window

SLACK_S = 120.0
"""By which evidence may be older than the start of its run, or newer than its end."""
MOST_SHOWN = 80
"""Characters of a value in a message."""
"""Characters of a value in a message."""

OF_THE_SERVICE = ("name", "environment")
"""Members of a service that stay the same throughout a watch; its release may change."""

CLASSIFIED = frozenset({"normal", "critical"})
"""Fields of an objective that a person may add to during a watch (``classify``)."""

EASIER_AT_FIRST = frozenset({"q", "days"})
"""Fields of an objective with another value at hour 0, when there is little data."""

OF_A_RUN = ("watch", "target", "rehearsal", "t0", "hour", "attempt", "started", "watched", "limits")
"""Members of a record that are known when the run begins."""

PROBER = "prober"
"""The source that uses the clock of its own machine, and may end before the due time."""

AROUND_S = 3600.0
"""A source may report only whole hours, so the window of its question may be this much longer."""


def foreign_records(ledger: Ledger, genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    """Yield records of another watch, or of another checkpoint than they state."""
    watch = ledger.watch
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        if record.hour not in watch.hours:
            yield f"{name}: hour: expected one of {watch.hours}, got {record.hour}"
            continue
        point = watch.checkpoint(record.hour)
        pairs = (
            ("watch", genesis.name, record.watch),
            ("t0", genesis.t0, record.t0),
            ("target", genesis.target, record.target),
            ("rehearsal", genesis.rehearsal, record.rehearsal),
            *(
                (f"service.{key}", genesis.service.get(key), record.service.get(key))
                for key in OF_THE_SERVICE
            ),
            ("due", point.due, record.due),
            ("window", point.window, record.window),
            ("early", record.started < point.due, record.early),
        )
        for what, expected, got in pairs:
            if expected != got:
                yield f"{name}: {what}: expected {format_value(expected)}, got {format_value(got)}"
        if record.ended < record.started:
            begun, ended = format_value(record.started), format_value(record.ended)
            yield f"{name}: ended: expected after {begun}, got {ended}"


def missing_verdicts(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    """Yield verdicts that were due and are missing.

    Args:
        records: in the order they were written; records of an older version, before the first
            with ``subjects``, may lack them.
    """
    planned: Mapping[str, tuple[str, ...]] = {}
    for record in records:
        planned = planned or record.subjects
        name = record_form.name_of(record.hour, record.attempt)
        have = {judged.id for judged in record.verdicts}
        plan = {**record.plan, **{n: one.hours for n, one in record.advisory_plan.items()}}
        for criterion, hours in plan.items():
            if record.hour in hours and criterion not in have:
                yield f"{name}: {criterion}: expected a verdict, got none"
        week = genesis.daily and record.hour > genesis.hours[1]
        due = DAILY if week else [one.id for one in CRITERIA.values() if record.hour in one.hours]
        for criterion in due:
            one = known(criterion)
            known_then = one is not None and one.since <= record.judges
            if known_then and record.hour not in plan.get(criterion, ()):
                yield f"{name}: plan: expected {criterion} at this hour, got none"
        yield from _missing_subjects(name, record, planned)
        outcome = worst(judged.outcome for judged in record.criteria)
        if record.outcome != outcome:
            yield f"{name}: outcome: expected {outcome.value}, got {record.outcome.value}"


def _missing_subjects(
    name: str, record: Record, first: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Yield endpoints and parts without a verdict, though their criterion has one."""
    endpoints = {path.split(".", 2)[1] for path in record.watched if path.startswith("endpoints.")}
    for criterion, many in record.subjects.items():
        if _each_endpoint(criterion) and record.watched and endpoints != set(many):
            expected, got = (", ".join(sorted(each)) for each in (endpoints, many))
            yield f"{name}: subjects: {criterion}: expected {expected}, got {got}"
        missing = set(first.get(criterion, many)) - set(many)
        have = {one.subject for one in record.criteria if one.id == criterion}
        for one in record.criteria:
            if one.id == criterion and one.objective is None and not one.subject:
                have |= set(many)  # none of them was judged, and the verdict says why
        for subject in sorted(missing | set(many) - have):
            yield f"{name}: {criterion} {subject}".rstrip() + ": expected a verdict, got none"
    due = (one for one in first if record.hour in record.plan.get(one, ()))
    if not record.subjects and any(due):
        yield f"{name}: subjects: expected the subjects of each criterion, got none"


def _each_endpoint(name: str) -> bool:
    criterion = known(name)
    return criterion is not None and criterion.each_endpoint


def changed_limits(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if record.limits != genesis.limits:
            name = record_form.name_of(record.hour, record.attempt)
            yield (
                f"{name}: limits: expected those of hour 0 ({genesis.limits[:16]}), "
                f"got others ({record.limits[:16]}): production.toml was changed during the watch"
            )
    yield from _changed_objectives(records)
    yield from _inconsistently_disabled(records)
    yield from _wrongly_advisory(records)


def _wrongly_advisory(records: Sequence[Record]) -> Iterator[str]:
    """Yield checks that may not be advisory, or are so in one record and not in another."""
    first = min(records, key=lambda one: (one.ended, one.hour, one.attempt), default=None)
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        assert first is not None
        if record.advisory_plan != first.advisory_plan:
            before, now = (
                ", ".join(sorted(one.advisory_plan)) or "none" for one in (first, record)
            )
            if before == now:
                before, now = "their hours and reasons", "others"
            file = record_form.name_of(first.hour, first.attempt)
            yield f"{name}: advisory_plan: expected that of {file} ({before}), got {now}"
        counted = {one.id for one in record.criteria} | {*record.plan}
        apart = {one.id for one in record.advisory_checks} | {*record.advisory_plan}
        for one in sorted(apart):
            if not may_be_advisory(one):
                yield f"{name}: {one}: expected it to count, got an advisory check"
            elif one not in record.advisory_plan:
                yield f"{name}: {one}: expected it among advisory_plan, got an unplanned verdict"
            elif one in counted:
                yield f"{name}: {one}: expected it to be advisory or to count, got both"


def _inconsistently_disabled(records: Sequence[Record]) -> Iterator[str]:
    """Yield criteria that production.toml disables in one record and not in another."""
    first: dict[str, tuple[str, bool]] = {}
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.verdicts:
            out = judged.outcome == Outcome.NOT_APPLICABLE
            if not out and judged.objective is None:
                continue
            file, before = first.setdefault(judged.id, (name, out))
            if before != out:
                words = ("a verdict", "it disabled")
                expected, got = words[before], words[out]
                yield f"{name}: {judged.id}: expected {expected} as in {file}, got {got}"


def _changed_objectives(records: Sequence[Record]) -> Iterator[str]:
    """Yield limits of an objective that differ from those of the first record with it."""
    first: dict[tuple[str, str, int, str], tuple[str, Mapping[str, Any]]] = {}
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        when = "later" if record.hour else "at first"
        times: Counter[tuple[str, str]] = Counter()  # a custom criterion may judge several times
        for judged in record.verdicts:
            objective = judged.objective
            if objective is None:
                continue
            key, own = (judged.id, judged.subject), (name, objective)
            times[key] += 1
            file, known = first.setdefault((*key, times[key], ""), own)
            alike = first.setdefault((*key, times[key], when), own)
            fields = ({*known} | {*objective}) - EASIER_AT_FIRST - CLASSIFIED
            if known.get("name") != objective.get("name"):
                fields = {"name"}
            pairs = [(file, known, field) for field in sorted(fields)]
            pairs += [(*alike, field) for field in sorted(EASIER_AT_FIRST) if fields != {"name"}]
            for source, limits, field in pairs:
                expected, got = limits.get(field), objective.get(field)
                if expected != got:
                    where = f"{name}: {judged.id} {judged.subject}".rstrip()
                    yield f"{where}: {field}: expected that of {source} ({expected}), got {got}"


def journal_problems(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield runs of a journal or an alert that the ledger lacks or contradicts."""
    known = {entry.file: entry for entry in entries}
    for entry in entries:
        if entry.kind == "alert" and {"hour", "attempt"} <= set(entry.content):
            file = record_form.name_of(entry.content["hour"], entry.content["attempt"])
            if file not in known:
                yield f"{file}: expected it, since an alert names it ({entry.file}), got none"
    for path in sorted((folder / "journal").glob(f"hour*{SUFFIX}")):
        yield f"{path.name}: expected a journal, got one put away, as it contained a secret"
    for path in sorted((folder / "journal").glob("hour*.jsonl")):
        file = f"{path.stem}.json"
        if chain.kind_of(file) != "checkpoint":
            continue
        try:
            lines = journal.read(path)
        except LedgerError as problem:
            yield str(problem)
            continue
        if file in known:
            yield from _contradictions(known[file], lines)
            continue
        kinds = [line.get("kind") for line in lines]
        if "written" in kinds:
            yield f"{file}: expected it, since its journal has it as written, got none: removed"
        elif "judged" in kinds:
            yield (
                f"{file}: expected a record of {kinds.count('judged')} verdicts in its journal, "
                f"got none: it is still running, or was killed "
                f"({COMMAND} finalise {shlex.quote(str(folder))})"
            )


def _contradictions(entry: Entry, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield verdicts of a record that its journal contradicts or lacks."""
    if entry.problem:
        return
    begins = (line["record"] for line in lines[::-1] if line.get("kind") == "begin")
    begun: Mapping[str, Any] = next(begins, {})
    for what in OF_A_RUN:
        expected, got = (str(one.get(what))[:MOST_SHOWN] for one in (begun, entry.content))
        if begun and begun.get(what) != entry.content.get(what):
            yield f"{entry.file}: {what}: expected that of its journal ({expected}), got {got}"
    journalled = [line["judged"] for line in lines if line.get("kind") == "judged"]
    content = record_form.with_evidence(entry.content, entry.file)
    verdicts = [one for name in record_form.VERDICTS for one in content.get(name, ())]
    stored = [one for one in verdicts if one.get("objective") or one in journalled]
    for one in journalled:
        if one not in stored:
            yield f"{entry.file}: {_label(one)}: expected the verdict of its journal, got another"
    for one in stored:
        if one not in journalled:
            yield f"{entry.file}: {_label(one)}: expected it in its journal, got none"


def _label(judged: Mapping[str, Any]) -> str:
    return f"{judged.get('id')} {judged.get('subject')}".rstrip()


def untimely_evidence(ledger: Ledger, records: Sequence[Record]) -> Iterator[str]:
    """Yield verdicts on another window, or on evidence of another run."""
    daily, settle_s = ledger.genesis.daily, ledger.watch.settle_s
    for record in records:
        if record.hour not in ledger.watch.hours:
            continue  # reported by foreign_records
        point = ledger.watch.checkpoint(record.hour)
        whole = point.window if daily else point.since_t0
        spans = {"now": None, "since_t0": whole, "window": point.window}
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.verdicts:
            one = known(judged.id)
            if one is None:
                continue  # a custom criterion
            where = f"{name}: {judged.id} {judged.subject}".rstrip()
            if judged.span != one.span or judged.window != spans[one.span]:
                yield f"{where}: window: expected that of {one.span} here, got another"
            if judged.objective is not None:
                for problem in _wrong_times(judged, record, settle_s):
                    yield f"{where}: {problem}"


def _wrong_times(judged: Judged, record: Record, settle_s: float) -> Iterator[str]:
    """Yield how evidence was queried at another time, or for another time, than recorded."""
    try:
        answers = [evidence.from_plain(each) for each in judged.evidence.values()]
    except (msgspec.ValidationError, ValueError):
        return  # reported by differing
    asked = [one.question for one in answers]
    first, last = min(record.started, record.due), max(record.ended, record.due)
    slack = AROUND_S if record.interrupted else SLACK_S
    newest = max((one.at for one in asked if one.source != PROBER), default=first)
    if not first - timedelta(seconds=SLACK_S) <= newest <= last + timedelta(seconds=slack):
        run = format_value(Window(first, last))
        yield f"evidence: expected it from {run}, got {format_value(newest)}"
    # without an answer, the only window left may be that of the baseline
    unanswered = judged.outcome == Outcome.INCONCLUSIVE and any(
        isinstance(one, evidence.Unanswered) for one in answers
    )
    ends = [one.window.end for one in asked if one.window is not None]
    if asked and len(ends) == len(asked) and judged.window is not None and not unanswered:
        end, latest = judged.window.end, max(ends)
        if not -AROUND_S - settle_s <= (latest - end).total_seconds() <= AROUND_S:
            expected, got = format_value(end), format_value(latest)
            yield f"evidence: expected a window until {expected}, got {got}"


def format_value(value: object) -> str:
    if isinstance(value, Window):
        return f"{format_value(value.start)} to {format_value(value.end)}"
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)
