"""The pytest plugin: selects a checkpoint, runs its criteria, and leaves the record.

Rules of this package:

- The only package that imports pytest.
- Without an hour in ``-m`` and without collected criteria it does nothing.
- Everything but a verdict is INCONCLUSIVE: a skip, an xfail, a plain assertion, a bug in hour24, a
  test that never ran. pytest, and every tool that does not know our outcomes, sees "failed" for all
  outcomes but PASS and NOT_APPLICABLE.
- At the end the record is written first.
- An exception in another plugin costs neither a check nor the record: it becomes a note.
- What only a checkpoint needs is imported when one opens: ``--collect-only`` stays fast.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hour24.errors import ConfigurationError, LedgerError, LedgerLocked
from hour24.plugin.compatibility import (
    OneRun,
    allow_warnings,
    allow_warnings_of,
    load_needed,
    refusals,
    select,
)
from hour24.plugin.exits import EXIT_LOCKED, EXIT_NOT_WRITTEN
from hour24.plugin.fixtures import (
    CHECKPOINT,
    ask,
    checkpoint,
    conclude,
    endpoints,
    production,
    questions,
    standings,
    taken,
)
from hour24.plugin.marking import DAILY_MARKER, OWN, criterion
from hour24.watch import CHECKPOINTS

if TYPE_CHECKING:
    from hour24.checkpoint.run import Run
    from hour24.plugin.running import CheckpointPlugin

__all__ = [
    "OWN",
    "ask",
    "checkpoint",
    "conclude",
    "criterion",
    "endpoints",
    "production",
    "standings",
    "taken",
]

TARGET_HELP = (
    "a production.toml, a pattern such as 'services/*.toml' for one run a file, or the word "
    "rehearsal (default: that of --watch, or production.toml)"
)
DISPLAY_OPTIONS = (
    "collectonly",
    "showfixtures",
    "show_fixtures_per_test",
    "setupplan",
    "help",
    "markers",
)
"""Options with which pytest only displays something and runs no test."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    load_needed(pluginmanager)
    group = parser.getgroup("hour24", "hour24: the 24 hours before launch")
    add = group.addoption
    add("--target", default=None, help=TARGET_HELP)
    add("--watch", default="", metavar="NAME", help="the watch (default: the open one)")
    add("--reports", default="reports", metavar="DIR", help="folder of the watches")
    add("--t0", default=None, metavar="ISO", help="when the 24 hours begin (default: now)")
    add("--early", action="store_true", help="run before the due time; does not count")
    add("--once", action="store_true", help="refuse an hour that is recorded already (exit 13)")
    add("--follows", default="", metavar="NAME", help="open a new watch that follows this one")
    add("--seed", type=int, default=None, help="random seed of the rehearsal (default: 1)")
    add("--fault", action="append", default=[], metavar="NAME@HOUR", help="fault of the rehearsal")
    add("--rehearsal-at", default=None, metavar="FILE", help="state file of a running rehearsal")
    add(
        "--ask-only",
        action="store_true",
        help="ask what exists only now, and keep the answers for a run that comes late",
    )
    add("--clock-offset", type=float, default=None, help=argparse.SUPPRESS)
    add(
        "--hard-limit",
        type=float,
        default=None,
        metavar="SECONDS",
        help="end a run that hangs after this time",
    )


def _selected_markers(config: pytest.Config) -> list[str]:
    """Returns the markers in ``-m``: ``hour8``, ``daily``."""
    named = set(re.findall(r"\bhour\d+\b|\bdaily\b", config.option.markexpr or ""))
    return sorted(named, key=lambda name: (len(name), name))


