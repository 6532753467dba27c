"""The types of evidence: what a source can answer.

Rules of this module:

- Evidence carries its question: what was asked, which source, which window, when, with every
  attempt, its time and its error, and a digest of the raw answer. It contains no secret.
- Evidence says whether it is a ``census`` (all there was) or a ``sample``.
- A missing answer is :class:`Unanswered`: evidence of nothing, with a code for the cause.
- Evidence is plain data: it is stored in the record as JSON and loads back equal, so that every
  verdict can be recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from hour24.watch import Window

Basis = Literal["census", "sample"]


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt at a question.

    Args:
        at: when it was sent, UTC.
        took_ms: until its answer or its end, in milliseconds.
        result: HTTP status, ``ok``, or the error in a few words.
    """

    at: datetime
    took_ms: float
    result: str


class Question(Struct, frozen=True, kw_only=True):
    """The question that was asked.

    Args:
        source: short name of the source: ``database``, ``prober``; of a witness, its section.
        asked: the request as sent, without secrets; several requests, one per line.
        at: when the first was sent, UTC.
        window: the period that the answer covers; None when it is only "now".
        attempts: every attempt, including failed ones.
        digest: SHA-256 of the raw answer, hexadecimal; empty when there was none.
        vantage: where it was measured from, when that matters.
        pages: how many pages the answer came in.
        title: the source's name for people; empty where the short name is enough.
        repeat: the command that repeats the request, but for its address or statement; secrets
            are variables of the reader's shell.
        measure: the measure that a witness was asked for; empty for other sources.
        second_opinion: True if the witness may accuse, and its silence blocks no PASS.
    """

    source: str
    asked: str
    at: datetime
    window: Window | None = None
    attempts: tuple[Attempt, ...] = ()
    digest: str = ""
    vantage: str = ""
    pages: int = 1
    title: str = ""
    repeat: str = ""
    measure: str = ""
    second_opinion: bool = False

    @property
    def who(self) -> str:
        """The source's name for people."""
        return self.title or self.source


