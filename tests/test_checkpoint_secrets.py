"""No secret leaks: each is planted everywhere and searched for everywhere, in every encoding."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import quote, quote_plus, urlsplit

import pytest

from hour24.ledger.verify import verify
from tests.answering import Server
from tests.checkpoints import ONE, Project, Proxy, codes, rehearsal, served_with
from tests.played import T0

HARD = "sbp_h4rd\"<&>/+\\%40-'~7Qz9x"
"""A secret that every encoding changes, in a section that this run does not query."""
NORMAL = "Vapi API timeout after 20000 ms"
LONGEST = 2000
PLANTS = '''
import base64, json, logging, os, warnings
import pytest
from hour24.objectives.own import ValueBelow

SECRETS = json.loads(os.environ["PLANTED"])

def encoded(value):
    data = value.encode()
    shifted = [b"x" * n + data + b"yy" for n in range(3)]
    return [value, data.hex(), *(base64.b64encode(each).decode() for each in shifted)]

def connect(dsn, token):
    raise RuntimeError(f"could not connect to {dsn} with {token}")

@pytest.fixture
def client():
    return {"Authorization": "Bearer " + SECRETS[0], "password": SECRETS[-1]}

@criterion("OWN-RAISES", hours=(0,))
def test_raises(client, conclude):
    """An exception shows it, in every encoding"""
    raise RuntimeError(" ".join(form for value in SECRETS for form in encoded(value)))

@criterion("OWN-CHAIN", hours=(0,))
def test_chain(conclude):
    """Arguments and chained exceptions tell it"""
    try:
        connect(SECRETS[0], SECRETS[1])
    except RuntimeError as problem:
        raise ValueError(SECRETS[2]) from problem

@criterion("OWN-REQUEST", hours=(0,))
def test_request(conclude):
    """The address of a failed request shows it"""
    import requests
    requests.get("http://127.0.0.1:9/x", params={"token": SECRETS[0], "k": SECRETS[-1]}, timeout=1)

@criterion("OWN-ASSERTS", hours=(0,))
def test_asserts(client, conclude):
    """An assertion shows half of it"""
    padded = "." * 20 + " " + SECRETS[0] * 9 + " " + SECRETS[3] * 9
    assert padded in ["x" * 300] and client is None

@criterion("OWN-CUT", hours=(0,))
def test_cut(conclude):
    """A reason that is cut in the middle of it"""
    raise RuntimeError("x" * (299 - len(SECRETS[1]) // 2) + SECRETS[1])

@criterion("OWN-SAYS", hours=(0,))
def test_says(record_property, extras, ask, conclude):
    """It is printed, logged, warned of, attached"""
    import pytest_html
    log = logging.getLogger("mine")
    for value in SECRETS:
        print(value)
        log.error("%s and %r", value, {"token": value})
        warnings.warn(f"do not use {value}")
        record_property("it", value)
        extras.append(pytest_html.extras.json({"it": value}))
        extras.append(pytest_html.extras.text(value, name=value))
        extras.append(pytest_html.extras.url("http://x.example/?t=" + value))
        try:
            connect(value, "")
        except RuntimeError:
            log.exception("trouble")
    raise KeyError("said")

@criterion("OWN-ASKS", hours=(0,))
def test_asks(ask, conclude):
    """Its question holds it"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1 -- " + SECRETS[3]))

@criterion("OWN-URL", hours=(0,))
def test_url(ask, conclude):
    """Its address holds it"""
    conclude(ValueBelow(limit=100), value=ask.json("http://127.0.0.1:9/?token=" + SECRETS[0]))

@criterion("OWN-SKIPS", hours=(0,))
def test_skips(conclude):
    """The reason of its skip holds it"""
    pytest.skip(SECRETS[1])
