"""What to do now: each step a sentence, and where there is one a command to copy.

Rules of this module:

- A command holds nothing that the system under watch wrote: names are ours or production.toml's,
  and quoted for the shell.
- Nothing here is done; a person does it.
- A command works as it is printed. A rehearsal's servers end with its checkpoint: what would ask
  them, or roll them back, is said without one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from hour24.ledger.record import Record
from hour24.watch import marker

PYTHON = ("python", "-m", "hour24")
NOTHING_TO_ROLL_BACK = (
    "a rehearsal has nothing to roll back; on a production the commands stand here"
)
SUPABASE_STATUS = "https://status.supabase.com/api/v2/summary.json"


class Step(Struct, frozen=True, kw_only=True):
    """One thing to do; ``command`` is empty where there is none."""

    text: str
    command: str = ""


class Commands:
    """The commands of one checkpoint.

    Args:
        repository: ``path``, ``remote``, ``branch``, where a revert happens.
        reports: where the watches are kept; empty: where a command looks by itself.
    """

    def __init__(
        self, record: Record, repository: Mapping[str, str] | None = None, reports: str = ""
    ) -> None:
        self.record = record
        self.rehearsal = record.rehearsal is not None
        self.reports = reports
        self.repository = {"path": ".", "remote": "origin", "branch": "main", **(repository or {})}

    def again(self, why: str) -> Step:
        """Run this checkpoint again."""
        where = [*self._target(), *self._watch(), *self._reports()]
        return Step(
            text=why, command=shlex.join(["pytest", "-m", marker(self.record.hour), *where])
        )

    def rollback(self) -> list[Step]:
        """The runbook's rollback, step by step."""
        investigate = Step(text="Investigate, and plan the fix for the next deployment")
        if self.rehearsal:
            return [
                Step(
                    text="See the plan, roll back, wait 5 minutes, verify health: "
                    + NOTHING_TO_ROLL_BACK
                ),
                investigate,
            ]
        at = self.repository
        git = ["git", "-C", at["path"]]
        return [
            Step(
                text="See the plan: which deploy is live, which one was the last good one",
                command=self._command("rollback", self._name()),
            ),
            Step(
                text="Roll back: on the platform with automatic deploys switched off (the plan's "
                "command does both), or by reverting the last commit",
                command=f"{shlex.join([*git, 'revert', '--no-edit', 'HEAD'])} && "
                + shlex.join([*git, "push", at["remote"], f"HEAD:{at['branch']}"]),
            ),
            Step(text="Wait 5 minutes, then verify health", command=self._health()),
            investigate,
        ]

    def prepared(self) -> list[Step]:
        """The rollback, prepared and not done."""
        if self.rehearsal:
            return [Step(text=f"Prepare the rollback: {NOTHING_TO_ROLL_BACK}")]
        return [
            Step(
                text="Prepare the rollback: see its plan, and have it ready",
                command=self._command("rollback", self._name()),
            )
        ]

    def supabase(self, told: Sequence[str] = ()) -> Step:
        """Read Supabase's status."""
        here = [each for each in told if "supabase" in each.lower()]
        beside = f"; it said: {'; '.join(here)}" if here else ""
        return Step(
            text=f"Read Supabase's status{beside}",
            command=f"curl -sS {SUPABASE_STATUS}",
        )

    def logs(self) -> Step:
        """Read the logs."""
        return Step(text="Read the service's logs, from a minute before the first failure on")

    def health(self) -> Step:
        """Ask the health endpoint by hand."""
        gone = "; this rehearsal's has ended with its checkpoint" if self.rehearsal else ""
        return Step(text=f"Ask the health endpoint by hand{gone}", command=self._health())

    def waive(self, criterion: str) -> Step:
        """Waive what will not be measured any more."""
        return Step(
            text=f"If {criterion} is not to hold the launch up, a named person waives it, with "
            "the reason and until when",
            command=self._command(
                "waive",
                f"{shlex.quote(criterion)} {self._name()} --hour {self.record.hour}",
                "--by NAME --because REASON --until DATE",
            ),
        )

    def classify(self) -> Step:
        """Say what an unknown error is."""
        return Step(
            text="Say of each error that no class knows whether it is normal or critical",
            command=self._command(
                "classify",
                f"ISSUE {self._name()}",
                "--as normal --by NAME --because REASON",
            ),
        )

    def declare(self, why: str) -> Step:
        """Declare a deploy."""
        return Step(
            text=why,
            command=self._command(
                "declare", self._name(), "--start MOMENT --by NAME --because REASON"
            ),
        )

    def signoff(self) -> Step:
        """What the sign-off's own criteria miss."""
        return Step(
            text="See exactly what is missing; the eight are not waived, but what they rest on "
            "is, and hour 24 is then run again",
            command=self._command("signoff", self._name()),
        )

    def prober(self) -> Step:
        """Start what looks between the checkpoints."""
        where = [*self._target(), *self._watch(), *self._reports()]
        return Step(
            text="Start a prober: nothing is seen between the checkpoints",
            command="" if self.rehearsal else shlex.join([*PYTHON, "probe", *where]),
        )

    def doctor(self) -> Step:
        """Try every credential, address and right."""
        command = shlex.join([*PYTHON, "doctor", *self._target()])
        return Step(
            text="Try every credential, address and right",
            command="" if self.rehearsal else command,
        )

    def _command(self, name: str, about: str, said: str = "") -> str:
        """``python -m hour24 NAME ...``; its parts are quoted already."""
        parts = (*PYTHON, name, about, shlex.join(self._reports()), said)
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
        """A command that asks the health endpoint, as the checkpoint did."""
        if self.rehearsal:
            return ""
        for judged in self.record.criteria:
            plain = judged.evidence.get("health") or {}
            asked = str((plain.get("question") or {}).get("asked") or "")
            if asked.startswith("GET http") and asked.isprintable():
                return shlex.join(["curl", "-sS", "-i", "--max-time", "10", asked.split()[1]])
        return ""


def distinct(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Each step once, where it first stood; of several with one command the first."""
    kept: dict[str, Step] = {}
    for step in steps:
        kept.setdefault(step.command or step.text, step)
    return tuple(kept.values())
