"""A production without a platform, a tracker and a managed database: PostgreSQL, metrics, a log.

Its metrics are in a real Prometheus, behind an address whose clock is the watch's.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from hour24.criteria import CRITERIA, EIGHT
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.rehearsal.machines import LIMIT_MB
from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.vendors.logs.server import LogFile
from hour24.rehearsal.vendors.prometheus.server import JOB, Scrapes
from hour24.rehearsal.world import World
from hour24.verdict import Outcome
from hour24.watch import CHECKPOINTS
from tests import needs
from tests.answering import Answer, Asked, Server
from tests.engines import Known, prometheus
from tests.outside import Outside
from tests.played import T0

pytestmark = pytest.mark.suite("stories", short=40)

DEPLOY_H, SCALED_H = 6.0, 10.0
GONE = ("sentry", "render", "supabase")
LEFT_OUT = ("SENTRY-RECEIVES", "SENTRY-FEED")
MEASURED = [name for name in CRITERIA if name not in EIGHT]


def known(faults: tuple[str, ...], until_h: float, *, scaled: bool) -> list[Known]:
    """What an engine holds of the whole watch: the service, its database's disk.

    Args:
        scaled: whether two more instances run from hour 10 on.
    """
    scenario = Scenario(1, faults, T0)
    scrapes = Scrapes(scenario)
    scrapes.extend(round(until_h * 60) + 10)
    found = []
    for track in scrapes.tracks.values():
        labels = {k: v for k, v in track.labels.items() if k != "__name__"}
        samples = list(zip(track.times, track.values, strict=True))
        name = track.labels["__name__"]
        found.append(Known(name, labels, samples))
        if scaled and int(labels["instance"][-1], 16) >= 0:
            since = scenario.at(SCALED_H)
            later = [(at, v) for at, v in samples if at >= since]
            if not later or samples[-1][0] < scenario.at(until_h):
                continue
            zero = samples[-len(later) - 1][1] if len(samples) > len(later) else 0.0
            counter = name.endswith(("_total", "_bucket"))
            moved = [(at, v - zero if counter else v) for at, v in later]
            if name == "process_start_time_seconds":
                moved = [(at, since - 5.0) for at, _ in later]
            found.append(Known(name, {**labels, "instance": f"new-{labels['instance']}"}, moved))
    times = [scenario.at(minute / 60) for minute in range(-180, round(until_h * 60) + 10)]
    disk = {"job": "node", "instance": "db:9100", "mountpoint": "/data"}
    sizes = [(at, *scenario.disk(at)) for at in times]
    return [
        *found,
        Known("node_filesystem_size_bytes", disk, [(at, float(s)) for at, s, _ in sizes]),
        Known("node_filesystem_avail_bytes", disk, [(at, float(s - u)) for at, s, u in sizes]),
    ]


class Stack(Outside):
    """The production; its engine's clock and its log stand where the watch does."""

    def __init__(self, folder: Path, *faults: str, until_h: float, scaled: bool = False) -> None:
        super().__init__(folder, *faults)
        self._ends = ExitStack()
        (folder / "engine").mkdir()
        series = known(faults, until_h, scaled=scaled)
        engine = self._ends.enter_context(prometheus(folder / "engine", series))
        self._proxy = self._ends.enter_context(Server(self._forwarded(engine)))
        world = World(1, faults, T0, T0)
        self._world, self._log = world, LogFile(world)
        self._ends.callback(self._log.stop)
        text = self.toml.read_text("utf-8")
        for name in (*GONE, r"\[status_pages\]"):
            text = re.sub(rf"^\[{name}\]\n(?:[^\[\n].*\n)*\n?", "", text, flags=re.MULTILINE)
        text += (
            f'\n[prometheus]\nurl = "{self._proxy.url}"\npreset = "prometheus-client"\n'
            f'labels = {{ job = "{JOB}" }}\nmemory_limit_mb = {LIMIT_MB}\n'
            'disk = { mountpoint = "/data" }\n'
            f"\n[logs]\nfile = {json.dumps(self._log.section()['file'])}\n"
        )
        for name in LEFT_OUT:
            text += f'\n[criteria.{name}]\napplies = false\nbecause = "there is no tracker"\n'
        self.toml.write_text(text, "utf-8")

    def at(self, hour: float) -> datetime:
        moment = super().at(hour)
        self._world.advance(moment)
        self._log.apply()
        return moment

    def close(self) -> None:
        self._ends.close()
        super().close()

    def _forwarded(self, engine: str) -> Callable[[Asked], Answer]:
        """What the engine answers, as if its clock were the watch's."""

        def answer(asked: Asked) -> Answer:
            date = {"Date": format_datetime(self.now.astimezone(UTC), usegmt=True)}
            if "query=time" in asked.path:
                now = self.now.timestamp()
                data = {"resultType": "scalar", "result": [now, str(now)]}
                body = json.dumps({"status": "success", "data": data}).encode()
                return Answer(body=body, headers=date)
            try:
                with urllib.request.urlopen(engine + asked.path, timeout=30) as found:
                    return Answer(status=found.status, body=found.read(), headers=date)
            except urllib.error.HTTPError as refused:
                return Answer(status=refused.code, body=refused.read(), headers=date)

        return answer


