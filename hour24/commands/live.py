"""watch: one process that runs a whole watch, and shows how it goes."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from hour24 import config
from hour24.clock import WallClock
from hour24.commands import say
from hour24.commands.line import WHOLE_NUMBER, command
from hour24.commands.several import run_each
from hour24.commands.watches import reports_option
from hour24.commands.watching import (
    alerting,
    asking_command,
    asking_folder,
    chosen_options,
    open_watch_option,
    shared_options,
    t0_option,
    vantage_of,
    vantage_option,
    watch_target_option,
    watch_to_probe,
)
from hour24.shipped import COMMAND
from hour24.targets.several import is_several
from hour24.text import format_duration

if TYPE_CHECKING:
    from hour24.config import Production
    from hour24.ledger.book import Ledger
    from hour24.live.checkpoints import Checkpoints
    from hour24.live.terminal import Terminal
    from hour24.prober import Asker
    from hour24.probes import Alarm

PORT = 2424
STEP_S = 1.0
ASKS_AFTER_S = 60.0
"""After this time the prober asks, if no checkpoint is being recorded."""
NOT_READY = 1


@command(
    "Runs a whole watch: probes, runs each checkpoint when it is due, asks again what was not "
    "answered, alerts people, and ends with what the sign-off lacks. Stop it and start it again "
    "whenever you like. A second one waits and takes over. A page of its progress is at "
    f"http://127.0.0.1:{PORT}/.",
    "--t0 2026-12-01T06:00Z",
)
@watch_target_option
@open_watch_option
@reports_option
@vantage_option
@t0_option
@click.option(
    "--port",
    type=WHOLE_NUMBER,
    default=PORT,
    metavar="N",
    help=f"port of the page on 127.0.0.1 (default: {PORT}); 0: a free one; -1: no page",
)
def watch(
    target: str, watch: str, reports: Path, vantage: str, t0: datetime | None, port: int
) -> int:
    """Run the watch until its last checkpoint is recorded. Returns: 0 if it can be signed off."""
    from hour24.live.taking_over import running
    from hour24.live.terminal import Terminal

    if is_several(target):
        port = port if port < 0 else 0
        options = [*shared_options(reports, vantage, t0), f"--port={port}"]
        return run_each("watch", target, watch, options)
    ledger, target = watch_to_probe(target, watch, reports, t0)
    production = config.load(Path(target))
    vantage = vantage_of(production, vantage)
    say.hide(production.secrets)
    terminal = Terminal(sys.stdout, WallClock())
    stopped = threading.Event()
    with _signals(stopped.set):
        waiting = ""
        while not stopped.is_set():
            with running(ledger.folder) as holder:
                if not holder:
                    return _run(ledger, production, target, terminal, port, vantage, stopped)
            if holder != waiting:
                terminal.say(f"{ledger.watch.name} is run by {holder}; waiting to take over")
                waiting = holder
            stopped.wait(STEP_S)
    return 0


def _run(
    ledger: Ledger,
    production: Production,
    target: str,
    terminal: Terminal,
    port: int,
    vantage: str,
    stopped: threading.Event,
) -> int:
    from hour24.live.checkpoints import Checkpoints
    from hour24.live.own_clock import OwnClock
    from hour24.prober import Asker

    plan, clock = ledger.watch, WallClock()
    terminal.say(
        f"watch {plan.name}: {plan.t0:%Y-%m-%d %H:%MZ} to {plan.whole.end:%Y-%m-%d %H:%MZ}"
    )
    with ExitStack() as ending:
        send_alarm = ending.enter_context(alerting(ledger, production, "hour24 watch"))
        checkpoints = Checkpoints(
            ledger,
            clock,
            checkpoint_command(ledger, target),
            asking_folder(),
            terminal.say,
            OwnClock(production.service.control_url, clock).problem,
        )
        ending.callback(checkpoints.close)
        asker = Asker(
            plan,
            ledger,
            clock,
            asking_command(ledger, target),
            asking_folder(),
            terminal.say,
            after_s=ASKS_AFTER_S,
        )
        ending.callback(asker.close)
        if port >= 0:
            ending.enter_context(_page(ledger, checkpoints, asker, terminal, port))
        checkpoints.start()
        ending.enter_context(_probing(ledger, production, terminal, send_alarm, vantage))
        while not stopped.wait(STEP_S) and not checkpoints.finished:
            terminal.status(_status(ledger, checkpoints, asker, terminal))
    if stopped.is_set():
        terminal.say("stopped; the same command goes on")
        return 0
    return _readiness(ledger, terminal)


def checkpoint_command(ledger: Ledger, target: str) -> Callable[[int, bool], list[str]]:
    """Return hour, once -> the command that runs this checkpoint."""
    begin = [sys.executable, "-m", "pytest", "-q", *chosen_options(ledger, target)]
    return lambda hour, once: [*begin, "-m", f"hour{hour}", *(["--once"] if once else [])]


@contextmanager
def _probing(
    ledger: Ledger,
    production: Production,
    terminal: Terminal,
    send: Callable[[Alarm], None],
    vantage: str,
) -> Iterator[None]:
    """Probe in a thread, until the watch ends or the block does."""
    from hour24.prober import Prober
    from hour24.probes import LineWriter

    until = ledger.watch.whole.end
    if WallClock().now() >= until:
        yield
        return

    def alarmed(alarm: Alarm) -> None:
        terminal.alarm(alarm)
        send(alarm)

    probers: list[Prober] = []
    ended = threading.Event()

    def probe() -> None:
        # A prober ends after a length of time: if the clock was set back meanwhile, before the end.
        while not ended.is_set() and WallClock().now() < until:
            prober = Prober(
                production,
                WallClock(),
                LineWriter.of_this_process(ledger.folder / "probe"),
                on_alarm=alarmed,
                on_line=terminal.line,
                vantage=vantage,
            )
            probers.append(prober)
            if not ended.is_set():
                prober.run(until)

    thread = threading.Thread(target=probe, name="hour24 prober")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        for each in tuple(probers):
            each.stop()
        thread.join()
        if unwritten := sum(each.unwritten for each in probers):
            terminal.say(f"{unwritten} lines of probes could not be written")


@contextmanager
def _page(
    ledger: Ledger, checkpoints: Checkpoints, asker: Asker, terminal: Terminal, port: int
) -> Iterator[None]:
    """Serve the live page; a port that is taken costs the page, not the watch."""
    from hour24.live.server import LivePage

    def text() -> str:
        from hour24.report import live

        now = WallClock().now()
        progress = live.Progress(
            doing=_doing(checkpoints, asker),
            probes=terminal.probes(),
            said=tuple(terminal.said),
            next_hour=checkpoints.next_due(),
        )
        return live.text(ledger, now, progress)

    try:
        page = LivePage(text, ledger.folder, port)
    except OSError as problem:
        terminal.say(f"no live page: port {port}: {problem.strerror}; see --port")
        yield
        return
    terminal.say(f"live page: {page.url}")
    try:
        yield
    finally:
        page.close()


def _doing(checkpoints: Checkpoints, asker: Asker) -> tuple[str, ...]:
    found = []
    if checkpoints.running is not None:
        found.append(f"running hour {checkpoints.running}")
    if asker.asking is not None:
        found.append(f"asking what exists only now for hour {asker.asking}")
    if checkpoints.problem:
        found.append(checkpoints.problem)
    return tuple(found)


def _status(ledger: Ledger, checkpoints: Checkpoints, asker: Asker, terminal: Terminal) -> str:
    """Return the status line: what comes next, and how the newest minute went."""
    hour = checkpoints.next_due()
    parts = list(_doing(checkpoints, asker))
    if hour is not None and checkpoints.running is None:
        wait = (ledger.watch.checkpoint(hour).due - WallClock().now()).total_seconds()
        parts.append(f"hour {hour} {'in' if wait > 0 else 'due for'} {format_duration(abs(wait))}")
    return "; ".join([*parts, *terminal.probes()[:4]])


def _readiness(ledger: Ledger, terminal: Terminal) -> int:
    """Print what blocks the sign-off, or the command that signs. Returns: 0 if nothing does."""
    from hour24.ledger.readiness import blocking

    found = blocking(ledger, WallClock().now())
    for line in found:
        terminal.say(f"blocks the sign-off: {line}")
    sign = f"{COMMAND} signoff {shlex.quote(str(ledger.folder))} --by NAME --role ROLE"
    terminal.say(f"{len(found)} findings block the sign-off" if found else f"ready: {sign}")
    return NOT_READY if found else 0


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP stop the watch cleanly; a second one kills it."""
    before = {}

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP on purpose
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
