"""The platform's deploys: which one is live, which one was, and going back to it.

Rules of this module:

- Only a deploy's ``id`` is promised; whatever else is missing stays empty.
- A rollback leaves automatic deploys as they are, and the next push would bring the bad commit
  back: they are switched off first, and the answer must say so.
- The rollback is sent once; :data:`NOTHING_DONE` are the answers that say that it was not taken.

Source: Render's published API (services, deploys, rollback).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from hour24.asking.witness import Asking, Witness
from hour24.clock import Clock
from hour24.config.production import RenderAt
from hour24.errors import (
    SourceError,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
)
from hour24.text import one_line

LISTED = 100
BUDGET_S = 60.0
LONGEST = 80
UNDER_WAY = (
    "created",
    "queued",
    "build_in_progress",
    "pre_deploy_in_progress",
    "update_in_progress",
)
FAILED = ("build_failed", "update_failed", "pre_deploy_failed", "canceled")
NOTHING_DONE: tuple[type[SourceError], ...] = (SourceRefused, SourceLacks, SourceLimited)


class Deploy(Struct, frozen=True, kw_only=True):
    """A deploy as the platform tells it; what it does not tell is empty.

    Args:
        commit: the commit's whole id.
        trigger: ``new_commit``, ``rollback``, ``manual``, ...
        finished: when it was live, or failed.
    """

    id: str
    status: str = ""
    commit: str = ""
    message: str = ""
    trigger: str = ""
    created: datetime | None = None
    finished: datetime | None = None


class Service(Struct, frozen=True, kw_only=True):
    """The service; ``auto_deploy`` is none when the platform does not say."""

    name: str
    branch: str = ""
    repo: str = ""
    auto_deploy: bool | None = None


class Platform:
    """Render, asked about one service's deploys, and told to roll back."""

    def __init__(self, at: RenderAt, clock: Clock) -> None:
        self.at = at
        self.clock = clock

    @property
    def _path(self) -> str:
        return f"/services/{self.at.service}"

    def _asking(self, what: str) -> Asking:
        witness = Witness(
            "render",
            self.at.url,
            self.clock,
            token=self.at.token,
            timeout_s=self.at.timeout_s,
            budget_s=BUDGET_S,
            same_clock=False,
        )
        return witness.asking(what)

    # --- reading ------------------------------------------------------------------------------

    def service(self) -> Service:
        """The service. Raises: SourceError, when it is not to be had."""
        asking = self._asking("service")
        return _service(asking, asking.document(self._path, missing=self._unseen()))

    def deploys(self) -> tuple[Deploy, ...]:
        """The newest hundred deploys, newest first. Raises: SourceError."""
        asking = self._asking("deploys")
        found = asking.document(
            f"{self._path}/deploys", [("limit", str(LISTED))], missing=self._unseen()
        )
        if not isinstance(found, list):
            asking.refuse(SourceMisread, f"expected a list, got {type(found).__name__}")
        told = [
            _deploy(asking, each.get("deploy") if isinstance(each, dict) else None)
            for each in found
        ]
        earliest = datetime.min.replace(tzinfo=UTC)
        return tuple(sorted(told, key=lambda each: each.created or earliest, reverse=True))

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
            missing=self._unseen(),
        )
        if _service(asking, asking.parsed(answer)).auto_deploy is not False:
            asking.refuse(SourceMisread, 'expected autoDeploy "no" afterwards, got something else')

    def roll_back(self, deploy_id: str) -> Deploy:
        """Begin to go back to this deploy; sent once.

        Returns: the new deploy.
        Raises: SourceError; one of :data:`NOTHING_DONE` when it was not taken, any other when
            that is not known.
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
        return _deploy(asking, asking.parsed(answer))

    def _unseen(self) -> str:
        return f"the token sees no service {self.at.service}; see [render] service and token_env"


def address(at: RenderAt) -> str:
    """The service's address in the API."""
    return f"{at.url.rstrip('/')}/services/{at.service}"


def last_good(
    deploys: Sequence[Deploy], live: Deploy, went_back: Mapping[str, str]
) -> Deploy | None:
    """The newest deploy that was live before ``live`` and is of another commit; none: none listed.

    A rollback stands for the deploy that it went back to: going back further starts there.

    Args:
        deploys: newest first, ``live`` among them.
        went_back: a rollback's deploy -> the deploy it went back to, where the ledger knows.
    """
    older = list(deploys[[each.id for each in deploys].index(live.id) + 1 :])
    here = live
    while here.trigger == "rollback":
        target = went_back.get(here.id)
        places = [
            place
            for place, each in enumerate(older)
            if (each.id == target if target else here.commit and each.commit == here.commit)
        ]
        if not places:
            return None
        here, older = older[places[0]], older[places[0] + 1 :]
    return next(
        (
            each
            for each in older
            if each.status == "deactivated" and not (each.commit and each.commit == here.commit)
        ),
        None,
    )


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
        status=_words(asking, found, "status"),
        commit=_words(asking, commit, "id"),
        message=_words(asking, commit, "message"),
        trigger=_words(asking, found, "trigger"),
        created=_moment(found.get("createdAt")),
        finished=_moment(found.get("finishedAt")),
    )


def _words(asking: Asking, found: Mapping[str, Any], key: str) -> str:
    """A text that is safe to show: on one line, without control characters and secrets."""
    value = found.get(key)
    return one_line(asking.witness.scrubbed(value), LONGEST) if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return read if read.tzinfo is not None else None
