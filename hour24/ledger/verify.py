"""Whether a ledger is what it says: each entry, the chain, completeness, every verdict again.

Rules of this module:

- It reads the folder alone; nothing is asked of anybody, nothing is changed.
- Every verdict is derived again from the stored objective and evidence; outcome, code and the
  figures to six significant digits must be the same.
- A limit is the same in every record, whether it stands in production.toml or in an objective.
  Production is found where it was at the beginning, unless a person declared otherwise.
- A criterion of the table is judged by an objective of the table, on evidence of its own time.
- What stands beside the records (journals, alerts) must agree with them.
- Changing or removing the newest entry cannot be seen from inside, except where the journals or a
  sign-off tell of it: compare the head with the one that was published.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hour24 import evidence
from hour24.criteria import CRITERIA, DAILY, EACH_ENDPOINT, known, unfit
from hour24.errors import LedgerError
from hour24.ledger import chain, journal, moved, readiness, signature
from hour24.ledger import record as record_form
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.chain import Entry
from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome, worst
from hour24.watch import Window

DIGITS = 1e-6
MOST_TOLD = 20
MOST_SHOWN = 80
OF_THE_SERVICE = ("name", "environment")
"""What a service keeps throughout a watch; its release may change."""

CLASSIFIED = frozenset({"normal", "critical"})
"""Fields of an objective that a person may add to during a watch (``classify``)."""

EASIER_AT_FIRST = frozenset({"q", "days"})
"""Fields of an objective that have another value at hour 0, where little was seen yet."""

OF_A_RUN = ("watch", "target", "rehearsal", "t0", "hour", "attempt", "started", "watched", "limits")
"""What a run knows when it begins."""

SLACK_S = 120.0
"""The clocks of two machines may differ so much."""
AROUND_S = 3600.0
"""A source may tell whole hours alone: the window it was asked for is longer than the one meant."""

LATER = ("watched", "moved")
"""What an approval of an older ledger does not say."""

UNJUDGED = {
    "not_run",
    "interrupted",
    "harness_error",
    "does_not_import",
    "skip_not_allowed",
    "no_evidence",
    "timeout",
}
"""Codes under which a due criterion may stand without an objective."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Args:
        what: readable, chain, order, numbers, watch, plan, limits, watched, journals, evidence,
            verdicts, signoff, head.
        ok: whether it holds.
        says: one sentence; what was expected and what was found when it does not.
    """

    what: str
    ok: bool
    says: str


def verify(folder: Path, head: str = "", signers: Path | None = None) -> tuple[Finding, ...]:
    """Look at everything that a ledger claims.

    Args:
        head: SHA-256 of an entry that was published; empty: none is compared.
        signers: allowed-signers file for the sign-off's signature; none: only that it fits.
    Returns: what was looked at, in the order it was; all ``ok`` when the ledger holds.
    """
    ledger = Ledger(folder)
    try:
        genesis = ledger.genesis
        entries = ledger.entries()
    except LedgerError as problem:
        return (Finding(what="readable", ok=False, says=str(problem)),)
    records = ledger.records()
    verdicts = sum(len(record.criteria) for record in records)
    looks: Sequence[tuple[str, Iterable[str], str]] = (
        ("readable", _unreadable(entries), f"{len(entries)} entries, each of its form"),
        ("chain", chain.breaks(entries), f"one chain from {chain.FIRST} to {entries[-1].file}"),
        ("order", _backwards(genesis, entries), "each entry was written after the one before it"),
        ("numbers", _gaps(folder, entries), "no attempt and no number is missing"),
        ("watch", _foreign(ledger, genesis, records), f"every record is of {genesis.name}"),
        ("plan", _incomplete(genesis, records), "every record holds every criterion that was due"),
        ("limits", _changed_limits(genesis, records), "the limits are those of the beginning"),
        ("watched", _moved(ledger), _found(ledger)),
        ("journals", _journals(folder, entries), "every run that began has its record"),
        ("evidence", _untimely(ledger, records), "it was asked at its checkpoint, of its window"),
        ("verdicts", _differing(records), f"{verdicts} verdicts, derived again: all the same"),
        ("signoff", _signoff(ledger, entries, signers), _signed(entries)),
    )
    found: list[Finding] = []
    for what, problems, says in looks:
        wrong = list(problems)
        found += [Finding(what=what, ok=False, says=one) for one in wrong[:MOST_TOLD]]
        if len(wrong) > MOST_TOLD:
            more = f"and {len(wrong) - MOST_TOLD} more of this kind"
            found.append(Finding(what=what, ok=False, says=more))
        if not wrong:
            found.append(Finding(what=what, ok=True, says=says))
    return (*found, _head(entries, head))


def _unreadable(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.problem:
            yield entry.problem
        elif not entry.canonical:
            yield f"{entry.file}: expected its canonical bytes, got another form of the content"


def _backwards(genesis: Genesis, entries: Sequence[Entry]) -> Iterator[str]:
    """Entries that say they are older than what stands before them in the chain.

    A rehearsal's clock may step back, and a record rebuilt from its journal is written late.
    """
    if genesis.rehearsal is not None:
        return
    newest, before = genesis.opened, chain.FIRST
    for entry in entries:
        stated = entry.content.get("ended") or entry.content.get("at")
        if entry.problem or stated is None or entry.content.get("interrupted"):
            continue
        at = datetime.fromisoformat(stated)
        if (newest - at).total_seconds() > SLACK_S:
            yield f"{entry.file}: expected it after {before} ({_told(newest)}), got {_told(at)}"
        if at > newest:
            newest, before = at, entry.file


def _gaps(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Numbers that are missing below one that is there."""
    taken: dict[str, set[int]] = {}
    for entry in entries:
        found = chain.NAME.fullmatch(entry.file)
        if found is not None and found["hour"] is not None:
            taken.setdefault(f"hour{found['hour']}.a", set()).add(int(found["attempt"]))
        elif found is not None and found["kind"] is not None:
            taken.setdefault(f"{found['kind']}.", set()).add(int(found["number"]))
    for stem, numbers in sorted(taken.items()):
        for number in range(1, max(numbers)):
            path = folder / "journal" / f"{stem}{number}.jsonl"
            if number not in numbers and not (path.exists() and not _verdicts_in(path)):
                yield f"{stem}{number}.json: expected it before {stem}{max(numbers)}.json, got none"


