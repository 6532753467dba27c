"""Times as a page shows them: in the time zone of the watch.

Rules of this module:

- The page names the offset once, or next to every time if it changes during the watch.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup, escape

from hour24.text import one_line


class Times:
    """Formats the times of one watch.

    Args:
        zone: IANA name; a name unknown to this machine is read as UTC, and ``zone`` says so.
        first, last: the ends of the watch; if the offset changes between them, it is shown
            next to every time.
    """

    def __init__(self, zone: str, first: datetime, last: datetime) -> None:
        try:
            self._zone = ZoneInfo(zone)
            self.zone = zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._zone = ZoneInfo("UTC")
            self.zone = f"UTC ({one_line(zone, 60)} is not known here)"
        self.mixed = self.offset(first) != self.offset(last)
        self.says = self._says(first)

    def _says(self, first: datetime) -> str:
        if self.zone == "UTC":
            return "UTC"
        marked = "; verdicts use UTC and say so"
        if self.mixed:
            return f"{self.zone}; the offset changes, so each time shows it{marked}"
        return f"{self.offset(first)} ({self.zone}){marked}"

    def local(self, at: datetime) -> datetime:
        """Return ``at`` in the time zone of the watch."""
        return at.astimezone(self._zone)

    def offset(self, at: datetime) -> str:
        """``UTC+01:00``."""
        behind = self.local(at).utcoffset() or timedelta()
        minutes = round(behind.total_seconds() / 60)
        sign = "−" if minutes < 0 else "+"
        return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    def _mark(self, at: datetime) -> str:
        return f" {self.offset(at)}" if self.mixed else ""

    def clock(self, at: datetime, seconds: bool = False) -> str:
        """``04:15``, or ``04:17:04``."""
        return self.local(at).strftime("%H:%M:%S" if seconds else "%H:%M") + self._mark(at)

    def date(self, at: datetime) -> str:
        """``22 Dec``."""
        here = self.local(at)
        return f"{here.day} {here.strftime('%b')}"

    def full(self, at: datetime, seconds: bool = False) -> str:
        """``22 Dec 04:15``."""
        return f"{self.date(at)} {self.clock(at, seconds)}"

    def whole(self, at: datetime) -> str:
        """``22 Dec 2025 04:15``, for a time that may be in another year."""
        return f"{self.date(at)} {self.local(at).year} {self.clock(at)}"

    def dated(self, at: datetime) -> str:
        """``22 December 2025 at 12:41``."""
        here = self.local(at)
        return f"{here.day} {here.strftime('%B %Y')} at {self.clock(at)}"

    def tag(self, at: datetime, form: str = "full") -> Markup:
        """A ``<time>`` element; ``form``: clock, seconds, date, full, long, dated."""
        text = {
            "clock": lambda: self.clock(at),
            "seconds": lambda: self.clock(at, True),
            "date": lambda: self.date(at),
            "full": lambda: self.full(at),
            "long": lambda: self.full(at, True),
            "dated": lambda: self.dated(at),
        }[form]()
        iso = self.local(at).isoformat(timespec="seconds")
        return Markup('<time datetime="{}">{}</time>').format(iso, escape(text))
