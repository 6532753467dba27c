"""Every address, credential and right that a checkpoint needs, tried once, with the remedy.

Rules of this package:

- It asks what a checkpoint asks, through the same sources, about the last hour; it judges
  nothing of production.
"""

from hour24.doctor.examining import examine, needed_by
from hour24.doctor.trial import Finding

__all__ = ["Finding", "examine", "needed_by"]
