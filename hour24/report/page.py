"""How a page is made: the templates, what every page shares, and writing it whole.

Rules of this module:

- Everything a template prints is escaped, and everything that is not our own markup goes
  through :func:`hour24.text.visible` first: no template can forget it.
- A name a template does not know is an error.
- A page is written beside its place and moved there: a reader never sees half of one.
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
    "RETRY": "ask again",
    "HOLD": "hold",
    "ALERT": "alert the team",
    "ROLL BACK": "roll back",
}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates' environment; jinja2 is imported when the first page is made."""
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
    )
    made.globals.update(COMMAND=COMMAND, WORDS=WORDS, GLYPHS=GLYPHS, Outcome=Outcome)
    return made


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else text.visible(value)


def _breakable(value: object) -> Markup:
    """``value`` that may end a line after an underscore, as ``source_unreachable`` must."""
    return Markup("_<wbr>").join(text.visible(value).split("_"))


def _short(digest: str, length: int = 12) -> str:
    """The first characters of a digest."""
    return digest[:length]


def render(template: str, context: Mapping[str, Any]) -> str:
    """A template filled in."""
    return environment().get_template(template).render(context)


def put(path: Path, text: str) -> None:
    """Write a finished page. Raises: OSError, when it cannot be written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def by_criterion(criteria: Iterable[Judged]) -> dict[str, tuple[Judged, ...]]:
    """Id -> its verdicts, one a subject, in the record's order."""
    grouped: dict[str, list[Judged]] = {}
    for judged in criteria:
        grouped.setdefault(judged.id, []).append(judged)
    return {name: tuple(many) for name, many in grouped.items()}


def outcome_of(many: Iterable[Judged]) -> Outcome:
    """The worst of one criterion's subjects."""
    return worst(judged.outcome for judged in many)


def tally(criteria: Iterable[Judged]) -> Counter[Outcome]:
    """Number of criteria per outcome, the worst of its subjects each."""
    return Counter(outcome_of(many) for many in by_criterion(criteria).values())


def decided(record: Record) -> str:
    """The decision of a checkpoint in words; empty when it has none."""
    return SAYS.get(str((record.decision or {}).get("action", "")), "")


def icon(outcome: Outcome, rehearsal: bool) -> str:
    """The page's icon, as the end of a data: URL."""
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
    """What an engineer types at ``hour``.

    Args:
        target: as the ledger keeps it.
        reports: the folder that holds the watch; none: the default one.
    """
    parts = ["pytest", "-m", marker(hour)]
    if target != "production.toml":
        parts += ["--target", text.one_line(target, 200)]
    parts += ["--watch", watch]
    if reports is not None and reports.absolute() != Path("reports").absolute():
        parts += ["--reports", str(reports)]
    return shlex.join(parts)


def contact_link(reach: str) -> Markup:
    """How to reach somebody: a link to call, write or chat where the text is one."""
    shown = text.one_line(reach, 160)
    plain = shown.strip()
    if re.fullmatch(r"\+?[\d ()./-]{5,}", plain):
        return Markup('<a href="tel:{}">{}</a>').format(re.sub(r"[^\d+]", "", plain), shown)
    if re.fullmatch(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+", plain):
        return Markup('<a href="mailto:{}">{}</a>').format(plain, shown)
    if re.fullmatch(r"https://[^\s<>\"']+", plain):
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(plain, shown)
    return escape(shown)
