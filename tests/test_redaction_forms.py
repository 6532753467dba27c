"""A secret is redacted whatever encoder wrote it, however often, and so are others' secrets."""

from __future__ import annotations

import base64
import html
import json
import quopri
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from hour24.secrets.redactor import Redactor

SECRETS = {
    "PASSWORD": "p<W&+/é'\"9=x%41 Zq7",
    "TOKEN": "sntrys_A+b/9c<D>e&f=0123456789",
    "KEY": "k3y-Wq8Zt5Lm2Np7Rb4Vx",
}
Encoder = Callable[[str], str]


def escaped(form: str, which: str = "<>&'\"+/=%") -> Encoder:
    """Writes each of these characters as its number, as an encoder of JSON does."""
    return lambda text: "".join(form.format(ord(c)) if c in which else c for c in text)


def go(text: str) -> str:
    return escaped("\\u{:04x}", "<>&")(json.dumps(text, ensure_ascii=False)[1:-1])


def percent(text: str, safe: str = "") -> str:
    return quote(text, safe=safe)


def in_base64(text: str, before: int = 0, url: bool = False) -> str:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(b"x" * before + text.encode() + b"yz").decode()


def wrapped(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


ENCODERS: dict[str, Encoder] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON of Go": go,
    "JSON of .NET": lambda text: json.dumps(escaped("\0{:04X}")(text))[1:-1].replace(
        "\\u0000", "\\u"
    ),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON in JSON in JSON": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "JSON of Go in JSON": lambda text: json.dumps(go(text)),
    "every character in JSON": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "JavaScript": escaped("\\x{:02X}"),
    "JavaScript's braces": escaped("\\u{{{:x}}}"),
    "Python's repr": lambda text: repr(text)[1:-1],
    "C's octal": escaped("\\{:03o}", "<>&'\"+/=%"),
    "encodeURIComponent": lambda text: percent(text, "!'()*~"),
    "percent, small": lambda text: "".join(
        f"%{byte:02x}" if chr(byte) in "<>&'\"+/=% " or byte > 127 else chr(byte)
        for byte in text.encode()
    ),
    "form": quote_plus,
    "form, small": lambda text: quote_plus(text).replace("%2B", "%2b").replace("%3C", "%3c"),
    "form, wrapped": lambda text: wrapped(quote_plus(text), 7),
    "form in JSON of Go": lambda text: go(quote_plus(text).replace("%3C", "<")),
    "every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent twice": lambda text: percent(percent(text)),
    "percent in JSON of Go": lambda text: go(percent(text, "<>")),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "quoted-printable, wrapped": lambda text: wrapped(
        text.replace("=", "=3D").replace("é", "=C3=A9"), 9, "=\n"
    ),
    "HTML": html.escape,
    "HTML in HTML": lambda text: html.escape(html.escape(text)),
    "HTML, decimal": escaped("&#{};"),
    "HTML, hexadecimal": escaped("&#x{:X};"),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in HTML": lambda text: html.escape(json.dumps(json.dumps(text))),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, large": lambda text: text.encode().hex().upper(),
    "hexadecimal, colons": lambda text: text.encode().hex(":"),
    "hexadecimal, odd": lambda text: "f" + text.encode().hex(),
    "base64": in_base64,
    "base64, one before": lambda text: in_base64(text, 1),
    "base64, two before": lambda text: in_base64(text, 2),
    "base64 for addresses": lambda text: in_base64(text, 1, url=True),
    "base64, wrapped": lambda text: wrapped(in_base64(text, 40), 20),
    "base64 of JSON of Go": lambda text: in_base64(go(text), 2),
    "base64 of base64": lambda text: in_base64(in_base64(text, 1), 2),
    "base64 in an address": lambda text: percent(in_base64(text)),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "wrapped": lambda text: wrapped(text, 7),
    "wrapped and indented": lambda text: wrapped(text, 8, "\r\n    "),
    "coloured": lambda text: wrapped(text, 5, "\x1b[1;31m"),
    "coloured without ESC": lambda text: wrapped(text, 5, "[31m"),
    "coloured in JSON": lambda text: wrapped(text, 5, "\\u001b[0m"),
    "zero-width": lambda text: wrapped(text, 4, "\u200b"),
    "byte order mark": lambda text: wrapped(text, 6, "\ufeff"),
    "typed over": lambda text: wrapped(text, 6, "x\b"),
}
PLANTED = [(name, how) for name in SECRETS for how in ENCODERS]


