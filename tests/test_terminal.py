"""What the terminal shows of a verdict."""

from __future__ import annotations

import msgspec

from hour24.checkpoint.terminal import verdict_lines
from tests import small_watch as small


def test_a_line_that_is_cut_says_so() -> None:
    """Where the room ends, a reader sees that there was more."""
    long = msgspec.structs.replace(
        small.judged("DB-POOL", 8), observed="18.9 %", limit="below 80 % of what is available"
    )
    (whole, _), *_ = verdict_lines(long, 120)
    assert whole.endswith("(below 80 % of what is available)")
    (cut, _), *_ = verdict_lines(long, 70)
    assert len(cut) == 70
    assert cut.endswith("…")
