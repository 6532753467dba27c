"""Verdicts on verdicts: the complete baseline, and what passed throughout a watch.

Rules of this module:

- A measure that is missing because the service or its database failed is FAIL; one that a source
  did not provide is INCONCLUSIVE.
- A FAIL counts until a person waives it. An INCONCLUSIVE counts until more evidence resolves it or
  a person waives it.
- A criterion that no checkpoint measured is INCONCLUSIVE, even if it was waived.
- Checkpoints that were left out are ignored; when all of them were, this criterion must be left out
  as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hour24.evidence import Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import join_some
from hour24.verdict import Outcome, Scale, Verdict

MOST_NAMED = 4
"""Names in a reason: more do not fit on a line."""
SERVICE_FAILED = frozenset(
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
"""Codes of a measure that is missing because the system under watch failed."""


class AllTaken(Objective, frozen=True, kw_only=True):
    """Every measure that later checkpoints compare with was taken.

    ``measures`` lists ``{name, taken, code, reason}``. The measures themselves may be passed
    under their own names, so that the record stores them; they are not judged again here.
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
    spared: ClassVar[Mapping[str, str]] = dict.fromkeys(may, "the listing of measures judges it")
    together: ClassVar[bool] = True

    def limit_text(self) -> str:
        return "all"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        items = pick(evidence, "measures", Listing).items
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
        own_fault = [item for item in missing if item.get("code") in SERVICE_FAILED]
        names = join_some(
            [
                f"{item['name']} ({item.get('reason') or item.get('code') or 'no reason given'})"
                for item in own_fault or missing
            ],
            MOST_NAMED,
        )
        return Verdict(
            outcome=Outcome.FAIL if own_fault else Outcome.INCONCLUSIVE,
            code="baseline_failed" if own_fault else "baseline_incomplete",
            reason=f"{len(missing)} of {len(items)} measures of the baseline were not taken"
            + (f", {len(own_fault)} because the system itself failed" if own_fault else "")
            + f": {names}",
            observed=observed,
            limit=self.limit_text(),
            scale=scale,
            figures=figures,
        )


class HeldThroughout(Objective, frozen=True, kw_only=True):
    """These criteria passed at every checkpoint of the watch.

    Args:
        criteria: ids whose standings count.
    """

    needs: ClassVar[Kinds] = {"standings": Listing}

    criteria: tuple[str, ...]

    def limit_text(self) -> str:
        return "passed at every checkpoint"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        every = pick(evidence, "standings", Listing).items
        items = [item for item in every if item["id"] in self.criteria]
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
        passed = len(hours - bad_hours - waived_hours)
        by_person = f", {len(waived_hours)} waived" if waived_hours else ""
        figures = {
            "checkpoints": float(len(hours)),
            "held": float(passed),
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
                observed=f"{passed} of {len(hours)} passed{by_person}" if hours else "not measured",
                limit=self.limit_text(),
                scale=Scale(
                    unit="checkpoints",
                    limit=float(len(hours)),
                    observed=float(passed + len(waived_hours)),
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
                f"{_format_hours(failed)} failed and {_are(failed)} not waived; {passed} of "
                f"{len(hours)} checkpoints passed",
            )
        if open_:
            return verdict(
                Outcome.INCONCLUSIVE,
                "unsettled",
                f"{_format_hours(open_, codes=True)} could not be judged and {_are(open_)} neither "
                f"resolved nor waived; {passed} of {len(hours)} checkpoints passed",
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
                f"{', '.join(self.criteria)} was left out at every checkpoint, so there is "
                "no evidence; leave this criterion out as well, with the reason",
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
                + f"; {len(waived)} waived ({_waivers(waived)}), and a waiver does not replace a "
                "measurement",
            )
        parts = [_held_at(self.criteria, counted)]
        if settled:
            parts.append(f"{len(settled)} resolved by later evidence")
        if waived:
            parts.append(f"{len(waived)} waived ({_waivers(waived)})")
        return verdict(Outcome.PASS, "", "; ".join(parts))


def _held_at(criteria: Sequence[str], counted: Sequence[Mapping[str, Any]]) -> str:
    """``DB-POOL passed at all 7 checkpoints, DB-SLOW at 5 of 6``: each by its own hours."""
    by_count: dict[str, list[str]] = {}
    for name in criteria:
        hours = {item["hour"] for item in counted if item["id"] == name}
        waived = {item["hour"] for item in counted if item["id"] == name and item["waived"]}
        passed, due = len(hours - waived), len(hours)
        if due:
            text = f"all {due}" if passed == due > 1 else f"{passed} of {due}"
            by_count.setdefault(text, []).append(name)
    parts = [f"{', '.join(names)} at {text}" for text, names in by_count.items()]
    first, *rest = parts
    names, _, text = first.rpartition(" at ")
    return ", ".join([f"{names} passed at {text} checkpoints", *rest])


def _format_hours(items: Sequence[Mapping[str, Any]], *, codes: bool = False) -> str:
    """``DB-SLOW at hour 8, DB-POOL at hour 12, and 3 more``."""
    names = [
        f"{item['id']}{' ' + item['subject'] if item.get('subject') else ''} at hour "
        f"{item['hour']}{' (' + item['code'] + ')' if codes and item.get('code') else ''}"
        for item in items
    ]
    return join_some(names, MOST_NAMED, ", ")


def _are(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


def _never_measured(
    counted: Sequence[Mapping[str, Any]], unmeasured: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The names of criteria and subjects that no checkpoint measured."""
    measured = {(i["id"], i["subject"]) for i in counted if i not in unmeasured}
    measured |= {(name, "") for name, _ in measured}  # a missed checkpoint has no subjects
    names = {(i["id"], i["subject"]) for i in unmeasured} - measured
    return [" ".join(name).strip() for name in sorted(names)]


def _waivers(items: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(str(item["waived"]) for item in items))
    return "by " + ", ".join(names[:MOST_NAMED])
