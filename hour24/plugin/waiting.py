"""Shows the source that a checkpoint is waiting for."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

PATIENCE_S = 5.0
"""Silence allowed before a line is written to a pipe or a file."""


class WaitingLine:
    """On a terminal one line that is replaced; elsewhere one line per lane."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._waited: set[str] = set()
        self._shown = False
        self._position = ""
        self._criterion = ""

    def begin(self, number: int, of: int, criterion: str) -> None:
        """Note which criterion is judged next: the 12th of 24."""
        self._position = f"{number} of {of}; "
        self._criterion = f" ({criterion})"

    def show(self, lane: str, waited_s: float, budget_s: float) -> None:
        """Show the lane that we wait for."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or terminal.verbosity < 0:
            return
        text = (
            f"{self._position}waiting for {lane}{self._criterion}, "
            f"{waited_s:.0f} s of at most {budget_s:.0f} s"
        )
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal.isatty:
                self.clear(terminal)
                terminal.write(text, flush=True)
                self._shown = True
            elif waited_s >= PATIENCE_S and lane not in self._waited:
                self._waited.add(lane)
                terminal.ensure_newline()
                terminal.write_line(text, flush=True)

    def clear(self, terminal: Any) -> None:
        """Remove the line that shows the lane."""
        if self._shown:
            self._shown = False
            terminal.rewrite("", erase=True)
            terminal.write("\r")
            terminal.currentfspath = None
        else:
            terminal.ensure_newline()
