"""The plan of a rollback: what is live, the deploy to go back to, each step, or why not.

Rules of this module:

- Nothing is changed. All reasons against a rollback are reported at once.
- A person reads the plan in an emergency: what is live and who deployed it, what was good, the
  exact steps, and what they do not do.
- A deploy under way refuses the plan: a person waits for its end.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hour24.asking.exchange import Address
from hour24.asking.fetching import is_loopback
from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import health
from hour24.errors import ConfigurationError, SourceError
from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.waivers import closed
from hour24.rollback.declared import DeclaredDeploys
from hour24.rollback.git import Clone, Commit
from hour24.secrets.redactor import Redactor
from hour24.shipped import COMMAND
from hour24.text import format_duration, one_line
from hour24.witnesses.platform import LISTED, Deploy, Platform, Service, last_good
from hour24.witnesses.port import import_lazy

WAYS = ("platform", "git")
RUNBOOK_WAIT_S = 300.0
"""The wait of the runbook between a rollback and the check of health."""
BEGUN_COUNTS_S = 1800.0
"""A rollback that began longer ago and never ended was killed; it blocks no other one."""
BY = {
    "new_commit": "by a push",
    "rollback": "by a rollback",
    "manual": "by hand",
    "api": "by the API",
    "deploy_hook": "by a deploy hook",
}


class Refused(ConfigurationError):
    """The rollback is refused."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reasons, one line each."""
        return self.problems


@dataclass(frozen=True)
class Plan:
    """A rollback that could be done now.

    Args:
        way: ``platform`` or ``git``.
        watch: name of the watch; its ledger gets the entry.
        platform: where the rollback is done.
        live, good: the deploy that serves now, and the newest earlier one of another commit.
        known: ids of the deploys listed.
        head: the last commit of the clone; None for ``platform``.
        ahead: the number of commits HEAD is ahead of the good one; None if it is not known.
    """

    way: str
    watch: str
    t0: datetime
    banner: str
    ledger: Path
    production: Production
    platform: Platform
    service: Service
    live: Deploy
    good: Deploy
    known: frozenset[str]
    head: Commit | None = None
    ahead: int | None = None

    def clone(self) -> Clone:
        """Return the clone for the git way."""
        return clone_of(self.production)

    def same_as(self, other: Plan) -> bool:
        """Return True if both plans would do the same."""

        def key(plan: Plan) -> tuple[str, ...]:
            head = plan.head.id if plan.head else ""
            return (plan.way, plan.watch, plan.live.id, plan.good.id, head)

        return key(self) == key(other)

    def lines(self) -> list[str]:
        """Return the plan as text."""
        banner = f"{self.banner}: " if self.banner else ""
        how = "on the platform" if self.way == "platform" else "by git revert and push"
        service = self.production.service
        return [
            f"{banner}rollback of {service.name} ({service.environment}) {how}, "
            f"watch {self.watch}: the plan; nothing is done yet",
            "",
            f"live now       {self._describe(self.live)}",
            *(self._author_line() if self.head else []),
            f"last good one  {self._describe(self.good)}",
            *(f"note           {note}" for note in self._notes()),
            "",
            "what is done",
            *(f"  {n}. {step}" for n, step in enumerate(self._steps(), 1)),
            "",
            "what is not done",
            *(f"  - {each}" for each in self._left_to_do()),
        ]

    def when(self, time: datetime | None) -> str:
        """Return a time in the time zone of the service."""
        if time is None:
            return "an unknown time"
        return f"{time.astimezone(ZoneInfo(self.production.service.time_zone)):%Y-%m-%d %H:%M %Z}"

    def _describe(self, deploy: Deploy) -> str:
        commit = f"commit {deploy.commit[:12]}" if deploy.commit else "an unknown commit"
        by = BY.get(
            deploy.trigger, f"by {deploy.trigger}" if deploy.trigger else "by an unknown user"
        )
        return (
            f'{deploy.id}, {commit} "{deploy.message}", deployed {by} at '
            f"{self.when(deploy.created)}, live from {self.when(deploy.finished)}"
        )

    def _author_line(self) -> Iterator[str]:
        assert self.head is not None
        author = self.head.author
        yield f'               written by {author} at {self.head.at}: "{self.head.subject}"'

    def _notes(self) -> Iterator[str]:
        if self.live.finished is not None and self.live.finished <= self.t0:
            yield (
                "the live deploy is older than this watch: if its first hours passed, the "
                "fault may not be in the code"
            )
        if self.head is not None and self.ahead != 1:
            many = "an unknown number of" if self.ahead is None else str(self.ahead)
            yield (
                f"{many} commits are between the last good deploy and HEAD, and a revert undoes "
                "only the last one; --way platform goes back to the whole deploy"
            )

    def _steps(self) -> Iterator[str]:
        if self.head is not None:
            yield from self.clone().commands()
            yield (
                f"wait {RUNBOOK_WAIT_S / 60:.0f} minutes for the deploy of the revert "
                f"(the platform deploys {self.service.branch} of {self.service.repo})"
            )
        else:
            if self.service.auto_deploy is False:
                yield "automatic deploys stay off, as they are"
            else:
                yield f"switch automatic deploys off: {self.platform.switch_off_request()}"
            yield f"roll back: {self.platform.roll_back_request(self.good.id)}, once"
            yield f"wait {RUNBOOK_WAIT_S / 60:.0f} minutes for the new deploy to be live"
        at = Address(self.production.health.url).shown
        yield f"verify health: {at}, as {health.SCHEMA.id} does"
        yield f"record it in {self.ledger}: who, why, the result; this declares the restart"

    def _left_to_do(self) -> Iterator[str]:
        yield "database migrations, environment variables and settings are not undone"
        if self.head is None:
            yield (
                f"the commit stays on {self.service.branch or 'its branch'}: revert it before "
                "automatic deploys are switched on again"
            )
            yield (
                "automatic deploys stay off; to switch them on again: "
                f"{self.platform.switch_on_command()}"
            )
        yield "no alert is sent, nothing is investigated, no checkpoint is run"


