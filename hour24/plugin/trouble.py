"""What became of a test that was no verdict.

Whatever is not a verdict is INCONCLUSIVE: a skip, an xfail, a plain assertion, an error of ours. To
pytest, and to every tool that does not know our outcomes, all but PASS and NOT_APPLICABLE failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hour24.text import one_line


def trouble(call: pytest.CallInfo[Any], scrubbed: Callable[[str], str]) -> tuple[str, str] | None:
    """Why this call is not a verdict: its code and reason; none when nothing was raised."""
    if call.excinfo is None:
        return None
    problem = call.excinfo.value
    told = one_line(scrubbed(str(problem)), 300)  # cut first, half a secret would be left
    if isinstance(problem, pytest.skip.Exception):
        return "skip_not_allowed", f"its test was skipped, which proves nothing: {told}"
    if isinstance(problem, pytest.xfail.Exception):
        return "skip_not_allowed", f"its test was marked as failing, which proves nothing: {told}"
    if isinstance(problem, pytest.fail.Exception) and "Timeout" in told:
        return "timeout", f"its test did not end in time: {told}"
    if isinstance(problem, AssertionError):
        return "no_evidence", f"it asserted without evidence, use conclude(...): {told}"
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted", "the run was interrupted while it was being judged"
    return "harness_error", f"{type(problem).__name__}: {told}"
