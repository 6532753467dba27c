"""Reads blocks and lines of a log's file, by their bytes.

Rules of this module:

- A block ends where a line with a timestamp begins, so that no entry is divided.
- A line is read up to :data:`LONGEST_LINE`; the zeros that a truncation leaves are skipped.
"""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Callable, Iterator

from hour24.errors import SourceMisread
from hour24.witnesses.logs.pieces import Piece

BLOCK = 1 << 20
LONGEST_LINE = 1 << 16
"""Bytes of a line that are read: a longer one is cut."""
NEAR = 1 << 16
"""Bytes within which a search by time reads line by line."""
MOST_FOLLOWING = 5000
"""Lines without a timestamp that may follow one: the longest trace."""


def first_byte(piece: Piece) -> int:
    """Return where a plain file's text begins: after the gap that a truncation left."""
    if piece.packed or not piece.size:
        return 0
    piece.file.seek(0)
    if piece.file.read(1) != b"\x00":
        return 0
    try:
        begin = os.lseek(piece.file.fileno(), 0, os.SEEK_DATA)
    except OSError:
        return piece.size
    piece.file.seek(begin)
    while block := piece.file.read(BLOCK):
        stripped = block.lstrip(b"\x00")
        if stripped:
            return begin + len(block) - len(stripped)
        begin += len(block)
    return piece.size


def read_bytes(piece: Piece, size: int) -> bytes:
    """Return the next bytes of a piece. Raises: SourceMisread, when it is cut off or damaged."""
    try:
        return piece.file.read(size) or b""
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as problem:
        raise SourceMisread(
            f"logs: {piece.name}: expected a whole file, got one that is cut off or damaged "
            f"({type(problem).__name__})"
        ) from None


def lines_between(
    piece: Piece, begin: int, end: int, *, part: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield (byte, text) of the lines that begin between two bytes.

    Args:
        part: whether the first one is a part of a line, and left out.
    """
    piece.file.seek(begin)
    offset, rest, skipping = begin, b"", part
    while offset < end:
        block = read_bytes(piece, NEAR)
        if not block:
            break
        data = rest + block
        base = offset
        position = 0
        while (stop := data.find(b"\n", position)) >= 0:
            if not skipping and base + position < end:
                yield base + position, _text(data[position:stop])
            skipping, position = False, stop + 1
        rest, offset = data[position:], base + position
        if len(rest) > LONGEST_LINE:
            if not skipping and offset < end:
                yield offset, _text(rest)
            skipping = True
            offset, rest = offset + len(rest), b""
    if rest and not skipping and offset < end:
        yield offset, _text(rest)


def blocks(
    piece: Piece, begin: int, end: int | None, at: Callable[[str], float | None]
) -> Iterator[tuple[int, bytes]]:
    """Yield (byte, text) of blocks that end where a line with a timestamp begins."""
    piece.file.seek(begin)
    offset, rest = begin, b""
    left = None if end is None else end - begin
    cut = False
    while left is None or left > 0:
        data = read_bytes(piece, BLOCK if left is None else min(BLOCK, left))
        if not data:
            break
        if left is not None:
            left -= len(data)
        if cut:
            stop = data.find(b"\n")
            offset += len(data) if stop < 0 else stop
            if stop < 0:
                continue
            data, cut = data[stop:], False
        block = rest + data
        stop = _boundary(block, at)
        if stop <= 0 and len(block) > 4 * BLOCK:
            last = block.rfind(b"\n") + 1
            if last:
                stop = last
            else:  # one line of megabytes: its start is enough
                yield offset, block[:LONGEST_LINE] + b"\n"
                offset, rest, cut = offset + len(block), b"", True
                continue
        if stop > 0:
            yield offset, block[:stop]
            offset, rest = offset + stop, block[stop:]
        else:
            rest = block
    if rest:
        yield offset, rest if rest.endswith(b"\n") else rest + b"\n"


def _boundary(block: bytes, at: Callable[[str], float | None]) -> int:
    """Return where the last line with a timestamp begins; 0 where none is near the end."""
    stop = block.rfind(b"\n") + 1  # what follows is a part of a line
    lowest = max(0, stop - NEAR)
    while stop > lowest:
        begin = block.rfind(b"\n", 0, stop - 1) + 1
        line = block[begin:stop]
        if at(_text(line)) is not None:
            return begin
        stop = begin
    return 0


def entry_around(
    block: bytes, position: int, least: int, at: Callable[[str], float | None]
) -> tuple[int, int]:
    """Return where the entry around a position begins, not before ``least``, and ends."""
    begin = block.rfind(b"\n", 0, position) + 1
    if position < len(block) and block[position : position + 1] == b"\n":
        begin = position + 1  # the match took the end of the line before
    for _ in range(MOST_FOLLOWING):
        if begin <= least or at(_line_at(block, begin)) is not None:
            break
        begin = max(least, block.rfind(b"\n", 0, begin - 1) + 1)
    stop = block.find(b"\n", max(begin, position))
    stop = len(block) if stop < 0 else stop + 1
    for _ in range(MOST_FOLLOWING):
        if stop >= len(block) or at(_line_at(block, stop)) is not None:
            break
        following = block.find(b"\n", stop)
        stop = len(block) if following < 0 else following + 1
    return begin, stop


def _line_at(block: bytes, begin: int) -> str:
    stop = block.find(b"\n", begin, begin + LONGEST_LINE)
    return _text(block[begin : stop if stop >= 0 else begin + LONGEST_LINE])


def split(block: bytes) -> list[str]:
    return [_text(line) for line in block.split(b"\n")]


def split_at(block: bytes) -> list[tuple[int, str]]:
    found, position = [], 0
    for line in block.split(b"\n"):
        found.append((position, _text(line)))
        position += len(line) + 1
    return found


def _text(line: bytes) -> str:
    """Return a line's text; what is no UTF-8 is replaced."""
    return line[:LONGEST_LINE].decode("utf-8", "replace").rstrip("\r").replace("\x00", "")
