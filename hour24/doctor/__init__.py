"""Tries every address, credential and right that a checkpoint needs once, with the remedy.

Rules of this package:

- It makes the queries of a checkpoint through the same sources, over the last hour, and judges
  nothing.
"""

from hour24.doctor.examining import examine, needed_by
from hour24.doctor.trial import Finding

__all__ = ["Finding", "examine", "needed_by"]
