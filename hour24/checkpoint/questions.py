"""Every question that a criterion may name: the measure, its source and its window.

Rules of this module:

- The name of a function is that of the fixture in tests_prod/. Its decorator names the measure that
  a witness provides, or the lane of a question that no witness answers.
- Logs, metrics and error events use settled windows, because they arrive late.
- Issues and error events of one witness are of the same population: each answer holds how many
  events of the other are missing from it.
- Nothing here judges.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import structs

from hour24.checkpoint import from_lines, vantages
from hour24.checkpoint.inquiry import (
    QUESTIONS,
    Answer,
    BaselineAbsent,
    Contradictory,
    Inquiry,
    NotDescribed,
    question,
)
from hour24.evidence import UNLISTED, Counts, Distribution, Evidence, Listing, Unanswered
from hour24.watch import Window
from hour24.witnesses.port import Measure

__all__ = ["QUESTIONS"]

# --- the service itself -----------------------------------------------------------------------


@question("health", now=True)
def health_document(inquiry: Inquiry) -> Answer:
    return inquiry.health.document()


@question("health", now=True)
def control(inquiry: Inquiry) -> Answer:
    return inquiry.health.control()


@question("tls", now=True)
def certificates(inquiry: Inquiry) -> Answer:
    """The certificates of the service's addresses, and of the control address."""
    from hour24.sources.certificates import certificates as seen

    return seen(inquiry.production, inquiry.clock)


@question("latency", now=True, each=True)
def latency_samples(inquiry: Inquiry) -> Answer:
    """A short series of requests to each endpoint, sent by a separate process."""
    from hour24.sources.latency import Sampler

    paces = inquiry.paces
    endpoints = inquiry.production.endpoints
    asked = {name: each for name, each in endpoints.items() if paces[name].samples}
    with inquiry.sampling_alone():
        answers: dict[str, Evidence] = dict(Sampler(asked, inquiry.clock, paces).latencies())
    for name in endpoints.keys() - asked.keys():
        answers[name] = Unanswered(
            question=inquiry.question(f"samples of {name}", source="latency"),
            code="too_few_samples",
            reason=f"latency: {name}: its max_per_s leaves no request for samples",
        )
    return answers


@question("websocket", now=True)
def websocket_held(inquiry: Inquiry) -> Answer:
    from hour24.sources.websocket import WebSocketSource

    target = inquiry.require(inquiry.production.websocket, "websocket")
    return WebSocketSource(target, inquiry.clock).held()


# --- probes: the observations of the prober ---------------------------------------------------


@question("probes")
def health_probes(inquiry: Inquiry) -> Answer:
    """The health probes, also by vantage where several are described."""
    return vantages.health_probes(inquiry, inquiry.checkpoint.window)


@question("probes")
def health_probes_whole(inquiry: Inquiry) -> Answer:
    return vantages.health_probes(inquiry, Window(inquiry.watch.t0, inquiry.checkpoint.due))


@question("probes")
def probed_responses(inquiry: Inquiry) -> Answer:
    return inquiry.observations.responses(inquiry.checkpoint.window)


@question("probes")
def probed_responses_whole(inquiry: Inquiry) -> Answer:
    """Responses since one hour before T0, so that they can resolve hour 0 too."""
    return inquiry.observations.responses(inquiry.checkpoint.since_t0)


@question("probes", sections=("websocket",))
def websocket_probes(inquiry: Inquiry) -> Answer:
    """Connections held open since T0; not asked at hour 0."""
    inquiry.require(inquiry.production.websocket, "websocket")
    if inquiry.checkpoint.hour == 0:
        raise NotDescribed("probes: websocket: no time has passed since T0")
    return inquiry.observations.probes(
        "websocket", Window(inquiry.watch.t0, inquiry.checkpoint.due)
    )


