"""One query of a checkpoint, tried now, and what to do when it fails.

Rules of this module:

- Each system is queried in its own thread, in parallel, and delays the others by at most
  :data:`LIMIT_S`.
- A problem is one line and its remedy another. No secret is printed: the error texts of sources
  have none, and variables appear by name.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from hour24.errors import (
    SourceClock,
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from hour24.witnesses.port import Trial

LIMIT_S = 60.0
"""Seconds for all queries to one system."""


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one trial.

    Args:
        name: of the query: ``SECTION: issues``.
        ok: whether a checkpoint can use it.
        says: one line without a secret.
        remedy: how to fix it; empty when it is ok.
    """

    name: str
    ok: bool
    says: str
    remedy: str = ""


class Lane:
    """The queries to one system, made one after another in a thread."""

    def __init__(self, name: str, trials: Sequence[Trial]) -> None:
        self.name = name
        self.trials = trials
        self.ends = time.monotonic() + LIMIT_S
        self.found: queue.SimpleQueue[Finding | BaseException] = queue.SimpleQueue()
        threading.Thread(target=self._ask, name=f"hour24 doctor {name}", daemon=True).start()

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each trial. Raises: any error that is no SourceError."""
        for number in range(len(self.trials)):
            try:
                finding = self.found.get(timeout=max(0.0, self.ends - time.monotonic()))
            except queue.Empty:
                for late in self.trials[number:]:
                    says = f"{late.name}: no answer within {LIMIT_S:g} s"
                    yield _failure(late, SourceTimeout(says))
                return
            if isinstance(finding, BaseException):
                raise finding
            yield finding

    def _ask(self) -> None:
        try:
            for trial in self.trials:
                self.found.put(_run(trial))
        except BaseException as bug:  # noqa: BLE001  raised again in the thread that waits
            self.found.put(bug)


def _run(trial: Trial) -> Finding:
    try:
        return Finding(name=trial.name, ok=True, says=trial.asked())
    except SourceError as problem:
        return _failure(trial, problem)


def _failure(trial: Trial, problem: SourceError) -> Finding:
    says = str(problem).removeprefix(f"{trial.name}: ")
    at = f" {trial.address}" if trial.address else ""
    return Finding(name=trial.name, ok=False, says=says, remedy=_remedy(trial, problem, at))


def _remedy(trial: Trial, problem: SourceError, at: str) -> str:
    match problem:
        case SourceTimeout() | SourceUnreachable():
            return f"check the address{at}, and this machine's network, proxy and firewall"
        case SourceRefused() if trial.right:
            return trial.right
        case SourceLimited():
            return "wait some minutes, and check who else uses the same credential"
        case SourceFailed():
            return "try again later, and check its status page"
        case SourceEmpty() if trial.empty:
            return trial.empty
        case SourceClock():
            return "compare this machine's clock and that server's with the time; set the wrong one"
        case SourceMisread() if trial.misread:
            return trial.misread
        case SourceLacks() if trial.lacks:
            return trial.lacks
        case SourceLacks():
            return (
                f"check the address{at}; if this server does not provide it, its criteria stay "
                'INCONCLUSIVE: state applies = false, because = "..." for them'
            )
    return f"check what answers at{at}" if at else "read the message above"


def listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names))
