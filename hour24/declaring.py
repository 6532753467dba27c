"""A deploy that a person declares: a restart inside it is expected.

Rules of this module:

- By name, with a reason, from a moment to a moment. It excuses restarts and nothing else.
- A stretch of hours would excuse every crash in it: the longest is two hours.
- It may be declared before the deploy, or after it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from hour24.errors import ConfigurationError
from hour24.ledger import Ledger
from hour24.waivers import unsaid

LONGEST = timedelta(hours=2)
AHEAD = timedelta(days=1)


def declare_deploy(
    ledger: Ledger,
    start: datetime,
    end: datetime,
    by: str,
    because: str,
    *,
    now: datetime,
    deploy: str = "",
    commit: str = "",
    release: str = "",
) -> Path:
    """Write a deploy into the ledger.

    Args:
        start, end: aware; the deploy and its restarts lie between them.
        deploy, commit, release: what is deployed, as far as it is known.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    watch = ledger.watch
    problems = list(unsaid(by, because))
    naive = [
        f"{option}: expected a moment with its offset, got {moment.isoformat()}"
        for option, moment in (("--start", start), ("--end", end))
        if moment.tzinfo is None
    ]
    if naive:
        raise ConfigurationError([*problems, *naive])
    if end <= start:
        problems.append(f"--end: expected it after {start.isoformat()}, got {end.isoformat()}")
    elif end - start > LONGEST:
        hours = (end - start).total_seconds() / 3600
        problems.append(
            f"--end: expected at most {LONGEST.total_seconds() / 3600:.0f} h after --start, got "
            f"{hours:.1f} h: it would excuse every restart in it"
        )
    first = watch.checkpoint(0).window.start
    if end <= first:
        problems.append(
            f"--end: expected it in watch {watch.name}, which looks from {first.isoformat()} on, "
            f"got {end.isoformat()}"
        )
    if start > now + AHEAD:
        problems.append(f"--start: expected it within a day from now, got {start.isoformat()}")
    if problems:
        raise ConfigurationError(problems)
    return ledger.append(
        "deploy",
        {
            "at": now,
            "by": by.strip(),
            "because": because.strip(),
            "start": start.timestamp(),
            "end": end.timestamp(),
            "deploy": deploy,
            "commit": commit,
            "release": release,
        },
    )
