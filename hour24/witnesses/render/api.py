"""Requests to Render about one service: its documents, and its lists page by page.

Rules of this module:

- A question of several pages is one :class:`~hour24.asking.client.Asking`; every error raised
  meanwhile carries it.
- Events and deploys are read by the cursor of each page's last item until a page is empty. A
  cursor that leads back is refused. Where a later page fails, or there are more than the cap, what
  was read by then is answered in a listing that is not complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from hour24.asking.answers import misread, read_answers
from hour24.asking.client import ApiClient, Asking, Params
from hour24.errors import SourceError, SourceIncomplete
from hour24.watch import Window
from hour24.witnesses.render import RenderAt

PAGE = 100
"""The most that a page may hold; Render's default is 20."""
MOST_LISTED = 20
"""Pages of one list: 2,000 events or deploys."""


class Listed(Struct, frozen=True):
    """An item of a paged list; the cursor of the last one leads to the next page."""

    cursor: str | None = None


Item = TypeVar("Item", bound=Listed)


class ServiceApi(NamedTuple):
    """Render's API, and the service that [render] names."""

    client: ApiClient
    at: RenderAt

    @property
    def right(self) -> str:
        """Return the permission that the token needs, for a refusal's text."""
        return f"the right to see {self.at.service}"

    @property
    def missing(self) -> str:
        """Return what a 404 means, for a refusal's text."""
        return (
            f"expected service {self.at.service} of {self.at.owner}, got none that the token sees"
        )

    def asking(self, what: str, window: Window) -> AbstractContextManager[Asking]:
        """Return a question that is attached to any SourceError raised meanwhile."""
        return self.client.attached(what, window)

    def document(self, asking: Asking, path: str, params: Params = ()) -> Any:
        """Return the JSON document at ``path``."""
        return asking.document(path, params, right=self.right, missing=self.missing)

    def pages(
        self, asking: Asking, things: str, form: type[Item], params: Params
    ) -> Iterator[tuple[list[Item], str]]:
        """Yield the service's ``things``, newest first, page by page with the path of each.

        Args:
            form: of an item, which holds the thing and its cursor.
        Raises: SourceIncomplete, when a page after the first fails, and when there are more than
            :data:`MOST_LISTED` pages.
        """
        path = f"/services/{self.at.service}/{things}"
        asked = [*params, ("limit", str(PAGE))]
        cursors: set[str] = set()
        after: list[tuple[str, str]] = []
        for number in range(1, MOST_LISTED + 1):
            where = f"{asking.where}: page {number}"
            try:
                document = self.document(asking, path, [*asked, *after])
            except SourceError as problem:
                if number == 1:
                    raise
                why = str(problem).removeprefix(f"{asking.where}: ")
                asking.refuse(SourceIncomplete, f"page {number}: {why}")
            page = read_answers(document, form, where)
            if not page:
                return
            yield page, where
            cursor = page[-1].cursor
            if cursor is None:
                raise misread(f"{where}[{len(page) - 1}].cursor", "text", None)
            if cursor in cursors:
                raise misread(f"{where}: cursor", "one that leads on", cursor)
            cursors.add(cursor)
            after = [("cursor", cursor)]
        asking.refuse(SourceIncomplete, f"expected at most {MOST_LISTED * PAGE} {things}, got more")
