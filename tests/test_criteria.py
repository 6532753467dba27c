"""Every criterion is complete, and its id is written in one module."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import structs

import hour24.objectives  # noqa: F401  registers every objective
from hour24.checkpoint.questions import QUESTIONS
from hour24.config.production import Production
from hour24.criteria import CRITERIA, DAILY, EIGHT, daily, database, errors, known, process, signoff
from hour24.criteria.criterion import HELD, Criterion, Judge, Proof
from hour24.errors import ConfigurationError
from hour24.objectives.base import _BY_NAME, defaults
from hour24.rehearsal.faults import parse_faults
from hour24.report.kinds import KINDS
from hour24.watch import CHECKPOINTS
from hour24.witnesses import registry

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
EVERY = [*CRITERIA.values(), *daily.CRITERIA]


def of_tests_prod() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Id -> the test in tests_prod/ that is this criterion."""
    for path in sorted((ROOT / "tests_prod").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                (mark,) = node.decorator_list
                assert isinstance(mark, ast.Call)
                assert isinstance(mark.args[0], ast.Constant)
                yield str(mark.args[0].value), node


TESTS = dict(of_tests_prod())
MEASURES = {
    keyword.arg
    for node in ast.walk(TESTS["BASELINE-RECORDED"])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "taken"
    for keyword in node.keywords
}
"""Measures that hour 0 takes, by name."""


def problems(one: Criterion) -> Iterator[str]:
    """The missing and wrong parts of this criterion; empty when it is complete."""
    for field in ("sentence", "group", "means"):
        if not getattr(one, field):
            yield f"{field}: expected a text, got none"
    if not set(one.hours) <= set(CHECKPOINTS) or not (one.hours or one.daily):
        yield f"hours: expected some of {CHECKPOINTS}, got {one.hours}"
    yield from _questions(one)
    yield from _judges(one)
    yield from _others(one)
    if bool(one.chart) == bool(one.no_chart):
        yield "chart: expected one, or the reason why there is none"
    if one.chart and one.chart not in KINDS:
        yield f"chart: expected a module of hour24/report/kinds, got {one.chart}"
    yield from _proof(one)


def _questions(one: Criterion) -> Iterator[str]:
    test = TESTS.get(one.id)
    if test is None:
        yield "test: expected one in tests_prod/, got none"
        return
    if " ".join((ast.get_docstring(test) or "").split()) != one.sentence:
        yield "test: docstring: expected the sentence"
    takes = tuple(arg.arg for arg in test.args.args if arg.arg in QUESTIONS)
    if one.asks != takes:
        yield f"asks: expected what its test takes, {takes}, got {one.asks}"
    if not set(one.needs) <= set(one.asks):
        yield f"needs: expected some of what it asks, got {one.needs}"


def _judges(one: Criterion) -> Iterator[str]:
    if not one.judges:
        yield "judges: expected an objective, got none"
    for judge in one.judges:
        objective = _BY_NAME.get(judge.objective)
        if objective is None:
            yield f"judges: expected the name of an objective, got {judge.objective}"
            continue
        fields = {field.encode_name for field in msgspec.structs.fields(objective)}
        for field in {*judge.limits, *judge.limits_at_0, *judge.fixed, *judge.configured} - fields:
            yield f"judges: {judge.objective}: expected one of its fields, got {field}"


def _others(one: Criterion) -> Iterator[str]:
    for name in (*one.rests_on, *filter(None, [one.settles])):
        if name not in CRITERIA:
            yield f"rests_on, settles: expected the id of a criterion, got {name}"
    if (one.id in EIGHT) != bool(one.rests_on):
        yield f"rests_on: expected criteria of the sign-off's alone, got {one.rests_on}"
    if one.settles in CRITERIA:
        whole, part = one.judges[0].objective, CRITERIA[one.settles].judges[0].objective
        if whole != part:
            yield f"settles: expected a criterion that {whole} judges, got {part}"
    for measure in set(one.baseline) - MEASURES:
        yield f"baseline: expected what hour 0 takes, got {measure}"


def _proof(one: Criterion) -> Iterator[str]:
    if not one.hours:
        return  # daily only: no checkpoint of a rehearsal runs it
    if one.proof is None:
        yield "proof: expected a fault and a silence, got none"
        return
    for what, faults in (("fault", one.proof.faults), ("silence", one.proof.silence)):
        try:
            if not parse_faults(faults):
                yield f"proof: {what}: expected one, got none"
        except ConfigurationError as problem:
            yield f"proof: {what}: {problem}"
    for hour in (one.proof.failing[-1], one.proof.silent[-1]):
        if hour not in one.hours:
            yield f"proof: expected one of its hours {one.hours}, got {hour}"


@pytest.mark.parametrize("criterion", EVERY, ids=lambda one: one.id)
def test_each_criterion_is_complete(criterion: Criterion) -> None:
    """No part is missing, and every name in it exists."""
    assert list(problems(criterion)) == []


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (structs.replace(errors.RATE, proof=None), "proof: expected a fault and a silence"),
        (
            structs.replace(errors.RATE, proof=Proof(faults=(), silence=("no_prober",))),
            "proof: fault: expected one, got none",
        ),
        (
            structs.replace(errors.RATE, proof=Proof(faults=("restart",), silence=())),
            "proof: silence: expected one, got none",
        ),
        (
            structs.replace(errors.RATE, proof=Proof(faults=("rstart",), silence=("restart",))),
            "proof: fault: fault: expected a name of the table, got 'rstart'",
        ),
        (structs.replace(process.MEMORY, chart=""), "chart: expected one, or the reason"),
        (
            structs.replace(process.MEMORY, chart="memry"),
            "chart: expected a module of hour24/report/kinds, got memry",
        ),
        (structs.replace(errors.RATE, chart="events"), "chart: expected one, or the reason"),
        (structs.replace(errors.RATE, asks=("responses",)), "asks: expected what its test takes"),
        (structs.replace(errors.RATE, judges=()), "judges: expected an objective, got none"),
        (
            structs.replace(errors.RATE, judges=(Judge(objective="RateBelwo"),)),
            "judges: expected the name of an objective, got RateBelwo",
        ),
        (
            structs.replace(
                errors.RATE, judges=(Judge(objective="RateBelow", limits={"limt": 0.01}),)
            ),
            "judges: RateBelow: expected one of its fields, got limt",
        ),
        (structs.replace(errors.RATE, sentence=""), "sentence: expected a text, got none"),
        (structs.replace(database.SIZE, baseline=("disc",)), "baseline: expected what hour 0"),
        (structs.replace(signoff.JOBS, rests_on=("JOBS",)), "rests_on, settles: expected the id"),
        (structs.replace(signoff.JOBS, rests_on=()), "rests_on: expected criteria of the sign-off"),
        (
            structs.replace(signoff.JOBS, settles=errors.RATE.id),
            "settles: expected a criterion that BeatsKept judges, got RateBelow",
        ),
    ],
)
def test_a_missing_or_wrong_part_is_named(broken: Criterion, says: str) -> None:
    """The failure names the missing part of the criterion."""
    assert any(problem.startswith(says) for problem in problems(broken)), list(problems(broken))


