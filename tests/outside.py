"""A production from outside: a production.toml that points at a rehearsal's servers.

Its watch is not a rehearsal's: it may be approved, and people are notified. The commands are run as
a person runs them; only their clock is the rehearsal's, which stands where the test says.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hour24 import config
from hour24.config import Production
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.prober import plans
from hour24.prober.tally import minute_line
from hour24.probes.lines import LineWriter
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.probing import ScenarioTransport
from hour24.rehearsal.scenario import Scenario
from hour24.watch import Window
from tests.played import T0, ran

MINUTE = timedelta(minutes=1)
Ran = subprocess.CompletedProcess[str]


class Outside:
    """A production, and the person who watches it.

    Args:
        folder: where production.toml is written.
        faults: of the rehearsal behind it.
        variables: of the environment, such as ``HOUR24_ALERT_URLS``.
    """

    def __init__(self, folder: Path, *faults: str, seed: int = 1, **variables: str) -> None:
        self.seed = seed
        self.served = Rehearsal.start(seed, faults, T0)
        self.faults: Sequence[str] = faults
        self.now = T0
        self.toml = folder / "production.toml"
        self.variables = {**self.served.environ, **variables}
        source = Path(self.served.toml)
        for name in ("production.toml", "health.schema.json"):
            shutil.copy(source.with_name(name), folder / name)
        quick = "[schedule]\nlatency_per_s = 100.0"  # its servers are ours
        self.amend("[schedule]", quick)
        self.amend('release = "rehearsal"', 'release = "7c1e2fa"')

    def close(self) -> None:
        """End the rehearsal behind it."""
        self.served.stop()

    @property
    def production(self) -> Production:
        """As hour24 reads it."""
        return config.load(self.toml, self.variables)

    def amend(self, before: str, after: str) -> None:
        """Change production.toml."""
        text = self.toml.read_text("utf-8")
        assert before in text
        self.toml.write_text(text.replace(before, after, 1), "utf-8")

    def set_faults(self, *faults: str) -> None:
        """Replace its faults."""
        self.faults = faults
        self.served.set_faults(*faults)

    def at(self, hour: float) -> datetime:
        """Set the time of later commands to ``hour`` hours after T0; return it."""
        self.now = T0 + timedelta(hours=hour)
        return self.now

    # --- what people type ---------------------------------------------------------------------

    def hour24(self, *arguments: object, **variables: str) -> Ran:
        """``python -m hour24 ...``"""
        return self._ran("hour24", *arguments, **variables)

    def pytest(self, *arguments: object, **variables: str) -> Ran:
        """``pytest ... --target production.toml``"""
        return self._ran("pytest", *arguments, f"--target={self.toml}", "--color=no", **variables)

    def checkpoint(
        self,
        reports: Path,
        hour: int,
        *arguments: object,
        watch: str = "w",
        late: timedelta = timedelta(),
        **variables: str,
    ) -> tuple[Record, Ran]:
        """``pytest -m hourN``, after a prober has probed until then; what it recorded and said."""
        self.at(hour)
        folder = reports / watch
        if hour:  # a watch is probed only once it is open
            self.probe(folder / "probe", Ledger(folder).watch.checkpoint(hour).window)
        self.now += late
        done = self.pytest(
            "-m", f"hour{hour}", f"--watch={watch}", f"--reports={reports}",
            "--no-header", *arguments, **variables,
        )  # fmt: skip
        record = Ledger(folder).latest(hour)
        assert record is not None, done.stdout
        return record, done

    def probe(self, folder: Path, window: Window) -> None:
        """Write what a prober would over a window, by its own code and the scenario."""
        folder.mkdir(parents=True, exist_ok=True)
        back = tuple((hour, deploy) for hour, deploy in self.served.state()["rollbacks"])
        transport = ScenarioTransport(Scenario(self.seed, self.faults, T0, back))
        chosen, minute, lines = plans(self.production), window.start, []
        while minute < window.end:
            lines += [minute_line(plan, minute.timestamp(), transport) for plan in chosen]
            minute += MINUTE
        writer = LineWriter(folder / f"here-{window.start:%d%H%M}.jsonl")
        writer.write(*lines)
        writer.close()

    def _ran(self, what: str, *arguments: object, **variables: str) -> Ran:
        text = [self.served.control, self.now.isoformat(), what, *map(str, arguments)]
        command = [sys.executable, "-m", "tests.outside", *text]
        return ran(*command, **{**self.variables, **variables})


def main(control: str, now: str, what: str, *arguments: str) -> int:
    """Run one command with the rehearsal's clock; return its exit code."""
    import hour24.clock
    from hour24.rehearsal.clock import RehearsalClock

    clock = RehearsalClock(control, datetime.fromisoformat(now))
    hour24.clock.WallClock = lambda: clock  # type: ignore[assignment,misc]
    if what == "pytest":
        import pytest

        from hour24_pytest import joined

        return int(pytest.main(joined(arguments)))  # as the entry point of an installed hour24
    from hour24.__main__ import main as command

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
