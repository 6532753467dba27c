"""Records of a made-up watch, of every kind of evidence, for the tests of pages."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hour24 import evidence as ev
from hour24.criteria import CRITERIA, Criterion, due
from hour24.histogram import count_values
from hour24.ledger.record import Judged, Prober, Record, Shown, Vantage
from hour24.verdict import Outcome, Scale, worst
from hour24.watch import Watch, Window

T0 = datetime(2025, 12, 21, 11, 15, tzinfo=UTC)
WATCH = Watch(name="launch-2025-12-22", t0=T0, zone="Europe/Berlin")
HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">"
    "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \x00\x07 {{7*7}} {% raw %} ]]> --> </style></details>"
)
ENDPOINTS = {"health": 100.0, "calls": 500.0, "webhooks": 200.0, "assistants": 1000.0}


def epoch(time_: datetime) -> float:
    return time_.timestamp()


def question(
    source: str,
    asked: str,
    window: Window | None,
    at: datetime,
    results: tuple[str, ...] = ("200",),
) -> ev.Question:
    attempts = tuple(
        ev.Attempt(at=at + timedelta(seconds=4 * n), took_ms=120.0 + 7 * n, result=result)
        for n, result in enumerate(results)
    )
    answered = bool(results) and results[-1].startswith(("2", "ok"))
    digest = hashlib.sha256(f"{source}{asked}".encode()).hexdigest() if answered else ""
    return ev.Question(
        title={"render": "Render", "sentry": "Sentry", "supabase": "Supabase"}.get(source, ""),
        source=source,
        asked=asked,
        at=at,
        window=window,
        attempts=attempts,
        digest=digest,
    )


def blocks(
    dice: random.Random, start: float, end: float, middle: float, spread: float = 0.25
) -> tuple[ev.Block, ...]:
    made = []
    at = start
    while at < end:
        values = [middle * math.exp(dice.gauss(0, spread)) for _ in range(20)]
        made.append(ev.Block(at, 600.0, {str(k): n for k, n in count_values(values).items()}))
        at += 600.0
    return tuple(made)


class Sample:
    """Builds one record; the outcomes of named criteria can be changed."""

    def __init__(self, hour: int, *, seed: int = 7, text: str = "plain") -> None:
        self.hour = hour
        self.checkpoint = WATCH.checkpoint(hour)
        self.window = self.checkpoint.window
        self.since = self.checkpoint.since_t0
        self.at = self.checkpoint.due + timedelta(seconds=124)
        self.dice = random.Random(f"{seed}/{hour}")
        self.text = text

    def evidence(self, criterion: Criterion, subject: str = "") -> dict[str, ev.Evidence]:
        """Evidence of the form that the criterion asks for."""
        makers = {
            "HEALTH-SCHEMA": self._document,
            "HEALTH-ALWAYS": self._probes,
            "RESTARTS": self._probes,
            "ERRORS-COUNT": self._events,
            "ERRORS-NEW": self._events,
            "ERRORS-RATE": self._counts,
            "ERRORS-TREND": self._responses,
            "JOBS-RUNNING": self._beats,
            "MEMORY-STABLE": self._memory,
            "MEMORY-HEADROOM": self._memory,
            "LATENCY-TARGET": lambda: self._latency(subject),
            "LATENCY-STABLE": lambda: self._shift(subject),
            "DB-SIZE": self._disk,
        }
        return makers.get(criterion.id, self._listing)()

    def _document(self) -> dict[str, ev.Evidence]:
        body = {"status": "ok", "database": True, "uptime": 86400, "note": self.text}
        asked = question("health", "GET https://api.example/health", None, self.at)
        return {
            "health": ev.Document(
                question=asked, status=200, body=body, took_ms=24.1, server_date=self.at
            )
        }

    def _probes(self) -> dict[str, ev.Evidence]:
        start, end = epoch(self.window.start), epoch(self.window.end)
        gap = (start + 4000, start + 4020)
        slots = round((end - start) / 10)
        return {
            "probes": ev.Probes(
                question=question("prober", "lines of probe/*.jsonl", self.window, self.at, ()),
                basis="sample",
                target="health",
                interval_s=10,
                due=slots,
                kept=slots - 1,
                bad=1,
                failures=(ev.Failure(at=start + 9000, reason=self.text, control=True),),
                gaps=(gap,),
                uptimes=tuple(ev.Uptime(start + 60 * k, 4000.0 + 60 * k, "i-1") for k in range(60)),
                statuses={"200": slots - 2, "503": 1},
            )
        }

    def _events(self) -> dict[str, ev.Evidence]:
        start = epoch(self.window.start)
        items = tuple(
            {
                "id": f"e{k}",
                "at": start + 700.0 * k,
                "title": f"Vapi API timeout {self.text}",
                "level": "error",
                "count": 3,
            }
            for k in range(12)
        )
        asked = question(
            "sentry",
            "GET https://sentry.example/api/0/organizations/x/events/?dataset=errors&a=1",
            self.checkpoint.settled,
            self.at,
            ("503", "503", "200"),
        )
        return {"events": ev.Listing(question=asked, what="error events", items=items, seen=12)}

    def _counts(self) -> dict[str, ev.Evidence]:
        asked = question("render", "GET https://render.example/v1/metrics", self.window, self.at)
        return {
            "platform": ev.Counts(
                question=asked,
                total=1354,
                bad=3,
                what="requests",
                parts={"200": 1351, "500": 3},
            )
        }

    def _responses(self) -> dict[str, ev.Evidence]:
        start = epoch(self.since.start)
        moments = tuple(start + 300.0 * k for k in range(int(self.since.seconds // 300)))
        good = tuple(float(round(40 + 30 * math.sin(t / 9000))) for t in moments)
        bad = tuple(float(self.dice.random() < 0.1) for _ in moments)
        asked = question("render", "GET https://render.example/v1/metrics", self.since, self.at)
        lines = (
            ev.Line(labels={"status": "2xx"}, times=moments, values=good),
            ev.Line(labels={"status": "5xx"}, times=moments, values=bad),
        )
        return {"responses": ev.Series(question=asked, unit="requests", lines=lines)}

    def _beats(self) -> dict[str, ev.Evidence]:
        start = epoch(self.window.start)
        moments = tuple(
            start + 30.0 * k + self.dice.random() for k in range(int(self.window.seconds // 30))
        )
        late = tuple(t + 2 * self.dice.random() for t in moments)
        asked = question("render", "GET https://render.example/v1/logs", self.window, self.at)
        line = ev.Line(labels={"worker": "w1"}, times=moments, values=late)
        return {"beats": ev.Series(question=asked, unit="s", lines=(line,))}

    def _memory(self) -> dict[str, ev.Evidence]:
        start = epoch(self.since.start)
        moments = tuple(start + 60.0 * k for k in range(int(self.since.seconds // 60)))
        lines = tuple(
            ev.Line(
                labels={"instance": name},
                times=moments,
                values=tuple(
                    None if 200 <= k < 230 else 240 + 30 * ((k * 7 + shift) % 50) / 50 + 0.002 * k
                    for k in range(len(moments))
                ),
            )
            for name, shift in (("srv-1", 0), ("srv-2", 21))
        )
        asked = question("render", "GET https://render.example/v1/memory", self.since, self.at)
        limit = ev.Line(times=moments[:1], values=(512.0,))
        return {
            "memory": ev.Series(question=asked, unit="MB", lines=lines),
            "limit": ev.Series(question=asked, unit="MB", lines=(limit,)),
        }

    def _distribution(self, name: str, window: Window, gap: bool) -> ev.Distribution:
        start, end = epoch(window.start), epoch(window.end)
        made = blocks(self.dice, start, end, ENDPOINTS.get(name, 300) * 0.4)
        kept = made[:5] + made[7:] if gap else made
        asked = question("prober", f"lines of {name}", window, self.at, ())
        return ev.Distribution(
            question=asked, basis="sample", unit="ms", blocks=kept, round_trip_ms=0.4
        )

    def _latency(self, subject: str) -> dict[str, ev.Evidence]:
        return {"probes": self._distribution(subject, self.since, True)}

    def _shift(self, subject: str) -> dict[str, ev.Evidence]:
        return {
            "now": self._distribution(subject, self.window, False),
            "baseline": self._distribution(subject, WATCH.checkpoint(0).window, False),
        }

    def _disk(self) -> dict[str, ev.Evidence]:
        asked = question("supabase", "GET https://api.supabase.example/disk", None, self.at)
        readings = [
            {"at": epoch(T0) + 3600.0 * h, "size_bytes": 8e9, "used_bytes": 2e9 + 1e7 * h}
            for h in WATCH.hours
            if h <= self.hour
        ]
        return {
            "disk": ev.Listing(question=asked, what="readings", items=(readings[-1],)),
            "before": ev.Listing(question=asked, what="readings", items=tuple(readings[:-1])),
        }

    def _listing(self) -> dict[str, ev.Evidence]:
        items = tuple({"id": k, "message": self.text, "level": "error"} for k in range(40))
        asked = question("render", "GET https://render.example/v1/logs", self.window, self.at)
        return {"lines": ev.Listing(question=asked, what="ERROR lines", items=items, seen=9000)}

    def judged(self, criterion: Criterion, subject: str = "", **changes: Any) -> Judged:
        """One verdict; a PASS with a margin unless ``changes`` says otherwise."""
        limit = ENDPOINTS.get(subject, 1.0)
        share = self.dice.uniform(0.2, 0.8)
        fields: dict[str, Any] = {
            "id": criterion.id,
            "subject": subject,
            "sentence": criterion.sentence,
            "group": criterion.group,
            "span": criterion.span,
            "window": {"now": None, "since_t0": self.since}.get(criterion.span, self.window),
            "outcome": Outcome.PASS,
            "reason": f"3 of 1 354 were found, at most {share:.2f} of the limit",
            "observed": f"{share * limit:.3g}",
            "bound": f"at most {share * 1.2 * limit:.3g}",
            "limit": f"below {limit:g}",
            "scale": Scale(
                unit="ms" if subject else "ratio",
                limit=limit,
                observed=share * limit,
                lower=share * 0.9 * limit,
                upper=share * 1.2 * limit,
            ),
            "figures": {
                "observed": share * limit,
                "slope_mb_per_h": 0.12,
                "lower_mb_per_h": -0.2,
                "upper_mb_per_h": 0.44,
            },
            "objective": {"name": "RateBelow", "limit": 0.01},
            "took_s": 0.01,
        }
        fields["evidence"] = {
            name: ev.to_plain(answer) for name, answer in self.evidence(criterion, subject).items()
        }
        fields.update(changes)
        return Judged(**fields)

    def criteria(self) -> tuple[Judged, ...]:
        """Every criterion due at this hour, all PASS."""
        made: list[Judged] = []
        for criterion in due(self.hour):
            subjects = (
                list(ENDPOINTS) if criterion.id in ("LATENCY-TARGET", "LATENCY-STABLE") else [""]
            )
            made.extend(self.judged(criterion, subject) for subject in subjects)
        return tuple(made)

    def record(self, criteria: tuple[Judged, ...] | None = None, **changes: Any) -> Record:
        """The record of this hour."""
        kept = self.criteria() if criteria is None else criteria
        fields: dict[str, Any] = {
            "watch": WATCH.name,
            "target": "production.toml",
            "rehearsal": None,
            "service": {
                "name": "voxanne-backend",
                "environment": "production",
                "release": "7c1e2fa",
            },
            "zone": WATCH.zone,
            "hour": self.hour,
            "attempt": 1,
            "t0": T0,
            "due": self.checkpoint.due,
            "started": self.at,
            "ended": self.at + timedelta(seconds=12),
            "late_s": 124.0,
            "window": self.window,
            "outcome": worst(judged.outcome for judged in kept),
            "limits": "9233e73752b50573" * 4,
            "vantage": Vantage(host="fra-1", user="mara", pid=4711, version="0.1.0", commit="abc"),
            "plan": {name: criterion.hours for name, criterion in CRITERIA.items()},
            "criteria": kept,
            "prober": Prober(running=True, files=("fra-1-2281.jsonl",), last_line=self.at),
        }
        fields.update(changes)
        return Record(**fields)


def changed(
    criteria: tuple[Judged, ...], name: str, subject: str = "", **to: Any
) -> tuple[Judged, ...]:
    """The same criteria with one verdict changed. Raises: AssertionError, when it is not there."""
    import msgspec

    found = [j for j in criteria if j.id == name and j.subject == subject]
    assert found, f"{name} {subject} is due"
    return tuple(msgspec.structs.replace(j, **to) if j in found else j for j in criteria)


def failing(hour: int = 16, **changes: Any) -> Record:
    """A FAIL, two INCONCLUSIVE and a NOT_APPLICABLE among PASSes, with a decision."""
    sample = Sample(hour)
    kept = changed(
        sample.criteria(),
        "LATENCY-TARGET",
        "assistants",
        outcome=Outcome.FAIL,
        code="beyond_limit",
        reason="the p99 of assistants was at least 1 413 ms since T0, over its target of 1 000 ms",
        observed="1 595 ms",
        bound="at least 1 413 ms",
        limit="below 1 000 ms",
        scale=Scale(unit="ms", limit=1000, observed=1595, lower=1413, upper=1741),
    )
    unanswered = ev.Unanswered(
        question=question(
            "render",
            "GET https://render.example/v1/logs?text=*WARN*",
            sample.window,
            sample.at,
            ("503", "503", "503"),
        ),
        code="source_failed",
        reason="render: logs: expected 200, got 503 on 3 attempts",
    )
    kept = changed(
        kept,
        "LOGS-WATCHED",
        outcome=Outcome.INCONCLUSIVE,
        code="source_failed",
        reason="render: logs: expected 200, got 503 on 3 attempts",
        observed="not measured",
        bound="",
        limit="below ×2",
        scale=None,
        evidence={"now": ev.to_plain(unanswered)},
    )
    kept = changed(
        kept,
        "LATENCY-MOST",
        outcome=Outcome.INCONCLUSIVE,
        code="too_few_samples",
        reason="5 of 12 transactions were seen 299 times or more, the least that can speak of p99",
        observed="5 of 12 known",
        bound="0.42 to 1",
        limit="at least 90 %",
        scale=Scale(unit="ratio", limit=0.9, lower=0.42, upper=1.0, better="above"),
    )
    kept = changed(
        kept,
        "DB-SIZE",
        outcome=Outcome.NOT_APPLICABLE,
        code="not_applicable",
        reason="the disk of this plan grows by itself, up to 60 GB",
        observed="",
        bound="",
        limit="",
        scale=None,
        objective=None,
        evidence={},
    )
    fields: dict[str, Any] = {
        "decision": {
            "action": "HOLD",
            "rule": "a criterion fails: fix and redeploy, or a named person waives",
            "causes": [
                {"cause": "vapi: waiting for api.vapi.ai", "share": 0.72, "count": 13},
                {"cause": "database: waiting for a connection", "share": 0.17, "count": 3},
                {"cause": "code", "share": 0.11, "count": 2},
            ],
            "severities": [
                {
                    "issue": "VOX-142 GET /api/assistants",
                    "severity": "medium",
                    "do": "monitor, fix later",
                }
            ],
            "steps": [
                {
                    "text": "Ask again what was not measured. It cannot erase the FAIL.",
                    "command": "pytest -m hour16 --watch launch-2025-12-22",
                },
                {
                    "text": "See whether Vapi is slow now.",
                    "command": "curl -sSL https://status.vapi.ai/index.json",
                },
                {
                    "text": "Decide before hour 20: fix and redeploy, or waive by name.",
                    "command": 'python -m hour24 waive LATENCY-TARGET --hour 16 --by "NAME" '
                    '--because "REASON" --until 2026-01-05',
                },
            ],
            "call": [{"role": "on call", "name": "Mara Example", "reach": "+49 30 0000"}],
        },
        "shown": (Shown(id="ERRORS-TOP", title="The most frequent errors", text="Vapi 22\nDB 7"),),
        "notes": ("render limited us once: waited 2 s",),
    }
    fields.update(changes)
    return sample.record(kept, **fields)
