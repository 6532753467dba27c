"""Recognises answers that came from a cache between us and the service.

Rules of this module:

- A cache says so in a header: an ``Age`` above 0, a hit in its status header, two ids in
  ``X-Varnish``. A miss, a bypass, an expired copy and a revalidation reached the service.
- A cache without such a header keeps the ``Date`` of the stored answer. A ``Date`` that stands
  still shows it by itself. An old one could be a wrong clock, which differs from ours by a
  constant: several answers decide.
- It imports little but the standard library: the prober uses it too.

Source: RFC 9111 4.2.3 (apparent age), 5.1 (Age); RFC 9110 6.6.1 (Date); RFC 9211 (Cache-Status);
vendors' documentation of their headers.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hour24.linear import shipped

NO_CACHE = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
"""Request headers that ask for the service's own answer."""

_NO_STATUS = shipped(r"-(control|key|tags?|group|ttl|ray)$")
_DIGITS = shipped(r"\d+", re.ASCII)
_WORDS = shipped(r"[a-z]+")
_TRAFFIC_SERVER = shipped(r"\[[^\[\]]*c[HR]")
_WARNING = shipped(r"11[0-2]\b")
_DESCRIBED_HIT = shipped(r"desc=\"?(?:[a-z]+[-_ ])?hit\b")
_REACHED_SERVICE = frozenset({"pass", "hitpass", "miss-for-pass", "refresh", "revalidated"})
_COPIES = frozenset({"hit", "stale", "updating", "fresh", "prerender"})
"""Words of a hit: ``fresh`` is Rack::Cache's, ``prerender`` (a static file) Vercel's."""
_TRUE = frozenset({"1", "true", "yes"})
OLDEST_DATE_S = 60.0
"""A ``Date`` further before the request is a stored answer's, or a wrong clock's."""
APART_S = 3.0
"""Answers further apart than this tell a ``Date`` that stands still from a clock that runs."""
SAME_OFFSET_S = 1.5
"""Whole seconds and the time of an answer make a constant difference vary by this much."""
MOST_DATES = 64
NO_DATE_S = 366 * 86_400.0
"""No cache keeps an answer longer (RFC 2616 14.21): it is no real date."""
_LONGEST = 40
"""Characters of a header that are shown."""


def cached_by(headers: Mapping[str, str]) -> str:
    """Return the header by which a cache says that it sent this answer; empty if none does.

    Args:
        headers: names in lower case.
    """
    for name, value in headers.items():
        if _is_hit(name, value):
            shown = " ".join(value.split())
            shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
            return f"{_title(name)}: {shown if shown.isprintable() else 'a hit'}"
    return ""


class Dates:
    """The ``Date`` of each of the last answers of one address."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque(maxlen=MOST_DATES)

    def stored_since(self, headers: Mapping[str, str], sent: float, received: float) -> str:
        """Return how old a stored answer is, as its ``Date`` shows; empty if it shows none.

        Args:
            headers: names in lower case.
            sent, received: epoch seconds on one clock of ours.
        """
        date = date_of(headers)
        if date is None:
            return ""
        made = date.timestamp()
        if sent - made > NO_DATE_S:
            return ""
        before = list(self._seen)
        self._seen.append((sent, received, made))
        offset = sent - made
        shown = f"Date: {offset:,.0f} s before the request"
        if any(made == each[2] and sent - each[1] >= APART_S for each in before):
            return shown if offset >= 1 else "Date: the same as that of an earlier answer"
        constant = any(
            sent - each[1] >= APART_S and abs(offset - (each[0] - each[2])) <= SAME_OFFSET_S
            for each in before
        )
        return "" if offset <= OLDEST_DATE_S or constant else shown


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the ``Date`` of an answer; None without a readable one."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def header_of(cached: str) -> str:
    """Return the header's name without its value."""
    return cached.partition(":")[0]


def _is_hit(name: str, value: str) -> bool:
    text = value.strip().lower()
    if name == "age":
        return any(int(each[:18]) > 0 for each in _DIGITS.findall(text))
    if name == "x-varnish":
        return len(_DIGITS.findall(text)) > 1
    if name == "via":  # Traffic Server: cH and cR are hits on disk and in memory
        return _TRAFFIC_SERVER.search(value) is not None
    if name == "warning":
        return _WARNING.match(text) is not None
    if name == "server-timing":
        metrics = (each.partition("cache") for each in text.split(","))
        return any(_DESCRIBED_HIT.search(after) is not None for _, _, after in metrics)
    if "cache" not in name or _NO_STATUS.search(name):
        return False
    if name.endswith("hits"):
        return any(int(each[:18]) > 0 for each in _DIGITS.findall(text))
    if name in ("x-from-cache", "x-cached"):
        return text in _TRUE or "hit" in text
    words = set(_WORDS.findall(text))
    if words & _REACHED_SERVICE:
        return False
    return bool(words & ({"hit"} if name.endswith("cache-status") and "=" in text else _COPIES))


def _title(name: str) -> str:
    special = {"cf": "CF", "cdn": "CDN"}
    return "-".join(special.get(part, part.capitalize()) for part in name.split("-"))
