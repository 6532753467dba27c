"""No secret leaves: they are scrubbed from what is written, and looked for in what was written.

Rules of this module:

- Each secret is known in its encodings (URL, HTML, JSON, Python's repr, hexadecimal, base64 at
  its three alignments), and by the parts that alone give access: the password inside an address.
- What was cut with ``...`` leaves a head or a tail of a secret behind: these are known from 6
  characters on. Shorter fragments, and secrets shorter than 4, are not. A text that was cut
  without a sign may end in a head: known from 12 characters on, from 8 with a digit in it.
- Shapes of secrets nobody told us of (tokens, addresses with a password) are scrubbed as well,
  anchored so that prose is left alone.
- :meth:`Redactor.found_in` is the secret scan of one finished file: it decodes and searches again.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from hour24.secrets.shapes import TOKENS

LEAST = 4
"""Characters from which on a secret is looked for at all, then only as a whole word."""
LEAST_INSIDE = 6
"""Characters from which on it, an encoding or a fragment is looked for inside other text."""
PIECE_BYTES = 8_000_000
"""A longer file, a prober's, is looked through in pieces of whole lines."""

_CUT = re.compile(r"\.\.\.|…")
_MARK = "[redacted:{}]"
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX_RUN = re.compile(r"[0-9a-fA-F]{16,}")
_PERCENT_RUN = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")  # a first % is sought fast
_JSON_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(["\'\\/]))')

_SECRET_KEY = re.compile(
    r"(?:.*[_-])?(?:password|passwd|secret|token|(?:proxy-)?authorization|api[_-]?key|(?:set-)?cookie)",
    re.IGNORECASE,
)

# A credential as machines make it: no prose has a word of 8 or more with a digit in it, or of 24.
_CREDENTIAL = r"(?:(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{8,}|[A-Za-z0-9._~+/=-]{24,})"

# (what must be in the lower-case text, pattern, replacement). The first group is kept.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("bearer ", "basic ", "token "),
        re.compile(rf"(\b(?:bearer|basic|token)\s+){_CREDENTIAL}", re.IGNORECASE),
        r"\1[redacted]",
    ),
    (
        ("authorization", "cookie", "api-key", "apikey", "auth-token"),
        re.compile(
            r"(\b(?:proxy-)?(?:authorization|(?:set-)?cookie|(?:x-)?api-?key|x-auth-token)"
            r"[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?)(?!\[redacted)(?:[\w-]+=)?"
            rf"{_CREDENTIAL}",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
    (
        ("postgres",),
        re.compile(r"(\bpostgres(?:ql)?://[^\s:/@\"'<>]*:)(?!\[redacted)[^\s\"'<>]+(?=@)", re.I),
        r"\1[redacted]",
    ),
    (
        ("://",),
        re.compile(
            r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>]*:)(?!\[redacted)[^\s/@\"'<>]+(?=@)", re.I
        ),
        r"\1[redacted]",
    ),
    *(
        (tuple(gates), re.compile(rf"()\b(?:{shape})"), "[redacted]")
        for gates, shape in TOKENS["shapes"]
    ),
    (
        ("private key-----",),
        re.compile(
            r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        "[redacted]",
    ),
    (
        ("password", "passwd", "pwd"),
        re.compile(
            r"(\b(?:\w+[_-])?(?:password|passwd|pwd)(?:=|[\"']\s*:\s*(?=[\"'])|\s*=\s*(?=')))"
            r"(?!\[redacted|[\"']\[redacted|\$\d|%s|\*)"
            r"(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'&;,<>)]+)",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
    (
        ("secret", "token", "api_key", "apikey", "access_key"),
        re.compile(
            r"(\b(?:\w+[_-])?(?:secret|token|api_?key|access_key)(?:=|[\"']\s*:\s*(?=[\"'])))"
            r"(?!\[redacted|[\"']\[redacted)"
            rf"[\"']?{_CREDENTIAL}[\"']?",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
)


class Redactor:
    """Scrubs these secrets, and the shapes of others, from whatever is written.

    Args:
        secrets: name and value of each; empty values are left out.
    """

    def __init__(self, secrets: Iterable[tuple[str, str]]) -> None:
        self._raw: dict[str, str] = {}
        self._words: list[tuple[re.Pattern[str], str]] = []
        for name, value in secrets:
            for part in _parts(value):
                if len(part) >= LEAST_INSIDE:
                    self._raw.setdefault(part, name)
                elif len(part) >= LEAST:
                    pattern = re.compile(rf"(?<!\w){re.escape(part)}(?!\w)")
                    self._words.append((pattern, name))
        encoded = {
            form: name
            for value, name in self._raw.items()
            for form in _encodings(value)
            if len(form) >= LEAST_INSIDE
        }
        # The longest first: an address is one secret, not two with a host between them.
        self._forms = sorted(encoded.items(), key=lambda item: (-len(item[0]), item[0]))
        self._written = [
            (form.encode("utf-8", errors="surrogatepass"), name) for form, name in self._forms
        ]

    # --- scrubbing ----------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """The text without secrets; where one was, ``[redacted:NAME]``."""
        for form, name in self._forms:
            if form in text:
                text = text.replace(form, _MARK.format(name))
        for pattern, name in self._words:
            text = pattern.sub(lambda _, name=name: _MARK.format(name), text)  # type: ignore[misc]
        return _shapeless(self._uncut(text))

    def plain(self, value: Any) -> Any:
        """The same plain data without secrets, dictionary keys included."""
        strings: list[str] = []
        _gather(value, strings)
        # Nearly always there is nothing to scrub, and one look at all strings at once says so.
        whole = "\0".join(strings)
        return value if self.text(whole) == whole else self._walked(value)

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                self._walked(key): "[redacted]" if _named_secret(key, each) else self._walked(each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self._walked(each) for each in value)
        return value

    def _uncut(self, text: str) -> str:
        """Heads and tails of secrets beside a cut, and heads at an end, are taken out."""
        cut = _CUT.search(text) is not None
        for form, name in self._forms:
            begins = form[:LEAST_INSIDE] in text
            if cut and (begins or form[-LEAST_INSIDE:] in text):
                text = _without_fragments(text, form, _MARK.format(name))
            if begins and "://" not in form:  # prose may end in the beginning of an address
                text = _without_heads(text, form, _MARK.format(name))
        return text

    # --- the secret scan ----------------------------------------------------------------------

    def found_in(self, path: Path) -> list[str]:
        """Names of the secrets that stand in a finished file, in whichever encoding.

        Raises: OSError, when it cannot be read.
        """
        found: set[str] = set()
        with path.open("rb") as file:
            while lines := file.readlines(PIECE_BYTES):
                found |= self._found_in(b"".join(lines).decode("utf-8", errors="replace"))
        return sorted(found)

    def quickly_in(self, path: Path) -> list[str]:
        """Names of the secrets that stand in a file, in whichever encoding: the quick look.

        Left to :meth:`found_in`: encodings of encodings, short secrets, heads and tails at a cut.

        Raises: OSError, when it cannot be read.
        """
        if not path.stat().st_size:
            return []
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as whole:
            return sorted({name for form, name in self._written if whole.find(form) >= 0})

    def _found_in(self, text: str) -> set[str]:
        found = {name for form, name in self._forms if form in text}
        found |= {name for pattern, name in self._words if pattern.search(text)}
        for decoded in _decoded(text):
            found |= {name for value, name in self._raw.items() if value in decoded}
        if _is_cut(text):
            for value, name in self._raw.items():
                ends = value[:LEAST_INSIDE], value[-LEAST_INSIDE:]
                if name not in found and any(end in text for end in ends):
                    found |= {name} if _without_fragments(text, value, "") != text else set()
        return found


# --- what a secret looks like -----------------------------------------------------------------


def _parts(value: str) -> Iterator[str]:
    """A secret, and what inside it gives access by itself."""
    value = value.strip()
    if not value:
        return
    yield value
    scheme, _, rest = value.partition(" ")
    if scheme.lower() in ("bearer", "basic", "token") and rest:
        yield rest.strip()
    for found in re.finditer(r"\bpassword\s*=\s*(?:'([^']+)'|(\S+))", value):
        yield from _if_random(found[1] or found[2])
    if "://" in value:
        yield from _of_address(value)


def _of_address(value: str) -> Iterator[str]:
    authority = value.split("://", 1)[1]
    # A password may hold / and @ unescaped: it ends at the last @ before the host.
    login, at, _ = authority.rpartition("@")
    user, colon, password = login.partition(":")
    if at and colon:
        for form in {password, unquote(password)}:
            if form != unquote(user):
                yield from _if_random(form)
    elif at and len(user) >= 16:
        yield from _if_random(user)
    try:
        pieces = urlsplit(value)
    except ValueError:
        return
    places = pieces.path.split("/") + re.split(r"[=&]", pieces.query)
    if pieces.scheme not in ("http", "https", "postgres", "postgresql"):
        places.append(pieces.netloc.rpartition("@")[2])
    for piece in places:
        # a number by itself is an id, as projects of a tracker have: it stands in every question
        if len(piece) >= 16 and re.search(r"\d", piece) and not piece.isdigit():
            yield piece


def _if_random(part: str) -> Iterator[str]:
    """A part, unless it is a word that prose may hold."""
    if len(part) >= 12 or (len(part) >= LEAST_INSIDE and not part.isalpha()):
        yield part


def _encodings(value: str) -> set[str]:
    forms = {value}
    for encode in (*_TEXTUAL, *_TEXTUAL):  # twice: JSON within JSON, JSON within HTML
        forms |= {encode(form) for form in (value, *_escaped(value))}
    data = value.encode("utf-8", errors="surrogatepass")
    forms |= {data.hex(), data.hex().upper()}
    for form in {value, *_escaped(value)}:
        forms |= set(_base64(form.encode("utf-8", errors="surrogatepass")))
    return forms


def _escaped(value: str) -> tuple[str, ...]:
    return (_json(value), html.escape(value), quote(value, safe="", errors="replace"))


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _lower_percent(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


_TEXTUAL: tuple[Callable[[str], str], ...] = (
    _json,
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: _json(text).replace("/", "\\/"),
    lambda text: repr(text)[1:-1],
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    lambda text: quote(text, safe="", errors="replace"),
    lambda text: quote(text, errors="replace"),
    lambda text: quote_plus(text, errors="replace"),
    lambda text: _lower_percent(quote(text, safe="", errors="replace")),
)


def _base64(data: bytes) -> Iterator[str]:
    """The characters that depend on ``data`` alone, at each of the three alignments."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode("ascii")
        start, end = (0, 2, 3)[before], (before + len(data)) * 8 // 6
        yield whole[start:end]
        yield whole[start:end].replace("+", "-").replace("/", "_")


# --- fragments, shapes, decodings -------------------------------------------------------------


def _is_cut(text: str) -> bool:
    return "..." in text or "…" in text


def _without_fragments(text: str, form: str, mark: str) -> str:
    """The text without a head of ``form`` before a cut, or a tail of it after one."""
    head, tail = form[:LEAST_INSIDE], form[-LEAST_INSIDE:]
    longest = len(form)
    pieces: list[str] = []
    at = 0
    for cut in _CUT.finditer(text):
        start, end = cut.span()
        if start < at:
            continue
        before = text[at:start]
        place = before.rfind(head, max(0, len(before) - longest))
        if place >= 0 and form.startswith(before[place:]):
            before = before[:place] + mark
        after = text[end : end + longest]
        place = after.find(tail)
        taken = 0
        if place >= 0 and form.endswith(after[: place + len(tail)]):
            taken = place + len(tail)
        pieces += [before, cut[0], mark if taken else ""]
        at = end + taken
    return "".join(pieces) + text[at:]


def _without_heads(text: str, form: str, mark: str) -> str:
    """The text without a head of ``form`` at its end, or at the end of a part (``\\0``) of it."""
    head = form[:LEAST_INSIDE]
    parts = text.split("\0")
    for number, part in enumerate(parts):
        place = part.rfind(head, max(0, len(part) - len(form)))
        if place >= 0 and form.startswith(part[place:]) and _telling(part[place:]):
            parts[number] = part[:place] + mark
    return "\0".join(parts)


def _telling(fragment: str) -> bool:
    """Whether it can hardly be the end of a word."""
    return len(fragment) >= 12 or (len(fragment) >= 8 and re.search(r"\d", fragment) is not None)


def _shapeless(text: str) -> str:
    lower = text.lower()
    for needles, pattern, instead in _SHAPES:
        if any(needle in lower for needle in needles):
            text = pattern.sub(instead, text)
    return text


def _named_secret(key: Any, value: Any) -> bool:
    """Whether a dictionary's key says that its value is a secret."""
    if not isinstance(key, str) or not isinstance(value, str) or len(value) < LEAST_INSIDE:
        return False
    return _SECRET_KEY.fullmatch(key) is not None and not value.startswith("[redacted")


def _gather(value: Any, into: list[str]) -> None:
    if isinstance(value, str):
        into.append(value)
    elif isinstance(value, dict):
        for key, each in value.items():
            _gather(key, into)
            _gather(f"password={each}" if _named_secret(key, each) else each, into)
    elif isinstance(value, list | tuple):
        for each in value:
            if not isinstance(each, float | int):
                _gather(each, into)


def _decoded(text: str) -> Iterator[str]:
    """The text as each of its encodings would be read, encodings within encodings too."""
    for _ in range(2):
        for needle, decode in (
            ("&", html.unescape),
            ("\\", _json_read),
            ("%", _percent_read),
        ):
            if needle in text:
                text = decode(text)
                yield text
        if "+" in text:
            yield _percent_read(text.replace("+", " "))
        runs = set(_BASE64_RUN.findall(text))  # hexadecimal ones are among them
        inside = "\n".join([*_base64_read(runs), *_hex_read(runs)])
        if not inside:
            return
        yield inside
        text = inside


def _json_read(text: str) -> str:
    return _JSON_ESCAPE.sub(
        lambda found: chr(int(found[1] or found[2], 16)) if found[3] is None else found[3], text
    )


def _percent_read(text: str) -> str:
    """As ``urllib.parse.unquote``, which takes seconds for the pages of a watch."""
    return _PERCENT_RUN.sub(lambda found: _percent_run(found[0]), text)


@lru_cache(maxsize=4096)
def _percent_run(run: str) -> str:
    return bytes.fromhex(run.replace("%", "")).decode("utf-8", "replace")


def _base64_read(runs: Iterable[str]) -> Iterator[str]:
    for run in runs:
        plain = run.rstrip("=").replace("-", "+").replace("_", "/")
        whole = plain[: len(plain) - (len(plain) % 4 == 1)]
        try:
            yield base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue


def _hex_read(runs: Iterable[str]) -> Iterator[str]:
    for run in runs:
        for digits in _HEX_RUN.findall(run):
            yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "replace")
