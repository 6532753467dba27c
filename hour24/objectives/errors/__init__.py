"""Errors as tracker and platform tell them: how many, which are new, critical, frequent, rising.

Rules of this package:

- A critical class is looked up before a normal one. What is of neither is unclassified: new, it
  fails; old, a person must say what it is.
- A normal class that is bounded stops being normal above its bound. Events are held against it in
  each hour; issues, whose events have no hours here, by their mean over the window.
- Titles are foreign text: one line, cut, nothing that acts.
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
