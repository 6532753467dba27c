"""The signs in the evidence of one finding: when, which issues, which component, no data from whom.

Rules of this module:

- Signs are read from the evidence that the verdict was judged by, never from its sentence.
- A period counts as trouble only if the evidence dates it: failed probes, blocks with missing
  answers, events, missing beats. A verdict without dated evidence has no period.
- Evidence that cannot be read has no signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from hour24 import evidence as ev
from hour24.classes import IssueClass, class_of
from hour24.codes import SETTLED_BY_MORE_EVIDENCE
from hour24.documents import value_at
from hour24.ledger.record import Judged
from hour24.linear import shipped
from hour24.text import parse_epoch
from hour24.verdict import Outcome

Span = tuple[float, float]
"""Epoch seconds of the start and the end."""

DATABASE = "database"
PROBER = "prober"
OWN_NETWORK = "own network"
CLOCKS = "clocks that agree"
NOT_RUN = "checkpoints that were not run"
NOT_YET = "more data"
"""What is missing if time alone brings it."""
MINUTE_S = 60.0
BEAT_GAP_S = 75.0
POINT_GAP_S = 90.0
"""Longer than this without a beat, or without a point that comes each minute, is a gap."""
FEWEST_ANSWERS = 0.95
"""A block of a distribution with a smaller share of the usual answers has failed ones."""
SPARSE_S = 900.0
"""Events further apart than this are no period without a break."""
_CLOCK_CODES = frozenset({"source_clock", "clock_skew"})
_DATABASE_CODES = frozenset(
    {
        "database_down",
        "services_unhealthy",
        "upstream_down",
        "not_accepting",
        "read_only",
        "login_refused",
        "too_many_connections",
    }
)
_PROBED_CODES = frozenset({"coverage_too_low", "too_few_samples", "no_prober", "sent_late"})
_ANSWERED = ("1", "2", "3", "4")
"""First digits of the statuses that are no failure of the service."""
_PID = shipped(r"pid (\d+)")
_CONTEXT = frozenset({"baseline", "before", "control", "day_before", "declared", "limit", "load"})
"""Names of evidence that a verdict compares with; what they contain is not the finding."""


class Signs(Struct, frozen=True, kw_only=True):
    """What the evidence of one finding says about its cause.

    Args:
        spans: periods of trouble, oldest first.
        sparse: whether the period consists of single events far apart.
        events: times of the error events or log lines that count, epoch seconds.
        issues: ids of the issues that count.
        ways: how requests failed: ``503``, ``refused``, ``schema``.
        components: parts of the system that the evidence names as down.
        missing: what did not provide data: a source, the prober, our own network, more data.
        title: its name for people.
        also_missing: further sources without an answer.
        now: whether it failed at the time of the run; None: the evidence does not say.
        good_until: end of the period without trouble after the last span; 0: there is none.
        seen: of each issue that counts, when it was first and last seen, and its events.
        deploys: start and end of the deploys in the window, of a verdict about restarts.
        sessions: process ids of the database sessions that it names.
        lines: how many log lines more than usual.
        bad: how many requests failed.
        parts: how many issues, patterns or sessions the verdict names.
    """

    spans: tuple[Span, ...] = ()
    sparse: bool = False
    events: tuple[float, ...] = ()
    issues: frozenset[str] = frozenset()
    ways: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()
    missing: str = ""
    title: str = ""
    also_missing: tuple[str, ...] = ()
    now: bool | None = None
    good_until: float = 0.0
    seen: tuple[tuple[float, float, int], ...] = ()
    deploys: tuple[Span, ...] = ()
    sessions: frozenset[str] = frozenset()
    lines: float = 0.0
    bad: int = 0
    parts: int = 1


def signs_of(judged: Judged | None, ended: datetime) -> Signs:
    """Return the signs of a verdict.

    Args:
        judged: None for a verdict that no record contains.
        ended: when its checkpoint ended.
    """
    if judged is None:
        return Signs()
    read = _Reading(judged, ended.timestamp())
    read.all()
    return read.signs()


class _Reading:
    """Collects the signs of one verdict."""

    def __init__(self, judged: Judged, ended: float) -> None:
        self.judged = judged
        self.ended = ended
        self.failed = judged.outcome == Outcome.FAIL
        self.normal = _classes(judged, "normal")
        self.spans: list[Span] = []
        self.events: list[float] = []
        self.issues: set[str] = set()
        self.ways: set[str] = set()
        self.components: set[str] = set()
        self.no_answer: list[str] = []
        self.now: bool | None = None
        self.covered = 0.0
        self.lines = 0.0
        self.seen: list[tuple[float, float, int]] = []
        self.titles: dict[str, str] = {}
        self.deploys: list[Span] = []
        self.sessions: set[str] = set()
        self.bad = 0

    def all(self) -> None:
        for name, plain in self.judged.evidence.items():
            try:
                answer = ev.from_plain(plain)
            except (msgspec.ValidationError, ValueError):
                continue
            if isinstance(answer, ev.Unanswered):
                prober = answer.code == "no_prober"
                self.no_answer.append(PROBER if prober else answer.question.source)
                self.titles.setdefault(answer.question.source, answer.question.who)
            elif name not in _CONTEXT:
                self._read(name, answer)
        if self.judged.code in _DATABASE_CODES:
            self.components.add(DATABASE)
            self.now = True
        if self.failed and "now" in self.judged.evidence and "baseline" in self.judged.evidence:
            self._excess()

    def _read(self, name: str, answer: ev.Evidence) -> None:
        match answer:
            case ev.Probes():
                self._probes(answer)
            case ev.Distribution() if name == "samples":
                self.now = answer.censored > 0 or self.now or False
            case ev.Distribution():
                self._distribution(answer)
            case ev.Counts():
                self._counts(answer)
            case ev.Series():
                self._series(name, answer)
            case ev.Listing():
                self._listing(answer)
            case ev.Document():
                self._document(answer)

    def _cover(self, answer: ev.Evidence) -> None:
        window = answer.question.window
        if window is not None:
            self.covered = max(self.covered, window.end.timestamp())

    def _probes(self, answer: ev.Probes) -> None:
        self._cover(answer)
        for each in answer.vantages.values():
            if isinstance(each, ev.Probes):
                self._probes(each)
            elif not self.failed:
                self.titles.setdefault(each.question.source, each.question.who)
                self.no_answer.append(PROBER if each.code == "no_prober" else each.question.source)
        if answer.vantages:
            return
        apart = max(MINUTE_S, 3 * answer.interval_s)
        own = [each for each in answer.failures if each.control is not False]
        if self.failed:
            self.spans += _runs([each.at for each in own], apart)
            self.ways |= {_way(each.reason) for each in own}
        elif any(each.control is False for each in answer.failures):
            self.no_answer.insert(0, OWN_NETWORK)

    def _distribution(self, answer: ev.Distribution) -> None:
        self._cover(answer)
        self.ways |= {_way(each) for each in answer.bad} if self.failed else set()
        window = answer.question.window
        if not answer.bad or window is None:
            return
        if not answer.blocks:
            self.spans.append((window.start.timestamp(), window.end.timestamp()))
            return
        sizes = {each.start: sum(each.counts.values()) for each in answer.blocks}
        length = answer.blocks[0].seconds
        usual = median(sizes.values())
        lost = {}
        at = answer.blocks[0].start
        while at + length <= window.end.timestamp():
            if sizes.get(at, 0) < FEWEST_ANSWERS * usual:
                lost[at] = usual - sizes.get(at, 0)
            at += length
        if sum(lost.values()) > 2 * answer.censored:  # more than failed: nothing was asked there
            lost = {at: many for at, many in lost.items() if at in sizes}
        self.spans += [(first, last + length) for first, last in _runs(lost, length)]

    def _counts(self, answer: ev.Counts) -> None:
        held = answer.question.source == "websocket"
        if self.failed and (answer.bad if not held else self.judged.code == "no_answer"):
            self.ways |= {_way(part) for part in answer.parts if not part.startswith(_ANSWERED)}
        if self.failed and answer.what == "requests":
            self.bad = max(self.bad, answer.bad)
        if held:
            self.now = answer.bad > 0 or answer.parts.get("refused", 0) > 0 or self.now or False

    def _series(self, name: str, answer: ev.Series) -> None:
        window = answer.question.window
        if window is None:
            return
        start, end = window.start.timestamp(), window.end.timestamp()
        if answer.unit == "requests":
            failing = [
                at
                for line in answer.lines
                if str(line.labels.get("status", "")).startswith("5")
                for at, value in zip(line.times, line.values, strict=True)
                if value and value >= 3
            ]
            self.spans += _runs(failing, 5 * MINUTE_S)
            self.ways |= {
                _way(str(line.labels.get("status")))
                for line in answer.lines
                if str(line.labels.get("status", "")).startswith("5")
            }
            return
        if self.failed and name != "beats":  # what failed is the value, not a gap
            return
        usual = BEAT_GAP_S if name == "beats" else POINT_GAP_S
        for line in answer.lines:
            times = sorted({start, *line.times, end}) if line.times else [start, end]
            self.spans += [(a, b) for a, b in pairwise(times) if b - a > usual]
        if name == "beats" and self.failed:
            self.now = any(end - max(line.times, default=start) > usual for line in answer.lines)

    def _listing(self, answer: ev.Listing) -> None:
        if answer.what == "deploys":
            self._deploys(answer)
            return
        self.sessions |= set(_sessions(answer))
        self._cover(answer)
        counted = [item for item in answer.items if self._counts_as_error(item)]
        if answer.what == "standings":
            self._standings(answer)
        for item in counted:
            name = item.get("short_id") or item.get("issue")
            if name:
                self.issues.add(str(name))
            at = parse_epoch(item.get("at"))
            if at is not None and (name or "message" in item or item.get("process") == "ended"):
                self.events.append(at)
        seen = [
            (first, last, int(item.get("count") or 0))
            for item in counted
            if (first := parse_epoch(item.get("first_seen"))) is not None
            and (last := parse_epoch(item.get("last_seen"))) is not None
        ]
        self.seen += seen
        self.spans += [(max(first, self._start(answer)), last) for first, last, _ in seen]

    def _deploys(self, answer: ev.Listing) -> None:
        """Keep the deploys of the window of a verdict that is about restarts."""
        if self.judged.code != "restarted" or answer.question.window is None:
            return
        start = self._start(answer)
        for item in answer.items:
            first, last = parse_epoch(item.get("started")), parse_epoch(item.get("finished"))
            if first is not None and last is not None and last >= start:
                self.deploys.append((first, last))

    def _standings(self, answer: ev.Listing) -> None:
        """Read why a sign-off check is open: checkpoints that were not run, or earlier findings."""
        below = set((self.judged.objective or {}).get("criteria") or ())
        for item in answer.items:
            settled = item.get("settled") or item.get("waived")
            if item.get("id") in below and not settled and item.get("code") == "missed":
                self.no_answer.append(NOT_RUN)

    def _start(self, answer: ev.Evidence) -> float:
        window = answer.question.window
        return window.start.timestamp() if window is not None else 0.0

    def _counts_as_error(self, item: Mapping[str, Any]) -> bool:
        return class_of(item, self.normal) is None

    def _document(self, answer: ev.Document) -> None:
        if not self.failed:
            return
        pointer = str((self.judged.objective or {}).get("database") or "/database")
        if isinstance(answer.body, dict) and value_at(answer.body, pointer) is False:
            self.components.add(DATABASE)
        if self.judged.code not in _DATABASE_CODES and answer.question.source == "health":
            self.ways.add(_way(answer.problem or "schema") if not answer.status else "schema")
        self.now = True

    def _excess(self) -> None:
        """Count how many more lines with a word there are than at hour 0, of the worst word."""
        try:
            now, before = (ev.from_plain(self.judged.evidence[n]) for n in ("now", "baseline"))
        except (msgspec.ValidationError, ValueError):
            return
        if not (isinstance(now, ev.Counts) and isinstance(before, ev.Counts)):
            return
        lengths = [
            one.question.window.seconds if one.question.window else 0.0 for one in (now, before)
        ]
        times = lengths[0] / lengths[1] if all(lengths) else 1.0
        more = [many - times * before.parts.get(word, 0) for word, many in now.parts.items()]
        self.lines = max([0.0, *more])

    def signs(self) -> Signs:
        missing = ""
        also: Sequence[str] = ()
        code = self.judged.code
        if not self.failed:
            missing, also = self._missing()
        # dense events are a period; sparse ones are compared one by one
        spans = _merged(self.spans)
        dense = _runs(self.events, SPARSE_S)
        sparse = bool(self.seen) and not spans
        if self.events and not spans:
            sparse = len(dense) > 1 and len(dense) > len(self.events) / 2
            spans = ((min(self.events), max(self.events)),) if sparse else tuple(dense)
        if not spans and self.failed:
            spans = _merged(self.deploys)
        last = max((end for _, end in spans), default=0.0)
        good = self.covered if spans and self.covered - last > 2 * MINUTE_S else 0.0
        if self.now is None and code in ("no_answer", "bad_status") and not spans:
            self.now = True
        return Signs(
            spans=spans,
            sparse=sparse or any(_is_sparse(each) for each in self.seen),
            deploys=tuple(self.deploys),
            sessions=frozenset(self.sessions) if self.failed else frozenset(),
            events=tuple(sorted(self.events)),
            issues=frozenset(self.issues) if self.failed or code == "unclassified" else frozenset(),
            ways=frozenset(self.ways),
            components=frozenset(self.components),
            missing=missing,
            title=self.titles.get(missing, missing),
            also_missing=tuple(also),
            now=self.now,
            good_until=good,
            seen=tuple(self.seen) if self.failed else (),
            lines=self.lines,
            bad=self.bad,
            parts=self._parts(),
        )

    def _missing(self) -> tuple[str, list[str]]:
        """Return what did not provide data first, and what else."""
        code = self.judged.code
        sources = list(dict.fromkeys(self.no_answer))
        if code == "no_network" or OWN_NETWORK in sources:
            return OWN_NETWORK, [each for each in sources if each != OWN_NETWORK]
        if code in _CLOCK_CODES:
            return CLOCKS, []
        if code == "no_prober" or (code in _PROBED_CODES and self._was_probed()):
            return PROBER, [each for each in sources if each != PROBER]
        if sources and (code.startswith(("source_", "baseline")) or code in _DATABASE_CODES):
            if sources[0] == DATABASE:
                self.components.add(DATABASE)
            return sources[0], sources[1:]
        if code == "unsettled" and NOT_RUN in sources:
            return NOT_RUN, []
        if code in SETTLED_BY_MORE_EVIDENCE:
            return NOT_YET, sources
        return "", sources

    def _was_probed(self) -> bool:
        return PROBER in self.no_answer or any(
            (plain.get("question") or {}).get("source") == PROBER
            for plain in self.judged.evidence.values()
        )

    def _parts(self) -> int:
        figures = self.judged.figures
        named = [
            figures.get(name, 0.0) for name in ("patterns", "new", "critical_issues", "undeclared")
        ]
        return max(1, len(self.issues) if self.failed else 1, *(int(each) for each in named))


def _classes(judged: Judged, kind: str) -> tuple[IssueClass, ...]:
    found = []
    for plain in (judged.objective or {}).get(kind) or ():
        try:
            found.append(msgspec.convert(plain, type=IssueClass))
        except msgspec.ValidationError:
            continue
    return tuple(found)


def _sessions(answer: ev.Listing) -> Iterator[str]:
    """Yield the process ids of the sessions in a list of statements or connections."""
    for item in answer.items:
        if item.get("pid") is not None:
            yield str(item["pid"])
        for name in ("idle_in_transaction_by", "lock_wait_by"):
            yield from _PID.findall(str(item.get(name) or ""))


def _is_sparse(seen: tuple[float, float, int]) -> bool:
    first, last, count = seen
    return count > 1 and (last - first) / (count - 1) > SPARSE_S / 3


def _way(reason: str) -> str:
    """Return how a request failed without the details: ``schema`` for ``schema: /database``."""
    return reason.partition(":")[0].strip()


def _runs(times: Iterable[float], apart: float) -> list[Span]:
    """Return the periods of these times; times at most ``apart`` seconds apart are one."""
    found: list[Span] = []
    for at in sorted(times):
        if found and at - found[-1][1] <= apart:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + MINUTE_S:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def overlap(one: Sequence[Span], other: Sequence[Span], tolerance: float = MINUTE_S) -> float:
    """Return the shared part of the shorter of two sets of periods, 0 to 1."""
    if not one or not other:
        return 0.0
    widened = [(start - tolerance, end + tolerance) for start, end in one]
    against = [(start - tolerance, end + tolerance) for start, end in other]
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in widened for b in against)
    return min(1.0, shared / min(_length(widened), _length(against)))


def union_overlap(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Return the shared part of both sets of periods together, 0 to 1."""
    if not one or not other:
        return 0.0
    widened = [(start - MINUTE_S, end + MINUTE_S) for start, end in one]
    against = [(start - MINUTE_S, end + MINUTE_S) for start, end in other]
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in widened for b in against)
    return shared / (_length(widened) + _length(against) - shared)


def _length(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)


def are_lines_of(seen: Sequence[tuple[float, float, int]], lines: Sequence[float]) -> bool:
    """Return whether an issue was first and last seen at times of these log lines."""
    return any(
        len(lines) >= count > 0
        and all(any(abs(at - line) <= 2 for line in lines) for at in (first, last))
        for first, last, count in seen
    )


def coincidence(one: Sequence[float], other: Sequence[float], within_s: float = 5.0) -> float:
    """Return the share of the shorter series of times that has a time of the other close by."""
    if not one or not other:
        return 0.0
    few, many = sorted((sorted(one), sorted(other)), key=len)
    return sum(1 for _ in _close(few, many, within_s)) / len(few)


def _close(few: Sequence[float], many: Sequence[float], within_s: float) -> Iterator[float]:
    position = 0
    for at in few:
        while position < len(many) and many[position] < at - within_s:
            position += 1
        if position < len(many) and many[position] <= at + within_s:
            yield at
