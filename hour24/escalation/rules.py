"""The decision table of the runbook: observations and what to do about them.

Rules of this module:

- Only failures of the system under watch lead to ALERT or ROLL BACK. A witness that did not answer
  leads to RETRY or HOLD.
- A rollback helps only against faults in the code of the service. A critical issue caused by the
  database or a vendor is an ALERT: an older deploy would fail the same way.
- Each rule is independent and yields its findings; the worst action of all is the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from hour24.codes import AGAIN, SETTLED_BY_MORE_EVIDENCE
from hour24.criteria import CRITERIA, EIGHT, database, errors, health, process
from hour24.documents import value_at
from hour24.escalation.causes import (
    NO_EVENT,
    NOT_CLASSIFIED,
    Cause,
    Issue,
    causes,
    evidence_named,
    issues,
    live_deploy,
    status_pages,
)
from hour24.escalation.steps import Commands, Step
from hour24.evidence import Counts, Document, Probes, Series
from hour24.ledger.record import Judged, Record
from hour24.text import count_of, format_percent, join_some
from hour24.verdict import Outcome

ERROR_RATE = 0.05
"""The share of failed requests above which the runbook raises the alarm."""
HOUR_S = 3600.0
FEWEST_REQUESTS = 20
"""With fewer requests in an hour one failure alone would exceed the error rate."""
FAILING_S = 120.0
"""The runbook proposes a rollback if health fails for longer than this."""
CLOCKS = frozenset({"source_clock", "clock_skew"})
"""Codes of another clock than ours: a retry changes nothing until a person sets one."""
TRIES = 2
"""Attempts after which sources that do not answer need a human decision."""
DATABASE = "database"
"""The cause of errors for which the runbook has a separate row."""
ROOT_CAUSE_WITHIN = timedelta(minutes=5)
"""The runbook's deadline for knowing the root cause of a high error rate."""
AFTERWARDS = {
    "critical": "Run the checkpoint again; the rollback counts as a declared deploy",
    "high": "Run the checkpoint again",
}
"""Severity of a new issue -> why the checkpoint is run again."""


