"""Reproducible random numbers: the same seed and purpose give the same number.


Rules of this module:

- No state: a number depends on the seed and on its purpose, never on earlier draws. Any process can
  therefore compute any hour of a scenario alone.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_TWO_64 = float(1 << 64)


class SeededRandom:
    """Random numbers, each for a purpose that the arguments name."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()[:64]

    def uniform(self, *purpose: object) -> float:
        """Return a number of at least 0 and below 1."""
        digest = blake2b(repr(purpose).encode(), digest_size=8, key=self._key).digest()
        return min(int.from_bytes(digest, "big") / _TWO_64, 1.0 - 1e-12)

    def between(self, low: float, high: float, *purpose: object) -> float:
        """Return a number of at least ``low`` and below ``high``."""
        return low + (high - low) * self.uniform(*purpose)

    def normal(self, *purpose: object) -> float:
        """Return a standard normal number, cut at 2.6 either side: no seed gives an outlier."""
        value = _NORMAL.inv_cdf(min(max(self.uniform(*purpose), 1e-9), 1 - 1e-9))
        return min(max(value, -2.6), 2.6)

    def whole(self, value: float, *purpose: object) -> int:
        """Return ``value`` rounded at random, up or down, so that its mean is unchanged."""
        return int(value + self.uniform(*purpose))

    def hex(self, digits: int, *purpose: object) -> str:
        """Return so many hexadecimal digits, at most 64."""
        size = (digits + 1) // 2
        return blake2b(repr(purpose).encode(), digest_size=size, key=self._key).hexdigest()[:digits]
