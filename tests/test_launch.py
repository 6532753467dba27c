"""The word of a watch: NO-GO, NOT YET, ON TRACK, GO."""

from __future__ import annotations

import pytest

from hour24.kind import kind_of
from hour24.ledger.launch import launch
from hour24.ledger.standings import Standing
from hour24.verdict import Outcome

PASS = Standing(id="DB-POOL", subject="", hour=4, outcome=Outcome.PASS)
FAIL = Standing(id="DB-SLOW", subject="", hour=4, outcome=Outcome.FAIL)
UNKNOWN = Standing(id="WS-STABLE", subject="", hour=8, outcome=Outcome.INCONCLUSIVE)
WAIVED = Standing(id="LOGS-ERRORS", subject="", hour=4, outcome=Outcome.FAIL, waived_by="Mara Lind")
RESOLVED = Standing(
    id="MEMORY-STABLE",
    subject="",
    hour=8,
    outcome=Outcome.INCONCLUSIVE,
    settled_by="hour 12",
)
LEFT_OUT = Standing(id="DB-SIZE", subject="", hour=4, outcome=Outcome.NOT_APPLICABLE)


KINDS = (kind_of(None), kind_of({"seed": 7, "faults": []}))
"""A production's, a rehearsal's."""


@pytest.mark.parametrize(
    ("standings", "approved", "rehearsal", "text", "because"),
    [
        ([], False, False, "NOT YET", "nothing measured"),
        ([LEFT_OUT], False, False, "NOT YET", "nothing measured"),
        ([], True, False, "NOT YET", "nothing measured"),
        ([PASS], False, False, "ON TRACK", "nothing open"),
        ([PASS, LEFT_OUT], False, False, "ON TRACK", "nothing open"),
        ([PASS, UNKNOWN], False, False, "NOT YET", "1 check without a result"),
        ([PASS, FAIL], False, False, "NO-GO", "1 check failed"),
        (
            [FAIL, UNKNOWN, WAIVED],
            False,
            False,
            "NO-GO",
            "1 check failed, 1 check without a result, 1 check waived",
        ),
        ([FAIL, FAIL, UNKNOWN], False, False, "NO-GO", "1 check failed, 1 check without a result"),
        ([WAIVED], False, False, "ON TRACK", "nothing open, 1 check waived"),
        ([PASS, RESOLVED], False, False, "ON TRACK", "nothing open"),
        ([PASS], True, False, "GO", "nothing open"),
        ([WAIVED], True, False, "GO", "nothing open, 1 check waived"),
        ([FAIL], True, False, "NO-GO", "1 check failed"),
        ([UNKNOWN], True, False, "NOT YET", "1 check without a result"),
        ([PASS], True, True, "REHEARSAL: ON TRACK", "nothing open"),
        ([FAIL], False, True, "REHEARSAL: NO-GO", "1 check failed"),
        ([UNKNOWN], False, True, "REHEARSAL: NOT YET", "1 check without a result"),
    ],
)
def test_the_word_follows_from_what_is_open(
    standings: list[Standing], approved: bool, rehearsal: bool, text: str, because: str
) -> None:
    """GO needs an approval and a production; an unwaived FAIL is NO-GO whatever else is there."""
    found = launch(standings, approved=approved, kind=KINDS[rehearsal])
    assert (found.text, found.because) == (text, because)
