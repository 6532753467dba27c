"""rehearse and prove: a whole watch on the embedded production, and a proof of each criterion."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import click

from hour24 import incidents
from hour24.commands import say
from hour24.commands.line import TIME, UNUSABLE, WHOLE_NUMBER, command
from hour24.commands.watches import reports_option
from hour24.criteria import CRITERIA, errors, process
from hour24.errors import ConfigurationError, did_you_mean
from hour24.incidents import Incident
from hour24.ledger.book import Ledger
from hour24.ledger.standings import outcome_of
from hour24.rehearsal.faults import FAULTS, parse_faults
from hour24.rehearsal.run import PROCESS_EXITS, CheckpointRun, RunPlan, run_checkpoints, worst_exit
from hour24.text import cut, escape_controls, format_duration, one_line
from hour24.verdict import Outcome
from hour24.watch import CHECKPOINTS

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 10, Outcome.NOT_APPLICABLE: 10}
NOT_WRITTEN = 12
LONGEST_LINE = 240
"""Characters of a reason on a terminal: three of its lines."""


seed_option = click.option("--seed", type=WHOLE_NUMBER, default=1, help="random seed (default: 1)")


@command(
    "Starts a whole production on loopback (backend, PostgreSQL, the web APIs of its sources) "
    "and runs every checkpoint against it, about three seconds each. A fault changes what happens "
    "there: memory_leak@6 begins at hour 6.",
    "--fault memory_leak@6 --seed 7",
)
@seed_option
@click.option(
    "--fault",
    multiple=True,
    metavar="NAME@HOUR",
    help="what goes wrong, and from which hour; repeatable",
)
@click.option("--faults", is_flag=True, help="list all faults and exit")
@click.option("--hours", default="", metavar="0,4,8", help="only these checkpoints")
@click.option("--watch", default="", metavar="NAME", help="its name (default: by T0 and seed)")
@click.option("--t0", type=TIME, default=None, help="when it begins (default: today, 06:00 UTC)")
@reports_option
@click.option("-v", "--verbose", is_flag=True, help="show the full output of each checkpoint")
def rehearse(
    seed: int,
    fault: tuple[str, ...],
    faults: bool,
    hours: str,
    watch: str,
    t0: datetime | None,
    reports: Path,
    verbose: bool,
) -> int:
    """Run a watch, show each checkpoint and the final verdict."""
    if faults:
        for name, kind in FAULTS.items():
            say.line(f"{name:<24} {kind.says}")
        return 0
    plan = RunPlan(
        seed=seed,
        faults=tuple(map(str, parse_faults(fault))),
        t0=t0,
        hours=_hours(hours),
        reports=reports,
        watch=watch,
    )
    plan = RunPlan(**{**vars(plan), "watch": plan.name})
    began = time.monotonic()
    faulty = ", ".join(plan.faults) or "no faults"
    say.line(f"REHEARSAL {plan.watch}: seed {plan.seed}, {faulty}", "bold magenta")
    codes = []
    for run in run_checkpoints(plan, _show_start):
        codes.append(run.exit_code if run.record is not None else NOT_WRITTEN)
        _show(run, verbose)
        if run.exit_code == UNUSABLE:
            return UNUSABLE
    return worst_exit(codes, _show_final(plan, time.monotonic() - began, codes))


def _hours(text: str) -> tuple[int, ...]:
    if not text:
        return CHECKPOINTS
    known = ",".join(map(str, CHECKPOINTS))
    hours = tuple(int(part) if part.strip().isdigit() else -1 for part in text.split(","))
    if not set(hours) <= set(CHECKPOINTS) or list(hours) != sorted(set(hours)):
        raise ConfigurationError([f"--hours: expected some of {known}, ascending, got {text!r}"])
    return hours


def _show_start(hour: int) -> None:
    terminal = say.console()
    if terminal.is_terminal:
        terminal.print(f"  hour {hour:>2}  ...", end="\r")


def _show(run: CheckpointRun, verbose: bool) -> None:
    record = run.record
    if record is None or verbose:
        for text in run.output.splitlines():
            say.console().print(f"  | {escape_controls(text)}")
    if record is None:
        say.line(f"  hour {run.hour:>2}  NOT RECORDED, exit {run.exit_code}", "bold red")
        return
    counted = Counter(str(judged.outcome) for judged in record.criteria)
    tally = ", ".join(f"{counted[str(o)]} {o}" for o in Outcome if counted[str(o)])
    say.line(
        f"  hour {run.hour:>2}  {record.outcome!s:<13} {tally}  ({format_duration(run.took_s)})",
        say.STYLES[record.outcome],
    )
    for found in incidents.of_record(record):
        _show_incident(found)
    action = str((record.decision or {}).get("action", ""))
    if action not in ("", "PROCEED"):
        assert record.decision is not None
        say.line(_fitted(f"           {action}: {record.decision.get('rule', '')}"), "bold")


def _show_incident(found: Incident) -> None:
    """Show an incident; the reason if it is one check, else the names of its checks."""
    first, *more = found.findings
    if first.judged is not None and not more:
        text = f"{first.name}: {first.judged.reason}"
    else:
        names = dict.fromkeys(each.id for each in found.findings)
        text = f"{found.summary()}: {', '.join(names)}"
    say.line(_fitted(f"           {found.outcome!s:<13} {text}"), say.STYLES[found.outcome])


def _fitted(text: str) -> str:
    """Return a line, cut on a terminal alone: a pipe gets the whole reason."""
    return cut(text, LONGEST_LINE) if say.console().is_terminal else text


def _show_final(plan: RunPlan, took_s: float, codes: list[int]) -> int:
    """Show the final verdict of the watch. Returns: its exit code."""
    from hour24.ledger.verify import verify

    if not set(codes) <= set(PROCESS_EXITS):
        return NOT_WRITTEN
    ledger = Ledger(plan.reports / plan.watch)
    watch = ledger.watch
    now = watch.checkpoint(plan.hours[-1]).due + timedelta(minutes=1)
    standings = [each for each in ledger.standings(now) if each.hour in plan.hours]
    resolved = [each for each in standings if each.settled_by]
    outcome = outcome_of(standings)
    open_ones = [each for each in standings if each.is_open]
    say.line(
        f"REHEARSAL {watch.name}: final verdict: {outcome}; {len(resolved)} resolved by later "
        f"evidence, {len(open_ones)} findings block the launch; {format_duration(took_s)}",
        say.STYLES[outcome],
    )
    findings = verify(ledger.folder)
    wrong = [each for each in findings if not each.ok]
    for finding in wrong or [each for each in findings if each.what == "verdicts"]:
        say.line(f"verify: {finding.what}: {finding.says}", "bold red" if wrong else "")
    page = (ledger.folder / "index.html").absolute()
    say.line(f"pages   {page}")
    for hour in plan.hours:
        record = ledger.latest(hour)
        if record is not None:
            say.line(f"        {page.parent / f'hour{hour:02d}.a{record.attempt}.html'}")
    return NOT_WRITTEN if wrong else EXIT[outcome]


@command(
    "For each criterion, one fault of the rehearsal must make it FAIL, and another one that takes "
    "its data away must make it INCONCLUSIVE. This runs both and compares.",
    f"{errors.RATE.id} {process.RESTARTS.id}",
)
@click.argument("criteria", nargs=-1, metavar="[CRITERION]...", help="their ids (default: all)")
@seed_option
def prove(criteria: tuple[str, ...], seed: int) -> int:
    """Run each criterion's faults. Returns: 1 when one outcome is not as expected."""
    from hour24.rehearsal.proving import prove as prove_all

    names = criteria or list(CRITERIA)
    unknown = [name for name in names if name not in CRITERIA]
    if unknown:
        raise ConfigurationError(
            [
                f"criterion: expected a known id, got {name!r}{did_you_mean(name, CRITERIA)}"
                for name in unknown
            ]
        )
    missed = 0
    for proof in prove_all(names, seed=seed):
        good = proof.found == proof.wanted
        missed += not good
        mark = "as expected" if good else f"EXPECTED {proof.wanted}"
        say.line(
            f"{proof.criterion:<20} {proof.found!s:<13} {mark}: {', '.join(proof.faults)}; "
            f"{one_line(proof.reason, 160)}",
            "" if good else "bold red",
        )
    say.line(f"{len(names)} criteria, {missed} not as expected", "bold red" if missed else "")
    return 1 if missed else 0
