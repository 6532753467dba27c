"""The threads that ask the questions of one checkpoint, side by side.

Rules of this module:

- A lane is one daemon thread. Lanes run in parallel; the questions of one lane run one after
  another. Only the questions that the selected criteria name are asked.
- A source without a usable answer becomes :class:`~hour24.evidence.Unanswered` with its code; a bug
  in hour24 is raised in the criterion that needs the answer.
- Each lane has a time budget from the common start; after it the answer is
  Unanswered(``source_timeout``).
- If the checkpoint is later than its tolerance, a question that cannot be answered retroactively is
  not asked. Its answer is the one that was kept when it was due (:mod:`hour24.checkpoint.kept`);
  without one it is Unanswered(``late``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

from msgspec import structs

from hour24.checkpoint.inquiry import (
    QUESTIONS,
    Answer,
    Inquiry,
    RegisteredQuestion,
    sampling_s,
    with_source_name,
)
from hour24.errors import NotProvided, SourceError
from hour24.evidence import PROVIDER, ByProvider, Evidence, Question, Unanswered
from hour24.witnesses.port import RECEIPT_S, Measure

if TYPE_CHECKING:
    from hour24.config import Described, Production

Whole = Evidence | ByProvider | dict[str, Evidence | ByProvider]
"""The answer of every witness that was asked."""
Waiting = Callable[[str, float, float], None]
"""Called with lane, seconds waited and seconds allowed while an answer is awaited."""
Answered = Callable[[str, RegisteredQuestion, Answer], None]
"""Called in the thread of its lane with the name of each answer, its question and the answer."""
REPORT_EVERY_S = 1.0


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
        return 2 * sampling_s(production)  # another process may sample before us
    if asked.measure is Measure.RECEIPT:
        return plan.source_budget_s + max(RECEIPT_S, plan.settle_s)
    return plan.source_budget_s


class Lanes:
    """Asks questions, each lane in a daemon thread.

    A daemon, so that a driver that hangs does not keep the process alive.

    Args:
        answered: called with each answer before it is handed out.
    """

    def __init__(
        self,
        inquiry: Inquiry,
        names: Iterable[str],
        answered: Answered = lambda name, asked, answer: None,
    ) -> None:
        self.inquiry = inquiry
        self._answered = answered
        self._start = time.monotonic()
        self._answers: dict[str, dict[str, Future[Answer]]] = {}
        self._lock = threading.Lock()
        self.ask(names)

    def ask(self, names: Iterable[str]) -> None:
        """Start asking these questions, except those already asked."""
        lanes: dict[str, list[tuple[RegisteredQuestion, Described | None]]] = {}
        production = self.inquiry.production
        with self._lock:
            for name in QUESTIONS:
                if name in names and name not in self._answers:
                    asked = QUESTIONS[name]
                    witnesses = asked.asked_of(production) or [None]
                    self._answers[name] = {_section(each): Future() for each in witnesses}
                    for each in witnesses:
                        lanes.setdefault(asked.lane_of(each), []).append((asked, each))
        for lane, many in lanes.items():
            threading.Thread(
                target=self._run, args=(many,), name=f"hour24 {lane}", daemon=True
            ).start()

    def has_answer(self, name: str) -> bool:
        """Whether the answer has arrived."""
        return name in self._answers and all(one.done() for one in self._answers[name].values())

    def answer(self, name: str, waiting: Waiting = lambda lane, waited_s, budget_s: None) -> Whole:
        """Waits for every answer to this question within its time budget, and returns them.

        Args:
            waiting: called once a second while waiting.
        Raises: the exception of a bug in hour24.
        """
        self.ask([name])
        asked = QUESTIONS[name]
        witnesses = asked.asked_of(self.inquiry.production) or [None]
        answers = {_section(each): self._answer(asked, each, waiting) for each in witnesses}
        if len(answers) == 1:
            return cast("Whole", next(iter(answers.values())))
        return by_provider(answers)

    def _answer(
        self, asked: RegisteredQuestion, described: Described | None, waiting: Waiting
    ) -> Answer:
        """Waits for the answer of one witness within its time budget."""
        name, lane = asked.name, asked.lane_of(described)
        future = self._answers[name][_section(described)]
        budget = budget_s(self.inquiry.production, asked)
        while True:
            waited = time.monotonic() - self._start
            try:
                left = max(0.05, budget - waited)
                return future.result(timeout=min(REPORT_EVERY_S, left))
            except TimeoutError:
                if future.done():  # arrived just now; or a bug raised a TimeoutError
                    return future.result()
                if waited + REPORT_EVERY_S >= budget:
                    says = f"{lane}: {name}: no answer within {budget:g} s"
                    return self._unanswered(asked, described, "source_timeout", says)
                waiting(lane, waited + REPORT_EVERY_S, budget)

    def _run(self, asked: list[tuple[RegisteredQuestion, Described | None]]) -> None:
        for each, described in asked:
            future = self._answers[each.name][_section(described)]
            try:
                answer = self._ask(each, described)
                self._answered(self._kept_name(each, described), each, answer)
                future.set_result(answer)
            except BaseException as problem:  # noqa: BLE001  raised again in the criterion
                future.set_exception(problem)

    def _kept_name(self, asked: RegisteredQuestion, described: Described | None) -> str:
        """Returns the name under which this answer is kept (:func:`kept_names`)."""
        several = len(self._answers[asked.name]) > 1
        return f"{asked.name}{PROVIDER}{_section(described)}" if several else asked.name

    def _ask(self, asked: RegisteredQuestion, described: Described | None) -> Answer:
        inquiry = self.inquiry.of_one(described if len(self._answers[asked.name]) > 1 else None)
        try:
            if asked.now and inquiry.late_s:
                return inquiry.kept(self._kept_name(asked, described))
            return asked.ask(inquiry)
        except SourceError as problem:
            sent = problem.question if isinstance(problem.question, Question) else None
            silent = self._unanswered(asked, described, problem.code, str(problem), sent)
            if not isinstance(problem, NotProvided):
                return silent
            return inquiry.checked(structs.replace(silent, not_provided=True))

    def _unanswered(
        self,
        asked: RegisteredQuestion,
        described: Described | None,
        code: str,
        reason: str,
        question: Question | None = None,
    ) -> Unanswered:
        """Returns the missing answer, with the question and the attempts made so far."""
        return Unanswered(
            question=question or self._question(asked, described), code=code, reason=reason
        )

    def _question(self, asked: RegisteredQuestion, described: Described | None) -> Question:
        """Returns a question that was not sent."""
        measure = asked.measure_of(described)
        if described is None or measure is None:
            return self.inquiry.question(asked.name, source=asked.lane)
        question = self.inquiry.question(asked.name, source=described.witness.section)
        return with_source_name(question, described, measure)


def kept_names(production: Production, asked: RegisteredQuestion) -> dict[str, str]:
    """Returns section -> the name of its answer among those that are kept when due."""
    sections = [_section(each) for each in asked.asked_of(production) or [None]]
    if len(sections) == 1:
        return {sections[0]: asked.name}
    return {section: f"{asked.name}{PROVIDER}{section}" for section in sections}


def _section(described: Described | None) -> str:
    """Returns the section of the witness that is asked; "" if none is."""
    return "" if described is None else described.witness.section


def by_provider(answers: Mapping[str, Answer]) -> Whole:
    """Returns the answers of several witnesses; of each endpoint, if any of them has those."""
    names = list(
        dict.fromkeys(n for each in answers.values() if isinstance(each, dict) for n in each)
    )
    if not names:
        return ByProvider({by: each for by, each in answers.items() if isinstance(each, Evidence)})
    return {
        name: ByProvider(
            {by: each[name] if isinstance(each, dict) else each for by, each in answers.items()}
        )
        for name in names
    }
