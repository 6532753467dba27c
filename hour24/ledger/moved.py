"""Whether the addresses of production changed, and whether a person confirmed it.

Rules of this module:

- The beginning is ``watch.json``; if that has no addresses, the first record with some.
- A person confirms a change after it was recorded: ``moved.N.json`` has the addresses of a record.
  It covers every record with exactly these addresses.
- A record without addresses after one with addresses is a change that cannot be confirmed. Before
  that, an older version may have written it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from msgspec import Struct

from hour24.ledger.book import Ledger
from hour24.ledger.record import name_of

PROBED = ("service.control_url", "health.", "endpoints.", "websocket.")
"""Beginnings of paths in production.toml with addresses that the prober requests."""


class Change(Struct, frozen=True, kw_only=True):
    """One record with changed addresses.

    Args:
        file: of the record.
        watched: its addresses.
        says: what differs from the beginning, a line for each path.
        by, because: who declared it, and why; empty when no one did.
    """

    file: str
    watched: dict[str, str]
    says: tuple[str, ...]
    by: str = ""
    because: str = ""


def beginning(ledger: Ledger) -> dict[str, str]:
    """Return the addresses of production at the beginning; empty for a rehearsal."""
    first = next((one.watched for one in ledger.as_written() if one.watched), {})
    return ledger.genesis.watched or first


def changes(ledger: Ledger) -> tuple[Change, ...]:
    """Return every record with other addresses than the beginning, by hour and attempt."""
    before = beginning(ledger)
    declared = {
        _key(entry.content["watched"]): (entry.content["by"], entry.content["because"])
        for entry in ledger.entries()
        if entry.kind == "moved" and not entry.problem
    }
    written = ledger.as_written()
    silent = takewhile(lambda one: not (ledger.genesis.watched or one.watched), written)
    older = {(one.hour, one.attempt) for one in silent}
    found = []
    for record in ledger.records():
        if record.watched == before or (record.hour, record.attempt) in older:
            continue
        says = differences(before, record.watched)
        by, because = declared.get(_key(record.watched), ("", ""))
        if not record.watched:
            says, by, because = ("expected the addresses of production, got none",), "", ""
        found.append(
            Change(
                file=name_of(record.hour, record.attempt),
                watched=record.watched,
                says=says,
                by=by,
                because=because,
            )
        )
    return tuple(found)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return what differs, a line for each path: ``health.url: expected X, got Y``."""
    return tuple(
        f"{path}: expected {before.get(path, 'none')}, got {after.get(path, 'none')}"
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def probe_differences(ledger: Ledger, found: Mapping[str, str]) -> tuple[str, ...]:
    """Return how the addresses of a prober differ from those at the beginning of the watch.

    Returns: nothing when a record already has these addresses, since the ledger shows the change.
    """
    before = _probed_addresses(beginning(ledger))
    mine = _probed_addresses(found)
    if not before or any(_probed_addresses(one.watched) == mine for one in ledger.records()):
        return ()
    return differences(before, mine)


def _probed_addresses(watched: Mapping[str, str]) -> dict[str, str]:
    return {path: address for path, address in watched.items() if path.startswith(PROBED)}


def _key(watched: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(watched.items())
