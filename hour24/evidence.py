"""What a source can answer.

Rules of this module:

- Evidence carries its question: what was asked, of whom, over which window, when, with every
  attempt, its time and its error, and a digest of the raw answer. No secret is in it.
- Evidence says whether it is a ``census`` (all there was) or a ``sample``.
- What could not be had is :class:`Unanswered`: evidence of nothing, with a code that says why.
- Evidence is plain data: it goes into the record as JSON and comes back equal, so that every
  verdict can be derived again.
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
    """One try at a question.

    Args:
        at: when it was sent, UTC.
        took_ms: until its answer or its end, in milliseconds.
        result: HTTP status, ``ok``, or what went wrong, in a few words.
    """

    at: datetime
    took_ms: float
    result: str


class Question(Struct, frozen=True, kw_only=True):
    """What was asked.

    Args:
        source: whom, a short name: ``database``, ``prober``; of a witness, its section.
        asked: the request as sent, without secrets; several requests, one a line.
        at: when the first was sent, UTC.
        window: the stretch of time the answer speaks of; none when it is only "now".
        attempts: every try, failed ones too.
        digest: SHA-256 of the raw answer, hexadecimal; empty when there was none.
        vantage: from where it was measured, when that matters.
        pages: how many pages the answer came in.
        title: what people call the source; empty where its short name says it.
        repeat: the command that repeats the request, but for its address or statement; secrets
            are variables of the reader's shell.
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

    @property
    def who(self) -> str:
        """Whom, for people."""
        return self.title or self.source


