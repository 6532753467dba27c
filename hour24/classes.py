"""Classes of errors: which are known as normal, which are critical.

Rules of this module:

- A class matches by a regular expression, searched without regard to case in the first
  2,000 visible characters of each field it looks at, in linear time.
- A normal class may be bounded: more than ``at_most_per_hour`` in an hour is no longer normal.
- What matches no class is unclassified, and a person must say what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from hour24.linear import stated
from hour24.lines import visible

LOOKED_AT = 2000


class IssueClass(Struct, frozen=True, kw_only=True):
    """A named kind of error.

    Args:
        name: what people call it.
        pattern: regular expression.
        where: ``any`` field, or one of ``title``, ``culprit``, ``message``, ``type``.
        at_most_per_hour: above this it no longer counts as normal; none: no bound.
        severity: ``critical``, ``high``, ``medium``, ``low``; of critical classes.
        cause: ``database``, ``code``, ``other``, or a vendor's name: whom the runbook blames.
    """

    name: str
    pattern: str
    where: str = "any"
    at_most_per_hour: int | None = None
    severity: Literal["critical", "high", "medium", "low"] = "medium"
    cause: str = "other"

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Whether one of the fields looked at holds the pattern."""
        expression = stated(self.pattern)
        names = ("title", "culprit", "message", "type") if self.where == "any" else (self.where,)
        return any(
            expression.found_in(_shown(str(fields[name]))) for name in names if fields.get(name)
        )


def class_of(fields: Mapping[str, Any], classes: Sequence[IssueClass]) -> IssueClass | None:
    """The first class that matches, or none."""
    return next((kind for kind in classes if kind.matches(fields)), None)


@lru_cache(maxsize=1024)
def _shown(text: str) -> str:
    return visible(text[: 4 * LOOKED_AT])[:LOOKED_AT]
