"""One line a verdict: as a row of the table of criteria, and as what was not measured.

Rules of this module:

- A criterion with several subjects is one row with parts; the worst part decides it.
- What has no answer says why, shows every try, and says what would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup
from msgspec import Struct, structs

from hour24 import codes
from hour24.ledger.record import Judged
from hour24.report import charts, page
from hour24.report.exhibits import Answers, anchor, good, tries
from hour24.report.times import Times
from hour24.text import join_words, keep_units, one_line, plural
from hour24.verdict import Outcome

Beside = Mapping[tuple[str, str], str]
Hour0 = Mapping[tuple[str, str], float]
WHOLE = "at each checkpoint"
"""Stands for the subject of a verdict without one, beside others that have one."""


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table of criteria; ``parts`` are its subjects, where it has several."""

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
    beside: str = ""
    parts: tuple[Row, ...] = ()


class Unmeasured(Struct, frozen=True, kw_only=True):
    """Criteria without an answer for one reason: why, every try, and what would settle it.

    Args:
        who: anchor, id and subject of each.
    """

    who: tuple[tuple[str, str, str], ...]
    sentence: str
    outcome: Outcome
    code: str
    reason: str
    settles: str
    attempts: tuple[tuple[bool, str], ...] = ()
    beside: str = ""


def each_part(rows: Iterable[Row]) -> list[Row]:
    """Rows with their parts in their place."""
    return [part for row in rows for part in (row.parts or (row,))]


def row_of(
    many: Sequence[Judged],
    answers: Answers,
    beside: Beside,
    hour0: Hour0,
) -> Row:
    parts = tuple(_single(judged, answers, beside, hour0) for judged in many)
    if len(parts) == 1:
        return parts[0]
    parts = tuple(structs.replace(part, subject=part.subject or WHOLE) for part in parts)
    outcome = page.outcome_of(many)
    held = sum(part.outcome == Outcome.PASS for part in parts)
    weight = [part for part in parts if part.outcome == outcome]
    return Row(
        id=many[0].id,
        subject="",
        sentence=many[0].sentence,
        outcome=outcome,
        code="",
        reason="" if outcome == Outcome.PASS else join_words([part.subject for part in weight]),
        observed=f"{held} of {len(parts)}",
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
    beside: Beside,
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
        tries=next((told for told in map(tries, every) if told), ""),
        beside=beside.get((judged.id, judged.subject), ""),
    )


def unmeasured(
    many: Iterable[Judged], answers: Answers, beside: Beside, times: Times
) -> list[Unmeasured]:
    """What has no answer, criteria with the same reason together."""
    found: dict[tuple[str, ...], Unmeasured] = {}
    for judged in many:
        one = _unmeasured(judged, answers, beside, times)
        alone = judged.id if one.outcome == Outcome.NOT_APPLICABLE else ""
        key = (one.outcome.value, one.code, one.reason, one.beside, alone)
        before = found.get(key)
        found[key] = one if before is None else structs.replace(before, who=before.who + one.who)
    return list(found.values())


def silent(many: Iterable[Judged]) -> str:
    """``Metrics (9 criteria) and Logs (6 criteria)``: who did not answer; empty: nobody."""
    many = tuple(many)
    titles = {"prober": "the prober"}
    for judged in many:
        for plain in judged.evidence.values():
            question = plain.get("question") or {}
            titles[question.get("source", "")] = question.get("title") or ""
    asked: dict[str, set[str]] = {}
    for judged in many:
        if judged.outcome == Outcome.INCONCLUSIVE and judged.code.startswith("source_"):
            name = one_line(judged.reason.partition(":")[0], 40)
            asked.setdefault(titles.get(name) or name, set()).add(judged.id)
    ranked = sorted(asked.items(), key=lambda one: -len(one[1]))
    return join_words(
        [f"{name} ({plural(len(ids), 'criterion', 'criteria')})" for name, ids in ranked]
    )


def _unmeasured(judged: Judged, answers: Answers, beside: Beside, times: Times) -> Unmeasured:
    tried = [
        attempt
        for answer in answers.of(judged).values()
        if not all(map(good, answer.question.attempts))
        for attempt in answer.question.attempts
    ]
    return Unmeasured(
        who=((anchor(judged), judged.id, judged.subject),),
        sentence=judged.sentence,
        outcome=judged.outcome,
        code=judged.code,
        reason=keep_units(judged.reason),
        settles=codes.settles(judged.code) if judged.outcome == Outcome.INCONCLUSIVE else "",
        attempts=tuple(
            (good(attempt), f"{one_line(attempt.result, 40)} {times.clock(attempt.at, True)}")
            for attempt in tried[-6:]
        ),
        beside=beside.get((judged.id, judged.subject), ""),
    )
