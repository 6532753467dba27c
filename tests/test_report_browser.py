"""The pages in a real browser: with and without a script engine, light and dark, narrow, hostile.

Rules of this room:

- The browser is headless; one for all tests here.
- What is checked is what a person meets: words on the screen, contrast, width, no request, no
  script that runs.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from hour24.criteria import due
from hour24.ledger.record import Prober
from hour24.report import checkpoint, index, signoff
from hour24.verdict import Outcome
from tests.pages.sample import HOSTILE, WATCH, Sample, failing
from tests.pages.watch import recorded
from tests.played import hour24, rehearsed

pytestmark = pytest.mark.suite("pages", short=9)

EVERY = ["fail", "hostile", "pass", "index", "refused", "approved"]
UNBROKEN = "x" * 5000
CONTRAST = """() => {
  const parse = text => {
    const found = text.match(/rgba?\\(([^)]+)\\)/g) || [];
    return found.map(one => one.match(/[\\d.]+/g).map(Number))
      .filter(one => one.length < 4 || one[3] > 0);
  };
  const light = ([r, g, b]) => {
    const part = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + .05) / (y + .05);
  };
  const grounds = element => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (at.matches('.reh')) return parse(style.backgroundImage);
      const ground = parse(style.backgroundColor);
      if (ground.length) return ground;
    }
    return [[255, 255, 255]];
  };
  let worst = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), owner = walker.currentNode.parentElement;
    if (!text || owner.closest('style,title,desc,.gone,.skip,defs')) continue;
    if (!owner.getClientRects().length) continue;
    const style = getComputedStyle(owner);
    const svg = owner instanceof SVGElement;
    const ink = parse(svg ? style.fill : style.color)[0];
    if (!ink) continue;
    for (const ground of grounds(owner)) {
      const found = ratio(ink, ground);
      if (found < worst[0]) worst = [found, text.slice(0, 60) + ' ' + owner.className];
    }
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A failed checkpoint, a hostile rehearsal of hour 24, a pass; a watch and two sign-offs."""
    folder = tmp_path_factory.mktemp("pages")
    sample = Sample(24, text=HOSTILE)
    outcomes = [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.NOT_APPLICABLE, Outcome.PASS]
    kept = tuple(
        msgspec.structs.replace(j, reason=HOSTILE * 3, observed=HOSTILE, outcome=outcomes[n % 4])
        for n, j in enumerate(sample.criteria())
    )
    records = {
        "fail": failing(),
        "hostile": sample.record(kept, rehearsal={"seed": 7, "faults": [HOSTILE]}),
        "pass": Sample(8).record(prober=Prober(running=False)),
    }
    found = {}
    for name, record in records.items():
        found[name] = folder / f"{name}.html"
        checkpoint.write(record, None, found[name])
    rehearsed = {"rehearsal": {"seed": 7, "faults": [HOSTILE]}}
    ledger = recorded(
        folder / "reports",
        [Sample(0).record(**rehearsed), failing(4), records["hostile"]],
        **rehearsed,
    )
    found["index"] = folder / "index.html"
    index.write(ledger, found["index"])
    found["refused"] = folder / "refused.html"
    signoff.write(ledger, found["refused"], WATCH.whole.end)
    ledger = recorded(folder / "whole", [Sample(hour).record() for hour in WATCH.hours])
    ledger.append("signoff", {"by": "Mara", "role": "CTO", "at": WATCH.whole.end.isoformat()})
    found["approved"] = folder / "approved.html"
    signoff.write(ledger, found["approved"], WATCH.whole.end)
    return found


def opened(browser: Browser, path: Path, **options: Any) -> tuple[Page, list[str]]:
    """The page, and every request other than its own file, dialog it opened, or error."""
    page = browser.new_context(**options).new_page()
    noticed: list[str] = []
    page.on("request", lambda r: noticed.append(r.url) if "data:" not in r.url[:5] else None)
    page.on("dialog", lambda d: (noticed.append(f"dialog {d.message}"), d.dismiss()))
    page.on("console", lambda m: noticed.append(m.text))
    page.on("pageerror", lambda e: noticed.append(str(e)))
    page.goto(path.as_uri())
    return page, [one for one in noticed if one != path.as_uri()]


@pytest.mark.parametrize("scripted", [True, False])
def test_every_criterion_is_on_the_screen_with_and_without_script(
    chromium: Browser, pages: dict[str, Path], scripted: bool
) -> None:
    """The same words; the evidence stays reachable by <details> alone."""
    page, noticed = opened(chromium, pages["fail"], java_script_enabled=scripted)
    shown = page.inner_text("body")
    for criterion in due(16):
        assert criterion.id in shown
    assert noticed == []
    page.click("summary >> nth=0")
    assert page.locator("details[open] .evb").first.is_visible()
    page.context.close()


@pytest.mark.parametrize("name", ["index", "refused"])
def test_hostile_text_runs_nothing_on_the_pages_of_a_watch(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    """The same for the grid and the sign-off."""
    page, noticed = opened(chromium, pages[name], java_script_enabled=True)
    assert noticed == []
    assert page.locator("script, img").count() == 0
    page.context.close()


def test_hostile_text_runs_nothing_and_asks_nothing(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    """With scripts allowed: the title stays ours, no dialog, no request, no complaint."""
    page, noticed = opened(chromium, pages["hostile"], java_script_enabled=True)
    assert noticed == []
    assert page.title().startswith("REHEARSAL: ")
    assert page.locator("script").count() == 0
    assert page.locator("img").count() == 0
    assert "<script>document.title" in page.inner_text("#not-measured ~ .inc ul")
    page.context.close()


@pytest.mark.parametrize("name", EVERY)
def test_every_text_has_the_contrast_of_wcag_aa(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    """4.5 to 1 at least, in both schemes, with all evidence unfolded."""
    page, _ = opened(chromium, pages[name])
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        worst, where = page.evaluate(CONTRAST)
        assert worst >= 4.5, (scheme, where)
    page.context.close()


def violations(browser: Browser, path: Path, axe: str, width: int, scheme: str) -> list[str]:
    """What axe-core finds on a page with all evidence unfolded: rule, how often, first element."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate(axe)
    found: list[str] = page.evaluate(
        """axe.run(document, {resultTypes: ['violations']}).then(done => done.violations
          .map(v => `${v.id} ${v.nodes.length} ${v.nodes[0].html.slice(0, 120)}`))"""
    )
    context.close()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing_on_our_pages(
    chromium: Browser, axe: str, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    assert violations(chromium, pages[name], axe, width, scheme) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("token", ["--gap", "--rule2", "--data", "--data2", "--lim"])
def test_what_a_drawing_says_by_colour_has_contrast(
    chromium: Browser, pages: dict[str, Path], token: str, scheme: str
) -> None:
    """3 to 1 against the ground: values, bounds, limits, gaps and the edge of a band."""
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(pages["fail"].as_uri())
    ratio = page.evaluate(
        """token => {
          const of = name => {
            const probe = document.createElement('i');
            probe.style.color = `var(${name})`;
            document.body.append(probe);
            return getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
          };
          const light = ([r, g, b]) => {
            const part = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
            return .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
          };
          const [x, y] = [light(of(token)), light(of('--paper'))].sort((p, q) => q - p);
          return (x + .05) / (y + .05);
        }""",
        token,
    )
    assert ratio >= 3.0
    context.close()


@pytest.mark.parametrize("name", EVERY)
def test_no_page_is_wider_than_its_screen(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    """Nothing is cut off at the side of a telephone, with all evidence unfolded."""
    page, _ = opened(chromium, pages[name])
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (360, 390, 700, 861, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_unbroken_words_and_many_endpoints_fit_a_telephone(
    chromium: Browser, tmp_path: Path
) -> None:
    """5,000 letters without a space wherever a source may put them, 60 endpoints: nothing runs
    out of the screen or of a chart, and the page stays below 1.5 MB."""
    kept = tuple(
        msgspec.structs.replace(
            j,
            reason=f"{UNBROKEN}: why",
            limit=UNBROKEN,
            subject=f"{j.subject}{UNBROKEN[:300]}" if j.subject else "",
            outcome=[Outcome.FAIL, Outcome.INCONCLUSIVE][n % 2],
            code="source_unreachable",
        )
        for n, j in enumerate(Sample(24, text=UNBROKEN).criteria())
    )
    latency = next(j for j in kept if j.id == "LATENCY-TARGET")
    kept += tuple(msgspec.structs.replace(latency, subject=f"endpoint-{n}") for n in range(60))
    path = tmp_path / "page.html"
    checkpoint.write(Sample(24).record(kept), None, path)
    assert path.stat().st_size < 1_500_000
    page, _ = opened(chromium, path, viewport={"width": 360, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    out = """() => [...document.querySelectorAll('body *')].filter(e =>
      !e.closest('.scroll, .gone') && e.getBoundingClientRect().right > innerWidth + 1).length"""
    assert page.evaluate(out) == 0
    page.context.close()


@pytest.mark.parametrize("name", EVERY)
def test_headings_and_links_lead_somewhere(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    """No level is left out, no id is given twice, and every link within the page arrives."""
    page, _ = opened(chromium, pages[name])
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    wanted = page.eval_on_selector_all("a[href^='#']", "all => all.map(a => a.hash.slice(1))")
    assert set(map(unquote, wanted)) <= set(ids)
    page.context.close()


def test_a_rehearsal_hides_nothing_behind_its_banner(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    """It stays in view, one line of it on a phone, and the target of a link is below it."""
    page, _ = opened(chromium, pages["index"], viewport={"width": 360, "height": 800})
    box = "e => e.getBoundingClientRect()"
    for width, most in ((360, 40), (1280, 80)):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("location.hash = ''; location.hash = 'grid'")
        strong = page.locator(".reh strong").evaluate(box)
        assert 0 <= strong["top"] < strong["bottom"] <= most
        assert page.locator("#grid").evaluate(box)["top"] >= strong["bottom"]
    page.context.close()


@pytest.mark.parametrize(
    ("name", "table"), [("index", ".cps"), ("index", ".chg"), ("refused", ".eight")]
)
def test_a_table_that_becomes_stacks_stays_one(
    chromium: Browser, pages: dict[str, Path], name: str, table: str
) -> None:
    """Each row and cell says what it is, for browsers that forget it with the layout."""
    page, _ = opened(chromium, pages[name], viewport={"width": 390, "height": 800})
    found = page.locator(f"table{table}")
    assert found.get_attribute("role") == "table"
    assert found.locator("tr:not([role=row]), td:not([role=cell]), th:not([role])").count() == 0
    page.context.close()


def test_a_narrow_screen_keeps_the_table_for_a_screen_reader(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    """Rows become stacks to the eye and stay rows with header cells to a reader."""
    page, _ = opened(chromium, pages["fail"], viewport={"width": 390, "height": 800})
    table = page.locator("table.crit")
    assert table.get_attribute("role") == "table"
    assert table.locator("[role=row]").count() > 24
    assert table.locator("[role=rowheader]").count() > 24
    page.context.close()


def test_the_verdict_is_read_from_across_the_room(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    """FAIL is the largest word on its page; PASS is no larger than a heading."""
    size = "e => parseFloat(getComputedStyle(e).fontSize)"
    page, _ = opened(chromium, pages["fail"])
    assert page.locator("h1").evaluate(size) >= 76
    page.context.close()
    page, _ = opened(chromium, pages["pass"])
    assert page.locator("h1").evaluate(size) <= 28
    page.context.close()


def test_a_page_prints_on_few_sheets(chromium: Browser, pages: dict[str, Path]) -> None:
    """Folded evidence prints one line each; the whole is at most ten sheets of A4."""
    page, _ = opened(chromium, pages["fail"])
    assert 1 < sheets(page) <= 10
    page.context.close()


@pytest.mark.parametrize("name", ["approved", "refused"])
def test_the_sign_off_is_at_most_three_sheets(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    """The document that is archived; a refusal is no longer than an approval."""
    page, _ = opened(chromium, pages[name])
    assert sheets(page) <= 3
    page.context.close()


def sheets(page: Page) -> int:
    """How many sheets of A4 a page prints on."""
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))


@pytest.fixture(scope="module")
def run_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real rehearsal: hour 0, and hour 8 with errors and a silent witness."""
    reports = tmp_path_factory.mktemp("played")
    ended = rehearsed(reports, [0, 8], "error_spike@6", "render_unreachable@5")
    assert (reports / "w" / "hour08.a1.html").is_file(), ended.stdout
    hour24("signoff", reports / "w", "--by", "Mara Example", "--role", "tech lead")
    return reports / "w"


REAL = ["hour00.a1", "hour08.a1", "index", "signoff"]


@pytest.mark.parametrize("scripted", [True, False])
@pytest.mark.parametrize("name", REAL)
def test_a_real_page_opens_and_asks_for_nothing(
    chromium: Browser, run_pages: Path, name: str, scripted: bool
) -> None:
    """With and without script: the word of the verdict, the banner, no request, no complaint."""
    page, noticed = opened(chromium, run_pages / f"{name}.html", java_script_enabled=scripted)
    shown = page.inner_text("body")
    assert noticed == []
    assert "REHEARSAL" in shown
    word = {"hour00.a1": "PASS", "signoff": "REFUSED"}.get(name, "FAIL")
    assert word in page.inner_text("h1")
    assert " 0 ms late" not in shown
    page.context.close()


@pytest.mark.parametrize("name", REAL)
def test_a_real_page_has_contrast_and_fits_every_screen(
    chromium: Browser, run_pages: Path, name: str
) -> None:
    """WCAG AA in both schemes, from a telephone to a desk, with all evidence unfolded."""
    path = run_pages / f"{name}.html"
    assert path.stat().st_size < 1_500_000
    page, _ = opened(chromium, path)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        worst, where = page.evaluate(CONTRAST)
        assert worst >= 4.5, (scheme, where)
    for width in (360, 861, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_the_words_below_a_real_chart_do_not_touch(chromium: Browser, run_pages: Path) -> None:
    """On the narrowest charts and on a telephone."""
    page, _ = opened(chromium, run_pages / "hour08.a1.html")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        touching = page.evaluate(
            """() => [...document.querySelectorAll('svg.plot')].flatMap(plot => {
              const below = [...plot.querySelectorAll(':scope > text')]
                .filter(t => t.getAttribute('dy') === '17').map(t => t.getBoundingClientRect());
              return below.slice(1).filter((box, n) => box.left < below[n].right + 1)
                .map(() => plot.getAttribute('aria-label').slice(0, 60));
            })"""
        )
        assert touching == [], width
    page.context.close()


def test_the_companion_of_a_real_checkpoint_counts_as_our_page_does(
    chromium: Browser, run_pages: Path
) -> None:
    """Its title is the verdict; INCONCLUSIVE is not counted among what failed."""
    page, _ = opened(chromium, run_pages / "hour08.a1.pytest.html")
    assert page.title() == "REHEARSAL FAIL, hour 8, w"
    verdicts = page.locator("td.col-verdict:visible").all_inner_texts()
    filters = re.sub(r"\s+", " ", page.inner_text(".filters"))
    assert verdicts.count("INCONCLUSIVE") > 3
    assert f"{verdicts.count('INCONCLUSIVE')} Inconclusive" in filters
    assert f"{verdicts.count('FAIL')} Failed" in filters
    page.context.close()
