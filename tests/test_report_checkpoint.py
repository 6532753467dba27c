"""The page of one checkpoint."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jinja2 import UndefinedError

from hour24.criteria import due
from hour24.record import Judged, Link, Prober, Record
from hour24.report import checkpoint, page, pictures
from hour24.verdict import Outcome, Scale
from tests.pages.sample import HOSTILE, Sample, changed, failing

VOID = {"meta", "link", "br", "path", "rect", "circle", "line", "use", "col"}


class Elements(HTMLParser):
    """All start tags with their attributes, the text outside them, and whether tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def html(record: Record) -> str:
    return checkpoint.text(record, None, Path("hour16.a1.html"))


def text(record: Record) -> str:
    return Elements(html(record)).text


def test_every_due_criterion_stands_on_the_page() -> None:
    """Id, sentence, reason, observed value, limit and margin of each."""
    shown = text(failing())
    for criterion in due(16):
        assert criterion.id in shown
        assert criterion.sentence in shown
    assert "1 595 ms" in shown
    assert "at least 1 413 ms" in shown
    assert "41 % over" in shown


def test_what_failed_and_what_was_not_measured_come_before_the_rest() -> None:
    """Verdict, decision, what failed, what was not measured, criteria, charts, evidence."""
    whole = html(failing())
    places = [
        whole.index(part)
        for part in (
            'class="v-fail"',
            'id="decision"',
            'id="failed"',
            'id="not-measured"',
            'id="criteria"',
            'id="charts"',
            'id="evidence"',
        )
    ]
    assert places == sorted(places)


def test_the_ten_second_summary_counts_criteria_not_verdicts() -> None:
    """Four endpoints of one criterion are one criterion; its worst counts."""
    shown = text(failing())
    assert "24 criteria due: 21 measured, 2 not measured, 1 not applicable." in shown
    assert "1 FAIL" in shown
    assert "2 INCONCLUSIVE" in shown


def test_the_attempts_of_a_source_show() -> None:
    """Every try that failed stands beside what was not measured, and beside what passed late."""
    shown = text(failing())
    assert shown.count("503 04:17:") == 3
    assert "3 attempts: 503, 503, 200" in shown


def test_a_pass_is_boring_and_names_what_is_next() -> None:
    """No red, no alarm: what holds, when the next one is due, and its command."""
    whole = html(Sample(8).record())
    assert 'class="v-pass"' in whole
    shown = Elements(whole).text
    assert "PASS at hour 8" in shown
    assert "pytest -m hour12 --watch launch-2025-12-22" in shown
    assert "22 Dec 00:15" in shown


def test_a_rehearsal_says_so_first() -> None:
    """Banner, title and footer name the rehearsal, its seed and its faults."""
    record = Sample(8).record(rehearsal={"seed": 7, "faults": ["memory_leak@6"]})
    shown = text(record)
    assert shown.index("REHEARSAL") < shown.index("PASS at hour 8")
    assert "seed 7, fault memory_leak@6" in shown
    assert "cannot be signed off" in shown
    assert "REHEARSAL" not in text(Sample(8).record())


def test_no_prober_is_said_loudly_with_the_command_that_starts_one() -> None:
    """Between checkpoints nobody would look; at the last one there is nothing left to look at."""
    said = "python -m hour24 probe --watch launch-2025-12-22"
    assert said in text(Sample(8).record(prober=Prober(running=False)))
    assert said not in text(Sample(8).record())
    assert said not in text(Sample(24).record(prober=Prober(running=False)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"early": True, "late_s": -600.0}, "does not count"),
        ({"interrupted": "SIGTERM"}, "interrupted: SIGTERM"),
        ({"late_s": 2400.0}, "40 min late"),
        ({"previous": Link(file="hour12.a1.json", sha256="ab" * 32)}, "ab" * 32),
        ({"notes": ("render limited us",)}, "render limited us"),
        ({"attempt": 2}, "attempt 2"),
        ({"decision": {"action": "ROLL BACK", "rule": "the revert"}}, "Hour 8: roll back"),
    ],
)
def test_the_circumstances_of_a_run_are_said(changes: dict[str, Any], said: str) -> None:
    """Early, interrupted, late, chained, attempted again: each stands on the page."""
    sample = Sample(8)
    kept = sample.criteria()
    if "decision" in changes:
        kept = changed(kept, "RESTARTS", outcome=Outcome.FAIL, reason="it restarted")
    assert said in text(sample.record(kept, **changes))


