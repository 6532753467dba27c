"""Whether a ledger is what it says: each entry, the chain, completeness, every verdict again.

Rules of this module:

- It reads the folder alone; nothing is asked of anybody, nothing is changed.
- Every verdict is derived again from the stored objective and evidence; outcome, code and the
  figures to six significant digits must be the same.
- A limit is the same in every record, whether it stands in production.toml or in an objective.
- Changing or removing the newest entry cannot be seen from inside, except where the journals or a
  sign-off tell of it: compare the head with the one that was published.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hour24 import __version__, evidence
from hour24.criteria import CRITERIA
from hour24.errors import LedgerError
from hour24.ledger import chain, journal, readiness, signature
from hour24.ledger import record as record_form
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.chain import Entry
from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome, worst

DIGITS = 1e-6
MOST_TOLD = 20
OF_THE_SERVICE = ("name", "environment")
"""What a service keeps throughout a watch; its release may change."""

CLASSIFIED = frozenset({"normal", "critical"})
"""Fields of an objective that a person may add to during a watch (``classify``)."""

EASIER_AT_FIRST = frozenset({"q", "days"})
"""Fields of an objective that have another value at hour 0, where little was seen yet."""

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
        what: readable, chain, head, numbers, watch, plan, limits, journals, verdicts, signoff.
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
        ("numbers", _gaps(folder, entries), "no attempt and no number is missing"),
        ("watch", _foreign(ledger, genesis, records), f"every record is of {genesis.name}"),
        ("plan", _incomplete(records), "every record holds every criterion that was due"),
        ("limits", _changed_limits(genesis, records), "the limits are those of the beginning"),
        ("journals", _journals(folder, entries), "every run that began has its record"),
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


def _told(value: object) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)


def _incomplete(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        have = {judged.id for judged in record.criteria}
        for criterion, hours in record.plan.items():
            if record.hour in hours and criterion not in have:
                yield f"{name}: {criterion}: expected a verdict, got none"
        if record.vantage.version == __version__:
            for known in CRITERIA.values():
                if record.hour in known.hours and record.hour not in record.plan.get(known.id, ()):
                    yield f"{name}: plan: expected {known.id} at this hour, got none"
        outcome = worst(judged.outcome for judged in record.criteria)
        if record.outcome != outcome:
            yield f"{name}: outcome: expected {outcome.value}, got {record.outcome.value}"


def _changed_limits(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if record.limits != genesis.limits:
            name = record_form.name_of(record.hour, record.attempt)
            yield (
                f"{name}: limits: expected those of the beginning ({genesis.limits[:16]}), "
                f"got others ({record.limits[:16]}): production.toml was changed during the watch"
            )
    yield from _changed_objectives(records)


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


def _journals(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Runs that a journal tells of and the ledger does not."""
    known = {entry.file for entry in entries}
    for path in sorted((folder / "journal").glob("hour*.jsonl")):
        file = f"{path.stem}.json"
        if chain.kind_of(file) != "checkpoint" or file in known:
            continue
        try:
            kinds = [line.get("kind") for line in journal.read(path)]
        except LedgerError as problem:
            yield str(problem)
            continue
        if "written" in kinds:
            yield f"{file}: expected it, as its journal says it was written, got none: removed"
        elif "judged" in kinds:
            yield (
                f"{file}: expected a record of {kinds.count('judged')} verdicts in its journal, "
                "got none: it is still running, or was killed (python -m hour24 finalise)"
            )


def _verdicts_in(path: Path) -> bool:
    try:
        return any(line.get("kind") in ("judged", "written") for line in journal.read(path))
    except LedgerError:
        return True


# --- verdicts ---------------------------------------------------------------------------------


def _differing(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.criteria:
            for problem in differences(judged):
                yield f"{name}: {judged.id} {judged.subject}".rstrip() + f": {problem}"


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
    counted = {
        "entries": len(kept),
        "records": sum(one.kind == "checkpoint" for one in kept),
    }
    for what, number in counted.items():
        if entry.content.get(what, number) != number:
            yield f"{entry.file}: {what}: expected {entry.content[what]}, got {number}"
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