def _foreign(ledger: Ledger, genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    """Records that are not of this watch, or not of the checkpoint they say."""
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
                yield f"{name}: {what}: expected {_told(expected)}, got {_told(got)}"
        if record.ended < record.started:
            begun, ended = _told(record.started), _told(record.ended)
            yield f"{name}: ended: expected after {begun}, got {ended}"


def _told(value: object) -> str:
    if isinstance(value, Window):
        return f"{_told(value.start)} to {_told(value.end)}"
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)


def _incomplete(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    planned = next((one.subjects for one in records if one.subjects), {})
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        have = {judged.id for judged in record.criteria}
        for criterion, hours in record.plan.items():
            if record.hour in hours and criterion not in have:
                yield f"{name}: {criterion}: expected a verdict, got none"
        week = genesis.daily and record.hour > genesis.hours[1]
        due = DAILY if week else [one.id for one in CRITERIA.values() if record.hour in one.hours]
        for criterion in due:
            if record.hour not in record.plan.get(criterion, ()):
                yield f"{name}: plan: expected {criterion} at this hour, got none"
        yield from _subjectless(name, record, planned)
        outcome = worst(judged.outcome for judged in record.criteria)
        if record.outcome != outcome:
            yield f"{name}: outcome: expected {outcome.value}, got {record.outcome.value}"


def _subjectless(name: str, record: Record, first: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Endpoints and parts that were due and have no verdict, though their criterion has one."""
    endpoints = {
        place.split(".", 2)[1] for place in record.watched if place.startswith("endpoints.")
    }
    for criterion, many in record.subjects.items():
        if criterion in EACH_ENDPOINT and record.watched and endpoints != set(many):
            expected, got = (", ".join(sorted(each)) for each in (endpoints, many))
            yield f"{name}: subjects: {criterion}: expected {expected}, got {got}"
        missing = set(first.get(criterion, many)) - set(many)
        have = {one.subject for one in record.criteria if one.id == criterion}
        for one in record.criteria:
            if one.id == criterion and one.objective is None and not one.subject:
                have |= set(many)  # not one of them was judged, and it says why
        for subject in sorted(missing | set(many) - have):
            yield f"{name}: {criterion} {subject}".rstrip() + ": expected a verdict, got none"
    if first and not record.subjects and any(one in record.plan for one in first):
        yield f"{name}: subjects: expected what each criterion is judged of, got none"


def _changed_limits(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if record.limits != genesis.limits:
            name = record_form.name_of(record.hour, record.attempt)
            yield (
                f"{name}: limits: expected those of the beginning ({genesis.limits[:16]}), "
                f"got others ({record.limits[:16]}): production.toml was changed during the watch"
            )
    yield from _changed_objectives(records)
    yield from _left_out(records)


def _left_out(records: Sequence[Record]) -> Iterator[str]:
    """Criteria that production.toml leaves out of one record and not of another."""
    first: dict[str, tuple[str, bool]] = {}
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.criteria:
            out = judged.outcome == Outcome.NOT_APPLICABLE
            if not out and judged.objective is None:
                continue
            file, before = first.setdefault(judged.id, (name, out))
            if before != out:
                told = ("a verdict", "it left out")
                yield f"{name}: {judged.id}: expected {told[before]} as in {file}, got {told[out]}"


def _changed_objectives(records: Sequence[Record]) -> Iterator[str]:
    """Limits that stand in an objective and differ from those of the first record that has it."""
    first: dict[tuple[str, str, int, str], tuple[str, Mapping[str, Any]]] = {}
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        when = "later" if record.hour else "at first"
        times: Counter[tuple[str, str]] = Counter()  # one's own test may judge several times
        for judged in record.criteria:
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


def _moved(ledger: Ledger) -> Iterator[str]:
    """Records that found production elsewhere than at the beginning, and nobody declared it."""
    for change in moved.changes(ledger):
        if not change.by:
            for line in change.says:
                yield (
                    f"{change.file}: {line}: production.toml was changed during the watch; a "
                    "person may declare it (python -m hour24 declare --moved)"
                )


def _found(ledger: Ledger) -> str:
    changes = moved.changes(ledger)
    if not moved.beginning(ledger):
        return "the records do not say where it was found, as those of a rehearsal do not"
    if not changes:
        return "production was found where it was at the beginning"
    told = ", ".join(f"{one.file} by {one.by}" for one in changes)
    return f"production was found where it was at the beginning, or as declared: {told}"


def _journals(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Runs that a journal or an alert tells of and the ledger does not, or tells otherwise."""
    known = {entry.file: entry for entry in entries}
    for entry in entries:
        if entry.kind == "alert" and {"hour", "attempt"} <= set(entry.content):
            file = record_form.name_of(entry.content["hour"], entry.content["attempt"])
            if file not in known:
                yield f"{file}: expected it, as people were alerted of it ({entry.file}), got none"
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
            yield from _unlike(known[file], lines)
            continue
        kinds = [line.get("kind") for line in lines]
        if "written" in kinds:
            yield f"{file}: expected it, as its journal says it was written, got none: removed"
        elif "judged" in kinds:
            yield (
                f"{file}: expected a record of {kinds.count('judged')} verdicts in its journal, "
                "got none: it is still running, or was killed (python -m hour24 finalise)"
            )


def _unlike(entry: Entry, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Verdicts of a record that its journal has otherwise, or does not have."""
    if entry.problem:
        return
    begins = (line["record"] for line in lines[::-1] if line.get("kind") == "begin")
    begun: Mapping[str, Any] = next(begins, {})
    for what in OF_A_RUN:
        expected, got = (str(one.get(what))[:MOST_SHOWN] for one in (begun, entry.content))
        if begun and begun.get(what) != entry.content.get(what):
            yield f"{entry.file}: {what}: expected that of its journal ({expected}), got {got}"
    fell = [line["judged"] for line in lines if line.get("kind") == "judged"]
    stored = [one for one in entry.content["criteria"] if one.get("objective") or one in fell]
    for one in fell:
        if one not in stored:
            yield f"{entry.file}: {_who(one)}: expected the verdict of its journal, got another"
    for one in stored:
        if one not in fell:
            yield f"{entry.file}: {_who(one)}: expected it in its journal, got none such"


def _who(judged: Mapping[str, Any]) -> str:
    return f"{judged.get('id')} {judged.get('subject')}".rstrip()


def _verdicts_in(path: Path) -> bool:
    try:
        return any(line.get("kind") in ("judged", "written") for line in journal.read(path))
    except LedgerError:
        return True


# --- evidence ---------------------------------------------------------------------------------


def _untimely(ledger: Ledger, records: Sequence[Record]) -> Iterator[str]:
    """Verdicts of another stretch, or on evidence that was not asked by its own run."""
    daily, settle_s = ledger.genesis.daily, ledger.watch.settle_s
    for record in records:
        if record.hour not in ledger.watch.hours:
            continue  # told by another look
        point = ledger.watch.checkpoint(record.hour)
        whole = point.window if daily else point.since_t0
        spans = {"now": None, "since_t0": whole, "window": point.window}
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.criteria:
            one = known(judged.id)
            if one is None:
                continue  # of one's own
            where = f"{name}: {judged.id} {judged.subject}".rstrip()
            if judged.span != one.span or judged.window != spans[one.span]:
                yield f"{where}: window: expected that of {one.span} here, got another"
            if judged.objective is not None:
                for problem in _asked_otherwise(judged, record, settle_s):
                    yield f"{where}: {problem}"


def _asked_otherwise(judged: Judged, record: Record, settle_s: float) -> Iterator[str]:
    """How evidence was asked at another time, or of another time, than its record says."""
    try:
        asked = [evidence.from_plain(each).question for each in judged.evidence.values()]
    except (msgspec.ValidationError, ValueError):
        return  # told by another look
    if not asked:
        return
    newest = max(one.at for one in asked)
    # what a prober saw counts as asked at the due time, whenever its files are read
    first, last = min(record.started, record.due), max(record.ended, record.due)
    slack = AROUND_S if record.interrupted else SLACK_S
    if not first - timedelta(seconds=SLACK_S) <= newest <= last + timedelta(seconds=slack):
        yield f"evidence: expected it of {_told(first)} to {_told(last)}, got {_told(newest)}"
    ends = [one.window.end for one in asked if one.window is not None]
    if ends and judged.window is not None:
        end, told = judged.window.end, max(ends)
        if not -AROUND_S - settle_s <= (told - end).total_seconds() <= AROUND_S:
            yield f"evidence: expected it of the time until {_told(end)}, got {_told(told)}"


# --- verdicts ---------------------------------------------------------------------------------


def _differing(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.criteria:
            where = f"{name}: {judged.id} {judged.subject}".rstrip()
            if judged.objective is not None and (
                wrong := unfit(judged.id, judged.subject, record.hour, judged.objective)
            ):
                yield f"{where}: {wrong}"
            yield from (f"{where}: {problem}" for problem in differences(judged))


def differences(judged: Judged) -> Iterator[str]:
    """How a verdict differs from what its own objective and evidence say; nothing: it holds."""
    if judged.objective is None:
        yield from _unjudged(judged)
        return
    import hour24.objectives  # noqa: F401  registers every objective; heavy, so late
    from hour24.objectives.base import from_plain

    try:
        objective = from_plain(judged.objective)
        answers = {name: evidence.from_plain(each) for name, each in judged.evidence.items()}
    except KeyError:
        yield f"objective: expected one that is known, got {judged.objective.get('name')!r}"
        return
    except (msgspec.ValidationError, ValueError, TypeError) as problem:
        yield f"expected an objective and evidence that can be read, got: {problem}"
        return
    for name, answer in answers.items():
        if not _holds(evidence.to_plain(answer), judged.evidence[name]):
            yield f"evidence: {name}: expected what its kind holds, got more"
    try:
        again = objective.judge(answers)
    except Exception as problem:  # noqa: BLE001  tampered evidence may break any objective
        yield f"expected a verdict, got {type(problem).__name__}: {problem}"
        return
    for what, derived, stored in (
        ("outcome", str(again.outcome), str(judged.outcome)),
        ("code", again.code, judged.code),
    ):
        if derived != stored:
            yield f"{what}: expected {derived or 'none'} by its evidence, got {stored or 'none'}"
    yield from _differing_figures(again.figures, judged.figures)


def _holds(read: Any, stored: Any) -> bool:
    """Whether all that was stored was read; what was not stored had its default."""
    if isinstance(stored, dict):
        if not isinstance(read, dict):
            return False
        return all(key in read and _holds(read[key], each) for key, each in stored.items())
    if isinstance(stored, list | tuple):
        if not isinstance(read, list | tuple) or len(read) != len(stored):
            return False
        return all(_holds(a, b) for a, b in zip(read, stored, strict=True))
    return bool(read == stored)


def _unjudged(judged: Judged) -> Iterator[str]:
    if judged.outcome == Outcome.NOT_APPLICABLE:
        if judged.code != "not_applicable" or not judged.reason.strip():
            yield f"code: expected not_applicable and its reason, got {judged.code or 'none'}"
    elif judged.outcome != Outcome.INCONCLUSIVE:
        yield f"outcome: expected INCONCLUSIVE without an objective, got {judged.outcome.value}"
    elif judged.code not in UNJUDGED:
        allowed = ", ".join(sorted(UNJUDGED))
        yield f"code: expected one of {allowed} without an objective, got {judged.code or 'none'}"


def _differing_figures(derived: Mapping[str, float], stored: Mapping[str, float]) -> Iterator[str]:
    for name in sorted({*derived, *stored}):
        a, b = derived.get(name), stored.get(name)
        if a is None or b is None or not math.isclose(a, b, rel_tol=DIGITS, abs_tol=1e-12):
            told = ["none" if value is None else f"{value:.6g}" for value in (a, b)]
            yield f"figures: {name}: expected {told[0]} by its evidence, got {told[1]}"


# --- the sign-off and the head ----------------------------------------------------------------


def _signoff(ledger: Ledger, entries: Sequence[Entry], signers: Path | None) -> Iterator[str]:
    entry = next((one for one in entries if one.kind == "signoff"), None)
    if entry is None or entry.problem:
        return
    at = datetime.fromisoformat(entry.content["at"])
    before = Ledger(ledger.folder, before=entry.file)
    launch = entry.content.get("launch_at")
    launch_at = datetime.fromisoformat(launch) if launch is not None else None
    for line in readiness.standing_against(before, at, launch_at):
        yield f"{entry.file}: expected nothing to stand against it, got: {line}"
    kept = before.entries()
    for what, expected in readiness.told(before, at).items():
        absent = expected if what in LATER and not expected else None
        got = entry.content.get(what, absent)
        if got != expected:
            yield f"{entry.file}: {what}: expected {expected} by its ledger, got {got}"
    after = [one.file for one in entries[len(kept) + 1 :]]
    if after:
        yield f"{entry.file}: expected it to be the last entry, got {', '.join(after)} after it"
    yield from _signature(ledger.folder / entry.file, entry, signers)


def _signature(path: Path, entry: Entry, signers: Path | None) -> Iterator[str]:
    beside = path.with_name(path.name + ".sig")
    key = entry.content.get("key", "")
    if not beside.exists():
        if key:
            yield f"{beside.name}: expected the signature by {key}, got none"
        elif signers is not None:
            yield f"{beside.name}: expected a signature by an allowed signer, got none"
        return
    try:
        _, by = signature.verify(path.read_bytes(), beside.read_bytes(), signers)
    except (signature.SignatureError, OSError) as problem:
        yield f"{beside.name}: {problem}"
        return
    if by != key:
        yield f"{beside.name}: expected a signature by {key or 'no key'}, got one by {by}"


def _signed(entries: Sequence[Entry]) -> str:
    entry = next((one for one in entries if one.kind == "signoff"), None)
    if entry is None or entry.problem:
        return "it is not signed off"
    key = entry.content.get("key")
    sealed = f", signed with {key}" if key else ", without a signature"
    return f"approved by {entry.content['by']}, {entry.content['role']}{sealed}"


def _head(entries: Sequence[Entry], published: str) -> Finding:
    newest = entries[-1]
    says = f"{newest.file} {newest.sha256}"
    if not published or published == newest.sha256:
        return Finding(what="head", ok=True, says=says)
    place = next((n for n, one in enumerate(entries) if one.sha256 == published), None)
    if place is None:
        told = f"expected an entry with the published SHA-256 {published[:16]}, got none: {says}"
        return Finding(what="head", ok=False, says=f"{told}; it was changed or cut at the end")
    more = len(entries) - 1 - place
    return Finding(what="head", ok=True, says=f"{says}; {more} entries after the published one")
