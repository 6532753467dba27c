"""Errors as tracker and platform report them: number, new, critical, frequent and rising ones.

Rules of this package:

- Critical classes are matched before normal ones. An issue of neither is unclassified: a new one
  fails; an old one must be classified by a person.
- A limited normal class is no longer normal above its limit. Events are counted per hour; issues,
  whose events have no times here, by their mean over the window.
- Titles are foreign text: one line, truncated, without control characters.
"""

from hour24.objectives.errors.events import EventsBelow
from hour24.objectives.errors.issues import NoCriticalIssue, NoNewIssue, TopKnown
from hour24.objectives.errors.trend import NoRise, smallest_rise

__all__ = [
    "EventsBelow",
    "NoCriticalIssue",
    "NoNewIssue",
    "NoRise",
    "TopKnown",
    "smallest_rise",
]
