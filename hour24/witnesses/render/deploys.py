"""Deploys of the service.

Rules of this module:

- Deploys are read newest first, back to the live one and to a day before the window, so that a
  slow deploy is not missed.
- Only the id is required. A deploy without any time is kept, since it may lie in the window.
- A running service was deployed at least once: an empty list is no answer.

Source: ``GET /services/{serviceId}/deploys``.
"""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from hour24.asking.answers import Time
from hour24.errors import SourceEmpty, SourceIncomplete
from hour24.evidence import Listing
from hour24.watch import Window
from hour24.witnesses.render.api import Listed, ServiceApi

BACK_S = 86_400.0
"""A deploy that began more than a day before the window has ended by then."""
LIVE = "live"
SERVED = frozenset({"", LIVE, "deactivated"})
"""Statuses of a deploy that has served requests; an empty one may have."""
UNDER_WAY = frozenset(
    {"created", "queued", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"}
)


class Commit(Struct, frozen=True):
    """The commit of a deploy."""

    id: str | None = None


class Deploy(Struct, frozen=True, rename="camel"):
    """A deploy."""

    id: str
    status: str | None = None
    trigger: str | None = None
    commit: Commit | None = None
    created_at: Time | None = None
    started_at: Time | None = None
    finished_at: Time | None = None


class ListedDeploy(Listed, frozen=True, kw_only=True):
    """A deploy as the list holds it."""

    deploy: Deploy


def deploys(api: ServiceApi, window: Window) -> Listing:
    """Return ``{id, status, served, trigger, commit, created, started, finished}``, oldest first.

    Times are epoch seconds, None where absent. ``about`` holds the id of the ``live`` deploy.

    Where a later page fails or is past the cap, the newest of them, and then not complete.

    Raises: SourceEmpty, when there is no deploy at all.
    """
    with api.asking("deploys", window) as asking:
        found: dict[str, dict[str, Any]] = {}
        cut = ""
        try:
            for page, _ in api.pages(asking, "deploys", ListedDeploy, ()):
                for item in page:
                    deploy = _as_item(item.deploy)
                    found.setdefault(deploy["id"], deploy)
                if _far_enough(list(found.values()), window):
                    break
        except SourceIncomplete as problem:
            cut = str(problem)
        if not found:
            asking.refuse(SourceEmpty, "expected at least the deploy that runs, got none")
        live = [deploy["id"] for deploy in found.values() if deploy["status"] == LIVE]
        kept = [deploy for deploy in found.values() if _concerns(deploy, window)]
        return Listing(
            question=asking.question(),
            what="deploys",
            items=tuple(sorted(kept, key=lambda deploy: (_first(deploy), deploy["id"]))),
            complete=not cut,
            note=cut,
            seen=len(found),
            about={"live": live[0] if live else None},
        )


def _as_item(deploy: Deploy) -> dict[str, Any]:
    status = deploy.status or ""
    return {
        "id": deploy.id,
        "status": status,
        "served": status in SERVED,
        "trigger": deploy.trigger or "",
        "commit": (deploy.commit and deploy.commit.id) or "",
        "created": deploy.created_at,
        "started": deploy.started_at,
        "finished": deploy.finished_at,
    }


def _times(deploy: dict[str, Any]) -> list[float]:
    times = (deploy[name] for name in ("created", "started", "finished"))
    return [at for at in times if at is not None]


def _first(deploy: dict[str, Any]) -> float:
    return min(_times(deploy), default=0.0)


def _far_enough(found: list[dict[str, Any]], window: Window) -> bool:
    oldest = _times(found[-1])
    live = any(deploy["status"] == LIVE for deploy in found)
    return live and bool(oldest) and max(oldest) < window.start.timestamp() - BACK_S


def _concerns(deploy: dict[str, Any], window: Window) -> bool:
    """True if it was under way in the window, is live, or has no time."""
    times = _times(deploy)
    if deploy["status"] == LIVE or not times:
        return True
    until = math.inf if deploy["status"] in UNDER_WAY else max(times)
    return min(times) < window.end.timestamp() and until >= window.start.timestamp()
