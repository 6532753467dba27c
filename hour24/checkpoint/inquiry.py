"""Asks the questions of one checkpoint: its sources, and the threads that query them.

Rules of this module:

- A question is a name, a lane and a function (:mod:`hour24.checkpoint.questions`); its name is that
  of the fixture in tests_prod/.
- A lane is one daemon thread. Lanes run in parallel; the questions of one lane run one after
  another. Only the questions that the selected criteria name are asked.
- A question that names a measure is sent to the witness that production.toml describes for it; no
  witness is named here.
- A source without a usable answer becomes :class:`~hour24.evidence.Unanswered` with its code; a bug
  in hour24 is raised in the criterion that needs the answer.
- Each lane has a time budget from the common start; after it the answer is
  Unanswered(``source_timeout``).
- If the checkpoint is later than its tolerance, a question that cannot be answered retroactively is
  not asked and is Unanswered(``late``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import structs

from hour24.errors import SourceEmpty, SourceError
from hour24.evidence import (
    Evidence,
    Question,
    Unanswered,
    from_plain,
)
from hour24.text import format_duration
from hour24.watch import Checkpoint, Watch, Window
from hour24.witnesses.port import NOW, RECEIPT_S, Measure, found, repeat_of

if TYPE_CHECKING:
    from hour24.clock import Clock
    from hour24.config import Described, Production
    from hour24.ledger.book import Ledger
    from hour24.probes import Observations
    from hour24.sources.health import HealthSource
    from hour24.sources.latency import Pace

Answer = Evidence | dict[str, Evidence]
Waiting = Callable[[str, float, float], None]
"""Called with lane, seconds waited and seconds allowed while an answer is awaited."""
REPORT_EVERY_S = 1.0
Section = TypeVar("Section")


class NotDescribed(SourceError):
    """production.toml does not describe what this question needs."""

    code = "not_described"


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
    """

    name: str
    lane: str
    ask: Callable[[Inquiry], Answer]
    now: bool
    each: bool
    sections: tuple[str, ...]
    measure: Measure | None = None

    def lane_of(self, production: Production) -> str:
        """Returns the lane in which this production is asked."""
        if self.measure is None:
            return self.lane
        providing = production.providing(self.measure)
        return providing[0].witness.lane(self.measure) if providing else self.lane


QUESTIONS: dict[str, RegisteredQuestion] = {}
SECTION_OF = {"latency": ("endpoints",), "websocket": ("websocket",)}
"""Lane -> the section of production.toml that describes its source."""


