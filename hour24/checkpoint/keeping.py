"""Asks what exists only now when a checkpoint is due, and keeps the answers for a later run.

Rules of this module:

- It is an attempt at a checkpoint that leaves no record, no page and no heartbeat, and does not
  hold the checkpoint's lock: a run of the checkpoint may begin at any time.
- It asks as a checkpoint asks, and only what a later run could not ask. What was answered before
  is not asked again.
- A criterion that these answers prove to have failed is an alert at once; nothing else is judged.
- An answer is redacted and on disk before anything is judged by it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from hour24.checkpoint import notify
from hour24.checkpoint.inquiry import QUESTIONS, Answer, RegisteredQuestion
from hour24.checkpoint.kept import FOLDER, Keeper, blind_names, plain_of
from hour24.checkpoint.lanes import Lanes, by_provider, kept_names
from hour24.checkpoint.run import Run
from hour24.errors import ConfigurationError, LedgerError
from hour24.evidence import Evidence, Unanswered
from hour24.ledger.record import Judged, Record
from hour24.probes.lines import Alarm, LineWriter
from hour24.secrets import scan
from hour24.text import format_duration
from hour24.verdict import Outcome
from hour24.watch import Checkpoint
from hour24.witnesses.port import Measure

RULE = "due_check"
"""Name of the alarm."""


class NoJournal:
    """The journal of an attempt that leaves none."""

    def write(self, content: dict[str, Any]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class KeepingRun(Run):
    """Asks what exists only now, and keeps the answers."""

    keeps = True
    keeper: Keeper
    asked_now: set[str]
    alarmed: int

    def begin(self, jumped_s: float) -> None:
        """Open the file of this attempt. Raises: LedgerError, if it cannot be written."""
        try:
            self.keeper = Keeper(self.get_inquiry().asked, jumped_s)
        except OSError as problem:
            raise LedgerError(
                f"{self.ledger.folder}: expected to write it, got {problem}"
            ) from None
        self.resources.callback(self.keeper.close)
        self.asked_now = set()
        self.alarmed = 0

    def chooses(self, names: set[str]) -> bool:
        """Whether a criterion that names these questions has some that exist only now."""
        return "ask" in names or any(name in QUESTIONS and QUESTIONS[name].now for name in names)

    def comes_last(self, names: set[str]) -> bool:
        """Whether one of these questions waits for minutes, so that its criterion comes last."""
        asked = [QUESTIONS[name] for name in names if name in QUESTIONS]
        return any(each.measure is Measure.RECEIPT for each in asked)

    def ask(self, names: set[str]) -> None:
        importlib.import_module("hour24.asking")
        now = {name for name in names if QUESTIONS[name].now}
        self.asked_now = self._blind(now)
        ledger = {name for name in names if QUESTIONS[name].lane == "ledger"}
        self.lanes = Lanes(self.get_inquiry(), self.asked_now | ledger, self._answered)

    def answer(self, name: str) -> Any:
        question = QUESTIONS[name]
        if question.measure is Measure.RECEIPT:
            self.alarm()  # before minutes of waiting
        if name in self.asked_now or question.lane == "ledger":
            return super().answer(name)
        inquiry = self.get_inquiry()
        if question.now:
            names = kept_names(self.production, question)
            answers = {section: inquiry.kept(each) for section, each in names.items()}
            return by_provider(answers) if len(answers) > 1 else next(iter(answers.values()))
        reason = f"{name}: expected it to be asked by the checkpoint, which can ask it later"
        return Unanswered(question=inquiry.question(name), code="not_described", reason=reason)

    def keep_own(self, name: str, answer: Evidence) -> None:
        """Keep an answer of a custom criterion."""
        self._keep_answer(name, answer)

    def _blind(self, names: set[str]) -> set[str]:
        """Returns the questions of which a source has not answered yet."""
        asked = self.get_inquiry().asked
        return {
            name
            for name in names
            if blind_names(asked, kept_names(self.production, QUESTIONS[name]).values())
        }

    def _answered(self, name: str, asked: RegisteredQuestion, answer: Answer) -> None:
        if asked.now:
            self._keep_answer(name, answer)

    def _keep_answer(self, name: str, answer: Answer) -> None:
        plain, each = plain_of(answer)
        clean = self.redactor.plain(plain)
        with self.writing:
            try:
                self.keeper.keep(name, clean, each=each, ended=self.context.clock.now())
            except OSError as problem:
                self.trouble.append(f"{self.keeper.path}: {name}: not kept: {problem.strerror}")

    def _keep(self, judged: Judged, stored: Mapping[str, dict[str, Any]] | None = None) -> Judged:
        self.judged.append(judged)
        return judged

    # --- the end ------------------------------------------------------------------------------

    def alarm(self) -> None:
        """Alert people to criteria that have failed, in one message; again only for others."""
        failed = [
            each
            for each in self.judged
            if each.outcome == Outcome.FAIL and each.id not in self.advisory
        ]
        fresh = failed[self.alarmed :]
        if not fresh:
            return
        self.alarmed = len(failed)
        named = ", ".join(dict.fromkeys(one.id for one in fresh))  # a message may be cut
        why = "; ".join(f"{one.id} {one.subject}".strip() + f": {one.reason}" for one in fresh)
        banner = "" if self.context.rehearsal is None else "REHEARSAL "
        alarm = Alarm(
            at=self.context.clock.now(),
            rule=RULE,
            since=self.started,
            says=self.redactor.text(f"{banner}hour {self.checkpoint.hour}: failed: {named}. {why}"),
            simulated=self.context.rehearsal is not None,
        )
        try:
            writer = LineWriter(self.ledger.folder / "probe" / "alarms" / self.keeper.path.name)
            writer.write(alarm)
            writer.close()
        except OSError as problem:
            self.trouble.append(f"{self.ledger.folder}/probe/alarms: {problem.strerror}")
        notify.send_alarm(self, alarm)

    def write(self, interrupted: str = "") -> Record:
        """Waits for what was asked, alerts, and returns how it ended, which is not written.

        Its outcome is INCONCLUSIVE if a question has no answer yet, FAIL if an alert was sent.
        """
        for name in sorted(self.asked_now):
            if interrupted:
                break
            answer = super().answer(name)
            if isinstance(answer, Unanswered) and answer.code == "source_timeout":
                self._keep_answer(name, answer)
        self.alarm()
        left = self._blind(self.asked_now)
        outcome = Outcome.FAIL if self.alarmed else Outcome.PASS
        if left:
            self.trouble.append(f"without an answer: {', '.join(sorted(left))}")
            outcome = Outcome.INCONCLUSIVE
        return structs.replace(self.build_record(interrupted), outcome=outcome)

    def publish(self) -> None:
        """Does nothing: the checkpoint publishes."""

    def withdraw(self) -> None:
        """Does nothing: it leaves nothing but answers."""

    def leaks(self, more: Any = ()) -> list[str]:
        secrets = (each.name for each in self.production.secrets)
        return scan.leaks(self.ledger.folder / "probe" / FOLDER, self.redactor, secrets)


def refuse_late(point: Checkpoint, now: datetime) -> None:
    """Raises: ConfigurationError, if what exists only now cannot be asked for it any more."""
    late = point.late_s(now)
    if late > point.tolerance_s:
        raise ConfigurationError(
            [
                f"--ask-only: hour {point.hour}: expected to run within "
                f"{format_duration(point.tolerance_s)} of {point.due.astimezone(UTC):%H:%M}Z, got "
                f"{format_duration(late)}"
            ]
        )
