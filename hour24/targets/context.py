"""All that depends on the target of a checkpoint, in one frozen value that is handed down."""

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
    """Whom a checkpoint may notify.

    Args:
        alert_urls: where a decision is sent.
        heartbeat_url: the dead man's switch; none: nobody watches from outside.
        withheld: why nothing is sent to them; empty when it is.
    """

    alert_urls: tuple[Secret, ...] = ()
    heartbeat_url: Secret | None = None
    withheld: str = ""


def no_simulation(context: Context) -> None:
    """Probes come from a prober that runs beside the checkpoints."""


def real_time(moment: datetime) -> None:
    """A production's clock cannot be moved."""


@dataclass(frozen=True)
class Context:
    """What one checkpoint runs against.

    Args:
        production: with the classes of errors that people added to the ledger.
        ledger: where this checkpoint is recorded.
        baseline: the ledger that earlier evidence and the baseline come from.
        checkpoint: the one that is meant.
        marker: what ``-m`` must select.
        criteria: every criterion of this watch by id, with its hours.
        addresses: where production is found, without secrets; empty when that changes by itself.
        per_s: latency samples a second and endpoint; none: as the schedule says.
        calls: whom it may notify.
        banner: a word before every title; empty for a production.
        rehearsal: seed and faults, as records keep them; none for a production.
        approvable: whether the watch may be signed off.
        prober: who probes between the checkpoints; empty: whoever runs ``hour24 probe``.
        simulate_probes: writes the lines of a simulated prober up to this checkpoint.
        stand_at: moves the clock to a moment, where a clock can be moved.
        finished: what is said after the last checkpoint.
        opened: whether this run opened the watch.
        reports: where watches are kept, if a command must name it.
        target_options, watch_options: the options that lead a command here again, without and with
            the watch's name.
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
    stand_at: Callable[[datetime], None] = real_time
    opened: bool = False
    reports: str = ""
    target_options: str = ""
    watch_options: str = ""


class Target(Protocol):
    """A module of this package that makes contexts of watches."""

    def opened(self, request: Request, resources: ExitStack) -> Context:
        """The context of a checkpoint, whose watch is found or opened.

        Raises: ConfigurationError; then no watch was opened.
        """

    def around(self, request: Request, ledger: Ledger, resources: ExitStack) -> Context:
        """The context of a watch that is there already, for whatever follows it."""
