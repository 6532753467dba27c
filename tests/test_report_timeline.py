"""The timeline of a watch: what is drawn is listed, in order, within its 24 hours."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hour24.incidents import of_watch
from hour24.report import index, timeline
from tests.pages.sample import WATCH, Sample, failing
from tests.pages.watch import recorded


def test_the_timeline_has_checkpoints_incidents_and_waivers_in_order(tmp_path: Path) -> None:
    ledger = recorded(tmp_path, [Sample(12).record(), failing(16)])
    at = WATCH.checkpoint(16).due + timedelta(minutes=30)
    ledger.append(
        "waive",
        {
            "criterion": "LATENCY-TARGET",
            "by": "Mara",
            "because": "known",
            "at": at.isoformat(),
            "until": (at + timedelta(hours=4)).isoformat(),
            "hour": 16,
        },
    )
    records = ledger.records()
    shown = timeline.events(ledger, records, of_watch(ledger.standings(at), records))
    assert [each.at for each in shown] == sorted(each.at for each in shown)
    assert {"Checkpoints", "Waivers"} <= {each.lane for each in shown}
    start, end = timeline.ends(ledger)
    assert all(start <= (each.until or each.at) and each.at <= end for each in shown)


def test_each_entry_of_the_timeline_is_listed_on_the_page(tmp_path: Path) -> None:
    ledger = recorded(tmp_path, [Sample(12).record(), failing(16)])
    records = ledger.records()
    now = records[-1].ended
    shown = timeline.events(ledger, records, of_watch(ledger.standings(now), records))
    whole = index.text(ledger, now)
    listed = whole.split("of the timeline as a list")[1].split("</ul>")[0]
    assert listed.count("<li") == len(shown)
    drawn = whole.split('class="plot tline"')[1].split("</svg>")[0]
    assert drawn.count("<title>") == len(shown)


def test_each_cell_of_the_grid_leads_to_its_evidence(tmp_path: Path) -> None:
    ledger = recorded(tmp_path, [Sample(12).record(), failing(16)])
    whole = index.text(ledger, ledger.records()[-1].ended)
    assert 'class="cl" href="hour16.a1.html#' in whole
