"""The page of one checkpoint."""

from __future__ import annotations

import re
import shlex
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jinja2 import UndefinedError

from hour24 import evidence as ev
from hour24.criteria import CRITERIA, due
from hour24.ledger.record import Judged, Link, Prober, Record
from hour24.links import Links
from hour24.report import checkpoint, index, page, pictures
from hour24.report.charts import Plot
from hour24.report.exhibits import Answers
from hour24.report.kinds import memory as memory_chart
from hour24.report.times import Times
from hour24.verdict import Outcome, Scale
from tests.pages.sample import HOSTILE, T0, Sample, changed, epoch, failing, question
from tests.pages.watch import recorded

VOID = {"meta", "link", "br", "path", "rect", "circle", "line", "use", "col", "input"}


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


def test_every_due_criterion_is_on_the_page() -> None:
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
    positions = [
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
    assert positions == sorted(positions)


def test_the_ten_second_summary_counts_criteria_not_verdicts() -> None:
    """Four endpoints of one criterion are one criterion; its worst counts."""
    shown = text(failing())
    assert "24 criteria due: 21 measured, 2 not measured, 1 not applicable." in shown
    assert "1 FAIL" in shown
    assert "2 INCONCLUSIVE" in shown


def test_the_attempts_of_a_source_show() -> None:
    """Every failed attempt is shown with what was not measured and with what passed late."""
    shown = text(failing())
    assert shown.count("503 04:17:") == 3
    assert "3 attempts: 503, 503, 200" in shown


def test_a_pass_is_boring_and_names_what_is_next() -> None:
    """No red, no alarm: what passed, when the next one is due, and its command."""
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
    """Between checkpoints nothing is measured; after the last one nothing is left to measure."""
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
        ({"late_s": 0.0}, "on time"),
        ({"previous": Link(file="hour12.a1.json", sha256="ab" * 32)}, "ab" * 32),
        ({"notes": ("render limited us",)}, "render limited us"),
        ({"attempt": 2}, "attempt 2"),
        ({"decision": {"action": "ROLL BACK", "rule": "the revert"}}, "at hour 8: roll back"),
    ],
)
def test_the_circumstances_of_a_run_are_said(changes: dict[str, Any], said: str) -> None:
    """Early, interrupted, late, chained, attempted again: each is on the page."""
    sample = Sample(8)
    kept = sample.criteria()
    if "decision" in changes:
        kept = changed(kept, "RESTARTS", outcome=Outcome.FAIL, reason="it restarted")
    assert said in text(sample.record(kept, **changes))


def test_a_criterion_left_out_is_shown_with_its_reason() -> None:
    """NOT_APPLICABLE is never silent."""
    shown = text(failing())
    assert "the disk of this plan grows by itself, up to 60 GB" in shown
    assert "[criteria.DB-SIZE] applies = false" in shown


def test_a_criterion_never_judged_is_shown_with_its_code() -> None:
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
    assert "none: due, never judged" in shown


def test_the_whole_evidence_is_folded() -> None:
    """Question as sent, attempts, window, basis, digest, objective, values, in <details>."""
    whole = html(failing())
    shown = Elements(whole).text
    assert whole.count('<details id="d-') == len(failing().criteria)
    assert "GET https://sentry.example/api/0/organizations/x/events/?dataset=errors&a=1" in shown
    assert "RateBelow(limit=0.01)" in shown
    assert "census: everything" in shown
    assert "end excluded" in shown
    assert "Basis sample" in " ".join(shown.split())
    assert re.search(r"sha256:[0-9a-f]{64}", shown)


def test_a_long_listing_is_cut_and_the_cut_is_counted() -> None:
    """Forty rows show as twenty-five, and fifteen are said to be in the record."""
    assert "cut here, kept in the record: 15 rows" in text(Sample(8).record())


def test_an_answer_that_several_criteria_rest_on_is_shown_once() -> None:
    """The second criterion points to the first."""
    shown = text(Sample(8).record())
    assert "The same answer as in HEALTH-ALWAYS , asked once and used by both" in shown


def test_hostile_text_stays_text() -> None:
    """No element, no attribute, no style end comes from foreign text."""
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
    assert "unknown to this version" in shown
    assert '"strange"' in shown


def test_figures_that_are_no_numbers_are_null() -> None:
    """NaN and infinity never appear as a value and break no chart."""
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
    assert "slope (MB/h) null" in Elements(whole).text
    assert not re.search(r'[ "]nan[ "%]', whole)


