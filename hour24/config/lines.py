"""Line numbers of paths in production.toml.

tomllib returns no positions. This reads headers and keys line by line, without multi-line text; a
path within an inline table has the line of its key.
"""

from __future__ import annotations

import re
from collections import Counter

from hour24.config.problems import BARE

HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*=\s*(.*)""")


def lines_of(text: str) -> dict[str, int]:
    """Return path, as in messages (``contacts[1].reach``) -> line number, from 1."""
    found: dict[str, int] = {}
    counted: Counter[str] = Counter()
    table, closing = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
        elif header := HEADER.fullmatch(line):
            table = _path(header[2])
            if header[1] == "[[":
                counted[table] += 1
                table = f"{table}[{counted[table]}]"
            found.setdefault(table, number)
        elif key := KEY.fullmatch(line):
            found.setdefault(f"{table}.{_part(key[1])}".lstrip("."), number)
            for quotes in ("'''", '"""'):
                if key[2].count(quotes) == 1:
                    closing = quotes
    return found


def line_of(path: str, lines: dict[str, int]) -> int:
    """Return the line of a path, or of the nearest table around it; 0: none."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 0)


def _path(name: str) -> str:
    parts = re.findall(r'"[^"]*"|\'[^\']*\'|[^.\s]+', name)
    return ".".join(_part(part) for part in parts)


def _part(key: str) -> str:
    bare = key.strip("\"'")
    return bare if BARE.fullmatch(bare) else f'"{bare}"'
