"""Certificates: real servers on loopback, certificates made here; dates, chains, hosts, clocks."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24.clock import SteppingClock
from hour24.config import Tls, load
from hour24.criteria import tls
from hour24.errors import ConfigurationError
from hour24.evidence import Document, Listing, Question, from_plain, to_plain
from hour24.objectives.certificates import CertificatesValid
from hour24.sources import certificates as source
from hour24.sources.certificates import addresses, certificates
from hour24.verdict import Outcome, Verdict
from tests.answering import Answer, Server
from tests.test_witnesses import SMALLEST, written

NOW = datetime.now(UTC).replace(microsecond=0)
LAUNCH = NOW + timedelta(hours=24)
CONFIG = """
[ca]
default_ca = d
[d]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
organizationName = optional
"""


class Authority:
    """A root and an issuer below it, and the certificates that they sign; made by openssl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ca.cnf").write_text(CONFIG)
        (folder / "index").touch()
        (folder / "serial").write_text("01")
        ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
        self.root = self.make("root", "root", ca)
        self.issuer = self.make("issuer", "root", ca)

    def run(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30
        )

    def make(
        self,
        name: str,
        by: str = "issuer",
        extensions: str = "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
        *,
        start: datetime = NOW - timedelta(days=60),
        end: datetime = NOW + timedelta(days=300),
    ) -> Path:
        """Make a key and a certificate; by itself: self-signed. Returns: the certificate."""
        (self.folder / f"{name}.ext").write_text(extensions)
        self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        self.run(
            "req", "-new", "-key", f"{name}.key", "-subj", f"/O=tests/CN={name}", "-out",
            f"{name}.csr",
        )  # fmt: skip
        signer = ["-selfsign", "-keyfile", f"{name}.key"]
        if by != name:
            signer = ["-cert", f"{by}.crt", "-keyfile", f"{by}.key"]
        self.run(
            "ca", "-batch", "-notext", "-config", "ca.cnf", *signer, "-in", f"{name}.csr",
            "-extfile", f"{name}.ext", "-startdate", f"{start:%Y%m%d%H%M%SZ}",
            "-enddate", f"{end:%Y%m%d%H%M%SZ}", "-out", f"{name}.crt",
        )  # fmt: skip
        return self.folder / f"{name}.crt"

    def chain(self, name: str, *above: str) -> Path:
        """What a server loads: key, certificate, and the certificates above it that it sends."""
        path = self.folder / f"{name}.pem"
        parts = [f"{name}.key", f"{name}.crt", *(f"{each}.crt" for each in above)]
        path.write_text("".join((self.folder / each).read_text() for each in parts))
        return path


class Shaking:
    """A TLS server that ends each connection after its handshake."""

    def __init__(self, chain: Path, **settings: Any) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        for name, value in settings.items():
            setattr(self.context, name, value)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                plain, _ = self.server.accept()
            except OSError:
                return
            plain.settimeout(5)
            with (
                contextlib.suppress(OSError),
                plain,
                self.context.wrap_socket(plain, server_side=True),
            ):
                pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


@pytest.fixture(scope="module")
def authority(openssl: None, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def judge(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Verdict]]:
    """Serves these chains, asks them, and judges what was seen."""
    monkeypatch.setattr(source, "WAIT_S", 0.01)
    servers: list[Shaking] = []

    def serve(chain: Path | None) -> str:
        if chain is None:
            return "https://127.0.0.1:9"
        servers.append(Shaking(chain))
        return f"https://127.0.0.1:{servers[-1].port}"

    def made(
        *chains: Path | None,
        control: Path | None = None,
        skew_s: float = 0.0,
        renews_itself: bool = False,
    ) -> Verdict:
        production = load(written(tmp_path, SMALLEST), {})
        at = NOW + timedelta(seconds=skew_s)
        production = msgspec.structs.replace(
            production,
            health=msgspec.structs.replace(production.health, url=serve(chains[0])),
            service=msgspec.structs.replace(
                production.service,
                control_url=serve(control) if control else "http://127.0.0.1:9",
            ),
            tls=Tls(
                addresses=tuple(map(serve, chains[1:])),
                ca=str(authority.root),
                renews_itself=renews_itself,
            ),
        )
        answer = certificates(production, SteppingClock(at))
        assert from_plain(to_plain(answer)) == answer
        asked = Question(source="health", asked="GET", at=at)
        date = Document(question=asked, status=200, body=None, server_date=NOW)
        objective = CertificatesValid(
            until=LAUNCH.timestamp(), days=tls.DAYS, renews_itself=renews_itself
        )
        return objective.judge({"certificates": answer, "control": date})

    yield made
    for each in servers:
        each.close()


