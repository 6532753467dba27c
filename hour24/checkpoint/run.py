"""One attempt at one checkpoint: from the target to the record and its pages.

Rules of this module:

- It knows nothing of pytest; the plugin calls it.
- Everything that can be refused is refused before production is asked: the target, the plan
  clock, the lock, an unwritable folder.
- A verdict is journalled when it falls. The record is written once, at the end, and holds every
  criterion that was due, the ones without a verdict too.
- The page, the decision and the alerts come after the record is safe; trouble with them is
  noted and changes no verdict.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hour24.checkpoint import notify, recording
from hour24.checkpoint.attempt import Attempt
from hour24.checkpoint.inquiry import Inquiry, Lanes
from hour24.criteria import EIGHT, Criterion, own_criterion
from hour24.criteria.judges import refusal
from hour24.errors import LedgerError
from hour24.evidence import Evidence, Listing, Question, Total, Unanswered, from_plain, to_plain
from hour24.ledger.record import Judged, Record
from hour24.objectives.base import Objective
from hour24.secrets import scan
from hour24.verdict import Outcome
from hour24.witnesses.port import Measure

LOADS_AFTER_S = 0.5
"""Until then the sources' first questions are under way, and nothing else holds them up."""
BROKEN = "CRITERIA-IMPORT"
"""Id of the criterion that stands for files that do not import."""


