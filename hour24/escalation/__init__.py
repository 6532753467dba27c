"""From a checkpoint's record, and the ledger before it, to one decision.

Rules of this package:

- PROCEED, RETRY, HOLD (a person must look), ALERT, ROLL BACK: the worst of what the runbook's
  rules find. It is pure: records in, decision out.
- A witness's outage alone never leads to ALERT or ROLL BACK.
- Nothing is executed here; steps are commands for a person to copy, in the order of their phases:
  what helps first, then this checkpoint again, and a waiver last; no waiver is proposed while the
  decision is to alert or to roll back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from hour24.criteria import EIGHT
from hour24.escalation.causes import Cause, Issue
from hour24.escalation.rules import RULES, Action, Finding, Seen, anything_else_failed, blind
from hour24.escalation.steps import Commands, Step, ordered
from hour24.ledger.record import Record
from hour24.verdict import Outcome

__all__ = ["Action", "Cause", "Decision", "Issue", "Step", "decide"]

CALLED = {
    Action.ROLL_BACK: ("on call", "devops", "tech lead"),
    Action.ALERT: ("on call", "tech lead", "devops"),
    Action.HOLD: ("tech lead",),
}
MOST_WHY = 3
LONGEST = 1200


class Decision(Struct, frozen=True, kw_only=True):
    """What the runbook says to do now.

    Args:
        rule: the row of the runbook that says so.
        why: what was seen, in a few sentences.
        causes: of the window's errors.
        severities: of the issues that are new.
        steps: in this order.
        call: ``{role, name, reach}``, in this order.
        status: what the vendors' status pages say; it never decides.
        root_cause_by: the moment by which a person must know the root cause.
    """

    action: Action
    rule: str
    why: str
    causes: tuple[Cause, ...] = ()
    severities: tuple[Issue, ...] = ()
    steps: tuple[Step, ...] = ()
    call: tuple[dict[str, str], ...] = ()
    status: tuple[str, ...] = ()
    root_cause_by: datetime | None = None

    def to_plain(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {
            "action": str(self.action),
            "rule": self.rule,
            "why": self.why,
            "causes": [msgspec.to_builtins(each) for each in self.causes],
            "severities": [
                {"issue": each.issue, "severity": each.severity, "title": each.title}
                for each in self.severities
            ],
            "steps": [each.to_plain() for each in self.steps],
            "call": list(self.call),
            "status": list(self.status),
            "root_cause_by": self.root_cause_by and f"{self.root_cause_by:%Y-%m-%dT%H:%M:%SZ}",
        }


def decide(
    record: Record,
    before: Sequence[Record] = (),
    *,
    contacts: Sequence[Mapping[str, str]] = (),
    status_pages: Sequence[Mapping[str, str]] = (),
    open_before: Sequence[str] | None = None,
    reports: str = "",
) -> Decision:
    """The decision on ``record``.

    Args:
        before: the ledger's earlier records; ``record`` itself among them is not looked at.
        contacts: ``role``, ``name``, ``reach`` of everybody who may be called.
        status_pages: ``name``, ``url`` and ``cause`` of each vendor's status page.
        open_before: what earlier checkpoints left open, neither waived nor resolved, as text;
            none: every FAIL of the earlier records.
        reports: where the watches are kept; empty: where a command looks by itself.
    """
    earlier = [
        each for each in before if (each.hour, each.attempt) != (record.hour, record.attempt)
    ]
    seen = Seen.of(record, earlier, Commands(record, reports, status_pages))
    found = [finding for rule in RULES for finding in rule(seen)]
    found += anything_else_failed(seen, {name for each in found for name in each.about})
    found += blind(seen)
    found.sort(key=lambda each: -each.action.weight)
    new = tuple(issue for issue in seen.issues if issue.new)
    if not found:
        return Decision(
            action=Action.PROCEED,
            rule="Nothing failed, and nothing that must be known by now is missing",
            why=_proceeds(record, _failed(earlier) if open_before is None else open_before),
            causes=seen.causes,
            severities=new,
            status=seen.pages,
        )
    action = found[0].action
    return Decision(
        action=action,
        rule=found[0].rule,
        why="; ".join(each.why for each in found[:MOST_WHY])[:LONGEST],
        causes=seen.causes,
        severities=new,
        steps=_steps(found, seen.commands),
        call=_called(action, contacts),
        status=seen.pages,
        root_cause_by=_deadline(record, found),
    )


def _deadline(record: Record, found: Sequence[Finding]) -> datetime | None:
    """The earliest deadline of the findings, counted from the end of the run."""
    within = [each.deadline for each in found if each.deadline is not None]
    return record.ended + min(within) if within else None


def _steps(found: Sequence[Finding], commands: Commands) -> tuple[Step, ...]:
    """What to do, in this order."""
    steps = [step for each in found for step in each.steps]
    steps += [commands.again(each.again) for each in found if each.again]
    if found[0].action == Action.HOLD:
        held = [name for each in found for name in each.about if each.action == Action.HOLD]
        waivable = [name for name in dict.fromkeys(held) if name not in EIGHT]
        steps += [commands.waive(name) for name in waivable[:MOST_WHY]]
    return ordered(steps)


def _failed(before: Sequence[Record]) -> list[str]:
    """Every FAIL of these records, each criterion and hour once."""
    found = [
        f"{judged.id} at hour {each.hour}"
        for each in before
        if not each.early
        for judged in each.criteria
        if judged.outcome == Outcome.FAIL and judged.id not in EIGHT
    ]
    return list(dict.fromkeys(found))


def _proceeds(record: Record, still_open: Sequence[str]) -> str:
    text = _unsettled(record) or "Every check that was due passed"
    if still_open:
        more = len(still_open) - MOST_WHY
        text += (
            f"; still open from earlier checkpoints: {', '.join(still_open[:MOST_WHY])}"
            + (f" and {more} more" if more > 0 else "")
            + "; each blocks the launch until it is waived"
        )
    return text


def _unsettled(record: Record) -> str:
    """Why the watch may continue despite too little evidence, and when it is judged again."""
    codes = {j.id: j.code for j in record.criteria if j.outcome == Outcome.INCONCLUSIVE}
    if not codes:
        return ""
    open_ones = []
    again = {name: [h for h in record.plan.get(name, ()) if h > record.hour] for name in codes}
    for name, code in list(codes.items())[:MOST_WHY]:
        later = again[name]
        when = f"judged again at hour {min(later)}" if later else "not judged again"
        open_ones.append(f"{name} ({code}), {when}")
    more = f"; and {len(codes) - MOST_WHY} more" if len(codes) > MOST_WHY else ""
    text = f"Nothing failed. Not enough evidence yet: {'; '.join(open_ones)}{more}. "
    if not any(again.values()):
        return f"{text}It blocks the launch unless a person waives it"
    return (
        f"{text}Continue: a later PASS over a longer window resolves it; what is still open after "
        "the last checkpoint blocks the launch"
    )


def _called(action: Action, contacts: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], ...]:
    """Who is to be called: those whose roles this action names; everybody, when nobody's is."""
    wanted = CALLED.get(action, ())
    found = [
        contact
        for role in wanted
        for contact in contacts
        if _role(contact.get("role", "")) == _role(role)
    ]
    chosen = found or (list(contacts) if wanted else [])
    return tuple({key: str(c.get(key, "")) for key in ("role", "name", "reach")} for c in chosen)


def _role(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
