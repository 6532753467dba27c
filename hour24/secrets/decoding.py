"""Decodes foreign text to a fixed point and maps decoded characters back to their source.

Rules of this module:

- Encodings within encodings are decoded: escapes of JSON, JavaScript, Go,
  .NET, PHP and C, percent escapes, HTML entities, quoted-printable, terminal colours; wrapped lines
  are joined. A secret decoded in the same way is found in the decoded text, however often it was
  encoded.
- Quoted-printable is decoded in a second pass: ``=ab`` is also the end of ``key=ab``.
- Runs of base64 and of hexadecimal digits are decoded at each alignment, and the result is decoded
  again.
"""

from __future__ import annotations

import html
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from re import Match
from typing import NamedTuple

from hour24.linear import shipped
from hour24.lines.visible import without_signs

MOST_LEVELS = 8
"""Rounds of decoding: no logger encodes a text more often."""
LEAST_RUN = 16
MOST_NESTED = 3
"""Base64 in base64 in base64."""

_TOKEN = shipped(
    r"(?P<gone>(?:\x1b|\\u001[bB]|\\x1[bB]|\\033|\\e|\^\[|#033|\u241b)"
    r"\[[0-?]{0,64}+[ -/]{0,4}+[@-~]"
    r"|\x9b[0-?]{0,64}+[@-~]|\x1b\][^\x07\x1b\n]{0,200}+(?:\x07|\x1b\\)|\x1b[ -/]{1,4}+[0-~]"
    r"|\[[0-9]{1,3}(?:;[0-9]{1,3}){0,8}+m"
    r"|\\?[\r\n]+[ \t]*+|\\[nrt]|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff])"
    r"|\\u\{(?P<brace>[0-9a-fA-F]{1,6})\}|\\u(?P<four>[0-9a-fA-F]{4})"
    r"|\\U(?P<eight>[0-9a-fA-F]{8})|\\x(?P<two>[0-9a-fA-F]{2})|\\(?P<octal>[0-3][0-7]{2})"
    r"|\\(?P<sign>[^A-Za-z0-9\s])"
    r"|(?P<percent>(?:%[0-9a-fA-F]{2})++)"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31}+);?)"
)
_SIGN = shipped(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\\^#%&\[\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u241b\ufe00-\ufe0f\ufeff]"
)
"""The first character of a token: searched first, because that is fast."""
_QUOTED = shipped(r"(?:=[0-9a-fA-F]{2}|=[ \t]{0,8}+\r?\n)++")
_RUN = shipped(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}+={0,2}")
_HEX_RUN = shipped(r"(?<![0-9a-fA-F:-])[0-9a-fA-F:-]{16,}+")
"""What may hold a run of hexadecimal digits: searched first, because that is fast."""
_HEX = shipped(r"(?:[0-9a-fA-F]{2}[:-]?){8,}+")


_PLAIN_BASE64 = str.maketrans("-_", "+/")
_PADDING = ("", "", "==", "=")
"""By how many digits the last four lack."""


class _Level(NamedTuple):
    """One round of decoding: start and end of each token, after and before it."""

    starts: list[int]
    ends: list[int]
    from_: list[int]
    to: list[int]