def test_a_record_without_any_criterion_has_a_page() -> None:
    """A run that reached nothing still leaves a page, and it is no PASS."""
    whole = html(Sample(8).record(()))
    assert 'class="v-inc"' in whole


def test_the_page_is_one_file_without_script() -> None:
    """Nothing is loaded, nothing runs: strict policy, no script; only a link leads elsewhere."""
    elsewhere = Links(status={"Supabase": "https://status.supabase.com"})
    whole = html(failing(links=elsewhere))
    assert 'href="https://status.supabase.com"' in whole
    parsed = Elements(whole)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in whole
    for tag, attributes in parsed.tags:
        assert tag not in ("script", "iframe", "object", "embed", "img", "audio", "video")
        for name in ("href", "src"):
            value = attributes.get(name) or ""
            if tag == "a" and value.startswith("https://"):
                assert "noreferrer" in str(attributes.get("rel"))
                continue
            assert not re.match(r"(https?:)?//", value), value
        for name in ("srcset", "poster", "data", "action", "formaction", "background", "ping"):
            assert name not in attributes


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


def test_a_page_is_written_atomically(tmp_path: Path) -> None:
    """A complete page replaces the old one; no temporary file is left."""
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
    assert "not shown" in shown


def test_a_run_that_took_no_time_says_no_time() -> None:
    """The clock of a rehearsal steps: "took 0 ms" would be nonsense."""
    sample = Sample(8)
    assert "; took" not in text(sample.record(ended=sample.at))
    assert "; took 12 s" in text(sample.record())


def test_why_the_watch_continues_with_an_unresolved_verdict_is_explained() -> None:
    """Next to INCONCLUSIVE the word "proceed" needs its reason, even if nothing is to be done."""
    early = changed(
        Sample(8).criteria(),
        "MEMORY-STABLE",
        outcome=Outcome.INCONCLUSIVE,
        code="too_early",
        reason="a rise that has not gone on for long enough",
    )
    why = "Not enough evidence yet: MEMORY-STABLE (too_early), judged again at hour 12"
    decision = {"action": "PROCEED", "rule": "Nothing failed", "why": why, "steps": []}
    whole = html(Sample(8).record(early, decision=decision))
    assert why in whole.split('id="decision"')[1].split("<h2")[0]


def test_where_there_is_nothing_to_do_no_decision_is_explained() -> None:
    """The headline of a PASS says proceed, and that is all."""
    decision = {
        "action": "PROCEED",
        "rule": "Nothing failed",
        "causes": [{"cause": "vapi", "share": 1.0, "count": 3}],
        "steps": [],
    }
    whole = html(Sample(8).record(decision=decision))
    assert "PASS at hour 8: proceed" in Elements(whole).text
    assert 'id="decision"' not in whole


def test_the_rule_leads_and_the_steps_come_first() -> None:
    """What is to be done is read before causes and contacts, on a telephone too."""
    record = failing()
    decision = {
        **(record.decision or {}),
        "why": "because of this and that",
        "status": ["Supabase: API: partial_outage"],
    }
    whole = html(msgspec.structs.replace(record, decision=decision))
    parts = (
        'class="rule',
        "because of this",
        "Do this, in this order",
        "Causes of the errors",
        "Supabase: API: partial_outage",
    )
    positions = [whole.index(part) for part in parts]
    assert positions == sorted(positions)


def unanswered(name: str, sample: Sample) -> dict[str, Any]:
    asked = question("render", "GET x", sample.window, sample.at, ("the connection broke",))
    answer = ev.Unanswered(question=asked, code="source_unreachable", reason=name)
    return {
        "outcome": Outcome.INCONCLUSIVE,
        "code": "source_unreachable",
        "reason": f"render: {name}: the connection broke, 1 attempt",
        "scale": None,
        "evidence": {"now": ev.to_plain(answer)},
    }


def test_a_witness_that_is_silent_is_named_once_with_how_many_criteria() -> None:
    """One reason is one card, and the headline names who did not answer."""
    sample = Sample(8)
    kept = sample.criteria()
    for name, asked in (("RESTARTS", "logs"), ("LOGS-ERRORS", "logs"), ("WS-STABLE", "metrics")):
        kept = changed(kept, name, **unanswered(asked, sample))
    whole = html(sample.record(kept))
    shown = Elements(whole).text
    assert shown.count("No answer from Render (3 criteria)") == 2
    cards = whole.split('id="not-measured"')[1].split("</ul>")[0].split("<li ")[1:]
    assert len(cards) == 2
    assert "RESTARTS" in cards[0]
    assert "LOGS-ERRORS" in cards[0]


