"""The pytest hooks that run a checkpoint, from the first question to the last file.

Rules of this module:

- At the end the record is written first.
- A signal stops the run cleanly: verdicts are recorded, and what was not judged says why.
- A run that hangs is ended by the hard limit; its record is written too.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from hour24.checkpoint.terminal import (
    ADVISORY,
    closing_lines,
    verdict_lines,
)
from hour24.errors import LedgerError
from hour24.ledger.advisory import advisory_word
from hour24.pipe import Pipe
from hour24.plugin.compatibility import split_repeats
from hour24.plugin.exits import EXIT, EXIT_HARD_LIMIT, EXIT_NOT_WRITTEN
from hour24.plugin.fixtures import VERDICTS
from hour24.plugin.guards import Scrubbed
from hour24.plugin.marking import OWN, criterion_of
from hour24.plugin.trouble import find_trouble
from hour24.plugin.waiting import WaitingLine
from hour24.shipped import COMMAND
from hour24.text import LONGEST_TEXT, escape_for_ci, one_line
from hour24.verdict import Outcome, worst

PAGES_WITHIN_S = 20.0
"""Time limit for the pages of a run that hangs, after its record is written."""
NUDGE_S = 0.2
"""Time for the main thread to notice a signal by itself."""


class CheckpointPlugin:
    """The hooks that run a checkpoint."""

    def __init__(self, config: pytest.Config, run: Any) -> None:
        self.config = config
        self.run = run
        self.broken: list[str] = []
        self.waiting = WaitingLine(config)
        run.waiting = self.waiting.show
        self.interrupted = ""
        self.begun = False
        self._old_handlers = {
            number: signal.signal(number, self._stop)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
            if signal.getsignal(number) != signal.SIG_IGN  # nohup ignores SIGHUP on purpose
        }
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        threading.Thread(target=self._nudge, daemon=True).start()
        self._old_factory = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self._log_record)
        self._ended = threading.Event()
        limit = self._hard_limit()
        self._watchdog = threading.Thread(target=self._watch, args=(limit,), daemon=True)
        self._watchdog.start()

    # selection

    def check_selection(self, collected: list[pytest.Item], items: list[pytest.Item]) -> None:
        """Checks that every test is a criterion and that one hour is selected."""
        from hour24.checkpoint.opening import begin

        unmarked = [item.nodeid for item in collected if not item.get_closest_marker("criterion")]
        if unmarked:
            raise pytest.UsageError(
                f"{unmarked[0]}: expected @criterion(...), got none; without one no checkpoint "
                "ever runs it"
            )
        expected = self.run.context.marker
        found = {_marker_of(item) for item in items}
        if found - {expected}:
            raise pytest.UsageError(f"-m: expected one checkpoint, got {sorted(map(str, found))}")
        kept, repeats = split_repeats(items)
        if repeats:
            self.config.hook.pytest_deselected(items=repeats)
            self.run.notes.append(
                f"another plugin repeats tests ({len(repeats)} more): each criterion ran once"
            )
            items[:] = kept
        for own in OWN.values():
            self.run.plan[own.id] = own
        if self.run.keeps:
            items[:] = [item for item in items if self.run.chooses(_names(item))]
        else:
            begin(self.run)  # again, now with the whole plan
        order = {name: position for position, name in enumerate(self.run.plan)}
        last = len(order)
        items.sort(key=lambda item: order.get(criterion_of(item).id, last))
        if self.run.keeps:
            items.sort(key=lambda item: self.run.comes_last(_names(item)))

    def pytest_collection(self) -> None:
        self.begun = True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from hour24.checkpoint.questions import QUESTIONS

        names = {
            name
            for item in session.items
            if self.run.applies(criterion_of(item).id)
            for name in getattr(item, "fixturenames", ())
        }
        self.run.ask(names & set(QUESTIONS))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        self._scrub(report)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(report.nodeid)

    # a test

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        items = item.session.items
        self.waiting.begin(items.index(item) + 1, len(items), criterion_of(item).id)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        found = criterion_of(pyfuncitem)
        if pyfuncitem.stash.get(VERDICTS, None):
            return True  # another plugin runs it again: the first verdict counts
        if self.run.applies(found.id):
            return None
        because = self.run.production.criteria[found.id].because
        judged = self.run.without_verdict(
            found, "not_applicable", because, outcome=Outcome.NOT_APPLICABLE
        )
        pyfuncitem.stash[VERDICTS] = [judged]
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call" or call.excinfo is not None:
            self._set_outcome(item, call, report)
        self._scrub(report)
        return report

    def _set_outcome(
        self, item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport
    ) -> None:
        verdicts = item.stash.setdefault(VERDICTS, [])
        trouble = find_trouble(call, self.run.redactor.text)
        expected = report.__dict__.pop("wasxfail", None)
        if trouble is None and expected is not None:
            trouble = ("skip_not_allowed", "its test is marked as failing, which proves nothing")
        if trouble is None and not verdicts:
            trouble = ("no_evidence", "its test ended without conclude(...)")
        if trouble is not None and call.when == "teardown":
            self.run.notes.append(f"{item.nodeid}: teardown: {trouble[1]}")
            return
        if trouble is not None:
            verdicts.append(self.run.without_verdict(criterion_of(item), *trouble))
        outcome = worst(judged.outcome for judged in verdicts)
        advisory = verdicts[0].id in self.run.advisory
        report.__dict__.update(
            judged=verdicts, verdict=ADVISORY if advisory else str(outcome), advisory=advisory
        )
        unkept = [one.id for one in verdicts if one in self.run.unjournalled]
        if unkept:
            report.outcome, report.longrepr = "failed", f"{unkept[0]} is not in the journal"
            return
        if advisory:  # neither passed nor failed: pytest and other plugins count it as skipped
            report.outcome = "skipped"
            report.longrepr = (
                str(item.path),
                0,
                f"advisory, not counted: {advisory_word(verdicts)}: {verdicts[0].reason}",
            )
        elif outcome == Outcome.PASS:
            report.outcome, report.longrepr = "passed", None
        elif outcome == Outcome.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"not applicable: {verdicts[0].reason}")
        else:
            report.outcome = "failed"
            text = "\n".join(f"{one.id} {one.outcome} {one.reason}" for one in verdicts)
            harness = trouble is not None and trouble[0] == "harness_error"
            report.longrepr = f"{text}\n\n{report.longreprtext}" if harness else text
        for judged in verdicts:
            label = f"{judged.id} {judged.subject}".strip()
            item.user_properties.append((label, f"{judged.outcome} {judged.code}".strip()))

    def _scrub(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        text = self.run.redactor.text
        if isinstance(report.longrepr, tuple):
            path, line, reason = report.longrepr
            report.longrepr = (path, line, text(reason))
        elif report.longrepr is not None:
            report.longrepr = text(report.longreprtext)
        report.sections = [(name, text(content)) for name, content in report.sections]
        for name in ("extras", "extra"):  # attachments of pytest-html
            if name in report.__dict__:
                setattr(report, name, self.run.redactor.plain(getattr(report, name)))
        if isinstance(report, pytest.TestReport):
            report.user_properties = [(name, text(str(v))) for name, v in report.user_properties]

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        if hasattr(report, "judged"):
            return report.verdict, "", ""  # shown by our own lines
        if report.failed and report.when == "teardown":
            return "error", "", ""  # shown by its section and a note
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        terminal = self._terminal()
        if terminal is None or not hasattr(report, "judged"):
            return
        self.waiting.clear(terminal)
        for judged in report.judged:
            if judged in self.run.unjournalled:
                name = one_line(f"{judged.id} {judged.subject}".strip())
                terminal.write_line(f"{name}: not shown, as it is not in the journal", yellow=True)
                continue
            for text, markup in verdict_lines(
                judged,
                terminal._tw.fullwidth,
                whole=not terminal.isatty,
                advisory=report.advisory,
            ):
                terminal.write_line(text, **markup)
        if "harness_error" in {judged.code for judged in report.judged}:
            for text in report.longreprtext.splitlines():
                terminal.write_line(escape_for_ci(text))

    def pytest_sessionstart(self) -> None:
        terminal = self._terminal()
        if terminal is not None:
            terminal.showfspath = False
            terminal._tw._file = Scrubbed(Pipe(terminal._tw._file), self.run.redactor.text)

    def pytest_report_header(self) -> list[str]:
        run = self.run
        production = f"{run.production.service.name} ({run.production.service.environment})"
        window = run.checkpoint.window
        banner = f" {run.context.banner}" if run.context.banner else ""
        new = ", opened now" if run.context.opened else ""
        return [
            f"hour24: hour {run.checkpoint.hour} of watch {run.watch.name}{new}: "
            f"{production}{banner}",
            f"due {run.checkpoint.due:%Y-%m-%d %H:%M}Z, window "
            f"{window.start:%m-%d %H:%M}Z to {window.end:%m-%d %H:%M}Z; "
            f"{len(run.due())} criteria due",
        ]

    # the end

    def _stop(self, number: int, frame: Any) -> None:
        if self.interrupted:
            return
        self.interrupted = f"signal {signal.Signals(number).name}"
        raise KeyboardInterrupt(self.interrupted)

    def _nudge(self) -> None:
        """Wakes the main thread if another thread took its signal, or a wait began just after."""
        main = threading.main_thread().ident
        assert main is not None
        while numbers := os.read(self._woken, 64):
            for number in self._old_handlers.keys() & set(numbers):
                time.sleep(NUDGE_S)
                if not self.interrupted:
                    signal.pthread_kill(main, number)
        os.close(self._woken)

    def _hard_limit(self) -> float:
        """Returns the seconds after which a run that hangs is ended.

        Computed before the watchdog starts: a library that warns on import would end that thread,
        because pytest's filters are incomplete then and a warning is an error.
        """
        stated: float | None = self.config.option.hard_limit
        if stated is not None:
            return stated
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from hour24.checkpoint.lanes import budget_s
            from hour24.checkpoint.questions import QUESTIONS

            asked = QUESTIONS.values()
            return max(budget_s(self.run.production, each) for each in asked) + 240.0

    def _watch(self, limit: float) -> None:
        if self._ended.wait(limit):
            return
        try:
            reason = f"hard limit of {limit:g} s reached"
            self.run.write(reason)
            capture = self.config.pluginmanager.get_plugin("capturemanager")
            if capture is not None:
                capture.suspend(in_=False)  # the test that hangs still captures the output
            self._print_error(f"hour24: {reason}; {self.run.path}")
            pages = threading.Thread(target=self.run.publish, daemon=True)
            pages.start()
            pages.join(PAGES_WITHIN_S)
            for text in filter(None, (*self.run.leaks(), self.run.enter_files())):
                self._print_error(f"hour24: {text}")
        except Exception as problem:  # noqa: BLE001  the process ends here; report it
            self._print_error(f"hour24: {self._describe_unwritten(problem)}")
        finally:
            os._exit(EXIT_HARD_LIMIT)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None]:
        for number in self._old_handlers:
            signal.signal(number, signal.SIG_IGN)
        if exitstatus == pytest.ExitCode.USAGE_ERROR:
            self._ended.set()
            self.run.withdraw()
            yield
            return
        if not self.interrupted and exitstatus == pytest.ExitCode.INTERRUPTED:
            self.interrupted = "interrupted"
        elif not self.interrupted and exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            self.interrupted = "an error inside pytest or one of its plugins"
        elif not self.interrupted and (session.shouldfail or session.shouldstop):
            self.interrupted = str(session.shouldfail or session.shouldstop)
        self.run.notes += [f"{nodeid} does not import" for nodeid in self.broken]
        self.run.broken = tuple(self.broken)
        self.run.record_imports(self.broken)
        try:
            record = self.run.write(self.interrupted)
        except Exception as problem:  # noqa: BLE001  the journal has every verdict
            session.exitstatus = EXIT_NOT_WRITTEN
            self._print_error(f"hour24: {self._describe_unwritten(problem)}")
        else:
            if exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
                session.exitstatus = EXIT[record.outcome]
            self.run.publish()
        self._ended.set()
        yield
        option = self.config.option
        reports = {
            name: getattr(option, name, None) for name in ("htmlpath", "xmlpath", "log_file")
        }
        leaks = self.run.leaks(Path(path) for path in reports.values() if path)
        reports["log_file"] = None  # still being written
        unentered = self.run.enter_files(Path(path) for path in reports.values() if path)
        for text in filter(None, (*leaks, unentered)):
            self._print_error(f"hour24: {text}")
        if leaks:
            session.exitstatus = EXIT_NOT_WRITTEN
        from hour24.checkpoint.notify import last_heartbeat

        unsent = last_heartbeat(self.run, int(session.exitstatus))
        if unsent:  # the closing lines were written before
            self._print_error(f"hour24: {unsent}")

    def _describe_unwritten(self, problem: Exception) -> str:
        cause = problem if isinstance(problem, LedgerError) else repr(problem)
        return (
            f"the record could not be written: {cause}; its verdicts are in "
            f"{self.run.journal.path}: {COMMAND} finalise "
            f"{shlex.quote(str(self.run.ledger.folder))}"
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.run.keeps:
            for text in self.run.trouble:
                terminalreporter.write_line(f"note: {one_line(text, LONGEST_TEXT)}")
            terminalreporter.write_line(f"hour24: the answers are in {self.run.keeper.path}")
            return
        for text, markup in closing_lines(
            self.run, terminalreporter._tw.fullwidth, whole=not terminalreporter.isatty
        ):
            terminalreporter.write_line(text, **markup)

    def pytest_unconfigure(self) -> None:
        self._ended.set()
        if not self.begun:  # another plugin ended pytest: nothing was asked, no attempt counts
            self.run.withdraw()
        logging.setLogRecordFactory(self._old_factory)
        signal.set_wakeup_fd(-1)
        os.close(self._waker)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self.run.close()

    # redaction

    def _log_record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._old_factory(*args, **kwargs)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  a library's bad log call ends no question
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self.run.redactor.text(message), ()
        if record.exc_info and record.exc_info[0] is not None:
            whole = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_text = self.run.redactor.text(whole)
        return record

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        clean = self.run.redactor.text(str(warning_message.message))
        warning_message.message = UserWarning(clean)

    def _terminal(self) -> Any:
        return self.config.pluginmanager.get_plugin("terminalreporter")

    def _print_error(self, text: str) -> None:
        terminal = self._terminal()
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(one_line(text, LONGEST_TEXT), red=True)
            terminal.flush()  # os._exit does not flush


def _names(item: pytest.Item) -> set[str]:
    """Returns the names of the fixtures of a test."""
    return set(getattr(item, "fixturenames", ()))


def _marker_of(item: pytest.Item) -> str:
    """Returns the marker that selected this test: ``hour8``, ``daily``."""
    at = item.callspec.params["checkpoint"]  # type: ignore[attr-defined]
    return at if isinstance(at, str) else f"hour{at}"
