"""Compiles every regular expression that is matched against foreign text, in linear time.

Rules of this module:

- A pattern that a person states (a class of errors, a beat) has Python's syntax, is parsed by
  Python's own parser and run by RE2, which is linear on every input: a hostile line costs as much
  as any line of its length. What RE2 cannot do (look-around, back-references, atomic groups) is
  refused in one line that names it.
- A pattern of hour24 is run by Python's engine and registered with the longest text it is given;
  a test matches each of them against a megabyte of hostile text.
- ``\\w``, ``\\d`` and ``\\s`` match all scripts, as in Python; ``\\b`` is for ASCII letters only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]  # the one parser of its syntax
from typing import Any, NamedTuple

MEGABYTE = 1_000_000
MOST_REPEATS = 1000
"""RE2's own limit of ``{n,m}``."""
_FLAGS = re.IGNORECASE
_REFUSED = {
    "ASSERT": "look-around, (?=...) or (?<=...)",
    "ASSERT_NOT": "negative look-around, (?!...) or (?<!...)",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a conditional group, (?(1)...)",
    "GROUPREF_IGNORE": "a back-reference",
    "ATOMIC_GROUP": "an atomic group, (?>...)",
    "POSSESSIVE_REPEAT": "a possessive repeat, such as *+",
}
_POSITIVE = {
    "CATEGORY_DIGIT": r"\p{Nd}",
    "CATEGORY_WORD": r"\p{L}\p{N}_",
    "CATEGORY_SPACE": r"\s\x{0b}\x{1c}-\x{1f}\x{85}\p{Z}",
}
_NEGATIVE = {
    "CATEGORY_NOT_DIGIT": ("CATEGORY_DIGIT", r"\D"),
    "CATEGORY_NOT_WORD": ("CATEGORY_WORD", r"\W"),
    "CATEGORY_NOT_SPACE": ("CATEGORY_SPACE", r"\S"),
}
_AT = {
    "AT_BEGINNING": r"\A",
    "AT_BEGINNING_STRING": r"\A",
    "AT_END": r"(?:\n?\z)",
    "AT_END_STRING": r"\z",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
}


class Shipped(NamedTuple):
    """A pattern of hour24, and the longest text that it is matched against."""

    pattern: re.Pattern[str]
    longest: int


SHIPPED: list[Shipped] = []
"""Each pattern of ours, for the test that tries them on hostile text."""


def shipped(pattern: str, flags: int = 0, *, longest: int = MEGABYTE) -> re.Pattern[str]:
    """Compile and register a pattern of hour24.

    Args:
        longest: characters of the longest text it is matched against; its caller cuts longer text.
    """
    compiled = re.compile(pattern, flags)
    SHIPPED.append(Shipped(compiled, longest))
    return compiled


class PatternRefused(ValueError):
    """A stated pattern that cannot be used, with the reason."""


class Stated:
    """A pattern that a person stated; it ignores case.

    Raises: PatternRefused, when it is no regular expression, or one that needs more than linear
        time.
    """

    def __init__(self, pattern: str) -> None:
        try:
            re.compile(pattern, _FLAGS)  # refuses more than the parser alone
            tree = _parser.parse(pattern, _FLAGS)
        except (re.error, OverflowError, RecursionError) as problem:
            raise PatternRefused(f"one with: {problem}") from None
        names = {number: name for name, number in tree.state.groupdict.items()}
        self._names = tuple(names[number] for number in sorted(names))
        self._whether = _engine(_Writer(tree.state.flags, {}).of(tree))
        self._which = _engine(_Writer(tree.state.flags, names).of(tree)) if names else None

    def found_in(self, text: str) -> bool:
        """Return whether it matches anywhere in the text."""
        return self._whether.search(_bytes(text)) is not None

    def groups(self, text: str) -> dict[str, str] | None:
        """Return the named groups of its first match; none when it does not match."""
        if self._which is None:
            return {} if self.found_in(text) else None
        found = self._which.search(_bytes(text))
        if found is None:
            return None
        groups = ((name, found.group(number)) for number, name in enumerate(self._names, 1))
        return {name: (each or b"").decode("utf-8", "replace") for name, each in groups}


@lru_cache(maxsize=512)
def stated(pattern: str) -> Stated:
    """Return the stated pattern, compiled once. Raises: PatternRefused."""
    return Stated(pattern)


