"""Deploys of the service.

Rules of this room:

- Newest first; they are read back to the one that is live and to a day before the window, so
  that one which took long is not missed.
- Only the id is promised. A deploy that tells no moment cannot be said to lie outside.
- A service that runs was deployed once: none at all is no answer.

Source: ``GET /services/{serviceId}/deploys``.
"""

from __future__ import annotations

import math
from typing import Any

from hour24.asking.answers import member, moment, object_of, perhaps, text
from hour24.errors import SourceEmpty
from hour24.evidence import Listing
from hour24.watch import Window
from hour24.witnesses.render.place import Place

BACK_S = 86_400.0
LIVE = "live"
SERVED = frozenset({"", LIVE, "deactivated"})
"""Statuses of a deploy that came to serve, or that tells none."""
UNDER_WAY = frozenset(
    {"created", "queued", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"}
)


def deploys(place: Place, window: Window) -> Listing:
    """``{id, status, served, trigger, commit, created, started, finished}``, oldest first.

    Moments in epoch seconds, none where not told. ``about`` tells the id of the ``live`` one.

    Raises: SourceEmpty, when there is none at all; SourceIncomplete, past the page cap.
    """
    with place.asking("deploys", window) as asking:
        found: dict[str, dict[str, Any]] = {}
        for page in place.pages(asking, "deploys", "deploy", ()):
            for where, told in page:
                deploy = _deploy(told, where)
                found.setdefault(deploy["id"], deploy)
            if _far_enough(list(found.values()), window):
                break
        if not found:
            asking.refuse(SourceEmpty, "expected at least the deploy that runs, got none")
        live = [deploy["id"] for deploy in found.values() if deploy["status"] == LIVE]
        kept = [deploy for deploy in found.values() if _belongs(deploy, window)]
        return Listing(
            question=asking.question(),
            what="deploys",
            items=tuple(sorted(kept, key=lambda deploy: (_first(deploy), deploy["id"]))),
            seen=len(found),
            about={"live": live[0] if live else None},
        )


def _deploy(told: dict[str, Any], where: str) -> dict[str, Any]:
    commit = perhaps(told, "commit", where, object_of) or {}
    status = perhaps(told, "status", where, text) or ""
    return {
        "id": member(told, "id", where, text),
        "status": status,
        "served": status in SERVED,
        "trigger": perhaps(told, "trigger", where, text) or "",
        "commit": perhaps(commit, "id", f"{where}.commit", text) or "",
        "created": perhaps(told, "createdAt", where, moment),
        "started": perhaps(told, "startedAt", where, moment),
        "finished": perhaps(told, "finishedAt", where, moment),
    }


def _moments(deploy: dict[str, Any]) -> list[float]:
    told = (deploy[name] for name in ("created", "started", "finished"))
    return [at for at in told if at is not None]


def _first(deploy: dict[str, Any]) -> float:
    return min(_moments(deploy), default=0.0)


def _far_enough(found: list[dict[str, Any]], window: Window) -> bool:
    oldest = _moments(found[-1])
    live = any(deploy["status"] == LIVE for deploy in found)
    return live and bool(oldest) and max(oldest) < window.start.timestamp() - BACK_S


def _belongs(deploy: dict[str, Any], window: Window) -> bool:
    """Whether it was under way in the window, is live, or tells no moment."""
    told = _moments(deploy)
    if deploy["status"] == LIVE or not told:
        return True
    until = math.inf if deploy["status"] in UNDER_WAY else max(told)
    return min(told) < window.end.timestamp() and until >= window.start.timestamp()
