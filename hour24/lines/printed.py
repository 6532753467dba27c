"""Objects as languages print them: ``{ level: 'error', message: 'boom' }``.

Rules of this module:

- Node's inspector, Python's dictionaries, Ruby's hashes, Elixir's maps and Java's records differ
  in their quotes and separators only. Fields of the outermost object count.
- An object is a log line only with a message: ``{ level: 'error', port: 80 }`` is a configuration.
- A printer divides a long object into lines. The line of its level is recognised by itself at the
  depth of an outermost field; one that is deeper belongs to something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hour24.linear import shipped

LONGEST = 4000
MOST_LINES = 60
"""Lines of one object that are joined."""
_MESSAGES = frozenset(("message", "msg", "event", "text", "err", "stack", "exception", "body"))


def line_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile and register a pattern that meets lines of at most :data:`LONGEST` characters."""
    return shipped(pattern, flags, longest=LONGEST)


_TOKEN = line_pattern(
    r"(\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?)|(=>|[:=])|([{}\[\]()])|(,)|([^\s\"'{}\[\](),:=]++)",
    re.DOTALL,
)
OPENING = line_pattern(r"(?:[A-Z]\w{0,40}+ ?|%)?[{(](?=\s{0,4}[:\"'\w@])")
"""Where a printed object begins: ``{``, ``%{``, ``Object {``, ``Log(``."""
_LONE = line_pattern(
    r"( {2}|\t|)([\"']?)(level|severity|levelname|level_name|lvl)\2(?::|=>) "
    r"(?:([\"'])([A-Za-z]{3,13})\4(,?)|(:?[A-Za-z]{3,13}|[56]0)(,?))$"
)


def printed_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys in lower case and plain values of the outermost object that begins the text."""
    depth, key, pending, valued = 0, "", "", False
    for token in _TOKEN.finditer(text):
        quoted, separator, bracket, comma, bare = token.groups()
        if bracket is not None:
            if bracket in "{[(":
                depth, valued = depth + 1, depth >= 1
            else:
                depth -= 1
                if depth <= 0:
                    return
        elif depth != 1:
            continue
        elif comma is not None:
            key, pending, valued = "", "", False
        elif separator is not None:
            key, pending = (key or pending), ""
        elif key and not valued:
            yield key.lower(), _plain(quoted, bare)
            valued = True
        else:
            pending = _plain(quoted, bare)


def has_message(keys: set[str]) -> bool:
    """Return whether fields with these names are a log line's, not a configuration's."""
    return not keys.isdisjoint(_MESSAGES)


def lone_level(line: str) -> tuple[str, str] | None:
    """Return key and value of a line that is the level of an object printed over several lines.

    Args:
        line: with its indentation. ``level: error`` without quotes or a comma is a setting in
            a block of YAML when it is indented.
    """
    found = _LONE.match(line)
    if found is None:
        return None
    indented, _, key, _, quoted, _, bare, comma = found.groups()
    if quoted is None and indented and not comma:
        return None
    return key, (quoted or bare).lstrip(":")


def joined(lines: Sequence[str]) -> Sequence[str]:
    """Return lines with those of each object that a line ``{`` opens in one text."""
    found: list[str] = []
    opened = 0
    for line in lines:
        if opened:
            found[-1] += "\n" + line
            opened = 0 if line.rstrip() == "}" or opened >= MOST_LINES else opened + 1
        else:
            found.append(line)
            opened = int(line.rstrip() in ("{", "%{"))
    return found


def _plain(quoted: str | None, bare: str | None) -> str:
    return quoted.strip("\"'") if quoted is not None else bare or ""
