"""The pytest plugin: selects a checkpoint, runs its criteria, and leaves the record.

Rules of this module:

- The only module that imports pytest.
- Without one hour in ``-m`` and without criteria collected it does nothing at all.
- Whatever is not a verdict is INCONCLUSIVE: a skip, an xfail, a plain assertion, an error of
  ours, a test that never ran. To pytest, and to every tool that does not know our outcomes, all
  but PASS and NOT_APPLICABLE are "failed".
- The record is written before anything else that happens at the end.
- Another plugin that throws costs neither a check nor the record: it is noted.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from hour24.criteria import DAILY, Criterion, known, own_criterion
from hour24.errors import ConfigurationError, LedgerError, LedgerLocked
from hour24.record import Judged
from hour24.terminal import closing_lines, harmless, one_line, verdict_lines
from hour24.verdict import Outcome, worst
from hour24.watch import CHECKPOINTS

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 10, Outcome.NOT_APPLICABLE: 10}
EXIT_HARD_LIMIT = 11
EXIT_NOT_WRITTEN = 12
EXIT_LOCKED = 13
PAGES_WITHIN_S = 20.0
"""What a run that hangs takes for its pages, when its record is safe."""
NUDGE_S = 0.2
"""After a signal the main thread has so long to notice it by itself."""
DAILY_LOOK = "daily"
PATIENCE_S = 5.0
"""So long a run may be silent where its lines are kept."""
LOOKS = ("collectonly", "showfixtures", "show_fixtures_per_test", "setupplan", "help", "markers")
"""Options with which pytest shows something, and runs nothing."""
ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")
OWN: dict[str, Criterion] = {}
"""Criteria of somebody's own, as their tests declare them."""


def criterion(name: str, *, hours: tuple[int, ...] = ()) -> Callable[[Any], Any]:
    """Mark a test as a criterion; it is run once at each of its hours.

    Args:
        name: an id of :data:`hour24.criteria.CRITERIA`, or one of your own.
        hours: of a criterion of your own; the others' stand in the table.
    """
    told = known(name)
    if not ID.fullmatch(name):
        raise ValueError(f"criterion: id: expected one such as QUEUE-SHORT, got {name!r}")
    if told is not None and hours:
        raise ValueError(f"criterion {name}: hours: expected none (the table has them), {hours}")
    at = told.hours if told is not None else hours
    if name not in DAILY and (not at or not set(at) <= set(CHECKPOINTS)):
        raise ValueError(f"criterion {name}: hours: expected some of {CHECKPOINTS}, got {at}")
    params = [_at(f"hour{hour}", hour) for hour in at]
    params += [_at(DAILY_LOOK, DAILY_LOOK)] if name in DAILY else []

    def mark(test: Any) -> Any:
        if told is None:
            sentence = " ".join((test.__doc__ or "").split())
            if not sentence:
                raise ValueError(f"criterion {name}: docstring: expected its sentence, got none")
            own = own_criterion(name, sentence, tuple(at))
            if OWN.setdefault(name, own) != own:
                raise ValueError(
                    f"criterion {name}: expected it once, or each time with the same sentence and "
                    "hours, got it again with others"
                )
        for decorate in (
            pytest.mark.usefixtures("checkpoint"),
            pytest.mark.criterion(name),
            pytest.mark.parametrize("checkpoint", params, indirect=True),
        ):
            test = decorate(test)
        return test

    return mark


def _at(name: str, value: int | str) -> Any:
    return pytest.param(value, id=name, marks=getattr(pytest.mark, name))