def test_each_criterion_has_one_test_in_tests_prod() -> None:
    """Each test there is a criterion of hour24, too."""
    assert set(TESTS) == {one.id for one in EVERY}


def test_what_later_checkpoints_compare_with_is_taken_at_hour_0() -> None:
    """Each measure of the baseline is used by some criterion, except the control address."""
    needed = {measure for one in EVERY for measure in one.baseline}
    assert needed == MEASURES - {"control"}


def test_the_daily_run_contains_what_is_marked_daily() -> None:
    """It includes criteria of the checkpoints and its own."""
    assert set(DAILY) == {one.id for one in EVERY if one.daily}
    assert known(daily.LEVEL.id) is daily.LEVEL


def test_an_id_is_written_in_one_module() -> None:
    """Every other module of the package imports the value."""
    ids = sorted((one.id for one in EVERY), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(ids)})(?![\w-])")
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in docstrings:
                for match in pattern.finditer(str(node.value)):
                    found[match.group()].add(str(path.relative_to(ROOT)))
    assert {name: sorted(paths) for name, paths in found.items() if len(paths) > 1} == {}
    assert all(path.startswith("hour24/criteria/") for paths in found.values() for path in paths)
    assert set(found) == set(ids)


def _given(test: ast.FunctionDef, judge: Judge) -> Iterator[ast.keyword]:
    """The keyword arguments that a test in tests_prod/ passes to this objective."""
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == judge.objective:
            yield from node.keywords


