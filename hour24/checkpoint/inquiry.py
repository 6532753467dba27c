"""How questions are asked: the sources of one checkpoint, and the threads that ask them.

Rules of this module:

- A question is a name, a lane and a function (:mod:`hour24.checkpoint.questions`); its name is the
  fixture's in tests_prod/.
- A lane is one daemon thread: all lanes ask side by side, the questions of a lane one after
  another. Only the questions that the selected criteria name are asked.
- A question that names a measure is asked of the witness that production.toml describes for it;
  no witness is named here.
- A source that gives no usable answer becomes :class:`~hour24.evidence.Unanswered`, with its
  code; a bug of ours is raised where the answer is wanted.
- A lane has a budget, counted from the common start; past it the answer is
  Unanswered(``source_timeout``).
- What exists only now is Unanswered(``late``), unasked, when the checkpoint is past its
  tolerance.
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

from hour24.checkpoint.addresses import addresses
from hour24.clock import Clock
from hour24.config import Described, Production
from hour24.errors import SourceEmpty, SourceError
from hour24.evidence import (
    Evidence,
    Question,
    Unanswered,
    from_plain,
)
from hour24.ledger.book import Ledger
from hour24.text import format_duration
from hour24.watch import Checkpoint, Watch, Window
from hour24.witnesses.port import NOW, RECEIPT_S, Measure, found, repeat_of

if TYPE_CHECKING:
    from hour24.probes import Seen
    from hour24.sources.health import HealthSource
    from hour24.sources.latency import Pace

Answer = Evidence | dict[str, Evidence]
Waiting = Callable[[str, float, float], None]
"""Told lane, seconds waited and seconds allowed, while an answer is waited for."""
TELL_EVERY_S = 1.0
Section = TypeVar("Section")


class NotDescribed(SourceError):
    """production.toml does not describe what this question asks."""

    code = "not_described"


class BaselineAbsent(SourceEmpty):
    """There is nothing from hour 0 to compare with."""

    code = "baseline_absent"


@dataclass(frozen=True)
class Asked:
    """One entry of :data:`QUESTIONS`.

    Args:
        lane: the thread that asks it; of a measure, whichever the witness has for it.
        sections: those of production.toml that it needs, a witness's aside.
        measure: what a witness is asked for; none: no witness is asked.
    """

    name: str
    lane: str
    ask: Callable[[Inquiry], Answer]
    now: bool
    each: bool
    sections: tuple[str, ...]
    measure: Measure | None = None

    def lane_of(self, production: Production) -> str:
        """The thread that asks it of this production."""
        if self.measure is None:
            return self.lane
        providing = production.providing(self.measure)
        return providing[0].witness.lane(self.measure) if providing else self.lane


QUESTIONS: dict[str, Asked] = {}
SECTION_OF = {"latency": ("endpoints",), "websocket": ("websocket",)}
"""Lane -> the section of production.toml that describes whom it asks."""


def question(
    asks: str | Measure, *, now: bool = False, each: bool = False, sections: tuple[str, ...] = ()
) -> Callable[[Callable[[Inquiry], Answer]], Callable[[Inquiry], Answer]]:
    """Register a question under its function's name.

    Args:
        asks: the measure that a witness is asked for; or the lane where no witness is asked.
        now: whether its answer exists only now, and so cannot be had late.
        each: whether it has one answer an endpoint.
        sections: those of production.toml without which it cannot be asked; the lane's own aside.
    """
    measure = asks if isinstance(asks, Measure) else None
    lane = "witness" if measure else str(asks)

    def register(ask: Callable[[Inquiry], Answer]) -> Callable[[Inquiry], Answer]:
        needed = (*SECTION_OF.get(lane, ()), *sections)
        QUESTIONS[ask.__name__] = Asked(
            ask.__name__, lane, ask, now or measure in NOW, each, needed, measure
        )
        return ask

    return register


class Inquiry:
    """The sources of one checkpoint, each made once and used by its own lane.

    Args:
        ledger: where this checkpoint is recorded.
        baseline: the ledger that earlier evidence comes from; none: ``ledger``.
        found: the addresses where production is found now; none: as production.toml has them.
        sampling: requests per second an endpoint for the latency samples; none: the plan's.
        started: when the run began, by which it is late or not; none: now.
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
        found: Mapping[str, str] | None = None,
        sampling: float | None = None,
        started: datetime | None = None,
    ) -> None:
        self.production = production
        self.watch = watch
        self.checkpoint = checkpoint
        self.clock = clock
        self.ledger = ledger
        self.baseline = baseline or ledger
        self.found = found
        self.sampling = sampling
        self.started = started or clock.now()
        self._sources: dict[str, Any] = {}

    def described(self, section: Section | None, name: str) -> Section:
        """The section, or the refusal that names it."""
        if section is None:
            raise NotDescribed(f"production.toml: [{name}]: expected to be described, got nothing")
        return section

    def ask(self, measure: Measure, *more: Any) -> Answer:
        """What the witness that provides this measure answers.

        Where several provide it, the first in production.toml is asked.

        Args:
            more: what the measure is asked with: a window, ...
        Raises: NotDescribed, when nobody does; SourceError.
        """
        providing = self.production.providing(measure)
        if not providing:
            raise NotDescribed(
                f"production.toml: {measure.replace('_', ' ')}: expected a section whose system "
                "provides this, got none"
            )
        return self.ask_of(providing[0], measure, *more)

    def ask_of(self, described: Described, measure: Measure, *more: Any) -> Answer:
        """What this witness answers. Raises: SourceError."""
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
                problem.question = _signed(problem.question, described)
            raise
        if isinstance(answer, dict):
            return {name: _of_witness(each, described) for name, each in answer.items()}
        return _of_witness(answer, described)

    @cached_property
    def health(self) -> HealthSource:
        from hour24.sources.health import HealthSource

        return HealthSource(self.production.health, self.production.service.control_url, self.clock)

    @property
    def paces(self) -> dict[str, Pace]:
        """How each endpoint is sampled."""
        from hour24.sources.latency import Pace, paces

        if self.sampling is None:
            return paces(self.production)
        pace = Pace(self.sampling, self.production.schedule.latency_samples)
        return dict.fromkeys(self.production.endpoints, pace)

    @property
    def probe_folder(self) -> Path:
        """Where the prober of this watch writes."""
        return self.ledger.folder / "probe"

    @cached_property
    def seen(self) -> Seen:
        """What the prober saw since an hour before T0."""
        from hour24 import probes

        return probes.read(self.probe_folder, self.checkpoint.since_t0)

    @cached_property
    def seen_at_baseline(self) -> Seen:
        """What the prober saw around T0."""
        if self.baseline is self.ledger:
            return self.seen
        from hour24 import probes

        hour, t0 = timedelta(hours=1), self.watch.t0
        return probes.read(self.baseline.folder / "probe", Window(t0 - hour, t0 + hour))

    def earlier(self, name: str, *same: str) -> list[tuple[int, Evidence]]:
        """Evidence of this name in earlier checkpoints' records, oldest first, with the hour.

        Args:
            same: places in production.toml that must be as they are now.
        """
        return self._recorded(self.baseline, name, same, again=False)

    def attempted(self, name: str, *same: str) -> list[tuple[int, Evidence]]:
        """Evidence of this name that earlier attempts of this checkpoint recorded."""
        return self._recorded(self.ledger, name, same, again=True)

    def _recorded(
        self, ledger: Ledger, name: str, same: tuple[str, ...], *, again: bool
    ) -> list[tuple[int, Evidence]]:
        here: Mapping[str, str] = {}
        if same:
            here = addresses(self.production) if self.found is None else self.found
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

    def from_hour_0(self, name: str) -> Evidence:
        """Evidence of this name that hour 0 recorded.

        Raises: BaselineAbsent, when there is none.
        """
        for hour, each in reversed(self.earlier(name)):
            if hour == 0:
                return each
        raise BaselineAbsent(
            f"ledger: hour 0: {name}: expected its baseline, got none; "
            "a watch without hour 0 has nothing to compare with"
        )

    def question(
        self, asked: str, source: str = "ledger", window: Window | None = None
    ) -> Question:
        """A question that the ledger or the prober's files answer."""
        return Question(source=source, asked=asked, at=self.started, window=window)


