"""What keeps other plugins, and our own output, from doing harm.

Rules of this module:

- A reporter that throws costs neither a check nor the record: it is noted.
- The terminal is the last place where a secret could be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest


class Shield:
    """What keeps a plugin that throws from costing checks, and the summary at the end.

    Its wrappers are the innermost.
    """

    def __init__(self, run: Any) -> None:
        self.run = run

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        return (yield from self._kept("a reporter"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        return (yield from self._kept("a report beside ours"))

    def _kept(self, what: str) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except Exception as problem:  # noqa: BLE001  not ours, and no verdict on production
            told = self.run.redactor.text(f"{what} failed: {type(problem).__name__}: {problem}")
            if told not in self.run.trouble:
                self.run.trouble.append(told)
            return None


class Scrubbed:
    """A stream without secrets: the last line of defence of the terminal."""

    def __init__(self, stream: Any, text: Callable[[str], str]) -> None:
        self._stream = stream
        self._text = text

    def write(self, told: str) -> Any:
        return self._stream.write(self._text(told))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
