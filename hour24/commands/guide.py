"""runbook and schema: docs/RUNBOOK.md and schemas/production.schema.json, written from the code."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from hour24.checkpoint.questions import QUESTIONS
from hour24.codes import CODES
from hour24.commands.line import command
from hour24.criteria import CRITERIA, Criterion, due
from hour24.playbook import ENTRIES
from hour24.rehearsal.faults import FAULTS
from hour24.shipped import COMMAND
from hour24.watch import CHECKPOINTS

BEFORE = f"""\
Before hour 0: `{COMMAND} doctor`, then `{COMMAND} probe --t0 ISO` on a machine that
stays up, an hour before T0 (without it hour 0 opens the watch, and the hour before T0 has no
probes). Each checkpoint prints when the next one is due and how to run it.
After hour 24: `{COMMAND} signoff --by NAME --role ROLE`."""
EACH = """\
Each checkpoint leaves `hourNN.aM.json` (the record), `.html` (the page), `.pytest.html` and `.xml`
in `reports/WATCH/`. A FAIL stays a FAIL: a later attempt does not erase it, a waiver is
recorded next to it. After a fix and a deploy, `pytest -m hour0 --follows WATCH` opens a new
watch."""


LANES = {"witness": "source"}
"""What a user calls a lane of questions, where the code has another word."""


@command("Writes docs/RUNBOOK.md from the criteria to standard output; CI compares the two.")
@click.option("--criteria", is_flag=True, help="write docs/CRITERIA.md, the maintainers' part")
def runbook(criteria: bool) -> int:
    """Write the runbook to standard output."""
    sys.stdout.write("\n".join(_criteria() if criteria else _lines()) + "\n")
    return 0


@command("Writes schemas/production.schema.json to standard output; CI compares the two.")
def schema() -> int:
    """Write the JSON Schema of production.toml, with every source that comes with hour24."""
    from hour24.config import schemas

    sys.stdout.write(schemas.shipped())
    return 0


def _lines() -> Iterator[str]:
    yield "# Runbook"
    yield ""
    yield f"<!-- written by `{COMMAND} runbook`; change the code, then run it again -->"
    yield ""
    yield "What to do when a check fails. What each check asks, and how it is proven, is in"
    yield "[CRITERIA.md](CRITERIA.md)."
    yield from _escalation()
    yield from _entries()
    yield from _codes("When a check could not be measured", "INCONCLUSIVE", "either")
    yield ""
    yield from _day()


def _criteria() -> Iterator[str]:
    yield "# Criteria"
    yield ""
    yield f"<!-- written by `{COMMAND} runbook --criteria`; change the criteria, then run it -->"
    yield ""
    yield "For maintainers: when each check is due, what it asks, and how the rehearsal proves that"
    yield "it can fail and can report missing data. What to do then: [RUNBOOK.md](RUNBOOK.md)."
    group = ""
    for criterion in CRITERIA.values():
        if criterion.group != group:
            group = criterion.group
            yield from ("", f"## {group}")
        yield from _criterion(criterion)


def _entries() -> Iterator[str]:
    yield ""
    yield "## When a check fails"
    yield ""
    yield "Find the code on the page or in the terminal. Capitals are to be filled in."
    for entry in ENTRIES:
        yield ""
        yield f"### {entry.title}"
        yield ""
        yield from (f'<a id="{name}"></a>' for name in entry.codes)
        yield ""
        yield f"- For customers: {entry.customers}"
        yield "- First three commands:"
        yield ""
        yield from (f"      {each}" for each in entry.commands)
        yield ""
        yield f"- Usual causes: {entry.causes}."
        yield f"- Roll back: {entry.rollback}."
        yield f"- Call: {entry.call}."
        yield ""
        yield "| code | what it means | what to do |"
        yield "|---|---|---|"
        for name in entry.codes:
            yield f"| `{name}` | {CODES[name].means} | {CODES[name].advice} |"


def _day() -> Iterator[str]:
    yield "## The day"
    yield ""
    yield "| hour | command | criteria due |"
    yield "|---|---|---|"
    for hour in CHECKPOINTS:
        yield f"| {hour} | `pytest -m hour{hour}` | {len(due(hour))} |"
    yield ""
    yield from (BEFORE, "", EACH)


def _criterion(criterion: Criterion) -> Iterator[str]:
    asked = [QUESTIONS[name] for name in criterion.asks]
    hours = ", ".join(map(str, criterion.hours))
    spans = {
        "window": "since the previous checkpoint",
        "since_t0": "since the hour before T0",
        "now": "at the time of the run",
    }
    yield ""
    yield f"### {criterion.id}"
    yield ""
    yield f"{criterion.sentence}."
    yield ""
    yield f"- Hours: {hours}. Covers: {spans[criterion.span]}."
    if asked:
        names = ", ".join(f"{each.name} ({LANES.get(each.lane, each.lane)})" for each in asked)
        yield f"- Asks: {names}."
    else:
        yield "- Asks: only the ledger."
    if criterion.proof is not None:
        yield f"- FAIL is proven with: {_faults(criterion.proof.faults)}."
        yield f"- INCONCLUSIVE is proven with: {_faults(criterion.proof.silence)}."


def _faults(faults: tuple[str, ...]) -> str:
    parts = []
    for fault in faults:
        says = FAULTS[fault.partition("@")[0]].says
        parts.append(f"`{fault}` ({says})")
    return " with ".join(parts)


def _codes(heading: str, *outcomes: str) -> Iterator[str]:
    """Yield the table that says what to do about each code of these outcomes."""
    yield ""
    yield f"## {heading}"
    yield ""
    yield "| code | what it means | what to do |"
    yield "|---|---|---|"
    for name, code in CODES.items():
        if code.of in outcomes:
            yield f"| `{name}` | {code.means} | {code.advice} |"


def _escalation() -> Iterator[str]:
    yield ""
    yield "## Escalation"
    yield ""
    yield "Every page and the terminal say which row applies, with the commands to copy."
    yield ""
    yield "| finding | what to do |"
    yield "|---|---|"
    for finding, action in (
        (
            "error rate above 5 %",
            "at once: show the causes with their shares. Find the root cause within 5 minutes. A "
            "vendor: expected, monitor. Database: read its status page. Code: prepare the "
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
            "a source is down",
            "hold, fix the source, run the checkpoint again; never a reason to roll back",
        ),
        (
            "rollback",
            f"`{COMMAND} rollback`: the plan; with `--yes WATCH` it rolls back, waits for "
            "the deploy, verifies health, declares the restart; then investigate, plan the fix, "
            "continue",
        ),
    ):
        yield f"| {finding} | {action} |"