class Decoded(NamedTuple):
    """A text decoded to a fixed point, with its way back to the source."""

    text: str
    levels: tuple[_Level, ...]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the source text that these characters come from."""
        for level in reversed(self.levels):
            start, end = _left(level, start), _right(level, end)
        return start, end


def _left(level: _Level, at: int) -> int:
    number = bisect_right(level.starts, at) - 1
    if number < 0:
        return at
    if at < level.ends[number]:
        return level.from_[number]
    return level.to[number] + at - level.ends[number]


def _right(level: _Level, at: int) -> int:
    number = bisect_right(level.starts, at - 1) - 1
    if number < 0:
        return at
    if at - 1 < level.ends[number]:
        return level.to[number]
    return level.to[number] + at - level.ends[number]


def may_be_encoded(text: str) -> bool:
    """Return whether anything in a text may be encoded."""
    return (
        next(_tokens(text), None) is not None
        or _RUN.search(text) is not None
        or any(_HEX.search(around) for around in _HEX_RUN.findall(text))
        or ("=" in text and _QUOTED.search(text) is not None)
        or "+" in text
    )


def readings(text: str) -> Iterator[str]:
    """Yield the decoded text, and that decoded from quoted-printable, if they differ."""
    first = fixed(text)
    if first != text:
        yield first
    if "=" in text:
        quoted = _QUOTED.sub(_quoted, text)
        if quoted != text and (second := fixed(quoted)) != first:
            yield second


def fixed(text: str) -> str:
    """Return the text decoded until nothing changes."""
    for _ in range(MOST_LEVELS):
        after = _read(_without_overstrikes(text))
        if after == text:
            break
        text = after
    return text


def _read(text: str) -> str:
    pieces: list[str] = []
    at = 0
    for token in _tokens(text):
        pieces += (text[at : token.start()], _plain(token))
        at = token.end()
    return "".join(pieces) + text[at:] if pieces else text


def _tokens(text: str) -> Iterator[Match[str]]:
    at = 0
    while sign := _SIGN.search(text, at):
        token = _TOKEN.match(text, sign.start())
        at = sign.start() + 1
        if token is not None:
            yield token
            at = token.end()


def traced(text: str) -> Iterator[Decoded]:
    """Yield the texts of :func:`readings`, each with its way back to the source."""
    yield _traced(text, ())
    if "=" in text and _QUOTED.search(text):
        after, level = _one(text, _QUOTED.finditer(text), _quoted)
        yield _traced(after, (level,))


def _traced(text: str, levels: tuple[_Level, ...]) -> Decoded:
    for _ in range(MOST_LEVELS):
        if "\b" in text and _without_overstrikes(text) != text:
            break  # overstruck: characters have no single source position
        after, level = _one(text, _tokens(text), _plain)
        if after == text:
            break
        text, levels = after, (*levels, level)
    return Decoded(text, levels)


def _one(
    text: str, tokens: Iterable[Match[str]], read: Callable[[Match[str]], str]
) -> tuple[str, _Level]:
    level = _Level([], [], [], [])
    pieces: list[str] = []
    at = length = 0
    for token in tokens:
        start, end = token.span()
        decoded = read(token)
        pieces += (text[at:start], decoded)
        length += start - at
        level.starts.append(length)
        length += len(decoded)
        level.ends.append(length)
        level.from_.append(start)
        level.to.append(end)
        at = end
    pieces.append(text[at:])
    return "".join(pieces), level


def _without_overstrikes(text: str) -> str:
    return without_signs(text) if "\b" in text else text


def _plain(token: Match[str]) -> str:
    kind, value = token.lastgroup, token[token.lastgroup or 0]
    if kind == "gone":
        return ""
    if kind in ("brace", "four", "eight", "two"):
        return _character(int(value, 16))
    if kind == "octal":
        return chr(int(value, 8))
    if kind == "sign":
        return value
    if kind == "percent":
        return bytes.fromhex(value.replace("%", "")).decode("utf-8", "replace")
    return html.unescape(value)


def _quoted(token: Match[str]) -> str:
    digits = "".join(part for part in token[0].split("=") if part.strip())
    return bytes.fromhex(digits).decode("utf-8", "replace")


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def as_form(text: str) -> str:
    """Return the text decoded as a form: a plus becomes a space."""
    return text.replace("+", " ")


def runs(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield each run of base64 or hexadecimal digits with its start and end."""
    for run in _RUN.finditer(text):
        yield run.start(), run.end(), run[0]
    for around in _HEX_RUN.finditer(text):
        for run in _HEX.finditer(text, *around.span()):
            yield run.start(), run.end(), run[0]


def decode_runs(text: str, known: set[str]) -> tuple[str, str]:
    """Return the decoded runs of digits of a text, and those of them that are readable.

    Args:
        known: runs that were decoded before, which are left out; those of this text are added.
    """
    base64 = {*_RUN.findall(text)} - known
    # a text of many identifiers: each is a run of both kinds
    hexadecimal = {run for around in _HEX_RUN.findall(text) for run in _HEX.findall(around)}
    hexadecimal = {f"{run}:" for run in hexadecimal} - known
    known |= base64
    known |= hexadecimal
    found: set[bytes] = set()
    for run in base64:
        digits = run.rstrip("=").translate(_PLAIN_BASE64)
        for shift in range(4):
            rest = (len(digits) - shift) % 4
            try:
                if rest == 1:
                    found.add(a2b_base64(digits[shift:-1]))
                else:
                    found.add(a2b_base64(digits[shift:] + _PADDING[rest]))
            except ValueError:
                continue
    wide = [data for data in found if data.count(0) * 3 > len(data)]
    for run in hexadecimal:
        digits = run.replace(":", "").replace("-", "")
        for shifted in (digits, digits[1:]):
            found.add(bytes.fromhex(shifted[: len(shifted) // 2 * 2]))
    decoded = [data.decode("utf-8", "replace") for data in found]
    decoded += [data[at:].decode("utf-16-le", "replace") for data in wide for at in (0, 1)]
    # a separator that no round of decoding takes out: runs have no order, and must not join
    readable = " ¦ ".join(each for each in decoded if "\ufffd" not in each[2:-2])
    return as_form("\n".join(decoded)), readable
