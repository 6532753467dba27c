"""What the terminal shows of a checkpoint: one line a verdict, and the closing block.

Rules of this module:

- Text of the system under watch cannot act on the terminal: control characters are shown.
- A line is a pair: the text, and the markup that pytest's terminal writer knows.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

from hour24.checkpoint.attempt import Attempt
from hour24.ledger.record import Judged
from hour24.shipped import COMMAND
from hour24.text import LONGEST_TEXT, cut, escape_for_ci, format_lateness, format_percent, one_line
from hour24.verdict import Outcome
from hour24.watch import marker

NARROWEST = 36
MOST_SHOWN = 600
"""Characters of one text, about; on a wide terminal six lines."""
Line = tuple[str, dict[str, Any]]
COLOURS: dict[Outcome, dict[str, Any]] = {
    Outcome.PASS: {"green": True},
    Outcome.FAIL: {"red": True, "bold": True},
    Outcome.INCONCLUSIVE: {"yellow": True},
    Outcome.NOT_APPLICABLE: {},
}


def verdict_lines(judged: Judged, width: int) -> list[Line]:
    """One criterion: outcome, id, observed against limit; and why, when it is not PASS."""
    name = f"{judged.id} {judged.subject}".strip()
    against = one_line(judged.observed)
    if judged.limit:
        against = f"{against}  ({one_line(judged.limit)})" if against else one_line(judged.limit)
    head = f"{judged.outcome!s:<14} {one_line(name):<28} {against}"
    room = max(60, width)
    lines: list[Line] = [(escape_for_ci(cut(head, room).rstrip()), COLOURS[judged.outcome])]
    if judged.outcome != Outcome.PASS:
        code = f"{judged.code}: " if judged.code else ""
        lines += [(text, {}) for text in _wrapped(f"{code}{judged.reason}", width, 15)]
    return lines


def closing_lines(run: Attempt, width: int) -> list[Line]:
    """The end of a checkpoint: outcome, what was measured, what is next, where the page is."""
    record = run.record
    if record is None:
        return [("hour24: no record was written", {"red": True})]
    measured = [each for each in record.criteria if each.outcome in (Outcome.PASS, Outcome.FAIL)]
    counted = Counter(str(each.outcome) for each in record.criteria)
    due = len({each.id for each in record.criteria})
    seen = len({each.id for each in measured})
    told = ", ".join(f"{counted[str(o)]} {o}" for o in Outcome if counted[str(o)])
    banner = f"{run.context.banner} " if run.context.banner else ""
    lines: list[Line] = [
        ("", {}),
        (
            f"{banner}hour {record.hour} of {record.watch}: {record.outcome}; "
            f"launch: {_launch(run)}",
            {**COLOURS[record.outcome], "bold": True},
        ),
        (f"  {due} criteria due, {seen} measured, {due - seen} not; verdicts: {told}", {}),
    ]
    if run.context.opened and record.hour > 0:
        told = (
            f"A NEW WATCH WAS OPENED, {record.watch}, and it has no hour 0: what is compared with "
            "that is INCONCLUSIVE; one with a baseline begins with pytest -m hour0"
            f"{run.context.target_options}"
        )
        lines += [(text, {"yellow": True, "bold": True}) for text in _wrapped(told, width, 2)]
    if record.decision:
        lines += decision_lines(record.decision, COLOURS[record.outcome], width)
    late = format_lateness(record.late_s)
    lines.append((f"  run {'EARLY, does not count' if record.early else late}", {}))
    lines += _prober(run)
    lines.append((f"  {_next(run)}", {}))
    for note in (*record.notes, *run.trouble):
        lines += [(text, {"yellow": True}) for text in _wrapped(f"note: {note}", width, 2)]
    lines.append((f"  record {run.path}", {}))
    lines.append((f"  page   {run.file('.html')}", {}))
    return lines


def _launch(run: Attempt) -> str:
    """``NO-GO (1 check failed)``: the word of the watch so far."""
    now = run.context.clock.now()
    found = run.ledger.launch(now, run.checkpoint.hour)
    return f"{found.word} ({found.because})"


def decision_lines(decision: dict[str, Any], colour: dict[str, Any], width: int) -> list[Line]:
    """The decision in the colour of the outcome it follows from: a colour has one meaning."""
    action = one_line(str(decision.get("action", "")))
    good = action == "PROCEED"
    why = decision.get("why", "")
    head = f"{action}: {why if good else decision.get('rule') or why}"
    lines: list[Line] = [
        (text, colour if good else {**colour, "bold": True}) for text in _wrapped(head, width, 2)
    ]
    if good:
        return lines
    lines += [(text, {}) for text in _wrapped(str(why), width, 4)]
    causes = ", ".join(
        f"{one_line(str(cause.get('cause', '')))} {format_percent(float(cause.get('share', 0)), 0)}"
        for cause in decision.get("causes", ())
    )
    if causes:
        lines.append((f"    causes of the window's errors: {causes}", {}))
    for number, step in enumerate(decision.get("steps", ()), start=1):
        lines += [(t, {}) for t in _wrapped(f"{number}. {step.get('text', '')}", width, 4)]
        if step.get("command"):
            lines.append((f"       $ {one_line(str(step['command']))}", {"bold": True}))
    for who in decision.get("call", ()):
        told = f"call {who.get('role', '')}: {who.get('name', '')}, {who.get('reach', '')}"
        lines.append((f"    {one_line(told)}", {"bold": True}))
    return lines


def _prober(run: Attempt) -> list[Line]:
    record = run.record
    assert record is not None
    if run.context.prober:
        return [(f"  {run.context.prober}", {})]
    if record.prober.running:
        return [("  a prober is running", {})]
    command = f"{COMMAND} probe{run.context.target_options} --watch {record.watch}"
    return [
        (
            "  NO PROBER IS RUNNING: nothing is seen between the checkpoints; start one with",
            {"yellow": True, "bold": True},
        ),
        (f"    {command}", {"bold": True}),
    ]


def _next(run: Attempt) -> str:
    record = run.record
    assert record is not None
    after = run.watch.next_after(record.hour)
    if after is None:
        return run.context.finished
    due = after.due.astimezone(ZoneInfo(record.zone))
    return (
        f"next: hour {after.hour}, due {due:%Y-%m-%d %H:%M} {record.zone}: "
        f"pytest -m {marker(after.hour)}{run.context.watch_options}"
    )


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    pad = " " * indent
    room = max(NARROWEST, width - 1)
    lines = textwrap.wrap(
        one_line(text, LONGEST_TEXT),
        room,
        initial_indent=pad,
        subsequent_indent=pad,
        max_lines=max(6, MOST_SHOWN // room),
    )
    return [escape_for_ci(line) for line in lines]