def ends_after_launch(days: float) -> dict[str, datetime]:
    return {"end": LAUNCH + timedelta(days=days)}


def test_a_valid_certificate_passes(authority: Authority, judge: Any) -> None:
    """Its chain, its host and its dates; one handshake for each host and port."""
    authority.make("good")
    verdict = judge(authority.chain("good", "issuer"))
    assert verdict.outcome == Outcome.PASS, verdict.reason
    assert "1 certificate valid for its host and by its chain" in verdict.reason
    assert verdict.figures["days"] == pytest.approx(299, abs=0.1)


INVALID: dict[str, tuple[dict[str, Any], Sequence[str], str]] = {
    "expired": ({"end": NOW - timedelta(days=1)}, ["issuer"], "expired"),
    "early": ({"start": NOW + timedelta(days=1)}, ["issuer"], "not valid yet"),
    "elsewhere": ({"extensions": "subjectAltName=DNS:other.net\n"}, ["issuer"], "for another host"),
    "selfsigned": ({"by": "selfsigned"}, [], "leads to no known root"),
    "alone": ({}, [], "leads to no known root"),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_certificate_that_clients_refuse_fails(
    authority: Authority, judge: Any, name: str
) -> None:
    """Each with its reason; without its issuer's certificate a chain is not whole."""
    more, above, says = INVALID[name]
    authority.make(name, **more)
    verdict = judge(authority.chain(name, *above))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "certificate_invalid")
    assert says in verdict.reason
    assert "(health)" in verdict.reason


@pytest.mark.parametrize(("days", "outcome"), [(13.0, Outcome.FAIL), (15.0, Outcome.PASS)])
def test_fourteen_days_after_the_launch_must_be_left(
    authority: Authority, judge: Any, days: float, outcome: Outcome
) -> None:
    """The worst address counts."""
    authority.make("long")
    authority.make(f"days{days:g}", **ends_after_launch(days))
    verdict = judge(authority.chain("long", "issuer"), authority.chain(f"days{days:g}", "issuer"))
    assert verdict.outcome == outcome, verdict.reason
    assert verdict.code == ("" if outcome == Outcome.PASS else "certificate_expires")
    assert verdict.figures["days"] == pytest.approx(days, abs=0.01)


@pytest.mark.parametrize(
    ("life", "left", "outcome"), [(90, 31, Outcome.PASS), (90, 29, Outcome.FAIL)]
)
def test_a_certificate_that_renews_itself_has_a_third_of_its_life_left(
    authority: Authority, judge: Any, life: int, left: int, outcome: Outcome
) -> None:
    """Less means that its renewal has failed; 14 days are not asked then."""
    name = f"renewed{left}"
    end = NOW + timedelta(days=left)
    authority.make(name, start=end - timedelta(days=life), end=end)
    verdict = judge(authority.chain(name, "issuer"), renews_itself=True)
    assert verdict.outcome == outcome, verdict.reason


def test_a_short_lived_certificate_that_renews_itself_passes(
    authority: Authority, judge: Any
) -> None:
    """Of six days, with four left: beyond no launch, and as it should be."""
    authority.make("short", start=NOW - timedelta(days=2), end=NOW + timedelta(days=4))
    assert judge(authority.chain("short", "issuer"), renews_itself=True).outcome == Outcome.PASS
    assert judge(authority.chain("short", "issuer")).outcome == Outcome.FAIL


