"""What is deployed, where no platform says it: the deploys that people declared.

Rules of this module:

- The newest declared deploy that names its commit is live. The one before it is the last good one,
  or else the commit before it, to which a revert goes back.
- No source says when the deploy of a revert is live: a person checks, and declares it.
- The platform's own rollback is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hour24.config import Production
from hour24.ledger.book import Ledger
from hour24.rollback.git import Clone, GitProblem
from hour24.witnesses.platform import Deploy, Service

LEAST_DIGITS = 7
"""Of a commit that a person declares in short."""


class DeclaredDeploys:
    """A platform (:class:`hour24.witnesses.platform.Platform`) that only knows what was declared.

    Args:
        clone: of what is deployed.
    """

    url = ""

    def __init__(self, production: Production, ledger: Ledger, clone: Clone, now: datetime) -> None:
        self._production = production
        self._ledger = ledger
        self._clone = clone
        self._now = now

    def service(self) -> Service:
        """The service; that a push deploys it is the user's word, who chose git."""
        repository = self._production.repository
        return Service(
            name=self._production.service.name,
            branch=repository.branch,
            repo=repository.remote,
            auto_deploy=True,
        )

    def deploys(self) -> tuple[Deploy, ...]:
        """The declared deploys that name a commit, newest first."""
        found = list(self._declared_deploys())
        if len({each.commit for each in found}) == 1:
            found += self._before(found[-1])
        return tuple(found)

    def deploy(self, deploy_id: str) -> Deploy:
        """One of them."""
        return next(each for each in self.deploys() if each.id == deploy_id)

    def switch_auto_deploy_off(self) -> None:
        """Do nothing: there is no platform to ask."""

    def roll_back(self, deploy_id: str) -> Deploy:
        """Never called: the platform's own way is refused."""
        raise NotImplementedError

    def switch_off_request(self) -> str:
        return "nothing"

    def roll_back_request(self, deploy_id: str) -> str:
        return "nothing"

    def switch_on_command(self) -> str:
        return "nothing"

    def _declared_deploys(self) -> Iterator[Deploy]:
        ended = [
            entry
            for entry in self._ledger.entries()
            if entry.kind == "deploy"
            and not entry.problem
            and entry.content.get("commit")
            and entry.content["start"] <= self._now.timestamp()
        ]
        ended.sort(key=lambda entry: entry.content["start"], reverse=True)
        for number, entry in enumerate(ended):
            content = entry.content
            yield Deploy(
                id=entry.file.removesuffix(".json"),
                state="replaced" if number else "live",
                status="declared",
                commit=self._whole(str(content["commit"])),
                message=str(content.get("because", "")),
                trigger="manual",
                created=datetime.fromtimestamp(content["start"], UTC),
                finished=datetime.fromtimestamp(content["end"], UTC),
            )

    def _before(self, first: Deploy) -> Iterator[Deploy]:
        """Yield what was deployed before the only declared commit: the commit before it."""
        try:
            head = self._clone.head()
        except GitProblem:
            return
        if head.id == first.commit and len(head.parents) == 1:
            yield Deploy(
                id=f"before {first.id}",
                state="replaced",
                status="the commit before it",
                commit=head.parents[0],
                trigger="manual",
            )

    def _whole(self, commit: str) -> str:
        """Returns the whole id of a commit declared in short, if it is the last of the clone."""
        try:
            head = self._clone.head().id
        except GitProblem:
            return commit
        return head if len(commit) >= LEAST_DIGITS and head.startswith(commit) else commit