@question("probes", each=True, sections=("endpoints",))
def latencies(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies since T0."""
    return _latencies(inquiry, inquiry.checkpoint.since_t0)


@question("probes", each=True, sections=("endpoints",))
def latencies_window(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies since the previous checkpoint, excluding the baseline's hour."""
    window = inquiry.checkpoint.window
    start = max(window.start, _baseline_window(inquiry).end)
    return _latencies(inquiry, Window(start, max(start, window.end)))


@question("probes", each=True, sections=("endpoints",))
def latencies_baseline(inquiry: Inquiry) -> Answer:
    """Every endpoint's latencies in the hour before T0, or if unprobed in the hour after it."""
    window = _baseline_window(inquiry)
    latencies_of = inquiry.baseline_observations.latencies
    answers: dict[str, Evidence] = {
        name: latencies_of(name, window) for name in inquiry.production.endpoints
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
    observed = inquiry.baseline_observations
    probed = any(observed.latencies(name, before).n for name in inquiry.production.endpoints)
    return before if probed else before.shifted(3600)


def _latencies(inquiry: Inquiry, window: Window) -> dict[str, Evidence]:
    return {
        name: inquiry.observations.latencies(name, window) for name in inquiry.production.endpoints
    }


# --- error events, issues, transactions ---------------------------------------------------------


@question(Measure.RECEIPT)
def canary(inquiry: Inquiry) -> Answer:
    """A test event sent now, and searched for until it has had time to arrive."""
    return inquiry.ask(Measure.RECEIPT, inquiry.production.schedule.settle_s)


@question(Measure.OUTCOMES)
def outcomes(inquiry: Inquiry) -> Answer:
    """Error events of the window by outcome: accepted, filtered, ...

    Raises: Contradictory, if fewer were accepted than half of those that the source lists.
    """
    window = inquiry.checkpoint.settled
    answer = inquiry.ask(Measure.OUTCOMES, window)
    if isinstance(answer, Counts):
        events = inquiry.other_listing(answer, Measure.ERROR_EVENTS, window)
        accepted = answer.parts.get("accepted", answer.total - answer.bad)
        if events is not None and 2 * accepted < len(events.items):
            problem = Contradictory(
                f"{answer.question.source}: outcomes: expected the {len(events.items)} error "
                f"events that it lists in the same window, got {accepted} accepted"
            )
            problem.question = answer.question
            raise problem
    return answer


@question(Measure.ACCEPTED)
def accepted_before(inquiry: Inquiry) -> Answer:
    """Accepted error events per hour on the day before the watch."""
    begin = inquiry.watch.t0 - timedelta(hours=1)
    return inquiry.ask(Measure.ACCEPTED, Window(begin - timedelta(days=1), begin))


@question(Measure.ERROR_EVENTS)
def error_events(inquiry: Inquiry) -> Answer:
    """Error events of the window; if there are none, with the issues of that window."""
    window = inquiry.checkpoint.settled
    if inquiry.made_from(Measure.ERROR_EVENTS):
        return from_lines.events(_lines(inquiry, window))
    answer = inquiry.ask(Measure.ERROR_EVENTS, window)
    if not isinstance(answer, Listing) or answer.items or not answer.complete:
        return answer
    issues = inquiry.other_listing(answer, Measure.ISSUES, window)
    counted = sum(int(item["count"]) for item in issues.items) if issues else 0
    return structs.replace(answer, about={**answer.about, UNLISTED: float(counted)})


@question(Measure.ISSUES)
def issues(inquiry: Inquiry) -> Answer:
    return _beside_events(inquiry, inquiry.checkpoint.settled)


@question(Measure.ISSUES)
def issues_whole(inquiry: Inquiry) -> Answer:
    return _beside_events(inquiry, inquiry.checkpoint.settled_since_t0)


def _lines(inquiry: Inquiry, window: Window) -> Listing:
    """The ERROR lines of a window, from which errors are made where no tracker is described."""
    found = inquiry.ask(Measure.ERROR_LINES, window)
    assert isinstance(found, Listing)
    return found


def _beside_events(inquiry: Inquiry, window: Window) -> Answer:
    """Issues, with the number of this checkpoint's error events that belong to none of them."""
    if inquiry.made_from(Measure.ISSUES):
        production = inquiry.production
        return from_lines.issues(
            _lines(inquiry, window),
            window,
            inquiry.watch.checkpoint(0).settled.start,
            lambda earlier: _lines(inquiry, earlier),
            (*production.critical, *production.normal),
        )
    answer = inquiry.ask(Measure.ISSUES, window)
    if not isinstance(answer, Listing) or not answer.complete:
        return answer
    events = inquiry.other_listing(answer, Measure.ERROR_EVENTS, inquiry.checkpoint.settled)
    if events is None:
        return answer
    listed = {item["id"] for item in answer.items}
    unlisted = [item for item in events.items if item.get("issue_id") not in listed]
    if answer.items:  # without an id it may belong to any of them
        unlisted = [item for item in unlisted if item.get("issue_id")]
    return structs.replace(answer, about={**answer.about, UNLISTED: float(len(unlisted))})


@question(Measure.TRANSACTIONS)
def transactions(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.TRANSACTIONS, inquiry.checkpoint.settled_since_t0)


@question(Measure.SERVER_TIMES, each=True, sections=("endpoints",))
def server_times(inquiry: Inquiry) -> Answer:
    """Each endpoint's server-side times from spans, since T0."""
    window, endpoints = inquiry.checkpoint.settled_since_t0, inquiry.production.endpoints
    return inquiry.ask(Measure.SERVER_TIMES, window, endpoints)


# --- the platform -----------------------------------------------------------------------------


@question(Measure.RESPONSES)
def responses(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.RESPONSES, inquiry.checkpoint.settled)


@question(Measure.RESPONSES)
def responses_whole(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.RESPONSES, inquiry.checkpoint.settled_since_t0)


@question(Measure.RESPONSES_OVER_TIME)
def responses_over_time(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.RESPONSES_OVER_TIME, inquiry.checkpoint.settled_since_t0)


@question(Measure.MEMORY)
def memory(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.MEMORY, inquiry.checkpoint.settled_since_t0)


@question(Measure.MEMORY)
def memory_window(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.MEMORY, inquiry.checkpoint.settled)


@question("ledger", of=Measure.MEMORY)
def memory_baseline(inquiry: Inquiry) -> Answer:
    """The memory over the whole watch, from its newest record."""
    earlier = inquiry.earlier("memory")
    if not earlier:
        raise BaselineAbsent(
            "ledger: memory: expected that of an earlier checkpoint, got none; there is no baseline"
        )
    return earlier[-1][1]


@question(Measure.MEMORY_LIMIT)
def memory_limit(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.MEMORY_LIMIT, inquiry.checkpoint.settled)


@question(Measure.LOAD)
def load(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.LOAD, inquiry.checkpoint.settled_since_t0)


@question(Measure.PLATFORM_EVENTS)
def platform_events(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.PLATFORM_EVENTS, inquiry.checkpoint.window)


@question(Measure.PLATFORM_EVENTS)
def platform_events_whole(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.PLATFORM_EVENTS, Window(inquiry.watch.t0, inquiry.checkpoint.due))


@question(Measure.DEPLOYS)
def deploys(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.DEPLOYS, inquiry.checkpoint.since_t0)


@question(Measure.ERROR_LINES)
def error_lines(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.ERROR_LINES, inquiry.checkpoint.settled)


@question(Measure.ERROR_LINES)
def error_lines_since_t0(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.ERROR_LINES, inquiry.checkpoint.settled_since_t0)


@question(Measure.WATCHED_LINES)
def watched_lines(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.WATCHED_LINES, inquiry.checkpoint.settled)


@question("ledger", of=Measure.WATCHED_LINES)
def watched_lines_baseline(inquiry: Inquiry) -> Answer:
    return inquiry.hour_0_evidence("watched_lines")


@question(Measure.BEATS, sections=("jobs",))
def beats(inquiry: Inquiry) -> Answer:
    jobs = inquiry.require(inquiry.production.jobs, "jobs")
    return inquiry.ask(Measure.BEATS, inquiry.checkpoint.settled, jobs)


@question("ledger", sections=("jobs",), of=Measure.BEATS)
def beats_baseline(inquiry: Inquiry) -> Answer:
    """The first recorded beats, which list the workers."""
    inquiry.require(inquiry.production.jobs, "jobs")
    if inquiry.checkpoint.hour == 0:
        raise NotDescribed("ledger: beats: hour 0 has no checkpoint before it")
    earlier = inquiry.earlier("beats")
    if not earlier:
        raise BaselineAbsent("ledger: beats: expected those of an earlier checkpoint, got none")
    return earlier[0][1]


@question(Measure.BEATS, sections=("jobs",))
def beats_whole(inquiry: Inquiry) -> Answer:
    jobs = inquiry.require(inquiry.production.jobs, "jobs")
    return inquiry.ask(Measure.BEATS, inquiry.checkpoint.settled_since_t0, jobs)


# --- the database -----------------------------------------------------------------------------


@question(Measure.SERVICES)
def services(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.SERVICES)


@question(Measure.DISK)
def disk(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.DISK)


@question("ledger", of=Measure.DISK)
def disk_before(inquiry: Inquiry) -> Answer:
    """Earlier readings of the disk, oldest first."""
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


@question(Measure.DATABASE_ROW)
def database_row(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.DATABASE_ROW)


@question("ledger", of=Measure.DATABASE_ROW)
def database_before(inquiry: Inquiry) -> Answer:
    """The earlier checkpoints and attempts at which this database accepted this login."""
    login = ("database", "database.role")
    before = [*inquiry.earlier("row", *login), *inquiry.earlier_attempts("row", *login)]
    items = tuple({"hour": hour, "answered": True} for hour, _ in before)
    return Listing(
        question=inquiry.question("database_row, earlier checkpoints and attempts"),
        what="answers",
        items=items,
    )


@question(Measure.STATEMENTS)
def statements(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.STATEMENTS)


@question("ledger", of=Measure.STATEMENTS)
def statements_before(inquiry: Inquiry) -> Answer:
    """The newest snapshot of the statements from an earlier checkpoint."""
    earlier = inquiry.earlier("statements")
    if not earlier:
        raise BaselineAbsent(
            "ledger: statements: expected the snapshot of an earlier checkpoint, got none"
        )
    return earlier[-1][1]


@question(Measure.RUNNING)
def running(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.RUNNING)


@question(Measure.CONNECTIONS)
def connections(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.CONNECTIONS)


# --- the ledger -------------------------------------------------------------------------------


@question("ledger")
def declared(inquiry: Inquiry) -> Answer:
    """Rollbacks, and deploys that a person declared."""
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


# --- status pages of vendors: advisory, never judged ------------------------------------------


@question(Measure.INCIDENTS)
def status_pages(inquiry: Inquiry) -> Answer:
    return inquiry.ask(Measure.INCIDENTS)
