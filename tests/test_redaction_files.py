"""The secret scan finds secrets in finished files, in any encoding, and quarantines the file."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from hour24.secrets import Secret
from hour24.secrets.redactor import Redactor
from hour24.secrets.scan import leaks

TOKEN = "s/ntrys_é+9f8e 7d6c"
DSN = "https://0a1b2c3d4e5f60718293a4b5c6d7e8f9@o1.ingest.example.com/4505000000000001"

WRITTEN = {
    "as it is": TOKEN,
    "in an address": quote(TOKEN, safe=""),
    "in a form": quote_plus(TOKEN),
    "every byte": "".join(f"%{byte:02x}" for byte in TOKEN.encode()),
    "hexadecimal": TOKEN.encode().hex(),
    "hexadecimal, one digit more": TOKEN.encode().hex() + "f",
    "base64": base64.b64encode(b"{}" + TOKEN.encode()).decode(),
    "base64 of a page": base64.b64encode(html.escape(quote(TOKEN)).encode()).decode(),
    "its head, cut": f"{TOKEN[:9]}...",
    "its tail, cut": f"…{TOKEN[-9:]}",
    "JSON in HTML": html.escape(json.dumps(json.dumps(TOKEN))),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_secret_is_found_in_a_file(how: str, tmp_path: Path) -> None:
    """Whichever way a secret was written, the finished file is known to hold it."""
    path = tmp_path / "page.html"
    path.write_text(f"<p>100 % of 5 + 3 %% here: {WRITTEN[how]}.</p>", encoding="utf-8")
    assert Redactor([("TOKEN", TOKEN)]).found_in(path) == ["TOKEN"]


def test_a_secret_is_found_deep_in_a_long_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prober's file is searched in pieces, to its end."""
    monkeypatch.setattr("hour24.secrets.redactor.PIECE_BYTES", 100)
    path = tmp_path / "prober-1.jsonl"
    lines = [json.dumps({"minute": n, "reason": "timeout"}) for n in range(50)]
    path.write_text("\n".join([*lines, json.dumps({"reason": TOKEN}), *lines]), encoding="utf-8")
    assert Redactor([("TOKEN", TOKEN)]).found_in(path) == ["TOKEN"]


def test_a_file_without_it_is_clean(tmp_path: Path) -> None:
    """Percent signs, long numbers and encoded prose are no secret."""
    path = tmp_path / "page.html"
    prose = base64.b64encode(b"nothing to be seen here").decode()
    path.write_text(f"100 % %zz {prose} {'0123456789abcdef' * 3} %41%42", encoding="utf-8")
    assert Redactor([("TOKEN", TOKEN)]).found_in(path) == []


def test_the_number_of_a_project_is_no_secret() -> None:
    """A DSN's key is redacted; its project's number is in every question, and stays."""
    asked = "GET /events/?project=4505000000000001&field=count()"
    redactor = Redactor([("DSN", DSN)])
    assert redactor.text(asked) == asked
    assert "0a1b2c3d" not in redactor.text("key 0a1b2c3d4e5f60718293a4b5c6d7e8f9")


def _run(folder: Path, *secrets: Secret) -> tuple[Path, Redactor, list[str]]:
    redactor = Redactor((each.name, each.reveal()) for each in secrets)
    return folder, redactor, [each.name for each in secrets]


def test_only_files_that_changed_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was searched is left alone until it changes, or until there is another secret."""
    monkeypatch.setattr("hour24.secrets.scan.CLOCK_TICK_S", -1.0)
    token = Secret("TOKEN", TOKEN)
    old = tmp_path / "hour00.a1.html"
    old.write_text("the key is rnd_1234567890abcdef", encoding="utf-8")
    assert leaks(*_run(tmp_path, token)) == []

    read: list[str] = []
    run = _run(tmp_path, token)
    found_in = run[1].found_in
    run[1].found_in = lambda path: read.append(path.name) or found_in(path)
    assert leaks(*run) == []
    assert read == []

    lines = leaks(*_run(tmp_path, token, Secret("KEY", "rnd_1234567890abcdef")))
    assert [line.partition(":")[0] for line in lines] == ["hour00.a1.html"]
    assert (tmp_path / "hour00.a1.html.quarantined").exists()


def test_a_changed_secret_is_searched_again_in_finished_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated token keeps its name; an old page may hold its new value."""
    monkeypatch.setattr("hour24.secrets.scan.CLOCK_TICK_S", -1.0)
    (tmp_path / "hour00.a1.html").write_text("rnd_1234567890abcdef", encoding="utf-8")
    (tmp_path / "hour00.lock").touch()
    assert leaks(*_run(tmp_path, Secret("TOKEN", TOKEN))) == []
    rotated = Secret("TOKEN", "rnd_1234567890abcdef")
    assert len(leaks(*_run(tmp_path, rotated))) == 1


def test_a_file_written_since_is_read(tmp_path: Path) -> None:
    """A page that appeared after the last search is searched and quarantined."""
    run = _run(tmp_path, Secret("TOKEN", TOKEN))
    assert leaks(*run) == []
    (tmp_path / "hour04.a1.html").write_text(TOKEN, encoding="utf-8")
    assert len(leaks(*run)) == 1
    assert not (tmp_path / "hour04.a1.html").exists()


def test_a_changed_secret_is_found_however_a_file_escapes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger is JSON and HTML: its old files hold a secret escaped, or in base64."""
    monkeypatch.setattr("hour24.secrets.scan.CLOCK_TICK_S", -1.0)
    value = 'n3w"Va<ue&4711-long'
    (tmp_path / "hour00.a1.json").write_text(json.dumps({"a": value}), encoding="utf-8")
    (tmp_path / "hour00.a1.html").write_text(html.escape(value), encoding="utf-8")
    (tmp_path / "hour00.a1.xml").write_bytes(base64.b64encode(f"user:{value}".encode()))
    assert leaks(*_run(tmp_path, Secret("TOKEN", TOKEN))) == []
    assert len(leaks(*_run(tmp_path, Secret("TOKEN", value)))) == 3
