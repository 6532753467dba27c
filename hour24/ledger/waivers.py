"""Entries of people: waivers of criteria, and classes of errors.

Rules of this module:

- Each has a name and a reason, and a waiver an end. A refusal lists every problem at once.
- Nothing is added to a ledger that is signed off.
- Nothing is waived in advance: a waiver names the open outcomes of its time and covers no other; it
  is refused when there is none.
- An advisory check needs no waiver.
- The eight sign-off criteria cannot be waived, only the criteria they depend on.
- A class is a pattern; it is compiled before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
"""Longer text is no name: it would break the layout of pages."""
LONGEST_SHOWN = 60
"""Characters of a value in a refusal."""
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
    """Write a waiver to the ledger; it names the outcomes that are open now and covers no other.

    Args:
        hour: of the checkpoint; none: every checkpoint so far.
        subject: endpoint or part; empty: all.
        until: a date (the waiver ends with that day in the watch's zone) or a time.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    end, problem = _end(until, ledger.watch.zone, now)
    problems = [
        *closed(ledger),
        *missing_reason(by, because),
        *([problem] if problem else []),
        *_refuse_outcomes(ledger, criterion, hour, subject, now),
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
    """Return the outcomes that a waiver made now covers: FAIL or INCONCLUSIVE, known by now."""
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
    """Write a class of errors to the ledger; later checkpoints use it.

    Args:
        kind: ``normal`` or ``critical``.
        issue: id or short id of an issue in the records; its title becomes the pattern.
        name: of the class; empty: that of the issue.
        pattern: regular expression, if no issue is named.
        where: field the pattern is matched against; empty: the title of an issue, else any.
    Returns: path of its entry.
    Raises: ConfigurationError, with every problem; LedgerError, when it cannot be written.
    """
    problems = [*closed(ledger), *missing_reason(by, because)]
    for option, value, known in (
        ("--as", kind, ("normal", "critical")),
        ("--where", where or "any", WHERE),
        ("--severity", severity, SEVERITIES),
    ):
        if value not in known:
            problems.append(f"{option}: expected one of {', '.join(known)}, got {value!r}")
    if not CAUSE.fullmatch(cause):
        problems.append(
            "--cause: expected a lower-case word such as database, code, other or a vendor's name, "
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
    problems += _refuse_pattern(pattern)
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
    """Yield why nothing can be added to this ledger any more."""
    if any(entry.kind == "signoff" for entry in ledger.entries()):
        name = ledger.watch.name
        yield (
            f"watch {name}: expected an open ledger, got one that is signed off; the week after "
            "launch has its own, which `pytest -m daily` opens"
        )


def missing_reason(by: str, because: str) -> Iterator[str]:
    """Yield problems with the name and the reason that a person stated."""
    for option, value, wanted in (
        ("--by", by, 'the name of a person, such as "Mara Example"'),
        ("--because", because, "a reason"),
    ):
        yield from text_problem(option, value, wanted)


def text_problem(option: str, value: str, wanted: str) -> Iterator[str]:
    """Yield the problem of a text that is empty, a placeholder or not printable."""
    if not value.strip() or PLACEHOLDER.fullmatch(value.strip()):
        text = value.strip()
        yield f"{option}: expected {wanted}, got {shorten(text) if text else 'nothing'}"
    elif not "".join(value.split()).isprintable():
        yield f"{option}: expected {wanted}, without control characters, got {shorten(value)}"
    elif option != "--because" and (len(value) > LONGEST_NAME or not value.isprintable()):
        yield (
            f"{option}: expected {wanted}, on one line of at most {LONGEST_NAME} characters, "
            f"got {shorten(value)}"
        )


def shorten(text: str) -> str:
    """Return ``text`` in quotes for a refusal, cut when it is long."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…")


def _end(until: str, zone: str, now: datetime) -> tuple[datetime | None, str]:
    """Return when a waiver ends, or the problem."""
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
        return None, f"{wanted}, or a time with its offset, got {until!r}"
    if end <= now:
        return None, f"--until: must be in the future, got {until}"
    return end, ""


def waivable(ledger: Ledger, now: datetime, hour: int | None = None) -> list[str]:
    """Return the checks that are open and may be waived, each once.

    Args:
        hour: of the checkpoint; none: every checkpoint so far.
    """
    found = (
        one.id
        for one in ledger.standings(now)
        if one.is_open and one.id not in EIGHT and hour in (None, one.hour)
    )
    return list(dict.fromkeys(found))


def _refuse_outcomes(
    ledger: Ledger, criterion: str, hour: int | None, subject: str, now: datetime
) -> Iterator[str]:
    if hour is not None and hour not in ledger.watch.hours:
        listed = ", ".join(map(str, ledger.watch.hours))
        yield f"--hour: expected one of {listed}, got {hour}"
        hour = None
    refused = _refuse_criterion(ledger, criterion, hour)
    if refused:
        yield refused
        return
    own = [one for one in ledger.standings(now) if one.id == criterion and hour in (None, one.hour)]
    subjects = sorted({one.subject for one in own if one.subject})
    if subject and own and subject not in subjects:
        judged = ", ".join(subjects) or "none"
        yield f"--subject: expected one of those judged ({judged}), got {subject!r}"
        return
    meant = [one for one in own if subject in ("", one.subject)]
    bad = [one for one in meant if one.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
    if any(one.known_from is None or one.known_from <= now for one in bad):
        return
    recorded = [one.known_from for one in bad if one.known_from is not None]
    if recorded:
        yield (
            f"{criterion}: it was recorded at {min(recorded):%Y-%m-%dT%H:%M:%SZ}, this machine's "
            f"clock says {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
    else:
        yield _nothing_to_waive(criterion, hour, [one.outcome for one in meant])


def _refuse_criterion(ledger: Ledger, criterion: str, hour: int | None) -> str:
    """Return why this criterion cannot be waived at this hour; "" if it may be."""
    plan: dict[str, set[int]] = {name: set(one.hours) for name, one in CRITERIA.items()}
    for record in ledger.records():
        for name, hours in record.plan.items():
            plan.setdefault(name, set()).update(hours)
    if any(criterion in record.advisory_plan for record in ledger.records()):
        return (
            f"{criterion}: expected a criterion that counts, got an advisory one, which blocks "
            "nothing and needs no waiver"
        )
    if criterion not in plan:
        hint = did_you_mean(criterion, plan)
        return f"criterion: expected one of the watch's, got {criterion!r}{hint}"
    if criterion in EIGHT:
        return (
            f"{criterion}: expected a criterion that can be waived; the eight of the sign-off "
            "cannot: waive the checks it depends on, then run hour 24 again"
        )
    if hour is not None and hour not in plan[criterion]:
        listed = ", ".join(str(each) for each in sorted(plan[criterion]))
        return f"--hour: expected an hour at which {criterion} is due ({listed}), got {hour}"
    return ""


def _nothing_to_waive(criterion: str, hour: int | None, outcomes: Sequence[Outcome]) -> str:
    """Return why there is nothing to waive among these outcomes."""
    if not outcomes:
        return f"nothing to waive: {criterion} has not been judged{_at(hour)} yet"
    if hour is not None:
        got = outcomes[0].value
        return f"{criterion}: expected a FAIL or INCONCLUSIVE at hour {hour}, got {got}"
    if all(outcome == Outcome.PASS for outcome in outcomes):
        return f"nothing to waive: {criterion} passed every checkpoint so far"
    return f"nothing to waive: {criterion} has no FAIL and no INCONCLUSIVE so far"


def _at(hour: int | None) -> str:
    return "" if hour is None else f" at hour {hour}"


def _title(ledger: Ledger, issue: str) -> str | None:
    """Return the title of an issue in the newest record with it, by id or short id."""
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


def _refuse_pattern(pattern: str) -> Iterator[str]:
    if not pattern:
        return
    try:
        expression = Stated(pattern)
    except PatternRefused as refused:
        yield f"--pattern: expected a regular expression, got {pattern!r}, {refused}"
        return
    if expression.found_in(""):
        yield f"--pattern: expected one that does not match everything, got {pattern!r}"
