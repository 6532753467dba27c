"""The database: whether it answers, how much room is left in its pool and on its disk.

Rules of this module:

- The database is accused and witness: it is down when the health document or its platform says so,
  or when it refuses a login that worked before in this watch while its host answers, whatever
  others say of it. Our own connection failing alone shows nothing, and neither does the refusal
  of a login that never worked, or of the address that we ask from.
- Growth needs two readings an hour apart; it is the median slope of all pairs, so that one odd
  reading does not make a trend.

Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any, ClassVar

from hour24.documents import ABSENT, is_number, value_at
from hour24.evidence import Document, Evidence, Listing, Unanswered
from hour24.objectives.base import Kinds, Objective, given
from hour24.text import format_bytes, format_duration, format_percent, one_line
from hour24.verdict import Outcome, Scale, Verdict

UP = frozenset({"true", "up", "ok", "pass", "healthy", "connected", "available", "online"})
DOWN = frozenset(
    {"false", "down", "error", "fail", "failed", "unhealthy", "disconnected", "unavailable"}
)
REFUSALS = {
    "login_refused": "it refuses a login that worked before",
    "too_many_connections": "it refuses another connection, all being taken",
    "not_accepting": "it says that it is starting, stopping or recovering",
    "upstream_down": "its pooler says that it cannot reach it",
}
"""Codes with which the database itself, and not the way to it, turned us away."""
SERVICE_WORDS = frozenset({"ACTIVE_HEALTHY", "UNHEALTHY", "COMING_UP"})
SHORTEST_GROWTH_S = 3600.0
DAY_S = 86400.0
LONGEST = 120


class DatabaseAnswers(Objective, frozen=True, kw_only=True):
    """The database answers the runbook's query, takes writes, and nothing calls it down.

    Args:
        database: JSON pointer to what the health document says of the database; "" for nothing.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {
        "row": Listing,
        "health": Document,
        "services": Listing,
        "before": Listing,
    }

    database: str = "/database"

    def limit_text(self) -> str:
        return "answers"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        row, services = evidence.get("row"), evidence.get("services")
        says = self._health_says(evidence.get("health"))
        down: list[tuple[str, str]] = []
        if says is False:
            down.append(("database_down", "the health document says that it is down"))
        down += _unhealthy(services)
        refused = _refusal(row, evidence.get("before"))
        if refused:
            down.append(refused)
        if down:
            told = "; ".join(reason for _, reason in down)
            seen = (
                f"; our own query was answered in {_took(row)}"
                if isinstance(row, Listing) and row.items
                else ""
            )
            if refused and says:
                seen = "; the health document says that it is up"
            return self._verdict(
                Outcome.FAIL, down[0][0], f"Of the database: {told}{seen}", _word(down[0][0])
            )
        if row is None:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "not_described",
                "The runbook's query was not asked: production.toml describes no [database]",
            )
        if isinstance(row, Unanswered):
            beside = {True: "; the health document says that it is up", None: "", False: ""}[says]
            if row.code in REFUSALS:
                beside += "; no login has worked in this watch yet, so that it may be our own fault"
            return self._verdict(Outcome.INCONCLUSIVE, row.code, row.reason + beside)
        assert isinstance(row, Listing)
        if not row.items:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "no_data",
                "The runbook's query found no row for the database it is connected to",
            )
        if isinstance(services, Unanswered):
            return self._verdict(
                Outcome.INCONCLUSIVE,
                services.code,
                f"{_row_text(row)}, but what {services.question.who} calls its services is not "
                f"known: {services.reason}",
                _took(row),
            )
        who = services.question.who if services is not None else ""
        odd = _odd(services)
        if odd:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "source_misread",
                f"{_row_text(row)}, but {who} calls {odd}, which is no word of its own",
                _took(row),
            )
        if row.items[0].get("read_only"):
            return self._read_only(row)
        healthy = (
            f", and {who} calls its {len(services.items)} services healthy"
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
        """The verdict on a database that answers and takes no writes."""
        if row.items[0]["read_only"] == "recovery":
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "read_only",
                f"{_row_text(row)}, but it is in recovery, a standby that takes no writes: name "
                "the primary in database.dsn_env, or set database.writes = false",
                "takes no writes",
            )
        return self._verdict(
            Outcome.FAIL,
            "read_only",
            f"{_row_text(row)}, but it takes no writes: default_transaction_read_only is on for "
            "every role, as a platform sets it when the disk is full",
            "takes no writes",
        )

    def _health_says(self, health: Evidence | None) -> bool | None:
        """Whether the health document calls the database up; none when it does not tell."""
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


def _unhealthy(services: Evidence | None) -> list[tuple[str, str]]:
    """What the platform says is not healthy, and the code for it."""
    if not isinstance(services, Listing):
        return []
    bad = [
        f"{item['name']} {item['status']}"
        + (f" ({str(item['error'])[:LONGEST]})" if item.get("error") else "")
        for item in services.items
        if item["status"] in SERVICE_WORDS - {"ACTIVE_HEALTHY"}
    ]
    return (
        [("services_unhealthy", f"{services.question.who} calls {', '.join(bad)}")] if bad else []
    )


def _odd(services: Evidence | None) -> str:
    """A service whose status is none of the documented words; a listing without any is odd too."""
    if not isinstance(services, Listing):
        return ""
    if not services.items:
        return "no service anything"
    found = [item for item in services.items if item["status"] not in SERVICE_WORDS]
    return f"{found[0]['name']} {str(found[0]['status'])[:LONGEST]}" if found else ""


