"""The samples of a blackbox exporter's probes, as one vantage's health probes.

Rules of this module:

- ``probe_success`` is read sample by sample: 1 is a good probe, 0 a failed one, NaN no sample, and
  anything else is refused. ``up`` only says that the exporter was scraped, also while its probe
  failed.
- A failed probe is the service's where the probes of the control address before and after it were
  good, and the exporter's own network's where one of them failed.
- A time without samples is a gap: an exporter that is not scraped saw nothing.

Source: blackbox_exporter, metrics ``probe_success`` and ``probe_http_status_code``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from hour24.errors import SourceMisread
from hour24.evidence import Failure, Probes, Question
from hour24.watch import Window

SLOWEST_S = 60.0
"""Rarer probes could miss an outage that lasts as long as a retry and more."""
JITTER = 1.5
"""Two samples further apart than this many intervals have a gap between them."""
NEAR = 2.0
"""A control probe says something about probes at most this many intervals away."""
LIMITED = 429
Samples = Mapping[float, float]


def probes(
    question: Question, window: Window, success: Samples, control: Samples, status: Samples
) -> Probes:
    """Return the probes of one vantage in the window.

    Args:
        success, control: time in epoch seconds -> 1 or 0.
        status: time -> HTTP status, 0 if there was no answer.

    Raises: SourceMisread, when a value is neither 1 nor 0.
    """
    for name, samples in (("the probe", success), ("the control probe", control)):
        wrong = next((value for value in samples.values() if value not in (0.0, 1.0)), None)
        if wrong is not None:
            raise SourceMisread(f"prometheus: {name}: expected 1 or 0, got {wrong:g}")
    start, end = window.start.timestamp(), window.end.timestamp()
    times = sorted(at for at in success if start <= at < end)
    interval = interval_of(times, window)
    limited = [at for at in times if not success[at] and status.get(at) == LIMITED]
    kept = [at for at in times if at not in set(limited)]
    controls = sorted(control)
    answered = {
        at: _control(at, controls, control, NEAR * interval) for at in kept if not success[at]
    }
    failures = [
        Failure(
            at=at,
            reason=_reason(status.get(at)),
            lasted_s=_lasted(i, kept, success, answered, end),
            control=answered[at],
        )
        for i, at in enumerate(kept)
        if not success[at]
    ]
    statuses: dict[str, int] = {}
    for each in failures:
        statuses[each.reason] = statuses.get(each.reason, 0) + 1
    if good := len(kept) - len(failures):
        statuses["good"] = good
    return Probes(
        question=question,
        basis="sample",
        target="health",
        interval_s=interval,
        due=max(round(window.seconds / interval), len(kept)),
        kept=len(kept),
        bad=len(failures),
        failures=tuple(failures),
        gaps=tuple((a, b) for a, b in pairwise([start, *kept, end]) if b - a > JITTER * interval),
        limited=len(limited),
        statuses=statuses,
    )


def interval_of(times: Sequence[float], window: Window) -> float:
    """Return the usual time between two samples, in seconds; that of the window without samples."""
    spacings = [b - a for a, b in pairwise(times)]
    return round(median(spacings), 3) if spacings else window.seconds


def _reason(status: float | None) -> str:
    if not status:
        return "no answer"
    return f"{status:.0f}" + (" (probe failed)" if 200 <= status < 400 else "")


def _control(at: float, times: Sequence[float], control: Samples, near_s: float) -> bool | None:
    """Return whether the control address answered around this time; None if nothing says."""
    before = bisect_right(times, at) - 1
    after = bisect_left(times, at)
    around = {times[i] for i in (before, after) if 0 <= i < len(times)}
    said = [control[each] for each in around if abs(each - at) <= near_s]
    return all(said) if said else None


def _lasted(
    i: int,
    times: Sequence[float],
    success: Samples,
    answered: Mapping[float, bool | None],
    end: float,
) -> float:
    """Return how long a failure lasted, in seconds; 0 if the next probe was good.

    Failures of the exporter's own network do not prolong one of the service.
    """
    last = i
    for j in range(i + 1, len(times)):
        if success[times[j]]:
            return times[j] - times[i] if j > i + 1 else 0.0
        if answered[times[j]] is False:
            return times[last] - times[i]
        last = j
    return end - times[i]
