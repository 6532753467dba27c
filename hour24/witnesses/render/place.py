"""Which service is asked about, and how Render is asked about it.

Rules of this room:

- A question of several pages is one :class:`~hour24.asking.client.Asking`, and whatever it raises
  carries it.
- Lists of events and deploys are paged by the cursor of their last item until a page is empty;
  a cursor that leads back, and more pages than the cap, are refusals.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from hour24.asking.answers import member, misread, object_of, objects, text
from hour24.asking.client import ApiClient, Asking, Params
from hour24.errors import SourceError, SourceIncomplete
from hour24.watch import Window
from hour24.witnesses.render import RenderAt

PAGE = 100
"""The most that a page may hold; the default is 20."""
MOST_LISTED = 20


class Place(NamedTuple):
    """Render, and the service there."""

    client: ApiClient
    at: RenderAt

    @property
    def right(self) -> str:
        """What a token needs, for a refusal's text."""
        return f"the right to see {self.at.service}"

    @property
    def missing(self) -> str:
        """What a 404 says."""
        return (
            f"expected service {self.at.service} of {self.at.owner}, got none that the token sees"
        )

    @contextlib.contextmanager
    def asking(self, what: str, window: Window) -> Iterator[Asking]:
        """A question; what is raised meanwhile carries it."""
        asking = self.client.asking(what, window)
        try:
            yield asking
        except SourceError as problem:
            if problem.question is None:
                problem.question = asking.question()
            raise

    def document(self, asking: Asking, path: str, params: Params = ()) -> Any:
        """The JSON document at ``path``."""
        return asking.document(path, params, right=self.right, missing=self.missing)

    def pages(
        self, asking: Asking, things: str, name: str, params: Params
    ) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        """The service's ``things``, page by page, newest first, each with its place.

        Args:
            name: the member of an item that holds the thing.
        Raises: SourceIncomplete, when there are more than :data:`MOST_LISTED` pages.
        """
        path = f"/services/{self.at.service}/{things}"
        asked = [*params, ("limit", str(PAGE))]
        cursors: set[str] = set()
        after: list[tuple[str, str]] = []
        for number in range(1, MOST_LISTED + 1):
            where = f"{asking.where}: page {number}"
            page = list(objects(self.document(asking, path, [*asked, *after]), where))
            if not page:
                return
            yield [(f"{at}.{name}", member(item, name, at, object_of)) for at, item in page]
            cursor = member(page[-1][1], "cursor", page[-1][0], text)
            if cursor in cursors:
                raise misread(f"{where}: cursor", "one that leads on", cursor)
            cursors.add(cursor)
            after = [("cursor", cursor)]
        asking.refuse(SourceIncomplete, f"expected at most {MOST_LISTED * PAGE} {things}, got more")
