"""Words that several objectives share: foreign text, counts, shares, stretches of time.

Rules of this module:

- Text of the system under watch stands in a reason on one line, cut, without anything that would
  act on a terminal or turn the direction of reading.
- A share below 1 is never written as 100 %, one above 0 never as 0 %.
- A claim is about a window, and the window is named; moments are UTC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hour24.evidence import Evidence, Listing
from hour24.watch import Window

LONGEST = 100
MOST_TOLD = 3
NOT_ALL = "these are not all there were: the answer was cut off"


def said(text: Any, longest: int = LONGEST) -> str:
    """``text`` on one line, printable, at most ``longest`` characters and three dots."""
    words = " ".join(str(text)[: 8 * longest].split())
    kept = "".join(c for c in words if c.isprintable())
    return kept if len(kept) <= longest else f"{kept[:longest]}..."


def several(told: Sequence[str], most: int = MOST_TOLD) -> str:
    """``a; b; c; and 4 more``."""
    more = len(told) - most
    return "; ".join(told[:most]) + (f"; and {count(more)} more" if more > 0 else "")


def count(number: float) -> str:
    """A whole number: ``1,354``."""
    return f"{round(number):,}"


def many(number: int, one: str, more: str = "") -> str:
    """``1 event``, ``1,354 events``."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def percent(share: float) -> str:
    """A share (0 to 1) in per cent: ``0.22 %``, ``12.5 %``, ``99.9 %``, ``0.0031 %``."""
    value = 100 * share
    if 0 < value < 0.01:
        return f"{value:.2g} %"
    places = 2 if value < 10 else 1
    value = round(value, places)
    if share < 1 and value >= 100:
        value = math.floor(1000 * share) / 10
    return f"{value:.{places}f}".rstrip("0").rstrip(".") + " %"


def times(factor: float) -> str:
    """A factor: ``×1.19``, ``×12``, ``over ×100``."""
    if factor > 100:
        return "over ×100"
    return f"×{factor:.0f}" if factor >= 10 else f"×{factor:.2f}".rstrip("0").rstrip(".")


def hours(length: float) -> str:
    """A length of time in hours: ``4 h``, ``0.5 h``."""
    return f"{length:.3g} h"


def over(window: Window | None) -> str:
    """`` in the 4 h until 09:55 UTC``, with a space before it; empty when it has no window."""
    if window is None:
        return ""
    return f" in the {hours(window.hours)} until {window.end.astimezone(UTC):%H:%M} UTC"


def clock(at: float) -> str:
    """A moment (epoch seconds): ``06:00 UTC``."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M} UTC"


def listing(evidence: Evidence, name: str) -> Listing:
    """``evidence``, a listing. Raises: TypeError, when it is none."""
    if not isinstance(evidence, Listing):
        raise TypeError(f"{name}: expected a Listing, got {type(evidence).__name__}")
    return evidence


def window_of(evidence: Evidence, name: str) -> Window:
    """The stretch of time it speaks of. Raises: TypeError, when it tells none."""
    window = evidence.question.window
    if window is None or window.seconds <= 0:
        raise TypeError(f"{name}: expected a window with a length, got {window}")
    return window
