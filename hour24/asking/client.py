"""An HTTP client for the APIs of witnesses: retries, budgets, strict reading.

Rules of this module:

- Every attempt is recorded: when it was sent, how long it took, how it ended.
- A failed connection, 408 and 5xx are retried with growing waits, three attempts in all. After a
  429 the client waits as long as the server asks, within the budget. Any other 4xx is an answer.
- A client has one budget for all its questions: seconds spent sending and waiting, counted the
  same way on the machine's clock and on a rehearsal's. A server that did not answer at all gets
  a single attempt for each later question.
- One timeout covers a whole answer, from the name lookup to the last byte. An answer has a size
  limit, and redirects to another host are refused.
- JSON is read strictly, whatever its content type: no NaN, no infinity, nothing cut off.
- The server's clock must agree with ours; otherwise its windows are not ours.
- A secret is sent in a header and nowhere else, and is redacted from error texts. ``.netrc`` is
  never read; on loopback no proxy is used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urlencode

import requests

import hour24
from hour24 import documents
from hour24.asking.fetching import Answer, Problem, fetch, is_loopback, retry_after_s, times
from hour24.clock import Clock
from hour24.errors import (
    SourceClock,
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
)
from hour24.evidence import Attempt, Question
from hour24.secrets import Secret
from hour24.text import blank_controls
from hour24.watch import Window

BUDGET_S = 90.0
"""Budget outside a checkpoint, which sets ``[schedule] source_budget_s`` instead."""
OWN_CREDENTIAL = "X-Own-Credential"
"""A request with this header has a credential of its own; the header itself is not sent."""
TRIES = 3
"""Attempts of one request; what fails three times in a row is not a lost packet."""
WAITS_S = (1.0, 3.0)
"""Before the second and third attempt; growing, so that a short outage can end."""
LIMITED_WAITS_S = (5.0, 10.0, 20.0, 40.0)
"""After a 429 that names no wait; the last is repeated."""
LIMITED_TRIES = 8
"""Attempts against a rate limit; the budget usually ends them first."""
SKEW_S = 300.0
"""NTP keeps clocks within a second; beyond five minutes the server's windows are not ours."""
SHORTEST_S = 0.2
"""With less of the budget left, a request is not sent: it could not be answered in time."""
DETAIL = 200
"""Characters of a refusal's own words that are quoted."""
Params = Sequence[tuple[str, str]]


class ApiClient:
    """One outside HTTP API; used by one thread.

    Args:
        name: short, for error texts; its section.
        base: address that paths are appended to.
        token: sent as ``Authorization: Bearer``.
        timeout_s: limit of one answer, as a whole, in seconds.
        budget_s: limit of all asking and waiting together, in seconds.
        same_clock: whether its ``Date`` must agree with our clock.
    """

    def __init__(
        self,
        name: str,
        base: str,
        clock: Clock,
        *,
        token: Secret | None = None,
        secrets: Sequence[Secret] = (),
        timeout_s: float = 15.0,
        budget_s: float = BUDGET_S,
        same_clock: bool = True,
    ) -> None:
        self.name = name
        self.base = base.rstrip("/")
        self.clock = clock
        self.timeout_s = timeout_s
        self.left_s = self.budget_s = budget_s
        self.same_clock = same_clock
        self.answered = True
        self._token = token
        self._secrets = (*secrets, *((token,) if token is not None else ()))
        self._sessions: dict[bool, requests.Session] = {}

    def asking(self, what: str, window: Window | None = None) -> Asking:
        """Return a new question to this API."""
        return Asking(self, what, window)

    @contextmanager
    def attached(self, what: str, window: Window | None = None) -> Iterator[Asking]:
        """Yield a new question, and attach it to a SourceError that is raised meanwhile."""
        asking = self.asking(what, window)
        try:
            yield asking
        except SourceError as problem:
            if problem.question is None:
                problem.question = asking.question()
            raise

    def redact(self, words: str) -> str:
        """Return ``words`` without our secrets and without control characters."""
        for secret in self._secrets:
            if secret.reveal():
                words = words.replace(secret.reveal(), f"[{secret.name}]")
        return blank_controls(words)

    def session(self, url: str) -> requests.Session:
        """Return the session for this address, which uses no proxy on loopback."""
        local = is_loopback(url)
        if local not in self._sessions:
            session = requests.Session()
            session.trust_env = not local
            session.headers.update(
                {"User-Agent": f"hour24/{hour24.__version__}", "Accept": "application/json"}
            )
            session.auth = self._authorize  # any value keeps requests from reading .netrc
            self._sessions[local] = session
        return self._sessions[local]

    def abandon(self) -> None:
        """Drop the connections, of which a hanging thread may still read one."""
        self._sessions.clear()

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None and OWN_CREDENTIAL not in request.headers:
            request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        request.headers.pop(OWN_CREDENTIAL, None)
        return request

    def check_token(self, where: str) -> None:
        """Raises: SourceRefused, when the token cannot be sent in a header."""
        if self._token is not None:
            token = self._token.reveal()
            if not (token.isascii() and token.isprintable()) or token != token.strip() or not token:
                raise SourceRefused(
                    f"{where}: {self._token.name}: expected printable ASCII without blanks around "
                    "it, got something else"
                )


