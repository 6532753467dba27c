"""Asks the questions of one checkpoint: its sources, and what each question is sent to.

Rules of this module:

- A question is a name, a lane and a function (:mod:`hour24.checkpoint.questions`); its name is that
  of the fixture in tests_prod/.
- A question that names a measure is sent to every witness that production.toml describes for it,
  each in its own lane; no witness is named here. Several answers are a
  :class:`~hour24.evidence.ByProvider`; :mod:`hour24.objectives.providers` combines the verdicts.
- A question about earlier evidence of a measure (``of``) is answered for each of its witnesses.
- A witness that holds none of a measure now, but answered it earlier in the watch, is silent.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import structs

from hour24.errors import SourceEmpty, SourceError, SourceMisread, SourceTimeout
from hour24.evidence import (
    PROVIDER,
    Evidence,
    Listing,
    Question,
    Unanswered,
    from_plain,
)
from hour24.text import format_duration
from hour24.watch import Checkpoint, Watch, Window
from hour24.witnesses.port import INSTEAD, NOW, Measure, import_lazy, repeat_of

if TYPE_CHECKING:
    from hour24.checkpoint.kept import Asked
    from hour24.clock import Clock
    from hour24.config import Described, Production
    from hour24.ledger.book import Ledger
    from hour24.probes import Observations
    from hour24.sources.health import HealthSource
    from hour24.sources.latency import Pace

Answer = Evidence | dict[str, Evidence]
Section = TypeVar("Section")


class NotDescribed(SourceError):
    """production.toml does not describe what this question needs."""

    code = "not_described"


class NotAskedInTime(SourceError):
    """It cannot be measured retroactively, and no answer was kept when it was due."""

    code = "late"


class Contradictory(SourceMisread):
    """Two answers of the same source cannot both be true."""


class BaselineAbsent(SourceEmpty):
    """Hour 0 has no evidence to compare with."""

    code = "baseline_absent"


@dataclass(frozen=True)
class RegisteredQuestion:
    """One entry of :data:`QUESTIONS`.

    Args:
        lane: the thread that asks it; the witness chooses the lane of a measure.
        now: whether it cannot be answered retroactively.
        each: whether it has one answer per endpoint.
        sections: the sections of production.toml that it needs, excluding those of witnesses.
        measure: the measure to query; None if no witness is queried.
        of: the measure whose earlier evidence it returns.
    """

    name: str
    lane: str
    ask: Callable[[Inquiry], Answer]
    now: bool
    each: bool
    sections: tuple[str, ...]
    measure: Measure | None = None
    of: Measure | None = None

    def asked_of(self, production: Production) -> list[Described | None]:
        """Returns the witnesses that are asked one by one; [None] if it is asked once."""
        measure = self.measure or self.of
        providing = [] if measure is None else production.answering(measure)[1]
        return [*providing] if self.measure or len(providing) > 1 else [None]

    def lane_of(self, described: Described | None) -> str:
        """Returns the lane in which this witness is asked."""
        measure = self.measure_of(described)
        return (
            self.lane if measure is None or described is None else described.witness.lane(measure)
        )

    def measure_of(self, described: Described | None) -> Measure | None:
        """Returns the measure that this witness is asked for."""
        if self.measure is None or described is None:
            return self.measure
        provided = self.measure in described.witness.measures
        return self.measure if provided else INSTEAD.get(self.measure, self.measure)


QUESTIONS: dict[str, RegisteredQuestion] = {}
LISTED = frozenset({Measure.ISSUES, Measure.ERROR_EVENTS, Measure.ERROR_LINES})
"""Measures whose listings are compared with each other or made into another, and so are needed
more than once."""
SECTION_OF = {"latency": ("endpoints",), "websocket": ("websocket",)}
"""Lane -> the section of production.toml that describes its source."""


def question(
    asks: str | Measure,
    *,
    now: bool = False,
    each: bool = False,
    sections: tuple[str, ...] = (),
    of: Measure | None = None,
) -> Callable[[Callable[[Inquiry], Answer]], Callable[[Inquiry], Answer]]:
    """Register a question under its function's name.

    Args:
        asks: the measure to query; or the lane if no witness is queried.
        now: whether it cannot be answered retroactively.
        each: whether it has one answer per endpoint.
        sections: the sections of production.toml that it needs, in addition to the lane's.
        of: the measure whose earlier evidence it returns.
    """
    measure = asks if isinstance(asks, Measure) else None
    lane = "witness" if measure else str(asks)

    def register(ask: Callable[[Inquiry], Answer]) -> Callable[[Inquiry], Answer]:
        needed = (*SECTION_OF.get(lane, ()), *sections)
        QUESTIONS[ask.__name__] = RegisteredQuestion(
            ask.__name__, lane, ask, now or measure in NOW, each, needed, measure, of
        )
        return ask

    return register


class Inquiry:
    """The sources of one checkpoint; each is created once and used by one lane.

    Args:
        ledger: where this checkpoint is recorded.
        baseline: the ledger with the earlier evidence; None: ``ledger``.
        addresses: the addresses of production now; None: those of production.toml.
        sampling: requests per second and endpoint for the latency samples; None: [schedule]'s.
        started: start time of the run, which decides whether it is late; None: now.
    """

    def __init__(
        self,
        production: Production,
        watch: Watch,
        checkpoint: Checkpoint,
        clock: Clock,
        ledger: Ledger,
        *,
        baseline: Ledger | None = None,
        addresses: Mapping[str, str] | None = None,
        sampling: float | None = None,
        started: datetime | None = None,
    ) -> None:
        self.production = production
        self.watch = watch
        self.checkpoint = checkpoint
        self.clock = clock
        self.ledger = ledger
        self.baseline = baseline or ledger
        self.addresses = addresses
        self.sampling = sampling
        self.started = started or clock.now()
        self.only: Described | None = None
        self._sources: dict[str, Any] = {}
        self._listings: dict[tuple[str, Measure, Window], Listing | SourceError] = {}

    def of_one(self, described: Described | None) -> Inquiry:
        """Returns this inquiry, asking only this witness; the sources are shared."""
        one = copy(self)
        one.only = described
        return one

    def require(self, section: Section | None, name: str) -> Section:
        """Returns the section. Raises: NotDescribed, if production.toml lacks it."""
        if section is None:
            raise NotDescribed(f"production.toml: [{name}]: expected to be described, got nothing")
        return section

    def ask(self, measure: Measure, *more: Any) -> Answer:
        """Returns the answer of the witness that is asked now.

        Outside a lane that is the first in production.toml.

        Args:
            more: arguments of the measure: a window, ...
        Raises: NotDescribed, if no witness provides it; SourceError.
        """
        providing = self.production.providing(measure)
        if self.only is not None and self.only in providing:
            return self.ask_of(self.only, measure, *more)
        if not providing:
            raise NotDescribed(
                f"production.toml: {measure.replace('_', ' ')}: expected a section that provides "
                "this, got none"
            )
        return self.ask_of(providing[0], measure, *more)

    def made_from(self, measure: Measure) -> Measure | None:
        """Returns the measure that this one is made from; None if a witness provides it."""
        asked, described = self.production.answering(measure)
        return asked if asked != measure and described else None

    def other_listing(self, answer: Evidence, measure: Measure, window: Window) -> Listing | None:
        """Returns another listing of the witness that gave this answer; None if it has none."""
        described = self.production.described.get(answer.question.source)
        if described is None or measure not in described.witness.measures:
            return None
        try:
            other = self.ask_of(described, measure, window)
        except SourceError:
            return None
        return other if isinstance(other, Listing) else None

    def ask_of(self, described: Described, measure: Measure, *more: Any) -> Answer:
        """Returns the answer of this witness. Raises: SourceError."""
        key = None
        if measure in LISTED and len(more) == 1 and isinstance(more[0], Window):
            key = (described.witness.section, measure, more[0])
            known = self._listings.get(key)
            if isinstance(known, SourceError):
                raise known
            if known is not None:
                return known
        try:
            answer = self._ask_of(described, measure, *more)
        except SourceError as problem:
            if key is not None:
                self._listings[key] = problem
            raise
        if key is not None and isinstance(answer, Listing):
            self._listings[key] = answer
        return answer

    def _ask_of(self, described: Described, measure: Measure, *more: Any) -> Answer:
        witness = described.witness
        lane = witness.lane(measure)
        if lane not in self._sources:
            budget_s = self.production.schedule.source_budget_s
            made = import_lazy(witness.source)(described.at, self.clock, budget_s=budget_s)
            self._sources[lane] = made
        try:
            answer: Answer = getattr(self._sources[lane], measure.value)(*more)
        except SourceError as problem:
            if isinstance(problem.question, Question):
                problem.question = with_source_name(problem.question, described, measure)
            raise
        if isinstance(answer, dict):
            return {
                name: self.checked(_with_source(each, described, measure), name)
                for name, each in answer.items()
            }
        return self.checked(_with_source(answer, described, measure))

    def checked(self, answer: Evidence, subject: str = "") -> Evidence:
        """Returns the answer; silent instead of not provided if it was provided earlier."""
        if not isinstance(answer, Unanswered) or not answer.not_provided:
            return answer
        hour = self.provided_at(answer.question, subject)
        if hour is None:
            return answer
        reason = f"{answer.reason}, though it answered at hour {hour}"
        return structs.replace(answer, not_provided=False, reason=reason)

    def provided_at(self, question: Question, subject: str = "") -> int | None:
        """Returns the hour at which this source last answered this measure; None if it never did.

        Args:
            subject: the endpoint, if each has an answer.
        """
        for record in reversed(self.baseline.records()):
            for judged in record.criteria:
                if subject and judged.subject != subject:
                    continue
                for plain in judged.evidence.values():
                    asked = plain["question"]
                    if (
                        plain["kind"] != "unanswered"
                        and asked["source"] == question.source
                        and asked.get("measure") == question.measure
                    ):
                        return record.hour
        return None

    @cached_property
    def health(self) -> HealthSource:
        from hour24.sources.health import HealthSource

        return HealthSource(self.production.health, self.production.service.control_url, self.clock)

    @property
    def paces(self) -> dict[str, Pace]:
        """The sampling rate of each endpoint."""
        from hour24.sources.latency import Pace, paces

        if self.sampling is None:
            return paces(self.production)
        pace = Pace(self.sampling, self.production.schedule.latency_samples)
        return dict.fromkeys(self.production.endpoints, pace)

    @property
    def probe_folder(self) -> Path:
        """The folder to which the prober of this watch writes."""
        return self.ledger.folder / "probe"

    @property
    def late_s(self) -> float:
        """Seconds by which the run exceeds its due time; 0 within the tolerance."""
        late = self.checkpoint.late_s(self.started)
        return late if late > self.checkpoint.tolerance_s else 0.0

    @contextmanager
    def sampling_alone(self) -> Iterator[None]:
        """Sample alone: two processes that sample together would exceed ``max_per_s``.

        Raises: SourceTimeout, if another process of this watch samples for longer than we wait.
        """
        handle = os.open(self.ledger.folder / "sampling.lock", os.O_RDWR | os.O_CREAT, 0o644)
        limit_s = sampling_s(self.production)
        until = time.monotonic() + limit_s
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise SourceTimeout(
                            "latency: expected no other process of this watch to sample, got one "
                            f"for {limit_s:.0f} s"
                        ) from None
                    time.sleep(0.1)
            yield
        finally:
            os.close(handle)

    @cached_property
    def asked(self) -> Asked:
        """What an answer that was kept must fit."""
        from hour24.checkpoint.addresses import addresses as addresses_of
        from hour24.checkpoint.kept import Asked
        from hour24.config import asking_digest

        stated = self.addresses
        return Asked(
            folder=self.probe_folder,
            watch=self.watch,
            checkpoint=self.checkpoint,
            digest=asking_digest(self.production),
            watched=addresses_of(self.production) if stated is None else stated,
        )

    def kept(self, name: str) -> Answer:
        """Returns the answer to this question that was kept when it was due.

        Raises: NotAskedInTime, if there is none; SourceMisread, if it cannot be read.
        """
        from hour24.checkpoint.kept import find

        answer, refused = find(self.asked, name)
        if answer is None:
            late = format_duration(self.late_s)
            tolerance = format_duration(self.checkpoint.tolerance_s)
            why = f"; {refused}" if refused else ", and it was not asked when it was due"
            what = "own" if name.startswith("own ") else name
            raise NotAskedInTime(
                f"{what}: cannot be measured retroactively: the run was {late} late "
                f"(tolerance {tolerance}){why}"
            )
        return answer

    @cached_property
    def observations(self) -> Observations:
        """The prober's observations since one hour before T0."""
        from hour24 import probes

        health = self.production.health
        return probes.read(
            self.probe_folder,
            self.checkpoint.since_t0,
            vantages=health.vantages,
            needed=health.vantages_needed,
        )

    @cached_property
    def baseline_observations(self) -> Observations:
        """The prober's observations around T0."""
        if self.baseline is self.ledger:
            return self.observations
        from hour24 import probes

        hour, t0 = timedelta(hours=1), self.watch.t0
        return probes.read(self.baseline.folder / "probe", Window(t0 - hour, t0 + hour))

    def earlier(self, name: str, *same: str) -> list[tuple[int, Evidence]]:
        """Returns (hour, evidence) of this name from earlier checkpoints, oldest first.

        Args:
            same: keys of the addresses that must equal today's.
        """
        return self._find_evidence(self.baseline, name, same, again=False)

    def earlier_attempts(self, name: str, *same: str) -> list[tuple[int, Evidence]]:
        """Returns (hour, evidence) of this name from earlier attempts at this checkpoint."""
        return self._find_evidence(self.ledger, name, same, again=True)

    def _find_evidence(
        self, ledger: Ledger, name: str, same: tuple[str, ...], *, again: bool
    ) -> list[tuple[int, Evidence]]:
        here: Mapping[str, str] = {}
        if same:
            from hour24.checkpoint.addresses import addresses

            stated = self.addresses
            here = addresses(self.production) if stated is None else stated
        found: list[tuple[int, Evidence]] = []
        now = self.checkpoint.hour
        for record in ledger.records():
            if record.hour != now if again else record.hour >= now or record.early:
                continue
            if any(record.watched.get(each) != here.get(each) for each in same):
                continue
            for judged in record.criteria:
                plain = self._of_witness(judged.evidence, name)
                if plain is not None:
                    found.append((record.hour, from_plain(plain)))
                    break
        return [(hour, each) for hour, each in found if not isinstance(each, Unanswered)]

    def _of_witness(
        self, evidence: Mapping[str, dict[str, Any]], name: str
    ) -> dict[str, Any] | None:
        """Returns the evidence of this name that the witness asked now gave."""
        if self.only is None:
            return evidence.get(name)
        section = self.only.witness.section
        for key, plain in evidence.items():
            if key.partition(PROVIDER)[0] == name and plain["question"]["source"] == section:
                return plain
        return None

    def hour_0_evidence(self, name: str) -> Evidence:
        """Returns the evidence of this name that hour 0 recorded.

        Raises: BaselineAbsent, if there is none.
        """
        for hour, each in reversed(self.earlier(name)):
            if hour == 0:
                return each
        raise BaselineAbsent(
            f"ledger: hour 0: {name}: expected its baseline, got none; "
            "a watch without hour 0 has no baseline"
        )

    def question(
        self, asked: str, source: str = "ledger", window: Window | None = None
    ) -> Question:
        """Returns a question that the ledger or the prober's files answer."""
        return Question(source=source, asked=asked, at=self.started, window=window)


def _with_source(answer: Evidence, described: Described, measure: Measure) -> Evidence:
    """Returns the answer with the name of its source."""
    return structs.replace(answer, question=with_source_name(answer.question, described, measure))


def with_source_name(question: Question, described: Described, measure: Measure) -> Question:
    """Returns the question with the source's name and a command that repeats the request."""
    witness, at = described
    return structs.replace(
        question,
        title="" if witness.many else witness.title,
        repeat=repeat_of(witness, at),
        measure=measure.value,
        second_opinion=measure in witness.second_opinions,
    )


def sampling_s(production: Production) -> float:
    """Returns the seconds within which the latency samples of one process end."""
    from hour24.sources.latency import paces

    slowest = max((e.timeout_s for e in production.endpoints.values()), default=10.0)
    paced = [each for each in paces(production).values() if each.samples]
    longest = max((each.samples / each.per_s for each in paced), default=0.0)
    return longest + slowest + 15.0
