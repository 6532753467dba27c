"""One attempt at one checkpoint: asks, judges, records and publishes.

Rules of this module:

- It does not import pytest; the plugin calls it.
- Each verdict is journalled at once. The record is written once, at the end, with every criterion
  that was due, including those without a verdict.
- Pages and alerts come after the record is written; a problem with them is reported and changes no
  verdict.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hour24.checkpoint import completing, notify, recording
from hour24.checkpoint.attempt import Attempt
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes
from hour24.criteria import IMPORTED, Criterion, own_criterion
from hour24.criteria.judges import refusal
from hour24.errors import LedgerError
from hour24.evidence import (
    ByProvider,
    Evidence,
    Listing,
    Question,
    Total,
    Unanswered,
    from_plain,
    spread,
    to_plain,
)
from hour24.ledger.record import Judged, Record
from hour24.objectives.base import Objective
from hour24.secrets import scan
from hour24.shipped import COMMAND
from hour24.verdict import Outcome
from hour24.witnesses.port import Measure

LOADS_AFTER_S = 0.5
"""Delay before modules are loaded, so that the first requests are sent without competition."""


class Run(Attempt):
    """One attempt at one checkpoint: asks, judges, records and publishes."""

    # --- asking -------------------------------------------------------------------------------

    def ask(self, names: set[str]) -> None:
        """Start asking the questions that the selected criteria name."""
        wanted = set(names)
        if self.production.providing(Measure.INCIDENTS):
            wanted.add("status_pages")
        # imported before the lanes compete for the interpreter; most first questions need it
        importlib.import_module("hour24.asking")
        self.lanes = Lanes(self.get_inquiry(), wanted)
        loading = threading.Timer(LOADS_AFTER_S, _load)
        loading.daemon = True
        loading.start()

    def get_inquiry(self) -> Inquiry:
        """Returns the inquiry of this checkpoint, created at the first call."""
        if self.inquiry is None:
            context = self.context
            self.inquiry = Inquiry(
                context.production,
                self.watch,
                context.checkpoint,
                context.clock,
                context.ledger,
                baseline=context.baseline,
                addresses=context.addresses,
                sampling=context.per_s,
                started=self.started,
            )
        return self.inquiry

    def answer(self, name: str) -> Any:
        """Waits for the answer to one question, and returns it."""
        if self.lanes is None:
            self.ask({name})
        assert self.lanes is not None
        return self.lanes.answer(name, self.waiting)

    def collect_baseline(self, answers: Mapping[str, Any]) -> dict[str, Evidence | ByProvider]:
        """Returns the evidence of the baseline by name; see :mod:`hour24.checkpoint.baseline`."""
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
            started=at.started,
            as_text=at.numbers_as_text,
        )
        silent = control_is_silent(answers.get("control"))
        each = {
            name: {one: answer[one] for one in self.production.endpoints}
            if isinstance(answer, Mapping)
            else answer
            for name, answer in answers.items()
            if name != "control"
        }
        question = self.get_inquiry().question("the baseline")
        return baseline.collect(each, self.applies, agreed, question, no_network=silent)

    # --- judging ------------------------------------------------------------------------------

    def applies(self, criterion_id: str) -> bool:
        """Whether production.toml keeps this criterion."""
        stated = self.production.criteria.get(criterion_id)
        return stated is None or stated.applies

    def conclude(
        self,
        criterion: Criterion,
        objective: Objective,
        evidence: Mapping[str, Evidence | ByProvider],
        subject: str = "",
        took_s: float = 0.0,
    ) -> Judged:
        """Judges the evidence and journals the verdict with it.

        Optional evidence that production.toml does not describe is omitted. Secrets are redacted
        before judging, so that the stored evidence gives the same verdict again.

        Raises: TypeError, if this objective may not judge this criterion of hour24's table.
        """
        stated = objective.to_plain()
        if wrong := refusal(criterion.id, subject, self.checkpoint.hour, stated):
            raise TypeError(f"{criterion.id}: {wrong}")
        given: dict[str, Evidence] = {}
        stored: dict[str, dict[str, Any]] = {}
        for name, each in spread(evidence).items():
            undescribed = isinstance(each, Unanswered) and each.code == "not_described"
            if name in objective.may and undescribed:
                continue
            plain = to_plain(each)
            clean = self.redactor.plain(plain)
            given[name] = each if clean is plain else from_plain(clean)
            stored[name] = clean
        verdict = objective.judge(given)
        return self._keep(
            self.make_judged(
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
                by=verdict.by,
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
        """Journals that a due criterion has no verdict, with the reason."""
        return self._keep(
            self.make_judged(
                criterion,
                outcome=outcome,
                code=code,
                reason=reason,
                observed="left out" if outcome == Outcome.NOT_APPLICABLE else "not measured",
            )
        )

    def record_imports(self, broken: Sequence[str]) -> None:
        """Journals files of criteria that do not import: their checks were not judged.

        If an earlier attempt at this hour recorded one, this attempt records that all import.
        """
        hour = self.checkpoint.hour
        if not broken and hour not in getattr(self.plan.get(IMPORTED), "hours", ()):
            return
        sentence = "Every file of criteria imports"
        criterion = self.plan.setdefault(IMPORTED, own_criterion(IMPORTED, sentence, (hour,)))
        if broken:
            reason = f"{', '.join(broken)} does not import: its criteria were not judged"
            self.without_verdict(criterion, "does_not_import", reason)
            return
        from hour24.objectives.own import ValueBelow

        question = self.get_inquiry().question(
            "files of criteria that do not import", source="pytest"
        )
        none = Total(question=question, value=0.0, unit="files")
        self.conclude(criterion, ValueBelow(limit=1), {"value": none})

    def _keep(self, judged: Judged, stored: Mapping[str, dict[str, Any]] | None = None) -> Judged:
        """Adds and journals a verdict; ``stored`` is its evidence, already redacted."""
        plain = self.redactor.plain(msgspec.to_builtins(judged))
        clean = msgspec.convert({**plain, "evidence": dict(stored or {})}, type=Judged)
        self.judged.append(clean)  # before journalling: a signal may end the run in between
        try:
            self._journal(clean)
        except LedgerError as problem:  # the record may still be written
            self.unjournalled.append(clean)
            self.trouble.append(str(problem))
        return clean

    def _journal(self, judged: Judged) -> None:
        self.journal.write({"kind": "judged", "judged": msgspec.to_builtins(judged)})

    # --- the end ------------------------------------------------------------------------------

    def build_record(self, interrupted: str = "") -> Record:
        """Returns the record with the verdicts so far."""
        return recording.build_record(self, interrupted)

    def write(self, interrupted: str = "") -> Record:
        """Writes the record once and returns it, on every call.

        Raises: LedgerError, if it cannot be written.
        """
        with self.writing:
            if self.record is None:
                record = self.with_decision(self.build_record(interrupted))
                self.room.free()  # the record and its pages need it now
                while self.unjournalled:  # a record has no verdict that its journal lacks
                    self._journal(self.unjournalled[0])
                    del self.unjournalled[0]
                self.path = self.ledger.write(record)
                written = self.ledger.records(self.checkpoint.hour)
                self.record = next(each for each in written if each.attempt == self.attempt)
                try:
                    self.journal.write({"kind": "written", "file": self.path.name})
                except LedgerError as problem:  # the record itself says the same
                    self.trouble.append(str(problem))
            return self.record

    def withdraw(self) -> None:
        """Removes the journal of an attempt that ended before anything was asked."""
        self.journal.close()
        self.journal.path.unlink(missing_ok=True)

    def with_decision(self, record: Record) -> Record:
        """Returns the record with the decision of the runbook."""
        now, reports = self.context.clock.now(), self.context.reports
        found = completing.decision(self.ledger, record, self.production, now, reports)
        return msgspec.structs.replace(record, decision=self.redactor.plain(found))

    def standings(self) -> Listing:
        """Returns every criterion's standing at every checkpoint, with this run's verdicts."""
        now = self.context.clock.now()
        standings = self.ledger.standings(now, self.build_record())
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
        """Writes pages and JUnit file and sends the alert; a failure changes no verdict."""
        from hour24.report import checkpoint, index, junit

        assert self.record is not None
        record, ledger = self.record, self.ledger
        page, xml, whole = self.file(".html"), self.file(".xml"), ledger.folder / "index.html"
        writers: dict[str, tuple[Callable[[], None], list[Path]]] = {
            "page": (lambda: checkpoint.write(record, ledger, page), [page]),
            "junit": (lambda: junit.write(record, xml), [xml]),
            "alert": (lambda: notify.alert(self), []),
            "index": (lambda: index.write(ledger, whole), [whole]),
        }
        for what, (write, made) in writers.items():
            try:
                write()
                self.made += made
            except Exception as problem:  # noqa: BLE001  the record is written; a page is no verdict
                self.trouble.append(f"{what}: {type(problem).__name__}: {problem}")

    def leaks(self, more: Iterable[Path] = ()) -> list[str]:
        """Returns secrets found in this watch's folder and in ``more`` files."""
        secrets = (each.name for each in self.production.secrets)
        return scan.leaks(self.ledger.folder, self.redactor, secrets, more, self._redact)

    def enter_files(self, more: Iterable[Path] = ()) -> str:
        """Enters the digests of what this run wrote, and of ``more`` files, in the chain.

        Called after the search for secrets, which may change them. Returns: why it failed; "".
        """
        from hour24.ledger import files

        if self.record is None:
            return ""
        made = (*self.made, *more, self.journal.path, *files.probes(self.ledger.folder))
        try:
            files.enter(self.ledger, made, self.context.clock.now(), "checkpoint")
        except LedgerError as problem:
            return f"the pages are not in the ledger ({COMMAND} finalise): {problem}"
        return ""

    def _redact(self, path: Path, names: list[str]) -> str:
        """Writes a page again or redacts a file. Returns: what was done; "" if nothing was."""
        from hour24.ledger import files
        from hour24.ledger.redaction import redact

        with suppress(Exception):  # a page that cannot be written again is redacted
            if self._rewrite_page(path) and not self.redactor.found_in(path):
                self.made.append(path)
                return "made again without it"
        own = path in self.made or files.is_as_entered(self.ledger, path)
        done = redact(self.ledger, path, names, self.redactor, self.context.clock.now())
        if done and own:  # what others had changed stays found
            self.made.append(path)
        return done

    def _rewrite_page(self, path: Path) -> bool:
        """Writes a page again from the records. Returns: whether it is one of our pages."""
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
        """Releases the lock and stops a rehearsal that this run started."""
        self.resources.close()


def _load() -> None:
    """Imports what judging and pages need, while the sources are still answering."""
    # a failure here happens again, and is reported, where the module is needed
    with suppress(Exception):
        importlib.import_module("scipy.special")
        from hour24.report import page

        for name in ("checkpoint", "index", "junit"):
            importlib.import_module(f"hour24.report.{name}")
        for template in page.environment().list_templates(extensions=["j2"]):
            page.environment().get_template(template)