@pytest.mark.parametrize("criterion", EVERY, ids=lambda one: one.id)
def test_the_limits_in_tests_prod_are_those_of_the_criterion(criterion: Criterion) -> None:
    """The limits in tests_prod/ are the judged ones; those of hour 0 follow the ``else``."""
    for judge in criterion.judges:
        given = {each.arg: each.value for each in _given(TESTS[criterion.id], judge)}
        for field, limit in judge.limits.items():
            assert field in given, f"{judge.objective}: {field}: expected in tests_prod, got none"
            later, first = given[field], given[field]
            if isinstance(later, ast.IfExp):
                assert ast.unparse(later.test) == "checkpoint.hour"
                later, first = later.body, later.orelse
            elif field in judge.limits_at_0:
                pytest.fail(f"{field}: expected the limit of hour 0 too")
            assert ast.literal_eval(later) == limit
            assert ast.literal_eval(first) == judge.limits_at_0.get(field, limit)


@pytest.mark.parametrize("criterion", EVERY, ids=lambda one: one.id)
def test_a_limit_is_written_once(criterion: Criterion) -> None:
    """No objective has a default for a limit of the criterion; the sentence states each number."""
    for judge in criterion.judges:
        own = defaults(judge.objective)
        assert not set(judge.limits) & set(own), "expected no default that repeats the limit"
        assert set(judge.fixed) <= set(own)
        if judge.objective != HELD and judge.subject is None:
            for limit in judge.limits.values():
                assert {*written(limit)} & {*criterion.sentence.split()}, (
                    limit,
                    criterion.sentence,
                )


@pytest.mark.parametrize("criterion", EVERY, ids=lambda one: one.id)
def test_the_defaults_of_production_toml_are_those_of_the_sentence(
    criterion: Criterion,
) -> None:
    """The sentence, the section's default and the objective's default are one number."""
    for judge in criterion.judges:
        for field, key_path in judge.configured.items():
            default = section_default(key_path)
            assert defaults(judge.objective)[field] == default, (field, key_path)
            if key_path not in WORDED:
                words = re.split(r"[\s,;()]+", criterion.sentence)
                assert {*written(default)} & {*words}, (default, criterion.sentence)


WORDED = {"health.fresh_s", "health.vantages_needed"}
"""Limits that the sentence states in words: a fresh timestamp; one vantage, by saying nothing."""


def written(limit: float) -> tuple[str, ...]:
    """The ways in which a sentence may write this number."""
    return (
        f"{limit:g}",
        f"{100 * limit:g}",
        f"({limit:g}",
        f"p{100 * limit:g}",
        WORDS.get(limit, ""),
    )


WORDS: dict[float, str] = {3: "three"}


def section_default(key_path: str) -> float:
    """The default of a key of production.toml: ``memory.max_share``."""
    section, _, key = key_path.partition(".")
    fields = {field.name: field.type for field in msgspec.structs.fields(Production)}
    if section in fields:
        types = (*get_args(fields[section]), fields[section])
        struct = next(one for one in types if isinstance(one, type(Production)))
    else:
        struct = registry.described((section,), {})[section].at
    return float({each.name: each.default for each in msgspec.structs.fields(struct)}[key])
