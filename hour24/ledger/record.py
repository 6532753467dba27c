"""Record: one checkpoint's criteria, evidence, objectives and verdicts, and its bytes.

Rules of this module:

- A record is plain data; :func:`canonical` returns the bytes that are chained, and
  :func:`parse` reads them back, checked against ``schemas/record.schema.json``.
- Every due criterion is in it, also those without a verdict.
- NaN and infinity are refused: JSON has no form for them.
- Evidence is checked against its kind, so that every verdict can be recomputed.
- An answer that several criteria rest on is stored once: ``answers`` has each answer, and the
  evidence of a criterion has its position there. Format 1 repeats it in each criterion.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from hour24.documents import show_value
from hour24.errors import LedgerError
from hour24.evidence import PROVIDER, from_plain
from hour24.kind import Kind, kind_of
from hour24.ledger import canonical as canonical_form
from hour24.links import Links
from hour24.verdict import Outcome, Scale
from hour24.versions import FIRST_JUDGES, FORMAT
from hour24.watch import Window

VERDICTS = ("criteria", "advisory_checks")
"""Members of a record that have verdicts."""


class Link(Struct, frozen=True, kw_only=True):
    """The entry before this one: its file name and the SHA-256 of its exact bytes."""

    file: str
    sha256: str


class Judged(Struct, frozen=True, kw_only=True):
    """One criterion (of one subject) at one checkpoint, with all that its verdict depends on.

    Args:
        subject: the endpoint or part, if there are several; else empty.
        objective: :meth:`~hour24.objectives.base.Objective.to_plain`; none when the criterion
            was due but not judged.
        evidence: by the objective's names, :func:`~hour24.evidence.to_plain`; of a second witness
            of the same measure, ``NAME@SECTION``.
        took_s: seconds its test took.
        by: the section of the witness that decided; empty for the first.
    """

    id: str
    sentence: str
    group: str
    outcome: Outcome
    reason: str
    subject: str = ""
    span: str = "window"
    window: Window | None = None
    code: str = ""
    observed: str = ""
    bound: str = ""
    limit: str = ""
    scale: Scale | None = None
    figures: dict[str, float] = {}
    objective: dict[str, Any] | None = None
    evidence: dict[str, dict[str, Any]] = {}
    took_s: float = 0.0
    by: str = ""

    def answer(self, name: str) -> dict[str, Any] | None:
        """The evidence of this name that decided, where several witnesses answered."""
        return self.evidence.get(f"{name}{PROVIDER}{self.by}") or self.evidence.get(name)


class Advisory(Struct, frozen=True, kw_only=True):
    """An advisory check: measured and shown, and in no sum.

    Args:
        hours: at which it is due.
        because: why it does not count, as production.toml stated when the watch began.
    """

    hours: tuple[int, ...]
    because: str


class Shown(Struct, frozen=True, kw_only=True):
    """A measurement that is shown but not judged at this hour."""

    id: str
    title: str
    text: str


class Vantage(Struct, frozen=True, kw_only=True):
    """The machine and process that ran the checkpoint."""

    host: str
    user: str
    pid: int
    version: str
    commit: str = ""


class Prober(Struct, frozen=True, kw_only=True):
    """Whether a prober is running: its files, and when the newest line was written."""

    running: bool
    files: tuple[str, ...] = ()
    last_line: datetime | None = None


class Record(Struct, frozen=True, kw_only=True):
    """One attempt at one checkpoint.

    Args:
        target: path of the production.toml, or ``rehearsal``.
        rehearsal: ``{"seed": 7, "faults": [...]}``; none for a production.
        service: ``{"name", "environment", "release"}``.
        zone: IANA name, for times on pages.
        late_s: seconds after the due time.
        early: whether it ran before its due time, so that it does not count.
        limits: SHA-256 over the limits in force.
        watched: addresses of production (:func:`hour24.config.watched`); empty for a
            rehearsal, whose addresses change every time.
        launch_at: the launch time of production.toml.
        subjects: the subjects of each due criterion that has several.
        plan: the hours of every criterion, custom ones included.
        advisory: what the vendors' status pages say; never judged.
        advisory_plan: the advisory checks of the watch; ``plan`` has none of them.
        advisory_checks: their verdicts at this hour; ``criteria`` and ``outcome`` have none.
        decision: what the runbook says to do now (``hour24.escalation``); none while undecided.
        links: the addresses that pages may link to; no evidence, and never judged.
        interrupted: what ended the run early; empty when nothing did.
        version: the format of the file.
        judges: the version of the judges that decided its verdicts.
    """

    watch: str
    target: str
    rehearsal: dict[str, Any] | None
    service: dict[str, str]
    zone: str
    hour: int
    attempt: int
    t0: datetime
    due: datetime
    started: datetime
    ended: datetime
    late_s: float
    window: Window
    outcome: Outcome
    limits: str
    vantage: Vantage
    plan: dict[str, tuple[int, ...]]
    criteria: tuple[Judged, ...]
    previous: Link | None = None
    watched: dict[str, str] = {}
    launch_at: datetime | None = None
    subjects: dict[str, tuple[str, ...]] = {}
    early: bool = False
    shown: tuple[Shown, ...] = ()
    advisory: tuple[dict[str, Any], ...] = ()
    advisory_plan: dict[str, Advisory] = {}
    advisory_checks: tuple[Judged, ...] = ()
    prober: Prober = Prober(running=False)
    decision: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    links: Links = Links()
    interrupted: str = ""
    version: int = FORMAT
    judges: int = FIRST_JUDGES
    kind: str = "checkpoint"

    @property
    def verdicts(self) -> tuple[Judged, ...]:
        """Every verdict, those of advisory checks last."""
        return (*self.criteria, *self.advisory_checks)

    @property
    def target_kind(self) -> Kind:
        """The kind of its target."""
        return kind_of(self.rehearsal, self.target)


def absent(
    due: Iterable[str], judged: Sequence[Judged], subjects: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield criterion and subject of what was due and has no verdict.

    An unjudged verdict without a subject covers all subjects; a criterion without any verdict is
    yielded once without a subject.
    """
    for name in due:
        own = [one for one in judged if one.id == name]
        have = {one.subject for one in own}
        if not own:
            yield name, ""
        elif not any(one.objective is None and not one.subject for one in own):
            yield from ((name, each) for each in subjects.get(name, ()) if each not in have)


