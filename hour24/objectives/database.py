"""The database: whether it answers, and the use of its connections and its disk.

Rules of this module:

- The database is both service and source: it is down when the health document or its platform
  reports so, or when it refuses a login that worked before in this watch while its host answers,
  whatever others report. Our own failed connection alone shows nothing, and neither does the
  refusal of a login that never worked, or of the address that hour24 runs on.
- Growth needs two readings an hour apart; it is the median slope of all pairs, so that one outlier
  does not make a trend.

Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any, ClassVar

from hour24.documents import ABSENT, is_number, value_at
from hour24.evidence import Document, Evidence, Listing, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_bytes, format_duration, format_percent, one_line
from hour24.verdict import Outcome, Scale, Verdict

UP = frozenset({"true", "up", "ok", "pass", "healthy", "connected", "available", "online"})
DOWN = frozenset(
    {"false", "down", "error", "fail", "failed", "unhealthy", "disconnected", "unavailable"}
)
REFUSALS = {
    "login_refused": "it refuses a login that worked before",
    "too_many_connections": "it has no free connection",
    "not_accepting": "it is starting, stopping or recovering",
    "upstream_down": "its pooler cannot reach it",
}
"""Codes of a refusal by the database itself, not by the network."""
SERVICE_WORDS = frozenset({"ACTIVE_HEALTHY", "UNHEALTHY", "COMING_UP"})
SHORTEST_GROWTH_S = 3600.0
"""Growth over a shorter time is mostly noise."""
DAY_S = 86400.0
LONGEST = 120
"""Characters of a foreign text in a reason: enough for a message, short enough for a line."""


class DatabaseAnswers(Objective, frozen=True, kw_only=True):
    """The database answers the runbook's query, accepts writes, and no source reports it down.

    Args:
        database: JSON pointer to the database's state in the health document; "" for none.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {
        "row": Listing,
        "health": Document,
        "services": Listing,
        "before": Listing,
    }
    spared: ClassVar[Mapping[str, str]] = {
        "health": "the criterion of the health document judges its silence",
        "before": "it only shows that a login worked before",
    }

    database: str = "/database"

    def limit_text(self) -> str:
        return "answers"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        row, services = evidence.get("row"), evidence.get("services")
        says = self._health_says(evidence.get("health"))
        down: list[tuple[str, str]] = []
        if says is False:
            down.append(("database_down", "the health document reports it down"))
        down += _unhealthy_services(services)
        refused = _refusal(row, evidence.get("before"))
        if refused:
            down.append(refused)
        if down:
            reasons = "; ".join(reason for _, reason in down)
            contrast = (
                f"; our own query was answered in {_took(row)}"
                if isinstance(row, Listing) and row.items
                else ""
            )
            if refused and says:
                contrast = "; the health document reports it up"
            return self._verdict(
                Outcome.FAIL,
                down[0][0],
                f"Database: {reasons}{contrast}",
                _format_observed(down[0][0]),
            )
        if row is None:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "not_described",
                "The runbook's query was not run: production.toml describes no [database]",
            )
        if isinstance(row, Unanswered):
            contrast = {True: "; the health document reports it up", None: "", False: ""}[says]
            if row.code in REFUSALS:
                contrast += (
                    "; no login has worked in this watch yet, so our credential may be wrong"
                )
            return self._verdict(Outcome.INCONCLUSIVE, row.code, row.reason + contrast)
        assert isinstance(row, Listing)
        if not row.items:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "no_data",
                "The runbook's query returned no row for the connected database",
            )
        if isinstance(services, Unanswered):
            return self._verdict(
                Outcome.INCONCLUSIVE,
                services.code,
                f"{_row_text(row)}, but the state of {services.question.who}'s services is not "
                f"known: {services.reason}",
                _took(row),
            )
        who = services.question.who if services is not None else ""
        problem = _unknown_status(services)
        if problem:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "source_misread",
                f"{_row_text(row)}, but {who} reports {problem}",
                _took(row),
            )
        if row.items[0].get("read_only"):
            return self._read_only(row)
        healthy = (
            f", and {who} reports its {len(services.items)} services as healthy"
            if isinstance(services, Listing)
            else ""
        )
        item = row.items[0]
        return Verdict(
            outcome=Outcome.PASS,
            reason=_row_text(row) + healthy,
            observed=_took(row),
            limit=self.limit_text(),
            figures={
                "connections": float(item["numbackends"]),
                "size_bytes": float(item["size_bytes"]),
            },
        )

    def _read_only(self, row: Listing) -> Verdict:
        """The verdict on a database that answers but accepts no writes."""
        if row.items[0]["read_only"] == "recovery":
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "read_only",
                f"{_row_text(row)}, but it is in recovery, a standby that accepts no writes: name "
                "the primary in database.dsn_env, or set database.writes = false",
                "accepts no writes",
            )
        return self._verdict(
            Outcome.FAIL,
            "read_only",
            f"{_row_text(row)}, but it accepts no writes: default_transaction_read_only is on "
            "for every role, as platforms set it when the disk is full",
            "accepts no writes",
        )

    def _health_says(self, health: Evidence | None) -> bool | None:
        """True if the health document reports the database up; None when it does not say."""
        if not self.database or not isinstance(health, Document) or health.cached:
            return None
        value = value_at(health.body, self.database)
        if value is ABSENT or isinstance(value, dict | list):
            return None
        word = str(value).strip().lower()
        return True if word in UP else False if word in DOWN else None

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, observed: str = "not measured"
    ) -> Verdict:
        return Verdict(
            outcome=outcome, code=code, reason=reason, observed=observed, limit=self.limit_text()
        )


