"""Whom a checkpoint waits for, told while it waits."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

PATIENCE_S = 5.0
"""So long a run may be silent where its lines are kept."""


class WaitingLine:
    """On a terminal one line that goes; elsewhere one that stays, once a lane."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._waited: set[str] = set()
        self._told = False

    def tell(self, lane: str, waited_s: float, budget_s: float) -> None:
        """Say whom we wait for: on a terminal in one line that goes, elsewhere once a lane."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or terminal.verbosity < 0:
            return
        told = f"waiting for {lane}, {waited_s:.0f} s of at most {budget_s:.0f} s"
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal.isatty:
                self.clear(terminal)
                terminal.write(told, flush=True)
                self._told = True
            elif waited_s >= PATIENCE_S and lane not in self._waited:
                self._waited.add(lane)
                terminal.ensure_newline()
                terminal.write_line(told, flush=True)

    def clear(self, terminal: Any) -> None:
        """Take the line away that said whom we wait for."""
        if self._told:
            self._told = False
            terminal.rewrite("", erase=True)
            terminal.write("\r")
            terminal.currentfspath = None
        else:
            terminal.ensure_newline()