def plan(production: Production, ledger: Ledger, clock: Clock, way: str = "platform") -> Plan:
    """Return the plan of a rollback now.

    Args:
        way: ``platform`` (the platform's own rollback) or ``git`` (``git revert`` and push).
    Raises: Refused, with every reason; LedgerError, if the ledger cannot be read.
    """
    problems = [] if way in WAYS else [f"--way: expected {' or '.join(WAYS)}, got {way!r}"]
    platform = platform_for(production, ledger, clock, way)
    problems += _other_service(production, ledger.genesis, platform)
    problems += closed(ledger)
    if platform is None:
        problems.append(
            "production.toml: expected a section of a platform that can roll back, got none; "
            "--way git goes back to what was declared: "
            f"{COMMAND} declare {shlex.quote(str(ledger.folder))} --commit ID "
            "--by NAME --because REASON"
        )
    if problems or platform is None:
        raise Refused(problems)
    try:
        service, deploys = platform.service(), platform.deploys()
    except SourceError as problem:
        raise Refused(
            [
                str(problem),
                "what is live is not known; roll back by hand: the platform's dashboard, or "
                + " && ".join(clone_of(production).commands()),
            ]
        ) from None
    live = next((each for each in deploys if each.state == "live"), None)
    good = last_good(deploys, live, _earlier_rollbacks(ledger)) if live is not None else None
    problems += _under_way(ledger, clock.now())
    problems += _deploy_problems(deploys, live, good)
    head, ahead = None, None
    if way == "git":
        clone = clone_of(production)
        problems += _service_problems(production, service)
        against = list(clone.problems(live.commit if live is not None else ""))
        problems += against
        if not against:
            head = clone.head()
            ahead = clone.since(good.commit) if good is not None else None
    if problems or live is None or good is None:
        raise Refused(problems)
    genesis = ledger.genesis
    return Plan(
        way=way,
        watch=genesis.name,
        t0=genesis.t0,
        banner=genesis.target_kind.banner,
        ledger=ledger.folder,
        production=production,
        platform=platform,
        service=service,
        live=live,
        good=good,
        known=frozenset(each.id for each in deploys),
        head=head,
        ahead=ahead,
    )


def platform_of(production: Production, clock: Clock) -> Platform | None:
    """Return the first witness that can roll back deploys; None if there is none."""
    for witness, at in production.described.values():
        if witness.rollback:
            made: Platform = import_lazy(witness.rollback)(at, clock)
            return made
    return None


