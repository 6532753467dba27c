"""The prober's workflow, played: its own steps, in real processes, against a repository on disk.

A stand-in for the service that runs jobs starts them when the API is asked to, drops one start,
doubles another and kills jobs. Nothing waits for a time: the clock that the steps read is moved on
once each living chain has pushed. A prober's minute lasts one second here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hour24.rehearsal.client import Rehearsal
from tests.answering import Answer, Asked, Server
from tests.hosting import git
from tests.played import ROOT

TOKEN = "a-token-of-github"
WITHIN_S = 120.0
"""Only a broken workflow takes so long to do anything here."""
OVERLAP_S, JOB_S = 200, 4000
PYTHON = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import hour24.probes.lines as lines
lines.MINUTE_S = 1.0
from hour24.__main__ import main
arguments = sys.argv[1:]
assert arguments[:2] == ["-m", "hour24"], arguments
if arguments[2] == "handover":
    now = open(sys.argv[0].replace("python.py", "date.iso")).read()
    arguments += ["--job", "{JOB_S}s", "--overlap", "{OVERLAP_S}s", "--now", now]
if arguments[2] == "probe":
    from hour24.prober import Outbox
    Outbox.__init__.__kwdefaults__["every_s"] = 0.5
sys.exit(main(arguments[2:]))
"""
VARIABLES = {"EVERY": "1", "RETRY": "150"}
"""Of the steps, in place of the minutes that they state."""


def until(condition: Callable[[], object], what: str, hub: Hub) -> None:
    """Wait for a condition."""
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, f"{what}\n{hub.log()}"
        time.sleep(0.1)


class Job(threading.Thread):
    """A runner: an empty folder in which the steps of one job run, one after the other."""

    def __init__(self, hub: Hub, file: str, job: str, inputs: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.hub = hub
        self.inputs = inputs
        self.number = str(1000 + len(hub.jobs))
        self.folder = hub.folder / f"job{self.number}"
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        python = self.folder / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} {hub.bin}/python.py "$@"\n')
        python.chmod(0o755)
        self.job = yaml.safe_load((ROOT / ".github" / "workflows" / file).read_text())["jobs"][job]
        self.outputs: dict[str, dict[str, str]] = {}
        self.codes: dict[str, int] = {}
        self.said = ""
        self.killed = False
        self.processes: dict[str, subprocess.Popen[str]] = {}

    @property
    def name_(self) -> tuple[str, str]:
        return self.inputs.get("chain", ""), self.inputs.get("generation", "")

    def run(self) -> None:
        for step in self.job["steps"]:
            failed = any(self.codes.values())
            if self.killed or not self._wanted(step.get("if", "success()"), failed):
                continue
            if step["name"] != "set up":
                self._run(step)

    def _run(self, step: dict[str, Any]) -> None:
        name = step["name"]
        outputs = self.folder.with_suffix(f".{len(self.codes)}")
        given = {**self.job.get("env", {}), **step.get("env", {})}
        given = {key: self._value(str(value)) for key, value in given.items()}
        environment = {
            "PATH": f"{self.hub.bin}:{os.environ['PATH']}",
            "HOME": str(self.hub.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_SERVER_URL": f"file://{self.hub.origin.parent}",
            "GITHUB_API_URL": self.hub.api.url,
            "GITHUB_REPOSITORY": self.hub.origin.name,
            "GITHUB_REF_NAME": "main",
            "GITHUB_RUN_ID": self.number,
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self.folder.with_suffix(".summary")),
            **given,
            **{key: value for key, value in VARIABLES.items() if key in given},
            **(self.hub.production.environ if "secrets." in str(step) else {}),
        }
        with self.folder.with_suffix(".log").open("a") as log:
            log.write(f"--- {name}\n")
            log.flush()
            self.processes[name] = subprocess.Popen(
                ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            if self.killed:
                self.kill()
            self.codes[name] = self.processes[name].wait()
        lines = outputs.read_text().splitlines() if outputs.exists() else []
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)

    def _value(self, text: str) -> str:
        """The text of an expression; secrets come from the environment of the production."""
        found = re.fullmatch(r"\$\{\{ (.+?) \}\}", text)
        if found is None:
            return text
        expression = found[1].partition(" || ")
        kind, *path = expression[0].split(".")
        if kind == "steps":
            return self.outputs.get(path[0], {}).get(path[2], "")
        known = {
            "github": {"token": TOKEN, "sha": self.hub.commit},
            "inputs": self.inputs,
            "needs": {"checkpoint": self.inputs.get("watch", "")},
            "secrets": self.hub.production.environ,
        }[kind].get(path[0], "")
        return known or expression[2].strip("'")

    def _wanted(self, condition: str, failed: bool) -> bool:
        """Whether the condition of a step is met."""
        parts = condition.split(" && ")
        if "always()" not in parts and failed:
            return False
        for part in parts:
            if part in ("always()", "success()"):
                continue
            name, sign, value = re.fullmatch(r"(\S+) (==|!=) '(.*)'", part).groups()  # type: ignore[union-attr]
            if (self._value(f"${{{{ {name} }}}}") == value) != (sign == "=="):
                return False
        return True

    def kill(self) -> None:
        """The machine is gone: every process of it, at once."""
        self.killed = True
        for process in list(self.processes.values()):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def cancel(self) -> None:
        """What a person's click does: the running step gets a signal."""
        self.processes["publish the lines and hand over"].terminate()

    def written(self) -> dict[str, list[bytes]]:
        """File -> the lines that its prober wrote."""
        kept = set(git(self.folder / "reports", "ls-files").splitlines())
        found = sorted((self.folder / "reports").glob("*/probe/*.jsonl"))
        names = {path: str(path.relative_to(self.folder / "reports")) for path in found}
        return {
            name.removesuffix(".jsonl"): path.read_bytes().splitlines(keepends=True)
            for path, name in names.items()
            if name not in kept
        }