def question(
    asks: str | Measure, *, now: bool = False, each: bool = False, sections: tuple[str, ...] = ()
) -> Callable[[Callable[[Inquiry], Answer]], Callable[[Inquiry], Answer]]:
    """Register a question under its function's name.

    Args:
        asks: the measure to query; or the lane if no witness is queried.
        now: whether it cannot be answered retroactively.
        each: whether it has one answer per endpoint.
        sections: the sections of production.toml that it needs, in addition to the lane's.
    """
    measure = asks if isinstance(asks, Measure) else None
    lane = "witness" if measure else str(asks)

    def register(ask: Callable[[Inquiry], Answer]) -> Callable[[Inquiry], Answer]:
        needed = (*SECTION_OF.get(lane, ()), *sections)
        QUESTIONS[ask.__name__] = RegisteredQuestion(
            ask.__name__, lane, ask, now or measure in NOW, each, needed, measure
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
        self._sources: dict[str, Any] = {}

    def require(self, section: Section | None, name: str) -> Section:
        """Returns the section. Raises: NotDescribed, if production.toml lacks it."""
        if section is None:
            raise NotDescribed(f"production.toml: [{name}]: expected to be described, got nothing")
        return section

    def ask(self, measure: Measure, *more: Any) -> Answer:
        """Returns the answer of the witness that provides this measure.

        If several provide it, the first in production.toml is queried.

        Args:
            more: arguments of the measure: a window, ...
        Raises: NotDescribed, if no witness provides it; SourceError.
        """
        providing = self.production.providing(measure)
        if not providing:
            raise NotDescribed(
                f"production.toml: {measure.replace('_', ' ')}: expected a section whose system "
                "provides this, got none"
            )
        return self.ask_of(providing[0], measure, *more)

    def ask_of(self, described: Described, measure: Measure, *more: Any) -> Answer:
        """Returns the answer of this witness. Raises: SourceError."""
        witness = described.witness
        lane = witness.lane(measure)
        if lane not in self._sources:
            budget_s = self.production.schedule.source_budget_s
            made = found(witness.source)(described.at, self.clock, budget_s=budget_s)
            self._sources[lane] = made
        try:
            answer: Answer = getattr(self._sources[lane], measure.value)(*more)
        except SourceError as problem:
            if isinstance(problem.question, Question):
                problem.question = _with_source_name(problem.question, described)
            raise
        if isinstance(answer, dict):
            return {name: _with_source(each, described) for name, each in answer.items()}
        return _with_source(answer, described)

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

    @cached_property
    def observations(self) -> Observations:
        """The prober's observations since one hour before T0."""
        from hour24 import probes

        return probes.read(self.probe_folder, self.checkpoint.since_t0)

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
                if name in judged.evidence:
                    found.append((record.hour, from_plain(judged.evidence[name])))
                    break
        return [(hour, each) for hour, each in found if not isinstance(each, Unanswered)]

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


def _with_source(answer: Evidence, described: Described) -> Evidence:
    """Returns the answer with the name of its source."""
    return structs.replace(answer, question=_with_source_name(answer.question, described))


def _with_source_name(question: Question, described: Described) -> Question:
    """Returns the question with the source's name and a command that repeats the request."""
    witness, at = described
    title = "" if witness.many else witness.title
    return structs.replace(question, title=title, repeat=repeat_of(witness, at))


def budget_s(production: Production, asked: RegisteredQuestion) -> float:
    """Returns the seconds from the common start within which this question must be answered."""
    lane = asked.lane
    plan = production.schedule
    health = production.health
    if lane == "health":
        return health.give_up_after_s + 3 * health.timeout_s + 15.0
    if lane == "websocket" and production.websocket is not None:
        return production.websocket.hold_s + 2 * production.websocket.timeout_s + 15.0
    if lane == "latency":
        from hour24.sources.latency import paces

        slowest = max((e.timeout_s for e in production.endpoints.values()), default=10.0)
        paced = [each for each in paces(production).values() if each.samples]
        longest = max((each.samples / each.per_s for each in paced), default=0.0)
        return longest + slowest + 15.0
    if asked.measure is Measure.RECEIPT:
        return plan.source_budget_s + max(RECEIPT_S, plan.settle_s)
    return plan.source_budget_s


class Lanes:
    """Asks questions, each lane in a daemon thread.

    A daemon, so that a driver that hangs does not keep the process alive.
    """

    def __init__(self, inquiry: Inquiry, names: Iterable[str]) -> None:
        self.inquiry = inquiry
        self._start = time.monotonic()
        self._answers: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()
        self.ask(names)

    def ask(self, names: Iterable[str]) -> None:
        """Start asking these questions, except those already asked."""
        lanes: dict[str, list[RegisteredQuestion]] = {}
        with self._lock:
            for name in QUESTIONS:
                if name in names and name not in self._answers:
                    self._answers[name] = Future()
                    asked = QUESTIONS[name]
                    lanes.setdefault(asked.lane_of(self.inquiry.production), []).append(asked)
        for lane, many in lanes.items():
            threading.Thread(
                target=self._run, args=(many,), name=f"hour24 {lane}", daemon=True
            ).start()

    def has_answer(self, name: str) -> bool:
        """Whether the answer has arrived."""
        return name in self._answers and self._answers[name].done()

    def answer(self, name: str, waiting: Waiting = lambda lane, waited_s, budget_s: None) -> Answer:
        """Waits for the answer within its time budget, and returns it.

        Args:
            waiting: called once a second while waiting.
        Raises: the exception of a bug in hour24.
        """
        self.ask([name])
        production = self.inquiry.production
        lane = QUESTIONS[name].lane_of(production)
        budget = budget_s(production, QUESTIONS[name])
        while True:
            waited = time.monotonic() - self._start
            try:
                left = max(0.05, budget - waited)
                return self._answers[name].result(timeout=min(REPORT_EVERY_S, left))
            except TimeoutError:
                if self._answers[name].done():  # arrived just now; or a bug raised a TimeoutError
                    return self._answers[name].result()
                if waited + REPORT_EVERY_S >= budget:
                    says = f"{lane}: {name}: no answer within {budget:g} s"
                    return self._unanswered(name, "source_timeout", says)
                waiting(lane, waited + REPORT_EVERY_S, budget)

    def _run(self, asked: list[RegisteredQuestion]) -> None:
        for each in asked:
            future = self._answers[each.name]
            try:
                future.set_result(self._ask(each))
            except BaseException as problem:  # noqa: BLE001  raised again in the criterion
                future.set_exception(problem)

    def _ask(self, asked: RegisteredQuestion) -> Answer:
        inquiry = self.inquiry
        late = inquiry.checkpoint.late_s(inquiry.started)
        if asked.now and late > inquiry.checkpoint.tolerance_s:
            return self._unanswered(
                asked.name,
                "late",
                f"{asked.name} cannot be measured retroactively: the run was "
                f"{format_duration(late)} late "
                f"(tolerance {format_duration(inquiry.checkpoint.tolerance_s)})",
            )
        try:
            return asked.ask(inquiry)
        except SourceError as problem:
            sent = problem.question if isinstance(problem.question, Question) else None
            return self._unanswered(asked.name, problem.code, str(problem), sent)

    def _unanswered(
        self, name: str, code: str, reason: str, question: Question | None = None
    ) -> Unanswered:
        """Returns the missing answer, with the question and the attempts made so far."""
        return Unanswered(
            question=question or self._question(name),
            code=code,
            reason=reason,
        )

    def _question(self, name: str) -> Question:
        """Returns a question that was not sent."""
        asked = QUESTIONS[name]
        providing = self.inquiry.production.providing(asked.measure) if asked.measure else []
        source = providing[0].witness.section if providing else asked.lane
        question = self.inquiry.question(name, source=source)
        return _with_source_name(question, providing[0]) if providing else question
