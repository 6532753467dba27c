"""Latency: each endpoint against its target, and against hour 0."""

from hour24.criteria.criterion import ALL, FROM_4, Criterion, Judge, Proof

GROUP = "Latency"

TARGET = Criterion(
    id="LATENCY-TARGET",
    sentence=(
        "Each endpoint's p99 is below its target: health 100 ms, calls 500 ms, webhooks 200 ms, "
        "assistants 1000 ms"
    ),
    hours=ALL,
    span="since_t0",
    group=GROUP,
    means="p99 of its target",
    asks=("server_times", "latencies", "latency_samples", "control"),
    needs=("latencies",),
    judges=(Judge(objective="QuantileBelow", limits={"q": 0.99}, limits_at_0={"q": 0.9}),),
    each_endpoint=True,
    baseline=("latencies",),
    daily=True,
    chart="latency",
    proof=Proof(faults=("slow_endpoint@1",), silence=("no_prober@-1", "sentry_unreachable@-1")),
)
MOST = Criterion(
    id="LATENCY-MOST",
    sentence="At least 90 % of transactions in Sentry have a p99 below 1000 ms",
    hours=ALL,
    span="since_t0",
    group=GROUP,
    means="fast enough",
    asks=("transactions",),
    needs=("transactions",),
    judges=(Judge(objective="MostBelow", limits={"share": 0.9, "limit_ms": 1000.0}),),
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
    judges=(Judge(objective="NotSlower", limits={"max_ratio": 1.2, "max_tail": 1.5}),),
    each_endpoint=True,
    daily=True,
    chart="latency_baseline",
    proof=Proof(faults=("slow_endpoint@1",), silence=("no_prober@0",)),
)
CRITERIA = (TARGET, MOST, STABLE)
