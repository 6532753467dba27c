"""Sentry: receipt of an event, outcomes, error events, issues, transactions.

Rules of this module:

- Error events and issues that were read before a page failed are answered all the same, in a
  listing that is not complete: they may already be too many.
- Rows outside the window are dropped. The search excludes the canary, and so does this module.
- The canary is sent once, and only reading it back proves that it is stored. If it does not
  appear in time, the answer holds what Sentry counted meanwhile: slow is not the same as deaf.

Source: Sentry's API below ``/api/0/``: organization issues, Explore, usage, project events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from msgspec import Struct, field

from hour24.asking.answers import is_within, misread, read_answer, read_answers
from hour24.asking.client import Asking
from hour24.config import Endpoint
from hour24.errors import (
    NotProvided,
    SourceEmpty,
    SourceError,
    SourceIncomplete,
    SourceLimited,
    SourceRefused,
)
from hour24.evidence import Counts, Document, Evidence, Line, Listing, Quantiles, Series, Unanswered
from hour24.watch import Window
from hour24.witnesses.port import RECEIPT_S
from hour24.witnesses.sentry import canary, rows
from hour24.witnesses.sentry.access import PER_PAGE, Access, ends

TRACED_DAYS = 14
"""An environment without a transaction for so long has no tracing; plans keep at least as much."""
POLLS_S = (1.0, 2.0, 3.0, 5.0)
"""Seconds between two polls for an event, until ``RECEIPT_S``; then ``LATER_S``."""
LATER_S = 15.0
KEPT = ("eventID", "groupID", "projectID", "dateCreated", "dateReceived", "type", "title", "tags")


QUANTILES = (
    ("0.5", "p50"),
    ("0.75", "p75"),
    ("0.9", "p90"),
    ("0.95", "p95"),
    ("0.99", "p99"),
    ("1", "p100"),
)


class Identified(Struct, frozen=True):
    """The answer to an envelope."""

    id: str


class AnyRows(Struct, frozen=True):
    """Rows of ``GET /organizations/{o}/events/`` that are only counted."""

    data: list[dict[str, Any]]


class StoredEvent(Struct, frozen=True):
    """``GET /projects/{o}/{p}/events/{id}/``."""

    event_id: str = field(name="eventID")


class NoDsn(SourceError):
    """production.toml names no DSN, so nothing can be sent."""

    code = "not_described"


class Sentry(Access):
    """Sentry's data as the token sees it; used by one thread."""

    def receipt(self, patience_s: float = RECEIPT_S) -> Document:
        """Send the canary now and read it back.

        Args:
            patience_s: how long to poll for it, in seconds; at least ``RECEIPT_S``.

        Returns: the event as Sentry stored it, 200; 404 when it did not appear, with ``waited_s``
            and ``usage``: the error events counted ``before`` and ``after``, or a ``code`` and
            ``reason`` why these are not known; 429 when it came with a ``limit`` on errors, and so
            was not accepted.
        Raises: NoDsn; SourceRefused, when the DSN is not the project's; SourceError.
        Source: ``POST /api/{project}/envelope/``, ``GET /projects/{o}/{p}/events/{id}/``,
            ``GET /organizations/{o}/stats_v2/``.
        """
        at = self.ingest
        if self.at.dsn is None:
            raise NoDsn("production.toml: sentry.dsn_env: expected to be described, got nothing")
        project = self.visible_project()
        event = canary.event_id()
        begun = self.clock.now()
        with self.asking("canary") as asking:
            if at is None or at.project != project:
                expected = f"the DSN of project {project}" if at else "SCHEME://KEY@HOST/PROJECT"
                found = f"one of project {at.project}" if at else "something else"
                asking.refuse(
                    SourceRefused, f"{self.at.dsn.name}: expected {expected}, got {found}"
                )
            before = self._counted_since(begun)
            sent = asking.answer(
                at.envelope,
                right="a key of this project",
                tries=1,
                limits=True,
                body=canary.envelope(event, self.clock.now()),
                headers=canary.headers(at),
            )
            limit = canary.refusal(sent.headers)
            if limit:
                problem = f"not accepted: {sent.status} came with the limit {limit}"
                return self._document(asking, 429, body={"limit": limit}, problem=problem)
            if sent.status == 429:
                asking.refuse(SourceLimited, "limited (429)")
            accepted = read_answer(asking.read_json(sent), Identified, asking.where)
            if accepted.id != event:
                raise misread(f"{asking.where}.id", f"the id sent, {event}", accepted.id)
            patience_s = max(RECEIPT_S, patience_s)
            stored = self._read_back(asking, event, patience_s)
            if stored is not None:
                return stored
            usage: dict[str, Any] = before
            if "code" not in before:
                after = self._counted_since(begun)
                usage = after if "code" in after else {"before": before, "after": after}
            return self._document(
                asking,
                404,
                body={"waited_s": patience_s, "usage": usage},
                problem=f"not stored within {patience_s:g} s",
            )

    def outcomes(self, window: Window) -> Counts:
        """Return error events of all environments by outcome; ``bad`` were not accepted.

        The window is widened to whole hours, which is how Sentry counts usage.

        Source: ``GET /organizations/{o}/stats_v2/``.
        """
        hours = _whole_hours(window)
        project = self.visible_project()
        with self.asking("outcomes", hours) as asking:
            parts, left_out = self._usage(asking, project, hours)
            total = sum(parts.values())
            notes = ["whole hours and every environment, as Sentry counts usage; canaries included"]
            return Counts(
                question=asking.question(),
                note="; ".join(notes),
                total=total,
                bad=total - parts.get("accepted", 0),
                what="error events",
                parts=parts | {f"{rows.SETTINGS}{name}": n for name, n in left_out.items()},
            )

    def accepted(self, window: Window) -> Series:
        """Return the accepted error events of all environments, hour by hour.

        The window is widened to whole hours.

        Returns: one line; each value has the time at which its hour starts.
        Source: ``GET /organizations/{o}/stats_v2/``.
        """
        hours = _whole_hours(window)
        project = self.visible_project()
        with self.asking("accepted events", hours) as asking:
            body = self._stats(asking, project, hours)
            by_hour = rows.accepted(body, asking.where, hours, self.clock.now().timestamp())
            values = tuple(float(each) for each in by_hour.values())
            return Series(
                question=asking.question(),
                note="every environment, as Sentry counts usage",
                unit="error events an hour",
                lines=(Line(times=tuple(by_hour), values=values),),
            )

    def _usage(
        self, asking: Asking, project: str, hours: Window
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Return :func:`rows.usage` of these whole hours."""
        body = self._stats(asking, project, hours)
        return rows.usage(body, asking.where, hours, self.clock.now().timestamp())

    def _stats(self, asking: Asking, project: str, hours: Window) -> Any:
        """Return Sentry's counts of error events by hour, outcome and reason."""
        return asking.document(
            f"{self.organization}/stats_v2/",
            [
                ("project", project),
                ("category", "error"),
                ("field", rows.QUANTITY),
                ("groupBy", "outcome"),
                ("groupBy", "reason"),
                ("interval", "1h"),
                *ends(hours),
            ],
            right="org:read",
        )

    def _counted_since(self, begun: datetime) -> dict[str, Any]:
        """Return the outcomes since the hour of ``begun`` began, or why they are unknown."""
        hours = _whole_hours(Window(begun, self.clock.now() + timedelta(seconds=1)))
        try:
            with self.asking("usage", hours) as asking:
                parts, left_out = self._usage(asking, self.visible_project(), hours)
                return parts | left_out
        except SourceError as problem:
            return {"code": problem.code, "reason": str(problem)}

    def error_events(self, window: Window) -> Listing:
        """Return every error event of the environment in the window, oldest first.

        Returns: items of :func:`rows.event`; where a later page fails or is beyond the cap, the
            newest of them, and then not complete: a storm of errors must be seen.
        Source: ``GET /organizations/{o}/events/``, ``dataset=errors``.
        """
        project = self.known_environment()
        with self.asking("error events", window) as asking:
            params = [
                *self.where(project, window),
                ("dataset", "errors"),
                *(("field", field) for field in rows.EVENT_FIELDS),
                ("query", canary.NOT_CANARY),
                ("sort", "-timestamp"),
                ("per_page", PER_PAGE),
            ]
            found: dict[str, rows.Item] = {}
            seen, cut = 0, ""
            try:
                for body, path in self.pages(asking, "/events/", params, "org:read"):
                    events, _ = rows.table(body, path, "errors", rows.Event)
                    for index, row in enumerate(events):
                        seen += 1
                        item = rows.event(row)
                        ours = canary.is_canary(item["title"], item["environment"])
                        where = f"{path}.data[{index}].timestamp"
                        if is_within(window, item["at"], where) and not ours:
                            found[item["id"]] = item
            except SourceIncomplete as problem:
                if not seen:
                    raise
                cut = str(problem)
            return Listing(
                question=asking.question(),
                what="error events",
                items=tuple(sorted(found.values(), key=lambda item: (item["at"], item["id"]))),
                complete=not cut,
                note=cut,
                seen=seen,
            )

    def issues(self, window: Window) -> Listing:
        """Return every issue of the environment with events in the window, whatever its status.

        Returns: items of :func:`rows.issue`, the most frequent first; where a later page fails or
            is beyond the cap, those that were first seen last, and then not complete.
        Source: ``GET /organizations/{o}/issues/``.
        """
        project = self.known_environment()
        with self.asking("issues", window) as asking:
            params = [
                *self.where(project, window),
                ("query", canary.NOT_CANARY),
                ("sort", "new"),
                ("limit", PER_PAGE),
            ]
            found: dict[str, rows.Item] = {}
            seen, cut = 0, ""
            try:
                for body, path in self.pages(asking, "/issues/", params, "event:read"):
                    for index, row in enumerate(read_answers(body, rows.Issue, path)):
                        seen += 1
                        item = rows.issue(row, f"{path}[{index}]", window)
                        if not canary.is_canary(item["title"]):
                            found[item["id"]] = item
            except SourceIncomplete as problem:
                if not seen:
                    raise
                cut = str(problem)
            return Listing(
                question=asking.question(),
                what="issues",
                items=tuple(sorted(found.values(), key=lambda item: (-item["count"], item["id"]))),
                complete=not cut,
                note=cut,
                seen=seen,
            )

    def transactions(self, window: Window) -> Listing:
        """Return every transaction of the environment with its durations, most frequent first.

        Returns: items of :func:`rows.transaction`, in milliseconds; a census only where every
            transaction is sent.
        Raises: NotProvided, when the project never had one, or the environment none in
            ``TRACED_DAYS``; SourceEmpty, when only the window has none: missing traces are not
            fast traces.
        Source: ``GET /organizations/{o}/events/``, ``dataset=spans``.
        """
        project = self.known_environment()
        rate = self.at.traces_sample_rate
        with self.asking("transactions", window) as asking:
            params = [
                *self.where(project, window),
                ("dataset", "spans"),
                *(("field", field) for field in rows.SPAN_FIELDS),
                ("query", "is_transaction:true"),
                ("sort", "-count()"),
                ("per_page", PER_PAGE),
            ]
            found: dict[str, rows.Item] = {}
            seen = 0
            for body, path in self.pages(asking, "/events/", params, "org:read"):
                spans, meta = rows.table(body, path, "spans", rows.Span)
                units = rows.durations(meta, f"{path}.meta") if spans else {}
                for index, row in enumerate(spans):
                    seen += 1
                    where = f"{path}.data[{index}]"
                    item = rows.transaction(row, where, units, 1.0 if rate is None else rate)
                    found[item["transaction"]] = item
            if not found:
                self._refuse_untraced(asking, project, window)
            return Listing(
                question=asking.question(),
                basis="census" if rate == 1.0 else "sample",
                note=""
                if rate == 1.0
                else "durations of the transactions that were sent; their share is "
                + ("unknown" if rate is None else f"{rate:g} by production.toml"),
                what="transactions",
                items=tuple(found.values()),
                seen=seen,
            )

    def _refuse_untraced(self, asking: Asking, project: str, window: Window) -> NoReturn:
        """Raise NotProvided if nothing is traced at all, and SourceEmpty otherwise."""
        if self.traced is False:
            asking.refuse(NotProvided, "the project never received a transaction: no tracing")
        before = Window(window.start - timedelta(days=TRACED_DAYS), window.start)
        params = [
            *self.where(project, before),
            ("dataset", "spans"),
            ("field", "transaction"),
            ("field", "count()"),
            ("query", "is_transaction:true"),
            ("per_page", "1"),
        ]
        answer = asking.answer(f"{self.organization}/events/", params, right="org:read")
        where = f"{asking.where}: the {TRACED_DAYS} days before"
        earlier = read_answer(asking.read_json(answer), AnyRows, where)
        if not earlier.data:
            days = f"nor in the {TRACED_DAYS} days before: no tracing"
            asking.refuse(NotProvided, f"no transaction in the window {days}")
        asking.refuse(SourceEmpty, "expected transactions in the window, got none")

    def server_times(
        self, window: Window, endpoints: Mapping[str, Endpoint]
    ) -> dict[str, Evidence]:
        """Return each endpoint's own times as Sentry computed them from its spans."""
        listing = self.transactions(window)
        by_name = {item["transaction"]: item for item in listing.items}
        return {
            name: self._server_time(name, endpoint.transaction, by_name, listing)
            for name, endpoint in endpoints.items()
        }

    def _server_time(
        self, name: str, transaction: str, by_name: Mapping[str, Any], listing: Listing
    ) -> Evidence:
        item = by_name.get(transaction) if transaction else None
        if item is None:
            wanted = f"transaction {transaction!r}" if transaction else "a transaction's name"
            return Unanswered(
                question=listing.question,
                code="not_described" if not transaction else "no_data",
                reason=f"sentry: endpoint {name}: expected {wanted}, got none",
                not_provided=bool(transaction),
            )
        return Quantiles(
            question=listing.question,
            basis="census" if self.at.traces_sample_rate == 1.0 else "sample",
            n=int(item["count"]),
            unit="ms",
            values={q: float(item[key]) for q, key in QUANTILES if item.get(key) is not None},
        )

    # --- the canary ---------------------------------------------------------------------------

    def _read_back(self, asking: Asking, event: str, patience_s: float) -> Document | None:
        """Poll for the event and return it; None when the time is over."""
        sent = self.clock.now()
        polls = 0
        while True:
            passed_s = (self.clock.now() - sent).total_seconds()
            often = passed_s < RECEIPT_S
            wait = POLLS_S[min(polls, len(POLLS_S) - 1)] if often else LATER_S
            if passed_s + wait > patience_s:
                return None
            self.clock.sleep(wait)
            polls += 1
            answer = asking.answer(
                f"{self.project}/events/{event}/", right="project:read", absent=True
            )
            if answer.status == 404:
                continue
            body = asking.read_json(answer)
            stored = read_answer(body, StoredEvent, asking.where)
            if stored.event_id != event:
                raise misread(f"{asking.where}.eventID", event, stored.event_id)
            return self._document(
                asking, answer.status, body={key: body[key] for key in KEPT if key in body}
            )

    def _document(
        self, asking: Asking, status: int, *, body: Any = None, problem: str = ""
    ) -> Document:
        return Document(
            question=asking.question(),
            status=status,
            body=body,
            problem=problem,
            took_ms=asking.attempts[-1].took_ms,
        )


def _whole_hours(window: Window) -> Window:
    """Return the window widened to whole hours, UTC."""
    start = window.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = window.end.astimezone(UTC)
    whole = end.replace(minute=0, second=0, microsecond=0)
    return Window(start, whole if whole == end else whole + timedelta(hours=1))
