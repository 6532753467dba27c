"""Latency: each endpoint compared with its target and with hour 0."""

from hour24.objectives.latency import MostBelow, NotSlower, QuantileBelow
from hour24.plugin import criterion


@criterion("LATENCY-TARGET")
def test_target(endpoints, server_times, latencies, latency_samples, control, checkpoint, conclude):
    """Each endpoint's p99 is below its target in production.toml"""
    for name, endpoint in endpoints.items():
        below = QuantileBelow(
            target_ms=endpoint.target_ms,
            q=0.99 if checkpoint.hour else 0.9,
            known_slow=endpoint.known_slow,
        )
        conclude(
            below,
            subject=name,
            spans=server_times[name],
            probes=latencies[name],
            samples=latency_samples[name],
            control=control,
        )


@criterion("LATENCY-MOST")
def test_most(transactions, conclude):
    """At least 90 % of transactions in Sentry have a p99 below 1000 ms"""
    conclude(MostBelow(share=0.9, limit_ms=1000), transactions=transactions)


@criterion("LATENCY-STABLE")
def test_stable(endpoints, latencies_window, latencies_baseline, conclude):
    """No endpoint is slower than at hour 0"""
    for name in endpoints:
        conclude(
            NotSlower(),
            subject=name,
            now=latencies_window[name],
            baseline=latencies_baseline[name],
        )
