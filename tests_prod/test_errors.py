"""Errors: what Sentry received, and the share of failed requests."""

from hour24.objectives.errors import EventsBelow, NoCriticalIssue, NoNewIssue, NoRise, TopKnown
from hour24.objectives.feed import EventStored, NothingDropped
from hour24.objectives.rates import RateBelow
from hour24.plugin import criterion


@criterion("SENTRY-RECEIVES")
def test_receives(canary, conclude):
    """An event sent now is stored by Sentry"""
    conclude(EventStored(), event=canary)


@criterion("SENTRY-FEED")
def test_feed(outcomes, accepted_before, conclude):
    """Sentry dropped no errors in the window (rate limits, quota, filters)"""
    conclude(NothingDropped(), outcomes=outcomes, day_before=accepted_before)


@criterion("ERRORS-COUNT")
def test_count(error_events, production, conclude):
    """Fewer than 5 error events in every hour of the window, excluding known-normal errors"""
    conclude(EventsBelow(per_hour=5, normal=production.normal), events=error_events)


@criterion("ERRORS-RATE")
def test_rate(responses, probed_responses, conclude):
    """Fewer than 1 % of requests fail (5xx or no answer)"""
    conclude(RateBelow(limit=0.01), platform=responses, probe=probed_responses)


@criterion("ERRORS-NEW")
def test_new(issues, production, conclude):
    """No new issue appeared, excluding known-normal errors"""
    known = {"normal": production.normal, "critical": production.critical}
    conclude(NoNewIssue(**known), issues=issues)


@criterion("ERRORS-CRITICAL")
def test_critical(issues, production, conclude):
    """No issue of a critical class had events in the window"""
    known = {"normal": production.normal, "critical": production.critical}
    conclude(NoCriticalIssue(**known), issues=issues)


@criterion("ERRORS-TOP")
def test_top(issues, production, conclude):
    """The three most frequent errors are of a known class"""
    known = {"normal": production.normal, "critical": production.critical}
    conclude(TopKnown(top=3, **known), issues=issues)


@criterion("ERRORS-TREND")
def test_trend(responses_over_time, conclude):
    """The error rate does not rise, and no hour spikes"""
    conclude(NoRise(), responses=responses_over_time)
