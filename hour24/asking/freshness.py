"""Whether a cache between us and the service gave an answer.

Rules of this module:

- A cache says so in a header: an ``Age`` above 0, a hit in a header of its status, two ids in
  ``X-Varnish``. A miss, a bypass, an expired copy and a revalidation went to the service.
- Only the standard library is imported: the prober reads this too.

Source: RFC 9111 5.1 (Age), RFC 9211 (Cache-Status); the vendors' own headers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NO_CACHE = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
"""What a request says that wants the service's own answer."""

_NO_STATUS = re.compile(r"-(control|key|tags?|group|ttl|ray)$")
_ASKED_ANYWAY = frozenset({"pass", "hitpass", "miss-for-pass", "refresh", "revalidated"})
_COPIES = frozenset({"hit", "stale", "updating"})
_TRUE = frozenset({"1", "true", "yes"})
_LONGEST = 40


def cached_by(headers: Mapping[str, str]) -> str:
    """The header with which a cache says that it gave this answer, as sent; empty: none did.

    Args:
        headers: names in lower case.
    """
    for name, value in headers.items():
        if _says_hit(name, value):
            shown = " ".join(value.split())
            shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
            return f"{_title(name)}: {shown if shown.isprintable() else 'a hit'}"
    return ""


def header_of(cached: str) -> str:
    """The header's name alone: one of a few, where its value may be any number."""
    return cached.partition(":")[0]


def _says_hit(name: str, value: str) -> bool:
    told = value.strip().lower()
    if name == "age":
        return any(int(each[:18]) > 0 for each in re.findall(r"\d+", told, re.ASCII))
    if name == "x-varnish":
        return len(re.findall(r"\d+", told, re.ASCII)) > 1
    if name == "via":  # Traffic Server: cH and cR are hits on disk and in memory
        return re.search(r"\[[^\]]*c[HR]", value) is not None
    if name == "warning":
        return re.match(r"11[0-2]\b", told) is not None
    if name == "server-timing":
        return re.search(r"cache[^,]*desc=\"?(?:[a-z]+[-_ ])?hit\b", told) is not None
    if "cache" not in name or _NO_STATUS.search(name):
        return False
    if name.endswith("hits"):
        return any(int(each[:18]) > 0 for each in re.findall(r"\d+", told, re.ASCII))
    if name in ("x-from-cache", "x-cached"):
        return told in _TRUE or "hit" in told
    words = set(re.findall(r"[a-z]+", told))
    if words & _ASKED_ANYWAY:
        return False
    return bool(words & ({"hit"} if name.endswith("cache-status") and "=" in told else _COPIES))


def _title(name: str) -> str:
    special = {"cf": "CF", "cdn": "CDN"}
    return "-".join(special.get(part, part.capitalize()) for part in name.split("-"))
