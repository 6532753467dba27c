"""What a person declares: a deploy, whose restart is expected; that production moved.

Rules of this module:

- By name, with a reason, from a moment to a moment. It excuses restarts and nothing else.
- A stretch of hours would excuse every crash in it: the longest is two hours.
- It may be declared before the deploy, or after it.
- That production is rightly found elsewhere is declared once a record has found it there, never in
  advance.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from hour24.errors import ConfigurationError
from hour24.ledger import moved
from hour24.ledger.book import Ledger
from hour24.ledger.waivers import closed, unsaid
from hour24.watch import Watch

LONGEST = timedelta(hours=2)
USUAL = timedelta(minutes=15)
AHEAD = timedelta(days=1)


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
    """Write a deploy into the ledger.

    Args:
        start, end: the deploy and its restarts lie between them; moments, or ISO 8601 with its
            offset or Z. Empty: from now, for 15 minutes.
        deploy, commit, release: what is deployed, as far as it is known.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    problems = [*closed(ledger), *unsaid(by, because)]
    begins = _moment(start or now, "--start", problems)
    ends = _moment(end or (begins or now) + USUAL, "--end", problems)
    if begins is not None and ends is not None:
        problems += _misplaced(begins, ends, ledger.watch, now)
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
    """Write into the ledger that production is rightly found where the records found it.

    Returns: paths of its entries, one for each place it was found at that nobody declared yet.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    changes = [one for one in moved.changes(ledger) if one.watched and not one.by]
    problems = [*closed(ledger), *unsaid(by, because)]
    if not changes:
        problems.append(
            "nothing to declare: every record found production where it was at the beginning, or "
            "where somebody declared it"
        )
    if problems:
        raise ConfigurationError(problems)
    distinct = [
        one for n, one in enumerate(changes) if one.watched not in [c.watched for c in changes[:n]]
    ]
    said = {"at": now, "by": by.strip(), "because": because.strip()}
    return tuple(ledger.append("moved", {**said, "watched": one.watched}) for one in distinct)


def _moment(value: datetime | str, option: str, problems: list[str]) -> datetime | None:
    """The moment, aware; none, when it is none, which is then among the problems."""
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        problems.append(
            f"{option}: expected a moment such as 2026-12-01T06:00Z, got {str(value)!r}"
        )
        return None
    return read


def _misplaced(start: datetime, end: datetime, watch: Watch, now: datetime) -> Iterator[str]:
    """What is wrong with where the stretch lies, and with its length."""
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
            f"--end: expected it in watch {watch.name}, which looks from {first.isoformat()} on, "
            f"got {end.isoformat()}"
        )
    if start > now + AHEAD:
        yield f"--start: expected it within a day from now, got {start.isoformat()}"