'''
TORN = """
import json, os
raise RuntimeError("no import with " + " ".join(json.loads(os.environ["PLANTED"])))
"""


def secrets() -> list[str]:
    """The values of the target's variables, and what gives access inside them."""
    output = {**rehearsal().environ, "HOUR24_REHEARSAL_SUPABASE_TOKEN": HARD}
    dsn = urlsplit(output["HOUR24_REHEARSAL_DATABASE_DSN"])
    assert dsn.password
    return [
        output["HOUR24_REHEARSAL_SENTRY_TOKEN"],
        output["HOUR24_REHEARSAL_RENDER_TOKEN"],
        output["HOUR24_REHEARSAL_DATABASE_DSN"],
        dsn.password,
        HARD,
    ]


def encodings(value: str) -> set[str]:
    """A secret in every encoding that the test knows."""
    data = value.encode()
    forms = {value, data.hex(), data.hex().upper(), quote(value, safe=""), quote_plus(value)}
    forms |= {html.escape(value), html.escape(value, quote=False), repr(value)[1:-1]}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        inner = whole[(0, 2, 3)[before] : -1]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def decoded(text: str) -> Iterator[str]:
    """A file as written, and with its data: addresses, entities and escapes decoded."""
    yield text
    yield html.unescape(html.unescape(text))
    for found in re.finditer(r"base64,([A-Za-z0-9+/=]+)", html.unescape(text)):
        yield base64.b64decode(found[1] + "==").decode("utf-8", "replace")


def address(section: str) -> str:
    """Where production.toml finds a witness."""
    lines = Path(rehearsal().toml).read_text("utf-8").splitlines()
    line = next(x for x in lines[lines.index(f"[{section}]") :] if x.startswith("url"))
    return line.split('"')[1].removesuffix("/v1")


def planted(text: str) -> str:
    """A witness's body with every secret in titles and messages, and half of one at the end."""
    result = f"{NORMAL} {' '.join(secrets())} "
    result += "x" * (LONGEST - len("ERROR calls: ") - len(result) - 14) + secrets()[0]
    return text.replace(NORMAL, json.dumps(result)[1:-1])


def document(text: str) -> str:
    """A health document with every secret."""
    if not text.startswith("{"):
        return text
    return json.dumps({**json.loads(text), "status": " ".join(secrets()), secrets()[0]: True})


@pytest.fixture(scope="module")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Project, CompletedProcess[str]]]:
    """Hour 0 with every secret planted everywhere."""
    folder = tmp_path_factory.mktemp("secrets")
    proxies = {
        "sentry": Proxy(address("sentry"), planted),
        "render": Proxy(address("render"), planted),
        "health": Proxy(address("health").rpartition("/")[0], document),
    }
    servers = {each: Server(proxy) for each, proxy in proxies.items()}
    for each, server in servers.items():
        proxies[each].url = server.url
    at = served_with(
        folder,
        {
            address("sentry"): servers["sentry"].url,
            address("render"): servers["render"].url,
            f'[health]\nurl = "{address("health")}"': "[health]\nurl = "
            f'"{servers["health"].url}/{address("health").rpartition("/")[2]}"',
        },
        HOUR24_REHEARSAL_SUPABASE_TOKEN=HARD,
    )
    project = Project(folder / "clone", "errors", "logs", "health", own=PLANTS)
    project.write(TORN, "test_torn.py")
    run = project.rehearsed(
        "--junitxml=own.xml", "--log-file=own.log", "-o", "log_cli=true", "-rA",
        served=at, PLANTED=json.dumps(secrets()),
    )  # fmt: skip
    assert (project.reports / "w" / "hour00.a1.json").exists(), run.stdout
    yield project, run
    for server in servers.values():
        server.close()


def test_everything_was_said(checkpoint) -> None:
    """The plants did what they were to do, and nothing was quarantined."""
    project, run = checkpoint
    record = project.record()
    found = codes(record)
    for name in ("RAISES", "CHAIN", "REQUEST", "CUT", "SAYS"):
        assert found[f"OWN-{name}"] == "INCONCLUSIVE harness_error", name
    assert found["OWN-ASKS"] == "PASS"
    assert found["HEALTH-SCHEMA"].startswith("FAIL")
    assert "could not connect to [redacted:" in run.stdout
    assert "no import with [redacted:" in run.stdout
    assert "do not use [redacted:" in run.stdout
    assert (project.reports / "w" / "hour00.a1.json").read_text("utf-8").count("[redacted") > 20
    assert run.returncode == 1, run.stdout
    assert not list(project.reports.rglob("*.quarantined"))


@pytest.mark.parametrize("number", range(5))
def test_no_secret_is_in_any_file_or_on_the_terminal(checkpoint, number: int) -> None:
    """Neither as it is nor encoded, nor inside a data: address."""
    project, run = checkpoint
    value = secrets()[number]
    texts = {path.name: path.read_text("utf-8", "replace") for path in project.files()}
    for name in ("own.xml", "own.log"):
        texts[name] = (project.folder / name).read_text("utf-8", "replace")
    texts["the terminal"] = run.stdout
    assert len(texts) > 8
    for name, text in texts.items():
        for read in decoded(text):
            for form in encodings(value):
                assert form not in read, (name, form, read[max(0, read.find(form) - 80) :][:200])


@pytest.mark.parametrize("number", [0, 1, 3])
def test_no_half_of_a_secret_is_left(checkpoint, number: int) -> None:
    """Where a text was cut in the middle of one, its head and its tail are gone too."""
    project, run = checkpoint
    value = secrets()[number]
    texts = {path.name: path.read_text("utf-8", "replace") for path in project.files()}
    texts["the terminal"] = run.stdout
    # the password's head is a word that the rehearsal's user has too
    parts = [value[-9:]] if number == 3 else [value[:16], value[-9:]]
    for name, text in texts.items():
        for part in parts:
            assert part not in text, (name, text[max(0, text.find(part) - 80) :][:200])


@pytest.mark.parametrize(
    "written",
    [
        "value",
        "base64.b64encode(b'..' + value.encode()).decode()",
        "'&#%d;' % ord(value[0]) + value[1:]",
    ],
)
def test_a_file_that_holds_one_is_put_away(tmp_path: Path, written: str) -> None:
    """Whoever wrote it: readable by its owner alone, named without the value, exit 12."""
    project = Project(tmp_path, "baseline")
    project.write("")
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nimport base64, os\n"
            "def pytest_sessionfinish(session):\n"
            "    value = os.environ['PLANTED']\n"
            f"    open('reports/w/mine.txt', 'w').write('it is ' + {written})\n"
        )
    token = rehearsal().environ["HOUR24_REHEARSAL_SENTRY_TOKEN"]
    run = project.rehearsed("-k", "nothing", PLANTED=token)
    assert run.returncode == 12, run.stdout
    away = project.reports / "w" / "mine.txt.quarantined"
    assert away.stat().st_mode & 0o777 == 0o600
    assert not (project.reports / "w" / "mine.txt").exists()
    assert "mine.txt: has the secret HOUR24_REHEARSAL_SENTRY_TOKEN" in run.stdout
    assert token not in run.stdout


def test_a_report_next_to_it_is_searched_too(tmp_path: Path) -> None:
    """A --html of one's own that a hook wrote a secret into is redacted: exit 12."""
    project = Project(tmp_path, "baseline")
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nimport os\n"
            "def pytest_html_results_summary(prefix):\n"
            "    prefix.append(os.environ['PLANTED'])\n"
        )
    token = rehearsal().environ["HOUR24_REHEARSAL_SENTRY_TOKEN"]
    run = project.rehearsed("-k", "nothing", "--html=own.html", PLANTED=token)
    assert run.returncode == 12, run.stdout
    assert "own.html: had the secret HOUR24_REHEARSAL_SENTRY_TOKEN; redacted" in run.stdout
    text = (project.folder / "own.html").read_text("utf-8")
    assert "[redacted:HOUR24_REHEARSAL_SENTRY_TOKEN]" in text
    assert token not in text


BLINDED = """
import base64, os, urllib.parse
import pytest
from hour24.secrets.redactor import Redactor

KEPT = (Redactor.text, Redactor.plain)

def pytest_configure():
    if "PLANTED" in os.environ:
        Redactor.text = Redactor.plain = lambda self, value: value

def pytest_sessionfinish():
    Redactor.text, Redactor.plain = KEPT
"""
ENCODED = """
import os
from hour24.objectives.own import ValueBelow

@criterion("OWN-LEAKS", hours=(0,))
def test_leaks(ask, conclude):
    \"\"\"Its evidence holds a secret in an encoding that nobody redacted\"\"\"
    told = os.environ.get("PLANTED", "nothing")
    conclude(ValueBelow(limit=4), value=ask.sql(f"SELECT {os.environ['IS']} -- {told}"))
"""


def test_a_leak_found_late_takes_no_verdict_away(tmp_path: Path) -> None:
    """Record, journal, page and JUnit are redacted; the FAIL and its attempt number stay."""
    project = Project(tmp_path, own=ENCODED)
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(BLINDED)
    token = rehearsal().environ["HOUR24_REHEARSAL_SENTRY_TOKEN"]
    exotic = base64.b64encode(quote("".join(f"\\x{ord(c):02x}" for c in token)).encode()).decode()
    run = project.rehearsed(PLANTED=exotic, IS="5")
    assert run.returncode == 12, run.stdout
    folder = project.reports / "w"
    for name in ("hour00.a1.json", "hour00.a1.jsonl", "hour00.a1.html", "hour00.a1.xml"):
        path = folder / ("journal" if name.endswith("l") and "json" in name else "") / name
        assert path.exists(), run.stdout
        assert f"hour24: {name}: had the secret HOUR24_REHEARSAL_SENTRY_TOKEN" in run.stdout
        assert exotic not in path.read_text("utf-8")
    assert "redacted, with its verdicts kept (redacted.1.json): change that secret" in run.stdout
    assert not list(project.reports.rglob("*.quarantined"))
    assert codes(project.record())["OWN-LEAKS"].startswith("FAIL")

    assert all(each.ok for each in verify(folder)), list(verify(folder))
    says = [each.says for each in verify(folder) if each.what == "redacted"]
    assert len(says) == 1
    assert says[0].startswith("hour00.a1.json: redacted (")
    assert says[0].endswith("as it contained the secret HOUR24_REHEARSAL_SENTRY_TOKEN")

    again = project.rehearsed(IS="3")
    assert "OWN-LEAKS" in again.stdout
    assert codes(project.record(attempt=2))["OWN-LEAKS"] == "PASS"
    ledger = project.ledger()
    standing = next(each for each in ledger.standings(T0) if each.id == "OWN-LEAKS")
    assert (str(standing.outcome), standing.attempt) == ("FAIL", 1)
    assert all(each.ok for each in verify(folder))


def test_an_error_inside_pytest_tells_none(tmp_path: Path) -> None:
    """What tears pytest itself down is shown without it: exit 3."""
    project = Project(tmp_path, own=ONE)
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nimport os\n"
            "def pytest_runtest_logfinish(nodeid):\n"
            "    raise OSError('torn over ' + os.environ['PLANTED'])\n"
        )
    token = rehearsal().environ["HOUR24_REHEARSAL_SENTRY_TOKEN"]
    run = project.rehearsed(PLANTED=token)
    assert run.returncode == 3, run.stdout
    assert "torn over [redacted:HOUR24_REHEARSAL_SENTRY_TOKEN]" in run.stdout
    assert token not in run.stdout