class Words:
    """Finds which of many words stand in a text, in one pass over it."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(dict.fromkeys(words))
        self._engine: Any = None

    def found_in(self, text: str) -> set[str]:
        """Return those of the words that are in the text."""
        if self._engine is None:
            self._engine = _set_of(self._words)
        found = self._engine.Match(text.encode("utf-8", "surrogatepass")) if self._words else ()
        return {self._words[number] for number in found or ()}


def _set_of(words: Iterable[str]) -> Any:
    import re2  # slow to import: only when a text is searched

    options = re2.Options()
    options.log_errors = False
    options.literal = True
    engine = re2.Set.SearchSet(options)
    for word in words:
        engine.Add(word.encode("utf-8", "surrogatepass"))
    engine.Compile()
    return engine


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _engine(pattern: str) -> Any:
    import re2  # slow to import: only when a pattern is stated

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8"), options)
    except re2.error as problem:
        reason = problem.args[0] if problem.args else problem
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternRefused(f"one too large to run in linear time: {text}") from None


class _Writer:
    """Writes a parsed pattern in RE2's syntax; it captures only the named groups."""

    def __init__(self, flags: int, names: dict[int, str]) -> None:
        self._flags = flags
        self._names = names

    def of(self, items: Iterable[Any], flags: int | None = None) -> str:
        flags = self._flags if flags is None else flags
        return "".join(self._one(str(op), value, flags) for op, value in items)

    def _one(self, op: str, value: Any, flags: int) -> str:
        if op in _REFUSED:
            raise PatternRefused(f"one with {_REFUSED[op]}, which does not run in linear time")
        if op == "LITERAL":
            return _character(value)
        if op == "NOT_LITERAL":
            return f"[^{_character(value)}]"
        if op == "ANY":
            return "(?s:.)" if flags & re.DOTALL else r"[^\n]"
        if op == "IN":
            return _escape_set(value, flags)
        if op == "BRANCH":
            return f"(?:{'|'.join(self.of(each, flags) for each in value[1])})"
        if op == "SUBPATTERN":
            return self._group(value, flags)
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(value, flags, "?" * (op == "MIN_REPEAT"))
        if op == "AT":
            at = str(value)
            if flags & re.MULTILINE and at in ("AT_BEGINNING", "AT_END"):
                return "(?m:^)" if at == "AT_BEGINNING" else "(?m:$)"
            return _AT[at]
        raise PatternRefused(f"one with {op.lower()}, which does not run in linear time")

    def _group(self, value: Any, flags: int) -> str:
        number, added, removed, items = value
        inner = (flags | added) & ~removed
        text = self.of(items, inner)
        if (inner ^ flags) & re.IGNORECASE:
            text = f"(?{'i' if inner & re.IGNORECASE else '-i'}:{text})"
        return f"({text})" if number in self._names else f"(?:{text})"

    def _repeat(self, value: Any, flags: int, lazy: str) -> str:
        low, high, items = value
        most = "" if high is _constants.MAXREPEAT else int(high)
        if max(int(low), int(most or 0)) > MOST_REPEATS:
            raise PatternRefused(f"one that repeats more than {MOST_REPEATS:,} times")
        return f"(?:{self.of(items, flags)}){{{int(low)},{most}}}{lazy}"


def _character(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _escape_set(items: list[Any], flags: int) -> str:
    inverse = bool(items) and str(items[0][0]) == "NEGATE"
    members = items[1:] if inverse else items
    kinds = [str(value) for op, value in members if str(op) == "CATEGORY"]
    negative = [kind for kind in kinds if kind in _NEGATIVE]
    ascii_only = bool(flags & re.ASCII)
    if negative and len(members) == 1:  # [\W] is [^\w], [^\W] is [\w]
        return f"[{'' if inverse else '^'}{_category(_NEGATIVE[negative[0]][0], ascii_only)}]"
    parts = []
    for op, value in members:
        if str(op) == "LITERAL":
            parts.append(_character(value))
        elif str(op) == "RANGE":
            parts.append(f"{_character(value[0])}-{_character(value[1])}")
        elif str(value) in _NEGATIVE:
            parts.append(_outside(_NEGATIVE[str(value)][1], ascii_only))
        else:
            parts.append(_category(str(value), ascii_only))
    return f"[{'^' if inverse else ''}{''.join(parts)}]"


def _category(kind: str, ascii_only: bool) -> str:
    if ascii_only:
        plain = {"CATEGORY_DIGIT": "0-9", "CATEGORY_WORD": "0-9A-Za-z_"}
        return plain.get(kind, r"\s\x{0b}")
    return _POSITIVE[kind]


@lru_cache(maxsize=8)
def _outside(kind: str, ascii_only: bool) -> str:
    """Return ``\\W``, ``\\D`` or ``\\S`` as ranges, for a set with more members."""
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    found = re.finditer(f"{kind}+", everything, re.ASCII if ascii_only else 0)
    runs = []
    for each in found:
        first, last = ord(each[0][0]), ord(each[0][-1])
        halves = [(first, 0xD7FF), (0xE000, last)] if first < 0xD800 < last else [(first, last)]
        runs += [f"{_character(low)}-{_character(high)}" for low, high in halves]
    return "".join(runs)
