"""Whether the service restarted without anybody having declared it.

Rules of this module:

- A start is told by uptimes, behind a load balancer too; one inside a deploy that a person
  declared is expected. A deploy that only the platform tells of was not declared: it is named.
- The platform's events are a second witness: what it tells happened, what it does not tell
  proves nothing. Where the two disagree, that is said.
- An uptime that does not grow by a second a second, or that began before the live deploy, shows
  no restart and hides none: INCONCLUSIVE, with what was seen. A copy of a reading is no reading.
- A process that lived shorter than it takes to be probed is not seen: counts are "at least".
- A new instance beside all the old ones is a scale-out where instances have names; without names
  it looks like a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import Evidence, Listing, Probes, Unanswered
from hour24.objectives.base import Kinds, Objective, given
from hour24.objectives.health import impossible_uptime
from hour24.objectives.probes import Look, looked, not_looked
from hour24.shipped import COMMAND
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
    format_number,
    format_time,
    join_some,
    one_line,
    parse_epoch,
    plural,
)
from hour24.verdict import Outcome, Scale, Verdict

PAIRED_S = 300.0
"""So near a start, the platform's event speaks of that start."""


class Starts(NamedTuple):
    """Processes and their starts, all by start; times in epoch seconds.

    Args:
        began: start of the window.
        lives: every life of a process that was seen.
        fresh: those that started in the window.
        grown: those of ``fresh`` that a scale-out added.
        declared: when starts are expected, as (from, to).
    """

    began: float
    lives: tuple[Incarnation, ...]
    fresh: tuple[Incarnation, ...]
    grown: tuple[Incarnation, ...]
    declared: tuple[tuple[float, float], ...]

    def expected(self, at: float) -> bool:
        """Whether a person declared a deploy that holds this moment."""
        return any(start <= at <= end for start, end in self.declared)

    @property
    def undeclared(self) -> list[Incarnation]:
        """The starts that nobody declared."""
        return [x for x in self.fresh if x not in self.grown and not self.expected(x.start)]


