"""`hour24 init`: what it writes into a user's repository, what it pins, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hour24.__main__ import main
from hour24.config.lines import line_of, lines_of
from hour24.errors import ConfigurationError
from hour24.starter import files
from hour24.starter.lock import NoLock, lock, requirements_pins
from hour24.starter.origin import Origin, of_clone, of_direct_url
from tests.installing import ROOT, Environment, built

WHEEL = Origin("https://example.org/hour24-0.1.0-py3-none-any.whl", "ab" * 32)
GIT = Origin("git+https://example.org/hour24.git@" + "c" * 40)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository, in which the test stands."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    wheel = built(tmp_path_factory.mktemp("wheel"))
    return Environment(tmp_path_factory.mktemp("environment"), wheel)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """This hour24 was installed from a wheel at an address."""
    monkeypatch.setattr("hour24.commands.init.origin", lambda: WHEEL)


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip may take packages from: empty wheels of every requirement."""
    folder = tmp_path_factory.mktemp("index")
    for pin in requirements_pins():
        name, version = pin.split("==")
        _empty_wheel(folder, name, version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def _empty_wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    with zipfile.ZipFile(path, "w") as wheel:
        info = f"{stem}.dist-info"
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", head + needs)
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", kind)
        wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def test_empty_repository_runs_a_watch(installed: Environment, repository: Path) -> None:
    """init, doctor, rehearse, pytest: each of the commands it ends with works."""
    ran = installed.run("hour24", "init", "--no-lock", cwd=repository)
    assert (ran.returncode, ran.stderr) == (0, "")
    ended = [line.split("  ")[1] for line in ran.stdout.splitlines()[-3:]]
    assert ended == ["hour24 doctor", "hour24 rehearse", "pytest -m hour8 --collect-only -q"]

    doctor = installed.run("hour24", "doctor", cwd=repository)
    assert doctor.returncode == 4
    text = (repository / "production.toml").read_text().splitlines()
    marked = {n for n, line in enumerate(text, 1) if re.search(r"=.*CHANGE-ME", line)}
    named = re.findall(r"production\.toml:(\d+): .*the placeholder", doctor.stderr)
    assert {int(number) for number in named} == marked

    listed = installed.run("pytest", "-m", "hour8", "--collect-only", "-q", cwd=repository)
    assert listed.returncode == 0
    assert "tests_prod/test_database.py::test_online[hour8]" in listed.stdout

    finished = installed.run("hour24", "rehearse", "--hours", "0", cwd=repository)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    once = installed.run("pytest", "-m", "hour0", "--target", "rehearsal", cwd=repository)
    assert once.returncode == 0, once.stdout + once.stderr
    pages = list((repository / "reports").glob("*/hour00.a1.html"))
    assert len(pages) == 2
    shown = [once.stdout, finished.stdout, *(page.read_text() for page in pages)]
    assert all("python -m hour24" not in text for text in shown)
    assert all("hour24 verify" in text for text in shown[2:])
    status = ["git", "-C", str(repository), "status", "--porcelain", "reports"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b""


def test_files_are_the_top_level_of_the_clone() -> None:
    """Only how hour24 is started differs, and where it is installed from."""
    written = files.starter(WHEEL)
    for name in ("pytest.ini", files.HEALTH, "schemas/production.schema.json"):
        assert written[name] == (ROOT / name).read_text()
    shipped = {f"tests_prod/{p.name}" for p in (ROOT / "tests_prod").glob("*.py")}
    assert {name for name in written if name.startswith("tests_prod")} == shipped
    assert all(written[name] == (ROOT / name).read_text() for name in shipped)
    settings = (ROOT / "production.toml").read_text()
    assert written[files.SETTINGS] == settings.replace("python -m hour24", "hour24")
    pins = [line for line in written[files.REQUIREMENTS].splitlines() if line[0] != "#"]
    assert pins == [WHEEL.requirement]


@pytest.mark.parametrize("below", ["", "ops/watch"])
def test_workflow_installs_the_lock(below: str) -> None:
    """An installed hour24 is started by its console script, from packages with hashes."""
    text = files.workflow(files.WORKFLOW, below)
    assert "git add --all --force -- . ':(exclude)*.quarantined'\n" in text
    assert "python -m hour24" not in text
    job = yaml.safe_load(text)["jobs"]["checkpoint"]
    steps = {step["name"]: step for step in job["steps"]}
    assert (
        "install --quiet --disable-pip-version-check --require-hashes -r requirements.lock"
        in (steps["set up"]["run"])
    )
    assert steps["set up"]["run"].endswith("--no-deps -r requirements.txt\n")
    assert job["defaults"]["run"].get("working-directory", "") == below
    fetch = steps["fetch the commit and the records"]
    assert fetch.get("working-directory", "") == ("." if below else "")
    folder = f"{below}/reports" if below else "reports"
    assert fetch["run"].count(folder) == 5
    assert fetch["run"].count(f"{below}/.hour24-lines" if below else ".hour24-lines") == 2
    (first,) = yaml.safe_load(text)["jobs"]["probers"]["steps"]
    assert first.get("working-directory", "") == ("." if below else "")
    for step in steps.values():
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


@pytest.mark.parametrize("below", ["", "ops/watch"])
def test_the_prober_s_workflow_is_adapted_in_the_same_way(below: str) -> None:
    """It installs the lock, and finds records and lines in the folder of production.toml."""
    text = files.workflow(files.PROBER, below)
    assert "python -m hour24" not in text
    job = yaml.safe_load(text)["jobs"]["probe"]
    steps = {step["name"]: step for step in job["steps"]}
    assert steps["set up"]["run"].endswith("--no-deps -r requirements.txt\n")
    assert job["defaults"]["run"].get("working-directory", "") == below
    fetch = steps["fetch the commit and the records"]
    assert fetch.get("working-directory", "") == ("." if below else "")
    assert fetch["run"].count(f"{below}/.hour24-lines" if below else ".hour24-lines") == 4
    for step in steps.values():
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


@pytest.mark.usefixtures("pinned")
def test_nothing_is_overwritten(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that is there is named, and none is written."""
    (repository / "pytest.ini").write_text("theirs")
    (repository / "tests_prod").mkdir()
    (repository / "tests_prod" / "test_logs.py").write_text("theirs")
    (repository / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-q'\n")
    before = sorted(path for path in repository.rglob("*") if ".git" not in path.parts)
    assert main(["init"]) == 4
    output = capsys.readouterr().err.splitlines()
    assert len(output) == 3
    assert output[0].startswith("hour24: pytest.ini: expected no such file, got one")
    assert output[1].startswith("hour24: tests_prod/test_logs.py: expected no such file")
    assert "hour24 init watch" in output[2]
    assert sorted(p for p in repository.rglob("*") if ".git" not in p.parts) == before


@pytest.mark.usefixtures("pinned")
def test_folder_of_its_own_keeps_the_workflow_at_the_root(repository: Path) -> None:
    """Where the repository configures pytest itself, hour24 goes below it."""
    (repository / "pyproject.toml").write_text("[tool.pytest]\naddopts = ['-q']\n")
    assert main(["init", "watch", "--no-lock"]) == 0
    assert (repository / "watch" / "production.toml").is_file()
    text = (repository / ".github" / "workflows" / "watch.yml").read_text()
    assert "working-directory: watch\n" in text
    assert not (repository / "watch" / ".github").exists()


@pytest.mark.usefixtures("pinned")
def test_the_workflow_follows_production_toml(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init --workflow` lists the secrets of a changed file, and leaves the rest as it is."""
    assert main(["init", "--no-lock"]) == 0
    settings = repository / "production.toml"
    path = repository / ".github" / "workflows" / "watch.yml"
    before = path.read_text()
    assert main(["init", "--workflow"]) == 0
    assert path.read_text() == before
    assert "lists them already" in capsys.readouterr().out
    settings.write_text(settings.read_text().replace('"SENTRY_TOKEN"', '"TRACKER_TOKEN"'))
    path.write_text(before.replace("name: watch\n", "name: ours\n"))
    assert main(["init", "--workflow"]) == 0
    expected = before.replace("name: watch\n", "name: ours\n").replace(
        "SENTRY_TOKEN: ${{ secrets.SENTRY_TOKEN }}", "TRACKER_TOKEN: ${{ secrets.TRACKER_TOKEN }}"
    )
    assert path.read_text() == expected
    prober = path.with_name("probe.yml").read_text()
    assert "TRACKER_TOKEN: ${{ secrets.TRACKER_TOKEN }}" in prober
    assert "SENTRY_TOKEN" not in prober
    path.with_name("probe.yml").unlink()  # a prober elsewhere
    assert main(["init", "--workflow"]) == 0
    path.unlink()
    assert main(["init", "--workflow"]) == 4
    assert "expected the file that `init` wrote, got none" in capsys.readouterr().err


@pytest.mark.usefixtures("pinned")
def test_gitignore_keeps_its_lines(repository: Path) -> None:
    """Only lines that it lacks are added."""
    (repository / ".gitignore").write_text("node_modules/\n.venv/")
    assert main(["init", "--no-lock"]) == 0
    ignored = (repository / ".gitignore").read_text()
    assert ignored == "node_modules/\n.venv/\nreports/\n__pycache__/\n"


@pytest.mark.usefixtures("pinned")
def test_name_and_address_are_filled_in(repository: Path) -> None:
    """Without a terminal nothing is asked: options say it."""
    assert main(["init", "--no-lock", "--name", 'a "shop"', "--url", "https://s.example.org"]) == 0
    text = (repository / "production.toml").read_text()
    assert 'name = "a \\"shop\\""' in text
    assert 'url = "https://s.example.org"' in text


@pytest.mark.usefixtures("pinned")
def test_lock_is_left_out_where_pip_refuses(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so, and how to make it; everything else is written."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(repository))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr("hour24.commands.init.origin", lambda: Origin("file:///nowhere.whl", "a"))
    assert main(["init"]) == 0
    (output,) = capsys.readouterr().err.splitlines()
    assert output.startswith("hour24: requirements.lock is left out: pip: ")
    assert output.endswith("to make it: python -m hour24 init --lock")
    assert not (repository / "requirements.lock").exists()
    assert (repository / "production.toml").is_file()


def test_lock_is_what_pip_accepts(index: Path, tmp_path: Path) -> None:
    """Every package has its hash, in the tested version; pip installs no other file."""
    ours = _empty_wheel(tmp_path, "hour24", "0.1.0", *requirements_pins())
    sha256 = hashlib.sha256(ours.read_bytes()).hexdigest()
    text = lock(Origin(ours.as_uri(), sha256))
    found = re.findall(r"^(\S+==\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert sorted(found) == sorted(pin.lower() for pin in requirements_pins())
    path = tmp_path / "requirements.lock"
    path.write_text(text)
    assert _accepted(path)
    target = next(index.glob("requests-*.whl"))
    _empty_wheel(index, "requests", target.name.split("-")[1], "urllib3")
    assert not _accepted(path)


def _accepted(path: Path) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-q"]
    command += ["--require-hashes", "-r", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.usefixtures("index")
def test_git_commit_is_its_own_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip can hash no git address, so the lock has the packages alone."""
    each = {"metadata": {"name": "rich", "version": "1"}}
    each["download_info"] = {"archive_info": {"hashes": {"sha256": "d" * 64}}}  # type: ignore[dict-item]
    ours = {"metadata": {"name": "hour24", "version": "1"}, "download_info": {"vcs_info": {}}}
    monkeypatch.setattr("hour24.starter.lock._report", lambda arguments: [each, ours])
    assert "hour24 @" not in lock(GIT)
    assert "rich==1" in lock(GIT)


def test_package_without_hash_makes_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock with a gap would lock nothing."""
    each = {"metadata": {"name": "rich", "version": "1"}, "download_info": {"url": "file:///x"}}
    monkeypatch.setattr("hour24.starter.lock._report", lambda arguments: [each])
    with pytest.raises(NoLock, match="expected a SHA-256 of rich==1, got none"):
        lock(WHEEL)


@pytest.mark.usefixtures("index")
def test_upgrade_writes_the_pin_and_the_criteria_again(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """production.toml stays; what git does not hold is not replaced."""
    monkeypatch.setattr("hour24.commands.init.origin", lambda: WHEEL)
    monkeypatch.setattr("hour24.commands.init.lock", lambda origin: f"{origin.requirement}\n")
    assert main(["init"]) == 0
    (repository / "tests_prod" / "test_logs.py").write_text("# older\n")
    (repository / "production.toml").write_text("# theirs\n")
    monkeypatch.setattr("hour24.commands.init.origin", lambda: GIT)
    assert main(["init", "--lock"]) == 4
    assert "tests_prod/test_logs.py: expected it committed" in capsys.readouterr().err
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], check=True)
    assert main(["init", "--lock"]) == 0
    assert (repository / "production.toml").read_text() == "# theirs\n"
    assert "criterion" in (repository / "tests_prod" / "test_logs.py").read_text()
    assert GIT.requirement in (repository / "requirements.txt").read_text()
    assert (repository / "requirements.lock").read_text() == f"{GIT.requirement}\n"


# --- what is pinned ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direct", "address", "sha256"),
    [
        (
            {"url": WHEEL.address, "archive_info": {"hashes": {"sha256": "ab" * 32}}},
            WHEEL.address,
            "ab" * 32,
        ),
        (
            {"url": WHEEL.address, "archive_info": {"hash": f"sha256={'ab' * 32}"}},
            WHEEL.address,
            "ab" * 32,
        ),
        (
            {
                "url": "ssh://git@example.org/hour24.git",
                "vcs_info": {"vcs": "git", "commit_id": "c" * 40},
            },
            "git+ssh://git@example.org/hour24.git@" + "c" * 40,
            "",
        ),
    ],
)
def test_origin_is_what_pip_recorded(direct: dict[str, object], address: str, sha256: str) -> None:
    """A file by its hash, a git address by its commit."""
    assert of_direct_url(direct) == Origin(address, sha256)


@pytest.mark.parametrize(
    ("direct", "expected"),
    [
        ({"url": WHEEL.address, "archive_info": {}}, "expected a file with its SHA-256"),
        (
            {"url": "https://example.org/x", "vcs_info": {"vcs": "hg", "commit_id": "1"}},
            "expected a git commit, got hg 1",
        ),
        (
            {"url": "https://joe:token@example.org/x.whl", "archive_info": {}},
            "expected an address without a credential",
        ),
        ({"url": "file:///nowhere/x.whl", "archive_info": {}}, "expected the file"),
        ({"url": "file:///nowhere", "dir_info": {}}, "expected a git clone"),
    ],
)
def test_what_cannot_be_pinned_is_refused(direct: dict[str, object], expected: str) -> None:
    """One line says what was expected, what was found and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        of_direct_url(direct)
    (output,) = caught.value.problems
    assert output.startswith(f"hour24's own installation: {expected}")
    assert "token" not in output
    assert output.endswith("install it from a wheel file or from a git address at a commit")


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    (tmp_path / "hour24").mkdir()
    (tmp_path / "hour24" / "a.py").touch()
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], check=True)
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_clone_is_pinned_by_its_commit(clone: Path) -> None:
    """At its own path, where no remote has the commit; with changes it is none."""
    head = subprocess.run(
        ["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert of_clone(clone) == Origin(f"git+{clone.as_uri()}@{head}")
    (clone / "hour24" / "a.py").write_text("changed = 1\n")
    with pytest.raises(ConfigurationError, match=r"without changes, got M hour24/a.py; commit"):
        of_clone(clone)


def test_package_index_is_no_origin(installed: Environment, tmp_path: Path) -> None:
    """Nothing says which file it was, and the owner has published none there."""
    (direct,) = installed.packages.glob("hour24-*.dist-info/direct_url.json")
    kept = direct.read_text()
    try:
        direct.unlink()
        ran = installed.run("hour24", "init", cwd=tmp_path)
    finally:
        direct.write_text(kept)
    assert ran.returncode == 4
    assert "got a package index; install it from a wheel file or from a git" in ran.stderr
    assert list(tmp_path.iterdir()) == []
    assert json.loads(kept)["url"].startswith("file:")


# --- lines of production.toml ---------------------------------------------------------------------


def test_line_of_a_place() -> None:
    """Tables, lists of tables, inline tables and quoted keys; multi-line text is no key."""
    text = (
        'version = 1\n[service]\nname = """\nurl = 1\n"""\nurl = "x"\n'
        '[[contacts]]\nrole = "a"\n[[contacts]]\nrole = "b"\n'
        '[endpoints.calls]\nheaders = { "X-A" = "b" }\n[criteria."odd id"]\napplies = false\n'
    )
    lines = lines_of(text)
    assert line_of("service.url", lines) == 6
    assert line_of("contacts[2].role", lines) == 10
    assert line_of("endpoints.calls.headers.X-A", lines) == 12
    assert line_of('criteria."odd id".applies', lines) == 14
    assert line_of("service.missing", lines) == 2
    assert line_of("nothing", lines) == 0