# --- the command line -------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hour24", "hour24: the 24 hours before launch")
    add = group.addoption
    add("--target", default="production.toml", help="a production.toml, or the word rehearsal")
    add("--watch", default="", metavar="NAME", help="the watch (default: the one still open)")
    add("--reports", default="reports", metavar="DIR", help="where watches are kept")
    add("--t0", default=None, metavar="ISO", help="when the 24 hours begin (default: now)")
    add("--early", action="store_true", help="run before the due time; does not count")
    add("--follows", default="", metavar="NAME", help="open a new watch that follows this one")
    add("--seed", type=int, default=1, help="the rehearsal's story")
    add("--fault", action="append", default=[], metavar="NAME@HOUR", help="of the rehearsal")
    add("--rehearsal-at", default=None, metavar="FILE", help="a rehearsal being served already")
    add("--hard-limit", type=float, default=None, metavar="SECONDS", help="ends a run that hangs")


def _selected(config: pytest.Config) -> list[str]:
    """What ``-m`` names: ``hour8``, ``daily``."""
    named = set(re.findall(r"\bhour\d+\b|\bdaily\b", config.option.markexpr or ""))
    return sorted(named, key=lambda name: (len(name), name))


def _markers() -> str:
    return ", ".join([*(f"hour{hour}" for hour in CHECKPOINTS), DAILY_LOOK])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for hour in CHECKPOINTS:
        config.addinivalue_line("markers", f"hour{hour}: the checkpoint {hour} h after T0")
    config.addinivalue_line("markers", f"{DAILY_LOOK}: a look of the week after the watch")
    config.addinivalue_line("markers", "criterion(id): the success criterion this test is")
    config.pluginmanager.register(_questions(), "hour24-questions")
    selected = _selected(config)
    if not selected or any(getattr(config.option, name, False) for name in LOOKS):
        return
    if len(selected) > 1:
        names = " or ".join(selected)
        raise pytest.UsageError(f"-m: expected one checkpoint, got {names}; run them one by one")
    if selected[0] not in (DAILY_LOOK, *(f"hour{hour}" for hour in CHECKPOINTS)):
        raise pytest.UsageError(f"-m: expected one of {_markers()}, got {selected[0]}")
    if getattr(config.option, "numprocesses", None) not in (None, 0):
        raise pytest.UsageError("-n: expected one process, which asks side by side by itself")
    plugin = _open(config, selected[0])
    config.pluginmanager.register(plugin, "hour24-checkpoint")
    config.pluginmanager.register(Shield(plugin.run), "hour24-shield")


def _open(config: pytest.Config, selected: str) -> CheckpointPlugin:
    from hour24.run import begin, open_run
    from hour24.stage import Options, moment

    option = config.option
    try:
        run = open_run(
            Options(
                hour=0 if selected == DAILY_LOOK else int(selected.removeprefix("hour")),
                daily=selected == DAILY_LOOK,
                target=option.target,
                reports=Path(option.reports),
                watch=option.watch,
                t0=moment(option.t0, "--t0") if option.t0 else None,
                early=option.early,
                follows=option.follows,
                seed=option.seed,
                faults=tuple(option.fault),
                rehearsal_at=Path(option.rehearsal_at) if option.rehearsal_at else None,
            )
        )
    except ConfigurationError as problem:
        raise pytest.UsageError("\n       ".join(problem.problems)) from None
    except LedgerLocked as problem:
        pytest.exit(str(problem), returncode=EXIT_LOCKED)
    except LedgerError as problem:
        pytest.exit(str(problem), returncode=EXIT_NOT_WRITTEN)
    begin(run)
    run.sign_of_life("start")
    # Filters are the process's, not a thread's: a library's warning must not end a question.
    # Nor may it for the moment in which pytest has set "error" and not yet what comes after it.
    filters = config.getini("filterwarnings")
    filters[:] = [each for each in filters if not each.startswith("error")]
    config.addinivalue_line("filterwarnings", "default")
    config.addinivalue_line("filterwarnings", "ignore:SOCKS support in urllib3")
    option.continue_on_collection_errors = True
    option.tbstyle = "short"
    option.showlocals = False
    if getattr(option, "htmlpath", "-") is None:  # without pytest-html there is no such option
        option.htmlpath = str(run.file(".pytest.html"))
        option.self_contained_html = True
    return CheckpointPlugin(config, run)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    collected = list(items)
    yield
    if any(getattr(config.option, name, False) for name in LOOKS):
        return
    plugin = config.pluginmanager.get_plugin("hour24-checkpoint")
    if plugin is not None:
        plugin.selected(collected, items)
    elif any(item.get_closest_marker("criterion") for item in items):
        raise pytest.UsageError(
            "-m: expected one checkpoint, got none; choose it with `pytest -m hour8` "
            f"(one of {_markers()})"
        )


