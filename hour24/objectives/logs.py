"""Log lines: errors, repeating patterns, and watched words.

Rules of this module:

- A line is an error by its own level (:mod:`hour24.lines.levels`), or else by the platform's label;
  lines without a recognisable level are counted and reported.
- A traceback counts once, with the line it belongs to (:mod:`hour24.lines.traces`).
- The counts of a truncated list are lower bounds, and are reported as such.
- A known-normal line does not count; a limited class is normal up to its limit in each calendar
  hour, and further lines count.
- Lines are grouped by pattern, with samples: variable parts do not separate them.
- A rise of a level is both significant and large; the smallest detectable one is reported. Fewer
  lines than at hour 0 are no failure; no line at all is INCONCLUSIVE.
- Lines are foreign text: one line each, truncated, without control characters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from hour24.classes import IssueClass
from hour24.evidence import Counts, Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick, window_of
from hour24.objectives.exclusions import Exclusions, exclude_known_normal
from hour24.objectives.listing import judge_listing, least
from hour24.statistics.counts import (
    HOUR_S,
    Ratio,
    busiest,
    calendar_hours,
    least_significant,
    ratio,
)
from hour24.statistics.patterns import group_lines
from hour24.text import (
    MOST_LISTED,
    format_clock,
    format_count,
    format_duration,
    format_factor,
    in_window,
    join_some,
    one_line,
    plural,
)
from hour24.verdict import Outcome, Scale, Verdict

DAY_S = 24 * HOUR_S


class Errors(NamedTuple):
    """The errors of a list, with known-normal ones separate.

    Args:
        of: the errors, each traceback as one.
        unknown: lines that contain an error word and have no recognisable level.
        least: ``at least `` where the list is incomplete.
    """

    of: Exclusions
    unknown: int
    least: str

    @classmethod
    def in_(cls, answer: Listing, normal: Sequence[IssueClass]) -> Errors:
        from hour24.lines.traces import entries

        found, unknown = entries(answer.items)
        return cls(exclude_known_normal(found, normal), unknown, least(answer))

    def figures(self) -> dict[str, float]:
        return {"unknown": float(self.unknown)} if self.unknown else {}

    def text(self) -> str:
        """The suffix of a reason: excluded errors, and lines without a recognisable level."""
        return self.of.text() + (
            f"; no level recognised in {plural(self.unknown, 'line')} with an error word"
            if self.unknown
            else ""
        )


class Pattern(NamedTuple):
    """Lines with the same pattern: their common text, and the lines, oldest first."""

    template: str
    lines: tuple[Mapping[str, Any], ...]

    @property
    def times(self) -> list[float]:
        return [float(line["at"]) for line in self.lines]

    def text(self, samples: int = 1) -> str:
        """``6 × "ERROR entry <n>", such as "ERROR entry 7" (06:01 UTC)``; a single line."""
        shown = ", ".join(
            f'"{one_line(line["message"], 100)}" ({format_clock(float(line["at"]))})'
            for line in self.lines[:samples]
        )
        if len(self.lines) == 1:
            return shown
        return (
            f'{format_count(len(self.lines))} × "{one_line(self.template, 100)}", such as {shown}'
        )


def patterns(lines: Sequence[Mapping[str, Any]]) -> list[Pattern]:
    """These lines grouped by pattern, the most frequent pattern first."""
    groups, grouping = group_lines(str(line["message"]) for line in lines)
    members: dict[int, list[Mapping[str, Any]]] = {}
    for line, group in zip(lines, groups, strict=True):
        members.setdefault(group, []).append(line)
    found = [Pattern(grouping.template(group), tuple(each)) for group, each in members.items()]
    return sorted(found, key=lambda each: (-len(each.lines), each.template))


class NoErrorLine(Objective, frozen=True, kw_only=True):
    """The logs contain no ERROR line, except of a normal class within its limit.

    Args:
        normal: classes whose lines do not count, up to the hourly limit of each.
    """

    needs: ClassVar[Kinds] = {"lines": Listing}

    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "lines", Listing)
        errors = Errors.in_(answer, self.normal)
        found = errors.of
        kinds = patterns(found.counted)
        lines = len(found.counted)
        within = in_window(answer.question.window)
        text = (
            f"{errors.least.capitalize()}{plural(lines, 'ERROR line')}{within}, "
            f"in {errors.least}{plural(len(kinds), 'pattern')}: "
            f"{join_some([each.text() for each in kinds])}"
        )
        return judge_listing(
            self,
            answer,
            clean=f"No {'other ' * bool(found.total)}ERROR line{within}",
            bad=("error_lines", text) if lines else None,
            suffix=errors.text(),
            observed=f"{errors.least}{format_count(lines)}{' others' * bool(found.total)}",
            scale=Scale(unit="lines", limit=0.0, observed=float(lines)),
            figures={
                "counted": float(lines),
                "patterns": float(len(kinds)),
                "aside": float(found.total),
                **errors.figures(),
            },
        )


class NoPattern(Objective, frozen=True, kw_only=True):
    """No pattern of ERROR lines has ``per_hour`` in a clock hour or ``per_day`` in 24 hours.

    Args:
        normal: classes whose lines do not count, up to the hourly limit of each.
    """

    needs: ClassVar[Kinds] = {"lines": Listing}

    per_hour: int
    per_day: int
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return f"below {self.per_hour} an hour, {self.per_day} a day"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = pick(evidence, "lines", Listing)
        window = window_of(answer, "lines")
        start, end = window.start.timestamp(), window.end.timestamp()
        errors = Errors.in_(answer, self.normal)
        found = errors.of
        kinds = patterns(found.counted)
        repeated: list[tuple[Pattern, str]] = []
        hour = day = 0
        for kind in kinds:
            in_hour = max(calendar_hours(kind.times, start, end), key=lambda each: each.count)
            in_day, _ = busiest(kind.times, DAY_S)
            hour, day = max(hour, in_hour.count), max(day, in_day)
            if in_hour.count >= self.per_hour:
                when = (
                    f"{errors.least}{format_count(in_hour.count)} in the clock hour from "
                    f"{format_clock(in_hour.start)}"
                )
                repeated.append((kind, when))
            elif in_day >= self.per_day:
                repeated.append((kind, f"{errors.least}{format_count(in_day)} within 24 h"))
        clean = (
            f"No pattern repeats{in_window(window)}: of {plural(len(kinds), 'pattern')} in "
            f"{plural(len(found.counted), 'ERROR line')}, none has more than "
            f"{format_count(hour)} in a "
            f"clock hour and {format_count(day)} in 24 h"
            if kinds
            else f"No {'other ' * bool(found.total)}ERROR line{in_window(window)}"
        )
        repeats_text = join_some([f"{when}: {kind.text(MOST_LISTED)}" for kind, when in repeated])
        repeats = errors.least.capitalize() + plural(
            len(repeated), "pattern repeats", "patterns repeat"
        )
        by_day = day * self.per_hour > hour * self.per_day
        return judge_listing(
            self,
            answer,
            clean=clean,
            bad=("pattern_repeats", f"{repeats}{in_window(window)}: {repeats_text}")
            if repeated
            else None,
            suffix=errors.text(),
            observed=errors.least
            + (f"{format_count(day)} in 24 h" if by_day else f"{format_count(hour)} in an hour"),
            scale=Scale(
                unit="lines",
                limit=float(self.per_day if by_day else self.per_hour),
                observed=float(day if by_day else hour),
            ),
            figures={
                "patterns": float(len(kinds)),
                "repeated": float(len(repeated)),
                "worst_hour": float(hour),
                "worst_day": float(day),
                "counted": float(len(found.counted)),
                "aside": float(found.total),
                **errors.figures(),
            },
        )


class Level(NamedTuple):
    """One watched word now and at hour 0.

    Args:
        now, before: number of lines with the word.
        shows: the smallest number of lines now that is a rise.
    """

    word: str
    now: int
    before: int
    ratio: Ratio
    shows: int

    @property
    def risen(self) -> bool:
        return self.now >= self.shows

    def text(self) -> str:
        """``database 118 against 30 (×0.98)``"""
        factor = f" ({format_factor(self.ratio.ratio)})" if self.before else ""
        counts = f"{format_count(self.now)} against {format_count(self.before)}"
        return f"{one_line(self.word, 40)} {counts}{factor}"

    def observed(self) -> str:
        """``×1.03 (database)``, or the count when there were none at hour 0."""
        if self.before:
            return f"{format_factor(self.ratio.ratio)} ({one_line(self.word, 40)})"
        return f"{format_count(self.now)} {one_line(self.word, 40)}, none at hour 0"


class LevelKept(Objective, frozen=True, kw_only=True):
    """Lines with each watched word are not more frequent than at hour 0.

    ``now`` and ``baseline`` count lines: ``parts`` has the number of lines per word, the window is
    the exposure. A log without any line has no data; it is not quiet.

    Args:
        factor: factor of a large rise, above 1.
        clumping: the mean number of lines that come together: lines per request or per retry
            come in clumps, which independent lines would not form.
    """

    needs: ClassVar[Kinds] = {"now": Counts, "baseline": Counts}

    factor: float = 2.0
    clumping: float = 3.0

    def limit_text(self) -> str:
        return f"below {format_factor(self.factor)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        now, before = pick(evidence, "now", Counts), pick(evidence, "baseline", Counts)
        if before.cut:  # a lower bound of what was usual makes every count now look like a rise
            return self.unmeasured(
                before.cut, f"At hour 0 only a part of the log was counted: {before.note}"
            )
        here, there = window_of(now, "now").hours, window_of(before, "baseline").hours
        if now.total == 0 or before.total == 0:
            when = "at hour 0" if now.total else "now"
            return self.unmeasured("no_data", f"The log contains no line at all {when}")
        lacking = sorted({*now.parts} ^ {*before.parts})
        if lacking or not now.parts:
            words = ", ".join(one_line(word, 40) for word in lacking) or "any word"
            return self.unmeasured(
                "no_data", f"Lines with {words} were not counted both now and at hour 0"
            )
        levels = [
            self._level(word, (now.parts[word], here), (before.parts[word], there))
            for word in sorted(now.parts)
        ]
        risen = [level for level in levels if level.risen]
        worst = max(risen or levels, key=lambda level: (level.ratio.lower, level.now, level.word))
        within = (
            f"{in_window(now.question.window)} against {format_duration(3600 * there)} at hour 0"
        )
        if risen:
            counted = "More lines, at least" if now.cut else "More lines"
            reason = (
                f"{counted}{within}: {join_some([level.text() for level in risen])}; "
                f"99 %: at least {format_factor(worst.ratio.lower)}"
            )
        else:
            shows = [f"{one_line(level.word, 40)} {format_count(level.shows)}" for level in levels]
            levels_text = join_some([level.text() for level in levels], len(levels))
            reason = (
                f"No level has risen{within}: {levels_text}; too small to detect: fewer lines than "
                f"{', '.join(shows)}"
            )
        # a few lines may be many times hour 0 and still no rise: their number is judged then
        by_number = not risen and (not worst.before or worst.ratio.ratio >= self.factor)
        word = one_line(worst.word, 40)
        return Verdict(
            outcome=Outcome.FAIL if risen else Outcome.PASS,
            code="level_risen" if risen else "",
            reason=reason,
            observed=f"{format_count(worst.now)} {word}" if by_number else worst.observed(),
            bound=f"at least {format_factor(worst.ratio.lower)}" if risen else "",
            limit=f"below {format_count(worst.shows)} {word}" if by_number else self.limit_text(),
            scale=Scale(unit="lines", limit=float(worst.shows), observed=float(worst.now))
            if by_number
            else Scale(
                unit="times hour 0",
                limit=self.factor,
                origin=1.0,
                observed=worst.ratio.ratio,
                lower=worst.ratio.lower,
            )
            if worst.before
            else None,
            figures={
                f"{level.word}_{name}": value
                for level in levels
                for name, value in (
                    ("now", float(level.now)),
                    ("before", float(level.before)),
                    ("lower", level.ratio.lower),
                    ("shows", float(level.shows)),
                )
            },
        )

    def _level(self, word: str, now: tuple[int, float], before: tuple[int, float]) -> Level:
        (n, span), (m, span_before) = now, before
        large = math.ceil(self.factor * m * span / span_before - 1e-9)
        significant = least_significant(span, m, span_before, self.clumping)
        found = ratio(n, span, m, span_before, self.clumping)
        return Level(word, n, m, found, max(large, significant))
