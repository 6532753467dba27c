"""The templates, the parts that every page shares, and writing a page atomically.

Rules of this module:

- Everything a template prints is escaped, and everything that is not our own markup passes
  through :func:`hour24.text.visible` first: no template can forget it.
- An unknown name in a template is an error.
- A page is written to a temporary file and renamed: a reader never sees half of one.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from hour24 import text
from hour24.ledger.record import Judged, Record
from hour24.shipped import COMMAND
from hour24.verdict import Outcome, worst
from hour24.watch import marker

if TYPE_CHECKING:
    from jinja2 import Environment

WORDS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.NOT_APPLICABLE: "NOT APPLICABLE",
}
GLYPHS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.INCONCLUSIVE: "inc",
    Outcome.NOT_APPLICABLE: "na",
}

SAYS = {
    "PROCEED": "proceed",
    "RETRY": "run again",
    "HOLD": "hold",
    "ALERT": "alert the team",
    "ROLL BACK": "roll back",
}
ALARMS = ("ALERT", "ROLL BACK")
"""Decisions that call a person."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the environment of the templates; imports jinja2 only when a page is made."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        breakable=_breakable,
        count=text.format_count,
        coverage=text.format_coverage,
        join_words=text.join_words,
        number=text.format_number,
        one_line=text.one_line,
        percent=text.format_percent,
        plural=text.plural,
        short=_short,
        shorten=text.shorten,
        contact_link=contact_link,
        figure_name=figure_name,
    )
    made.globals.update(COMMAND=COMMAND, WORDS=WORDS, GLYPHS=GLYPHS, Outcome=Outcome)
    return made


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else text.visible(value)


def _breakable(value: object) -> Markup:
    """Return ``value`` with a line break allowed after each underscore: ``source_unreachable``."""
    return Markup("_<wbr>").join(text.visible(value).split("_"))


def _short(digest: str, length: int = 12) -> str:
    """Return the first characters of a digest."""
    return digest[:length]


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return a template filled in."""
    return environment().get_template(template).render(context)


def put(path: Path, text: str) -> None:
    """Write a finished page atomically. Raises: OSError, if it cannot be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def by_criterion(criteria: Iterable[Judged]) -> dict[str, tuple[Judged, ...]]:
    """Return id -> its verdicts, one per subject, in the order of the record."""
    grouped: dict[str, list[Judged]] = {}
    for judged in criteria:
        grouped.setdefault(judged.id, []).append(judged)
    return {name: tuple(many) for name, many in grouped.items()}


def outcome_of(many: Iterable[Judged]) -> Outcome:
    """Return the worst outcome of the subjects of one criterion."""
    return worst(judged.outcome for judged in many)


def tally(criteria: Iterable[Judged]) -> Counter[Outcome]:
    """Return the number of criteria per outcome; the worst subject of a criterion counts."""
    return Counter(outcome_of(many) for many in by_criterion(criteria).values())


def decision_text(record: Record) -> str:
    """Return the decision of a checkpoint as text; empty if it has none."""
    return SAYS.get(str((record.decision or {}).get("action", "")), "")


def icon(outcome: Outcome, rehearsal: bool) -> str:
    """Return the icon of the page as a data: URL."""
    ground = {Outcome.FAIL: "%23b5121b", Outcome.INCONCLUSIVE: "%237d4b00"}.get(
        outcome, "%233f6b51"
    )
    sign = {
        Outcome.FAIL: "M4 4 12 12M12 4 4 12",
        Outcome.INCONCLUSIVE: "M8 2 14 8 8 14 2 8Z",
    }.get(outcome, "M3.5 8.6 6.6 12 12.6 4.6")
    ring = "%235b2a86" if rehearsal else ground
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        f"%3Crect x='.5' y='.5' width='15' height='15' rx='2' fill='{ground}' stroke='{ring}' "
        f"stroke-width='1.6'/%3E%3Cpath d='{sign}' fill='none' stroke='%23fff' "
        "stroke-width='2.2'/%3E%3C/svg%3E"
    )


def command(target: str, watch: str, hour: int, reports: Path | None = None) -> str:
    """Return the command that runs the checkpoint of ``hour``.

    Args:
        target: as stored in the ledger.
        reports: the folder with the watch; None: the default one.
    """
    return shlex.join(["pytest", "-m", marker(hour), *selected(target, watch, reports)])


def probe_command(target: str, watch: str, reports: Path | None = None) -> str:
    """Return the command that starts a prober of the watch; see ``command``."""
    return f"{COMMAND} probe {shlex.join(selected(target, watch, reports))}"


def selected(target: str, watch: str, reports: Path | None) -> list[str]:
    """Return the options that select a watch; those that are the default are left out."""
    parts = []
    if target != "production.toml":
        parts += ["--target", text.one_line(target, 200)]
    parts += ["--watch", watch]
    if reports is not None and reports.absolute() != Path("reports").absolute():
        parts += ["--reports", str(reports)]
    return parts


def contact_link(reach: str) -> Markup:
    """Return how to reach a person, as a link if it is a number, an address or a URL."""
    shown = text.one_line(reach, 160)
    plain = shown.strip()
    if re.fullmatch(r"\+?[\d ()./-]{5,}", plain):
        return Markup('<a href="tel:{}">{}</a>').format(re.sub(r"[^\d+]", "", plain), shown)
    if re.fullmatch(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+", plain):
        return Markup('<a href="mailto:{}">{}</a>').format(plain, shown)
    if re.fullmatch(r"https://[^\s<>\"']+", plain):
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(plain, shown)
    return escape(shown)


FIGURES = {
    "aside": "known-normal, excluded",
    "at_or_above": "at or above the target",
    "exhausted_h": "hours to the limit at the lower bound",
    "held": "checkpoints passed",
    "hours_told": "hours reported",
    "lower": "lower bound",
    "n": "samples",
    "n_baseline": "samples at hour 0",
    "q": "quantile",
    "settled": "resolved",
    "slope": "rise an hour",
    "told_by_platform": "reported by the platform",
    "unsettled": "not resolved",
    "upper": "upper bound",
    "visible": "smallest that could be detected",
}
"""Figures of a verdict with a stored name that does not say what they are."""
_UNITS = {"s": "s", "ms": "ms", "mb": "MB", "h": "h", "bytes": "bytes"}


def figure_name(name: str) -> str:
    """Return the stored name of a figure as words, with its unit: ``longest gap (s)``."""
    words = FIGURES.get(name, "")
    if words:
        return words
    plain, _, per = text.one_line(name, 60).partition("_per_")
    head, _, unit = plain.rpartition("_")
    if head and unit in _UNITS:
        every = f"/{per}" if per else ""
        return f"{head.replace('_', ' ')} ({_UNITS[unit]}{every})"
    return text.one_line(name, 60).replace("_", " ")