# --- fixtures ---------------------------------------------------------------------------------


def _run_of(request: pytest.FixtureRequest) -> Any:
    plugin = request.config.pluginmanager.get_plugin("hour24-checkpoint")
    if plugin is None:
        raise RuntimeError("hour24: expected a checkpoint to be running")
    return plugin.run


@pytest.fixture
def checkpoint(request: pytest.FixtureRequest) -> Any:
    """The :class:`~hour24.watch.Checkpoint` that is being run."""
    return _run_of(request).checkpoint


@pytest.fixture
def production(request: pytest.FixtureRequest) -> Any:
    """The :class:`~hour24.config.Production` under watch."""
    return _run_of(request).production


@pytest.fixture
def endpoints(production: Any) -> Any:
    """Name -> :class:`~hour24.config.Endpoint`."""
    return production.endpoints


@pytest.fixture
def standings(request: pytest.FixtureRequest) -> Any:
    """How every criterion stands at every checkpoint, this run's verdicts so far included."""
    return _run_of(request).standings()


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Any:
    """Questions of one's own: ``ask.json(url, pointer)``, ``ask.sql(query)``."""
    from hour24.asked import Ask

    return Ask(_run_of(request).asking())


@pytest.fixture
def taken(request: pytest.FixtureRequest) -> Any:
    """``taken(name=answer, ...)``: the baseline's evidence, and which measures were taken."""
    run = _run_of(request)
    return lambda **answers: run.taken(answers)


@pytest.fixture
def conclude(request: pytest.FixtureRequest) -> Any:
    """``conclude(objective, name=evidence, ..., subject="")``: judge, and keep the verdict."""
    run, item = _run_of(request), request.node
    began = time.perf_counter()

    def conclude(objective: Any, *, subject: str = "", **evidence: Any) -> None:
        took_s = time.perf_counter() - began
        judged = run.conclude(_criterion_of(item), objective, evidence, subject, took_s)
        item.stash.setdefault(VERDICTS, []).append(judged)

    return conclude


VERDICTS = pytest.StashKey[list[Judged]]()


def _questions() -> object:
    """An object with one fixture for each question."""
    from hour24.questions import QUESTIONS

    def fixture(name: str) -> Any:
        def asked(self: object, request: pytest.FixtureRequest) -> Any:
            run = _run_of(request)
            if not run.applies(_criterion_of(request.node).id):
                return None
            answer = run.answer(name)
            if QUESTIONS[name].each and not isinstance(answer, Mapping):
                return defaultdict(lambda: answer)
            return answer

        asked.__doc__ = QUESTIONS[name].ask.__doc__ or f"What {name} answered."
        return pytest.fixture(name=name)(asked)

    return type("Questions", (), {name: fixture(name) for name in QUESTIONS})()


def _criterion_of(item: Any) -> Criterion:
    name = item.get_closest_marker("criterion").args[0]
    return known(name) or OWN[name]


# --- one checkpoint ---------------------------------------------------------------------------


