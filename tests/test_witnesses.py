"""Witnesses: each is whole, one from outside works like one of ours, and none is needed."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes
from hour24.clock import SteppingClock
from hour24.config import Described, Jobs, Production, Schedule, load
from hour24.doctor import examine
from hour24.errors import (
    ConfigurationError,
    NotProvided,
    SourceEmpty,
    SourceError,
    SourceTimeout,
)
from hour24.evidence import Counts, Listing, Question, Unanswered, spread, to_plain
from hour24.objectives.errors import EventsBelow, NoNewIssue
from hour24.objectives.feed import NothingDropped
from hour24.objectives.rates import RateBelow
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.witnesses import registry, sections
from hour24.witnesses.port import NOW, Measure, Witness, import_lazy, repeat_of
from tests import small_watch as small
from tests.answering import Answer, Asked, Server

ROOT = Path(__file__).parents[1]
OWN = registry.described(registry.own(), {})
POINT = small.WATCH.checkpoint(8)
CLOSED = "http://127.0.0.1:9"
VALUES: dict[str, Any] = {
    "url": CLOSED,
    "service": "srv-1",
    "owner": "tea-1",
    "preset": "kubernetes",
    "labels": {"job": "x"},
    "disk": {"mountpoint": "/data"},
    "dsn": Secret("X", "host=127.0.0.1 port=9 dbname=d user=u"),
}
MORE: dict[Measure, tuple[Any, ...]] = {
    Measure.RECEIPT: (60.0,),
    Measure.SERVER_TIMES: (POINT.settled, {}),
    Measure.BEATS: (POINT.settled, Jobs(pattern="beat")),
    Measure.NUMBER: ("SELECT 1",),
    Measure.INCIDENTS: (),
}


def at_of(witness: Witness) -> Any:
    """A section with something in every field that must be there, at an address where none is."""
    given = {
        name: VALUES.get(name, Secret("X_TOKEN", "a-token") if field.secret else "x")
        for name, field in sections.fields_of(witness.at).items()
        if field.required or name in ("url", "disk")
    }
    if witness.section == "sentry":
        given["dsn"] = Secret("X", "http://key@127.0.0.1:9/1")
    made = witness.at(**given)
    return (made,) if witness.many else made


def inquiry(described: dict[str, Described], **schedule: Any) -> Inquiry:
    """A checkpoint of a production with these witnesses."""
    service = msgspec.structs.replace(
        PRODUCTION, described=described, schedule=Schedule(**schedule)
    )
    return Inquiry(service, small.WATCH, POINT, SteppingClock(POINT.due), None)  # type: ignore[arg-type]


SMALLEST = """
[service]
name = "orders"
environment = "production"
control_url = "https://status.net"

[health]
url = "https://orders.internal.net/health"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "production.toml"
    path.write_text(text)
    return path


@pytest.fixture(autouse=True, scope="module")
def _production(tmp_path_factory: pytest.TempPathFactory) -> None:
    global PRODUCTION
    PRODUCTION = load(written(tmp_path_factory.mktemp("smallest"), SMALLEST), {})


PRODUCTION: Production


# --- whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_each_witness_says_all_that_is_asked_of_one(name: str) -> None:
    """Folder, section and schema agree; every lazy name leads somewhere; every field has a role."""
    witness = OWN[name]
    assert witness.section == name
    assert registry.checked(witness, name) is witness
    assert witness.title
    assert witness.about.endswith(".")
    source = import_lazy(witness.source)
    for measure in witness.measures:
        assert callable(getattr(source, measure.value)), measure
    assert "budget_s" in inspect.signature(source).parameters
    assert callable(import_lazy(witness.trials))
    for lazy in (witness.addresses, witness.rollback):
        assert not lazy or callable(import_lazy(lazy))
    assert "{" not in repeat_of(witness, at_of(witness))
    made = sections.part(witness.at, witness.about)
    for key, part in made["properties"].items():
        assert part["description"].endswith("."), key


