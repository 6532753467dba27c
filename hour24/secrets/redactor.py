"""Redacts secrets in everything that is written, and finds them in finished files.

Rules of this module:

- Each secret is redacted in its encodings (URL, HTML, JSON, Python's repr, hexadecimal, base64 at
  its three alignments), and so are parts that give access by themselves: the password inside an
  address.
- Text cut with ``...`` may have the beginning or the end of a secret: these are redacted from 6
  characters. Shorter fragments, and secrets shorter than 4, are not. Text cut without a mark may
  end in the beginning of a secret: redacted from 12 characters, or from 8 with a digit in it.
- Unknown secrets of known shapes (tokens, addresses with a password) are redacted as well,
  anchored so that prose stays.
- Whatever may be encoded is decoded to a fixed point (:mod:`hour24.secrets.decoding`) and
  searched again; the encoded form is replaced in the text.
- Every pattern runs in linear time: it is bounded, or never tries a character twice.
- :meth:`Redactor.found_in` is the secret scan of one finished file: it decodes and searches again.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from hour24.linear import Words, shipped
from hour24.secrets import decoding
from hour24.secrets.shapes import TOKENS

LEAST = 4
"""Length from which a secret is redacted at all: below 6 only as a whole word."""
LEAST_INSIDE = 6
"""Length from which a secret, an encoding or a fragment is redacted inside other text."""
PIECE_BYTES = 8_000_000
"""A longer file, such as that of a prober, is searched in pieces of whole lines."""

_CUT = shipped(r"\.\.\.|…")
_MARK = "[redacted:{}]"

LONGEST_KEY = 64
_SECRET_KEY = shipped(
    r"(?:\A|[_-])"
    r"(?:password|passwd|secret|token|(?:proxy-)?authorization|api[_-]?key|(?:set-)?cookie)\Z",
    re.IGNORECASE,
    longest=LONGEST_KEY,
)

# A generated credential: prose has no word of 24 characters, nor of 8 with a digit in it.
_CREDENTIAL = r"(?:(?=[A-Za-z._~+/=-]{0,24}\d)[A-Za-z0-9._~+/=-]{8,}+|[A-Za-z0-9._~+/=-]{24,}+)"

# (what must be in the lower-case text, pattern, replacement). The first group is kept.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("bearer ", "basic ", "token "),
        shipped(rf"(\b(?:bearer|basic|token)\s{1, 20}+){_CREDENTIAL}", re.IGNORECASE),
        r"\1[redacted]",
    ),
    (
        ("authorization", "cookie", "api-key", "apikey", "auth-token"),
        shipped(
            r"(\b(?:proxy-)?(?:authorization|(?:set-)?cookie|(?:x-)?api-?key|x-auth-token)"
            r"[\"']?\s{0,20}+[:=]\s{0,20}+[\"']?(?:\w{1,40}+\s{1,20}+)?)(?!\[redacted)(?:[\w-]{1,60}+=)?"
            rf"{_CREDENTIAL}",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
    (
        ("postgres",),
        shipped(
            r"(\bpostgres(?:ql)?://[^\s:/@\"'<>\0]{0,256}+:)(?!\[redacted)[^\s\"'<>\0]{1,256}(?=@)",
            re.I,
        ),
        r"\1[redacted]",
    ),
    (
        ("://",),
        shipped(
            r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>\0]{0,256}+:)(?!\[redacted)[^\s/@\"'<>\0]{1,512}+(?=@)",
            re.I,
        ),
        r"\1[redacted]",
    ),
    *(
        (tuple(gates), shipped(rf"()\b{begin}(?:{rest})"), "[redacted]")
        for gates, begin, rest in TOKENS
    ),
    (
        ("private key-----",),
        shipped(
            r"()-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?"
            r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
            re.S,
        ),
        "[redacted]",
    ),
    (
        ("password", "passwd", "pwd"),
        shipped(
            r"(\b(?:\w{1,60}[_-])?(?:password|passwd|pwd)(?:=|[\"']\s{0,20}+:\s{0,20}+(?=[\"'])|\s{0,20}+=\s{0,20}+(?=')))"
            r"(?!\[redacted|[\"']\[redacted|\$\d|%s|\*)"
            r"(?:\"[^\"\n\0]{1,2000}+\"|'[^'\n\0]{1,2000}+'|[^\s\"'&;,<>)\0]++)",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
    (
        ("secret", "token", "api_key", "apikey", "access_key"),
        shipped(
            r"(\b(?:\w{1,60}[_-])?(?:secret|token|api_?key|access_key)(?:=|[\"']\s{0,20}+:\s{0,20}+(?=[\"'])))"
            r"(?!\[redacted|[\"']\[redacted)"
            rf"[\"']?{_CREDENTIAL}[\"']?",
            re.IGNORECASE,
        ),
        r"\1[redacted]",
    ),
)


class _Values:
    """Values with their names, and which of them stand in a text."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._heads = Words(value[:LEAST_INSIDE] for value, _ in self.pairs)
        self._tails = Words(value[-LEAST_INSIDE:] for value, _ in self.pairs)

    def found_in(self, text: str) -> list[tuple[str, str]]:
        """Return those that are in the text, in their order."""
        return [each for each in self.begun_in(text) if each[0] in text]

    def begun_in(self, text: str) -> list[tuple[str, str]]:
        """Return the secrets of which the first characters are in the text."""
        heads = self._heads.found_in(text)
        return [each for each in self.pairs if each[0][:LEAST_INSIDE] in heads] if heads else []

    def ended_in(self, text: str) -> list[tuple[str, str]]:
        """Return the secrets of which the last characters are in the text."""
        tails = self._tails.found_in(text)
        return [each for each in self.pairs if each[0][-LEAST_INSIDE:] in tails] if tails else []


