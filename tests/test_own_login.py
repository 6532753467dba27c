"""A login that was refused is not tried again by the next criterion of one's own."""

from __future__ import annotations

import socket
from types import SimpleNamespace

from hour24.checkpoint.asked import Ask
from hour24.checkpoint.inquiry import Inquiry
from hour24.clock import SteppingClock
from hour24.config import DatabaseAt, Schedule, Secret
from hour24.evidence import Unanswered
from tests import small_watch as small
from tests.peers import Peer

REFUSAL = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"


def test_a_refused_login_is_tried_once() -> None:
    """Supabase bans an address that tries a wrong password again and again."""
    with Peer(refuse) as server:
        answers, logins = three_questions(server.port), server.connections
    assert all(isinstance(each, Unanswered) for each in answers)
    assert logins == 1


def refuse(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)
    peer.shutdown(socket.SHUT_RDWR)


def three_questions(port: int) -> list:
    dsn = f"host=127.0.0.1 port={port} user=u password=p dbname=d sslmode=disable"
    at = DatabaseAt(dsn=Secret("DATABASE_URL", f"{dsn} gssencmode=disable"))
    point = small.WATCH.checkpoint(8)
    production = SimpleNamespace(database=at, schedule=Schedule())
    clock = SteppingClock(point.due)
    inquiry = Inquiry(production, small.WATCH, point, clock, None)  # type: ignore[arg-type]
    return [Ask(inquiry).sql("SELECT 1") for _ in range(3)]
