"""Sentry's objects: organization, project, issue, event.

Rules of this room:

- Members are those of the published schema, the required ones all there; expand-only ones are
  left out, as the real serializer does. Those that never change are in data/sentry.json.
- Of the search language only what narrows a listing: ``is:``, ``level:``, ``environment:``,
  a negation, a quoted text, ``*``.
"""

from __future__ import annotations

import fnmatch
import shlex
from typing import Any

from hour24.rehearsal import data
from hour24.rehearsal.incidents import Kind
from hour24.rehearsal.world import World, stamp

SHAPES = "sentry.json"
ALWAYS = frozenset(
    [
        "environment",
        "project",
        "is_transaction",
        "issue.category",
        "age",
        "firstSeen",
        "lastSeen",
        "timesSeen",
    ]
)
"""Search terms that everything in a rehearsal matches, or that the window covers."""


def organization(slug: str) -> dict[str, Any]:
    """``GET /organizations/{org}/``"""
    return {**data.shape(SHAPES, "organization"), "slug": slug, "name": slug.title()}


def project(slug: str, project_id: str, environment: str) -> dict[str, Any]:
    """A row of ``GET /organizations/{org}/projects/``"""
    return {
        **data.shape(SHAPES, "project"),
        "id": project_id,
        "slug": slug,
        "name": slug,
        "environments": [environment],
    }


def project_detail(slug: str, project_id: str, environment: str, org: str) -> dict[str, Any]:
    """``GET /projects/{org}/{project}/``"""
    return {
        **project(slug, project_id, environment),
        **data.shape(SHAPES, "project_detail"),
        "organization": organization(org),
    }


def issue(
    kind: Kind,
    times: list[float],
    users: int,
    first_seen: float,
    where: tuple[str, str, str],
    end: float,
) -> dict[str, Any]:
    """A row of ``GET /organizations/{org}/issues/``

    Args:
        times: of its events in the window, epoch seconds, ascending.
        where: project, its id, organization.
    """
    number = 6_500_000_000 + sum(ord(c) * 31**i for i, c in enumerate(kind.key)) % 100_000_000
    age_h = (end - first_seen) / 3600
    return {
        **_issue(str(number), kind.title, where),
        "shortId": f"{where[0].upper()}-{number % 46656:X}",
        "culprit": kind.culprit,
        "level": kind.level,
        "substatus": "new" if age_h < 24 * 7 else "ongoing",
        "priority": "high" if kind.level in ("error", "fatal") else "medium",
        "metadata": {"type": kind.type, "value": kind.value},
        "isUnhandled": kind.unhandled,
        "count": str(len(times)),
        "userCount": users,
        "firstSeen": stamp(times[0]),
        "lastSeen": stamp(times[-1]),
        "lifetime": {
            "count": str(len(times) + max(0, int(age_h / 24))),
            "userCount": users,
            "firstSeen": stamp(first_seen),
            "lastSeen": stamp(times[-1]),
            "stats": None,
        },
    }


def sent_issue(sent: list[dict[str, Any]], where: tuple[str, str, str]) -> dict[str, Any]:
    """Return the issue of the events sent to the ingest while the rehearsal ran."""
    times = sorted(event["at"] for event in sent)
    title = _message(sent[0])
    seen = {"firstSeen": stamp(times[0]), "lastSeen": stamp(times[-1])}
    return {
        **_issue(sent[0]["group"], title, where),
        "shortId": f"{where[0].upper()}-SENT",
        "culprit": "",
        "level": sent[0].get("level", "error"),
        "substatus": "ongoing",
        "priority": "medium",
        "metadata": {"title": title},
        "isUnhandled": False,
        "type": "default",
        "count": str(len(times)),
        "userCount": 0,
        **seen,
        "lifetime": {"count": str(len(times)), "userCount": 0, **seen, "stats": None},
    }


def _issue(number: str, title: str, where: tuple[str, str, str]) -> dict[str, Any]:
    slug, project_id, org = where
    return {
        **data.shape(SHAPES, "issue"),
        "id": number,
        "title": title,
        "permalink": f"http://127.0.0.1/organizations/{org}/issues/{number}/",
        "project": {"id": project_id, "name": slug, "slug": slug, "platform": "python"},
    }


