"""Verifies a ledger: each entry, the chain, completeness, and every verdict.

Rules of this module:

- It only reads the folder; nothing is queried and nothing is changed.
- Every verdict is recomputed: :mod:`hour24.ledger.derived`. Records are compared with the
  beginning, the plan and each other: :mod:`hour24.ledger.compared`.
- The addresses of production are those of the beginning, unless a person declared a move.
- A watch of earlier judges passes when only changed rules decide it differently; each such verdict
  is listed, old and new.
- What people read next to the ledger is as it was entered: :mod:`hour24.ledger.files`.
- Changing or removing the newest entry cannot be detected in the folder, unless journals, files or
  a sign-off show it: compare the head with the one that was stored elsewhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from hour24 import versions
from hour24.errors import LedgerError
from hour24.ledger import chain, files, journal, moved, readiness, signature
from hour24.ledger import record as record_form
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.chain import Entry
from hour24.ledger.compared import (
    changed_limits,
    foreign_records,
    format_value,
    journal_problems,
    missing_verdicts,
    untimely_evidence,
)
from hour24.ledger.derived import differing
from hour24.ledger.record import Record
from hour24.shipped import COMMAND

MOST_LISTED = 20
LATER = ("watched", "moved", "advisory")
"""Members that a sign-off of an older version lacks."""


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one check.

    Args:
        what: redacted, readable, chain, order, numbers, watch, plan, limits, watched, journals,
            evidence, judges, verdicts, signoff, files, head.
        ok: whether it passed.
        says: one sentence; when it did not pass, what was expected and what was found.
        changed: whether it passes only by the rules it was recorded under.
    """

    what: str
    ok: bool
    says: str
    changed: bool = False


def verify(folder: Path, head: str = "", signers: Path | None = None) -> tuple[Finding, ...]:
    """Verify a ledger.

    Args:
        head: SHA-256 of an entry that was stored elsewhere; empty: none is compared.
        signers: allowed-signers file for the sign-off's signature; none: only that it fits.
    Returns: the findings in a fixed order; all ``ok`` when the ledger is intact.
    """
    ledger = Ledger(folder)
    try:
        genesis, entries = ledger.genesis, ledger.entries()
        _ = ledger.watch  # its plan may be impossible
    except LedgerError as problem:
        return (Finding(what="readable", ok=False, says=str(problem)),)
    records = ledger.records()
    verdicts = sum(len(record.verdicts) for record in records)
    differences = list(differing(records))
    changed = [one for one in differences if one.rule]
    signoff = list(_signoff(ledger, entries, signers))
    changed_files = list(files.problems(folder, entries))
    checks: Sequence[tuple[str, Iterable[str], str]] = (
        ("readable", _unreadable(entries), f"{len(entries)} entries, each valid by its schema"),
        ("chain", chain.breaks(entries), f"one chain from {chain.FIRST} to {entries[-1].file}"),
        ("order", _backwards(genesis, entries), "each entry was written after the one before it"),
        ("numbers", _gaps(folder, entries), "no attempt and no number is missing"),
        ("watch", foreign_records(ledger, genesis, records), f"every record is of {genesis.name}"),
        (
            "plan",
            missing_verdicts(genesis, ledger.as_written()),
            "every record has every criterion that was due",
        ),
        (
            "limits",
            changed_limits(genesis, records),
            "the limits did not change during the watch",
        ),
        ("watched", _moved(ledger), _found(ledger)),
        ("journals", journal_problems(folder, entries), "every run that began has its record"),
        (
            "evidence",
            untimely_evidence(ledger, records),
            "every query was made on time and for the right window",
        ),
        ("judges", _other_judges(genesis, records), _judged_by(genesis)),
        (
            "verdicts",
            (one.says for one in differences if not one.rule),
            f"{verdicts} recomputed, "
            + ("the same except for changed rules" if changed else "all the same"),
        ),
        ("signoff", (says for says, rule in signoff if not rule), _signature_state(entries)),
        ("files", changed_files, "" if changed_files else files.coverage(folder, entries)),
    )
    found: list[Finding] = []
    found += [Finding(what="redacted", ok=True, says=says) for says in _redacted(entries)]
    for what, problems, says in checks:
        wrong = list(problems)
        found += [Finding(what=what, ok=False, says=one) for one in wrong[:MOST_LISTED]]
        if len(wrong) > MOST_LISTED:
            more = f"and {len(wrong) - MOST_LISTED} more of this kind"
            found.append(Finding(what=what, ok=False, says=more))
        if not wrong:
            found.append(Finding(what=what, ok=True, says=says))
    altered = [(one.says, one.now, one.was, one.rule) for one in changed]
    for says, now, was, rule in altered:
        where = says.partition(": expected ")[0]
        line = f"{where}: was {was}, now {now}: {rule}" if now else f"{says}: {rule}"
        found.append(Finding(what="verdicts", ok=True, says=line, changed=True))
    for says, rule in signoff:
        if rule:
            found.append(Finding(what="signoff", ok=True, says=f"{says}: {rule}", changed=True))
    return (*found, _head(entries, head))


