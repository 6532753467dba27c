"""A secret found in a finished file of a ledger takes no verdict and no attempt number away."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24.errors import LedgerError
from hour24.ledger import journal
from hour24.ledger.book import Ledger
from hour24.ledger.redaction import redact
from hour24.ledger.verify import verify
from hour24.quarantine import quarantine
from hour24.secrets.redactor import Redactor
from hour24.secrets.scan import leaks
from hour24.verdict import Outcome
from tests import small_watch as small

TOKEN = "sntrys_9f8e7d6c5b4a"
HIDDEN = base64.b64encode("".join(f"%{ord(c):02x}" for c in TOKEN).encode()).decode()
REDACTOR = Redactor([("TOKEN", TOKEN)])
LATE = small.AFTER


def failed(hour: int = 0, **changes: Any) -> Any:
    name = next(one.id for one in small.due(hour))
    bad = small.judged(name, hour, small.counts(hour, bad=200))
    return msgspec.structs.replace(bad, reason=f"{bad.reason}: {HIDDEN}", **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Hours 0 and 4, a FAIL at hour 0 with a secret in its reason, in record and journal."""
    found = small.watch_of(tmp_path, small.record(0, failed()), small.record(4))
    (found.folder / "journal").mkdir(exist_ok=True)
    fallen = journal.Journal(found.folder / "journal" / "hour00.a1.jsonl")
    for one in found.latest(0).criteria:
        fallen.write({"kind": "judged", "judged": msgspec.to_builtins(one)})
    fallen.write({"kind": "written", "file": "hour00.a1.json"})
    fallen.close()
    assert wrong(found) == []
    return found


def wrong(ledger: Ledger) -> list[str]:
    return [each.says for each in verify(ledger.folder) if not each.ok]


def searched(ledger: Ledger) -> list[str]:
    return leaks(
        ledger.folder,
        REDACTOR,
        ["TOKEN"],
        redact=lambda path, names: redact(ledger, path, names, REDACTOR, LATE),
    )


