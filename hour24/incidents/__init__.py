"""Incidents: what failed or could not be measured, grouped by what the findings share.

Rules of this package:

- Pure: findings in, incidents out; it sees no names of faults and asks nothing.
- The incidents partition the FAIL and INCONCLUSIVE findings: each finding is in exactly one.
- An incident is over only with evidence after its end: later probes, answers or events that show
  no more of it, or a later checkpoint at which all its checks passed.
- What two causes may share groups findings with a doubt that is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct

from hour24 import evidence as ev
from hour24.codes import CODES
from hour24.criteria import errors
from hour24.incidents.grouping import (
    COUNTS_CHECKPOINTS,
    Finding,
    Group,
    groups,
    is_cumulative,
)
from hour24.incidents.signs import CLOCKS, DATABASE, NOT_RUN, NOT_YET, OWN_NETWORK, PROBER, Signs
from hour24.ledger.record import Judged, Record
from hour24.ledger.standings import Standing
from hour24.linear import shipped
from hour24.text import (
    format_percent,
    join_words,
    one_line,
    parse_epoch,
    plural,
    shorten,
    shorten_ids,
)
from hour24.verdict import Outcome

__all__ = [
    "Deploy",
    "Finding",
    "Incident",
    "State",
    "deploys",
    "live_deploy",
    "of_record",
    "of_watch",
]

Clock = Callable[[datetime], str]
"""Formats a time for a reader."""
QUIET_S = 600.0
"""Events are over after at least so long without one."""
QUIET_INTERVALS = 5
"""And after so many of their usual intervals."""
DEPLOYING = timedelta(minutes=5)
"""A new version may answer, and fail, so long before the platform calls the deploy finished."""
TITLE = 110
"""Characters of an issue's title in a headline."""
OBSERVED = 60
"""Characters of an observed value in a headline."""
_OUTAGE = {"refused", "timeout", "reset", "closed", "the connection broke", "unreachable"}
_EXHAUSTED = shipped(r"(?<![0-9.,])[0-9.,]+ [MG]B limit reached in [^;]+")
_LEADING = (
    "database_down",
    "services_unhealthy",
    "no_answer",
    "crashed",
    "leak",
    "memory_high",
    "restarted",
    "critical_issue",
    "new_issue",
    "bad_status",
    "health_failed",
    "schema",
    "slow",
    "slower",
    "slower_tail",
)
"""Codes that name an incident, the most informative first; others follow."""


class State(StrEnum):
    """Whether an incident is over."""

    STILL = "still"
    OVER = "over"
    UNKNOWN = "unknown"
    NOT_MEASURED = "not measured"


class Deploy(Struct, frozen=True, kw_only=True):
    """A deploy that the platform reported; ``at`` is when it went live."""

    id: str
    commit: str
    at: datetime


