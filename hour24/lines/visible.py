"""The visible text of a line: no escape sequences, no characters without width.

Rules of this module:

- An escape sequence is recognised with its ESC, with its C1 form, with ESC written out
  (``\\u001b[``, ``\\x1b[``, ``\\033[``, ``\\e[``, ``^[[``, ``#033[``), and, for colours, without
  any ESC (``[31m``): loggers, JSON and syslog each write it differently.
- No readable text is removed: an unfinished sequence loses only its introducer, and text that a
  carriage return would overwrite stays.
- ``[5m]`` is a range in PromQL, ``[31m`` a colour: before a bracket only resets are removed.
"""

from __future__ import annotations

from hour24.linear import shipped

_WRITTEN = r"\\u001[bB]|\\[xX]1[bB]|\\0?33|\\e|\^\[|#033|\u241b|\ufffd"
"""ESC as readable characters."""
_ESC = rf"(?:\x1b|{_WRITTEN})"
_SEQUENCE = shipped(
    rf"(?:{_ESC}\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]{0,2000}+(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]{0,2000}+(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]{1,8}+[0-~]|\x1b[0-Z\\^-~]"  # character sets, single functions
)
_COLOUR = shipped(r"\[(?:[0-9]{1,3}(?:[;:][0-9]{1,3}){0,16}+)m(?!\])|\[(?:0|39|49|2[2-9])m(?=\])")
_REMNANT = shipped(
    rf"(?:{_WRITTEN})\[[0-?]*+[ -/]*+[@-~]"
    r"|(?<!\x1b)(?:\[(?:[0-9]{1,3}(?:[;:][0-9]{1,3}){0,16}+)m(?!\])|\[(?:0|39|49|2[2-9])m(?=\]))"
)
_REST = shipped(r"(?<!\x1b)\[[mK](?!\])")
"""A reset without a number, searched only after a colour that lost its ESC."""
_MARKS = ("\x1b", "\x9b", "\x9d", "\x90", "\x98", "\x9e", "\x9f", "\\", "^[", "#033", "␛", "\ufffd")

_NOTHING: tuple[int | tuple[int, int], ...] = (
    (0x00, 0x08),
    (0x0E, 0x1F),
    (0x7F, 0x84),
    (0x86, 0x9F),
    0xAD,
    0x34F,
    0x61C,
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    0x3164,
    (0xFE00, 0xFE0F),
    0xFEFF,
    0xFFA0,
    (0xFFF9, 0xFFFB),
    (0xE0000, 0xE01EF),
)
"""Controls, zero-width and bidirectional signs, variation selectors, tags."""
_SPACES = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_LINES = (0x0B, 0x0C, 0x85, 0x2028, 0x2029)


class _Table(dict[int, int | str | None]):
    """Maps each character to its visible form; filled on first use."""

    def __missing__(self, code: int) -> int | str | None:
        if 0xD800 <= code <= 0xDFFF:
            self[code] = "\ufffd"
        elif code in _SPACES:
            self[code] = " "
        elif code in _LINES:
            self[code] = "\n"
        elif any(
            code == each if isinstance(each, int) else each[0] <= code <= each[1]
            for each in _NOTHING
        ):
            self[code] = None
        else:
            self[code] = code
        return self[code]


_TABLE = _Table()


def visible(text: str) -> str:
    """Return the visible text; a carriage return inside a line becomes a space."""
    if text.isascii() and text.isprintable() and "[" not in text:
        return text
    shown = without_signs(without_sequences(text)).replace("\r\n", "\n")
    return shown.rstrip("\r").replace("\r", " ") if "\r" in shown else shown


def without_sequences(text: str) -> str:
    """Return the text without escape sequences."""
    if any(mark in text for mark in _MARKS):
        text = _SEQUENCE.sub("", text)
    if "[" in text:
        text, colours = _COLOUR.subn("", text)
        if colours:
            text = _REST.sub("", text)
    return text


def without_remnants(text: str) -> str:
    """Return the text without sequences whose ESC was lost or is written out.

    One with its ESC stays, for whoever shows control characters as signs.
    """
    if "[" not in text:
        return text
    text, remnants = _REMNANT.subn("", text)
    return _REST.sub("", text) if remnants else text


def without_signs(text: str) -> str:
    """Return the text without zero-width characters, backspaces applied, spaces plain."""
    if text.isascii() and text.isprintable():
        return text
    if "\b" in text:
        text = _overstruck(text)
    return text.translate(_TABLE)


def _overstruck(text: str) -> str:
    """Return the text with backspaces applied: each removes the character before it."""
    kept: list[str] = []
    for part in text.split("\b"):
        if kept:
            kept[-1:] = [kept[-1][:-1]] if len(kept[-1]) > 1 else []
        kept.extend([part] if part else [])
    return "".join(kept)
