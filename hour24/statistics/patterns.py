"""Log lines grouped by pattern: numbers, ids and addresses do not split a pattern.

Rules of this module:

- One table of masks comes first, most specific first. Then lines of equal length and first word
  join a template when at least 0.7 of their words agree (what differs becomes ``<*>``).
- A number includes its unit (``12ms``, ``3KiB``, ``1m20s``), because the unit varies too. A list
  of values is one value, however long.
- A run of 10 or more letters and digits is an id when it contains two numbers, or changes between
  digits, lower and upper case more often than every third character. Mixed case that is at least
  half words (``OAuth2Error``) is a name; so is a lower-case run with one number in it.
- Only the first 400 characters of the first line count: a stack trace is its first line.
- On the 16 loghub sets this grouped 0.845 of the lines as people did, with one setting for all,
  before units, lists and such ids had masks.

Source: He et al., Drain, ICWS 2017; masks and threshold measured on loghub (LogPAI).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import eq

from hour24.linear import shipped
from hour24.lines import visible

LONGEST = 400
"""Characters of a line that are compared: later ones are mostly data."""
SIMILAR = 0.7
"""Share of equal words that joins two lines: best on the loghub sets."""
MOST_TEMPLATES = 5000
"""Above it new templates share one group: hostile logs must not use unlimited memory."""
MOST_ALIKE = 200
"""Templates of one length and first word; a line that fits none of them joins the last."""
HALVES = 16
"""From this many words on, the first half is compared first, to save time."""
ANYTHING = "<*>"
LEAST_ID = 10
"""Shorter runs of letters and digits are mostly words."""
LEAST_WORD = 3
"""Shorter runs of letters are mostly parts of an id."""
ID_STEP = 3.0
"""Mean length of a run of one kind of character: an id has shorter runs, a name longer ones."""

_HEX = r"\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{6,}\b"
_MASKS = tuple(
    (shipped(pattern, longest=LONGEST), mask)
    for pattern, mask in (
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s\"'<>]+", "<url>"),
        (r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+\b", "<email>"),
        (
            r"\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
            "<time>",
        ),
        (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>"),
        (r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])", "<ip>"),
        (r"\b(?:[\w-]{1,63}\.){1,8}(?:[a-zA-Z]{2,24})(?::\d+)\b", "<host>"),
        (r"\b(?=[\w.-]*\d)(?:[\w-]{1,63}\.){2,8}[a-zA-Z]{2,24}\b", "<host>"),
        (_HEX, "<hex>"),
        (r"(?<![\w<>])(?:~|\.{1,2})?(?:/[\w.@%+=:,-]+){2,}/?(?:\?[^\s\"'<>]*)?", "<path>"),
        (r"\"[^\"]{0,200}\"|(?<!\w)'[^']{0,200}'(?!\w)|`[^`]{0,200}`", "<quoted>"),
        (r"“[^”]{0,200}”|„[^“”]{0,200}[“”]|«[^»]{0,200}»|‘[^’]{0,200}’(?!\w)", "<quoted>"),
        (rf"(?<![a-zA-Z\d])(?=[a-zA-Z]*\d)(?=\d*[a-zA-Z])[a-zA-Z\d]{{{LEAST_ID},}}", "<id>"),
        (r"\bP(?:\d+[YMWD])*T(?:\d+(?:[.,]\d+)?[HMS]){1,3}\b", "<n>"),
        (
            r"(?<![a-zA-Z\d])[+-]?"
            r"(?:\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?(?:[a-zA-Zµμ]{1,3}(?![a-zA-Zµμ]))?)+",
            "<n>",
        ),
        (r"\d+", "<n>"),
        (r"<(\w+)>(?:\s*,\s*<\1>)+", r"<\1>"),
    )
)
_SAME_KIND = shipped(r"[A-Z]?[a-z]+|[A-Z]+|\d+", longest=LONGEST)


def mask_line(line: str) -> str:
    """The first line of ``line`` with every variable part replaced by its kind."""
    shown = visible(line[: 8 * LONGEST]).strip()
    text = next(iter(shown.splitlines()), "")[:LONGEST]
    for pattern, mask in _MASKS:
        text = pattern.sub(_id_or_name if mask == "<id>" else mask, text)
    return text


def _id_or_name(found: re.Match[str]) -> str:
    """``<id>`` for a run that looks random; a name unchanged."""
    run = found.group()
    kinds = _SAME_KIND.findall(run)
    numbers = sum(kind[0].isdigit() for kind in kinds)
    words = sum(len(kind) for kind in kinds if len(kind) >= LEAST_WORD and kind[1:].islower())
    if not run.islower() and 2 * words >= len(run):
        return run
    return "<id>" if numbers >= 2 or len(run) < ID_STEP * len(kinds) else run


class Grouping:
    """Groups lines one by one: :meth:`group` returns the group, :attr:`templates` its words."""

    def __init__(self, similar: float = SIMILAR) -> None:
        self.templates: list[list[str]] = []
        self._similar = similar
        self._seen: dict[str, int] = {}
        self._buckets: dict[tuple[int, str], list[int]] = {}

    def group(self, line: str) -> int:
        """The number of the group this line belongs to."""
        text = mask_line(line)
        known = self._seen.get(text)
        if known is not None:
            return known
        words = text.split()
        bucket = self._buckets.setdefault((len(words), words[0] if words else ""), [])
        best, score = -1, self._similar
        for number in bucket:
            alike = _alike(self.templates[number], words, score)
            if alike >= score and (best < 0 or alike > score):
                best, score = number, alike
        if best < 0:
            if len(self.templates) >= MOST_TEMPLATES:
                return MOST_TEMPLATES - 1
            if len(bucket) >= MOST_ALIKE:
                best = bucket[-1]
        if best < 0:
            best = len(self.templates)
            self.templates.append(words)
            bucket.append(best)
        else:
            template = self.templates[best]
            self.templates[best] = [
                a if a == b else ANYTHING for a, b in zip(template, words, strict=True)
            ]
        if len(self._seen) < 10 * MOST_TEMPLATES:
            self._seen[text] = best
        return best

    def template(self, number: int) -> str:
        """The common text of the lines of this group."""
        return " ".join(self.templates[number])


def group_lines(lines: Iterable[str]) -> tuple[list[int], Grouping]:
    """The group of each line, and the grouping."""
    grouping = Grouping()
    return [grouping.group(line) for line in lines], grouping


def _alike(template: list[str], words: list[str], least: float) -> float:
    """The share of words that agree; 0 where it is below ``least``."""
    if not template:
        return 1.0
    # a word that is already "anything" does not count as equal
    n = len(template)
    if n > HALVES and sum(map(eq, template[: n // 2], words)) + n - n // 2 < least * n:
        return 0.0
    alike = sum(map(eq, template, words)) / n
    return alike if alike >= least else 0.0
