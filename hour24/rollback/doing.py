"""The rollback done: confirmed by a person, waited for, its health verified, written down.

Rules of this module:

- The plan is made again first; when it came out differently, nothing is done.
- The ledger's entry comes before the first change, so that an unwritable ledger stops it.
- The runbook's order: go back, wait five minutes, verify health. A deploy that failed is not
  waited for.
- The second entry has an end only when the new deploy is live: only then is there a restart to
  declare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from hour24.clock import Clock
from hour24.errors import LedgerError, SourceError
from hour24.ledger.book import Ledger
from hour24.ledger.record import Link
from hour24.ledger.waivers import unsaid
from hour24.objectives.health import HealthDocument
from hour24.rollback.git import GitProblem
from hour24.rollback.planning import RUNBOOK_WAIT_S, Plan, Refused, plan, platform_of, redactor
from hour24.shipped import COMMAND
from hour24.sources.health import HealthSource
from hour24.verdict import Outcome, Verdict
from hour24.witnesses.platform import NOTHING_DONE, Deploy

EVERY_S = 10.0
LOOKS = 6
TOLD_EVERY_S = 60.0
Say = Callable[[str], None]


class Carried(Struct, frozen=True, kw_only=True):
    """What came of a rollback.

    Args:
        outcome: PASS when the new deploy is live and healthy; FAIL when the rollback was not
            done, its deploy failed, or what is live is not healthy; else INCONCLUSIVE.
        result: ``done``, ``unhealthy``, ``health_unknown``, ``deploy_failed``, ``under_way``,
            ``not_done``, ``unknown``.
        end: none unless the new deploy is live.
        deploy: id of the new deploy; empty when there is none.
        health: none when there was nothing to verify.
        entry: path of the ledger's entry.
        steps: what a person does next.
    """

    outcome: Outcome
    result: str
    says: str
    start: datetime
    end: datetime | None
    deploy: str
    health: Verdict | None
    entry: Path
    steps: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the new deploy is live and healthy."""
        return self.outcome == Outcome.PASS


@dataclass
class _End:
    """How far it came."""

    result: str
    says: str
    deploy: Deploy | None = None
    commit: str = ""


def carry_out(
    planned: Plan,
    ledger: Ledger,
    clock: Clock,
    by: str,
    because: str,
    say: Say,
    *,
    wait_s: float = RUNBOOK_WAIT_S,
) -> Carried:
    """Do it. Production is changed.

    Args:
        by, because: the person who confirmed it, and why.
        say: called with each line of progress.
        wait_s: how long the deploy is waited for, in seconds; the runbook's five minutes.
    Raises: Refused, before anything is done; LedgerError, when it cannot be written down.
    """
    problems = list(unsaid(by, because))
    if problems:
        raise Refused(problems)
    head = ledger.head()
    _unchanged(planned, plan(planned.production, ledger, clock, planned.way))
    doing = _Doing(planned, ledger, clock, by.strip(), because.strip(), say, wait_s)
    return doing.done(head)


def _unchanged(planned: Plan, now: Plan) -> None:
    if not now.same_as(planned):
        raise Refused(
            [
                f"plan: expected {planned.live.id} to be live and {planned.good.id} the last good "
                f"one, as it was confirmed, got {now.live.id} and {now.good.id}: look again"
            ]
        )


