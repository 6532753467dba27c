"""The steps of a decision: each is a sentence, with a command to copy if there is one.

Rules of this module:

- A step belongs to a phase; steps are shown in the order of their phases.
- A command contains nothing that the system under watch wrote: names are ours or from
  production.toml, quoted for the shell.
- Nothing is executed here; a person does it.
- A command works as printed. The servers of a rehearsal stop with its checkpoint, so steps that
  would query them or roll them back have no command.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC
from enum import IntEnum

from msgspec import Struct

from hour24.ledger.record import Record
from hour24.shipped import COMMAND
from hour24.verdict import Outcome
from hour24.watch import marker

STARTED = tuple(COMMAND.split())
NO_COMMANDS = "(rehearsal: no commands; in production they appear here)"


class Phase(IntEnum):
    """The order of the steps, the first phase first."""

    ROLL_BACK = 1
    CONTAIN = 2
    CONFIRM = 3
    INVESTIGATE = 4
    PREPARE_ROLLBACK = 5
    RECORD = 6
    DECIDE = 7
    RERUN = 8
    WAIVE = 9


class Step(Struct, frozen=True, kw_only=True):
    """One thing to do; ``command`` is empty if there is none."""

    text: str
    command: str = ""
    phase: Phase = Phase.INVESTIGATE

    def to_plain(self) -> dict[str, str]:
        """Return the step as the record stores it."""
        return {"text": self.text, "command": self.command}


class Commands:
    """The commands of one checkpoint.

    Args:
        reports: the folder with the watches; empty: the default of the commands.
        pages: ``name``, ``url`` and ``cause`` of each status page.
    """

    def __init__(
        self, record: Record, reports: str = "", pages: Sequence[Mapping[str, str]] = ()
    ) -> None:
        self.record = record
        self.lasting = record.target_kind.lasting
        self.reports = reports
        self.pages = tuple(pages)

    def again(self, why: str) -> Step:
        """Return the step that runs this checkpoint again."""
        where = [*self._target(), *self._watch(), *self._reports()]
        return Step(
            text=why,
            command=shlex.join(["pytest", "-m", marker(self.record.hour), *where]),
            phase=Phase.RERUN,
        )

    def rollback(self) -> list[Step]:
        """Return the steps of the rollback in the runbook."""
        investigate = Step(text="Investigate, and plan the fix for the next deployment")
        if not self.lasting:
            return [
                Step(
                    text=f"Roll back, wait 5 minutes, verify health {NO_COMMANDS}",
                    phase=Phase.ROLL_BACK,
                ),
                investigate,
            ]
        name = self._name()
        return [
            Step(
                text="Read the plan: which deploy is live, and which was the last good one",
                command=self._command("rollback", name),
                phase=Phase.ROLL_BACK,
            ),
            Step(
                text="Roll back to the last good deploy, with automatic deploys switched off",
                command=self._command("rollback", name, f"--yes {name} --by NAME --because REASON"),
                phase=Phase.ROLL_BACK,
            ),
            Step(
                text="Wait 5 minutes, then verify health",
                command=self._health(),
                phase=Phase.CONFIRM,
            ),
            investigate,
        ]

    def prepared(self) -> list[Step]:
        """Return the step that prepares the rollback without doing it."""
        if not self.lasting:
            return [Step(text=f"Prepare the rollback {NO_COMMANDS}", phase=Phase.PREPARE_ROLLBACK)]
        return [
            Step(
                text="Prepare the rollback: read its plan",
                command=self._command("rollback", self._name()),
                phase=Phase.PREPARE_ROLLBACK,
            )
        ]

    def status_pages(self, reported: Sequence[str] = (), cause: str = "") -> Step:
        """Return the step that reads the status pages of the vendors for this cause.

        Args:
            reported: what the pages reported during the checkpoint.
            cause: as in the classes of production.toml; empty: any.
        """
        pages = self.pages_of(cause)
        names = ", ".join(page["name"] for page in pages) or "your vendors"
        here = [each for each in reported if any(p["name"].lower() in each.lower() for p in pages)]
        also = f"; reported during the checkpoint: {'; '.join(here)}" if here else ""
        urls = [page["url"] for page in pages]
        return Step(
            text=f"Read the status of {names}{also}",
            command=shlex.join(["curl", "-sS", *urls]) if urls else "",
            phase=Phase.CONFIRM,
        )

    def pages_of(self, cause: str) -> list[Mapping[str, str]]:
        """Return the status pages with this name or cause; all pages if none matches."""
        found = [page for page in self.pages if _matches(page, cause)]
        return found or list(self.pages)

    def vendor(self, cause: str) -> str:
        """Return the vendor whose status page has this name or cause; empty: the service itself."""
        return next((page["name"] for page in self.pages if _matches(page, cause)), "")

    def logs(self) -> Step:
        """Return the step that reads the logs: from the first failure, or of the window."""
        if any(each.outcome == Outcome.FAIL for each in self.record.criteria):
            return Step(
                text="Read the service's logs, starting one minute before the first failure"
            )
        window = self.record.window
        start, end = (f"{at.astimezone(UTC):%H:%M}" for at in (window.start, window.end))
        return Step(text=f"Read the service's logs from {start} to {end} UTC")

    def health(self) -> Step:
        """Return the step that queries the health endpoint by hand."""
        gone = " (rehearsal: it stopped with its checkpoint)" if not self.lasting else ""
        return Step(
            text=f"Query the health endpoint by hand{gone}",
            command=self._health(),
            phase=Phase.CONFIRM,
        )

    def decide(self) -> Step:
        """Return the step for a decision that no other step covers."""
        return Step(
            text="Decide: fix, roll back, or waive each failed check below", phase=Phase.DECIDE
        )

    def waive(self, criterion: str) -> Step:
        """Return the step that waives a criterion."""
        return Step(
            text=f"To launch despite {criterion}, waive it (name, reason, expiry)",
            command=self._command(
                "waive",
                f"{shlex.quote(criterion)} {self._name()} --hour {self.record.hour}",
                "--by NAME --because REASON --until DATE",
            ),
            phase=Phase.WAIVE,
        )

    def waive_all(self) -> Step:
        """Return the step that waives everything that is open at this checkpoint."""
        return Step(
            text="To launch despite all that is open at this checkpoint, waive it (name, reason, "
            "expiry)",
            command=self._command(
                "waive",
                f"--all {self._name()} --hour {self.record.hour}",
                "--by NAME --because REASON --until DATE",
            ),
            phase=Phase.WAIVE,
        )

    def classify(self) -> Step:
        """Return the step that classifies an unknown error."""
        return Step(
            text="Classify each unknown error as normal or critical",
            command=self._command(
                "classify",
                f"ISSUE {self._name()}",
                "--as normal --by NAME --because REASON",
            ),
            phase=Phase.RECORD,
        )

    def declare(self, why: str) -> Step:
        """Return the step that declares a deploy."""
        return Step(
            text=why,
            command=self._command(
                "declare", self._name(), "--start TIME --by NAME --because REASON"
            ),
            phase=Phase.RECORD,
        )

    def signoff(self) -> Step:
        """Return the step that lists what the sign-off criteria miss."""
        return Step(
            text="List what is missing. The eight sign-off checks cannot be waived; waive the "
            "checks they depend on, then run hour 24 again",
            command=self._command("signoff", self._name()),
            phase=Phase.RECORD,
        )

    def prober(self) -> Step:
        """Return the step that starts a prober."""
        where = [*self._target(), *self._watch(), *self._reports()]
        return Step(
            text="Start a prober: without one nothing is measured between the checkpoints",
            command="" if not self.lasting else shlex.join([*STARTED, "probe", *where]),
            phase=Phase.CONTAIN,
        )

    def doctor(self) -> Step:
        """Return the step that tests every credential, address and right."""
        command = shlex.join([*STARTED, "doctor", *self._target()])
        return Step(
            text="Test every credential, address and right",
            command="" if not self.lasting else command,
            phase=Phase.CONFIRM,
        )

    def _command(self, name: str, about: str, options: str = "") -> str:
        """Return ``python -m hour24 NAME ...``; the parts are already quoted."""
        parts = (*STARTED, name, about, shlex.join(self._reports()), options)
        return " ".join(part for part in parts if part)

    def _target(self) -> list[str]:
        target = self.record.target
        return [] if target == "production.toml" else ["--target", target]

    def _name(self) -> str:
        return shlex.quote(self.record.watch)

    def _watch(self) -> list[str]:
        return ["--watch", self.record.watch]

    def _reports(self) -> list[str]:
        return ["--reports", self.reports] if self.reports else []

    def _health(self) -> str:
        """Return the command that queries the health endpoint as the checkpoint did."""
        if not self.lasting:
            return ""
        for judged in self.record.criteria:
            plain = judged.evidence.get("health") or {}
            asked = str((plain.get("question") or {}).get("asked") or "")
            if asked.startswith("GET http") and asked.isprintable():
                return shlex.join(["curl", "-sS", "-i", "--max-time", "10", asked.split()[1]])
        return ""


def _matches(page: Mapping[str, str], cause: str) -> bool:
    names = (page["name"].lower(), page.get("cause", "").lower())
    return bool(cause) and cause.lower() in names


def ordered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps by phase, each once, without those that another one makes superfluous.

    A rollback that is done is not also prepared; "decide" is kept only if there is no other step.
    """
    kept: dict[str, Step] = {}
    for step in steps:
        kept.setdefault(step.command or step.text, step)
    phases = {step.phase for step in kept.values()}
    superfluous = set()
    if Phase.ROLL_BACK in phases:
        superfluous.add(Phase.PREPARE_ROLLBACK)
    if phases - {Phase.DECIDE, Phase.RERUN, Phase.WAIVE}:
        superfluous.add(Phase.DECIDE)
    found = (step for step in kept.values() if step.phase not in superfluous)
    return tuple(sorted(found, key=lambda step: step.phase))
