"""Classes of errors: known-normal ones and critical ones.

Rules of this module:

- A class matches by a regular expression, searched case-insensitively in the first 2,000 visible
  characters of each of its fields, in linear time.
- A normal class may have a limit: more than ``at_most_per_hour`` in an hour is no longer normal.
- An error that matches no class is unclassified; a person must classify it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from hour24.linear import stated
from hour24.lines import visible

SEARCHED = 2000
"""Characters of a field that are searched: a message's start identifies it."""


class IssueClass(Struct, frozen=True, kw_only=True):
    """A named kind of error.

    Args:
        name: what people call it.
        pattern: regular expression.
        where: ``any`` field, or one of ``title``, ``culprit``, ``message``, ``type``.
        at_most_per_hour: above this it no longer counts as normal; None: no limit.
        severity: ``critical``, ``high``, ``medium`` or ``low``, for critical classes.
        cause: ``database``, ``code``, ``other``, or a vendor's name, for the runbook.
    """

    name: Annotated[str, Meta(description="What people call it.", pattern=r"\S")]
    pattern: Annotated[
        str,
        Meta(
            description="Searched without regard to case.",
            title="a regular expression",
            min_length=1,
        ),
    ]
    where: Annotated[
        Literal["any", "title", "culprit", "message", "type"],
        Meta(description="Where it is searched."),
    ] = "any"
    at_most_per_hour: (
        Annotated[
            int,
            Meta(
                description="More than this in an hour is no longer normal. Without it, there is "
                "no bound.",
                ge=1,
            ),
        ]
        | None
    ) = None
    severity: Annotated[
        Literal["critical", "high", "medium", "low"],
        Meta(description="How bad: critical blocks calls, high touches some users."),
    ] = "medium"
    cause: Annotated[
        str,
        Meta(
            description="Whom the runbook blames.",
            title="one small word such as database, code, other or a vendor's name",
            pattern="^[a-z][a-z0-9_-]{0,39}$",
        ),
    ] = "other"

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """True if one of the searched fields contains the pattern."""
        expression = stated(self.pattern)
        names = ("title", "culprit", "message", "type") if self.where == "any" else (self.where,)
        return any(
            expression.found_in(_shorten(str(fields[name]))) for name in names if fields.get(name)
        )


def class_of(fields: Mapping[str, Any], classes: Sequence[IssueClass]) -> IssueClass | None:
    """The first class that matches; None if none does."""
    return next((kind for kind in classes if kind.matches(fields)), None)


@lru_cache(maxsize=1024)
def _shorten(text: str) -> str:
    return visible(text[: 4 * SEARCHED])[:SEARCHED]
