"""Serves the whole production of a rehearsal, as one command.

Rules of this module:

- It prints one line of JSON (path of production.toml, the environment it needs, the control
  address) and serves until its standard input ends or it gets SIGTERM.
- The control address: ``POST /step`` advances the time, ``POST /time`` sets it, ``POST
  /faults`` replaces the faults, ``GET /state`` reports. Every server has the new time before the
  answer is sent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hour24.errors import ConfigurationError
from hour24.rehearsal import settings
from hour24.rehearsal.backend import Backend
from hour24.rehearsal.faults import parse_faults
from hour24.rehearsal.postgres import PostgresMissing
from hour24.rehearsal.timing import ENDPOINTS
from hour24.rehearsal.tls import TlsAddress
from hour24.rehearsal.vendors.counterpart import served
from hour24.rehearsal.vendors.database.server import Database
from hour24.rehearsal.vendors.part import Part, server_of
from hour24.rehearsal.vendors.web import Refused, Reply, Request, Vendor
from hour24.rehearsal.world import World
from hour24.shipped import SCHEMAS

SWITCH_S = 0.001
"""Thread switches: short, so that a busy vendor delays the others little."""
SCHEMA = SCHEMAS / "health.schema.json"


class Control(Vendor):
    """The control address: sets time and faults."""

    name = "rehearsal"

    def __init__(self, world: World, backend: Backend, parts: Sequence[Part]) -> None:
        self._backend = backend
        self._parts = parts
        self._steps = threading.Lock()
        super().__init__(world)
        world.rolled_back = self._rolled_back

    def allowed(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Reply:
        if request.method == "GET" and request.path == "/state":
            return Reply(200, self.world.state())
        if request.method != "POST":
            raise self.not_found()
        try:
            body = json.loads(request.body)
            with self._steps:
                if request.path == "/step":
                    self.world.advance(_parse_time(body["now"]))
                    self._backend.update()
                elif request.path == "/time":
                    self.world.set_time(_parse_time(body["now"]))
                    self._backend.update()
                elif request.path == "/faults":
                    self.world.set_faults([str(each) for each in body["faults"]])
                    self._backend.update(faults=list(self.world.faults))
                else:
                    raise self.not_found()
                for part in self._parts:
                    part.apply()
        except (ValueError, KeyError, TypeError, ConfigurationError) as problem:
            raise Refused(self.error(400, f"{type(problem).__name__}: {problem}")) from None
        return Reply(200, self.world.state())

    def _rolled_back(self, deploy_id: str) -> None:
        with self._steps:
            self._backend.update(rollback=deploy_id)


class Production:
    """Everything a rehearsal serves."""

    def __init__(
        self,
        seed: int,
        faults: Sequence[str],
        t0: datetime,
        now: datetime,
        *,
        packaged: bool = False,
    ) -> None:
        self.world = World(seed, faults, t0, now, packaged=packaged)
        self._backend = Backend(self.world)
        self._tls = TlsAddress(self.world)
        self._parts: dict[str, Part] = {}
        with contextlib.ExitStack() as undone:
            undone.callback(self.stop)
            for name, each in served().items():
                self._parts[name] = server_of(each)(self.world)
            self._backend.ready()
            undone.pop_all()
        self.control = Control(self.world, self._backend, tuple(self._parts.values()))

    def describe(self) -> dict[str, Any]:
        """Write production.toml; return what is printed about it."""
        urls = {name: self._backend.url(name) for name in (*ENDPOINTS, "control", "websocket")}
        urls["tls"] = self._tls.url
        sections = {name: part.section() for name, part in self._parts.items()}
        database = self._parts["database"]
        assert isinstance(database, Database)
        # files, not folders: the server's own user must be able to remove them
        folder = database.server.home
        path = folder / "production.toml"
        shutil.copy(SCHEMA, folder / SCHEMA.name)
        path.write_text(settings.production_toml(urls, SCHEMA.name, sections), encoding="utf-8")
        return {
            "toml": str(path),
            "environ": {
                variable: value
                for part in self._parts.values()
                for variable, value in part.environ().items()
            },
            "control": self.control.url,
        }

    def stop(self) -> None:
        """End everything, the newest first."""
        for part in reversed(self._parts.values()):
            part.stop()
        self._tls.stop()
        self._backend.stop()


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {text}")
    return time.astimezone(UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve. Returns: 0; 4 when the command line cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m hour24.rehearsal.serve")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="append", default=[], metavar="NAME@HOUR")
    parser.add_argument("--t0", type=_parse_time, default=None, help="ISO 8601; today 06:00 UTC")
    parser.add_argument("--hour", type=float, default=0.0, help="hour at which its clock starts")
    parser.add_argument("--packaged", action="store_true", help="PostgreSQL from its package")
    options = parser.parse_args(arguments)
    t0 = options.t0 or datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
    try:
        faults = [str(fault) for fault in parse_faults(options.faults)]
    except ConfigurationError as problem:
        sys.stderr.write(f"{problem}\n")
        return 4
    sys.setswitchinterval(SWITCH_S)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    now = t0 + timedelta(hours=options.hour)
    try:
        production = Production(options.seed, faults, t0, now, packaged=options.packaged)
    except PostgresMissing as problem:
        sys.stderr.write(f"{problem}\n")
        return 4
    try:
        sys.stdout.write(json.dumps(production.describe()) + "\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while os.read(0, 4096):
                continue
    finally:
        production.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