def _unhealthy_services(services: Evidence | None) -> list[tuple[str, str]]:
    """The code and the text of services that the platform reports as not healthy."""
    if not isinstance(services, Listing):
        return []
    bad = [
        f"{item['name']} {item['status']}"
        + (f" ({str(item['error'])[:LONGEST]})" if item.get("error") else "")
        for item in services.items
        if item["status"] in SERVICE_WORDS - {"ACTIVE_HEALTHY"}
    ]
    return (
        [("services_unhealthy", f"{services.question.who} reports {', '.join(bad)}")] if bad else []
    )


def _unknown_status(services: Evidence | None) -> str:
    """A service with an undocumented status, or that there is no service; empty when neither."""
    if not isinstance(services, Listing):
        return ""
    if not services.items:
        return "no service at all"
    found = [item for item in services.items if item["status"] not in SERVICE_WORDS]
    if not found:
        return ""
    name, status = found[0]["name"], str(found[0]["status"])[:LONGEST]
    return f"{name} {status}, which is not a documented status"


def _refusal(row: Evidence | None, before: Evidence | None) -> tuple[str, str] | None:
    """The code and the text of a refused login that had worked before; None when there is none."""
    if not isinstance(row, Unanswered) or row.code not in REFUSALS:
        return None
    answered = isinstance(before, Listing) and any(i.get("answered") is True for i in before.items)
    return (row.code, f"{REFUSALS[row.code]} ({row.reason})") if answered else None


def _format_observed(code: str) -> str:
    return {
        "database_down": "down",
        "services_unhealthy": "unhealthy",
        "login_refused": "login refused",
        "too_many_connections": "no connection free",
        "not_accepting": "not accepting",
        "upstream_down": "down behind its pooler",
    }[code]


def _row_text(row: Listing) -> str:
    item = row.items[0]
    return (
        f"The database answered the runbook's query in {_took(row)}: {item['numbackends']} "
        f"connections, {format_bytes(float(item['size_bytes']))}"
    )


def _took(row: Listing) -> str:
    attempts = row.question.attempts
    return f"{attempts[-1].took_ms:.0f} ms" if attempts else "answered"