@dataclass
class Asking:
    """One question: the requests sent, every attempt, and the digest of the answers."""

    client: ApiClient
    what: str
    window: Window | None = None
    asked: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    pages: int = 0
    at: datetime | None = None
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def where(self) -> str:
        """The question's name in error texts: ``SECTION: issues``."""
        return f"{self.client.name}: {self.what}"

    def question(self, window: Window | None = None) -> Question:
        """Return what was asked so far."""
        return Question(
            source=self.client.name,
            asked="\n".join(self.asked),
            at=self.at or self.client.clock.now(),
            window=window or self.window,
            attempts=tuple(self.attempts),
            digest=self._digest.hexdigest() if self.pages else "",
            pages=max(1, self.pages),
        )

    def document(
        self, path: str, params: Params = (), *, right: str = "", missing: str = ""
    ) -> Any:
        """Return the JSON document at ``path``; see :meth:`answer`."""
        return self.read_json(self.answer(path, params, right=right, missing=missing))

    def read_json(self, answer: Answer) -> Any:
        """Return the answer's JSON. Raises: SourceMisread, when it is not JSON."""
        try:
            return documents.read_json(answer.data)
        except ValueError as problem:
            kind = answer.headers.get("Content-Type", "no content type").split(";")[0]
            got = "HTML" if answer.data.lstrip()[:1] == b"<" else kind
            self.refuse(
                SourceMisread,
                f"expected a JSON document, got {got}, {len(answer.data)} bytes ({problem})",
            )

    def answer(
        self,
        path: str,
        params: Params = (),
        *,
        right: str = "",
        missing: str = "",
        absent: bool = False,
        limits: bool = False,
        tries: int = TRIES,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "",
    ) -> Answer:
        """Send one request, retry it as the module's rules say, and return its answer.

        Args:
            path: appended to the base address; or a whole address.
            right: the token's right that it needs, for a refusal's text.
            missing: what a 404 means here, if it means a missing right; empty: no such endpoint.
            absent: return a 404 instead of refusing it.
            limits: return a 429 instead of waiting.
            tries: attempts when there is no connection or a 5xx.
            body: sent by POST; None sends a GET.
            headers: sent in addition to the client's own.
            method: overrides GET or POST.

        Raises: SourceError.
        """
        url = path if "://" in path else self.client.base + path
        query = urlencode(list(params))
        method = method or ("GET" if body is None else "POST")
        self._note(method, url, query)
        self.client.check_token(self.where)
        allowed = tries if self.client.answered else 1
        failed = limited = 0
        while True:
            answer = self._once(method, f"{url}?{query}" if query else url, body, headers)
            if isinstance(answer, Problem):
                failed += 1
                if failed >= allowed or not answer.retry:
                    self.client.answered = answer.kind is SourceMisread
                    self.refuse(answer.kind, f"{answer.message}, {times(failed)}")
                self._wait(WAITS_S[min(failed, len(WAITS_S)) - 1], answer.kind, answer.message)
                continue
            self.client.answered = True
            if answer.status == 429 and limits:
                return answer
            if answer.status == 429:
                limited += 1
                if limited >= LIMITED_TRIES or tries == 1:
                    self.refuse(SourceLimited, f"still limited (429) after {times(limited)}")
                wait = retry_after_s(answer.headers, self.client.clock.now())
                if wait is None:
                    wait = LIMITED_WAITS_S[min(limited, len(LIMITED_WAITS_S)) - 1]
                self._wait(max(1.0, wait), SourceLimited, "limited (429)")
                continue
            if answer.status == 408 or (answer.status >= 500 and answer.status != 501):
                failed += 1
                if failed >= allowed:
                    self.refuse(
                        SourceFailed, f"{answer.status}, {times(failed)}{self._detail(answer)}"
                    )
                wait = retry_after_s(answer.headers, self.client.clock.now()) or 0.0
                self._wait(
                    max(wait, WAITS_S[min(failed, len(WAITS_S)) - 1]),
                    SourceFailed,
                    str(answer.status),
                )
                continue
            if answer.status == 404 and absent:
                return answer
            self._accept(answer, right, missing)
            self.pages += 1
            self._digest.update(answer.data)
            return answer

    def refuse(self, kind: type[SourceError], says: str) -> NoReturn:
        """Raise ``kind`` with the question's name, and with the question so far."""
        self.fail(kind(f"{self.where}: {self.client.redact(says)}"))

    def fail(self, problem: SourceError) -> NoReturn:
        """Raise ``problem`` with the question so far."""
        problem.question = self.question()
        raise problem

    def _note(self, method: str, url: str, query: str) -> None:
        """Record the request as sent; for later pages only what differs from the first."""
        self.at = self.at or self.client.clock.now()
        line = self.client.redact(f"{method} {url}{'?' if query else ''}{query}")
        previous = next((a for a in self.asked if not a.startswith("+ ")), "")
        if previous.split("?")[0] == line.split("?")[0] and "?" in line:
            known = set(previous.partition("?")[2].split("&"))
            changed = [p for p in line.partition("?")[2].split("&") if p not in known]
            line = "+ " + "&".join(changed) if changed else line
        self.asked.append(line)

    def _once(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer | Problem:
        client = self.client
        limit = min(client.timeout_s, client.left_s)
        if limit < SHORTEST_S:
            self.refuse(SourceTimeout, f"no answer within its budget of {client.budget_s:g} s")
        at = client.clock.now()
        began = time.perf_counter()
        answer = fetch(client.session(url), url, body, dict(headers or {}), limit, method)
        took_ms = (time.perf_counter() - began) * 1000
        client.left_s -= took_ms / 1000
        if isinstance(answer, Problem):
            if answer.hanging:
                client.abandon()
            result = answer.message
        else:
            result = str(answer.status)
        self.attempts.append(Attempt(at=at, took_ms=round(took_ms, 3), result=result))
        return answer

    def _wait(self, seconds: float, kind: type[SourceError], says: str) -> None:
        """Wait. Raises: ``kind``, when the budget does not last so long."""
        if seconds > self.client.left_s:
            self.refuse(
                kind,
                f"{says}, asked {times(len(self.attempts))}; waiting {seconds:.0f} s more would "
                f"exceed the {max(0.0, self.client.left_s):.0f} s left of its budget",
            )
        self.client.left_s -= seconds
        self.client.clock.sleep(seconds)

    def _accept(self, answer: Answer, right: str, missing: str) -> None:
        """Raises: SourceError, when the answer is a refusal or comes from a wrong clock."""
        if 200 <= answer.status < 300:
            self._check_clock(answer)
            return
        detail = self._detail(answer)
        needs = f"a token with {right}" if right else "a valid token"
        if answer.status in (401, 403):
            says = "the token is not accepted" if answer.status == 401 else "a right is missing"
            self.refuse(SourceRefused, f"expected {needs}, got {answer.status}: {says}{detail}")
        if answer.status == 402:
            self.refuse(SourceRefused, f"the plan's usage is exceeded (402){detail}")
        if answer.status == 404 and missing:
            self.refuse(SourceRefused, f"{missing} (404){detail}")
        if answer.status in (404, 405, 410, 501):
            self.refuse(SourceLacks, f"this server has no such endpoint ({answer.status}){detail}")
        if answer.status in (400, 422):
            self.refuse(
                SourceLacks,
                f"this server does not know what was asked for ({answer.status}){detail}",
            )
        self.refuse(SourceMisread, f"expected 200, got {answer.status}{detail}")

    def _check_clock(self, answer: Answer) -> None:
        if not self.client.same_clock:
            return
        age = answer.headers.get("Age", "").strip()
        if age:
            if age.isascii() and age.isdigit() and int(age[:18]) > SKEW_S:
                self.refuse(
                    SourceMisread,
                    f"a cache answered with a copy that is {int(age[:18]):,} s old, expected the "
                    "present state: let requests with a token pass the cache",
                )
            return
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except ValueError:
            return
        ours = self.client.clock.now()
        skew = (theirs.replace(tzinfo=theirs.tzinfo or UTC) - ours).total_seconds()
        if abs(skew) > SKEW_S:
            self.refuse(
                SourceClock,
                f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours, "
                f"expected at most {SKEW_S:.0f} s: one of the two is wrong",
            )

    def _detail(self, answer: Answer) -> str:
        """Return the reason that a refusal gives as JSON or plain text, quoted; else nothing."""
        try:
            found = documents.read_json(answer.data)
        except ValueError:
            if not answer.headers.get("Content-Type", "").startswith("text/plain"):
                return ""
            found = {"detail": answer.data[: 4 * DETAIL].decode("utf-8", "replace").strip()}
        if isinstance(found, dict):
            for key in ("detail", "message", "error", "title"):
                said = found.get(key)
                if isinstance(said, dict):
                    said = said.get("message")
                if isinstance(said, str) and said:
                    return f' (it says: "{self.client.redact(said)[:DETAIL]}")'
        return ""
