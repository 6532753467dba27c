"""Opens an attempt at a checkpoint after checking every precondition.

Rules of this module:

- Every refusal happens here, before production is queried: the target, the due time, a ledger that
  is signed off, the lock, a read-only folder. A refused attempt leaves no files.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import cast

import msgspec

from hour24.checkpoint.keeping import KeepingRun, NoJournal, refuse_late
from hour24.checkpoint.run import Run
from hour24.clock import steady_s
from hour24.errors import ConfigurationError, LedgerLocked
from hour24.ledger.book import Ledger
from hour24.ledger.journal import Journal
from hour24.ledger.judges import other_judges
from hour24.ledger.room import Room
from hour24.ledger.waivers import closed
from hour24.secrets.redactor import Redactor
from hour24.targets.choosing import open_context
from hour24.targets.request import Request
from hour24.targets.watches import refuse_early


def open_run(request: Request) -> Run:
    """Checks every precondition and returns the run.

    Raises: ConfigurationError (exit 4), LedgerLocked (exit 13), LedgerError (exit 12).
    """
    with ExitStack() as resources:
        context = open_context(request, resources)
        ledger, checkpoint = context.ledger, context.checkpoint
        ledger.refresh()
        problems = (*closed(ledger), *other_judges(ledger))
        if problems:
            raise ConfigurationError(problems)
        hour = checkpoint.hour
        started = context.clock.now()
        refuse_early(hour, checkpoint.due, started, allowed=request.early)
        resources.enter_context(ledger.locked(hour))
        if request.once and any(not r.early and not r.interrupted for r in ledger.records(hour)):
            raise LedgerLocked(
                f"{ledger.folder}: hour {hour}: expected no record of it, got one (--once)"
            )
        room = Room(ledger.folder)
        resources.callback(room.free)
        attempt = ledger.next_attempt(hour)
        journal = Journal(ledger.folder / "journal" / f"hour{hour:02d}.a{attempt}.jsonl", room)
        resources.callback(journal.close)
        context.simulate_probes(context)
        return Run(
            context=context,
            started=started,
            redactor=Redactor((each.name, each.reveal()) for each in context.production.secrets),
            resources=resources.pop_all(),
            attempt=attempt,
            journal=journal,
            room=room,
            plan=dict(context.criteria),
        )


def open_keeping(request: Request, clock_offset_s: float | None) -> KeepingRun:
    """Checks every precondition and returns the run that only asks (``--ask-only``).

    Args:
        clock_offset_s: the wall clock less the steady clock when the prober began; None: unknown.
    Raises: as :func:`open_run`.
    """
    if not request.watch or Ledger.find(request.reports, request.watch) is None:
        raise ConfigurationError(
            [f"--ask-only: expected an existing watch, got --watch {request.watch!r}"]
        )
    with ExitStack() as resources:
        context = open_context(request, resources)
        problems = (*closed(context.ledger), *other_judges(context.ledger))
        if problems:
            raise ConfigurationError(problems)
        started = context.clock.now()
        hour = context.checkpoint.hour
        refuse_early(hour, context.checkpoint.due, started, allowed=False)
        refuse_late(context.checkpoint, started)
        resources.enter_context(context.ledger.locked(hour, "asking"))
        room = Room(context.ledger.folder)
        resources.callback(room.free)
        run = KeepingRun(
            context=replace(context, calls=replace(context.calls, heartbeat_url=None)),
            started=started,
            redactor=Redactor((each.name, each.reveal()) for each in context.production.secrets),
            resources=resources.pop_all(),
            attempt=context.ledger.next_attempt(hour),
            journal=cast("Journal", NoJournal()),
            room=room,
            plan=dict(context.criteria),
        )
        now_s = started.timestamp() - steady_s()
        run.begin(0.0 if clock_offset_s is None else now_s - clock_offset_s)
        return run


def begin(run: Run) -> None:
    """Journal the record that this run would leave if it were killed now."""
    plain = msgspec.to_builtins(run.build_record("not finished"))
    run.journal.write({"kind": "begin", "record": plain, "at": time.time()})
