"""Criteria that run only daily, in the week after launch."""

from hour24.criteria.criterion import Criterion, Judge
from hour24.criteria.process import GROUP

LEVEL = Criterion(
    id="MEMORY-LEVEL",
    sentence="Memory stays at the level it had during the watch",
    hours=(),
    span="window",
    group=GROUP,
    means="of the watch's",
    asks=("memory", "memory_baseline"),
    needs=("memory",),
    judges=(Judge(objective="FloorKept", fixed=("limit",)),),
    daily=True,
    chart="series",
)
CRITERIA = (LEVEL,)
