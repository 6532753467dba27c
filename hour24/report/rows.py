"""One line a verdict: as a row of the table of criteria, and as what was not measured.

Rules of this module:

- A criterion with several subjects is one row with parts; the worst part decides it.
- What has no answer says why, shows every try, and says what would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup
from msgspec import Struct

from hour24.record import Judged
from hour24.report import charts, page
from hour24.report.exhibits import Answers, anchor, good, tries
from hour24.report.words import Times, joined, one_line
from hour24.verdict import Outcome

Beside = Mapping[tuple[str, str], str]
Hour0 = Mapping[tuple[str, str], float]


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
    """A criterion without an answer: why, every try, and what would settle it."""

    id: str
    subject: str
    sentence: str
    outcome: Outcome
    code: str
    reason: str
    settles: str
    anchor: str
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
    outcome = page.outcome_of(many)
    held = sum(part.outcome == Outcome.PASS for part in parts)
    weight = [part for part in parts if part.outcome == outcome]
    return Row(
        id=many[0].id,
        subject="",
        sentence=many[0].sentence,
        outcome=outcome,
        code="",
        reason="" if outcome == Outcome.PASS else joined([part.subject for part in weight]),
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
        reason=judged.reason,
        observed=judged.observed,
        bound=judged.bound,
        limit=judged.limit,
        anchor=anchor(judged),
        margin=charts.margin(
            judged.scale, judged.outcome, name, hour0.get((judged.id, judged.subject))
        ),
        left=charts.margin_text(judged.scale, judged.outcome),
        tries=next((told for told in map(tries, every) if told), ""),
        beside=beside.get((judged.id, judged.subject), ""),
    )


_SETTLES = {
    "too_early": "a later checkpoint whose window holds this one",
    "too_few_samples": "a later PASS over a window that holds this one",
    "too_little_traffic": "a later PASS over a window that holds this one",
    "late": "only a waiver: what is true now cannot be asked for the past",
    "no_prober": "only a waiver for these hours; a prober from now on",
    "coverage_too_low": "only a waiver for these hours; a prober from now on",
    "baseline_absent": "a watch that begins with hour 0",
    "missed": "only a waiver: the checkpoint was not run",
}


def unmeasured(judged: Judged, answers: Answers, beside: Beside, times: Times) -> Unmeasured:
    tried = [a for answer in answers.of(judged).values() for a in answer.question.attempts]
    failed = [attempt for attempt in tried if not good(attempt)]
    settles = ""
    if judged.outcome == Outcome.INCONCLUSIVE:
        settles = _SETTLES.get(
            judged.code,
            "another attempt at this hour, which asks for the same window; or a waiver",
        )
    return Unmeasured(
        id=judged.id,
        subject=judged.subject,
        sentence=judged.sentence,
        outcome=judged.outcome,
        code=judged.code,
        reason=judged.reason,
        settles=settles,
        anchor=anchor(judged),
        attempts=tuple(
            (good(attempt), f"{one_line(attempt.result, 40)} {times.clock(attempt.at, True)}")
            for attempt in (tried[-6:] if failed else ())
        ),
        beside=beside.get((judged.id, judged.subject), ""),
    )
