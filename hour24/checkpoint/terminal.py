"""The terminal output of a checkpoint: one line per verdict, and the closing block.

Rules of this module:

- Control characters in text of the system under watch are escaped.
- A line is a pair: the text, and the markup of pytest's terminal writer.
- Only a terminal cuts text: with ``whole``, nothing is cut.
- The closing block ends with the decision and the next command.
"""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from typing import Any

from hour24 import incidents
from hour24.checkpoint.attempt import Attempt
from hour24.ledger.advisory import advisory_word
from hour24.ledger.record import Judged
from hour24.shipped import COMMAND
from hour24.text import (
    LONGEST_TEXT,
    cut,
    escape_for_ci,
    format_lateness,
    format_local,
    format_percent,
    one_line,
)
from hour24.verdict import Outcome
from hour24.watch import marker

ADVISORY = "ADVISORY"
"""Shown instead of the outcome of a check that does not count."""
NARROWEST = 36
MOST_SHOWN = 600
"""Approximate length of one text on a terminal: six lines if it is wide."""
Line = tuple[str, dict[str, Any]]
COLOURS: dict[Outcome, dict[str, Any]] = {
    Outcome.PASS: {"green": True},
    Outcome.FAIL: {"red": True, "bold": True},
    Outcome.INCONCLUSIVE: {"yellow": True},
    Outcome.NOT_APPLICABLE: {},
}


def verdict_lines(
    judged: Judged, width: int, *, whole: bool = False, advisory: bool = False
) -> list[Line]:
    """Returns outcome, id, observed value and limit of a criterion, with its reason unless PASS.

    An advisory check is neither green nor red.
    """
    name = f"{judged.id} {judged.subject}".strip()
    against = one_line(judged.observed)
    if judged.limit:
        against = f"{against}  ({one_line(judged.limit)})" if against else one_line(judged.limit)
    outcome = ADVISORY if advisory else str(judged.outcome)
    head = (
        f"{outcome:<14} {one_line(name):<28} {f'{advisory_word([judged])}: ' * advisory}{against}"
    )
    room = max(60, width)
    shown = head if whole else cut(head, room)
    colour = {} if advisory else COLOURS[judged.outcome]
    lines: list[Line] = [(escape_for_ci(shown.rstrip()), colour)]
    if judged.outcome != Outcome.PASS:
        code = f"{judged.code}: " if judged.code else ""
        lines += [(text, {}) for text in _wrap(f"{code}{judged.reason}", width, 15, whole)]
    return lines


def closing_lines(run: Attempt, width: int, *, whole: bool = False) -> list[Line]:
    """Returns the closing block: outcome, notes, files, decision and next command."""
    record = run.record
    if record is None:
        return [("hour24: no record was written", {"red": True})]
    measured = [each for each in record.criteria if each.outcome in (Outcome.PASS, Outcome.FAIL)]
    counted = Counter(str(each.outcome) for each in record.criteria)
    due = len({each.id for each in record.criteria})
    judged = len({each.id for each in measured})
    counts = ", ".join(f"{counted[str(o)]} {o}" for o in Outcome if counted[str(o)])
    banner = f"{run.context.banner} " if run.context.banner else ""
    lines: list[Line] = [
        ("", {}),
        (
            f"{banner}hour {record.hour} of {record.watch}: {record.outcome}; "
            f"launch: {_launch(run)}",
            {**COLOURS[record.outcome], "bold": True},
        ),
        (f"  {due} criteria due, {judged} measured, {due - judged} not; verdicts: {counts}", {}),
    ]
    for name, planned in record.advisory_plan.items():
        many = [one for one in record.advisory_checks if one.id == name]
        if not many:
            continue
        text = f"advisory, not counted: {name}: {advisory_word(many)} ({planned.because})"
        lines += [(text, {}) for text in _wrap(text, width, 2, whole)]
    if run.context.opened and record.hour > 0:
        warning = (
            f"New watch {record.watch} opened without hour 0: comparisons with the baseline "
            f"will be INCONCLUSIVE. With a baseline: pytest -m hour0{run.context.target_options}"
        )
        bold = {"yellow": True, "bold": True}
        lines += [(text, bold) for text in _wrap(warning, width, 2, whole)]
    late = format_lateness(record.late_s)
    lines.append((f"  run {'EARLY, does not count' if record.early else late}", {}))
    lines += _prober_lines(run)
    for note in (*record.notes, *run.trouble):
        yellow = {"yellow": True}
        lines += [(text, yellow) for text in _wrap(f"note: {note}", width, 2, whole)]
    for found in incidents.of_record(record):
        text = f"{found.outcome}: {found.summary()}"
        lines += [(t, COLOURS[found.outcome]) for t in _wrap(text, width, 2, whole)]
    lines.append((f"  record {run.path}", {}))
    lines.append((f"  page   {run.file('.html')}", {}))
    if record.decision:
        lines += decision_lines(record.decision, COLOURS[record.outcome], width, whole=whole)
    lines.append((f"  {_next_command(run)}", {}))
    return lines


