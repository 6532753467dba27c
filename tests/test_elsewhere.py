"""Alarms of one vantage's prober, while several must see a failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24 import config
from hour24.evidence import to_plain
from hour24.ledger.record import Judged
from hour24.prober import elsewhere as elsewhere_module
from hour24.prober.elsewhere import Elsewhere
from hour24.prober.rules import Runbook
from hour24.probes.lines import Alarm, LineWriter, Minute
from hour24.report import checkpoint
from tests.evidence_of import AT
from tests.small_watch import record
from tests.test_rehearsal_probing import toml
from tests.test_vantages import asked, judged, minutes, written

SINCE = (AT + timedelta(minutes=20)).timestamp()
NOW = SINCE + 130.0


def elsewhere(folder: Path, *names: str, needed: int = 2, total: int = 0) -> Elsewhere:
    return Elsewhere(folder, "fra", names, total or len(names), needed)


def until_now(**changes: tuple[int, int]) -> list[str]:
    """The minutes of a vantage up to the one before the alarm."""
    return minutes(**changes)[:22]


@pytest.mark.parametrize(
    ("iad", "says"),
    [
        (until_now(), None),
        (until_now(down=(20, 22)), "; also seen from iad"),
        (until_now(offline=(20, 22)), "nothing is known of iad"),
        (until_now(stopped=(17, 22)), "nothing is known of iad"),
        (until_now(down=(10, 15)), None),
        (until_now(offline=(5, 10)), None),
    ],
)
def test_what_another_vantage_saw_decides(iad: list[str], says: str | None, tmp_path: Path) -> None:
    """Good answers there withhold the alarm; a failure confirms it; no data leaves it open."""
    folder = written(tmp_path, fra=until_now(down=(20, 22)), iad=iad)
    found = elsewhere(folder, "fra", "iad").agree(SINCE, NOW)
    assert found is None if says is None else says in str(found)


def test_one_vantage_needed_calls_as_before(tmp_path: Path) -> None:
    """Nothing is read and nothing is added where one vantage is enough."""
    assert elsewhere(tmp_path / "none", "fra", "iad", needed=1).agree(SINCE, NOW) == ""


@pytest.mark.parametrize(
    ("needed", "total", "withheld"), [(2, 3, False), (3, 3, True), (2, 2, True), (2, 4, False)]
)
def test_a_vantage_without_lines_may_have_seen_it(
    needed: int, total: int, withheld: bool, tmp_path: Path
) -> None:
    """A third vantage, such as a blackbox exporter, has no lines here: it prevents no alarm."""
    folder = written(tmp_path, fra=until_now(down=(20, 22)), iad=until_now())
    found = elsewhere(folder, "fra", "iad", needed=needed, total=total).agree(SINCE, NOW)
    assert (found is None) is withheld
    if found is not None:
        alone = f"; seen from fra alone, where {needed} vantages are needed"
        assert found == f"{alone}, but nothing is known of the others"


def test_only_the_vantages_without_lines_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path, fra=until_now(down=(20, 22)), iad=until_now())
    found = elsewhere(folder, "fra", "iad", "ord").agree(SINCE, NOW)
    assert str(found).endswith("but nothing is known of ord")


def test_a_failed_endpoint_elsewhere_is_no_failed_health_check(tmp_path: Path) -> None:
    folder = written(tmp_path, fra=until_now(down=(20, 22)), iad=until_now())
    at = AT + timedelta(minutes=20)
    failed = Minute(
        probe="calls", kind="endpoint", minute=at, interval_s=10.0, due=6, vantage="iad",
        failed={"500": [1, 2, 3]},
    )  # fmt: skip
    LineWriter(folder / "calls.jsonl").write(failed)
    assert elsewhere(folder, "fra", "iad").agree(SINCE, NOW) is None


def test_a_torn_and_a_foreign_line_are_skipped(tmp_path: Path) -> None:
    """What cannot be read says nothing, and what can be read still counts."""
    folder = written(tmp_path, iad=until_now())
    with (folder / "iad.jsonl").open("ab") as file:
        file.write(b'{"v":1,"probe":"health","kin')
    (folder / "odd.jsonl").write_bytes(b"\xff\xfe\n[]\n")
    assert elsewhere(folder, "fra", "iad").agree(SINCE, NOW) is None


def test_files_are_read_every_few_seconds_and_not_with_each_failed_probe(tmp_path: Path) -> None:
    folder = written(tmp_path, fra=until_now(down=(20, 22)), iad=until_now())
    found = elsewhere(folder, "fra", "iad")
    assert found.agree(SINCE, NOW) is None
    (folder / "iad.jsonl").unlink()
    assert found.agree(SINCE, NOW + elsewhere_module.READ_EVERY_S / 2) is None
    later = found.agree(SINCE, NOW + elsewhere_module.READ_EVERY_S)
    assert later is not None
    assert "nothing is known of iad" in later


def alarms(agree: Callable[[float, float], str | None], failed: str, answered: bool) -> list[Alarm]:
    """The alarms of five minutes in which each probe fails in this way."""
    raised: list[Alarm] = []
    runbook = Runbook(raised.append, agree=agree)
    for number in range(60):
        at = SINCE + 5.0 * number
        kind = "health" if number % 2 else "endpoint"
        runbook.observe(kind, at, failed, answered, True, False)
    return raised


def test_a_silence_that_too_few_saw_raises_no_alarm() -> None:
    """Neither failing health nor the error rate; with the others, both are raised."""
    assert alarms(lambda since, at: None, "timeout", False) == []
    found = alarms(lambda since, at: "; also seen from iad", "timeout", False)
    assert {one.rule for one in found} == {"health_failing", "error_rate"}
    assert all(one.says.endswith("; also seen from iad") for one in found)


def test_an_answered_error_is_the_services_wherever_it_is_seen() -> None:
    """A 503 counts against the error rate from one vantage, as ERRORS-RATE counts it."""
    found = alarms(lambda since, at: None, "503", True)
    assert [one.rule for one in found] == ["error_rate"]


def test_a_withheld_alarm_is_raised_once_others_see_it() -> None:
    """The others are asked again with each failure."""
    asked_at: list[float] = []

    def agree(since: float, at: float) -> str | None:
        asked_at.append(at)
        return "; also seen from iad" if at > SINCE + 200 else None

    found = [one for one in alarms(agree, "timeout", False) if one.rule == "health_failing"]
    assert [one.at.timestamp() > SINCE + 200 for one in found] == [True]
    assert len(asked_at) > 2


def test_an_alarm_of_the_error_rate_begins_with_the_first_failed_request() -> None:
    raised: list[Alarm] = []
    runbook = Runbook(raised.append)
    for number in range(60):
        failed = "500" if number >= 20 else ""
        runbook.observe("endpoint", SINCE + number, failed, True, bool(failed), False)
    assert [(one.rule, one.since.timestamp()) for one in raised] == [("error_rate", SINCE + 20)]


def test_the_own_network_is_no_question_to_others() -> None:
    """A silent control address is this vantage's own alarm."""
    raised: list[Alarm] = []
    runbook = Runbook(raised.append, agree=lambda since, at: None)
    for number in range(40):
        runbook.observe("control", SINCE + 5.0 * number, "timeout", False, True, False)
    assert [one.rule for one in raised] == ["no_network"]