def test_attempts_of_an_answer_that_came_are_not_among_those_that_failed() -> None:
    """Hour 0's answer was fine; its attempts would only confuse."""
    sample = Sample(8)
    changes = unanswered("logs", sample)
    good = sample.evidence(CRITERIA["JOBS-RUNNING"])["beats"]
    changes["evidence"]["baseline"] = ev.to_plain(good)
    shown = text(sample.record(changed(sample.criteria(), "LOGS-WATCHED", **changes)))
    attempts = shown.split("Attempts:")[1].split("To resolve")[0]
    assert "the connection broke" in attempts
    assert "200" not in attempts


def drawn(record: Record, title: str) -> str:
    """The figure of this title."""
    found = re.findall(r"<figure.*?</figure>", html(record), re.DOTALL)
    return next(one for one in found if title in one)


def test_the_beats_drawn_are_those_of_now() -> None:
    """The baseline of another hour is next to them."""
    sample = Sample(8)
    beats = sample.evidence(CRITERIA["JOBS-RUNNING"])["beats"]
    assert isinstance(beats, ev.Series)
    times = tuple(epoch(sample.window.start) - 36000 + 30.0 * k for k in range(9))
    old = ev.Line(times=times, values=(None,) * 9)
    baseline = msgspec.structs.replace(beats, lines=(old,))
    plain = {"baseline": ev.to_plain(baseline), "beats": ev.to_plain(beats)}
    kept = changed(sample.criteria(), "JOBS-RUNNING", evidence=plain)
    assert "481 steps from beat to beat" in drawn(sample.record(kept), "Background jobs")


def test_events_of_normal_classes_are_drawn_apart() -> None:
    """What does not count has a strip of its own: no bar breaks a limit that it does not."""
    sample = Sample(8)
    normal = [{"name": "Vapi", "pattern": "Vapi API timeout", "at_most_per_hour": 4}]
    kept = changed(
        sample.criteria(), "ERRORS-COUNT", objective={"name": "EventsBelow", "normal": normal}
    )
    counted = drawn(sample.record(kept), "Error events")
    assert "1 event counted" in counted
    assert 'class="lim"' in counted
    excluded = drawn(sample.record(kept), "Known-normal events, not counted")
    assert "11 known-normal events; no limit applies" in excluded
    assert 'class="lim"' not in excluded


def test_a_long_line_that_is_thinned_stays_whole() -> None:
    """Fewer points are no gaps; half an hour without values stays one."""
    figure = drawn(Sample(24).record(), "Memory, MB")
    lines = re.findall(r'class="ln2" d="([^"]*)"', figure)
    assert [line.count("M") for line in lines] == [2, 2]


def test_a_distribution_of_one_value_is_a_visible_line() -> None:
    """All samples alike fall from all to none in one step."""
    sample = Sample(8)
    start = epoch(sample.window.start)
    asked = question("prober", "lines", sample.window, sample.at, ())
    one = ev.Distribution(question=asked, unit="ms", blocks=(ev.Block(start, 600.0, {"500": 48}),))
    kept = changed(sample.criteria(), "LATENCY-STABLE", "calls", evidence={"now": ev.to_plain(one)})
    figure = drawn(sample.record(kept), "calls: share slower")
    path = re.findall(r'class="ln" d="([^"]*)"', figure)[0]
    assert path.startswith("M0 0")
    assert path.count("L") == 2


def test_a_verdict_without_subject_among_others_has_a_name() -> None:
    """ "and 24 hours" is no sentence."""
    sample = Sample(24)
    judged = next(j for j in sample.criteria() if j.id == "SIGNOFF-JOBS")
    failed = msgspec.structs.replace(judged, outcome=Outcome.FAIL, reason="it did not pass")
    whole = msgspec.structs.replace(failed, subject="24 hours")
    others = tuple(j for j in sample.criteria() if j.id != "SIGNOFF-JOBS")
    shown = text(sample.record((*others, failed, whole)))
    assert "at each checkpoint and 24 hours" in shown


