"""Whether the service restarted without a declared deploy.

Rules of this module:

- Starts are found from uptimes, also behind a load balancer; one during a declared deploy is
  expected. A deploy that only the platform reports is not declared: the verdict names it.
- The platform's events are a second source: what it reports happened; what it does not report
  proves nothing. The verdict says where the two disagree.
- An uptime that does not grow by one second per second, or that began before the live deploy,
  cannot show a restart: INCONCLUSIVE, with the reading. A copy of a reading is no reading.
- A process that lived for less than a probe interval is missed: counts are "at least".
- Where production.toml plans that workers are recycled, a start after running for that length is
  within the plan. A start after a shorter life, one that no ended process explains, one of all
  processes at once, and one that the platform reports as a failure exceed it.
- A new instance next to all the old ones is a scale-out if instances have names; without names it
  counts as a restart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import Evidence, Listing, Probes, Unanswered
from hour24.linear import shipped
from hour24.objectives.base import Kinds, Objective, pick
from hour24.objectives.health import impossible_uptime
from hour24.objectives.probes import ProbeCoverage, measure_coverage, unusable_answers
from hour24.statistics.coverage import LONGEST_GAP_S, REQUIRED
from hour24.statistics.restarts import (
    Incarnation,
    drop_copies,
    growth,
    incarnations,
    most_alive,
    probes_needed,
    tolerance,
    unit_of,
)
from hour24.text import (
    cut,
    format_count,
    format_duration,
    format_number,
    format_time,
    join_some,
    one_line,
    parse_epoch,
    plural,
)
from hour24.verdict import Outcome, Scale, Verdict

TOGETHER_S = 60.0
"""Starts of all processes within a minute are a restart of the service, whatever is planned."""
SETTLED_S = 300.0
"""After this long every process that still runs has been probed again."""
FAILED = shipped(r"oom|out.?of.?memory|memory.?limit|fail|crash|kill|evict|non.?zero|error", re.I)
"""Words of an end that is never planned."""
PAIRED_S = 300.0
"""An event this near to a start belongs to it: platforms report minutes late."""


class Starts(NamedTuple):
    """Processes and their starts, sorted by start; times in epoch seconds.

    Args:
        began: start of the window.
        lives: every process run that was probed.
        fresh: those that started in the window.
        grown: those of ``fresh`` that a scale-out added.
        declared: periods in which starts are expected, as (from, to).
        planned: those of ``fresh`` that recycle a worker by plan, with how long its process lived.
        lived: of every start of a recycling service, how long the process before it lived.
    """

    began: float
    lives: tuple[Incarnation, ...]
    fresh: tuple[Incarnation, ...]
    grown: tuple[Incarnation, ...]
    declared: tuple[tuple[float, float], ...]
    planned: tuple[Incarnation, ...] = ()
    lived: Mapping[Incarnation, float] = {}

    def expected(self, at: float) -> bool:
        """True if a declared deploy includes this time."""
        return any(start <= at <= end for start, end in self.declared)

    @property
    def undeclared(self) -> list[Incarnation]:
        """The starts outside declared deploys and outside the plan."""
        return [x for x in self._unexpected if x not in self.planned]

    @property
    def _unexpected(self) -> list[Incarnation]:
        return [x for x in self.fresh if x not in self.grown and not self.expected(x.start)]

    def _all_at_once(self, start: Incarnation) -> bool:
        """True if none of several processes outlived this start: the whole service restarted."""
        if most_alive(self.lives) < 2 or max(x.last for x in self.lives) < start.first + SETTLED_S:
            return False
        return not any(
            x.start < start.start - TOGETHER_S and x.last > start.first for x in self.lives
        )

    def recycled(
        self, every_s: float, ends: Sequence[tuple[float, str, str]], tolerated: float
    ) -> Starts:
        """These starts, with those that recycle a worker after at least ``every_s`` as planned.

        Args:
            ends: the ends of processes that the platform reports: time, type and details.
            tolerated: the largest difference between readings of one process, in seconds.
        """
        lived = _lives_before(self.lives, self._unexpected, tolerated)
        planned = [x for x in self._unexpected if lived.get(x, 0.0) >= every_s - tolerated]
        failures = [at for at, kind, details in ends if FAILED.search(f"{kind} {details}")]
        kept = [
            x
            for x in planned
            if not self._all_at_once(x) and all(abs(at - x.start) > PAIRED_S for at in failures)
        ]
        return self._replace(planned=tuple(kept), lived=lived)


class NoRestart(Objective, frozen=True, kw_only=True):
    """The service did not restart, except for a declared deploy.

    ``events`` and ``deploys`` are the platform's, ``declared`` the deploys declared in the ledger.

    Args:
        resolution_s: of the service's uptime, in seconds.
        recycles_every_s: how long a worker lives at least before it is replaced by plan, in
            seconds; 0 where none is.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest time without a probe, in seconds.
    """

    needs: ClassVar[Kinds] = {"probes": Probes}
    may: ClassVar[Kinds] = {"events": Listing, "deploys": Listing, "declared": Listing}

    resolution_s: float = 1.0
    recycles_every_s: float = 0.0
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        if self.recycles_every_s:
            return f"none within {format_duration(self.recycles_every_s)} of a worker's start"
        return "none"

    def starts(self, evidence: Mapping[str, Evidence]) -> Starts:
        """The processes and their starts in the window, from the probes."""
        probes = pick(evidence, "probes", Probes)
        tolerated = tolerance(self.resolution_s)
        readings = [(u.at, u.uptime_s, u.instance) for u in probes.uptimes]
        lives = incarnations(drop_copies(readings, self.resolution_s), self.resolution_s)
        window = probes.question.window
        began = window.start.timestamp() if window else min((x.first for x in lives), default=0.0)
        declared = tuple(
            (start - tolerated, end + tolerated)
            for start, end in _periods(evidence.get("declared"))
        )
        found = Starts(
            began=began,
            lives=tuple(lives),
            fresh=tuple(life for life in lives if life.start > began + tolerated),
            grown=tuple(
                life
                for life in lives
                if life.start > began + tolerated and _scaled_out(life, lives, tolerated)
            ),
            declared=declared,
        )
        if not self.recycles_every_s:
            return found
        return found.recycled(self.recycles_every_s, _ends(evidence.get("events")), tolerated)

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = pick(evidence, "probes", Probes)
        covered = measure_coverage(probes)
        found = self.starts(evidence)
        undeclared = found.undeclared
        events = evidence.get("events")
        reported = [
            each
            for each in _events(events)
            if each[0] >= found.began
            and not found.expected(each[0])
            and not any(abs(each[0] - x.start) <= PAIRED_S for x in found.planned)
        ]
        missed = [
            each for each in reported if all(abs(each[0] - x.start) > PAIRED_S for x in undeclared)
        ]
        together = most_alive(found.lives)
        seen = probes.kept - probes.bad
        figures = {
            **covered.figures(),
            "processes": float(len(found.lives)),
            "together": float(together),
            "starts": float(len(found.fresh)),
            "undeclared": float(len(undeclared)),
            "told_by_platform": float(len(reported)),
        }
        if self.recycles_every_s:
            figures["planned"] = float(len(found.planned))
        problem = self._no_uptime(probes, found, evidence)
        if problem is not None:
            missed = reported
            undeclared = []
        if undeclared or reported:
            return self._fail(undeclared, missed, evidence, figures, covered, found)
        problem = problem or unusable_answers(
            probes, covered.shortfall(self.coverage, self.max_gap_s)
        )
        problem = problem or self._shortfall(covered, found.lives, together, seen)
        if problem is not None:
            return self._verdict(Outcome.INCONCLUSIVE, *problem, 0, figures)
        return self._verdict(
            Outcome.PASS, "", self._clean(found, together, covered, evidence), 0, figures
        )

    def _fail(
        self,
        undeclared: Sequence[Incarnation],
        missed: Sequence[tuple[float, str]],
        evidence: Mapping[str, Evidence],
        figures: dict[str, float],
        covered: ProbeCoverage,
        found: Starts,
    ) -> Verdict:
        parts = []
        deploys = _deploys(evidence.get("deploys"))
        if undeclared:
            starts = [
                f"{one_line(x.instance, 60) or 'a process'} at {format_time(x.start)}"
                + self._against_plan(x, found)
                + _during_deploy(x.start, deploys)
                for x in undeclared
            ]
            parts.append(
                f"At least {plural(len(undeclared), 'undeclared start')}: {join_some(starts)}"
            )
            if isinstance(evidence.get("events"), Listing):
                agrees = figures["told_by_platform"] > len(missed)
                parts.append(
                    "the platform reports it too"
                    if agrees
                    else "the platform reports no failure and no restart then"
                )
        if missed:
            events = [f"{kind} at {format_time(at)}" for at, kind in missed]
            and_probes = "which the probes missed" if not undeclared else "in addition"
            parts.append(f"the platform reports {join_some(events)}, {and_probes}")
        if any(_during_deploy(x.start, deploys) for x in undeclared):
            parts.append("if it was a deploy, declare it")
        parts += self._plan_text(found)
        parts.append(covered.longest_gap_text())
        reason = "; ".join(parts)
        number = len(undeclared) + len(missed)
        return self._verdict(
            Outcome.FAIL, "restarted", reason[:1].upper() + reason[1:], number, figures
        )

    def _against_plan(self, start: Incarnation, found: Starts) -> str:
        """How a start exceeds the plan, after its time; empty where nothing is planned."""
        if not self.recycles_every_s:
            return ""
        lived = found.lived.get(start)
        if lived is None:
            return ", in place of no process that ended"
        if lived < self.recycles_every_s:
            return f" after running for {format_duration(lived)}"
        return f", which is not planned, though the process before lived {format_duration(lived)}"

    def _plan_text(self, found: Starts) -> list[str]:
        """The starts within the plan; empty where nothing is planned."""
        if not self.recycles_every_s:
            return []
        least = format_duration(self.recycles_every_s)
        plan = f"the plan: a worker lives at least {least} (process.recycles_every_s)"
        if not found.planned:
            return [f"no start within {plan}"]
        shortest = min(found.lived[x] for x in found.planned)
        return [
            f"{plural(len(found.planned), 'start')} within {plan}, the shortest life "
            f"{format_duration(shortest)}"
        ]

    def _no_uptime(
        self, probes: Probes, found: Starts, evidence: Mapping[str, Evidence]
    ) -> tuple[str, str] | None:
        """Code and reason, when the reading is not the process's uptime in seconds; else None."""
        readings = [(u.at, u.uptime_s, u.instance) for u in probes.uptimes]
        slope = growth(readings, self.resolution_s)
        expected_uptime = "expected seconds since the process started at health.uptime"
        if slope is not None:
            if math.isnan(slope):
                growth_text = "does not grow with time"
            elif slope <= 1e-9:
                growth_text = "stayed the same"
            else:
                unit = unit_of(slope)
                growth_text = f"grew by {format_number(slope)} a second"
                growth_text += f", as {unit} do" if unit and unit != "seconds" else ""
            return (
                "uptime_unit",
                f"The uptime {growth_text}, so it cannot show a restart: {expected_uptime}",
            )
        for at, uptime, _ in readings:
            if impossible := impossible_uptime(at, uptime):
                return (
                    "uptime_unit",
                    f"The uptime cannot show a restart: {impossible}; {expected_uptime}",
                )
        return self._of_another_process(found, evidence.get("deploys"), expected_uptime)

    def _of_another_process(
        self, found: Starts, deploys: Evidence | None, expected_uptime: str
    ) -> tuple[str, str] | None:
        """Code and reason, when every process is older than the live deploy; else None."""
        live = deploys.about.get("live") if isinstance(deploys, Listing) else None
        items = deploys.items if isinstance(deploys, Listing) else ()
        for item in items:
            times = [parse_epoch(item.get(name)) for name in ("created", "started", "finished")]
            known = [at for at in times if at is not None]
            if not known or live is None or item.get("id") != live:
                continue
            begun, ended = min(known), max(known)
            after = [x for x in found.lives if x.last > ended + PAIRED_S]
            if after and all(x.start < begun - PAIRED_S for x in after):
                since = format_time(max(x.start for x in after))
                return (
                    "uptime_subject",
                    f"The deploy {cut(str(live), 60)} went live at {format_time(ended)}, but "
                    f"the uptime goes back to {since}: it is not the deployed process's, "
                    f"perhaps its host's; {expected_uptime}",
                )
        return None

    def _shortfall(
        self, covered: ProbeCoverage, lives: Sequence[Incarnation], together: int, seen: int
    ) -> tuple[str, str] | None:
        """Code and reason, when the probes could have missed a start; None when not."""
        shortfall = covered.shortfall(self.coverage, self.max_gap_s)
        if shortfall:
            return (
                "coverage_too_low",
                f"Only {covered.ran_text()}; {covered.longest_gap_text()}: {shortfall}"
                + ("; no undeclared start in the probes that ran" if covered.kept else ""),
            )
        if not lives:
            return (
                "no_data",
                f"{covered.ran_text()}, but no answer had an uptime: expected one in the health "
                "document, at health.uptime",
            )
        needed = probes_needed(together)
        if seen < needed:
            return (
                "too_few_samples",
                f"{format_count(seen)} readings of {format_count(together)} processes show no "
                "undeclared start: "
                f"expected at least {format_count(needed)}, to reach each with 99.9 %",
            )
        return None

    def _clean(
        self,
        found: Starts,
        together: int,
        covered: ProbeCoverage,
        evidence: Mapping[str, Evidence],
    ) -> str:
        oldest = format_time(found.lives[0].start)
        parts = [f"{plural(together, 'process', 'processes')} running, oldest started {oldest}"]
        grown = found.grown
        deployed = [x for x in found.fresh if x not in grown and x not in found.planned]
        if deployed:
            parts.append(
                f"{plural(len(deployed), 'start')} during declared deploys, the last at "
                f"{format_time(deployed[-1].start)}"
            )
        if grown:
            parts.append(
                f"{plural(len(grown), 'new instance')} next to all the old ones, from "
                f"{format_time(grown[0].start)}: a scale-out, no restart"
            )
        parts += self._plan_text(found)
        events = evidence.get("events")
        if isinstance(events, Listing):
            parts.append("the platform reports no other failure or restart")
        elif isinstance(events, Unanswered):
            parts.append(f"the platform's events are not known: {events.reason}")
        parts.append(f"{covered.ran_text()}; {covered.longest_gap_text()}")
        return "; ".join(parts)

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, number: int, figures: dict[str, float]
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=plural(number, "undeclared restart"),
            limit=self.limit_text(),
            scale=Scale(unit="restarts", limit=0.0, observed=float(number)),
            figures=figures,
        )


