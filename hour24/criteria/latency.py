"""Latency: each endpoint compared with its target and with hour 0."""

from hour24.criteria.criterion import ALL, FROM_4, Criterion, Judge, Proof
from hour24.text import format_percent

GROUP = "Latency"
QUANTILE = 0.99
"""The quantile that the target limits: the runbook's p99."""
QUANTILE_AT_0 = 0.9
"""The quantile at hour 0: 30 samples of an endpoint cannot bound a higher one."""
FAST_SHARE, FAST_MS = 0.9, 1000.0
"""The share of transactions that must be fast, and their limit: the runbook's numbers."""

TARGET = Criterion(
    id="LATENCY-TARGET",
    sentence=(f"Each endpoint's p{100 * QUANTILE:g} is below its target in production.toml"),
    hours=ALL,
    span="since_t0",
    group=GROUP,
    means="p99 of its target",
    asks=("server_times", "latencies", "latency_samples", "control"),
    needs=("latencies",),
    judges=(
        Judge(objective="QuantileBelow", limits={"q": QUANTILE}, limits_at_0={"q": QUANTILE_AT_0}),
    ),
    each_endpoint=True,
    baseline=("latencies",),
    daily=True,
    chart="latency",
    proof=Proof(faults=("slow_endpoint@1",), silence=("no_prober@-1", "sentry_unreachable@-1")),
)
MOST = Criterion(
    id="LATENCY-MOST",
    sentence=(
        f"At least {format_percent(FAST_SHARE)} of transactions in Sentry have a p99 below "
        f"{FAST_MS:g} ms"
    ),
    stated=(
        f"At least {format_percent(FAST_SHARE)} of transactions in {{who}} have a p99 below "
        f"{FAST_MS:g} ms"
    ),
    hours=ALL,
    span="since_t0",
    group=GROUP,
    means="fast enough",
    asks=("transactions",),
    needs=("transactions",),
    judges=(Judge(objective="MostBelow", limits={"share": FAST_SHARE, "limit_ms": FAST_MS}),),
    baseline=("transactions",),
    daily=True,
    no_chart="transactions are listed with their p99",
    proof=Proof(faults=("slow_transactions@0",), silence=("sentry_unreachable@0.5",)),
)
STABLE = Criterion(
    id="LATENCY-STABLE",
    sentence="No endpoint is slower than at hour 0",
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="worst shift",
    asks=("latencies_window", "latencies_baseline"),
    needs=("latencies_window",),
    judges=(Judge(objective="NotSlower", fixed=("max_ratio", "max_tail")),),
    each_endpoint=True,
    daily=True,
    chart="latency_baseline",
    proof=Proof(faults=("slow_endpoint@1",), silence=("no_prober@0",)),
)
CRITERIA = (TARGET, MOST, STABLE)
