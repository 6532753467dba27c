"""Issues: new ones, critical ones, and unclassified ones among the most frequent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.classes import IssueClass
from hour24.evidence import BASELINE_SHORT, Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick
from hour24.objectives.errors.known import Issues
from hour24.objectives.listing import judge_listing, least
from hour24.text import format_count, in_window, join_some, plural
from hour24.verdict import Scale, Verdict


class NoNewIssue(Objective, frozen=True, kw_only=True):
    """No issue was first seen in the window, except of a normal class within its limit.

    Args:
        normal, critical: the known classes.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none new"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "issues", Listing)
        issues = Issues.of(answer, self.normal, self.critical)
        fresh = [each for each in issues.found if each.new]
        bad = [each for each in fresh if not each.as_normal]
        within = in_window(answer.question.window)
        clean = f"No new issue{within}, of {plural(len(issues.found), 'issue')} with events"
        if len(fresh) > len(bad):
            clean += f"; {len(fresh) - len(bad)} new known-normal excluded"
        many = f"{least(answer)}{format_count(len(bad))} " if not answer.complete else ""
        text = f"{many}new{within}: {join_some([each.text() for each in bad])}"
        text = text[:1].upper() + text[1:]
        undated = [each for each in issues.found if each.undated and not each.as_normal]
        named = join_some([each.text() for each in undated])
        short = answer.about.get(BASELINE_SHORT)
        unknown = (
            ("baseline_short", f"The log does not reach back to {short}, so it may be new: {named}")
            if short
            else ("source_misread", f"The first-seen time is not known, so it may be new: {named}")
        )
        return judge_listing(
            self,
            answer,
            clean=clean,
            bad=("new_issue", text) if bad else None,
            unknown=unknown if undated else None,
            suffix=issues.above_text(),
            observed=f"{least(answer)}{format_count(len(bad))} new",
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
        critical: the classes that must have no events.
        normal: stored in the record with the other classes; not judged.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    critical: tuple[IssueClass, ...] = ()
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "issues", Listing)
        issues = Issues.of(answer, self.normal, self.critical)
        bad = [each for each in issues.found if each.critical is not None and each.events]
        total = sum(each.events for each in issues.found)
        events = sum(each.events for each in bad)
        within = in_window(answer.question.window)
        clean = (
            f"None of {plural(len(self.critical), 'critical class', 'critical classes')} matches "
            f"any of {plural(len(issues.found), 'issue')} with {plural(total, 'event')}{within}"
            if issues.found
            else f"No issue had events{within}"
        )
        text = f"Critical{within}: {join_some([each.text() for each in bad])}"
        if not answer.complete:
            text = f"At least {plural(events, 'critical event')}{within}: {text.split(': ', 1)[1]}"
        undescribed = (
            f"{plural(len(issues.found), 'issue')} had events{within}, but production.toml "
            "describes no critical class to match"
        )
        return judge_listing(
            self,
            answer,
            clean=clean,
            bad=("critical_issue", text) if bad else None,
            unknown=("not_described", undescribed) if issues.found and not self.critical else None,
            observed=least(answer) + plural(events, "event"),
            scale=Scale(unit="events", limit=0.0, observed=float(events)),
            figures={
                "critical_issues": float(len(bad)),
                "critical_events": float(events),
                "issues": float(len(issues.found)),
            },
        )


class TopKnown(Objective, frozen=True, kw_only=True):
    """The ``top`` most frequent issues of the window are of a known class, none of a critical one.

    Among equally frequent issues, the least known come first: their order never makes it PASS.

    Args:
        normal, critical: the known classes.
    """

    needs: ClassVar[Kinds] = {"issues": Listing}

    top: int
    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "all known"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "issues", Listing)
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
        text = join_some([each.text() for each in first], max(1, self.top))
        clean = (
            f"The {len(first)} most frequent{within}: {text}"
            if first
            else f"No issue had events{within}"
        )
        bad = unknown = None
        if critical or fresh:
            named = join_some([each.text() for each in (*critical, *fresh)], max(1, self.top))
            bad = (
                "critical_issue" if critical else "new_issue",
                f"Among the {len(first)} most frequent{within}: {named}",
            )
        elif old:
            named = join_some([each.text() for each in old], max(1, self.top))
            unknown = (
                "unclassified",
                f"Among the {len(first)} most frequent{within}: {named}; classify "
                f"{_argument(old[0].name)}",
            )
        return judge_listing(
            self,
            answer,
            clean=clean,
            bad=bad,
            unknown=unknown,
            suffix=issues.above_text(),
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
    """An issue's id as a command argument; ISSUE where it would need quoting."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name if plain.isascii() and plain.isalnum() and not name.startswith("-") else "ISSUE"