def test_every_measure_is_provided_by_one_of_ours() -> None:
    """Every word of the vocabulary is used."""
    assert {measure for one in OWN.values() for measure in one.measures} == set(Measure)


@pytest.mark.parametrize(
    ("name", "measure"), [(name, measure) for name, one in OWN.items() for measure in one.measures]
)
def test_the_schedules_budget_reaches_every_source(name: str, measure: Measure) -> None:
    """Without a second left, nothing is asked: no connection is tried."""
    at = at_of(OWN[name])
    if measure == Measure.VANTAGE_PROBES:
        at = msgspec.structs.replace(at, vantages={"fra": {"probe": {"job": "blackbox"}}})
    asked = inquiry({name: Described(OWN[name], at)}, source_budget_s=0.0)
    if measure == Measure.VANTAGE_PROBES:  # each vantage has an answer of its own
        answers = asked.ask(measure, POINT.settled)
        assert isinstance(answers, dict)
        codes = [each.code for each in answers.values() if isinstance(each, Unanswered)]
        assert codes == ["source_timeout"]
        return
    more = MORE.get(measure, () if measure in NOW else (POINT.settled,))
    with pytest.raises(SourceTimeout, match="within its budget of 0 s"):
        asked.ask(measure, *more)


def test_an_undescribed_witness_is_not_imported() -> None:
    """A vendor that production.toml does not name costs nothing at the start."""
    code = (
        "import sys, hour24.plugin, hour24.checkpoint.questions, hour24.objectives, hour24.config; "
        f"print([n for n in {registry.own()!r} if f'hour24.witnesses.{{n}}' in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr


class Counting:
    """A source that answers a number of requests, or fails."""

    def __init__(self, total: int, problem: SourceError | None = None) -> None:
        self.total = total
        self.problem = problem

    def __call__(self, at: Any, clock: Any, *, budget_s: float) -> Counting:
        return self

    def responses(self, window: Any) -> Counts:
        if self.problem is not None:
            raise self.problem
        return Counts(question=small.asked(8), total=self.total, bad=0, what="requests")


def several(*sources: Counting, second_opinions: frozenset[Measure] = frozenset()) -> Lanes:
    """The questions of a checkpoint at which these sources provide the same measures."""
    names = ("first", "second", "third")
    described = {
        name: Described(
            msgspec.structs.replace(
                OWN["render"],
                section=name,
                title=name,
                source=source,
                second_opinions=second_opinions if name == "second" else frozenset(),
            ),
            at_of(OWN["render"]),
        )
        for name, source in zip(names, sources, strict=False)
    }
    asked = inquiry(described)
    asked.baseline = SimpleNamespace(records=list)  # type: ignore[assignment]
    return Lanes(asked, {"responses"})


def test_every_witness_of_a_measure_is_asked() -> None:
    """Each answer is kept under its own name, and the verdict names both."""
    answer = several(Counting(1000), Counting(2000)).answer("responses")
    evidence = spread({"platform": answer})  # type: ignore[dict-item]
    assert [each.total for each in evidence.values() if isinstance(each, Counts)] == [1000, 2000]
    assert list(evidence) == ["platform", "platform@second"]
    assert {each.question.measure for each in evidence.values()} == {"responses"}
    verdict = RateBelow(limit=0.01).judge(evidence)
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason.startswith("With first: 0 of 1,000 requests")
    assert "second agrees: 0 of 2,000" in verdict.reason


@pytest.mark.parametrize(
    ("problem", "second_opinion", "outcome"),
    [
        (SourceTimeout("second: no answer"), False, Outcome.INCONCLUSIVE),
        (SourceTimeout("second: no answer"), True, Outcome.PASS),
        (SourceEmpty("second: nothing"), False, Outcome.INCONCLUSIVE),
        (NotProvided("second: no counters"), False, Outcome.PASS),
    ],
)
def test_a_silent_witness_is_distinguished_from_an_empty_one(
    problem: SourceError, second_opinion: bool, outcome: Outcome
) -> None:
    """Silence blocks a PASS, unless the witness is a second opinion or never held the measure."""
    opinions = frozenset({Measure.RESPONSES} if second_opinion else ())
    lanes = several(Counting(1000), Counting(0, problem), second_opinions=opinions)
    evidence = spread({"platform": lanes.answer("responses")})  # type: ignore[dict-item]
    verdict = RateBelow(limit=0.01).judge(evidence)
    assert verdict.outcome == outcome
    assert str(problem) in verdict.reason


@pytest.mark.parametrize("earlier", [False, True])
def test_a_measure_that_was_answered_before_and_is_gone_is_silence(earlier: bool) -> None:
    """The same answer means "never held" in one watch and "lost" in another."""
    lanes = several(Counting(1000), Counting(0, NotProvided("second: no counters")))
    asked = msgspec.structs.replace(small.asked(0), source="second", measure="responses")
    counted = to_plain(Counts(question=asked, total=9, bad=0, what="requests"))
    record = SimpleNamespace(
        hour=0, criteria=[SimpleNamespace(subject="", evidence={"platform@second": counted})]
    )
    lanes.inquiry.baseline = SimpleNamespace(  # type: ignore[assignment]
        records=lambda: [record] if earlier else []
    )
    lanes = Lanes(lanes.inquiry, {"responses"})
    evidence = spread({"platform": lanes.answer("responses")})  # type: ignore[dict-item]
    verdict = RateBelow(limit=0.01).judge(evidence)
    assert verdict.outcome == (Outcome.INCONCLUSIVE if earlier else Outcome.PASS)
    assert ("though it answered at hour 0" in verdict.reason) == earlier


class Tracker:
    """An error tracker whose lists and counts may contradict each other."""

    def __init__(self, events: int, issues: int, accepted: int) -> None:
        self.found = {"events": events, "issues": issues, "accepted": accepted}
        self.asked: list[str] = []

    def __call__(self, at: Any, clock: Any, *, budget_s: float) -> Tracker:
        return self

    def question(self) -> Question:
        return msgspec.structs.replace(small.asked(8), source="sentry", window=POINT.settled)

    def error_events(self, window: Any) -> Listing:
        self.asked.append("events")
        items = tuple(
            {"at": POINT.settled.start.timestamp() + n, "title": "x", "issue_id": "1"}
            for n in range(self.found["events"])
        )
        return Listing(question=self.question(), what="error events", items=items)

    def issues(self, window: Any) -> Listing:
        self.asked.append("issues")
        items = tuple(
            {"id": str(1 + n), "title": "x", "count": 1, "first_seen": 1e9, "last_seen": 2e9}
            for n in range(self.found["issues"])
        )
        return Listing(question=self.question(), what="issues", items=items)

    def outcomes(self, window: Any) -> Counts:
        n = self.found["accepted"]
        return Counts(
            question=self.question(), total=n, bad=0, what="events", parts={"accepted": n}
        )


@pytest.mark.parametrize(
    ("events", "issues", "accepted", "misread"),
    [
        (1, 1, 1, set()),
        (0, 0, 0, set()),
        (1, 0, 1, {"issues"}),
        (0, 2, 2, {"events"}),
        (9, 1, 0, {"outcomes"}),
        (9, 1, 4, {"outcomes"}),
        (9, 1, 5, set()),
    ],
)
def test_the_lists_of_one_tracker_are_compared_with_each_other(
    events: int, issues: int, accepted: int, misread: set[str]
) -> None:
    """An empty list beside events of the same window is no PASS; each is asked for once."""
    tracker = Tracker(events, issues, accepted)
    witness = msgspec.structs.replace(OWN["sentry"], source=tracker)
    asked = inquiry({"sentry": Described(witness, at_of(OWN["sentry"]))})
    lanes = Lanes(asked, {"error_events", "issues", "outcomes"})
    judged = {
        "events": EventsBelow(per_hour=50).judge({"events": lanes.answer("error_events")}),
        "issues": NoNewIssue().judge({"issues": lanes.answer("issues")}),
        "outcomes": NothingDropped().judge({"outcomes": lanes.answer("outcomes")}),
    }
    assert {name for name, each in judged.items() if each.code == "source_misread"} == misread
    assert all(judged[name].outcome == Outcome.PASS for name in judged.keys() - misread)
    assert sorted(tracker.asked) == ["events", "issues"]


# --- from outside -----------------------------------------------------------------------------

EXAMPLE, FILES, ENTRY = re.findall(
    r"```(?:python|toml)\n(.*?)```", (ROOT / "docs" / "witnesses.md").read_text("utf-8"), re.DOTALL
)


def edge(asked: Asked) -> Answer:
    """The edge proxy of the example."""
    if asked.headers.get("authorization") != "Bearer an-edge-token":
        return Answer(status=401)
    assert asked.path.startswith("/voice/requests?from=")
    return Answer(body=json.dumps({"200": 9_990, "404": 5, "503": 5}).encode())


def described(folder: Path, url: str, by: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A production.toml with the example's witness, brought by a file or by a package."""
    section = FILES.replace("https://edge.example/api", url)
    if by == "file":
        (folder / "witnesses").mkdir()
        (folder / "witnesses" / "edge.py").write_text(EXAMPLE)
    else:
        section = section.partition("\n\n")[2]
        package = folder / "site"
        (package / "edge-1.0.dist-info").mkdir(parents=True)
        (package / "edge.py").write_text(EXAMPLE)
        meta = package / "edge-1.0.dist-info"
        (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: edge\nVersion: 1.0\n")
        (meta / "entry_points.txt").write_text("[hour24.witnesses]\nedge = edge:WITNESS\n")
        monkeypatch.syspath_prepend(package)
    return written(folder, SMALLEST + section)


def test_the_example_is_short() -> None:
    """At most 60 lines of code; its entry point is the one that is tested."""
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 60
    assert 'edge = "edge:WITNESS"' in ENTRY


@pytest.mark.parametrize("by", ["file", "entry point"])
def test_a_witness_from_outside_is_judged_by(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded, asked, named, tried by doctor; its token stands in no evidence."""
    with Server(edge) as server:
        path = described(tmp_path, server.url, by, monkeypatch)
        production = load(path, {"EDGE_TOKEN": "an-edge-token"})
        asked = Inquiry(production, small.WATCH, POINT, SteppingClock(POINT.due), None)  # type: ignore[arg-type]
        answer = asked.ask(Measure.RESPONSES, POINT.settled)
        tried = {each.name: each for each in examine(production, SteppingClock(POINT.due))}
    assert isinstance(answer, Counts)
    assert answer.parts == {"200": 9_990, "404": 5, "503": 5}
    assert answer.question.who == "the edge proxy"
    assert answer.question.repeat == 'curl -sS -H "Authorization: Bearer $EDGE_TOKEN"'
    assert "an-edge-token" not in repr(answer)
    assert RateBelow(limit=0.01).judge({"platform": answer}).outcome == Outcome.PASS
    assert tried["edge: responses"].ok


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("zone = ", "zon = "), 'edge.zon: expected a known key, such as zone, got "zon"'),
        (('url = "http', 'url = "xttp'), "edge.url: expected an http or https address, got "),
        (("[edge]", "[egde]"), 'egde: expected a known key, such as edge, got "egde"'),
        (("edge.py", "adge.py"), "witnesses.files[1]: expected a Python file, got nothing"),
    ],
)
def test_a_wrong_section_of_a_witness_from_outside_is_refused(
    change: tuple[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its place, what was expected and what was found."""
    path = described(tmp_path, CLOSED, "file", monkeypatch)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ConfigurationError) as refused:
        load(path, {"EDGE_TOKEN": "an-edge-token"})
    assert any(says in problem for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("WITNESS = 1", "expected a Witness, got int"),
        ("x = 1", "expected a Witness, got NoneType"),
        ("1 / 0", "expected a file that imports, got ZeroDivisionError"),
        (EXAMPLE.replace(", Role.WHERE, Meta", ", Meta"), "edge.url: expected one role of WHERE"),
        (EXAMPLE.replace('Variable("word", "an API token"), ', ""), "edge.token: expected a Var"),
    ],
)
def test_what_is_no_whole_witness_is_refused(tmp_path: Path, code: str, says: str) -> None:
    """Each by its own words."""
    path = tmp_path / "edge.py"
    path.write_text(code)
    with pytest.raises(registry.NoWitness, match=re.escape(says)):
        registry.of_file(path)


# --- numbers as text --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["12.5", "-3", "1e3"])
def test_a_number_as_text_is_one_only_where_the_caller_says_so(text: str) -> None:
    """And a text that is no decimal number never is."""
    from hour24.asking.answers import number

    assert number(text, "here", as_text=True) == float(text)
    with pytest.raises(SourceError, match="here: expected a number, got"):
        number(text, "here")
    for odd in ("", "12 %", "nan", "inf", "0x10", " 1", "١"):
        with pytest.raises(SourceError, match="here: expected a number, got"):
            number(odd, "here", as_text=True)


# --- a folder less ----------------------------------------------------------------------------

SECTIONS = {
    "sentry": 'url = "{at}"\norganization = "acme"\nproject = "orders"\ntoken_env = "A_TOKEN"\n',
    "render": 'url = "{at}"\nservice = "srv-1"\nowner = "tea-1"\ntoken_env = "A_TOKEN"\n',
    "supabase": 'url = "{at}"\nproject_ref = "abcdefghij"\ntoken_env = "A_TOKEN"\n',
    "database": 'dsn_env = "A_DSN"\n',
    "prometheus": 'url = "{at}"\npreset = "otel"\nlabels = {{ job = "x" }}\n',
}


@pytest.mark.parametrize("gone", [*((name,) for name in OWN), tuple(OWN)], ids="-".join)
def test_without_a_witnesses_folder_everything_else_works(gone: tuple[str, ...], tmp_path: Path):
    """hour24 starts, judges, draws, verifies and tries a production that does not describe it."""
    for name in ("hour24", "schemas", "tests_prod"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in gone:
        shutil.rmtree(tmp_path / "hour24" / "witnesses" / name)
    text = SMALLEST.replace("https://status.net", CLOSED).replace(
        "https://orders.internal.net", CLOSED
    )
    text += "retry_after_s = 0.2\ngive_up_after_s = 0.4\ntimeout_s = 1\n"
    text += "[schedule]\nsource_budget_s = 0.3\n"
    text += "".join(
        f"[{name}]\n{stated.format(at=CLOSED)}"
        for name, stated in SECTIONS.items()
        if name not in gone
    )
    written(tmp_path, text)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "PYTEST"))}
    environ |= {"A_TOKEN": "a-token-of-ours", "A_DSN": "host=127.0.0.1 port=9 dbname=d user=u"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
        )

    judged = run("pytest", "-m", "hour0", "--target", "production.toml", "--watch", "w")
    assert judged.returncode == 10, judged.stdout + judged.stderr
    page = tmp_path / "reports" / "w" / "hour00.a1.html"
    assert "orders" in page.read_text("utf-8")
    if len(gone) > 1:
        listed = run("pytest", "-m", "hour8", "--collect-only", "-q", "--target", "production.toml")
        assert listed.returncode == 0, listed.stdout + listed.stderr
        verified = run("hour24", "verify", "reports/w")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        doctor = run("hour24", "doctor", "--target", "production.toml")
        assert "Traceback" not in doctor.stderr
        assert "health" in doctor.stdout
