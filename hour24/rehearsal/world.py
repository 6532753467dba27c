"""The present of a rehearsal: its story, its moment, and what was done to it meanwhile.

Rules of this module:

- One world a process; every server of it reads the same moment.
- What happens to it while it is served is little: events that Sentry was sent, rollbacks,
  whether a push deploys by itself, faults that somebody lifted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hour24.errors import ConfigurationError
from hour24.rehearsal.lines import Lines
from hour24.rehearsal.story import Story
from hour24.rehearsal.timing import Service


class World:
    """Everything the servers of a rehearsal share."""

    def __init__(
        self,
        seed: int,
        faults: Sequence[str],
        t0: datetime,
        now: datetime,
        *,
        packaged: bool = False,
    ) -> None:
        self.t0 = t0
        self.packaged = packaged
        self.sent: dict[str, dict[str, Any]] = {}
        self.auto_deploy = True
        self.rolled_back: Callable[[str], None] = lambda deploy_id: None
        self._seed = seed
        self._faults = tuple(faults)
        self._rollbacks: tuple[tuple[float, str], ...] = ()
        self._now = now.timestamp()
        self._lock = threading.Lock()
        self._tell()

    def _tell(self) -> None:
        self.story = Story(self._seed, self._faults, self.t0, self._rollbacks)
        self.lines = Lines(self.story)
        self.service = Service(self.story)

    @property
    def now(self) -> float:
        """The present moment, epoch seconds."""
        return self._now

    @property
    def faults(self) -> tuple[str, ...]:
        """As they were written."""
        return self._faults

    def step(self, now: datetime) -> None:
        """Move on to ``now``; a moment that has passed already changes nothing."""
        with self._lock:
            self._now = max(self._now, now.timestamp())

    def stand(self, now: datetime) -> None:
        """Stand at ``now``, wherever it was before: a new run begins."""
        with self._lock:
            self._now = now.timestamp()

    def plague(self, faults: Sequence[str]) -> None:
        """Replace the faults; rollbacks are forgotten with what they healed.

        Raises: ConfigurationError, when one is none.
        """
        with self._lock:
            before, self._faults = self._faults, tuple(faults)
            self._rollbacks = ()
            try:
                self._tell()
            except ConfigurationError:
                self._faults = before
                raise

    def roll_back(self, deploy_id: str) -> str:
        """Begin a rollback to this deploy, now. Returns: the new deploy's id."""
        with self._lock:
            hour = self.story.hour(self._now)
            self._rollbacks = (*self._rollbacks, (hour, deploy_id))
            self._tell()
            made = next(
                d.id for d in reversed(self.story.machines.deploys) if d.trigger == "rollback"
            )
        self.rolled_back(deploy_id)
        return made

    def state(self) -> dict[str, Any]:
        """What ``GET /state`` tells."""
        at = self._now
        names = {fault.name for fault in self.story.faults}
        return {
            "now": stamp(at),
            "t0": stamp(self.t0.timestamp()),
            "hour": round(self.story.hour(at), 4),
            "seed": self._seed,
            "faults": list(self._faults),
            "active": sorted(name for name in names if self.story.now(name, at)),
            "rollbacks": [list(each) for each in self._rollbacks],
            "auto_deploy": self.auto_deploy,
            "sent": sorted(self.sent),
        }


def stamp(at: float, digits: str = "milliseconds") -> str:
    """RFC 3339, UTC."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec=digits)
    return text.replace("+00:00", "Z")