class NoRestart(Objective, frozen=True, kw_only=True):
    """The service did not restart, except for a declared deploy.

    ``events`` and ``deploys`` are the platform's, ``declared`` what people wrote in the ledger.

    Args:
        resolution_s: of the uptime that the service tells, in seconds.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest stretch without a look, in seconds.
    """

    needs: ClassVar[Kinds] = {"probes": Probes}
    may: ClassVar[Kinds] = {"events": Listing, "deploys": Listing, "declared": Listing}

    resolution_s: float = 1.0
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        return "none undeclared"

    def starts(self, evidence: Mapping[str, Evidence]) -> Starts:
        """What the probes tell of processes and of their starts in the window."""
        probes = given(evidence, "probes", Probes)
        apart = tolerance(self.resolution_s)
        readings = [(u.at, u.uptime_s, u.instance) for u in probes.uptimes]
        lives = incarnations(drop_copies(readings, self.resolution_s), self.resolution_s)
        window = probes.question.window
        began = window.start.timestamp() if window else min((x.first for x in lives), default=0.0)
        declared = tuple(
            (start - apart, end + apart) for start, end in _stretches(evidence.get("declared"))
        )
        return Starts(
            began=began,
            lives=tuple(lives),
            fresh=tuple(life for life in lives if life.start > began + apart),
            grown=tuple(
                life
                for life in lives
                if life.start > began + apart and _scaled_out(life, lives, apart)
            ),
            declared=declared,
        )

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = given(evidence, "probes", Probes)
        look = looked(probes)
        found = self.starts(evidence)
        undeclared = found.undeclared
        events = evidence.get("events")
        told = [
            each
            for each in _events(events)
            if each[0] >= found.began and not found.expected(each[0])
        ]
        unseen = [
            each for each in told if all(abs(each[0] - x.start) > PAIRED_S for x in undeclared)
        ]
        together = most_alive(found.lives)
        seen = probes.kept - probes.bad
        figures = {
            **look.figures(),
            "processes": float(len(found.lives)),
            "together": float(together),
            "starts": float(len(found.fresh)),
            "undeclared": float(len(undeclared)),
            "told_by_platform": float(len(told)),
        }
        problem = self._no_uptime(probes, found, evidence)
        if problem is not None:
            unseen = told
            undeclared = []
        if undeclared or told:
            return self._fail(undeclared, unseen, evidence, figures, look)
        problem = problem or not_looked(probes, look.wanting(self.coverage, self.max_gap_s))
        problem = problem or self._wanting(look, found.lives, together, seen)
        if problem is not None:
            return self._verdict(Outcome.INCONCLUSIVE, *problem, 0, figures)
        return self._verdict(
            Outcome.PASS, "", self._clean(found, together, look, evidence), 0, figures
        )

    def _fail(
        self,
        undeclared: Sequence[Incarnation],
        unseen: Sequence[tuple[float, str]],
        evidence: Mapping[str, Evidence],
        figures: dict[str, float],
        look: Look,
    ) -> Verdict:
        parts = []
        deploys = _deploys(evidence.get("deploys"))
        if undeclared:
            starts = [
                f"{one_line(x.instance, 60) or 'a process'} at {format_time(x.start)}"
                + _inside(x.start, deploys)
                for x in undeclared
            ]
            parts.append(
                f"At least {plural(len(undeclared), 'undeclared start')}: {join_some(starts)}"
            )
            if isinstance(evidence.get("events"), Listing):
                agrees = figures["told_by_platform"] > len(unseen)
                parts.append(
                    "the platform tells of it too"
                    if agrees
                    else "the platform tells of no failure and no restart then"
                )
        if unseen:
            events = [f"{kind} at {format_time(at)}" for at, kind in unseen]
            beside = "which the probes did not see" if not undeclared else "besides"
            parts.append(f"the platform tells of {join_some(events)}, {beside}")
        if any(_inside(x.start, deploys) for x in undeclared):
            parts.append(f"a deploy is declared by a person, in the ledger: {COMMAND} declare")
        parts.append(look.unseen())
        reason = "; ".join(parts)
        number = len(undeclared) + len(unseen)
        return self._verdict(
            Outcome.FAIL, "restarted", reason[:1].upper() + reason[1:], number, figures
        )

    def _no_uptime(
        self, probes: Probes, found: Starts, evidence: Mapping[str, Evidence]
    ) -> tuple[str, str] | None:
        """Code and reason, when what is read as the process's uptime in seconds is not that."""
        readings = [(u.at, u.uptime_s, u.instance) for u in probes.uptimes]
        slope = growth(readings, self.resolution_s)
        unlike = "expected seconds since the process started at health.uptime"
        if slope is not None:
            if slope <= 1e-9:
                seen = "stood still"
            else:
                unit = unit_of(slope)
                seen = f"grew by {format_number(slope)} a second"
                seen += f", as {unit} do" if unit and unit != "seconds" else ""
            return (
                "uptime_unit",
                f"The uptime {seen}, so that it shows no restart and hides none: {unlike}",
            )
        for at, uptime, _ in readings:
            if strange := impossible_uptime(at, uptime):
                return "uptime_unit", f"The uptime shows no restart: {strange}; {unlike}"
        return self._of_another(found, evidence.get("deploys"), unlike)

    def _of_another(
        self, found: Starts, deploys: Evidence | None, unlike: str
    ) -> tuple[str, str] | None:
        """Code and reason, when every process is older than the deploy that is live."""
        live = deploys.about.get("live") if isinstance(deploys, Listing) else None
        items = deploys.items if isinstance(deploys, Listing) else ()
        for item in items:
            moments = [parse_epoch(item.get(name)) for name in ("created", "started", "finished")]
            known = [at for at in moments if at is not None]
            if not known or live is None or item.get("id") != live:
                continue
            begun, ended = min(known), max(known)
            after = [x for x in found.lives if x.last > ended + PAIRED_S]
            if after and all(x.start < begun - PAIRED_S for x in after):
                since = format_time(max(x.start for x in after))
                return (
                    "uptime_subject",
                    f"The deploy {cut(str(live), 60)} went live at {format_time(ended)}, and "
                    f"the uptime goes back to {since}: it is not that of the deployed process, "
                    f"perhaps its host's; {unlike}",
                )
        return None

    def _wanting(
        self, look: Look, lives: Sequence[Incarnation], together: int, seen: int
    ) -> tuple[str, str] | None:
        """Code and reason, when the probes could not have seen every start."""
        wanting = look.wanting(self.coverage, self.max_gap_s)
        if wanting:
            return (
                "coverage_too_low",
                f"Only {look.ran()}; {look.unseen()}: {wanting}"
                + ("; what ran saw no undeclared start" if look.kept else ""),
            )
        if not lives:
            return (
                "no_data",
                f"{look.ran()}, and no answer told an uptime: expected the health document to "
                "tell one at health.uptime",
            )
        needed = probes_needed(together)
        if seen < needed:
            return (
                "too_few_samples",
                f"{format_count(seen)} readings of {format_count(together)} processes saw no "
                "undeclared start: "
                f"expected at least {format_count(needed)}, to have met each with 99.9 %",
            )
        return None

    def _clean(
        self,
        found: Starts,
        together: int,
        look: Look,
        evidence: Mapping[str, Evidence],
    ) -> str:
        oldest = format_time(found.lives[0].start)
        parts = [f"{plural(together, 'process', 'processes')} at a time, the oldest since {oldest}"]
        grown = found.grown
        deployed = [x for x in found.fresh if x not in grown]
        if deployed:
            parts.append(
                f"{plural(len(deployed), 'start')} inside declared deploys, the last at "
                f"{format_time(deployed[-1].start)}"
            )
        if grown:
            parts.append(
                f"{plural(len(grown), 'new instance')} beside all the old ones, from "
                f"{format_time(grown[0].start)} on: a scale-out, no restart"
            )
        events = evidence.get("events")
        if isinstance(events, Listing):
            parts.append("the platform tells of no other failure or restart")
        elif isinstance(events, Unanswered):
            parts.append(f"what the platform tells is not known: {events.reason}")
        parts.append(f"{look.ran()}; {look.unseen()}")
        return "; ".join(parts)

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, number: int, figures: dict[str, float]
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=f"{format_count(number)} undeclared",
            limit=self.limit_text(),
            scale=Scale(unit="restarts", limit=0.0, observed=float(number)),
            figures=figures,
        )