class Action(StrEnum):
    """What to do now, the mildest first."""

    PROCEED = "PROCEED"
    RETRY = "RETRY"
    HOLD = "HOLD"
    ALERT = "ALERT"
    ROLL_BACK = "ROLL BACK"

    @property
    def weight(self) -> int:
        """Return the position among the actions; a larger one is worse."""
        return list(Action).index(self)


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one rule.

    Args:
        rule: the row of the runbook.
        why: the observation, one sentence.
        again: why this checkpoint is run again after the steps; empty: it is not.
        about: ids of the criteria concerned.
        deadline: time in which the root cause must be known; None: no deadline.
    """

    action: Action
    rule: str
    why: str
    steps: tuple[Step, ...] = ()
    again: str = ""
    about: tuple[str, ...] = ()
    deadline: timedelta | None = None


class Observations(Struct, frozen=True, kw_only=True):
    """The input of the rules."""

    record: Record
    before: tuple[Record, ...]
    causes: tuple[Cause, ...]
    issues: tuple[Issue, ...]
    pages: tuple[str, ...]
    commands: Commands

    @classmethod
    def of(cls, record: Record, before: Sequence[Record], commands: Commands) -> Observations:
        return cls(
            record=record,
            before=tuple(before),
            causes=causes(record),
            issues=issues(record),
            pages=tuple(status_pages(record)),
            commands=commands,
        )

    def failed(self, *ids: str) -> list[Judged]:
        """Return the failed verdicts of these criteria; of all, if none are named."""
        return [
            judged
            for judged in self.record.criteria
            if judged.outcome == Outcome.FAIL and (not ids or judged.id in ids)
        ]

    def not_measured(self) -> list[Judged]:
        """Return the INCONCLUSIVE verdicts that more evidence alone will not resolve."""
        found = [
            judged
            for judged in self.record.criteria
            if judged.outcome == Outcome.INCONCLUSIVE
            and judged.code not in SETTLED_BY_MORE_EVIDENCE
        ]
        return [each for each in found if each.id not in EIGHT] or found


def error_rate(observed: Observations) -> Iterator[Finding]:
    """Yield a finding if the error rate is above 5 %; the main cause decides what to do."""
    for judged in observed.failed(errors.RATE.id, errors.TREND.id):
        worst = _worst_share(judged, observed.record.window.start.timestamp())
        if worst is None or worst[0] <= ERROR_RATE:
            continue
        share, what = worst
        main = observed.causes[0] if observed.causes else None
        cause = main.cause if main is not None and main.share > 0.5 else ""
        listed = ", ".join(
            f"{each.cause} {format_percent(each.share, 0)}" for each in observed.causes
        )
        why = f"{format_percent(share)} of requests failed {what}; causes: {listed or 'not known'}"
        rule, steps, action = "Error rate above 5 %", observed.commands, Action.ALERT
        followed: tuple[Step, ...]
        vendor = steps.vendor(cause) if cause != DATABASE else ""
        if vendor:
            action = Action.HOLD
            rule += f", mostly {vendor}: expected, monitor"
            followed = (
                steps.status_pages(observed.pages, cause),
                Step(text=f"Mostly {vendor}: expected; watch whether it continues"),
            )
        elif cause == DATABASE:
            rule += ", mostly the database: read its status page"
            followed = (steps.status_pages(observed.pages, cause), steps.logs())
        elif cause == NOT_CLASSIFIED:
            assert main is not None
            rule += (
                f", {format_percent(main.share, 0)} unclassified: treat as code until classified, "
                "prepare the rollback"
            )
            followed = (steps.logs(), steps.classify(), *steps.prepared())
        elif main is None or main.cause == NO_EVENT:
            rule += ", cause not known: read the logs, prepare the rollback"
            followed = (steps.logs(), *steps.prepared())
        elif cause == "code":
            rule += ", mostly code: prepare the rollback"
            followed = (steps.logs(), *steps.prepared())
        else:
            rule += ", several causes: read the logs, prepare the rollback"
            followed = (steps.logs(), *steps.prepared())
        yield Finding(
            action=action,
            rule=rule,
            why=why,
            steps=followed,
            about=(judged.id,),
            deadline=ROOT_CAUSE_WITHIN,
        )
        return


def health_fails(observed: Observations) -> Iterator[Finding]:
    """Yield a finding if health still fails after the retries, or failed between checkpoints."""
    commands = observed.commands
    for judged in observed.failed(health.SCHEMA.id):
        document = evidence_named(judged, "health")
        lasted, database = 0.0, False
        if isinstance(document, Document):
            attempts = document.question.attempts
            lasted = (attempts[-1].at - attempts[0].at).total_seconds() if attempts else 0.0
            pointer = str((judged.objective or {}).get("database") or "/database")
            database = value_at(document.body, pointer) is False
        steps = [commands.logs(), commands.health()]
        if database:
            steps.insert(0, commands.status_pages(observed.pages, DATABASE))
        if lasted >= FAILING_S:
            steps += commands.prepared()
        long = ", for longer than 2 minutes: alert the team, propose the rollback"
        still = ", still after the retries: read the logs"
        yield Finding(
            action=Action.ALERT,
            rule="Health check fails"
            + (long if lasted >= FAILING_S else still)
            + ("; database false: read the database's status page" if database else ""),
            why=judged.reason,
            steps=tuple(steps),
            about=(judged.id,),
        )
    for judged in observed.failed(health.ALWAYS.id):
        probes = evidence_named(judged, "probes")
        longest = judged.figures.get("longest_outage_s", 0.0) or (
            max((failure.lasted_s for failure in probes.failures), default=0.0)
            if isinstance(probes, Probes)
            else 0.0
        )
        long_ago = longest > FAILING_S
        yield Finding(
            action=Action.ALERT if long_ago else Action.HOLD,
            rule="Health check failed since the last checkpoint"
            + (", for longer than 2 minutes: alert the team" if long_ago else ": read the logs"),
            why=judged.reason,
            steps=(commands.logs(),),
            about=(judged.id,),
        )


def critical_issue(observed: Observations) -> Iterator[Finding]:
    """Yield a finding for new or critical issues, by severity."""
    commands = observed.commands
    judged = tuple(each.id for each in observed.failed(errors.NEW.id, errors.CRITICAL.id))
    if not judged:
        return
    for severity, row, steps, action in (
        ("critical", "critical (blocks calls): roll back", commands.rollback(), Action.ROLL_BACK),
        (
            "high",
            "high (some users): fix and redeploy",
            [commands.declare("Fix it and redeploy; declare the deploy")],
            Action.ALERT,
        ),
        ("medium", "medium: monitor, fix later", [commands.classify()], Action.HOLD),
        ("low", "low: document", [commands.classify()], Action.HOLD),
    ):
        found = [issue for issue in observed.issues if issue.severity == severity and issue.new]
        elsewhere = [i for i in found if i.cause == DATABASE or commands.vendor(i.cause)]
        own = [issue for issue in found if issue not in elsewhere]
        if own:
            yield Finding(
                action=action,
                rule=f"New critical issue, {row}",
                why=f"new: {_titles(own)}",
                steps=tuple(steps),
                again=AFTERWARDS.get(severity, ""),
                about=judged,
            )
        if elsewhere:
            yield Finding(
                action=Action.ALERT if severity in ("critical", "high") else Action.HOLD,
                rule=f"New {severity} issue of the database or a vendor: read its status",
                why=f"new; a rollback would not help: {_titles(elsewhere)}",
                steps=(
                    *(
                        commands.status_pages(observed.pages, cause)
                        for cause in dict.fromkeys(issue.cause for issue in elsewhere)
                    ),
                    commands.logs(),
                ),
                about=judged,
            )
    old = [
        i for i in observed.issues if i.known and not i.new and i.severity in ("critical", "high")
    ]
    live = [issue for issue in old if since_hour(observed, issue) is not None]
    if live and observed.failed(errors.CRITICAL.id):
        hour = min(since_hour(observed, issue) or 0 for issue in live)
        yield Finding(
            action=Action.ROLL_BACK,
            rule=f"Critical issue since hour {hour}, with the same deploy still live: roll back",
            why=f"still occurring: {_titles(live)}",
            steps=tuple(commands.rollback()),
            again=AFTERWARDS["critical"],
            about=judged,
        )
    old = [issue for issue in old if issue not in live]
    if old and observed.failed(errors.CRITICAL.id):
        yield Finding(
            action=Action.ALERT,
            rule="Critical issue that is not new: fix and redeploy",
            why=f"not new, with events in the window: {_titles(old)}",
            steps=(commands.logs(), *commands.prepared()),
            about=judged,
        )


def since_hour(observed: Observations, issue: Issue) -> int | None:
    """Return the hour at which this issue was new and a rollback due that was not carried out.

    None when an earlier deploy would have it too, or another deploy went live since.
    """
    live = live_deploy(observed.record)
    elsewhere = issue.cause == DATABASE or observed.commands.vendor(issue.cause)
    if not live or issue.severity != "critical" or elsewhere:
        return None
    return next(
        (
            before.hour
            for before in observed.before
            if live_deploy(before) == live
            and any(each.issue == issue.issue and each.new for each in issues(before))
        ),
        None,
    )


def critical_class(observed: Observations) -> Iterator[Finding]:
    """Yield a finding for each failed criterion that watches a critical class of the runbook."""
    for judged in observed.failed():
        criterion = CRITERIA.get(judged.id)
        critical = criterion.runbook_class if criterion is not None else None
        if critical is None:
            continue
        steps = [observed.commands.logs(), *observed.commands.prepared()]
        if judged.id == database.ONLINE.id:
            steps = [
                observed.commands.status_pages(observed.pages, DATABASE),
                observed.commands.logs(),
            ]
        yield Finding(
            action=Action.ALERT,
            rule=f"{critical.severity.capitalize()}: {critical.name}",
            why=judged.reason,
            steps=tuple(steps),
            about=(judged.id,),
        )


def rising_memory(observed: Observations) -> Iterator[Finding]:
    """Yield a finding if memory rises steeply, but for too short a time to be called a leak."""
    for judged in observed.record.criteria:
        suspected = judged.figures.get("suspected", 0.0) > 0
        if judged.id == process.MEMORY.id and judged.outcome == Outcome.INCONCLUSIVE and suspected:
            yield Finding(
                action=Action.ALERT,
                rule="Memory is rising steeply: it may be a leak",
                why=judged.reason,
                steps=(observed.commands.logs(), *observed.commands.prepared()),
                about=(judged.id,),
            )


def other_failures(observed: Observations, covered: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for failed criteria that no row of the runbook covers.

    Args:
        covered: ids that other findings concern.
    """
    commands = observed.commands
    failed = [each for each in observed.failed() if each.id not in covered]
    own = [each for each in failed if each.id not in EIGHT]
    if not own and not covered:
        own = failed
    if own:
        ids = tuple(dict.fromkeys(each.id for each in own))
        steps = [commands.decide()]
        if process.RESTARTS.id in ids:
            steps.append(
                commands.declare(
                    "If a deploy caused the restart, declare it; other restarts count as failures"
                )
            )
        if any(name in EIGHT for name in ids):
            steps.append(commands.signoff())
        yield Finding(
            action=Action.HOLD,
            rule="A check failed and needs a human decision",
            why=_reasons(own) + _since(observed, set(ids)),
            steps=tuple(steps),
            about=ids,
        )


