"""Render's deploys for a rollback: the live one, the earlier ones, and going back to one.

Rules of this module:

- Only a deploy's ``id`` is required; anything else that is missing or odd stays empty, since it
  must not stop a rollback.
- A rollback leaves automatic deploys as they are, and the next push would bring the bad commit
  back: they are switched off first, and the answer must say so.
- The rollback is sent once.

Source: Render's published API (services, deploys, rollback).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hour24.asking.client import ApiClient, Asking
from hour24.clock import Clock
from hour24.errors import SourceMisread
from hour24.text import one_line
from hour24.witnesses.platform import ACTION_BUDGET_S, LISTED, Deploy, Service, State
from hour24.witnesses.render import RenderAt

LONGEST = 80
STATES: dict[str, State] = {
    "live": "live",
    "created": "under_way",
    "queued": "under_way",
    "build_in_progress": "under_way",
    "pre_deploy_in_progress": "under_way",
    "update_in_progress": "under_way",
    "deactivated": "replaced",
    "build_failed": "failed",
    "update_failed": "failed",
    "pre_deploy_failed": "failed",
    "canceled": "failed",
}


class Platform:
    """Reads one service's deploys from Render, and rolls back."""

    def __init__(self, at: RenderAt, clock: Clock, *, budget_s: float = ACTION_BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self.budget_s = budget_s

    @property
    def _path(self) -> str:
        return f"/services/{self.at.service}"

    def _asking(self, what: str) -> Asking:
        client = ApiClient(
            "render",
            self.at.url,
            self.clock,
            token=self.at.token,
            timeout_s=self.at.timeout_s,
            budget_s=self.budget_s,
            same_clock=False,
        )
        return client.asking(what)

    # --- reading ------------------------------------------------------------------------------

    def service(self) -> Service:
        """The service. Raises: SourceError, when there is no answer."""
        asking = self._asking("service")
        return _service(asking, asking.document(self._path, missing=self._not_visible()))

    def deploys(self) -> tuple[Deploy, ...]:
        """The newest hundred deploys, newest first. Raises: SourceError."""
        asking = self._asking("deploys")
        found = asking.document(
            f"{self._path}/deploys", [("limit", str(LISTED))], missing=self._not_visible()
        )
        if not isinstance(found, list):
            asking.refuse(SourceMisread, f"expected a list, got {type(found).__name__}")
        found_deploys = [
            _deploy(asking, each.get("deploy") if isinstance(each, dict) else None)
            for each in found
        ]
        earliest = datetime.min.replace(tzinfo=UTC)
        return tuple(sorted(found_deploys, key=lambda each: each.created or earliest, reverse=True))

    def deploy(self, deploy_id: str) -> Deploy:
        """One deploy, as it is now. Raises: SourceError."""
        asking = self._asking("deploy")
        return _deploy(asking, asking.document(f"{self._path}/deploys/{deploy_id}"))

    # --- acting -------------------------------------------------------------------------------

    def switch_auto_deploy_off(self) -> None:
        """Have a push deploy nothing by itself.

        Raises: SourceError, when it is not certain that it is off.
        """
        asking = self._asking("automatic deploys off")
        answer = asking.answer(
            self._path,
            body=json.dumps({"autoDeploy": "no"}).encode(),
            headers={"Content-Type": "application/json"},
            method="PATCH",
            right="the right to change this service",
            missing=self._not_visible(),
        )
        if _service(asking, asking.read_json(answer)).auto_deploy is not False:
            asking.refuse(SourceMisread, 'expected autoDeploy "no" afterwards, got something else')

    def roll_back(self, deploy_id: str) -> Deploy:
        """Begin to go back to this deploy; sent once.

        Returns: the new deploy.
        Raises: SourceError; one of :data:`NOTHING_DONE` when Render refused it, any other when
            the outcome is unknown.
        """
        asking = self._asking("rollback")
        answer = asking.answer(
            f"{self._path}/rollback",
            body=json.dumps({"deployId": deploy_id}).encode(),
            headers={"Content-Type": "application/json"},
            right="the right to deploy this service",
            missing=f"the platform knows no deploy {deploy_id} of this service any more",
            tries=1,
        )
        return _deploy(asking, asking.read_json(answer))

    # --- texts for people ---------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The service's address in the API."""
        return f"{self.at.url.rstrip('/')}/services/{self.at.service}"

    def switch_off_request(self) -> str:
        """What :meth:`switch_auto_deploy_off` sends, in words."""
        return f'PATCH {self.url} {{"autoDeploy":"no"}}'

    def roll_back_request(self, deploy_id: str) -> str:
        """What :meth:`roll_back` sends, in words."""
        return f'POST {self.url}/rollback {{"deployId":"{deploy_id}"}}'

    def switch_on_command(self) -> str:
        """The shell command that switches automatic deploys on again."""
        return (
            f'curl -sS -X PATCH {shlex.quote(self.url)} -H "Authorization: Bearer '
            f"${self.at.token.name}\" -H 'Content-Type: application/json' "
            '-d \'{"autoDeploy":"yes"}\''
        )

    def _not_visible(self) -> str:
        return f"the token sees no service {self.at.service}; see [render] service and token_env"


def _service(asking: Asking, found: Any) -> Service:
    if not isinstance(found, dict):
        asking.refuse(SourceMisread, f"expected a service, got {type(found).__name__}")
    auto = {"yes": True, "no": False}.get(str(found.get("autoDeploy")))
    return Service(
        name=_words(asking, found, "name"),
        branch=_words(asking, found, "branch"),
        repo=_words(asking, found, "repo"),
        auto_deploy=auto,
    )


def _deploy(asking: Asking, found: Any) -> Deploy:
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not found["id"]:
        asking.refuse(SourceMisread, "expected a deploy with its id, got something else")
    commit = found.get("commit")
    if not isinstance(commit, dict):
        commit = {}
    return Deploy(
        id=_words(asking, found, "id"),
        state=STATES.get(_words(asking, found, "status"), ""),
        status=_words(asking, found, "status"),
        commit=_words(asking, commit, "id"),
        message=_words(asking, commit, "message"),
        trigger=_words(asking, found, "trigger"),
        created=_time(found.get("createdAt")),
        finished=_time(found.get("finishedAt")),
    )


def _words(asking: Asking, found: Mapping[str, Any], key: str) -> str:
    """Return a text that is safe to show: one line, without control characters and secrets."""
    value = found.get(key)
    return one_line(asking.client.redact(value), LONGEST) if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return read if read.tzinfo is not None else None
