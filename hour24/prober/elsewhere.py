"""What the probers of other vantages saw lately, from the ends of their files.

Rules of this module:

- With ``vantages_needed`` above 1, one vantage alone raises no alarm while enough others got
  good answers at the same time. A vantage of which nothing is known could have seen the failure: it
  prevents no alarm, and the alarm names it.
- Only vantages of ``[health] vantages`` have files; a blackbox exporter is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from hour24.config import Production
from hour24.probes.lines import MINUTE_S, Minute, first_slot, probe_files
from hour24.text import join_words

TAIL_BYTES = 128 * 1024
"""Holds more than the last minutes of a prober with a hundred endpoints."""
READ_EVERY_S = 5.0
"""A prober writes a line a minute."""
WRITTEN_WITHIN_S = 3600.0
"""A file that is older says nothing about a failure of now."""
RECENT_S = 180.0
"""Age of a vantage's newest minute at which it is still known what the vantage sees."""


class Elsewhere:
    """Says whether enough vantages can have seen what this one sees.

    Args:
        folder: the probers' lines.
        own: the name of this vantage.
        others: the names of the others that probe.
        total: how many vantages there are, blackbox exporters included.
        needed: how many must see a failure at the same time.
    """

    def __init__(
        self, folder: Path, own: str, others: Sequence[str], total: int, needed: int
    ) -> None:
        self.folder = folder
        self.own = own
        self.others = tuple(name for name in others if name != own)
        self.total = total
        self.needed = needed
        self._lines: list[Minute] = []
        self._read_at = float("-inf")

    @classmethod
    def of(cls, production: Production, folder: Path, own: str) -> Elsewhere:
        """Return the other vantages of a production."""
        health = production.health
        boxes = [
            name
            for section in production.witnesses.values()
            for name in getattr(section, "vantages", {})
        ]
        return cls(
            folder,
            own,
            health.vantages,
            (len(health.vantages) or 1) + len(boxes),
            health.vantages_needed,
        )

    def agree(self, since: float, at: float) -> str | None:
        """Return what an alarm adds about the other vantages; None: too few can have seen it.

        Args:
            since, at: the time of the failure, epoch seconds.
        """
        if self.needed < 2:
            return ""
        lines = [each for each in self._newest(at) if each.minute.timestamp() + MINUTE_S > since]
        seen = {name: _saw(lines, name, since, at) for name in self.others}
        failing = [name for name, saw in seen.items() if saw is False]
        good = [name for name, saw in seen.items() if saw]
        if self.total - len(good) < self.needed:
            return None
        if 1 + len(failing) >= self.needed:
            return f"; also seen from {join_words(failing)}"
        missing = [name for name, saw in seen.items() if saw is None]
        others = f" of {join_words(missing)}" if missing else " of the others"
        return (
            f"; seen from {self.own} alone, where {self.needed} vantages are needed, but nothing "
            f"is known{others}"
        )

    def _newest(self, at: float) -> list[Minute]:
        """Return the newest lines, read at most every few seconds: each failed probe asks."""
        if not self._read_at <= at < self._read_at + READ_EVERY_S:
            self._lines = list(_ends_of_files(self.folder, at - WRITTEN_WITHIN_S))
            self._read_at = at
        return self._lines


def _ends_of_files(folder: Path, since: float) -> Iterator[Minute]:
    """Yield the lines at the ends of the files that were written since then."""
    decoder = msgspec.json.Decoder(Minute)
    for path in probe_files(folder):
        try:
            if path.stat().st_mtime < since:
                continue
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                tail = file.read().splitlines()
        except OSError:
            continue  # nothing is known of it
        for raw in tail:
            try:
                yield decoder.decode(raw)
            except msgspec.DecodeError:  # truncated, or cut at the start of the tail
                continue


def _saw(lines: Sequence[Minute], name: str, since: float, at: float) -> bool | None:
    """Return whether a vantage got only good answers in this time; None where it is not known."""
    own = [line for line in lines if line.vantage == name and line.minute.timestamp() < at]
    if any(line.failed for line in own if line.kind == "control"):
        return None  # its own network may be down
    health = [line for line in own if line.kind == "health"]
    if any(_failed_since(line, since) for line in health):
        return False
    newest = max((line.minute.timestamp() + MINUTE_S for line in health), default=0.0)
    answered = any(line.latency for line in health)
    return True if answered and newest >= at - RECENT_S and newest > since else None


def _failed_since(line: Minute, since: float) -> bool:
    """Return whether a probe of this minute failed from a time on."""
    begin = first_slot(line.minute.timestamp(), line.interval_s, line.phase_s)
    return any(
        (begin + slot) * line.interval_s + line.phase_s >= since - line.interval_s
        for slots in line.failed.values()
        for slot in slots
    )
