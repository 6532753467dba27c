"""Which pytest plugins and options a checkpoint accepts, and which it refuses.

Rules of this module:

- Options that cannot work are refused in one line, before a watch is opened or an attempt counted.
- A criterion runs once per checkpoint, whichever plugin runs the tests: its questions are asked
  once, so a rerun would only repeat the verdict.
- A warning of another plugin is not an error while a checkpoint runs.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator

import pytest
from _pytest import main, mark, runner

NEEDED = {"timeout": "pytest_timeout", "metadata": "pytest_metadata.plugin"}
OPTIONAL = {"html": "pytest_html.plugin"}
"""Plugins by the names under which their entry points register them."""

REFUSED = {
    "numprocesses": ("-n", "one process, which asks in parallel by itself"),
    "tx": ("--tx", "one process, which asks in parallel by itself"),
    "setuponly": ("--setup-only", "the criteria to run"),
    "disable_socket": ("--disable-socket", "the network, which the criteria measure"),
    "allow_hosts": ("--allow-hosts", "the network, which the criteria measure"),
}
"""Options of pytest and its plugins that a checkpoint refuses: flag, and what it needs instead."""


ALLOWED = ("default", "ignore:SOCKS support in urllib3")
"""Filters of a checkpoint; pytest sets the last one before all others."""


def load_needed(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugins that a checkpoint needs if pytest does not load plugins by itself."""
    off = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    given = getattr(pluginmanager.get_plugin("pytestconfig"), "known_args_namespace", None)
    if not off and not getattr(given, "disable_plugin_autoload", False):
        return
    for name, module in (*NEEDED.items(), *OPTIONAL.items()):
        if pluginmanager.has_plugin(name) or pluginmanager.is_blocked(name):
            continue
        try:
            plugin = importlib.import_module(module)
        except ImportError:
            continue
        if not pluginmanager.is_registered(plugin):
            pluginmanager.register(plugin, name)


def refusals(config: pytest.Config) -> Iterator[str]:
    """Yields why these options are refused, one line each."""
    option = config.option
    yield from _wrong_folder(config)
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


def _wrong_folder(config: pytest.Config) -> Iterator[str]:
    """Yields why pytest cannot find the criteria."""
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
    """Keep warnings from becoming errors for the whole run.

    Filters belong to the process, not to a thread, and a warning in a library or plugin must end
    neither a question nor the run: an import that fails in one thread fails in all that wait for
    it. Call it again when a plugin or conftest.py may have added a filter since.
    """
    settings = config.getini("filterwarnings")
    for given in (settings, config.known_args_namespace.pythonwarnings or []):
        given[:] = [each for each in given if each not in ALLOWED and not _is_error(each)]
    for each in ALLOWED:
        config.addinivalue_line("filterwarnings", each)
    warnings.simplefilter("default")
    warnings.filterwarnings("ignore", "SOCKS support in urllib3")


def allow_warnings_of(items: list[pytest.Item]) -> None:
    """Remove the marks with which a test would make every thread's warnings errors."""
    for node in {id(node): node for item in items for node in item.listchain()}.values():
        node.own_markers[:] = [
            each
            for each in node.own_markers
            if each.name != "filterwarnings" or not any(map(_is_error, each.args))
        ]


def _is_error(setting: object) -> bool:
    return str(setting).strip().startswith("error")


def select(items: list[pytest.Item], config: pytest.Config) -> None:
    """Select by -m, -k and --deselect; a second call changes nothing."""
    main.pytest_collection_modifyitems(items, config)
    mark.pytest_collection_modifyitems(items, config)


def split_repeats(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Returns (the items without repeats, the repeats that another plugin added).

    Raises: pytest.UsageError, if a timeout mark of a test would end the process.
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
    """Returns the test and its own parameters, excluding those a plugin added to repeat it."""
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
    """Runs each criterion once, with pytest's own hooks.

    They come first, so that plugins that rerun, repeat or fork tests have no effect.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        return main.pytest_runtestloop(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        return runner.pytest_runtest_protocol(item, nextitem)
