"""Errors: what the tracker received, and the share of failed requests."""

from hour24.criteria.criterion import ALL, FROM_4, FROM_8, Criterion, Judge, Proof
from hour24.text import format_percent

GROUP = "Errors"
EVENTS_PER_HOUR = 5
"""Error events in one hour that fail: the runbook's number."""
ERROR_RATE = 0.01
"""The share of failed requests that fails: the runbook's number."""
_SILENCE = ("sentry_unreachable@0.5",)

RECEIVES = Criterion(
    id="SENTRY-RECEIVES",
    sentence="An event sent now is stored by Sentry",
    stated="An event sent now is stored by {who}",
    hours=(0,),
    span="now",
    group=GROUP,
    means="read back",
    asks=("canary",),
    needs=("canary",),
    judges=(Judge(objective="EventStored"),),
    no_chart="it is a single event",
    proof=Proof(faults=("sentry_deaf@-1",), silence=("sentry_unreachable@-1",), hour=0, before=()),
)
FEED = Criterion(
    id="SENTRY-FEED",
    sentence="Sentry dropped no errors in the window (rate limits, quota, filters)",
    stated="{who} dropped no errors in the window (rate limits, quota, filters)",
    hours=ALL,
    span="window",
    group=GROUP,
    means="dropped events",
    asks=("outcomes", "accepted_before"),
    needs=("outcomes",),
    judges=(Judge(objective="NothingDropped"),),
    daily=True,
    no_chart="its limit is zero: one number is enough",
    proof=Proof(faults=("sentry_dropping@1",), silence=_SILENCE),
)
COUNT = Criterion(
    id="ERRORS-COUNT",
    sentence=(
        f"Fewer than {EVENTS_PER_HOUR} error events in every hour of the window, excluding "
        "known-normal errors"
    ),
    hours=ALL,
    span="window",
    group=GROUP,
    means="worst hour",
    asks=("error_events",),
    needs=("error_events",),
    judges=(Judge(objective="EventsBelow", limits={"per_hour": EVENTS_PER_HOUR}),),
    baseline=("events",),
    daily=True,
    chart="events",
    proof=Proof(faults=("error_spike@2",), silence=_SILENCE),
)
RATE = Criterion(
    id="ERRORS-RATE",
    sentence=f"Fewer than {format_percent(ERROR_RATE)} of requests fail (5xx or no answer)",
    hours=ALL,
    span="window",
    group=GROUP,
    means="failed requests",
    asks=("responses", "probed_responses"),
    judges=(Judge(objective="RateBelow", limits={"limit": ERROR_RATE}),),
    no_chart="the same responses are drawn over time by ERRORS-TREND",
    proof=Proof(faults=("error_spike@2",), silence=("render_unreachable@0.5", "no_prober@-1")),
)
NEW = Criterion(
    id="ERRORS-NEW",
    sentence="No new issue appeared, excluding known-normal errors",
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="new issues",
    asks=("issues",),
    needs=("issues",),
    judges=(Judge(objective="NoNewIssue"),),
    baseline=("issues",),
    daily=True,
    no_chart="issues are listed by name",
    proof=Proof(faults=("new_issue@1",), silence=_SILENCE),
)
CRITICAL = Criterion(
    id="ERRORS-CRITICAL",
    sentence="No issue of a critical class had events in the window",
    hours=ALL,
    span="window",
    group=GROUP,
    means="critical events",
    asks=("issues",),
    needs=("issues",),
    judges=(Judge(objective="NoCriticalIssue"),),
    baseline=("issues",),
    daily=True,
    no_chart="issues are listed by name",
    proof=Proof(faults=("new_critical_issue@1",), silence=_SILENCE),
)
TOP = Criterion(
    id="ERRORS-TOP",
    sentence="The three most frequent errors are of a known class",
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="known of the top",
    asks=("issues",),
    needs=("issues",),
    judges=(Judge(objective="TopKnown", limits={"top": 3}),),
    daily=True,
    no_chart="issues are listed by name",
    proof=Proof(faults=("new_critical_issue@0",), silence=("top_unclassified@-1",)),
)
TREND = Criterion(
    id="ERRORS-TREND",
    sentence="The error rate does not rise, and no hour spikes",
    hours=FROM_8,
    span="since_t0",
    group=GROUP,
    means="change",
    asks=("responses_over_time",),
    needs=("responses_over_time",),
    judges=(Judge(objective="NoRise", fixed=("rise", "spike", "least", "visible", "coverage")),),
    baseline=("responses",),
    chart="responses",
    proof=Proof(
        faults=("error_spike@6",), silence=("render_unreachable@5",), hour=8, before=(0, 4)
    ),
)
CRITERIA = (RECEIVES, FEED, COUNT, RATE, NEW, CRITICAL, TOP, TREND)