def _scaled_out(life: Incarnation, lives: Sequence[Incarnation], apart: float) -> bool:
    """Whether this is a new name beside all the older ones, each of which was seen after it."""
    if not life.instance:
        return False
    older = [x for x in lives if x.start < life.start - apart]
    if any(x.instance == life.instance for x in older):
        return False
    names = {x.instance for x in older}
    return bool(names) and all(
        any(x.instance == name and x.last > life.first + apart for x in older) for name in names
    )


def _stretches(listing: Evidence | None) -> list[tuple[float, float]]:
    """(start, end) of each item that tells both, epoch seconds."""
    items = listing.items if isinstance(listing, Listing) else ()
    both = [(parse_epoch(item.get("start")), parse_epoch(item.get("end"))) for item in items]
    return [(a, b) for a, b in both if a is not None and b is not None]


def _deploys(listing: Evidence | None) -> list[tuple[float, float, str]]:
    """The platform's deploys: from, to, and how they are called."""
    items = listing.items if isinstance(listing, Listing) else ()
    found = []
    for item in items:
        moments = [parse_epoch(item.get(name)) for name in ("created", "started", "finished")]
        known = [at for at in moments if at is not None]
        if known:
            found.append((min(known), max(known), one_line(item.get("id") or "without an id", 60)))
    return found


def _inside(at: float, deploys: Sequence[tuple[float, float, str]]) -> str:
    """`` inside the deploy dep-x, which nobody declared``; empty when it is inside none."""
    for start, end, name in deploys:
        if start <= at <= end + PAIRED_S:
            return f" inside the deploy {name}, which nobody declared"
    return ""


def _events(listing: Evidence | None) -> list[tuple[float, str]]:
    """When a process ended, as the platform tells it, and with which word."""
    items = listing.items if isinstance(listing, Listing) else ()
    found = []
    for item in items:
        at = parse_epoch(item.get("at"))
        if at is not None and item.get("process") == "ended":
            found.append((at, str(item.get("type", "ended"))))
    return sorted(found)
