"""Starts a rehearsal and controls it.

Rules of this module:

- The rehearsal is a separate process that ends with the one that started it, however that ends.
- The line it prints may be stored in a file, so that other processes can use the same rehearsal.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hour24.errors import ConfigurationError
from hour24.rehearsal.clock import ask
from hour24.shipped import IMPORTED_FROM

STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 10.0


class Rehearsal:
    """A running rehearsal.

    Args:
        toml: path of its production.toml.
        environ: the variables that file needs.
        control: its control address.
    """

    def __init__(
        self,
        toml: str,
        environ: dict[str, str],
        control: str,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.toml = toml
        self.environ = environ
        self.control = control
        self._process = process

    @classmethod
    def start(
        cls,
        seed: int,
        faults: Sequence[str],
        t0: datetime,
        hour: float = 0,
        *,
        packaged: bool = False,
    ) -> Rehearsal:
        """Start one.

        Args:
            hour: at which its clock starts, hours since T0.
            packaged: use the PostgreSQL of the package, whatever the system has.

        Raises: ConfigurationError, when it does not start.
        """
        command = [sys.executable, "-m", "hour24.rehearsal.serve", "--seed", str(seed)]
        command += ["--t0", t0.isoformat(), f"--hour={hour:g}"]
        for fault in faults:
            command.append(f"--faults={fault}")
        if packaged:
            command.append("--packaged")
        paths = [str(IMPORTED_FROM), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=IMPORTED_FROM,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        line = _first_line(process)
        if not line:
            process.kill()
            process.communicate()
            raise ConfigurationError(
                ["rehearsal: expected it to start, got no output; see its error above"]
            )
        return cls(**json.loads(line), process=process)

    @classmethod
    def from_file(cls, path: Path) -> Rehearsal:
        """Return the rehearsal that this file describes. Raises: ConfigurationError."""
        try:
            printed = json.loads(path.read_text(encoding="utf-8"))
            return cls(printed["toml"], printed["environ"], printed["control"])
        except OSError as problem:
            got = (problem.strerror or "no answer").lower()
            raise ConfigurationError(
                [f"{path}: expected what a rehearsal prints, got {got}"]
            ) from None
        except (ValueError, KeyError, TypeError):
            wrong = f"{path}: expected what a rehearsal prints, got something else"
            raise ConfigurationError([wrong]) from None

    def to_json(self) -> str:
        """Return the line it printed, for :meth:`from_file`."""
        return json.dumps({"toml": self.toml, "environ": self.environ, "control": self.control})

    def set_time(self, now: datetime) -> None:
        """Set its time."""
        ask(self.control, "POST", "/time", {"now": now.isoformat()})

    def set_faults(self, *faults: str) -> None:
        """Replace its faults."""
        ask(self.control, "POST", "/faults", {"faults": list(faults)})

    def state(self) -> dict[str, Any]:
        """Return its state."""
        state: dict[str, Any] = ask(self.control, "GET", "/state")
        return state

    def stop(self) -> None:
        """End it, if this process started it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    until = time.monotonic() + STARTS_WITHIN_S
    line = b""
    while not line.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return b""
        part = os.read(process.stdout.fileno(), 65536)
        if not part:
            return b""
        line += part
    return line
