"""Access to one Sentry project: what the token sees, pages, windows.

Rules of this module:

- An empty answer counts only once Sentry has shown that the token sees the project and that
  the environment exists: without either, every answer would be empty.
- Every page is read while ``rel="next"`` has ``results="true"``. A page that fails, or one beyond
  the cap, makes the answer incomplete.
- Start and end are always sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import requests
from msgspec import Struct

from hour24.asking.answers import misread, read_answer, read_answers, stamp
from hour24.asking.client import BUDGET_S, ApiClient, Asking, Params
from hour24.clock import Clock
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceIncomplete,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTooMany,
)
from hour24.watch import Window
from hour24.witnesses.sentry import SentryAt, canary

MOST_PAGES = 100
PER_PAGE = "100"


class Project(Struct, frozen=True, rename="camel"):
    """``GET /projects/{o}/{p}/``."""

    id: str
    has_access: Any = None
    first_transaction_event: bool | None = None


class Environment(Struct, frozen=True):
    """One of ``GET /organizations/{o}/environments/``."""

    name: str


class Access:
    """One project of a Sentry as the token sees it; used by one thread."""

    def __init__(self, at: SentryAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self.ingest = canary.ingest(at.dsn) if at.dsn is not None else None
        self.client = ApiClient(
            "sentry",
            at.url,
            clock,
            token=at.token,
            secrets=[secret for secret in (at.dsn, self.ingest and self.ingest.key) if secret],
            timeout_s=at.timeout_s,
            budget_s=budget_s,
        )
        self.organization = f"/api/0/organizations/{at.organization}"
        self.project = f"/api/0/projects/{at.organization}/{at.project}"
        self._id = ""
        self.traced: bool | None = None
        self._environment_known = False

    def asking(self, what: str, window: Window | None = None) -> AbstractContextManager[Asking]:
        """Return a question that is attached to any SourceError raised meanwhile."""
        return self.client.attached(what, window)

    def visible_project(self) -> str:
        """Return the project's id, once Sentry has shown that the token sees it.

        Raises: SourceRefused, when it does not.
        """
        if not self._id:
            name = f"project {self.at.project} of {self.at.organization}"
            with self.asking("project") as asking:
                body = asking.document(
                    f"{self.project}/",
                    right="project:read",
                    missing=f"expected a token that sees {name}, got none",
                )
                project = read_answer(body, Project, asking.where)
                if project.has_access is False:
                    asking.refuse(SourceRefused, f"expected access to {name}, got none")
                self._id = project.id
                self.traced = project.first_transaction_event
        return self._id

    def known_environment(self) -> str:
        """Return the project's id, once Sentry has also shown that it knows the environment.

        A server that cannot list its environments is trusted: it refuses an unknown one.

        Raises: SourceEmpty, when no event ever came from the environment.
        """
        project = self.visible_project()
        if not self._environment_known:
            with self.asking("environments") as asking:
                try:
                    body = asking.document(
                        f"{self.organization}/environments/",
                        [("visibility", "all")],
                        right="org:read",
                    )
                except SourceLacks:
                    return project
                known = {each.name for each in read_answers(body, Environment, asking.where)}
                if self.at.environment not in known:
                    names = ", ".join(sorted(known))[:200] or "none"
                    asking.refuse(
                        SourceEmpty,
                        f"expected one named {self.at.environment!r}, got {names}: whatever is "
                        "asked of it would be empty",
                    )
            self._environment_known = True
        return project

    def where(self, project: str, window: Window) -> list[tuple[str, str]]:
        return [("project", project), ("environment", self.at.environment), *ends(window)]

    def pages(
        self, asking: Asking, path: str, params: Params, right: str
    ) -> Iterator[tuple[Any, str]]:
        """Yield every page's document, and its path for error texts.

        Raises: SourceIncomplete, when a page after the first fails; SourceTooMany, when there
            are more than ``MOST_PAGES``.
        """
        cursor = ""
        for page in range(1, MOST_PAGES + 1):
            more = [*params, ("cursor", cursor)] if cursor else params
            try:
                answer = asking.answer(self.organization + path, more, right=right)
                body = asking.read_json(answer)
                following = _following(answer.headers.get("Link", ""), asking.where)
            except SourceError as problem:
                if page == 1:
                    raise
                why = str(problem).removeprefix(f"{asking.where}: ")
                asking.refuse(SourceIncomplete, f"page {page}: {why}")
            yield body, asking.where if page == 1 else f"{asking.where}: page {page}"
            if not following:
                return
            if following == cursor:
                asking.refuse(SourceMisread, f"expected a page after {page}, got the same again")
            cursor = following
        asking.refuse(SourceTooMany, f"expected at most {MOST_PAGES} pages of {PER_PAGE}, got more")


def ends(window: Window) -> list[tuple[str, str]]:
    """Return ``start`` and ``end`` as RFC 3339 times in UTC, as the API requires."""
    return [("start", stamp(window.start)), ("end", stamp(window.end))]


def _following(link: str, where: str) -> str:
    """Return the cursor of the next page; empty when this is the last.

    Both links are always there, and the one to the previous page of a first page says
    ``results="false"`` too.

    Raises: SourceMisread, when there is no ``rel="next"``: more pages are then possible.
    """
    for each in requests.utils.parse_header_links(link):
        if each.get("rel") == "next":
            results, cursor = each.get("results"), each.get("cursor", "")
            if results == "false":
                return ""
            if results == "true" and cursor:
                return cursor
            raise misread(f"{where}: Link", 'results="true" with a cursor, or "false"', each)
    raise misread(f"{where}: Link", 'rel="next"', link)
