"""Numbers, times and foreign text, as a page shows them.

Rules of this module:

- Times are in the watch's zone; the page names the offset once, and beside every time when it
  changes during the watch.
- Thousands are parted by a comma, as in the verdicts' own sentences; a number that is none is
  ``null``. A number and its unit stay on one line.
- Text of the system under watch is foreign: control characters, direction overrides and
  invisible characters are made visible, and what is too long is cut with a count.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup, escape

LONGEST = 4000
"""Characters of one text that a page shows."""
_UNIT = re.compile(r"(?<=[0-9]) (?=(?:%|ms|s|min|h|d|days?|kB|MB|GB|MB/h|UTC|px)(?![A-Za-z0-9]))")
_NAMES = {0: "NUL", 7: "BEL", 8: "BS", 11: "VT", 12: "FF", 13: "CR", 27: "ESC", 127: "DEL"}
_FOREIGN = re.compile(r"[^\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e]")


def visible(text: object, longest: int = LONGEST) -> str:
    """``text`` with everything that would act or hide shown as a sign, cut to ``longest``.

    Line ends and tabs stay; whether they show is the style's to say.
    """
    whole = "null" if text is None else str(text)
    kept = whole[:longest]
    shown = _FOREIGN.sub(_sign, kept)
    if len(whole) > longest:
        shown += f" … [cut: {count(len(whole) - longest)} of {count(len(whole))} characters]"
    return shown


def _sign(match: re.Match[str]) -> str:
    return _sign_of(match.group())


@lru_cache(maxsize=4096)
def _sign_of(character: str) -> str:
    code = ord(character)
    if character in "\n\t\u202f":
        return character
    if code in _NAMES:
        return f"⟨{_NAMES[code]}⟩"
    category = unicodedata.category(character)
    if category[0] == "C" or category in ("Zl", "Zp"):
        return f"⟨U+{code:04X}⟩"
    return character


def one_line(text: object, longest: int = 300) -> str:
    """``text`` on one line, for a cell or a title."""
    return visible(" ⏎ ".join(str(text)[: 4 * longest].split("\n")), longest)


def together(text: str) -> str:
    """``text`` with a no-break space between each number and its unit."""
    return _UNIT.sub("\u00a0", text)


def breakable(text: object) -> Markup:
    """``text`` that may end a line after an underscore, as ``source_unreachable`` must."""
    return Markup("_<wbr>").join(visible(text).split("_"))


def shortened(text: object, longest: int) -> str:
    """``text`` on one line, cut after a word; for where the whole stands elsewhere too."""
    whole = one_line(text, LONGEST)
    if len(whole) <= longest:
        return together(whole)
    kept = whole[:longest].rsplit(" ", 1)[0].rstrip(" ,;:(")
    return f"{together(kept)} …"


def lateness(late_s: float) -> str:
    """``on time`` within a second, else ``2 min 04 s late`` or ``10 min early``."""
    if abs(late_s) < 1:
        return "on time"
    return f"{span(abs(late_s))} {'late' if late_s > 0 else 'early'}"


def count(number: int) -> str:
    """A whole number: ``1,354``."""
    return f"{number:,}"


def number(value: object, digits: int = 3) -> str:
    """A number to ``digits`` significant digits, without an exponent where it can be read."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return one_line(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    if isinstance(value, int) or value == int(value):
        return count(int(value)) if abs(value) < 1e15 else f"{value:.{digits}g}"
    size = abs(value)
    if size >= 10**digits:
        return count(round(value))
    if size < 1e-4:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(ratio: float, places: int = 1) -> str:
    """A ratio in per cent, never rounded up to 100: ``99.9 %``."""
    if not math.isfinite(ratio):
        return "null"
    value = ratio * 100
    step = 10**places
    if ratio < 1:
        value = math.floor(value * step + 1e-9) / step
    text = f"{value:.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} %"


def part(ratio: float) -> str:
    """A part of a whole to the nearest per cent: ``58 %``; never 0 of some, nor all but some."""
    if 0 < ratio < 0.005:
        return "below 1 %"
    if 0.995 <= ratio < 1:
        return "above 99 %"
    return f"{ratio:.0%}".replace("%", " %") if math.isfinite(ratio) else "null"


