"""Every question that a criterion may name: what is asked, of whom, over which window.

Rules of this module:

- A function's name is the fixture's in tests_prod/; its lane is the thread that asks it.
- Windows of logs, metrics and Sentry are the settled ones, since they arrive late.
- Nothing here judges.
"""

from __future__ import annotations

from datetime import timedelta

from hour24.checkpoint.inquiry import (
    QUESTIONS,
    Answer,
    BaselineAbsent,
    Inquiry,
    NotDescribed,
    question,
)
from hour24.evidence import Distribution, Evidence, Listing, Quantiles, Unanswered
from hour24.watch import Window

__all__ = ["QUESTIONS"]

# --- health: the accused itself ---------------------------------------------------------------


@question("health", now=True)
def health_document(inquiry: Inquiry) -> Answer:
    return inquiry.health.document()


@question("health", now=True)
def control(inquiry: Inquiry) -> Answer:
    return inquiry.health.control()


@question("latency", now=True, each=True)
def latency_samples(inquiry: Inquiry) -> Answer:
    """A short series of requests to each endpoint, from a process of its own."""
    from hour24.sources.latency import Sampler

    paces = inquiry.paces
    endpoints = inquiry.production.endpoints
    asked = {name: each for name, each in endpoints.items() if paces[name].samples}
    answers: dict[str, Evidence] = dict(Sampler(asked, inquiry.clock, paces).latencies())
    for name in endpoints.keys() - asked.keys():
        answers[name] = Unanswered(
            question=inquiry.question(f"samples of {name}", source="latency"),
            code="too_few_samples",
            reason=f"latency: {name}: its max_per_s leaves no sample beside the prober's",
        )
    return answers


@question("websocket", now=True)
def websocket_held(inquiry: Inquiry) -> Answer:
    from hour24.sources.websocket import WebSocketSource

    target = inquiry.described(inquiry.production.websocket, "websocket")
    return WebSocketSource(target, inquiry.clock).held()


# --- probes: what the prober saw --------------------------------------------------------------


@question("probes")
def health_probes(inquiry: Inquiry) -> Answer:
    return inquiry.seen.probes("health", inquiry.checkpoint.window)


@question("probes")
def health_probes_whole(inquiry: Inquiry) -> Answer:
    return inquiry.seen.probes("health", Window(inquiry.watch.t0, inquiry.checkpoint.due))


@question("probes")
def probed_responses(inquiry: Inquiry) -> Answer:
    return inquiry.seen.responses(inquiry.checkpoint.window)


@question("probes")
def probed_responses_whole(inquiry: Inquiry) -> Answer:
    """From the hour before T0 on, so that it can settle hour 0 too."""
    return inquiry.seen.responses(inquiry.checkpoint.since_t0)


@question("probes", sections=("websocket",))
def websocket_probes(inquiry: Inquiry) -> Answer:
    """Connections held since T0; at hour 0 there is nothing since."""
    inquiry.described(inquiry.production.websocket, "websocket")
    if inquiry.checkpoint.hour == 0:
        raise NotDescribed("probes: websocket: no time has passed since T0")
    return inquiry.seen.probes("websocket", Window(inquiry.watch.t0, inquiry.checkpoint.due))


