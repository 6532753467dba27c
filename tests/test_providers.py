"""Several witnesses of one measure: rule 2 of the design, for every criterion and every pair."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import hour24.objectives  # noqa: F401  registers every objective
from hour24.evidence import (
    UNLISTED,
    ByProvider,
    Counts,
    Evidence,
    Listing,
    Question,
    Unanswered,
    from_plain,
    spread,
)
from hour24.ledger.book import Ledger
from hour24.ledger.record import Judged
from hour24.objectives import providers
from hour24.objectives.base import Objective
from hour24.objectives.base import from_plain as objective_of
from hour24.objectives.errors import EventsBelow, NoCriticalIssue, NoNewIssue, TopKnown
from hour24.objectives.rates import RateBelow
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window

WATCH = Path(__file__).parent / "data" / "watch_f90c7b0.tar.xz"
WITNESSES = {"sentry", "render", "database", "supabase"}
AT = datetime(2026, 3, 2, 6, tzinfo=UTC)
WINDOW = Window(AT - timedelta(hours=4), AT)
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """One PASS of each criterion that a witness answered, from a watch of 24 hours."""
    folder = tmp_path_factory.mktemp("watch")
    with tarfile.open(WATCH) as archive:
        archive.extractall(folder, filter="data")
    found: dict[tuple[str, str], Judged] = {}
    for record in Ledger(folder / "launch").records():
        for judged in record.criteria:
            if judged.outcome == PASS and any(_of_witness(judged)):
                found[judged.id, judged.subject] = judged
    return list(found.values())


def _of_witness(judged: Judged) -> Iterator[str]:
    """The names of what a witness answered."""
    for name, plain in judged.evidence.items():
        if plain["question"]["source"] in WITNESSES and plain["kind"] != "unanswered":
            yield name


def _again(judged: Judged) -> tuple[Objective, dict[str, Evidence]]:
    assert judged.objective is not None
    evidence = {name: from_plain(plain) for name, plain in judged.evidence.items()}
    return objective_of(judged.objective), evidence


def _silent(answer: Evidence, **more: Any) -> Unanswered:
    question = structs.replace(answer.question, source="other", title="the other witness")
    return Unanswered(question=question, code="source_failed", reason="other: 503", **more)


def _by_other(answer: Evidence, **more: Any) -> Evidence:
    question = structs.replace(answer.question, source="other", title="the other witness", **more)
    return structs.replace(answer, question=question)


def test_no_criterion_passes_with_a_silent_witness(passed: list[Judged]) -> None:
    """Whatever the others say, unless the objective says why that silence hides no FAIL."""
    assert len({judged.id for judged in passed}) >= 18
    for judged in passed:
        objective, evidence = _again(judged)
        if objective.together:
            continue
        assert objective.judge(evidence).outcome == PASS
        for name in _of_witness(judged):
            if name in objective.spared and not isinstance(objective, RateBelow):
                continue
            verdict = objective.judge({**evidence, name: _silent(evidence[name])})
            assert verdict.outcome == OPEN, (judged.id, name)


def test_no_criterion_passes_with_a_truncated_list(passed: list[Judged]) -> None:
    """What was read may be all good, and the rest may not be."""
    tried = 0
    for judged in passed:
        objective, evidence = _again(judged)
        for name in _of_witness(judged):
            answer = evidence[name]
            if not isinstance(answer, Listing) or name in objective.spared or objective.together:
                continue
            verdict = objective.judge({**evidence, name: structs.replace(answer, complete=False)})
            assert (verdict.outcome, verdict.code) == (OPEN, "source_incomplete"), judged.id
            tried += 1
    assert tried >= 10


def test_a_second_witness_of_any_measure_is_combined(passed: list[Judged]) -> None:
    """It agrees: PASS. It is silent: no PASS. It holds none, or is a second opinion: PASS."""
    for judged in passed:
        objective, evidence = _again(judged)
        if objective.together:
            continue
        for name in _of_witness(judged):
            answer = evidence[name]

            def outcome(other: Evidence, place: str = f"{name}@other") -> Verdict:
                return objective.judge({**evidence, place: other})  # noqa: B023  called at once

            agrees = outcome(_by_other(answer))
            assert agrees.outcome == PASS, (judged.id, name)
            assert "the other witness agrees" in agrees.reason
            untold = outcome(_silent(answer, not_provided=True))
            assert untold.outcome == PASS, (judged.id, name)
            assert "the other witness does not provide it: other: 503" in untold.reason
            second = _silent(answer)
            second = structs.replace(
                second, question=structs.replace(second.question, second_opinion=True)
            )
            shown = outcome(second)
            assert shown.outcome == PASS, (judged.id, name)
            assert "other: 503" in shown.reason
            if name not in objective.spared or isinstance(objective, RateBelow):
                assert outcome(_silent(answer)).outcome == OPEN, (judged.id, name)


def test_either_of_two_witnesses_may_be_the_one_that_is_silent(passed: list[Judged]) -> None:
    """The order of production.toml decides nothing about the outcome."""
    for judged in passed:
        objective, evidence = _again(judged)
        if objective.together:
            continue
        for name in _of_witness(judged):
            if name in objective.spared:
                continue
            answers = {name: _silent(evidence[name]), f"{name}@other": _by_other(evidence[name])}
            assert objective.judge({**evidence, **answers}).outcome == OPEN, (judged.id, name)


# --- the rule itself ----------------------------------------------------------------------------


def _view(who: str, *, second: bool, absent: bool, total: int) -> providers.View:
    question = Question(
        source=who, asked="x", at=AT, window=WINDOW, title=who, second_opinion=second
    )
    answer: Evidence = Counts(question=question, total=total, bad=0, what="requests")
    if absent:
        answer = Unanswered(question=question, code="no_data", reason="none", not_provided=True)
    return providers.View(evidence={"x": answer}, own={"x": answer})


@given(
    st.lists(
        st.tuples(
            st.sampled_from([PASS, FAIL, OPEN]),
            st.booleans(),
            st.booleans(),
            st.sampled_from([0, 1000, 1010, 3000]),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_the_rule_for_any_number_of_witnesses(many: list[tuple[Outcome, bool, bool, int]]) -> None:
    """FAIL by any that no census contradicts; PASS only if none that counts is undecided."""
    seen = {
        str(number or ""): _view(f"w{number}", second=second, absent=absent, total=total)
        for number, (_, second, absent, total) in enumerate(many)
    }
    verdicts = {
        by: Verdict(outcome=OPEN if view.absent else many[int(by or 0)][0], reason=f"r{by}")
        for by, view in seen.items()
    }
    verdict = providers.combine(verdicts, seen)
    present = {by: each for by, each in verdicts.items() if not seen[by].absent}
    counting = {by for by in present if not seen[by].second} or set(present)
    refuted = {
        bad
        for bad, one in present.items()
        for good, other in present.items()
        if (one.outcome, other.outcome) == (FAIL, PASS)
        and providers.contradict(seen[bad].own, seen[good].own)
    }
    failing = {by for by, one in present.items() if one.outcome == FAIL}
    assert (verdict.outcome == FAIL) == bool(failing - refuted)
    if verdict.outcome == PASS:
        assert not failing
        assert all(present[by].outcome == PASS for by in counting)
    if not present:
        assert verdict.outcome == OPEN
    if present and failing and failing == refuted:
        assert (verdict.outcome, verdict.code) == (OPEN, "source_misread")
    if present:
        assert all(view.who in verdict.reason for view in seen.values())


def rates(*pairs: tuple[int, int], window: Window = WINDOW) -> Mapping[str, Evidence]:
    """Counts of requests by one platform after the other: (bad, total)."""
    answers: dict[str, Evidence] = {}
    for number, (bad, total) in enumerate(pairs):
        name = ("render", "edge", "mesh")[number]
        asked = Question(source=name, asked="x", at=AT, window=window, title=f"the {name}")
        answers[name] = Counts(question=asked, total=total, bad=bad, what="requests")
    return spread({"platform": ByProvider(answers)})


@pytest.mark.parametrize(
    ("pairs", "outcome", "code", "by", "says"),
    [
        (((0, 1000), (1, 1000)), PASS, "", "", "the edge agrees: 1 of 1,000"),
        (((0, 1000), (300, 5000)), FAIL, "beyond_limit", "edge", "the render disagrees: 0 of"),
        (((300, 5000), (0, 1000)), FAIL, "beyond_limit", "", "the edge disagrees: 0 of 1,000"),
        (((0, 1000), (300, 1004)), OPEN, "source_misread", "edge", "cannot both be right"),
        (((0, 1000), (300, 1000), (90, 400)), FAIL, "beyond_limit", "mesh", "the edge agrees"),
        (((300, 1000), (200, 1000)), FAIL, "beyond_limit", "", "the edge agrees: 200 of 1,000"),
        (((0, 1000), (0, 20)), OPEN, "too_little_traffic", "edge", "the render disagrees"),
    ],
)
def test_two_counts_of_requests(
    pairs: Any, outcome: Outcome, code: str, by: str, says: str
) -> None:
    """Different populations: the worst counts. The same one: both cannot be right."""
    verdict = RateBelow(limit=0.01).judge(rates(*pairs))
    assert (verdict.outcome, verdict.code, verdict.by) == (outcome, code, by)
    assert says in verdict.reason


def test_counts_of_other_windows_do_not_contradict_each_other() -> None:
    """The same number of requests in another period is no proof of the same population."""
    later = rates((0, 1000), window=WINDOW.shifted(3600))["platform"]
    both = {**rates((300, 1000)), "platform@edge": _by_other(later)}
    assert RateBelow(limit=0.01).judge(both).outcome == FAIL


# --- one list against another of the same source ------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (NoNewIssue(), "issues"),
        (NoCriticalIssue(), "issues"),
        (TopKnown(top=3), "issues"),
        (EventsBelow(per_hour=5), "events"),
    ],
)
def test_an_empty_list_despite_events_of_the_same_source_does_not_pass(
    objective: Objective, name: str
) -> None:
    """Error events but no issue, or issues but no event: one of the two answers is wrong."""
    asked = Question(source="sentry", asked="x", at=AT, window=WINDOW, title="Sentry")
    empty = Listing(question=asked, what=name, items=(), about={UNLISTED: 0.0})
    assert objective.judge({name: empty}).outcome == PASS
    verdict = objective.judge({name: structs.replace(empty, about={UNLISTED: 7.0})})
    assert (verdict.outcome, verdict.code) == (OPEN, "source_misread")
    assert "Sentry also counts 7 error events" in verdict.reason


def test_a_witness_that_holds_none_now_is_absent_whatever_the_ledger_lacks() -> None:
    """An earlier reading that it never gave is no silence of its own."""
    question = Question(source="x", asked="disk", at=AT, measure="disk")
    none = Unanswered(question=question, code="no_data", reason="no disk", not_provided=True)
    ledger = Question(source="ledger", asked="disk_before", at=AT)
    before = Unanswered(question=ledger, code="baseline_absent", reason="none")
    view = providers.View({}, {"disk": none, "disk_before": before})
    assert view.absent
    assert not providers.View({}, {"disk_before": before}).absent