def not_measured(observed: Observations) -> Iterator[Finding]:
    """Yield findings for what was not measured: a retry if it may help, else a human decision."""
    found = observed.not_measured()
    commands = observed.commands
    again = [each for each in found if each.code in AGAIN]
    if again and observed.record.attempt < TRIES:
        yield Finding(
            action=Action.RETRY,
            rule="Some sources did not answer; a retry may succeed",
            why=_reasons(again),
            again="Run this checkpoint again",
            about=tuple(dict.fromkeys(each.id for each in again)),
        )
    elif again:
        yield _hold_for_doctor(
            observed,
            again,
            "Some sources did not answer, on a retry either: needs a human decision",
            "Run this checkpoint again once the sources answer",
        )
    clocks = [each for each in found if each.code in CLOCKS]
    if clocks:
        yield _hold_for_doctor(
            observed,
            clocks,
            "The clock of this machine and other clocks differ: correct the wrong one",
            "Run this checkpoint again once the clocks agree",
        )
    rest = [each for each in found if each.code not in AGAIN | CLOCKS]
    if rest:
        codes = {each.code for each in rest}
        steps = []
        if codes & {"no_prober", "coverage_too_low"} and not observed.record.prober.running:
            steps.append(commands.prober())
        if "unclassified" in codes:
            steps.append(commands.classify())
        if codes & {"source_refused", "source_lacks", "login_refused", "not_described"}:
            steps.append(commands.doctor())
        if all(each.id in EIGHT for each in rest):
            steps.append(commands.signoff())
        yield Finding(
            action=Action.HOLD,
            rule="Some checks could not run and need a human decision",
            why=_reasons(rest),
            steps=tuple(steps),
            about=tuple(dict.fromkeys(each.id for each in rest)),
        )