@pytest.mark.parametrize("rehearsal", [None, {"seed": 7, "faults": []}])
def test_hour_20_answers_whether_it_is_ready(
    tmp_path: Path, rehearsal: dict[str, Any] | None
) -> None:
    """Yes, if nothing is open; a rehearsal gets the answer of a production."""
    record = Sample(20).record(rehearsal=rehearsal)
    before = [Sample(h).record(rehearsal=rehearsal) for h in (0, 4, 8, 12, 16)]
    ledger = recorded(tmp_path, [*before, record], rehearsal=rehearsal)
    shown = Elements(checkpoint.text(record, ledger, tmp_path / "hour20.a1.html")).text
    assert "Ready to declare stable? Yes, as far as hour 20 can tell:" in shown
    assert ("A rehearsal itself cannot be approved" in shown) == (rehearsal is not None)


def test_hour_20_says_no_and_because_of_what_once(tmp_path: Path) -> None:
    """What is open is listed as the reason and not again as a warning."""
    record = Sample(20).record()
    before = [Sample(h).record() for h in (0, 4, 8, 12)]
    ledger = recorded(tmp_path, [*before, failing(16), record])
    shown = Elements(checkpoint.text(record, ledger, tmp_path / "hour20.a1.html")).text
    assert "Ready to declare stable? No. It would not be approved now" in shown
    assert shown.count("LATENCY-TARGET assistants at hour 16") == 1


def test_what_was_not_measured_is_named_in_the_first_lines_with_its_code() -> None:
    """Before any table: which criteria have no answer, and why."""
    shown = text(failing())
    found = shown.split("24 criteria due: 21 measured, 2 not measured, 1 not applicable.")[1]
    assert found.lstrip().startswith("Not measured: LOGS-WATCHED (source_failed) ; LATENCY-MOST")


def test_a_fail_says_how_many_could_not_be_judged() -> None:
    """What is unknown next to a FAIL is read with the verdict."""
    hero = html(failing()).split('class="v-fail"')[1].split("</section>")[0]
    assert "2 more criteria could not be judged." in hero


def test_a_part_without_an_answer_is_named_though_its_criterion_failed() -> None:
    """The criterion counts as failed; its silent part is neither lost nor counted twice."""
    sample = Sample(8)
    kept = changed(sample.criteria(), "LATENCY-TARGET", "calls", outcome=Outcome.FAIL)
    kept = changed(
        kept,
        "LATENCY-TARGET",
        "health",
        outcome=Outcome.INCONCLUSIVE,
        code="too_few_samples",
        reason="20 samples",
    )
    shown = text(sample.record(kept))
    assert ", 0 not measured. Not measured: LATENCY-TARGET health (too_few_samples)" in shown
    assert "1 failed criterion was measured only in part." in shown
    assert "0 criteria that were due" not in shown


def test_the_first_screen_answers_seven_questions_in_order() -> None:
    """Why, whom to call, what now, by when, is it over, what changed, which deploy is live."""
    decision = {
        "action": "ALERT",
        "rule": "Error rate above 5 %",
        "steps": [{"text": "Read the logs"}],
        "call": [{"role": "on call", "name": "Mara Lind", "reach": "+49 30 0000"}],
        "root_cause_by": "2025-12-22T04:22:00Z",
    }
    hero = html(failing(decision=decision)).split('class="v-fail"')[1].split("</section>")[0]
    asked = re.findall(r"<dt>([^<]+)</dt>", hero)
    assert asked == ["Why", "Call", "Do now", "By when", "Is it over?", "Live deploy"]
    assert hero.index("NO-GO") < hero.index("<dt>Why")
    assert "Root cause by 05:22" in hero


def test_the_first_screen_says_what_changed_since_the_last_checkpoint(tmp_path: Path) -> None:
    ledger = recorded(tmp_path, [Sample(12).record(), failing(16)])
    record = ledger.latest(16)
    assert record is not None
    hero = checkpoint.text(record, ledger, tmp_path / "hour16.a1.html")
    changed = re.findall(r"<dt>Changed</dt><dd>([^<]+)<", hero)
    assert changed == ["Since hour 12: 2 checks newly failed or not measured"]
    assert 'rel="prev" href="hour12.a1.html"' in hero


