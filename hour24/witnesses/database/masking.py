"""Query texts that may be shown: shortened, without literals and comments.

Rules of this module:

- A literal is user data, perhaps a password: strings and numbers become ``?``.
- A string that does not end, because the text was cut, is masked to the end.
- ``$1`` and identifiers stay, including quoted ones.
"""

from __future__ import annotations

import re

from hour24.linear import shipped
from hour24.text import blank_controls, cut

LONGEST = 300
"""Characters; enough to recognise a statement on a page."""
_TOKEN = shipped(
    r"""
      (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<text> \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) | (?:\b[bBnNxX]|\b[uU]&)?'(?:[^']|'')*(?:'|\Z)
      | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?:(?P=tag)|\Z) )
    | (?P<name> "(?:[^"]|"")*(?:"|\Z) | \$\d+ | [^\W\d][\w$]* )
    | (?P<number> \d[\w.]* | \.\d[\w.]* )
    """,
    re.VERBOSE | re.DOTALL,
)


def mask_literals(query: str) -> str:
    """Return ``query`` on one line, literals masked, at most :data:`LONGEST` characters."""
    bare = _TOKEN.sub(_mask_token, query)
    return cut(" ".join(blank_controls(bare).split()), LONGEST)


def _mask_token(match: re.Match[str]) -> str:
    if match["comment"]:
        return " "
    if match["text"] or match["number"]:
        return "?"
    return match.group()
