"""Turns the record of a checkpoint, and the ledger before it, into one decision.

Rules of this package:

- PROCEED, RETRY, HOLD (a person decides), ALERT or ROLL BACK: the worst finding of the runbook's
  rules. It is pure: records in, decision out.
- An outage of a witness alone never leads to ALERT or ROLL BACK.
- Nothing is executed here; steps are commands for a person to copy, in the order of their phases:
  what helps first, then the next run of this checkpoint, then a waiver. No waiver is proposed if
  the decision is ALERT or ROLL BACK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from hour24.criteria import EIGHT
from hour24.escalation.causes import Cause, Issue
from hour24.escalation.rules import (
    RULES,
    Action,
    Finding,
    Observations,
    not_measured,
    other_failures,
)
from hour24.escalation.steps import Commands, Step, ordered
from hour24.ledger.record import Record
from hour24.verdict import Outcome

__all__ = ["Action", "Cause", "Decision", "Issue", "Step", "decide"]

ROLES_TO_CALL = {
    Action.ROLL_BACK: ("on call", "devops", "tech lead"),
    Action.ALERT: ("on call", "tech lead", "devops"),
    Action.HOLD: ("tech lead",),
}
MOST_WHY = 3
LONGEST = 1200


class Decision(Struct, frozen=True, kw_only=True):
    """What to do now, according to the runbook.

    Args:
        rule: the row of the runbook that applies.
        why: the observations, in a few sentences.
        causes: the causes of the errors in the window.
        severities: the new issues with their severity.
        steps: in this order.
        call: ``{role, name, reach}``, in this order.
        status: what the status pages of the vendors report; it never decides.
        root_cause_by: the deadline for knowing the root cause.
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
        """Return the decision as the record stores it."""
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
    """Return the decision on ``record``.

    Args:
        before: the earlier records of the ledger; ``record`` itself is ignored.
        contacts: ``role``, ``name``, ``reach`` of each person who may be called.
        status_pages: ``name``, ``url`` and ``cause`` of the status page of each vendor.
        open_before: what earlier checkpoints left open, neither waived nor resolved, as text;
            None: every FAIL of the earlier records.
        reports: the folder with the watches; empty: the default of the commands.
    """
    earlier = [
        each for each in before if (each.hour, each.attempt) != (record.hour, record.attempt)
    ]
    observed = Observations.of(record, earlier, Commands(record, reports, status_pages))
    found = [finding for rule in RULES for finding in rule(observed)]
    found += other_failures(observed, {name for each in found for name in each.about})
    found += not_measured(observed)
    found.sort(key=lambda each: -each.action.weight)
    new = tuple(issue for issue in observed.issues if issue.new)
    if not found:
        return Decision(
            action=Action.PROCEED,
            rule="Nothing failed, and no required measurement is missing",
            why=_reason_to_proceed(
                record, _failed(earlier) if open_before is None else open_before
            ),
            causes=observed.causes,
            severities=new,
            status=observed.pages,
        )
    action = found[0].action
    return Decision(
        action=action,
        rule=found[0].rule,
        why="; ".join(each.why for each in found[:MOST_WHY])[:LONGEST],
        causes=observed.causes,
        severities=new,
        steps=_steps(found, observed.commands),
        call=_contacts_to_call(action, contacts),
        status=observed.pages,
        root_cause_by=_deadline(record, found),
    )


def _deadline(record: Record, found: Sequence[Finding]) -> datetime | None:
    """Return the earliest deadline of the findings, counted from the end of the run."""
    within = [each.deadline for each in found if each.deadline is not None]
    return record.ended + min(within) if within else None


def _steps(found: Sequence[Finding], commands: Commands) -> tuple[Step, ...]:
    """Return the steps of all findings in order."""
    steps = [step for each in found for step in each.steps]
    steps += [commands.again(each.again) for each in found if each.again]
    if found[0].action == Action.HOLD:
        open_ones = [name for each in found for name in each.about if each.action == Action.HOLD]
        waivable = [name for name in dict.fromkeys(open_ones) if name not in EIGHT]
        steps += [commands.waive_all()] if len(waivable) > 1 else map(commands.waive, waivable)
    return ordered(steps)


def _failed(before: Sequence[Record]) -> list[str]:
    """Return every FAIL of these records, each criterion and hour once."""
    found = [
        f"{judged.id} at hour {each.hour}"
        for each in before
        if not each.early
        for judged in each.criteria
        if judged.outcome == Outcome.FAIL and judged.id not in EIGHT
    ]
    return list(dict.fromkeys(found))


def _reason_to_proceed(record: Record, still_open: Sequence[str]) -> str:
    text = _what_is_unresolved(record) or "Every check that was due passed"
    if still_open:
        more = len(still_open) - MOST_WHY
        text += (
            f"; still open from earlier checkpoints: {', '.join(still_open[:MOST_WHY])}"
            + (f" and {more} more" if more > 0 else "")
            + "; each blocks the launch until it is waived"
        )
    return text


def _what_is_unresolved(record: Record) -> str:
    """Return why the watch may continue without enough evidence; empty if nothing is missing."""
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


def _contacts_to_call(
    action: Action, contacts: Sequence[Mapping[str, str]]
) -> tuple[dict[str, str], ...]:
    """Return the contacts whose roles this action names; all contacts if none matches."""
    wanted = ROLES_TO_CALL.get(action, ())
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