def test_enough_forms_are_planted():
    """Each encoder for each of three secrets."""
    assert len(PLANTED) >= 126


@pytest.mark.parametrize(("name", "how"), PLANTED)
def test_a_secret_is_redacted_in_every_form(name, how, tmp_path: Path):
    """In a text, in nested data and in a finished file; the text around it stays."""
    redactor = Redactor(SECRETS.items())
    written = ENCODERS[how](SECRETS[name])
    text = f"request to db failed ({written}) after 3 s"
    clean = redactor.text(text)
    assert written not in clean
    assert f"[redacted:{name}]" in clean
    assert redactor.text(clean) == clean
    if how != "typed over":
        assert clean.startswith("request to db failed (")
        assert clean.endswith(" after 3 s")
    plain = redactor.plain({"items": [{"message": text}, {"message": "nothing"}]})
    assert plain["items"] == [{"message": clean}, {"message": "nothing"}]
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8", newline="")
    assert redactor.found_in(path) == [name]
    path.write_text(clean, encoding="utf-8", newline="")
    assert redactor.found_in(path) == []


def test_a_secret_whose_spaces_are_written_in_several_ways_is_redacted():
    """A form writes a plus, an address %20; one text may have both."""
    redactor = Redactor([("PHRASE", "correct horse 9 battery staple")])
    clean = redactor.text("q=correct+horse%209+battery staple&x=1")
    assert clean == "q=[redacted:PHRASE]&x=1"


def test_text_that_only_looks_encoded_stays():
    """Digests, addresses, prose, regular expressions, percentages and entities."""
    redactor = Redactor(SECRETS.items())
    for text in (
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "GET https://api.example.com/logs?level=%2F%5E%28error%29%24%2F&text=a+b",
        "100 % of 5 &amp; 3 %% \\d+ \\u00e9 &#233; key=ab12 = 3\r\nnext line",
        base64.b64encode(b"nothing to be seen here, nothing at all").decode(),
        "[31mERROR[0m: cannot connect",
    ):
        assert redactor.text(text) == text
        assert redactor.plain({"a": [text]}) == {"a": [text]}


OTHERS = (
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "postgres://app:hunter2secret@db.example.com/app",
    "redis://:hunter2secret@cache:6379",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "xoxb-123456789012-abcdefghijkl",
    "sk_live_0123456789abcdef",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
    "Authorization: Bearer abcdef0123456789abcdef",
)
DISGUISES: dict[str, Encoder] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text),
    "JSON of PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "percent": lambda text: percent(text),
    "HTML": lambda text: text.replace("/", "&#x2F;").replace(":", "&#58;"),
    "coloured": lambda text: text[:6] + "\x1b[33m" + text[6:14] + "\x1b[0m" + text[14:],
}


@pytest.mark.parametrize("how", DISGUISES)
@pytest.mark.parametrize("other", OTHERS)
def test_others_secrets_of_known_shapes_are_redacted(other, how):
    """They are not configured; their form gives them away."""
    clean = Redactor([]).text(f"ERROR cannot use {DISGUISES[how](other)} today")
    assert "[redacted]" in clean
    for part in ("hunter2secret", "IOSFODNN7", "Ny29w", "456789abcdef", "QIBADANB", "dozjgNry"):
        assert part not in clean
    assert clean.startswith("ERROR cannot use ")


@pytest.mark.parametrize(
    "unit",
    ["postgres://a:", "eyJ-", "%41", "&#65;", "\\u0041", "=41\n", "cookie=", "bearer ", "a1b2/",
     "password='", "token=a", "-----BEGIN PRIVATE KEY", "QUFB", "4141", "\x1b[1m", "a://b:",
     "\\\\", "\b"],
)  # fmt: skip
def test_a_megabyte_of_hostile_text_is_redacted_in_linear_time(unit):
    """Ten times the text takes about ten times as long."""
    redactor = Redactor(SECRETS.items())

    def took(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        began = time.process_time()
        redactor.text(text)
        return time.process_time() - began

    short = max(took(100_000), 0.02)
    assert took(1_000_000) < 40 * short
