"""The interface of a platform that can roll back.

Rules of this module:

- The state of a deploy is one of ours; ``status`` keeps the platform's own word, for people.
- :data:`NOTHING_DONE` lists the errors that mean no rollback was begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from hour24.errors import SourceError, SourceLacks, SourceLimited, SourceRefused

LISTED = 100
"""The number of newest deploys that are read."""
ACTION_BUDGET_S = 60.0
"""Seconds for one question or action."""
NOTHING_DONE: tuple[type[SourceError], ...] = (SourceRefused, SourceLacks, SourceLimited)
State = Literal["live", "under_way", "replaced", "failed", ""]
"""Of a deploy: ``replaced`` was live once; "" where the platform says something unknown."""


class Deploy(Struct, frozen=True, kw_only=True):
    """A deploy as the platform reports it; what is missing is empty.

    Args:
        status: the platform's own word for its state.
        commit: the commit's whole id.
        trigger: ``new_commit``, ``rollback``, ``manual``, ...
        finished: when it was live, or failed.
    """

    id: str
    state: State = ""
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


class Platform(Protocol):
    """What the rollback needs of a platform. Methods that send a request raise SourceError."""

    @property
    def url(self) -> str:
        """The address of the service in the platform's API."""

    def service(self) -> Service:
        """The service."""

    def deploys(self) -> tuple[Deploy, ...]:
        """The newest deploys, newest first, at most :data:`LISTED`."""

    def deploy(self, deploy_id: str) -> Deploy:
        """One deploy, as it is now."""

    def switch_auto_deploy_off(self) -> None:
        """Have a push deploy nothing by itself."""

    def roll_back(self, deploy_id: str) -> Deploy:
        """Begin to go back to this deploy, sent once; the new deploy."""

    def switch_off_request(self) -> str:
        """What :meth:`switch_auto_deploy_off` sends, in words."""

    def roll_back_request(self, deploy_id: str) -> str:
        """What :meth:`roll_back` sends, in words."""

    def switch_on_command(self) -> str:
        """The shell command that switches automatic deploys on again."""


def last_good(
    deploys: Sequence[Deploy], live: Deploy, went_back: Mapping[str, str]
) -> Deploy | None:
    """The newest deploy that was live before ``live`` and is of another commit; none: none listed.

    A rollback counts as the deploy that it went back to: going back further starts there.

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
            if each.state == "replaced" and not (each.commit and each.commit == here.commit)
        ),
        None,
    )
