"""The service's instances: processes, memory, deploys, and the platform's events.

Rules of this room:

- Two instances, up since a deploy three days before T0. A restart keeps an instance's name, a
  deploy replaces both.
- Memory is what the platform reports of a container: a baseline with the sawtooth of garbage
  collection on top.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from msgspec import Struct

from hour24.rehearsal.faults import FOREVER, Fault
from hour24.rehearsal.seeded import SeededRandom

SERVICE = "srv-d0cjkelq67qs70c2pugg"
UP_SINCE_H = -76.0
LIMIT_MB = 512.0
LEAK_MB = 15.7
LEAK_POWER = 0.88
"""The fault memory_leak adds ``LEAK_MB * hours ** LEAK_POWER``: a leak that slows down a little."""
JUMP_MB = 265.0
"""The fault memory_high adds this at once: to 92 % of the limit."""
SAW_H = 23 / 60
"""Hours between two collections."""
RESTS = 0.1
"""Share of a cycle without growth, after each collection."""
CRASH_EVERY_H = 7 / 60
DOWN_H = 20 / 3600
"""From a process's end to the next one's start."""
RESTART_AFTER_H = 20 / 60
"""From the beginning of the fault restart to the restart."""
DEPLOY_TAKES_H = 3 / 60


class Process(Struct, frozen=True):
    """One process of an instance, from start to end in hours since T0."""

    instance: str
    slot: int
    start_h: float
    end_h: float = FOREVER


class Deploy(Struct, frozen=True):
    """A deploy, hours since T0; ``commit`` and ``message`` as the platform reports them."""

    id: str
    commit: str
    message: str
    trigger: str
    created_h: float
    live_h: float
    until_h: float = FOREVER


class PlatformEvent(Struct, frozen=True):
    """An event of the platform."""

    hour: float
    type: str
    details: dict[str, Any]


class Machines:
    """Instances, deploys and events of one scenario."""

    def __init__(
        self,
        random: SeededRandom,
        faults: tuple[Fault, ...],
        rollbacks: tuple[tuple[float, str], ...],
    ) -> None:
        self._random = random
        self._faults = faults
        self._rollbacks = rollbacks

    @cached_property
    def deploys(self) -> tuple[Deploy, ...]:
        """All deploys, oldest first."""
        begun: list[tuple[float, str, str]] = [
            (-171.3, "new_commit", "Store the transcript's language"),
            (-100.2, "new_commit", "Answer assistants from the cache"),
            (UP_SINCE_H - DEPLOY_TAKES_H, "new_commit", "Retry a call's webhook once"),
        ]
        for fault in self._faults:
            if fault.name == "deploy":
                begun.append((fault.start_h, "new_commit", "Fix the label of a call"))
            if fault.name == "bad_deploy":
                begun.append((fault.start_h, "new_commit", "Load sessions lazily"))
        begun += [(hour, "rollback", f"rollback to {to}") for hour, to in self._rollbacks]
        begun.sort()
        made = []
        for number, (hour, trigger, message) in enumerate(begun):
            until = begun[number + 1][0] + DEPLOY_TAKES_H if number + 1 < len(begun) else FOREVER
            made.append(
                Deploy(
                    id="dep-" + self._random.hex(20, "deploy", number),
                    commit=self._random.hex(40, "commit", number),
                    message=message,
                    trigger=trigger,
                    created_h=hour,
                    live_h=hour + DEPLOY_TAKES_H,
                    until_h=until,
                )
            )
        return tuple(made)

    @cached_property
    def lives(self) -> tuple[Process, ...]:
        """Every process since the deploy before T0, by start."""
        found = []
        current = [each for each in self.deploys if each.live_h >= UP_SINCE_H - 1e-9]
        for number, deploy in enumerate(current):
            end = current[number + 1].live_h if number + 1 < len(current) else FOREVER
            for slot in (0, 1):
                name = f"{SERVICE}-{self._random.hex(5, 'instance', number, slot)}"
                start = deploy.live_h + slot * 45 / 3600
                last = end + (slot * 45 / 3600 if end < FOREVER else 0.0)
                for died in self._deaths(slot, start, last):
                    found.append(Process(name, slot, start, died))
                    start = died + DOWN_H
                found.append(Process(name, slot, start, last))
        return tuple(sorted(found, key=lambda life: life.start_h))

    def _deaths(self, slot: int, start: float, end: float) -> list[float]:
        hours = []
        for fault in self._faults:
            if fault.name == "restart" and slot == 0:
                hours.append(fault.start_h + RESTART_AFTER_H)
            if fault.name == "backend_down":
                hours.append(fault.start_h)
            if fault.name == "crash_loop":
                count = int(min(fault.end_h - fault.start_h, 24.0) / CRASH_EVERY_H)
                hours += [fault.start_h + (i + 1) * CRASH_EVERY_H for i in range(count)]
        return sorted(hour for hour in hours if start < hour < end)

    def up(self, hour: float) -> tuple[Process, ...]:
        """Return the processes that are up at this hour."""
        return tuple(life for life in self.lives if life.start_h <= hour < life.end_h)

    def live(self, hour: float) -> Deploy:
        """Return the deploy that is live at this hour."""
        return next(d for d in reversed(self.deploys) if d.live_h <= hour)

    def platform_events(self, start_h: float, end_h: float) -> tuple[PlatformEvent, ...]:
        """Return the platform's events with ``start_h <= hour < end_h``, oldest first."""
        found = []
        for deploy in self.deploys:
            what = {"deployId": deploy.id}
            found.append(PlatformEvent(deploy.created_h, "deploy_started", {**what, "trigger": {}}))
            ended = {**what, "deployStatus": "succeeded", "status": 2, "reason": {}}
            found.append(PlatformEvent(deploy.live_h, "deploy_ended", ended))
        planned = {deploy.live_h for deploy in self.deploys}
        for life in self.lives:
            if life.end_h == FOREVER or any(0 <= life.end_h - at < 0.02 for at in planned):
                continue
            reason = {"evicted": False, "nonZeroExit": 137}
            found.append(
                PlatformEvent(
                    life.end_h, "server_failed", {"instanceID": life.instance, "reason": reason}
                )
            )
            found.append(PlatformEvent(life.end_h + DOWN_H, "server_available", {}))
        return tuple(sorted((h for h in found if start_h <= h.hour < end_h), key=lambda h: h.hour))

    def memory_mb(self, life: Process, hour: float) -> float:
        """Return the memory of one process at an hour since T0, MB."""
        random, name = self._random, (life.instance, life.start_h)
        age = hour - life.start_h
        base = random.between(172.0, 188.0, "floor", life.slot)
        phase = random.uniform("saw", *name) * SAW_H
        cycle, into = divmod(age + phase, SAW_H)
        base *= 1.0 - 0.15 * math.exp(-age / 0.4)
        base += 0.12 * random.normal("cycle", *name, int(cycle))
        height = random.between(30.0, 36.0, "height", *name, int(cycle))
        # flat for a while after each collection, so that one reading a minute hits it
        value = base + height * max(0.0, into / SAW_H - RESTS) / (1.0 - RESTS)
        value += random.between(0.0, 0.2, "mb", *name, round(hour * 3600))
        for fault in self._faults:
            since = min(hour, fault.end_h) - max(fault.start_h, life.start_h)
            if fault.name == "memory_leak" and since > 0:
                value += LEAK_MB * since**LEAK_POWER
            if fault.name == "memory_high" and fault.active(hour):
                value += JUMP_MB
        return min(value, LIMIT_MB - 1.0)
