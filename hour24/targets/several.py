"""Several services at once: ``--target 'services/*.toml'`` runs one watch a service.

Rules of this module:

- Each service is a process of its own, with the same command line and its own file; a service that
  cannot run costs the others nothing.
- Two files with one service name would have watches of one name: they are refused before anything
  runs, and so is an option that all of them would share.
- The exit code is that of the worst: a FAIL, then what could not run, then INCONCLUSIVE.
"""

from __future__ import annotations

import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from hour24.errors import ConfigurationError
from hour24.targets.watches import name_of_folder

WILDCARDS = "*?["
AT_ONCE = 4
"""Checkpoints wait most of the time; more at once would share two cores and be late."""
FAIL, INCONCLUSIVE, INTERRUPTED, TOO_LONG = 1, 10, 2, 11
LONGEST_S = 3600.0
TAIL = 12
"""Lines of a run that are shown where it did not pass; its pages have the rest."""
STOP_WITHIN_S = 20.0


class Ended(NamedTuple):
    """One service's run that ended."""

    target: str
    code: int
    took_s: float
    output: str


def is_several(target: str) -> bool:
    """Returns whether this target is a pattern for several files."""
    return any(each in target for each in WILDCARDS) and not Path(target).exists()


def expand(pattern: str) -> tuple[str, ...]:
    """Returns the files that the pattern matches, by name.

    Raises: ConfigurationError, if there is none, or two have one service name.
    """
    folder = Path(Path(pattern).anchor or ".")
    relative = Path(pattern).relative_to(folder) if Path(pattern).anchor else Path(pattern)
    found = tuple(sorted(str(path) for path in folder.glob(str(relative)) if path.is_file()))
    if not found:
        raise ConfigurationError([f"--target: expected files that match {pattern}, got none"])
    by_name: dict[str, str] = {}
    problems = []
    for target in found:
        service = _service_name(target)
        if not service:
            continue
        name = name_of_folder(service)
        first = by_name.setdefault(name, target)
        if first != target:
            problems.append(
                f"{target}: service.name: expected another name than in {first}, since their "
                f"watches would both be called {name}"
            )
    if problems:
        raise ConfigurationError(problems)
    return found


def replaced(arguments: Sequence[str], target: str) -> list[str]:
    """Returns these arguments with this target instead of the one that they name."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--target":
            skip = True
        elif not argument.startswith("--target="):
            kept.append(argument)
    return [f"--target={target}", *kept]


def run_all(
    commands: Mapping[str, Sequence[str]],
    show: Callable[[Ended, int, int], None],
    *,
    at_once: int = AT_ONCE,
    longest_s: float = LONGEST_S,
) -> list[Ended]:
    """Run each service's command, some at once. Returns: how each ended, in order of names.

    Args:
        show: called with each that ended, how many have, and how many there are.
    """
    ended: dict[str, Ended] = {}
    with _running() as running, ThreadPoolExecutor(at_once) as pool:
        waiting = {
            pool.submit(_run, target, command, running, longest_s): target
            for target, command in commands.items()
        }
        try:
            for future in as_completed(waiting):
                one = future.result()
                ended[one.target] = one
                show(one, len(ended), len(commands))
        finally:  # an interrupt: those that run end, those that wait never begin
            for future in waiting:
                future.cancel()
            running.stop()
    return [ended[target] for target in commands]


def stream_all(commands: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> list[int]:
    """Run every service's command at the same time, each line with its name. Returns: the codes.

    An interrupt reaches each of them; it ends as it does by itself.
    """
    names = [Path(target).stem for target in commands]
    labels = names if len(set(names)) == len(names) else list(commands)
    width = max(map(len, labels))
    codes: dict[str, int] = {}
    with _running() as running, ThreadPoolExecutor(len(commands)) as pool:

        def follow(target: str, label: str) -> None:
            process = running.start(commands[target])
            if process is None:
                codes[target] = INTERRUPTED
                return
            assert process.stdout is not None
            for line in process.stdout:
                say(f"{label:<{width}}  {line.rstrip()}")
            codes[target] = process.wait()
            running.ended(process)

        waiting = [
            pool.submit(follow, target, label)
            for target, label in zip(commands, labels, strict=True)
        ]
        try:
            for each in waiting:
                each.result()
        except KeyboardInterrupt:
            running.stop()
    return [codes.get(target, INTERRUPTED) for target in commands]


def worst_code(codes: Sequence[int]) -> int:
    """Returns the exit code of the worst: 0 only if every code is 0.

    Raises: ValueError, if there is none.
    """
    return max(codes, key=_rank)


def summary(ended: Sequence[Ended], words: Mapping[int, str]) -> list[str]:
    """Returns a line for each service, the worst first, and the sum before them.

    Args:
        words: exit code -> outcome.
    """
    ranked = sorted(ended, key=lambda one: (-_rank(one.code), one.target))
    said = [words.get(one.code, f"exit code {one.code}") for one in ranked]
    sums = ", ".join(f"{said.count(each)} {each}" for each in dict.fromkeys(said))
    width = max(map(len, said))
    return [
        f"{len(ended)} services: {sums}",
        *(f"  {each:<{width}}  {one.target}" for each, one in zip(said, ranked, strict=True)),
    ]


def tail(output: str) -> list[str]:
    """Returns the last lines of a run's output."""
    return [line for line in output.splitlines() if line.strip()][-TAIL:]


def _rank(code: int) -> int:
    if code == FAIL:
        return 3
    return {0: 0, INCONCLUSIVE: 1}.get(code, 2)


def _service_name(target: str) -> str:
    """Returns the name in this file; empty if it cannot be read: its own run says why."""
    try:
        service = tomllib.loads(Path(target).read_text("utf-8")).get("service", {})
        return str(service.get("name", ""))
    except (OSError, ValueError, AttributeError):
        return ""


class _Running:
    """The processes that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def start(self, command: Sequence[str]) -> subprocess.Popen[str] | None:
        """Start a process; None after :meth:`stop`."""
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._processes.add(process)
            return process

    def ended(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        """End every process: each writes its record with what it has."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                with suppress(OSError):
                    process.terminate()


@contextmanager
def _running() -> Iterator[_Running]:
    running = _Running()
    try:
        yield running
    finally:
        running.stop()


def _run(target: str, command: Sequence[str], running: _Running, longest_s: float) -> Ended:
    began = time.monotonic()
    process = running.start(command)
    if process is None:
        return Ended(target, INTERRUPTED, 0.0, "")
    try:
        output, _ = process.communicate(timeout=longest_s)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            output, _ = process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        output += f"\nno end within {longest_s:g} s"
        code = TOO_LONG
    finally:
        running.ended(process)
    return Ended(target, code, time.monotonic() - began, output)
