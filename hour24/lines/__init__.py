"""Log lines of other systems: their visible text and their level.

Rules of this package:

- Every line, title or message of another system passes :func:`~hour24.lines.visible.visible`
  before a pattern, a class, a watched word, a beat or a level is matched. The stored text stays as
  received.
- Everything here is pure and runs in linear time.
- The patterns of levels are compiled where a line is read, not where a criterion is named: import
  :mod:`hour24.lines.levels` and :mod:`hour24.lines.traces` inside the function that reads.
"""

from __future__ import annotations

from hour24.lines.visible import visible

__all__ = ["visible"]
