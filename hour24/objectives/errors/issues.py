"""Issues: which are new, which critical, which of the most frequent nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.classes import IssueClass
from hour24.evidence import Evidence, Listing
from hour24.objectives.base import Kinds, Objective, given
from hour24.objectives.errors.known import Issues
from hour24.objectives.listed import listed
from hour24.shipped import COMMAND
from hour24.text import format_count, in_window, join_some, plural
from hour24.verdict import Scale, Verdict

CLASSIFY = COMMAND + ' classify {issue} --as normal --by NAME --because "..."'


class NoNewIssue(Objective, frozen=True, kw_only=True):
    """No issue was first seen in the window, except of a normal class within its bound.

    Args:
        normal, critical: the classes known.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none new"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = given(evidence, "issues", Listing)
        issues = Issues.of(answer, self.normal, self.critical)
        fresh = [each for each in issues.found if each.new]
        bad = [each for each in fresh if not each.as_normal]
        within = in_window(answer.question.window)
        clean = (
            f"No issue was first seen{within}, of {plural(len(issues.found), 'issue')} with events"
        )
        if len(fresh) > len(bad):
            clean += f", but {len(fresh) - len(bad)} of normal classes"
        told = f"First seen{within}: {join_some([each.told() for each in bad])}"
        undated = [each for each in issues.found if each.undated and not each.as_normal]
        unknown = (
            "source_misread",
            f"When it was first seen is not known, so that it may be new: "
            f"{join_some([each.told() for each in undated])}",
        )
        return listed(
            self,
            answer,
            clean=clean,
            bad=("new_issue", told) if bad else None,
            unknown=unknown if undated else None,
            beside=issues.told_above(),
            observed=f"{format_count(len(bad))} new",
            scale=Scale(unit="issues", limit=0.0, observed=float(len(bad))),
            figures={
                "new": float(len(bad)),
                "new_normal": float(len(fresh) - len(bad)),
                "issues": float(len(issues.found)),
            },
        )


class NoCriticalIssue(Objective, frozen=True, kw_only=True):
    """No issue of a critical class had events in the window.

    Args:
        critical: the classes that must have none.
        normal: kept for the record, so that a reader of it knows every class.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    critical: tuple[IssueClass, ...] = ()
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = given(evidence, "issues", Listing)
        issues = Issues.of(answer, self.normal, self.critical)
        bad = [each for each in issues.found if each.critical is not None and each.events]
        seen = sum(each.events for each in issues.found)
        events = sum(each.events for each in bad)
        within = in_window(answer.question.window)
        clean = (
            f"None of {plural(len(self.critical), 'critical class', 'critical classes')} matches "
            f"any of {plural(len(issues.found), 'issue')} with {plural(seen, 'event')}{within}"
            if issues.found
            else f"No issue had events{within}"
        )
        told = f"Of a critical class{within}: {join_some([each.told() for each in bad])}"
        undescribed = (
            f"{plural(len(issues.found), 'issue')} had events{within}, and production.toml "
            "describes no critical class to hold them against"
        )
        return listed(
            self,
            answer,
            clean=clean,
            bad=("critical_issue", told) if bad else None,
            unknown=("not_described", undescribed) if issues.found and not self.critical else None,
            observed=plural(events, "event"),
            scale=Scale(unit="events", limit=0.0, observed=float(events)),
            figures={
                "critical_issues": float(len(bad)),
                "critical_events": float(events),
                "issues": float(len(issues.found)),
            },
        )


class TopKnown(Objective, frozen=True, kw_only=True):
    """The ``top`` most frequent issues of the window are of a known class, none of a critical one.

    Among issues with as many events, those least known come first: chance makes nothing green.

    Args:
        normal, critical: the classes known.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    top: int
    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "all known"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = given(evidence, "issues", Listing)
        issues = Issues.of(answer, self.normal, self.critical)
        first = [each for each in issues.found if each.events][: self.top]
        critical = [each for each in first if each.critical is not None]
        fresh = [
            each for each in first if each.critical is None and each.normal is None and each.new
        ]
        old = [
            each for each in first if each.critical is None and each.normal is None and not each.new
        ]
        known = len(first) - len(critical) - len(fresh) - len(old)
        within = in_window(answer.question.window)
        told = join_some([each.told() for each in first], max(1, self.top))
        clean = (
            f"The {len(first)} most frequent{within}: {told}"
            if first
            else f"No issue had events{within}"
        )
        bad = unknown = None
        if critical or fresh:
            named = join_some([each.told() for each in (*critical, *fresh)], max(1, self.top))
            bad = (
                "critical_issue" if critical else "new_issue",
                f"Among the {len(first)} most frequent{within}: {named}",
            )
        elif old:
            named = join_some([each.told() for each in old], max(1, self.top))
            unknown = (
                "unclassified",
                f"Among the {len(first)} most frequent{within}: {named}; a person says what it "
                f"is: {CLASSIFY.format(issue=_argument(old[0].name))}",
            )
        return listed(
            self,
            answer,
            clean=clean,
            bad=bad,
            unknown=unknown,
            beside=issues.told_above(),
            observed=f"{known} of {len(first)} known" if first else "no errors",
            scale=Scale(unit="unknown", limit=0.0, observed=float(len(first) - known)),
            figures={
                "judged": float(len(first)),
                "known": float(known),
                "critical": float(len(critical)),
                "new": float(len(fresh)),
                "unclassified": float(len(old)),
            },
        )


def _argument(name: str) -> str:
    """An issue's id as it may stand in a command; ISSUE where it would need quoting."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name if plain.isascii() and plain.isalnum() and not name.startswith("-") else "ISSUE"
