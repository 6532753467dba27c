"""The state of a rehearsal: its scenario, its time, and what was done to it.

Rules of this module:

- One world per process; all its servers read the same time.
- Little changes while it is served: events sent to Sentry, rollbacks, whether a push deploys
  automatically, replaced faults.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hour24.errors import ConfigurationError
from hour24.rehearsal.lines import Lines
from hour24.rehearsal.scenario import Scenario
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
        self._rebuild()

    def _rebuild(self) -> None:
        self.scenario = Scenario(self._seed, self._faults, self.t0, self._rollbacks)
        self.lines = Lines(self.scenario)
        self.service = Service(self.scenario)

    @property
    def now(self) -> float:
        """The present time, epoch seconds."""
        return self._now

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults as they were written."""
        return self._faults

    def advance(self, now: datetime) -> None:
        """Advance to ``now``; a time already passed changes nothing."""
        with self._lock:
            self._now = max(self._now, now.timestamp())

    def set_time(self, now: datetime) -> None:
        """Set the time to ``now``, forward or back, for a new run."""
        with self._lock:
            self._now = now.timestamp()

    def set_faults(self, faults: Sequence[str]) -> None:
        """Replace the faults and forget the rollbacks.

        Raises: ConfigurationError, when one does not exist.
        """
        with self._lock:
            before, self._faults = self._faults, tuple(faults)
            self._rollbacks = ()
            try:
                self._rebuild()
            except ConfigurationError:
                self._faults = before
                raise

    def roll_back(self, deploy_id: str) -> str:
        """Start a rollback to this deploy now; return the new deploy's id."""
        with self._lock:
            hour = self.scenario.hour(self._now)
            self._rollbacks = (*self._rollbacks, (hour, deploy_id))
            self._rebuild()
            made = next(
                d.id for d in reversed(self.scenario.machines.deploys) if d.trigger == "rollback"
            )
        self.rolled_back(deploy_id)
        return made

    def state(self) -> dict[str, Any]:
        """Return the answer of ``GET /state``."""
        at = self._now
        names = {fault.name for fault in self.scenario.faults}
        return {
            "now": stamp(at),
            "t0": stamp(self.t0.timestamp()),
            "hour": round(self.scenario.hour(at), 4),
            "seed": self._seed,
            "faults": list(self._faults),
            "active": sorted(name for name in names if self.scenario.has_fault(name, at)),
            "rollbacks": [list(each) for each in self._rollbacks],
            "auto_deploy": self.auto_deploy,
            "sent": sorted(self.sent),
        }


def stamp(at: float, digits: str = "milliseconds") -> str:
    """Return a time as RFC 3339 in UTC."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec=digits)
    return text.replace("+00:00", "Z")
