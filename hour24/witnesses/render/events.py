"""What the platform did to the service: failures, restarts, deploys, changes of its plan.

Rules of this room:

- The start of the window is sent with every page: without it Render answers for the last hour.
- Types are taken as they are told; there are new ones now and then. What they say of
  themselves becomes words.
- No event is an answer when the service itself is seen.

Source: ``GET /services/{serviceId}/events``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hour24.asking.answers import holds, member, misread, moment, object_of, perhaps, stamp, text
from hour24.asking.client import Asking
from hour24.evidence import Listing
from hour24.watch import Window
from hour24.witnesses.render.place import Place

LONGEST = 300
ENDED = frozenset({"server_failed", "server_restarted", "server_hardware_failure"})
"""Types that say that a process ended and another began."""


def events(place: Place, window: Window) -> Listing:
    """``{id, at, type, process, details, instance, deploy}``, oldest first.

    ``process`` is ``ended`` where one ended, whatever the type is called; ``details`` in words;
    ``instance`` and ``deploy`` are ids, empty where not told.

    Raises: SourceIncomplete, past the page cap.
    """
    with place.asking("events", window) as asking:
        params = [("startTime", stamp(window.start)), ("endTime", stamp(window.end))]
        found: dict[str, dict[str, Any]] = {}
        seen = 0
        for page in place.pages(asking, "events", "event", params):
            for where, told in page:
                seen += 1
                event = _event(told, where)
                if holds(window, event["at"], f"{where}.timestamp"):
                    found.setdefault(event["id"], event)
        if not seen:
            _see(place, asking)
        return Listing(
            question=asking.question(),
            what="events",
            items=tuple(sorted(found.values(), key=lambda event: (event["at"], event["id"]))),
            seen=seen,
        )


def _event(told: dict[str, Any], where: str) -> dict[str, Any]:
    details = perhaps(told, "details", where, object_of) or {}
    kind = member(told, "type", where, text)
    return {
        "id": member(told, "id", where, text),
        "at": member(told, "timestamp", where, moment),
        "type": kind,
        "process": "ended" if kind in ENDED else "",
        "details": ", ".join(_words(details))[:LONGEST],
        "instance": _id(details, "instanceID"),
        "deploy": _id(details, "deployId"),
    }


def _words(details: Any, name: str = "") -> Iterator[str]:
    """``reason nonZeroExit 137``, of each thing told; what is null, false or empty is not."""
    if isinstance(details, dict):
        for key, value in details.items():
            yield from _words(value, f"{name} {key}".strip())
    elif isinstance(details, list):
        for value in details:
            yield from _words(value, name)
    elif details is True:
        yield name
    elif details not in (None, False, ""):
        yield f"{name} {details}"


def _id(details: dict[str, Any], key: str) -> str:
    value = details.get(key)
    return value if isinstance(value, str) else ""


def _see(place: Place, asking: Asking) -> None:
    """Raises: SourceError, when the token does not see the service."""
    where = f"{asking.where}: service"
    service = object_of(place.document(asking, f"/services/{place.at.service}"), where)
    if member(service, "id", where, text) != place.at.service:
        raise misread(f"{where}.id", place.at.service, service["id"])
