"""Chance that can be told again: the same seed and the same words give the same number.

Rules of this module:

- No state: a number depends on the seed and on what it is drawn for, never on what was drawn
  before it. So any process can tell any hour of a story alone.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_TWO_64 = float(1 << 64)


class Chance:
    """Numbers drawn for a purpose, named by words."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()[:64]

    def uniform(self, *purpose: object) -> float:
        """At least 0 and below 1."""
        digest = blake2b(repr(purpose).encode(), digest_size=8, key=self._key).digest()
        return min(int.from_bytes(digest, "big") / _TWO_64, 1.0 - 1e-12)

    def between(self, low: float, high: float, *purpose: object) -> float:
        """At least ``low`` and below ``high``."""
        return low + (high - low) * self.uniform(*purpose)

    def normal(self, *purpose: object) -> float:
        """Standard normal, cut at 2.6 either side: nothing here is a freak of the draw."""
        value = _NORMAL.inv_cdf(min(max(self.uniform(*purpose), 1e-9), 1 - 1e-9))
        return min(max(value, -2.6), 2.6)

    def whole(self, value: float, *purpose: object) -> int:
        """``value`` rounded up or down so that its mean stays what it is."""
        return int(value + self.uniform(*purpose))

    def hex(self, digits: int, *purpose: object) -> str:
        """So many hexadecimal digits, at most 64."""
        size = (digits + 1) // 2
        return blake2b(repr(purpose).encode(), digest_size=size, key=self._key).hexdigest()[:digits]
