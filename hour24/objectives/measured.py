"""Measurements as verdicts say them: values, lengths of time, moments, how much was seen.

Rules of this module:

- How much was seen is rounded down: what was not seen whole is never written as 100 %.
- Moments are UTC; the page knows the watch's zone, a verdict does not.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from hour24.evidence import Document, Evidence


def value(number: float) -> str:
    """A measurement to three digits: ``1.42``, ``123``, ``1,413``."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def seen(share: float) -> str:
    """How much was seen (0 to 1), in per cent: ``99.7 %``."""
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def span(seconds: float) -> str:
    """A length of time: ``44 s``, ``12 min``, ``2.5 h``."""
    if seconds < 600:
        return f"{seconds:.3g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def moment(at: float) -> str:
    """Epoch seconds as ``2026-11-24 10:03:20Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def epoch(told: Any) -> float | None:
    """A moment as epoch seconds, from a number or an ISO text; none when it is none."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        return float(told) if math.isfinite(told) else None
    if isinstance(told, str):
        try:
            found = datetime.fromisoformat(told)
        except ValueError:
            return None
        return found.timestamp() if found.tzinfo is not None else None
    return None


def unheard(control: Evidence | None) -> bool:
    """Whether the control address gave no answer at all: then our own network may be down."""
    return isinstance(control, Document) and control.silent
