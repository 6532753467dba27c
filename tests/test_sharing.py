"""One ledger on several machines: each entry once, in one order, whatever the store."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.errors import LedgerError
from hour24.ledger import chain, files
from hour24.ledger.book import Ledger
from hour24.ledger.sharing import Shared, attach
from hour24.ledger.stores import Bucket, Folder, check, open_store
from tests.played import hour24
from tests.small_watch import AFTER, T0, record, watch_of

WRITES = {"short": 30, "full": 100}
"""Of each of two machines."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of an S3 server on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        import boto3

        boto3.client("s3").create_bucket(Bucket="ledgers")
        yield "s3://ledgers/hour24"
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        server.stop()


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind."""
    if request.param == "bucket":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    if request.param == "branch":
        remote = tmp_path / "remote.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
        return f"git+{remote}#ledgers"
    return str(tmp_path / "shared")


EACH = pytest.mark.parametrize("address", ["folder", "branch", "bucket"], indirect=True)


def machine(folder: Path, address: str) -> Ledger:
    """Another machine, with a folder of its own, that takes part in the ledger ``launch``."""
    ledger = Ledger(folder / "launch")
    attach(ledger.folder, address, lambda: ledger.entries() if ledger.folder.is_dir() else ())
    return ledger


def declared(ledger: Ledger, by: str, number: int) -> None:
    at = T0 + timedelta(minutes=5)
    fields = {"at": at, "by": by, "because": f"{by} {number}", "addresses": 1, "problems": []}
    ledger.append("alert", fields)


def _write(folder: str, by: str, count: int, barrier: Any) -> None:
    ledger = Ledger(Path(folder))
    barrier.wait(60)
    for number in range(count):
        declared(ledger, by, number)


@EACH
def test_two_machines_that_write_at_once_leave_one_chain(
    tmp_path: Path, address: str, pytestconfig: pytest.Config
) -> None:
    """Every entry of both is there once, in the same order on both; the chain has no fork."""
    count = WRITES["full" if pytestconfig.option.full and "s3:" in address else "short"]
    first = watch_of(tmp_path / "a", record(0))
    attach(first.folder, address, first.entries)
    second = machine(tmp_path / "b", address)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [
        context.Process(target=_write, args=(str(one.folder), by, count, barrier), daemon=True)
        for one, by in ((first, "Ada"), (second, "Mara"))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(240)
        assert writer.exitcode == 0
    first.refresh()
    second.refresh()
    third = machine(tmp_path / "c", address)
    files = [[entry.file for entry in one.entries()] for one in (first, second, third)]
    assert files[0] == files[1] == files[2]
    assert len(files[0]) == 2 + 2 * count
    assert list(chain.breaks(third.entries())) == []
    said = [one.content["because"] for one in third.entries() if one.kind == "alert"]
    assert sorted(said) == sorted(f"{by} {n}" for by in ("Ada", "Mara") for n in range(count))


@EACH
def test_an_entry_whose_writer_was_killed_before_it_had_it_is_taken_over(
    tmp_path: Path, address: str
) -> None:
    """It is in the store, and so in the ledger; no machine writes it again."""
    first = watch_of(tmp_path / "a", record(0))
    attach(first.folder, address, first.entries)
    declared(first, "Ada", 1)
    (first.folder / "alert.1.json").unlink()  # killed between the store and the folder
    ledger = Ledger(first.folder)
    declared(ledger, "Ada", 2)
    assert [one.content["because"] for one in ledger.entries() if one.kind == "alert"] == [
        "Ada 1",
        "Ada 2",
    ]


@EACH
def test_a_record_that_another_machine_wrote_is_not_written_again(
    tmp_path: Path, address: str
) -> None:
    """Both recorded hour 4: the second one is refused, before anything of it is in the chain."""
    first = watch_of(tmp_path / "a", record(0))
    attach(first.folder, address, first.entries)
    second = machine(tmp_path / "b", address)
    first.write(record(4))
    with pytest.raises(LedgerError, match="it is written once"):
        second.write(record(4))
    assert [entry.file for entry in second.entries()] == [
        "watch.json",
        "hour00.a1.json",
        "hour04.a1.json",
    ]
    assert second.next_attempt(4) == 2


@EACH
def test_another_watch_of_the_same_name_is_refused(tmp_path: Path, address: str) -> None:
    """Two ledgers never become one."""
    first = watch_of(tmp_path / "a", record(0))
    attach(first.folder, address, first.entries)
    other = watch_of(tmp_path / "b", opened=AFTER)
    with pytest.raises(LedgerError, match="two ledgers of one name"):
        attach(other.folder, address, other.entries)
    assert not (other.folder / "store.json").exists()


@EACH
def test_what_was_redacted_is_redacted_in_the_store(tmp_path: Path, address: str) -> None:
    """Whoever joins later gets the file without the secret."""
    first = watch_of(tmp_path / "a", record(0))
    shared = attach(first.folder, address, first.entries)
    declared(first, "Ada", 1)
    path = first.folder / "alert.1.json"
    path.write_bytes(path.read_bytes().replace(b"Ada 1", b"[redacted]"))
    shared.redacted(first.entries(), path.name)
    third = machine(tmp_path / "c", address)
    assert b"[redacted]" in (third.folder / "alert.1.json").read_bytes()


def test_pages_of_another_machine_are_not_missed_here(tmp_path: Path) -> None:
    """Its files are entered in the chain that both have; each verifies its own."""
    first = watch_of(tmp_path / "a", record(0))
    attach(first.folder, str(tmp_path / "shared"), first.entries)
    for name in ("hour00.a1.html", "hour00.a1.xml", "index.html"):
        (first.folder / name).write_text("a page")
    paths = sorted(first.folder.glob("*.html")) + sorted(first.folder.glob("*.xml"))
    files.enter(first, paths, AFTER, "checkpoint")
    second = machine(tmp_path / "b", str(tmp_path / "shared"))
    assert list(files.problems(second.folder, second.entries())) == []
    says = files.coverage(second.folder, second.entries())
    assert "3 are of the machines that share this ledger" in says
    (first.folder / "hour00.a1.html").write_text("another page")
    (wrong,) = files.problems(first.folder, first.entries())
    assert wrong.startswith("hour00.a1.html: expected the bytes that")


class TwiceFolder(Folder):
    """A store that replaces what is there, as one that ignores the condition does."""

    def create(self, key: str, data: bytes) -> bool:
        self.replace(key, data)
        return True


def test_a_store_that_writes_a_key_twice_is_refused(tmp_path: Path) -> None:
    """An old server that ignores If-None-Match would lose entries."""
    with pytest.raises(LedgerError, match="expected a store that writes a key once"):
        check(TwiceFolder(str(tmp_path)))


def test_a_lost_answer_is_not_taken_for_a_lost_write(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write happened, its answer did not arrive: the next try finds our own bytes."""
    store = Bucket(f"{bucket}/lost")
    real = store._put
    answers = iter(["ReadTimeoutError"])

    def put(key: str, data: bytes, **condition: str) -> str:
        code = real(key, data, **condition)
        return next(answers, code)

    monkeypatch.setattr(store, "_put", put)
    assert store.create("000001", b"mine")
    assert not store.create("000001", b"mine")


