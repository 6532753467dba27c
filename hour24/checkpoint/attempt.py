"""The state of one attempt at a checkpoint: its context and its results so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes, Waiting
from hour24.checkpoint.sentences import sentence_for
from hour24.config import Production
from hour24.criteria import Criterion
from hour24.ledger.book import Ledger
from hour24.ledger.journal import Journal
from hour24.ledger.record import Judged, Record
from hour24.ledger.room import Room
from hour24.secrets.redactor import Redactor
from hour24.targets.context import Context
from hour24.watch import Checkpoint, Watch, Window


@dataclass
class Attempt:
    """One attempt at one checkpoint.

    Args:
        started: start time, by the context's clock.
        resources: what must be released at the end.
        attempt: number of the attempt at this hour, from 1.
        plan: every criterion of the watch by id; your own checks are added when collected.
        broken: files of criteria that do not import.
        record, path: None until the record is written.
        unjournalled: the verdicts that could not be journalled, and so are not shown.
        trouble: problems that change no verdict.
        made: the files next to the ledger that this run wrote.
    """

    keeps: ClassVar[bool] = False
    """Whether it only asks, and keeps the answers for a later run."""

    context: Context
    started: datetime
    redactor: Redactor
    resources: ExitStack
    attempt: int
    journal: Journal
    room: Room
    plan: dict[str, Criterion] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: tuple[str, ...] = ()
    inquiry: Inquiry | None = None
    lanes: Lanes | None = None
    record: Record | None = None
    path: Path | None = None
    trouble: list[str] = field(default_factory=list)
    unjournalled: list[Judged] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)
    waiting: Waiting = lambda lane, waited_s, budget_s: None
    writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def production(self) -> Production:
        return self.context.production

    @property
    def ledger(self) -> Ledger:
        return self.context.ledger

    @property
    def watch(self) -> Watch:
        return self.context.ledger.watch

    @property
    def checkpoint(self) -> Checkpoint:
        return self.context.checkpoint

    @property
    def addresses(self) -> Mapping[str, str]:
        """The addresses of production in this attempt."""
        return self.context.addresses

    @property
    def stem(self) -> str:
        """File name without ending: ``hour08.a1``."""
        return f"hour{self.checkpoint.hour:02d}.a{self.attempt}"

    def file(self, ending: str) -> Path:
        """Returns the path of a file of this attempt: ``file(".html")``."""
        return self.ledger.folder / f"{self.stem}{ending}"

    def due(self) -> tuple[Criterion, ...]:
        """Returns the criteria that are due at this hour, your own checks included."""
        return tuple(each for each in self.plan.values() if self.checkpoint.hour in each.hours)

    def make_judged(self, criterion: Criterion, **fields: Any) -> Judged:
        """Returns a verdict on this criterion, with the other ``fields`` of the verdict."""
        return Judged(
            id=criterion.id,
            sentence=sentence_for(criterion, self.production),
            group=criterion.group,
            span=criterion.span,
            window=self._window(criterion),
            **fields,
        )

    def _window(self, criterion: Criterion) -> Window | None:
        if criterion.span == "now":
            return None
        whole = criterion.span == "since_t0"
        return self.checkpoint.since_t0 if whole else self.checkpoint.window
