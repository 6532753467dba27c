"""A handle on a rehearsal that is being served.

Rules of this module:

- The rehearsal is a process of its own that ends with whoever started it, however that ends.
- What it prints may also be kept in a file, for others to use the same rehearsal.
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
    """A rehearsal being served.

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
            hour: where its clock stands first, hours since T0.
            packaged: its PostgreSQL comes from a package, whatever the system has.

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
                ["rehearsal: expected it to start, got no word of it; it says why above"]
            )
        return cls(**json.loads(line), process=process)

    @classmethod
    def served(cls, path: Path) -> Rehearsal:
        """The one whose first line is in this file. Raises: ConfigurationError."""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return cls(told["toml"], told["environ"], told["control"])
        except OSError as problem:
            got = (problem.strerror or "no answer").lower()
            raise ConfigurationError(
                [f"{path}: expected what a rehearsal prints, got {got}"]
            ) from None
        except (ValueError, KeyError, TypeError):
            wrong = f"{path}: expected what a rehearsal prints, got something else"
            raise ConfigurationError([wrong]) from None

    def told(self) -> str:
        """What it printed, as a line, for :meth:`served`."""
        return json.dumps({"toml": self.toml, "environ": self.environ, "control": self.control})

    def stand(self, moment: datetime) -> None:
        """Have it stand at this moment."""
        ask(self.control, "POST", "/stand", {"now": moment.isoformat()})

    def plague(self, *faults: str) -> None:
        """Replace its faults."""
        ask(self.control, "POST", "/faults", {"faults": list(faults)})

    def state(self) -> dict[str, Any]:
        """What it says of itself."""
        told: dict[str, Any] = ask(self.control, "GET", "/state")
        return told

    def stop(self) -> None:
        """End it, if it is ours."""
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
