"""Carries out a rollback: confirmed by a person, awaited, health verified, recorded.

Rules of this module:

- The plan is made again first; if it differs, nothing is done.
- The ledger entry is written before the first change, so that an unwritable ledger stops it.
- The order of the runbook: roll back, wait five minutes, verify health. A failed deploy is not
  awaited.
- The second entry has an end only if the new deploy is live: only then is there a restart to
  declare.
"""

from __future__ import annotations

import shlex
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
from hour24.ledger.waivers import missing_reason
from hour24.objectives.health import HealthDocument
from hour24.rollback.git import GitProblem
from hour24.rollback.planning import RUNBOOK_WAIT_S, Plan, Refused, plan, platform_for, redactor
from hour24.shipped import COMMAND
from hour24.sources.health import HealthSource
from hour24.verdict import Outcome, Verdict
from hour24.witnesses.platform import NOTHING_DONE, Deploy

EVERY_S = 10.0
"""The interval of queries to the platform while a deploy is under way."""
CHECKS = 6
"""Queries for a deploy whose answer was lost; 50 s is enough for it to be listed."""
PROGRESS_EVERY_S = 60.0
"""The interval of progress lines while nothing changes."""
Say = Callable[[str], None]


class RollbackResult(Struct, frozen=True, kw_only=True):
    """The result of a rollback.

    Args:
        outcome: PASS if the new deploy is live and healthy; FAIL if the rollback was not done, its
            deploy failed, or the live deploy is not healthy; else INCONCLUSIVE.
        result: ``done``, ``unhealthy``, ``health_unknown``, ``deploy_failed``, ``under_way``,
            ``not_done``, ``unknown``.
        end: None unless the new deploy is live.
        deploy: id of the new deploy; empty if there is none.
        health: None if there was nothing to verify.
        entry: path of the ledger entry.
        steps: the next steps for a person.
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
        """Return True if the new deploy is live and healthy."""
        return self.outcome == Outcome.PASS


@dataclass
class _End:
    """How far a rollback got."""

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
) -> RollbackResult:
    """Carry out the plan; this changes production.

    Args:
        by, because: the person who confirmed it, and the reason.
        say: called with each line of progress.
        wait_s: the timeout of the deploy in seconds; five minutes in the runbook.
    Raises: Refused, before anything is done; LedgerError, if the ledger cannot be written.
    """
    problems = list(missing_reason(by, because))
    if problems:
        raise Refused(problems)
    head = ledger.head()
    _refuse_if_changed(planned, plan(planned.production, ledger, clock, planned.way))
    rollback = _Rollback(planned, ledger, clock, by.strip(), because.strip(), say, wait_s)
    return rollback.run(head)


def _refuse_if_changed(planned: Plan, now: Plan) -> None:
    if not now.same_as(planned):
        raise Refused(
            [
                f"plan: expected {planned.live.id} to be live and {planned.good.id} the last good "
                f"one, as it was confirmed, got {now.live.id} and {now.good.id}: read the new plan"
            ]
        )


class _Rollback:
    """One rollback under way."""

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
        platform = platform_for(planned.production, ledger, clock, planned.way)
        assert platform is not None  # a plan without one is refused
        self.platform = platform
        self.start = clock.now()
        self.auto_deploy = {True: "on", False: "off", None: "unknown"}[planned.service.auto_deploy]
        self._scrub = redactor(planned.production)

    def run(self, head: Link) -> RollbackResult:
        """Run the rollback, from the first ledger entry to the last.

        Args:
            head: the newest entry of the ledger before the plan was made again; it stops a second
                person who starts at the same time.
        """
        began = self._write({"result": "begun"}, None, after=head).name
        try:
            self.start = self.clock.now()
            end = self._by_git() if self.plan.way == "git" else self._by_platform()
            health = None
            if end.result in ("live", "under_way"):
                health = self._verify_health()
                end = _with_health(end, health)
        except BaseException as problem:
            says = f"broken off by {type(problem).__name__}; see the platform for what happened"
            self.say(says)
            self._write({"result": "broken_off", "says": says, "began": began}, None)
            raise
        return self._record_result(end, health, began)

    # --- rolling back -------------------------------------------------------------------------

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
        self.say(f"rolling back to {planned.good.id}")
        try:
            made = self.platform.roll_back(planned.good.id)
        except NOTHING_DONE as problem:
            return _End("not_done", f"{problem}; nothing was rolled back")
        except SourceError as problem:
            self.say(f"{problem}; not sent again; checking if it happened anyway")
            found = self._find_new_deploy(lambda each: each.trigger in ("rollback", ""))
            if found is None:
                return _End(
                    "unknown",
                    f"{problem}; no new deploy appeared within {(CHECKS - 1) * EVERY_S:.0f} s: "
                    "check the platform before you try again",
                )
            made = found
        self.say(f"new deploy {made.id}")
        return self._wait_for_deploy(made, lambda: self.platform.deploy(made.id))

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
                    f"{commit[:12]} is still in {clone.path}",
                    commit=commit,
                )
            if not arrived:
                return self._undo_revert(commit, problem)
            self.say(f"{problem}; but it arrived")
        return self._wait_for_deploy(
            None, lambda: self._newest(lambda each: each.commit == commit), commit
        )

    def _undo_revert(self, commit: str, problem: GitProblem) -> _End:
        clone = self.plan.clone()
        try:
            clone.take_back(commit)
        except GitProblem as kept:
            says = f"{problem}; nothing was pushed; the revert {commit[:12]} is still here: {kept}"
            return _End("not_done", says)
        return _End("not_done", f"{problem}; nothing was pushed, and the clone is as it was")

    # --- waiting ------------------------------------------------------------------------------

    def _newest(self, wanted: Callable[[Deploy], bool]) -> Deploy | None:
        """Return the newest deploy that is not in the plan."""
        found = self.platform.deploys()
        return next(
            (each for each in found if each.id not in self.plan.known and wanted(each)), None
        )

    def _find_new_deploy(self, wanted: Callable[[Deploy], bool]) -> Deploy | None:
        """Return a new deploy, after several queries if needed; None if none appeared."""
        for check in range(CHECKS):
            if check:
                self.clock.sleep(EVERY_S)
            try:
                found = self._newest(wanted)
            except SourceError as problem:
                self.say(str(problem))
                continue
            if found is not None:
                return found
        return None

    def _wait_for_deploy(
        self, made: Deploy | None, ask: Callable[[], Deploy | None], commit: str = ""
    ) -> _End:
        """Wait for the end of the deploy, and for the time that the runbook asks for."""
        begun = self.clock.now()
        until = begun + timedelta(seconds=self.wait_s)
        status = reported_at = None
        while True:
            try:
                made = ask() or made
            except SourceError as problem:
                self.say(f"{problem}; asking again")
            now = self.clock.now()
            if made is not None and made.state in ("failed", "replaced"):
                why = "replaced by another deploy" if made.state == "replaced" else made.status
                return _End("deploy_failed", f"{made.id}: {why}", made, commit)
            current = made.status if made is not None else "not there yet"
            if (
                current != status
                or (now - (reported_at or begun)).total_seconds() >= PROGRESS_EVERY_S
            ):
                after = (now - begun).total_seconds()
                left = max(0.0, (until - now).total_seconds())
                self.say(f"deploy {current} after {after:.0f} s; {left:.0f} s of the wait are left")
                status, reported_at = current, now
            if now >= until:
                break
            self.clock.sleep(min(EVERY_S, (until - now).total_seconds()))
        if made is not None and made.state == "live":
            return _End("live", f"{made.id} is live", made, commit)
        what = made.id if made is not None else "the deploy of the revert"
        return _End(
            "under_way", f"{what}: {status}, still not live after {self.wait_s:g} s", made, commit
        )

    def _verify_health(self) -> Verdict:
        """Return the verdict of HEALTH-SCHEMA, measured now."""
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
            started=health.started,
            as_text=health.numbers_as_text,
        )
        evidence = {"health": source.document(), "control": source.control()}
        verdict = objective.judge(evidence)
        self.say(f"health: {verdict.outcome}: {verdict.reason}")
        return verdict

    # --- recording ---------------------------------------------------------------------------

    def _record_result(self, end: _End, health: Verdict | None, began: str) -> RollbackResult:
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
            self.say(f"{end.result}: {end.says}; not in the ledger: {problem}")
            raise
        steps = self._next_steps(end, live)
        for step in steps:
            self.say(f"next: {step}")
        return RollbackResult(
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

    def _next_steps(self, end: _End, live: bool) -> list[str]:
        planned = self.plan
        steps = []
        if self.auto_deploy != "on":
            state = "off now" if self.auto_deploy == "off" else "possibly off now"
            steps.append(
                f"automatic deploys are {state}: revert {planned.live.commit[:12]} on "
                f"{planned.service.branch or 'its branch'} first, then switch them on again: "
                f"{planned.platform.switch_on_command()}"
            )
        if not live and end.result != "not_done":
            steps.append(
                "check the platform; once a deploy is live, declare its restart: "
                f"{COMMAND} declare {shlex.quote(str(planned.ledger))} --start TIME "
                "--by NAME --because REASON"
            )
        if live and end.result != "done":
            steps.append(
                "health is not as expected: call the contacts on the page of the checkpoint"
            )
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
"""The outcome of each result; any other is INCONCLUSIVE."""


def _with_health(end: _End, health: Verdict) -> _End:
    """Return ``end`` with the health verdict; it decides if the deploy is live."""
    says = f"{end.says}; health {health.outcome}: {health.reason}"
    if end.result != "live":
        return _End(end.result, says, end.deploy, end.commit)
    by_health = {Outcome.PASS: "done", Outcome.FAIL: "unhealthy"}
    return _End(by_health.get(health.outcome, "health_unknown"), says, end.deploy, end.commit)
