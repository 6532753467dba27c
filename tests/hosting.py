"""A small platform for the tests of the rollback: one service, its deploys, its health.

It answers as Render's published API does, and deploys what is pushed to a real bare repository.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hour24.clock import SteppingClock
from hour24.config import Health, Production
from hour24.config.production import Described, Repository
from hour24.config.service import Service
from hour24.secrets import Secret
from hour24.witnesses.render import WITNESS, RenderAt
from tests.answering import Answer, Asked, Server

START = datetime(2025, 12, 21, 19, 15, tzinfo=UTC)
SERVICE = "srv-1"
SCHEMA = {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}}
TOKEN = "rnd_9f8e7d6c5b4a3210"


def git(path: Path, *words: str) -> str:
    """What git says in this folder."""
    who = [
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    done = subprocess.run(
        ["git", *who, "-C", str(path), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def clone_of(folder: Path, commits: int = 3) -> Path:
    """A clone with some commits, pushed to a bare repository next to it."""
    git(folder, "init", "-q", "--bare", "remote.git")
    git(folder, "clone", "-q", "remote.git", "clone")
    clone = folder / "clone"
    git(clone, "config", "user.name", "Ada")
    git(clone, "config", "user.email", "ada@example.org")
    git(clone, "config", "commit.gpgsign", "false")
    for n in range(commits):
        (clone / "code.txt").write_text(f"version {n}\n")
        git(clone, "add", "code.txt")
        git(clone, "commit", "-q", "-m", f"Write version {n}")
    git(clone, "push", "-q", "origin", "HEAD:main")
    return clone


def deploy(number: int, **more: Any) -> dict[str, Any]:
    """A deploy that was live once, ``number`` hours after the day before."""
    at = START - timedelta(hours=20 - number)
    commit = {"id": more.pop("commit", f"{number:040x}"), "message": f"Write version {number}"}
    return {
        "id": f"dep-{number}",
        "commit": commit,
        "status": "deactivated",
        "trigger": "new_commit",
        "createdAt": stamp(at),
        "finishedAt": stamp(at + timedelta(minutes=2)),
        **more,
    }


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


class Hosting:
    """The platform. Its attributes are what a test changes.

    Args:
        takes_s: from a deploy's beginning until it is live.
        ends: status that a new deploy comes to.
        loses: whether the rollback's answer is lost; ``done`` or ``undone``: what happened.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = SteppingClock(START)
        self.folder = folder
        self.auto_deploy: Any = "yes"
        self.branch = "main"
        self.takes_s = 120.0
        self.ends = "live"
        self.loses = ""
        self.refuses: dict[str, int] = {}
        self.healthy: Callable[[], bool] = lambda: True
        self.remote: Path | None = None
        self.deploys = [deploy(3, status="live"), deploy(2), deploy(1)]
        self.server = Server(self._answer)

    def production(self, **repository: Any) -> Production:
        token = Secret("RENDER_TOKEN", TOKEN)
        return Production(
            path=str(self.folder / "production.toml"),
            service=Service(
                name="voice",
                environment="production",
                time_zone="Europe/Berlin",
                control_url=f"{self.server.url}/control",
            ),
            health=Health(url=f"{self.server.url}/health", schema=SCHEMA, timestamp="", uptime=""),
            described={
                "render": Described(
                    WITNESS,
                    RenderAt(
                        url=f"{self.server.url}/v1",
                        service=SERVICE,
                        owner="tea-1",
                        token=token,
                        timeout_s=2.0,
                    ),
                )
            },
            repository=Repository(**repository),
            secrets=(token,),
        )

    def sent(self, method: str) -> list[tuple[str, Any]]:
        """Path and body of what was sent with this method."""
        return [
            (asked.path, json.loads(asked.body))
            for asked in self.server.asked
            if asked.method == method
        ]

    # --- answering ----------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> Answer:
        path = asked.path.partition("?")[0].removeprefix(f"/v1/services/{SERVICE}")
        if asked.path == "/health":
            return _json(200, {"status": "ok"}) if self.healthy() else _json(503, {"status": "bad"})
        if asked.path == "/control":
            return _json(200, {})
        if not asked.path.startswith(f"/v1/services/{SERVICE}"):
            return _json(404, {"message": "not found"})
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json(401, {"message": "unauthorized"})
        refused = self.refuses.get(f"{asked.method} {path}".strip())
        if refused:
            return _json(refused, {"message": f"it says {TOKEN}"})
        self._pushed()
        self._pass()
        match asked.method, path:
            case "GET", "":
                return _json(200, self._service())
            case "PATCH", "":
                self.auto_deploy = json.loads(asked.body)["autoDeploy"]
                return _json(200, self._service())
            case "GET", "/deploys":
                result = [{"deploy": each, "cursor": each["id"]} for each in self.deploys]
                return _json(200, result)
            case "POST", "/rollback":
                return self._roll_back(json.loads(asked.body)["deployId"])
        found = [each for each in self.deploys if path == f"/deploys/{each['id']}"]
        return _json(200, found[0]) if found else _json(404, {"message": "no such deploy"})

    def _service(self) -> dict[str, Any]:
        return {
            "id": SERVICE,
            "name": "voice",
            "autoDeploy": self.auto_deploy,
            "branch": self.branch,
            "repo": "https://git.example/voice",
        }

    def _begin(self, commit: dict[str, Any], trigger: str) -> dict[str, Any]:
        made = {
            "id": f"dep-{max(int(each['id'][4:]) for each in self.deploys) + 1}",
            "commit": commit,
            "status": "update_in_progress",
            "trigger": trigger,
            "createdAt": stamp(self.clock.now()),
        }
        self.deploys.insert(0, made)
        return made

    def _roll_back(self, deploy_id: str) -> Answer:
        if self.loses == "undone":
            return Answer(raw=b"HTTP/1.1 2")
        target = next(each for each in self.deploys if each["id"] == deploy_id)
        made = self._begin(target["commit"], "rollback")
        return Answer(raw=b"HTTP/1.1 2") if self.loses else _json(201, made)

    def _pushed(self) -> None:
        """Begin a deploy of what was pushed."""
        if self.remote is None or self.auto_deploy != "yes":
            return
        commit = git(self.remote, "rev-parse", "main")
        if all(each["commit"]["id"] != commit for each in self.deploys):
            self._begin({"id": commit, "message": "pushed"}, "new_commit")

    def _pass(self) -> None:
        """End the deploys that are due."""
        now = self.clock.now()
        for each in self.deploys:
            if each["status"] != "update_in_progress":
                continue
            if (now - datetime.fromisoformat(each["createdAt"])).total_seconds() < self.takes_s:
                continue
            if self.ends == "live":
                for other in self.deploys:
                    if other["status"] == "live":
                        other["status"] = "deactivated"
            each |= {"status": self.ends, "finishedAt": stamp(now)}


def _json(status: int, body: Any) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers)
