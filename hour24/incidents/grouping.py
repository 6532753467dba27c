"""Which findings belong to one incident, and by which sign.

Rules of this module:

- It sees findings only: their codes, their evidence and the table of criteria.
- Each finding is in exactly one incident; findings without a shared sign are separate incidents.
- A sign that two causes may share, such as the same minutes, groups and is reported as a doubt.
- A check that depends on two others, which lack data for two reasons, belongs to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from hour24.criteria import CRITERIA, EIGHT, health
from hour24.incidents.signs import (
    NOT_RUN,
    NOT_YET,
    Signs,
    are_lines_of,
    coincidence,
    overlap,
    signs_of,
    union_overlap,
)
from hour24.ledger.record import Judged
from hour24.verdict import Outcome

MOSTLY = 0.8
"""The share of events, or of a period, from which two findings are about the same."""
HALF = 0.5


class Finding(Struct, frozen=True, kw_only=True):
    """A FAIL or an INCONCLUSIVE of one criterion, of one subject, at one checkpoint.

    Args:
        ended: when the attempt with this verdict ended, or when the checkpoint was due.
        judged: None: the checkpoint was not run, or its record cannot be read.
        waived_by, settled_by: as in its standing.
    """

    hour: int
    id: str
    subject: str
    outcome: Outcome
    code: str
    reason: str
    ended: datetime
    judged: Judged | None = None
    waived_by: str = ""
    settled_by: str = ""

    @property
    def name(self) -> str:
        """``LATENCY-TARGET calls``."""
        return f"{self.id} {self.subject}".strip()

    @property
    def is_open(self) -> bool:
        return not self.waived_by and not self.settled_by


COUNTS_CHECKPOINTS = "did_not_hold"
"""The code of a sign-off check that counts checkpoints and has no times of its own."""


class Why(Struct, frozen=True):
    """Why two findings are in one incident.

    Args:
        certain: False if two causes may share this sign.
    """

    text: str
    certain: bool = True


class Group(Struct, frozen=True, kw_only=True):
    """The findings of one incident with their signs, and why they are together."""

    findings: tuple[Finding, ...]
    signs: tuple[Signs, ...]
    why: tuple[Why, ...]


def groups(findings: Iterable[Finding]) -> list[Group]:
    """Return the findings partitioned into incidents, in the order of their first finding."""
    every = sorted(findings, key=lambda one: (one.hour, one.name))
    signs = [signs_of(each.judged, each.ended) for each in every]
    root = list(range(len(every)))
    reasons: list[tuple[int, Why]] = []

    def find(one: int) -> int:
        while root[one] != one:
            one = root[one]
        return one

    def join(one: int, other: int, why: Why) -> None:
        first, second = sorted((find(one), find(other)))
        if first != second:
            root[second] = first
            reasons.append((one, why))

    def apart(one: int, other: int) -> bool:
        """Whether they are of two hours, and one covers the time of both: it is no link.

        A check that fails in the same way at the next checkpoint still fails for the same reason.
        """
        first, second = every[one], every[other]
        if first.id not in EIGHT and (first.name, first.code) == (second.name, second.code):
            return False
        return first.hour != second.hour and (is_cumulative(first) or is_cumulative(second))

    def differ(one: int, other: int) -> bool:
        """Whether their incidents lack data for two reasons, which a check of both would link."""
        first, second = (
            {signs[n].missing for n in range(len(every)) if find(n) == root_of} - {"", NOT_YET}
            for root_of in (find(one), find(other))
        )
        return bool(first and second) and not first & second

    for rule in RULES:
        for one in range(len(every)):
            for other in range(one + 1, len(every)):
                if find(one) == find(other) or apart(one, other):
                    continue
                why = rule(every[one], signs[one], every[other], signs[other])
                if why is not None and not (rule is _rests_on and differ(one, other)):
                    join(one, other, why)
    for members in _members(len(every), find):
        if all(is_cumulative(every[n]) for n in members):
            earlier = _earlier(members, every, signs)
            if earlier is not None:
                join(*earlier)
    counted = [
        members
        for members in _members(len(every), find)
        if all(every[n].code == COUNTS_CHECKPOINTS for n in members)
    ]
    for (one, *_), (other, *_) in pairwise(counted):
        join(one, other, Why("each counts earlier checkpoints", certain=False))
    return [
        Group(
            findings=tuple(every[n] for n in members),
            signs=tuple(signs[n] for n in members),
            why=tuple(dict.fromkeys(why for n, why in reasons if find(n) == find(members[0]))),
        )
        for members in _members(len(every), find)
    ]


def _members(count: int, find: Callable[[int], int]) -> list[list[int]]:
    """Return the numbers of each group, in ascending order."""
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(find(number), []).append(number)
    return list(found.values())


def is_cumulative(one: Finding) -> bool:
    """Return whether its verdict covers the watch so far, and may be about any earlier hour."""
    criterion = CRITERIA.get(one.id)
    return one.id in EIGHT or (criterion is not None and criterion.span == "since_t0")


def _earlier(
    members: Sequence[int], every: Sequence[Finding], signs: Sequence[Signs]
) -> tuple[int, int, Why] | None:
    """Return the newest earlier finding that a cumulative one of these continues, and why."""
    first = every[members[0]].hour
    for other in reversed([n for n, one in enumerate(every) if one.hour < first]):
        for one in members:
            for rule in RULES:
                why = rule(every[one], signs[one], every[other], signs[other])
                if why is not None:
                    return one, other, why
    return None


Rule = Callable[[Finding, Signs, Finding, Signs], Why | None]


def _same_issue(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    shared = sorted(a.issues & b.issues)
    return Why(f"the same issue ({shared[0]})") if shared else None


def _same_missing(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    if one.hour != other.hour and not _next_to_each_other(one, other):
        return None
    if a.missing and a.missing == b.missing:
        if a.missing == NOT_YET:
            return Why("too little data yet")
        return Why(f"no data from the same source ({a.missing})")
    return None


def _not_run(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    same = one.hour == other.hour and one.code == other.code
    if same and one.code in ("missed", "unreadable", "interrupted", "not_run"):
        return Why(f"the same checkpoint ({one.code})")
    return None


def _same_check(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    if one.id != other.id or one.outcome != other.outcome:
        return None
    if one.hour != other.hour:
        differ = (a.issues or b.issues) and not a.issues & b.issues
        if one.subject == other.subject and _next_to_each_other(one, other) and not differ:
            return Why("the same check at the next checkpoint")
        return None
    if one.code == other.code and not (a.ways or b.ways):
        return Why(f"the same result of {one.id} for several endpoints", certain=False)
    return None


def _slow_endpoint(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    slow = {"slow", "slower", "slower_tail"}
    if one.hour == other.hour and {one.code, other.code} <= slow and one.subject == other.subject:
        return Why(f"the same endpoint is slow ({one.subject})")
    return None


def _same_session(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    shared = sorted(a.sessions & b.sessions)
    if shared and one.hour == other.hour:
        return Why(f"the same database session (pid {shared[0]})")
    return None


def _began_with_the_deploy(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """A failure that began during a deploy with restarts."""
    for deployed, failing in ((a, b), (b, a)):
        if deployed.deploys and failing.spans and not failing.deploys:
            began = failing.spans[0][0]
            if any(start - 60 <= began <= end + 300 for start, end in deployed.deploys):
                return Why("it began with the deploy", certain=False)
    return None


def _same_memory(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    memory = {"leak", "memory_high", "memory_higher", "near_limit"}
    if one.hour == other.hour and {one.code, other.code} <= memory:
        return Why("both measure memory", certain=False)
    return None


def _failed_answers(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """Requests that failed in the same minutes, or in the same way at the same checkpoint."""
    if not (a.ways and b.ways) or Outcome.INCONCLUSIVE in (one.outcome, other.outcome):
        return None
    if a.spans and b.spans:
        if overlap(a.spans, b.spans) >= HALF:
            return Why("requests failed in the same minutes", certain=a.ways == b.ways)
        return None
    if one.hour != other.hour:
        return None
    if a.ways & b.ways:
        return Why(f"requests failed in the same way ({sorted(a.ways & b.ways)[0]})")
    if a.now and b.now:
        return Why("both failed when the checkpoint ran", certain=False)
    return None


def _same_component(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    shared = sorted(a.components & b.components)
    if shared and (one.hour == other.hour or _next_to_each_other(one, other)):
        return Why(f"the same component is down ({shared[0]})")
    return None


def _same_events(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    if coincidence(a.events, b.events) >= MOSTLY:
        return Why("their events have the same times")
    if are_lines_of(a.seen, b.events) or are_lines_of(b.seen, a.events):
        return Why("the log lines have the times of the issue")
    return None


def _events_of_the_failures(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """Error events or log lines within the minutes in which requests failed."""
    for events, failures in ((a, b), (b, a)):
        if events.events and failures.ways and failures.spans:
            inside = sum(
                any(start - 60 <= at <= end + 60 for start, end in failures.spans)
                for at in events.events
            )
            if inside >= MOSTLY * len(events.events):
                return Why("errors occurred in the minutes in which requests failed", certain=False)
    return None


def _same_lines(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """As many more log lines as the other finding has lines."""
    for more, lines in ((a, b), (b, a)):
        if not more.lines or one.hour != other.hour:
            continue
        if lines.events and HALF * more.lines <= len(lines.events):
            return Why("the same log lines")
        if lines.bad and HALF * more.lines <= lines.bad <= more.lines / HALF:
            return Why("as many more log lines as failed requests", certain=False)
    return None


def _during_the_failures(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """A gap, a restart or missing data in the minutes in which requests failed."""
    if a.issues or b.issues or a.sparse or b.sparse or "leak" in (one.code, other.code):
        return None
    if a.missing or b.missing or one.hour != other.hour:
        return None
    for failures, part, name in ((a, b, other.id), (b, a, one.id)):
        requests = failures.ways and failures.spans and not part.ways
        if requests and overlap(failures.spans, part.spans) >= MOSTLY:
            return Why(f"{name} failed in the minutes in which requests failed", certain=False)
    if a.spans and b.spans and union_overlap(a.spans, b.spans) >= MOSTLY:
        return Why(f"{one.id} and {other.id} failed in the same minutes", certain=False)
    return None


def _database_and_requests(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """A component that is down while requests fail at the same time."""
    for down, failing in ((a, b), (b, a)):
        if down.components and failing.ways and failing.now and one.hour == other.hour:
            return Why("requests fail while the database is down", certain=False)
    return None


def _rests_on(one: Finding, a: Signs, other: Finding, b: Signs) -> Why | None:
    """A sign-off check, or the baseline, and a check that it depends on."""
    for above, below in ((one, other), (other, one)):
        criterion = CRITERIA.get(above.id)
        fits = above.outcome in (below.outcome, Outcome.FAIL)
        rests = criterion is not None and below.id in criterion.rests_on and below.id not in EIGHT
        if rests and fits:
            same = not (a.missing and b.missing) or a.missing == b.missing
            return Why(f"{above.id} depends on {below.id}", certain=same)
        open_ones = Outcome.FAIL not in (above.outcome, below.outcome)
        own = above.id == below.id and above.id in EIGHT and open_ones
        if own and NOT_RUN in (a.missing, b.missing):
            return Why(f"both parts of {above.id} lack the checkpoints that were not run")
        if above.code == "baseline_failed" and below.id == health.SCHEMA.id:
            return Why(f"{above.id} depends on {below.id}")
    return None


def _next_to_each_other(one: Finding, other: Finding) -> bool:
    """Whether the hours are those of consecutive checkpoints at which the criterion is due."""
    criterion = CRITERIA.get(one.id)
    hours: tuple[int, ...] = criterion.hours if criterion is not None else ()
    if one.id != other.id:
        return abs(one.hour - other.hour) <= 4
    if one.hour in hours and other.hour in hours:
        return abs(hours.index(one.hour) - hours.index(other.hour)) == 1
    return abs(one.hour - other.hour) <= 4


RULES: Sequence[Rule] = (
    _same_issue,
    _not_run,
    _same_missing,
    _same_component,
    _same_events,
    _same_session,
    _slow_endpoint,
    _same_check,
    _failed_answers,
    _same_lines,
    _events_of_the_failures,
    _during_the_failures,
    _database_and_requests,
    _began_with_the_deploy,
    _same_memory,
    _rests_on,
)
"""The signs, the most certain first."""

__all__ = ["Finding", "Group", "Why", "groups", "is_cumulative"]