def _other_judges(genesis: Genesis, records: Sequence[Record]) -> Iterator[str]:
    """Yield records of other judges than those of watch.json, and judges newer than ours."""
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        if record.judges != genesis.judges:
            yield f"{name}: judges: expected {genesis.judges} as in watch.json, got {record.judges}"
    if genesis.judges > versions.JUDGES:
        yield (
            f"judges: expected at most {versions.JUDGES}, got {genesis.judges}: "
            "verify it with the hour24 that recorded it"
        )


def _judged_by(genesis: Genesis) -> str:
    if genesis.judges == versions.JUDGES:
        return f"judged by version {genesis.judges}, today's"
    return f"judged by version {genesis.judges}; today's is {versions.JUDGES}"


def _unreadable(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.problem:
            yield entry.problem
        elif not entry.canonical:
            yield f"{entry.file}: expected canonical bytes, got another encoding of the content"


def _redacted(entries: Sequence[Entry]) -> Iterator[str]:
    """Files changed after sealing because a secret was redacted."""
    for entry in entries:
        if entry.kind == "redacted" and not entry.problem:
            at, names = format_value(chain.stated_time(entry)), ", ".join(entry.content["secrets"])
            before, after = entry.content["before"][:16], entry.content["after"][:16]
            done = f"redacted ({before} became {after})" if after else f"put away ({before})"
            yield f"{entry.content['file']}: {done} at {at}, as it contained the secret {names}"


def _backwards(genesis: Genesis, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield entries whose time is before that of an earlier entry of the chain.

    A rehearsal's clock may step back, and a record rebuilt from its journal is written late.
    """
    if genesis.target_kind.steps_clock:
        return
    newest, before = genesis.opened, chain.FIRST
    for entry in entries:
        at = chain.stated_time(entry)
        if at is None:
            continue
        if (newest - at).total_seconds() > chain.BACKWARDS_S:
            after = f"{before} ({format_value(newest)})"
            yield f"{entry.file}: expected it after {after}, got {format_value(at)}"
        if at > newest:
            newest, before = at, entry.file


def _gaps(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield missing numbers below the highest one."""
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


def _moved(ledger: Ledger) -> Iterator[str]:
    """Yield records with other addresses than at the beginning that no one declared."""
    for change in moved.changes(ledger):
        if not change.by:
            for line in change.says:
                remedy = (
                    ": production.toml was changed during the watch; to confirm it, run "
                    f"{COMMAND} declare {shlex.quote(str(ledger.folder))} --moved "
                    "--by NAME --because REASON"
                )
                yield f"{change.file}: {line}{remedy if change.watched else ''}"


def _found(ledger: Ledger) -> str:
    changes = moved.changes(ledger)
    if not moved.beginning(ledger):
        return "addresses: not recorded (rehearsals and older versions have none)"
    if not changes:
        return "addresses did not change during the watch"
    declared = ", ".join(f"{one.file} by {one.by}" for one in changes)
    return f"addresses changed only as declared: {declared}"


def _verdicts_in(path: Path) -> bool:
    try:
        return any(line.get("kind") in ("judged", "written") for line in journal.read(path))
    except LedgerError:
        return True


# --- the sign-off and the head ----------------------------------------------------------------


def _signoff(
    ledger: Ledger, entries: Sequence[Entry], signers: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield each problem of the sign-off with the changed rule that explains it, or ""."""
    entry = next((one for one in entries if one.kind == "signoff"), None)
    if entry is None or entry.problem:
        return
    at = datetime.fromisoformat(entry.content["at"])
    before = Ledger(ledger.folder, before=entry.file)
    launch = entry.content.get("launch_at")
    launch_at = datetime.fromisoformat(launch) if launch is not None else None
    no_addresses = readiness.missing_addresses(before) if "watched" in entry.content else ()
    rule = versions.explanation(versions.STANDINGS, "outcome", ledger.genesis.judges)
    waived = {waiver.criterion for waiver in before.waivers()}
    for line in (*readiness.blocking(before, at, launch_at), *no_addresses):
        says = f"{entry.file}: expected nothing to block the launch, got: {line}"
        yield says, rule if line.split(" ")[0] in waived else ""
    kept = before.entries()
    for what, expected in readiness.summary(before, at).items():
        absent = expected if what in LATER and not expected else None
        got = entry.content.get(what, absent)
        if got != expected:
            says = f"{entry.file}: {what}: expected {expected} by its ledger, got {got}"
            lost = {*got} - {*expected} if what == "waived" and got and {*got} > {*expected} else ()
            explained = bool(lost) and all(line.split(" ")[0] in waived for line in lost)
            yield says, rule if explained else ""
    after = [
        one.file for one in entries[len(kept) + 1 :] if one.kind not in ("redacted", chain.FILES)
    ]
    if after:
        yield f"{entry.file}: expected it to be the last entry, got {', '.join(after)} after it", ""
    for line in _signature(ledger.folder / entry.file, entry, signers):
        yield line, ""


def _signature(path: Path, entry: Entry, signers: Path | None) -> Iterator[str]:
    sealed = path.with_name(path.name + ".sig")
    key = entry.content.get("key", "")
    if not sealed.exists():
        if key:
            yield f"{sealed.name}: expected the signature by {key}, got none"
        elif signers is not None:
            yield f"{sealed.name}: expected a signature by an allowed signer, got none"
        return
    try:
        _, by = signature.verify(path.read_bytes(), sealed.read_bytes(), signers)
    except (signature.SignatureError, OSError) as problem:
        yield f"{sealed.name}: {problem}"
        return
    if by != key:
        yield f"{sealed.name}: expected a signature by {key or 'no key'}, got one by {by}"


def _signature_state(entries: Sequence[Entry]) -> str:
    entry = next((one for one in entries if one.kind == "signoff"), None)
    if entry is None or entry.problem:
        return "not signed off"
    key = entry.content.get("key")
    signed = f", signed with {key}" if key else ", without a signature"
    return f"approved by {entry.content['by']}, {entry.content['role']}{signed}"


def _head(entries: Sequence[Entry], published: str) -> Finding:
    newest = entries[-1]
    says = f"{newest.file} {newest.sha256}"
    if not published or published == newest.sha256:
        return Finding(what="head", ok=True, says=says)
    former = chain.former(entries)
    position = next(
        (
            n
            for n, one in enumerate(entries)
            if published in (one.sha256, *former.get(one.file, ()))
        ),
        None,
    )
    if position is None:
        problem = f"expected an entry with the published SHA-256 {published[:16]}, got none: {says}"
        return Finding(what="head", ok=False, says=f"{problem}; it was changed or cut at the end")
    more = len(entries) - 1 - position
    return Finding(what="head", ok=True, says=f"{says}; {more} entries after the published one")