class CheckpointPlugin:
    """The hooks that act while a checkpoint is run."""

    def __init__(self, config: pytest.Config, run: Any) -> None:
        self.config = config
        self.run = run
        self.broken: list[str] = []
        self._waited: set[str] = set()
        self._told_waiting = False
        run.waiting = self._wait
        self._html: Any = None
        self._rows: dict[str, list[Judged]] = {}
        self.interrupted = ""
        self.exit_code: int | None = None
        self._old_handlers = {
            number: signal.signal(number, self._stop)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
            if signal.getsignal(number) != signal.SIG_IGN  # nohup: whoever started us says so
        }
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        threading.Thread(target=self._nudge, daemon=True).start()
        self._old_factory = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self._log_record)
        self._watchdog = threading.Thread(target=self._watch, daemon=True)
        self._ended = threading.Event()
        self._watchdog.start()

    # selection

    def selected(self, collected: list[pytest.Item], items: list[pytest.Item]) -> None:
        """Check that every test is a criterion, and that one hour was selected."""
        from hour24.run import begin

        strays = [item.nodeid for item in collected if not item.get_closest_marker("criterion")]
        if strays:
            raise pytest.UsageError(
                f"{strays[0]}: expected @criterion(...), got none; without one no checkpoint "
                "ever runs it"
            )
        meant = DAILY_LOOK if self.run.options.daily else self.run.checkpoint.hour
        found = {item.callspec.params["checkpoint"] for item in items}  # type: ignore[attr-defined]
        if found - {meant}:
            raise pytest.UsageError(f"-m: expected one checkpoint, got {sorted(map(str, found))}")
        for own in OWN.values():
            self.run.plan[own.id] = own
        begin(self.run)  # once more, with the plan that is whole now
        order = {name: place for place, name in enumerate(self.run.plan)}
        last = len(order)
        items.sort(key=lambda item: order.get(_criterion_of(item).id, last))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from hour24.questions import QUESTIONS

        names = {
            name
            for item in session.items
            if self.run.applies(_criterion_of(item).id)
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
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        found = _criterion_of(pyfuncitem)
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
            self._settle(item, call, report)
        self._scrub(report)
        return report

    def _settle(
        self, item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport
    ) -> None:
        verdicts = item.stash.setdefault(VERDICTS, [])
        trouble = _trouble(call, self.run.redactor.text)
        expected = report.__dict__.pop("wasxfail", None)
        if trouble is None and expected is not None:
            trouble = ("skip_not_allowed", "its test is marked as failing, which proves nothing")
        if trouble is None and not verdicts:
            trouble = ("no_evidence", "its test ended without conclude(...)")
        if trouble is not None and call.when == "teardown":
            self.run.notes.append(f"{item.nodeid}: teardown: {trouble[1]}")
            return
        if trouble is not None:
            verdicts.append(self.run.without_verdict(_criterion_of(item), *trouble))
        outcome = worst(judged.outcome for judged in verdicts)
        report.__dict__.update(judged=verdicts, verdict=str(outcome))
        if outcome == Outcome.PASS:
            report.outcome, report.longrepr = "passed", None
        elif outcome == Outcome.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"not applicable: {verdicts[0].reason}")
        else:
            report.outcome = "failed"
            told = "\n".join(f"{one.id} {one.outcome} {one.reason}" for one in verdicts)
            harness = trouble is not None and trouble[0] == "harness_error"
            report.longrepr = f"{told}\n\n{report.longreprtext}" if harness else told
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
        for name in ("extras", "extra"):  # what pytest-html was given to attach
            if name in report.__dict__:
                setattr(report, name, self.run.redactor.plain(getattr(report, name)))
        if isinstance(report, pytest.TestReport):
            report.user_properties = [(name, text(str(v))) for name, v in report.user_properties]

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        if hasattr(report, "judged"):
            return report.verdict, "", ""  # our own lines tell it
        if report.failed and report.when == "teardown":
            return "error", "", ""  # its section and a note tell it
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        terminal = self._terminal()
        if terminal is None or not hasattr(report, "judged"):
            return
        self._clear(terminal)
        for judged in report.judged:
            for text, markup in verdict_lines(judged, terminal._tw.fullwidth):
                terminal.write_line(text, **markup)
        if "harness_error" in {judged.code for judged in report.judged}:
            for text in report.longreprtext.splitlines():
                terminal.write_line(harmless(text))

    def pytest_sessionstart(self) -> None:
        terminal = self._terminal()
        if terminal is not None:
            terminal.showfspath = False
            terminal._tw._file = Scrubbed(terminal._tw._file, self.run.redactor.text)

    def pytest_report_header(self) -> list[str]:
        run = self.run
        production = f"{run.production.service.name} ({run.production.service.environment})"
        window = run.checkpoint.window
        told = " REHEARSAL" if run.stage.rehearsal else ""
        return [
            f"hour24: hour {run.checkpoint.hour} of watch {run.watch.name}: {production}{told}",
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
        """Wake the main thread where another one took its signal, or it came just before a wait."""
        main = threading.main_thread().ident
        assert main is not None
        while numbers := os.read(self._woken, 64):
            for number in self._old_handlers.keys() & set(numbers):
                time.sleep(NUDGE_S)
                if not self.interrupted:
                    signal.pthread_kill(main, number)
        os.close(self._woken)

    def _watch(self) -> None:
        from hour24.inquiry import budget_s
        from hour24.questions import QUESTIONS

        limit = self.config.option.hard_limit
        if limit is None:
            lanes = {each.lane for each in QUESTIONS.values()}
            limit = max(budget_s(self.run.production, lane) for lane in lanes) + 240.0
        if self._ended.wait(limit):
            return
        try:
            struck = f"the hard limit of {limit:g} s struck"
            self.run.write(struck)
            capture = self.config.pluginmanager.get_plugin("capturemanager")
            if capture is not None:
                capture.suspend(in_=False)  # the test that hangs still holds the terminal
            self._say(f"hour24: {struck}; {self.run.path}")
            pages = threading.Thread(target=self.run.publish, daemon=True)
            pages.start()
            pages.join(PAGES_WITHIN_S)
            for text in self.run.leaks():
                self._say(f"hour24: {text}")
        except Exception as problem:  # noqa: BLE001  nobody else could tell it
            self._say(f"hour24: {self._unwritten(problem)}")
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
        try:
            record = self.run.write(self.interrupted)
        except Exception as problem:  # noqa: BLE001  the journal still has every verdict
            session.exitstatus = EXIT_NOT_WRITTEN
            self._say(f"hour24: {self._unwritten(problem)}")
        else:
            if exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
                session.exitstatus = EXIT[record.outcome]
            self.run.publish()
        self._ended.set()
        yield
        option = self.config.option
        beside = [getattr(option, name, None) for name in ("htmlpath", "xmlpath", "log_file")]
        leaks = self.run.leaks(Path(path) for path in beside if path)
        for text in leaks:
            self._say(f"hour24: {text}")
        if leaks:
            session.exitstatus = EXIT_NOT_WRITTEN
        unsaid = self.run.farewell(int(session.exitstatus))
        if unsaid:  # the closing lines are told already
            self._say(f"hour24: {unsaid}")

    def _unwritten(self, problem: Exception) -> str:
        told = problem if isinstance(problem, LedgerError) else repr(problem)
        return (
            f"the record could not be written: {told}; its verdicts are in "
            f"{self.run.journal.path}: python -m hour24 finalise"
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for text, markup in closing_lines(self.run, terminalreporter._tw.fullwidth):
            terminalreporter.write_line(text, **markup)

    def pytest_unconfigure(self) -> None:
        self._ended.set()
        logging.setLogRecordFactory(self._old_factory)
        signal.set_wakeup_fd(-1)
        os.close(self._waker)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self.run.close()

    # no secret leaves

    def _log_record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._old_factory(*args, **kwargs)
        try:
            told = record.getMessage()
        except Exception:  # noqa: BLE001  a library's slip in its own words ends no question
            told = f"{record.msg} {record.args}"
        record.msg, record.args = self.run.redactor.text(told), ()
        if record.exc_info and record.exc_info[0] is not None:
            whole = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_text = self.run.redactor.text(whole)
        return record

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        clean = self.run.redactor.text(str(warning_message.message))
        warning_message.message = UserWarning(clean)

    # the interactive report beside our page

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        from hour24.report import companion

        self._html = report
        report.title = companion.title(self.run.record)
        report.outcomes["error"]["label"] = "Inconclusive"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        from hour24.report import companion

        if self.run.record is not None:
            self._html.title = companion.title(self.run.record)
            companion.move_counts(self._html.outcomes, self._rows.values())
            prefix.append(companion.summary(self.run.record))

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        from hour24.report import companion

        companion.header(cells)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        from hour24.report import companion

        judged = getattr(report, "judged", [])
        if judged:
            self._rows[report.nodeid] = judged
        companion.row(judged, cells)

    def _wait(self, lane: str, waited_s: float, budget_s: float) -> None:
        """Say whom we wait for: on a terminal in one line that goes, elsewhere once a lane."""
        terminal = self._terminal()
        if terminal is None or terminal.verbosity < 0:
            return
        told = f"waiting for {lane}, {waited_s:.0f} s of at most {budget_s:.0f} s"
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal.isatty:
                self._clear(terminal)
                terminal.write(told, flush=True)
                self._told_waiting = True
            elif waited_s >= PATIENCE_S and lane not in self._waited:
                self._waited.add(lane)
                terminal.ensure_newline()
                terminal.write_line(told, flush=True)

    def _clear(self, terminal: Any) -> None:
        """Take the line away that said whom we wait for."""
        if self._told_waiting:
            self._told_waiting = False
            terminal.rewrite("", erase=True)
            terminal.write("\r")
            terminal.currentfspath = None
        else:
            terminal.ensure_newline()

    def _terminal(self) -> Any:
        return self.config.pluginmanager.get_plugin("terminalreporter")

    def _say(self, text: str) -> None:
        terminal = self._terminal()
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(one_line(text), red=True)
            terminal.flush()  # whoever ends the process next does not


class Shield:
    """What keeps a plugin that throws from costing checks, and the summary at the end.

    Its wrappers are the innermost.
    """

    def __init__(self, run: Any) -> None:
        self.run = run

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        return (yield from self._kept("a reporter"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        return (yield from self._kept("a report beside ours"))

    def _kept(self, what: str) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except Exception as problem:  # noqa: BLE001  not ours, and no verdict on production
            told = self.run.redactor.text(f"{what} failed: {type(problem).__name__}: {problem}")
            if told not in self.run.trouble:
                self.run.trouble.append(told)
            return None


class Scrubbed:
    """A stream without secrets: the last line of defence of the terminal."""

    def __init__(self, stream: Any, text: Callable[[str], str]) -> None:
        self._stream = stream
        self._text = text

    def write(self, told: str) -> Any:
        return self._stream.write(self._text(told))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _trouble(call: pytest.CallInfo[Any], scrubbed: Callable[[str], str]) -> tuple[str, str] | None:
    """Why this call is not a verdict: its code and reason; none when nothing was raised."""
    if call.excinfo is None:
        return None
    problem = call.excinfo.value
    told = one_line(scrubbed(str(problem)))[:300]  # cut first, half a secret would be left
    if isinstance(problem, pytest.skip.Exception):
        return "skip_not_allowed", f"its test was skipped, which proves nothing: {told}"
    if isinstance(problem, pytest.xfail.Exception):
        return "skip_not_allowed", f"its test was marked as failing, which proves nothing: {told}"
    if isinstance(problem, pytest.fail.Exception) and "Timeout" in told:
        return "timeout", f"its test did not end in time: {told}"
    if isinstance(problem, AssertionError):
        return "no_evidence", f"it asserted without evidence, use conclude(...): {told}"
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted", "the run was interrupted while it was being judged"
    return "harness_error", f"{type(problem).__name__}: {told}"
