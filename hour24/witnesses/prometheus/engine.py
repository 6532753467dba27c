"""Asks an engine: raw samples by a range selector in an instant query, piece by piece.

Rules of this module:

- The only expressions are a range selector and ``time()``. An engine's own ``increase``, ``rate``
  and ``histogram_quantile`` extrapolate and interpolate, and are never asked.
- A window is read in pieces of a few megabytes. A piece past a cap of the engine is cut; one that
  cannot be cut any more is incomplete, and the cap is named.
- Parameters that forbid partial answers are always sent.
- The engine's own clock must agree with ours.

Source: Prometheus docs/querying/api.md and basics.md; Thanos' query.md; VictoriaMetrics' README.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hour24.asking.answers import read_answer, show
from hour24.asking.client import OWN_CREDENTIAL, SKEW_S, ApiClient, Asking, Params
from hour24.asking.fetching import Answer
from hour24.clock import Clock
from hour24.errors import (
    SourceClock,
    SourceError,
    SourceFailed,
    SourceIncomplete,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
)
from hour24.linear import shipped
from hour24.secrets import Secret
from hour24.watch import Window
from hour24.witnesses.prometheus import PrometheusAt, envelope
from hour24.witnesses.prometheus.envelope import Matrix

WHOLE = (
    ("partial_response", "false"),
    ("dedup", "true"),
    ("max_source_resolution", "0s"),
    ("deny_partial_response", "1"),
    ("nocache", "1"),
)
"""Parameters against partial, downsampled and cached answers: Thanos' and VictoriaMetrics'."""
PIECE_BYTES = 4_000_000
"""The size that pieces are cut to: its samples take some 30 MB of memory."""
FIRST_PIECE_S = 600.0
"""The first piece shows how many bytes a second of the window has."""
SHORTEST_S = 30.0
"""A piece is not cut further than this."""
LISTED_MOST = 100_000
"""Label sets of one list."""
NO_TENANT = "no org id"
"""What Mimir says to a request without X-Scope-OrgID."""
PLAIN = shipped(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_CAPPED = shipped(
    r"too many samples|max-?samples|maxSamples|maxUnique|maxSeries|maxPoints|max_fetched|limit|"
    r"too many|too long|exceed|more than \d+ MB|timed out|timeout",
    re.IGNORECASE,
)
"""What engines say when a query is past a cap of theirs, or of ours."""


def selector(metric: str, labels: Mapping[str, str], matching: Mapping[str, str]) -> str:
    """Return ``metric{label="value"}``.

    Args:
        labels: label -> its value; a name that ends with ``!`` must differ from the value.
        matching: label -> a regular expression of RE2.
    """
    parts = [] if not metric or PLAIN.fullmatch(metric) else [f"__name__={_quoted(metric)}"]
    for name, value in labels.items():
        bare = name.rstrip("!")
        parts.append(f"{bare}{'!=' if name.endswith('!') else '='}{_quoted(value)}")
    parts += [f"{name}=~{_quoted(value)}" for name, value in matching.items()]
    return f"{metric if PLAIN.fullmatch(metric) else ''}{{{','.join(parts)}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Engine:
    """An engine that speaks Prometheus' API; used by one thread."""

    def __init__(self, at: PrometheusAt, clock: Clock, *, budget_s: float) -> None:
        self.at = at
        self.clock = clock
        self.client = ApiClient(
            "prometheus",
            at.url,
            clock,
            secrets=[each for each in (at.token, at.password, at.header) if each is not None],
            timeout_s=at.timeout_s,
            budget_s=budget_s,
        )
        self._clock_agrees = False

    def _headers(self, where: str) -> dict[str, str]:
        """Return the credentials. Raises: SourceRefused, where one cannot stand in a header."""
        at, headers = self.at, {OWN_CREDENTIAL: "yes"}
        if at.token is not None:
            headers["Authorization"] = f"{at.scheme} {_printable(at.token, where)}"
        elif at.password is not None:
            both = f"{at.user}:{at.password.reveal()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        if at.tenant:
            headers["X-Scope-OrgID"] = at.tenant
        if at.header is not None and at.header_name:
            headers[at.header_name] = _printable(at.header, where)
        return headers

    def _answer(self, asking: Asking, path: str, params: Params, *, tries: int = 3) -> Answer:
        try:
            return asking.answer(
                f"/api/v1/{path}",
                params,
                right="the right to query",
                headers=self._headers(asking.where),
                tries=tries,
            )
        except SourceRefused as problem:
            if self.at.tenant or NO_TENANT not in str(problem):
                raise
            asking.refuse(
                SourceRefused,
                f'expected a tenant, got none (it says: "{NO_TENANT}"); state [prometheus] tenant',
            )

    def _list(self, asking: Asking, path: str, match: str, window: Window) -> Any:
        """Return a list about a selector. Raises: SourceIncomplete, when it is past a cap."""
        params = [("match[]", match), *_ends(window), *WHOLE]
        try:
            answer = self._answer(asking, path, params)
        except SourceError as problem:
            if not _is_capped(problem):
                raise
            asking.refuse(SourceIncomplete, f"{_bare(problem, asking)}: a list past a cap")
        return envelope.document_of(answer.data, asking.where)

    def check_clock(self, asking: Asking) -> None:
        """Raises: SourceClock, where the engine's clock and ours differ."""
        if self._clock_agrees:
            return
        answer = self._answer(asking, "query", [("query", "time()")])
        text = envelope.scalar_of(answer.data, asking.where)
        try:
            theirs = float(text)
        except ValueError:
            theirs = float("nan")
        skew = theirs - self.clock.now().timestamp()
        if not abs(skew) <= SKEW_S:
            asking.refuse(
                SourceClock,
                f"expected the engine's clock to agree with ours within {SKEW_S:.0f} s, got "
                f"{show(text)}, which is {skew:+.0f} s off",
            )
        self._clock_agrees = True

    def listed(self, asking: Asking, match: str, window: Window) -> list[dict[str, str]]:
        """Return the label sets that had samples around the window."""
        answer = self._list(asking, "series", match, window)
        found = read_answer(answer, list[dict[str, str]], asking.where)
        if len(found) in (*envelope.SERIES_CAPS, LISTED_MOST):
            asking.refuse(
                SourceIncomplete,
                f"expected other than {len(found)} series, got exactly as many: an engine's cap",
            )
        return found

    def values(self, asking: Asking, label: str, match: str, window: Window) -> list[str]:
        """Return the values of a label that the window may have."""
        answer = self._list(asking, f"label/{label}/values", match, window)
        return read_answer(answer, list[str], asking.where)

    def type_of(self, asking: Asking, metric: str) -> str:
        """Return what the exporters say a metric is; empty if none says, or no one may ask."""
        try:
            answer = self._answer(asking, "metadata", [("metric", metric)], tries=1)
            found: Any = envelope.document_of(answer.data, asking.where)
            entries = read_answer(found or {}, dict[str, list[envelope.TypeOf]], asking.where)
        except (SourceLacks, SourceMisread, SourceFailed, SourceRefused, SourceLimited):
            return ""
        kinds = {each.type for each in entries.get(metric, [])}
        return kinds.pop() if len(kinds) == 1 else ""

    def raw(self, asking: Asking, match: str, start: float, end: float) -> Iterator[list[Matrix]]:
        """Yield the raw samples of ``start < t <= end``, piece by piece in ascending time.

        Raises: SourceIncomplete, when a piece is past a cap and cannot be cut.
        """
        at, length = start, min(end - start, FIRST_PIECE_S)
        while at < end - 1e-3:
            length = min(length, end - at)
            try:
                size, found = self._piece(asking, match, at, at + length)
            except SourceError as problem:
                if not _is_capped(problem):
                    raise
                if length <= SHORTEST_S:
                    raise SourceIncomplete(
                        f"{asking.where}: a piece of {length:.0f} s is past a cap and cannot be "
                        f"cut further: {_bare(problem, asking)}"
                    ) from None
                self.client.answered = True
                length = max(SHORTEST_S, length / 4)
                continue
            yield found
            at += length
            fitting = length * PIECE_BYTES / max(1, size)
            length = max(SHORTEST_S, min(fitting, length * 8))

    def _piece(
        self, asking: Asking, match: str, start: float, end: float
    ) -> tuple[int, list[Matrix]]:
        seconds = max(1, round((end - start) * 1000))
        params = [("query", f"{match}[{seconds}ms]"), ("time", f"{end:.3f}"), *WHOLE]
        answer = self._answer(asking, "query", params)
        return len(answer.data), envelope.matrix_of(answer.data, asking.where)


def _bare(problem: SourceError, asking: Asking) -> str:
    """Return what a problem says, without the name of the question."""
    return str(problem).removeprefix(f"{asking.where}: ")


def _is_capped(problem: SourceError) -> bool:
    """Return whether a smaller piece may be answered."""
    kinds = (SourceLacks, SourceFailed, SourceMisread)
    text = str(problem)
    if isinstance(problem, SourceMisread):
        return "more than" in text and " MB" in text
    return isinstance(problem, kinds) and _CAPPED.search(text) is not None


def _ends(window: Window) -> list[tuple[str, str]]:
    return [
        ("start", f"{window.start.timestamp():.3f}"),
        ("end", f"{window.end.timestamp():.3f}"),
    ]


def window_of(start: float, end: float) -> Window:
    """Return a window from epoch seconds."""
    return Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def _printable(secret: Secret, where: str) -> str:
    text = secret.reveal()
    if not text or not (text.isascii() and text.isprintable()) or text != text.strip():
        raise SourceRefused(
            f"{where}: {secret.name}: expected printable ASCII without blanks around it, got "
            "something else"
        )
    return text
