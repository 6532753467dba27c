"""Whether production was found where it was at the beginning, and what a person declared of it.

Rules of this module:

- The beginning is ``watch.json``; in a ledger that says nothing there, the first record.
- A change is declared by a person, after it was seen: ``moved.N.json`` names the addresses of a
  record. It covers every record with just these, and no other.
- A record that does not say where it looked, after the ledger has said it, is a change that nobody
  can declare. Before, an older version may have written it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from msgspec import Struct

from hour24.ledger.book import Ledger
from hour24.ledger.record import name_of

PROBED = ("service.control_url", "health.", "endpoints.", "websocket.")
"""Places in production.toml that a prober asks."""


class Change(Struct, frozen=True, kw_only=True):
    """One record that found production elsewhere.

    Args:
        file: of the record.
        watched: where it looked.
        says: what differs from the beginning, a line for each place.
        by, because: who declared it, and why; empty when nobody did.
    """

    file: str
    watched: dict[str, str]
    says: tuple[str, ...]
    by: str = ""
    because: str = ""


def beginning(ledger: Ledger) -> dict[str, str]:
    """Where production was found at the beginning; empty for a rehearsal."""
    first = next((one.watched for one in ledger.as_written() if one.watched), {})
    return ledger.genesis.watched or first


def changes(ledger: Ledger) -> tuple[Change, ...]:
    """Every record that found production elsewhere than at the beginning, by hour and attempt."""
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
            says, by, because = ("expected where production was found, got none",), "", ""
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
    """What differs, a line for each place: ``health.url: expected X, got Y``."""
    return tuple(
        f"{place}: expected {before.get(place, 'none')}, got {after.get(place, 'none')}"
        for place in sorted({*before, *after})
        if before.get(place) != after.get(place)
    )


def elsewhere(ledger: Ledger, found: Mapping[str, str]) -> tuple[str, ...]:
    """How what a prober would ask differs from what this watch asked at the beginning.

    Nothing, where a record has already found it there: the change is told by the ledger then.
    """
    before = _probed(beginning(ledger))
    mine = _probed(found)
    if not before or any(_probed(one.watched) == mine for one in ledger.records()):
        return ()
    return differences(before, mine)


def _probed(watched: Mapping[str, str]) -> dict[str, str]:
    return {place: told for place, told in watched.items() if place.startswith(PROBED)}


def _key(watched: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(watched.items())
