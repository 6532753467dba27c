"""Everything that depends on the target of a checkpoint, in one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import Criterion
from hour24.ledger.book import Ledger
from hour24.secrets import Secret
from hour24.targets.request import Request
from hour24.watch import Checkpoint


@dataclass(frozen=True)
class Calls:
    """The addresses that a checkpoint may notify.

    Args:
        alert_urls: where a decision is sent.
        heartbeat_url: the dead man's switch; None if there is none.
        withheld: why nothing is sent to them; empty if alerts are sent.
    """

    alert_urls: tuple[Secret, ...] = ()
    heartbeat_url: Secret | None = None
    withheld: str = ""


def no_simulation(context: Context) -> None:
    """Does nothing: a real prober writes the probes."""


def keep_real_time(time: datetime) -> None:
    """Does nothing: the clock of a production cannot be set."""


@dataclass(frozen=True)
class Context:
    """What one checkpoint runs against.

    Args:
        production: with the classes of errors that people added to the ledger.
        ledger: where this checkpoint is recorded.
        baseline: the ledger that earlier evidence and the baseline come from.
        checkpoint: the checkpoint to run.
        marker: the pytest marker that ``-m`` must select.
        criteria: every criterion of this watch by id, with its hours.
        addresses: production's addresses, without secrets; empty if they differ in every run.
        per_s: latency samples per second and endpoint; None: as [schedule] says.
        calls: whom it may notify.
        banner: a word before every title; empty for a production.
        rehearsal: seed and faults, as records keep them; none for a production.
        approvable: whether the watch may be signed off.
        prober: says what probes between the checkpoints; empty: ``hour24 probe``.
        simulate_probes: writes the lines of a simulated prober up to this checkpoint.
        step_clock_to: sets the clock, where the clock can be set.
        finished: the message after the last checkpoint.
        opened: whether this run opened the watch.
        reports: the folder of the watches, if commands must name it.
        target_options, watch_options: the command line options that select this target and this
            watch.
    """

    production: Production
    clock: Clock
    ledger: Ledger
    baseline: Ledger
    checkpoint: Checkpoint
    marker: str
    criteria: Mapping[str, Criterion]
    addresses: Mapping[str, str]
    calls: Calls
    finished: str
    per_s: float | None = None
    banner: str = ""
    rehearsal: dict[str, Any] | None = None
    approvable: bool = True
    prober: str = ""
    simulate_probes: Callable[[Context], None] = no_simulation
    step_clock_to: Callable[[datetime], None] = keep_real_time
    opened: bool = False
    reports: str = ""
    target_options: str = ""
    watch_options: str = ""


class Target(Protocol):
    """A module of this package that makes contexts."""

    def open_context(self, request: Request, resources: ExitStack) -> Context:
        """Returns the context of a checkpoint, after finding or opening its watch.

        Raises: ConfigurationError; no watch has been opened then.
        """

    def context_of_watch(self, request: Request, ledger: Ledger, resources: ExitStack) -> Context:
        """Returns the context of an existing watch."""