class Incident(Struct, frozen=True, kw_only=True):
    """Findings that share an issue, minutes, a component or a source.

    Args:
        headline: what happened, with its number.
        began: None: the evidence does not date it.
        until: since when it is over; or the last time at which it was observed.
        checked: the end of the evidence, or the time of the checkpoint.
        affected, requests: how many of how many requests failed; 0: not known.
        deploy: the last deploy before it; None: none is known.
        why: why its findings are together.
        doubt: why it may be several incidents; empty: no doubt.
    """

    headline: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    state: State
    began: datetime | None = None
    until: datetime | None = None
    checked: datetime | None = None
    affected: int = 0
    requests: int = 0
    issues: tuple[str, ...] = ()
    deploy: Deploy | None = None
    why: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def is_open(self) -> bool:
        """Whether any of its findings blocks the launch."""
        return any(each.is_open for each in self.findings)

    @property
    def hours(self) -> tuple[int, ...]:
        """The checkpoints at which it was found."""
        return tuple(sorted({each.hour for each in self.findings}))

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of its criteria, each once."""
        return tuple(dict.fromkeys(each.id for each in self.findings))

    @property
    def touched(self) -> str:
        """``10 checks``, ``1 check at 3 checkpoints``."""
        text = plural(len(self.checks), "check")
        return text if len(self.hours) < 2 else f"{text} at {len(self.hours)} checkpoints"

    @property
    def share(self) -> str:
        """``10.5 % of requests failed``; empty if not known."""
        if not self.requests or not self.affected:
            return ""
        return f"{format_percent(self.affected / self.requests)} of requests failed"

    def ending(self, clock: Clock | None = None) -> str:
        """Return whether it is over: ``over since 14:00``, ``still failing at 14:00``.

        Empty for what was not measured, as its headline says.

        Args:
            clock: formats a time; None: in UTC.
        """
        show = clock or _utc
        match self.state:
            case State.OVER:
                return f"over since {show(self.until)}" if self.until else "over"
            case State.STILL:
                return f"still failing at {show(self.checked)}" if self.checked else "still failing"
            case State.NOT_MEASURED:
                return ""
        if self.until and self.checked:
            return f"last seen {show(self.until)}; not known to be over at {show(self.checked)}"
        return f"not known to be over at {show(self.checked)}" if self.checked else "end not known"

    def summary(self, clock: Clock | None = None) -> str:
        """Return one line: headline, begin, end, share and checks."""
        show = clock or _utc
        if self.state == State.NOT_MEASURED:
            return self.headline
        parts = [f"began {show(self.began)}" if self.began else "", self.ending(show), self.share]
        return f"{self.headline} ({', '.join(part for part in (*parts, self.touched) if part)})"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC"


def of_record(record: Record, marks: Mapping[tuple[str, str], str] | None = None) -> list[Incident]:
    """Return the incidents of one checkpoint, what failed first.

    Args:
        marks: ``(id, subject)`` of findings that are waived or resolved, and by whom.
    """
    found = [
        Finding(
            hour=record.hour,
            id=judged.id,
            subject=judged.subject,
            outcome=judged.outcome,
            code=judged.code,
            reason=judged.reason,
            ended=record.ended,
            judged=judged,
            waived_by=(marks or {}).get((judged.id, judged.subject), ""),
        )
        for judged in record.criteria
        if judged.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    ]
    return _incidents(found, deploys([record]), {})


def of_watch(standings: Iterable[Standing], records: Sequence[Record]) -> list[Incident]:
    """Return the incidents of a watch, what failed first.

    Args:
        standings: of every criterion at every checkpoint so far.
        records: all attempts.
    """
    every = list(standings)
    attempts = {(each.hour, each.attempt): each for each in records}
    passed: dict[tuple[str, str], list[int]] = {}
    found = []
    for standing in every:
        key = (standing.id, standing.subject)
        if standing.outcome == Outcome.PASS:
            passed.setdefault(key, []).append(standing.hour)
        if standing.outcome not in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            continue
        record = attempts.get((standing.hour, standing.attempt))
        judged = _verdict_of(record, key)
        ended = record.ended if record is not None else standing.known_from
        found.append(
            Finding(
                hour=standing.hour,
                id=standing.id,
                subject=standing.subject,
                outcome=standing.outcome,
                code=standing.code,
                reason=standing.reason,
                ended=ended or datetime.fromtimestamp(0, UTC),
                judged=judged,
                waived_by=standing.waived_by,
                settled_by=standing.settled_by,
            )
        )
    ends = {each.hour: each.ended for each in records}
    return _incidents(found, deploys(records), {k: (v, ends) for k, v in passed.items()})


def _verdict_of(record: Record | None, key: tuple[str, str]) -> Judged | None:
    """Return the verdict of this criterion and subject; None if the record has none."""
    many = record.criteria if record is not None else ()
    return next((each for each in many if (each.id, each.subject) == key), None)


def deploys(records: Iterable[Record]) -> list[Deploy]:
    """Return every deploy that the platform reported to these checkpoints, oldest first."""
    found: dict[str, Deploy] = {}
    for record in records:
        for listing in _deploy_listings(record):
            for item in listing.items:
                at = parse_epoch(item.get("finished")) or parse_epoch(item.get("started"))
                if at is not None and item.get("served", True):
                    name = str(item.get("id") or "")
                    found[name] = Deploy(
                        id=name,
                        commit=str(item.get("commit") or ""),
                        at=datetime.fromtimestamp(at, UTC),
                    )
    return sorted(found.values(), key=lambda each: each.at)


def live_deploy(record: Record) -> Deploy | None:
    """Return the deploy that was live at a checkpoint, as the platform reported it."""
    for listing in _deploy_listings(record):
        name = str(listing.about.get("live") or "")
        return next((each for each in deploys([record]) if each.id == name), None)
    return None


def _deploy_listings(record: Record) -> Iterable[ev.Listing]:
    for judged in record.criteria:
        plain = judged.evidence.get("deploys")
        if plain is None:
            continue
        try:
            answer = ev.from_plain(plain)
        except (msgspec.ValidationError, ValueError):
            continue
        if isinstance(answer, ev.Listing):
            yield answer


Passed = Mapping[tuple[str, str], tuple[list[int], Mapping[int, datetime]]]


def _incidents(found: list[Finding], known: Sequence[Deploy], passed: Passed) -> list[Incident]:
    incidents = [_incident(group, known, passed) for group in groups(found)]

    def rank(each: Incident) -> tuple[object, ...]:
        waits = all(one.code in _WAITING for one in each.findings)
        began = each.began.timestamp() if each.began else 0.0
        return (
            not each.is_open,
            each.outcome != Outcome.FAIL,
            waits,
            all(one.code == COUNTS_CHECKPOINTS for one in each.findings),
            _READ_FIRST.index(each.state),
            -len(each.findings),
            began,
        )

    return sorted(incidents, key=rank)


_READ_FIRST = (State.STILL, State.UNKNOWN, State.NOT_MEASURED, State.OVER)
_WAITING = frozenset(name for name, one in CODES.items() if one.settled_by == "evidence")


def _incident(group: Group, known: Sequence[Deploy], passed: Passed) -> Incident:
    failed = [
        (one, signs)
        for one, signs in zip(group.findings, group.signs, strict=True)
        if one.outcome == Outcome.FAIL
    ]
    outcome = Outcome.FAIL if failed else Outcome.INCONCLUSIVE
    own = [span for one, signs in failed if not is_cumulative(one) for span in signs.spans]
    dated = own or [span for _, signs in failed for span in signs.spans]
    began = min((start for start, _ in dated), default=None)
    state, until, checked = _ending(failed, passed)
    start = datetime.fromtimestamp(began, UTC) if began is not None else None
    affected, requests = _share(group.findings)
    lead, signs = _lead(group)
    before = [each for each in known if start is not None and each.at <= start + DEPLOYING]
    order = {name: number for number, name in enumerate(_LEADING)}
    findings = sorted(
        group.findings,
        key=lambda one: (
            one.outcome != Outcome.FAIL,
            one.name != lead.name,
            order.get(one.code, len(order)),
        ),
    )
    return Incident(
        headline=_headline(lead, signs, group),
        outcome=outcome,
        findings=tuple(findings),
        state=state,
        began=start,
        until=until,
        checked=checked,
        affected=affected,
        requests=requests,
        issues=tuple(sorted({name for _, one in failed for name in one.issues})),
        deploy=before[-1] if before else None,
        why=tuple(dict.fromkeys(each.text for each in group.why)),
        doubt=_doubt(group),
    )


def _ending(
    failed: Sequence[tuple[Finding, Signs]], passed: Passed
) -> tuple[State, datetime | None, datetime | None]:
    """Return whether it is over, since when, and up to when it was checked."""
    if not failed:
        return State.NOT_MEASURED, None, None
    newest = max(one.hour for one, _ in failed)
    checked = max(one.ended for one, _ in failed)
    later = _passed_later(failed, newest, passed)
    last = [(one, signs) for one, signs in failed if one.hour == newest]
    ends = [end for _, signs in last for _, end in signs.spans]
    end = datetime.fromtimestamp(max(ends), UTC) if ends else None
    if later is not None:
        return State.OVER, end or later, later
    if any(signs.now for _, signs in last):
        return State.STILL, end, checked
    good = [signs.good_until for _, signs in last if _is_quiet(signs)]
    if end is not None and good and max(good) > max(ends):
        return State.OVER, end, datetime.fromtimestamp(max(good), UTC)
    return State.UNKNOWN, end, checked


def _is_quiet(signs: Signs) -> bool:
    """Return whether the time after the last trouble is long enough to call it over."""
    if not signs.good_until or not signs.spans:
        return False
    last = max(end for _, end in signs.spans)
    if signs.ways:
        return True
    counts = [count for _, _, count in signs.seen] or [len(signs.events)]
    length = last - min(start for start, _ in signs.spans)
    usual = length / max(1, max(counts) - 1) if max(counts) > 1 else 0.0
    return signs.good_until - last > max(QUIET_S, QUIET_INTERVALS * usual)


def _passed_later(
    failed: Sequence[tuple[Finding, Signs]], newest: int, passed: Passed
) -> datetime | None:
    """Return when all its checks passed at a later checkpoint; None if they did not."""
    hours = []
    for one, _ in failed:
        many, ends = passed.get((one.id, one.subject), ([], {}))
        after = [hour for hour in many if hour > newest and hour in ends]
        if not after and not one.id.startswith("SIGNOFF-"):
            return None
        hours += [ends[min(after)]] if after else []
    return max(hours, default=None)


def _share(findings: Iterable[Finding]) -> tuple[int, int]:
    """Return how many requests failed, as the platform counted them at the worst checkpoint."""
    found = []
    for one in findings:
        if one.id != errors.RATE.id or one.judged is None:
            continue
        for name in ("platform", "probe"):
            plain = one.judged.evidence.get(name) or {}
            bad, total = plain.get("bad"), plain.get("total")
            if isinstance(bad, int) and isinstance(total, int) and total:
                found.append((bad, total))
                break
    return max(found, key=lambda each: each[0] / each[1], default=(0, 0))


def _lead(group: Group) -> tuple[Finding, Signs]:
    """Return the finding that names the incident, at its first checkpoint."""
    order = {name: number for number, name in enumerate(_LEADING)}
    pairs = list(zip(group.findings, group.signs, strict=True))

    def rank(pair: tuple[Finding, Signs]) -> tuple[object, ...]:
        one, _ = pair
        sign_off = one.id.startswith("SIGNOFF-") or one.code == "baseline_failed"
        return (one.outcome != Outcome.FAIL, sign_off, order.get(one.code, len(order)), -one.hour)

    return min(pairs, key=rank)


def _headline(lead: Finding, signs: Signs, group: Group) -> str:
    """Return what happened, with the number that matters."""
    if lead.outcome == Outcome.INCONCLUSIVE:
        return _missing_headline(lead, signs, group)
    ways = {way for each in group.signs for way in each.ways}
    codes = {each.code for each in group.findings}
    title = _issue_title(group)
    if codes & {"database_down", "upstream_down"}:
        return "The database is down" + (f": {title}" if title else "")
    if "no_answer" in codes and ways & _OUTAGE:
        return f"The service did not answer ({join_words(sorted(ways & _OUTAGE))})"
    if title and codes & {"new_issue", "critical_issue", "too_many_events"}:
        return title
    if lead.code in ("bad_status", "health_failed") and ways:
        how = join_words([f"HTTP {way}" if way.isdigit() else way for way in sorted(ways)])
        return f"Requests failed: {how}"
    if codes == {COUNTS_CHECKPOINTS} and len(group.findings) > 1:
        return f"Failed at earlier checkpoints: {join_words([each.id for each in group.findings])}"
    if lead.code == "leak":
        rate = lead.judged.observed if lead.judged is not None else ""
        return f"Memory leak: {rate}" + "".join(
            f", {each}" for each in _EXHAUSTED.findall(lead.reason)
        )
    means = CODES[lead.code].means.rstrip(".") if lead.code in CODES else lead.id
    observed = lead.judged.observed if lead.judged is not None else ""
    subject = f" ({lead.subject})" if lead.subject else ""
    shown = shorten_ids(one_line(observed, OBSERVED)) if observed else ""
    return f"{means}{subject}: {shown}" if shown else f"{means}{subject}"


def _missing_headline(lead: Finding, signs: Signs, group: Group) -> str:
    count = plural(len({each.id for each in group.findings}), "check")
    source = signs.title or signs.missing
    what = {
        PROBER: "Too few probes: the prober did not run throughout",
        OWN_NETWORK: "Our own network may be down",
        CLOCKS: "The clock of this machine and other clocks differ",
        NOT_YET: "Not enough data yet",
        NOT_RUN: "Checkpoints were not run",
        "": CODES[lead.code].means.rstrip(".") if lead.code in CODES else lead.code,
    }.get(signs.missing)
    if what is None:
        what = "No answer from the database" if source == DATABASE else f"No answer from {source}"
    return f"{what}: {count} not measured"


def _issue_title(group: Group) -> str:
    """Return the title of the issue with the most events, and their number."""
    best: tuple[int, str] = (0, "")
    for one, signs in zip(group.findings, group.signs, strict=True):
        for plain in one.judged.evidence.values() if one.judged is not None else ():
            for item in plain.get("items") or ():
                name = item.get("short_id")
                if name in signs.issues and item.get("title"):
                    count = int(item.get("count") or 0)
                    text = f"{shorten(item['title'], TITLE)}, {plural(count, 'event')}"
                    best = max(best, (count, text))
    return best[1]


def _doubt(group: Group) -> str:
    """Return why these findings may have several causes; empty if nothing suggests it."""
    doubts = list(dict.fromkeys(each.text for each in group.why if not each.certain))
    several = [
        f"{one.id} reports {signs.parts} results as one"
        for one, signs in zip(group.findings, group.signs, strict=True)
        if signs.parts > 1 and one.outcome == Outcome.FAIL
    ]
    also = sorted({each for signs in group.signs for each in signs.also_missing})
    texts = []
    if doubts:
        texts.append(f"Grouped by time or measure only: {join_words(doubts)}")
    if several:
        texts.append(several[0])
    if also:
        texts.append(f"No answer from {join_words(also)} either")
    if not texts:
        return ""
    return "; ".join(texts) + ". It may be more than one incident"
