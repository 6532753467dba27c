"""action.yml: the workflow's own steps, for another repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import action

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
(EXAMPLE,) = re.findall(
    r"```yaml\n(.*?)```", (ROOT / "docs" / "github.md").read_text("utf-8"), re.DOTALL
)
FOUND: dict[str, Any] = yaml.safe_load(action.PATH.read_text("utf-8"))
STEPS: dict[str, Any] = {step["name"]: step for step in FOUND["runs"]["steps"]}


def test_it_is_what_the_workflow_makes() -> None:
    """Whoever changes a step of the workflow runs ``make action``."""
    assert action.PATH.read_text("utf-8") == action.text()


def test_it_has_the_form_that_github_documents() -> None:
    """By the published schema, and zizmor finds nothing to misuse."""
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", action.PATH],
        ["zizmor", "--offline", "--quiet", "--no-progress", action.PATH],
    ):
        checked = subprocess.run(
            [BIN / command[0], *command[1:]], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_only_the_checkpoint_and_its_completion_hold_secrets() -> None:
    """No expression stands in a script; what installs packages has no variable at all."""
    assert [name for name, step in STEPS.items() if "secrets" in str(step)] == [
        "checkpoint",
        "finalise",
    ]
    assert "${{ secrets." not in str(FOUND)
    assert [name for name, step in STEPS.items() if "github.token" in str(step)] == [
        "fetch the commit and the records",
        "keep the records",
    ]
    assert "env" not in STEPS["set up"]
    for step in STEPS.values():
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)
    used = set(re.findall(r"inputs\.(\w+)", str(FOUND["runs"])))
    assert used == set(FOUND["inputs"])


def test_hour24_comes_from_the_actions_own_commit() -> None:
    """With the hashes of every package."""
    installed = STEPS["set up"]["run"]
    assert '--require-hashes -r "$GITHUB_ACTION_PATH/requirements.lock"\n' in installed
    assert '--no-deps --no-build-isolation "$GITHUB_ACTION_PATH"\n' in installed


def checkpoint(folder: Path, secrets: str) -> subprocess.CompletedProcess[str]:
    """The checkpoint's step with a pytest that prints its arguments and its environment."""
    module = folder / "pytest.py"
    module.write_text("import os, sys; print(sys.argv[1:]); print(dict(os.environ))")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        python.symlink_to(sys.executable)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", STEPS["checkpoint"]["run"]],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "HOUR": "4",
            "TARGET": "production.toml",
            "SECRETS": secrets,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_given_reaches_the_checkpoint(tmp_path: Path) -> None:
    """Each value as it is, an absent one not at all, and the list itself neither."""
    ran = checkpoint(tmp_path, r'{"A_TOKEN": "it\u0027s \"a\"\nb", "NONE": null, "EMPTY": ""}')
    assert ran.returncode == 0, ran.stderr
    arguments, environment = ran.stdout.splitlines()
    assert arguments == (
        "['-m', 'hour4', '--reports', 'reports', '--hard-limit', '1200', "
        "'--target=production.toml']"
    )
    assert eval(environment)["A_TOKEN"] == 'it\'s "a"\nb'
    assert eval(environment)["EMPTY"] == ""
    assert "NONE" not in eval(environment)
    assert "SECRETS" not in eval(environment)


@pytest.mark.parametrize("secrets", ["", "x", "[1]", '{"a": "b"}', '{"A": 1}', '{"A B": "s3cr3t"}'])
def test_another_form_ends_the_run_and_says_no_value(tmp_path: Path, secrets: str) -> None:
    """With the exit code of a refusal."""
    ran = checkpoint(tmp_path, secrets)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert ran.stderr == "secrets: expected a JSON object of names and texts\n"


def test_the_example_is_ten_lines_and_whole(tmp_path: Path) -> None:
    """It has the form of a workflow, gives inputs that there are, and zizmor finds nothing."""
    assert len(EXAMPLE.splitlines()) == 10
    job = yaml.safe_load(EXAMPLE)["jobs"]["checkpoint"]
    (step,) = job["steps"]
    assert set(step["with"]) <= set(FOUND["inputs"])
    path = tmp_path / ".github" / "workflows" / "watch.yml"
    path.parent.mkdir(parents=True)
    path.write_text(EXAMPLE.replace("OWNER", "owner").replace("COMMIT", "0" * 40))
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", path],
        ["zizmor", "--offline", "--quiet", "--no-progress", path],
    ):
        checked = subprocess.run(
            [BIN / command[0], *command[1:]], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
