"""Text for people: numbers, shares, durations, times, lists, and text we did not write.

Rules of this module:

- Every function accepts any number: NaN and infinity are ``null``, and a number of 400 digits is
  written with an exponent.
- Thousands are separated by a comma, a negative number has the minus sign ``−``.
- A share below 1 is never written as 100 %, one above 0 never as 0 %; all others are rounded.
- Times are UTC. Pages use the time zone of the watch: :class:`hour24.report.times.Times`.
- Text of the system under watch may be hostile: control characters, direction overrides and
  invisible characters become visible signs, and a cut is marked with ``…``.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hour24.linear import shipped
from hour24.lines.visible import without_remnants
from hour24.watch import Window

LONGEST_LINE = 300
"""Characters of one line of foreign text."""
LONGEST_TEXT = 4000
"""Characters of one text that a page shows."""
LONGEST_NAME = 100
"""Characters of a name or message inside a sentence."""
MOST_LISTED = 3
"""Items of a list inside a sentence."""
EXACT_BELOW = 1e15
"""Above this a float cannot represent every whole number, and digits are hard to count."""
MILLISECONDS_FROM = 1e11
"""A stated time above this counts milliseconds since the epoch; below, seconds."""
LARGEST_FACTOR = 100
"""Above this the exact factor does not matter to a reader."""
NOT_A_NUMBER = "null"

# --- numbers ----------------------------------------------------------------------------------


def format_count(number: float) -> str:
    """Return a whole number: ``1,354``."""
    if not _is_finite(number):
        return NOT_A_NUMBER
    if abs(number) >= EXACT_BELOW:
        return _with_exponent(number, 3)
    return _with_sign(f"{round(number):,}")


def format_number(value: object, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits: ``1,413``, ``0.253``, ``1.5e-07``.

    Whole numbers keep all their digits. Other values are shown as text.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return one_line(value)
    if not _is_finite(value):
        return NOT_A_NUMBER
    size = abs(value)
    if size >= EXACT_BELOW:
        return _with_exponent(value, digits)
    if value == int(value) or size >= 10**digits:
        return format_count(value)
    if size < 1e-4:
        return _with_exponent(value, digits)
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    return _with_sign(_without_zeros(f"{value:,.{decimals}f}"))


LEAST_PERCENT = 1e-6
"""Less is shown as below it; a longer row of zeros is not read."""


def format_percent(share: float, decimals: int | None = None) -> str:
    """Return a share (0 to 1) in per cent: ``0.22 %``, ``12.5 %``, ``99.9 %``, ``0.0031 %``.

    Args:
        decimals: decimal places; None: 2 below 10 %, 1 above, and more for a tiny share.
    """
    if not _is_finite(share):
        return NOT_A_NUMBER
    value = 100 * share
    if abs(value) >= 1e6:
        return f"{format_number(value)} %"
    if decimals is None:
        if 0 < abs(value) < LEAST_PERCENT:
            return f"{'below ' if value > 0 else 'above −'}{LEAST_PERCENT:f} %"
        if 0 < abs(value) < 0.01:
            places = 1 - math.floor(math.log10(abs(value)))
            return f"{_with_sign(_without_zeros(f'{value:.{places}f}'))} %"
        decimals = 2 if abs(value) < 10 else 1
    rounded = round(value, decimals)
    if share > 0 and rounded <= 0:
        return f"below {10**-decimals:g} %"
    if share < 1 and rounded >= 100:
        if decimals == 0:
            return "above 99 %"
        rounded = 100 - 10**-decimals
    return f"{_with_sign(_without_zeros(f'{rounded:,.{decimals}f}'))} %"


def format_coverage(share: float) -> str:
    """Return a coverage (0 to 1) in per cent, rounded down: ``99.7 %``.

    A coverage below its limit must not appear to meet it.
    """
    if not _is_finite(share) or abs(share) >= EXACT_BELOW:
        return NOT_A_NUMBER
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def format_factor(factor: float) -> str:
    """Return a factor: ``×1.19``, ``×12``, ``over ×100``."""
    if factor > LARGEST_FACTOR:
        return f"over ×{LARGEST_FACTOR}"
    if not _is_finite(factor) or factor < 0:
        return NOT_A_NUMBER
    return f"×{factor:.0f}" if factor >= 9.995 else f"×{_without_zeros(f'{factor:.2f}')}"


def format_bytes(size: float) -> str:
    """Return a size in decimal units: ``2.50 GB``, ``12.00 MB``, ``8 kB``."""
    if not _is_finite(size):
        return NOT_A_NUMBER
    if abs(size) >= 1e18:
        return f"{_with_exponent(size, 3)} bytes"
    for unit, large in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if round(size / large, 2) >= 1:
            return f"{size / large:,.2f} {unit}"
    return f"{format_count(size / 1e3)} kB"


def _is_finite(number: float) -> bool:
    # math.isfinite raises OverflowError for an integer beyond the floats
    return isinstance(number, int) or math.isfinite(number)


def _with_exponent(number: float, digits: int) -> str:
    try:
        return _with_sign(f"{float(number):.{digits}g}")
    except OverflowError:
        return _with_sign(f"{Decimal(number):.{digits}g}")


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_sign(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else text


# --- durations and times ----------------------------------------------------------------------


def format_duration(seconds: float) -> str:
    """Return a duration in at most two units: ``24 ms``, ``44 s``, ``2 min 04 s``, ``3 d 2 h``."""
    if not _is_finite(seconds):
        return NOT_A_NUMBER
    size = abs(seconds)
    sign = "−" if seconds < 0 else ""
    if size == 0:
        return "0 s"
    if size < 0.9995:
        return f"{sign}{format_number(size * 1000, 2)} ms"
    if size < 59.5:
        return f"{sign}{format_number(size, 2)} s"
    if size >= EXACT_BELOW:
        return f"{sign}{format_number(size)} s"
    whole = round(size)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{sign}{minutes} min {rest:02d} s" if rest else f"{sign}{minutes} min"
    if whole < 48 * 3600:
        hours, rest = divmod(round(size / 60), 60)
        return f"{sign}{hours} h {rest:02d} min" if rest else f"{sign}{hours} h"
    days, rest = divmod(round(size / 3600), 24)
    count = format_count(days)
    return f"{sign}{count} d {rest} h" if rest else f"{sign}{count} d"


def format_lateness(late_s: float) -> str:
    """Return ``on time`` within a second, else ``2 min 04 s late`` or ``10 min early``."""
    if abs(late_s) < 1:
        return "on time"
    return f"{format_duration(abs(late_s))} {'late' if late_s > 0 else 'early'}"


def format_time(at: float) -> str:
    """Return epoch seconds as ``2026-11-24 10:03:20Z``."""
    found = parse_time(at)
    return NOT_A_NUMBER if found is None else f"{found:%Y-%m-%d %H:%M:%S}Z"


def format_clock(at: float) -> str:
    """Return epoch seconds as ``06:00 UTC``."""
    found = parse_time(at)
    return NOT_A_NUMBER if found is None else f"{found:%H:%M} UTC"


def format_local(time: datetime, zone: str) -> str:
    """Return ``2026-12-01 09:00 Europe/Berlin``, with the offset where the clock shows it twice."""
    here = time.astimezone(ZoneInfo(zone))
    twice = here.utcoffset() != here.replace(fold=1 - here.fold).utcoffset()
    offset = f" UTC{here.isoformat()[-6:]}" if twice else ""
    return f"{here:%Y-%m-%d %H:%M}{offset} {zone}"


def in_window(window: Window | None) -> str:
    """Return `` in the 4 h until 09:55 UTC`` with a leading space; empty without a window."""
    if window is None:
        return ""
    length = format_duration(window.seconds)
    return f" in the {length} until {window.end.astimezone(UTC):%H:%M} UTC"


def parse_time(value: Any) -> datetime | None:
    """Return an aware time from a datetime, ISO text or epoch seconds; None if it is no time."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        return found if found.tzinfo else None
    seconds = parse_epoch(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def parse_stated_time(value: Any) -> datetime | None:
    """Return the time in a document: RFC 3339, or seconds or milliseconds since the epoch.

    A time without an offset is read as UTC. None if it is no time.
    """
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        number = None if isinstance(value, str) else parse_epoch(value)
        if number is not None:
            seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def parse_epoch(value: Any) -> float | None:
    """Return epoch seconds from a number or ISO text with an offset; None if it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    found = parse_time(value) if isinstance(value, str) else None
    return None if found is None else found.timestamp()


# --- words and lists --------------------------------------------------------------------------


def plural(number: float, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 event``, ``1,354 events``, ``3 criteria``."""
    return f"{format_count(number)} {one if number == 1 else many or one + 's'}"


def count_of(part: float, whole: float) -> str:
    """Return ``1,549 of 14,329``."""
    return f"{format_count(part)} of {format_count(whole)}"


def join_words(parts: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def join_some(parts: Sequence[str], most: int = MOST_LISTED, separator: str = "; ") -> str:
    """Return the first parts and the number of others: ``a; b; c; and 4 more``."""
    more = len(parts) - most
    shown = list(parts[:most]) + ([f"and {format_count(more)} more"] if more > 0 else [])
    return separator.join(shown)


# --- cutting ----------------------------------------------------------------------------------

FEWEST_DIGITS = 4
"""A hyphenated word with at least this many digits is a machine-made id."""
_MACHINE_ID = shipped(r"(?<![\w/.:-])[a-z0-9]+(?:-[a-z0-9]+)*-([a-z0-9]{5,12})(?![\w/.:-]*\w)")
_UNIT = shipped(r"(?<=[0-9]) (?=(?:%|ms|s|min|h|d|days?|kB|MB|GB|MB/h|UTC|px)(?![A-Za-z0-9]))")


def cut(text: str, longest: int) -> str:
    """Return at most ``longest`` characters of ``text``; ``…`` marks a cut."""
    return text if len(text) <= longest else f"{text[: max(0, longest - 1)]}…"


def shorten(text: object, longest: int) -> str:
    """Return ``text`` on one line, cut after a word."""
    whole = one_line(text, LONGEST_TEXT)
    if len(whole) <= longest:
        return keep_units(whole)
    kept = whole[:longest].rsplit(" ", 1)[0].rstrip(" ,;:(")
    return f"{keep_units(kept)} …"


def shorten_ids(text: str) -> str:
    """Return ``text`` with each machine-made id cut to its last characters: ``…be79d``."""
    return _MACHINE_ID.sub(lambda found: f"…{found[1]}" if _is_id(found[0]) else found[0], text)


def _is_id(word: str) -> bool:
    digits = sum(c.isdigit() for c in word)
    return digits >= FEWEST_DIGITS and not word.isdigit()


def keep_units(text: str) -> str:
    """Return ``text`` with a no-break space between each number and its unit."""
    return _UNIT.sub("\u00a0", text)


# --- text we did not write --------------------------------------------------------------------

_SIGNS = {0: "NUL", 7: "BEL", 8: "BS", 11: "VT", 12: "FF", 13: "CR", 27: "ESC", 127: "DEL"}
_FOREIGN = shipped(r"[^\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e]")
_LOOKALIKE = str.maketrans(
    {
        "@": "＠",
        "<": "‹",
        ">": "›",
        "&": "＆",
        "`": "'",
        "*": "∗",
        "_": "＿",
        "~": "∼",
        "|": "¦",
        "[": "(",
        "]": ")",
        "\\": "⧵",
        "#": "＃",
    }
)


def escape_controls(text: str) -> str:
    """Return ``text`` with each control or invisible character as a sign: ``⟨ESC⟩``, ``⟨U+202E⟩``.

    Line ends and tabs stay. What a terminal sequence leaves without its ESC, such as ``[31m``, is
    taken out.
    """
    return _FOREIGN.sub(_sign, without_remnants(text))


def blank_controls(text: str) -> str:
    """Return ``text`` with each unprintable character replaced by a space."""
    return "".join(c if c.isprintable() else " " for c in text)


def visible(text: object, longest: int = LONGEST_TEXT) -> str:
    """Return ``text`` with control characters as signs; its end says how much was cut."""
    whole = "null" if text is None else str(text)
    shown = escape_controls(whole[:longest])
    if len(whole) > longest:
        missing = f"{format_count(len(whole) - longest)} of {format_count(len(whole))}"
        shown += f" … [cut: {missing} characters]"
    return shown


def one_line(text: object, longest: int = LONGEST_LINE) -> str:
    """Return ``text`` on one line, control characters as signs, at most ``longest`` long."""
    whole = "null" if text is None else str(text)
    # runs of spaces collapse, so a multiple of the result is read, but never a megabyte
    return cut(escape_controls(" ".join(whole[: 8 * longest].split())), longest)


def escape_for_ci(line: str) -> str:
    """Return a line that is no command to a CI runner or a terminal.

    Source: actions/runner, ``ActionCommand.cs``: ``::`` at the start of a line, after spaces;
    ``##[`` anywhere.
    """
    start = len(line) - len(line.lstrip())
    shown = escape_controls(line).replace("##[", "#\\x23[")
    return shown if shown[start : start + 2] != "::" else f"{line[:start]}\\x3a{shown[start + 1 :]}"


def escape_for_chat(text: object, longest: int = 400) -> str:
    """Return ``text`` on one line that no chat, mail or pager interprets, cut to ``longest``.

    Characters of markup, mentions and links become lookalikes; unprintable ones are removed.
    """
    words = "" if text is None else without_remnants(str(text)[: 8 * longest])
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in words)
    line = " ".join(shown.translate(_LOOKALIKE).replace("://", ": //").split())
    return cut(line, longest)


def _sign(match: re.Match[str]) -> str:
    return _sign_of(match.group())


@lru_cache(maxsize=4096)
def _sign_of(character: str) -> str:
    code = ord(character)
    if character in "\n\t\u202f":
        return character
    if code in _SIGNS:
        return f"⟨{_SIGNS[code]}⟩"
    category = unicodedata.category(character)
    if category[0] == "C" or category in ("Zl", "Zp"):
        return f"⟨U+{code:04X}⟩"
    return character
