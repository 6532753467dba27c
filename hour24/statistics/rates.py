"""Failure rates: exact confidence bounds, and the sample size that a limit needs.

Rules of this module:

- Bounds are exact binomial ones, one-sided: at worst 5.0 % wrong at a nominal 5 %, where
  Wilson's are wrong up to 18 % and Jeffreys' up to 15 %.
- Beyond the limit: the 99 % lower bound is above it, and at least two failed. Inside: the 95 %
  upper bound is below it. Otherwise open.
- The bounds assume independent trials; a design effect corrects for clumps.

Source: Clopper and Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

FAIL_CONFIDENCE = 0.99
"""For "beyond the limit": over seven checkpoints 99 % keeps false alarms below 3.2 %."""
PASS_CONFIDENCE = 0.95
"""For "inside the limit": 299 clean requests are enough to show a share below 1 %."""
LEAST_BAD = 2
"""One failure is not a rate: of 5 requests it alone would "prove" more than 1 %."""
MOST_NEEDED = 10**9
"""The search for a sample size ends here: no watch has as many requests."""

Standing = Literal["inside", "beyond", "open"]


class Share(NamedTuple):
    """``bad`` of ``total`` against a limit, with both one-sided bounds."""

    bad: int
    total: int
    share: float
    lower: float
    upper: float
    standing: Standing


def lower(bad: float, total: float, confidence: float = FAIL_CONFIDENCE) -> float:
    """The lower confidence bound of the share; 0 when none were bad."""
    _counts(bad, total)
    if bad <= 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(bad, total - bad + 1, 1 - confidence))


def upper(bad: float, total: float, confidence: float = PASS_CONFIDENCE) -> float:
    """The upper confidence bound of the share; 1 when all were bad."""
    _counts(bad, total)
    if bad >= total:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(bad + 1, total - bad, confidence))


def judge_sample(bad: int, total: int, limit: float) -> Share:
    """``bad`` of ``total`` compared with ``limit`` (0 to 1), as a sample."""
    if total == 0:
        return Share(0, 0, math.nan, 0.0, 1.0, "open")
    low, high = lower(bad, total), upper(bad, total)
    standing: Standing = "open"
    if bad >= LEAST_BAD and low > limit:
        standing = "beyond"
    elif high < limit:
        standing = "inside"
    return Share(bad, total, bad / total, low, high, standing)


def judge_census(bad: int, total: int, limit: float) -> Share:
    """``bad`` of ``total`` compared with ``limit``, as a census: the share is exact.

    A single bad one stays open, however small the total.
    """
    if total == 0:
        return Share(0, 0, math.nan, 0.0, 1.0, "open")
    _counts(bad, total)
    share = bad / total
    standing: Standing = "inside" if share < limit else "open"
    if share >= limit and bad >= LEAST_BAD:
        standing = "beyond"
    return Share(bad, total, share, share, share, standing)


def needed_total(bad: int, limit: float, confidence: float = PASS_CONFIDENCE) -> int:
    """The smallest total that shows a share below ``limit`` when ``bad`` of it are bad.

    299 for none below 1 %, 473 for one, 29 for none below 10 %.
    """
    if not 0 < limit < 1:
        raise ValueError(f"rates: limit: expected a share above 0 and below 1, got {limit}")
    low, high = bad, bad + 1
    while upper(bad, high, confidence) >= limit:
        low, high = high, high * 2
        if high > MOST_NEEDED:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        if upper(bad, middle, confidence) >= limit:
            low = middle
        else:
            high = middle
    return high


def design_effect(bad: Sequence[int], total: Sequence[int]) -> float:
    """The variance of the blocks' shares relative to independent trials; at least 1.

    Args:
        bad, total: one per block; blocks without trials are ignored.

    Source: Kish, Survey Sampling (1965), 5.3, with blocks as clusters.
    """
    pairs = [(b, n) for b, n in zip(bad, total, strict=True) if n > 0]
    everything = sum(n for _, n in pairs)
    if len(pairs) < 2 or everything == 0:
        return 1.0
    share = sum(b for b, _ in pairs) / everything
    if not 0 < share < 1:
        return 1.0
    spread = sum((b - n * share) ** 2 / n for b, n in pairs) / (len(pairs) - 1)
    return max(1.0, spread / (share * (1 - share)))


ESCALATE_SHARE = 0.05
"""The runbook's number: above it a person is called."""
ESCALATE_LIMIT = 0.01
"""The limit of ERRORS-RATE: the true share must be above it, too."""
ESCALATE_CONFIDENCE = 0.999
"""At most 0.016 false alarms in 1,440 minutes."""
ESCALATE_MINUTES = 5
"""The runbook's time to react."""
ESCALATE_LEAST = 3
"""Fewer errors in five minutes do not justify a call: the retries of one client make as many."""


def escalation(errors: Sequence[int], requests: Sequence[int]) -> int | None:
    """The first minute at the end of which the last five minutes call for a person; None if none.

    At least 3 errors, more than 5 % of the requests, and above 1 % at 99.9 % confidence. False
    alarms in 24 h: at most 0.016 up to an error rate of 0.5 % at any volume. When all requests
    fail for 3 minutes, it is detected within a minute at 12 requests a minute, and in 94 % of
    cases at 2 a minute.

    Args:
        errors, requests: one per minute.
    """
    for minute in range(len(errors)):
        begin = max(0, minute - ESCALATE_MINUTES + 1)
        bad, total = sum(errors[begin : minute + 1]), sum(requests[begin : minute + 1])
        if calls_for_a_person(bad, total):
            return minute
    return None


def calls_for_a_person(bad: int, total: int) -> bool:
    """True if five minutes with ``bad`` of ``total`` requests failed meet the runbook's "> 5 %"."""
    bad = min(bad, total)
    return (
        bad >= ESCALATE_LEAST
        and bad / total > ESCALATE_SHARE
        and lower(bad, total, ESCALATE_CONFIDENCE) > ESCALATE_LIMIT
    )


def _counts(bad: float, total: float) -> None:
    if not 0 <= bad <= total or total <= 0:
        raise ValueError(f"rates: counts: expected 0 <= bad <= total, got {bad} of {total}")
