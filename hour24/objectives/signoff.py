"""Judgements on judgements: the baseline as a whole, and what held throughout a watch.

Rules of this module:

- A measure that was not taken because the service or its database failed is FAIL; one that a
  witness kept from us is INCONCLUSIVE.
- A FAIL stands until a person waives it. What was INCONCLUSIVE stands until it is settled by
  more evidence or waived.
- What no checkpoint measured did not hold, whoever waived it: INCONCLUSIVE.
- Checkpoints that were left out are ignored; when all of them were, nothing held, and this
  criterion must be left out by name as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hour24.evidence import Evidence, Listing
from hour24.objectives.base import Kinds, Objective, given
from hour24.text import join_some
from hour24.verdict import Outcome, Scale, Verdict

MOST_TOLD = 4
OF_THE_ACCUSED = frozenset(
    {
        "no_answer",
        "bad_status",
        "no_document",
        "schema",
        "stale",
        "database_down",
        "services_unhealthy",
    }
)
"""Codes under which a measure is missing by the fault of the system under watch."""


class AllTaken(Objective, frozen=True, kw_only=True):
    """Every measure that later checkpoints compare with was taken.

    ``measures`` lists ``{name, taken, code, reason}``. The measures themselves may stand beside
    it under their own names, so that the record keeps them; they are not judged again here.
    """

    needs: ClassVar[Kinds] = {"measures": Listing}
    may: ClassVar[Kinds] = dict.fromkeys(
        (
            "health",
            "row",
            "statements",
            "connections",
            "disk",
            "issues",
            "events",
            "transactions",
            "responses",
            "responses_over_time",
            "error_lines",
            "watched_lines",
            "beats",
            "memory",
            "latencies",
            "outcomes",
        ),
        Evidence,
    )

    def limit_text(self) -> str:
        return "all"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        items = given(evidence, "measures", Listing).items
        taken = sum(item["taken"] is True for item in items)
        figures = {"taken": float(taken), "measures": float(len(items))}
        observed = f"{taken} of {len(items)}"
        scale = Scale(
            unit="measures", limit=float(len(items)), observed=float(taken), better="above"
        )
        missing = [item for item in items if item["taken"] is not True]
        if not items:
            return self.unmeasured("no_data", "No measure of the baseline was asked for")
        if not missing:
            return Verdict(
                outcome=Outcome.PASS,
                reason=f"All {len(items)} measures that later checkpoints compare with were taken",
                observed=observed,
                limit=self.limit_text(),
                scale=scale,
                figures=figures,
            )
        accused = [item for item in missing if item.get("code") in OF_THE_ACCUSED]
        told = join_some(
            [
                f"{item['name']} ({item.get('reason') or item.get('code') or 'no reason given'})"
                for item in accused or missing
            ],
            MOST_TOLD,
        )
        return Verdict(
            outcome=Outcome.FAIL if accused else Outcome.INCONCLUSIVE,
            code="baseline_failed" if accused else "baseline_incomplete",
            reason=f"{len(missing)} of {len(items)} measures of the baseline were not taken"
            + (f", {len(accused)} because the system itself failed" if accused else "")
            + f": {told}",
            observed=observed,
            limit=self.limit_text(),
            scale=scale,
            figures=figures,
        )


class HeldThroughout(Objective, frozen=True, kw_only=True):
    """These criteria held at every checkpoint of the watch.

    Args:
        criteria: ids whose standings count.
    """

    needs: ClassVar[Kinds] = {"standings": Listing}

    criteria: tuple[str, ...]

    def limit_text(self) -> str:
        return "held at every checkpoint"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        listed = given(evidence, "standings", Listing).items
        items = [item for item in listed if item["id"] in self.criteria]
        absent = [name for name in self.criteria if all(item["id"] != name for item in items)]
        counted = [item for item in items if item["outcome"] != Outcome.NOT_APPLICABLE]
        failed = [i for i in counted if i["outcome"] == Outcome.FAIL and not i["waived"]]
        open_ = [
            item
            for item in counted
            if item["outcome"] == Outcome.INCONCLUSIVE
            and not item["waived"]
            and not item["settled"]
        ]
        waived = [item for item in counted if item["waived"]]
        settled = [item for item in counted if item["settled"] and not item["waived"]]
        bad_hours = {item["hour"] for item in (*failed, *open_)}
        hours = {item["hour"] for item in counted}
        waived_hours = {item["hour"] for item in waived} - bad_hours
        held = len(hours - bad_hours - waived_hours)
        by_person = f", {len(waived_hours)} waived" if waived_hours else ""
        figures = {
            "checkpoints": float(len(hours)),
            "held": float(held),
            "failed": float(len(failed)),
            "unsettled": float(len(open_)),
            "waived": float(len(waived)),
            "settled": float(len(settled)),
        }

        def verdict(outcome: Outcome, code: str, reason: str) -> Verdict:
            return Verdict(
                outcome=outcome,
                code=code,
                reason=reason,
                observed=f"{held} of {len(hours)} held{by_person}" if hours else "not measured",
                limit=self.limit_text(),
                scale=Scale(
                    unit="checkpoints",
                    limit=float(len(hours)),
                    observed=float(held + len(waived_hours)),
                    better="above",
                )
                if hours
                else None,
                figures=figures,
            )

        if failed:
            return verdict(
                Outcome.FAIL,
                "did_not_hold",
                f"{_named(failed)} failed, and nobody waived it; in all, {held} of {len(hours)} "
                "checkpoints held",
            )
        if open_:
            return verdict(
                Outcome.INCONCLUSIVE,
                "unsettled",
                f"{_named(open_, codes=True)} could not be judged, and was neither settled nor "
                f"waived; {held} of {len(hours)} checkpoints held",
            )
        if absent and (counted or not items):
            return verdict(
                Outcome.INCONCLUSIVE,
                "no_data",
                f"No checkpoint of this watch judged {', '.join(absent)}",
            )
        if not counted:
            return verdict(
                Outcome.INCONCLUSIVE,
                "nothing_judged",
                f"{', '.join(self.criteria)} was left out at every checkpoint, so that nothing "
                "shows it; leave this criterion out by name as well, with the reason",
            )
        unmeasured = [
            i for i in waived if i["outcome"] == Outcome.INCONCLUSIVE and not i["settled"]
        ]
        never = _never_measured(counted, unmeasured)
        measured = len(hours - {item["hour"] for item in unmeasured})
        if never or not measured:
            return verdict(
                Outcome.INCONCLUSIVE,
                "nothing_measured",
                (
                    f"{', '.join(never)}: not measured at any checkpoint"
                    if never
                    else f"No checkpoint measured all of {', '.join(self.criteria)}"
                )
                + f"; {len(waived)} waived ({_waivers(waived)}), and a waiver is no measurement",
            )
        parts = [_held_at(self.criteria, counted)]
        if settled:
            parts.append(f"{len(settled)} settled by later evidence")
        if waived:
            parts.append(f"{len(waived)} waived ({_waivers(waived)})")
        return verdict(Outcome.PASS, "", "; ".join(parts))


def _held_at(criteria: Sequence[str], counted: Sequence[Mapping[str, Any]]) -> str:
    """``DB-POOL held at all 7 checkpoints, DB-SLOW at 5 of 6``: each by its own hours."""
    by_count: dict[str, list[str]] = {}
    for name in criteria:
        hours = {item["hour"] for item in counted if item["id"] == name}
        waived = {item["hour"] for item in counted if item["id"] == name and item["waived"]}
        held, due = len(hours - waived), len(hours)
        if due:
            text = f"all {due}" if held == due > 1 else f"{held} of {due}"
            by_count.setdefault(text, []).append(name)
    parts = [f"{', '.join(names)} at {text}" for text, names in by_count.items()]
    first, *rest = parts
    names, _, text = first.rpartition(" at ")
    return ", ".join([f"{names} held at {text} checkpoints", *rest])


def _named(items: Sequence[Mapping[str, Any]], *, codes: bool = False) -> str:
    """``DB-SLOW at hour 8, DB-POOL at hour 12, and 3 more``."""
    told = [
        f"{item['id']}{' ' + item['subject'] if item.get('subject') else ''} at hour "
        f"{item['hour']}{' (' + item['code'] + ')' if codes and item.get('code') else ''}"
        for item in items
    ]
    return join_some(told, MOST_TOLD, ", ")


def _never_measured(
    counted: Sequence[Mapping[str, Any]], unmeasured: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The criteria and subjects that no checkpoint measured, by name."""
    measured = {(i["id"], i["subject"]) for i in counted if i not in unmeasured}
    measured |= {(name, "") for name, _ in measured}  # a missed checkpoint has no subjects
    names = {(i["id"], i["subject"]) for i in unmeasured} - measured
    return [" ".join(name).strip() for name in sorted(names)]


def _waivers(items: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(str(item["waived"]) for item in items))
    return "by " + ", ".join(names[:MOST_TOLD])
