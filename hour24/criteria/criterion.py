"""What one criterion is: everything that is said about it, in one frozen value.

Rules of this module:

- A criterion is whole: whatever hour24 knows of it by its id is a field here, and every table
  keyed by id is computed from the values.
- ``span`` is the stretch of time a verdict speaks of: ``window`` (since the checkpoint
  before), ``since_t0`` (since the start of hour 0's window), or ``now``.
- Objectives, questions and faults are named by text, so that naming a criterion loads none of
  them; a test checks every name.
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
ChartKind = Literal[
    "memory",
    "responses",
    "events",
    "latency",
    "latency_baseline",
    "probes",
    "beats",
    "disk",
    "series",
]
WHOLE = "24 hours"
"""Subject of a sign-off criterion's own verdict on the whole watch."""
COVERAGE = ("coverage", "max_gap_s")
"""Fields that say how much of the window must have been observed."""
HELD = "HeldThroughout"
"""The objective by which a sign-off criterion asks what it rests on to have held."""
OWN_GROUP = "Your own"
OWN_CHART: ChartKind = "series"
"""The group and the chart of a criterion of your own."""


class Judge(Struct, frozen=True, kw_only=True):
    """An objective that may judge a criterion, and the limits it must then have.

    Args:
        objective: its name.
        subject: of which subject; none: of any that the criterion has.
        limits: fields that the criterion states, the same in every production.
        limits_at_0: those that differ at hour 0, where little was seen yet.
        fixed: fields that must have the objective's own default: how it judges, not what.
        configured: fields that production.toml states -> where; its default is the sentence's.
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
    """How a criterion is seen to fail, and to be INCONCLUSIVE when nobody answers.

    Args:
        faults: faults of the rehearsal under which it is FAIL.
        silence: faults under which it is INCONCLUSIVE.
        hour: the checkpoint at which it is.
        before: checkpoints that run before that one.
        fail_hour: the checkpoint for ``faults`` where it is another one; none: ``hour``.
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
        """The checkpoints that run to see it fail; it fails at the last."""
        if self.fail_hour is None:
            return self.silent
        return (*self.fail_before, self.fail_hour)

    @property
    def silent(self) -> tuple[int, ...]:
        """The checkpoints that run to see it INCONCLUSIVE; it is so at the last."""
        return (*self.before, self.hour)


class RunbookClass(Struct, frozen=True, kw_only=True):
    """A critical class of the runbook that a criterion's failure is by itself."""

    severity: Literal["critical", "high"]
    name: str


class Criterion(Struct, frozen=True, kw_only=True):
    """One sentence that production must satisfy, and all that is said about it.

    Args:
        id: stable name.
        sentence: what must hold.
        hours: the checkpoints at which it falls due; none: it runs in the daily look only.
        span: the stretch its verdict speaks of.
        group: heading on the page.
        means: what stands in a table cell beside the id, a few words.
        asks: names of the questions its test takes.
        needs: those of ``asks`` without any of which it cannot be judged.
        judges: the objectives that may judge it; none: one of your own, which any may judge.
        each_endpoint: whether it has a verdict on each endpoint.
        rests_on: ids of the criteria that it asks to have held at every checkpoint.
        settles: id of the criterion whose property it judges over the whole watch.
        baseline: measures of the baseline that it compares with.
        daily: whether the daily look runs it, in the week after launch.
        chart: how its evidence is drawn; none: it is not.
        no_chart: why it is not drawn.
        proof: how it is seen to fail, and to be INCONCLUSIVE.
        runbook_class: the runbook's critical class that its failure is.
        state: whether the sign-off page shows its last finding as the state of the system.
    """

    id: str
    sentence: str
    hours: tuple[int, ...]
    span: Span
    group: str
    means: str
    asks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    judges: tuple[Judge, ...] = ()
    each_endpoint: bool = False
    rests_on: tuple[str, ...] = ()
    settles: str = ""
    baseline: tuple[str, ...] = ()
    daily: bool = False
    chart: ChartKind | None = None
    no_chart: str = ""
    proof: Proof | None = None
    runbook_class: RunbookClass | None = None
    state: bool = False


def own_criterion(name: str, sentence: str, hours: tuple[int, ...]) -> Criterion:
    """A criterion of your own: any objective may judge it, and its series are drawn."""
    return Criterion(
        id=name,
        sentence=sentence,
        hours=tuple(hours),
        span="now",
        group=OWN_GROUP,
        means="value",
        chart=OWN_CHART,
    )