class _Doing:
    """One rollback on its way."""

    def __init__(
        self,
        planned: Plan,
        ledger: Ledger,
        clock: Clock,
        by: str,
        because: str,
        say: Say,
        wait_s: float,
    ) -> None:
        self.plan = planned
        self.ledger = ledger
        self.clock = clock
        self.by = by
        self.because = because
        self.say = say
        self.wait_s = wait_s
        platform = platform_of(planned.production, clock)
        assert platform is not None  # a plan without one is refused
        self.platform = platform
        self.start = clock.now()
        self.auto_deploy = {True: "on", False: "off", None: "unknown"}[planned.service.auto_deploy]
        self._scrub = redactor(planned.production)

    def done(self, head: Link) -> Carried:
        """Do it, from the first entry to the last.

        Args:
            head: the ledger's newest entry before the plan was made again; a second person who
                begins at the same moment is stopped by it.
        """
        began = self._write({"result": "begun"}, None, after=head).name
        try:
            self.start = self.clock.now()
            end = self._by_git() if self.plan.way == "git" else self._by_platform()
            health = None
            if end.result in ("live", "under_way"):
                health = self._health()
                end = _with_health(end, health)
        except BaseException as problem:
            told = f"broken off by {type(problem).__name__}; look at the platform what happened"
            self.say(told)
            self._write({"result": "broken_off", "says": told, "began": began}, None)
            raise
        return self._written(end, health, began)

    # --- going back ---------------------------------------------------------------------------

    def _by_platform(self) -> _End:
        planned = self.plan
        if planned.service.auto_deploy is not False:
            self.say("automatic deploys: switching them off")
            try:
                self.platform.switch_auto_deploy_off()
            except SourceError as problem:
                if not isinstance(problem, NOTHING_DONE):
                    self.auto_deploy = "unknown"
                return _End("not_done", f"{problem}; nothing was rolled back")
            self.auto_deploy = "off"
        self.say(f"going back to {planned.good.id}")
        try:
            made = self.platform.roll_back(planned.good.id)
        except NOTHING_DONE as problem:
            return _End("not_done", f"{problem}; nothing was rolled back")
        except SourceError as problem:
            self.say(f"{problem}; looking whether it happened all the same, it is not sent again")
            found = self._appeared(lambda each: each.trigger in ("rollback", ""))
            if found is None:
                return _End(
                    "unknown",
                    f"{problem}; no new deploy appeared within {(LOOKS - 1) * EVERY_S:.0f} s: look "
                    "at the platform before anything is tried again",
                )
            made = found
        self.say(f"new deploy {made.id}")
        return self._awaited(made, lambda: self.platform.deploy(made.id))

    def _by_git(self) -> _End:
        planned = self.plan
        assert planned.head is not None
        clone = planned.clone()
        try:
            commit = clone.revert()
        except GitProblem as problem:
            return _End("not_done", f"{problem}; nothing was pushed")
        self.say(f"reverted {planned.head.id[:12]} as {commit[:12]}; pushing it")
        try:
            clone.push(commit)
        except GitProblem as problem:
            try:
                arrived = clone.pushed() == commit
            except GitProblem as silent:
                return _End(
                    "unknown",
                    f"{problem}; whether it arrived is not known ({silent}); the revert "
                    f"{commit[:12]} stands in {clone.path}",
                    commit=commit,
                )
            if not arrived:
                return self._taken_back(commit, problem)
            self.say(f"{problem}; but it arrived")
        return self._awaited(None, lambda: self._newest(lambda each: each.commit == commit), commit)

    def _taken_back(self, commit: str, problem: GitProblem) -> _End:
        clone = self.plan.clone()
        try:
            clone.take_back(commit)
        except GitProblem as stands:
            says = f"{problem}; nothing was pushed; the revert {commit[:12]} stands here: {stands}"
            return _End("not_done", says)
        return _End("not_done", f"{problem}; nothing was pushed, and the clone is as it was")

    # --- waiting ------------------------------------------------------------------------------

    def _newest(self, wanted: Callable[[Deploy], bool]) -> Deploy | None:
        """The newest deploy that was not there before."""
        found = self.platform.deploys()
        return next(
            (each for each in found if each.id not in self.plan.known and wanted(each)), None
        )

    def _appeared(self, wanted: Callable[[Deploy], bool]) -> Deploy | None:
        """A new deploy, looked for several times."""
        for look in range(LOOKS):
            if look:
                self.clock.sleep(EVERY_S)
            try:
                found = self._newest(wanted)
            except SourceError as problem:
                self.say(str(problem))
                continue
            if found is not None:
                return found
        return None

    def _awaited(
        self, made: Deploy | None, ask: Callable[[], Deploy | None], commit: str = ""
    ) -> _End:
        """The end of the deploy, and of the runbook's wait."""
        begun = self.clock.now()
        until = begun + timedelta(seconds=self.wait_s)
        status = told_at = None
        while True:
            try:
                made = ask() or made
            except SourceError as problem:
                self.say(f"{problem}; asking again")
            now = self.clock.now()
            if made is not None and made.state in ("failed", "replaced"):
                why = "replaced by another deploy" if made.state == "replaced" else made.status
                return _End("deploy_failed", f"{made.id}: {why}", made, commit)
            seen = made.status if made is not None else "not there yet"
            if seen != status or (now - (told_at or begun)).total_seconds() >= TOLD_EVERY_S:
                after = (now - begun).total_seconds()
                left = max(0.0, (until - now).total_seconds())
                self.say(f"deploy {seen} after {after:.0f} s; {left:.0f} s of the wait are left")
                status, told_at = seen, now
            if now >= until:
                break
            self.clock.sleep(min(EVERY_S, (until - now).total_seconds()))
        if made is not None and made.state == "live":
            return _End("live", f"{made.id} is live", made, commit)
        what = made.id if made is not None else "the deploy of the revert"
        return _End(
            "under_way", f"{what}: {status}, still not live after {self.wait_s:g} s", made, commit
        )

    def _health(self) -> Verdict:
        """The verdict of HEALTH-SCHEMA, asked now."""
        production = self.plan.production
        health = production.health
        self.say("verifying health")
        source = HealthSource(health, production.service.control_url, self.clock)
        objective = HealthDocument(
            schema=health.schema,
            timestamp=health.timestamp,
            uptime=health.uptime,
            database=health.database,
            fresh_s=health.fresh_s,
        )
        evidence = {"health": source.document(), "control": source.control()}
        verdict = objective.judge(evidence)
        self.say(f"health: {verdict.outcome}: {verdict.reason}")
        return verdict

    # --- writing it down ----------------------------------------------------------------------

    def _written(self, end: _End, health: Verdict | None, began: str) -> Carried:
        live = end.result in ("done", "unhealthy", "health_unknown")
        now = self.clock.now()
        content: dict[str, Any] = {
            "began": began,
            "result": end.result,
            "says": end.says,
            "deploy": end.deploy.id if end.deploy is not None else "",
            "commit": end.commit or (end.deploy.commit if end.deploy is not None else ""),
        }
        if health is not None:
            content["health"] = {
                "outcome": str(health.outcome),
                "code": health.code,
                "reason": health.reason,
            }
        try:
            path = self._write(content, now if live else None)
        except LedgerError as problem:
            self.say(f"{end.result}: {end.says}; not written down: {problem}")
            raise
        steps = self._next(end, live)
        for step in steps:
            self.say(f"next: {step}")
        return Carried(
            outcome=OUTCOMES.get(end.result, Outcome.INCONCLUSIVE),
            result=end.result,
            says=end.says,
            start=self.start,
            end=now if live else None,
            deploy=content["deploy"],
            health=health,
            entry=path,
            steps=tuple(steps),
        )

    def _write(
        self, content: dict[str, Any], end: datetime | None, after: Link | None = None
    ) -> Path:
        planned = self.plan
        whole = {
            "by": self.by,
            "because": self.because,
            "start": self.start.timestamp(),
            "end": end.timestamp() if end is not None else None,
            "way": planned.way,
            "from_deploy": planned.live.id,
            "from_commit": planned.live.commit,
            "to_deploy": planned.good.id,
            "to_commit": planned.good.commit,
            "auto_deploy": self.auto_deploy,
            **content,
        }
        return self.ledger.append("rollback", {**self._scrub.plain(whole), "at": self.clock.now()})

    def _next(self, end: _End, live: bool) -> list[str]:
        planned = self.plan
        steps = []
        if self.auto_deploy != "on":
            told = "off now" if self.auto_deploy == "off" else "perhaps off now"
            steps.append(
                f"automatic deploys are {told}: revert {planned.live.commit[:12]} on "
                f"{planned.service.branch or 'its branch'} first, then switch them on again: "
                f"{planned.platform.switch_on_command()}"
            )
        if not live and end.result != "not_done":
            steps.append(
                "look at the platform; once a deploy is live, declare its restart: "
                f"{COMMAND} declare {planned.watch}"
            )
        if live and end.result != "done":
            steps.append("health is not as agreed: call the people on the checkpoint's page")
        if live:
            steps.append("run the checkpoint again; the restart is declared")
        steps.append("investigate, and plan the fix for the next deployment")
        return steps


OUTCOMES = {
    "done": Outcome.PASS,
    "unhealthy": Outcome.FAIL,
    "deploy_failed": Outcome.FAIL,
    "not_done": Outcome.FAIL,
}
"""Of each result; any other is INCONCLUSIVE."""


def _with_health(end: _End, health: Verdict) -> _End:
    """``end`` with what the health says of it, when the deploy is live."""
    told = f"{end.says}; health {health.outcome}: {health.reason}"
    if end.result != "live":
        return _End(end.result, told, end.deploy, end.commit)
    by_health = {Outcome.PASS: "done", Outcome.FAIL: "unhealthy"}
    return _End(by_health.get(health.outcome, "health_unknown"), told, end.deploy, end.commit)