def _launch(run: Attempt) -> str:
    """Returns the launch state of the watch: ``NO-GO (1 check failed)``."""
    now = run.context.clock.now()
    found = run.ledger.launch(now, run.checkpoint.hour)
    return f"{found.word} ({found.because})"


def decision_lines(
    decision: dict[str, Any], colour: dict[str, Any], width: int, *, whole: bool = False
) -> list[Line]:
    """Returns the decision, in the colour of the checkpoint's outcome."""
    action = one_line(str(decision.get("action", "")))
    good = action == "PROCEED"
    why = decision.get("why", "")
    head = f"{action}: {why if good else decision.get('rule') or why}"
    lines: list[Line] = [
        (text, colour if good else {**colour, "bold": True})
        for text in _wrap(head, width, 2, whole)
    ]
    if good:
        return lines
    lines += [(text, {}) for text in _wrap(str(why), width, 4, whole)]
    causes = ", ".join(
        f"{one_line(str(cause.get('cause', '')))} {format_percent(float(cause.get('share', 0)), 0)}"
        for cause in decision.get("causes", ())
    )
    if causes:
        lines.append((f"    causes of the window's errors: {causes}", {}))
    for number, step in enumerate(decision.get("steps", ()), start=1):
        lines += [(t, {}) for t in _wrap(f"{number}. {step.get('text', '')}", width, 4, whole)]
        if step.get("command"):
            lines.append((f"       $ {one_line(str(step['command']))}", {"bold": True}))
    for who in decision.get("call", ()):
        contact = f"call {who.get('role', '')}: {who.get('name', '')}, {who.get('reach', '')}"
        lines.append((f"    {one_line(contact)}", {"bold": True}))
    return lines


def _prober_lines(run: Attempt) -> list[Line]:
    record = run.record
    assert record is not None
    if run.context.prober:
        return [(f"  {run.context.prober}", {})]
    if record.prober.running:
        return [("  a prober is running", {})]
    command = f"{COMMAND} probe{run.context.target_options} --watch {shlex.quote(record.watch)}"
    return [
        (
            "  NO PROBER IS RUNNING: no data between the checkpoints; start one with",
            {"yellow": True, "bold": True},
        ),
        (f"    {command}", {"bold": True}),
    ]


def _next_command(run: Attempt) -> str:
    record = run.record
    assert record is not None
    # an early run does not count: its own hour is still to come
    after = run.checkpoint if record.early else run.watch.next_after(record.hour)
    if after is None:
        return run.context.finished
    return (
        f"next: hour {after.hour}, due {format_local(after.due, record.zone)}: "
        f"pytest -m {marker(after.hour)}{run.context.watch_options}"
    )


def _wrap(text: str, width: int, indent: int, whole: bool) -> list[str]:
    pad = " " * indent
    room = max(NARROWEST, width - 1)
    lines = textwrap.wrap(
        one_line(text, LONGEST_TEXT),
        room,
        initial_indent=pad,
        subsequent_indent=pad,
        max_lines=None if whole else max(6, MOST_SHOWN // room),
    )
    return [escape_for_ci(line) for line in lines]
