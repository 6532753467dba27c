"""Publishes a prober's lines while it runs: whole lines without secrets, in a folder to be pushed.

Rules of this module:

- Who probes holds production's secrets, and who pushes holds a token of the repository: they are
  two processes, and the folder is all that they share.
- A line with a secret is redacted before it is published. If the secret is still there, nothing of
  its file is published from then on, and the prober's exit code says so.
- Each prober publishes under a name that no other one has: ``<host>-<pid>`` may be the same on two
  machines. Only what it wrote itself is published.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

import msgspec

from hour24.probes.taking import FOLDERS

EVERY_S = 5.0


class LineRedactor(Protocol):
    """Replaces secrets; :class:`hour24.secrets.redactor.Redactor` is one."""

    def names_in(self, text: str) -> set[str]:
        """Return the names of the secrets in the text, in any encoding."""

    def plain(self, value: Any) -> Any:
        """Return the data without secrets and without what looks like one."""


class Outbox:
    """Publishes, in a thread, what is appended to a prober's files from now on.

    Args:
        folder: ``reports/<watch>/probe``.
        into: published are ``<into>/<watch>/probe/``.
        say: called with one line for each problem.
    """

    def __init__(
        self,
        folder: Path,
        into: Path,
        redactor: LineRedactor,
        say: Callable[[str], None],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._folder = folder
        self._into = into / folder.parent.name / folder.name
        self._redactor = redactor
        self._say = say
        self._tag = token_hex(4)
        self._read = {path: path.stat().st_size for path in self._files()}
        self._refused: set[Path] = set()
        self._problem = ""
        self._ended = threading.Event()
        self._every_s = every_s
        self._thread = threading.Thread(target=self._run, name="hour24 outbox", daemon=True)
        self._thread.start()

    @property
    def incomplete(self) -> bool:
        """Whether a line is not published, because of a secret or of the disk."""
        return bool(self._refused or self._problem)

    def close(self) -> None:
        """Publish what is left, once all files are closed."""
        self._ended.set()
        self._thread.join()
        self._try_publish()

    def publish(self) -> None:
        """Publish the whole lines that are new. Raises: OSError."""
        for path in self._files():
            if path not in self._refused:
                self._publish(path)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._try_publish()

    def _try_publish(self) -> None:
        try:
            self.publish()
        except OSError as problem:
            text = f"{self._into}: lines could not be published: {problem.strerror}"
            if text != self._problem:
                self._say(text)
            self._problem = text
        else:
            self._problem = ""

    def _files(self) -> list[Path]:
        return [path for name in FOLDERS for path in sorted((self._folder / name).glob("*.jsonl"))]

    def _publish(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        clean = b"".join(self._without_secrets(data))
        names = self._redactor.names_in(clean.decode("utf-8", "replace")) if clean else ()
        if names:
            self._refused.add(path)
            self._say(
                f"{path.name}: has the secret {', '.join(sorted(names))}; none of its lines is "
                "published from now on: change that secret"
            )
            return
        if clean:
            published = self._into / path.parent.relative_to(self._folder)
            published.mkdir(parents=True, exist_ok=True)
            _append(published / f"{path.stem}.{self._tag}.jsonl", clean)
        self._read[path] = self._read.get(path, 0) + len(data)

    def _without_secrets(self, data: bytes) -> Iterator[bytes]:
        """Yield each line; leave out a torn one, which is never read."""
        for line in data.splitlines(keepends=True):
            try:
                content = msgspec.json.decode(line)
            except msgspec.DecodeError:
                continue
            clean = self._redactor.plain(content)
            yield line if clean == content else msgspec.json.encode(clean) + b"\n"


def _append(path: Path, data: bytes) -> None:
    """Append all of the data, or nothing. Raises: OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(handle).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(handle, data[written:])
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
