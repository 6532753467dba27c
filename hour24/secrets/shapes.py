"""What looks like a secret.

Rules of this module:

- A false alarm is better than a secret in a file: the remedy is one environment variable.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path

SECRET_NAMES = re.compile(
    r"(^|[_-])(token|dsn|password|passwd|passphrase|secret|credentials?|api[_-]?key|apikey"
    r"|access[_-]?key|private[_-]?key|auth|authorization|cookie)($|[_-])",
    re.IGNORECASE,
)
TOKENS: list[tuple[list[str], str, str]] = json.loads(
    (Path(__file__).parent / "tokens.json").read_text("utf-8")
)
"""The tokens of known services: parts of them in lower case, how each begins, how it goes on.

A text of ours needs only the beginning to be refused; a foreign text is redacted where the whole
token stands.
"""
SHAPES = re.compile(
    rf"(?<![A-Za-z0-9])({'|'.join(begin for _, begin, _ in TOKENS)})[A-Za-z0-9_=.-]{{8,}}"
)
PASSWORD_IN_ADDRESS = re.compile(r"://[^/?#\s@:]*:[^/?#\s@]+@")
PARAMETER = re.compile(r"[?&]([^=&#\s]+)=[^&#\s]")
LONG = 20
BITS_A_CHARACTER = 3.3
"""Entropy: words and paths of English stay below, random tokens of 20 characters above."""


def names_secret(key: str) -> bool:
    """Return whether a key says that its value is a secret; ``token_env`` names a variable only."""
    return SECRET_NAMES.search(key) is not None and not key.endswith("_env")


def looks_secret(text: str) -> bool:
    """Return whether a text looks like a secret: a known token, or one in an address."""
    return (
        SHAPES.search(text) is not None
        or PASSWORD_IN_ADDRESS.search(text) is not None
        or any(names_secret(found) for found in PARAMETER.findall(text))
    )


def looks_random(text: str) -> bool:
    """Return whether a text is one long word that looks randomly generated."""
    word = text.rpartition(" ")[2]
    if len(word) < LONG or not re.fullmatch(r"[A-Za-z0-9+/=_.~-]+", word):
        return False
    kinds = sum(bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds >= 2 and bits_a_character(word) >= BITS_A_CHARACTER


def bits_a_character(text: str) -> float:
    """Return the Shannon entropy of its characters, in bits each."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