def test_a_criterion_left_out_stands_with_its_reason() -> None:
    """NOT_APPLICABLE is never silent."""
    shown = text(failing())
    assert "the disk of this plan grows by itself, up to 60 GB" in shown
    assert "[criteria.DB-SIZE] applies = false" in shown


def test_a_criterion_never_judged_stands_with_its_code() -> None:
    """Without objective and evidence there is still a line, and it is INCONCLUSIVE."""
    sample = Sample(8)
    kept = changed(
        sample.criteria(),
        "DB-POOL",
        outcome=Outcome.INCONCLUSIVE,
        code="not_run",
        reason="it was due and not selected",
        objective=None,
        evidence={},
        scale=None,
    )
    shown = text(sample.record(kept))
    assert "it was due and not selected" in shown
    assert "none: it was due and never judged" in shown


def test_the_whole_evidence_stands_folded() -> None:
    """Question as sent, attempts, window, basis, digest, objective, values, in <details>."""
    whole = html(failing())
    shown = Elements(whole).text
    assert whole.count("<details") == len(failing().criteria)
    assert "GET https://sentry.example/api/0/organizations/x/events/?dataset=errors&a=1" in shown
    assert "RateBelow(limit=0.01)" in shown
    assert "census: all there was" in shown
    assert "end excluded" in shown
    assert "sample of all" in shown
    assert re.search(r"sha256:[0-9a-f]{64}", shown)


def test_a_long_listing_is_cut_and_the_cut_is_counted() -> None:
    """Forty rows show as twenty-five, and fifteen are said to be in the record."""
    assert "cut here, kept in the record: 15 rows" in text(Sample(8).record())


def test_an_answer_that_several_criteria_rest_on_is_shown_once() -> None:
    """The second criterion points to the first."""
    shown = text(Sample(8).record())
    assert "The same answer as in HEALTH-ALWAYS , asked once and used by both" in shown


def test_hostile_text_stays_text() -> None:
    """No element, no attribute, no style end comes from foreign text, wherever it stands."""
    sample = Sample(16, text=HOSTILE)
    kept = tuple(
        msgspec.structs.replace(
            j,
            reason=HOSTILE,
            observed=HOSTILE,
            bound=HOSTILE,
            limit=HOSTILE,
            code=HOSTILE,
            subject=HOSTILE if j.subject else "",
            outcome=[Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE][n % 3],
        )
        for n, j in enumerate(sample.criteria())
    )
    decision = {
        "action": HOSTILE,
        "rule": HOSTILE,
        "causes": [{"cause": HOSTILE, "share": 0.5, "count": 1}],
        "severities": [{HOSTILE: HOSTILE}, HOSTILE],
        "steps": [{"text": HOSTILE, "command": HOSTILE}],
        "call": [{"role": HOSTILE, "name": HOSTILE, "reach": HOSTILE}],
    }
    record = sample.record(
        kept,
        notes=(HOSTILE,),
        interrupted=HOSTILE,
        decision=decision,
        service={"name": HOSTILE, "environment": HOSTILE, "release": HOSTILE},
        rehearsal={"seed": 7, "faults": [HOSTILE]},
        target=HOSTILE,
        advisory=(kept[0].evidence["health"],),
    )
    whole = html(record)
    parsed = Elements(whole)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "img", "iframe", "object", "form"})
    for _, attributes in parsed.tags:
        assert not any(name.startswith("on") for name in attributes)
    assert "\x1b" not in whole
    assert "\u202e" not in whole
    assert "⟨U+202E⟩" in whole
    assert "⟨ESC⟩[31m" in whole
    assert "{{7*7}}" in parsed.text


def test_a_megabyte_of_text_is_cut() -> None:
    """Nothing that a source says makes the page too large to open."""
    sample = Sample(16, text="A" * 1_000_000)
    kept = tuple(msgspec.structs.replace(j, reason="B" * 1_000_000) for j in sample.criteria()[:3])
    whole = html(sample.record(kept + sample.criteria()[3:]))
    assert len(whole.encode()) < 1_500_000
    assert "[cut: " in whole


