"""A login that was refused is not tried again by the next criterion of one's own."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

from hour24.checkpoint.asked import Ask
from hour24.checkpoint.inquiry import Inquiry
from hour24.clock import SteppingClock
from hour24.config import DatabaseAt, Schedule, Secret
from hour24.evidence import Unanswered
from tests import small_watch as small

REFUSAL = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"
MOST = 6


def test_a_refused_login_is_tried_once() -> None:
    """Supabase bans an address that tries a wrong password again and again."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)
    logins: list[int] = []

    def refuse() -> None:
        for number in range(MOST):
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                logins.append(number)
                peer.recv(4096)
                peer.sendall(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    dsn = f"host=127.0.0.1 port={port} user=u password=p dbname=d sslmode=disable"
    at = DatabaseAt(dsn=Secret("DATABASE_URL", f"{dsn} gssencmode=disable"))
    point = small.WATCH.checkpoint(8)
    production = SimpleNamespace(database=at, schedule=Schedule())
    clock = SteppingClock(point.due)
    inquiry = Inquiry(production, small.WATCH, point, clock, None)  # type: ignore[arg-type]
    answers = [Ask(inquiry).sql("SELECT 1") for _ in range(3)]
    server.close()
    assert all(isinstance(each, Unanswered) for each in answers)
    assert len(logins) == 1
