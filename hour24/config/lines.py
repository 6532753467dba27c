"""The line on which a place of production.toml stands.

tomllib tells no positions. This reads headers and keys line by line, multi-line text left out; a
place within an inline table stands on the line of its key.
"""

from __future__ import annotations

import re
from collections import Counter

from hour24.config.problems import BARE

HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*=\s*(.*)""")


def lines_of(text: str) -> dict[str, int]:
    """Place, as messages name it (``contacts[1].reach``) -> its line, from 1 on."""
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


def line_of(place: str, lines: dict[str, int]) -> int:
    """The line of a place, or of the nearest table around it; 0: of none."""
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return lines.get(place, 0)


def _path(name: str) -> str:
    parts = re.findall(r'"[^"]*"|\'[^\']*\'|[^.\s]+', name)
    return ".".join(_part(part) for part in parts)


def _part(key: str) -> str:
    bare = key.strip("\"'")
    return bare if BARE.fullmatch(bare) else f'"{bare}"'
