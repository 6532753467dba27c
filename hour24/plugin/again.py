"""Asks sources again that had no answer at an earlier checkpoint, before a later one runs.

Rules of this module:

- A source that keeps history is asked for the same window by another attempt at the earlier
  checkpoint, which is recorded as any other. What exists only now is taken from what was kept.
- It is a process of its own: whatever becomes of it, the later checkpoint runs.
- Each earlier checkpoint is asked again once for each later one, at most ``MOST_ATTEMPTS`` times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hour24.errors import Hour24Error

if TYPE_CHECKING:
    from hour24.ledger.standings import Standing

ASKS_AGAIN = "HOUR24_ASKS_AGAIN"
"""Set in the process that asks again, which starts no other."""
MOST_ATTEMPTS = 8
LONGEST_S = 600.0


def ask_again(option: Any, hour: int) -> list[str]:
    """Run another attempt at each earlier checkpoint that a source left open.

    Returns: a line for each.
    """
    if os.environ.get(ASKS_AGAIN) or hour == 0:
        return []
    try:
        name, found = _open_hours(option, hour)
    except Hour24Error:
        return []  # opening the checkpoint refuses it, with its reason
    lines = []
    for earlier, left in found.items():
        codes = ", ".join(sorted({f"{one.id} {one.code}" for one in left}))
        ended = _run(option, name, earlier)
        lines.append(f"hour24: asking hour {earlier} again ({codes}): {ended}")
    return lines


def _open_hours(option: Any, hour: int) -> tuple[str, dict[int, tuple[Standing, ...]]]:
    """Returns the watch, and the earlier hours of it that a source left open."""
    from hour24.clock import WallClock
    from hour24.ledger.book import Ledger
    from hour24.ledger.standings import asked_again

    ledger = Ledger.find(Path(option.reports), option.watch, option.target)
    if ledger is None or not ledger.genesis.target_kind.lasting or ledger.genesis.daily:
        return "", {}
    ledger.refresh()  # another machine may have recorded that hour
    found = asked_again(ledger.standings(WallClock().now()), hour)
    some = {each: left for each, left in found.items() if len(ledger.records(each)) < MOST_ATTEMPTS}
    return ledger.genesis.name, some


def _run(option: Any, name: str, hour: int) -> str:
    """Run one attempt. Returns: how it ended."""
    from hour24.plugin.exits import EXIT

    command = [sys.executable, "-m", "pytest", "-q", "-m", f"hour{hour}", f"--watch={name}"]
    command += [f"--target={option.target}", f"--reports={option.reports}"]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, ASKS_AGAIN: str(hour)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {LONGEST_S:g} s"
    except OSError as problem:
        return f"not started: {problem.strerror}"
    outcomes = {code: str(outcome) for outcome, code in reversed(EXIT.items())}
    return outcomes.get(done.returncode, f"exit code {done.returncode}")