def _scaled_out(life: Incarnation, lives: Sequence[Incarnation], tolerated: float) -> bool:
    """True if this is a new name next to all older ones, each of which was probed after it."""
    if not life.instance:
        return False
    older = [x for x in lives if x.start < life.start - tolerated]
    if any(x.instance == life.instance for x in older):
        return False
    names = {x.instance for x in older}
    return bool(names) and all(
        any(x.instance == name and x.last > life.first + tolerated for x in older) for name in names
    )


def _lives_before(
    lives: Sequence[Incarnation], starts: Sequence[Incarnation], tolerated: float
) -> dict[Incarnation, float]:
    """Start -> how long the process lived that it replaced, in seconds; without those of none.

    A process has ended when no reading of it is newer than the first of the new one. Of several
    that ended, the one that was last read first is replaced first. A name that was there before
    replaces its own process, a new name that of any other.
    """
    found: dict[Incarnation, float] = {}
    replaced: set[Incarnation] = set()
    for start in sorted(starts):
        ended = [
            x
            for x in lives
            if x not in replaced and x.start < start.start - tolerated and x.last <= start.first
        ]
        if any(x.instance == start.instance and x.start < start.start for x in lives):
            ended = [x for x in ended if x.instance == start.instance]
        if ended:
            before = min(ended, key=lambda x: (x.last, x.start))
            replaced.add(before)
            found[start] = start.start - before.start
    return found


