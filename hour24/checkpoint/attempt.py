"""The state of one attempt at a checkpoint: its context and its results so far."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes, Waiting
from hour24.checkpoint.sentences import sentence_for
from hour24.config import Production
from hour24.criteria import Criterion
from hour24.ledger.book import Ledger
from hour24.ledger.journal import Journal
from hour24.ledger.record import Advisory, Judged, Record
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

    @cached_property
    def advisory(self) -> dict[str, Advisory]:
        """The advisory checks, which are in no sum: those of the watch's first record, if any."""
        written = self.ledger.as_written()
        return dict(written[0].advisory_plan) if written else self._stated_advisory()

    def advisory_changes(self) -> Iterator[str]:
        """Yields a note for each check that is advisory in production.toml alone, or no longer."""
        stated = self._stated_advisory()
        for name in sorted({*stated} ^ {*self.advisory}):
            does = "still does not count" if name in self.advisory else "still counts"
            expected, got = ("true", "false") if name in self.advisory else ("false", "true")
            yield (
                f"criteria.{name}.advisory: expected {expected} as when the watch began, "
                f"got {got}: {name} {does}"
            )

    def _stated_advisory(self) -> dict[str, Advisory]:
        """Returns the advisory checks of production.toml."""
        return {
            name: Advisory(hours=self.plan[name].hours, because=self.redactor.text(each.because))
            for name, each in self.production.criteria.items()
            if each.advisory and each.applies and name in self.plan
        }

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
