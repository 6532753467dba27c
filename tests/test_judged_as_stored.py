"""What is judged is what is stored, so that every verdict can be derived again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from msgspec.structs import replace

from hour24.checkpoint.run import Run
from hour24.classes import IssueClass
from hour24.criteria import CRITERIA
from hour24.evidence import Listing
from hour24.ledger.derived import differences
from hour24.ledger.journal import Journal
from hour24.objectives.logs import NoErrorLine
from hour24.secrets.redactor import Redactor
from tests import small_watch as small
from tests.test_prober import production


def test_a_line_classified_by_redacted_text(tmp_path: Path) -> None:
    """A pattern that would only match the secret does not match what is judged either."""
    line = "ERROR token=abcd1234efgh5678 expired for caller"
    asked = small.asked(8)
    window = asked.window
    assert window is not None
    item = {"id": "1", "at": window.start.timestamp() + 60.0, "message": line, "level": "error"}
    lines = Listing(question=asked, what="ERROR lines", items=(item,), seen=1)
    run = Run.__new__(Run)
    run.redactor = Redactor([("TOKEN", "abcd1234efgh5678")])
    run.context = SimpleNamespace(  # type: ignore[assignment]
        checkpoint=small.WATCH.checkpoint(8), production=production("http://127.0.0.1:1")
    )
    run.judged, run.trouble = [], []
    run.journal = Journal(tmp_path / "hour08.a1.jsonl")
    known = IssueClass(name="expired tokens", pattern=r"token=\w+ expired")
    judged = run.conclude(CRITERIA["LOGS-ERRORS"], NoErrorLine(normal=(known,)), {"lines": lines})
    run.journal.close()
    assert "abcd1234efgh5678" not in str(judged)
    assert list(differences(judged)) == []


def test_evidence_with_unknown_fields_is_reported() -> None:
    """A field that judging ignores could still mislead a reader of the record."""
    one = small.judged("ERRORS-COUNT", 8, small.counts(8))
    ((name, stored),) = one.evidence.items()
    assert list(differences(one)) == []
    for more in ({"seen_by": "Mara"}, {"question": {**stored["question"], "trusted": True}}):
        output = [d.says for d in differences(replace(one, evidence={name: {**stored, **more}}))]
        assert output == [f"evidence: {name}: expected only members of its kind, got more"]