def _refusal(row: Evidence | None, before: Evidence | None) -> tuple[str, str] | None:
    """That the database turned away a login that it had accepted before, and the code for it."""
    if not isinstance(row, Unanswered) or row.code not in REFUSALS:
        return None
    answered = isinstance(before, Listing) and any(i.get("answered") is True for i in before.items)
    return (row.code, f"{REFUSALS[row.code]} ({row.reason})") if answered else None


def _word(code: str) -> str:
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
    """Connections are left, nobody sits on a transaction, nobody waits long for a lock.

    Args:
        share: of the connections available that may be in use, 0 to 1.
        idle_in_transaction_s: how long a transaction may be open with nothing done, in seconds.
        lock_wait_s: how long a session may wait for a lock, in seconds.
    """

    needs: ClassVar[Kinds] = {"connections": Listing}

    share: float = 0.8
    idle_in_transaction_s: float = 60.0
    lock_wait_s: float = 10.0

    def limit_text(self) -> str:
        return f"below {format_percent(self.share)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        item = _reading(given(evidence, "connections", Listing))
        if item is None or not all(is_number(item.get(n)) for n in ("in_use", "available")):
            return self.unmeasured(
                "no_data", "The database did not say how many connections are in use and available"
            )
        rooms = [
            ("connections", item["in_use"], item["available"]),
            *((each["what"], each["in_use"], each["limit"]) for each in item.get("limits") or ()),
        ]
        what, used, available = max(rooms, key=lambda room: _share(room[1], room[2]))
        worst = _share(used, available)
        idle = float(item.get("oldest_idle_in_transaction_s") or 0.0)
        wait = float(item.get("oldest_lock_wait_s") or 0.0)
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
                    f"a session{_by(item, 'idle_in_transaction_by')} has done nothing in an open "
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
        aside = float(item.get("aside_idle_s") or 0.0)
        beside = ""
        if aside > self.idle_in_transaction_s:
            beside = (
                f"; set aside, a session{_by(item, 'aside_by')} of the platform or of maintenance "
                f"has been idle in a transaction for {format_duration(aside)}"
            )
        reason = "; ".join(text for _, text in found) or (
            f"{used} of {available} {what} are in use, {format_percent(worst)}; the longest idle "
            f"transaction {format_duration(idle)}, the longest lock wait {format_duration(wait)}"
        )
        return Verdict(
            outcome=Outcome.FAIL if found else Outcome.PASS,
            code=found[0][0] if found else "",
            reason=reason[:1].upper() + reason[1:] + beside,
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
    """The disk has room, and will have for days at the present growth.

    Args:
        share: of the disk that may be used, 0 to 1.
        days: how many days must be left until it is full; 0 where growth is not judged (hour 0).
    """

    needs: ClassVar[Kinds] = {"disk": Listing}
    may: ClassVar[Kinds] = {"before": Listing}

    share: float = 0.8
    days: float

    def limit_text(self) -> str:
        below = f"below {format_percent(self.share)}"
        return f"{below}, {self.days:g} days left" if self.days else below

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        item = _reading(given(evidence, "disk", Listing))
        if item is None or not _whole(item.get("used_bytes")) or not _whole(item.get("size_bytes")):
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "no_data",
                "How large the database's disk is, and how much of it is used, was not told",
                {},
            )
        size, used = float(item["size_bytes"]), float(item["used_bytes"])
        share = used / size
        figures = {"share": share, "used_bytes": used, "size_bytes": size}
        stands = (
            f"{format_bytes(used)} of {format_bytes(size)} of the disk are used, "
            f"{format_percent(share)}"
        )
        if share >= self.share:
            return self._verdict(
                Outcome.FAIL,
                "disk_full",
                f"{stands}: expected below {format_percent(self.share)}",
                figures,
            )
        if not self.days:
            return self._verdict(Outcome.PASS, "", stands, figures)
        readings = sorted(_readings(evidence.get("before"), item))
        span_s = readings[-1][0] - readings[0][0] if readings else 0.0
        if span_s < SHORTEST_GROWTH_S:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "too_early",
                f"{stands}; its growth needs an earlier reading, at least an hour before this one",
                figures,
            )
        growth = _slope(readings)
        figures["growth_bytes_per_day"] = growth * DAY_S
        over = f"over {len(readings)} readings in {format_duration(span_s)}"
        if growth <= 0:
            return self._verdict(
                Outcome.PASS, "", f"{stands}, and it does not grow ({over})", figures
            )
        left = (size - used) / growth / DAY_S
        figures["days_left"] = left
        daily = format_bytes(growth * DAY_S)
        grows = f"it grows by {daily} a day ({over}) and is full in {_days(left)}"
        if left < self.days:
            return self._verdict(
                Outcome.FAIL,
                "disk_growing",
                f"{stands}; {grows}: expected at least {self.days:g} days",
                figures,
            )
        return self._verdict(Outcome.PASS, "", f"{stands}; {grows}", figures)

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
    """Moment and bytes used of every reading, this one included; equal moments once."""
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
    """Whose session it is, in brackets; empty when that was not told."""
    return f" ({one_line(item[name], LONGEST)})" if item.get(name) else ""


def _share(used: float, available: float) -> float:
    """``used`` of ``available``; all of it where there is none."""
    return used / available if available > 0 else 1.0


def _whole(value: Any) -> bool:
    return is_number(value) and value > 0


def _days(days: float) -> str:
    return f"{days:.1f} days" if days < 100 else "over 100 days"
