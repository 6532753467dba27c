"""Groups log lines into errors: a traceback is one error with the line it belongs to.

Rules of this module:

- Platforms store one entry for each printed line. Within one instance and :data:`TOGETHER_S`, a
  traceback belongs to the error just before it, and the exception that ends it to the traceback.
- Nothing else is joined: ten exceptions printed in one second are ten.
- A bare ``Traceback (most recent call last):`` is represented by the exception that ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hour24.linear import shipped
from hour24.lines.levels import level_of, may_be_error
from hour24.lines.printed import LONGEST
from hour24.lines.visible import visible

TOGETHER_S = 2.0
"""A traceback is printed at once; timestamps of its lines differ by less."""
MOST_JOINED = 6
"""Lines of an error that are kept."""
_TRACEBACK = shipped(
    r"[^\w\n]{0,8}(?:Traceback \(most recent call last\)|ExceptionGroup Traceback|Stack trace:)",
    longest=LONGEST,
)
_CHAIN = shipped(
    r"(?:Caused by: |During handling of the above exception"
    r"|The above exception was the direct cause"
    r"|Suppressed: |\[cause\]: |(?:Previous|Next) [A-Z]\w{0,80}: )",
    longest=LONGEST,
)
State = Literal["head", "trace", "end", "chained"]


class _Open:
    """The last error of one instance, to which the next lines may belong."""

    def __init__(self, item: Mapping[str, Any], state: State) -> None:
        self.lines = [str(item["message"])]
        self.item = dict(item)
        self.state: State = state
        self.at = float(item["at"])

    def join(self, item: Mapping[str, Any], state: State) -> None:
        self.at, self.state = float(item["at"]), state
        if len(self.lines) >= MOST_JOINED:
            return
        bare = len(self.lines) == 1 and _TRACEBACK.match(_head(self.lines[0])) is not None
        text = str(item["message"])
        self.lines = [text, *self.lines] if bare else [*self.lines, text]
        self.item["message"] = "\n".join(self.lines)


def entries(items: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the errors of these lines, oldest first, and the number of lines without a level.

    Args:
        items: each with ``at`` and ``message``; ``level`` and ``instance`` if known.
    """
    found: list[_Open] = []
    last: dict[str, _Open] = {}
    unknown = 0
    for item in sorted(items, key=lambda each: float(each["at"])):
        message = str(item["message"])
        instance = str(item.get("instance") or "")
        before = last.get(instance)
        if before is not None and float(item["at"]) - before.at > TOGETHER_S:
            before = None
        level = level_of(message, str(item.get("level") or ""))
        state = _belongs(message, level.by, before)
        if before is not None and state is not None:
            before.join(item, state)
        elif level.is_error:
            opened = _Open(item, "trace" if _TRACEBACK.match(_head(message)) else "head")
            found.append(opened)
            last[instance] = opened
        elif not level.is_known and may_be_error(message):
            unknown += 1
    return [each.item for each in found], unknown


def _head(message: str) -> str:
    return visible(message[: 2 * LONGEST]).lstrip()[:LONGEST]


def _belongs(message: str, by: str, before: _Open | None) -> State | None:
    """Return the new state of the error before this line; none if the line is not part of it."""
    if before is None or by == "line":
        return None
    head = _head(message)
    if _CHAIN.match(head):
        return "chained"
    if _TRACEBACK.match(head):
        return "trace" if before.state in ("head", "chained") and not _alone(before) else None
    if by == "crash":
        return "end" if before.state in ("trace", "chained") else None
    # the frames of a trace are indented
    return before.state if message[:1] in " \t" and message.strip() else None


def _alone(before: _Open) -> bool:
    """Return whether the error before is a complete exception, not the head of a traceback."""
    return before.state == "head" and level_of(before.lines[0]).by == "crash"
