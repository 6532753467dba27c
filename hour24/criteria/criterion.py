"""The type of a criterion: everything that hour24 knows about one, in one frozen value.

Rules of this module:

- A criterion is complete: whatever hour24 knows about it by its id is a field here, and every
  table keyed by id is computed from these values.
- ``span`` is the period that a verdict covers: ``window`` (since the previous checkpoint),
  ``since_t0`` (since the start of hour 0's window), or ``now``.
- Objectives, questions and faults are referenced by name, so that importing a criterion loads none
  of them; a test checks every name.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from hour24.watch import CHECKPOINTS

ALL = CHECKPOINTS
FROM_4 = CHECKPOINTS[1:]
FROM_8 = CHECKPOINTS[2:]
LAST = CHECKPOINTS[-1]
Span = Literal["window", "since_t0", "now"]
WHOLE = "24 hours"
"""Subject of a sign-off criterion's own verdict on the whole watch."""
COVERAGE = ("coverage", "max_gap_s")
"""Fields that set how much of the window must have been observed."""
HELD = "HeldThroughout"
"""The objective that requires the criteria under a sign-off criterion to have passed."""
OWN_GROUP = "Your own"
OWN_CHART = "series"
"""The group and the chart of a custom criterion."""


class Judge(Struct, frozen=True, kw_only=True):
    """An objective that may judge a criterion, with the limits that it must have.

    Args:
        objective: its name.
        subject: the subject it judges; None: any of the criterion's subjects.
        limits: fields that the criterion sets, the same in every production.
        limits_at_0: those that differ at hour 0, where there is little data yet.
        fixed: fields that must keep the objective's default: they define how it judges.
        configured: fields that production.toml sets -> its key; the default is the sentence's.
    """

    objective: str
    subject: str | None = None
    limits: dict[str, Any] = {}
    limits_at_0: dict[str, Any] = {}
    fixed: tuple[str, ...] = ()
    configured: dict[str, str] = {}

    def limits_at(self, hour: int) -> dict[str, Any]:
        """The limits at this checkpoint."""
        return {**self.limits, **self.limits_at_0} if hour == 0 else self.limits


class Proof(Struct, frozen=True, kw_only=True):
    """How the rehearsal shows that a criterion can fail, and that it reports missing data.

    Args:
        faults: faults of the rehearsal that make it FAIL.
        silence: faults that make it INCONCLUSIVE.
        hour: the checkpoint at which this is checked.
        before: checkpoints that run before ``hour``.
        fail_hour: the checkpoint for ``faults`` if it is another one; None: ``hour``.
        fail_before: checkpoints that run before ``fail_hour``.
    """

    faults: tuple[str, ...]
    silence: tuple[str, ...]
    hour: int = 4
    before: tuple[int, ...] = (0,)
    fail_hour: int | None = None
    fail_before: tuple[int, ...] = ()

    @property
    def failing(self) -> tuple[int, ...]:
        """The checkpoints to run until it fails, at the last of them."""
        if self.fail_hour is None:
            return self.silent
        return (*self.fail_before, self.fail_hour)

    @property
    def silent(self) -> tuple[int, ...]:
        """The checkpoints to run until it is INCONCLUSIVE, at the last of them."""
        return (*self.before, self.hour)


class RunbookClass(Struct, frozen=True, kw_only=True):
    """The runbook's critical class that a failure of the criterion belongs to."""

    severity: Literal["critical", "high"]
    name: str


class Criterion(Struct, frozen=True, kw_only=True):
    """One sentence that production must satisfy, with everything that hour24 knows about it.

    Args:
        id: stable name.
        sentence: what must be true, in any production.
        stated: the sentence as the configuration of one production makes it; empty: as it is. What
            its names in braces stand for: :mod:`hour24.checkpoint.sentences`.
        hours: the checkpoints at which it is due; empty: it is one of the daily checks only.
        span: the period that its verdict covers.
        group: heading on the page.
        means: what its observed value is, in a few words for a table cell.
        asks: names of the questions that its test takes.
        needs: the questions of ``asks`` that it cannot be judged without.
        judges: the objectives that may judge it; empty: a custom criterion, which any may judge.
        each_endpoint: True if it has one verdict per endpoint.
        rests_on: ids of the criteria that must have passed at every checkpoint.
        settles: id of the criterion that it judges over the whole watch.
        baseline: measures of the baseline that it compares with.
        daily: True if it runs daily in the week after launch.
        chart: the kind of its chart, a module of ``hour24/report/kinds``; empty: no chart.
        no_chart: why it has no chart.
        proof: how the rehearsal makes it FAIL and INCONCLUSIVE.
        runbook_class: the runbook's critical class of its failure.
        state: True if the sign-off page shows its last result as the state of the system.
        since: version of the judges that added it; older records need not have it.
    """

    id: str
    sentence: str
    hours: tuple[int, ...]
    span: Span
    group: str
    means: str
    stated: str = ""
    asks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    judges: tuple[Judge, ...] = ()
    each_endpoint: bool = False
    rests_on: tuple[str, ...] = ()
    settles: str = ""
    baseline: tuple[str, ...] = ()
    daily: bool = False
    chart: str = ""
    no_chart: str = ""
    proof: Proof | None = None
    runbook_class: RunbookClass | None = None
    state: bool = False
    since: int = 1


def own_criterion(name: str, sentence: str, hours: tuple[int, ...]) -> Criterion:
    """A custom criterion: any objective may judge it, and its series are drawn."""
    return Criterion(
        id=name,
        sentence=sentence,
        hours=tuple(hours),
        span="now",
        group=OWN_GROUP,
        means="value",
        chart=OWN_CHART,
    )
