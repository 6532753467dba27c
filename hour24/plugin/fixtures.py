"""The fixtures of a criterion: the questions, and ``conclude``."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from hour24.plugin.marking import criterion_of

if TYPE_CHECKING:
    from hour24.ledger.record import Judged

CHECKPOINT = "hour24-checkpoint"
"""The name under which the running checkpoint's plugin is registered."""
VERDICTS: pytest.StashKey[list[Judged]] = pytest.StashKey()
"""The verdicts of a test's ``conclude``."""


def _run_of(request: pytest.FixtureRequest) -> Any:
    plugin = request.config.pluginmanager.get_plugin(CHECKPOINT)
    if plugin is None:
        raise RuntimeError("hour24: expected a running checkpoint, got none")
    return plugin.run


@pytest.fixture
def checkpoint(request: pytest.FixtureRequest) -> Any:
    """The running :class:`~hour24.watch.Checkpoint`."""
    return _run_of(request).checkpoint


@pytest.fixture
def production(request: pytest.FixtureRequest) -> Any:
    """The :class:`~hour24.config.Production` under watch."""
    return _run_of(request).production


@pytest.fixture
def endpoints(production: Any) -> Any:
    """Name -> :class:`~hour24.config.Endpoint`."""
    return production.endpoints


@pytest.fixture
def standings(request: pytest.FixtureRequest) -> Any:
    """The standing of every criterion at every checkpoint, this run's verdicts included."""
    return _run_of(request).standings()


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Any:
    """Questions of your own: ``ask.json(url, pointer)``, ``ask.sql(query)``."""
    from hour24.checkpoint.custom import Ask

    run = _run_of(request)
    return Ask(run.get_inquiry(), *((run.keep_own,) if run.keeps else ()))


@pytest.fixture
def taken(request: pytest.FixtureRequest) -> Any:
    """``taken(name=answer, ...)``: the baseline's evidence, and which measures are complete."""
    run = _run_of(request)
    return lambda **answers: run.collect_baseline(answers)


@pytest.fixture
def conclude(request: pytest.FixtureRequest) -> Any:
    """``conclude(objective, name=evidence, ..., subject="")``: judges and records the verdict."""
    run, item = _run_of(request), request.node
    began = time.perf_counter()

    def conclude(objective: Any, *, subject: str = "", **evidence: Any) -> None:
        took_s = time.perf_counter() - began
        judged = run.conclude(criterion_of(item), objective, evidence, subject, took_s)
        item.stash.setdefault(VERDICTS, []).append(judged)

    return conclude


def questions() -> object:
    """Returns an object with one fixture per question."""
    from hour24.checkpoint.questions import QUESTIONS

    def fixture(name: str) -> Any:
        def asked(self: object, request: pytest.FixtureRequest) -> Any:
            run = _run_of(request)
            if not run.applies(criterion_of(request.node).id):
                return None
            answer = run.answer(name)
            if QUESTIONS[name].each and not isinstance(answer, Mapping):
                return defaultdict(lambda: answer)
            return answer

        asked.__doc__ = QUESTIONS[name].ask.__doc__ or f"What {name} answered."
        return pytest.fixture(name=name)(asked)

    return type("Questions", (), {name: fixture(name) for name in QUESTIONS})()