@question("probes", each=True, sections=("endpoints",))
def latencies(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies since T0."""
    return _latencies(inquiry, inquiry.checkpoint.since_t0)


@question("probes", each=True, sections=("endpoints",))
def latencies_window(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies since the checkpoint before; the baseline's hour aside."""
    window = inquiry.checkpoint.window
    start = max(window.start, _baseline_window(inquiry).end)
    return _latencies(inquiry, Window(start, max(start, window.end)))


@question("probes", each=True, sections=("endpoints",))
def latencies_baseline(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies in the hour before T0, or else in the first hour after it."""
    window = _baseline_window(inquiry)
    told = inquiry.seen_at_baseline.latencies
    answers: dict[str, Evidence] = {
        name: told(name, window) for name in inquiry.production.endpoints
    }
    for name, answer in answers.items():
        if not isinstance(answer, Distribution) or answer.n == 0:
            answers[name] = Unanswered(
                question=answer.question,
                code="baseline_absent",
                reason=f"probes: {name}: expected probes in the hour before T0 or the first one "
                "after it, got none",
            )
    return answers


def _baseline_window(inquiry: Inquiry) -> Window:
    hour = timedelta(hours=1)
    before = Window(inquiry.watch.t0 - hour, inquiry.watch.t0)
    seen = inquiry.seen_at_baseline
    probed = any(seen.latencies(name, before).n for name in inquiry.production.endpoints)
    return before if probed else before.shifted(3600)


def _latencies(inquiry: Inquiry, window: Window) -> dict[str, Evidence]:
    return {name: inquiry.seen.latencies(name, window) for name in inquiry.production.endpoints}


# --- Sentry -----------------------------------------------------------------------------------


@question("sentry-canary", now=True)
def canary(inquiry: Inquiry) -> Answer:
    """An event sent now, looked for as long as Sentry's events are given to arrive."""
    from hour24.witnesses.sentry.source import Sentry

    at = inquiry.described(inquiry.production.sentry, "sentry")
    return Sentry(at, inquiry.clock).receipt(inquiry.production.schedule.settle_s)


@question("sentry")
def sentry_outcomes(inquiry: Inquiry) -> Answer:
    return inquiry.sentry.outcomes(inquiry.checkpoint.settled)


@question("sentry")
def sentry_day_before(inquiry: Inquiry) -> Answer:
    """Errors that Sentry accepted, hour by hour, in the day before the watch."""
    begin = inquiry.watch.t0 - timedelta(hours=1)
    return inquiry.sentry.accepted(Window(begin - timedelta(days=1), begin))


@question("sentry")
def error_events(inquiry: Inquiry) -> Answer:
    return inquiry.sentry.error_events(inquiry.checkpoint.settled)


@question("sentry")
def issues(inquiry: Inquiry) -> Answer:
    return inquiry.sentry.issues(inquiry.checkpoint.settled)


@question("sentry")
def issues_whole(inquiry: Inquiry) -> Answer:
    return inquiry.sentry.issues(inquiry.checkpoint.settled_since_t0)


@question("sentry")
def transactions(inquiry: Inquiry) -> Answer:
    return inquiry.sentry.transactions(inquiry.checkpoint.settled_since_t0)


@question("sentry", each=True, sections=("endpoints",))
def server_times(inquiry: Inquiry) -> Answer:
    """Each endpoint's own times as Sentry computed them from its spans, since T0."""
    listing = inquiry.sentry.transactions(inquiry.checkpoint.settled_since_t0)
    at = inquiry.described(inquiry.production.sentry, "sentry")
    by_name = {item["transaction"]: item for item in listing.items}
    return {
        name: _server_time(
            name, endpoint.transaction, by_name, listing, at.traces_sample_rate == 1.0
        )
        for name, endpoint in inquiry.production.endpoints.items()
    }


def _server_time(
    name: str,
    transaction: str,
    by_name: dict[str, dict[str, object]],
    listing: Listing,
    census: bool,
) -> Evidence:
    item = by_name.get(transaction) if transaction else None
    if item is None:
        wanted = f"transaction {transaction!r}" if transaction else "a transaction's name"
        return Unanswered(
            question=listing.question,
            code="not_described" if not transaction else "no_data",
            reason=f"sentry: endpoint {name}: expected {wanted}, got none",
        )
    values = {
        quantile: float(str(item[key]))
        for quantile, key in (
            ("0.5", "p50"),
            ("0.75", "p75"),
            ("0.9", "p90"),
            ("0.95", "p95"),
            ("0.99", "p99"),
            ("1", "p100"),
        )
        if item.get(key) is not None
    }
    return Quantiles(
        question=listing.question,
        basis="census" if census else "sample",
        n=int(str(item["count"])),
        unit="ms",
        values=values,
    )


# --- Render -----------------------------------------------------------------------------------


@question("render-metrics")
def responses(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.responses(inquiry.checkpoint.settled)


@question("render-metrics")
def responses_whole(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.responses(inquiry.checkpoint.settled_since_t0)


@question("render-metrics")
def responses_over_time(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.responses_over_time(inquiry.checkpoint.settled_since_t0)


@question("render-metrics")
def memory(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.memory(inquiry.checkpoint.settled_since_t0)


@question("render-metrics")
def memory_window(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.memory(inquiry.checkpoint.settled)


@question("ledger")
def memory_baseline(inquiry: Inquiry) -> Answer:
    """The memory of the whole watch, as its newest record kept it."""
    earlier = inquiry.earlier("memory")
    if not earlier:
        raise BaselineAbsent(
            "ledger: memory: expected that of an earlier checkpoint, got none; there is nothing "
            "to compare with"
        )
    return earlier[-1][1]


@question("render-metrics")
def memory_limit(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.memory_limit(inquiry.checkpoint.settled)


@question("render-metrics")
def load(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.load(inquiry.checkpoint.settled_since_t0)


@question("render-metrics")
def platform_events(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.events(inquiry.checkpoint.window)


@question("render-metrics")
def platform_events_whole(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.events(Window(inquiry.watch.t0, inquiry.checkpoint.due))


@question("render-metrics")
def deploys(inquiry: Inquiry) -> Answer:
    return inquiry.render_metrics.deploys(inquiry.checkpoint.since_t0)


@question("render-logs")
def error_lines(inquiry: Inquiry) -> Answer:
    return inquiry.render_logs.error_lines(inquiry.checkpoint.settled)


@question("render-logs")
def error_lines_since_t0(inquiry: Inquiry) -> Answer:
    return inquiry.render_logs.error_lines(inquiry.checkpoint.settled_since_t0)


@question("render-logs")
def watched_lines(inquiry: Inquiry) -> Answer:
    return inquiry.render_logs.watched_lines(inquiry.checkpoint.settled)


@question("ledger")
def watched_lines_baseline(inquiry: Inquiry) -> Answer:
    return inquiry.from_hour_0("watched_lines")


@question("render-logs", sections=("jobs",))
def beats(inquiry: Inquiry) -> Answer:
    jobs = inquiry.described(inquiry.production.jobs, "jobs")
    return inquiry.render_logs.beats(inquiry.checkpoint.settled, jobs)


@question("ledger", sections=("jobs",))
def beats_baseline(inquiry: Inquiry) -> Answer:
    """The first beats that were recorded: which workers there are."""
    inquiry.described(inquiry.production.jobs, "jobs")
    if inquiry.checkpoint.hour == 0:
        raise NotDescribed("ledger: beats: hour 0 has no checkpoint before it")
    earlier = inquiry.earlier("beats")
    if not earlier:
        raise BaselineAbsent("ledger: beats: expected those of an earlier checkpoint, got none")
    return earlier[0][1]


@question("render-logs", sections=("jobs",))
def beats_whole(inquiry: Inquiry) -> Answer:
    jobs = inquiry.described(inquiry.production.jobs, "jobs")
    return inquiry.render_logs.beats(inquiry.checkpoint.settled_since_t0, jobs)


# --- Supabase and PostgreSQL ------------------------------------------------------------------


@question("supabase", now=True)
def supabase_health(inquiry: Inquiry) -> Answer:
    return inquiry.supabase.services()


@question("supabase", now=True)
def disk(inquiry: Inquiry) -> Answer:
    return inquiry.supabase.disk()


@question("ledger")
def disk_before(inquiry: Inquiry) -> Answer:
    """The disk's earlier readings, oldest first."""
    items = [
        item
        for _, each in inquiry.earlier("disk")
        if isinstance(each, Listing)
        for item in each.items
    ]
    if not items:
        raise BaselineAbsent("ledger: disk: expected a reading of an earlier checkpoint, got none")
    return Listing(
        question=inquiry.question("disk, earlier checkpoints"), what="readings", items=tuple(items)
    )


@question("database", now=True)
def database_row(inquiry: Inquiry) -> Answer:
    return inquiry.database.runbook_row()


@question("ledger")
def database_before(inquiry: Inquiry) -> Answer:
    """At which checkpoints, or attempts of this one, this database answered this login before."""
    login = ("database", "database.role")
    before = [*inquiry.earlier("row", *login), *inquiry.attempted("row", *login)]
    items = tuple({"hour": hour, "answered": True} for hour, _ in before)
    return Listing(
        question=inquiry.question("database_row, earlier checkpoints and attempts"),
        what="answers",
        items=items,
    )


@question("database", now=True)
def statements(inquiry: Inquiry) -> Answer:
    return inquiry.database.statements()


@question("ledger")
def statements_before(inquiry: Inquiry) -> Answer:
    """The newest snapshot of the statements that an earlier checkpoint took."""
    earlier = inquiry.earlier("statements")
    if not earlier:
        raise BaselineAbsent(
            "ledger: statements: expected the snapshot of an earlier checkpoint, got none"
        )
    return earlier[-1][1]


@question("database", now=True)
def running(inquiry: Inquiry) -> Answer:
    return inquiry.database.running()


@question("database", now=True)
def connections(inquiry: Inquiry) -> Answer:
    return inquiry.database.connections()


# --- the ledger -------------------------------------------------------------------------------


@question("ledger")
def declared(inquiry: Inquiry) -> Answer:
    """Deploys that a person declared, and rollbacks."""
    items = tuple(
        {
            "start": entry.content["start"],
            "end": entry.content["end"],
            "because": entry.content.get("because", ""),
        }
        for entry in inquiry.ledger.entries()
        if entry.kind in ("deploy", "rollback") and entry.content.get("end") is not None
    )
    return Listing(question=inquiry.question("declared deploys"), what="deploys", items=items)


# --- the vendors' status pages: advisory, never judged ----------------------------------------


@question("status")
def status_pages(inquiry: Inquiry) -> Answer:
    from hour24.witnesses.status_pages.source import StatusPages

    return StatusPages(inquiry.production.status_pages, inquiry.clock).incidents()
