"""The charts of a checkpoint: which verdicts are drawn, in which order and how large.

Only what reads better as a line than as a number is drawn; the caption has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from hour24 import evidence as ev
from hour24.criteria import known
from hour24.criteria.criterion import OWN_CHART
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture
from hour24.report.charts import deciding
from hour24.report.exhibits import Answers
from hour24.report.kinds import drawing
from hour24.report.times import Times
from hour24.verdict import Outcome

MOST = 32
WIDE = 4


def draw(record: Record, answers: Answers, times: Times) -> tuple[list[Picture], int]:
    """Return the charts of a checkpoint, failed criteria first, and how many were left out.

    The first few failed ones take the whole width. If there are more charts than a page has
    room for, those furthest from their limits are left out.
    """
    found: list[tuple[float, Picture]] = []
    for judged in record.criteria:
        near = (deciding(judged.scale, judged.outcome) if judged.scale else None) or 0.0
        found.extend(
            (near, picture) for picture in draw_verdict(judged, answers.of(judged), record, times)
        )
    failed = [p for _, p in found if p.outcome == Outcome.FAIL]
    rest = [(near, p) for near, p in found if p.outcome != Outcome.FAIL]
    room = max(0, MOST - len(failed[:MOST]))
    least = sorted((near for near, _ in rest), reverse=True)[room - 1 : room] if room else []
    if len(rest) > room:
        rest = [one for one in rest if least and one[0] >= least[0]][:room]
    kept = [structs.replace(p, wide=n < WIDE) for n, p in enumerate(failed[:MOST])]
    kept += sorted((p for _, p in rest), key=lambda p: p.wide)
    return kept, len(found) - len(kept)


def draw_verdict(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield the charts of one verdict as its criterion defines; of a custom one, each series."""
    criterion = known(judged.id)
    kind = criterion.chart if criterion is not None else OWN_CHART
    if kind:
        for picture in drawing(kind)(judged, answers, record, times):
            yield structs.replace(picture, of=(judged.id, judged.subject))