def _of_witness(answer: Evidence, described: Described) -> Evidence:
    """The answer, with the name of its witness."""
    return structs.replace(answer, question=_signed(answer.question, described))


def _signed(question: Question, described: Described) -> Question:
    """The question with what people call the witness, and how they ask it themselves."""
    witness, at = described
    title = "" if witness.many else witness.title
    return structs.replace(question, title=title, repeat=repeat_of(witness, at))


def budget_s(production: Production, asked: Asked) -> float:
    """Seconds, from the common start, within which the lane of a question must have answered."""
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
    """Asks the questions named, each lane in its own daemon thread.

    A daemon, because a driver that hangs must not keep the process from ending.
    """

    def __init__(self, inquiry: Inquiry, names: Iterable[str]) -> None:
        self.inquiry = inquiry
        self._start = time.monotonic()
        self._answers: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()
        self.ask(names)

    def ask(self, names: Iterable[str]) -> None:
        """Start asking these, those already asked aside."""
        lanes: dict[str, list[Asked]] = {}
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

    def answered(self, name: str) -> bool:
        """Whether the answer is there, and need not be waited for."""
        return name in self._answers and self._answers[name].done()

    def answer(self, name: str, waiting: Waiting = lambda lane, waited_s, budget_s: None) -> Answer:
        """The answer, waited for within its lane's budget.

        Args:
            waiting: told once a second whom we wait for.
        Raises: whatever a bug of ours raised while asking.
        """
        self.ask([name])
        production = self.inquiry.production
        lane = QUESTIONS[name].lane_of(production)
        budget = budget_s(production, QUESTIONS[name])
        while True:
            waited = time.monotonic() - self._start
            try:
                left = max(0.05, budget - waited)
                return self._answers[name].result(timeout=min(TELL_EVERY_S, left))
            except TimeoutError:
                if self._answers[name].done():  # just now; or a bug's own, raised again
                    return self._answers[name].result()
                if waited + TELL_EVERY_S >= budget:
                    says = f"{lane}: {name}: no answer within {budget:g} s"
                    return self._unanswered(name, "source_timeout", says)
                waiting(lane, waited + TELL_EVERY_S, budget)

    def _run(self, asked: list[Asked]) -> None:
        for each in asked:
            future = self._answers[each.name]
            try:
                future.set_result(self._ask(each))
            except BaseException as problem:  # noqa: BLE001  raised again where it is wanted
                future.set_exception(problem)

    def _ask(self, asked: Asked) -> Answer:
        inquiry = self.inquiry
        late = inquiry.checkpoint.late_s(inquiry.started)
        if asked.now and late > inquiry.checkpoint.tolerance_s:
            return self._unanswered(
                asked.name,
                "late",
                f"{asked.name} exists only now, and this checkpoint was due "
                f"{format_duration(late)} "
                f"ago (tolerance {format_duration(inquiry.checkpoint.tolerance_s)})",
            )
        try:
            return asked.ask(inquiry)
        except SourceError as problem:
            told = problem.question if isinstance(problem.question, Question) else None
            return self._unanswered(asked.name, problem.code, str(problem), told)

    def _unanswered(
        self, name: str, code: str, reason: str, question: Question | None = None
    ) -> Unanswered:
        """No answer; with the question as far as it came, its attempts too."""
        return Unanswered(
            question=question or self._question(name),
            code=code,
            reason=reason,
        )

    def _question(self, name: str) -> Question:
        """A question that did not come as far as being sent."""
        asked = QUESTIONS[name]
        providing = self.inquiry.production.providing(asked.measure) if asked.measure else []
        source = providing[0].witness.section if providing else asked.lane
        question = self.inquiry.question(name, source=source)
        return _signed(question, providing[0]) if providing else question
