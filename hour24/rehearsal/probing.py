"""What a prober would have seen between two checkpoints of a rehearsal.

Rules of this module:

- The prober's own code folds the probes; only clock and transport are the story's. Every line
  says that it is simulated.
- A window is simulated once: its file is there or it is not, whatever interrupts us.
- Where nobody probes in the story, no line is written.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hour24.asking.exchange import Reply
from hour24.config import Production
from hour24.prober import Held, Plan, plans
from hour24.prober import simulate as probed
from hour24.probes import Drop, LineWriter
from hour24.rehearsal.backend import FLAPPING, OF
from hour24.rehearsal.story import Story
from hour24.rehearsal.timing import Answered, Service
from hour24.watch import Watch, Window

VANTAGE = "rehearsal"
WIRE_MS = 0.25
GAP_AFTER_H = 0.5


class Told:
    """The story as a prober's transport."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._service = Service(story)

    def reply(self, plan: Plan, at: float) -> Reply:
        """The reply to the probe that was due at ``at``."""
        number = int(at // plan.interval_s)
        if self._story.now("network_down", at):
            return Reply(reason="unreachable", took_ms=1.0)
        if plan.kind == "control":
            return Reply(status=200, data=b"{}", took_ms=WIRE_MS)
        name = "health" if plan.kind == "health" else plan.name
        answered: Answered = self._service.answer(name, at, number)
        if answered.status == 0:
            return Reply(reason="refused", took_ms=WIRE_MS)
        took = answered.took_ms + WIRE_MS
        if took > plan.timeout_s * 1000:
            return Reply(reason="timeout", took_ms=plan.timeout_s * 1000)
        data = json.dumps(answered.body).encode()
        return Reply(status=answered.status, data=data, took_ms=took)

    def held(self, plan: Plan, minute: float) -> Held:
        """What became of the WebSocket connections in the minute that starts at ``minute``."""
        assert plan.websocket is not None
        story, count = self._story, plan.websocket.probe_connections
        if story.silent(minute) or story.now("network_down", minute):
            return Held(refused=count)
        turns = max(1, round(plan.websocket.probe_hold_s / 60))
        number = round((minute - story.at(0)) / 60)
        opened = sum((number + each) % turns == 0 for each in range(count))
        if not story.now("websocket_flap", minute):
            return Held(opened=opened, held_s=60.0 * count)
        # a connection that is dropped is opened again, and meets the next one's luck
        drops = tuple(
            Drop(round(60 * (i + 0.5) / OF, 2), 1006, 0.2)
            for i in range(OF)
            if (number * OF + i) % OF in FLAPPING
        )
        return Held(opened=OF, dropped=drops, held_s=60.0 * count - 2.0 * len(drops))


def simulate(
    production: Production,
    watch: Watch,
    folder: Path,
    window: Window,
    *,
    seed: int,
    faults: Sequence[str] = (),
) -> Path | None:
    """Write what a prober saw over a window.

    Args:
        folder: ``reports/<watch>/probe``.
        window: whole minutes.

    Returns: the file; none when nobody probed.
    """
    path = folder / f"rehearsal-{window.start:%Y%m%dT%H%M}-{window.end:%H%M}.jsonl"
    if path.exists():
        return path
    story = Story(seed, faults, watch.t0)
    stretches = list(_probed(story, window))
    if not stretches:
        return None
    begun = folder / f"{path.name}.{os.getpid()}.part"
    alarms = folder / "alarms"
    writer = LineWriter(begun)
    with contextlib.ExitStack() as undone:
        for each in (begun, alarms / begun.name):
            undone.callback(each.unlink, missing_ok=True)
        with contextlib.closing(writer):
            chosen, transport = plans(production), Told(story)
            for stretch in stretches:
                for _ in probed(chosen, stretch, transport, writer, vantage=VANTAGE):
                    continue
        undone.pop_all()
    with contextlib.suppress(FileNotFoundError):
        (alarms / begun.name).replace(alarms / path.name)
    begun.replace(path)
    return path


def _probed(story: Story, window: Window) -> Iterator[Window]:
    """The stretches of the window in which somebody probes."""
    minute = timedelta(minutes=1)
    begin: datetime | None = None
    at = window.start
    while at < window.end:
        hour = story.hour(at.timestamp())
        alone = story.now("no_prober", at.timestamp()) or any(
            fault.name == "prober_gap"
            and fault.start_h + GAP_AFTER_H <= hour < fault.end_h + GAP_AFTER_H
            for fault in story.faults
        )
        if alone and begin is not None:
            yield Window(begin, at)
            begin = None
        elif not alone and begin is None:
            begin = at
        at += minute
    if begin is not None:
        yield Window(begin, window.end)
