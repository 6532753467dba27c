"""Charts of a rehearsed watch: every limit, trend and bound is the verdict's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hour24.criteria import CRITERIA
from hour24.ledger.book import Ledger
from hour24.ledger.record import Judged, Record
from hour24.report import pictures
from hour24.report import trends as over_the_watch
from hour24.report.axes import Picture
from hour24.report.exhibits import Answers
from hour24.report.kinds import KINDS
from hour24.report.times import Times
from hour24.verdict import Outcome, Scale
from tests.played import rehearsed

HOURS = (0, 4, 8, 12)
FAULTS = ("memory_leak@-1", "error_spike@6", "slow_endpoint@5", "disk_filling@1", "jobs_stalled@9")
PROMISED = {"lim", "base"}
"""Classes of lines that say something of a limit or of a trend."""
Chart = tuple[Record, Judged, Picture]
Trend = tuple[list[Scale], Picture]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A watch in which every kind of chart has something to show."""
    reports: Path = tmp_path_factory.mktemp("drawn")
    done = rehearsed(reports, HOURS, *FAULTS)
    found = Ledger(reports / "w")
    assert len(found.records()) == len(HOURS), done.stdout
    return found


@pytest.fixture(scope="module")
def charts(ledger: Ledger) -> list[Chart]:
    """Every chart of the watch, with the verdict that it belongs to."""
    return [chart for record in ledger.records() for chart in of(record)]


@pytest.fixture(scope="module")
def trends(ledger: Ledger) -> list[Trend]:
    """Every trend of the index, with the scales of its verdicts that have one."""
    scales: dict[str, list[Scale]] = {}
    for record in ledger.records():
        for judged in record.criteria:
            if judged.scale is not None and judged.scale.limit > 0:
                name = f"{judged.id} {judged.subject}".strip()
                scales.setdefault(name, []).append(judged.scale)
    every, _ = over_the_watch.draw(ledger, Times("UTC", ledger.watch.t0, ledger.watch.t0))
    return [(scales[one.title], one) for one in every if one.title in scales]


def of(record: Record) -> Iterator[Chart]:
    """The charts of each verdict alone."""
    answers = Answers(record.criteria)
    times = Times("UTC", record.t0, record.due)
    for judged in record.criteria:
        for picture in pictures.draw_verdict(judged, answers.of(judged), record, times):
            yield record, judged, picture


def claims(picture: Picture) -> Iterator[tuple[str, dict[str, float]]]:
    """Class and figures of every shape that states figures, or that has to."""
    for shape in ElementTree.fromstring(picture.svg).iter():
        kind = shape.get("class") or ""
        said = {
            name.removeprefix("data-").replace("-", "_"): float(value)
            for name, value in shape.attrib.items()
            if name.startswith("data-")
        }
        if said or kind in PROMISED:
            yield kind, said


def test_every_limit_and_line_is_a_figure_of_the_verdict(charts: list[Chart]) -> None:
    """To the last digit; a line that says of no figure where it comes from is refused."""
    seen = set()
    for record, judged, picture in charts:
        known = dict(judged.figures)
        if judged.scale is not None:
            known["limit"] = judged.scale.limit
        for kind, said in claims(picture):
            where = f"hour {record.hour}: {judged.id} {judged.subject}: {picture.title}: {kind}"
            assert said, f"{where}: drawn from no figure"
            for name, value in said.items():
                assert name in known, f"{where}: {name}: expected a figure of the verdict"
                assert math.isclose(value, known[name], rel_tol=1e-6), f"{where}: {name}"
            seen |= set(said)
    wanted = {"limit", "limit_mb", "slope", "lower", "upper", "worst_hour_share", "tail_share"}
    assert wanted <= seen


def test_every_promised_chart_is_drawn(charts: list[Chart]) -> None:
    """Of each criterion that is due here, and of every kind there is; of no other criterion."""
    drawn = {judged.id for _, judged, _ in charts}
    promised = {one.id for one in CRITERIA.values() if one.chart and set(one.hours) & set(HOURS)}
    assert drawn == promised
    kinds = {one.chart for one in CRITERIA.values() if one.id in drawn}
    assert kinds == KINDS


def test_the_trends_of_the_index_are_drawn_from_the_scales(trends: list[Trend]) -> None:
    """Each band is one verdict's value and bounds, and the limit is the last one's."""
    assert len(trends) > 5
    for scales, picture in trends:
        stated = [said for kind, said in claims(picture) if kind == "bd"]
        known = [said for said in map(scale_of, scales) if set(said) > {"limit"}]
        assert stated == known, picture.title
        limits = [said for kind, said in claims(picture) if kind == "lim"]
        assert limits == [{"limit": scales[-1].limit}], picture.title


def scale_of(scale: Scale) -> dict[str, float]:
    """What of a scale is a number."""
    every = {name: getattr(scale, name) for name in ("limit", "observed", "lower", "upper")}
    return {name: value for name, value in every.items() if value is not None}


def test_the_faults_of_this_watch_are_drawn_as_failures(charts: list[Chart]) -> None:
    """What failed has a chart that says so."""
    failed = {judged.id for _, judged, picture in charts if picture.outcome == Outcome.FAIL}
    assert {
        "MEMORY-STABLE",
        "ERRORS-TREND",
        "ERRORS-COUNT",
        "LATENCY-TARGET",
        "DB-SIZE",
        "JOBS-RUNNING",
    } <= failed


def test_captions_say_what_was_judged(charts: list[Chart]) -> None:
    """Counted events, the quantile and the longest gap are those of the verdict."""
    for _, judged, picture in charts:
        figures = judged.figures
        if picture.title.startswith("Error events"):
            assert picture.says == f"{_events(figures['counted'])} counted"
        elif picture.title.startswith("Latency of") and "another source" not in picture.says:
            assert f"p{100 * figures['q']:g} " in picture.says
        elif picture.title.startswith("Background jobs"):
            drawn = re.search(r"the longest ([\d.,]+) s", picture.says)
            assert drawn is not None
            longest = float(drawn[1].replace(",", ""))
            assert math.isclose(longest, figures["longest_gap_s"], rel_tol=0.01)


def _events(n: float) -> str:
    return f"{n:,.0f} event{'' if n == 1 else 's'}"