def span(seconds: float) -> str:
    """A length of time: ``24 ms``, ``44 s``, ``2 min 04 s``, ``34 h 15 min``, ``3 d 2 h``."""
    if not math.isfinite(seconds):
        return "null"
    size = abs(seconds)
    sign = "−" if seconds < 0 else ""
    if size < 1:
        return f"{sign}{number(size * 1000, 2)} ms"
    if size < 60:
        return f"{sign}{number(size, 2)} s"
    whole = round(size)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{sign}{minutes} min {rest:02d} s" if rest else f"{sign}{minutes} min"
    if whole < 48 * 3600:
        hours, rest = divmod(round(size / 60), 60)
        return f"{sign}{hours} h {rest:02d} min" if rest else f"{sign}{hours} h"
    days, rest = divmod(round(size / 3600), 24)
    return f"{sign}{days} d {rest} h" if rest else f"{sign}{days} d"


def plural(n: int, one: str, many: str = "") -> str:
    """``1 criterion``, ``3 criteria``."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def joined(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def short(digest: str, length: int = 12) -> str:
    """The first characters of a digest."""
    return digest[:length]


def moment(value: Any) -> datetime | None:
    """An aware moment from a datetime, an ISO text or epoch seconds; none when it is none."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
        return found if found.tzinfo else None
    return None


class Times:
    """How the moments of one watch are written.

    Args:
        zone: IANA name; one the machine does not know is read as UTC, and ``zone`` says so.
        first, last: the ends of the watch; a change of the offset between them shows it
            beside every time.
    """

    def __init__(self, zone: str, first: datetime, last: datetime) -> None:
        try:
            self._zone = ZoneInfo(zone)
            self.zone = zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._zone = ZoneInfo("UTC")
            self.zone = f"UTC ({one_line(zone, 60)} is not known here)"
        self.mixed = self.offset(first) != self.offset(last)
        self.says = self._says(first)

    def _says(self, first: datetime) -> str:
        if self.zone == "UTC":
            return "UTC"
        told = "; in the sentences of verdicts UTC, and marked so"
        if self.mixed:
            return f"{self.zone}; the offset changes, so it stands beside each time{told}"
        return f"{self.offset(first)} ({self.zone}){told}"

    def local(self, at: datetime) -> datetime:
        """``at`` in the watch's zone."""
        return at.astimezone(self._zone)

    def offset(self, at: datetime) -> str:
        """``UTC+01:00``."""
        behind = self.local(at).utcoffset() or timedelta()
        minutes = round(behind.total_seconds() / 60)
        sign = "−" if minutes < 0 else "+"
        return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    def _mark(self, at: datetime) -> str:
        return f" {self.offset(at)}" if self.mixed else ""

    def clock(self, at: datetime, seconds: bool = False) -> str:
        """``04:15``, or ``04:17:04``."""
        return self.local(at).strftime("%H:%M:%S" if seconds else "%H:%M") + self._mark(at)

    def date(self, at: datetime) -> str:
        """``22 Dec``."""
        here = self.local(at)
        return f"{here.day} {here.strftime('%b')}"

    def full(self, at: datetime, seconds: bool = False) -> str:
        """``22 Dec 04:15``."""
        return f"{self.date(at)} {self.clock(at, seconds)}"

    def whole(self, at: datetime) -> str:
        """``22 Dec 2025 04:15``, for what may lie in another year."""
        return f"{self.date(at)} {self.local(at).year} {self.clock(at)}"

    def dated(self, at: datetime) -> str:
        """``22 December 2025 at 12:41``."""
        here = self.local(at)
        return f"{here.day} {here.strftime('%B %Y')} at {self.clock(at)}"

    def tag(self, at: datetime, form: str = "full") -> Markup:
        """A ``<time>`` element; ``form``: clock, seconds, date, full, long, dated."""
        text = {
            "clock": lambda: self.clock(at),
            "seconds": lambda: self.clock(at, True),
            "date": lambda: self.date(at),
            "full": lambda: self.full(at),
            "long": lambda: self.full(at, True),
            "dated": lambda: self.dated(at),
        }[form]()
        iso = self.local(at).isoformat(timespec="seconds")
        return Markup('<time datetime="{}">{}</time>').format(iso, escape(text))