def _hold_for_doctor(
    observed: Observations, found: Sequence[Judged], rule: str, again: str
) -> Finding:
    """Return the finding for what `doctor` explains and a later run measures."""
    return Finding(
        action=Action.HOLD,
        rule=rule,
        why=_reasons(found),
        steps=(observed.commands.doctor(),),
        again=again,
        about=tuple(dict.fromkeys(each.id for each in found)),
    )


RULES: tuple[Callable[[Observations], Iterator[Finding]], ...] = (
    health_fails,
    error_rate,
    critical_issue,
    critical_class,
    rising_memory,
)
"""The rows of the runbook; of several findings with one action the first gives the rule."""


def _worst_share(judged: Judged, since: float) -> tuple[float, str] | None:
    """Return the largest share of failed requests in the evidence, and when it was.

    Args:
        since: start of the window, epoch seconds; earlier failures were reported then, and their
            causes are not those of this window.
    """
    found = []
    for name in judged.evidence:
        each = evidence_named(judged, name)
        if isinstance(each, Counts) and each.total > 0 and judged.id == errors.RATE.id:
            of = count_of(each.bad, each.total)
            found.append((each.bad / each.total, f"in the window ({of})"))
        elif isinstance(each, Series) and each.unit == "requests":
            found += _hours(each, since)
    return max(found, default=None)


def _hours(series: Series, since: float) -> Iterator[tuple[float, str]]:
    """Yield the share of failed requests of each hour since ``since`` with enough requests."""
    total: dict[int, float] = {}
    bad: dict[int, float] = {}
    for line in series.lines:
        failing = str(line.labels.get("status", "")).startswith("5")
        for at, value in zip(line.times, line.values, strict=True):
            if at < since:
                continue
            hour = int((at - since) // HOUR_S)
            total[hour] = total.get(hour, 0.0) + (value or 0.0)
            bad[hour] = bad.get(hour, 0.0) + (value or 0.0) * failing
    for hour, many in total.items():
        if many >= FEWEST_REQUESTS:
            yield bad[hour] / many, f"in one hour ({count_of(bad[hour], many)})"


def _titles(found: Sequence[Issue]) -> str:
    return join_some([f"{issue.issue} {issue.title}".strip() for issue in found])


def _reasons(found: Sequence[Judged]) -> str:
    return join_some(
        [f"{each.id}{' ' + each.subject if each.subject else ''}: {each.reason}" for each in found]
    )


def _since(observed: Observations, ids: set[str]) -> str:
    """Return the first checkpoint of this run of failures as text; empty if it is this one."""
    since = None
    for record in sorted(observed.before, key=lambda each: (each.hour, each.attempt), reverse=True):
        if record.early or record.hour >= observed.record.hour:
            continue
        if not ids & {each.id for each in record.criteria if each.outcome == Outcome.FAIL}:
            break
        since = record.hour
    return "" if since is None else f" (failing since hour {since})"
