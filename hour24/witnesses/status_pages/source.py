"""The vendors' status pages: incidents and components that are not well; never judged.

Rules of this module:

- A page that cannot be read is reported as such, never as a page on which all is well; the other
  pages are read all the same.
- An unknown status counts as not well.
- A component may appear once per region: it is listed once, with its worst status.
- A page's texts are a third party's: they are cut, and passed on as text.

Source: Statuspage's public ``api/v2/summary.json``; Better Stack's ``index.json``, which is JSON
whatever type it claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from hour24.asking.answers import Time, read_answer
from hour24.asking.client import ApiClient, Asking
from hour24.clock import Clock
from hour24.errors import SourceError
from hour24.evidence import Evidence, Listing, Unanswered
from hour24.witnesses.status_pages import StatusPage

TIMEOUT_S = 8.0
BUDGET_S = 20.0
"""Of one page."""
TOGETHER_S = 90.0
"""Of all pages, when they are asked by hand."""
LONGEST = 300
WELL = frozenset({"operational", "not_monitored"})
"""Of a component; ``not_monitored`` is no news either way."""
BETTER_FIRST = (
    "operational",
    "not_monitored",
    "under_maintenance",
    "maintenance",
    "degraded_performance",
    "degraded",
    "partial_outage",
    "major_outage",
    "downtime",
)
OVER = frozenset({"resolved", "postmortem", "completed", "scheduled"})
Item = dict[str, Any]


class PageStatus(Struct, frozen=True):
    """The status of a whole page."""

    indicator: str
    description: str | None = None


class Incident(Struct, frozen=True):
    """An incident or a scheduled maintenance; the newest update comes first."""

    name: str
    status: str
    impact: str | None = None
    created_at: Time | None = None
    incident_updates: list[Any] | None = None


class Component(Struct, frozen=True):
    """A component of a page."""

    name: str
    status: str


class Summary(Struct, frozen=True):
    """Statuspage's ``api/v2/summary.json``."""

    status: PageStatus
    incidents: list[Incident]
    components: list[Component]
    scheduled_maintenances: list[Incident] | None = None


class AggregateState(Struct, frozen=True):
    """The status of a whole page."""

    aggregate_state: str


class PageData(Struct, frozen=True):
    """The page itself."""

    attributes: AggregateState


class Included(Struct, frozen=True):
    """A section or a resource of a page; only the attributes of a resource are read."""

    type: Any = None
    attributes: Any = None


class Resource(Struct, frozen=True):
    """The attributes of a ``status_page_resource``."""

    public_name: str
    status: str


class Index(Struct, frozen=True):
    """Better Stack's ``index.json``."""

    data: PageData
    included: list[Included] | None = None


class StatusPages:
    """Public status pages, asked one after another."""

    def __init__(
        self, pages: Sequence[StatusPage], clock: Clock, *, budget_s: float = TOGETHER_S
    ) -> None:
        self.pages = tuple(pages)
        self.clock = clock
        self.left_s = budget_s

    def incidents(self) -> dict[str, Evidence]:
        """Return what is not well, by the page's name.

        Returns: for each page a listing of items ``page``, ``name``, ``status``, ``impact``,
            ``at`` (epoch seconds, or none) and ``says``; or Unanswered.
        Raises: SourceError, when not one of the pages can be read.
        """
        found: dict[str, Evidence] = {}
        problems: list[SourceError] = []
        for page in self.pages:
            client = ApiClient(
                f"status page {page.name}",
                page.url,
                self.clock,
                timeout_s=TIMEOUT_S,
                budget_s=min(BUDGET_S, self.left_s),
                same_clock=False,
            )
            asking = client.asking("incidents")
            try:
                found[page.name] = _listing(page, asking)
            except SourceError as problem:
                problem.question = asking.question()
                problems.append(problem)
                found[page.name] = Unanswered(
                    question=asking.question(), code=problem.code, reason=str(problem)
                )
            self.left_s -= client.budget_s - client.left_s
        if problems and len(problems) == len(self.pages):
            raise problems[0]
        return found


def _listing(page: StatusPage, asking: Asking) -> Listing:
    if page.form == "betterstack":
        index = read_answer(asking.document("/index.json"), Index, asking.where)
        items, seen = _better_stack(index, asking.where)
    else:
        summary = read_answer(asking.document("/api/v2/summary.json"), Summary, asking.where)
        items, seen = _statuspage(summary)
    return Listing(
        question=asking.question(),
        note="advisory, never judged",
        what="incidents",
        items=tuple({"page": page.name, **item} for item in items),
        seen=seen,
    )


def _statuspage(page: Summary) -> tuple[list[Item], int]:
    """Return what is not well on a Statuspage page, and how many things the page lists."""
    incidents = [*page.incidents, *(page.scheduled_maintenances or [])]
    items = [_incident(each) for each in incidents if each.status not in OVER]
    items += _not_well((each.name, each.status) for each in page.components)
    if page.status.indicator != "none" and not items:
        items.append(_item(page.status.description or "the whole page", page.status.indicator))
    return items, len(incidents) + len(page.components)


def _incident(incident: Incident) -> Item:
    updates = incident.incident_updates or []
    newest = updates[0] if updates and isinstance(updates[0], dict) else {}
    return _item(
        incident.name,
        incident.status,
        impact=incident.impact or "",
        at=incident.created_at,
        says=str(newest.get("body") or ""),
    )


def _better_stack(page: Index, where: str) -> tuple[list[Item], int]:
    """Return what is not well on a Better Stack page, and how many things the page lists."""
    state = page.data.attributes.aggregate_state
    resources = [
        read_answer(each.attributes, Resource, f"{where}.included[{index}].attributes")
        for index, each in enumerate(page.included or [])
        if each.type == "status_page_resource"
    ]
    items = list(_not_well((each.public_name, each.status) for each in resources))
    if state not in WELL and not items:
        items.append(_item("the whole page", state))
    return items, len(resources) + 1


def _not_well(components: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """Yield the components that are not well, each name once with its worst status."""
    worst: dict[str, str] = {}
    for name, status in components:
        worst[name] = max(worst.get(name, status), status, key=_badness)
    for name, status in worst.items():
        if status not in WELL:
            yield _item(name, status)


def _badness(status: str) -> int:
    return BETTER_FIRST.index(status) if status in BETTER_FIRST else len(BETTER_FIRST)


def _item(
    name: str, status: str, *, impact: str = "", at: float | None = None, says: str = ""
) -> Item:
    return {
        "name": name[:LONGEST],
        "status": status[:LONGEST],
        "impact": impact[:LONGEST],
        "at": at,
        "says": " ".join(says.split())[:LONGEST],
    }
