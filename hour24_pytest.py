"""pytest's entry point: activates hour24.plugin in the folders that use it.

Rules of this module:

- It is the only file of hour24 that every pytest run imports, so it imports nothing that pytest has
  not loaded already.
- It activates hour24.plugin only in a folder that ``hour24 init`` could have written.
- pytest reads pytest.ini before it knows our options: in ``--target /etc/hour24/x.toml`` it takes
  the path for a test path and misses pytest.ini. Such a run is handed to a second
  :func:`pytest.main` with ``--target=/etc/hour24/x.toml``.
- pytest rewrites the assertions of a whole distribution that has an entry point. hour24's modules
  have no assertions to explain, so the usual import system loads them, PYTEST_DONT_REWRITE.

Source: ``_pytest/config/__init__.py``, ``Config.parse`` and ``_mark_plugins_for_rewrite``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import pytest

PLUGIN = "hour24.plugin"
PATH_OPTIONS = (
    "--target", "--reports", "--rehearsal-at", "--watch", "--follows", "--t0", "--fault"
)  # fmt: skip


class WithoutRewriting:
    """A finder that loads hour24's modules by the usual import system, not by pytest's."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        ours = name.partition(".")[0] == "hour24"
        return PathFinder.find_spec(name, path, target) if ours else None


def is_used_in(folder: Path) -> bool:
    """True if this folder has hour24's production.toml and criteria."""
    return (folder / "production.toml").is_file() and (folder / "tests_prod").is_dir()


def joined(arguments: Sequence[str]) -> list[str]:
    """These arguments, with each value of a path option joined to its option by ``=``."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] in PATH_OPTIONS:
            result[-1] = f"{result[-1]}={argument}"
        else:
            result.append(argument)
    return result


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    """Activate hour24.plugin in a folder that uses it."""
    config = pluginmanager.get_plugin("pytestconfig")
    folder = Path(config.invocation_params.dir)
    if not is_used_in(folder) and not is_used_in(config.rootpath):
        return
    if not any(finder is WithoutRewriting for finder in sys.meta_path):
        sys.meta_path.insert(0, WithoutRewriting)
    if pluginmanager.get_plugin(PLUGIN) is None:  # -p hour24.plugin came first
        pluginmanager.register(import_module(PLUGIN), PLUGIN)
    given = [str(argument) for argument in config.invocation_params.args]
    ini = folder / "pytest.ini"
    if is_used_in(folder) and ini.is_file() and config.inipath != ini and joined(given) != given:
        pluginmanager.register(Again(joined(given)))


class Again:
    """Runs pytest again with arguments that do not lead it away from pytest.ini."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        early_config.known_args_namespace.noconftest = True  # the second run loads them

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> Any:
        return pytest.main(self.arguments)
