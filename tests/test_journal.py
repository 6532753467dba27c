"""The journal: what it returned from survives."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hour24.errors import LedgerError
from hour24.ledger import journal
from hour24.ledger.journal import Journal

ROOT = Path(__file__).parents[1]


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    """Oldest first, times and odd text included."""
    kept = Journal(tmp_path / "journal" / "hour08.a1.jsonl")
    kept.write({"kind": "begin", "text": "a\nb\ud800"})
    kept.write({"kind": "judged", "n": 1})
    kept.close()
    kept.close()
    assert journal.read(kept.path) == [
        {"kind": "begin", "text": "a\nb\ud800"},
        {"kind": "judged", "n": 1},
    ]


@pytest.mark.parametrize("torn", [b'{"n":', b"\x00\x00\x00", b'{"n":3}', b'{"n":\n', b"\x00\n"])
def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: bytes) -> None:
    """A kill in the middle of a line loses that line and no other."""
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}\n' + torn)
    assert journal.read(path) == [{"n": 1}, {"n": 2}]


def test_a_broken_line_before_the_last_is_reported(tmp_path: Path) -> None:
    """That is not a kill: the file was changed."""
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":\n{"n":3}\n')
    with pytest.raises(LedgerError, match="line 2: expected a JSON object, got none"):
        journal.read(path)


def test_every_acknowledged_line_survives_a_kill(tmp_path: Path) -> None:
    """What the process said it had written is there after SIGKILL."""
    path = tmp_path / "j.jsonl"
    program = (
        "import sys, itertools\n"
        "from pathlib import Path\n"
        "from hour24.ledger.journal import Journal\n"
        "kept = Journal(Path(sys.argv[1]))\n"
        "for n in itertools.count():\n"
        "    kept.write({'n': n, 'pad': 'x' * 5000})\n"
        "    print(n, flush=True)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 20:
                break
        process.send_signal(signal.SIGKILL)
        last = max([20, *(int(line) for line in process.stdout if line.strip())])
    assert [line["n"] for line in journal.read(path)][: last + 1] == list(range(last + 1))


def test_a_line_without_room_is_refused_and_leaves_no_half(tmp_path: Path) -> None:
    """A full disk costs that line; the ones before can be read, and the next one can be written."""
    kept = Journal(tmp_path / "j.jsonl")
    kept.write({"n": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(LedgerError, match=r"j\.jsonl: expected to append, got"):
            kept.write({"pad": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept.write({"n": 2})
    kept.close()
    assert journal.read(kept.path) == [{"n": 1}, {"n": 2}]


def test_a_journal_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    """Its folder is a file."""
    (tmp_path / "journal").write_text("")
    with pytest.raises(LedgerError, match="expected to open it"):
        Journal(tmp_path / "journal" / "hour08.a1.jsonl")
