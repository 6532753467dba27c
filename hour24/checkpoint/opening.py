"""How an attempt at a checkpoint begins: everything that must hold before production is asked.

Rules of this module:

- What can be refused is refused here: the target, the plan clock, a ledger that is signed off, the
  lock, an unwritable folder. What is refused leaves nothing behind.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

import msgspec

from hour24.checkpoint.run import Run
from hour24.checkpoint.stage import Options, Stage, refuse_early, set_stage
from hour24.criteria import CRITERIA, Criterion, own_criterion
from hour24.errors import ConfigurationError
from hour24.ledger.journal import Journal
from hour24.ledger.judges import other_judges
from hour24.ledger.waivers import closed
from hour24.secrets.redactor import Redactor
from hour24.watch import Checkpoint


def open_run(options: Options) -> Run:
    """Everything that must hold before production is asked.

    Raises: ConfigurationError (exit 4), LedgerLocked (exit 13), LedgerError (exit 12).
    """
    with ExitStack() as resources:
        stage = set_stage(options, resources)
        problems = (*closed(stage.ledger), *other_judges(stage.ledger))
        if problems:
            raise ConfigurationError(problems)
        checkpoint = _checkpoint(options, stage)
        hour = checkpoint.hour
        started = stage.clock.now()
        refuse_early(options, checkpoint.due, started)
        resources.enter_context(stage.ledger.locked(hour))
        stage.ledger.writable()
        attempt = stage.ledger.next_attempt(hour)
        path = stage.ledger.folder / "journal" / f"hour{hour:02d}.a{attempt}.jsonl"
        journal = Journal(path)
        resources.callback(journal.close)
        run = Run(
            options=options,
            stage=stage,
            checkpoint=checkpoint,
            started=started,
            redactor=Redactor((each.name, each.reveal()) for each in stage.production.secrets),
            resources=resources,
            attempt=attempt,
            journal=journal,
            plan=planned(stage),
        )
        if stage.rehearsal is not None:
            _simulate_prober(run)
        run.resources = resources.pop_all()
        return run


def _checkpoint(options: Options, stage: Stage) -> Checkpoint:
    """The checkpoint that is meant. Raises: ConfigurationError, when this watch has none such."""
    watch = stage.ledger.watch
    if options.daily:
        from hour24.checkpoint import daily

        return daily.checkpoint(watch, daily.due(watch, stage.clock.now()))
    if options.hour not in watch.hours:
        raise ConfigurationError(
            [f"watch {watch.name}: hour: expected one of {watch.hours}, got {options.hour}"]
        )
    return watch.checkpoint(options.hour)


def planned(stage: Stage) -> dict[str, Criterion]:
    """Every criterion of this watch: the table's, production.toml's own, earlier records'."""
    production, ledger = stage.production, stage.ledger
    if stage.of is not None:
        from hour24.checkpoint import daily

        return daily.criteria(tuple(h for h in ledger.watch.hours if h > stage.of.watch.hours[-1]))
    plan = dict(CRITERIA)
    for name, stated in production.criteria.items():
        if name not in plan and stated.sentence:
            plan[name] = own_criterion(name, stated.sentence, stated.hours)
    for record in ledger.records():
        for name, hours in record.plan.items():
            if name not in plan:
                sentence = next((e.sentence for e in record.criteria if e.id == name), name)
                plan[name] = own_criterion(name, sentence, hours)
    return plan


def _simulate_prober(run: Run) -> None:
    from hour24.rehearsal import probing

    assert run.stage.rehearsal is not None
    probing.simulate(
        run.production,
        run.watch,
        run.ledger.folder / "probe",
        run.checkpoint.window,
        seed=run.stage.rehearsal["seed"],
        faults=tuple(run.stage.rehearsal["faults"]),
    )


def begin(run: Run) -> None:
    """Journal what a record of this run would hold if nothing more happened."""
    plain = msgspec.to_builtins(run.so_far("not finished"))
    run.journal.write({"kind": "begin", "record": plain, "at": time.time()})