class Evidence(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """The answer to one question. ``note`` is for a reader, never judged."""

    question: Question
    basis: Basis = "census"
    note: str = ""


class Unanswered(Evidence, frozen=True, kw_only=True, tag="unanswered"):
    """A question without a usable answer.

    Args:
        code: the cause, one word: ``source_unreachable``, ``no_prober``, ``late``.
        reason: the cause, one sentence that a person can act on.
        not_provided: True if the source answered in full that it does not hold this measure, and
            it never did in this watch: then other sources judge.
    """

    code: str
    reason: str
    not_provided: bool = False


class Counts(Evidence, frozen=True, kw_only=True, tag="counts"):
    """``bad`` of ``total`` things, and their parts.

    Args:
        total: how many there were, at least 0.
        bad: how many of them count as failures.
        what: the thing counted, plural: ``requests``, ``connections``.
        parts: name -> count, e.g. by HTTP status or by cause.
        total_most, bad_most: the most that ``total`` and ``bad`` may be, where the source knows
            them as a bracket; None: they are exact.
        cut: a code if only a part was counted, so that each number is a lower bound; else empty.
    """

    total: int
    bad: int
    what: str
    parts: dict[str, int] = {}
    total_most: int | None = None
    bad_most: int | None = None
    cut: str = ""


class Total(Evidence, frozen=True, kw_only=True, tag="total"):
    """One number with its unit."""

    value: float
    unit: str


class Samples(Evidence, frozen=True, kw_only=True, tag="samples"):
    """Single measurements.

    Args:
        values: in ``unit``, in the order they were taken.
        unit: ``ms``, ``s``, ``bytes``.
        times: epoch seconds, one per value, or empty.
        censored: how many ended without an answer; each is at least as long as any value.
    """

    values: tuple[float, ...]
    unit: str
    times: tuple[float, ...] = ()
    censored: int = 0


class Quantiles(Evidence, frozen=True, kw_only=True, tag="quantiles"):
    """Quantiles that a source computed itself.

    Args:
        n: number of measurements behind them.
        unit: of the values.
        values: quantile as text (``0.5`` to ``1``) -> value; ``1`` is the largest.
    """

    n: int
    unit: str
    values: dict[str, float]


class Buckets(Evidence, frozen=True, kw_only=True, tag="buckets"):
    """How many measurements are above given bounds, from a histogram's buckets.

    Args:
        unit: of the bounds.
        total: how many measurements there are, at least and at most.
        above: bound as text -> how many are above it, at least and at most; a measurement that
            equals the bound is not above it.
    """

    unit: str
    total: tuple[int, int]
    above: dict[str, tuple[int, int]]


class Block(Struct, frozen=True):
    """Samples of a short period.

    Args:
        start: epoch seconds.
        seconds: length.
        counts: histogram bucket (as text, for JSON) -> number of samples.
    """

    start: float
    seconds: float
    counts: dict[str, int]


class Distribution(Evidence, frozen=True, kw_only=True, tag="distribution"):
    """Many measurements as log histograms (:mod:`hour24.histogram`), one per block of time.

    Args:
        unit: of what was measured.
        blocks: in ascending time; merged they contain every sample.
        censored: how many ended without a good answer; each is at least as long as any value.
        bad: how these ended, ``503`` or ``timeout`` -> how many.
        refused: how many were answered 401 or 403 because of our credential; no samples.
        limited: how many were answered 429 (never a sample).
        sent_late: how many were sent more than half an interval late.
        round_trip_ms: shortest time to open a connection, in milliseconds; 0 when not measured.
    """

    unit: str
    blocks: tuple[Block, ...]
    censored: int = 0
    bad: dict[str, int] = {}
    refused: int = 0
    limited: int = 0
    sent_late: int = 0
    round_trip_ms: float = 0.0

    def merged(self) -> dict[int, int]:
        """All blocks as one histogram: bucket -> count."""
        total: dict[int, int] = {}
        for block in self.blocks:
            for key, count in block.counts.items():
                total[int(key)] = total.get(int(key), 0) + count
        return total

    @property
    def n(self) -> int:
        """Number of samples: good answers, each with its time."""
        return sum(sum(block.counts.values()) for block in self.blocks)


class Line(Struct, frozen=True, kw_only=True):
    """One labelled line of a series.

    Args:
        labels: e.g. ``{"instance": "srv-x-1"}``.
        times: epoch seconds, ascending.
        values: one per time; ``None`` where the source had no value.
    """

    times: tuple[float, ...]
    values: tuple[float | None, ...]
    labels: dict[str, str] = {}


class Series(Evidence, frozen=True, kw_only=True, tag="series"):
    """Values over time, one line per label set (an instance, a status, a quantile)."""

    unit: str
    lines: tuple[Line, ...]


class Listing(Evidence, frozen=True, kw_only=True, tag="listing"):
    """A list of things: issues, log lines, events, deploys, statements.

    Args:
        what: the thing, plural.
        items: one dictionary per thing; the source defines its keys.
        complete: True if these are all there were.
        seen: how many were read to select these; at least ``len(items)``.
        about: facts about the whole list, by name: when its counters began.
    """

    what: str
    items: tuple[dict[str, Any], ...]
    complete: bool = True
    seen: int = 0
    about: dict[str, float | str | None] = {}


UNLISTED = "unlisted_events"
"""In ``about`` of issues or error events: events of the same source that the list lacks."""
RESTS_ON = "rests_on"
"""In ``about`` of issues or error events: what they were made from, where no tracker has them."""
BASELINE_SHORT = "baseline_short"
"""In ``about`` of such issues: the time to which the lines before the window do not reach back."""


class Document(Evidence, frozen=True, kw_only=True, tag="document"):
    """A document that was fetched.

    Args:
        status: HTTP status; 0 when there was no answer at all.
        body: parsed JSON; ``None`` when it was not JSON, and then ``problem`` describes it.
        problem: empty when a JSON document was read.
        took_ms: of the last attempt, in milliseconds.
        server_date: the answer's ``Date`` header, when it had one.
        silent: True if no attempt got any HTTP answer (refused, reset, timed out).
        cached: the header that shows that a cache answered; empty: none did.
        not_taken: why our own client cannot read the answer; empty when it can.
    """

    status: int
    body: Any
    problem: str = ""
    took_ms: float = 0.0
    server_date: datetime | None = None
    silent: bool = False
    cached: str = ""
    not_taken: str = ""


def control_is_silent(control: Evidence | None) -> bool:
    """True if the control address gave no answer: then our own network may be down."""
    return isinstance(control, Document) and control.silent


class Failure(Struct, frozen=True, kw_only=True):
    """A probe that failed.

    Args:
        at: when it was due, epoch seconds.
        reason: ``503``, ``timeout``, ``refused``, ``schema: ...``.
        lasted_s: until the first good probe after it, in seconds; 0 when the next one was good.
        control: True if the control address answered then; None when it was not asked.
    """

    at: float
    reason: str
    lasted_s: float = 0.0
    control: bool | None = None


class Uptime(Struct, frozen=True):
    """An uptime reading: ``at`` epoch seconds, ``uptime_s`` seconds, and which instance."""

    at: float
    uptime_s: float
    instance: str = ""


STALE = "stale: "
NOT_TAKEN = "not taken: "
"""Prefixes of statuses that say nothing about the service: cached or unreadable answers."""


class Probes(Evidence, frozen=True, kw_only=True, tag="probes"):
    """The prober's results for one target over a window.

    Args:
        target: ``health``, an endpoint's name, ``websocket`` or ``control``.
        interval_s: between two probes.
        due: number of slots in the window.
        kept: number of slots with a probe that was sent and not limited (429).
        bad: how many probes failed.
        failures: each failed probe, oldest first.
        gaps: periods without any probe, longer than one interval, as [start, end] epoch
            seconds, the window's edges included.
        uptimes: uptime readings, when the target reports one.
        limited: how many were answered 429 (never a sample).
        statuses: HTTP status or reason -> count.
        connections: WebSocket connections established.
        drops: WebSocket connections that ended abnormally.
        refused: WebSocket handshakes refused.
        held_s: seconds that connections were open, in total.
        simulated: True in a rehearsal.
        vantages: where several vantages are described: name -> what it saw of the same target.
    """

    target: str
    interval_s: float
    due: int
    kept: int
    bad: int = 0
    failures: tuple[Failure, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    uptimes: tuple[Uptime, ...] = ()
    limited: int = 0
    statuses: dict[str, int] = {}
    connections: int = 0
    drops: int = 0
    refused: int = 0
    held_s: float = 0.0
    simulated: bool = False
    vantages: dict[str, Probes | Unanswered] = {}


class ByProvider(Struct, frozen=True):
    """The answers to one question that several witnesses were asked.

    Args:
        answers: section of production.toml -> its answer, in the order of the file.
    """

    answers: dict[str, Evidence]

    def named(self, name: str) -> dict[str, Evidence]:
        """The answers by the names under which a record stores them: ``memory``, ``memory@edge``.

        The first witness in production.toml keeps the plain name.
        """
        return {
            f"{name}{PROVIDER}{section}" if number else name: answer
            for number, (section, answer) in enumerate(self.answers.items())
        }


PROVIDER = "@"
"""Between the name of an answer and the section of the witness that gave it."""


def spread(evidence: Mapping[str, Evidence | ByProvider]) -> dict[str, Evidence]:
    """The evidence with one name for the answer of each witness."""
    found: dict[str, Evidence] = {}
    for name, each in evidence.items():
        found |= each.named(name) if isinstance(each, ByProvider) else {name: each}
    return found


AnyEvidence = (
    Unanswered
    | Counts
    | Total
    | Samples
    | Quantiles
    | Buckets
    | Distribution
    | Series
    | Listing
    | Document
    | Probes
)


def to_plain(evidence: Evidence) -> dict[str, Any]:
    """The evidence as JSON-able data. Raises: TypeError, when a value is not JSON-able."""
    plain: dict[str, Any] = msgspec.to_builtins(evidence)
    return plain


def from_plain(plain: Mapping[str, Any]) -> Evidence:
    """The evidence that :func:`to_plain` wrote.

    Raises: msgspec.ValidationError, when it is not evidence.
    """
    evidence: Evidence = msgspec.convert(plain, type=AnyEvidence)
    return evidence
