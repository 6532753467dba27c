"""Declarations by people: a deploy with its expected restart, or changed addresses.

Rules of this module:

- A deploy has a name, a reason, a start and an end. It excuses restarts and nothing else.
- It may be declared before the deploy or after it.
- Changed addresses are confirmed after a record has them, never in advance.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from hour24.errors import ConfigurationError
from hour24.ledger import moved
from hour24.ledger.book import Ledger
from hour24.ledger.waivers import closed, missing_reason
from hour24.watch import Watch

LONGEST = timedelta(hours=2)
"""A longer window would excuse every crash in it."""
USUAL = timedelta(minutes=15)
"""A deploy and its restarts, if no end is stated."""
AHEAD = timedelta(days=1)
"""A start further ahead is a typing error in the date."""


def declare_deploy(
    ledger: Ledger,
    start: datetime | str,
    end: datetime | str,
    by: str,
    because: str,
    *,
    now: datetime,
    deploy: str = "",
    commit: str = "",
    release: str = "",
) -> Path:
    """Write a deploy to the ledger.

    Args:
        start, end: the window of the deploy and its restarts; datetimes, or ISO 8601 with offset
            or Z. Empty: from now, for 15 minutes.
        deploy, commit, release: what is deployed, if known.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    problems = [*closed(ledger), *missing_reason(by, because)]
    begins = _parse_time(start or now, "--start", problems)
    ends = _parse_time(end or (begins or now) + USUAL, "--end", problems)
    if begins is not None and ends is not None:
        problems += _window_problems(begins, ends, ledger.watch, now)
    if problems or begins is None or ends is None:
        raise ConfigurationError(problems)
    return ledger.append(
        "deploy",
        {
            "at": now,
            "by": by.strip(),
            "because": because.strip(),
            "start": begins.timestamp(),
            "end": ends.timestamp(),
            "deploy": deploy,
            "commit": commit,
            "release": release,
        },
    )


def declare_moved(ledger: Ledger, by: str, because: str, *, now: datetime) -> tuple[Path, ...]:
    """Confirm in the ledger that the changed addresses of the records are correct.

    Returns: paths of its entries, one for each set of addresses that no one declared yet.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    changes = [one for one in moved.changes(ledger) if one.watched and not one.by]
    problems = [*closed(ledger), *missing_reason(by, because)]
    if not changes:
        problems.append(
            "nothing to declare: every record has the addresses of the beginning, or declared ones"
        )
    if problems:
        raise ConfigurationError(problems)
    distinct = [
        one for n, one in enumerate(changes) if one.watched not in [c.watched for c in changes[:n]]
    ]
    declared = {"at": now, "by": by.strip(), "because": because.strip()}
    return tuple(ledger.append("moved", {**declared, "watched": one.watched}) for one in distinct)


def _parse_time(value: datetime | str, option: str, problems: list[str]) -> datetime | None:
    """Return the time with its offset; otherwise none, and add the problem."""
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        problems.append(f"{option}: expected a time such as 2026-12-01T06:00Z, got {str(value)!r}")
        return None
    return read


def _window_problems(start: datetime, end: datetime, watch: Watch, now: datetime) -> Iterator[str]:
    """Yield problems with the start, the end and the length of the window."""
    if end <= start:
        yield f"--end: expected it after {start.isoformat()}, got {end.isoformat()}"
    elif end - start > LONGEST:
        hours = (end - start).total_seconds() / 3600
        yield (
            f"--end: expected at most {LONGEST.total_seconds() / 3600:.0f} h after --start, got "
            f"{hours:.1f} h: it would excuse every restart in it"
        )
    first = watch.checkpoint(0).window.start
    if end <= first:
        yield (
            f"--end: expected it in watch {watch.name}, which begins at {first.isoformat()}, "
            f"got {end.isoformat()}"
        )
    if start > now + AHEAD:
        yield f"--start: expected it within a day from now, got {start.isoformat()}"
