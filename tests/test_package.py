"""The wheel, and pytest with the plugin of an installed hour24."""

from __future__ import annotations

import re
import shutil
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hour24_pytest
from hour24 import shipped
from tests.installing import ROOT, Environment, built

SHIPPED = ("production.toml", "pytest.ini", "requirements.txt", "schemas", "tests_prod")
REPORTER = """
import sys

def pytest_unconfigure(config):
    modules = sorted(name for name in sys.modules if name.partition(".")[0] == "hour24")
    rewritten = [m for m in modules if "Rewrit" in type(sys.modules[m].__loader__).__name__]
    finders = [f for f in sys.meta_path if getattr(f, "__module__", "") == "hour24_pytest"]
    print("MODULES", len(modules), "REWRITTEN", rewritten, "FINDERS", len(finders))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"), wheel)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with what `hour24 init` writes."""
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Another repository, with a test that passes."""
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    assert 1 + 1 == 2\n")
    (tmp_path / "reporter.py").write_text(REPORTER)
    return tmp_path


def test_dependencies_accept_the_tested_versions() -> None:
    """pyproject.toml and requirements.txt name the same packages, and each pin is allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    allowed = {one.name: one.specifier for one in map(Requirement, stated)}
    lines = [
        line.partition("#")[0].strip()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    ]
    pins = dict(line.split("==") for line in lines)
    assert pins.keys() == allowed.keys()
    assert all(allowed[name].contains(version) for name, version in pins.items())


