"""The sign-off page, computed from a real ledger."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hour24.criteria import CRITERIA
from hour24.ledger.book import Ledger
from hour24.report import signoff
from hour24.verdict import Outcome, Scale
from tests.pages.sample import WATCH, Sample, changed, failing
from tests.pages.watch import recorded

NOW = WATCH.checkpoint(24).due + timedelta(minutes=30)


def words(html: str) -> str:
    body = re.sub(r"<(style|title|desc)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def whole(reports: Path, **changes: Any) -> Ledger:
    """A watch with seven passed checkpoints."""
    found = {"rehearsal": changes["rehearsal"]} if "rehearsal" in changes else {}
    return recorded(reports, [Sample(hour).record(**found) for hour in WATCH.hours], **changes)


def sign(ledger: Ledger, at: datetime = NOW) -> None:
    ledger.append(
        "signoff",
        {
            "by": "Mara Example",
            "role": "CTO",
            "because": "everything passed",
            "at": at.isoformat(),
            "launch_at": (at + timedelta(hours=12)).isoformat(),
        },
    )


def test_a_whole_watch_that_is_signed_is_approved(tmp_path: Path) -> None:
    """Who, in which role, when, because of what, and how long until the launch."""
    ledger = whole(tmp_path)
    sign(ledger)
    said = words(signoff.text(ledger, NOW))
    assert "APPROVED FOR CUSTOMER LAUNCH" in said
    assert "REFUSED" not in said
    assert "Mara Example , CTO, on 22 December 2025 at 12:45" in said
    assert "everything passed" in said
    assert "7 of 7" in said
    assert "12 h 30 min after the watch" in said


def test_the_eight_criteria_stand_with_their_evidence(tmp_path: Path) -> None:
    """Each with its sentence and what was found over 24 hours."""
    said = words(signoff.text(whole(tmp_path), NOW))
    for name in ("ERROR-RATE", "CRITICAL", "HEALTH", "DATABASE", "RESTARTS", "LATENCY", "JOBS"):
        assert f"SIGNOFF-{name}" in said
    assert "WebSocket connections were stable" in said
    assert said.count("3 of 1 354 were found") >= 8


def test_without_a_signature_it_is_refused(tmp_path: Path) -> None:
    """Nothing is missing but a name."""
    html = signoff.text(whole(tmp_path), NOW)
    assert "REFUSED" in words(html)
    assert "not signed yet" in words(html)
    assert "APPROVED" not in words(html)


def test_an_open_fail_refuses_whatever_was_signed(tmp_path: Path) -> None:
    """A signature over an open FAIL approves nothing, and the page says what is open."""
    records = [failing(16) if hour == 16 else Sample(hour).record() for hour in WATCH.hours]
    ledger = recorded(tmp_path, records)
    sign(ledger)
    said = words(signoff.text(ledger, NOW))
    assert "REFUSED" in said
    assert "FAIL: LATENCY-TARGET assistants at hour 16" in said


def test_a_missed_checkpoint_refuses(tmp_path: Path) -> None:
    """Six of seven is not the watch."""
    ledger = recorded(tmp_path, [Sample(h).record() for h in WATCH.hours if h != 12])
    sign(ledger)
    said = words(signoff.text(ledger, NOW))
    assert "REFUSED" in said
    assert "Hour 12 was due but not run" in said


def test_a_rehearsal_is_never_approved(tmp_path: Path) -> None:
    """Whatever its ledger contains."""
    ledger = whole(tmp_path, rehearsal={"seed": 7, "faults": []}, target="rehearsal")
    sign(ledger)
    said = words(signoff.text(ledger, NOW))
    assert "APPROVED" not in said
    assert "a rehearsal cannot be signed off" in said


def test_what_is_missing_is_listed_word_for_word(tmp_path: Path) -> None:
    """The reasons that the sign-off gives stand on the page, and refuse it."""
    ledger = whole(tmp_path)
    sign(ledger)
    said = words(signoff.text(ledger, NOW, ["the chain is broken at hour08.a1.json"]))
    assert "REFUSED" in said
    assert "the chain is broken at hour08.a1.json" in said


def test_the_chain_and_its_head_are_named(tmp_path: Path) -> None:
    """Number of entries, the head before the sign-off, its own digest, the command to verify."""
    ledger = whole(tmp_path)
    sign(ledger)
    html = signoff.text(ledger, NOW)
    entries = ledger.entries()
    assert entries[-2].sha256 in html
    assert entries[-1].sha256 in html
    assert "9 entries, of these 7 checkpoint runs" in words(html)
    assert f"python -m hour24 verify {ledger.folder}" in html


def test_beats_are_not_counted_as_missing(tmp_path: Path) -> None:
    """ "0 of 5,760" timestamps without a value are not a gap in the watch."""
    html = signoff.text(whole(tmp_path), NOW)
    covered = words(html.split('id="coverage"')[1].split("</table>")[0])
    assert "beats" not in covered
    assert "health probes, all checkpoints" in covered
    assert "memory, Render" in covered


def test_what_is_missing_is_one_line_a_criterion(tmp_path: Path) -> None:
    """However many hours it concerns; what no verdict says stays as it is."""
    records = [failing(h) if h > 8 else Sample(h).record() for h in WATCH.hours]
    ledger = recorded(tmp_path, records)
    found = [
        *(f"LATENCY-TARGET assistants at hour {h}: FAIL: it was slow" for h in (12, 16, 20, 24)),
        "the chain is broken",
    ]
    html = signoff.text(ledger, NOW, found)
    missing = words(html.split('id="missing"')[1].split("<h2")[0])
    assert "LATENCY-TARGET assistants at hours 12, 16, 20 and 24; at hour 24: the p99" in missing
    assert missing.count("LATENCY-TARGET") == 1
    assert "the chain is broken" in missing


def test_the_margin_of_the_eight_is_that_of_24_hours(tmp_path: Path) -> None:
    """Not whether all checkpoints passed, which is all or nothing."""
    sample = Sample(24)
    scale = Scale(unit="s", limit=75, observed=33)
    day = sample.judged(CRITERIA["SIGNOFF-JOBS"], "24 hours", scale=scale)
    scale = Scale(unit="checkpoints", limit=7, observed=7, better="above")
    kept = changed(sample.criteria(), "SIGNOFF-JOBS", scale=scale)
    records = [Sample(h).record() for h in WATCH.hours[:-1]]
    html = signoff.text(recorded(tmp_path, [*records, sample.record((*kept, day))]), NOW)
    row = words(html.split("Background jobs ran")[1].split("</tr>")[0])
    assert "56 % left" in row


def test_the_verdicts_add_up(tmp_path: Path) -> None:
    """What a missed checkpoint owes is among what was due."""
    ledger = recorded(tmp_path, [Sample(0).record(), failing(4)])
    found = re.search(
        r"Verdicts due ([0-9]+) ([^A-Z]*[A-Z].*?) (?:Launch|What)", words(signoff.text(ledger, NOW))
    )
    assert found is not None
    assert int(found[1]) == sum(map(int, re.findall(r"[0-9]+", found[2])))


def test_only_a_fail_among_what_is_missing_is_red(tmp_path: Path) -> None:
    """An INCONCLUSIVE has the colour of its own."""
    page = signoff.text(recorded(tmp_path, [Sample(0).record(), failing(4)]), NOW)
    lines = page.split('id="missing"')[1].split("</ul>")[0].split("<li ")[1:]
    for line in lines:
        assert ("INCONCLUSIVE: " in line) != ("is-fail" in line)
    assert any("INCONCLUSIVE: " in line for line in lines)


def test_what_one_person_waived_for_one_reason_is_one_waiver(tmp_path: Path) -> None:
    """One block with its year, counted as the two waivers that it is."""
    kept = Sample(8).criteria()
    for name in ("DB-SLOW", "DB-POOL", "RESTARTS"):
        kept = changed(kept, name, outcome=Outcome.INCONCLUSIVE, code="source_slow")
    hours = [Sample(hour).record(*((kept,) if hour == 8 else ())) for hour in WATCH.hours]
    ledger = recorded(tmp_path, hours)
    said = {"by": "Mara Example", "hour": 8, "until": "2026-01-05T00:00:00+01:00"}
    for name, because in (("DB-SLOW", "a"), ("DB-POOL", "a"), ("RESTARTS", "another reason")):
        found = {**said, "criterion": name, "because": because, "at": NOW.isoformat()}
        ledger.append("waive", found)
    page = signoff.text(ledger, NOW)
    assert page.count('class="waiver"') == 2
    assert "Waiver: DB-SLOW at hour 8; DB-POOL at hour 8" in page
    sign(ledger)
    assert "with 3 waivers, ending 5 Jan 2026 00:00<" in signoff.text(ledger, NOW)
