"""What other pytest plugins and options may do to a checkpoint, and what they may not.

Rules of this module:

- What cannot work is refused in one line, before a watch is opened or an attempt spent.
- A criterion runs once in a checkpoint, whichever plugin runs the tests: its questions are asked
  once, so that a rerun could only repeat the verdict.
- A warning of another plugin is no error while a checkpoint runs.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator

import pytest
from _pytest import main, mark, runner

NEEDED = {"timeout": "pytest_timeout", "metadata": "pytest_metadata.plugin"}
BESIDE = {"html": "pytest_html.plugin"}
"""Plugins by the names under which their entry points register them."""

REFUSED = {
    "numprocesses": ("-n", "one process, which asks side by side by itself"),
    "tx": ("--tx", "one process, which asks side by side by itself"),
    "setuponly": ("--setup-only", "the criteria to run"),
    "disable_socket": ("--disable-socket", "the network, which the criteria measure"),
    "allow_hosts": ("--allow-hosts", "the network, which the criteria measure"),
}
"""Options of pytest and its plugins with which no checkpoint can be had: flag, and why."""


def load_needed(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugins a checkpoint needs where pytest was told to load none by itself."""
    off = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    given = getattr(pluginmanager.get_plugin("pytestconfig"), "known_args_namespace", None)
    if not off and not getattr(given, "disable_plugin_autoload", False):
        return
    for name, module in (*NEEDED.items(), *BESIDE.items()):
        if pluginmanager.has_plugin(name) or pluginmanager.is_blocked(name):
            continue
        try:
            plugin = importlib.import_module(module)
        except ImportError:
            continue
        if not pluginmanager.is_registered(plugin):
            pluginmanager.register(plugin, name)


def refused(config: pytest.Config) -> Iterator[str]:
    """Why no checkpoint can be run with these options, a line each; nothing when it can."""
    option = config.option
    yield from _misplaced(config)
    for name, (flag, expected) in REFUSED.items():
        value = getattr(option, name, None)
        if value not in (None, 0, False, []):
            got = "" if value is True else f" {value}"
            yield f"{flag}: expected {expected}, got {flag}{got}"
    if not config.pluginmanager.has_plugin("timeout"):
        yield "-p: expected the plugin pytest-timeout, which ends a test that hangs, got none"
        return
    method = getattr(option, "timeout_method", None) or config.getini("timeout_method")
    if method == "thread":
        yield (
            "--timeout-method: expected signal, got thread, which ends the process and leaves no "
            "record"
        )


def _misplaced(config: pytest.Config) -> Iterator[str]:
    """Why pytest does not know which tests are the criteria; nothing when it does."""
    if config.args_source is not pytest.Config.ArgsSource.INVOCATION_DIR:
        return
    folder = config.invocation_params.dir
    if getattr(config.option, "rootdir", None):
        yield f"--rootdir: expected the folder of pytest.ini ({folder}), got {config.rootpath}"
    elif getattr(config.option, "inifilename", None):
        yield (
            f"-c: expected the settings that name the criteria ({folder / 'pytest.ini'}), "
            f"got {config.option.inifilename}"
        )


def allow_warnings(config: pytest.Config) -> None:
    """Turn warnings that are errors by pytest's settings into warnings, for the whole run.

    Filters are the process's, not a thread's: a library's or a plugin's warning must not end a
    question, nor the run. Nor may it for the moment in which pytest has set "error" and not yet
    what comes after it.
    """
    settings = config.getini("filterwarnings")
    for given in (settings, config.known_args_namespace.pythonwarnings or []):
        given[:] = [each for each in given if not each.strip().startswith("error")]
    config.addinivalue_line("filterwarnings", "default")
    config.addinivalue_line("filterwarnings", "ignore:SOCKS support in urllib3")
    warnings.simplefilter("default")
    warnings.filterwarnings("ignore", "SOCKS support in urllib3")


def select(items: list[pytest.Item], config: pytest.Config) -> None:
    """Select by -m, -k and --deselect; twice selects no other items."""
    main.pytest_collection_modifyitems(items, config)
    mark.pytest_collection_modifyitems(items, config)


def once(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """(the items without repeats, the repeats that another plugin made of them).

    Raises: pytest.UsageError, when a test's own mark would end the process.
    """
    kept: dict[object, pytest.Item] = {}
    repeats: list[pytest.Item] = []
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and "thread" in (*limit.args, *limit.kwargs.values()):
            raise pytest.UsageError(
                f"{item.nodeid}: timeout: expected the method signal, got thread, which ends the "
                "process and leaves no record"
            )
        key = _identity(item)
        if key in kept:
            repeats.append(item)
        else:
            kept[key] = item
    return list(kept.values()), repeats


def _identity(item: pytest.Item) -> object:
    """The test and its own parameters, without those that another plugin added to repeat it."""
    if not isinstance(item, pytest.Function):
        return item.nodeid
    info = item._fixtureinfo
    own: set[str] = set()
    ahead = list(info.initialnames)
    while ahead:
        name = ahead.pop()
        if name not in own:
            own.add(name)
            for definition in info.name2fixturedefs.get(name, ()):
                ahead += definition.argnames
    given = item.callspec.params if hasattr(item, "callspec") else {}
    parameters = sorted((name, id(value)) for name, value in given.items() if name in own)
    return (item.path, item.cls, item.originalname, tuple(parameters))


class OneRun:
    """The hooks with which pytest itself runs the criteria, each once.

    They come first, so that no plugin that reruns, repeats or forks tests gets its turn.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        return main.pytest_runtestloop(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        return runner.pytest_runtest_protocol(item, nextitem)
