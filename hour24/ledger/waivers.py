"""What a person may say to the ledger: that a criterion need not hold, or what an error is.

Rules of this module:

- By name, with a reason; a waiver with an end. Whatever is unknown is refused by name, and every
  problem at once.
- Nothing is said to a ledger that is signed off.
- Nothing is waived in advance: a waiver names the outcomes that stand when it is made and covers
  no other; it is refused where there is none.
- What holds needs no waiver; the eight criteria of the sign-off cannot be waived, only what they
  rest on.
- A class is a pattern: it is tried before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hour24.criteria import CRITERIA, EIGHT
from hour24.errors import ConfigurationError, did_you_mean
from hour24.ledger.book import Ledger
from hour24.ledger.standings import Standing
from hour24.linear import PatternRefused, Stated
from hour24.lines import visible
from hour24.verdict import Outcome

PLACEHOLDER = re.compile(r"change-?me|name|role|reason|todo|tbd|xxx+|\.+|<.*>", re.IGNORECASE)
LONGEST_NAME = 100
LONGEST_TOLD = 60
WHERE = ("any", "title", "culprit", "message", "type")
SEVERITIES = ("critical", "high", "medium", "low")
CAUSE = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def waive(
    ledger: Ledger,
    criterion: str,
    *,
    by: str,
    because: str,
    until: str,
    now: datetime,
    hour: int | None = None,
    subject: str = "",
) -> Path:
    """Write a waiver into the ledger; it names the outcomes that stand now and covers no other.

    Args:
        hour: which checkpoint; none: every one that has been until now.
        subject: which endpoint or part; empty: all of them.
        until: a date (it then ends with that day, in the watch's zone) or a moment.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    end, problem = _end(until, ledger.watch.zone, now)
    problems = [
        *closed(ledger),
        *unsaid(by, because),
        *([problem] if problem else []),
        *_unwaivable(ledger, criterion, hour, subject, now),
    ]
    if problems or end is None:
        raise ConfigurationError(problems)
    return ledger.append(
        "waive",
        {
            "at": now,
            "by": by.strip(),
            "because": because.strip(),
            "criterion": criterion,
            "subject": subject,
            "hour": hour,
            "until": end,
            "covered": [
                {
                    "hour": one.hour,
                    "subject": one.subject,
                    "outcome": one.outcome.value,
                    "code": one.code,
                    "attempt": one.attempt,
                }
                for one in _bad(ledger, criterion, hour, subject, now)
            ],
        },
    )


def _bad(
    ledger: Ledger, criterion: str, hour: int | None, subject: str, now: datetime
) -> list[Standing]:
    """The outcomes that a waiver given now covers: FAIL or INCONCLUSIVE, known by now."""
    return [
        one
        for one in ledger.standings(now)
        if one.id == criterion
        and hour in (None, one.hour)
        and subject in ("", one.subject)
        and one.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
        and (one.known_from is None or one.known_from <= now)
    ]


def classify(
    ledger: Ledger,
    kind: str,
    *,
    by: str,
    because: str,
    now: datetime,
    issue: str = "",
    name: str = "",
    pattern: str = "",
    where: str = "",
    at_most_per_hour: int | None = None,
    severity: str = "medium",
    cause: str = "other",
) -> Path:
    """Write into the ledger what an error is; later checkpoints judge by it.

    Args:
        kind: ``normal`` or ``critical``.
        issue: an issue of the records, by its id or short id; its title is then the pattern.
        name: what to call the class; empty: the issue's.
        pattern: regular expression, where no issue is named.
        where: field the pattern looks at; empty: the title of an issue, else any.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    problems = [*closed(ledger), *unsaid(by, because)]
    for option, value, known in (
        ("--as", kind, ("normal", "critical")),
        ("--where", where or "any", WHERE),
        ("--severity", severity, SEVERITIES),
    ):
        if value not in known:
            problems.append(f"{option}: expected one of {', '.join(known)}, got {value!r}")
    if not CAUSE.fullmatch(cause):
        problems.append(
            "--cause: expected one small word such as database, code, other or a vendor's name, "
            f"got {cause!r}"
        )
    if at_most_per_hour is not None and at_most_per_hour < 0:
        problems.append(f"--at-most-per-hour: expected at least 0, got {at_most_per_hour}")
    if bool(issue) == bool(pattern):
        problems.append("classify: expected an issue or --pattern, one of the two")
    elif issue:
        title = _title(ledger, issue)
        if title is None:
            problems.append(f"issue: expected one of the watch's records, got {issue!r}")
        else:
            pattern, where = rf"^{re.escape(visible(title))}$", where or "title"
            name = name or title[:80]
    problems += _unmatchable(pattern)
    if problems:
        raise ConfigurationError(problems)
    return ledger.append(
        "classify",
        {
            "at": now,
            "by": by.strip(),
            "because": because.strip(),
            "class": kind,
            "issue": issue,
            "name": name or pattern[:80],
            "pattern": pattern,
            "where": where or "any",
            "at_most_per_hour": at_most_per_hour,
            "severity": severity,
            "cause": cause,
        },
    )


def closed(ledger: Ledger) -> Iterator[str]:
    """Why nothing can follow in this ledger any more; nothing when something can."""
    if any(entry.kind == "signoff" for entry in ledger.entries()):
        name = ledger.watch.name
        yield (
            f"watch {name}: expected an open ledger, got one that is signed off; the week after "
            "has its own, which `pytest -m daily` opens"
        )


def unsaid(by: str, because: str) -> Iterator[str]:
    """What is wrong with a name and a reason that a person gave, a line each."""
    for option, value, wanted in (
        ("--by", by, 'the name of a person, such as "Mara Example"'),
        ("--because", because, "a reason"),
    ):
        yield from unfilled(option, value, wanted)


def unfilled(option: str, value: str, wanted: str) -> Iterator[str]:
    """What is wrong with words that a person gave: none, a placeholder, not fit to be shown."""
    if not value.strip() or PLACEHOLDER.fullmatch(value.strip()):
        told = value.strip()
        yield f"{option}: expected {wanted}, got {shortly(told) if told else 'nothing'}"
    elif not "".join(value.split()).isprintable():
        yield f"{option}: expected {wanted}, without control characters, got {shortly(value)}"
    elif option != "--because" and (len(value) > LONGEST_NAME or not value.isprintable()):
        yield (
            f"{option}: expected {wanted}, on one line of at most {LONGEST_NAME} characters, "
            f"got {shortly(value)}"
        )


def shortly(text: str) -> str:
    """``text`` in quotes, as a refusal repeats it: its beginning, where it is long."""
    return repr(text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…")


def _end(until: str, zone: str, now: datetime) -> tuple[datetime | None, str]:
    """When a waiver ends; or what is wrong with it."""
    wanted = "--until: expected a date such as 2026-12-05"
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", until):
            day = date.fromisoformat(until) + timedelta(days=1)
            end = datetime.combine(day, time(), tzinfo=ZoneInfo(zone))
        else:
            end = datetime.fromisoformat(until)
    except (ValueError, OverflowError):
        return None, f"{wanted}, got {until!r}"
    if end.tzinfo is None:
        return None, f"{wanted}, or a moment with its offset, got {until!r}"
    if end <= now:
        return None, f"--until: expected a moment to come, got {until}"
    return end, ""


def _unwaivable(
    ledger: Ledger, criterion: str, hour: int | None, subject: str, now: datetime
) -> Iterator[str]:
    watch = ledger.watch
    plan: dict[str, set[int]] = {name: set(one.hours) for name, one in CRITERIA.items()}
    for record in ledger.records():
        for name, hours in record.plan.items():
            plan.setdefault(name, set()).update(hours)
    if hour is not None and hour not in watch.hours:
        listed = ", ".join(map(str, watch.hours))
        yield f"--hour: expected one of {listed}, got {hour}"
        hour = None
    if criterion not in plan:
        hint = did_you_mean(criterion, plan)
        yield f"criterion: expected one of the watch's, got {criterion!r}{hint}"
        return
    if criterion in EIGHT:
        yield (
            f"{criterion}: expected a criterion that can be waived; the eight of the sign-off "
            "cannot: waive what it rests on, then run hour 24 again"
        )
        return
    if hour is not None and hour not in plan[criterion]:
        listed = ", ".join(str(each) for each in sorted(plan[criterion]))
        yield f"--hour: expected an hour at which {criterion} is due ({listed}), got {hour}"
        return
    own = [one for one in ledger.standings(now) if one.id == criterion and hour in (None, one.hour)]
    subjects = sorted({one.subject for one in own if one.subject})
    if subject and own and subject not in subjects:
        told = ", ".join(subjects) or "none"
        yield f"--subject: expected one of those judged ({told}), got {subject!r}"
        return
    meant = [one for one in own if subject in ("", one.subject)]
    bad = [one for one in meant if one.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
    if any(one.known_from is None or one.known_from <= now for one in bad):
        return
    known = [one.known_from for one in bad if one.known_from is not None]
    if known:
        yield (
            f"{criterion}: it was recorded at {min(known):%Y-%m-%dT%H:%M:%SZ}, this machine's "
            f"clock says {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
    elif not meant:
        yield f"nothing to waive: {criterion} was not judged{_at(hour)} so far"
    elif hour is not None:
        stood = meant[0].outcome.value
        yield f"{criterion}: expected a FAIL or INCONCLUSIVE at hour {hour}, got {stood}"
    elif all(one.outcome == Outcome.PASS for one in meant):
        yield f"nothing to waive: {criterion} passed at every checkpoint so far"
    else:
        yield f"nothing to waive: {criterion} neither failed nor was INCONCLUSIVE so far"


def _at(hour: int | None) -> str:
    return "" if hour is None else f" at hour {hour}"


def _title(ledger: Ledger, issue: str) -> str | None:
    """The title of an issue that the records know, by id or short id; the newest record's."""
    for record in reversed(ledger.records()):
        for judged in record.criteria:
            for plain in judged.evidence.values():
                if plain.get("kind") == "listing" and plain.get("what") == "issues":
                    for item in plain["items"]:
                        if issue in (_text(item, "short_id"), _text(item, "id")):
                            return _text(item, "title")
    return None


def _text(item: dict[str, Any], key: str) -> str:
    return str(item.get(key) or "")


def _unmatchable(pattern: str) -> Iterator[str]:
    if not pattern:
        return
    try:
        expression = Stated(pattern)
    except PatternRefused as refused:
        yield f"--pattern: expected a regular expression, got {pattern!r}, {refused}"
        return
    if expression.found_in(""):
        yield f"--pattern: expected one that does not match everything, got {pattern!r}"