def platform_for(production: Production, ledger: Ledger, clock: Clock, way: str) -> Platform | None:
    """Return the platform; for the git way without one, the deploys that people declared."""
    described = platform_of(production, clock)
    if described is not None or way != "git":
        return described
    return DeclaredDeploys(production, ledger, clone_of(production), clock.now())


def clone_of(production: Production) -> Clone:
    """Return the clone that ``[repository]`` names, relative to production.toml."""
    return Clone(
        production.repository, Path(production.path).resolve().parent, redactor(production).text
    )


def redactor(production: Production) -> Redactor:
    """Return a redactor for the secrets of this production."""
    return Redactor((each.name, each.reveal()) for each in production.secrets)


def _other_service(
    production: Production, genesis: Genesis, platform: Platform | None
) -> Iterator[str]:
    """Yield how this production differs from that of the watch."""
    watch = f"watch {genesis.name}"
    for key in ("name", "environment"):
        wanted, got = genesis.service.get(key, ""), getattr(production.service, key)
        if wanted != got:
            yield (
                f"{watch}: service {key}: expected {wanted!r}, got {got!r} in {production.path}: "
                "this is another service"
            )
    if not genesis.target_kind.lasting:
        urls = [production.health.url]
        urls += [platform.url] if platform is not None and platform.url else []
        if not all(is_loopback(url) for url in urls):
            yield f"{watch}: expected the rehearsal that it watches, got {production.path}"
    elif Path(genesis.target).resolve() != Path(production.path).resolve():
        yield f"{watch}: target: expected {genesis.target}, got {production.path}"


def _earlier_rollbacks(ledger: Ledger) -> dict[str, str]:
    """Return the rollbacks in the ledger: new deploy -> the deploy it restored."""
    return {
        str(entry.content["deploy"]): str(entry.content["to_deploy"])
        for entry in ledger.entries()
        if entry.kind == "rollback"
        and entry.content.get("way") == "platform"
        and entry.content.get("deploy")
    }


def _under_way(ledger: Ledger, now: datetime) -> Iterator[str]:
    """Yield a rollback that has begun and not ended."""
    entries = [entry for entry in ledger.entries() if entry.kind == "rollback"]
    ended = {entry.content.get("began") for entry in entries}
    for entry in entries:
        if entry.content.get("result") != "begun" or entry.file in ended:
            continue
        ago_s = now.timestamp() - entry.content["start"]
        if 0 <= ago_s < BEGUN_COUNTS_S:
            yield (
                f"{entry.file}: expected no rollback under way, got one that "
                f"{one_line(entry.content['by'])} began {format_duration(ago_s)} ago; if it was "
                "broken off, "
                f"check the platform and wait until {BEGUN_COUNTS_S / 60:.0f} min are over"
            )


def _deploy_problems(
    deploys: tuple[Deploy, ...], live: Deploy | None, good: Deploy | None
) -> Iterator[str]:
    """Yield the reasons against a rollback in the deploys of the platform."""
    if live is None:
        yield (
            f"platform: deploys: expected one that is live, got none of {len(deploys)}; there is "
            "nothing to undo"
        )
        return
    newer = deploys[: [each.id for each in deploys].index(live.id)]
    for each in newer:
        if each.state == "under_way":
            yield (
                f"platform: deploys: expected none under way, got {each.id} ({each.status}); wait "
                "for its end, or cancel it on the platform"
            )
    if good is None:
        newest = f"the newest {LISTED}" if len(deploys) >= LISTED else f"{len(deploys)}"
        back = "itself a rollback; " if live.trigger == "rollback" else ""
        yield (
            f"platform: deploys: expected an earlier good deploy, one that was live before "
            f"{live.id} and is of another commit, got none among {newest}; {back}fix it forward, "
            "or choose a deploy by hand on the platform's dashboard"
        )


def _service_problems(production: Production, service: Service) -> Iterator[str]:
    """Yield the reasons why a push would not deploy."""
    wanted = production.repository.branch
    if service.branch and service.branch != wanted:
        yield (
            f"production.toml: [repository] branch: expected {service.branch}, which the platform "
            f"deploys, got {wanted}"
        )
    if service.auto_deploy is not True:
        got = "off" if service.auto_deploy is False else "unknown"
        yield (
            f"platform: automatic deploys: expected on, got {got}: a push would deploy nothing; "
            "use the platform's rollback (--way platform), or switch them on first"
        )
