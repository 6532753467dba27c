"""Opens an attempt at a checkpoint after checking every precondition.

Rules of this module:

- Every refusal happens here, before production is queried: the target, the due time, a ledger that
  is signed off, the lock, a read-only folder. A refused attempt leaves no files.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

import msgspec

from hour24.checkpoint.run import Run
from hour24.errors import ConfigurationError
from hour24.ledger.journal import Journal
from hour24.ledger.judges import other_judges
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
        problems = (*closed(ledger), *other_judges(ledger))
        if problems:
            raise ConfigurationError(problems)
        hour = checkpoint.hour
        started = context.clock.now()
        refuse_early(hour, checkpoint.due, started, allowed=request.early)
        resources.enter_context(ledger.locked(hour))
        ledger.writable()
        attempt = ledger.next_attempt(hour)
        journal = Journal(ledger.folder / "journal" / f"hour{hour:02d}.a{attempt}.jsonl")
        resources.callback(journal.close)
        context.simulate_probes(context)
        return Run(
            context=context,
            started=started,
            redactor=Redactor((each.name, each.reveal()) for each in context.production.secrets),
            resources=resources.pop_all(),
            attempt=attempt,
            journal=journal,
            plan=dict(context.criteria),
        )


def begin(run: Run) -> None:
    """Journal the record that this run would leave if it were killed now."""
    plain = msgspec.to_builtins(run.build_record("not finished"))
    run.journal.write({"kind": "begin", "record": plain, "at": time.time()})
