"""Stores that several machines share: each key is written once.

Rules of this module:

- A store has one operation that matters: :meth:`Store.create`, which writes a key that does not
  exist yet, or says that it does. Of any number of machines that create one key at the same time,
  one succeeds.
- Whether a store keeps that promise is tried before it is used: one that writes a key twice is
  refused.
- ``s3://BUCKET/PREFIX`` is a bucket of S3 or a compatible server, by a conditional write
  (``If-None-Match: *``). ``git+URL#BRANCH`` is a branch, by a push that is no fast-forward being
  refused. Any other text is a folder that the machines share, by a hard link.

Source: RFC 9110, 13.1.2; "Amazon S3 conditional writes"; ``git-push(1)``; ``link(2)``.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from hour24.disk import replace_file
from hour24.errors import LedgerError

TRIES = 50
"""Pushes that lose against others before we give up."""
GIT_WITHIN_S = 120.0
TIMEOUT_S = 20.0


class Store(Protocol):
    """Keys and their bytes."""

    address: str

    def refresh(self) -> None:
        """Read what others wrote; :meth:`read` may answer as of then."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a key that does not exist. Returns: False when it exists.

        Raises: LedgerError, when it is not known whether it was written.
        """

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a key; None when it does not exist. Raises: LedgerError."""

    def replace(self, key: str, data: bytes) -> None:
        """Replace the bytes of a key: only to take a secret out of them. Raises: LedgerError."""


def open_store(address: str, scratch: Path) -> Store:
    """Return the store at an address.

    Args:
        scratch: a folder for what a store keeps on this machine.
    Raises: LedgerError, when the address is none.
    """
    if address.startswith("s3://"):
        return Bucket(address)
    if address.startswith("git+"):
        return Branch(address, scratch)
    if re.match(r"[a-z][a-z0-9+.-]*://", address):
        raise LedgerError(
            f"{address}: expected s3://BUCKET/PREFIX, git+URL#BRANCH or a folder, got another one"
        )
    return Folder(address)


def check(store: Store) -> None:
    """Try whether a store writes a key once. Raises: LedgerError, when it does not."""
    key = f"once-{uuid4().hex}"
    first, second = store.create(key, b"first\n"), store.create(key, b"second\n")
    store.refresh()
    if not first or second or store.read(key) != b"first\n":
        raise LedgerError(
            f"{store.address}: expected a store that writes a key once, got one that wrote it "
            "twice: two machines would overwrite each other's entries"
        )