class Evidence(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """The answer to one question. ``note`` is for a reader, never judged."""

    question: Question
    basis: Basis = "census"
    note: str = ""


class Unanswered(Evidence, frozen=True, kw_only=True, tag="unanswered"):
    """There was no usable answer.

    Args:
        code: why, one word: ``source_unreachable``, ``no_prober``, ``late``, ``baseline_absent``.
        reason: why, one sentence a person can act on.
    """

    code: str
    reason: str


class Counts(Evidence, frozen=True, kw_only=True, tag="counts"):
    """``bad`` of ``total`` things, and how they divide.

    Args:
        total: how many there were, at least 0.
        bad: how many of them count against production.
        what: the thing counted, plural: ``requests``, ``connections``.
        parts: name -> count, e.g. by HTTP status or by cause.
    """

    total: int
    bad: int
    what: str
    parts: dict[str, int] = {}


class Total(Evidence, frozen=True, kw_only=True, tag="total"):
    """One number with its unit."""

    value: float
    unit: str


class Samples(Evidence, frozen=True, kw_only=True, tag="samples"):
    """Single measurements.

    Args:
        values: in ``unit``, in the order they were taken.
        unit: ``ms``, ``s``, ``bytes``.
        times: epoch seconds, one a value, or empty.
        censored: how many ended without an answer; each is at least as long as any value.
    """

    values: tuple[float, ...]
    unit: str
    times: tuple[float, ...] = ()
    censored: int = 0


class Quantiles(Evidence, frozen=True, kw_only=True, tag="quantiles"):
    """Quantiles that a source computed itself.

    Args:
        n: how many measurements they rest on.
        unit: of the values.
        values: quantile as text (``0.5`` to ``1``) -> value; ``1`` is the largest.
    """

    n: int
    unit: str
    values: dict[str, float]


class Block(Struct, frozen=True):
    """Samples of a short stretch.

    Args:
        start: epoch seconds.
        seconds: length.
        counts: histogram bucket (as text, for JSON) -> number of samples.
    """

    start: float
    seconds: float
    counts: dict[str, int]


class Distribution(Evidence, frozen=True, kw_only=True, tag="distribution"):
    """Many measurements as log histograms (:mod:`hour24.histogram`), one a block of time.

    Args:
        unit: of what was measured.
        blocks: ascending in time; merged they are the whole.
        censored: how many ended without a good answer; each is at least as long as any value.
        bad: how these ended, ``503`` or ``timeout`` -> how many.
        refused: how many were answered 401 or 403: our credential's fault, and no samples.
        limited: how many were answered 429 (never a sample).
        sent_late: how many were sent later than half their interval after they were due.
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
        values: one a time; ``None`` where the source had no value.
    """

    times: tuple[float, ...]
    values: tuple[float | None, ...]
    labels: dict[str, str] = {}


class Series(Evidence, frozen=True, kw_only=True, tag="series"):
    """Values over time, one line a label set (an instance, a status, a quantile)."""

    unit: str
    lines: tuple[Line, ...]


class Listing(Evidence, frozen=True, kw_only=True, tag="listing"):
    """Things found: issues, log lines, events, deploys, statements.

    Args:
        what: the thing, plural.
        items: one dictionary a thing; which keys is the source's to say.
        complete: whether these are all there were.
        seen: how many were looked at to find these; at least ``len(items)``.
        about: what holds of the whole, by name: since when its counters run.
    """

    what: str
    items: tuple[dict[str, Any], ...]
    complete: bool = True
    seen: int = 0
    about: dict[str, float | str | None] = {}


class Document(Evidence, frozen=True, kw_only=True, tag="document"):
    """A document that was fetched.

    Args:
        status: HTTP status; 0 when there was no answer at all.
        body: parsed JSON; ``None`` when it was none, and then ``problem`` says what it was.
        problem: empty when a JSON document was read.
        took_ms: of the last attempt, in milliseconds.
        server_date: the answer's own ``Date``, when it had one.
        silent: whether no attempt got any HTTP answer (refused, reset, timed out).
        cached: the header with which a cache says that it gave the answer; empty: none did.
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
    """Whether the control address gave no answer at all: then our own network may be down."""
    return isinstance(control, Document) and control.silent


class Failure(Struct, frozen=True, kw_only=True):
    """A probe that failed.

    Args:
        at: when it was due, epoch seconds.
        reason: ``503``, ``timeout``, ``refused``, ``schema: ...``.
        lasted_s: until the first good probe after it, in seconds; 0 when the next one was good.
        control: whether the control address answered meanwhile; none when it was not asked.
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
"""How statuses begin that are no look at the service: a cache's copy, an unreadable answer."""


class Probes(Evidence, frozen=True, kw_only=True, tag="probes"):
    """What the prober saw of one target over a window.

    Args:
        target: ``health``, an endpoint's name, ``websocket`` or ``control``.
        interval_s: between two probes.
        due: how many slots the window holds.
        kept: in how many of them a probe was sent and not limited (429): a look was had.
        bad: how many probes failed.
        failures: each failed probe, oldest first.
        gaps: stretches without any probe, longer than one interval, as [start, end] epoch
            seconds, the window's edges included.
        uptimes: uptime readings, when the target tells one.
        limited: how many were answered 429 (never a sample).
        statuses: HTTP status or reason -> count.
        connections: WebSocket connections established.
        drops: WebSocket connections that ended abnormally.
        refused: WebSocket handshakes refused.
        held_s: connection seconds held.
        simulated: whether this is a rehearsal's.
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


AnyEvidence = (
    Unanswered
    | Counts
    | Total
    | Samples
    | Quantiles
    | Distribution
    | Series
    | Listing
    | Document
    | Probes
)


def to_plain(evidence: Evidence) -> dict[str, Any]:
    """As JSON-able data. Raises: TypeError, when a value is none."""
    plain: dict[str, Any] = msgspec.to_builtins(evidence)
    return plain


def from_plain(plain: Mapping[str, Any]) -> Evidence:
    """The evidence that :func:`to_plain` wrote.

    Raises: msgspec.ValidationError, when it is none.
    """
    evidence: Evidence = msgspec.convert(plain, type=AnyEvidence)
    return evidence