def test_every_requirement_has_its_reason() -> None:
    """Each line of requirements.txt says why it is there."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()[1:]
    assert all(re.search(r"\S +# \w", line) for line in lines)


def test_wheel_holds_the_top_level_of_the_clone(installed: Environment) -> None:
    """Schemas, criteria and the files that init writes are the clone's, byte for byte."""
    top = installed.packages / "hour24" / "starter" / "top"
    for name in SHIPPED:
        ours = [p for p in [ROOT / name, *(ROOT / name).rglob("*")] if p.is_file()]
        for path in ours:
            if path.suffix != ".pyc":
                assert (top / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    for name in ("watch.yml", "probe.yml"):
        workflow = ROOT / ".github" / "workflows" / name
        assert (top / name).read_bytes() == workflow.read_bytes()


def test_only_a_folder_of_hour24_activates_the_plugin(tmp_path: Path) -> None:
    """Both production.toml and the criteria must be there; the package asks the same."""
    (tmp_path / "production.toml").touch()
    assert hour24_pytest.is_used_in(tmp_path) is shipped.is_used_in(tmp_path) is False
    (tmp_path / "tests_prod").mkdir()
    assert hour24_pytest.is_used_in(tmp_path) is shipped.is_used_in(tmp_path) is True
    (tmp_path / "production.toml").unlink()
    assert hour24_pytest.is_used_in(tmp_path) is shipped.is_used_in(tmp_path) is False


def test_path_options_are_those_of_the_plugin_that_take_text() -> None:
    """An option of ours that takes a path is joined to it by =."""
    source = (ROOT / "hour24" / "plugin" / "__init__.py").read_text()
    options = set(re.findall(r'add\("(--[\w-]+)"(?!, action="store_true")', source))
    assert set(hour24_pytest.PATH_OPTIONS) == options - {"--seed", "--hard-limit", "--clock-offset"}
    given = ["-m", "hour8", "--target", "/etc/x.toml", "--reports", "/var/reports", "-q"]
    joined = ["-m", "hour8", "--target=/etc/x.toml", "--reports=/var/reports", "-q"]
    assert hour24_pytest.joined(given) == joined


@pytest.mark.parametrize("where", ["repository", "clone"])
def test_target_elsewhere_is_read(
    where: str, installed: Environment, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """pytest.ini and the criteria of the folder it was started in are used all the same."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    target = elsewhere / "x.toml"
    target.write_text("[service]\n")
    folder = {"repository": repository, "clone": ROOT}[where]
    options = ["--target", str(target), "--reports", str(elsewhere)]
    ran = installed.run("pytest", "-m", "hour0", *options, cwd=folder)
    assert ran.returncode == 4
    assert f"{target}: health.url: expected" in ran.stderr + ran.stdout
    listed = installed.run("pytest", "-m", "hour8", "--co", "-q", *options, cwd=folder)
    assert listed.returncode == 0
    assert "test_database.py::test_online[hour8]" in listed.stdout
    assert "warning" not in listed.stdout.lower()


def test_conftest_and_entry_point_register_once(installed: Environment) -> None:
    """The clone's conftest.py names the plugin, and so does an installed hour24."""
    plain = installed.run("pytest", "-m", "hour8", "--co", "-q", cwd=ROOT)
    without = installed.run("pytest", "-m", "hour8", "--co", "-q", "-p", "no:hour24", cwd=ROOT)
    assert plain.returncode == without.returncode == 0
    assert _untimed(plain.stdout) == _untimed(without.stdout)


def test_pytest_rewrites_none_of_our_modules(installed: Environment, repository: Path) -> None:
    """pip compiled them already; a rewrite would parse them again, in whichever thread."""
    (repository / "reporter.py").write_text(REPORTER)
    options = ["-m", "hour8", "--co", "-q", "-s", "-p", "reporter"]
    ran = installed.run("pytest", *options, cwd=repository)
    found = re.search(r"MODULES (\d+) REWRITTEN (\[.*\]) FINDERS 1", ran.stdout)
    assert found
    assert int(found[1]) > 20
    assert found[2] == "[]"


def test_plugin_changes_nothing_elsewhere(installed: Environment, strange: Path) -> None:
    """Same output, markers, fixtures and options; nothing of hour24 is imported."""
    run = ["-s", "-p", "reporter", "-p", "no:cacheprovider"]
    for options in (["--strict-markers"], ["--markers"], ["--fixtures"]):
        with_it = installed.run("pytest", *run, *options, cwd=strange, PYTHONPATH=".")
        without = installed.run(
            "pytest", *run, *options, "-p", "no:hour24", cwd=strange, PYTHONPATH="."
        )
        assert with_it.returncode == without.returncode == 0
        assert _untimed(with_it.stdout) == _untimed(without.stdout)
        assert "MODULES 0 REWRITTEN [] FINDERS 0" in with_it.stdout


def test_options_of_ours_are_free_elsewhere(installed: Environment, strange: Path) -> None:
    """A conftest.py may have a --target, a `production` fixture and a marker hour8."""
    (strange / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_addoption(parser):\n    parser.addoption('--target')\n"
        "def pytest_configure(config):\n    config.addinivalue_line('markers', 'hour8: theirs')\n"
        "@pytest.fixture\ndef production(request):\n"
        "    return request.config.getoption('--target')\n"
    )
    (strange / "test_theirs.py").write_text(
        "import pytest\n@pytest.mark.hour8\n"
        "def test_theirs(production):\n    assert production == 'mars'\n"
    )
    ran = installed.run(
        "pytest", "-m", "hour8", "--target", "mars", "--strict-markers", cwd=strange
    )
    assert ran.returncode == 0
    assert "1 passed" in ran.stdout


def test_uninstalling_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    """No file of ours stays but pytest's own copy of the entry point, which nothing loads."""
    environment = Environment(tmp_path / "environment", wheel)
    before = {p for p in environment.folder.rglob("*") if "hour24" not in str(p.name)}
    (tmp_path / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    assert environment.run("hour24", "--version", cwd=tmp_path).stdout == "hour24 0.1.0\n"
    assert environment.run("pytest", cwd=tmp_path).returncode == 0
    for name in SHIPPED[:2]:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tests_prod", tmp_path / "tests_prod")
    assert environment.run("pytest", "-m", "hour8", "--co", cwd=tmp_path).returncode == 0
    environment.uninstall()
    left = {p.name for p in environment.folder.rglob("*") if p not in before and p.is_file()}
    assert all(re.fullmatch(r"hour24_pytest\.cpython-\d+-pytest-.*\.pyc", name) for name in left)
    assert not (environment.packages / "hour24").exists()
    ran = environment.run("pytest", "--version", "--version", cwd=tmp_path)
    assert ran.returncode == 0
    assert "hour24-0" not in ran.stdout


def _untimed(text: str) -> str:
    return re.sub(r"\d+\.\d+s|plugins: .*|MODULES.*", "", text)


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Package -> its version in a lock, and how many hashes it has there."""
    found: dict[str, tuple[str, int]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / name).read_text().strip()):
        head = re.match(r"([a-z0-9-]+)==(\S+)", block)
        assert head is not None, block[:80]
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}(?: \\)?$", block, re.MULTILINE)
        assert len(hashes) == len(block.splitlines()) - 1, block[:80]
        found[head[1]] = (head[2], len(hashes))
    return found


def stated(*names: str) -> dict[str, str]:
    """Package -> version, of these files of requirements."""
    lines = [line for name in names for line in (ROOT / name).read_text().splitlines()]
    pins = (line.partition("#")[0].strip().partition("==") for line in lines if "==" in line)
    return {canonicalize_name(name.partition("[")[0]): version for name, _, version in pins}


@pytest.mark.parametrize(
    ("lock", "files"),
    [
        ("requirements.lock", ["requirements.txt", "requirements-build.txt"]),
        (
            "requirements-dev.lock",
            ["requirements.txt", "requirements-dev.txt", "requirements-build.txt"],
        ),
    ],
)
def test_every_package_is_locked_with_its_hashes(lock: str, files: list[str]) -> None:
    """Those that are stated, and what they need in turn; `make lock` writes it."""
    found, pins = locked(lock), stated(*files)
    assert all(count for _, count in found.values())
    assert {name: found[name][0] for name in pins} == pins
    ahead, known = list(pins), set()
    while ahead:  # what this environment has of them, and what that needs here
        name = ahead.pop()
        if name in known:
            continue
        known.add(name)
        assert name in found, name
        try:
            needs = map(Requirement, distribution(name).requires or ())
        except PackageNotFoundError:
            continue
        ahead += [
            canonicalize_name(one.name)
            for one in needs
            if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    assert len(known) > len(pins)


def test_both_locks_agree() -> None:
    """What tests find is what runs."""
    whole = locked("requirements-dev.lock")
    assert locked("requirements.lock").items() <= whole.items()


def test_nothing_is_installed_without_its_hash() -> None:
    """By make and by the shipped workflow; hour24 itself is built by what is locked."""
    text = (ROOT / "Makefile").read_text()
    assert "INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps\n" in text
    lines = [line.strip() for line in text.splitlines() if line.startswith("\t$(INSTALL)")]
    for name in ("watch.yml", "probe.yml"):
        steps = (ROOT / ".github" / "workflows" / name).read_text()
        lines += re.findall(r"\.venv/bin/pip install .*", steps)
    assert len(lines) == 7
    for line in lines:
        assert line.endswith("--no-build-isolation -e .") or re.search(
            r"--require-hashes -r requirements(-dev)?\.lock$", line
        ), line
    assert "pip install" not in text.replace("INSTALL := $(BIN)/pip install", "")