@pytest.mark.parametrize(
    ("hours", "leads"),
    [
        ((8, 12), "hour12.a1.html"),
        ((8, 16), "hour16.a1.html"),
        ((8,), "index.html#hour-12"),
        ((24,), None),
    ],
)
def test_the_next_link_leads_to_a_page_or_a_row_of_the_watch(
    tmp_path: Path, hours: tuple[int, ...], leads: str | None
) -> None:
    """The next checkpoint has no page yet, but it has a row on the page of the watch."""
    ledger = recorded(tmp_path, [Sample(hour).record() for hour in hours])
    record = ledger.latest(hours[0])
    assert record is not None
    parsed = Elements(checkpoint.text(record, ledger, tmp_path / f"hour{hours[0]:02d}.a1.html"))
    found = [a.get("href") for tag, a in parsed.tags if tag == "a" and a.get("rel") == "next"]
    assert found == ([leads] if leads else [])
    if leads and "#" in leads:
        watch_page = index.text(ledger, record.ended)
        assert watch_page.count(f'<tr role="row" id="{leads.split("#")[1]}">') == 1


def test_a_rehearsal_is_named_before_the_word() -> None:
    hero = html(failing(rehearsal={"seed": 1, "faults": []})).split('id="h1"')[1]
    assert hero.index("REHEARSAL") < hero.index("NO-GO")


def test_each_failed_check_is_in_one_incident_with_its_chart() -> None:
    record = failing()
    cards = html(record).split('id="failed"')[1].split('id="not-measured"')[0]
    failed = [j for j in record.criteria if j.outcome == Outcome.FAIL]
    lines = re.findall(r'<ul class="ones">(.*?)</ul>', cards, re.DOTALL)
    assert sum(each.count("<li>") for each in lines) == len(failed)
    assert cards.count("<figure") == len(lines)


def test_the_decision_has_one_name() -> None:
    """The verdict's line and the heading say the same word."""
    decision = {
        "action": "ALERT",
        "rule": "Error rate above 5 %",
        "steps": [{"text": "Read the logs"}],
    }
    shown = text(failing(decision=decision))
    assert "FAIL at hour 16: alert the team" in shown
    assert "NO-GO" in shown
    assert "Decision: alert the team" in shown


def test_shares_of_causes_add_up() -> None:
    """1,874, 18 and 12 of 1,904 are 98, 1 and 1 per cent, and not 98, 0 and 0."""
    counts = {"code": 1874, "vapi": 18, "database": 12}
    causes = [{"cause": c, "count": n, "share": n / 1904} for c, n in counts.items()]
    decision = {
        "action": "HOLD",
        "rule": "A check failed and needs a human decision",
        "causes": causes,
    }
    table = html(failing(decision=decision)).split("with their shares")[1].split("</table>")[0]
    assert re.findall(r'class="r nw">([^<]+)<', table) == ["98 %", "1 %", "1 %"]


def test_memory_is_drawn_over_the_bounds_of_its_trend() -> None:
    """Wide bounds must not hide the line that they speak of."""
    sample = Sample(12)
    kept = changed(
        sample.criteria(),
        "MEMORY-STABLE",
        figures={
            "instance": 0.0,
            "unit_mb": 1.0,
            "slope": -8.4,
            "lower": -120.0,
            "upper": 45.0,
            "pivot_h": 6.0,
            "pivot_mb": 210.0,
        },
    )
    figure = drawn(sample.record(kept), "Memory, MB")
    assert 0 < figure.index('class="bd"') < figure.index('class="ln')


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Memory, MB", r"largest [0-9.]+ MB"),
        ("calls: share slower", r"median [0-9.]+ ms of .*median [0-9.]+ ms of"),
    ],
)
def test_a_figure_in_a_caption_has_its_unit(title: str, found: str) -> None:
    """No reader guesses what a number counts."""
    assert re.search(found, drawn(Sample(8).record(), title))


def test_a_latency_chart_says_the_quantile_that_was_judged() -> None:
    """Not one that the page works out for itself; and of another source it says so."""
    sample = Sample(8)
    figures = {"q": 0.9, "n": 2880.0, "observed_ms": 312.5, "at_or_above": 3.0}
    kept = changed(sample.criteria(), "LATENCY-TARGET", "calls", figures=figures)
    figure = drawn(sample.record(kept), "Latency of calls, ms")
    assert "p90 312 ms of 2,880, 3 not below the target" in figure