def split(
    judged: Iterable[Judged], advisory: Collection[str]
) -> tuple[tuple[Judged, ...], tuple[Judged, ...]]:
    """Return the verdicts that count, and those of advisory checks."""
    every = tuple(judged)
    return (
        tuple(one for one in every if one.id not in advisory),
        tuple(one for one in every if one.id in advisory),
    )


def name_of(hour: int, attempt: int) -> str:
    """Return the file name of an attempt: ``hour08.a1.json``."""
    return f"hour{hour:02d}.a{attempt}.json"


def canonical(record: Record) -> bytes:
    """Return the bytes of a record.

    Raises: LedgerError, when it fails its schema: ``file: where: expected X, got Y``.
    """
    where = name_of(record.hour, record.attempt)
    data = canonical_form.to_bytes(_with_answers(record), where)
    parse(data, where)
    return data


def _with_answers(record: Record) -> dict[str, Any]:
    """Return the content of a record, with each answer once."""
    bare = {
        name: tuple(msgspec.structs.replace(each, evidence={}) for each in getattr(record, name))
        for name in VERDICTS
    }
    content: dict[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(record, **bare), builtin_types=(datetime,)
    )
    if not record.advisory_plan and not record.advisory_checks:
        del content["advisory_plan"], content["advisory_checks"]
    positions: dict[str, int] = {}
    answers: list[dict[str, Any]] = []
    stored = [one for name in VERDICTS for one in content.get(name, ())]
    for judged, plain in zip(record.verdicts, stored, strict=True):
        for name, answer in judged.evidence.items():
            key = json.dumps(answer, sort_keys=True, default=str)
            if key not in positions:
                positions[key] = len(answers)
                answers.append(answer)
            plain["evidence"][name] = positions[key]
    return {**content, "answers": answers}


def with_evidence(content: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the content of a record with each criterion's evidence in it, not its position.

    Raises: LedgerError, when a position has no answer, or no criterion rests on an answer.
    """
    if "answers" not in content:
        return content
    answers = content["answers"]
    used: set[int] = set()

    def read(evidence: dict[str, Any], at: str) -> dict[str, Any]:
        found = {}
        for name, position in evidence.items():
            if not isinstance(position, int) or position >= len(answers):
                got = show_value(position)
                expected = f"the position of an answer, below {len(answers)}"
                raise LedgerError(f"{where}: {at}.{name}: expected {expected}, got {got}")
            used.add(position)
            found[name] = answers[position]
        return found

    verdicts = {
        name: [
            {**one, "evidence": read(one["evidence"], f"{name}[{number}].evidence")}
            for number, one in enumerate(content[name])
        ]
        for name in VERDICTS
        if name in content
    }
    if unused := set(range(len(answers))) - used:
        raise LedgerError(
            f"{where}: answers[{min(unused)}]: expected a criterion that rests on it, got none"
        )
    return {**{k: v for k, v in content.items() if k != "answers"}, **verdicts}


def parse(data: bytes, where: str) -> Record:
    """Return the record in these bytes.

    Args:
        where: the file, for messages.
    Raises: LedgerError, when there is none.
    """
    return from_content(canonical_form.from_bytes(data, where), where)


def from_content(content: dict[str, Any], where: str) -> Record:
    """Return the record of this JSON object. Raises: LedgerError, when it is none."""
    canonical_form.check(content, "record", "", where)
    at = ""
    try:
        record: Record = msgspec.convert(with_evidence(content, where), type=Record)
        for number, answer in enumerate(content.get("answers", ())):
            at = f"answers[{number}]: "
            from_plain(answer)
        for number, judged in enumerate(record.criteria if "answers" not in content else ()):
            for name, plain in judged.evidence.items():
                at = f"criteria[{number}].evidence.{name}: "
                from_plain(plain)
    except (msgspec.ValidationError, ValueError) as problem:
        text = str(problem)
        raise LedgerError(f"{where}: {at}{text[:1].lower()}{text[1:]}") from None
    return record