@pytest.fixture(scope="module")
def _engine_here() -> None:
    need = needs.NEEDS["prometheus"]
    if not need.here():
        pytest.skip(need.absent)


@pytest.fixture(scope="module")
def records(
    tmp_path_factory: pytest.TempPathFactory, _engine_here: None
) -> Iterator[dict[int, Record]]:
    """A healthy watch through a rolling deploy and a scaling from two to four instances."""
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack(folder, f"deploy@{DEPLOY_H:g}", until_h=24.5, scaled=True)
    try:
        found = {}
        for hour in CHECKPOINTS:
            if hour == 8:
                begun = T0 + timedelta(hours=DEPLOY_H)
                declared = stack.hour24(
                    "declare", folder / "r" / "w", "--by", "Mara Lind", "--because", "a fix",
                    "--start", begun.isoformat(),
                )  # fmt: skip
                assert declared.returncode == 0, declared.stdout
            record, done = stack.checkpoint(folder / "r", hour)
            open_ = [one for one in record.criteria if one.outcome == Outcome.INCONCLUSIVE]
            assert record.outcome != Outcome.FAIL, done.stdout
            # an instance that began an hour ago has no trend of memory yet
            assert {(one.id, one.code) for one in open_} <= {("MEMORY-STABLE", "too_early")}
            found[hour] = record
        assert found[24].outcome == Outcome.PASS, done.stdout
        stack.at(24.2)
        signed = stack.hour24(
            "signoff", folder / "r" / "w", "--by", "Mara Lind", "--role", "tech lead"
        )
        assert signed.returncode == 0, signed.stdout
        verified = stack.hour24("verify", folder / "r" / "w")
        assert verified.returncode == 0, verified.stdout
        assert Ledger(folder / "r" / "w").records()
        yield found
    finally:
        stack.close()


@pytest.mark.timeout(600)
def test_nearly_all_criteria_are_measured_and_the_watch_is_approved(
    records: dict[int, Record],
) -> None:
    """At least 23 of 26, and all eight of the sign-off, have a verdict from evidence."""
    measured = {
        judged.id
        for record in records.values()
        for judged in record.criteria
        if judged.outcome in (Outcome.PASS, Outcome.FAIL)
    }
    assert len(measured & set(MEASURED)) >= 23, sorted(set(MEASURED) - measured)
    assert set(EIGHT) <= measured


def test_latency_is_judged_by_the_engines_buckets(records: dict[int, Record]) -> None:
    """LATENCY-MOST by route; LATENCY-TARGET by the share above each endpoint's target."""
    most = [one for one in records[24].criteria if one.id == "LATENCY-MOST"]
    assert [one.outcome for one in most] == [Outcome.PASS]
    assert "transactions have a p99 below" in most[0].reason
    targets = [one for one in records[24].criteria if one.id == "LATENCY-TARGET"]
    assert {one.evidence["spans"]["kind"] for one in targets if one.subject == "calls"} == {
        "buckets"
    }


VIOLATIONS = {
    "error_spike@2": ("ERRORS-RATE", "ERRORS-COUNT"),
    "slow_endpoint@0": ("LATENCY-TARGET",),
    "memory_high@1": ("MEMORY-HEADROOM",),
    "restart@2": ("RESTARTS",),
    "log_errors@1": ("LOGS-ERRORS",),
    "jobs_stalled@2": ("JOBS-RUNNING",),
    "disk_filling@1": ("DB-SIZE",),
    "pool_exhausted@3": ("DB-POOL",),
    "health_degraded@3": ("HEALTH-SCHEMA",),
}


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_engine_here")
def test_violations_are_found(tmp_path: Path) -> None:
    """Each of the runbook's, in one watch that has them all, by the stack's own evidence."""
    stack = Stack(tmp_path, *VIOLATIONS, until_h=4.5)
    try:
        stack.checkpoint(tmp_path / "r", 0)
        record, done = stack.checkpoint(tmp_path / "r", 4)
    finally:
        stack.close()
    failed = {one.id for one in record.criteria if one.outcome == Outcome.FAIL}
    for fault, names in VIOLATIONS.items():
        assert set(names) <= failed, (fault, done.stdout)