def test_the_vantages_are_those_of_production_toml(tmp_path: Path) -> None:
    """Probers by name, blackbox exporters by number."""
    one = config.load(toml(tmp_path), {})
    health = msgspec.structs.replace(one.health, vantages=("fra", "iad"), vantages_needed=2)
    found = Elsewhere.of(msgspec.structs.replace(one, health=health), tmp_path, "fra")
    assert (found.others, found.total, found.needed) == (("iad",), 2, 2)
    alone = Elsewhere.of(one, tmp_path, "host")
    assert (alone.others, alone.total, alone.needed) == ((), 1, 1)


def test_the_page_draws_each_vantage_when_one_was_offline(tmp_path: Path) -> None:
    """What was not measured has its charts too."""
    evidence = asked(written(tmp_path, fra=minutes(), iad=minutes(offline=(6, 60))), "fra", "iad")
    verdict = judged(evidence)
    assert verdict.outcome == "INCONCLUSIVE"
    stated: dict[str, Any] = {name: getattr(verdict, name) for name in ("code", "figures")}
    one = Judged(
        id="HEALTH-ALWAYS",
        sentence="No health check failed",
        group="Health",
        reason=verdict.reason,
        outcome=verdict.outcome,
        evidence={"probes": to_plain(evidence)},
        **stated,
    )
    text = checkpoint.text(record(4, one), None, tmp_path / "hour04.a1.html")
    for name in ("fra", "iad"):
        assert f"<figcaption><b>Health probes from {name} over " in text
