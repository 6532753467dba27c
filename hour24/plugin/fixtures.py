"""What a criterion may ask for by name: the questions, and the way to a verdict."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from hour24.ledger.record import Judged
from hour24.plugin.marking import criterion_of

CHECKPOINT = "hour24-checkpoint"
"""Under this name the running checkpoint's plugin is registered."""
VERDICTS = pytest.StashKey[list[Judged]]()
"""What a test's ``conclude`` found."""


def _run_of(request: pytest.FixtureRequest) -> Any:
    plugin = request.config.pluginmanager.get_plugin(CHECKPOINT)
    if plugin is None:
        raise RuntimeError("hour24: expected a checkpoint to be running")
    return plugin.run


@pytest.fixture
def checkpoint(request: pytest.FixtureRequest) -> Any:
    """The :class:`~hour24.watch.Checkpoint` that is being run."""
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
    """How every criterion stands at every checkpoint, this run's verdicts so far included."""
    return _run_of(request).standings()


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Any:
    """Questions of one's own: ``ask.json(url, pointer)``, ``ask.sql(query)``."""
    from hour24.checkpoint.asked import Ask

    return Ask(_run_of(request).asking())


@pytest.fixture
def taken(request: pytest.FixtureRequest) -> Any:
    """``taken(name=answer, ...)``: the baseline's evidence, and which measures were taken."""
    run = _run_of(request)
    return lambda **answers: run.taken(answers)


@pytest.fixture
def conclude(request: pytest.FixtureRequest) -> Any:
    """``conclude(objective, name=evidence, ..., subject="")``: judge, and keep the verdict."""
    run, item = _run_of(request), request.node
    began = time.perf_counter()

    def conclude(objective: Any, *, subject: str = "", **evidence: Any) -> None:
        took_s = time.perf_counter() - began
        judged = run.conclude(criterion_of(item), objective, evidence, subject, took_s)
        item.stash.setdefault(VERDICTS, []).append(judged)

    return conclude


def questions() -> object:
    """An object with one fixture for each question."""
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