def test_the_trend_is_that_of_the_instance_that_was_judged() -> None:
    """From 40 to 60 MB about its own middle, and its bounds from there; not through the others."""
    sample = Sample(8)
    asked = question("render", "memory", None, sample.at)
    first = ev.Line(labels={"instance": "a"}, times=(0.0, 36000.0), values=(500.0, 500.0))
    other = ev.Line(labels={"instance": "b"}, times=(7200.0, 28800.0), values=(40.0, 60.0))
    memory = ev.Series(question=asked, unit="MB", lines=(first, other))
    figures = {"instance": 1.0, "slope": 2.0, "lower": 0.0, "upper": 4.0}
    figures |= {"pivot_h": 3.0, "pivot_mb": 50.0}
    (judged,) = (
        one
        for one in changed(sample.criteria(), "MEMORY-STABLE", figures=figures)
        if one.id == "MEMORY-STABLE"
    )
    plot = Plot((0.0, 36000.0), (0.0, 100.0))
    assert memory_chart._leak_trend(plot, judged, memory, (0.0, 36000.0))
    svg = plot.svg("t", "d")
    assert re.search(r'class="base"[^>]* d="M0 600h0L1000 400"', svg)
    assert re.search(r'class="bd"[^>]* d="M0 500L500 500L1000 300L1000 500L500 500L0 700Z"', svg)


def test_the_disk_is_drawn_against_the_limit_that_was_judged() -> None:
    """70 % where production.toml says so, at 70 % of the disk's own size."""
    sample = Sample(8)
    scale = Scale(unit="%", limit=70.0, observed=40.0)
    figures = {"share": 0.4, "used_bytes": 4e9, "size_bytes": 10e9}
    kept = changed(sample.criteria(), "DB-SIZE", scale=scale, figures=figures)
    figure = drawn(sample.record(kept), "Disk of the database")
    line = re.search(r'class="lim" data-limit="70.0" d="M0 ([\d.]+)H1000"', figure)
    assert line is not None
    assert float(line[1]) == pytest.approx(1000 - 1000 * 7e9 / 10.5e9, abs=0.01)
    assert "limit 70 %" in figure


def test_a_chart_draws_no_limit_that_the_verdict_does_not_have() -> None:
    """A verdict without a scale was not compared with a limit."""
    sample = Sample(8)
    for name in ("ERRORS-COUNT", "JOBS-RUNNING", "DB-SIZE", "ERRORS-TREND"):
        kept = changed(sample.criteria(), name, scale=None, figures={})
        found, _ = pictures.draw(
            sample.record(tuple(one for one in kept if one.id == name)),
            Answers(kept),
            Times("UTC", T0, T0),
        )
        assert found, name
        assert not any('class="lim"' in one.svg or 'class="base"' in one.svg for one in found)


def test_the_sign_off_is_not_offered_without_saying_that_it_is_refused() -> None:
    """After a FAIL at hour 24 the command alone would mislead."""
    refused = "refused while anything blocks the launch"
    assert refused in text(failing(24))
    assert refused not in text(Sample(24).record())


def test_a_limit_has_the_unit_of_its_axis() -> None:
    """75 s next to an axis in seconds, and not 1 min 15 s."""
    sample = Sample(8)
    scale = Scale(unit="s", limit=75, observed=41)
    kept = changed(sample.criteria(), "JOBS-RUNNING", scale=scale)
    assert ">limit 75 s<" in drawn(sample.record(kept), "Background jobs")


@pytest.mark.parametrize(
    ("reach", "link"),
    [
        ("+49 (30) 123-4567", 'href="tel:+49301234567"'),
        ("mara@example.org", 'href="mailto:mara@example.org"'),
        ("https://chat.example.org/c/1", 'href="https://chat.example.org/c/1"'),
        ("across the room", ""),
        ("javascript:alert(1)", ""),
        ('a@b.c"onclick="x', ""),
        ("<b>x</b>@y.z", ""),
    ],
)
def test_whom_to_call_is_a_link_where_the_text_is_one(reach: str, link: str) -> None:
    """A telephone number, a mail address, an https address; everything else is text."""
    made = str(page.contact_link(reach))
    assert (link in made) if link else ("<a" not in made)
    assert "<b>" not in made
    assert '"onclick' not in made


def test_the_next_command_leads_to_the_same_watch(tmp_path: Path) -> None:
    """With the target and the folder of reports that were used."""
    made = page.command("/etc/hour24/production.toml", "launch-1", 8, tmp_path / "our reports")
    assert shlex.split(made) == [
        *("pytest", "-m", "hour8", "--target", "/etc/hour24/production.toml"),
        *("--watch", "launch-1", "--reports", str(tmp_path / "our reports")),
    ]
    assert page.command("production.toml", "w", 0, Path("reports")) == "pytest -m hour0 --watch w"