def test_an_address_that_is_not_reached_is_unknown(authority: Authority, judge: Any) -> None:
    """INCONCLUSIVE; a refused one beside it still fails."""
    authority.make("fine")
    authority.make("over", end=NOW - timedelta(days=1))
    verdict = judge(None, authority.chain("fine", "issuer"))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "certificate_unseen")
    assert "127.0.0.1:9 (health) could not be reached" in verdict.reason
    assert judge(None, authority.chain("over", "issuer")).outcome == Outcome.FAIL


def test_a_handshake_that_ends_otherwise_is_unknown(authority: Authority) -> None:
    """A server that does not speak TLS says nothing about a certificate."""
    with Server(Answer()) as server:
        port = int(server.url.rpartition(":")[2])
        found = source._handshake("127.0.0.1", port, str(authority.root), NOW)
    assert found["problem"] == "not_taken", found


@pytest.mark.parametrize("skew_s", [-4000.0, 4000.0])
def test_a_wrong_clock_of_ours_proves_nothing(
    authority: Authority, judge: Any, skew_s: float
) -> None:
    """Neither that a certificate is good nor that it is over."""
    authority.make("clocked")
    authority.make("passed", end=NOW - timedelta(days=1))
    for name in ("clocked", "passed"):
        verdict = judge(authority.chain(name, "issuer"), skew_s=skew_s)
        assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "clock_skew")


def test_a_refusal_that_the_control_address_shares_is_ours(
    authority: Authority, judge: Any
) -> None:
    """A proxy that opens TLS, or missing roots: no fault of the service."""
    authority.make("mine", "mine")
    authority.make("theirs", "theirs")
    authority.make("trusted")
    shared = judge(authority.chain("mine"), control=authority.chain("theirs"))
    assert (shared.outcome, shared.code) == (Outcome.INCONCLUSIVE, "not_taken")
    own = judge(authority.chain("mine"), control=authority.chain("trusted", "issuer"))
    assert own.outcome == Outcome.FAIL


def test_each_address_of_the_service_is_asked_once(tmp_path: Path) -> None:
    """https and wss, by host and port; paths do not make another certificate."""
    text = (
        SMALLEST
        + """
[endpoints.calls]
url = "https://orders.internal.net/calls"
target_ms = 500
[endpoints.plain]
url = "http://127.0.0.1:9/plain"
target_ms = 500
[websocket]
url = "wss://socket.internal.net:8443/live"
[tls]
addresses = ["https://www.orders.net"]
"""
    )
    found = addresses(load(written(tmp_path, text), {}))
    assert [(each.host, each.port, each.names) for each in found] == [
        ("orders.internal.net", 443, ("health", "endpoints.calls")),
        ("socket.internal.net", 8443, ("websocket",)),
        ("www.orders.net", 443, ("tls.addresses[1]",)),
    ]


def test_a_service_without_tls_needs_no_certificate(tmp_path: Path) -> None:
    """The criterion is left out with its reason; one word in the file brings it back."""
    plain = SMALLEST.replace("https://orders.internal.net", "http://127.0.0.1:8000")
    stated = load(written(tmp_path, plain), {}).criteria[tls.EXPIRY.id]
    assert (stated.applies, stated.because) == (
        False,
        "no address of the service is https or wss",
    )
    assert tls.EXPIRY.id not in load(written(tmp_path, SMALLEST), {}).criteria
    asked = plain + '[tls]\naddresses = ["https://orders.net"]\n'
    assert tls.EXPIRY.id not in load(written(tmp_path, asked), {}).criteria
    with pytest.raises(ConfigurationError, match=r"tls\.addresses\[1\]: expected an https or wss"):
        load(written(tmp_path, plain + '[tls]\naddresses = ["http://orders.net"]\n'), {})


def test_no_certificate_at_all_is_no_pass() -> None:
    """An empty list of addresses proves nothing."""
    asked = Question(source="tls", asked="", at=NOW)
    verdict = CertificatesValid(until=NOW.timestamp(), days=tls.DAYS).judge(
        {"certificates": Listing(question=asked, what="certificates", items=())}
    )
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "not_described")
