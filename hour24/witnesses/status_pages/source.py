"""The vendors' status pages: what they say is not well; advisory, never judged.

Rules of this module:

- A page that cannot be read says so and is not a page on which all is well; the others are read
  all the same.
- A word that we do not know is not well.
- Names come many times, once a region: the worst of them stands for all.
- What a page says is text of others: cut, and passed on as text.

Source: Statuspage's public ``api/v2/summary.json``; Better Stack's ``index.json``, which is JSON
whatever type it claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hour24.asking.answers import list_of, member, moment, object_of, objects, perhaps, text
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


class StatusPages:
    """Pages that anyone may read, asked one after another."""

    def __init__(
        self, pages: Sequence[StatusPage], clock: Clock, *, budget_s: float = TOGETHER_S
    ) -> None:
        self.pages = tuple(pages)
        self.clock = clock
        self.left_s = budget_s

    def incidents(self) -> dict[str, Evidence]:
        """What is not well, by the page's name.

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
        body = object_of(asking.document("/index.json"), asking.where)
        items, seen = _better_stack(body, asking.where)
    else:
        body = object_of(asking.document("/api/v2/summary.json"), asking.where)
        items, seen = _statuspage(body, asking.where)
    return Listing(
        question=asking.question(),
        note="advisory, never judged",
        what="incidents",
        items=tuple({"page": page.name, **item} for item in items),
        seen=seen,
    )


def _statuspage(body: Item, where: str) -> tuple[list[Item], int]:
    """What is not well on a page of Statuspage's form, and how many things it tells of."""
    status = member(body, "status", where, object_of)
    indicator = member(status, "indicator", f"{where}.status", text)
    incidents = list(objects(member(body, "incidents", where, list_of), f"{where}.incidents"))
    maintenance = list(
        objects(body.get("scheduled_maintenances") or [], f"{where}.scheduled_maintenances")
    )
    items = [
        item
        for place, each in (*incidents, *maintenance)
        if (item := _incident(each, place))["status"] not in OVER
    ]
    components = [
        (member(each, "name", place, text), member(each, "status", place, text))
        for place, each in objects(
            member(body, "components", where, list_of), f"{where}.components"
        )
    ]
    items += _unwell(components)
    if indicator != "none" and not items:
        description = perhaps(status, "description", f"{where}.status", text)
        items.append(_item(description or "the whole page", indicator))
    return items, len(incidents) + len(maintenance) + len(components)


def _incident(told: Item, where: str) -> Item:
    updates = list_of(told.get("incident_updates") or [], f"{where}.incident_updates")
    newest = updates[0] if updates and isinstance(updates[0], dict) else {}
    return _item(
        member(told, "name", where, text),
        member(told, "status", where, text),
        impact=perhaps(told, "impact", where, text) or "",
        at=perhaps(told, "created_at", where, moment),
        says=str(newest.get("body") or ""),
    )


def _better_stack(body: Item, where: str) -> tuple[list[Item], int]:
    """What is not well on a page of Better Stack's form, and how many things it tells of."""
    data = member(body, "data", where, object_of)
    about = member(data, "attributes", f"{where}.data", object_of)
    state = member(about, "aggregate_state", f"{where}.data.attributes", text)
    resources = []
    for place, each in objects(body.get("included") or [], f"{where}.included"):
        if each.get("type") == "status_page_resource":
            told = member(each, "attributes", place, object_of)
            place = f"{place}.attributes"
            resources.append(
                (member(told, "public_name", place, text), member(told, "status", place, text))
            )
    items = list(_unwell(resources))
    if state not in WELL and not items:
        items.append(_item("the whole page", state))
    return items, len(resources) + 1


def _unwell(components: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """The components that are not well, each name once with its worst word."""
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
