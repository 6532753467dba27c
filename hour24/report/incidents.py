"""Incidents as a page shows them: the headline, its facts, and one line per finding.

Rules of this module:

- An incident is over only if its evidence says so; else the page says until when it was checked.
- A finding is one line; the reasons of all but the first are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from hour24 import incidents
from hour24.codes import CODES
from hour24.criteria import latency
from hour24.incidents import Incident
from hour24.ledger.record import Record
from hour24.report import outside
from hour24.report.axes import Picture
from hour24.report.rows import Row, Unmeasured
from hour24.report.times import Times
from hour24.text import format_duration, join_words, plural, shorten, shorten_ids
from hour24.verdict import Outcome

MOST_WHY = 2
"""Headlines on the first screen; the others are counted."""
_LATENCY = (latency.TARGET.id, latency.STABLE.id)
LIVE_ID = 12
"""Characters of a commit."""


class Card(Struct, frozen=True, kw_only=True):
    """One incident on a page.

    Args:
        facts: began, ended or not, share, checks.
        deploy: the last deploy before it.
        rows: one per finding, that of the headline first.
        unmeasured: its findings without an answer.
        pictures: the charts of the finding that names it.
        links: to other systems.
        advice: the runbook's entries, unless it is linked to.
        state: ``still``, ``over``, ``unknown`` or ``not measured``.
    """

    anchor: str
    headline: str
    outcome: Outcome
    state: str
    facts: str
    deploy: str
    why: str
    doubt: str
    rows: tuple[Row, ...]
    unmeasured: tuple[Unmeasured, ...] = ()
    pictures: tuple[Picture, ...] = ()
    links: tuple[outside.Link, ...] = ()
    advice: tuple[outside.Advice, ...] = ()


def clock(times: Times, record: Record) -> incidents.Clock:
    """Return how a time is shown: the clock alone within the window, else with its date."""

    def show(at: datetime) -> str:
        near = record.window.start <= at <= max(record.due, record.ended)
        return times.clock(at) if near else times.full(at)

    return show


def deploy_text(found: Incident, show: incidents.Clock) -> str:
    """Return the last deploy before an incident, and how long before; empty if none is known."""
    if found.deploy is None or found.began is None:
        return ""
    before = (found.began - found.deploy.at).total_seconds()
    when = f"{format_duration(before)} before" if before > 0 else "at the same time"
    commit = f", commit {found.deploy.commit[:LIVE_ID]}" if found.deploy.commit else ""
    return f"Last deploy {show(found.deploy.at)}, {when}{commit}"


def live_text(record: Record, show: incidents.Clock) -> str:
    """Return which deploy was live, since when, and whether production.toml names another."""
    live = incidents.live_deploy(record)
    named = record.service.get("release", "")
    if live is None:
        return f"not known; production.toml names {named}" if named else "not known"
    name = live.commit[:LIVE_ID] or live.id
    before = (record.due - live.at).total_seconds()
    since = f", {format_duration(before)} before this checkpoint" if before > 0 else ""
    text = f"{name}, deployed {show(live.at)}{since}"
    if not record.target_kind.approvable:
        named = ""
    same = named and (live.commit.startswith(named) or named in (live.id, live.commit))
    return text if same or not named else f"{text} (production.toml names {named})"


def ending_text(found: Sequence[Incident], show: incidents.Clock) -> str:
    """Return whether what failed is over, in one line."""
    failed = [each for each in found if each.outcome == Outcome.FAIL]
    if not failed:
        return "Not measured: nothing is known to have failed" if found else ""
    if len(failed) == 1:
        text = failed[0].ending(show)
        return text[0].upper() + text[1:]
    over = sum(each.state == incidents.State.OVER for each in failed)
    still = sum(each.state == incidents.State.STILL for each in failed)
    parts = [
        f"{still} still failing" if still else "",
        f"{over} over" if over else "",
        f"{len(failed) - over - still} not known to be over" if len(failed) - over - still else "",
    ]
    return f"Of {len(failed)} incidents, {join_words([part for part in parts if part])}"


def changed_text(record: Record, before: Record | None) -> str:
    """Return what changed since the checkpoint before: newly failed, passing again, still open."""
    if before is None:
        return ""
    now, then = _open(record), _open(before)
    passed = {(j.id, j.subject) for j in record.criteria if j.outcome == Outcome.PASS}
    new, over, still = now - then, (then - now) & passed, now & then
    parts = [
        f"{plural(len(new), 'check')} newly failed or not measured" if new else "",
        f"{plural(len(over), 'check')} passing again" if over else "",
        f"{plural(len(still), 'check')} as before" if still else "",
    ]
    text = join_words([part for part in parts if part]) or "nothing changed"
    return f"Since hour {before.hour}: {text}"


def _open(record: Record) -> set[tuple[str, str]]:
    """Return what failed or was not measured, without what only time resolves."""
    return {
        (j.id, j.subject)
        for j in record.criteria
        if j.outcome == Outcome.FAIL or (j.outcome == Outcome.INCONCLUSIVE and _lasts(j.code))
    }


def _lasts(code: str) -> bool:
    return code not in CODES or CODES[code].settled_by != "evidence"


def reasons(found: Sequence[Incident], show: incidents.Clock) -> list[str]:
    """Return the headlines for the first screen, the worst first, and how many more there are.

    A headline without a number says since when.
    """
    failed = [each for each in found if each.outcome == Outcome.FAIL]
    shown = failed or list(found)
    lines = [
        f"{each.headline}; {each.share}" if each.share else _dated(each, show)
        for each in shown[:MOST_WHY]
    ]
    if len(shown) > MOST_WHY:
        lines.append(f"And {plural(len(shown) - MOST_WHY, 'more incident')} below")
    return lines


def _dated(found: Incident, show: incidents.Clock) -> str:
    if any(letter.isdigit() for letter in found.headline) or found.began is None:
        return found.headline
    return f"{found.headline} since {show(found.began)}"


def cards(
    found: Iterable[Incident],
    rows: Mapping[tuple[str, str], Row],
    unmeasured: Callable[[Incident], Sequence[Unmeasured]],
    pictures: Iterable[Picture],
    show: incidents.Clock,
    record: Record,
    reports: Path | None = None,
) -> list[Card]:
    """Return the incidents of a checkpoint for its page.

    Args:
        rows: by id and subject.
        unmeasured: returns the entries of the findings without an answer.
        pictures: the charts of the page.
        reports: the folder with the watch; None: the default one.
    """
    drawn: dict[tuple[str, str], list[Picture]] = {}
    for picture in pictures:
        drawn.setdefault(picture.of, []).append(picture)
    made = []
    for number, each in enumerate(found, 1):
        keys = [(one.id, one.subject) for one in each.findings]
        # bad answers have no latency: another chart shows them better, if there is one
        telling = sorted(keys, key=lambda key: key[0] in _LATENCY and key != keys[0])
        charts = next((drawn[key] for key in telling if key in drawn), [])
        facts = [
            f"began {show(each.began)}" if each.began else "",
            each.ending(show),
            each.share,
            each.touched,
        ]
        made.append(
            Card(
                anchor=f"incident-{number}",
                headline=shorten(shorten_ids(each.headline), 200),
                outcome=each.outcome,
                state=str(each.state),
                facts=" · ".join(fact for fact in facts if fact),
                deploy=deploy_text(each, show),
                why=join_words(each.why),
                doubt=each.doubt,
                rows=tuple(
                    row
                    for key in keys
                    if (row := rows.get(key)) is not None and row.outcome == Outcome.FAIL
                ),
                unmeasured=tuple(unmeasured(each)),
                pictures=tuple(charts),
                links=outside.of_incident(each, record, show),
                advice=outside.advice(each, record, reports),
            )
        )
    return made
