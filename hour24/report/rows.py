"""One line per verdict: a row of the table of criteria, or an entry of what was not measured.

Rules of this module:

- A criterion with several subjects is one row with parts; the worst part decides its outcome.
- A verdict without an answer shows the reason, every attempt, and what would resolve it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup
from msgspec import Struct, structs

from hour24 import codes
from hour24.evidence import Unanswered
from hour24.ledger.record import Judged
from hour24.report import charts, page
from hour24.report.exhibits import Answers, anchor, is_answered, tries
from hour24.report.times import Times
from hour24.text import join_words, keep_units, one_line, plural
from hour24.verdict import Outcome

Marks = Mapping[tuple[str, str], str]
Hour0 = Mapping[tuple[str, str], float]
WHOLE = "at each checkpoint"
"""The subject shown for a verdict without one, if others of the criterion have a subject."""


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table of criteria.

    Args:
        mark: what the ledger says about this outcome: waived, resolved, failed before.
        parts: one row per subject, if the criterion has several.
        key: the subject as the record has it.
    """

    id: str
    subject: str
    sentence: str
    outcome: Outcome
    code: str
    reason: str
    observed: str
    bound: str
    limit: str
    anchor: str
    margin: Markup | None
    left: str
    tries: str = ""
    mark: str = ""
    parts: tuple[Row, ...] = ()
    key: str = ""


class Unmeasured(Struct, frozen=True, kw_only=True):
    """Criteria that have no answer for the same reason.

    Args:
        who: anchor, id and subject of each.
        attempts: ``(answered, text)`` of each attempt.
        resolves: what would resolve it.
    """

    who: tuple[tuple[str, str, str], ...]
    sentence: str
    outcome: Outcome
    code: str
    reason: str
    resolves: str
    attempts: tuple[tuple[bool, str], ...] = ()
    mark: str = ""


def each_part(rows: Iterable[Row]) -> list[Row]:
    """Return the rows, each replaced by its parts if it has any."""
    return [part for row in rows for part in (row.parts or (row,))]


def row_of(
    many: Sequence[Judged],
    answers: Answers,
    marks: Marks,
    hour0: Hour0,
) -> Row:
    """Return the row of one criterion, from the verdicts of all its subjects."""
    parts = tuple(_single(judged, answers, marks, hour0) for judged in many)
    if len(parts) == 1:
        return parts[0]
    parts = tuple(structs.replace(part, subject=part.subject or WHOLE) for part in parts)
    outcome = page.outcome_of(many)
    passed = sum(part.outcome == Outcome.PASS for part in parts)
    weight = [part for part in parts if part.outcome == outcome]
    return Row(
        id=many[0].id,
        subject="",
        sentence=many[0].sentence,
        outcome=outcome,
        code="",
        reason="" if outcome == Outcome.PASS else join_words([part.subject for part in weight]),
        observed=f"{passed} of {len(parts)}",
        bound="",
        limit=f"all {len(parts)}",
        anchor=parts[0].anchor,
        margin=None,
        left="",
        parts=parts,
    )


def _single(
    judged: Judged,
    answers: Answers,
    marks: Marks,
    hour0: Hour0,
) -> Row:
    name = f"{judged.id} {judged.subject}".strip()
    every = [answer.question.attempts for answer in answers.of(judged).values()]
    return Row(
        id=judged.id,
        subject=judged.subject,
        sentence=judged.sentence,
        outcome=judged.outcome,
        code=judged.code,
        reason=keep_units(judged.reason),
        observed=keep_units(judged.observed),
        bound=keep_units(judged.bound),
        limit=keep_units(judged.limit),
        anchor=anchor(judged),
        margin=charts.margin(
            judged.scale, judged.outcome, name, hour0.get((judged.id, judged.subject))
        ),
        left=charts.margin_text(judged.scale, judged.outcome),
        tries=next(filter(None, map(tries, every)), ""),
        mark=marks.get((judged.id, judged.subject), ""),
        key=judged.subject,
    )


def unmeasured(
    many: Iterable[Judged], answers: Answers, marks: Marks, times: Times
) -> list[Unmeasured]:
    """Return what has no answer; criteria with the same reason are one entry."""
    found: dict[tuple[str, ...], Unmeasured] = {}
    for judged in many:
        one = _unmeasured(judged, answers, marks, times)
        alone = judged.id if one.outcome == Outcome.NOT_APPLICABLE else ""
        key = (one.outcome.value, one.code, one.reason, one.mark, alone)
        before = found.get(key)
        found[key] = one if before is None else structs.replace(before, who=before.who + one.who)
    return list(found.values())


def silent_sources(many: Iterable[Judged]) -> str:
    """Return the sources that did not answer: ``Metrics (9 criteria) and Logs (6 criteria)``."""
    many = tuple(many)
    titles = {"prober": "the prober"}
    for judged in many:
        for plain in judged.evidence.values():
            question = plain.get("question") or {}
            titles[question.get("source", "")] = question.get("title") or ""
    asked: dict[str, set[str]] = {}
    for judged in many:
        if judged.outcome == Outcome.INCONCLUSIVE and judged.code.startswith("source_"):
            for name in _silent(judged) or [one_line(judged.reason.partition(":")[0], 40)]:
                asked.setdefault(titles.get(name) or name, set()).add(judged.id)
    ranked = sorted(asked.items(), key=lambda one: -len(one[1]))
    return join_words(
        [f"{name} ({plural(len(ids), 'criterion', 'criteria')})" for name, ids in ranked]
    )


def _silent(judged: Judged) -> list[str]:
    """Return the sources of its evidence that did not answer, each once."""
    found = [
        str((plain.get("question") or {}).get("source", ""))
        for plain in judged.evidence.values()
        if plain.get("kind") == "unanswered" and str(plain.get("code", "")).startswith("source_")
    ]
    return list(dict.fromkeys(filter(None, found)))


def _unmeasured(judged: Judged, answers: Answers, marks: Marks, times: Times) -> Unmeasured:
    tried = [
        attempt
        for answer in answers.of(judged).values()
        if isinstance(answer, Unanswered) or not getattr(answer, "complete", True)
        for attempt in answer.question.attempts
    ]
    tried.sort(key=lambda attempt: attempt.at)
    return Unmeasured(
        who=((anchor(judged), judged.id, judged.subject),),
        sentence=judged.sentence,
        outcome=judged.outcome,
        code=judged.code,
        reason=keep_units(judged.reason),
        resolves=codes.settles(judged.code) if judged.outcome == Outcome.INCONCLUSIVE else "",
        attempts=tuple(
            (
                is_answered(attempt),
                f"{one_line(attempt.result, 40)} {times.clock(attempt.at, True)}",
            )
            for attempt in tried[-6:]
        ),
        mark=marks.get((judged.id, judged.subject), ""),
    )
