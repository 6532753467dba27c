"""Finds the code of a test that ended without a verdict.

Everything but a verdict is INCONCLUSIVE: a skip, an xfail, a plain assertion, a bug in hour24.
pytest, and every tool that does not know our outcomes, sees all but PASS and NOT_APPLICABLE as
failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hour24.text import one_line


def find_trouble(
    call: pytest.CallInfo[Any], redact: Callable[[str], str]
) -> tuple[str, str] | None:
    """Returns code and reason why this call is not a verdict; None if nothing was raised."""
    if call.excinfo is None:
        return None
    problem = call.excinfo.value
    text = one_line(redact(str(problem)), 300)  # redacted before the cut: no half secret remains
    if isinstance(problem, pytest.skip.Exception):
        return "skip_not_allowed", f"its test was skipped, which proves nothing: {text}"
    if isinstance(problem, pytest.xfail.Exception):
        return "skip_not_allowed", f"its test was marked as failing, which proves nothing: {text}"
    if isinstance(problem, pytest.fail.Exception) and "Timeout" in text:
        return "timeout", f"its test did not end in time: {text}"
    if isinstance(problem, AssertionError):
        return "no_evidence", f"it asserted without evidence, use conclude(...): {text}"
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted", "the run was interrupted while it was being judged"
    return "harness_error", f"{type(problem).__name__}: {text}"
