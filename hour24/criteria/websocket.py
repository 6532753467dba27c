"""The WebSocket: connections kept open, now and by the prober."""

from hour24.criteria.criterion import ALL, COVERAGE, Criterion, Judge, Proof, RunbookClass

STABLE = Criterion(
    id="WS-STABLE",
    sentence="Fewer than 10 % of WebSocket connections drop",
    stated="Fewer than {websocket.max_drop_ratio:share} of WebSocket connections drop",
    hours=ALL,
    span="since_t0",
    group="WebSocket",
    means="dropped",
    asks=("websocket_probes", "websocket_held", "control"),
    needs=("websocket_held",),
    judges=(
        Judge(
            objective="DropsBelow",
            fixed=COVERAGE,
            configured={"limit": "websocket.max_drop_ratio"},
        ),
    ),
    no_chart="a share of connections is one number",
    proof=Proof(faults=("websocket_flap@1",), silence=("no_prober@-1", "network_down@3.9")),
    runbook_class=RunbookClass(severity="high", name="WebSocket disconnections above 10 %"),
)
CRITERIA = (STABLE,)
