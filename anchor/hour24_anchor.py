"""Where pytest looks for its settings, when an option of ours is given a path.

Rules of this module:

- pytest reads its ini file before it knows our options, so in ``--target /etc/hour24/x.toml`` it
  takes the path for a place to look for tests, and finds neither pytest.ini nor us. Installed as
  an entry point, this is loaded all the same, and starts pytest again with ``--target=...``.
- Only where the folder it was started in is a checkout of this project, and only once.

Source: ``_pytest/config/__init__.py``, ``Config.parse``: ``determine_setup`` comes before plugins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OURS = ("--target", "--reports", "--rehearsal-at", "--watch", "--follows", "--t0", "--fault")


def pytest_addoption(parser: Any, pluginmanager: Any) -> None:
    """Start again, if a path of ours led pytest elsewhere; before it captures our output."""
    config = pluginmanager.get_plugin("pytestconfig")
    given = config.invocation_params
    arguments = restarted(Path(given.dir), config.inipath, list(map(str, given.args)))
    if arguments is not None and "pytest" in Path(sys.argv[0]).parts[-2:]:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606


def restarted(folder: Path, inipath: Path | None, arguments: Sequence[str]) -> list[str] | None:
    """What to start pytest with again; none when it found what it needs.

    Args:
        folder: where pytest was started.
        inipath: the settings it found.
        arguments: what was typed behind ``pytest``.
    """
    wanted = folder / "pytest.ini"
    if inipath == wanted or not wanted.is_file() or not (folder / "hour24" / "plugin").is_dir():
        return None
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in OURS:
            joined[-1] = f"{joined[-1]}={argument}"
        else:
            joined.append(argument)
    return joined if joined != list(arguments) else None
