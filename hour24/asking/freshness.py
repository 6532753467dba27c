"""Recognises answers that came from a cache between us and the service.

Rules of this module:

- A cache says so in a header: an ``Age`` above 0, a hit in its status header, two ids in
  ``X-Varnish``. A miss, a bypass, an expired copy and a revalidation reached the service.
- It imports little but the standard library: the prober uses it too.

Source: RFC 9111 5.1 (Age), RFC 9211 (Cache-Status); vendors' documentation of their headers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
