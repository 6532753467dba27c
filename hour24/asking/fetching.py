"""Sends one request, with a timeout and a size limit.

Rules of this module:

- The timeout covers the whole answer, from the name lookup to the last byte.
- A failure is returned as a :class:`Problem`: at fault is the network or the source; its message
  holds no address and no secret; it says whether a retry makes sense.
- Redirects to another host are refused.
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
"""Timeout of a connection; a host that is up accepts one well within a second."""
LARGEST_BYTES = 20_000_000
"""A page of any API we ask is far smaller; more would fill our memory."""
REDIRECTS = 3
"""Followed at most; more is a loop."""
EPOCH_FROM = 1e9
"""A rate limit's reset from here on is epoch seconds (2001), below it seconds from now."""
LONGEST_WAIT_S = 86_400.0
"""A longer wait than a day comes from a wrong clock and is ignored."""
Done = TypeVar("Done")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end.

    Args:
        headers: names are found in any case.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes


@dataclass(frozen=True)
class Problem:
    """Why there is no answer.

    Args:
        kind: the error to raise, by who is at fault.
        message: in a few words, without address or secret.
        retry: whether a retry makes sense.
        hanging: whether a thread may still be reading from the session.
    """

    kind: type[SourceError]
    message: str
    retry: bool = True
    hanging: bool = False


class _TimedOut(Exception):
    """The answer's timeout has passed."""


class _TooLarge(requests.RequestException):
    """The answer exceeds the size limit."""


class _RedirectedAway(requests.RequestException):
    """The answer redirects to another host, or too often."""


def fetch(
    session: requests.Session,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    limit: float,
    method: str = "",
) -> Answer | Problem:
    """Send one request; return its answer, or why there is none.

    Args:
        body: sent by POST; None sends a GET.
        limit: timeout of the whole answer, in seconds.
        method: overrides GET or POST.
    """
    method = method or ("GET" if body is None else "POST")
    try:
        return within(limit, lambda: _send(session, method, url, body, headers, limit))
    except _TimedOut:
        return Problem(SourceUnreachable, f"no answer within {limit:.3g} s", hanging=True)
    except (requests.RequestException, OSError, ValueError) as error:
        return _problem(error, limit)


def times(count: int) -> str:
    """Return ``1 attempt``, ``3 attempts``."""
    return f"{count} attempt{'' if count == 1 else 's'}"


def is_loopback(url: str) -> bool:
    """True if the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a server asks us to wait after a 429; None when it names none.

    ``Retry-After`` in seconds or as a date; else a header named ``...RateLimit-Reset``, which
    is epoch seconds, or, below 1e9, seconds from now.
    """
    after = headers.get("Retry-After", "").strip()
    if after:
        try:
            return _plausible_wait(float(after))
        except ValueError:
            pass
        try:
            until = parsedate_to_datetime(after)
        except ValueError:
            return None
        return _plausible_wait((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    for name in sorted(headers, key=len, reverse=True):
        if not name.lower().replace("-", "").endswith("ratelimitreset"):
            continue
        try:
            value = float(headers[name])
        except ValueError:
            continue
        return _plausible_wait(value if value < EPOCH_FROM else value - now.timestamp() + 1.0)
    return None


def _plausible_wait(seconds: float) -> float | None:
    """Return the wait, or None for one that only a wrong clock explains."""
    return seconds if 0.0 <= seconds <= LONGEST_WAIT_S else None


def within(seconds: float, call: Callable[[], Done]) -> Done:
    """Return the result of ``call``, or raise after ``seconds``, whatever it hangs on.

    It runs in a daemon thread: neither a name lookup nor an answer that arrives byte by byte can
    be interrupted otherwise. After the timeout the thread is abandoned.
    """
    done: queue.SimpleQueue[tuple[Done | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((call(), None))
        except BaseException as problem:  # noqa: BLE001 - raised retry in the thread that waits
            done.put((None, problem))

    threading.Thread(target=run, name="hour24 asking", daemon=True).start()
    try:
        result, problem = done.get(timeout=seconds)
    except queue.Empty:
        raise _TimedOut from None
    if problem is not None:
        raise problem
    return result  # type: ignore[return-value]  # a result without a problem is the call's own


def _send(
    session: requests.Session,
    method: str,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    limit: float,
) -> Answer:
    """Return the whole answer; follow redirects within the host."""
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
                    raise _TimedOut
                parts.append(part)
            return Answer(response.status_code, response.headers, b"".join(parts))
    raise _RedirectedAway(f"more than {REDIRECTS} redirects")


def _same_host(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        host = urlsplit(target).hostname or "nowhere"
        raise _RedirectedAway(f"a redirect to another address ({host[:100]})")
    return target


def _problem(error: Exception, limit: float) -> Problem:
    """Return what went wrong and who is at fault, without address or secret."""
    chain = _chain(error)
    if isinstance(error, _TooLarge | _RedirectedAway):
        return Problem(SourceMisread, f"expected an answer, got {error}", retry=False)
    if isinstance(error, requests.exceptions.SSLError):
        return Problem(SourceUnreachable, "no secure connection (TLS)", retry=False)
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
        return Problem(SourceUnreachable, "the proxy refused the connection")
    if isinstance(error, requests.ConnectionError | OSError) and not isinstance(
        error, requests.exceptions.InvalidURL
    ):
        return Problem(SourceUnreachable, "the connection broke")
    return Problem(SourceUnreachable, f"the request failed ({type(error).__name__})", retry=False)


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error, the errors it wraps and those that caused it."""
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