_NEEDLES = Words(needle for needles, _, _ in _SHAPES for needle in needles)


class Redactor:
    """Redacts these secrets, and the shapes of others.

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
        shown = {decoding.as_form(decoding.fixed(form)): name for form, name in encoded.items()}
        self._shown = _Values(
            sorted(
                ((form, name) for form, name in shown.items() if len(form) >= LEAST_INSIDE),
                key=lambda item: (-len(item[0]), item[0]),
            )
        )
        """Each secret as it appears after decoding, and its runs of digits."""
        self._values = _Values(
            (decoding.as_form(decoding.fixed(value)), name) for value, name in self._raw.items()
        )
        # The longest first: an address is one secret, not two with a host between them.
        self._forms = _Values(sorted(encoded.items(), key=lambda item: (-len(item[0]), item[0])))
        self._written = [
            (form.encode("utf-8", errors="surrogatepass"), name) for form, name in self._forms.pairs
        ]

    # --- scrubbing ----------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """The text without secrets; where one was, ``[redacted:NAME]``."""
        text = self._bare(text)
        return self._redact_decoded(text) if decoding.may_be_encoded(text) else text

    def plain(self, value: Any) -> Any:
        """The same plain data without secrets, dictionary keys included."""
        strings: dict[str, None] = {}
        _gather(value, strings)
        # Nearly always there is nothing to redact, and one search of all strings shows that.
        whole = "\0".join(strings)
        if self._bare(whole) == whole:
            encoded = " ¦ ".join(filter(decoding.may_be_encoded, strings))
            if not encoded or self._redact_decoded(encoded) == encoded:
                return value
        return self._walk(value)

    def redact(self, value: Any) -> Any:
        """Plain data without secrets; a string that keeps one all the same is replaced whole."""
        if isinstance(value, str):
            if not self.names_in(value):
                return value
            clean = self.text(value)
            names = self.names_in(clean)
            return _MARK.format(", ".join(sorted(names))) if names else clean
        if isinstance(value, dict):
            return {self.redact(key): self.redact(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.redact(each) for each in value)
        return value

    def _bare(self, text: str) -> str:
        """The text without secrets that stand in it in one encoding of one encoder."""
        for form, name in self._forms.found_in(text):
            text = text.replace(form, _MARK.format(name))
        for pattern, name in self._words:
            text = pattern.sub(lambda _, name=name: _MARK.format(name), text)  # type: ignore[misc]
        return _shapeless(self._redact_at_cuts(text))

    def _redact_decoded(self, text: str) -> str:
        """The text without secrets that show when it is decoded to a fixed point."""
        read = [text, *decoding.readings(text)]
        found = self._names_in(read)
        if not found and not any(_shapeless(each) != each for each in read[1:]):
            return text
        spans: list[tuple[int, int, str]] = []
        for decoded in decoding.traced(text):
            spans += [
                (*decoded.source(start, end), name)
                for start, end, name in self._spans(decoded.text)
            ]
        if found - {name for _, _, name in spans}:  # overstruck: no single source position
            return _MARK.format(", ".join(sorted(found)))
        return _without_spans(text, spans)

    def _names_in(
        self, read: Iterable[str], nested: int = 0, known: set[str] | None = None
    ) -> set[str]:
        """Return names of the secrets in these texts and in their runs of digits.

        Args:
            known: runs of digits that were searched already.
        """
        found: set[str] = set()
        known = set() if known is None else known
        for each in read:
            form = decoding.as_form(each)
            found |= {name for _, name in self._shown.found_in(form)}
            decoded, readable = decoding.decode_runs(each, known)
            found |= {name for _, name in self._values.found_in(decoded)}
            if readable and nested < decoding.MOST_NESTED:
                more = [readable, *decoding.readings(readable)]
                found |= self._names_in(more, nested + 1, known)
        return found

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and name of secrets in decoded text; the name of a shape is empty."""
        form = decoding.as_form(text)
        for value, name in self._shown.found_in(form):
            at = form.find(value)
            while at >= 0:
                yield at, at + len(value), name
                at = form.find(value, at + len(value))
        for start, end, run in decoding.runs(text):
            for name in self._names_in([run]):
                yield start, end, name
        lower = text.lower()
        for needles, pattern, _ in _SHAPES:
            if any(needle in lower for needle in needles):
                for match in pattern.finditer(text):
                    yield match.end(1), match.end(), ""

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                self._walk(key): "[redacted]" if _named_secret(key, each) else self._walk(each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self._walk(each) for each in value)
        return value

    def _redact_at_cuts(self, text: str) -> str:
        """Redact partial secrets next to a truncation mark or at the end of the text."""
        begun = self._forms.begun_in(text)
        if _CUT.search(text) is not None:
            either = {*begun, *self._forms.ended_in(text)}
            for form, name in self._forms.pairs if either else ():
                if (form, name) in either:
                    text = _without_fragments(text, form, _MARK.format(name))
        for form, name in begun:
            if "://" not in form:  # prose may end in the beginning of an address
                text = _without_heads(text, form, _MARK.format(name))
        return text

    # --- the secret scan ----------------------------------------------------------------------

    def found_in(self, path: Path) -> list[str]:
        """Return names of the secrets in a finished file, in any encoding.

        Raises: OSError, when it cannot be read.
        """
        found: set[str] = set()
        with path.open("rb") as file:
            while lines := file.readlines(PIECE_BYTES):
                found |= self.names_in(b"".join(lines).decode("utf-8", errors="replace"))
        return sorted(found)

    def quickly_in(self, path: Path) -> list[str]:
        """Return names of the secrets in a file by a quick search of their encodings.

        Only :meth:`found_in` finds nested encodings, short secrets and fragments at a cut.

        Raises: OSError, when it cannot be read.
        """
        if not path.stat().st_size:
            return []
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as whole:
            return sorted({name for form, name in self._written if whole.find(form) >= 0})

    def names_in(self, text: str) -> set[str]:
        """Names of the secrets that stand in a text, in whichever encoding."""
        found = {name for _, name in self._forms.found_in(text)}
        found |= {name for pattern, name in self._words if pattern.search(text)}
        found |= self._names_in([text, *decoding.readings(text)])
        if _is_cut(text):
            for value, name in self._raw.items():
                ends = value[:LEAST_INSIDE], value[-LEAST_INSIDE:]
                if name not in found and any(end in text for end in ends):
                    found |= {name} if _without_fragments(text, value, "") != text else set()
        return found


