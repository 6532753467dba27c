"""Runs each checkpoint of a watch when it is due, as its own ``pytest -m hourN``.

Rules of this module:

- The oldest checkpoint without a record comes first, since later ones compare with it; lateness
  changes no verdict.
- Whether a checkpoint is recorded is read from the ledger each time. ``--once`` refuses a second
  record, checked under the checkpoint's lock, whoever else runs it.
- A run that was killed has its record rebuilt from its journal, and is run again.
- A run that left no record is tried again, after a pause that grows.
- Where the decision is to run it again, it is run again once.
- While the clock of this machine is known to be wrong, a due checkpoint waits.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from hour24.checkpoint.killed import finalise
from hour24.clock import Clock
from hour24.errors import Hour24Error
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record

STEP_S = 1.0
PAUSES_S = (15.0, 60.0, 120.0, 300.0, 600.0)
AGAIN_S = 120.0
LONGEST_S = 1800.0
CLOSE_WITHIN_S = 60.0
"""For a checkpoint that is running when the watch is stopped: it writes its record then."""
LOCKED = 13


class Checkpoints:
    """Runs checkpoints, in a thread.

    Args:
        command: hour and whether only an hour without a record is run -> the command.
        folder: where it runs.
        say: called with one line for each run.
        wrong_clock: says how the clock of this machine is wrong; empty: it is not.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        command: Callable[[int, bool], Sequence[str]],
        folder: str,
        say: Callable[[str], None],
        wrong_clock: Callable[[], str] = lambda: "",
    ) -> None:
        self.ledger = ledger
        self.watch = ledger.watch
        self.clock = clock
        self.running: int | None = None
        self.problem = ""
        self._command = command
        self._folder = folder
        self._say = say
        self._wrong_clock = wrong_clock
        self._waits_for_clock = False
        self._failures = 0
        self._not_before: datetime | None = None
        self._repeated: set[int] = set()
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="hour24 checkpoints", daemon=True)

    def start(self) -> None:
        """Rebuild the records of killed runs, and begin."""
        self._rebuild()
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether every checkpoint has its record."""
        return not self._thread.is_alive() and not self._ended.is_set()

    def close(self) -> None:
        """Stop; a checkpoint that is running writes its record with what it has."""
        self._ended.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)

    def next_due(self) -> int | None:
        """Returns the first checkpoint without a whole record; None when all have one."""
        return next((hour for hour in self.watch.hours if not self._is_recorded(hour)), None)

    # --- inside ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self.attend():
                    return
            except Hour24Error as problem:  # a ledger that cannot be read now may be later
                self._fail(str(problem))
            self._ended.wait(STEP_S)

    def attend(self) -> bool:
        """Run what is due. Returns: False when every checkpoint has its record."""
        now = self.clock.now()
        hour = self._to_repeat(now)
        once = hour is None
        if hour is None:
            hour = self.next_due()
            if hour is None:
                return self._awaits_repeat()
        if self.watch.checkpoint(hour).due > now or self.ledger.is_locked(hour):
            return True
        longest = timedelta(seconds=PAUSES_S[-1])  # further ahead: the clock has gone back since
        if self._not_before is not None and now < self._not_before <= now + longest:
            return True
        if self._clock_is_wrong():
            return True
        self._checkpoint(hour, once=once)
        return True

    def _clock_is_wrong(self) -> bool:
        wrong = self._wrong_clock()
        if wrong and not self._waits_for_clock:
            self._say(wrong)
        if wrong or self._waits_for_clock:
            self.problem = wrong
        self._waits_for_clock = bool(wrong)
        return self._waits_for_clock

    def _checkpoint(self, hour: int, *, once: bool) -> None:
        before = len(self.ledger.records(hour))
        self.running = hour
        try:
            code, last = self._ask(hour, once)
        finally:
            self.running = None
        self._rebuild()
        records = self.ledger.records(hour)
        if not once:
            self._repeated.add(hour)
        if len(records) > before and not records[-1].interrupted:
            self._failures, self._not_before, self.problem = 0, None, ""
            self._say(f"hour {hour}: {_summary(records[-1])}")
        elif code != LOCKED and not self._ended.is_set():
            self._fail(f"hour {hour}: no record (exit code {code}): {last}")

    def _fail(self, problem: str) -> None:
        pause = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
        self._failures += 1
        self._not_before = self.clock.now() + timedelta(seconds=pause)
        self.problem = problem
        self._say(f"{problem}; again in {pause:g} s")

    def _ask(self, hour: int, once: bool) -> tuple[int, str]:
        """Run pytest. Returns: its exit code, and its last line."""
        try:
            self._process = subprocess.Popen(
                self._command(hour, once),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for us: we end it
            )
            try:
                output, _ = self._process.communicate(timeout=LONGEST_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                output, _ = self._process.communicate()
        except OSError as problem:
            return -1, problem.strerror or str(problem)
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return self._process.returncode, lines[-1] if lines else "no output"

    def _is_recorded(self, hour: int) -> bool:
        return any(not one.early and not one.interrupted for one in self.ledger.records(hour))

    def _to_repeat(self, now: datetime) -> int | None:
        """Returns the newest hour if its decision is to run it again, and it is time."""
        found = [one for hour in self.watch.hours if (one := self.ledger.latest(hour)) is not None]
        newest = found[-1] if found else None
        if newest is None or not _is_retry(newest) or newest.hour in self._repeated:
            return None
        in_time = self.watch.checkpoint(newest.hour).late_s(now) <= self.watch.tolerance_s
        waited = (now - newest.ended).total_seconds() >= AGAIN_S
        return newest.hour if in_time and waited else None

    def _awaits_repeat(self) -> bool:
        """True if the last checkpoint will soon be run again."""
        last = self.watch.hours[-1]
        newest = self.ledger.latest(last)
        in_time = self.watch.checkpoint(last).late_s(self.clock.now()) <= self.watch.tolerance_s
        return newest is not None and _is_retry(newest) and last not in self._repeated and in_time

    def _rebuild(self) -> None:
        """Rebuild the records of killed runs, unless one is recording now."""
        known = {(one.hour, one.attempt) for one in self.ledger.records()}
        for path in sorted((self.ledger.folder / "journal").glob("hour*.a*.jsonl")):
            hour, _, attempt = path.stem.removeprefix("hour").partition(".a")
            if not (hour.isdigit() and attempt.isdigit()):
                continue
            if (int(hour), int(attempt)) in known or self.ledger.is_locked(int(hour)):
                continue
            try:
                finalise(self.ledger, path)
            except Hour24Error as problem:
                self._say(f"{path.name}: {problem}")


def _is_retry(record: Record) -> bool:
    return (record.decision or {}).get("action") == "RETRY"


def _summary(record: Record) -> str:
    counts: dict[str, int] = {}
    for each in record.criteria:
        counts[str(each.outcome)] = counts.get(str(each.outcome), 0) + 1
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    action = (record.decision or {}).get("action", "")
    return f"{record.outcome} ({said}){f'; {action}' if action else ''}"
