"""The errors of a log, a traceback as one with the line it belongs to.

Rules of this module:

- Platforms keep one entry a printed line. A traceback belongs to the error just before it, the
  exception that ends it to the traceback: of one instance, within :data:`TOGETHER_S`.
- Nothing else is joined: ten exceptions printed in one second are ten.
- A bare ``Traceback (most recent call last):`` is told by the exception that ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hour24.linear import shipped
from hour24.lines.levels import LONGEST, level_of, may_be_error
from hour24.lines.visible import visible

TOGETHER_S = 2.0
MOST_JOINED = 6
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
    """The last error of one instance, to which what follows may belong."""

    def __init__(self, item: Mapping[str, Any], state: State) -> None:
        self.lines = [str(item["message"])]
        self.item = dict(item)
        self.state: State = state
        self.at = float(item["at"])

    def joined(self, item: Mapping[str, Any], state: State) -> None:
        self.at, self.state = float(item["at"]), state
        if len(self.lines) >= MOST_JOINED:
            return
        bare = len(self.lines) == 1 and _TRACEBACK.match(_head(self.lines[0])) is not None
        text = str(item["message"])
        self.lines = [text, *self.lines] if bare else [*self.lines, text]
        self.item["message"] = "\n".join(self.lines)


def entries(items: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The errors among these lines, oldest first, and of how many lines nobody says the level.

    Args:
        items: each with ``at`` and ``message``; ``level`` and ``instance`` where they are known.
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
            before.joined(item, state)
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
    """What the line makes of the error before it; none when it does not belong to it."""
    if before is None or by == "line":
        return None
    head = _head(message)
    if _CHAIN.match(head):
        return "chained"
    if _TRACEBACK.match(head):
        return "trace" if before.state in ("head", "chained") and not _alone(before) else None
    if by == "crash":
        return "end" if before.state in ("trace", "chained") else None
    # the frames of a trace stand to the right
    return before.state if message[:1] in " \t" and message.strip() else None


def _alone(before: _Open) -> bool:
    """Whether the error before is an exception by itself, which the next traceback is not of."""
    return before.state == "head" and level_of(before.lines[0]).by == "crash"