def failing(ledger: Ledger) -> list[tuple[int, str]]:
    return [
        (one.hour, str(one.outcome))
        for one in ledger.standings(small.T0 + timedelta(hours=5))
        if one.outcome == Outcome.FAIL
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_finished_record_is_redacted_and_the_chain_holds(ledger: Ledger) -> None:
    """Its verdicts stay, its journal agrees, later entries that name the old digest are valid."""
    path = ledger.folder / "hour00.a1.json"
    before, old = digest(path), ledger.records(0)[0]
    lines = searched(ledger)
    assert lines == [
        "hour00.a1.json: had the secret TOKEN; redacted, with its verdicts kept "
        "(redacted.1.json): change that secret",
        "hour00.a1.jsonl: had the secret TOKEN; redacted: change that secret",
    ]
    assert searched(ledger) == []
    new = ledger.records(0)[0]
    result = [(each.id, each.outcome, each.code, each.figures) for each in new.criteria]
    assert result == [(each.id, each.outcome, each.code, each.figures) for each in old.criteria]
    assert "[redacted:TOKEN]" in path.read_text("utf-8")
    assert failing(ledger) == [(0, "FAIL")]
    assert ledger.next_attempt(0) == 2
    entry = json.loads((ledger.folder / "redacted.1.json").read_text("utf-8"))
    assert (entry["file"], entry["before"], entry["after"], entry["secrets"]) == (
        "hour00.a1.json",
        before,
        digest(path),
        ["TOKEN"],
    )
    assert wrong(ledger) == []
    assert [each.ok for each in verify(ledger.folder, head=before)][-1]
    says = next(each.says for each in verify(ledger.folder) if each.what == "redacted")
    assert says.startswith(f"hour00.a1.json: redacted ({before[:16]} became {digest(path)[:16]})")


def test_only_what_the_chain_says_is_accepted(ledger: Ledger) -> None:
    """A record that was changed after it was redacted is found, the newest one too."""
    searched(ledger)
    path = ledger.folder / "hour00.a1.json"
    path.write_bytes(path.read_bytes().replace(b"were bad", b"were fine"))
    assert any("expected the bytes that redacted.1.json names" in each for each in wrong(ledger))


def test_a_kill_between_the_note_and_the_file_is_made_good(ledger: Ledger) -> None:
    """The same search again replaces the file, and notes it once."""
    path = ledger.folder / "hour00.a1.json"
    kept = path.read_bytes()
    searched(ledger)
    path.write_bytes(kept)
    assert any("expected the bytes that redacted.1.json names" in each for each in wrong(ledger))
    assert len(searched(ledger)) == 1
    assert wrong(ledger) == []
    assert not (ledger.folder / "redacted.2.json").exists()


def test_what_is_redacted_twice_leads_from_each_digest_to_todays(ledger: Ledger) -> None:
    path = ledger.folder / "hour00.a1.json"
    digests = [digest(path)]
    searched(ledger)
    digests.append(digest(path))
    words = Redactor([("OTHER", "were bad")])
    for each in (path, ledger.folder / "journal" / "hour00.a1.jsonl"):
        assert redact(ledger, each, ["OTHER"], words, LATE)
    assert wrong(ledger) == []
    for each in digests:
        assert verify(ledger.folder, head=each)[-1].ok


def test_what_cannot_be_redacted_keeps_its_attempt(ledger: Ledger) -> None:
    """A record with the secret as its verdict is put away; no later PASS replaces it."""
    named = Redactor([("TOKEN", "beyond_limit")])

    def search() -> list[str]:
        return leaks(
            ledger.folder,
            named,
            ["TOKEN"],
            redact=lambda path, names: redact(ledger, path, names, named, LATE),
        )

    assert "hour00.a1.json: has the secret TOKEN; moved to" in search()[0]
    away = ledger.folder / "hour00.a1.json.quarantined"
    for gone in (False, True):  # here, and where the ledger was copied without it
        if gone:
            away.unlink()
        assert any("hour00.a1.json: expected to read it" in each for each in wrong(ledger))
        assert ledger.next_attempt(0) == 2
    ledger.write(small.record(0, attempt=2))
    now = small.T0 + timedelta(hours=5)
    assert {(one.outcome, one.code) for one in ledger.standings(now) if one.hour == 0} == {
        (Outcome.INCONCLUSIVE, "unreadable")
    }


@pytest.mark.parametrize("file", ["hour00.a1.json", "journal/hour00.a1.jsonl"])
def test_what_an_older_hour24_put_away_counts(ledger: Ledger, file: str) -> None:
    """The number of its attempt is not used again, it may hold a FAIL, and verify says so."""
    for name in {file, "hour00.a1.json"}:
        path = ledger.folder / name
        if name == file:
            quarantine(path)
        else:
            path.unlink()
    assert any("hour00.a1.json" in each and "put away" in each for each in wrong(ledger))
    assert ledger.next_attempt(0) == 2
    ledger.write(small.record(0, attempt=2))
    now = small.T0 + timedelta(hours=5)
    assert {one.code for one in ledger.standings(now) if one.hour == 0} == {"unreadable"}


def test_a_journal_that_was_put_away_is_said(ledger: Ledger) -> None:
    quarantine(ledger.folder / "journal" / "hour00.a1.jsonl")
    assert wrong(ledger) == [
        "hour00.a1.jsonl.quarantined: expected a journal, got one put away, as it contained a "
        "secret"
    ]


def test_a_watch_that_was_put_away_is_not_begun_again(tmp_path: Path) -> None:
    small.watch_of(tmp_path)
    quarantine(tmp_path / "launch" / "watch.json")
    with pytest.raises(LedgerError, match=r"got one with watch\.json put away"):
        Ledger.create(tmp_path, small.genesis())


def test_a_torn_line_of_a_journal_that_holds_a_secret_is_left_out(ledger: Ledger) -> None:
    path = ledger.folder / "journal" / "hour00.a1.jsonl"
    whole = len(journal.read(path))
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{{"kind":"judged","x":"{TOKEN}')
    searched(ledger)
    assert len(journal.read(path)) == whole
    assert REDACTOR.found_in(path) == []


def test_a_quarantined_journal_alone_does_not_stop_recording(ledger: Ledger) -> None:
    """Its attempt has no bytes to name: the next record names the newest entry that has some."""
    path = ledger.folder / "journal" / "hour08.a1.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    quarantine(path)
    assert ledger.next_attempt(8) == 2
    assert ledger.head().file == "hour04.a1.json"
    ledger.write(small.record(8, attempt=2))
    assert {one.code for one in ledger.standings(small.AFTER) if one.hour == 8} == {"unreadable"}


def test_a_killed_run_with_an_unredactable_journal_keeps_its_attempt(ledger: Ledger) -> None:
    """The chain notes the journal, as no record speaks for it."""
    path = ledger.folder / "journal" / "hour08.a1.jsonl"
    path.write_text('{"kind":"judged","took_s":123456789}\n', encoding="utf-8")
    digits = Redactor([("PIN", "123456789")])
    assert redact(ledger, path, ["PIN"], digits, LATE) == ""
    path.unlink()  # where the ledger was copied without what was put away
    assert json.loads((ledger.folder / "redacted.1.json").read_text("utf-8"))["after"] == ""
    assert ledger.next_attempt(8) == 2
    assert any("hour08.a1.json: expected to read it" in each for each in wrong(ledger))
