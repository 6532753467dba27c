"""Asks for what exists only now, when each checkpoint is due, in a separate process.

Rules of this module:

- A separate process delays no probe, and a driver that hangs ends with it.
- A checkpoint that is recorded or being recorded asks by itself. Where it left no record, or a
  source could not be asked, there is a second attempt, within the tolerance.
- Time is read from the wall clock in steps of a second, so that a jump of it is noticed.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from hour24.clock import Clock
from hour24.watch import Checkpoint, Watch

STEP_S = 1.0
AGAIN_S = 300.0
"""Time between the two attempts; less where the tolerance is short."""
LONGEST_S = 900.0
"""After this time a process that asks is ended."""
CLOSE_WITHIN_S = 10.0
BLIND, LOCKED = 10, 13
"""Exit codes: a source had no answer; another process asks."""
ATTEMPTS = 2


class Recorded(Protocol):
    """What the asker reads of the ledger."""

    def latest(self, hour: int) -> object | None:
        """Return the newest record of this hour that counts, if any."""

    def is_locked(self, hour: int) -> bool:
        """Return whether a process is recording this checkpoint now."""


class Asker:
    """Asks at each due time, in a thread.

    Args:
        command: hour -> the command that asks and keeps the answers.
        folder: where it runs.
        say: called with one line for each attempt.
        after_s: how long after its due time a checkpoint that asks by itself is waited for.
    """

    def __init__(
        self,
        watch: Watch,
        ledger: Recorded,
        clock: Clock,
        command: Callable[[int], Sequence[str]],
        folder: str,
        say: Callable[[str], None],
        *,
        after_s: float = 0.0,
    ) -> None:
        self.watch = watch
        self.ledger = ledger
        self.clock = clock
        self.asking: int | None = None
        self._command = command
        self._folder = folder
        self._say = say
        self._after_s = after_s
        self._attempts: dict[int, list[datetime]] = {}
        self._done: set[int] = set()
        self._left = True
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="hour24 asker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and end the process that asks."""
        self._ended.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        self._thread.join(CLOSE_WITHIN_S)

    def finish(self) -> None:
        """Wait until nothing is left to ask, at most for the tolerance of the last checkpoint."""
        while self._left and not self._ended.wait(STEP_S):
            pass

    def attend(self) -> bool:
        """Ask for each due checkpoint. Returns: False when none is left; the clock may go back."""
        now = self.clock.now()
        points = [self.watch.checkpoint(hour) for hour in self.watch.hours]
        left = [one for one in points if one.late_s(now) <= one.tolerance_s]
        left = [one for one in left if one.hour not in self._done]
        for point in left:
            self._attend(point)
        return bool(left)

    def _run(self) -> None:
        while not self._ended.wait(STEP_S):
            self._left = self.attend()

    def _attend(self, point: Checkpoint) -> None:
        """Ask for a checkpoint if it is time to."""
        late = point.late_s(self.clock.now())
        if late < min(self._after_s, point.tolerance_s / 3):
            return
        attempts = self._attempts.setdefault(point.hour, [])
        again = timedelta(seconds=min(AGAIN_S, point.tolerance_s / 3))
        if attempts and self.clock.now() < attempts[-1] + again:
            return
        if self.ledger.is_locked(point.hour):
            return
        if self.ledger.latest(point.hour) is not None:
            self._done.add(point.hour)
            return
        code = self._ask(point.hour)
        if code == LOCKED:
            return
        attempts.append(self.clock.now())
        if code in (0, 1) or len(attempts) >= ATTEMPTS:
            self._done.add(point.hour)

    def _ask(self, hour: int) -> int:
        """Run the process that asks. Returns: its exit code."""
        self.asking = hour
        try:
            self._process = subprocess.Popen(
                self._command(hour),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            try:
                output, _ = self._process.communicate(timeout=LONGEST_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                output, _ = self._process.communicate()
            code = self._process.returncode
        except OSError as problem:
            self._say(f"hour {hour}: could not be asked: {problem.strerror}")
            return -1
        finally:
            self.asking = None
        notes = [line.strip() for line in output.splitlines() if line.strip()]
        said = {
            0: "asked what exists only now, and kept the answers",
            1: "asked what exists only now: a check has FAILED",
            BLIND: "asked what exists only now; a source had no answer",
            LOCKED: "is being asked by another process",
        }.get(code, f"could not be asked (exit code {code}): {notes[-1] if notes else 'no output'}")
        self._say(f"hour {hour}: {said}")
        return code