class PoolBelow(Objective, frozen=True, kw_only=True):
    """Connections are free, no transaction idles for long, and no lock wait is long.

    Args:
        share: of the available connections that may be in use, 0 to 1.
        idle_in_transaction_s: how long a session may be idle in a transaction, in seconds.
        lock_wait_s: how long a session may wait for a lock, in seconds.
    """

    needs: ClassVar[Kinds] = {"connections": Listing}

    share: float = 0.8
    idle_in_transaction_s: float = 60.0
    lock_wait_s: float = 10.0

    def limit_text(self) -> str:
        return f"below {format_percent(self.share)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        item = _reading(pick(evidence, "connections", Listing))
        if item is None or not all(is_number(item.get(n)) for n in ("in_use", "available")):
            return self.unmeasured(
                "no_data",
                "The database did not report how many connections are in use and available",
            )
        pools = [
            ("connections", item["in_use"], item["available"]),
            *((each["what"], each["in_use"], each["limit"]) for each in item.get("limits") or ()),
        ]
        what, used, available = max(pools, key=lambda pool: _share(pool[1], pool[2]))
        worst = _share(used, available)
        waits = [item.get(f"oldest_{name}_s") for name in ("idle_in_transaction", "lock_wait")]
        idle, wait = (float(each) if is_number(each) else 0.0 for each in waits)
        found: list[tuple[str, str]] = []
        if worst >= self.share:
            found.append(
                (
                    "pool_full",
                    f"{used} of {available} {what} are in use, {format_percent(worst)}: "
                    "expected below "
                    f"{format_percent(self.share)}",
                )
            )
        if idle > self.idle_in_transaction_s:
            found.append(
                (
                    "idle_in_transaction",
                    f"a session{_by(item, 'idle_in_transaction_by')} has been idle in an open "
                    f"transaction for {format_duration(idle)}: expected at most "
                    f"{self.idle_in_transaction_s:g} s",
                )
            )
        if wait > self.lock_wait_s:
            found.append(
                (
                    "lock_wait",
                    f"a session{_by(item, 'lock_wait_by')} has waited for a lock for "
                    f"{format_duration(wait)}: "
                    f"expected at most {self.lock_wait_s:g} s",
                )
            )
        excluded = float(item.get("aside_idle_s") or 0.0)
        suffix = ""
        if excluded > self.idle_in_transaction_s:
            suffix = (
                f"; excluded: a session{_by(item, 'aside_by')} of the platform or of maintenance "
                f"has been idle in a transaction for {format_duration(excluded)}"
            )
        reason = "; ".join(text for _, text in found) or (
            f"{used} of {available} {what} are in use, {format_percent(worst)}; the longest idle "
            f"transaction {format_duration(idle)}, the longest lock wait {format_duration(wait)}"
        )
        if not found and not all(map(is_number, waits)):
            return self.unmeasured(
                "no_data",
                f"{used} of {available} {what} are in use, {format_percent(worst)}, but the "
                "longest idle transaction or the longest lock wait was not reported",
                {"share": worst, "in_use": float(used), "available": float(available)},
            )
        return Verdict(
            outcome=Outcome.FAIL if found else Outcome.PASS,
            code=found[0][0] if found else "",
            reason=reason[:1].upper() + reason[1:] + suffix,
            observed=format_percent(worst),
            limit=self.limit_text(),
            scale=Scale(unit="%", limit=100 * self.share, observed=100 * worst),
            figures={
                "share": worst,
                "in_use": float(used),
                "available": float(available),
                "idle_in_transaction_s": idle,
                "lock_wait_s": wait,
            },
        )


