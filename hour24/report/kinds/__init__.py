"""The kinds of chart: one module each, which says how a verdict of that kind is drawn.

Rules of this package:

- The name of a module is the word that a criterion has as its ``chart``; nothing else lists kinds.
- Its ``draw`` yields the charts of one verdict. What was measured is drawn from the evidence in the
  record; without evidence there is no chart.
- Every limit, trend and bound in a chart is a figure of the verdict or of its scale: a page shows
  what was judged and nothing else. If the verdict has none, none is drawn.
- Charts of one kind share their axes; the limit is drawn, hour 0 is dashed, a deploy dotted.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import cast

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture
from hour24.report.times import Times

Draw = Callable[[Judged, dict[str, ev.Evidence], Record, Times], Iterator[Picture]]
KINDS = frozenset(found.name for found in pkgutil.iter_modules(__path__))
"""The word of every kind."""


def drawing(kind: str) -> Draw:
    """Return the function that draws this kind."""
    return cast(Draw, importlib.import_module(f"{__name__}.{kind}").draw)
