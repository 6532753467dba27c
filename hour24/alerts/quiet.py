"""Quiet hours: the time of day in which what can wait waits.

Rules of this module:

- They begin and end by the clock of the service's time zone, once a night: in the night in which an
  hour comes twice they begin at the first and end at the last one of their times; in the night in
  which an hour is left out, a time within it is the end of the gap.
- At and after the end of a watch nothing waits: no process would be left to send it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct


class QuietHours(Struct, frozen=True, kw_only=True):
    """Quiet hours of a watch.

    Args:
        stated: such as ``22:00-07:00``; empty: there are none.
        zone: IANA name of the time zone.
        until: the end of the watch.
    """

    stated: str
    zone: str
    until: datetime

    def end(self, now: datetime) -> datetime | None:
        """Return when the quiet hours of this time end; None when it is not in any."""
        if not self.stated or now >= self.until:
            return None
        first, last = (time.fromisoformat(each) for each in self.stated.split("-"))
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            begin = _instant(day, first, zone, fold=0)
            end = _instant(day + timedelta(days=last <= first), last, zone, fold=1)
            if begin <= now < end:
                return min(end, self.until)
        return None


def _instant(day: date, at: time, zone: ZoneInfo, fold: int) -> datetime:
    """Return the instant of a time on the wall; of one that is left out, the end of the gap."""
    wall = datetime.combine(day, at)
    found = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # The later offset leads before the gap; then the first minute that shows this time or more.
    found = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while found.astimezone(zone).replace(tzinfo=None) < wall:
        found += timedelta(minutes=1)
    return found