# --- what a secret looks like -----------------------------------------------------------------


def _parts(value: str) -> Iterator[str]:
    """Yield a secret, and the parts of it that give access by themselves."""
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
    # A password may have / and @ unescaped: it ends at the last @ before the host.
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
    parts = pieces.path.split("/") + re.split(r"[=&]", pieces.query)
    if pieces.scheme not in ("http", "https", "postgres", "postgresql"):
        parts.append(pieces.netloc.rpartition("@")[2])
    for piece in parts:
        # a plain number is an id, such as that of a project: it is part of every query
        if len(piece) >= 16 and re.search(r"\d", piece) and not piece.isdigit():
            yield piece


def _if_random(part: str) -> Iterator[str]:
    """Yield a part, unless it may be a word of prose."""
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
    """Yield the characters that depend only on ``data``, at each of the three alignments."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode("ascii")
        start, end = (0, 2, 3)[before], (before + len(data)) * 8 // 6
        yield whole[start:end]
        yield whole[start:end].replace("+", "-").replace("/", "_")


# --- fragments, shapes, decodings -------------------------------------------------------------


def _is_cut(text: str) -> bool:
    return "..." in text or "…" in text


def _without_fragments(text: str, form: str, mark: str) -> str:
    """Return the text without a beginning of ``form`` before a cut, or an end after one."""
    head, tail = form[:LEAST_INSIDE], form[-LEAST_INSIDE:]
    longest = len(form)
    pieces: list[str] = []
    at = 0
    for cut in _CUT.finditer(text):
        start, end = cut.span()
        if start < at:
            continue
        before = text[at:start]
        found = before.rfind(head, max(0, len(before) - longest))
        if found >= 0 and form.startswith(before[found:]):
            before = before[:found] + mark
        after = text[end : end + longest]
        found = after.find(tail)
        taken = 0
        if found >= 0 and form.endswith(after[: found + len(tail)]):
            taken = found + len(tail)
        pieces += [before, cut[0], mark if taken else ""]
        at = end + taken
    return "".join(pieces) + text[at:]


def _without_heads(text: str, form: str, mark: str) -> str:
    """The text without a head of ``form`` at its end, or at the end of a part (``\\0``) of it."""
    head = form[:LEAST_INSIDE]
    parts = text.split("\0")
    for number, part in enumerate(parts):
        found = part.rfind(head, max(0, len(part) - len(form)))
        if found >= 0 and form.startswith(part[found:]) and _is_distinctive(part[found:]):
            parts[number] = part[:found] + mark
    return "\0".join(parts)


def _is_distinctive(fragment: str) -> bool:
    """Return whether a fragment is unlikely to be the end of a word."""
    return len(fragment) >= 12 or (len(fragment) >= 8 and re.search(r"\d", fragment) is not None)


def _without_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with a mark for each span; overlapping spans get one."""
    pieces: list[str] = []
    at = 0
    for start, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end <= at:
            continue
        if start >= at:
            pieces += (text[at:start], _MARK.format(name) if name else "[redacted]")
        at = end
    return "".join(pieces) + text[at:]


def _shapeless(text: str) -> str:
    present = _NEEDLES.found_in(text.lower())
    for needles, pattern, instead in _SHAPES if present else ():
        if not present.isdisjoint(needles):
            text = pattern.sub(instead, text)
    return text


def _named_secret(key: Any, value: Any) -> bool:
    """Return whether a dictionary's key says that its value is a secret."""
    if not isinstance(key, str) or not isinstance(value, str) or len(value) < LEAST_INSIDE:
        return False
    return _names_secret(key[-LONGEST_KEY:]) and not value.startswith("[redacted")


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _gather(value: Any, into: dict[str, None]) -> None:
    """Add every string of plain data once, those of a secret's key as such."""
    if isinstance(value, str):
        into[value] = None
    elif isinstance(value, dict):
        for key, each in value.items():
            _gather(key, into)
            if isinstance(each, str):
                into[f"password={each}" if _named_secret(key, each) else each] = None
            elif not isinstance(each, float | int):
                _gather(each, into)
    elif isinstance(value, list | tuple):
        for each in value:
            if not isinstance(each, float | int):
                _gather(each, into)
