"""What a page calls the evidence and the figures of a verdict, and whom it calls silent."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from hour24 import evidence as ev
from hour24.config import load
from hour24.errors import ConfigurationError
from hour24.report import page
from hour24.verdict import Outcome
from tests.pages.sample import Sample, changed, question
from tests.test_report_checkpoint import Elements, html


def half_measured() -> str:
    """The page of a checkpoint at which probes answered for an endpoint, and Sentry did not."""
    sample = Sample(8)
    asked = question("sentry", "GET https://x", sample.window, sample.at, ("503", "503", "503"))
    silent = ev.Unanswered(
        question=msgspec.structs.replace(asked, title="Sentry"),
        code="source_failed",
        reason="sentry: project: 503, 3 attempts",
    )
    samples = ev.Total(
        question=question("latency", "30 requests", None, sample.at, ("30 good, 0 bad",)),
        value=30.0,
        unit="requests",
    )
    kept = changed(
        sample.criteria(),
        "LATENCY-TARGET",
        "calls",
        outcome=Outcome.INCONCLUSIVE,
        code="source_failed",
        reason="Probes: 0 of 600 took 500 ms or more; no answer: sentry: project: 503, 3 attempts",
        evidence={"spans": ev.to_plain(silent), "day_before": ev.to_plain(samples)},
        figures={"exhausted_h": 17.4, "longest_gap_s": 12.0, "platform_bad": 3.0},
    )
    return html(sample.record(kept))


def test_the_source_without_an_answer_is_named_and_not_the_one_that_answered() -> None:
    """The reason begins with the source that answered."""
    shown = Elements(half_measured()).text
    assert "No answer from Sentry (1 criterion)" in shown
    assert "Probes (1 criterion)" not in shown


def test_the_requests_of_a_sampler_are_no_failed_attempts() -> None:
    shown = Elements(half_measured()).text
    attempts = shown.split("Attempts:")[1].split("To resolve")[0]
    assert attempts.count("503") == 3
    assert "30 good" not in attempts


def test_an_evidence_row_has_a_digest_only_if_every_answer_has_one() -> None:
    """Four endpoints with the digest of the answer that they share look like the same evidence."""
    whole = half_measured()
    rows = re.findall(r"<summary>.*?</summary>", whole, re.DOTALL)
    mine = [each for each in rows if "LATENCY-TARGET calls" in each]
    assert len(mine) == 1
    assert "sha256" not in mine[0]
    assert [each for each in rows if "sha256" in each]


def test_evidence_and_figures_are_named_in_words() -> None:
    whole = half_measured()
    figures = re.findall(r"<dt>Figures</dt><dd>(.*?)</dd>", whole)
    assert figures
    assert not [each for each in figures if "_" in each]
    assert "hours to the limit at the lower bound 17.4" in "".join(figures)
    assert "longest gap (s) 12" in "".join(figures)
    names = re.findall(r'<span class="sm foreign">(.*?)</span>', whole)
    assert "day before" in " ".join(names)
    assert not [each for each in names if "_" in each]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("visible", "smallest that could be detected"),
        ("limit_mb", "limit (MB)"),
        ("age_by_server_s", "age by server (s)"),
        ("probe_bad", "probe bad"),
        ("growth_bytes_per_day", "growth (bytes/day)"),
        ("s", "s"),
        ("_s", " s"),
    ],
)
def test_a_figure_has_words_and_its_unit(stored: str, shown: str) -> None:
    assert page.figure_name(stored) == shown


def test_a_command_on_a_rehearsal_is_not_told_to_try_a_rehearsal() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(Path("rehearsal"), {})
    assert "exists only while one of its checkpoints runs" in str(refused.value)
    assert "--target rehearsal" not in str(refused.value)