def test_evidence_of_an_unknown_form_is_shown_as_it_lies() -> None:
    """A record of another version loses nothing."""
    sample = Sample(4)
    kept = changed(sample.criteria(), "DB-POOL", evidence={"x": {"kind": "strange", "v": [1, 2]}})
    shown = text(sample.record(kept))
    assert "not of a form this version knows" in shown
    assert '"strange"' in shown


def test_figures_that_are_no_numbers_are_null() -> None:
    """NaN and infinity never look like a value, and break no picture."""
    sample = Sample(16)
    nan = float("nan")
    kept = tuple(
        msgspec.structs.replace(
            j,
            figures={"slope_mb_per_h": nan, "x": float("inf")},
            scale=Scale(unit="ms", limit=nan, observed=nan, lower=nan, upper=nan),
        )
        for j in sample.criteria()
    )
    whole = html(sample.record(kept))
    assert "slope_mb_per_h null" in Elements(whole).text
    assert not re.search(r'[ "]nan[ "%]', whole)


def test_a_record_without_any_criterion_has_a_page() -> None:
    """A run that reached nothing still leaves a page, and it is no PASS."""
    whole = html(Sample(8).record(()))
    assert 'class="v-inc"' in whole


def test_the_page_is_one_file_without_script() -> None:
    """Nothing is loaded, nothing runs: strict policy, no script, links only to its neighbours."""
    whole = html(failing())
    parsed = Elements(whole)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in whole
    for tag, attributes in parsed.tags:
        assert tag not in ("script", "iframe", "object", "embed", "img", "audio", "video")
        for name in ("href", "src"):
            value = attributes.get(name) or ""
            assert not re.match(r"(https?:)?//", value), value


def test_every_link_within_the_page_leads_somewhere() -> None:
    """An id in the table leads to its evidence."""
    parsed = Elements(html(failing()))
    ids = [a["id"] for _, a in parsed.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in parsed.tags if (a.get("href") or "").startswith("#")}
    assert wanted <= set(ids)


def test_a_page_is_small_and_quick() -> None:
    """Below 1.5 MB, and made in well under the 0.15 s it may take."""
    record = Sample(24).record()
    html(record)
    began = time.perf_counter()
    whole = html(record)
    assert time.perf_counter() - began < 1.0  # a ceiling against accidents, not a benchmark
    assert len(whole.encode()) < 1_500_000


def test_an_unknown_name_in_a_template_is_an_error() -> None:
    """A typing error in a template is found by the first page, not by a reader."""
    template = page.environment().from_string("{{ record.nothing_of_this_name }}")
    with pytest.raises(UndefinedError):
        template.render(record=failing())


def test_half_a_page_is_never_seen(tmp_path: Path) -> None:
    """A page is moved to its place when it is whole; nothing is left beside it."""
    checkpoint.write(failing(), None, tmp_path / "hour16.a1.html")
    assert [p.name for p in tmp_path.iterdir()] == ["hour16.a1.html"]
    with pytest.raises(OSError, match="nowhere"):
        checkpoint.write(failing(), None, tmp_path / "nowhere" / "x.html")


def test_a_criterion_of_ones_own_is_drawn() -> None:
    """A series of a criterion that the table does not know gets a chart of its own."""
    sample = Sample(8)
    base = next(j for j in sample.criteria() if j.id == "ERRORS-TREND")
    own = Judged(
        id="OWN-QUEUE",
        sentence="The queue stays short",
        group="Own",
        outcome=Outcome.PASS,
        reason="it was short",
        evidence=base.evidence,
    )
    shown = text(sample.record((own,)))
    assert "OWN-QUEUE: responses, requests" in shown


def test_a_hundred_endpoints_fit_on_a_page() -> None:
    """Every one is judged on the page; the charts nearest to their limits are drawn."""
    sample = Sample(24)
    criteria = {criterion.id: criterion for criterion in due(24)}
    many = tuple(
        sample.judged(criteria[name], f"endpoint-{n}")
        for name in ("LATENCY-TARGET", "LATENCY-STABLE")
        for n in range(100)
    )
    kept = sample.criteria() + many
    record = sample.record(changed(kept, many[7].id, many[7].subject, outcome=Outcome.FAIL))
    whole = html(record)
    shown = Elements(whole).text
    assert len(whole.encode()) < 1_500_000
    assert all(f"endpoint-{n} " in shown for n in range(100))
    assert whole.count("<figure") == pictures.MOST
    assert "endpoint-7, ms" in shown
    assert "left out" in shown
