"""Guards against failing plugins and against secrets in the output.

Rules of this module:

- An exception in a reporter costs neither a check nor the record: it becomes a note.
- Everything that is written to the terminal, or by ``--debug`` to its file, is redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest


class Shield:
    """Keeps an exception in another plugin from ending the run.

    Its wrappers are the innermost.
    """

    def __init__(self, run: Any) -> None:
        self.run = run

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        return (yield from self._catch("a reporter"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        return (yield from self._catch("another report"))

    def _catch(self, what: str) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except Exception as problem:  # noqa: BLE001  not a bug in hour24, and no verdict
            note = self.run.redactor.text(f"{what} failed: {type(problem).__name__}: {problem}")
            if note not in self.run.trouble:
                self.run.trouble.append(note)
            return None


class Scrubbed:
    """A stream that redacts everything written to it."""

    def __init__(self, stream: Any, redact: Callable[[str], str]) -> None:
        self._stream = stream
        self._redact = redact

    def write(self, text: str) -> Any:
        return self._stream.write(self._redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def scrub_debug(config: pytest.Config, redact: Callable[[str], str]) -> None:
    """Have what ``--debug`` writes redacted: the arguments of every hook."""
    if not getattr(config.option, "debug", None):
        return
    root = config.trace.root
    if (write := root._writer) is not None:
        root.setwriter(lambda text: write(redact(text)))
