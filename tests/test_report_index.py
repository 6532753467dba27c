"""The page of a watch, computed from a real ledger."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from hour24.criteria import CRITERIA
from hour24.report import index, trends
from hour24.verdict import Outcome, Scale
from tests.pages.sample import HOSTILE, WATCH, Sample, changed, failing
from tests.pages.watch import recorded


def words(html: str) -> str:
    body = re.sub(r"<(style|title|desc)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture
def watch_page(tmp_path: Path) -> str:
    """Hours 0, 4 and 12 recorded, 8 missed, 16 failed and waived, 20 resolves, 24 to come."""
    sample = Sample(12)
    early = changed(
        sample.criteria(),
        "WS-STABLE",
        outcome=Outcome.INCONCLUSIVE,
        code="too_few_samples",
        reason="299 connections would settle it",
    )
    ledger = recorded(
        tmp_path,
        [
            Sample(0).record(),
            Sample(4).record(),
            sample.record(early),
            failing(16),
            Sample(20).record(),
        ],
    )
    now = WATCH.checkpoint(20).due + timedelta(minutes=5)
    ledger.append(
        "waive",
        {
            "criterion": "LATENCY-TARGET",
            "subject": "assistants",
            "hour": 16,
            "by": "Mara Example",
            "because": "fixed by the deploy of 05:52",
            "until": (now + timedelta(days=3)).isoformat(),
            "at": now.isoformat(),
        },
    )
    return index.text(ledger, now)


def test_every_criterion_has_a_row_and_every_checkpoint_a_column(watch_page: str) -> None:
    """Criteria x checkpoints, those that are not yet due too."""
    rows = re.findall(r'<tr[^>]*><th scope="row"><span class="id">.*?</tr>', watch_page, re.DOTALL)
    names = [re.search(r'class="id">(.*?)<', row)[1] for row in rows]
    assert sorted(names) == sorted(CRITERIA)
    for row in rows:
        assert len(re.findall(r'<td class="k k-', row)) == 7


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("waived", "FAIL, waived"),
        ("resolved", "resolved"),
        ("missed", "MISSED"),
        ("later", "not yet due"),
        ("not", "not due"),
        ("inc", "INCONCLUSIVE"),
        ("na", "NOT APPLICABLE"),
        ("pass", "PASS"),
    ],
)
def test_each_state_has_its_own_sign_and_word(watch_page: str, state: str, word: str) -> None:
    """Resolved, waived, missed and not yet due differ without colour."""
    cells = re.findall(rf'<td class="k k-{state}">(.*?)</td>', watch_page)
    assert cells
    assert all(f'href="#g-{state}"' in cell and word in words(cell) for cell in cells)


def test_an_inconclusive_that_is_waived_is_no_fail(tmp_path: Path) -> None:
    """Its sign, its word and its colour are its own, and no word is broken inside."""
    silent = changed(
        Sample(4).criteria(),
        "WS-STABLE",
        outcome=Outcome.INCONCLUSIVE,
        code="source_unreachable",
        reason="no answer",
    )
    ledger = recorded(tmp_path, [Sample(0).record(), Sample(4).record(silent)])
    now = WATCH.checkpoint(4).due + timedelta(minutes=5)
    assert "source_<wbr>unreachable" in index.text(ledger, now)
    waiver = {"criterion": "WS-STABLE", "subject": "", "hour": 4, "by": "Mara", "because": "known"}
    until = (now + timedelta(days=3)).isoformat()
    ledger.append("waive", {**waiver, "until": until, "at": now.isoformat()})
    html = index.text(ledger, now)
    (cell,) = re.findall(r'<td class="k k-excused">(.*?)</td>', html)
    assert 'href="#g-excused"' in cell
    assert words(cell).startswith(" INCONCL., waived INCONCLUSIVE, waived ")
    assert words(cell).endswith(" by Mara ")
    assert 'class="k k-waived"' not in html
    legend = html.split('class="legend"')[1].split("</ul>")[0]
    assert "INCONCLUSIVE, waived" in legend
    assert "FAIL" not in legend


def test_a_waiver_is_shown_next_to_its_outcome_with_name_and_reason(watch_page: str) -> None:
    """The FAIL stays a FAIL; who waived it, why and until when is said."""
    said = words(watch_page)
    assert "FAIL, waived" in said
    assert "Mara Example" in said
    assert "fixed by the deploy of 05:52" in said


def test_what_blocks_the_launch_is_listed(watch_page: str) -> None:
    """A checkpoint that was not run is one line, and what was waived or resolved has no line."""
    listed = words(watch_page.split('id="blocking"')[1].split("<h2")[0])
    assert "Hour 8 was due but not run" in listed
    assert "LOGS-WATCHED at hour 16" in listed
    assert "LATENCY-TARGET" not in listed
    assert "WS-STABLE" not in listed


def test_the_next_checkpoint_has_its_time_and_command(watch_page: str) -> None:
    """In the zone of the watch, ready to copy."""
    assert "hour 24, 22 Dec 12:15" in words(watch_page)
    assert "pytest -m hour24 --watch launch-2025-12-22" in watch_page


def test_a_watch_with_only_passes_is_calm_and_one_without_records_is_no_pass(
    tmp_path: Path,
) -> None:
    """PASS if everything passed so far; INCONCLUSIVE if nothing was recorded."""
    calm = recorded(tmp_path / "a", [Sample(0).record(), Sample(4).record()])
    assert 'class="v-pass"' in index.text(calm)
    empty = recorded(tmp_path / "b", [])
    assert 'class="v-inc"' in index.text(empty)


def test_the_chain_is_listed_with_its_head(tmp_path: Path) -> None:
    """Every entry with its file and digest; the head in full, to store somewhere else."""
    ledger = recorded(tmp_path, [Sample(0).record(), Sample(4).record()])
    html = index.text(ledger)
    for entry in ledger.entries():
        assert entry.file in html
        assert entry.sha256[:16] in html
    assert ledger.entries()[-1].sha256 in html


def test_a_rehearsal_says_so(tmp_path: Path) -> None:
    """Banner and command name the rehearsal."""
    rehearsal = {"seed": 7, "faults": []}
    record = Sample(0).record(rehearsal=rehearsal, target="rehearsal")
    ledger = recorded(tmp_path, [record], rehearsal=rehearsal, target="rehearsal")
    said = words(index.text(ledger))
    assert "REHEARSAL" in said
    assert "pytest -m hour4 --target rehearsal" in said


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """Subjects, values and reasons from outside open no element."""
    sample = Sample(4)
    kept = tuple(
        msgspec.structs.replace(
            j, reason=HOSTILE, observed=HOSTILE, limit=HOSTILE, outcome=Outcome.FAIL
        )
        for j in sample.criteria()
    )
    html = index.text(recorded(tmp_path, [Sample(0).record(), sample.record(kept)]))
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    """It replaces the previous page and leaves no other file."""
    ledger = recorded(tmp_path, [Sample(0).record()])
    path = tmp_path / "index.html"
    index.write(ledger, path)
    index.write(ledger, path)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.glob(".index*")] == []


def test_one_criterion_that_fails_for_hours_is_one_line(tmp_path: Path) -> None:
    """Its hours stand together with the last reason; so do criteria with the same one."""
    records = [Sample(0).record()]
    for hour in (4, 8, 12):
        kept = Sample(hour).criteria()
        for name in ("LOGS-ERRORS", "LOGS-PATTERNS"):
            reason = f"observed at {hour}"
            kept = changed(kept, name, outcome=Outcome.FAIL, reason=reason)
        records.append(Sample(hour).record(kept))
    html = index.text(recorded(tmp_path, records), WATCH.checkpoint(12).due)
    listed = words(html.split('id="blocking"')[1].split("</ul>")[0])
    found = "LOGS-ERRORS and LOGS-PATTERNS at hours 4, 8 and 12; at hour 12: observed at 12"
    assert found in listed
    assert listed.count("LOGS-") == 2


def test_a_line_says_the_largest_share_of_its_limit(tmp_path: Path) -> None:
    """A chart alone shows no number."""
    scale = Scale(unit="ratio", limit=0.01, observed=0.002, upper=0.0057)
    records = [
        Sample(hour).record(changed(Sample(hour).criteria(), "ERRORS-RATE", scale=scale))
        for hour in (0, 4)
    ]
    html = index.text(recorded(tmp_path, records))
    row = html.split('class="id">ERRORS-RATE<')[1].split("</tr>")[0]
    assert "57 %" in row


def test_what_never_used_any_of_its_limit_is_named_and_not_drawn(tmp_path: Path) -> None:
    """A line at zero says less than its name in a list."""
    scale = Scale(unit="events", limit=5.0, observed=0.0)
    records = [
        Sample(hour).record(changed(Sample(hour).criteria(), "ERRORS-COUNT", scale=scale))
        for hour in (0, 4)
    ]
    trends = index.text(recorded(tmp_path, records)).split('id="trends"')[1]
    assert "not drawn: ERRORS-COUNT." in words(trends)
    assert "<b>ERRORS-COUNT" not in trends


def test_the_sign_offs_cell_shows_what_24_hours_gave(tmp_path: Path) -> None:
    """ "100 %" of failed requests would be read as a disaster."""
    sample = Sample(24)
    whole = sample.judged(
        CRITERIA["SIGNOFF-ERROR-RATE"],
        "24 hours",
        observed="0.1 %",
        scale=Scale(unit="ratio", limit=0.01, observed=0.001),
    )
    scale = Scale(unit="checkpoints", limit=7, observed=7, better="above")
    kept = changed(sample.criteria(), "SIGNOFF-ERROR-RATE", observed="7 of 7 held", scale=scale)
    records = [Sample(0).record(), sample.record((*kept, whole))]
    html = index.text(recorded(tmp_path, records))
    row = words(html.split('class="id">SIGNOFF-ERROR-RATE<')[1].split("</tr>")[0])
    assert "PASS 0.1 %" in row
    assert "100 %" not in row


def test_a_pass_by_waiver_says_so_at_the_top(tmp_path: Path) -> None:
    """A green tick is not mistaken for a day without failures."""
    failed = changed(
        Sample(0).criteria(), "DB-POOL", outcome=Outcome.FAIL, code="beyond_limit", reason="full"
    )
    ledger = recorded(tmp_path, [Sample(0).record(failed)])
    at = WATCH.t0 + timedelta(minutes=30)
    assert "FAIL" in words(index.text(ledger, at))[:400]
    ledger.append(
        "waive",
        {
            "at": at,
            "by": "Mara Lind",
            "because": "mended",
            "criterion": "DB-POOL",
            "subject": "",
            "hour": 0,
            "until": at + timedelta(days=2),
        },
    )
    found = words(index.text(ledger, at + timedelta(minutes=1)))
    assert "PASS after 1 of 7 checkpoints, with waivers" in found
    assert "Waived: 1 FAIL by Mara Lind." in found
    assert "Nothing else blocks the launch so far." in found


def test_a_cell_leaves_out_what_its_line_says(tmp_path: Path) -> None:
    """``0`` where the line means failed probes; a unit or another word stays."""
    kept = Sample(8).criteria()
    for name, observed in (
        ("HEALTH-ALWAYS", "0 failed"),
        ("ERRORS-TOP", "3 of 3 known"),
        ("MEMORY-STABLE", "-0.0725 MB/h"),
        ("MEMORY-HEADROOM", "43.3 %"),
        ("DB-SLOW", "none above 1000 ms"),
    ):
        kept = changed(kept, name, observed=observed)
    page = index.text(recorded(tmp_path, [Sample(8).record(kept)]))
    found = re.compile(r'class="id">([A-Z-]+)</span>.*?class="val foreign">([^<]*)<', re.DOTALL)
    shown = dict(one.groups() for row in re.split(r"<tr[^>]*>", page) if (one := found.search(row)))
    assert shown["HEALTH-ALWAYS"] == "0"
    assert shown["ERRORS-TOP"] == "3 of 3"
    assert shown["MEMORY-STABLE"] == "-0.0725"
    assert shown["MEMORY-HEADROOM"] == "43.3\u00a0%"
    assert shown["DB-SLOW"] == "none above 1000\u00a0ms"


def test_the_newest_decision_is_at_the_top(tmp_path: Path) -> None:
    """Whoever opens the watch at night reads what was decided, and at which hour."""
    page = index.text(recorded(tmp_path, [Sample(0).record(), failing(4)]))
    assert "After 2 of 7 checkpoints: hold" in words(page)
    assert 'hold <small>at <a href="hour04.a1.html">hour 4</a>' in page


def test_the_sign_off_says_that_it_will_be_refused(tmp_path: Path) -> None:
    """A finished watch with a FAIL says that its sign-off is refused."""
    found = "sign-off refused while anything blocks the launch"
    hours = [failing(hour) if hour == 16 else Sample(hour).record() for hour in WATCH.hours]
    assert found in words(index.text(recorded(tmp_path / "bad", hours)))
    hours = [Sample(hour).record() for hour in WATCH.hours]
    assert found not in words(index.text(recorded(tmp_path / "good", hours)))


def test_a_trend_is_described_in_the_order_of_time() -> None:
    """11.6, 11.1, 10.3 fell: "10.3 to 11.6" would read as a rise."""
    assert trends._first_and_last([11.6, 11.1, 10.3], "MB/h") == "first 11.6, last 10.3 MB/h"
    assert trends._first_and_last([1.0, 3.0, 2.0], "MB") == "first 1, last 2 MB, highest 3"
    assert trends._first_and_last([2.0, 2.0], "MB") == "2 MB throughout"
    assert trends._first_and_last([], "MB") == "no value observed"