def _periods(listing: Evidence | None) -> list[tuple[float, float]]:
    """(start, end) of each item that has both, in epoch seconds."""
    items = listing.items if isinstance(listing, Listing) else ()
    both = [(parse_epoch(item.get("start")), parse_epoch(item.get("end"))) for item in items]
    return [(a, b) for a, b in both if a is not None and b is not None]


def _deploys(listing: Evidence | None) -> list[tuple[float, float, str]]:
    """The platform's deploys: start, end and id."""
    items = listing.items if isinstance(listing, Listing) else ()
    found = []
    for item in items:
        times = [parse_epoch(item.get(name)) for name in ("created", "started", "finished")]
        known = [at for at in times if at is not None]
        if known:
            found.append((min(known), max(known), one_line(item.get("id") or "without an id", 60)))
    return found


def _during_deploy(at: float, deploys: Sequence[tuple[float, float, str]]) -> str:
    """`` during the undeclared deploy dep-x``; empty when it is during none."""
    for start, end, name in deploys:
        if start <= at <= end + PAIRED_S:
            return f" during the undeclared deploy {name}"
    return ""


def _ends(listing: Evidence | None) -> list[tuple[float, str, str]]:
    """The ends of processes that the platform reports: time, type and details."""
    items = listing.items if isinstance(listing, Listing) else ()
    return [
        (at, str(item.get("type", "")), str(item.get("details", "")))
        for item in items
        if item.get("process") == "ended" and (at := parse_epoch(item.get("at"))) is not None
    ]


def _events(listing: Evidence | None) -> list[tuple[float, str]]:
    """The ends of processes that the platform reports: time and type."""
    items = listing.items if isinstance(listing, Listing) else ()
    found = []
    for item in items:
        at = parse_epoch(item.get("at"))
        if at is not None and item.get("process") == "ended":
            found.append((at, str(item.get("type", "ended"))))
    return sorted(found)