class DiskBelow(Objective, frozen=True, kw_only=True):
    """The disk has free space, and enough for days at the present growth.

    Args:
        share: of the disk that may be used, 0 to 1.
        days: days that must be left until it is full; 0 where growth is not judged (hour 0).
    """

    needs: ClassVar[Kinds] = {"disk": Listing}
    may: ClassVar[Kinds] = {"before": Listing}
    spared: ClassVar[Mapping[str, str]] = {
        "before": "without it, growth is judged in conclude as too early",
    }

    share: float = 0.8
    days: float

    def limit_text(self) -> str:
        below = f"below {format_percent(self.share)}"
        return f"{below}, {self.days:g} days left" if self.days else below

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        item = _reading(pick(evidence, "disk", Listing))
        if (
            item is None
            or not _is_size(item.get("used_bytes"))
            or not _is_size(item.get("size_bytes"))
        ):
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "no_data",
                "The size and use of the database's disk were not reported",
                {},
            )
        size, used = float(item["size_bytes"]), float(item["used_bytes"])
        share = used / size
        figures = {"share": share, "used_bytes": used, "size_bytes": size}
        usage = (
            f"{format_bytes(used)} of {format_bytes(size)} of the disk are used, "
            f"{format_percent(share)}"
        )
        if share >= self.share:
            return self._verdict(
                Outcome.FAIL,
                "disk_full",
                f"{usage}: expected below {format_percent(self.share)}",
                figures,
            )
        if not self.days:
            return self._verdict(Outcome.PASS, "", usage, figures)
        readings = sorted(_readings(evidence.get("before"), item))
        span_s = readings[-1][0] - readings[0][0] if readings else 0.0
        if span_s < SHORTEST_GROWTH_S:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "too_early",
                f"{usage}; growth needs an earlier reading, at least an hour older than this one",
                figures,
            )
        growth = _slope(readings)
        figures["growth_bytes_per_day"] = growth * DAY_S
        over = f"over {len(readings)} readings in {format_duration(span_s)}"
        if growth <= 0:
            return self._verdict(
                Outcome.PASS, "", f"{usage}, and it does not grow ({over})", figures
            )
        left = (size - used) / growth / DAY_S
        figures["days_left"] = left
        daily = format_bytes(growth * DAY_S)
        grows = f"it grows by {daily} a day ({over}) and is full in {_days(left)}"
        if left < self.days:
            return self._verdict(
                Outcome.FAIL,
                "disk_growing",
                f"{usage}; {grows}: expected at least {self.days:g} days",
                figures,
            )
        return self._verdict(Outcome.PASS, "", f"{usage}; {grows}", figures)

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, figures: dict[str, float]
    ) -> Verdict:
        share = figures.get("share")
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed="not measured" if share is None else format_percent(share),
            bound=f"{_days(figures['days_left'])} left" if "days_left" in figures else "",
            limit=self.limit_text(),
            scale=None
            if share is None
            else Scale(unit="%", limit=100 * self.share, observed=100 * share),
            figures=figures,
        )


def _readings(before: Evidence | None, now: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Time and bytes used of every reading, including this one; each time once."""
    earlier = before.items if isinstance(before, Listing) else ()
    seen: set[float] = set()
    for item in (*earlier, now):
        at, used = item.get("at"), item.get("used_bytes")
        if is_number(at) and is_number(used) and at not in seen:
            seen.add(at)
            yield float(at), float(used)


def _slope(readings: Sequence[tuple[float, float]]) -> float:
    """Median of the slopes of all pairs, in bytes per second."""
    return median(
        (later[1] - sooner[1]) / (later[0] - sooner[0])
        for sooner, later in combinations(readings, 2)
    )


def _reading(evidence: Listing) -> dict[str, Any] | None:
    return evidence.items[0] if evidence.items else None


def _by(item: Mapping[str, Any], name: str) -> str:
    """The session's owner in brackets; empty when it was not reported."""
    return f" ({one_line(item[name], LONGEST)})" if item.get(name) else ""


def _share(used: float, available: float) -> float:
    """``used`` as a share of ``available``; 1 when there is none."""
    return used / available if available > 0 else 1.0


def _is_size(value: Any) -> bool:
    return is_number(value) and value > 0


def _days(days: float) -> str:
    return f"{days:.1f} days" if days < 100 else "over 100 days"
