"""What the tests' own peers leave behind."""

from __future__ import annotations

import socket
import threading

from tests.peers import silent


def test_a_closed_peer_takes_no_other_peer_s_connections():
    """No thread stays in accept, where it would take those of the next owner of its descriptor."""
    before = set(threading.enumerate())
    for _ in range(8):
        with silent() as peer, socket.create_connection(("127.0.0.1", peer.port)):
            pass
    assert set(threading.enumerate()) <= before
    with socket.create_server(("127.0.0.1", 0)) as next_owner:
        next_owner.settimeout(5)
        with socket.create_connection(next_owner.getsockname()):
            accepted, _ = next_owner.accept()
            accepted.close()