def test_an_earlier_finding_of_a_check_that_fails_here_is_named_at_its_fail(tmp_path: Path) -> None:
    """Not in a list of its own, where it reads as another problem; other checks stay there."""
    early = changed(
        Sample(12).criteria(),
        "LATENCY-TARGET",
        "assistants",
        outcome=Outcome.INCONCLUSIVE,
        code="too_early",
        reason="too few requests yet",
    )
    early = changed(
        early,
        "DB-SIZE",
        outcome=Outcome.FAIL,
        code="disk_full",
        reason="the disk is 93 % full",
    )
    ledger = recorded(tmp_path, [Sample(12).record(early), failing(16)])
    record = ledger.latest(16)
    assert record is not None
    whole = Elements(checkpoint.text(record, ledger, Path("hour16.a1.html"))).text
    assert "open as well: INCONCLUSIVE at hour 12" in whole
    still = whole.partition("Still open from earlier checkpoints:")[2][:2000]
    assert "the disk is 93 % full" in still
    assert "too few requests yet" not in still.partition("Decision")[0]


def test_why_a_person_is_called_is_said_first_though_nothing_failed() -> None:
    """With the number; the page said only that there is not enough data yet."""
    kept = changed(
        Sample(8).criteria(),
        "MEMORY-STABLE",
        outcome=Outcome.INCONCLUSIVE,
        code="too_early",
        reason="srv-d0cjkelq67qs70c2pugg-435bb: memory is rising: 12.1 MB/h",
    )
    decision = {
        "action": "ALERT",
        "rule": "Memory is rising steeply: it may be a leak",
        "why": "srv-d0cjkelq67qs70c2pugg-435bb: memory is rising: 12.1 MB/h",
    }
    shown = text(Sample(8).record(kept, decision=decision))
    first = shown.partition(" Why ")[2][:160]
    assert first.startswith("Memory is rising steeply: it may be a leak: ")
    assert "12.1 MB/h" in first
    calm = text(Sample(8).record(kept, decision={**decision, "action": "RETRY"}))
    assert not calm.partition(" Why ")[2].startswith("Memory is rising steeply")


def test_a_target_far_above_the_answers_is_drawn_on_a_log_axis() -> None:
    """A line on the floor shows neither its course nor its distance from the target."""
    sample = Sample(8)

    def latency(limit: float) -> str:
        kept = changed(
            sample.criteria(),
            "LATENCY-TARGET",
            "calls",
            scale=Scale(unit="ms", limit=limit, observed=300.0),
        )
        return drawn(sample.record(kept), "Latency of calls, ms")

    near, far = latency(900.0), latency(60_000.0)
    assert "log scale" not in near
    assert "log scale" in far
    medians = re.findall(r'class="wk"[^>]* d="M[\d.]+ ([\d.]+)', far)
    assert medians
    assert all(float(at) < 900 for at in medians)  # of 1000: not on the floor
    assert re.search(r">1,?000<", far)


def test_the_caption_of_memory_names_each_instance_with_its_first_and_last_value() -> None:
    sample = Sample(8)
    asked = question("render", "memory", sample.window, sample.at)
    start = epoch(sample.window.start)
    names = ("srv-d0cjkelq67qs70c2pugg-be79d", "srv-d0cjkelq67qs70c2pugg-435bb")
    lines = tuple(
        ev.Line(
            labels={"instance": name},
            times=tuple(start + 60.0 * k for k in range(240)),
            values=tuple(180.0 + 20 * n + k for k in range(240)),
        )
        for n, name in enumerate(names)
    )
    memory = ev.Series(question=asked, unit="MB", lines=lines)
    figures = {
        "instance": 1.0,
        "unit_mb": 1.0,
        "slope": 60.0,
        "lower": 50.0,
        "upper": 70.0,
        "pivot_h": 2.0,
        "pivot_mb": 320.0,
    }
    kept = changed(
        sample.criteria(),
        "MEMORY-STABLE",
        figures=figures,
        evidence={"memory": ev.to_plain(memory)},
    )
    figure = drawn(sample.record(kept), "Memory, MB")
    assert "…be79d: first 180, last 419 MB" in figure
    assert "…435bb (dark): first 200, last 439 MB" in figure
