"""Files are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hour24.disk import replace_file


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    replace_file(file, b"one")
    with file.open("rb") as reader:  # who reads it meanwhile has the old one, whole
        replace_file(file, b"two")
        assert reader.read() == b"one"
    assert file.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["lines.jsonl"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["lines.jsonl"]
