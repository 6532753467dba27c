"""Events of the service on the platform: failures, restarts, deploys, plan changes.

Rules of this module:

- The start of the window is sent with every page: without it Render answers for the last hour.
- Types are passed on as they are, since Render adds new ones; their details become text.
- An empty list is an answer once Render has shown that the token sees the service.

Source: ``GET /services/{serviceId}/events``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from hour24.asking.answers import Time, is_within, misread, read_answer, stamp
from hour24.asking.client import Asking
from hour24.errors import SourceIncomplete
from hour24.evidence import Listing
from hour24.watch import Window
from hour24.witnesses.render.api import Listed, ServiceApi

LONGEST = 300
ENDED = frozenset({"server_failed", "server_restarted", "server_hardware_failure"})
"""Types that mean a process ended and another began."""


class Event(Struct, frozen=True):
    """An event; its details depend on its type."""

    id: str
    timestamp: Time
    type: str
    details: dict[str, Any] | None = None


class ListedEvent(Listed, frozen=True, kw_only=True):
    """An event as the list holds it."""

    event: Event


class Service(Struct, frozen=True):
    """``GET /services/{serviceId}``."""

    id: str


def events(api: ServiceApi, window: Window) -> Listing:
    """Return ``{id, at, type, process, details, instance, deploy}``, oldest first.

    ``process`` is ``ended`` where a process ended, whatever the type is called; ``details`` is
    text; ``instance`` and ``deploy`` are ids, empty where absent.

    Where a later page fails or is past the cap, the newest of them, and then not complete.
    """
    with api.asking("events", window) as asking:
        params = [("startTime", stamp(window.start)), ("endTime", stamp(window.end))]
        found: dict[str, dict[str, Any]] = {}
        seen, cut = 0, ""
        try:
            for page, where in api.pages(asking, "events", ListedEvent, params):
                for index, item in enumerate(page):
                    seen += 1
                    event = item.event
                    if is_within(window, event.timestamp, f"{where}[{index}].event.timestamp"):
                        found.setdefault(event.id, _as_item(event))
        except SourceIncomplete as problem:
            cut = str(problem)
        if not seen:
            _check_visible(api, asking)
        return Listing(
            question=asking.question(),
            what="events",
            items=tuple(sorted(found.values(), key=lambda event: (event["at"], event["id"]))),
            complete=not cut,
            note=cut,
            seen=seen,
        )


def _as_item(event: Event) -> dict[str, Any]:
    details = event.details or {}
    return {
        "id": event.id,
        "at": event.timestamp,
        "type": event.type,
        "process": "ended" if event.type in ENDED else "",
        "details": ", ".join(_texts(details))[:LONGEST],
        "instance": _id(details, "instanceID"),
        "deploy": _id(details, "deployId"),
    }


def _texts(details: Any, name: str = "") -> Iterator[str]:
    """Yield ``reason nonZeroExit 137`` for each detail that is not null, false or empty."""
    if isinstance(details, dict):
        for key, value in details.items():
            yield from _texts(value, f"{name} {key}".strip())
    elif isinstance(details, list):
        for value in details:
            yield from _texts(value, name)
    elif details is True:
        yield name
    elif details not in (None, False, ""):
        yield f"{name} {details}"


def _id(details: dict[str, Any], key: str) -> str:
    value = details.get(key)
    return value if isinstance(value, str) else ""


def _check_visible(api: ServiceApi, asking: Asking) -> None:
    """Check that the token sees the service. Raises: SourceError, when it does not."""
    where = f"{asking.where}: service"
    document = api.document(asking, f"/services/{api.at.service}")
    service = read_answer(document, Service, where)
    if service.id != api.at.service:
        raise misread(f"{where}.id", api.at.service, service.id)
