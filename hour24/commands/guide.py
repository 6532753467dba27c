"""runbook: docs/RUNBOOK.md, written from the criteria, their tests and their proofs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from hour24.checkpoint.questions import QUESTIONS
from hour24.criteria import CRITERIA, Criterion, due
from hour24.rehearsal.faults import FAULTS
from hour24.watch import CHECKPOINTS

BEFORE = """\
Before hour 0: `python -m hour24 doctor`, then `python -m hour24 probe --t0 ISO` on a machine that
stays up, an hour before T0 (without it hour 0 opens the watch, and nothing before it is seen). Each
checkpoint says when the next one is due and how to run it. After
hour 24: `python -m hour24 signoff --by NAME --role ROLE`."""
EACH = """\
Each checkpoint leaves `hourNN.aM.json` (the record), `.html` (the page), `.pytest.html` and `.xml`
in `reports/WATCH/`. A FAIL stays a FAIL: a later attempt does not erase it, a named person's waiver
stands beside it. After a fix and a deploy, `pytest -m hour0 --follows WATCH` opens a new watch."""
ADVICE = {
    "too_early": "Nothing to do: a later checkpoint settles it.",
    "too_few_samples": "Nothing to do, unless hour 24 still says so: more probes, or a waiver.",
    "too_little_traffic": "Nothing to do, unless hour 24 still says so: more traffic, or a waiver.",
    "baseline_absent": "Run hour 0 first; a watch without it has nothing to compare with.",
    "coverage_too_low": "Keep a prober running: two machines are better than one.",
    "no_prober": "Start one: `python -m hour24 probe`.",
    "late": "It existed only then. Run checkpoints within their tolerance, or waive by name.",
    "no_network": "Our own network was down, not the service: run the checkpoint again.",
    "no_data": "The source answered and had nothing: see that it is fed.",
    "feed_silent": "Report an error from the service, see it in Sentry, then waive by name.",
    "nothing_measured": "Mend what kept it from being measured, or leave the criterion out.",
    "not_described": "Describe it in production.toml, or leave the criterion out with a reason.",
    "unclassified": "Say what the error is: `python -m hour24 classify`.",
    "too_many_lines": "More lines than a checkpoint reads: quieten the logs, or waive by name.",
    "source_unreachable": "Try `python -m hour24 doctor`, then run the checkpoint again.",
    "source_timeout": "It was slow: run the checkpoint again.",
    "source_refused": "A credential or a right: `python -m hour24 doctor` names it.",
    "source_limited": "We asked too often: wait a minute, then run the checkpoint again.",
    "source_failed": "It answered 5xx: read its status page, then run the checkpoint again.",
    "source_misread": "It answered nonsense: read the page's evidence, then run it again.",
    "source_incomplete": "Its answer was cut off: run the checkpoint again.",
    "source_lacks": "This server has no such endpoint: leave the criterion out with the reason.",
    "login_refused": "Our own credential, as long as no login has worked: `doctor` names it.",
    "too_many_connections": "No login has worked yet: free a connection, then run it again.",
    "not_accepting": "The database was starting or stopping: run the checkpoint again.",
    "no_control": "Silence, and the control address was not asked: run the checkpoint again.",
    "sent_late": "The prober was the bottleneck: give its machine more room.",
    "timeout": "Run the checkpoint again; if it hangs again, report it.",
    "interrupted": "Run the checkpoint again.",
    "harness_error": "A bug of ours or of your own test: the terminal shows it.",
}


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "runbook",
        help="write the runbook to standard output",
        description="Writes docs/RUNBOOK.md from the criteria; CI compares the two.",
    )
    parser.set_defaults(run=runbook)


def runbook(options: argparse.Namespace) -> int:
    """Write the whole runbook."""
    sys.stdout.write("\n".join(_lines()) + "\n")
    return 0


def _lines() -> Iterator[str]:
    yield from _head()
    group = ""
    for criterion in CRITERIA.values():
        if criterion.group != group:
            group = criterion.group
            yield from ("", f"### {group}")
        yield from _criterion(criterion)
    yield from _inconclusive()
    yield from _escalation()


def _head() -> Iterator[str]:
    yield "# Runbook"
    yield ""
    yield "<!-- written by `python -m hour24 runbook`; change the criteria, then run it again -->"
    yield ""
    yield "## The day"
    yield ""
    yield "| hour | command | criteria due |"
    yield "|---|---|---|"
    for hour in CHECKPOINTS:
        yield f"| {hour} | `pytest -m hour{hour}` | {len(due(hour))} |"
    yield ""
    yield from (BEFORE, "", EACH, "")
    yield "## Criteria"


def _criterion(criterion: Criterion) -> Iterator[str]:
    asked = [QUESTIONS[name] for name in criterion.asks]
    hours = ", ".join(map(str, criterion.hours))
    spans = {
        "window": "since the checkpoint before",
        "since_t0": "since the hour before T0",
        "now": "at this moment",
    }
    yield ""
    yield f"#### {criterion.id}"
    yield ""
    yield f"{criterion.sentence}."
    yield ""
    yield f"- Hours: {hours}; speaks of what is {spans[criterion.span]}."
    if asked:
        names = ", ".join(f"{each.name} ({each.lane})" for each in asked)
        yield f"- Asks: {names}."
    else:
        yield "- Asks: the ledger alone."
    if criterion.proof is not None:
        yield f"- Seen to fail: {_faults(criterion.proof.faults)}."
        yield f"- Seen blind, and then INCONCLUSIVE: {_faults(criterion.proof.silence)}."


def _faults(faults: tuple[str, ...]) -> str:
    told = []
    for fault in faults:
        says = FAULTS[fault.partition("@")[0]].says
        told.append(f"`{fault}` ({says})")
    return " with ".join(told)


def _inconclusive() -> Iterator[str]:
    yield ""
    yield "## When a criterion is INCONCLUSIVE"
    yield ""
    yield "| code | what to do |"
    yield "|---|---|"
    for code, advice in ADVICE.items():
        yield f"| `{code}` | {advice} |"


def _escalation() -> Iterator[str]:
    yield ""
    yield "## Escalation"
    yield ""
    yield "Every page and every terminal says which row applies, with the commands to copy."
    yield ""
    yield "| what was seen | what is done |"
    yield "|---|---|"
    for seen, done in (
        (
            "error rate above 5 %",
            "at once: show the causes with their shares; within 5 minutes a person knows the root "
            "cause. A vendor: expected, monitor. Database: read its status page. Code: prepare the "
            "rollback",
        ),
        (
            "health check fails",
            "wait 30 s, try again; still failing: read the logs; database false: read the "
            "database's status page; longer than 2 min: alert the team, propose the rollback",
        ),
        (
            "new critical issue",
            "critical (blocks calls): roll back. High (some users): fix and redeploy. Medium: "
            "monitor, fix later. Low: document",
        ),
        (
            "a witness is down",
            "hold, mend the witness, run the checkpoint again; never a reason to roll back",
        ),
        (
            "rollback",
            "`python -m hour24 rollback`: the plan; with `--yes WATCH` it rolls back, waits for "
            "the deploy, verifies health, declares the restart; then investigate, plan the fix, "
            "continue",
        ),
    ):
        yield f"| {seen} | {done} |"