class Hub:
    """The service: a repository, its API, its runners, and the clock of their shells."""

    def __init__(self, folder: Path, production: Rehearsal) -> None:
        self.folder = folder
        self.production = production
        self.jobs: list[Job] = []
        self.asked: list[dict[str, Any]] = []
        self.policy: Callable[[str, str], int] = lambda chain, generation: 1
        self.origin = folder / "origin.git"
        clone = folder / "clone"
        subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
        (clone / ".gitignore").write_text("reports/\n.venv/\n*.jsonl\n")
        settings = Path(production.toml)
        text = settings.read_text("utf-8").replace("[health]", "[health]\ninterval_s = 1", 1)
        (clone / settings.name).write_text(text, "utf-8")
        for path in settings.parent.glob("*.json"):
            (clone / path.name).write_bytes(path.read_bytes())
        git(clone, "add", "--all")
        git(clone, "commit", "-q", "-m", "one")
        subprocess.run(["git", "clone", "-q", "--bare", str(clone), str(self.origin)], check=True)
        self.commit = git(self.origin, "rev-parse", "main")
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "python.py").write_text(PYTHON)
        (self.bin / "date").write_text(
            "#!/bin/sh\n"
            f'if [ "$*" != +%s ]; then exec /bin/date "$@"; fi\n'
            f'echo $(($(/bin/date +%s) + $(cat "{self.bin}/offset")))\n'
        )
        (self.bin / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.2\n")
        for name in ("date", "sleep"):
            (self.bin / name).chmod(0o755)
        self._offset = 0
        self.move(0)
        self.api = Server(self._answer)

    def now(self) -> int:
        return int(time.time()) + self._offset

    def move(self, by: int) -> None:
        """Move the clock of the shells."""
        self._offset += by
        now = datetime.fromtimestamp(self.now(), UTC)
        for name, text in (("offset", str(self._offset)), ("date.iso", now.isoformat())):
            beside = self.bin / f"{name}.new"
            beside.write_text(text)
            beside.replace(self.bin / name)

    def start(self, file: str, job: str, **inputs: str) -> Job:
        started = Job(self, file, job, inputs)
        self.jobs.append(started)
        started.start()
        return started

    def _answer(self, asked: Asked) -> Answer:
        body = json.loads(asked.body)
        self.asked.append(body)
        assert asked.path == "/repos/origin.git/actions/workflows/probe.yml/dispatches"
        headers = {name.lower(): value for name, value in asked.headers.items()}
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert body["ref"] == "main"
        inputs = body["inputs"]
        times = self.policy(inputs["chain"], inputs["generation"])
        for _ in range(times):
            self.start("probe.yml", "probe", **inputs)
        return Answer(204 if times else 503, b"")

    def claim(self, chain: str) -> tuple[int, int, int]:
        """A chain as it was pushed: number of its job, pushes with new lines, time of the last."""
        for watch in self.watches():
            shown = subprocess.run(
                ["git", "-C", self.origin, "show", f"hour24-lines:{watch}/chains/{chain}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if shown.returncode == 0:
                generation, _, beats, at = shown.stdout.split()
                return int(generation), int(beats), int(at)
        return 0, 0, 0

    def watches(self) -> list[str]:
        shown = subprocess.run(
            ["git", "-C", self.origin, "ls-tree", "--name-only", "hour24-records"],
            capture_output=True,
            text=True,
            check=False,
        )
        return [name for name in shown.stdout.split() if "." not in name]

    def of(self, chain: str, generation: int) -> list[Job]:
        """The jobs of this number; a start that was repeated makes more than one."""
        return [job for job in self.jobs if job.name_ == (chain, str(generation))]

    def claimed(self, chain: str, generation: int) -> Job:
        """The one of them that has the number."""
        (job,) = (
            job for job in self.of(chain, generation) if job.outputs.get("claim", {}).get("claimed")
        )
        return job

    def probes(self, chain: str, generation: int) -> bool:
        claimed, beats, _ = self.claim(chain)
        return claimed == generation and beats > 0

    def pass_time(self, by: int, *chains: str) -> None:
        """Move the clock, and wait until these chains have pushed lines after that."""
        self.move(by)
        now = self.now()
        for chain in chains:
            until(lambda chain=chain: self.claim(chain)[2] >= now, f"{chain} pushes", self)

    def log(self) -> str:
        logs = sorted(self.folder.glob("job*.log"))
        more = sorted(self.folder.glob("job*/.hour24-log"))
        return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in [*logs, *more])

    def close(self) -> None:
        for job in self.jobs:
            job.kill()
        for job in self.jobs:
            job.join(WITHIN_S)
        self.api.close()


@pytest.fixture
def hub(tmp_path: Path, curl: None) -> Iterator[Hub]:
    """A production that answers, and the service that runs jobs."""
    with Rehearsal.start(seed=1, faults=(), t0=datetime.now(UTC)) as production:
        found = Hub(tmp_path, production)
        try:
            yield found
        finally:
            found.close()


def opened(hub: Hub) -> str:
    """Open a watch an hour ahead by the form of watch.yml. Returns: its name."""
    t0 = (datetime.now(UTC) + timedelta(hours=1)).replace(second=0, microsecond=0)
    inputs = {"hour": "0", "t0": f"{t0:%Y-%m-%dT%H:%MZ}", "target": "production.toml"}
    # 100 s before chain a hands over for the first time
    hub.move(int(t0.timestamp()) - OVERLAP_S - 100 - hub.now())
    job = hub.start("watch.yml", "checkpoint", **inputs)
    job.join(WITHIN_S)
    assert not any(job.codes.values()), (job.codes, hub.log())
    watch = job.outputs["open"]["watch"]
    assert hub.watches() == [watch]
    return watch


def started(hub: Hub, watch: str) -> list[tuple[str, str]]:
    """Run the last job of watch.yml. Returns: what it started."""
    before = len(hub.asked)
    job = hub.start("watch.yml", "probers", watch=watch)
    job.join(WITHIN_S)
    assert not any(job.codes.values()), hub.log()
    return [(each["inputs"]["chain"], each["inputs"]["generation"]) for each in hub.asked[before:]]


def refuse_every_third_push(hub: Hub) -> None:
    """As a race with others would."""
    hook = hub.origin / "hooks" / "pre-receive"
    hook.write_text(
        f'#!/bin/sh\necho x >> "{hub.folder}/pushes"\n'
        f'[ $(($(wc -l < "{hub.folder}/pushes") % 3)) != 0 ]\n'
    )
    hook.chmod(0o755)


def test_two_chains_of_jobs_lose_no_line_and_repeat_none(hub: Hub) -> None:
    """Starts dropped and doubled, pushes refused, one job killed, then all, then all cancelled."""
    watch = opened(hub)
    assert started(hub, watch) == [("a", "1"), ("b", "1")]
    refuse_every_third_push(hub)
    until(lambda: hub.probes("a", 1) and hub.probes("b", 1), "both probe", hub)
    assert started(hub, watch) == []
    _secrets_and_token_are_apart(hub, hub.claimed("a", 1))

    # the first start of a successor is dropped, and the second one doubled
    answers = iter((0, 2))
    hub.policy = lambda chain, number: next(answers, 1) if (chain, number) == ("a", "2") else 1
    hub.pass_time(110, "a", "b")
    until(lambda: hub.asked[-1]["inputs"]["generation"] == "2", "a start is dropped", hub)
    assert hub.of("a", 2) == []
    for _ in range(2):
        hub.pass_time(100, "a", "b")
    until(lambda: hub.probes("a", 2), "the successor probes", hub)
    first, second = hub.claimed("a", 1), hub.claimed("a", 2)
    until(lambda: not first.is_alive(), "its predecessor ends", hub)
    assert not any(first.codes.values()), hub.log()
    until(lambda: sum(job.is_alive() for job in hub.of("a", 2)) == 1, "its double ends", hub)
    doubles = [job for job in hub.of("a", 2) if job is not second]
    assert doubles
    for double in doubles:
        assert "probe" not in double.codes
        assert not any(double.codes.values())

    # a killed job is noticed by the other chain
    hub.claimed("b", 1).kill()
    for _ in range(2):
        hub.pass_time(100, "a")
    until(lambda: hub.probes("b", 2), "chain b is revived", hub)

    # all die: only the schedule is left
    for job in hub.jobs:
        job.kill()
    for job in hub.jobs:
        job.join(WITHIN_S)
    assert started(hub, watch) == []
    hub.move(200)
    assert started(hub, watch) == [("a", "3"), ("b", "3")]
    until(lambda: hub.probes("a", 3) and hub.probes("b", 3), "the schedule revives both", hub)
    for chain in "ab":
        last = hub.claimed(chain, 3)
        last.cancel()
        last.join(WITHIN_S)
        assert last.codes["how the prober ended"] == 0, hub.log()
    _every_line_is_kept_once(hub, watch)
    _the_time_without_jobs_is_a_gap(hub)
    _successor_began_before_its_predecessor_ended(first, second)


def _secrets_and_token_are_apart(hub: Hub, job: Job) -> None:
    """As the kernel sees them."""
    prober = (job.folder / ".hour24-pid").read_text().strip()
    probing = Path(f"/proc/{prober}/environ").read_bytes()
    process = job.processes["publish the lines and hand over"]
    pushing = Path(f"/proc/{process.pid}/environ").read_bytes()
    secret = next(iter(hub.production.environ)).encode()
    assert secret in probing
    assert TOKEN.encode() not in probing
    assert TOKEN.encode() in pushing
    assert secret not in pushing


def _every_line_is_kept_once(hub: Hub, watch: str) -> None:
    """On the branch, and in the folder of the next checkpoint."""
    checkpoint = hub.start("watch.yml", "checkpoint", hour="")
    checkpoint.join(WITHIN_S)
    assert checkpoint.codes["take the lines of the probers"] == 0, hub.log()
    taken = {
        path.stem: path.read_bytes().splitlines(keepends=True)
        for path in (checkpoint.folder / "reports" / watch / "probe").glob("*.????????.jsonl")
    }
    probed = [job for job in hub.jobs if "probe" in job.codes]
    assert len(probed) == 6
    for job in probed:
        ((name, lines),) = job.written().items()
        (published,) = (
            found for stem, found in taken.items() if stem.startswith(f"{Path(name).name}.")
        )
        assert published
        if job.killed:
            assert lines[: len(published)] == published
        else:
            assert lines == published
        minutes = [(each["probe"], each["minute"]) for each in map(json.loads, published)]
        assert len(set(minutes)) == len(minutes)
    assert len(taken) == len(probed)
    pushed = git(hub.origin, "ls-tree", "-r", "--name-only", "hour24-lines").splitlines()
    assert sorted(pushed) == sorted(
        [f"{watch}/chains/a", f"{watch}/chains/b"]
        + [f"{watch}/probe/{name}.jsonl" for name in taken]
    )


def _the_time_without_jobs_is_a_gap(hub: Hub) -> None:
    """No line covers it: a job writes about its own time alone."""
    minutes = {
        number: [
            json.loads(line)["minute"]
            for chain in "ab"
            for lines in hub.claimed(chain, number).written().values()
            for line in lines
            if line.endswith(b"\n")
        ]
        for number in (2, 3)
    }
    assert max(minutes[2]) < min(minutes[3])


def _successor_began_before_its_predecessor_ended(first: Job, second: Job) -> None:
    """So that a handover is no gap."""
    ((_, before),) = first.written().items()
    ((_, after),) = second.written().items()
    began = min(json.loads(line)["minute"] for line in after)
    assert began <= max(json.loads(line)["minute"] for line in before)
