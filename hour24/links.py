"""Links from pages to other systems: the error tracker, the logs, status pages, the runbook.

Rules of this module:

- A link is an address from production.toml; a source's answer adds an id or a time, never a host.
- Only https without a login is a link; anything else stays text.
- An id is letters, digits, ``-`` and ``_``; nothing else is put into an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from hour24.linear import shipped

ISSUE = "{issue}"
LONGEST = 2_000
"""Characters of an address; browsers and servers refuse much longer ones."""
LONGEST_ID = 64
_ADDRESS = shipped(
    r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]*)?",
    longest=LONGEST,
)
_ID = shipped(r"[A-Za-z0-9][A-Za-z0-9_-]*", longest=LONGEST_ID)
_FIELD = shipped(r"\{([a-z_]{1,40})\}", longest=LONGEST + 1)
TIMES = ("start", "end", "start_s", "end_s", "start_ms", "end_ms")
"""Fields of the address of logs: UTC as ISO 8601, epoch seconds, epoch milliseconds."""


class Links(Struct, frozen=True, kw_only=True):
    """The addresses that pages may link to, as production.toml configured them.

    Args:
        issues: section of the error tracker -> address with ``{issue}``.
        logs: address with ``{start}`` and ``{end}``; empty: none.
        runbook: address that ``#CODE`` is added to; empty: the page has its own entries.
        status: name of a vendor -> address of its status page.
    """

    issues: dict[str, str] = {}
    logs: str = ""
    runbook: str = ""
    status: dict[str, str] = {}


def is_link(address: str) -> bool:
    """Return whether this is a whole https address without a login."""
    return len(address) <= LONGEST and _ADDRESS.fullmatch(address) is not None


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Return an address with its fields filled in; empty if it is then no link."""
    address = substitute(template, fields)
    return address if is_link(address) else ""


def substitute(template: str, fields: Mapping[str, str]) -> str:
    """Return an address with these fields filled in; other fields stay."""
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), template[: LONGEST + 1])


def fields_of(template: str) -> set[str]:
    """Return the names of the fields of an address."""
    return set(_FIELD.findall(template))


def issue(template: str, name: Any) -> str:
    """Return the address of an issue; empty if its id is no id."""
    return fill(template, {"issue": str(name)}) if _is_id(str(name)) else ""


def _is_id(text: str) -> bool:
    return len(text) <= LONGEST_ID and _ID.fullmatch(text) is not None


def logs(template: str, start: datetime, end: datetime) -> str:
    """Return the address of the logs of this period; empty if there is none."""
    fields = {}
    for name, at in (("start", start), ("end", end)):
        fields[name] = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        fields[f"{name}_s"] = str(int(at.timestamp()))
        fields[f"{name}_ms"] = str(int(at.timestamp() * 1000))
    return fill(template, fields)


def runbook(base: str, code: str) -> str:
    """Return the address of a code's entry in the runbook; empty if there is none."""
    return fill(f"{base}#{code}", {}) if base and _is_id(code) else ""