class Run(Attempt):
    """One attempt at one checkpoint: asks, judges, records and publishes."""

    # --- asking -------------------------------------------------------------------------------

    def ask(self, names: set[str]) -> None:
        """Start the questions that the selected criteria name."""
        wanted = set(names)
        if self.production.providing(Measure.INCIDENTS):
            wanted.add("status_pages")
        # before the lanes compete for the interpreter: the first question of most waits for it
        importlib.import_module("hour24.asking")
        self.lanes = Lanes(self.asking(), wanted)
        loading = threading.Timer(LOADS_AFTER_S, _load)
        loading.daemon = True
        loading.start()

    def asking(self) -> Inquiry:
        """The sources of this checkpoint, made once."""
        if self.inquiry is None:
            context = self.context
            self.inquiry = Inquiry(
                context.production,
                self.watch,
                context.checkpoint,
                context.clock,
                context.ledger,
                baseline=context.baseline,
                found=context.addresses,
                sampling=context.per_s,
                started=self.started,
            )
        return self.inquiry

    def answer(self, name: str) -> Any:
        """The answer to one question, waited for."""
        if self.lanes is None:
            self.ask({name})
        assert self.lanes is not None
        return self.lanes.answer(name, self.waiting)

    def taken(self, answers: Mapping[str, Any]) -> dict[str, Evidence]:
        """The baseline's evidence by name; see :func:`hour24.checkpoint.baseline.taken`."""
        from hour24.checkpoint import baseline
        from hour24.evidence import control_is_silent
        from hour24.objectives.health import HealthDocument

        at = self.production.health
        agreed = HealthDocument(
            schema=at.schema,
            timestamp=at.timestamp,
            uptime=at.uptime,
            database=at.database,
            fresh_s=at.fresh_s,
        )
        silent = control_is_silent(answers.get("control"))
        each = {
            name: {one: answer[one] for one in self.production.endpoints}
            if isinstance(answer, Mapping)
            else answer
            for name, answer in answers.items()
            if name != "control"
        }
        question = self.asking().question("the baseline")
        return baseline.taken(each, self.applies, agreed, question, no_network=silent)

    # --- judging ------------------------------------------------------------------------------

    def applies(self, criterion_id: str) -> bool:
        """Whether production.toml leaves this criterion in."""
        stated = self.production.criteria.get(criterion_id)
        return stated is None or stated.applies

    def conclude(
        self,
        criterion: Criterion,
        objective: Objective,
        evidence: Mapping[str, Evidence],
        subject: str = "",
        took_s: float = 0.0,
    ) -> Judged:
        """Judge, and journal the verdict with all that it rests on.

        Evidence that an objective may do without, and that production.toml does not describe, is
        left out. What is judged is what is stored: without secrets, so that it can be judged again.

        Raises: TypeError, when this objective may not judge this criterion (ours).
        """
        stated = objective.to_plain()
        if wrong := refusal(criterion.id, subject, self.checkpoint.hour, stated):
            raise TypeError(f"{criterion.id}: {wrong}")
        given: dict[str, Evidence] = {}
        stored: dict[str, dict[str, Any]] = {}
        for name, each in evidence.items():
            undescribed = isinstance(each, Unanswered) and each.code == "not_described"
            if name in objective.may and undescribed:
                continue
            plain = to_plain(each)
            clean = self.redactor.plain(plain)
            given[name] = each if clean is plain else from_plain(clean)
            stored[name] = clean
        verdict = objective.judge(given)
        return self._keep(
            self.of(
                criterion,
                subject=subject,
                outcome=verdict.outcome,
                code=verdict.code,
                reason=verdict.reason,
                observed=verdict.observed,
                bound=verdict.bound,
                limit=verdict.limit,
                scale=verdict.scale,
                figures=verdict.figures,
                objective=stated,
                took_s=took_s,
            ),
            stored,
        )

    def without_verdict(
        self,
        criterion: Criterion,
        code: str,
        reason: str,
        outcome: Outcome = Outcome.INCONCLUSIVE,
    ) -> Judged:
        """Keep that a due criterion has no verdict, and why."""
        return self._keep(
            self.of(
                criterion,
                outcome=outcome,
                code=code,
                reason=reason,
                observed="left out" if outcome == Outcome.NOT_APPLICABLE else "not measured",
            )
        )

    def imported(self, broken: Sequence[str]) -> None:
        """Keep that a file of criteria did not import: what it holds is unknown, and not green.

        Once that was so at this hour, another attempt keeps that all of them did.
        """
        hour = self.checkpoint.hour
        if not broken and hour not in getattr(self.plan.get(BROKEN), "hours", ()):
            return
        sentence = "Every file of criteria imports"
        criterion = self.plan.setdefault(BROKEN, own_criterion(BROKEN, sentence, (hour,)))
        if broken:
            told = f"{', '.join(broken)} does not import: what it holds was not judged"
            self.without_verdict(criterion, "does_not_import", told)
            return
        from hour24.objectives.own import ValueBelow

        question = self.asking().question("files of criteria that do not import", source="pytest")
        none = Total(question=question, value=0.0, unit="files")
        self.conclude(criterion, ValueBelow(limit=1), {"value": none})

    def _keep(self, judged: Judged, stored: Mapping[str, dict[str, Any]] | None = None) -> Judged:
        """Keep a verdict; ``stored``: its evidence, without secrets already."""
        plain = self.redactor.plain(msgspec.to_builtins(judged))
        clean = msgspec.convert({**plain, "evidence": dict(stored or {})}, type=Judged)
        self.judged.append(clean)  # first: a signal may end the run in between
        try:
            self.journal.write({"kind": "judged", "judged": msgspec.to_builtins(clean)})
        except LedgerError as problem:  # the record may still be written
            self.trouble.append(str(problem))
        return clean

    # --- the end ------------------------------------------------------------------------------

    def so_far(self, interrupted: str = "") -> Record:
        """The record as it would be written now."""
        return recording.so_far(self, interrupted)

    def write(self, interrupted: str = "") -> Record:
        """Write the record; a second call returns the first one's.

        Raises: LedgerError, when it cannot be written.
        """
        with self.writing:
            if self.record is None:
                record = self.decided(self.so_far(interrupted))
                self.path = self.ledger.write(record)
                written = self.ledger.records(self.checkpoint.hour)
                self.record = next(each for each in written if each.attempt == self.attempt)
                self.journal.write({"kind": "written", "file": self.path.name})
            return self.record

    def withdraw(self) -> None:
        """Leave no trace of an attempt that was refused before anything was asked."""
        self.journal.close()
        self.journal.path.unlink(missing_ok=True)

    def decided(self, record: Record) -> Record:
        """The record with what the runbook says to do now."""
        from hour24 import escalation

        before = [each for each in self.ledger.records() if each.attempt or each.hour]
        decision = escalation.decide(
            record,
            before,
            contacts=[
                {"role": each.role, "name": each.name, "reach": each.reach}
                for each in self.production.contacts
            ],
            status_pages=[
                msgspec.to_builtins(each)
                for each in self.production.witnesses.get("status_pages", ())
            ],
            open_before=[
                f"{each.id}{f' {each.subject}' if each.subject else ''} at hour {each.hour}"
                for each in self.ledger.standings(self.context.clock.now(), record)
                if each.stands and each.hour < record.hour and each.id not in EIGHT
            ],
            reports=self.context.reports,
        )
        return msgspec.structs.replace(record, decision=self.redactor.plain(decision.to_plain()))

    def standings(self) -> Listing:
        """How every criterion stands at every checkpoint so far, this run's verdicts included."""
        now = self.context.clock.now()
        standings = self.ledger.standings(now, self.so_far())
        return Listing(
            question=Question(
                source="ledger",
                asked="every criterion's outcome at every checkpoint",
                at=now,
                window=self.checkpoint.since_t0,
            ),
            what="standings",
            items=tuple(
                {
                    "hour": each.hour,
                    "id": each.id,
                    "subject": each.subject,
                    "outcome": str(each.outcome),
                    "code": each.code,
                    "settled": each.settled_by,
                    "waived": each.waived_by,
                }
                for each in standings
            ),
            seen=len(standings),
        )

    def publish(self) -> None:
        """The pages, the JUnit file, the alert; trouble with them changes no verdict."""
        from hour24.report import checkpoint, index, junit

        assert self.record is not None
        record, ledger = self.record, self.ledger
        writers: dict[str, Callable[[], None]] = {
            "page": lambda: checkpoint.write(record, ledger, self.file(".html")),
            "junit": lambda: junit.write(record, self.file(".xml")),
            "alert": lambda: notify.alert(self),
            "index": lambda: index.write(ledger, ledger.folder / "index.html"),
        }
        for what, write in writers.items():
            try:
                write()
            except Exception as problem:  # noqa: BLE001  the record is safe; a page is not a verdict
                self.trouble.append(f"{what}: {type(problem).__name__}: {problem}")

    def leaks(self, beside: Iterable[Path] = ()) -> list[str]:
        """:func:`hour24.secrets.scan.leaks` of this watch's folder."""
        secrets = (each.name for each in self.production.secrets)
        return scan.leaks(self.ledger.folder, self.redactor, secrets, beside, self._redact)

    def _redact(self, path: Path, names: list[str]) -> str:
        """Make a page of this watch again, or redact a file; empty when neither can be done."""
        from hour24.ledger.redaction import redact

        with suppress(Exception):  # a page that cannot be made again is redacted
            if self._made_again(path) and not self.redactor.found_in(path):
                return "made again without it"
        return redact(self.ledger, path, names, self.redactor, self.context.clock.now())

    def _made_again(self, path: Path) -> bool:
        """Make a page from the records again; False where it is none of ours."""
        from hour24.report import checkpoint, index, junit

        if path.parent != self.ledger.folder:
            return False
        if path.name == "index.html":
            index.write(self.ledger, path)
            return True
        for record in self.ledger.records():
            stem = f"hour{record.hour:02d}.a{record.attempt}"
            if path.name == f"{stem}.html":
                checkpoint.write(record, self.ledger, path)
                return True
            if path.name == f"{stem}.xml":
                junit.write(record, path)
                return True
        return False

    def close(self) -> None:
        """Release the lock, stop a rehearsal of our own."""
        self.resources.close()


def _load() -> None:
    """Load what judging and the pages need while the sources are still answering."""
    # whatever fails here fails again, and is told, where it is needed
    with suppress(Exception):
        importlib.import_module("scipy.special")
        from hour24.report import page

        for name in ("checkpoint", "index", "junit"):
            importlib.import_module(f"hour24.report.{name}")
        for template in page.environment().list_templates(extensions=["j2"]):
            page.environment().get_template(template)
