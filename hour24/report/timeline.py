"""The timeline of a watch: checkpoints, incidents, deploys, coverage gaps and waivers on one axis.

Rules of this module:

- Everything drawn is in the list below the drawing too, in words and in order.
- An incident without a known end is drawn up to the last time at which it was checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup
from msgspec import Struct

from hour24 import incidents
from hour24.incidents import Incident
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.report.trends import probes_of
from hour24.text import cut, format_duration, one_line, parse_time
from hour24.verdict import Outcome

LANES = ("Checkpoints", "Incidents", "Deploys", "Coverage gaps", "Waivers")
LANE = 26
"""Height of a lane in pixels."""
LONGEST = 200


class Event(Struct, frozen=True, kw_only=True):
    """Something on the timeline; ``until`` None: a point in time."""

    lane: str
    at: datetime
    says: str
    until: datetime | None = None
    kind: str = ""


def events(ledger: Ledger, records: Sequence[Record], found: Iterable[Incident]) -> list[Event]:
    """Return everything that the timeline shows, oldest first."""
    made = [
        Event(
            lane="Checkpoints",
            at=each.due,
            says=f"hour {each.hour}: {each.outcome.value}",
            kind={Outcome.FAIL: "bad", Outcome.INCONCLUSIVE: "open"}.get(each.outcome, ""),
        )
        for hour in ledger.watch.hours
        if (each := ledger.latest(hour)) is not None
    ]
    made += [
        Event(
            lane="Incidents",
            at=each.began,
            until=each.until or each.checked or each.began,
            says=cut(one_line(each.headline, LONGEST), LONGEST),
            kind="bad",
        )
        for each in found
        if each.began is not None
    ]
    made += [
        Event(lane="Deploys", at=each.at, says=f"deploy {each.commit[:12] or each.id}")
        for each in incidents.deploys(records)
    ]
    for record in records:
        probes = probes_of(record)
        for first, last in probes.gaps if probes is not None else ():
            start, end = parse_time(first), parse_time(last)
            if start is not None and end is not None and (end - start).total_seconds() >= 60:
                length = format_duration((end - start).total_seconds())
                made.append(
                    Event(
                        lane="Coverage gaps",
                        at=start,
                        until=end,
                        says=f"no probes for {length}",
                        kind="gap",
                    )
                )
    for entry in ledger.entries():
        at = parse_time(entry.content.get("at"))
        if entry.kind == "waive" and at is not None:
            name, by = entry.content.get("criterion", ""), entry.content.get("by", "")
            made.append(
                Event(lane="Waivers", at=at, says=one_line(f"{name} waived by {by}", LONGEST))
            )
    start, end = ends(ledger)
    inside = [each for each in made if (each.until or each.at) >= start and each.at <= end]
    unique = {(each.lane, each.at, each.until, each.says): each for each in inside}
    return sorted(unique.values(), key=lambda each: (each.at, LANES.index(each.lane)))


def ends(ledger: Ledger) -> tuple[datetime, datetime]:
    """Return the start and the end of the axis: from an hour before T0 to the last checkpoint."""
    t0 = ledger.watch.t0
    return t0 - timedelta(hours=1), t0 + timedelta(hours=ledger.watch.hours[-1] or 1)


def draw(ledger: Ledger, shown: Sequence[Event]) -> Markup:
    """Return the names of the lanes and the drawing; its description counts what is drawn."""
    start, end = ends(ledger)
    whole = (end - start).total_seconds()

    def x(at: datetime) -> float:
        share = (at - start).total_seconds() / whole
        return 100 * min(1.0, max(0.0, share))

    lanes = [lane for lane in LANES if any(each.lane == lane for each in shown)]
    height = LANE * len(lanes) + 22
    parts: list[Markup] = []
    for hour in ledger.watch.hours:
        at = x(ledger.watch.t0 + timedelta(hours=hour))
        anchor = "end" if at > 97 else "middle"
        parts.append(
            Markup(
                '<line class="ax" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}"/>'
                '<text class="t" x="{0:.2f}%" y="{2}" text-anchor="{3}">{4}</text>'
            ).format(at, height - 20, height - 5, anchor, "T0" if hour == 0 else f"{hour} h")
        )
    for number, lane in enumerate(lanes):
        top = number * LANE
        for each in shown:
            if each.lane != lane:
                continue
            left = x(each.at)
            width = x(each.until) - left if each.until is not None else 0.0
            drawn = (left, top + 6, width, each.kind, each.says)
            parts.append(_bar(*drawn) if width > 0.4 else _point(*drawn))
    names = Markup("").join(Markup("<li>{}</li>").format(lane) for lane in lanes)
    says = f"Timeline of the watch with {len(shown)} entries, listed below"
    return Markup(
        '<div class="tlw"><ul aria-hidden="true">{}</ul><svg class="plot tline" role="img" '
        'aria-label="{}" width="100%" height="{}">{}</svg></div>'
    ).format(names, says, height, Markup("").join(parts))


def _bar(left: float, top: int, width: float, kind: str, says: str) -> Markup:
    return Markup(
        '<rect class="tl {}" x="{:.2f}%" y="{}" width="{:.2f}%" height="14">'
        "<title>{}</title></rect>"
    ).format(kind, left, top, width, says)


def _point(left: float, top: int, width: float, kind: str, says: str) -> Markup:
    return Markup(
        '<circle class="tl {}" cx="{:.2f}%" cy="{}" r="6"><title>{}</title></circle>'
    ).format(kind, left, top + 7, says)