def test_a_store_that_does_not_answer_costs_no_entry(tmp_path: Path) -> None:
    """The write is refused, and what is here can still be read."""
    ledger = watch_of(tmp_path / "a", record(0))
    shared = tmp_path / "shared"
    attach(ledger.folder, str(shared), ledger.entries)
    (shared / "launch").rename(tmp_path / "away")
    (shared / "launch").write_text("no folder")
    with pytest.raises(LedgerError, match="expected to read it"):
        declared(ledger, "Ada", 1)
    assert len(ledger.entries()) == 2


@pytest.mark.parametrize("address", ["ftp://host/x", "git+--upload-pack=x#b", "git+x#-d"])
def test_what_is_no_store_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(LedgerError, match="expected"):
        open_store(address, tmp_path)


def test_the_command_shares_a_ledger_and_takes_part_in_one(tmp_path: Path) -> None:
    """And a later command of either machine sees what the other wrote."""
    first = watch_of(tmp_path / "a", record(0))
    store = str(tmp_path / "shared")
    done = hour24("share", "launch", "--at", store, "--reports", tmp_path / "a")
    assert (done.returncode, "2 entries" in done.stdout) == (0, True), done.stdout
    done = hour24("share", "launch", "--at", store, "--reports", tmp_path / "b")
    assert "2 entries" in done.stdout, done.stdout
    assert "2 of them new here" in done.stdout
    declared(first, "Ada", 1)
    done = hour24("verify", "launch", "--reports", tmp_path / "b")
    assert "3 entries" in done.stdout, done.stdout
    assert json.loads((tmp_path / "b" / "launch" / "store.json").read_text())["store"] == store
    assert Shared.of(first.folder) is not None
