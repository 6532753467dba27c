"""One request, within a limit of time and of size.

Rules of this module:

- The limit of time is for the whole answer, from the name's lookup to the last byte.
- What goes wrong is a :class:`Problem`: whose fault, in words that hold no address and no
  secret, and whether asking again makes sense.
- An answer sends us to no other host.
- JSON is read strictly: no NaN, no infinity, nothing cut off, whatever type it claims to be.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from hour24.errors import SourceError, SourceMisread, SourceUnreachable

CONNECT_S = 5.0
LARGEST_BYTES = 20_000_000
REDIRECTS = 3
EPOCH_FROM = 1e9
LONGEST_WAIT_S = 86_400.0
Done = TypeVar("Done")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end.

    Args:
        headers: their names in any case.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes


@dataclass(frozen=True)
class Problem:
    """Why there is no answer.

    Args:
        kind: whose fault.
        says: in a few words.
        again: whether asking again makes sense.
        hanging: whether somebody may still be reading from the session.
    """

    kind: type[SourceError]
    says: str
    again: bool = True
    hanging: bool = False


class _Overrun(Exception):
    """The limit of time of one answer is over."""


class _TooLarge(requests.RequestException):
    """The limit of size of one answer is reached."""


class _Elsewhere(requests.RequestException):
    """The answer sends us to another host."""


def fetch(
    session: requests.Session,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    limit: float,
    method: str = "",
) -> Answer | Problem:
    """The answer, or why there is none.

    Args:
        body: sent by POST; none: GET.
        limit: of time, for the whole, in seconds.
        method: another than these two.
    """
    method = method or ("GET" if body is None else "POST")
    try:
        return within(limit, lambda: _fetched(session, method, url, body, headers, limit))
    except _Overrun:
        return Problem(SourceUnreachable, f"no answer within {limit:.3g} s", hanging=True)
    except (requests.RequestException, OSError, ValueError) as error:
        return _problem(error, limit)


def times(count: int) -> str:
    """``1 attempt``, ``3 attempts``."""
    return f"{count} attempt{'' if count == 1 else 's'}"


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def limit_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a server asks us to wait after a 429; None when it names none.

    ``Retry-After`` in seconds or as a date; else a header named ``...RateLimit-Reset``, which
    is epoch seconds, or, below 1e9, seconds from now.
    """
    after = headers.get("Retry-After", "").strip()
    if after:
        try:
            return _within_reason(float(after))
        except ValueError:
            pass
        try:
            until = parsedate_to_datetime(after)
        except ValueError:
            return None
        return _within_reason((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    for name in sorted(headers, key=len, reverse=True):
        if not name.lower().replace("-", "").endswith("ratelimitreset"):
            continue
        try:
            value = float(headers[name])
        except ValueError:
            continue
        return _within_reason(value if value < EPOCH_FROM else value - now.timestamp() + 1.0)
    return None


def _within_reason(seconds: float) -> float | None:
    """A wait that is not absurd; a clock that is wrong gives one that is."""
    return seconds if 0.0 <= seconds <= LONGEST_WAIT_S else None


def within(seconds: float, call: Callable[[], Done]) -> Done:
    """The result of ``call``, had within ``seconds`` whatever it hangs on.

    It runs in a daemon thread: neither a name's lookup nor an answer that drips byte by byte
    can be interrupted otherwise. Past its time the thread is left to itself.
    """
    done: queue.SimpleQueue[tuple[Done | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((call(), None))
        except BaseException as problem:  # noqa: BLE001 - raised again in the thread that waits
            done.put((None, problem))

    threading.Thread(target=run, name="hour24 asking", daemon=True).start()
    try:
        result, problem = done.get(timeout=seconds)
    except queue.Empty:
        raise _Overrun from None
    if problem is not None:
        raise problem
    return result  # type: ignore[return-value]  # a result without a problem is the call's own


def _fetched(
    session: requests.Session,
    method: str,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    limit: float,
) -> Answer:
    """The whole answer, redirects within the host followed."""
    until = time.monotonic() + limit
    for _ in range(REDIRECTS + 1):
        with session.request(
            method,
            url,
            data=body,
            headers=headers,
            timeout=(min(CONNECT_S, limit), limit),
            stream=True,
            allow_redirects=False,
        ) as response:
            if response.is_redirect and body is None:
                url = _same_host(url, response.headers["Location"])
                continue
            parts: list[bytes] = []
            size = 0
            for part in response.iter_content(65_536):
                size += len(part)
                if size > LARGEST_BYTES:
                    raise _TooLarge(f"more than {LARGEST_BYTES // 1_000_000} MB")
                if time.monotonic() > until:
                    raise _Overrun
                parts.append(part)
            return Answer(response.status_code, response.headers, b"".join(parts))
    raise _Elsewhere(f"more than {REDIRECTS} redirects")


def _same_host(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        host = urlsplit(target).hostname or "nowhere"
        raise _Elsewhere(f"a redirect to another address ({host[:100]})")
    return target


def _problem(error: Exception, limit: float) -> Problem:
    """Whose fault it is, in words that hold no address and no secret."""
    chain = _chain(error)
    if isinstance(error, _TooLarge | _Elsewhere):
        return Problem(SourceMisread, f"expected an answer, got {error}", again=False)
    if isinstance(error, requests.exceptions.SSLError):
        return Problem(SourceUnreachable, "no secure connection (TLS)", again=False)
    if isinstance(
        error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError
    ):
        return Problem(SourceMisread, "expected a whole answer, got one cut off")
    if isinstance(error, requests.Timeout):
        return Problem(SourceUnreachable, f"no answer within {limit:.3g} s")
    if any(isinstance(each, socket.gaierror) for each in chain):
        return Problem(SourceUnreachable, "its host name cannot be resolved")
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return Problem(SourceUnreachable, "connection refused")
    if any("IncompleteRead" in type(each).__name__ for each in chain):
        return Problem(SourceMisread, "expected a whole answer, got one cut off")
    if isinstance(error, requests.exceptions.ProxyError):
        return Problem(SourceUnreachable, "the proxy does not connect")
    if isinstance(error, requests.ConnectionError | OSError) and not isinstance(
        error, requests.exceptions.InvalidURL
    ):
        return Problem(SourceUnreachable, "the connection broke")
    return Problem(SourceUnreachable, f"cannot be asked ({type(error).__name__})", again=False)


def _chain(error: BaseException) -> list[BaseException]:
    """The error, what it wraps and what caused it."""
    found: list[BaseException] = []
    ahead: list[BaseException] = [error]
    while ahead and len(found) < 20:
        each = ahead.pop()
        if each in found:
            continue
        found.append(each)
        ahead += [a for a in each.args if isinstance(a, BaseException)]
        ahead += [
            a
            for a in (each.__cause__, each.__context__, getattr(each, "reason", None))
            if isinstance(a, BaseException)
        ]
    return found