def event(sent: dict[str, Any], project_id: str) -> dict[str, Any]:
    """``GET /projects/{org}/{project}/events/{event_id}/`` of an event that was sent."""
    tags = [{"key": key, "value": value} for key, value in tags_of(sent).items()]
    for key in ("environment", "level"):
        if isinstance(sent.get(key), str):
            tags.append({"key": key, "value": sent[key]})
    title = _message(sent)
    return {
        **data.shape(SHAPES, "event"),
        "id": sent["event_id"],
        "eventID": sent["event_id"],
        "groupID": sent["group"],
        "projectID": project_id,
        "message": title,
        "title": title,
        "tags": tags,
        "platform": sent.get("platform", "other"),
        "dateCreated": sent["received"],
        "dateReceived": sent["received"],
        "entries": [{"type": "message", "data": {"formatted": title}}],
        "metadata": {"title": title},
    }


def tags_of(sent: dict[str, Any]) -> dict[str, str]:
    """The tags of an event that was sent."""
    return dict(sent.get("tags") or {})


def error_rows(
    world: World, start: float, end: float, slug: str, environment: str
) -> list[dict[str, Any]]:
    """Every error event of the window as a row of the events table, newest first."""
    rows = [
        {
            "id": each.id,
            "timestamp": stamp(each.at),
            "title": each.kind.title,
            "message": each.kind.title,
            "level": each.kind.level,
            "event.type": "error",
            "error.type": [each.kind.type],
            "error.value": [each.kind.value],
            "error.unhandled": int(each.kind.unhandled),
            "error.handled": [int(not each.kind.unhandled)],
            "culprit": each.kind.culprit,
            "transaction": each.kind.culprit,
            "issue.id": int(_number_of(each.kind, slug)),
            "issue": f"{slug.upper()}-{int(_number_of(each.kind, slug)) % 46656:X}",
            "environment": environment,
            "project": slug,
            "project.name": slug,
            "release": "",
            "user": f"id:{each.user}",
            "platform": "python",
        }
        for each in world.scenario.stored_events(start, end)
    ]
    for sent in world.sent.values():
        if start <= sent["at"] < end:
            title = _message(sent)
            rows.append(
                {
                    **dict.fromkeys(rows[0] if rows else (), None),
                    "id": sent["event_id"],
                    "timestamp": sent["received"],
                    "title": title,
                    "message": title,
                    "level": sent.get("level", "error"),
                    "event.type": "default",
                    "error.type": [],
                    "error.value": [],
                    "culprit": "",
                    "issue.id": int(sent["group"]),
                    "issue": f"{slug.upper()}-SENT",
                    "environment": sent.get("environment", environment),
                    "tags": tags_of(sent),
                    "project": slug,
                    "project.name": slug,
                }
            )
    return sorted(rows, key=lambda row: str(row["timestamp"]), reverse=True)


def _number_of(kind: Kind, slug: str) -> str:
    found: str = issue(kind, [0.0], 0, 0.0, (slug, "", ""), 0.0)["id"]
    return found


def _message(sent: dict[str, Any]) -> str:
    tags = sent.get("message") or sent.get("logentry") or ""
    if isinstance(tags, dict):
        tags = tags.get("formatted") or tags.get("message") or ""
    values = (sent.get("exception") or {}).get("values") or []
    if not tags and values:
        tags = f"{values[0].get('type')}: {values[0].get('value')}"
    return str(tags) or "<unlabeled event>"


def matches_query(thing: dict[str, Any], query: str) -> bool:
    """True if an object matches the search terms."""
    try:
        terms = shlex.split(query)
    except ValueError:
        terms = query.split()
    return all(_matches_term(thing, term) for term in terms)


def _matches_term(thing: dict[str, Any], term: str) -> bool:
    negated, term = term.startswith("!"), term.removeprefix("!")
    key, colon, value = term.partition(":")
    if not colon:
        inside = term.lower() in str(thing.get("title", "")).lower()
        return inside != negated
    if key == "is":
        same = str(thing.get("status", "unresolved")) == value
        return same != negated
    if key in ALWAYS:
        return not negated
    known = thing.get(key, (thing.get("tags") or {}).get(key))
    if isinstance(known, list):
        known = known[0] if known else ""
    wanted = [each.strip() for each in value.strip("[]").split(",")]
    found = any(
        fnmatch.fnmatchcase(str(known if known is not None else "").lower(), each.lower())
        for each in wanted
    )
    return found != negated