class Folder:
    """A folder that the machines share, such as NFS."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.path = Path(address)

    def refresh(self) -> None:
        """Does nothing: it is always fresh."""

    def create(self, key: str, data: bytes) -> bool:
        path = self.path / key
        beside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(beside, path)
            except FileExistsError:
                return False
            finally:
                beside.unlink(missing_ok=True)
        except OSError as problem:
            raise LedgerError(f"{path}: expected to write it, got {problem.strerror}") from None
        return True

    def read(self, key: str) -> bytes | None:
        try:
            return (self.path / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise LedgerError(
                f"{self.path / key}: expected to read it, got {problem.strerror}"
            ) from None

    def replace(self, key: str, data: bytes) -> None:
        path = self.path / key
        try:
            replace_file(path, data)
        except OSError as problem:
            raise LedgerError(f"{path}: expected to write it, got {problem.strerror}") from None


class Bucket:
    """A bucket. Credentials and endpoint are boto3's: ``AWS_ENDPOINT_URL``, profiles, roles."""

    def __init__(self, address: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise LedgerError(
                f"{address}: expected the package boto3, got none: pip install boto3"
            ) from None
        self.address = address
        name, _, prefix = address.removeprefix("s3://").partition("/")
        self._bucket = name
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        config = Config(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            # a write whose answer was lost is not sent again: it would find its own key
            retries={"total_max_attempts": 1},
        )
        self._client: Any = boto3.client("s3", config=config)

    def refresh(self) -> None:
        """Does nothing: S3 reads what was written."""

    def create(self, key: str, data: bytes) -> bool:
        unknown = ""
        for _ in range(TRIES):
            code = self._put(key, data, IfNoneMatch="*")
            if not code:
                return True
            if code == "PreconditionFailed":
                # our own earlier write may be what it finds, if its answer was lost
                return bool(unknown) and self.read(key) == data
            if code == "ConditionalRequestConflict":  # another write of this key is under way
                continue
            unknown = code
            time.sleep(PAUSE_S)
            if code not in LOST:
                break
        raise LedgerError(
            f"{self.address}: {key}: expected to write it, got {unknown or 'conflicts'}"
        )

    def read(self, key: str) -> bytes | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            data: bytes = answer["Body"].read()
        except ClientError as problem:
            code = _code(problem.response)
            if code in ("NoSuchKey", "404"):
                return None
            raise LedgerError(f"{self.address}: {key}: expected to read it, got {code}") from None
        except BotoCoreError as problem:
            got = type(problem).__name__
            raise LedgerError(f"{self.address}: {key}: expected to read it, got {got}") from None
        return data

    def replace(self, key: str, data: bytes) -> None:
        code = self._put(key, data)
        if code:
            raise LedgerError(f"{self.address}: {key}: expected to write it, got {code}")

    def _put(self, key: str, data: bytes, **condition: str) -> str:
        """Send one write. Returns: empty, or the code of what went wrong."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=data, **condition
            )
        except ClientError as problem:
            return _code(problem.response)
        except BotoCoreError as problem:
            return type(problem).__name__
        return ""


LOST = frozenset(
    {
        "ConnectionClosedError",
        "ConnectTimeoutError",
        "EndpointConnectionError",
        "InternalError",
        "ReadTimeoutError",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "500",
        "503",
    }
)
"""After these a write may have happened, or may succeed at the next try."""
PAUSE_S = 0.2


def _code(response: Any) -> str:
    return str(response.get("Error", {}).get("Code", "an error without a code"))


class Branch:
    """A branch of a git repository, each key a file; written by a push that no other overtook.

    Args:
        scratch: where the objects are kept on this machine.
    """

    def __init__(self, address: str, scratch: Path) -> None:
        self.address = address
        self._remote, _, branch = address.removeprefix("git+").partition("#")
        self._branch = branch or "hour24"
        if self._branch.startswith("-") or self._remote.startswith("-"):
            raise LedgerError(f"{address}: expected git+URL#BRANCH, got an option")
        self._git_folder = scratch / ".store.git"
        if not (self._git_folder / "HEAD").exists():
            self._git_folder.parent.mkdir(parents=True, exist_ok=True)
            self._run("init", "--quiet", "--bare", str(self._git_folder))
        self.refresh()

    def refresh(self) -> None:
        done = self._git("ls-remote", "--heads", self._remote, f"refs/heads/{self._branch}")
        if not done.strip():
            self._head = ""
            return
        self._git("fetch", "--quiet", self._remote, f"+refs/heads/{self._branch}:refs/heads/shared")
        self._head = self._git("rev-parse", "refs/heads/shared").strip()

    def create(self, key: str, data: bytes) -> bool:
        for _ in range(TRIES):
            if self.read(key) is not None:
                return False
            if self._pushed(key, data, f"Add {key}"):
                return True
            self.refresh()
        raise LedgerError(f"{self.address}: {key}: expected to push it, got {TRIES} others first")

    def read(self, key: str) -> bytes | None:
        if not self._head:
            return None
        done = self._completed("cat-file", "blob", f"{self._head}:{key}")
        return done.stdout if done.returncode == 0 else None

    def replace(self, key: str, data: bytes) -> None:
        for _ in range(TRIES):
            if self._pushed(key, data, f"Redact {key}"):
                return
            self.refresh()
        raise LedgerError(f"{self.address}: {key}: expected to push it, got {TRIES} others first")

    def _pushed(self, key: str, data: bytes, message: str) -> bool:
        """Push one commit after the head that we know. Returns: False when it is not the newest."""
        with tempfile.TemporaryDirectory() as folder:
            index = str(Path(folder) / "index")
            if self._head:
                self._git("read-tree", self._head, index=index)
            blob = self._git("hash-object", "-w", "--stdin", given=data).strip()
            added = f"100644,{blob},{key}"
            self._git("update-index", "--add", "--cacheinfo", added, index=index)
            tree = self._git("write-tree", index=index).strip()
        parents = ["-p", self._head] if self._head else []
        commit = self._git("commit-tree", tree, *parents, "-m", message).strip()
        expected = f"--force-with-lease=refs/heads/{self._branch}:{self._head}"
        done = self._completed(
            "push", "--quiet", expected, self._remote, f"{commit}:refs/heads/{self._branch}"
        )
        if done.returncode == 0:
            self._head = commit
            return True
        said = done.stderr.decode("utf-8", "replace")
        if any(word in said for word in ("rejected", "stale info", "failed to push", "lock")):
            return False
        raise LedgerError(f"{self.address}: {key}: expected to push it, got: {_last(said)}")

    def _git(self, *words: str, given: bytes = b"", index: str = "") -> str:
        done = self._completed(*words, given=given, index=index)
        if done.returncode != 0:
            said = _last(done.stderr.decode("utf-8", "replace"))
            raise LedgerError(
                f"{self.address}: git {words[0]}: expected it to succeed, got: {said}"
            )
        return done.stdout.decode("utf-8", "replace")

    def _completed(
        self, *words: str, given: bytes = b"", index: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        return self._run(f"--git-dir={self._git_folder}", *words, given=given, index=index)

    def _run(
        self, *words: str, given: bytes = b"", index: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *IDENTITY, *words],
                env={
                    **os.environ,
                    "GIT_TERMINAL_PROMPT": "0",
                    **({"GIT_INDEX_FILE": index} if index else {}),
                },
                input=given,
                capture_output=True,
                timeout=GIT_WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            got = type(problem).__name__
            raise LedgerError(f"{self.address}: git: expected it to run, got {got}") from None


IDENTITY = ("-c", "user.name=hour24", "-c", "user.email=hour24@localhost")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"