def _list_markers() -> str:
    return ", ".join([*(f"hour{hour}" for hour in CHECKPOINTS), DAILY_MARKER])


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run each service on its own where --target is a pattern for several files."""
    target = str(config.option.target or "")
    if not any(each in target for each in "*?[") or _displays(config):
        return None
    from hour24.plugin.several import run_each

    return run_each(config, target)


def _displays(config: pytest.Config) -> bool:
    """Returns whether pytest only displays something."""
    return any(getattr(config.option, name, False) for name in DISPLAY_OPTIONS)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for hour in CHECKPOINTS:
        config.addinivalue_line("markers", f"hour{hour}: the checkpoint {hour} h after T0")
    config.addinivalue_line(
        "markers", f"{DAILY_MARKER}: the daily checks in the week after the watch"
    )
    config.addinivalue_line("markers", "criterion(id): the criterion that this test implements")
    config.pluginmanager.register(questions(), "hour24-questions")
    selected = _selected_markers(config)
    if _displays(config):
        return
    if not selected:
        if re.search("hour|daily", config.option.markexpr or "", re.IGNORECASE):
            raise pytest.UsageError(
                f"-m: expected one of {_list_markers()}, got {config.option.markexpr!r}"
            )
        return
    if len(selected) > 1:
        names = " or ".join(selected)
        raise pytest.UsageError(f"-m: expected one checkpoint, got {names}; run them one by one")
    if selected[0] not in (DAILY_MARKER, *(f"hour{hour}" for hour in CHECKPOINTS)):
        raise pytest.UsageError(f"-m: expected one of {_list_markers()}, got {selected[0]}")
    if wrong := next(refusals(config), ""):
        raise pytest.UsageError(wrong)
    allow_warnings(config)
    if config.option.target is None:
        config.option.target = _remembered_target(config)
    if config.option.verbose >= 0:  # opening takes seconds; say at once what is starting
        print(f"hour24: starting {selected[0]}, target {config.option.target}", flush=True)  # noqa: T201
    if selected[0] != DAILY_MARKER and not config.option.ask_only:
        from hour24.plugin.again import ask_again

        for line in ask_again(config.option, int(selected[0].removeprefix("hour"))):
            print(line, flush=True)  # noqa: T201
    plugin = _open(config, selected[0])
    _register(config, plugin)


def _remembered_target(config: pytest.Config) -> str:
    """Returns the target of the watch that --watch names, or production.toml."""
    from hour24.ledger.book import Ledger
    from hour24.targets.request import TARGET

    option = config.option
    try:
        known = Ledger.find(Path(option.reports), option.watch) if option.watch else None
        return TARGET if known is None else known.genesis.target
    except (LedgerError, OSError):  # opening it says what is wrong
        return TARGET


def _register(config: pytest.Config, plugin: CheckpointPlugin) -> None:
    from hour24.plugin.companion import Companion
    from hour24.plugin.guards import Shield, scrub_debug

    config.pluginmanager.register(plugin, CHECKPOINT)
    if not plugin.run.keeps:
        config.pluginmanager.register(Companion(plugin.run), "hour24-companion")
    config.pluginmanager.register(Shield(plugin.run), "hour24-shield")
    scrub_debug(config, plugin.run.redactor.text)
    config.pluginmanager.register(OneRun(), "hour24-one-run")


def _open(config: pytest.Config, selected: str) -> CheckpointPlugin:
    from hour24.checkpoint.notify import heartbeat
    from hour24.checkpoint.opening import begin, open_keeping, open_run
    from hour24.plugin.running import CheckpointPlugin
    from hour24.targets.request import Request, read_time

    option = config.option
    run: Run
    try:
        request = Request(
            marker=selected,
            target=option.target,
            reports=Path(option.reports),
            watch=option.watch,
            t0=read_time(option.t0, "--t0") if option.t0 else None,
            early=option.early,
            follows=option.follows,
            seed=option.seed,
            faults=tuple(option.fault),
            rehearsal_at=Path(option.rehearsal_at) if option.rehearsal_at else None,
            once=option.once,
        )
        offset = option.clock_offset
        run = open_keeping(request, offset) if option.ask_only else open_run(request)
    except ConfigurationError as problem:
        raise pytest.UsageError("\n       ".join(problem.problems)) from None
    except LedgerLocked as problem:
        pytest.exit(str(problem), returncode=EXIT_LOCKED)
    except LedgerError as problem:
        pytest.exit(str(problem), returncode=EXIT_NOT_WRITTEN)
    if not run.keeps:
        begin(run)
        heartbeat(run, "start")
    option.continue_on_collection_errors = True
    option.tbstyle = "short"
    option.showlocals = False
    if (
        getattr(option, "htmlpath", "-") is None and not run.keeps
    ):  # without pytest-html there is no such option
        option.htmlpath = str(run.file(".pytest.html"))
        option.self_contained_html = True
    return CheckpointPlugin(config, run)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.pluginmanager.has_plugin(CHECKPOINT):
        allow_warnings(session.config)  # a conftest.py is configured after us


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    collected = list(items)
    plugin = config.pluginmanager.get_plugin(CHECKPOINT)
    try:
        yield
    except Exception as problem:
        if plugin is None or isinstance(problem, pytest.UsageError):
            raise
        plugin.run.notes.append(f"another plugin failed: {type(problem).__name__}: {problem}")
        select(items, config)
    if any(getattr(config.option, name, False) for name in DISPLAY_OPTIONS):
        return
    if plugin is not None:
        allow_warnings(config)
        allow_warnings_of(items)
        plugin.check_selection(collected, items)
    elif any(item.get_closest_marker("criterion") for item in items):
        raise pytest.UsageError(
            "-m: expected one checkpoint, got none; choose it with `pytest -m hour8` "
            f"(one of {_list_markers()})"
        )
