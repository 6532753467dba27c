"""Traps of engines that speak Prometheus' API: hour24's verdicts, and a naive reader's.

Both read the same samples in real engines; a naive reader takes the engine's number as it comes
(``increase``, ``histogram_quantile``, the last of several series). ``--table`` prints the table of
README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import Figure, tell
from tests import needs
from tests.engines import prometheus, victoria_metrics
from tests.traps import TRAPS, Trap, source_of

ENGINES = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}


def played(name: str) -> list[tuple[Trap, str, str]]:
    """Each trap with our verdict and the naive one, in this engine."""
    known = [each for trap in TRAPS for each in trap.known()]
    with tempfile.TemporaryDirectory() as folder, ENGINES[name](Path(folder), known) as url:
        return [
            (trap, trap.ours(source_of(url, trap.job)), trap.naive(url, trap.job)) for trap in TRAPS
        ]


def shown(trap: Trap, verdict: str) -> str:
    """A verdict, and what is wrong with it."""
    wrong = trap.wrong(verdict)
    return f"**{verdict}**, {wrong}" if wrong else verdict


def table(results: dict[str, list[tuple[Trap, str, str]]]) -> str:
    """The table of README.md."""
    lines = [
        "| | trap | what happened | hour24 | " + " | ".join(f"naive, {n}" for n in results) + " |",
        "|---|---|---|---|" + "---|" * len(results),
    ]
    for rows in zip(*results.values(), strict=True):
        trap = rows[0][0]
        ours = " / ".join(dict.fromkeys(shown(trap, row[1]) for row in rows))
        naive = " | ".join(shown(trap, row[2]) for row in rows)
        lines.append(f"| {trap.number} | {trap.name} | {trap.truth} | {ours} | {naive} |")
    return "\n".join(lines)


def main() -> int:
    """Return 0; 1 where a verdict of ours is a false green or a false red."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the table of README.md")
    options = parser.parse_args()
    results = {name: played(name) for name in ENGINES if needs.NEEDS[name].here()}
    if options.table:
        print(table(results))
    figures = []
    for name, rows in results.items():
        for kind in ("false green", "false red"):
            ours = sum(trap.wrong(verdict) == kind for trap, verdict, _ in rows)
            naive = sum(trap.wrong(verdict) == kind for trap, _, verdict in rows)
            figures.append(Figure(f"{name}: {kind}s in {len(rows)} traps", ours, "", most=0))
            figures.append(Figure(f"{name}: {kind}s of a naive reader", naive, ""))
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
