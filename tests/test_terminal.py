"""What the terminal shows of a verdict."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import msgspec

from hour24.checkpoint.terminal import COLOURS, _next_command, decision_lines, verdict_lines
from hour24.probes import LineWriter, is_written
from hour24.verdict import Outcome
from tests import small_watch as small

if TYPE_CHECKING:
    from hour24.checkpoint.attempt import Attempt


def test_a_line_that_is_cut_says_so() -> None:
    """A cut line ends with an ellipsis; without a terminal no line is cut."""
    long = msgspec.structs.replace(
        small.judged("DB-POOL", 8), observed="18.9 %", limit="below 80 % of what is available"
    )
    (whole, _), *_ = verdict_lines(long, 120)
    assert whole.endswith("(below 80 % of what is available)")
    (cut, _), *_ = verdict_lines(long, 70)
    assert len(cut) == 70
    assert cut.endswith("…")
    (whole, _), *_ = verdict_lines(long, 70, whole=True)
    assert whole.endswith("(below 80 % of what is available)")


def test_a_decision_has_the_colour_of_its_outcome() -> None:
    """A colour has one meaning: HOLD without evidence is not red."""
    decision = {"action": "HOLD", "rule": "Not measured: a person must look", "why": "no answer"}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        (_, markup), *_ = decision_lines(decision, COLOURS[outcome], 100)
        assert markup == {**COLOURS[outcome], "bold": True}


def test_a_narrow_terminal_breaks_between_words() -> None:
    """At 40 columns too, and says as much as at 100."""
    long = " ".join(f"word{n}" for n in range(100))
    decision = {"action": "HOLD", "rule": "Not measured", "why": long}
    narrow = [text for text, _ in decision_lines(decision, {}, 40)]
    wide = [text for text, _ in decision_lines(decision, {}, 100)]
    assert max(map(len, narrow)) < 40
    assert len(" ".join(narrow).split()) > 0.8 * len(" ".join(wide).split())


def test_after_an_early_run_its_own_hour_is_still_next() -> None:
    """The run does not count."""
    point = small.WATCH.checkpoint(8)
    context = SimpleNamespace(finished="the end", watch_options="")
    for early, hour in ((True, 8), (False, 12)):
        run = SimpleNamespace(
            record=small.changed(small.record(8), early=early),
            watch=small.WATCH,
            checkpoint=point,
            context=context,
        )
        assert f"pytest -m hour{hour}" in _next_command(cast("Attempt", run))


def test_a_running_prober_is_never_called_absent(tmp_path: Path) -> None:
    """It is known by its open file, before its first minute is complete and however late we are."""
    folder = tmp_path / "probe"
    writer = LineWriter.of_this_process(folder)
    assert is_written(folder)
    writer.close()
    assert not is_written(folder)
